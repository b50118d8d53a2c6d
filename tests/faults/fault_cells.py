"""One conversation for each command and phase, and what each effect makes of it: regular where it can be, exceptions by name.

A conversation leads up to the step, takes it, and says one thing more whose answer tells whether the step was taken. What the answers
are without a fault is found out by having it twice in memory, once with the step and once without; so nothing here has to know texts.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import select
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from postroom_simulator.clock import ManualClock
from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Fault,
    Garble,
    Lie,
    LoseReply,
    Refuse,
    Reply,
    Stall,
    TlsTrouble,
)
from postroom_simulator.journal import Kind
from postroom_simulator.net.memory import connect
from postroom_simulator.net.tls import Authority, TlsLayer
from postroom_simulator.web.values import Response
from postroom_simulator.world import World

ANN = "ann@sim.test"
PATIENCE = 30.0
TRUST = Authority("mail.sim.test")

# -- the conversations


@dataclass(frozen=True, slots=True)
class Step:
    """How to come to a step.

    lead      said before, one reply each
    said      makes the step. A callable gets the greeting
    after     said behind it; its answer shows whether the step was taken
    undone    the lead after which `after` is answered as when a fault has answered the step itself; None: the lead
    service   where
    settings  of the world
    """

    lead: tuple[bytes, ...] = ()
    said: bytes | Callable[[bytes], bytes] = b""
    after: bytes = b"NOOP\r\n"
    undone: tuple[bytes, ...] | None = None
    service: str = ""
    settings: Callable[[World], None] | None = None


TLS = b"(a TLS handshake)"
"""Said: shake hands. The answer is whatever comes first over the encrypted line, or b"" for nothing yet."""

LOGIN = (b"USER ann@sim.test\r\n", b"PASS secret\r\n")
EHLO = (b"EHLO client.test\r\n",)
MAIL = b"MAIL FROM:<bob@far.test>\r\n"
RCPT = b"RCPT TO:<ann@sim.test>\r\n"
DATA = b"DATA\r\n"
TEXT = b"Subject: hello\r\n\r\nHow are you?\r\n"
PLAIN = base64.b64encode(b"\0ann@sim.test\0secret")


def _with_apop(world: World) -> None:
    world.pop3.settings.apop = True


def _apop(greeting: bytes) -> bytes:
    stamp = re.search(rb"<[^>]+>", greeting)
    assert stamp is not None
    digest = hashlib.md5(stamp[0] + b"secret").hexdigest().encode()  # RFC 1939 §7
    return b"APOP ann@sim.test " + digest + b"\r\n"


SPACES = (
    b'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    b' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)


def _http(operation: bytes) -> bytes:
    """A request to Exchange Web Services; without an operation a look whether they are there."""
    head = b" /EWS/Exchange.asmx HTTP/1.1\r\nHost: mail.sim.test\r\nAuthorization: Basic " + BASIC + b"\r\n"
    if not operation:
        return b"GET" + head + b"\r\n"
    body = b"<s:Envelope " + SPACES + b"><s:Body>" + operation + b"</s:Body></s:Envelope>"
    return b"POST" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


BASIC = base64.b64encode(b"ann@sim.test:secret")
LOOK = (_http(b""),)
CREATE = _http(
    b'<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:Subject>new</t:Subject></t:Message></m:Items></m:CreateItem>'
)
DRAFTS = _http(
    b"<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
    b'<m:FolderIds><t:DistinguishedFolderId Id="drafts"/></m:FolderIds></m:GetFolder>'
)
FIND = _http(
    b'<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>'
    b'<m:ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds></m:FindItem>'
)


def _with_pages(world: World) -> None:
    world.http.collect("/in")
    world.http.handle("/count", lambda _: Response(200, [], str(len(world.http.received)).encode()))
    world.http.publish("/page", b"some text")


def _page(method: bytes, path: bytes, body: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return method + b" " + path + b" HTTP/1.1\r\nHost: mail.sim.test\r\n" + length + b"\r\n" + body


COUNT = _page(b"GET", b"/count")
HAND_IN = _page(b"POST", b"/in", b"a message")

STEPS: Mapping[str, Mapping[str, Step]] = {
    "pop3": {
        "connect": Step(after=b"CAPA\r\n"),
        "tls": Step(said=TLS, after=b"CAPA\r\n", service="pop3s"),
        "greeting": Step(after=b"CAPA\r\n"),
        "auth": Step((b"AUTH PLAIN\r\n",), PLAIN + b"\r\n", b"STAT\r\n", ()),
        "USER": Step((), b"USER ann@sim.test\r\n", b"PASS secret\r\n"),
        "PASS": Step(LOGIN[:1], LOGIN[1], b"STAT\r\n"),
        "APOP": Step((), _apop, b"STAT\r\n", settings=_with_apop),
        "AUTH": Step((), b"AUTH PLAIN " + PLAIN + b"\r\n", b"STAT\r\n"),
        "CAPA": Step((), b"CAPA\r\n", b"CAPA\r\n"),
        "STLS": Step((), b"STLS\r\n", TLS),
        "STAT": Step(LOGIN, b"STAT\r\n"),
        "LIST": Step(LOGIN, b"LIST\r\n"),
        "UIDL": Step(LOGIN, b"UIDL\r\n"),
        "RETR": Step(LOGIN, b"RETR 1\r\n"),
        "TOP": Step(LOGIN, b"TOP 1 3\r\n"),
        "DELE": Step(LOGIN, b"DELE 1\r\n", b"STAT\r\n"),
        "NOOP": Step(LOGIN, b"NOOP\r\n"),
        "RSET": Step((*LOGIN, b"DELE 1\r\n"), b"RSET\r\n", b"STAT\r\n"),
        "QUIT": Step((*LOGIN, b"DELE 1\r\n"), b"QUIT\r\n", b"STAT\r\n"),
        "UTF8": Step((), b"UTF8\r\n", b"CAPA\r\n"),
        "LANG": Step((), b"LANG\r\n", b"CAPA\r\n"),
    },
    "smtp": {
        "connect": Step(),
        "tls": Step(said=TLS, service="smtps"),
        "greeting": Step(),
        "auth": Step((*EHLO, b"AUTH PLAIN\r\n"), PLAIN + b"\r\n", b"AUTH PLAIN " + PLAIN + b"\r\n", EHLO),
        "text": Step((*EHLO, MAIL, RCPT, DATA), TEXT + b".\r\n"),
        "end-of-data": Step((*EHLO, MAIL, RCPT, DATA), TEXT + b".\r\n", MAIL, EHLO),
        "EHLO": Step((), EHLO[0], MAIL),
        "HELO": Step((), b"HELO client.test\r\n", MAIL),
        "MAIL": Step(EHLO, MAIL, RCPT),
        "RCPT": Step((*EHLO, MAIL), RCPT, DATA),
        "DATA": Step((*EHLO, MAIL, RCPT), DATA, b".\r\n"),
        "BDAT": Step(
            (*EHLO, MAIL, RCPT), b"BDAT %d LAST\r\n" % len(TEXT) + TEXT, b"RSET\r\n", EHLO
        ),  # RFC 3030 §2: nothing else goes on
        "RSET": Step((*EHLO, MAIL), b"RSET\r\n", MAIL),
        "NOOP": Step(EHLO, b"NOOP\r\n"),
        "QUIT": Step(EHLO, b"QUIT\r\n"),
        "VRFY": Step(EHLO, b"VRFY ann\r\n"),
        "EXPN": Step(EHLO, b"EXPN ann\r\n"),
        "HELP": Step(EHLO, b"HELP\r\n"),
        "AUTH": Step(EHLO, b"AUTH PLAIN " + PLAIN + b"\r\n", b"AUTH PLAIN " + PLAIN + b"\r\n"),
        "STARTTLS": Step(EHLO, b"STARTTLS\r\n", TLS),
    },
    "ews": {
        "connect": Step((), LOOK[0], DRAFTS),
        "tls": Step((), LOOK[0], DRAFTS, service="ewss"),
        "request": Step((), CREATE, DRAFTS),
        "auth": Step((), CREATE, DRAFTS),
        "envelope": Step(LOOK, CREATE, DRAFTS),
        "item": Step(LOOK, CREATE, DRAFTS),
        "CreateItem": Step(LOOK, CREATE, DRAFTS),
        "FindItem": Step(LOOK, FIND, DRAFTS),
    },
    "http": {
        "connect": Step((), HAND_IN, COUNT, settings=_with_pages),
        "tls": Step((), HAND_IN, COUNT, service="https", settings=_with_pages),
        "request": Step((), HAND_IN, COUNT, settings=_with_pages),
        "GET": Step((), _page(b"GET", b"/page"), COUNT, settings=_with_pages),
        "HEAD": Step((COUNT,), _page(b"HEAD", b"/page"), COUNT, settings=_with_pages),
        "POST": Step((COUNT,), HAND_IN, COUNT, settings=_with_pages),
        "PUT": Step((COUNT,), _page(b"PUT", b"/in", b"a message"), COUNT, settings=_with_pages),
        "DELETE": Step((COUNT,), _page(b"DELETE", b"/page"), COUNT, settings=_with_pages),
    },
}

ELSEWHERE_TRIED = {"ews": ("stream",)}
"""Phases that have tests of their own (tests/ews/test_ews_streams.py)."""
SOME = {"ews": ("CreateItem", "FindItem")}
"""Commands that stand for all of a protocol, whose others differ in nothing that faults could see."""

SECOND = ("ews", "http")
"""Protocols in which the client speaks first."""
BEGINNINGS = ("connect", "tls", "greeting")
"""Phases whose answer is the greeting itself."""


# -- having one


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a conversation.

    heard    the answer to the step, as far as it came
    end      "open", "fin", "rst" or "silence" after it
    seconds  of the world's clock that the answer took
    after    the answer to what was said behind it; None when there was none to say it to
    left     what the world keeps of it all: messages, logins
    faults   journal: (step, effect) of each fault that acted
    closed   journal: who ended it
    """

    heard: bytes
    end: str
    seconds: float
    after: bytes | None
    left: tuple[object, ...]
    faults: tuple[tuple[str, str], ...]
    closed: str


