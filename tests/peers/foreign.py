"""What the tests with foreign programs share: awkward messages, running a program with a deadline, and what the store holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from postroom_simulator.faults import Effect, Fault, When
from postroom_simulator.journal import Kind
from postroom_simulator.world import World

ANN, BOB = "ann@sim.test", "bob@far.test"
PASSWORD = "open-sesame"
DEADLINE = 20.0
"""Seconds after which a foreign program is given up; no test waits for it in the good case."""

_HEADER = b"From: bob@far.test\r\nTo: ann@sim.test\r\nSubject: %b\r\nDate: Mon, 01 Jan 2024 10:00:00 +0000\r\nMessage-ID: <%b@far.test>\r\n\r\n"


def letter(name: bytes, body: bytes) -> bytes:
    """A message with a header that leaves a client nothing to add."""
    return _HEADER % (name, name) + body


MESSAGES: dict[str, bytes] = {
    "dots": letter(b"dots", b".\r\n..\r\n.leading\r\n...\r\n\r\n.\r\nend.\r\n"),
    "octets": letter(b"octets", b"caf\xe9 \xc3\xa9\r\n" + bytes(range(128, 256)) + b"\r\n"),
    "long": letter(b"long", b"x" * 3000 + b"\r\n." + b"y" * 2999 + b"\r\n"),
    "empty": letter(b"empty", b""),
    "unended": letter(b"unended", b"the last line has no end"),
    "unended-dot": letter(b"unended-dot", b"then\r\n."),
}


def ended(octets: bytes) -> bytes:
    """As a line protocol can carry it: the last line is ended (RFC 1939 §3, RFC 5321 §4.1.1.4)."""
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def with_lf(octets: bytes) -> bytes:
    """As a Unix program keeps it."""
    return octets.replace(b"\r\n", b"\n")


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: bytes
    err: str


def run(command: Sequence[str | Path], *, feed: bytes = b"", home: Path, extra: Mapping[str, str] | None = None) -> Result:
    """Run a program in a home of its own, with no setting of this machine's user, and a deadline. `extra`: of the environment."""
    environment: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "FETCHMAILHOME": str(home),
        "LC_ALL": "C",
        "TMPDIR": str(home),
        **(extra or {}),
    }
    done = subprocess.run(
        [str(word) for word in command],
        input=feed,
        capture_output=True,
        timeout=DEADLINE,
        env=environment,
        cwd=home,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def held(world: World, address: str = ANN) -> list[bytes]:
    """An Inbox, octet for octet. With the server's trace on, each message has exactly our one `Received:` field in front, which is
    checked and taken away; without it nothing is."""
    world.settle()
    return [_without_trace(octets) if world.smtp.settings.trace else octets for octets in world.inbox(address)]


def _without_trace(octets: bytes) -> bytes:
    assert octets.startswith(b"Received: from ")
    end = octets.index(b" +0000\r\n") + len(b" +0000\r\n")
    assert all(line.startswith(b"\t") for line in octets[:end].split(b"\r\n")[1:-1])
    return octets[end:]


def fill(world: World) -> None:
    """Put all awkward messages into Ann's Inbox, in order."""
    for octets in MESSAGES.values():
        world.place(ANN, octets)


def fault(world: World, protocol: str, at: str, effect: Effect, nth: int | None = 1) -> None:
    world.faults.add(Fault(When(protocol, at, nth=nth), effect))


def verbs(world: World) -> list[str]:
    """The commands that clients gave, in order."""
    return [entry.verb for entry in world.journal.commands()]


# -- logging in


def require_login(world: World, mechanism: str) -> str:
    """Offer this way to log in, and no other but USER, and let nobody in without. Gives the secret that Ann shows there."""
    if mechanism == "APOP":
        world.pop3.settings.apop = True
    elif mechanism != "USER":
        world.pop3.settings.mechanisms = world.smtp.settings.mechanisms = (mechanism,)
    world.smtp.settings.require_auth = True
    return world.tokens.issue(ANN).access if mechanism in ("XOAUTH2", "OAUTHBEARER") else PASSWORD


def logins(world: World) -> list[tuple[str, bool]]:
    """Each login that was tried, in order: the way, and whether it was let in."""
    world.settle()
    return [(entry.data["way"], entry.data["ok"]) for entry in world.journal.entries(kind=Kind.LOGIN)]


def encrypted(world: World) -> bool:
    """Whether at least one handshake was done."""
    return any(entry.detail == "established" for entry in world.journal.entries(kind=Kind.TLS))


# -- libraries of other languages, each driven by a small script in `clients/`

CLIENTS = Path(__file__).parent / "clients"
NODE_MODULES = Path(__file__).parents[2] / ".tools" / "node" / "node_modules"
"""Where `.ci/run` puts what `clients/package.json` names."""

INTERPRETERS = {".pl": "perl", ".rb": "ruby", ".js": "node"}
NEEDED = {
    ".pl": [
        "perl",
        "-MIO::Socket::SSL",
        "-MAuthen::SASL",
        "-MDigest::HMAC_MD5",
        "-MNet::SMTP",
        "-MNet::POP3",
        "-MJSON::PP",
        "-e",
        "1",
    ],
    ".rb": ["ruby", "-ropenssl", "-rnet/smtp", "-rnet/pop", "-e", "1"],
    ".js": ["node", "-e", "require('nodemailer'); require('node-pop3'); require.resolve('ews-javascript-api')"],
}
"""What tells whether a language's libraries are there."""


def lacks(language: str, home: Path) -> str:
    """What the interpreter of `language` (".pl") says of a library that is not there; "" when all are."""
    done = run(NEEDED[language], home=home, extra={"NODE_PATH": str(NODE_MODULES)})
    return "" if done.code == 0 else done.err.strip() or f"{INTERPRETERS[language]} ended with {done.code}"


@dataclass(frozen=True, slots=True)
class Script:
    """A script of `clients/`: it reads a job from standard input as JSON and prints what came of each message, in its library's words."""

    name: str
    home: Path

    def __call__(self, **job: object) -> list[tuple[str, str]]:
        path = CLIENTS / self.name
        interpreter = shutil.which(INTERPRETERS[path.suffix])
        assert interpreter is not None
        feed = json.dumps(job, default=str).encode("ascii")
        done = run([interpreter, path], feed=feed, home=self.home, extra={"NODE_PATH": str(NODE_MODULES)})
        assert (done.code, done.err) == (0, ""), done
        return [(str(what), str(text)) for what, text in json.loads(done.out)["outcomes"]]
