"""Wire ids and change keys: opaque base64 text made of what the store numbers (ews reference 5).

A move gives an item another number, and so another id; a folder keeps its own. Ids have a check sum: text that no server of ours made is malformed,
never somebody else's item.
"""

from __future__ import annotations

import base64
import binascii
import functools
import struct
import uuid
import zlib
from dataclasses import dataclass
from enum import IntEnum

from postroom_simulator.ews.errors import EwsError

__all__ = ["Id", "Kind", "change_key", "mailbox_number", "parse_change_key", "parse_id", "write_id"]

_LAYOUT = struct.Struct(">BIQq")
_HEAD = b"\x00\x03\x24"
_LENGTH = 114
_KEY = struct.Struct(">4sQI")
ID_LIMIT = 512
"""Characters of an id that is looked at; ours."""


class Kind(IntEnum):
    """What an id names."""

    ITEM = 1
    FOLDER = 2
    OCCURRENCE = 3
    ATTACHMENT = 4
    PERSONA = 5
    CONVERSATION = 6
    DATE_ATTACHMENT = 7


@dataclass(frozen=True, slots=True)
class Id:
    """`mailbox`: a number for the account (CRC-32 of its folded address); `uid`: number of the store; `part`: the number of an
    attachment (from 1), the original start of an occurrence in seconds since 1970 UTC, both for what is attached to an occurrence, else 0. A persona is an item of contacts (`uid`), or with the
    uid 0 somebody of the directory (`mailbox`)."""

    kind: Kind
    mailbox: int
    uid: int
    part: int = 0


def mailbox_number(address: str) -> int:
    return zlib.crc32(address.encode("utf-8", "surrogatepass"))


def write_id(one: Id) -> str:
    """The text of an id, as real servers write it: base64 of 114 octets, which begins with "AAMk". DavMail takes only names of at least 152
    characters for ids, and exchanges "/" and "+" for "_" and "-" on the way: other signs than those of base64 do not survive that."""
    packed = _LAYOUT.pack(one.kind, one.mailbox, one.uid, one.part)
    return base64.b64encode(_HEAD + _filler(one.mailbox) + packed + struct.pack(">I", zlib.crc32(packed))).decode("ascii")


def parse_id(text: str) -> Id:
    """Raises EwsError: ErrorInvalidIdEmpty, ErrorInvalidIdMalformed."""
    if not text:
        raise EwsError("ErrorInvalidIdEmpty")
    if len(text) > ID_LIMIT:
        raise EwsError("ErrorInvalidIdMalformed")
    try:
        octets = base64.b64decode(text, validate=True)
        kind, mailbox, uid, part = _LAYOUT.unpack(octets[-4 - _LAYOUT.size : -4])
        found = Id(Kind(kind), mailbox, uid, part)
        if write_id(found) != text:  # base64 has several spellings, and ids compare by octet
            raise ValueError
        return found
    except (ValueError, struct.error, binascii.Error):
        raise EwsError("ErrorInvalidIdMalformed") from None


@functools.lru_cache(4096)
def _filler(mailbox: int) -> bytes:
    """Where real ids have the mailbox's GUID as text, and more."""
    guid = uuid.uuid5(uuid.NAMESPACE_OID, str(mailbox))
    return str(guid).encode("ascii") + b"\x00" * (_LENGTH - len(_HEAD) - 36 - _LAYOUT.size - 4)


def change_key(kind: Kind, change: int) -> str:
    """The change key of version `change` of an item or folder. Those of items begin with "CQAAA", those of folders with "AQAAA"."""
    packed = _KEY.pack(b"\x09\x00\x00\x00" if kind is not Kind.FOLDER else b"\x01\x00\x00\x00", change, 0)
    check = zlib.crc32(packed[:12])
    return base64.b64encode(_KEY.pack(packed[:4], change, check)).decode("ascii")


def parse_change_key(text: str) -> int:
    """The number of the version. Raises EwsError ErrorInvalidChangeKey."""
    try:
        packed = base64.b64decode(text, validate=True)
        head, change, check = _KEY.unpack(packed)
        if zlib.crc32(packed[:12]) != check or head[1:] != b"\x00\x00\x00":
            raise ValueError
    except (ValueError, struct.error, binascii.Error):
        raise EwsError("ErrorInvalidChangeKey") from None
    return int(change)
