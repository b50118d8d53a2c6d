"""The connections of one run: every wait ends at the deadline, and all can be shut down from outside."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from postroom.clock import Clock
from postroom.errors import Cancelled, PostroomError, ServerTimeout, TlsError
from postroom.providers.contract import Connection, Connector
from postroom.providers.lines import LineReader

__all__ = ["BoundConnection", "RunConnector"]


class BoundConnection:
    """A connection whose waits are bounded by its time-out and the run's deadline, whichever comes first. Once the run was asked to end it
    says so instead of waiting."""

    def __init__(self, inner: Connection, owner: RunConnector, timeout: float | None) -> None:
        self.inner = inner
        self._owner = owner
        self._timeout = timeout
        self._reader: LineReader | None = None

    @property
    def pending(self) -> int:
        return self._reader.pending if self._reader is not None else 0

    def sendall(self, octets: bytes, /) -> None:
        self._bound()
        self.inner.sendall(octets)

    def recv(self, limit: int, /) -> bytes:
        self._bound()
        return self.inner.recv(limit)

    def _bound(self) -> None:
        remaining = self._owner.remaining()
        self.inner.settimeout(remaining if self._timeout is None else min(self._timeout, remaining))

    def makefile(self, mode: str = "rb", buffering: int = -1) -> Any:  # noqa: ARG002 - the shape of socket.makefile
        if mode != "rb":
            raise ValueError("a connection is read through a file and written with sendall")
        if self._reader is None:
            self._reader = LineReader(self)
        return self._reader

    def settimeout(self, seconds: float | None, /) -> None:
        self._timeout = seconds

    def shutdown(self, how: int, /) -> None:
        self.inner.shutdown(how)

    def close(self) -> None:
        self._owner.forget(self)
        self.inner.close()


class RunConnector:
    """A Connector for one run, around the one that makes connections."""

    def __init__(self, inner: Connector, clock: Clock, deadline: float) -> None:
        self._inner = inner
        self._clock = clock
        self._deadline = deadline
        self._open: set[BoundConnection] = set()
        self._ended = False
        self._lock = threading.Lock()

    def remaining(self) -> float:
        """Seconds until the deadline. Raises Cancelled when the run was asked to end, ServerTimeout when no time is left: whoever waits
        on a server until the deadline has waited too long."""
        if self._ended:
            raise Cancelled("the run was asked to end")
        remaining = self._deadline - self._clock.monotonic()
        if remaining <= 0:
            raise ServerTimeout("the run's deadline has passed")
        return remaining

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> BoundConnection:
        inner = self._inner.connect(host, port, timeout=min(timeout, self.remaining()), tls=tls)
        return self._keep(BoundConnection(inner, self, timeout))

    def start_tls(self, connection: Connection, host: str) -> BoundConnection:
        bound: Any = connection
        if not isinstance(bound, BoundConnection):
            raise TypeError("start_tls needs a connection of this run")
        if bound.pending:
            raise TlsError("the server sent octets in the clear before the handshake", code="plaintext")
        bound._bound()  # noqa: SLF001 - one file, one matter
        inner = self._inner.start_tls(bound.inner, host)
        self.forget(bound)
        return self._keep(BoundConnection(inner, self, bound._timeout))  # noqa: SLF001

    def _keep(self, connection: BoundConnection) -> BoundConnection:
        with self._lock:
            if not self._ended:
                self._open.add(connection)
                return connection
        connection.close()
        raise Cancelled("the run was asked to end")

    def forget(self, connection: BoundConnection) -> None:
        with self._lock:
            self._open.discard(connection)

    def shutdown(self) -> None:
        """Wake whoever waits (from any thread). Only `shutdown` does that: neither closing nor an injected exception would
        (provider-kit section 9)."""
        with self._lock:
            self._ended = True
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError, PostroomError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close what the run left open. Idempotent."""
        with self._lock:
            self._ended = True
            connections, self._open = list(self._open), set()
        for connection in connections:
            with suppress(OSError, PostroomError):
                connection.inner.close()
