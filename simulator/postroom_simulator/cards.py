"""Contacts from .vcf files: any number of vCards in a file, gzip'd or not; groups become distribution lists."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from postroom_simulator.errors import ImportProblem
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["import_cards", "is_card_file", "read_cards"]

_BEGIN = re.compile(rb"BEGIN:VCARD\s*\Z", re.IGNORECASE)
_END = re.compile(rb"END:VCARD\s*\Z", re.IGNORECASE)
_GROUP = re.compile(rb"^(?:X-ADDRESSBOOKSERVER-)?KIND(?:;[^:\r\n]*)?:group\s*$", re.IGNORECASE | re.MULTILINE)
_MEMBER = re.compile(r"^(?:X-ADDRESSBOOKSERVER-)?MEMBER(?:;[^:\r\n]*)?:(\S+)", re.IGNORECASE | re.MULTILINE)
_UID = re.compile(r"^UID(?:;[^:\r\n]*)?:(?:urn:uuid:)?(\S+)", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"^FN(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_MAIL = re.compile(r"^(?:[\w-]+\.)?EMAIL(?:;[^:\r\n]*)?:(?:mailto:)?(\S+)", re.IGNORECASE | re.MULTILINE)


def is_card_file(path: str | os.PathLike[str]) -> bool:
    name = Path(path).name.lower()
    return name.endswith((".vcf", ".vcf.gz", ".vcard"))


def read_cards(octets: bytes) -> Iterator[bytes]:
    """The vCards of a file, each from BEGIN to END; what lies between them is left out."""
    lines: list[bytes] | None = None
    for line in octets.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True):
        if lines is None and _BEGIN.match(line):
            lines = []
        if lines is not None:
            lines.append(line)
            if _END.match(line):
                yield b"".join(lines)
                lines = None


def import_cards(
    world: World,
    address: str,
    path: str | os.PathLike[str],
    *,
    folder: Role | int = Role.CONTACTS,
    complain: Callable[[ImportProblem], None] | None = None,
) -> list[Item]:
    """Put every vCard of a file into an account's contacts, in order; groups (RFC 6350 §6.1.4, and as Apple writes them) after them, as lists of
    the members that have an address. Raises ImportProblem: for a file without cards, and, unless there is somebody to `complain` to, for single
    ones that cannot be read when all others are in; UnknownAccount, QuotaExceeded."""
    from postroom_simulator.ews.errors import EwsError
    from postroom_simulator.imports import MESSAGE_LIMIT, file_octets

    where = Path(path)
    cards = list(enumerate(read_cards(file_octets(where, MESSAGE_LIMIT)), 1))
    if not cards:
        raise ImportProblem(f"{where}: there is no vCard in the file")
    problems: list[ImportProblem] = []
    items: list[Item] = []
    for number, put in _puts(world, address, cards, folder):
        try:
            items.append(put())
        except EwsError as wrong:
            problem = ImportProblem(f"{where}#{number}: {wrong.text}")
            problems.append(problem)
            if complain is not None:
                complain(problem)
    if problems and complain is None:
        raise ImportProblem("; ".join(map(str, problems[:_NAMED])))
    return items


_NAMED = 10
"""Problems that one error names."""


def _puts(
    world: World, address: str, cards: list[tuple[int, bytes]], folder: Role | int
) -> Iterator[tuple[int, Callable[[], Item]]]:
    """What makes each item, by the number of its card: contacts first, so that groups know their addresses."""
    from postroom_simulator.ews.people.adding import add_card, add_list

    addresses: dict[str, str] = {}
    groups = []
    for number, card in cards:
        if _GROUP.search(card):
            groups.append((number, card))
            continue
        _note_address(_text(card), addresses)
        yield number, partial(add_card, world, address, card, folder=folder)
    for number, card in groups:
        yield number, partial(add_list, world, address, *_members(_text(card), addresses), folder=folder)


def _text(card: bytes) -> str:
    """Unfolded (RFC 6350 §3.2)."""
    return re.sub(r"\r?\n[ \t]", "", card.decode("utf-8", "replace"))


def _note_address(text: str, addresses: dict[str, str]) -> None:
    uid, mail = _UID.search(text), _MAIL.search(text)
    if uid and mail:
        addresses[uid[1].lower()] = mail[1]


def _members(text: str, addresses: dict[str, str]) -> tuple[str, list[str]]:
    name = _NAME.search(text)
    found = []
    for reference in _MEMBER.findall(text):
        folded = reference.lower()
        if folded.startswith("mailto:"):
            found.append(reference[7:])
        else:
            found.append(addresses.get(folded.removeprefix("urn:uuid:"), ""))
    return (name[1].strip() if name else "") or "Group", [one for one in found if one]
