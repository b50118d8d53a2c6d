"""An answer that goes on: envelopes sent as things happen, until one side ends (ews reference 14).

An operation opens one with `call.open_stream()`; its return value becomes the first envelope, `send` makes each further one. The connection is
woken at each; where there is no connection (the direct call) `pieces` moves the world's clock from timer to timer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from postroom_simulator.errors import Deadlock

if TYPE_CHECKING:
    from postroom_simulator.net.registry import Cancellable
    from postroom_simulator.session import SessionContext

__all__ = ["BACKLOG_LIMIT", "Stream"]

BACKLOG_LIMIT = 8 * 1024 * 1024
"""Octets that may wait for a client to read them; above it the connection ends (our choice)."""


class Stream:
    """Everything happens under the world's lock. `write` makes the octets of an envelope from a value.

    closed       nothing more can be sent
    on_end       called once, whichever side ends
    on_overfull  called when more waits than may
    """

    def __init__(self, context: SessionContext, write: Callable[[Any], bytes]) -> None:
        self.closed = False
        self.on_end: list[Callable[[], None]] = []
        self.on_overfull: Callable[[], None] | None = None
        self._context = context
        self._write = write
        self._waiting: list[bytes] = []
        self._size = 0
        self._timers: set[Cancellable] = set()

    # -- the operation's side

    def send(self, value: Any) -> None:
        """One complete envelope, sent at once. Harmless after the end."""
        self.push(self._write(value))

    def push(self, octets: bytes) -> None:
        if self.closed:
            return
        self._waiting.append(octets)
        self._size += len(octets)
        if self._size > BACKLOG_LIMIT and self.on_overfull is not None:
            self.on_overfull()
        self._wake()

    def end(self) -> None:
        """Nothing more comes; what was sent still goes out."""
        if not self.closed:
            self._finish()
            self._wake()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """On the world's clock, under its lock; never after the end."""

        def fire() -> None:
            with self._context.world.lock:
                self._timers.discard(timer)
                if not self.closed:
                    callback()

        later = self._context.call_later
        timer = later(seconds, fire) if later is not None else self._context.world.connections.timers.call_later(seconds, fire)
        self._timers.add(timer)
        return timer

    # -- the connection's side

    def take(self) -> list[bytes]:
        """What waits, an envelope a piece."""
        taken, self._waiting, self._size = self._waiting, [], 0
        return taken

    def put_back(self, pieces: list[bytes]) -> None:
        """What could not be said yet."""
        self._waiting[:0] = pieces
        self._size += sum(map(len, pieces))

    def abandon(self) -> None:
        """The client is gone, or the connection."""
        self._waiting.clear()
        self._size = 0
        if not self.closed:
            self._finish()

    def pieces(self) -> Iterator[bytes]:
        """All of it, on a clock that moves as far as it must. Raises Deadlock where nothing would ever come."""
        world = self._context.world
        while True:
            with world.lock:
                taken = self.take()
            yield from taken
            if self.closed and not self._waiting:
                return
            if not taken:
                due = world.connections.timers.next_due()
                if due is None:
                    raise Deadlock("the stream is open and no timer will end it")
                world.connections.timers.advance_to(due)

    def _finish(self) -> None:
        self.closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        callbacks, self.on_end = self.on_end, []
        for callback in callbacks:
            callback()

    def _wake(self) -> None:
        if self._context.wake is not None:
            self._context.wake()