def make_world(step: Step) -> World:
    world = World(seed=5)
    world._authority = TRUST
    world.smtp.settings.trace = False  # or messages would tell when they came
    world.add_account(ANN, "secret")
    world.place(ANN, b"Subject: one\r\n\r\n" + b"some text\r\n" * 9)
    if step.settings is not None:
        step.settings(world)
    return world


class Ended(Exception):
    """The line has ended or says nothing: "fin", "rst", "silence"."""


class Line:
    """A client's side, alike in memory and over TCP, in the clear and encrypted."""

    def __init__(self, sock: Any, protocol: str) -> None:
        self.protocol = protocol
        self._sock = sock
        self._tls: TlsLayer | None = None
        self._early = b""

    def say(self, octets: bytes) -> None:
        if self._tls is not None:
            self._tls.write(octets)
            octets = self._tls.take()
        try:
            self._sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            raise Ended("rst") from None

    def hear(self, limit: int = 65536) -> bytes:
        """At least one octet, at most so many. Raises Ended."""
        if self._early:
            piece, self._early = self._early[:limit], self._early[limit:]
            return piece
        while True:
            if self._tls is not None:
                try:
                    piece = self._tls.read_some(limit)
                except ssl.SSLEOFError:
                    raise Ended("fin") from None
                if piece == b"":
                    raise Ended("fin")
                if piece is not None:
                    return piece
            octets = self._receive(65536 if self._tls is not None else limit)
            if self._tls is None:
                return octets
            self._tls.feed(octets)

    def _receive(self, limit: int) -> bytes:
        try:
            octets: bytes = self._sock.recv(limit)
        except ConnectionResetError:
            raise Ended("rst") from None
        except TimeoutError:
            raise Ended("silence") from None
        if not octets:
            raise Ended("fin")
        return octets

    def shake_hands(self) -> None:
        layer = TlsLayer(TRUST.client_context(), server_side=False, server_hostname="localhost")
        try:
            while not layer.handshake():
                self._sock.sendall(layer.take())
                layer.feed(self._receive(65536))
            self._sock.sendall(layer.take())
        except ssl.SSLCertVerificationError:
            self._sock.sendall(layer.take())  # the alert
            raise Ended("certificate") from None
        except (BrokenPipeError, ConnectionResetError):
            raise Ended("rst") from None
        self._tls = layer

    def close(self) -> None:
        self._sock.close()


