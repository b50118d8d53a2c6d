"""What a hostile client may try on the SMTP session: found by fuzzing and by reading, each held by a test."""

from __future__ import annotations

import tracemalloc
from base64 import b64encode

import pytest

from postroom_simulator.journal import Kind
from postroom_simulator.session import SessionContext
from postroom_simulator.smtp.session import SmtpSession
from postroom_simulator.smtp.settings import SmtpSettings
from postroom_simulator.world import World

ANN, PASSWORD = "ann@sim.test", "open sesame"
PASSWORD_64 = b64encode(PASSWORD.encode())
ENVELOPE = b"EHLO c.test\r\nMAIL FROM:<bob@far.test>\r\nRCPT TO:<ann@sim.test>\r\n"
EVIL = b"EHLO evil\r\nMAIL FROM:<evil@far.test>\r\nRCPT TO:<ann@sim.test>\r\nDATA\r\nevil\r\n.\r\n"


def make_world(**settings: object) -> World:
    world = World()
    world.smtp.settings = SmtpSettings(**settings)  # type: ignore[arg-type]
    world.add_account(ANN, PASSWORD)
    return world


def start(world: World) -> SmtpSession:
    session = SmtpSession(SessionContext(world, "smtp", "smtp-1"))
    session.start()
    drain(session)
    return session


def drain(session: SmtpSession) -> bytes:
    return b"".join(out.octets for taken in iter(session.take, []) for out in taken)


def say(session: SmtpSession, octets: bytes) -> bytes:
    session.receive_data(octets)
    return drain(session)


@pytest.mark.parametrize(
    "settings",
    [{"auth_without_tls": False}, {"mechanisms": ("PLAIN",)}, {"extensions": ("HELP",)}, {"require_tls": True}],
    ids=["538", "504", "502", "530"],
)
def test_a_password_behind_a_refused_auth_is_not_journalled(settings):
    """A client that does not wait for the answer (or does not look at it) sends its password as if it were a command."""
    world = make_world(**settings)
    session = start(world)
    say(session, b"EHLO c\r\nAUTH LOGIN\r\nYW5uQHNpbS50ZXN0\r\n" + PASSWORD_64 + b"\r\n" + PASSWORD.encode() + b"\r\n")
    assert not [entry for entry in world.journal if "b3BlbiBzZ" in repr(entry) or "B3BLBIBZ" in repr(entry)]
    assert not [entry for entry in world.journal if PASSWORD in repr(entry)]


@pytest.mark.parametrize(
    "line", [b"AUTH\tPLAIN %s", b" AUTH PLAIN %s", b"\0AUTH PLAIN %s", b"XAUTH PLAIN %s", b"auth\xa0PLAIN %s"]
)
def test_an_auth_that_is_none_is_not_journalled_either(line):
    world = make_world()
    secret = b64encode(f"\0{ANN}\0{PASSWORD}".encode())
    assert say(start(world), line % secret + b"\r\n").startswith(b"500 ")
    assert not [entry for entry in world.journal if secret.decode() in repr(entry) or secret.decode().upper() in repr(entry)]


@pytest.mark.parametrize("cut", [0, 1, 4096])
def test_a_browser_with_a_long_address_is_shown_the_door(cut):
    """Its headers and its body are lines too."""
    world = make_world()
    session = start(world)
    octets = b"POST /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n" + EVIL
    said = b"".join(say(session, octets[at : at + (cut or len(octets))]) for at in range(0, len(octets), cut or len(octets)))
    assert said == b""
    assert session.closed
    assert world.inbox(ANN) == []


@pytest.mark.parametrize(
    "command", [b"BDAT " + b"0" * 5000 + b"9", b"BDAT\t%d", b" BDAT %d", b"BDAT\0 %d", b"BD\0AT %d", b"bdat 1" + b" " * 4096]
)
def test_a_chunk_of_unknown_size_is_never_run(command):
    """Nobody knows where it ends (RFC 3030 does not say): the connection does."""
    world = make_world()
    session = start(world)
    say(session, ENVELOPE)
    line = command % len(EVIL) if b"%" in command else command
    assert say(session, line + b"\r\n" + EVIL)[:3] in (b"500", b"501")
    assert session.closed
    assert world.inbox(ANN) == []


def test_tiny_pieces_of_a_chunk_cost_what_they_weigh():
    world = make_world()
    session = start(world)
    say(session, ENVELOPE + b"BDAT 200000 LAST\r\n")
    tracemalloc.start()
    for _ in range(100_000 - 1):
        session.receive_data(b"ab")
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 2 * 200_000
    assert say(session, b"ab").startswith(b"250 ")


def test_answers_that_nobody_fetches_are_bounded():
    """Ten octets ask for sixty thousand: no more is made than somebody takes."""
    world = make_world(verify="real")
    members = [f"member-{number}.{'x' * 40}@sim.test" for number in range(900)]
    world.add_group("all@sim.test", members)
    session = start(world)
    session.receive_data(b"EHLO c\r\n" + b"EXPN all@sim.test\r\n" * 500 + b"QUIT\r\n")
    replies, most = 0, 0
    while taken := session.take():
        most = max(most, sum(len(out.octets) for out in taken))
        replies += len(taken)
    assert replies == 502
    assert session.closed
    assert most < 1_200_000
    assert world.journal.count(kind=Kind.REPLY, verb="EXPN") == 500
