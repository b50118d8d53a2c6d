"""A client's side of AUTH, alike for both servers: commands and answers in, what the server made of them out."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode

from postroom_simulator.journal import Entry, Kind
from postroom_simulator.pop3.session import Pop3Session
from postroom_simulator.session import Session, SessionContext
from postroom_simulator.smtp.session import SmtpSession
from postroom_simulator.world import World

ANN, BOB = "ann@sim.test", "bob@sim.test"
PASSWORD = "öpen sesame"
PROTOCOLS = ("pop3", "smtp")
ALL = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")

REPLIES = {
    "pop3": {
        "ok": b"+OK maildrop locked and ready\r\n",
        "failed": b"-ERR [AUTH] authentication failed\r\n",
        "misplaced": b"-ERR [AUTH] authentication failed\r\n",
        "cancelled": b"-ERR authentication cancelled\r\n",
        "unknown": b"-ERR unknown mechanism\r\n",
        "base64": b"-ERR malformed base64\r\n",
        "too long": b"-ERR line too long\r\n",
    },
    "smtp": {
        "ok": b"235 2.7.0 authentication successful\r\n",
        "failed": b"535 5.7.8 authentication credentials invalid\r\n",
        "misplaced": b"535 5.7.3 authentication unsuccessful\r\n",
        "cancelled": b"501 5.7.0 authentication cancelled\r\n",
        "unknown": b"504 5.5.4 mechanism not known here\r\n",
        "base64": b"501 5.5.2 malformed base64\r\n",
        "too long": b"500 5.5.6 authentication exchange line is too long\r\n",
    },
}


def make_world(*, seed: int = 7) -> World:
    """Ann and Bob; every mechanism on both servers."""
    world = World(seed=seed)
    world.add_account(ANN, PASSWORD, aliases=["info@sim.test"])
    world.add_account(BOB, "other")
    world.tokens.token_length = 16
    world.pop3.settings.mechanisms = world.smtp.settings.mechanisms = ALL
    return world


class Line:
    """One connection to one of the servers. `said` turns the server's octets into a word of REPLIES, or leaves them."""

    def __init__(self, world: World, protocol: str) -> None:
        self.world = world
        self.protocol = protocol
        context = SessionContext(world, protocol, f"{protocol}-{world.ids.number(protocol)}")
        self.session: Session = Pop3Session(context) if protocol == "pop3" else SmtpSession(context)
        self.session.start()
        self.greeting = self.drain()
        if protocol == "smtp":
            self.hello = self.say(b"EHLO client.test\r\n")

    def say(self, octets: bytes) -> bytes:
        self.session.receive_data(octets)
        return self.drain()

    def drain(self) -> bytes:
        said = b""
        while taken := self.session.take():
            said += b"".join(out.octets for out in taken)
        return said

    def auth(self, mechanism: str, initial: bytes | None = None) -> str | bytes:
        """`initial` without base64."""
        return self.word(
            self.say(b"AUTH " + mechanism.encode() + (b"" if initial is None else b" " + encode(initial)) + b"\r\n")
        )

    def answer(self, response: bytes) -> str | bytes:
        return self.word(self.say(b64encode(response) + b"\r\n"))

    def raw(self, line: bytes) -> str | bytes:
        return self.word(self.say(line + b"\r\n"))

    def word(self, said: bytes) -> str | bytes:
        """A word of REPLIES, the octets of a challenge, or what was said."""
        prompt = b"+ " if self.protocol == "pop3" else b"334 "
        if said.startswith(prompt):
            return b64decode(said[len(prompt) :].removesuffix(b"\r\n"), validate=True)
        return next((word for word, reply in REPLIES[self.protocol].items() if reply == said), said)

    @property
    def announced(self) -> list[str]:
        """The mechanisms."""
        if self.protocol == "pop3":
            lines = self.say(b"CAPA\r\n").split(b"\r\n")
            found = [line.split(b" ")[1:] for line in lines if line.startswith(b"SASL ")]
        else:
            lines = self.say(b"EHLO client.test\r\n").split(b"\r\n")
            found = [line[4:].split(b" ")[1:] for line in lines if line[4:].startswith(b"AUTH ")]
        return [name.decode() for name in found[0]] if found else []


def encode(response: bytes) -> bytes:
    return b64encode(response) or b"="


# -- what clients say


def plain(login: str = ANN, password: str = PASSWORD, authzid: str = "") -> bytes:
    return f"{authzid}\0{login}\0{password}".encode()


def cram_md5(challenge: bytes, login: str = ANN, password: str = PASSWORD) -> bytes:
    return f"{login} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}".encode()


def xoauth2(token: str, login: str = ANN) -> bytes:
    return f"user={login}\1auth=Bearer {token}\1\1".encode()


def oauthbearer(token: str, login: str = ANN) -> bytes:
    header = f"n,a={login},\1" if login else "n,,\1"
    return f"{header}host=mail.sim.test\1port=110\1auth=Bearer {token}\1\1".encode()


def conversation(protocol: str, mechanism: str, *, good: bool = True, at_once: bool = False) -> list[bytes]:
    """The lines of a login as Ann, or of one that fails: the command and the answers, with base64. Right for the first connection to
    another world just made with a token for Ann: equal seeds, equal tokens and challenges."""
    world = make_world()
    token, password = world.tokens.issue(ANN).access, PASSWORD
    if not good:
        token, password = "made up", "guess"
    match mechanism:
        case "PLAIN":
            answers = [plain(password=password)]
        case "LOGIN":
            answers = [ANN.encode(), password.encode()]
        case "CRAM-MD5":
            challenge = Line(world, protocol).auth("CRAM-MD5")
            assert isinstance(challenge, bytes)
            answers = [cram_md5(challenge, password=password)]
        case "XOAUTH2":
            answers = [xoauth2(token), *([] if good else [b""])]
        case _:
            answers = [oauthbearer(token), *([] if good else [b"\1"])]
    lines = [b"AUTH " + mechanism.encode(), *map(b64encode, answers)]
    return [lines[0] + b" " + lines[1], *lines[2:]] if at_once else lines


def complaint(challenge: str | bytes) -> dict[str, str]:
    """The JSON of a refused token."""
    assert isinstance(challenge, bytes), challenge
    found: dict[str, str] = json.loads(challenge)
    return found


def logins(world: World) -> list[Entry]:
    return world.journal.entries(kind=Kind.LOGIN)


def reasons(world: World) -> list[str]:
    """Why logins failed, in order."""
    return [entry.data["why"] for entry in logins(world) if not entry.data["ok"]]
