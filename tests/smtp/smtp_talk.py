"""A client's side without a client: say octets to a session and see what it says."""

from __future__ import annotations

from base64 import b64encode

from postroom_simulator.faults import Effect, Fault, When
from postroom_simulator.session import Outgoing, Session, SessionContext
from postroom_simulator.smtp.session import SmtpSession
from postroom_simulator.smtp.settings import SmtpSettings
from postroom_simulator.world import World

ANN = "ann@sim.test"
PASSWORD = "open sesame"

GREETING = b"220 mail.sim.test ESMTP Postroom simulator\r\n"
HELLO = (
    b"250-mail.sim.test\r\n250-SIZE 26214400\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n"
    b"250-PIPELINING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 HELP\r\n"
)
GO_AHEAD = b"354 end data with <CR><LF>.<CR><LF>\r\n"
ENVELOPE = b"MAIL FROM:<bob@far.test>\r\nRCPT TO:<ann@sim.test>\r\n"
ENVELOPE_OK = b"250 2.1.0 OK\r\n250 2.1.5 OK\r\n"
LETTER = b"Subject: hello\r\n\r\nHow are you?\r\n"


def queued(number: int) -> bytes:
    return b"250 2.6.0 OK, queued as %06d\r\n" % number


def plain(login: str = ANN, password: str = PASSWORD) -> bytes:
    return b64encode(f"\0{login}\0{password}".encode())


def make_world(**settings: object) -> World:
    world = World()
    world.smtp.settings = SmtpSettings(**settings)  # type: ignore[arg-type]
    world.add_account(ANN, PASSWORD)
    return world


class Talk:
    """One conversation. `say` feeds octets and returns what is said at once; `outgoing` remembers all, with effects."""

    def __init__(self, world: World, *, secure: bool = False, tls: bool = True) -> None:
        self.world = world
        name = f"smtp-{world.ids.number('smtp')}"
        self.context = SessionContext(world, "smtp", name, secure=secure, tls_available=tls)
        self.session: Session = SmtpSession(self.context)
        self.outgoing: list[Outgoing] = []
        self.session.start()
        self.greeting = self.drain()

    @classmethod
    def greeted(cls, world: World, *, secure: bool = False, tls: bool = True) -> Talk:
        talk = cls(world, secure=secure, tls=tls)
        assert talk.say(b"EHLO client.test\r\n").startswith(b"250-mail.sim.test\r\n")
        return talk

    def say(self, octets: bytes, cut: int = 0) -> bytes:
        """`cut`: so many octets at a time (0: all at once)."""
        said = b""
        for start in range(0, len(octets), cut or max(1, len(octets))):
            self.session.receive_data(octets[start : start + cut] if cut else octets)
            said += self.drain()
        return said

    def send(self, text: bytes, envelope: bytes = ENVELOPE, cut: int = 0) -> bytes:
        """A whole transaction; `text` with its final dot. What is said behind the 354."""
        said = self.say(envelope + b"DATA\r\n" + text, cut)
        before, found, after = said.partition(GO_AHEAD)
        assert found, before
        return after

    def drain(self) -> bytes:
        said = b""
        while taken := self.session.take():
            self.outgoing += taken
            said += b"".join(out.octets for out in taken)
        return said

    @property
    def effects(self) -> list[Effect]:
        return [out.effect for out in self.outgoing if out.effect is not None]

    def fault(self, at: str, effect: Effect, **when: object) -> None:
        self.world.faults.add(Fault(When("smtp", at, **when), effect))  # type: ignore[arg-type]


def stored(world: World, address: str = ANN) -> list[bytes]:
    """The messages of an Inbox without the server's own Received line."""
    return [octets.split(b"+0000\r\n", 1)[1] if octets.startswith(b"Received:") else octets for octets in world.inbox(address)]
