"""The network as a checked provider sees it: every dial and every wait is noted, and servers of any protocol can be sick.

A trouble acts below the protocol, so it works for whatever goes through `ctx.net`. Troubles inside a protocol ("RETR answers -ERR") are
faults of the simulator's table: `world.faults`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

from postroom.errors import ConnectionFailed, ServerTimeout, TlsError
from postroom.providers.connectors import GuardedConnection, SocketLike
from postroom.providers.contract import Connection
from postroom.testing.conformance.failures import Hang
from postroom.testing.conformance.guard import unseen
from postroom.testing.memory import WorldConnector

if TYPE_CHECKING:
    from postroom.testing.conformance.world import KitWorld

__all__ = ["Dial", "KitConnector", "ObservedConnection", "Trouble"]

READ_LIMIT = 96 * 1024 * 1024
"""Octets that a provider may take from an endless server before the kit ends it (ours): more than the largest message and listing."""
DIALS = 2000
"""Connections in one run before the kit ends it (ours)."""


class Trouble(StrEnum):
    """What is wrong with every server, seen from below the protocol."""

    REFUSED = "refused"  # nobody listens
    DNS = "dns"  # the host name is unknown
    TIMEOUT = "timeout"  # connecting takes longer than it may
    RESET = "reset"  # connects, and is lost at the first read
    SILENT = "silent"  # connects, and never says a word
    GARBAGE = "garbage"  # says nonsense, then ends
    TRUNCATED = "truncated"  # says the beginning of something, then ends
    ENDLESS = "endless"  # says nonsense without end and without line breaks
    ENDLESS_LINES = "endless-lines"  # says lines of nonsense without end
    CERTIFICATE = "certificate"  # shows a certificate that nobody should trust; without TLS nothing is wrong


@dataclass(slots=True)
class Dial:
    """One connection that was asked for. `clear`: what was sent unencrypted; `waits`: the time-out of each read, None for an endless one."""

    host: str
    port: int
    tls: bool
    timeout: float
    at: float
    entry: int
    outcome: str = ""
    clear: bytearray = field(default_factory=bytearray, repr=False)
    waits: list[float | None] = field(default_factory=list, repr=False)
    closed: bool = False


class ObservedConnection(GuardedConnection):
    """A connection that tells its dial what happens on it."""

    def __init__(self, raw: SocketLike, where: str, dial: Dial, *, secure: bool, timeout: float | None) -> None:
        super().__init__(raw, where)
        self._dial = dial
        self._secure = secure
        self._timeout = timeout

    def sendall(self, octets: bytes, /) -> None:
        if not self._secure:
            self._dial.clear += octets
        super().sendall(octets)

    def recv(self, limit: int, /) -> bytes:
        self._dial.waits.append(self._timeout)
        return super().recv(limit)

    def settimeout(self, seconds: float | None, /) -> None:
        self._timeout = seconds
        super().settimeout(seconds)

    def close(self) -> None:
        self._dial.closed = True
        super().close()


class KitConnector:
    """`ctx.net` before the run's own bounds are put around it. `dials`: all that was asked for, in order."""

    def __init__(self, world: KitWorld) -> None:
        self._world = world
        self._inner = WorldConnector(world.sim)
        self.dials: list[Dial] = []
        self.trouble: Trouble | None = None
        self._well = 0
        self._patience = DIALS

    # -- what a check says

    def fail(self, trouble: Trouble, *, after: int = 0) -> None:
        """From now on every connection has this trouble, the first `after` dials excepted."""
        self.trouble, self._well = trouble, after

    def heal(self) -> None:
        self.trouble, self._well = None, 0

    def rest(self) -> None:
        """A call of the provider begins: dials are counted anew."""
        self._patience = DIALS

    @property
    def open(self) -> list[Dial]:
        """Connections that were made and not closed by the provider."""
        return [dial for dial in self.dials if dial.outcome == "connected" and not dial.closed]

    # -- what a provider calls

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> Connection:
        where = f"{host}:{port}"
        entry = self._world.note("net", f"connect {where}{' with TLS' if tls else ''}, time-out {timeout:g} s")
        dial = Dial(host, port, tls, timeout, self._world.clock.monotonic(), entry)
        self.dials.append(dial)
        self._patience -= 1
        if self._patience < 0:
            raise Hang(f"dials and dials, more than {DIALS} times in one run")
        trouble = self.trouble
        if self._well:
            self._well, trouble = self._well - 1, None
        try:
            raw = self._sick(trouble, where, timeout, tls=tls) if trouble else None
            if raw is None:
                with unseen():  # certificates are made and read
                    raw = self._inner.connect(host, port, timeout=timeout, tls=tls).detach()
        except Exception as error:
            dial.outcome = type(error).__name__
            self._world.note("net", f"{where}: {error}")
            raise
        dial.outcome = "connected"
        return ObservedConnection(raw, where, dial, secure=tls, timeout=timeout)

    def start_tls(self, connection: Connection, host: str) -> Connection:
        if not isinstance(connection, ObservedConnection):
            raise TypeError("start_tls needs a connection that this connector made")
        dial, timeout = connection._dial, connection._timeout  # noqa: SLF001 - our own class
        if self.trouble is Trouble.CERTIFICATE:
            connection.close()
            raise TlsError(f"{host}: certificate refused: self-signed certificate", code="certificate")
        if isinstance(connection.raw, _SickSocket):
            raw: SocketLike = connection.detach()
        else:
            with unseen():
                raw = self._inner.start_tls(connection, host).detach()
        self._world.note("net", f"TLS with {host}")
        return ObservedConnection(raw, host, dial, secure=True, timeout=timeout)

    def _sick(self, trouble: Trouble, where: str, timeout: float, *, tls: bool) -> SocketLike | None:
        if trouble is Trouble.REFUSED:
            raise ConnectionFailed(f"{where}: refused", code="refused")
        if trouble is Trouble.DNS:
            raise ConnectionFailed(f"{where}: host name unknown", code="dns")
        if trouble is Trouble.TIMEOUT:
            self._world.clock.advance(timeout)
            raise ServerTimeout(f"{where}: no answer in time")
        if trouble is Trouble.CERTIFICATE:
            if tls:
                raise TlsError(f"{where}: certificate refused: self-signed certificate", code="certificate")
            return None
        return _SickSocket(self._world, trouble, timeout)


