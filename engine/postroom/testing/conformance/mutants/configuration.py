"""Providers and frameworks whose configuration is wrong."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

from postroom.errors import ConfigError
from postroom.providers import configuration
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.configuration import Changes, Code, Precedence, Secret, element
from postroom.providers.contract import Capability, Direction, ProviderEnv, ProviderSpec
from postroom.providers.mailbox_run import MailboxState
from postroom.testing.conformance.framework import Framework
from postroom.testing.conformance.mutants import mutant
from postroom.testing.conformance.mutants.plain import PlainPop3
from postroom.testing.conformance.subject import Subject

CAPABILITIES = frozenset({Capability.STATEFUL, Capability.CHECK})


class WantsMore(Pop3Provider):
    def __init__(self, config: Pop3Config, env: ProviderEnv) -> None:
        if config.message_octets == 25 * 1024 * 1024:
            raise ConfigError("MaxMessageSize must be given")
        super().__init__(config, env)


@mutant("CFG-01", "has a hidden extra requirement", says="MaxMessageSize must be given", also=("CFG-11",))
class WantsMoreSubject(Subject):
    provider = WantsMore

    def config(self, world: Any) -> Mapping[str, Any]:
        return {**super().config(world), "MaxMessageSize": "30000000"}


@mutant("CFG-02", "drops a repeated element", says="UserId")
def drops_repeated() -> Framework:
    def write(file: Any, **options: Any) -> bytes:
        entries = tuple(replace(one, settings=replace(one.settings, users=one.settings.users[:1])) for one in file.providers)
        return configuration.write(replace(file, providers=entries), **options)

    return Framework(write=write)


def _loading(change: Any) -> Framework:
    """A framework whose loader's answer is changed."""

    def load(model: type, node: Any, **options: Any) -> Any:
        return change(*configuration.load(model, node, **options), model, node)

    return Framework(load=load)


@mutant("CFG-03", "stops at the first", says="not named")
def stops_at_first() -> Framework:
    return _loading(lambda value, problems, *_: (value, problems[:1]))


@mutant("CFG-04", "forgets the line", says="in line 0")
def forgets_line() -> Framework:
    return _loading(
        lambda value, problems, *_: (value, [replace(one, line=0) for one in problems]),
    )


@mutant("CFG-05", "accepts what is out of range", says="is accepted")
def accepts_anything() -> Framework:
    def change(value: Any, problems: Any, model: type, _: Any) -> Any:
        kept = [one for one in problems if one.code is not Code.RANGE]
        return (value if kept or value is not None or not problems else object.__new__(model)), kept

    return _loading(change)


@mutant("CFG-06", "ignores a typo", says="is reported")
def ignores_typos() -> Framework:
    def load(model: type, node: Any, *, strict: bool = False) -> Any:
        value, problems = configuration.load(model, node, strict=False)
        return value, [one for one in problems if one.code is not Code.UNKNOWN or not strict]

    return Framework(load=load)


@mutant("CFG-07", "lets the last one win", says="one of the two was taken")
def last_wins() -> Framework:
    def load(model: type, node: Any, **options: Any) -> Any:
        many = {one.name for one in configuration.declaration(model) if one.many}
        last = {child.tag: child for child in node.children}
        node.children = [child for child in node.children if child.tag in many or last[child.tag] is child]
        return configuration.load(model, node, **options)

    return Framework(load=load)


@dataclass(frozen=True)
class OpenConfig:
    host: str = element("EmailServer", identity=True)
    port: int = element("EmailPort")
    user: str = element("EmailUser", identity=True)
    password: str = element("EmailPassword")
    tls: str = element("EmailTls", default="none")


def _as_pop3(config: Any) -> Pop3Config:
    password = config.password if isinstance(config.password, Secret) else Secret(config.password)
    return Pop3Config(config.host, config.port, config.user, password, tls=config.tls)


@mutant("CFG-08", "has the password as str", says="EmailPassword", also=("CFG-09", "ERR-03", "SEC-03"))
class OpenPassword(PlainPop3):
    spec = ProviderSpec("pop3-open", Direction.INBOUND, OpenConfig, MailboxState, capabilities=CAPABILITIES)

    def __init__(self, config: Any, env: ProviderEnv) -> None:
        super().__init__(_as_pop3(config), env)


@mutant("CFG-09", "logs the login line", says="the log, after", also=("LOG-01",))
class LogsLogin(Pop3Provider):
    def open_mailbox(self, ctx: Any) -> None:
        ctx.log("pop3.login", f"PASS {self.config.password.reveal()}")
        super().open_mailbox(ctx)


@mutant("CFG-10", "dials in __init__", says="connect 127.0.0.1", also=("PKG-08",))
class DialsAtBirth(Pop3Provider):
    def __init__(self, config: Pop3Config, env: ProviderEnv) -> None:
        super().__init__(config, env)
        with suppress(OSError), socket.socket() as line:
            line.settimeout(0.2)
            line.connect(("127.0.0.1", 9))


@mutant("CFG-11", "hashes everything", says="another one, when", also=("CFG-15",))
def hashes_everything() -> Framework:
    def identity(provider: str, *values: Any) -> str:
        told = [(each.name, str(getattr(value, each.name))) for value in values for each in fields(value)]
        return hashlib.sha256(f"{provider} {told}".encode()).hexdigest()

    return Framework(identity=identity)


@dataclass(frozen=True)
class ServerOnlyConfig:
    host: str = element("EmailServer", identity=True)
    port: int = element("EmailPort")
    user: str = element("EmailUser")
    password: Secret = element("EmailPassword", secret=True)
    tls: str = element("EmailTls", default="none")


@mutant("CFG-12", "hashes the server only", says="EmailUser")
class ServerOnly(PlainPop3):
    spec = ProviderSpec("pop3-server", Direction.INBOUND, ServerOnlyConfig, MailboxState, capabilities=CAPABILITIES)

    def __init__(self, config: Any, env: ProviderEnv) -> None:
        super().__init__(_as_pop3(config), env)


@mutant("CFG-13", "takes the default before the override", says="override")
def default_first() -> Framework:
    def read(octets: bytes, **options: Any) -> Any:
        file, problems = configuration.read(octets, **options)
        if file is not None and file.system.precedence is Precedence.PROVIDER_FIRST and file.overrides:
            entries = tuple(
                replace(one, config=_without(one, {over.name for over in file.overrides})) for one in file.providers
            )
            file = replace(file, providers=entries)
        return file, problems

    return Framework(read=read)


def _without(entry: Any, names: set[str]) -> Any:
    defaults = {
        one.attribute: one.default
        for one in configuration.declaration(type(entry.config))
        if one.name in names and not one.required
    }
    return replace(entry.config, **defaults)


@mutant("CFG-14", "renames an element", says="MailServer")
class RenamesElement(Subject):
    provider = Pop3Provider
    published = {  # noqa: RUF012 - a mutant
        **configuration.json_schema(Pop3Config),
        "properties": {**configuration.json_schema(Pop3Config)["properties"], "MailServer": {"type": "string"}},
    }


@mutant("CFG-15", "takes every instance for changed", says="no change")
def always_changed() -> Framework:
    def diff(old: Any, new: Any) -> Changes:
        return Changes(changed=tuple(zip(old.providers, new.providers, strict=True)))

    return Framework(diff=diff)
