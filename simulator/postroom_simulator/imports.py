"""Real mail from files: a single message, a folder of .eml, an mbox, a Maildir. Octets stay as they are."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from postroom_simulator.errors import ImportProblem
from postroom_simulator.headers import read_headers
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["MESSAGE_LIMIT", "ImportedMessage", "import_into", "read_messages", "received_time"]

MESSAGE_LIMIT = 64 * 1024 * 1024
"""Octets of one message (our choice); a larger one is a problem, not cut."""

_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """Octets exactly as found (of an mbox: unquoted), where they were found, and whether their owner had seen them."""

    octets: bytes
    name: str
    read: bool = False


def import_into(
    world: World, address: str, path: str | os.PathLike[str], *, folder: str | Role = Role.INBOX, limit: int = MESSAGE_LIMIT
) -> list[Item]:
    """Put every message found at `path` into an account's folder, in the order of `read_messages`, past its rules.

    A message counts as received when its topmost Received field or its Date says so, but never after now. Raises ImportProblem
    (messages before it stay), UnknownAccount, QuotaExceeded.
    """
    items = []
    for message in read_messages(path, limit=limit):
        now = world.clock.now()
        received = min(received_time(message.octets) or now, now)
        items.append(world.place(address, message.octets, folder=folder, received=received, read=message.read))
    return items


def read_messages(path: str | os.PathLike[str], *, limit: int = MESSAGE_LIMIT) -> Iterator[ImportedMessage]:
    """The messages at `path`, one at a time.

    - a Maildir (a folder with `cur` and `new`): both, by file name; read where the flags have S
    - any other folder: its .eml files, those of its folders too, by path
    - a file that begins with "From ": an mbox
    - any other file: one message

    Raises ImportProblem: at once for a wrong path or an empty folder, while reading for what cannot be read or is larger than
    `limit` octets.
    """
    where = Path(path)
    with _problems(where):
        mode = where.stat().st_mode
        if stat.S_ISDIR(mode):
            return _from_maildir(where, limit) if _is_maildir(where) else _from_folder(where, limit)
        _check_regular(where, mode)
        with where.open("rb") as file:
            start = file.read(5)
    if not start:
        raise ImportProblem(f"{where}: the file is empty")
    return _from_mbox(where, limit) if start == b"From " else iter([ImportedMessage(_octets(where, limit), where.name)])


def received_time(octets: bytes) -> datetime | None:
    """When a message says that it was received: by its topmost Received field (RFC 5322 §3.6.7: behind the last ";"), else by its
    Date; None where neither can be read. A time without zone counts as UTC."""
    stamps: dict[str, str] = {}
    for name, value in read_headers(octets):
        stamps.setdefault(name.lower(), value)
    candidates = (stamps.get("received", "").rpartition(";")[2], stamps.get("date", ""))
    return next((found for text in candidates if (found := _parsed(text)) is not None), None)


def _parsed(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text.strip())
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):  # whatever the parser makes of nonsense
        return None


# -- files and folders


def _from_folder(folder: Path, limit: int) -> Iterator[ImportedMessage]:
    files = sorted(_walk(folder))
    if not files:
        raise ImportProblem(f"{folder}: no .eml file in this folder or below it")
    return (ImportedMessage(_octets(file, limit), str(file.relative_to(folder))) for file in files)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for place, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(place, name) for name in names if name.lower().endswith(".eml"))


def _is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() and (folder / "new").is_dir()


def _from_maildir(folder: Path, limit: int) -> Iterator[ImportedMessage]:
    """`tmp` holds what is not delivered yet. File names begin with the time of delivery, so their order is its order."""
    files = [file for place in ("cur", "new") for file in (folder / place).iterdir() if not file.name.startswith(".")]
    if not files:
        raise ImportProblem(f"{folder}: the Maildir is empty")
    files.sort(key=lambda file: file.name)
    return (
        ImportedMessage(
            _octets(file, limit), f"{file.parent.name}/{file.name}", file.parent.name == "cur" and _is_seen(file.name)
        )
        for file in files
    )


def _is_seen(name: str) -> bool:
    """Flags stand behind ":2," (";2," or "!2," where file systems know no colon)."""
    match = re.search(r"[:;!]2,([A-Za-z]*)$", name)
    return match is not None and "S" in match[1]


def _octets(file: Path, limit: int) -> bytes:
    with _problems(file):
        _check_regular(file, file.stat().st_mode)
        with file.open("rb") as stream:
            octets = stream.read(limit + 1)
    if len(octets) > limit:
        raise _too_large(str(file), limit)
    return octets


# -- mbox


_FROM_LINE = re.compile(rb"From [^\r\n]*\d:\d\d[^\r\n]*\d{4}[^\r\n]*\r?\n?\Z")
"""A line that begins a message (RFC 4155 appendix A): a sender, then a time with its year."""

_QUOTED_FROM = re.compile(rb">+From ")


def _from_mbox(file: Path, limit: int) -> Iterator[ImportedMessage]:
    """Messages begin at a From_ line at the start or behind an empty line; the empty line before the next one is not theirs. One
    ">" is taken from lines like ">From " and ">>From " (mboxrd)."""
    with _problems(file), file.open("rb") as stream:
        stream.readline(_LINE)
        for number, parts in enumerate(_messages_of(stream, str(file), limit), 1):
            yield ImportedMessage(b"".join(parts), f"{file.name}#{number}")


def _messages_of(stream: IO[bytes], name: str, limit: int) -> Iterator[list[bytes]]:
    parts: list[bytes] = []
    size = 0
    after_empty, at_start = False, True
    while line := stream.readline(_LINE):
        if at_start and after_empty and line.startswith(b"From ") and _FROM_LINE.match(line):
            yield _without_last_empty(parts)
            parts, size, after_empty = [], 0, False
            continue
        after_empty = at_start and line in (b"\n", b"\r\n")
        parts.append(line[1:] if at_start and _QUOTED_FROM.match(line) else line)
        size += len(line)
        if size > limit + 2:  # with the empty line that is not theirs
            raise _too_large(name, limit)
        at_start = line.endswith(b"\n")
    yield _without_last_empty(parts)


def _without_last_empty(parts: list[bytes]) -> list[bytes]:
    return parts[:-1] if parts and parts[-1] in (b"\n", b"\r\n") else parts


# -- problems


def _too_large(name: str, limit: int) -> ImportProblem:
    return ImportProblem(f"{name}: a message is larger than {limit} octets")


def _check_regular(file: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise ImportProblem(f"{file}: neither a file nor a folder")


@contextmanager
def _problems(where: Path) -> Iterator[None]:
    """What the system says about a path, said as an ImportProblem."""
    try:
        yield
    except OSError as error:
        raise ImportProblem(f"{error.filename or where}: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in a path
        raise ImportProblem(f"{str(where)!r}: {error}") from error
