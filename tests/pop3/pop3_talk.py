"""A client's side without a client: say octets to a session and see what it says."""

from __future__ import annotations

from postroom_simulator.faults import Effect, Fault, When
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.session import Pop3Session
from postroom_simulator.session import Outgoing, Session, SessionContext
from postroom_simulator.world import World

BOB = "bob@example.test"
PASSWORD = "open sesame"

LOGIN = b"USER bob\r\nPASS open sesame\r\n"
GREETING = b"+OK mail.sim.test POP3 ready\r\n"
WELCOME = b"+OK send PASS\r\n+OK maildrop locked and ready\r\n"

DOTTED = b"Subject: one\n\n.dot\nlast"
"""As sent: 12+2, 0+2, 4+2, 4+2 octets: 28, stuffing not counted."""
PLAIN = b"Subject: two\r\n\r\na\r\nb\r\nc\r\n"
BARE = b"Subject: header only\r\n"


def make_world(*messages: bytes) -> World:
    world = World()
    world.add_account(BOB, PASSWORD)
    for message in messages:
        world.store.deposit(BOB, message)
    return world


class Talk:
    """One conversation. `say` feeds octets and returns what is said at once; `effects` remembers what came with it."""

    def __init__(self, world: World, *, connection: str | None = None, secure: bool = False, tls: bool = True) -> None:
        self.world = world
        name = connection or f"pop3-{world.ids.number('pop3')}"
        self.session: Session = Pop3Session(SessionContext(world, "pop3", name, secure=secure, tls_available=tls))
        self.outgoing: list[Outgoing] = []
        self.session.start()
        self.greeting = self.drain()

    @classmethod
    def logged_in(cls, world: World) -> Talk:
        talk = cls(world)
        assert talk.say(LOGIN) == WELCOME
        return talk

    def say(self, octets: bytes, cut: int = 0) -> bytes:
        """`cut`: so many octets at a time (0: all at once)."""
        said = b""
        for start in range(0, len(octets), cut or max(1, len(octets))):
            self.session.receive_data(octets[start : start + cut] if cut else octets)
            said += self.drain()
        return said

    def drain(self) -> bytes:
        said = b""
        while taken := self.session.take():
            self.outgoing += taken
            said += b"".join(outgoing.octets for outgoing in taken)
        return said

    @property
    def effects(self) -> list[Effect]:
        return [outgoing.effect for outgoing in self.outgoing if outgoing.effect is not None]


def plant(world: World, at: str, effect: Effect, **when: object) -> None:
    world.faults.add(Fault(When(protocol="pop3", at=at, **when), effect))  # type: ignore[arg-type]


def inbox(world: World) -> list[int]:
    """The uids in Bob's Inbox."""
    from postroom_simulator.store.interface import Role

    return [item.uid for item in world.store.items(world.store.folder(BOB, Role.INBOX).uid)]


def told(world: World, kind: Kind) -> list[object]:
    return [entry for entry in world.journal if entry.kind is kind]
