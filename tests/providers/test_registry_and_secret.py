"""Finding providers by name, and keeping secrets."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest

from postroom.errors import ConfigError
from postroom.providers.base import PollingProvider
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.builtin.smtp import SmtpConfig, SmtpProvider
from postroom.providers.contract import CheckReport, Direction, ProviderSpec, RunOutcome
from postroom.providers.registry import ALIASES, GROUP, BrokenProvider, Registry, verify
from postroom.providers.secret import Secret


@dataclass(frozen=True)
class Nothing: ...


class Good(PollingProvider[Nothing, Nothing]):
    spec: ClassVar[ProviderSpec[Nothing, Nothing]] = ProviderSpec("good", Direction.INBOUND, Nothing, Nothing)

    def on_check(self, ctx: Any) -> CheckReport:
        return CheckReport()

    def on_run(self, ctx: Any) -> RunOutcome:
        return RunOutcome()


def test_the_built_in_ones_are_found_by_name_alias_and_path() -> None:
    registry = Registry.default()
    assert registry.find("pop3") is Pop3Provider
    assert registry.find("postroom.providers.builtin.smtp:SmtpProvider") is SmtpProvider
    for alias, name in ALIASES.items():
        assert registry.find(alias) is registry.find(name)
    assert {"pop3", "smtp"} <= set(registry.names())


def test_registered_classes() -> None:
    registry = Registry()
    assert registry.register(Good) is Good
    assert registry.register(Good) is Good
    assert registry.find("good") is Good
    with pytest.raises(ConfigError, match="'good'"):
        registry.find("goood")


def test_a_name_is_taken_once() -> None:
    class Other(Good): ...

    registry = Registry()
    registry.register(Good)
    with pytest.raises(ConfigError, match="taken"):
        registry.register(Other)


def test_entry_points_are_loaded_when_asked_for_and_broken_ones_hide_no_other() -> None:
    registry = Registry()
    registry.discover(
        [
            EntryPoint("good", f"{__name__}:Good", GROUP),
            EntryPoint("missing", "no_such_module_at_all:X", GROUP),
            EntryPoint("wrong", "json:loads", GROUP),
            EntryPoint("twice", f"{__name__}:Good", GROUP),
            EntryPoint("twice", "json:loads", GROUP),
        ]
    )
    assert registry.names() == ["good", "missing", "twice", "wrong"]
    assert registry.find("good") is Good
    for name, reason in (("missing", "ModuleNotFoundError"), ("wrong", "not a class"), ("twice", "several packages")):
        broken = registry.look(name)
        assert isinstance(broken, BrokenProvider)
        assert reason in broken.reason
        with pytest.raises(ConfigError, match=name):
            registry.find(name)


@pytest.mark.parametrize(
    "path", ["no_such_module_at_all:X", "json:nothing", "json:loads", "postroom.providers.base:MailboxProvider"]
)
def test_class_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(ConfigError, match=path.split(":", maxsplit=1)[0]):
        Registry().find(path)


def test_everything_wrong_is_told_at_once() -> None:
    class Wrong:
        spec = "none"

        def check(self) -> None: ...

    with pytest.raises(ConfigError) as caught:
        verify(Wrong, "wrong")
    for part in ("run is missing", "close is missing", "ProviderSpec"):
        assert part in str(caught.value)


def test_a_later_interface_and_dodged_finals_are_refused() -> None:
    class Later(Good):
        spec = ProviderSpec("later", Direction.INBOUND, Nothing, Nothing, sdk_api=(99, 0))

    with pytest.raises(ConfigError, match="interface"):
        verify(Later, "later")

    class Dodging(Good): ...

    Dodging.run = lambda self, ctx: RunOutcome()  # type: ignore[method-assign,misc]
    with pytest.raises(ConfigError, match="final"):
        verify(Dodging, "dodging")


# -- secrets


def test_a_secret_shows_nowhere() -> None:
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r:.3}", "%s" % secret, repr([secret])]  # noqa: UP031
    shown += [repr(Pop3Config("h", 1, "u", secret)), repr(SmtpConfig("h", 1, "u", secret)), str({"x": secret})]
    assert not any("hunter" in text for text in shown)
    for leak in (pickle.dumps, json.dumps, "".join, lambda one: "x" + one):
        with pytest.raises(TypeError):
            leak(secret if leak is not "".join else [secret])  # type: ignore[operator,arg-type]
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == "hunter2"


def test_secrets_compare_and_copy() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert copy.deepcopy(Secret("a")) == Secret("a")
    assert not Secret("")
