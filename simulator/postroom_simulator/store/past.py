"""What a folder remembers of its items' changes, and of items that left, so that tokens can be followed."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from postroom_simulator.store.interface import Horizon, Item

__all__ = ["Listing", "Past"]


class Listing:
    """A first listing that goes on in pages. `told`: uids that its asker was told of and, as far as is known here, still believes in.
    `asked`: when it was last gone on with, by the clock's `monotonic()`."""

    __slots__ = ("asked", "told")

    def __init__(self, asked: float) -> None:
        self.asked = asked
        self.told: set[int] = set()


class Gone(NamedTuple):
    """With which changes an item came and left, and when it left, by the clock's `monotonic()`."""

    arrived: int
    left: int
    at: float


class Past:
    """The log of a folder's changes, and the uids that left. A uid comes once and leaves once.

    The log is two parallel columns in order of change: the change's number and the uid concerned. An entry counts only while it is the arrival or
    the latest change of what is here, or the leaving of what is remembered; when more than half are stale the log is written anew, so it stays
    linear in both. Uids that left are forgotten beyond the `Horizon`, but for those that the asker of a first listing still has to be told of.

    What is here is told at its arrival, whatever came of it later, and again at its latest change: so whoever was told all up to a change knows
    exactly those that arrived until then.
    """

    __slots__ = ("_gone", "_held", "_items", "_listings", "_log_changes", "_log_uids", "forgotten")

    def __init__(self, items: Mapping[int, Item]) -> None:
        self._items = items
        self._gone: OrderedDict[int, Gone] = OrderedDict()  # by uid, in order of leaving
        self._held: dict[int, Gone] = {}  # the same beyond the horizon, for listings
        self._listings: dict[
            int, Listing
        ] = {}  # by the change number of their beginning, in the order in which they were asked for
        self._log_changes = array("q")
        self._log_uids = array("q")
        self.forgotten = 0
        """Number of the latest change of which nothing is known any more: tokens from before it are worth nothing."""

    def changed(self, item: Item) -> None:
        self._log(item.change, item.uid)

    def left(self, uid: int, arrived: int, change: int, horizon: Horizon, now: float) -> None:
        self._gone[uid] = Gone(arrived, change, now)
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
            if len(gone) <= horizon.count and next(iter(gone.values())).at + horizon.age >= now:
                return
            uid, one = gone.popitem(last=False)
            self.forgotten = one.left
            if any(uid in listing.told for listing in self._listings.values()):
                self._held[uid] = one

    def arrived(self, uid: int) -> int:
        """With which change it came, of what is here or remembered."""
        item = self._items.get(uid)
        return item.arrived if item is not None else (self._gone.get(uid) or self._held[uid]).arrived

    @property
    def last_change(self) -> int:
        """Number of the latest change to any item here, 0 when there never was one."""
        return self._log_changes[-1] if self._log_changes else 0

    @property
    def remembered(self) -> int:
        """Uids that left and are known still."""
        return len(self._gone) + len(self._held)

    def since(self, token: int) -> Iterator[tuple[int, int]]:
        """(change, uid) of what happened after the token, in order: arrivals and latest changes of what is here, leavings of what is not."""
        for index in range(bisect_right(self._log_changes, token), len(self._log_changes)):
            change, uid = self._log_changes[index], self._log_uids[index]
            if self._counts(change, uid):
                yield change, uid

    def _counts(self, change: int, uid: int) -> bool:
        item = self._items.get(uid)
        if item is not None:
            return change in (item.change, item.arrived)
        gone = self._gone.get(uid) or self._held.get(uid)
        return gone is not None and change == gone.left

    def _log(self, change: int, uid: int) -> None:
        self._log_changes.append(change)
        self._log_uids.append(uid)
        if len(self._log_uids) > 4 * len(self._items) + 2 * self.remembered + 64:
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
            known = [uid for uid, gone in self._held.items() if gone.left <= position and uid in listing.told]
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
