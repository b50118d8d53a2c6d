"""What is due, in which order. A pure state machine over points of a clock: no thread, no clock of its own.

A tick costs what is due, not what is known (heap with lazy removal). At most one run of an instance at a time.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Scheduler"]

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Entry(Generic[K]):
    key: K
    instance: str
    due: float
    last_run: float
    ticket: int = -1
    running: bool = False
    again: float | None = None
    removed: bool = False
    groups: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()


class Scheduler(Generic[K]):
    """Keys (jobs), each of one instance, with a due time in seconds of `clock.monotonic()`.

    Order: due time, then least recently run, then order of arrival. `more=True` at the end of a run makes the key due at that moment,
    behind everything that was due already (provider-kit 5.5.8).

    `caps`: how many keys of a group may run at once; None for one without bound. Whoever is due while its group is full waits aside, and
    those behind it go on.
    """

    def __init__(self, caps: Callable[[str], int | None] | None = None) -> None:
        self._caps = caps
        self._entries: dict[K, _Entry[K]] = {}
        self._heap: list[tuple[float, float, int, K]] = []
        self._numbers = itertools.count()
        self._running: set[str] = set()
        self._held: dict[str, list[K]] = {}
        self._in_group: Counter[str] = Counter()
        self._aside: dict[str, deque[K]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def put(self, key: K, instance: str, due: float, groups: tuple[str, ...] = ()) -> None:
        """Add a key, or move it to another due time. While it runs the time is kept for afterwards; the earlier one counts."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(key, instance, due, float("-inf"))
        entry.removed = False
        entry.groups = groups
        if entry.running:
            entry.again = due if entry.again is None else min(entry.again, due)
            return
        entry.due = due
        self._push(entry)

    def let_go(self, key: K) -> None:
        """A run that does not end counts no more: its instance and its groups are free. Nothing is known of it afterwards; `finished` is not called."""
        entry = self._entries.get(key)
        if entry is None or not entry.running:
            return
        entry.removed = True
        self.finished(key, entry.last_run)

    def remove(self, key: K) -> None:
        """Forget a key; a run of it that goes on still blocks its instance until it is finished."""
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.removed = True
        entry.again = None
        if not entry.running:
            del self._entries[key]

    def next_due(self) -> float | None:
        """When the next key is due; None when nothing waits. Keys whose instance is running do not count: its end wakes them."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def take(self, now: float, limit: int) -> list[K]:
        """Up to `limit` keys that are due, marked as running."""
        taken: list[K] = []
        while len(taken) < limit:
            self._drop_stale()
            if not self._heap or self._heap[0][0] > now:
                break
            entry = self._entries[heapq.heappop(self._heap)[3]]
            if entry.instance in self._running:
                self._held.setdefault(entry.instance, []).append(entry.key)
                entry.ticket = -1
                self._make_room(entry.groups)
                continue
            if (full := self._full(entry)) is not None:
                self._aside.setdefault(full, deque()).append(entry.key)
                entry.ticket = -1
                self._make_room(group for group in entry.groups if group != full)
                continue
            entry.running = True
            entry.ticket = -1
            self._running.add(entry.instance)
            entry.counted = entry.groups
            self._in_group.update(entry.counted)
            taken.append(entry.key)
        return taken

    def _full(self, entry: _Entry[K]) -> str | None:
        """A group of this key that has no room."""
        return next((group for group in entry.groups if not self._room(group)), None)

    def _room(self, group: str) -> bool:
        cap = self._caps(group) if self._caps is not None else None
        return cap is None or self._in_group[group] < cap

    def _make_room(self, groups: Iterable[str]) -> None:
        """Who waits aside for a group that has room goes back to where it was due: one a group, whose turn brings the next."""
        for group in groups:
            waiting = self._aside.get(group)
            while waiting and self._room(group):
                entry = self._entries.get(waiting.popleft())
                if entry is not None and not entry.running and entry.ticket == -1:
                    self._push(entry)
                    break
            if not waiting:
                self._aside.pop(group, None)

    def finished(self, key: K, now: float, *, more: bool = False) -> None:
        """A run has ended. Without `more`, and when nothing asked for the key meanwhile, it is forgotten: who wants it again says when."""
        entry = self._entries[key]
        entry.running = False
        entry.last_run = now
        self._running.discard(entry.instance)
        for held in self._held.pop(entry.instance, ()):
            waiting = self._entries.get(held)
            if waiting is not None and not waiting.running:
                self._push(waiting)
        for group in entry.counted:
            self._in_group[group] -= 1
            if not self._in_group[group]:
                del self._in_group[group]
        self._make_room(entry.counted)
        entry.counted = ()
        due = now if more else entry.again
        entry.again = None
        if entry.removed or due is None:
            del self._entries[key]
            return
        entry.due = due
        self._push(entry)

    def _push(self, entry: _Entry[K]) -> None:
        # A new number each time, never used again: among those due at one moment the one that ran just now comes last, and what still lies
        # in the heap of a key that was removed and put again is known to be stale.
        entry.ticket = next(self._numbers)
        heapq.heappush(self._heap, (entry.due, entry.last_run, entry.ticket, entry.key))

    def _drop_stale(self) -> None:
        while self._heap:
            _, _, ticket, key = self._heap[0]
            entry = self._entries.get(key)
            if entry is not None and entry.ticket == ticket and not entry.running:
                return
            heapq.heappop(self._heap)