def _reply(line: Line) -> bytes:
    """One reply of one line, or of several lines in SMTP; an answer of HTTP."""
    got = b""
    if line.protocol in SECOND:
        while b"\r\n\r\n" not in got:
            got += line.hear(1)
        length = re.search(rb"Content-Length: (\d+)", got)
        assert length is not None
        return got + _exactly(line, int(length[1]))[0]
    while not re.search(rb"(?:^|\n)(?:[0-9]{3}(?: [^\n]*)?|[+-][^\n]*)\r\n$", got):
        got += line.hear(1)
    return got


def _exactly(line: Line, count: int) -> tuple[bytes, str]:
    """So many octets, and how it stands then: "open" or why there were fewer."""
    got = b""
    try:
        while len(got) < count:
            got += line.hear(count - len(got))
    except Ended as end:
        return got, str(end)
    return got, "open"


Opener = Callable[[World, str], Any]
"""A connection to a service of a world."""


def converse(open_line: Opener, step: Step, protocol: str, at: str, fault: Fault | None, expect: Expected) -> Seen:
    """Have the conversation, hearing as much as is expected and no more."""
    with make_world(step) as world:
        if fault is not None:
            world.faults.add(fault)
        clock = world.clock
        try:
            line = Line(open_line(world, step.service or protocol), protocol)
        except (ConnectionRefusedError, ConnectionResetError):
            world.settle(5)
            return _seen(world, b"", "rst", 0.0, None)
        began = clock.monotonic()
        try:
            heard, end, after = _talk(line, step, at, expect)
            seconds = clock.monotonic() - began
        finally:
            line.close()
        world.settle(5)
        return _seen(world, heard, end, seconds, after)


