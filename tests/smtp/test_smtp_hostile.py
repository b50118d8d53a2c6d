"""What strangers send: it ends, it costs little, it is never run."""

import gc
import tracemalloc

import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import given, settings
from hypothesis import strategies as st
from smtp_talk import ENVELOPE, LETTER, Talk, make_world

from postroom_simulator.faults import Fault, Stall, When
from postroom_simulator.journal import Kind
from postroom_simulator.smtp import dialogue
from postroom_simulator.smtp.loop import NoLoop
from postroom_simulator.smtp.server import SmtpServer

LONG = b"500 5.5.6 line too long\r\n"


@pytest.mark.parametrize("cut", [0, 1000, 4095, 4096, 4097])
def test_a_long_line_is_refused_once_and_its_tail_is_not_run(cut):
    talk = Talk.greeted(make_world())
    assert talk.say(b"NOOP " + b"x" * 4091 + b"QUIT\r\nNOOP\r\n", cut) == LONG + b"250 2.0.0 OK\r\n"
    assert talk.say(b"NOOP " + b"x" * 4089 + b"\r\n", cut) == b"250 2.0.0 OK\r\n"
    assert talk.say(b"NOOP " + b"x" * 4090 + b"\r\n", cut) == LONG


def test_auth_may_be_longer():
    talk = Talk.greeted(make_world())
    assert talk.say(b"auth LOGIN " + b"QUFB" * 3000 + b"\r\n") == b"334 UGFzc3dvcmQ6\r\n"
    talk.say(b"*\r\n")
    assert talk.say(b"AUTH LOGIN " + b"QUFB" * 3100 + b"\r\n") == LONG


def test_an_endless_line_ends_the_connection():
    talk = Talk.greeted(make_world())
    for _ in range(40):
        talk.say(b"x" * 32_768)
    assert talk.session.closed
    assert talk.world.journal.replies()[-1].detail == "421 4.7.0 endless line"


@pytest.mark.parametrize("limit", [1, 3, 20])
def test_too_many_bad_commands(limit):
    talk = Talk(make_world(max_bad_commands=limit))
    for _ in range(limit - 1):
        assert talk.say(b"WHAT\r\n") == b"500 5.5.2 command not recognized\r\n"
    assert talk.say(b"WHAT\r\nNOOP\r\n") == b"421 4.7.0 too many bad commands\r\n"
    assert talk.session.closed


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST /x HTTP/1.1", b"connect a:25 HTTP/1.1", b"PRI * HTTP/2.0"])
def test_a_browser_is_shown_the_door(line):
    talk = Talk(make_world())
    assert talk.say(line + b"\r\nHost: x\r\n\r\nEHLO evil\r\n" + ENVELOPE) == b""
    assert talk.session.closed
    assert talk.world.journal.count(kind=Kind.COMMAND) == 0
    assert talk.world.journal.count(kind=Kind.NOTE, detail="HTTP") == 1


def test_later_it_is_only_a_bad_command():
    talk = Talk.greeted(make_world())
    assert talk.say(b"GET / HTTP/1.1\r\n") == b"500 5.5.2 command not recognized\r\n"


def test_what_is_held_while_suspended_is_bounded(monkeypatch):
    monkeypatch.setattr(dialogue, "HELD", 10_000)
    talk = Talk.greeted(make_world())
    talk.world.faults.add(Fault(When("smtp", "NOOP"), Stall()))
    talk.say(b"NOOP\r\n")
    for _ in range(11):
        talk.say(b"x" * 1000)
    assert talk.session.closed
    assert len(talk.session._server.input) == 0


PIECES = [
    b"EHLO c", b"HELO c", b"MAIL FROM:<a@b.c>", b"RCPT TO:<ann@sim.test>", b"DATA", b"RSET", b"NOOP", b"HELP", b"VRFY x", b"AUTH PLAIN",
    b"AUTH LOGIN", b"=", b"*", b"AAAA", b".", b"..", b"\r\n", b"\r", b"\n", b"\0", b"\xff", b" ", b"STARTTLS", b"QUIT", b"x" * 5000,
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    octets=st.lists(st.one_of(st.sampled_from(PIECES), st.just(b"\r\n"), st.binary(max_size=8)), max_size=40).map(b"".join),
    cuts=st.lists(st.integers(1, 30), max_size=20),
)
def test_any_input_cut_anywhere_gives_one_conversation(octets, cuts):
    whole, pieces = Talk(make_world()), Talk(make_world())
    said = whole.say(octets)
    got, at = b"", 0
    for cut in [*cuts, len(octets)]:
        if pieces.session.wants_tls:
            break  # what comes in pieces of its own after the 220 belongs to the handshake
        got += pieces.say(octets[at : at + cut])
        at += cut
    assert got == said
    assert pieces.world.journal.fields() == whole.world.journal.fields()
    assert pieces.session.closed == whole.session.closed
    assert said == b"" or said.endswith(b"\r\n")
    assert b"internal error" not in said
    pieces.session.receive_eof()
    whole.session.receive_eof()


def servers():
    return sum(type(thing) is SmtpServer for thing in gc.get_objects())


def test_a_connection_leaves_nothing_behind(caplog):
    world = make_world()
    gc.collect()
    before = servers()
    for end in ("quit", "eof", "dropped"):
        talk = Talk.greeted(world)
        talk.say(ENVELOPE)
        if end == "quit":
            talk.say(b"QUIT\r\n")
        if end != "dropped":
            talk.session.receive_eof()
        del talk
    gc.collect()
    assert caplog.records == []
    assert servers() == before


def test_a_connection_costs_little():
    world = make_world()
    Talk.greeted(world)
    tracemalloc.start()
    talks = [Talk(world) for _ in range(50)]
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size / len(talks) < 32_768


def test_nothing_that_aiosmtpd_sets_up_is_missing():
    """Its constructor is not run for each connection: a new version may set more, and this tells."""
    theirs = vars(SMTP(None, hostname="localhost", loop=NoLoop()))
    ours = vars(Talk(make_world()).session._server)
    assert set(theirs) - set(ours) == set()


def test_aiosmtpd_s_parts_that_are_used_do_not_write_past_the_one_place():
    talk = Talk.greeted(make_world())
    talk.say(b"HELP\r\nNOOP\r\nRSET\r\nEXPN x\r\n")
    assert talk.world.journal.count(kind=Kind.REPLY) == len(talk.outgoing) == 6
    assert talk.send(LETTER + b".\r\n").startswith(b"250 ")
