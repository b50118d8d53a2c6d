"""Servers that never stop talking, and servers that say what is not so. Every run ends by itself with a clear error; the mail comes in, or goes out, once
the server is well."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from postroom.channels.server_side_sync import ServerSideSync
from postroom.organization import SYSTEM
from postroom.organization.deployment import DeploymentSettings
from postroom.providers.connectors import GuardedConnection
from postroom.providers.contract import Connection
from postroom.testing.books import BooksDoNotBalance, check_books
from postroom.testing.scene import Party, Scene
from postroom_simulator.faults import Drip, Fault, Garble, Lie, Reply, When

ORDERS, CARL = "orders@alder.test", "carl@birch.test"
SETTINGS = DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True)
ENOUGH = 64 * 1024 * 1024
"""Octets after which a client that still listens would listen for ever."""


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene(settings=SETTINGS) as scene:
        ports = {"incomingportnumber": 110, "outgoingportnumber": 587}
        scene.profile("open lines", default=True, **ports, incomingusessl=False, outgoingusessl=False)
        scene.organization.update_settings(SYSTEM, allowunresolvedpartiesonemailsend=True)
        scene.filter(scene.queue("Orders", ORDERS, ready=True), 0)
        scene.run(after=timedelta(minutes=15))
        yield scene


class Talker:
    """Answers properly until a line begins with `at` ("" is the greeting), and then says `text` again and again."""

    def __init__(self, protocol: str, at: str, text: bytes) -> None:
        self.at, self.text = at.encode(), text
        self.waiting = b""
        self.endless = False
        self.said = 0
        self.protocol = protocol
        self._say(b"", b"+OK\r\n" if protocol == "pop3" else b"220 talk.test\r\n")

    def _say(self, line: bytes, usual: bytes) -> None:
        self.endless = self.endless or line.upper().startswith(self.at) if line else self.at == b""
        self.waiting += b"" if self.endless else usual

    def sendall(self, octets: bytes, /) -> None:
        for line in octets.split(b"\r\n")[:-1]:
            self._say(line, self._usual(line.upper()))

    def _usual(self, line: bytes) -> bytes:
        if self.protocol == "smtp":
            return {b"EHLO": b"250-talk.test\r\n250 AUTH PLAIN\r\n", b"AUTH": b"235 in\r\n", b"DATA": b"354 go on\r\n"}.get(
                line[:4], b"250 ok\r\n"
            )
        if self.at == b"QUIT" and line[:4] in {b"UIDL", b"LIST"}:  # an empty maildrop: the session comes to its end
            return b"+OK\r\n.\r\n"
        lists = {
            b"UIDL": b"+OK\r\n1 a\r\n2 b\r\n.\r\n",
            b"LIST": b"+OK\r\n1 10\r\n2 10\r\n.\r\n",
            b"CAPA": b"+OK\r\nUSER\r\nUIDL\r\nPIPELINING\r\n.\r\n",
        }
        return lists.get(line[:4], b"+OK 2 20\r\n")

    def recv(self, limit: int, /) -> bytes:
        if self.waiting:
            piece, self.waiting = self.waiting[:limit], self.waiting[limit:]
            return piece
        if not self.endless:
            raise TimeoutError("nothing more")
        assert self.said < ENOUGH, "the client never stops listening"
        piece = (self.text * (limit // len(self.text) + 1))[:limit] if len(self.text) < limit else self.text
        self.said += len(piece)
        return piece

    def settimeout(self, seconds: float | None, /) -> None: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...


class TalkingConnector:
    """Every connection to the port of one protocol is such a talker; the others are refused."""

    def __init__(self, protocol: str, at: str, text: bytes) -> None:
        self.port = 110 if protocol == "pop3" else 587
        self.given = (protocol, at, text)
        self.talkers: list[Talker] = []

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> GuardedConnection:
        if port != self.port:
            raise TimeoutError
        self.talkers.append(Talker(*self.given))
        return GuardedConnection(self.talkers[-1], f"{host}:{port}")

    def start_tls(self, connection: Connection, host: str) -> GuardedConnection:
        raise AssertionError("nobody asked for TLS")


ENDLESS = [
    ("pop3", "", b"x"),
    ("pop3", "USER", b"+"),
    ("pop3", "CAPA", b"+OK\r\n"),
    ("pop3", "CAPA", b"X-MORE\r\n"),
    ("pop3", "UIDL", b"x"),
    ("pop3", "QUIT", b"-ERR "),
    ("smtp", "", b"220-more\r\n"),
    ("smtp", "", b"2"),
    ("smtp", "EHLO", b"250-SIZE\r\n"),
    ("smtp", "EHLO", b"250 "),
    ("smtp", "MAIL", b"250-more\r\n"),
    ("smtp", "RCPT", b"451-more\r\n"),
    ("smtp", "DATA", b"354-more\r\n"),
]


@pytest.mark.parametrize(("protocol", "at", "text"), ENDLESS)
def test_a_server_that_never_stops_talking(scene: Scene, protocol: str, at: str, text: bytes) -> None:
    if protocol == "smtp":
        scene.send("Orders", [CARL], "Out")
    scene.mail(CARL, ORDERS, "In")
    scene.advance(timedelta(minutes=15))
    connector = TalkingConnector(protocol, at, text)
    engine = ServerSideSync(scene.organization, connector)
    engine.run_due()
    engine.close()
    assert any(talker.endless for talker in connector.talkers), "it never came to that"
    box = scene.mailbox(scene.people["Orders"])
    if at != "QUIT":  # whose answer nobody needs
        assert box.lastsyncerror, "nobody is told"
    scene.world.journal.add("note", detail="the server is well again")
    for _ in range(4):
        scene.run(after=timedelta(minutes=20))
    _enabled(scene)
    assert len(scene.emails("In")) == 1
    if protocol == "smtp":
        assert len(scene.received(CARL)) == 1


def _enabled(scene: Scene) -> None:
    """Where the nonsense counted as permanent, somebody tests the mailbox again."""
    party: Party = scene.people["Orders"]
    box = scene.mailbox(party)
    if not (box.enabledforincomingemail and box.enabledforoutgoingemail):
        scene.test_and_enable(party)
        for _ in range(3):
            scene.run(after=timedelta(minutes=20))


# -- what is not so -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [1, 3, 20])
@pytest.mark.parametrize("at", ["greeting", "CAPA", "UIDL", "EHLO", "MAIL", "RCPT", "DATA"])
def test_replies_with_wrong_octets(scene: Scene, at: str, octets: int) -> None:
    """Whatever it is taken for, what must not happen twice does not, and the mail comes through in the end."""
    protocol = "smtp" if at in {"EHLO", "MAIL", "RCPT", "DATA"} else "pop3"
    for protocol_ in (protocol,) if at != "greeting" else ("pop3", "smtp"):
        scene.world.faults.add(Fault(When(protocol_, at, first=1, last=2), Garble(octets)))
    scene.send("Orders", [CARL], "Out")
    scene.mail(CARL, ORDERS, "In")
    for _ in range(8):
        scene.run(after=timedelta(minutes=20))
    _enabled(scene)
    assert len(scene.emails("In")) == 1
    (out,) = scene.emails("Out")
    assert len(scene.received(CARL)) == (out.statuscode == 3), f"status {out.statuscode}"


def test_a_server_that_takes_mail_and_says_that_it_did_not(scene: Scene) -> None:
    """Whoever is told to try later tries later: no client can know. The books find it."""
    scene.check = False
    scene.world.faults.add(Fault(When("smtp", "end-of-data", nth=1), Lie("451", "4.3.0 try later")))
    scene.send("Orders", [CARL], "Out")
    for _ in range(3):
        scene.run(after=timedelta(minutes=20))
    assert len(scene.received(CARL)) == 2
    with pytest.raises(BooksDoNotBalance, match="delivered 2 times"):
        check_books(scene.world, scene.organization)


def test_a_server_that_says_that_it_removed_a_message(scene: Scene) -> None:
    """It is still there at the next look: it is not taken in again, and its removal is tried again."""
    scene.organization.update(SYSTEM, "mailbox", scene.people["Orders"].mailbox, processanddeleteemails=True)
    scene.world.faults.add(Fault(When("pop3", "DELE", nth=1), Reply("+OK", "marked, so I say")))
    scene.mail(CARL, ORDERS, "In")
    for _ in range(4):
        scene.run(after=timedelta(minutes=20))
    assert len(scene.emails("In")) == 1
    assert scene.world.inbox(ORDERS) == []


def test_a_recipient_refused_and_taken(scene: Scene) -> None:
    """A lie about a recipient ends with that recipient as refused; the others have it once, and the books name the lie."""
    scene.check = False
    scene.world.faults.add(Fault(When("smtp", "RCPT", nth=1), Lie("550", "5.1.1 nobody of that name")))
    scene.send("Orders", [CARL, "dora@birch.test"], "Out")
    for _ in range(3):
        scene.run(after=timedelta(minutes=20))
    assert len(scene.received("dora@birch.test")) == 1
    with pytest.raises(BooksDoNotBalance, match="refused, but delivered"):
        check_books(scene.world, scene.organization)


def test_octet_by_octet(scene: Scene) -> None:
    """A slow server is a server: everything comes, one octet at a time."""
    scene.world.faults.add(Fault(When("pop3", "RETR", nth=1), Drip(1, 0.001)))
    scene.world.faults.add(Fault(When("smtp", "EHLO", nth=1), Drip(1, 0.001)))
    scene.send("Orders", [CARL], "Out")
    scene.mail(CARL, ORDERS, "In")
    for _ in range(3):
        scene.run(after=timedelta(minutes=20))
    assert len(scene.emails("In")) == len(scene.received(CARL)) == 1
