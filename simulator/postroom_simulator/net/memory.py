"""Conversations in memory: a client's socket whose server answers inside the call, with no thread, no port and no waiting.

A write runs the server's side at once. A read that nothing has answered yet moves the world's clock: to the client's time-out
(which then raises TimeoutError), to its `deadline`, or to the next timer, whichever comes first (a timer before a time-out at the same
moment, so that an answer that is just in time counts). With none of them it raises `Deadlock`.

A clock that cannot be moved is slept on with `clock.sleep`, until the same moments; where there are none, `Deadlock` says so.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from postroom_simulator.errors import Deadlock, WorldError
from postroom_simulator.fault_rules import nearest
from postroom_simulator.net.connection import Connection
from postroom_simulator.net.service import DISCARD_LIMIT, PROTOCOLS, SessionFactory, make_session
from postroom_simulator.net.socketlike import SocketLike
from postroom_simulator.net.tls import TlsLayer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from postroom_simulator.world import World

__all__ = ["MemorySocket", "TlsMemorySocket", "connect", "wrap_tls"]

UNREAD_LIMIT = 4 * 1024 * 1024
"""Octets that a client may leave unread before the server stops acting on its commands, as a full TCP window would."""
UNTAKEN_LIMIT = 1024 * 1024
"""Octets that a client can send to a server that takes nothing before its write waits."""

_ADDRESS = "127.0.0.1"


def connect(
    world: World, service: str, timeout: float | None = None, *, sessions: SessionFactory = make_session
) -> MemorySocket:
    """A client's end of a new connection. Raises ConnectionRefusedError where a fault says so, WorldError for an unknown service."""
    if service not in PROTOCOLS:
        raise WorldError(f'there is no service "{service}".{nearest(service, PROTOCOLS)}')
    line = _Line()
    connection = Connection(world, service, line, timers=world.connections.timers, client_address=_ADDRESS, sessions=sessions)
    line.connection = connection
    connection.open()
    if connection.refused:
        connection.connection_lost()
        raise ConnectionRefusedError(f"[{service}] connection refused")
    client = MemorySocket(world, line, connection)
    client.settimeout(timeout)
    return client


class _Line:
    """The wire between the two, and the server's transport on it."""

    def __init__(self) -> None:
        self.connection: Connection
        self.to_client = bytearray()
        self.to_server = bytearray()  # written while the server took nothing
        self.server_end: Literal["", "fin", "rst"] = ""
        self.client_end = False  # the client sends no more
        self.client_left = False  # nor reads
        self.paused = False
        self.slow = False

    # -- what the connection calls

    def write(self, octets: bytes) -> None:
        if self.client_left or self.server_end:
            return
        self.to_client += octets
        if len(self.to_client) > UNREAD_LIMIT and not self.slow:
            self.slow = True
            self.connection.pause_writing()

    def close(self) -> None:
        self.server_end = self.server_end or "fin"

    def abort(self) -> None:
        self.server_end = self.server_end or "rst"

    def call_soon(self, callback: Callable[[], None]) -> None:
        callback()

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        if self.to_server:
            octets = bytes(self.to_server)
            self.to_server.clear()
            self.connection.data_received(octets)
        if self.client_end:
            self.connection.eof_received()

    # -- what the client's side calls

    def send(self, octets: bytes) -> None:
        if self.paused:
            self.to_server += octets
        else:
            self.connection.data_received(octets)

    def end(self) -> None:
        if not self.client_end:
            self.client_end = True
            if not self.to_server:
                self.connection.eof_received()

    def drained(self) -> None:
        if self.slow and len(self.to_client) <= UNREAD_LIMIT // 2:
            self.slow = False
            self.connection.resume_writing()

    def leave(self) -> None:
        """The client closes: it neither sends nor reads any more."""
        self.client_end = self.client_left = True
        self.to_client.clear()
        self.to_server.clear()
        self.connection.connection_lost()


