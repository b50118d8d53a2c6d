"""The router's file: read whole, compared with the one in force, and only what changed is touched."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postroom.channels.email_router.placing import Place, Providers, places
from postroom.providers.configuration.problems import Problem
from postroom.providers.configuration.router_file import RouterFile, validate

__all__ = ["FileSource", "Plan", "ReloadReport", "plan"]

LARGEST = 16 * 1024 * 1024 + 1


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What a new file changed: identities of instances. `problems`: of the file, warnings too; `refused`: it has errors and the old one stays in force."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    refused: bool = False

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Plan:
    """Places by what has to be done with them. `changed` are pairs (old, new)."""

    added: tuple[Place, ...]
    removed: tuple[Place, ...]
    changed: tuple[tuple[Place, Place], ...]
    unchanged: tuple[Place, ...]


def plan(old: Sequence[Place], file: RouterFile, organizations: Sequence[str]) -> Plan:
    """By identity. Two entries of one identity are refused when the file is read."""
    before = {place.key: place for place in old}
    after = {place.key: place for place in places(file, organizations)}
    both = [(before[key], place) for key, place in after.items() if key in before]
    return Plan(
        tuple(place for key, place in after.items() if key not in before),
        tuple(place for key, place in before.items() if key not in after),
        tuple(pair for pair in both if not pair[0].same_as(pair[1])),
        tuple(pair[1] for pair in both if pair[0].same_as(pair[1])),
    )


class FileSource:
    """Where the file comes from. A path is looked at again and again; its octets are parsed only when they are other ones."""

    def __init__(self, path: Path | str, providers: Providers) -> None:
        self.path = Path(path)
        self._providers = providers
        self._digest = b""

    def changed(self) -> bool:
        """Whether there are other octets than the last time it was read; a file that cannot be read counts as one, once."""
        return self._look() != self._digest

    def _look(self) -> bytes:
        try:
            with self.path.open("rb") as opened:
                return hashlib.sha256(opened.read(LARGEST)).digest()
        except OSError as error:
            return type(error).__name__.encode()

    def read(self) -> tuple[RouterFile | None, list[Problem]]:
        """As `configuration.validate`, lenient."""
        self._digest = self._look()
        return validate(self.path, resolve=self._providers.resolve, lenient=True)
