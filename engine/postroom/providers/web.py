"""HTTP for providers: one request over a connector's connection, bounded in octets, with errors that are ours (RFC 9110, RFC 9112).

    answer = fetch(ctx.net, Url.parse(config.url), timeout=ctx.timeout, limit=4 << 20)

Each request has a connection of its own, unless a `Client` keeps one for several. Nothing is followed, sent or kept that was not asked for.
"""

from __future__ import annotations

import base64
import http.client
import io
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from postroom.errors import (
    AuthError,
    ConfigError,
    ConnectionFailed,
    PermissionDenied,
    ProtocolError,
    ProviderError,
    TransientError,
)
from postroom.model.secret import Secret
from postroom.providers.contract import Connection, Connector
from postroom.providers.lines import printable

__all__ = ["Answer", "Client", "Login", "Url", "fetch", "request"]

HEAD_OCTETS = 256 * 1024
"""Octets of status line and header fields together (ours)."""
REDIRECTIONS = 5
"""How many redirections are followed (ours)."""
LONGEST_WAIT = timedelta(days=1)
"""What a server may ask for with Retry-After (ours); more counts as this."""
_HOST = re.compile(r"[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\]")
_MOVED = frozenset({301, 302, 303, 307, 308})
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Url:
    """Where a request goes. `target`: path and query, percent-encoded."""

    tls: bool
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises ConfigError for what is no absolute http or https URL, and for one that holds credentials."""
        try:
            split = urlsplit(text)
            port = split.port
        except ValueError:
            raise ConfigError("the URL cannot be understood") from None
        host = split.hostname or ""
        if split.scheme not in ("http", "https") or not (_HOST.fullmatch(host) or ":" in host):
            raise ConfigError("the URL is none that begins with http:// or https:// and a host name")
        if split.username is not None or split.password is not None:
            raise ConfigError("the URL holds credentials: they have elements of their own")
        target = (split.path or "/") + (f"?{split.query}" if split.query else "")
        if not all("!" <= one <= "~" for one in target):
            raise ConfigError("the URL holds blanks, control characters or letters beyond ASCII: percent-encode them")
        tls = split.scheme == "https"
        return cls(tls, host, port if port is not None else 443 if tls else 80, target)

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.target}"

    def joined(self, location: str) -> Url:
        """Where a redirection leads. Raises ProtocolError for a place that is none."""
        try:
            return Url.parse(urljoin(str(self), location.strip()))
        except (ConfigError, ValueError):
            raise ProtocolError("the server redirects to what is no URL", reply=printable(location)) from None


@dataclass(frozen=True, slots=True)
class Login:
    """Basic credentials (RFC 7617)."""

    user: str
    password: Secret

    def field(self) -> str:
        both = f"{self.user}:{self.password.reveal()}".encode()
        return "Basic " + base64.b64encode(both).decode("ascii")


@dataclass(frozen=True, slots=True)
class Answer:
    """headers: names in lower case, several of one name joined by ", "."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


class _Bounded(io.BufferedIOBase):
    """What `http.client` reads an answer from: no more octets than allowed, however the server wraps them."""

    def __init__(self, reader: Any, limit: int) -> None:
        self._reader = reader
        self._left = limit

    def readable(self) -> bool:
        return True

    def readline(self, limit: int | None = -1, /) -> bytes:
        bound = self._left + 1 if limit is None or limit < 0 else min(limit, self._left + 1)
        line = self._count(self._reader.readline(bound))
        if not line.endswith(b"\n") and len(line) < bound:  # http.client takes a cut head for its end
            raise ConnectionFailed("the connection was lost in the middle of an answer")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        bound = self._left + 1 if size is None or size < 0 else min(size, self._left + 1)
        return self._count(self._reader.read(bound))

    def _count(self, octets: bytes) -> bytes:
        self._left -= len(octets)
        if self._left < 0:
            raise ProtocolError("the server's answer is longer than allowed")
        return octets


class _Line:
    """A connection in the shape that `http.client` wants of a socket. `kept`: an answer came over it already."""

    def __init__(self, connection: Connection, place: tuple[bool, str, int]) -> None:
        self.place = place
        self.kept = False
        self._connection = connection
        self._reader = connection.makefile("rb")
        self._file = _Bounded(self._reader, 0)
        self.sendall = connection.sendall

    def allow(self, limit: int) -> None:
        """So many octets of the next answer."""
        self._file = _Bounded(self._reader, limit)

    def makefile(self, mode: str = "rb", buffering: int = -1) -> _Bounded:  # noqa: ARG002 - the shape of socket.makefile
        return self._file

    def close(self) -> None:
        with suppress(ProviderError, OSError):
            self._connection.close()


