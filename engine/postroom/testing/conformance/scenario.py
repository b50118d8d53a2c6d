"""A subject from a file (TOML), for the common case: no Python to write.

provider = "acme_rss:RssProvider"           # or a name that is installed; may be left out where it is given otherwise
claims = ["core", "inbound", "durable"]     # default: by direction and capabilities
waivers = "waivers.toml"
published = "schema-1.2.json"               # the configuration's schema of the last release

[config]                                    # {host}, {user}, {address}, {password}, {mailbox}, {folder}, {port:pop3s}, {http:/feed}
FeedUrl = "{http:/feed}"
[wrong_credentials]                         # what to change in it; these may be left out
EmailPassword = "{wrong_password}"
[secured]
[deleting]
[unwrapping]
[missing]                                   # nothing is at the other end: Folder = "{folder}/none"

[source]                                    # where messages are put, and looked for
kind = "pop3"                               # pop3, smtp, feed, or folder: a file a message in {folder}
path = "sub"                                # folder only: below {folder}
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from postroom.errors import ConfigError
from postroom.providers.contract import Provider
from postroom.providers.registry import Registry
from postroom.testing.conformance.messages import SourceMessage
from postroom.testing.conformance.sources import SOURCES, Source
from postroom.testing.conformance.subject import Arrived, Subject
from postroom.testing.conformance.table import Profile
from postroom.testing.conformance.world import KitWorld

__all__ = ["ScenarioSubject", "read_scenario"]

TABLES = ("config", "wrong_credentials", "secured", "upgraded", "deleting", "unwrapping", "missing")
WORDS = {"provider", "claims", "waivers", "published", "optional", "source", *TABLES}
MARK = re.compile(r"\{([a-z_]+)(?::([^}]*))?\}")
KINDS = {kind.__name__.removesuffix("Source").lower(): kind for kind in SOURCES}


class ScenarioSubject(Subject):
    """What a scenario file says, as a subject."""

    def __init__(self, provider: type[Provider], values: Mapping[str, Any], folder: Path) -> None:
        self.provider = provider
        self.values = values
        if "claims" in values:
            self.claims = tuple(Profile(one) for one in values["claims"])  # type: ignore[misc]
        for name in ("waivers", "published"):
            if name in values:
                setattr(self, name, folder / values[name])
        if "optional" in values:
            self.optional = tuple(values["optional"])  # type: ignore[misc]
        self._where = values.get("source", {})

    @property
    def source(self) -> Source:
        kind = self._where.get("kind")
        if kind is None or kind == "folder":
            return super().source
        return KINDS[kind](self.spec)

    def config(self, world: KitWorld) -> Mapping[str, Any]:
        return self._texts("config", world) or super().config(world)

    def wrong_credentials(self, world: KitWorld) -> Mapping[str, str] | None:
        return self._texts("wrong_credentials", world) or super().wrong_credentials(world)

    def secured(self, world: KitWorld) -> Mapping[str, str] | None:
        return self._texts("secured", world) or super().secured(world)

    def upgraded(self, world: KitWorld) -> Mapping[str, str] | None:
        return self._texts("upgraded", world) or super().upgraded(world)

    def deleting(self, world: KitWorld) -> Mapping[str, str] | None:
        return self._texts("deleting", world) or super().deleting(world)

    def unwrapping(self, world: KitWorld) -> Mapping[str, str] | None:
        return self._texts("unwrapping", world) or super().unwrapping(world)

    def missing(self, world: KitWorld) -> Mapping[str, str] | None:
        return self._texts("missing", world) or super().missing(world)

    def prepare(self, world: KitWorld) -> None:
        if self._folder(world) is None:
            super().prepare(world)

    def seed(self, world: KitWorld, messages: Sequence[SourceMessage]) -> None:
        place = self._folder(world)
        if place is None:
            super().seed(world, messages)
            return
        for message in messages:
            (place / f"{message.number:06d}-{message.token}.eml").write_bytes(message.octets)

    def remaining(self, world: KitWorld) -> Sequence[bytes] | None:
        place = self._folder(world)
        return super().remaining(world) if place is None else [one.read_bytes() for one in sorted(place.glob("*.eml"))]

    def sent(self, world: KitWorld) -> Sequence[Arrived]:
        place = self._folder(world)
        return super().sent(world) if place is None else [Arrived(one.read_bytes()) for one in sorted(place.glob("*"))]

    def _folder(self, world: KitWorld) -> Path | None:
        if self._where.get("kind") != "folder":
            return None
        place = world.folder / f"mailbox{world.mailbox}" / str(self._where.get("path", "")).strip("/")
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _texts(self, name: str, world: KitWorld) -> dict[str, Any] | None:
        found = self.values.get(name)
        if not found:
            return None
        return {
            key: _filled(text, world) if isinstance(text, str) else [_filled(str(one), world) for one in text]
            for key, text in found.items()
        }


def _filled(text: str, world: KitWorld) -> str:
    """Names in braces replaced. Raises ValueError for one that there is not."""

    def value(found: re.Match[str]) -> str:
        name, rest = found[1], found[2]
        plain = {
            "host": world.host,
            "user": world.user,
            "address": world.address,
            "password": world.password,
            "wrong_password": world.wrong_password,
            "mailbox": str(world.mailbox),
        }
        if name in plain and rest is None:
            return plain[name]
        if name == "folder" and rest is None:
            return str(world.folder / f"mailbox{world.mailbox}")
        if name == "port" and rest:
            return str(world.port(rest))
        if name == "http" and rest:
            return str(world.http.url(rest))
        raise ValueError(f"{{{name}}} is none of {', '.join(plain)}, folder, port:SERVICE, http:PATH")

    return MARK.sub(value, text)


def read_scenario(path: Path | str, provider: str = "", registry: Registry | None = None) -> ScenarioSubject:
    """The subject of a file. `provider` (a name, or module:Class) is used where the file names none. Raises ValueError with everything that is
    wrong in the file, and ConfigError for a provider that cannot be used."""
    place = Path(path)
    try:
        values = tomllib.loads(place.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"scenario {place.name}: {error}") from error
    name = str(values.get("provider", "") or provider)
    problems = _problems(values, name)
    if problems:
        raise ValueError(f"scenario {place.name}: " + "; ".join(problems))
    found = (registry or Registry.default()).find(name)
    if not isinstance(found, type):
        raise ConfigError(f"{name} is no class")
    return ScenarioSubject(found, values, place.parent)


def _problems(values: Mapping[str, Any], provider: str) -> list[str]:
    wrong = [f"unknown word {name!r}" for name in sorted(values.keys() - WORDS)]
    wrong += [] if provider else ["provider: name one, or module:Class"]
    claims = values.get("claims", [])
    known = {one.value for one in Profile}
    wrong += [f"claims: {one!r} is none of {', '.join(sorted(known))}" for one in claims if one not in known]
    wrong += [f"[{name}] is no table" for name in (*TABLES, "source") if not isinstance(values.get(name, {}), dict)]
    source = values.get("source", {})
    if isinstance(source, dict):
        wrong += [f"source: unknown word {name!r}" for name in sorted(source.keys() - {"kind", "path"})]
        if "path" in source and source.get("kind") != "folder":
            wrong.append("source.path: only a folder has one; the places of the other kinds are the kit's")
        if source.get("kind", "folder") not in {*KINDS, "folder"}:
            wrong.append(f"source.kind: {source['kind']!r} is none of {', '.join(sorted({*KINDS, 'folder'}))}")
    for table in TABLES:
        for text in values.get(table, {}).values() if isinstance(values.get(table, {}), dict) else ():
            wrong += [f"[{table}] {{{m[1]}}} is unknown" for m in MARK.finditer(str(text)) if m[1] not in _MARKS]
    return wrong


_MARKS = {"host", "user", "address", "password", "wrong_password", "mailbox", "folder", "port", "http"}
