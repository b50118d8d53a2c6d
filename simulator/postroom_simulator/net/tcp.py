"""The servers of a world on sockets: one asyncio loop on a daemon thread of its own, one listening socket for each service."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Self

from postroom_simulator.errors import WorldError
from postroom_simulator.fault_rules import nearest
from postroom_simulator.net.connection import Connection
from postroom_simulator.net.hosts import is_loopback
from postroom_simulator.net.registry import Cancellable, MovableClock, Timers, is_movable
from postroom_simulator.net.service import DISCARD_LIMIT, PROTOCOLS, SessionFactory, make_session

if TYPE_CHECKING:
    from postroom_simulator.world import World

if sys.platform == "linux":
    import fcntl

__all__ = ["Servers"]

log = logging.getLogger(__name__)

BACKLOG = 128
LINGER = 2.0
"""Real seconds without progress after which a connection that has ended is given up (our choice)."""
LOOK_AGAIN = 0.001
"""Real seconds between two looks whether all was sent before a reset."""
SIOCOUTQNSD = 0x894B
"""Linux: octets of a socket's send queue that were not sent (linux/sockios.h)."""
HIGH_WATER = 1024 * 1024
"""Octets waiting for a client to read them, above which nothing more of it is acted on."""
ROOM = 256 * 1024
"""Octets that one read takes at most, as asyncio's own reads do."""
_TURNS = 8
"""Turns of the loop from a client's `connect` returning to `connection_made`: the listening socket becomes readable, accept, a task,
its callbacks; and some to spare."""


