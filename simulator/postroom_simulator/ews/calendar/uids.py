"""Appointments by their UID, without looking through the calendar (ews reference 11: notices find the meeting that they are about).

The store does not know what a UID is; the index listens to its changes. It holds candidates: who looks one up checks it against the store.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postroom_simulator.errors import NoSuchItem
from postroom_simulator.store.interface import Happening, Item, MailStore

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["UidIndex"]


@dataclass(slots=True)
class UidIndex:
    """Of one world. A calendar is read once, when it is first asked about; from then on it is followed."""

    world: World
    _known: dict[int, defaultdict[str, set[int]]] = field(default_factory=dict, repr=False)
    """By uid of the folder: uids of items by the UID that they say."""
    _followed: bool = False

    def find(self, folder: int, uid: str) -> Item | None:
        """The appointment with this UID in a folder; of several the one that came first."""
        store = self.world.store
        known = self._known.get(folder)
        if known is None:
            known = self._read(store, folder)
        found: list[Item] = []
        for number in tuple(known.get(uid, ())):
            item = _item(store, number)
            if item is not None and item.folder == folder and _uid(item) == uid:
                found.append(item)
            else:
                known[uid].discard(number)
        if not found and uid in known:
            del known[uid]
        return min(found, key=lambda item: (item.arrived, item.uid), default=None)

    def _read(self, store: MailStore, folder: int) -> defaultdict[str, set[int]]:
        if not self._followed:
            self._followed = True
            store.observe(self._follow)
        known = self._known[folder] = defaultdict(set)
        for item in store.items(folder):
            uid = _uid(item)
            if uid:
                known[uid].add(item.uid)
        return known

    def _follow(self, happening: Happening) -> None:
        """Called by the store for every change of every folder: it looks at calendars alone."""
        item = happening.item
        if item is None:
            return
        known = self._known.get(item.folder)
        if known is None:
            return
        uid = _uid(item)
        if not uid:
            return
        if happening.what == "deleted":
            known[uid].discard(item.uid)
        else:
            known[uid].add(item.uid)


def _uid(item: Item) -> str:
    return str((item.properties or {}).get("UID") or "")


def _item(store: MailStore, uid: int) -> Item | None:
    try:
        return store.item(uid)
    except NoSuchItem:
        return None
