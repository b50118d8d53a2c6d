"""Real mail from files: a single message, a folder of .eml, an mbox, a Maildir with its subfolders, gzip'd or not. Octets stay as they are."""

from __future__ import annotations

import gzip
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from postroom_simulator.calendars import import_calendar, is_calendar_file
from postroom_simulator.cards import import_cards, is_card_file
from postroom_simulator.errors import ImportProblem
from postroom_simulator.headers import read_headers
from postroom_simulator.maildir_names import find_or_make, folder_path
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["MESSAGE_LIMIT", "ImportedMessage", "file_octets", "import_into", "read_messages", "received_time"]

MESSAGE_LIMIT = 64 * 1024 * 1024
"""Octets of one message (our choice); a larger one is a problem, not cut."""

_LINE = 64 * 1024


Complain = Callable[[ImportProblem], None]
"""Told of a single message that cannot be read; the others are."""

_PACKED = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd"}
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """Octets exactly as found (of an mbox: unquoted), where they were found, whether their owner had seen them, and the subfolder that they
    were in: ("Archive", "2024"), empty for none."""

    octets: bytes
    name: str
    read: bool = False
    folder: tuple[str, ...] = ()


def import_into(
    world: World,
    address: str,
    path: str | os.PathLike[str],
    *,
    folder: str | Role = Role.INBOX,
    limit: int = MESSAGE_LIMIT,
    complain: Complain | None = None,
) -> list[Item]:
    """Put every message found at `path` into an account's folder, in the order of `read_messages`, past its rules; those of a Maildir's
    subfolders into folders of their names (its ".Sent" is Sent Items). A .vcf file becomes contacts (see `cards`), an .ics file
    appointments (see `calendars`).

    A message counts as received when its topmost Received field or its Date says so, but never after now. Raises ImportProblem as
    `read_messages` does (the messages that could be read stay), UnknownAccount, QuotaExceeded.
    """
    if is_card_file(path):
        return import_cards(world, address, path, complain=complain)
    if is_calendar_file(path):
        return import_calendar(world, address, path, complain=complain)
    items = []
    for message in read_messages(path, limit=limit, complain=complain):
        now = world.clock.now()
        received = min(received_time(message.octets) or now, now)
        target = _named(world, address, message.folder) if message.folder else folder
        items.append(world.place(address, message.octets, folder=target, received=received, read=message.read))
    return items


def read_messages(
    path: str | os.PathLike[str], *, limit: int = MESSAGE_LIMIT, complain: Complain | None = None
) -> Iterator[ImportedMessage]:
    """The messages at `path`, one at a time.

    - a Maildir (a folder with `cur` and `new`): both, by file name; read where the flags have S; then its subfolders (Maildir++), by name
    - any other folder: its .eml files, those of its folders too, by path
    - a file that begins with "From ": an mbox
    - any other file: one message

    Files may be packed by gzip. Raises ImportProblem: at once for a wrong path, an empty folder, or a file packed otherwise; for single
    messages that cannot be read or are larger than `limit` octets only when all others were given out, naming each of them. With
    `complain` those are told to it instead, as they come.
    """
    where = Path(path)
    with _problems(where):
        mode = where.stat().st_mode
        if stat.S_ISDIR(mode):
            files = _maildir_files(where) if _is_maildir(where) else _eml_files(where)
            return _told(lambda tell: _from_files(files, limit, tell), complain)
        _check_regular(where, mode)
        start = _start(where)
    if not start:
        raise ImportProblem(f"{where}: the file is empty")
    for magic, packer in _PACKED.items():
        if start.startswith(magic):
            raise ImportProblem(f"{where}: the file is packed by {packer}: unpack it first (only gzip is read as it is)")
    if start.startswith(b"From "):
        return _told(lambda tell: _from_mbox(where, limit, tell), complain)
    return iter([ImportedMessage(_octets(where, limit), where.name)])


def _told(read: Callable[[Complain], Iterator[ImportedMessage]], complain: Complain | None) -> Iterator[ImportedMessage]:
    """With nobody to tell: all problems at the end."""
    if complain is not None:
        yield from read(complain)
        return
    problems: list[ImportProblem] = []
    yield from read(problems.append)
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise ImportProblem("; ".join(map(str, problems[:_NAMED])) + more)


_NAMED = 10
"""Problems that one error names."""


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


@dataclass(frozen=True, slots=True)
class _File:
    """A file with one message, how it is called in errors and results, and what its place tells of it."""

    path: Path
    name: str
    read: bool = False
    folder: tuple[str, ...] = ()


def _from_files(files: Iterable[_File], limit: int, tell: Complain) -> Iterator[ImportedMessage]:
    for file in files:
        try:
            octets = _octets(file.path, limit)
        except ImportProblem as problem:
            tell(problem)
        else:
            yield ImportedMessage(octets, file.name, file.read, file.folder)