class Servers:
    """Listening servers. Every host but loopback is refused unless `allow_remote` says that it is meant.

    ports      services and their ports, 0 for any free one; default: all services on free ports
    addresses  where each service listens, as (host, port)
    """

    def __init__(
        self,
        world: World,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        *,
        allow_remote: bool = False,
        sessions: SessionFactory = make_session,
    ) -> None:
        if not allow_remote and not is_loopback(host):
            raise WorldError(f"{host} is not loopback: anybody could reach the servers. Say allow_remote=True if that is meant")
        self.world = world
        self.addresses: dict[str, tuple[str, int]] = {}
        self._sessions = sessions
        self._closed = False
        self.room = memoryview(bytearray(ROOM))
        """Where the loop reads into, for every line in turn: a read and what is done about it are one call, so nobody else comes in between."""
        self._lines: set[_TcpLine] = set()
        self._listening = _listen(host, dict.fromkeys(PROTOCOLS, 0) if ports is None else dict(ports))
        self._loop = asyncio.new_event_loop()
        self._timers: Timers = ClockHop(self._loop, world.clock) if is_movable(world.clock) else self._loop
        self._servers: list[asyncio.Server] = []
        for service, listener in self._listening.items():
            address = listener.getsockname()
            self.addresses[service] = (address[0], address[1])
        self._thread = threading.Thread(target=self._loop.run_forever, name="postroom-simulator", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()
        world.connections.add_barrier(self._turn)

    async def _serve(self) -> None:
        for service, listener in self._listening.items():
            make_line = functools.partial(_TcpLine, self, service)
            self._servers.append(await self._loop.create_server(make_line, sock=listener, backlog=BACKLOG))

    def port(self, service: str) -> int:
        """Raises WorldError for a service that does not listen here."""
        if service not in self.addresses:
            raise WorldError(f'"{service}" does not listen here.{nearest(service, self.addresses)}')
        return self.addresses[service][1]

    def wake_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back from the loop after so many real seconds, whichever thread asks. Not after `close`."""
        if not self._closed:
            self._loop.call_soon_threadsafe(lambda: self._loop.call_later(max(0.0, seconds), callback))

    def run_aside(self, callback: Callable[[], None]) -> None:
        """Call in a thread of its own, for what waits for others, whichever thread asks. Not after `close`, which waits for it."""
        if not self._closed:
            self._loop.call_soon_threadsafe(self._loop.run_in_executor, None, self._kept, callback)

    def _kept(self, callback: Callable[[], None]) -> None:
        """Errors of our own code are kept for `settle`."""
        try:
            callback()
        except Exception as error:
            log.exception("internal error beside the loop")
            self.world.connections.failures.append(error)

    def settle(self, timeout: float = 10.0) -> None:
        """As `World.settle`."""
        self.world.connections.settle(timeout)

    def close(self) -> None:
        """Reset what is open and stop. Leaves no thread, task, port or file. Idempotent. Not to be called from a session, nor with
        the world's lock held."""
        if self._closed:
            return
        self._closed = True
        self.world.connections.remove_barrier(self._turn)
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call_soon(self, callback: Callable[[], None]) -> None:
        """On the loop, whichever thread asks. Not after `close`."""
        if not self._closed:
            self._loop.call_soon_threadsafe(callback)

    # -- on the loop

    def _turn(self) -> None:
        """Return when the loop has seen everything that clients did before the call."""
        if not self._closed and threading.current_thread() is not self._thread:
            asyncio.run_coroutine_threadsafe(_some_turns(), self._loop).result()

    async def _shut(self) -> None:
        for listener in self._listening.values():
            self._loop.remove_reader(listener.fileno())
        await _some_turns()  # what was accepted a moment ago becomes a line; a closed asyncio.Server would lose it unclosed
        for server in self._servers:
            server.close()
        while self._lines:
            for line in list(self._lines):
                line.shut()
            await _turn_once()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    def make_connection(self, service: str, line: _TcpLine, client_address: str) -> Connection:
        return Connection(
            self.world, service, line, timers=self._timers, client_address=client_address, sessions=self._sessions
        )

    def entered(self, line: _TcpLine) -> None:
        self._lines.add(line)

    def left(self, line: _TcpLine) -> None:
        self._lines.discard(line)


class ClockHop:
    """Timers on a movable clock for connections that live on a loop: they fire in the thread that moves the clock and hop to the
    loop from there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: MovableClock) -> None:
        self._loop = loop
        self._clock = clock

    def call_later(self, seconds: float, callback: Callable[[], None], /) -> Cancellable:
        return self._clock.call_later(seconds, lambda: self._hop(callback))

    def _hop(self, callback: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)


class _TcpLine(asyncio.BufferedProtocol):
    """One accepted socket: the transport of a `Connection`, fed by asyncio.

    Buffered, because for an ordinary protocol asyncio maps, shrinks and unmaps 256 KiB of memory at each read (7 to 20 us)."""

    def __init__(self, servers: Servers, service: str) -> None:
        self._servers = servers
        self._service = service
        self._transport: asyncio.Transport
        self._connection: Connection | None = None
        self._ending = False  # our side has ended in order; what still comes is thrown away
        self._aborting = False
        self._client_ended = False
        self._discarded = 0
        self._watch: asyncio.TimerHandle | None = None
        self._unsent_before = 0

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._servers.entered(self)
        transport.set_write_buffer_limits(high=HIGH_WATER, low=0)
        # asyncio does so itself only for sockets made with an explicit protocol number, which those of create_server are not.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = transport.get_extra_info("peername")
        connection = self._connection = self._servers.make_connection(self._service, self, peer[0] if peer else "")
        self._guarded(connection.open)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's shape
        return self._servers.room

    def buffer_updated(self, nbytes: int) -> None:
        connection = self._connection
        if connection is not None and not self._ending:
            try:  # as _guarded, without its calls: this is where most time goes by
                connection.data_received(self._servers.room[:nbytes])
            except Exception as error:
                self._servers.world.connections.failures.append(error)
        elif not self._aborting:
            self._discarded += nbytes
            if self._discarded > DISCARD_LIMIT:
                self._reset()

    def eof_received(self) -> bool:
        """True: the socket stays open for what the server still has to say."""
        self._client_ended = True
        if self._ending:
            self._transport.close()
        elif self._connection is not None:
            self._guarded(self._connection.eof_received)
        return True

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._servers.left(self)
        if self._connection is not None:
            self._guarded(self._connection.connection_lost)

    def pause_writing(self) -> None:
        if self._connection is not None:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        if self._connection is not None and not self._aborting:
            self._guarded(self._connection.resume_writing)

    def _guarded(self, call: Callable[[], None]) -> None:
        """Errors of our own code are kept for `settle`; the connection has already ended itself."""
        try:
            call()
        except Exception as error:
            log.exception("%s: internal error", self._service)
            self._servers.world.connections.failures.append(error)

    # -- what the connection calls

    def write(self, octets: bytes) -> None:
        self._transport.write(octets)

    def close(self) -> None:
        """Send the rest and FIN, then read on until the client ends too: closing a socket with unread input would reset it, and the
        client could lose the last reply."""
        self._ending = True
        if self._client_ended or self._transport.is_closing():
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self._watch_progress()
            return
        try:
            self._transport.write_eof()
        except OSError:  # the client has reset the connection, and the loop has not told us yet
            self._transport.abort()
            return
        self._watch_progress()

    def abort(self) -> None:
        self._ending = self._aborting = True
        if self._unsent():
            self._watch_progress()
            self._reset_when_sent()
        else:
            self._reset()

    def _reset_when_sent(self) -> None:
        """A reset throws away what the kernel has not sent yet: look until it has."""
        if self._unsent():
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self._reset_when_sent)
        else:
            self._reset()

    def _unsent(self) -> int:
        """Octets that have not left this side."""
        kept = self._transport.get_write_buffer_size()
        sock = self._transport.get_extra_info("socket")
        if kept or sys.platform != "linux" or sock is None or sock.fileno() < 0:
            return kept
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), SIOCOUTQNSD, b"\0\0\0\0"))[0])

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._servers.call_soon(callback)

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def shut(self) -> None:
        """The servers close."""
        if self._connection is not None:
            self._connection.shut()
        self._reset()

    def _reset(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _watch_progress(self) -> None:
        """Give up a client that neither reads nor ends."""
        self._unsent_before = self._unsent()
        self._watch = asyncio.get_running_loop().call_later(LINGER, self._look)

    def _look(self) -> None:
        if 0 < self._unsent() < self._unsent_before:
            self._watch_progress()
        else:
            self._reset()


async def _turn_once() -> None:
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


async def _some_turns() -> None:
    for _ in range(_TURNS):
        await _turn_once()


def _listen(host: str, ports: Mapping[str, int]) -> dict[str, socket.socket]:
    """Listening sockets by service; all or none. Raises WorldError for an unknown service, OSError for a port that is taken."""
    for service in ports:
        if service not in PROTOCOLS:
            raise WorldError(f'there is no service "{service}".{nearest(service, PROTOCOLS)}')
    listening: dict[str, socket.socket] = {}
    try:
        for service, port in ports.items():
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening[service] = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError:
        for listener in listening.values():
            listener.close()
        raise
    return listening
