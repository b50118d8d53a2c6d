"""Connections over real sockets, and the one place where socket errors become ours."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from postroom.errors import ConfigError, ConnectionFailed, ServerTimeout, TlsError
from postroom.providers.contract import Connection
from postroom.providers.lines import LineReader, printable

__all__ = ["GuardedConnection", "SocketConnector", "SocketLike", "mapped_errors", "plain_line"]


class SocketLike(Protocol):
    """The part of `socket.socket` that a connection is made of."""

    def sendall(self, octets: bytes, /) -> None: ...
    def recv(self, limit: int, /) -> bytes: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...


@contextlib.contextmanager
def mapped_errors(where: str) -> Iterator[None]:
    """OSError becomes ConnectionFailed, ServerTimeout or TlsError; `where` says what was tried.

    A refused certificate or negotiation is a TlsError (permanent); a TLS line that just ends is a lost connection.
    """
    try:
        yield
    except TimeoutError as error:
        raise ServerTimeout(f"{where}: no answer in time") from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError) as error:
        raise ConnectionFailed(f"{where}: the connection was lost") from error
    except ssl.SSLCertVerificationError as error:
        raise TlsError(f"{where}: certificate refused: {printable(error.verify_message)}", code="certificate") from error
    except ssl.SSLError as error:
        raise TlsError(f"{where}: TLS failed: {printable(error.reason or str(error))}", code="tls") from error
    except socket.gaierror as error:
        raise ConnectionFailed(f"{where}: host name unknown: {printable(str(error.strerror))}", code="dns") from error
    except UnicodeError as error:
        raise ConfigError(f"{where}: not a host name") from error
    except ConnectionRefusedError as error:
        raise ConnectionFailed(f"{where}: refused", code="refused") from error
    except OSError as error:
        raise ConnectionFailed(f"{where}: {printable(error.strerror or type(error).__name__)}") from error


class GuardedConnection:
    """A connection whose errors are ProviderErrors, whatever socket-like thing is under it."""

    def __init__(self, raw: SocketLike, where: str) -> None:
        self._raw: SocketLike | None = raw
        self._where = where
        self._reader: LineReader | None = None

    @property
    def pending(self) -> int:
        """Octets received by a reader of this connection and not yet read."""
        return self._reader.pending if self._reader is not None else 0

    @property
    def raw(self) -> SocketLike:
        if self._raw is None:
            raise ConnectionFailed(f"{self._where}: the connection is closed")
        return self._raw

    def detach(self) -> SocketLike:
        """Give the socket away (a TLS handshake wraps it); this connection is then closed."""
        raw, self._raw = self.raw, None
        return raw

    def sendall(self, octets: bytes, /) -> None:
        with mapped_errors(self._where):
            self.raw.sendall(octets)

    def recv(self, limit: int, /) -> bytes:
        with mapped_errors(self._where):
            return self.raw.recv(limit)

    def makefile(self, mode: str = "rb", buffering: int = -1) -> LineReader:  # noqa: ARG002 - the shape of socket.makefile
        if mode != "rb":
            raise ValueError("a connection is read through a file and written with sendall")
        if self._reader is None:
            self._reader = LineReader(self)
        return self._reader

    def settimeout(self, seconds: float | None, /) -> None:
        if self._raw is not None:
            self._raw.settimeout(seconds)

    def shutdown(self, how: int, /) -> None:
        """End the conversation; a blocked read in another thread wakes up (closing alone would not wake it)."""
        if self._raw is not None:
            with contextlib.suppress(OSError):
                self._raw.shutdown(how)

    def close(self) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.close()


def plain_line(connection: Connection) -> GuardedConnection:
    """The guarded connection below `connection`, ready for a handshake.

    Raises TlsError when the server already said something in the clear after it agreed to TLS: whoever sent that, it was not
    protected (RFC 3207 §4.2, CVE-2021-38371). Octets still unread in the socket disturb the handshake itself and fail there.
    """
    guarded: Any = connection
    if not isinstance(guarded, GuardedConnection):
        raise TypeError("start_tls needs a connection that this connector made")
    if guarded.pending:
        raise TlsError("the server sent octets in the clear before the handshake", code="plaintext")
    return guarded


class SocketConnector:
    """Connections over TCP. Host names and certificates are always verified, against what the context trusts.

    `ssl_context_factory` is asked once, at the first handshake (reading the system's certificates takes longer than a poll); a
    simulated world gives its `authority.client_context`. One connector may serve many threads.
    """

    def __init__(self, ssl_context_factory: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> None:
        self._factory = ssl_context_factory
        self._made: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._made is None:
                self._made = self._factory()
            return self._made

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> GuardedConnection:
        where = f"{host}:{port}"
        if timeout <= 0:
            raise ServerTimeout(f"{where}: no time left to connect")
        with mapped_errors(where):
            raw = socket.create_connection((host, port), timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            return self._handshake(raw, host, where)
        return GuardedConnection(raw, where)

    def start_tls(self, connection: Connection, host: str) -> GuardedConnection:
        raw = plain_line(connection).detach()
        if not isinstance(raw, socket.socket):
            raise TypeError("start_tls needs a connection that this connector made")
        return self._handshake(raw, host, host)

    def _handshake(self, raw: socket.socket, host: str, where: str) -> GuardedConnection:
        try:
            with mapped_errors(where):
                return GuardedConnection(self._context().wrap_socket(raw, server_hostname=host), where)
        except BaseException:
            raw.close()
            raise