def _talk(line: Line, step: Step, at: str, expect: Expected) -> tuple[bytes, str, bytes | None]:
    try:
        if at == "tls":
            line.shake_hands()
        if at not in BEGINNINGS or line.protocol in SECOND:
            greeting = _reply(line) if line.protocol not in SECOND else b""  # HTTP speaks second
            for said in step.lead:
                line.say(said)
                _reply(line)
            line.say(step.said(greeting) if callable(step.said) else step.said)
        heard, end = _exactly(line, len(expect.heard))
        if end == "open" and expect.end != "open":
            end = _exactly(line, 1)[1]
        if end != "open" or expect.after is None:
            return heard, end, None
    except Ended as ended:
        return b"", str(ended), None
    wanted = len(expect.after)
    return heard, end, _say_after(line, step, lambda: _exactly(line, wanted)[0], taken=expect.taken)


def _seen(world: World, heard: bytes, end: str, seconds: float, after: bytes | None) -> Seen:
    journal = list(world.journal)
    logins = tuple((e.account, e.data) for e in journal if e.kind is Kind.LOGIN)
    return Seen(
        heard,
        end,
        seconds,
        after,
        (tuple(world.inbox(ANN)), len(world.store.outbound()) + len(world.http.received), logins),
        tuple((e.verb, (e.data or {})["effect"]) for e in journal if e.kind is Kind.FAULT),
        next((e.detail for e in journal if e.kind is Kind.CLOSED), ""),
    )


def in_memory(world: World, service: str) -> Any:
    return connect(world, service, PATIENCE)


def over_tcp(world: World, service: str) -> Any:
    servers = world.listen(ports={service: 0})
    sock = socket.create_connection(servers.addresses[service])
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _Helped(world, sock)


class _Helped:
    """A socket whose reads move the world's clock when the server waits for it, as reads in memory do."""

    def __init__(self, world: World, sock: socket.socket) -> None:
        self.world = world
        self.sock = sock
        self.sendall = sock.sendall
        self.close = sock.close

    def recv(self, size: int) -> bytes:
        clock = self.world.clock
        assert isinstance(clock, ManualClock)
        until = clock.monotonic() + PATIENCE
        for quiet in range(1, 6):
            while True:
                if select.select([self.sock], [], [], 0.002 * quiet)[0]:
                    return self.sock.recv(size)
                self.world.connections.wait_until(lambda live: True)  # the servers' thread has seen what was said
                due = clock.next_due()
                live = self.world.connections.live()
                if select.select([self.sock], [], [], 0)[0] or not any(c.waits_for_timer for c in live):
                    break
                if due is None or due > until:
                    break
                clock.advance_to(due)
        if select.select([self.sock], [], [], 0)[0]:
            return self.sock.recv(size)
        clock.advance_to(until)
        raise TimeoutError


# -- how it goes without a fault


