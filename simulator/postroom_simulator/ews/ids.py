"""Wire ids and change keys: opaque base64 text made of what the store numbers (ews reference 5).

An item's id names item and folder, so that moving it gives a new one; a folder's id names the folder alone and survives a move. Ids have a check
sum: text that no server of ours made is malformed, never somebody else's item.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from postroom_simulator.ews.errors import EwsError

__all__ = ["Id", "Kind", "change_key", "mailbox_number", "parse_change_key", "parse_id", "write_id"]

_LAYOUT = struct.Struct(">BIQQq")
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


@dataclass(frozen=True, slots=True)
class Id:
    """`mailbox`: a number for the account (CRC-32 of its folded address); `uid`, `folder`: numbers of the store; `part`: the number of an
    attachment (from 1), the original start of an occurrence in seconds since 1970 UTC, else 0. A persona is an item of contacts (`uid`), or with the
    uid 0 somebody of the directory (`mailbox`)."""

    kind: Kind
    mailbox: int
    uid: int
    folder: int = 0
    part: int = 0


def mailbox_number(address: str) -> int:
    return zlib.crc32(address.encode("utf-8", "surrogatepass"))


def write_id(one: Id) -> str:
    """The text of an id: text that begins with "AAMk", as those of real servers do, without "/" and "+" (DavMail rewrites them)."""
    packed = _LAYOUT.pack(one.kind, one.mailbox, one.uid, one.folder, one.part)
    packed += struct.pack(">I", zlib.crc32(packed))
    return "AAMk" + base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=").replace("_", ".")


def parse_id(text: str) -> Id:
    """Raises EwsError: ErrorInvalidIdEmpty, ErrorInvalidIdMalformed."""
    if not text:
        raise EwsError("ErrorInvalidIdEmpty")
    if len(text) > ID_LIMIT or not text.startswith("AAMk"):
        raise EwsError("ErrorInvalidIdMalformed")
    body = text[4:].replace(".", "_")
    try:
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        head, check = packed[:-4], packed[-4:]
        if struct.pack(">I", zlib.crc32(head)) != check or write_again(packed) != body:
            raise ValueError
        kind, mailbox, uid, folder, part = _LAYOUT.unpack(head)
        return Id(Kind(kind), mailbox, uid, folder, part)
    except (ValueError, struct.error, binascii.Error):
        raise EwsError("ErrorInvalidIdMalformed") from None


def write_again(packed: bytes) -> str:
    """The only spelling of these octets: base64 has others, and ids compare by octet."""
    return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


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
