"""All connections of a world: their numbers, limits, timers, and the wait until all have ended."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeGuard

from postroom_simulator.clock import Clock, Timer
from postroom_simulator.errors import SimulatorError

if TYPE_CHECKING:
    from postroom_simulator.net.connection import Connection

__all__ = ["Cancellable", "ClockTimers", "Connections", "MovableClock", "NotSettled", "Timers", "is_movable"]


class NotSettled(SimulatorError):
    """Connections were still open when the wait for their end was over. Names each and what it waits for."""


class Cancellable(Protocol):
    def cancel(self) -> object: ...


class Timers(Protocol):
    """Who calls back later."""

    def call_later(self, seconds: float, callback: Callable[[], None], /) -> Cancellable: ...


class MovableClock(Clock, Protocol):
    """A clock that a wait can move, like `ManualClock`."""

    def call_later(self, seconds: float, callback: Callable[[], None], /) -> Cancellable: ...
    def next_due(self) -> float | None: ...
    def advance_to(self, monotonic: float, /) -> None: ...


def is_movable(clock: Clock) -> TypeGuard[MovableClock]:
    """By shape, so that another package's manual clock serves too."""
    return all(hasattr(clock, name) for name in ("call_later", "next_due", "advance_to"))


class ClockTimers:
    """Timers for conversations in memory on a clock that only sleeps: they fire when somebody waits in `advance_to`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()

    def call_later(self, seconds: float, callback: Callable[[], None], /) -> Timer:
        timer = Timer(self._clock.monotonic() + max(0.0, seconds), callback)
        heapq.heappush(self._timers, (timer.due, next(self._numbers), timer))
        return timer

    def next_due(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance_to(self, monotonic: float, /) -> None:
        """Sleep until then, firing what becomes due."""
        while (due := self.next_due()) is not None and due <= monotonic:
            timer = heapq.heappop(self._timers)[2]
            self._sleep_until(due)
            timer.callback()
        self._sleep_until(monotonic)

    def _sleep_until(self, monotonic: float) -> None:
        rest = monotonic - self._clock.monotonic()
        if rest > 0:
            self._clock.sleep(rest)


class Connections:
    """The open connections of a world.

    limit, per_address   how many at once, in all and for each client address (mail-protocol-pitfalls 8); more are told so and closed
    failures             errors of our own code met while serving over TCP; `settle` raises the first
    timers               for conversations in memory: the clock itself where it can be moved
    """

    def __init__(self, clock: Clock, *, limit: int = 200, per_address: int = 50) -> None:
        self.clock = clock
        self.limit = limit
        self.per_address = per_address
        self.failures: deque[Exception] = deque(maxlen=100)
        self.timers: MovableClock | ClockTimers = clock if is_movable(clock) else ClockTimers(clock)
        self._live: dict[Connection, None] = {}
        self._admitted: set[Connection] = set()  # those that were turned away count for nothing, however long they stay
        self._addresses: Counter[str] = Counter()  # of those
        self._changed = threading.Condition()
        self._barriers: list[Callable[[], None]] = []

    def admit(self, connection: Connection) -> bool:
        """Note a new connection. False when there are too many: it is noted all the same, until it has been closed."""
        with self._changed:
            fits = self._addresses.total() < self.limit and self._addresses[connection.client_address] < self.per_address
            self._live[connection] = None
            if fits:
                self._admitted.add(connection)
                self._addresses[connection.client_address] += 1
            return fits

    def leave(self, connection: Connection) -> None:
        """Both sides have closed. Idempotent."""
        with self._changed:
            if connection in self._live:
                del self._live[connection]
                if connection in self._admitted:
                    self._admitted.remove(connection)
                    self._addresses[connection.client_address] -= 1
                    if not self._addresses[connection.client_address]:
                        del self._addresses[connection.client_address]
                self._changed.notify_all()

    def notify(self) -> None:
        """A connection began to wait for something else."""
        with self._changed:
            self._changed.notify_all()

    def live(self) -> list[Connection]:
        """Oldest first."""
        with self._changed:
            return list(self._live)

    def add_barrier(self, barrier: Callable[[], None]) -> None:
        """`settle` calls it first: it returns when everything that clients did before has reached its connection."""
        self._barriers.append(barrier)

    def remove_barrier(self, barrier: Callable[[], None]) -> None:
        self._barriers.remove(barrier)

    def wait_until(self, condition: Callable[[list[Connection]], bool], timeout: float = 10.0) -> bool:
        """Wait (real seconds) until something holds for the open connections. False when it does not in time."""
        for barrier in list(self._barriers):
            barrier()
        with self._changed:
            return self._changed.wait_for(lambda: condition(list(self._live)), timeout)

    def settle(self, timeout: float = 10.0) -> None:
        """Return when every connection has seen both sides close.

        A connection whose client is gone but whose server still waits for a timer (a delay, a stall with an end) is helped by
        moving the clock there, as a read in memory does; a clock that cannot be moved is waited for. `timeout` is in real
        seconds. Raises NotSettled, or the first error that our own code met while serving. Not to be called with the world's lock
        held: the servers' thread needs it.
        """
        if not self._barriers and threading.active_count() == 1:
            timeout = 0.0  # nobody else is there who could close anything meanwhile
        while True:
            ready = self.wait_until(lambda live: all(c.client_gone and c.waits_for_timer for c in live), timeout)
            if self.failures:
                raise self.failures.popleft()
            live = self.live()
            if not live:
                return
            due = self.timers.next_due()
            if ready and due is not None:
                self.timers.advance_to(due)
            elif not (ready and self.wait_until(lambda live: not live, timeout)):
                raise NotSettled("still open: " + "; ".join(c.describe() for c in live))

    def close(self) -> None:
        """End all that is still open."""
        for connection in self.live():
            connection.shut()