@dataclass(frozen=True, slots=True)
class Ordinary:
    """The conversation as it should be, and as it is when the step is left out."""

    reply: bytes
    ends: bool
    after: bytes
    after_undone: bytes
    left: tuple[object, ...]
    left_undone: tuple[object, ...]
    left_after: tuple[object, ...]
    left_after_undone: tuple[object, ...]


@functools.cache
def ordinary(protocol: str, at: str) -> Ordinary:
    step = STEPS[protocol][at]
    reply, _, ends, left = _listen(protocol, at, step, said=True, after=False)
    _, after, _, left_after = _listen(protocol, at, step, said=True, after=True)
    _, _, _, left_undone = _listen(protocol, at, step, said=False, after=False)
    undone = replace(step, lead=step.lead if step.undone is None else step.undone)
    _, after_undone, _, left_after_undone = _listen(protocol, at, undone, said=False, after=True)
    return Ordinary(reply, ends, after, after_undone, left, left_undone, left_after, left_after_undone)


def _listen(protocol: str, at: str, step: Step, *, said: bool, after: bool) -> tuple[bytes, bytes, bool, tuple[object, ...]]:
    """(reply to the step, reply to what comes after, whether the step ends the connection, what is left), all in memory."""
    with make_world(step) as world:
        sock = in_memory(world, step.service or protocol)
        line = Line(sock, protocol)
        if at == "tls":
            line.shake_hands()
        reply = greeting = _drain(line, sock)
        if at not in BEGINNINGS or protocol in SECOND:
            for words in step.lead:
                line.say(words)
                _drain(line, sock)
            if said:
                line.say(step.said(greeting) if callable(step.said) else step.said)
            reply = _drain(line, sock)
        ends = sock.connection.ended
        answered = b""
        if after and not ends:
            answered = _say_after(line, step, lambda: _drain(line, sock), taken=said)
        line.close()
        world.settle(2)
        return reply, answered, ends, _seen(world, b"", "", 0, None).left


def _say_after(line: Line, step: Step, hear: Callable[[], bytes], *, taken: bool) -> bytes:
    if step.after != TLS:
        line.say(step.after)
    elif taken:
        line.shake_hands()
        return b"(encrypted)"
    else:
        line.say(b"NOOP\r\n")
    return hear()


def _drain(line: Line, sock: Any) -> bytes:
    """All that is there now."""
    got = b""
    sock.settimeout(0)
    try:
        while True:
            got += line.hear()
    except (BlockingIOError, Ended):
        return got
    finally:
        sock.settimeout(PATIENCE)


# -- what to expect


@dataclass(frozen=True, slots=True)
class Expected:
    """What a fault makes of a conversation; fields as in `Seen`, and:

    taken    whether the step is
    garbled  so many octets of the answer are others
    """

    heard: bytes
    taken: bool
    end: str = "open"
    seconds: float = 0.0
    after: bytes | None = None
    closed: str = "client"
    garbled: int = 0


NO = {
    "pop3": Reply("-ERR", "[SYS/TEMP] not now"),
    "smtp": Reply("451", "4.3.2 not now"),
    "ews": Reply("ErrorServerBusy", "not now"),
    "http": Reply("503", "[Retry-After=30] not now"),
}
"""What a fault says here in the place of a step."""
FALSE = {
    "pop3": Lie("-ERR", "[SYS/TEMP] not so"),
    "smtp": Lie("451", "4.3.2 not so"),
    "ews": Lie("ErrorServerBusy", "not so"),
    "http": Lie("503", "not so"),
}
"""What is said here though the step was taken."""


def _fault(text: bytes) -> bytes:
    """The whole answer that a SOAP fault is (ews reference 3)."""
    schemas = b"http://schemas.microsoft.com/exchange/services/2006/"
    body = (
        b'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        b'<faultcode xmlns:a="%stypes">a:ErrorServerBusy</faultcode><faultstring xml:lang="en-US">%s</faultstring><detail>'
        b'<e:ResponseCode xmlns:e="%serrors">ErrorServerBusy</e:ResponseCode><e:Message xmlns:e="%serrors">%s</e:Message></detail>'
        b"</s:Fault></s:Body></s:Envelope>"
    ) % (schemas, text, schemas, schemas, text)
    head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def _with_error(answer: bytes, text: bytes) -> bytes:
    """An answer whose one message is an error."""
    message = (
        b'<m:CreateItemResponseMessage ResponseClass="Error"><m:MessageText>%s</m:MessageText><m:ResponseCode>ErrorServerBusy</m:ResponseCode>'
        b"<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey><m:Items/></m:CreateItemResponseMessage>"
    ) % text
    head, _, body = answer.partition(b"\r\n\r\n")
    body = re.sub(rb"<m:CreateItemResponseMessage .*</m:CreateItemResponseMessage>", lambda _: message, body)
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head) + b"\r\n\r\n" + body