def _eml_files(folder: Path) -> list[_File]:
    files = sorted(_walk(folder))
    if not files:
        raise ImportProblem(f"{folder}: no .eml file in this folder or below it")
    return [_File(file, str(file.relative_to(folder))) for file in files]


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for place, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(place, name) for name in names if name.lower().endswith((".eml", ".eml.gz")))


def _is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() and (folder / "new").is_dir()


def _maildir_files(folder: Path) -> list[_File]:
    """`tmp` holds what is not delivered yet. File names begin with the time of delivery, so their order is its order. Subfolders are
    directories whose names begin with a dot (Maildir++), all of them beside `cur` and `new`."""
    subfolders = sorted(each.name for each in folder.iterdir() if each.name.startswith(".") and _is_maildir(each))
    files = _messages_in(folder, "", ())
    for name in subfolders:
        files += _messages_in(folder / name, f"{name}/", folder_path(name))
    if not files:
        raise ImportProblem(f"{folder}: the Maildir is empty")
    return files


def _messages_in(maildir: Path, prefix: str, folder: tuple[str, ...]) -> list[_File]:
    files = [file for place in ("cur", "new") for file in (maildir / place).iterdir() if not file.name.startswith(".")]
    files.sort(key=lambda file: file.name)
    return [
        _File(
            file,
            f"{prefix}{file.parent.name}/{file.name}",
            file.parent.name == "cur" and _is_seen(file.name),
            folder,
        )
        for file in files
    ]


def _named(world: World, address: str, path: tuple[str, ...]) -> int:
    """The subfolder of an account, made where it is missing."""
    with world.lock:
        return find_or_make(world.store, world.directory.account(address).address, path).uid


def _is_seen(name: str) -> bool:
    """Flags stand behind ":2," (";2," or "!2," where file systems know no colon)."""
    match = re.search(r"[:;!]2,([A-Za-z]*)$", name)
    return match is not None and "S" in match[1]


def _start(file: Path) -> bytes:
    """The first octets, unpacked."""
    with _problems(file), _opened(file) as stream:
        return stream.read(8)


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """To be read from its beginning, through gzip where it is packed."""
    with file.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if not packed:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield cast("IO[bytes]", unpacked)


def file_octets(file: Path, limit: int = MESSAGE_LIMIT) -> bytes:
    """All of a file, unpacked. Raises ImportProblem: what the system says, or that there are more than `limit` octets."""
    return _octets(file, limit)


def _octets(file: Path, limit: int) -> bytes:
    with _problems(file):
        _check_regular(file, file.stat().st_mode)
        with _opened(file) as stream:
            octets = stream.read(limit + 1)
    if len(octets) > limit:
        raise _too_large(str(file), limit)
    return octets


# -- mbox


_FROM_LINE = re.compile(rb"From [^\r\n]*\d:\d\d[^\r\n]*\d{4}[^\r\n]*\r?\n?\Z")
"""A line that begins a message (RFC 4155 appendix A): a sender, then a time with its year."""

_QUOTED_FROM = re.compile(rb">+From ")


def _from_mbox(file: Path, limit: int, tell: Complain) -> Iterator[ImportedMessage]:
    """Messages begin at a From_ line at the start or behind an empty line; the empty line before the next one is not theirs. One
    ">" is taken from lines like ">From " and ">>From " (mboxrd). One that is too large is told, and left out."""
    try:
        with _problems(file), _opened(file) as stream:
            stream.readline(_LINE)
            for number, parts in enumerate(_messages_of(stream, limit), 1):
                if parts is None:
                    tell(ImportProblem(f"{file}#{number}: a message is larger than {limit} octets"))
                else:
                    yield ImportedMessage(b"".join(parts), f"{file.name}#{number}")
    except ImportProblem as problem:  # the file breaks off: what came before it is there
        tell(problem)


def _messages_of(stream: IO[bytes], limit: int) -> Iterator[list[bytes] | None]:
    """The lines of each message; None for one that is too large."""
    parts: list[bytes] = []
    size = 0
    after_empty, at_start = False, True
    while line := stream.readline(_LINE):
        if at_start and after_empty and line.startswith(b"From ") and _FROM_LINE.match(line):
            yield _within(parts, limit, size)
            parts, size, after_empty = [], 0, False
            continue
        after_empty = at_start and line in (b"\n", b"\r\n")
        line = line[1:] if at_start and _QUOTED_FROM.match(line) else line
        size += len(line)
        if size > limit + 2:  # with the empty line that is not theirs
            parts.clear()
        else:
            parts.append(line)
        at_start = line.endswith(b"\n")
    yield _within(parts, limit, size)


def _within(parts: list[bytes], limit: int, size: int) -> list[bytes] | None:
    if size > limit + 2:
        return None
    parts = _without_last_empty(parts)
    return parts if sum(map(len, parts)) <= limit else None


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
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportProblem(f"{where}: the packed file is broken: {error}") from error
    except OSError as error:
        raise ImportProblem(f"{error.filename or where}: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in a path
        raise ImportProblem(f"{str(where)!r}: {error}") from error
