"""RFC 1939 read once more, from its first section to its last: what no other test shows."""

from __future__ import annotations

import pytest
from pop3_talk import BOB, DOTTED, LOGIN, PLAIN, WELCOME, Talk, inbox, make_world

from postroom_simulator.clock import ManualClock
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.commands import COMMANDS
from postroom_simulator.pop3.replies import REPLY_LINE_LIMIT, reply_line


def test_section_3_keywords_are_three_or_four_characters() -> None:
    assert {len(verb) for verb in COMMANDS} <= {3, 4}


def test_section_3_reply_lines_are_at_most_512_octets() -> None:
    world = make_world()
    world.add_account("long@example.test", "x")
    talk = Talk(world)
    said = talk.say(b"USER " + b"x" * 4000 + b"\r\nPASS " + b"y" * 4000 + b"\r\nAUTH " + b"z" * 4000 + b"\r\n")
    assert all(len(line) + 2 <= REPLY_LINE_LIMIT for line in said.split(b"\r\n"))
    assert len(reply_line("-ERR", "x" * 1000)) == REPLY_LINE_LIMIT


def test_section_3_status_indicators_are_upper_case() -> None:
    talk = Talk.logged_in(make_world(DOTTED))
    talk.say(b"stat\r\nretr 1\r\nretr 9\r\nnope\r\nquit\r\n")
    assert all(outgoing.octets.startswith((b"+OK", b"-ERR")) for outgoing in talk.outgoing)


def test_section_3_the_idle_limit_is_ten_minutes_and_removes_nothing() -> None:
    """On the world's clock, with a client that only waits."""
    world = make_world(DOTTED)
    assert world.pop3.settings.idle_limit == 600
    assert isinstance(world.clock, ManualClock)
    with world.connect("pop3") as line:
        reader = line.makefile("rb")
        reader.readline()
        for said in (b"USER bob\r\n", b"PASS open sesame\r\n", b"DELE 1\r\n"):
            line.sendall(said)
            assert reader.readline().startswith(b"+OK")
        world.clock.advance(seconds=599)
        line.sendall(b"NOOP\r\n")
        assert reader.readline().startswith(b"+OK"), "any command starts the time anew"
        before = world.clock.monotonic()
        assert reader.readline() == b"", "closed without a word"
        assert world.clock.monotonic() - before == pytest.approx(600)
    assert world.inbox(BOB) == [DOTTED]
    assert world.pop3.locks.holder(BOB) is None
    assert [entry.detail for entry in world.journal.entries(kind=Kind.CLOSED)] == ["timeout"]


def test_section_4_a_failed_login_keeps_the_connection_and_takes_no_lock() -> None:
    world = make_world(DOTTED)
    talk = Talk(world)
    talk.say(b"USER bob\r\nPASS wrong\r\n")
    assert not talk.session.closed
    assert world.pop3.locks.holder(BOB) is None
    assert talk.say(LOGIN) == WELCOME


def test_section_5_numbers_do_not_move() -> None:
    talk = Talk.logged_in(make_world(DOTTED, PLAIN, DOTTED))
    talk.say(b"DELE 1\r\n")
    assert talk.say(b"LIST\r\n") == b"+OK 2 messages\r\n2 25\r\n3 28\r\n.\r\n"
    assert talk.say(b"RETR 2\r\n").startswith(b"+OK 25")


def test_section_5_an_empty_maildrop() -> None:
    talk = Talk.logged_in(make_world())
    assert talk.say(b"STAT\r\nLIST\r\nUIDL\r\n") == (
        b"+OK 0 0\r\n+OK 0 messages\r\n.\r\n+OK unique-id listing follows\r\n.\r\n"
    )
    assert talk.say(b"LIST 1\r\n").startswith(b"-ERR no such message")


def test_section_6_what_comes_behind_quit_is_never_run() -> None:
    """Pipelined or late: the session is in UPDATE, and then over."""
    world = make_world(DOTTED, PLAIN)
    talk = Talk.logged_in(world)
    assert talk.say(b"DELE 1\r\nQUIT\r\nRSET\r\nDELE 2\r\nQUIT\r\n").split(b"\r\n")[-2] == b"+OK bye, 1 messages removed"
    assert talk.session.closed
    assert talk.say(b"STAT\r\n") == b""
    assert world.inbox(BOB) == [PLAIN]
    assert world.journal.count(kind=Kind.COMMAND, verb="RSET") == 0
    assert world.journal.count(kind=Kind.COMMAND, verb="QUIT") == 1


