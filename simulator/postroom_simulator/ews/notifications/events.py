"""Events of mailboxes, numbered: a watermark is the number of the last event that somebody knows (ews reference 14)."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from postroom_simulator.errors import StoreError
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import folder_id
from postroom_simulator.ews.ids import Id, Kind, mailbox_number, write_id
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import ASSOCIATED, Folder, Happening, Item, Role

if TYPE_CHECKING:
    from postroom_simulator.store.interface import MailStore

__all__ = ["Event", "Log", "events_of", "parse_watermark", "write_watermark"]

KEPT = 10_000
"""Events that a mailbox remembers; watermarks from before them are worth nothing (our choice)."""
_MARK = struct.Struct(">4sQI")
Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """element: of the notification. places: uids of the folders that it concerns. value: of the element's type, without Watermark. archived: all of
    the folders are in an archive, which whoever wants to know of all folders of a mailbox is not told of."""

    number: int
    element: str
    places: tuple[int, ...]
    value: Value
    archived: bool = False


class Log:
    """The events of one mailbox, in order. `forgotten`: the number of the last that is not known any more."""

    def __init__(self, begun: int) -> None:
        self.forgotten = begun
        self._events: list[Event] = []
        self._numbers: list[int] = []

    def add(self, event: Event) -> None:
        self._events.append(event)
        self._numbers.append(event.number)
        if len(self._events) > 2 * KEPT:
            self.forgotten = self._numbers[KEPT - 1]
            del self._events[:KEPT], self._numbers[:KEPT]

    def after(self, number: int) -> Iterator[Event]:
        """Raises EwsError ErrorInvalidWatermark for what is forgotten."""
        if number < self.forgotten:
            raise EwsError("ErrorInvalidWatermark", "The watermark is too old.")
        for place in range(bisect_right(self._numbers, number), len(self._events)):
            yield self._events[place]


def write_watermark(number: int) -> str:
    packed = _MARK.pack(b"\x01\x00\x00\x00", number, 0)
    return base64.b64encode(_MARK.pack(packed[:4], number, zlib.crc32(packed[:12]))).decode("ascii")


def parse_watermark(text: str, newest: int) -> int:
    """Raises EwsError ErrorInvalidWatermark."""
    try:
        packed = base64.b64decode("".join(text.split()), validate=True)
        _, number, check = _MARK.unpack(packed)
        if zlib.crc32(packed[:12]) != check or number > newest:
            raise ValueError
    except (ValueError, struct.error, binascii.Error):
        raise EwsError("ErrorInvalidWatermark") from None
    return int(number)


_PLAIN = {
    "created": "CreatedEvent",
    "modified": "ModifiedEvent",
    "deleted": "DeletedEvent",
    "moved": "MovedEvent",
    "copied": "CopiedEvent",
}


def events_of(store: MailStore, happening: Happening, now: datetime) -> list[tuple[str, str, tuple[int, ...], Value]]:
    """Account, element, places and value of each event that a change is, in order. Called with the store's lock held."""
    found = _of_item(store, happening, now) if happening.item is not None else _of_folder(store, happening, now)
    return [(happening.folder.account, *one) for one in found]


def _of_item(store: MailStore, happening: Happening, now: datetime) -> Iterator[tuple[str, tuple[int, ...], Value]]:
    item, folder = happening.item, happening.folder
    assert item is not None
    value: Value = {"TimeStamp": now, "ItemId": item_id(item), "ParentFolderId": folder_id(folder)}
    places: tuple[int, ...] = (folder.uid,)
    old = _folder(store, happening.old_folder) if happening.old_folder else None
    if old is not None:
        places = (folder.uid, old.uid)
        source = write_id(Id(Kind.ITEM, mailbox_number(old.account), happening.old_uid))
        value |= {"OldItemId": {"@Id": source}, "OldParentFolderId": folder_id(old)}
    if happening.delivered:
        yield "NewMailEvent", places, value
    yield _PLAIN[happening.what], places, value
    if happening.what != "modified" or happening.read_changed:
        yield from _folder_modified(store, folder, now)
        if happening.what == "moved" and old is not None:
            yield from _folder_modified(store, old, now)
    yield from _free_busy(store, item, folder, now)


def _folder_modified(store: MailStore, folder: Folder, now: datetime) -> Iterator[tuple[str, tuple[int, ...], Value]]:
    """The counts of a folder changed."""
    parent = _folder(store, folder.parent)
    if parent is not None:
        unread = store.tally(folder.uid).unread
        value = {"TimeStamp": now, "FolderId": folder_id(folder), "ParentFolderId": folder_id(parent), "UnreadCount": unread}
        yield "ModifiedEvent", (folder.uid,), value


def _free_busy(store: MailStore, item: Item, folder: Folder, now: datetime) -> Iterator[tuple[str, tuple[int, ...], Value]]:
    """Anything about an appointment in the standard calendar may change when its owner is free (our choice: what changed is not looked at)."""
    if folder.role is Role.CALENDAR and item.item_class.startswith("IPM.Appointment") and ASSOCIATED not in item.flags:
        parent = _folder(store, folder.parent)
        if parent is not None:
            value = {"TimeStamp": now, "FolderId": folder_id(folder), "ParentFolderId": folder_id(parent)}
            yield "FreeBusyChangedEvent", (folder.uid,), value


def _of_folder(store: MailStore, happening: Happening, now: datetime) -> Iterator[tuple[str, tuple[int, ...], Value]]:
    folder = happening.folder
    parent = _folder(store, folder.parent)
    if parent is None:
        return
    value: Value = {"TimeStamp": now, "FolderId": folder_id(folder), "ParentFolderId": folder_id(parent)}
    places: tuple[int, ...] = (folder.uid, parent.uid)
    if happening.what == "moved":
        old = _folder(store, happening.old_folder)
        if old is not None:
            places = (*places, old.uid)
            value |= {"OldFolderId": {"@Id": folder_id(folder)["@Id"]}, "OldParentFolderId": folder_id(old)}
    yield _PLAIN[happening.what], places, value


def _folder(store: MailStore, uid: int | None) -> Folder | None:
    if uid is None:
        return None
    try:
        return store.folder_by_uid(uid)
    except StoreError:
        return None
