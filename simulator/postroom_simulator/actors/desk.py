"""What actors have still to do, on the world's clock."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from postroom_simulator.journal import Kind
from postroom_simulator.net.registry import is_movable

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["Desk"]

KEPT = 100_000
"""Tasks that wait, and people of whom it is known when they were answered (our choice)."""

_CLOSE = 1e-6
"""Seconds; what sums of floats may be off."""


class Desk:
    """Tasks in order of their time. On a clock that can be moved they are done as it moves; on another by the loop of servers that
    listen, and whenever somebody calls `tick` (every delivery does).

    Tasks are done with the world's lock held. What waits for others, who may want something of the world meanwhile, is an errand: errands are run
    without the lock, one after the other, by whoever gave the lock back; where servers listen, beside their loop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: list[tuple[float, int, str, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._answered: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._ticking = False
        self._errands: deque[Callable[[], None]] = deque()
        self._running = threading.Lock()

    def later(self, seconds: float, what: str, do: Callable[[], None]) -> None:
        """Do something in `seconds`; `what` is for those who look at `waiting`. With too many tasks waiting this one is given up, and
        that is noted. Called with the world's lock held."""
        if len(self._tasks) >= KEPT:
            self._world.journal.add(Kind.NOTE, detail=f"given up, too much waits: {what}")
            return
        due = self._world.clock.monotonic() + seconds
        heapq.heappush(self._tasks, (due, next(self._numbers), what, do))
        self._arm(due)

    def tick(self) -> int:
        """Do what is due, in order; how much it was."""
        done = self._do_tasks()
        self.run_errands()
        return done

    def _do_tasks(self) -> int:
        with self._world.lock:
            if self._ticking or not self._tasks:
                return 0
            self._ticking = True
            try:
                return self._do_what_is_due()
            finally:
                self._ticking = False

    def _do_what_is_due(self) -> int:
        done = 0
        while self._tasks and self._tasks[0][0] <= self._world.clock.monotonic() + _CLOSE:
            _, _, _, do = heapq.heappop(self._tasks)
            do()
            done += 1
        return done

    def arm(self) -> None:
        """Servers have begun to listen: their loop may keep the time."""
        with self._world.lock:
            if self._tasks:
                self._arm(self._tasks[0][0])

    def _arm(self, due: float) -> None:
        clock = self._world.clock
        seconds = due - clock.monotonic()
        if is_movable(clock):
            clock.call_later(seconds, self._due)
        else:
            self._world.wake_later(seconds, self._wake)

    def _due(self) -> None:
        self.tick()

    def _wake(self) -> None:
        """On the loop of servers, which waits for nobody."""
        self._do_tasks()
        self.arm()

    # -- errands

    def outside(self, do: Callable[[], None]) -> None:
        """Run an errand as soon as may be. Called with the world's lock held, or the store's."""
        self._errands.append(do)
        if is_movable(self._world.clock):
            self._world.clock.call_later(0.0, self._due)
        self._world.run_aside(self.run_errands)

    def run_errands(self) -> None:
        """Run what there is, unless this thread holds the world's lock. Whoever is at it already runs these too."""
        while self._errands and not self._world.lock._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001 - no public name says that
            if not self._running.acquire(blocking=False):
                return
            try:
                while self._errands:
                    self._errands.popleft()()
            finally:
                self._running.release()

    @property
    def waiting(self) -> list[str]:
        """What is still to be done, in order."""
        return [what for _, _, what, _ in sorted(self._tasks, key=lambda task: task[:2])]

    # -- who was answered

    def answered(self, account: str, sender: str) -> datetime | None:
        """When somebody got an automatic reply of an account last."""
        return self._answered.get((account, sender))

    def note_answer(self, account: str, sender: str, now: datetime) -> None:
        self._answered[account, sender] = now
        self._answered.move_to_end((account, sender))
        while len(self._answered) > KEPT:
            self._answered.popitem(last=False)

    def forget_answers(self, account: str) -> None:
        """Everybody may be answered again: a new absence has begun."""
        for key in [one for one in self._answered if one[0] == account]:
            del self._answered[key]
