"""One HTTP conversation, sans I/O: h11 frames it, a service answers it, faults act on it."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import h11

from postroom_simulator import faults
from postroom_simulator.journal import Kind
from postroom_simulator.session import Outgoing
from postroom_simulator.web.exchange import Exchange, Halted, Instead, Link, as_status
from postroom_simulator.web.values import REASONS, Request, Response

if TYPE_CHECKING:
    from postroom_simulator.ews.stream import Stream
    from postroom_simulator.session import SessionContext

__all__ = ["HEAD_LIMIT", "PENDING_LIMIT", "REQUEST_LIMIT", "HttpSession"]

HEAD_LIMIT = 64 * 1024
"""Octets of a request's head (our choice; NTLM and bearer tokens are long)."""
REQUEST_LIMIT = 600.0
"""Seconds that a request may take to come, however busily its octets drip (our choice)."""
PENDING_LIMIT = 256 * 1024
"""Octets of answers that may wait before the next of many requests sent at once is looked at (our choice)."""

_ENDING = (faults.Cut, faults.LoseReply, faults.AcceptThenReset)
_SUSPENDING = (faults.Delay, faults.Drip)


E = TypeVar("E", bound=Exchange)
L = TypeVar("L", bound=Link)


class HttpSession(ABC, Generic[E, L]):
    """Implements `postroom_simulator.session.Session`; what is served is a subclass. HTTP speaks second: `start` says nothing.

    Requests are answered one after the other, in the order in which they came. A body that nobody will look at (the request was refused at its
    head, or the service does not want it) is counted and thrown away.
    """

    # -- hooks: what is served

    @abstractmethod
    def make_exchange(self, request: Request) -> E:
        """A request whose head was read; `request.link` is the session's."""

    @abstractmethod
    def wants_body(self, exchange: E) -> bool:
        """Whether anybody will look at its body."""

    @abstractmethod
    def answer(self, exchange: E) -> Response:
        """May be called again after a Halted: what was done is not done twice. Raises Halted only."""

    @abstractmethod
    def body_limit(self) -> int:
        """Octets of a body that are taken."""

    def silence_limit(self) -> float | None:
        """Seconds that a connection may be kept open unused, None: any number (120 is our choice)."""
        return 120.0

    def said_instead(self, reply: faults.Reply | faults.Lie) -> Response:
        """What a fault says in the place of an answer."""
        return as_status(reply, self._context.world.hostname)

    def leave(self) -> None:
        """The connection has ended."""

    # -- what all have

    def __init__(self, context: SessionContext, link: L) -> None:
        self._context = context
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._link = link
        self._exchange: E | None = None
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._size = 0
        self._keeps = False  # the body
        self._until = 0.0
        self._out: list[Outgoing] = []
        self._pending = 0
        self._closed = False
        self._suspensions = 1  # until start; and for each effect that suspends
        self._waiting: Callable[[], None] | None = None
        self._stream: Stream | None = None
        self._held = bytearray()

    # -- what the connection sees

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def wants_tls(self) -> bool:
        return False

    @property
    def idle_limit(self) -> float | None:
        return None if self._stream is not None else self.silence_limit()

    @property
    def account(self) -> str | None:
        latest = self._link.latest
        return latest.address if latest is not None else None

    def start(self) -> None:
        self._suspensions = 0

    def receive_data(self, octets: bytes) -> None:
        if self._closed or not octets:
            return
        if self._stream is not None:  # requests behind one that goes on
            self._held += octets
            if len(self._held) > PENDING_LIMIT:
                self._context.note(Kind.NOTE, account=self.account, detail="too much sent behind a stream: connection ended")
                self._end()
            return
        self._http.receive_data(octets)
        self._run()

    def receive_eof(self) -> None:
        self._end()

    def timeout(self) -> None:
        """In the middle of a request: 408 (RFC 9110 §15.5.9). Between two: without a word, as servers do."""
        if self._exchange is not None and self._stream is None and self._http.our_state is h11.SEND_RESPONSE:
            self._refuse(408)
        self._end()

    def tls_established(self) -> None:
        """TLS is implicit here, or not there at all."""

    def take(self) -> list[Outgoing]:
        if self._stream is not None and not self._suspensions:
            self._pump(self._stream)
        taken, self._out = self._out, []
        held_back = self._pending > PENDING_LIMIT
        self._pending = 0
        if held_back:
            self._run()
        return taken

    def resume(self) -> None:
        if self._closed:
            return
        self._suspensions = max(0, self._suspensions - 1)
        if self._suspensions:
            return
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()
        self._run()

    # -- requests

    def _run(self) -> None:
        try:
            for event in self._events():
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._take_data(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self._take_end()
                elif isinstance(event, h11.ConnectionClosed):
                    self._end()
        except h11.RemoteProtocolError as wrong:
            self._refuse(wrong.error_status_hint or 400)

    def _events(self) -> Iterator[object]:
        while not (self._closed or self._suspensions or self._stream is not None) and self._pending <= PENDING_LIMIT:
            if self._http.our_state is h11.MUST_CLOSE:
                self._end()
                return
            if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            yield event

    def _begin(self, head: h11.Request) -> None:
        self._head = head
        self._body.clear()
        self._size = 0
        headers = _joined(head)
        self._until = self._context.world.clock.monotonic() + REQUEST_LIMIT
        request = Request(
            head.method.decode("ascii"), head.target.decode("latin-1"), headers, b"", self._context.secure, self._link
        )
        self._exchange = exchange = self.make_exchange(request)
        self._keeps = self.wants_body(exchange)
        problem = _problem(head, headers, self.body_limit())
        if problem:
            self._refuse(problem)
            return
        self._pass_head()

    def _pass_head(self) -> None:
        """The step "request". What a fault says instead is said before the body has come."""
        exchange = self._exchange
        assert exchange is not None
        try:
            exchange.pass_step("request", exchange.address)
        except Halted as halted:
            self._halt(halted, self._pass_head)
            return
        except Instead as instead:
            self._keeps = False
            self._send(exchange, self.said_instead(instead.reply))
            return
        if self._http.they_are_waiting_for_100_continue:
            self._out.append(Outgoing(self._octets(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))))

    def _take_data(self, octets: bytes) -> None:
        self._size += len(octets)
        if self._size > self.body_limit():
            self._refuse(413)
        elif self._context.world.clock.monotonic() > self._until:
            self._refuse(408)
        elif self._keeps:
            self._body += octets

    def _take_end(self) -> None:
        if self._http.our_state is not h11.SEND_RESPONSE:  # answered when its head was there
            self._exchange = None
            return
        exchange = self._exchange
        assert exchange is not None
        body = bytes(self._body)
        self._body.clear()
        coding = exchange.request.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity") and self._keeps:
            unpacked = _unpacked(body, coding, self.body_limit())
            if isinstance(unpacked, int):
                self._refuse(unpacked)
                return
            body = unpacked
        exchange.request.body = body
        self._carry_out()

    def _carry_out(self) -> None:
        exchange = self._exchange
        assert exchange is not None
        try:
            response = self.answer(exchange)
        except Halted as halted:
            self._halt(halted, self._carry_out)
            return
        self._exchange = None
        self._send(exchange, response)

    def _halt(self, halted: Halted, then: Callable[[], None]) -> None:
        self._out.append(Outgoing(b"", halted.effect))
        if isinstance(halted.effect, faults.Drop):
            self._end()
        else:
            self._suspensions += 1
            self._waiting = then

    # -- answers

    def _send(self, exchange: E, response: Response) -> None:
        effects = exchange.effects
        last = next((one for one in effects if not isinstance(one, faults.Delay)), None)
        stream = response.stream
        said = self.said_instead(last) if isinstance(last, faults.Lie) and stream is None else response
        octets = self._framed(said)
        exchange.note_reply(response, last, len(octets))
        delays: list[faults.Effect] = [one for one in effects if isinstance(one, faults.Delay)]
        effect: faults.Effect | None = None if isinstance(last, faults.Lie) else last
        if effect is None and delays:
            effect = delays.pop()
        self._out += [Outgoing(b"", one) for one in delays]
        self._suspensions += len(delays)
        self._say(octets, effect)
        if self._closed:
            if stream is not None:
                stream.abandon()
        elif stream is not None:
            self._stream = stream
            stream.on_overfull = self._overfull
        elif response.close:
            self._end()

    def _framed(self, response: Response) -> bytes:
        """Head and body; of a stream the head and what it has said already."""
        assert self._head is not None
        headers: list[tuple[str, str]] = list(response.headers)
        stream = response.stream
        if response.close:
            headers.append(("Connection", "close"))
        if stream is None:
            headers.append(("Content-Length", str(len(response.body))))
        elif self._head.http_version >= b"1.1":
            headers.append(("Transfer-Encoding", "chunked"))
        reason = REASONS.get(response.status, "").encode("ascii")
        octets = self._octets(h11.Response(status_code=response.status, headers=_legal(headers), reason=reason))
        silent = self._head.method == b"HEAD" or response.status in (204, 304) or response.status < 200
        if stream is not None:
            for piece in stream.take():
                octets += self._octets(h11.Data(data=piece))
            return octets
        if response.body and not silent:
            octets += self._octets(h11.Data(data=response.body))
        return octets + self._octets(h11.EndOfMessage())

    def _pump(self, stream: Stream) -> None:
        """Say what a stream has to say, an envelope at a time: "stream" is a step."""
        pieces = stream.take()
        while pieces and not self._closed and not self._suspensions:
            piece = pieces.pop(0)
            effect = self._context.fault("stream", self.account)
            octets = self._octets(h11.Data(data=piece))
            if isinstance(effect, faults.Drop):
                self._say(b"", effect)
                self._end()
            else:
                self._say(octets, effect)
        if self._closed:
            return
        stream.put_back(pieces)
        if stream.closed and not pieces and not self._suspensions:
            self._stream = None
            self._say(self._octets(h11.EndOfMessage()), None)
            held = bytes(self._held)
            self._held.clear()
            if self._http.our_state is h11.MUST_CLOSE:
                self._end()
                return
            if held:
                self._http.receive_data(held)
            self._run()

    def _overfull(self) -> None:
        self._context.note(Kind.NOTE, account=self.account, detail="the client does not read its stream: connection ended")
        self._end()

    def _say(self, octets: bytes, effect: faults.Effect | None) -> None:
        self._out.append(Outgoing(octets, effect))
        self._pending += len(octets)
        if effect is None:
            return
        if isinstance(effect, _ENDING):
            self._end()
        elif isinstance(effect, (*_SUSPENDING, faults.Stall)):
            self._suspensions += 1

    def _refuse(self, status: int) -> None:
        """A request that is no HTTP, or too much of it: said once, then the end."""
        exchange = self._exchange
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("Content-Length", "0"), ("Connection", "close")]
            response = h11.Response(status_code=status, headers=headers, reason=REASONS.get(status, "").encode("ascii"))
            octets = self._octets(response) + self._octets(h11.EndOfMessage())
            if exchange is not None:
                exchange.note_reply(Response(status), None, len(octets))
            else:
                self._context.note(Kind.NOTE, detail=f"no HTTP request: {status}")
            self._out.append(Outgoing(octets))
        self._end()

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._suspensions = 0
        self._waiting = None
        self._body.clear()
        self._held.clear()
        self._exchange = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abandon()
        self.leave()

    def _octets(self, event: Any) -> bytes:
        return self._http.send(event) or b""


