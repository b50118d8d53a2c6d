"""Time as an argument.

Two clocks: `SystemClock` asks the machine each time (so `freezegun` works), `ManualClock` stands still until it is moved
and fires the timers that become due on the way, in order. Nothing in this package asks the machine for the time elsewhere.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock", "Timer"]

EPOCH = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
"""Where a manual clock starts when nobody says otherwise: a Monday morning."""


class Clock(Protocol):
    """What the simulator asks of a clock. The engine's clock has the same shape, so one object serves both."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass. A manual clock advances itself."""
        ...


class SystemClock:
    """The machine's time. Asks `datetime` and `time` at each call, so a patched `datetime` is seen."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _nothing() -> None:
    """What a cancelled timer calls."""


class Timer:
    """A callback due at a point of a manual clock. `cancel()` is idempotent."""

    __slots__ = ("callback", "cancelled", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        self.callback = _nothing  # what it would have called is not kept until its time comes


class ManualClock:
    """A clock that moves only when told to.

    `monotonic()` counts seconds since the clock was made. Timers fire inside `advance`, in the thread that advances, in
    order of due time and then of creation; while one fires, `now()` is its due time.
    """

    def __init__(self, start: datetime = EPOCH) -> None:
        if start.tzinfo is None:
            raise ValueError(f"a clock starts at an aware time, not at {start!r}: add tzinfo=UTC")
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._lock = threading.RLock()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` when the clock has moved `seconds` (at least 0) from now."""
        with self._lock:
            timer = Timer(self._elapsed + max(0.0, seconds), callback)
            heapq.heappush(self._timers, (timer.due, next(self._numbers), timer))
            return timer

    def next_due(self) -> float | None:
        """The `monotonic()` of the earliest live timer, or None."""
        with self._lock:
            while self._timers and self._timers[0][2].cancelled:
                heapq.heappop(self._timers)
            return self._timers[0][0] if self._timers else None

    def advance(self, delta: float | timedelta = 0.0, /, **units: float) -> None:
        """Move on by seconds, a timedelta, or `minutes=5` and the like, firing timers on the way.

        Raises ValueError for a move backwards.
        """
        seconds = (delta.total_seconds() if isinstance(delta, timedelta) else delta) + timedelta(**units).total_seconds()
        if seconds < 0:
            raise ValueError("a clock does not go back")
        self.advance_to(self._elapsed + seconds)

    def advance_to(self, monotonic: float) -> None:
        """Move on to a point of `monotonic()`, firing timers on the way; earlier points change nothing."""
        while True:
            with self._lock:
                due = self.next_due()
                if due is None or due > monotonic:
                    self._elapsed = max(self._elapsed, monotonic)
                    return
                timer = heapq.heappop(self._timers)[2]
                self._elapsed = max(self._elapsed, due)
            timer.callback()

    def move_to(self, when: datetime) -> None:
        """Move on to a moment. Raises ValueError when it lies in the past."""
        self.advance(when - self.now())
