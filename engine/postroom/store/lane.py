"""The write lane: one writer at a time per database in this process, first come first served.

SQLite lets waiting writers poll, so the unlucky starve; here they queue up, and only writers of other processes are left to the
database's own lock and its busy time-out.
"""

from __future__ import annotations

import threading
from collections import deque
from weakref import WeakValueDictionary

from postroom.errors import StoreError

__all__ = ["WriteLane", "lane_of"]


class WriteLane:
    """A fair lock. `acquire` waits behind everyone who came earlier; the releaser hands it over."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()
        self._owner: int | None = None

    def acquire(self) -> None:
        """Raises StoreError when this thread has the lane already: it would wait for itself."""
        me = threading.get_ident()
        with self._guard:
            if self._owner is None:
                self._owner = me
                return
            if self._owner == me:
                raise StoreError("this thread already writes to this database")
            turn = threading.Event()
            self._waiting.append((me, turn))
        try:
            turn.wait()
        except BaseException:  # an interrupt: leave the queue, or hand on what was given meanwhile
            self._give_up((me, turn))
            raise

    def _give_up(self, place: tuple[int, threading.Event]) -> None:
        with self._guard:
            if place in self._waiting:
                self._waiting.remove(place)
                return
        self.release()

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._owner, turn = self._waiting.popleft()
                turn.set()
            else:
                self._owner = None

    @property
    def waiting(self) -> int:
        """How many threads queue up."""
        return len(self._waiting)


_lanes: WeakValueDictionary[str, WriteLane] = WeakValueDictionary()
_lanes_guard = threading.Lock()


def lane_of(path: str) -> WriteLane:
    """The lane of a database file: one per path, however many stores are open on it."""
    with _lanes_guard:
        lane = _lanes.get(path)
        if lane is None:
            lane = _lanes[path] = WriteLane()
        return lane