class Client:
    """One connection for many requests, kept as long as the server keeps it (RFC 9112 §9.3). For one run, in one thread; to be closed at its end.

    A kept connection that the server has ended meanwhile is replaced once, for requests that may be repeated (RFC 9110 §9.2.2)."""

    def __init__(self, net: Connector) -> None:
        self._net = net
        self._line: _Line | None = None

    @property
    def connected(self) -> bool:
        return self._line is not None

    def close(self) -> None:
        """Idempotent, never raises."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def line(self, url: Url, timeout: float) -> _Line:
        place = url.tls, url.host, url.port
        if self._line is not None and self._line.place != place:
            self.close()
        if self._line is None:
            self._line = _Line(self._net.connect(url.host, url.port, timeout=timeout, tls=url.tls), place)
        return self._line


def request(
    net: Connector | Client,
    url: Url,
    *,
    timeout: float,
    limit: int,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    sending: Callable[[], None] | None = None,
) -> Answer:
    """One request and its answer, whatever its status; over a connection of its own, or a `Client`'s. `sending` is called when only the body is
    left to be sent: whoever sends mail marks it there as being submitted. Raises ConnectionFailed, ServerTimeout, TlsError, ProtocolError; an
    answer whose body has more than `limit` octets, or fewer than announced, is none."""
    keep = isinstance(net, Client)
    client = net if isinstance(net, Client) else Client(net)
    fields = [("Host", url.authority), ("Connection", "keep-alive" if keep else "close"), ("User-Agent", "Postroom"), *headers]
    ended = False
    try:
        while True:
            line = client.line(url, timeout)
            try:
                answer, ended = _exchanged(line, url, method, fields, body, limit, sending)
                return answer
            except ConnectionFailed:
                if not line.kept or method not in _REPEATABLE:
                    raise
                client.close()
    except BaseException:
        ended = True
        raise
    finally:
        if ended or not keep:
            client.close()


def _exchanged(
    line: _Line,
    url: Url,
    method: str,
    fields: Iterable[tuple[str, str]],
    body: bytes | None,
    limit: int,
    sending: Callable[[], None] | None,
) -> tuple[Answer, bool]:
    """The answer, and whether the server ends the connection with it."""
    line.allow(HEAD_OCTETS + 6 * limit)  # chunked octet by octet it has six octets for each: what is framed is bounded too
    socket: Any = line
    sender = http.client.HTTPConnection(url.authority)
    sender.sock = socket
    try:
        try:
            sender.putrequest(method, url.target, skip_host=True, skip_accept_encoding=True)
            for name, value in fields:
                sender.putheader(name, value)
            if body is not None:
                sender.putheader("Content-Length", str(len(body)))
        except (ValueError, UnicodeError):
            raise ConfigError("a header field of the request holds what none may hold") from None
        sender.endheaders()
        if sending is not None:
            sending()
        if body is not None:
            sender.send(body)
        response = http.client.HTTPResponse(socket, method=method)
        answer = _answer(response, limit)
    except http.client.RemoteDisconnected as error:
        raise ConnectionFailed(f"{url.authority}: the connection was lost") from error
    except http.client.IncompleteRead as error:
        line.kept = False  # an answer had begun: whoever repeats that decides
        raise ConnectionFailed(f"{url.authority}: the connection was lost in the middle of an answer") from error
    except http.client.HTTPException as error:
        raise ProtocolError(f"{url.authority}: what the server says is no HTTP ({type(error).__name__})") from error
    except ValueError as error:  # a Content-Length or a chunk that is no number
        raise ProtocolError(f"{url.authority}: what the server says is no HTTP") from error
    line.kept = True
    return answer, bool(response.will_close)


def _answer(response: http.client.HTTPResponse, limit: int) -> Answer:
    response.begin()
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    body = response.read(limit + 1)
    if len(body) > limit:
        raise ProtocolError(f"the server's answer has more than {limit} octets")
    if response.length:  # fewer octets came than were announced
        raise ConnectionFailed("the connection was lost in the middle of an answer")
    return Answer(response.status, found, body)


def fetch(
    net: Connector | Client,
    url: Url,
    *,
    timeout: float,
    limit: int,
    now: datetime,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    login: Login | None = None,
    allowed: Iterable[str] = (),
    accepted: Iterable[int] = (200, 304),
) -> Answer:
    """As `request`, with redirections followed and other statuses than `accepted` raised: AuthError (401), PermissionDenied (403), ConfigError (404,
    410), TransientError with what Retry-After says (429, 5xx), ProtocolError.

    A redirection may lead to the same host and to `allowed` ones, never from TLS to clear text; credentials go to the host that was asked
    first and to no other. What has a body is never redirected."""
    hosts = {url.host.lower(), *(one.lower() for one in allowed)}
    wanted, given, place = set(accepted), list(headers), url
    for _ in range(REDIRECTIONS + 1):
        same = (place.tls, place.host, place.port) == (url.tls, url.host, url.port)
        shown = [*given, ("Authorization", login.field())] if login is not None and same else given
        answer = request(net, place, timeout=timeout, limit=limit, method=method, headers=shown, body=body)
        if answer.status in wanted:
            return answer
        if answer.status not in _MOVED or body is not None:
            raise _refusal(place, answer, now)
        target = place.joined(answer.headers.get("location", ""))
        if target.host.lower() not in hosts:
            raise ConfigError(f"{place.authority} redirects to {target.authority}, which is not allowed", code="redirect")
        if place.tls and not target.tls:
            raise ConfigError(f"{place.authority} redirects to an address without TLS", code="redirect")
        place = target
    raise ProtocolError(f"{url.authority} redirects without end")


def _refusal(url: Url, answer: Answer, now: datetime) -> ProviderError:
    status = answer.status
    text = f"{url.authority} answers {status} {printable(http.client.responses.get(status, ''))}".rstrip()
    code = str(status)
    if status == 401:
        return AuthError(f"{text}: the log-in was refused", code=code)
    if status == 403:
        return PermissionDenied(text, code=code)
    if status in (404, 410):
        return ConfigError(f"{text}: nothing is there", code=code)
    if status == 429 or status >= 500:
        return TransientError(text, code=code, retry_after=_retry_after(answer.headers.get("retry-after", ""), now))
    return ProtocolError(text, code=code)


def _retry_after(said: str, now: datetime) -> timedelta | None:
    """Seconds, or a date (RFC 9110 §10.2.3)."""
    text = said.strip()
    if text.isascii() and text.isdecimal():
        return min(timedelta(seconds=int(text[:9])), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
        return max(timedelta(0), min(until - now, LONGEST_WAIT))
    except (TypeError, ValueError, OverflowError):
        return None