def _joined(head: h11.Request) -> dict[str, str]:
    """Names in lower case, several of one name joined (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for name, value in head.headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _problem(head: h11.Request, headers: dict[str, str], limit: int) -> int:
    """The status that a head is refused with, 0: it is fine. Two ways to say where a body ends are one too many (RFC 9112 §6.1, §6.3)."""
    if "transfer-encoding" in headers and "content-length" in headers:
        return 400
    if "transfer-encoding" in headers and head.http_version < b"1.1":
        return 400
    if head.http_version not in (b"1.0", b"1.1"):
        return 505
    if int(headers.get("content-length", "0")) > limit:  # h11 has seen that it is a number
        return 413
    if len(head.target) > HEAD_LIMIT // 4:
        return 414
    if headers.get("expect", "100-continue").strip().lower() != "100-continue":
        return 417
    return 0


def _unpacked(body: bytes, coding: str, limit: int) -> bytes | int:
    """A compressed body, no more than the limit of it; or the status that refuses it."""
    if coding not in ("gzip", "x-gzip", "deflate"):
        return 415
    unpacking = zlib.decompressobj(zlib.MAX_WBITS if coding == "deflate" else zlib.MAX_WBITS | 16)
    try:
        octets = unpacking.decompress(body, limit + 1)
    except zlib.error:
        return 400
    if len(octets) > limit:
        return 413
    return octets if unpacking.eof else 400


def _legal(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without what no header may hold: a value may come from a fault's text or a client's request."""
    return [
        (name, "".join(c for c in value if c == "\t" or 32 <= ord(c) < 127 or 160 <= ord(c) < 256).strip())
        for name, value in headers
    ]