def test_section_6_the_lock_is_let_go_with_update() -> None:
    world = make_world(DOTTED)
    first = Talk.logged_in(world)
    first.say(b"QUIT\r\n")
    assert Talk(world).say(LOGIN) == WELCOME


def test_section_6_quit_before_login_is_no_update() -> None:
    world = make_world(DOTTED)
    talk = Talk(world)
    assert talk.say(b"USER bob\r\nQUIT\r\n").endswith(b"+OK bye\r\n")
    assert len(inbox(world)) == 1


HEAD = b"Subject: x\r\nTo: y\r\n"

TOPS = [
    (HEAD + b"\r\n", 0, HEAD + b"\r\n"),
    (HEAD + b"\r\n", 5, HEAD + b"\r\n"),
    (HEAD, 0, HEAD),
    (HEAD.removesuffix(b"\r\n"), 3, HEAD),
    (HEAD + b"\r\n\r\n\r\nx\r\n", 2, HEAD + b"\r\n\r\n\r\n"),
    (b"\r\nbody\r\nmore\r\n", 1, b"\r\nbody\r\n"),
    (b"\r\n", 1, b"\r\n"),
    (b"", 1, b""),
    (HEAD + b"\r\n.\r\n..\r\n.x", 1, HEAD + b"\r\n..\r\n"),
    (HEAD + b"\r\n.\r\n..\r\n.x", 3, HEAD + b"\r\n..\r\n...\r\n..x\r\n"),
    (b".dot: in the head\r\n\r\nx\r\n", 0, b"..dot: in the head\r\n\r\n"),
    (HEAD.replace(b"\r\n", b"\n") + b"\na\nb\n", 1, HEAD + b"\r\na\r\n"),
    (HEAD + b"\r\na\r\n" + b"x" * 5000, 2, HEAD + b"\r\na\r\n" + b"x" * 5000 + b"\r\n"),
]


@pytest.mark.parametrize(("octets", "lines", "top"), TOPS)
def test_section_7_top(octets: bytes, lines: int, top: bytes) -> None:
    world = make_world(octets)
    talk = Talk.logged_in(world)
    assert talk.say(b"TOP 1 %d\r\n" % lines) == b"+OK top of message follows\r\n" + top + b".\r\n"
    assert world.journal.count(kind=Kind.OFFERED) == 0, "a top is no message"
    assert talk.say(b"TOP 1\r\nTOP 1 -1\r\nTOP 2 1\r\n").count(b"-ERR") == 3
    assert talk.say(b"DELE 1\r\nTOP 1 0\r\n").endswith(b"-ERR message 1 is marked as deleted\r\n")


def test_section_7_uidl_is_short_and_of_the_admitted_characters() -> None:
    talk = Talk.logged_in(make_world(DOTTED, DOTTED, PLAIN))
    rows = talk.say(b"UIDL\r\n").split(b"\r\n")[1:-2]
    names = [row.split(b" ")[1] for row in rows]
    assert all(1 <= len(name) <= 70 and all(0x21 <= octet <= 0x7E for octet in name) for name in names)
    assert len(set(names)) == 3


def test_section_8_more_than_one_way_to_log_in() -> None:
    talk = Talk(make_world())
    assert {b"USER", b"SASL PLAIN"} <= set(talk.say(b"CAPA\r\n").split(b"\r\n"))


def test_section_11_each_line_end_counts_as_two() -> None:
    talk = Talk.logged_in(make_world(b"a: b\n\nc\n", b"a: b\r\n\r\nc\r\n"))
    assert talk.say(b"LIST\r\n") == b"+OK 2 messages\r\n1 11\r\n2 11\r\n.\r\n"


@pytest.mark.parametrize("verb", ["LAST", "RPOP", "XTND", "TLS"])
def test_what_earlier_versions_had_is_unknown(verb: str) -> None:
    assert Talk.logged_in(make_world()).say(verb.encode() + b"\r\n") == b"-ERR unknown command\r\n"