class MemorySocket(SocketLike):
    """A client's end of a connection in memory, shaped like a connected `socket.socket`.

    deadline    a moment of `clock.monotonic()` at which a waiting read raises TimeoutError, whatever the time-out; None: none
    connection  the server's end
    """

    def __init__(self, world: World, line: _Line, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.deadline: float | None = None
        self._world = world
        self._line = line
        self._timeout: float | None = None
        self._discarded = 0

    def __repr__(self) -> str:
        return f"<MemorySocket {self.connection.name} {self.connection.service}{' closed' if self._gone else ''}>"

    # -- sending

    def send(self, data: ReadableBuffer, _flags: int = 0, /) -> int:
        """All of it, always. After the server's orderly end it goes nowhere, as over TCP, where the server reads on for a while so
        that its last reply is not lost; after its reset: ConnectionResetError."""
        octets = bytes(data)
        self._check_open()
        if self._line.client_end:
            raise BrokenPipeError("the sending side was shut down")
        if self._line.server_end == "rst":
            raise self._reset()
        if self._line.server_end == "fin":
            return self._discard(len(octets))
        self._wait(self._can_send, "its octets to be taken")
        if octets:
            self._line.send(octets)
            self._world.desk.run_errands()
        return len(octets)

    def sendall(self, data: ReadableBuffer, flags: int = 0, /) -> None:
        self.send(data, flags)

    def _discard(self, count: int) -> int:
        self._discarded += count
        if self._discarded > DISCARD_LIMIT:
            self._line.server_end = "rst"
            raise self._reset()
        return count

    def _can_send(self) -> bool:
        return bool(self._line.server_end) or len(self._line.to_server) <= UNTAKEN_LIMIT

    # -- receiving

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Up to `bufsize` octets; b"" after the server's orderly end; ConnectionResetError after a reset, once all is read."""
        self._check_open()
        if bufsize <= 0:
            return b""
        waiting = self._line.to_client
        if not waiting:
            self._wait(self.can_receive, "octets")
        if not waiting:
            if self._line.server_end == "rst":
                raise self._reset()
            return b""
        piece = bytes(memoryview(waiting)[:bufsize])
        if not flags & socket.MSG_PEEK:
            del waiting[: len(piece)]
            self._line.drained()
        return piece

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0, /) -> int:
        view = memoryview(buffer).cast("B")
        piece = self.recv(min(nbytes, len(view)) or len(view), flags)
        view[: len(piece)] = piece
        return len(piece)

    def can_receive(self) -> bool:
        """Whether a read would not wait."""
        return bool(self._line.to_client or self._line.server_end)

    def _reset(self) -> ConnectionResetError:
        return ConnectionResetError(104, "Connection reset by peer")

    # -- waiting

    def _wait(self, ready: Callable[[], bool], what: str) -> None:
        """Move time until `ready()`. Raises TimeoutError, BlockingIOError (time-out 0) or Deadlock."""
        if ready():
            return
        if self._timeout == 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        clock = self._world.clock
        timers = self._world.connections.timers
        until = None if self._timeout is None else clock.monotonic() + self._timeout
        if self.deadline is not None:
            until = self.deadline if until is None else min(until, self.deadline)
        while not ready():
            due = timers.next_due()
            if until is None and (due is None or self.connection.stalled_for_ever):
                raise Deadlock(self._deadlock(what, due))
            if due is None or (until is not None and until < due):
                assert until is not None
                timers.advance_to(until)
                if not ready():
                    raise TimeoutError("timed out")
                return
            timers.advance_to(due)

    def _deadlock(self, what: str, due: float | None) -> str:
        why = "and no timer will ever fire" if due is None else "and no timer will end that"
        return f"{self.connection.describe()}; the client waits for {what}, without time-out or deadline, {why}"

    def settimeout(self, value: float | None, /) -> None:
        """Seconds of the world's clock for each wait; 0: do not wait at all; None: for ever."""
        if value is not None and not value >= 0:
            raise ValueError("Timeout value out of range")
        self._timeout = value

    def gettimeout(self) -> float | None:
        return self._timeout

    # -- the rest

    def shutdown(self, how: int, /) -> None:
        """SHUT_WR and SHUT_RDWR tell the server that no more will come. Raises OSError when not connected any more."""
        self._check_open()
        if self._line.server_end == "rst":
            raise OSError(107, "Transport endpoint is not connected")
        if how in (socket.SHUT_WR, socket.SHUT_RDWR):
            self._line.end()

    def _real_close(self) -> None:
        self._line.leave()

    def _check_open(self) -> None:
        if self._gone:
            raise OSError(9, "Bad file descriptor")

    def getpeername(self) -> tuple[str, int]:
        from postroom_simulator.world import SERVICES

        return _ADDRESS, SERVICES[self.connection.service]

    def getsockname(self) -> tuple[str, int]:
        """Our choice: an ephemeral port that tells the connections of a world apart."""
        return _ADDRESS, 49152 + int(self.connection.name.rpartition("-")[2]) % 16384