def _status(text: bytes, *fields: bytes) -> bytes:
    """The whole answer that a status of HTTP is."""
    body = b"<html><body>%s</body></html>" % text
    head = b"".join(field + b"\r\n" for field in (b"Content-Type: text/html; charset=utf-8", *fields))
    return b"HTTP/1.1 503 Service Unavailable\r\n%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


SAID = {
    "pop3": b"-ERR [SYS/TEMP] not now\r\n",
    "smtp": b"451 4.3.2 not now\r\n",
    "ews": _fault(b"not now"),
    "http": _status(b"not now", b"Retry-After: 30"),
}
PLAINLY = {"EHLO": b"451 not now\r\n", "HELO": b"451 not now\r\n"}
"""There are no enhanced codes before and in answer to them (RFC 2034 §4)."""

EFFECTS: Mapping[type[Effect], tuple[Effect, ...]] = {
    Reply: (),  # see NO
    Lie: (),  # see FALSE
    Delay: (Delay(5),),
    Stall: (Stall(5), Stall()),
    Cut: (Cut(3), Cut(3, "rst")),
    Drop: (Drop(), Drop("rst"), Drop("rst", 7)),
    LoseReply: (LoseReply(), LoseReply("fin")),
    Garble: (Garble(2),),
    Drip: (Drip(3, 0.5),),
    Refuse: (Refuse(),),
    AcceptThenReset: (AcceptThenReset(), AcceptThenReset(4)),
    TlsTrouble: (TlsTrouble("expired"),),
}
"""What is tried of each effect."""

POSSIBLE: Mapping[str, frozenset[type[Effect]]] = {
    "connect": frozenset({Refuse, AcceptThenReset, Delay, Stall, Cut, Drop, TlsTrouble}),
    "tls": frozenset({Delay, Stall, Cut, Drop, TlsTrouble}),
    "text": frozenset({Stall, Cut, Drop}),
    "item": frozenset({Reply, Delay, Cut, Drop, LoseReply, Lie, Garble, Drip}),
}
ELSEWHERE: frozenset[type[Effect]] = frozenset({Reply, Delay, Stall, Cut, Drop, LoseReply, Lie, Garble, Drip})


def effects_of(kind: type[Effect], protocol: str) -> tuple[Effect, ...]:
    if protocol in SECOND and kind is Drip:
        return (Drip(200 if protocol == "ews" else 10, 0.5),)  # its answers are longer
    return (NO[protocol],) if kind is Reply else (FALSE[protocol],) if kind is Lie else EFFECTS[kind]


def expected(protocol: str, at: str, effect: Effect) -> Expected | None:
    """What is to come of a fault, None for one that cannot be. Raises KeyError for a cell that nobody has thought of."""
    STEPS[protocol][at]
    EFFECTS[type(effect)]
    if type(effect) not in POSSIBLE.get(at, ELSEWHERE):
        return None
    usual = ordinary(protocol, at)
    for key in ((protocol, at), ("*", at)):
        special = EXCEPTIONS.get((*key, type(effect)))
        if special is not None:
            return special(protocol, effect, usual)
    return REGULAR[type(effect)](protocol, at, effect, usual)


def _taken(usual: Ordinary, heard: bytes | None = None, seconds: float = 0.0, garbled: int = 0) -> Expected:
    """The step was taken and the conversation goes on as ever: to its end, where the step is one."""
    heard = usual.reply if heard is None else heard
    if usual.ends:
        return Expected(heard, True, "fin", seconds, None, "server", garbled)
    return Expected(heard, True, "open", seconds, usual.after, "client", garbled)


def _stall(stall: Stall, usual: Ordinary) -> Expected:
    if stall.seconds is None:
        return Expected(b"", False, "silence", PATIENCE)
    return _taken(usual, seconds=stall.seconds)


