"""An event loop that only moves when it is told to.

aiosmtpd is written for asyncio. This loop lets a coroutine of it run to its next wait and no further: no thread, no selector, no
timer, no waiting; also from inside another, running loop. It leans on private names of asyncio (`_ready`, `Handle._run`,
`_set_running_loop`): nothing else in this package does (dependencies reference 3.1).
"""

from __future__ import annotations

import asyncio
from asyncio import base_events, events
from typing import Any

__all__ = ["SteppedLoop"]


class SteppedLoop(base_events.BaseEventLoop):
    """Runs what is ready when `settle()` is called. Belongs to one session; costs some microseconds and holds no resource."""

    def time(self) -> float:
        """Always 0: nothing here waits for time to pass."""
        return 0.0

    def settle(self) -> None:
        """Run everything that is ready, and what becomes ready by that, until nothing is.

        Whichever loop runs in this thread is left as it was found. Must not be called from one of its own callbacks.
        """
        ready = self._ready  # type: ignore[attr-defined]
        outer = events._get_running_loop()
        events._set_running_loop(self)
        try:
            while ready:
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            events._set_running_loop(outer)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """A task that goes without "Task was destroyed but it is pending" when it is thrown away unfinished: a session that
        nobody needs any more is no mistake."""
        task = super().create_task(coro, **options)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        return task

    def call_at(self, *_: Any, **__: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        """Refused: limits of time belong to the connection driver, on the world's clock."""
        raise NotImplementedError("a stepped loop has no timers: use Session.idle_limit and Session.timeout")

    def __del__(self, _warn: object = None) -> None:
        """Says nothing: there is no selector, socket or thread that a forgotten close could leave open."""
