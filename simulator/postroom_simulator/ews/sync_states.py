"""The opaque states of synchronisation: everything that the server needs is in them, so that they hold for any number of replays and as long as the
data do (ews reference 10).

A state is base64 of a packed text with a check sum. Whoever alters one gets ErrorInvalidSyncStateData; a made-up one gives no right to anything.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from postroom_simulator.ews.errors import EwsError

__all__ = ["ItemsState", "read_hierarchy", "read_items", "write_hierarchy", "write_items"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HEAD = struct.Struct(">cQ")
_ITEMS = struct.Struct(">QqQ?")
TEXT_LIMIT = 4 * 1024 * 1024
"""Characters of a state that is looked at, and octets that it may unfold to (our choice: a hierarchy of some 100,000 folders)."""


@dataclass(frozen=True, slots=True)
class ItemsState:
    """Where a client stands in a folder. token: of the store, 0 while the first listing goes on; begun, after: of that listing."""

    token: int = 0
    begun: int = 0
    after: tuple[datetime, int] | None = None


def write_items(folder: int, state: ItemsState) -> str:
    at, uid = state.after if state.after is not None else (_EPOCH, 0)
    token = state.token.to_bytes(24)
    packed = _ITEMS.pack(state.begun, (at - _EPOCH) // _MICROSECOND, uid, state.after is not None)
    return _write(b"I", folder, token + packed)


def read_items(text: str, folder: int) -> ItemsState:
    """Raises EwsError ErrorInvalidSyncStateData, also for the state of another folder."""
    body = _read(text, b"I", folder)
    if len(body) != 24 + _ITEMS.size:
        raise EwsError("ErrorInvalidSyncStateData")
    begun, micros, uid, there = _ITEMS.unpack(body[24:])
    try:
        after = (_EPOCH + micros * _MICROSECOND, uid) if there else None
    except OverflowError:
        raise EwsError("ErrorInvalidSyncStateData") from None
    return ItemsState(int.from_bytes(body[:24]), begun, after)


def write_hierarchy(root: int, known: Mapping[int, int]) -> str:
    """known: of each folder below the root the number of its change."""
    numbers: list[int] = []
    last = 0
    for uid in sorted(known):
        numbers += (uid - last, known[uid])
        last = uid
    return _write(b"H", root, _varints(numbers))


def read_hierarchy(text: str, root: int) -> dict[int, int]:
    """Raises EwsError ErrorInvalidSyncStateData."""
    numbers = _numbers(_read(text, b"H", root))
    if len(numbers) % 2:
        raise EwsError("ErrorInvalidSyncStateData")
    known, uid = {}, 0
    for step, change in zip(numbers[::2], numbers[1::2], strict=True):
        uid += step
        known[uid] = change
    return known


def _write(kind: bytes, folder: int, body: bytes) -> str:
    packed = zlib.compress(_HEAD.pack(kind, folder) + body, 6)
    return base64.b64encode(packed + struct.pack(">I", zlib.crc32(packed))).decode("ascii")


def _read(text: str, kind: bytes, folder: int) -> bytes:
    if len(text) > TEXT_LIMIT:
        raise EwsError("ErrorInvalidSyncStateData")
    try:
        octets = base64.b64decode("".join(text.split()), validate=True)
        packed = octets[:-4]
        if struct.pack(">I", zlib.crc32(packed)) != octets[-4:]:
            raise ValueError
        unfolding = zlib.decompressobj()
        whole = unfolding.decompress(packed, TEXT_LIMIT)
        if not unfolding.eof or _HEAD.unpack(whole[: _HEAD.size]) != (kind, folder):
            raise ValueError
    except (ValueError, struct.error, zlib.error, binascii.Error):
        raise EwsError("ErrorInvalidSyncStateData") from None
    return whole[_HEAD.size :]


def _varints(numbers: Iterable[int]) -> bytes:
    out = bytearray()
    for number in numbers:
        while number > 0x7F:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


def _numbers(octets: bytes) -> list[int]:
    found, number, shift = [], 0, 0
    for one in octets:
        number |= (one & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise EwsError("ErrorInvalidSyncStateData")
        if one < 0x80:
            found.append(number)
            number = shift = 0
    if shift:
        raise EwsError("ErrorInvalidSyncStateData")
    return found
