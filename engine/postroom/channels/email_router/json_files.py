"""What the instances remember as one JSON file: whole states and the keys that were dealt with, to carry to another database. Ours.

    {"format": "postroom router state", "version": 1, "exported": "2026-03-01T09:30:00Z", "instances": [
        {"identity": "...", "provider": "pop3", "name": "...", "organization": "...", "mailbox": "...",
         "state_version": 1, "state": {...}, "seen": {key: digest, ...}, "last_error": "", "threshold": null, "held": ""}, ...]}

`state` is null for an instance that has committed none. Tombstones are left out. An instance that has a state of its own already is never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.channels.email_router.memory import understood
from postroom.channels.email_router.state_files import IMPORTER, Imported, _write_whole
from postroom.errors import PostroomError, StateError
from postroom.providers.contract import ProviderSpec
from postroom.store.tables import seen_entry

if TYPE_CHECKING:
    from postroom.channels.email_router.database import InstanceRow, RouterDatabase

__all__ = ["export_json", "import_json"]

FORMAT = "postroom router state"
VERSION = 1
LARGEST = 256 * 1024 * 1024
"""Octets of a file that is read."""
_TEXTS = ("identity", "provider", "name", "organization", "mailbox", "last_error", "held")

Find = Callable[[str], ProviderSpec[Any, Any]]
"""A provider's name -> what it declares. Raises ConfigError."""


def export_json(db: RouterDatabase, path: Path | str) -> int:
    """Write the file, whole or not at all; gives the number of instances."""
    rows = [row for row in db.rows() if row.tombstoned_on is None]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "exported": _text(db.clock.now()),
        "instances": [_exported(db, row) for row in rows],
    }
    _write_whole(Path(path), (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode())
    return len(rows)


def _exported(db: RouterDatabase, row: InstanceRow) -> dict[str, Any]:
    text = db.kept_text(row.identity)
    try:
        state = json.loads(text) if text else None
    except (ValueError, RecursionError):
        raise StateError(
            f"the state of {row.name or row.identity} is damaged: let its router repair it, or rewind it"
        ) from None
    asked = sa.select(seen_entry.c.sourcekey, seen_entry.c.digest).where(seen_entry.c.instance == row.identity)
    with db.reading() as tx:
        seen = {str(key): str(digest) for key, digest in tx.execute(asked.order_by(seen_entry.c.sourcekey))}
    return {
        "identity": row.identity,
        "provider": row.provider,
        "name": row.name,
        "organization": row.organization,
        "mailbox": row.mailbox,
        "state_version": row.state_version,
        "state": state,
        "seen": seen,
        "last_error": row.last_error,
        "threshold": None if row.threshold is None else _text(row.threshold),
        "held": row.held,
    }


def import_json(db: RouterDatabase, path: Path | str, find: Find) -> list[Imported]:
    """Take the instances of a file in, those of providers that are not known left out. Raises StateError for a file that is none of ours: then nothing
    was taken in."""
    return [_imported(db, one, find) for one in list(_read(Path(path)))]


def _read(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.stat().st_size > LARGEST:
            raise StateError(f"{path.name} is larger than {LARGEST} octets: it is no file of instances")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise StateError(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise StateError(f"{path.name} cannot be used: it is no JSON") from None
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise StateError(f'{path.name} cannot be used: it has no "format": "{FORMAT}"')
    if document.get("version") != VERSION:
        raise StateError(
            f"{path.name} cannot be used: its version is {str(document.get('version'))[:20]}, {VERSION} is known here"
        )
    instances = document.get("instances")
    if not isinstance(instances, list):
        raise StateError(f"{path.name} cannot be used: its instances are no list")
    for number, one in enumerate(instances, 1):
        if problem := _problem(one):
            raise StateError(f"{path.name} cannot be used: instance {number}: {problem}")
        yield one


def _problem(one: Any) -> str:
    if not isinstance(one, Mapping):
        return "it is no object"
    if wrong := [name for name in _TEXTS if not isinstance(one.get(name, ""), str)]:
        return f"{wrong[0]} is no text"
    if not one.get("identity") or not one.get("provider"):
        return "identity and provider are needed"
    seen = one.get("seen") or {}
    if not isinstance(seen, Mapping) or not all(isinstance(digest, str) for digest in seen.values()):
        return "seen is no object of texts"
    version = one.get("state_version")
    if one.get("state") is not None and (not isinstance(version, int) or isinstance(version, bool)):
        return "state_version is no number"
    threshold = one.get("threshold")
    try:
        return "" if threshold is None or datetime.fromisoformat(threshold).tzinfo else "threshold has no zone"
    except (TypeError, ValueError):
        return "threshold is no moment"


def _imported(db: RouterDatabase, one: Mapping[str, Any], find: Find) -> Imported:
    identity, name = one["identity"], one.get("mailbox") or one.get("name") or ""

    def skipped(why: str) -> Imported:
        return Imported(identity, name, identity, "skipped", why)

    row = db.row(identity)
    if row is not None and row.generation:
        return skipped("it has a state of its own already")
    try:
        spec = find(one["provider"])
        state = None if one.get("state") is None else _state(spec, one["state"], one["state_version"])
        _adopted(db, one, spec)
        fence = db.begin(
            identity,
            spec,
            IMPORTER,
            name=one.get("name", ""),
            organization=one.get("organization", ""),
            mailbox=one.get("mailbox", ""),
        )
        if fence is None:
            return skipped("a run of it goes on: stop the router first")
        try:
            if one.get("seen"):
                db.seen(identity, fence).add(one["seen"])
            if state is not None:
                db.state(identity, spec, fence).commit(state)
        finally:
            db.end(fence, one.get("last_error", ""))
        if one.get("held"):
            db.hold(identity, one["held"])
            return Imported(identity, name, identity, "held", one["held"])
    except PostroomError as error:
        return skipped(str(error))
    return Imported(identity, name, identity, "state", "it goes on where it stood")


def _adopted(db: RouterDatabase, one: Mapping[str, Any], spec: ProviderSpec[Any, Any]) -> None:
    threshold = one.get("threshold")
    db.adopt(one["identity"], spec, threshold=None if threshold is None else datetime.fromisoformat(threshold))


def _state(spec: ProviderSpec[Any, Any], thing: Any, version: int) -> Any:
    """Raises StateError."""
    if version > spec.state_version:
        raise StateError(
            f"its state has version {version}; {spec.name} knows up to {spec.state_version}: use a later version of it"
        )
    try:
        return understood(spec, thing, version)
    except StateError:
        raise
    except Exception as wrong:  # a provider's migrate may fail in any way
        raise StateError(f"its state of version {version} is not understood: {type(wrong).__name__}") from wrong


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
