"""What things are called in other formats than that of this service: entry ids of MAPI and what is made of them (ews reference 5; MS-OXWSCVTID,
MS-OXCDATA 2.2.4). The layouts have the lengths of real ones; what is in them is ours."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import quote, unquote

from postroom_simulator.ews.errors import EwsError

__all__ = ["Entry", "decoded", "encoded", "folder_entry", "item_entry", "parse_entry"]

Entry = tuple[bytes, int, int]
"""Whose mailbox (16 octets made of the address), the folder's uid, the item's uid; 0 for a folder itself."""
_PRIVATE_MESSAGE, _PRIVATE_FOLDER = 7, 1
_ITEM = struct.Struct(">4s16sH14sQ2s14sQ2s")
_FOLDER = struct.Struct(">4s16sH12sQ4s")


def mailbox_guid(account: str) -> bytes:
    return hashlib.sha256(account.encode()).digest()[:16]


def item_entry(account: str, folder: int, uid: int) -> bytes:
    """PidTagEntryId of a message: 70 octets (MS-OXCDATA 2.2.4.2)."""
    return _ITEM.pack(bytes(4), mailbox_guid(account), _PRIVATE_MESSAGE, bytes(14), folder, bytes(2), bytes(14), uid, bytes(2))


def folder_entry(account: str, uid: int) -> bytes:
    """PidTagEntryId of a folder: 46 octets (MS-OXCDATA 2.2.4.1)."""
    return _FOLDER.pack(bytes(4), mailbox_guid(account), _PRIVATE_FOLDER, bytes(12), uid, bytes(4))


def parse_entry(octets: bytes) -> Entry:
    """Raises EwsError ErrorInvalidIdMalformed."""
    if len(octets) == _ITEM.size:
        flags, guid, kind, _, folder, _, _, uid, _ = _ITEM.unpack(octets)
        if flags == bytes(4) and kind == _PRIVATE_MESSAGE and uid:
            return guid, folder, uid
    if len(octets) == _FOLDER.size:
        flags, guid, kind, _, folder, _ = _FOLDER.unpack(octets)
        if flags == bytes(4) and kind == _PRIVATE_FOLDER and folder:
            return guid, folder, 0
    raise EwsError("ErrorInvalidIdMalformed")


# -- as text


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


_WRITERS: Mapping[str, Callable[[bytes], str]] = MappingProxyType(
    {
        "EntryId": _base64,
        "HexEntryId": lambda octets: octets.hex().upper(),
        "StoreId": lambda octets: _base64(bytes([len(octets)]) + octets),
        "OwaId": lambda octets: quote(_base64(b"\x46\x00\x00\x00" + octets[4:]), safe=""),
    }
)


def encoded(octets: bytes, format_name: str) -> str:
    """An entry id in one of the formats EntryId, HexEntryId, StoreId, OwaId."""
    return _WRITERS[format_name](octets)


def decoded(text: str, format_name: str) -> bytes:
    """The entry id. Raises EwsError ErrorInvalidIdMalformed."""
    try:
        if format_name == "HexEntryId":
            return bytes.fromhex(text)
        octets = base64.b64decode(unquote(text) if format_name == "OwaId" else text, validate=True)
    except (ValueError, binascii.Error):
        raise EwsError("ErrorInvalidIdMalformed") from None
    if format_name == "StoreId":
        if not octets or octets[0] != len(octets) - 1:
            raise EwsError("ErrorInvalidIdMalformed")
        return octets[1:]
    if format_name == "OwaId":
        if octets[:4] != b"\x46\x00\x00\x00":
            raise EwsError("ErrorInvalidIdMalformed")
        return bytes(4) + octets[4:]
    return octets