class _SickSocket:
    """The other end of a server that is not well."""

    def __init__(self, world: KitWorld, trouble: Trouble, timeout: float | None) -> None:
        self._world = world
        self._trouble = trouble
        self._timeout = timeout
        self._random = Random(f"{world.seed} {trouble}")
        self._said = 0
        self._over = False

    def sendall(self, octets: bytes, /) -> None:  # noqa: ARG002 - nobody listens
        if self._over:
            raise BrokenPipeError("Broken pipe")

    def settimeout(self, seconds: float | None, /) -> None:
        self._timeout = seconds

    def shutdown(self, how: int, /) -> None:  # noqa: ARG002
        self._over = True

    def close(self) -> None:
        self._over = True

    def recv(self, limit: int, /) -> bytes:
        if self._over:
            return b""
        if self._trouble is Trouble.RESET:
            self._over = True
            raise ConnectionResetError("Connection reset by peer")
        if self._trouble is Trouble.SILENT:
            return self._silence()
        said = self._words(limit)
        self._said += len(said)
        return said

    def _silence(self) -> bytes:
        if self._timeout is None:
            self._world.unbounded += 1
            self._world.note("net", "a read without a time-out, on a server that is silent: ended by the kit")
            raise ConnectionResetError("Connection reset by peer")
        self._world.clock.advance(self._timeout)
        raise TimeoutError("timed out")

    def _words(self, limit: int) -> bytes:
        if self._trouble is Trouble.GARBAGE:
            return b"" if self._said else self._random.randbytes(min(limit, 600)).replace(b"\n", b" ") + b"\r\n"
        if self._trouble is Trouble.TRUNCATED:
            return b"" if self._said else b"+"
        if self._said > READ_LIMIT:
            self._over = True
            self._world.note("net", f"more than {READ_LIMIT >> 20} MiB were read from an endless server: ended by the kit")
            self._world.swallowed += 1
            return b""
        piece = b"x" * min(limit, 65536) if self._trouble is Trouble.ENDLESS else b"x y z\r\n" * max(1, min(limit, 65536) // 7)
        return piece[: max(1, limit)]
