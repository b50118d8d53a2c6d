"""The original's single-file layout, SystemState.xml: an element per instance with address, last error and threshold (email-router-providers 8).

The only published sample is lower-cased, so names are read in any letter case and written as in the note (ours: `EmailAddress`, `LastError`,
`ThresholdDate`). Instances are called by a hash of 28 lower-case letters and digits that begins with a letter; the original's cannot be computed,
so a file of the original is matched by its addresses, one of ours by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from postroom.errors import StateError
from postroom.providers.configuration.problems import Findings, Problem
from postroom.providers.configuration.tree import LARGEST, Node, parse
from postroom.providers.contract import Direction
from postroom.providers.cursor import Cursor
from postroom.providers.state import initial

if TYPE_CHECKING:
    from postroom.channels.email_router.database import RouterDatabase
    from postroom.providers.configuration import ProviderEntry

__all__ = [
    "Imported",
    "KeptState",
    "addresses_of",
    "element_name",
    "export_system_state",
    "import_system_state",
    "read_system_state",
    "with_threshold",
]

ROOT = "SystemState"
IMPORTER = "import"


@dataclass(frozen=True, slots=True)
class KeptState:
    """One instance of a file. `threshold`: None when the file has none. `trouble`: why it cannot be used; "" when it can."""

    key: str
    address: str
    last_error: str
    threshold: datetime | None
    trouble: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one instance of a file: "cursor" (in its provider's state), "threshold" (kept beside it), "held" (somebody must decide),
    "skipped"; with the reason."""

    key: str
    address: str
    identity: str
    result: str
    detail: str


def element_name(identity: str) -> str:
    """28 lower-case letters and digits that begin with a letter."""
    digest = hashlib.sha256(identity.encode()).digest()
    return "i" + base64.b32encode(digest).decode("ascii").lower()[:27]


def addresses_of(entry: ProviderEntry) -> set[str]:
    """What an instance may be called by in a state file: its target and its account, without letter case."""
    found = {entry.settings.target, str(getattr(entry.config, "user", "")), str(getattr(entry.config, "mailbox", ""))}
    return {one.strip().casefold() for one in found if one.strip()}


def read_system_state(octets: bytes) -> tuple[list[KeptState], list[Problem]]:
    """The instances of a file. A file that is cut off or no XML gives none, and the problem: the service goes on (the original did not start)."""
    findings = Findings()
    root = parse(octets, findings)
    if root is None:
        return [], findings.problems()
    return [_kept(node) for node in root.elements()], findings.problems()


def _kept(node: Node) -> KeptState:
    values = {child.tag.casefold(): child.text.strip() for child in node.elements()}
    values |= {key.casefold(): value.strip() for key, value in node.attributes.items() if key.casefold() not in values}
    address = values.get("emailaddress") or values.get("address") or ""
    said = values.get("thresholddate") or values.get("thresholddatetime") or values.get("threshold") or ""
    threshold, trouble = _threshold(said)
    return KeptState(node.tag, address, values.get("lasterror", "")[:2000], threshold, trouble, node.line)


def _threshold(said: str) -> tuple[datetime | None, str]:
    if not said:
        return None, ""
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None, "its threshold is no date that is understood here"
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    if found.year <= 1:  # email-router-providers 8, failure 2
        return None, "its threshold was set back to the beginning of time: all mail, also what was deleted, would come again"
    return found.astimezone(UTC), ""


def import_system_state(db: RouterDatabase, path: Path | str, entries: Sequence[ProviderEntry]) -> list[Imported]:
    """Take over where the original stood. Instances that committed a state of their own are left alone; one whose threshold cannot be used is
    held. Raises StateError for a file that cannot be read at all."""
    file = Path(path)
    try:
        with file.open("rb") as opened:
            octets = opened.read(LARGEST + 1)
    except OSError as error:
        raise StateError(f"{file.name} cannot be read: {error.strerror}") from None
    kept, problems = read_system_state(octets)
    if any(problem.error for problem in problems):
        raise StateError(f"{file.name} cannot be used: {problems[0]}")
    inbound = [entry for entry in entries if entry.direction is Direction.INBOUND]
    return [_imported(db, one, inbound) for one in kept]


