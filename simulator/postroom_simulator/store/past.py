"""What a folder remembers of its items' changes, and of items that left, so that tokens can be followed."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

from postroom_simulator.store.interface import Horizon, Item

__all__ = ["Listing", "Past"]

STAYS = 8
"""Stays of one item in the folder that are told apart (our choice)."""


class Listing:
    """A first listing that goes on in pages. `told`: uids that its asker was told of and, as far as is known here, still believes in.
    `asked`: when it was last gone on with, by the clock's `monotonic()`."""

    __slots__ = ("asked", "told")

    def __init__(self, asked: float) -> None:
        self.asked = asked
        self.told: set[int] = set()


class Past:
    """The log of a folder's changes, and the uids that left.

    The log is two parallel columns in order of change: the change's number and the uid concerned. An entry counts only while
    it is the latest of its uid; when more than half are stale the log is written anew, so it stays linear in what is here and what is
    remembered. Uids that left are forgotten beyond the `Horizon`, but for those that the asker of a first listing still has to be told of.
    """

    __slots__ = ("_gone", "_held", "_items", "_listings", "_log_changes", "_log_uids", "_stays", "forgotten")

    def __init__(self, items: Mapping[int, Item]) -> None:
        self._items = items
        self._gone: OrderedDict[int, tuple[int, float]] = (
            OrderedDict()
        )  # uid -> change with which it left, when: in order of both
        self._held: dict[int, int] = {}  # the same beyond the horizon, for listings
        self._listings: dict[
            int, Listing
        ] = {}  # by the change number of their beginning, in the order in which they were asked for
        self._stays: dict[
            int, list[tuple[int, int]]
        ] = {}  # uid -> the changes with which it came and left, of each of its stays
        self._log_changes = array("q")
        self._log_uids = array("q")
        self.forgotten = 0
        """Number of the latest change of which nothing is known any more: tokens from before it are worth nothing."""

    def changed(self, item: Item) -> None:
        if self._gone:
            self._gone.pop(item.uid, None)
        if self._held:
            self._held.pop(item.uid, None)
        self._log(item.change, item.uid)

    def left(self, uid: int, arrived: int, change: int, horizon: Horizon, now: float) -> None:
        stays = self._stays.setdefault(uid, [])
        stays.append((arrived, change))
        if len(stays) > STAYS:  # the two oldest count as one
            stays[:2] = [(stays[0][0], stays[1][1])]
        self._gone[uid] = change, now
        self._log(change, uid)
        self.forget(horizon, now)

    def forget(self, horizon: Horizon, now: float) -> None:
        """What lies beyond the horizon."""
        if self._listings:
            overdue = [begun for begun, listing in self._listings.items() if listing.asked + horizon.age < now]
            for begun in overdue:
                self.end(begun)
        gone = self._gone
        while gone:
            if len(gone) <= horizon.count and next(iter(gone.values()))[1] + horizon.age >= now:
                return
            uid, (change, _) = gone.popitem(last=False)
            self.forgotten = change
            if any(uid in listing.told for listing in self._listings.values()):
                self._held[uid] = change
            else:
                self._stays.pop(uid, None)

    def was_here(self, uid: int, moment: int) -> bool:
        """Whether the item was here with the change number `moment`, as far as is remembered."""
        item = self._items.get(uid)
        if item is not None and item.arrived <= moment:
            return True
        return any(came <= moment < left for came, left in self._stays.get(uid, ()))

    @property
    def last_change(self) -> int:
        """Number of the latest change to any item here, 0 when there never was one."""
        return self._log_changes[-1] if self._log_changes else 0

    @property
    def remembered(self) -> int:
        """Uids that left and are known still."""
        return len(self._gone) + len(self._held)

    def since(self, token: int) -> Iterator[tuple[int, int]]:
        """(change, uid) of each uid that changed after the token, in order of its last change."""
        for index in range(bisect_right(self._log_changes, token), len(self._log_changes)):
            change, uid = self._log_changes[index], self._log_uids[index]
            if self._latest(uid) == change:
                yield change, uid

    def _latest(self, uid: int) -> int:
        item = self._items.get(uid)
        if item is not None:
            return item.change
        gone = self._gone.get(uid)
        return gone[0] if gone is not None else self._held.get(uid, 0)

    def _log(self, change: int, uid: int) -> None:
        self._log_changes.append(change)
        self._log_uids.append(uid)
        if len(self._log_uids) > 2 * (len(self._items) + self.remembered) + 64:
            live = list(self.since(0))
            self._log_changes = array("q", (change for change, _ in live))
            self._log_uids = array("q", (uid for _, uid in live))

    # -- first listings that go on

    def tell(self, begun: int, uids: Iterable[int], horizon: Horizon, now: float, *, first: bool) -> None:
        """A page of a first listing was cut short. Of too many listings the one that waited longest is given up."""
        if first:
            while self._listings and len(self._listings) >= horizon.listings:
                self.end(next(iter(self._listings)))
            if horizon.listings:
                self._listings[begun] = Listing(now)
        listing = self._listings.get(begun)
        if listing is not None:
            listing.told.update(uids)

    def listing(self, begun: int, position: int, now: float) -> Listing | None:
        """The listing is gone on with: its asker knows all up to `position`."""
        listing = self._listings.pop(begun, None)
        if listing is not None:
            self._listings[begun] = listing  # behind all others
            listing.asked = now
            known = [uid for uid, change in self._held.items() if change <= position and uid in listing.told]
            listing.told.difference_update(known)
            self._let_go(known)
        return listing

    def end(self, begun: int) -> None:
        """The asker knows everything, or will not come back. Idempotent."""
        if self._listings.pop(begun, None) is not None:
            self._let_go(list(self._held))

    def _let_go(self, uids: Iterable[int]) -> None:
        for uid in uids:
            if not any(uid in listing.told for listing in self._listings.values()):
                del self._held[uid]
                self._stays.pop(uid, None)