class TlsMemorySocket(SocketLike):
    """The encrypted end of a `MemorySocket`, shaped like `ssl.SSLSocket`. Takes the socket over: closing this closes that."""

    def __init__(self, sock: MemorySocket, context: ssl.SSLContext, server_hostname: str | None) -> None:
        super().__init__()
        self.context = context
        self.server_hostname = server_hostname
        self._sock = sock
        self._layer = TlsLayer(context, server_side=False, server_hostname=server_hostname)
        self._handshake()

    def __repr__(self) -> str:
        return f"<TlsMemorySocket over {self._sock!r}>"

    @property
    def connection(self) -> Connection:
        return self._sock.connection

    @property
    def deadline(self) -> float | None:
        return self._sock.deadline

    @deadline.setter
    def deadline(self, value: float | None) -> None:
        self._sock.deadline = value

    def _handshake(self) -> None:
        """Raises ssl.SSLError (ssl.SSLCertVerificationError, ssl.SSLEOFError), ConnectionResetError, TimeoutError."""
        try:
            while not self._layer.handshake():
                self._flush()
                self._fill()
        finally:
            self._flush()

    def _flush(self) -> None:
        octets = self._layer.take()
        if octets:
            try:
                self._sock.sendall(octets)
            except (BrokenPipeError, ConnectionResetError):
                if self._sock.can_receive():  # what the server said before it left comes first
                    return
                raise

    def _fill(self) -> None:
        octets = self._sock.recv(65536)
        if octets:
            self._layer.feed(octets)
        else:
            self._layer.feed_eof()

    def send(self, data: ReadableBuffer, _flags: int = 0, /) -> int:
        octets = bytes(data)
        self._layer.write(octets)
        sealed = self._layer.take()
        if sealed:
            self._sock.sendall(sealed)
        return len(octets)

    def sendall(self, data: ReadableBuffer, _flags: int = 0, /) -> None:
        self.send(data)

    def recv(self, bufsize: int = 1024, _flags: int = 0, /) -> bytes:
        """As `ssl.SSLSocket.recv`: an end without goodbye is b"" like one with."""
        if bufsize <= 0:
            return b""
        while True:
            try:
                piece = self._layer.read_some(bufsize)
            except ssl.SSLEOFError:
                return b""
            if piece is not None:
                return piece
            self._flush()
            self._fill()

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0, /) -> int:
        view = memoryview(buffer).cast("B")
        piece = self.recv(min(nbytes or len(view), len(view)), flags)
        view[: len(piece)] = piece
        return len(piece)

    read = recv

    def pending(self) -> int:
        return self._layer.object.pending()

    def unwrap(self) -> MemorySocket:
        """Say goodbye; the plain socket below."""
        self._layer.say_goodbye()
        self._flush()
        return self._sock

    def version(self) -> str | None:
        return self._layer.object.version()

    def cipher(self) -> tuple[str, str, int] | None:
        return self._layer.object.cipher()

    def getpeercert(self, binary_form: bool = False) -> Any:
        return self._layer.object.getpeercert(binary_form)

    def selected_alpn_protocol(self) -> str | None:
        return self._layer.object.selected_alpn_protocol()

    def settimeout(self, value: float | None, /) -> None:
        self._sock.settimeout(value)

    def gettimeout(self) -> float | None:
        return self._sock.gettimeout()

    def shutdown(self, how: int, /) -> None:
        self._sock.shutdown(how)

    def _real_close(self) -> None:
        self._sock.close()

    def getpeername(self) -> tuple[str, int]:
        return self._sock.getpeername()

    def getsockname(self) -> tuple[str, int]:
        return self._sock.getsockname()


def wrap_tls(sock: MemorySocket, context: ssl.SSLContext, server_hostname: str | None = None) -> TlsMemorySocket:
    """Encrypt the client's side, with `context` as one would `context.wrap_socket`. Raises ssl.SSLError when the handshake fails; the
    socket is then closed, as `wrap_socket` does."""
    try:
        return TlsMemorySocket(sock, context, server_hostname)
    except (OSError, ValueError):
        sock.close()
        raise