def _imported(db: RouterDatabase, one: KeptState, entries: Iterable[ProviderEntry]) -> Imported:
    found = [entry for entry in entries if element_name(entry.identity) == one.key]
    if not found and one.address:
        found = [entry for entry in entries if one.address.casefold() in addresses_of(entry)]
    if len(found) != 1:
        why = "several instances have this address" if found else "no instance of the configuration has this address"
        return Imported(one.key, one.address, "", "skipped", why)
    entry = found[0]
    row = db.row(entry.identity)
    if row is not None and row.generation:
        return Imported(one.key, one.address, entry.identity, "skipped", "it has a state of its own already")
    if one.trouble:
        db.adopt(entry.identity, entry.provider, last_error=one.last_error, mailbox=one.address)
        db.hold(entry.identity, one.trouble)
        return Imported(one.key, one.address, entry.identity, "held", one.trouble)
    return _taken_over(db, one, entry)


def _taken_over(db: RouterDatabase, one: KeptState, entry: ProviderEntry) -> Imported:
    identity, spec = entry.identity, entry.provider
    state = None if one.threshold is None else with_threshold(initial(spec.state), one.threshold)
    if state is None:
        db.adopt(identity, spec, last_error=one.last_error, threshold=one.threshold, mailbox=one.address)
        detail = "nothing older is taken in" if one.threshold else "the file has no threshold for it: a first run"
        return Imported(one.key, one.address, identity, "threshold" if one.threshold else "skipped", detail)
    fence = db.begin(identity, spec, IMPORTER, mailbox=one.address)
    if fence is None:
        return Imported(one.key, one.address, identity, "skipped", "a run of it goes on: stop the service first")
    try:
        db.state(identity, spec, fence).commit(state)
    finally:
        db.end(fence, one.last_error)
    return Imported(one.key, one.address, identity, "cursor", "it goes on at its threshold")


def with_threshold(state: Any, threshold: datetime) -> Any | None:
    """The state with its first cursor at the threshold; None when it has no cursor."""
    if not is_dataclass(state):
        return None
    for each in fields(state):
        cursor = getattr(state, each.name)
        if isinstance(cursor, Cursor):
            return replace(state, **{each.name: Cursor.start(at=threshold, look_back=cursor.look_back)})  # type: ignore[type-var]
    return None


def export_system_state(db: RouterDatabase, path: Path | str) -> int:
    """Write the layout of the original, whole or not at all; gives the number of instances. Tombstones are left out."""
    rows = [row for row in db.rows() if row.tombstoned_on is None]
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f"<{ROOT}>"]
    for row in rows:
        name = element_name(row.identity)
        threshold = _found_threshold(db.kept_text(row.identity)) or row.threshold
        values = {
            "EmailAddress": row.mailbox or row.name,
            "LastError": row.last_error,
            "ThresholdDate": "" if threshold is None else threshold.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
        inner = "".join(f"<{tag}>{_xml(text)}</{tag}>" for tag, text in values.items() if text or tag != "ThresholdDate")
        lines.append(f"  <{name}>{inner}</{name}>")
    lines.append(f"</{ROOT}>\n")
    _write_whole(Path(path), "\n".join(lines).encode())
    return len(rows)


def _found_threshold(text: str) -> datetime | None:
    """The threshold of the first cursor in a state."""
    try:
        waiting: list[Any] = [json.loads(text)] if text else []
    except (ValueError, RecursionError):
        return None
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, Mapping):
            if {"threshold", "ids", "look_back"} <= set(one) and isinstance(one["threshold"], str):
                with suppress(ValueError):
                    return datetime.fromisoformat(one["threshold"])
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return None


def _xml(text: str) -> str:
    return escape("".join(letter if letter.isprintable() or letter in "\t\n" else "?" for letter in text))


def _write_whole(path: Path, octets: bytes) -> None:
    """Temporary file, flush, fsync, replace, fsync of the folder (provider-kit T2)."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("xb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