def _drop(drop: Drop) -> Expected:
    return Expected(b"", False, drop.how, drop.seconds, closed="fault")


def _drip_seconds(drip: Drip, usual: Ordinary) -> float:
    return (-(-len(usual.reply) // drip.octets) - 1) * drip.seconds


def _told(protocol: str, lie: Lie) -> bytes:
    if protocol == "http":
        return _status(lie.text.encode())
    return _fault(lie.text.encode()) if protocol == "ews" else f"{lie.code} {lie.text}\r\n".encode()


REGULAR: Mapping[type[Effect], Callable[[str, str, Any, Ordinary], Expected]] = {
    Reply: lambda protocol, at, _, usual: Expected(PLAINLY.get(at, SAID[protocol]), False, after=usual.after_undone),
    Delay: lambda _, __, delay, usual: _taken(usual, seconds=delay.seconds),
    Stall: lambda _, __, stall, usual: _stall(stall, usual),
    Cut: lambda _, __, cut, usual: Expected(usual.reply[: cut.octets], True, cut.how, closed="fault"),
    Drop: lambda _, __, drop, ___: _drop(drop),
    LoseReply: lambda _, __, lost, ___: Expected(b"", True, lost.how, closed="fault"),
    Lie: lambda protocol, _, lie, usual: _taken(usual, heard=_told(protocol, lie)),
    Garble: lambda _, __, garble, usual: _taken(usual, garbled=garble.octets),
    Drip: lambda _, __, drip, usual: _taken(usual, seconds=_drip_seconds(drip, usual)),
}
"""Wherever nothing else is said."""


def _bare(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


EXCEPTIONS: Mapping[tuple[str, str, type[Effect]], Callable[[str, Any, Ordinary], Expected]] = {
    # A greeting that is a refusal: POP3 has no more to say, SMTP says 503 to all but QUIT (RFC 5321 §3.1).
    ("pop3", "greeting", Reply): lambda protocol, _, __: Expected(SAID[protocol], False, "fin", closed="server"),
    ("smtp", "greeting", Reply): lambda _, __, ___: Expected(b"451 not now\r\n", False, after=b"503 5.5.1 no service here\r\n"),
    # No connection, or hardly one.
    ("*", "connect", Refuse): lambda _, __, ___: Expected(b"", False, "rst", closed="fault"),
    ("*", "connect", AcceptThenReset): lambda _, effect, usual: Expected(
        usual.reply[: effect.octets], False, "rst", closed="fault"
    ),
    ("ews", "connect", AcceptThenReset): lambda _, effect, usual: Expected(  # the first answer is what there is of a greeting
        usual.reply[: effect.octets], effect.octets > 0, "rst", closed="fault"
    ),
    ("http", "connect", AcceptThenReset): lambda _, effect, usual: Expected(
        usual.reply[: effect.octets], effect.octets > 0, "rst", closed="fault"
    ),
    # The answer to HEAD has no body, whatever it says.
    ("http", "HEAD", Reply): lambda protocol, _, usual: Expected(_bare(SAID[protocol]), False, after=usual.after_undone),
    ("http", "HEAD", Lie): lambda protocol, lie, usual: _taken(usual, heard=_bare(_told(protocol, lie))),
    # The service here is one without TLS: the trouble waits for a handshake.
    ("*", "connect", TlsTrouble): lambda _, __, usual: _taken(usual),
    # Nothing can be heard before the handshake is done; the client refuses the certificate and says so.
    ("*", "tls", Cut): lambda _, cut, __: Expected(b"", False, cut.how, closed="fault"),
    ("*", "tls", TlsTrouble): lambda _, __, ___: Expected(b"", False, "certificate", closed="server"),
    # One item of a batch: its message alone.
    ("ews", "item", Reply): lambda _, __, usual: Expected(
        _with_error(usual.reply, b"not now"), False, after=usual.after_undone
    ),
    ("ews", "item", Lie): lambda _, __, usual: _taken(usual, heard=_with_error(usual.reply, b"not so")),
    # What is cut is what the client says.
    ("*", "text", Cut): lambda _, cut, __: Expected(b"", False, cut.how, closed="fault"),
}
"""Cells that are not as the rest of their column, by protocol ("*": each), step and effect."""
