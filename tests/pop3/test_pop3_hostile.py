"""Bad input: an answer or an end, bounded memory, and never a command that nobody gave."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pop3_talk import BOB, DOTTED, LOGIN, PLAIN, WELCOME, Talk, inbox, make_world, plant

from postroom_simulator.faults import Stall
from postroom_simulator.pop3.commands import COMMANDS
from postroom_simulator.pop3.session import Pop3Session
from postroom_simulator.session import SessionContext

TOO_LONG = b"-ERR line too long\r\n"


@pytest.mark.parametrize("cut", [0, 1, 1000, 4095, 4096, 4097])
def test_a_long_line_gets_one_error_and_its_tail_is_no_command(cut: int) -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    assert talk.say(b"x" * 5000 + b" DELE 1\r\nSTAT\r\n", cut) == TOO_LONG + b"+OK 1 28\r\n"
    fits = b"NOOP " + b"x" * (4096 - 7)
    assert talk.say(fits + b"\r\n", cut) == b"-ERR wrong number of arguments\r\n"
    assert talk.say(fits + b"x\r\n", cut) == TOO_LONG


def test_long_lines_in_auth() -> None:
    talk = Talk(make_world(DOTTED))
    fits = b"A" * 12284  # and CR LF: 12,286 of 12,288
    assert talk.say(b"AUTH PLAIN\r\n" + fits + b"\r\n") == b"+ \r\n-ERR malformed PLAIN response\r\n"
    assert talk.say(b"AUTH PLAIN\r\n" + fits + b"AAAA\r\n") == b"+ \r\n" + TOO_LONG
    assert talk.say(b"AUTH PLAIN\r\n" + b"AAAA" * 4000 + b"\r\n") == b"+ \r\n" + TOO_LONG
    assert talk.say(LOGIN) == WELCOME


@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\0",
        b"\0",
        b"NO\0OP",
        b"NOOP\n",
        b"RETR 1\nDELE 1",
        b"RETR 1\rDELE 1",
        b"RETR \xef\xbc\x91",  # a full-width 1
        b"RETR \xd9\xa1",  # an Arabic-Indic 1
        b"RETR\t1",
        b"RETR\xc2\xa01",
        b"\xff\xfe",
        b"DELE 1\x00",
        b"STAT\x85",
    ],
)
def test_octets_that_no_command_has(line: bytes) -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    assert talk.say(line + b"\r\n") == b"-ERR only printable ASCII here\r\n"
    assert talk.say(b"STAT\r\n") == b"+OK 1 28\r\n"


def test_a_lone_line_feed_ends_nothing() -> None:
    talk = Talk.logged_in(make_world(DOTTED))
    assert talk.say(b"STAT\nSTAT\nSTAT\r") == b""
    assert talk.say(b"\n") == b"-ERR only printable ASCII here\r\n"


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1", b"POST /x HTTP/1.1", b"CONNECT a:1 HTTP/1.1", b"PUT /", b"OPTIONS *", b"GET /" + b"x" * 9000]
)
@pytest.mark.parametrize("cut", [0, 1])
def test_browsers_are_sent_away(line: bytes, cut: int) -> None:
    world = make_world(DOTTED)
    talk = Talk(world)
    assert talk.say(line + b"\r\n" + LOGIN + b"DELE 1\r\nQUIT\r\n", cut) == b""
    assert talk.session.closed
    assert len(inbox(world)) == 1


def test_a_first_line_only_is_looked_at_for_http() -> None:
    talk = Talk(make_world(DOTTED))
    assert talk.say(b"NOOP\r\nGET /\r\n").count(b"-ERR") == 2
    assert not talk.session.closed


def test_too_many_bad_commands() -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    talk.say(b"DELE 1\r\n")
    said = talk.say(b"BOO\r\n" * 19)
    assert said == b"-ERR unknown command\r\n" * 19
    assert not talk.session.closed
    assert talk.say(b"STAT\r\nBOO\r\nQUIT\r\n") == b"+OK 0 0\r\n-ERR too many commands that lead nowhere\r\n"
    assert talk.session.closed
    assert len(inbox(world)) == 1
    assert world.pop3.locks.holder(BOB) is None


def test_commands_that_cannot_be_carried_out_are_not_bad() -> None:
    talk = Talk.logged_in(make_world(DOTTED))
    assert talk.say(b"RETR 7\r\nRETR 1x\r\n" * 30).count(b"-ERR") == 60
    assert talk.say(b"STAT\r\n") == b"+OK 1 28\r\n"


def test_too_many_commands_before_login() -> None:
    talk = Talk(make_world(DOTTED))
    said = talk.say(b"USER bob\r\n" * 150)
    assert said == b"+OK send PASS\r\n" * 99 + b"-ERR too many commands that lead nowhere\r\n"
    assert talk.session.closed
    patient = Talk(make_world(DOTTED))
    patient.say(b"USER bob\r\n" * 98)
    assert patient.say(LOGIN + b"NOOP\r\n" * 200).count(b"+OK") == 202


def test_a_flood_of_retrievals_waits_for_the_reader() -> None:
    """Short commands with long answers: no more is made than somebody fetches (our bound, 4 MiB and one message)."""
    world = make_world(b"x" * 1_000_000)
    session = Pop3Session(SessionContext(world, "pop3", "pop3-1"))
    session.start()
    session.receive_data(LOGIN + b"RETR 1\r\n" * 200 + b"QUIT\r\n")
    messages = most = 0
    while taken := session.take():
        most = max(most, sum(len(outgoing.octets) for outgoing in taken))
        messages += sum(outgoing.octets.startswith(b"+OK 1000002 octets") for outgoing in taken)
    assert messages == 200
    assert session.closed
    assert most < 4 * 1024 * 1024 + 1_100_000


def test_a_flood_into_a_stalled_session_ends_it() -> None:
    world = make_world(DOTTED)
    world.pop3.settings.held_input = 100_000
    talk = Talk.logged_in(world)
    plant(world, "NOOP", Stall())
    talk.say(b"NOOP\r\n")
    for _ in range(200):
        talk.say(b"x" * 1000)
    assert talk.session.closed
    assert world.pop3.locks.holder(BOB) is None


WORDS = st.sampled_from([verb.encode() for verb in COMMANDS if verb != "QUIT"] + [b"", b"LAST", b"\xff", b"*", b"=", b"+"])
NOISE = st.lists(
    st.tuples(
        WORDS,
        st.sampled_from([b"", b" ", b" 1", b" 2 3", b" PLAIN", b" bob", b" \0", b" " + b"9" * 30]),
        st.sampled_from([b"\r\n", b"\n", b"\r", b""]),
    ).map(b"".join)
    | st.binary(max_size=12),
    max_size=15,
).map(b"".join)


@given(noise=NOISE, cut=st.integers(0, 20), login=st.booleans())
@settings(max_examples=150)
def test_noise_is_answered_in_whole_lines_and_harms_nothing(noise: bytes, cut: int, login: bool) -> None:
    world = make_world(DOTTED, PLAIN)
    world.pop3.settings.bad_commands = 1000
    talk = Talk.logged_in(world) if login else Talk(world)
    said = talk.say(noise, cut)
    assert said == b"" or said.endswith(b"\r\n")
    assert all(outgoing.octets.startswith((b"+OK", b"-ERR", b"+ ")) for outgoing in talk.outgoing)
    talk.session.receive_eof()
    assert len(inbox(world)) == 2
    assert world.pop3.locks.holder(BOB) is None
