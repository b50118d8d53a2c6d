"""Who has said nothing for too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from postroom_simulator.net.registry import Cancellable, Timers

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["IdleWatch"]

_CLOSE = 1e-6
"""Seconds; what sums of floats may be off."""


class IdleWatch:
    """Keeps one timer that is due no later than the idle limit. It looks only when it fires, so that input costs no timer.

    limit  the seconds allowed now, None: any number
    busy   whether the time does not count now, because the server itself lets the client wait
    late   called under the world's lock when the limit has passed

    armed_for  the limit for which the timer is early enough; None: there is no timer
    """

    def __init__(
        self,
        world: World,
        timers: Timers,
        *,
        limit: Callable[[], float | None],
        busy: Callable[[], bool],
        late: Callable[[], None],
    ) -> None:
        self._world = world
        self._timers = timers
        self._limit = limit
        self._busy = busy
        self._late = late
        self._last = world.clock.monotonic()
        self._due = 0.0
        self._timer: Cancellable | None = None
        self.armed_for: float | None = None

    def touch(self) -> None:
        """The client did something."""
        self._last = self._world.clock.monotonic()

    def arm(self) -> None:
        """See to it that the timer is early enough."""
        limit = self._limit()
        if limit is None:
            return
        if self._timer is None or self._last + limit < self._due - _CLOSE:
            self._set(self._last + limit, limit)
        else:
            self.armed_for = limit

    def cancel(self) -> None:
        self.armed_for = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, due: float, limit: float) -> None:
        self.cancel()
        self.armed_for = limit
        self._due = due
        self._timer = self._timers.call_later(due - self._world.clock.monotonic(), self._look)

    def _look(self) -> None:
        with self._world.lock:
            self._timer = self.armed_for = None
            limit = self._limit()
            if limit is None:
                return
            now = self._world.clock.monotonic()
            due = (now if self._busy() else self._last) + limit
            if due > now + _CLOSE:
                self._set(due, limit)
            else:
                self._late()
