"""Coroutines without an event loop.

aiosmtpd is written for asyncio, and its verbs are coroutines. Here such a coroutine is moved by hand, to its next wait and no further: no thread,
no selector, no timer, no task; also from inside a running loop, which notices nothing. To go by a task and a future of an event loop at each
wait costs some 5 us more, and the loop itself, made for each session, another 40.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

__all__ = ["NoLoop", "Stepped", "wait"]


class _Wait:
    """One of it serves all: it knows nothing."""

    def __await__(self) -> Generator[None]:
        yield


_WAIT = _Wait()


def wait() -> _Wait:
    """`await wait()` inside a `Stepped`: until its next step."""
    return _WAIT


class Stepped:
    """A coroutine that only waits by `wait`. It begins with the first step."""

    __slots__ = ("_cancelled", "_coroutine", "_done", "_running")

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self._done = False
        self._running = False
        self._cancelled = False

    def done(self) -> bool:
        return self._done

    def step(self) -> None:
        """To the next wait, or to the end. Raises what the coroutine raises, and RuntimeError when it waits for anything else. Harmless
        after the end. Must not be called from inside the coroutine."""
        if self._done:
            return
        self._running = True
        try:
            waits_for = self._coroutine.send(None)
        except StopIteration:
            self._done = True
        except BaseException:
            self._done = True
            raise
        else:
            if waits_for is not None:
                self._cancelled = True
                raise RuntimeError(f"nobody here turns an event loop: {waits_for!r} would never come")
        finally:
            self._running = False
            if self._cancelled:
                self.cancel()

    def cancel(self) -> None:
        """The wait never ends: what the coroutine left to be done is done. From inside: at its next wait. Idempotent."""
        if self._running:
            self._cancelled = True
        elif not self._done:
            self._done = True
            self._coroutine.close()


class NoLoop(asyncio.AbstractEventLoop):
    """What constructors take for a loop: it makes futures that nobody waits for, and turns nothing."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def get_debug(self) -> bool:
        return False
