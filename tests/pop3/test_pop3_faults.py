"""What faults do to steps: what is said, what is done, what is still to come."""

from __future__ import annotations

import base64

import pytest
from pop3_talk import BOB, DOTTED, GREETING, LOGIN, PASSWORD, PLAIN, WELCOME, Talk, inbox, make_world, plant

from postroom_simulator.faults import Cut, Delay, Drip, Drop, Effect, Garble, Lie, LoseReply, Reply, Stall
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.commands import COMMANDS, State
from postroom_simulator.pop3.maildrop import uidl
from postroom_simulator.pop3.policy import Policy
from postroom_simulator.session import Outgoing

ONE = b"+OK 28 octets\r\nSubject: one\r\n\r\n..dot\r\nlast\r\n.\r\n"
GOOD = base64.b64encode(b"\0bob\0open sesame")

IN_TRANSACTION = {
    "STAT": b"STAT",
    "LIST": b"LIST",
    "RETR": b"RETR 1",
    "DELE": b"DELE 1",
    "NOOP": b"NOOP",
    "RSET": b"RSET",
    "TOP": b"TOP 1 0",
    "UIDL": b"UIDL",
    "CAPA": b"CAPA",
    "LANG": b"LANG",
    "QUIT": b"QUIT",
}


def test_the_list_below_is_whole() -> None:
    assert set(IN_TRANSACTION) == {verb for verb, row in COMMANDS.items() if State.TRANSACTION in row.states}


@pytest.mark.parametrize("verb", IN_TRANSACTION)
def test_reply_is_said_instead_of_acting(verb: str) -> None:
    world = make_world(DOTTED, PLAIN)
    talk = Talk.logged_in(world)
    plant(world, verb, Reply("-ERR", "[SYS/TEMP] try later"), nth=1)
    assert talk.say(IN_TRANSACTION[verb] + b"\r\n") == b"-ERR [SYS/TEMP] try later\r\n"
    assert talk.say(b"STAT\r\n") == b"+OK 2 53\r\n"
    assert not world.journal.entries(kind=Kind.OFFERED)
    assert talk.say(b"QUIT\r\n") == b"+OK bye, 0 messages removed\r\n"
    assert len(inbox(world)) == 2


@pytest.mark.parametrize("verb", IN_TRANSACTION)
def test_drop_ends_without_acting(verb: str) -> None:
    world = make_world(DOTTED, PLAIN)
    talk = Talk.logged_in(world)
    talk.say(b"DELE 2\r\n")
    plant(world, verb, Drop("rst"), nth=1)
    assert talk.say(IN_TRANSACTION[verb] + b"\r\nSTAT\r\nQUIT\r\n") == b""
    assert talk.outgoing[-1] == Outgoing(b"", Drop("rst"))
    assert talk.session.closed
    assert len(inbox(world)) == 2
    assert world.pop3.locks.holder(BOB) is None


@pytest.mark.parametrize("effect", [Cut(4), LoseReply()])
@pytest.mark.parametrize("verb", [verb for verb in IN_TRANSACTION if verb != "QUIT"])
def test_a_lost_reply_ends_the_session_and_removes_nothing(verb: str, effect: Effect) -> None:
    world = make_world(DOTTED, PLAIN)
    talk = Talk.logged_in(world)
    talk.say(b"DELE 2\r\n")
    plant(world, verb, effect, nth=1)
    assert talk.say(IN_TRANSACTION[verb] + b"\r\nSTAT\r\nQUIT\r\n").count(b"+OK") == 1  # for the connection to cut or lose
    assert talk.effects == [effect]
    assert talk.session.closed
    assert len(inbox(world)) == 2
    assert not world.journal.entries(kind=Kind.OFFERED)
    assert world.pop3.locks.holder(BOB) is None


@pytest.mark.parametrize("effect", [Cut(0), LoseReply(), Delay(5), Garble(), Drip()])
def test_quit_acts_though_its_reply_is_lost(effect: Effect) -> None:
    world = make_world(DOTTED, PLAIN)
    talk = Talk.logged_in(world)
    plant(world, "QUIT", effect)
    assert talk.say(b"DELE 2\r\nQUIT\r\n").endswith(b"+OK bye, 1 messages removed\r\n")
    assert talk.effects == [effect]
    assert talk.session.closed
    assert len(inbox(world)) == 1
    assert world.pop3.locks.holder(BOB) is None
    talk.session.resume()
    assert talk.drain() == b""


def test_quit_that_stalls_has_not_acted() -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    plant(world, "QUIT", Stall(5), nth=1)
    assert talk.say(b"DELE 1\r\nQUIT\r\n") == b"+OK message 1 marked as deleted\r\n"
    assert len(inbox(world)) == 1
    assert not talk.session.closed
    talk.session.receive_eof()
    talk.session.resume()
    assert talk.drain() == b""
    assert len(inbox(world)) == 1
    again = Talk.logged_in(world)
    plant(world, "QUIT", Stall(5), nth=1)
    again.say(b"DELE 1\r\nQUIT\r\n")
    again.session.resume()
    assert again.drain() == b"+OK bye, 1 messages removed\r\n"
    assert inbox(world) == []


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_stall_acts_after_resume_and_nothing_overtakes(cut: int) -> None:
    world = make_world(DOTTED, PLAIN)
    talk = Talk.logged_in(world)
    plant(world, "RETR", Stall(30), nth=1)
    assert talk.say(b"STAT\r\nRETR 1\r\nDELE 1\r\n", cut) == b"+OK 2 53\r\n"
    assert talk.say(b"STAT\r\n", cut) == b""
    assert talk.outgoing[-1] == Outgoing(b"", Stall(30))
    talk.session.resume()
    assert talk.drain() == ONE + b"+OK message 1 marked as deleted\r\n+OK 1 25\r\n"
    assert len(world.journal.commands("RETR")) == 1
    assert len(world.journal.entries(kind=Kind.FAULT)) == 1


@pytest.mark.parametrize("effect", [Delay(3), Drip(2, 0.5)])
def test_slow_replies_keep_the_rest_waiting(effect: Effect) -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    plant(world, "RETR", effect, nth=1)
    assert talk.say(b"RETR 1\r\nSTAT\r\n") == ONE
    assert talk.effects == [effect]
    assert talk.say(b"NOOP\r\n") == b""
    talk.session.resume()
    assert talk.drain() == b"+OK 1 28\r\n+OK nothing done\r\n"


def test_garble_goes_with_the_octets() -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    plant(world, "RETR", Garble(2), nth=1)
    assert talk.say(b"RETR 1\r\nSTAT\r\n") == ONE + b"+OK 1 28\r\n"
    assert talk.effects == [Garble(2)]


@pytest.mark.parametrize(
    ("effect", "how"),
    [(Garble(2), "garbled"), (Lie("-ERR", "[SYS/TEMP] no"), "lied about"), (Lie("+OK", "here"), "lied about")],
)
def test_what_is_garbled_or_lied_about_was_not_offered(effect: Effect, how: str) -> None:
    """The client has another message than the server's, or none; that it was asked for, and under which unique id, is noted."""
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    plant(world, "RETR", effect, nth=1)
    talk.say(b"RETR 1\r\n")
    assert not world.journal.entries(kind=Kind.OFFERED)
    (note,) = world.journal.entries(kind=Kind.NOTE, detail="not offered")
    (uid,) = inbox(world)
    assert note.detail == f"{how}, not offered"
    assert note.data == {"uid": uid, "uidl": uidl(world.store.item(uid))}
    talk.say(b"RETR 1\r\n")
    assert [entry.data["uid"] for entry in world.journal.entries(kind=Kind.OFFERED)] == [uid]


@pytest.mark.parametrize("effect", [Garble(2), Lie("-ERR", "no")])
def test_the_server_thinks_that_it_was_retrieved(effect: Effect) -> None:
    """Such a fault is not of the server's knowing: EXPIRE 0 removes the message at QUIT (RFC 2449 §6.7)."""
    world = make_world(DOTTED)
    world.pop3.policies.default = Policy(expire=0)
    talk = Talk.logged_in(world)
    plant(world, "RETR", effect, nth=1)
    talk.say(b"RETR 1\r\nQUIT\r\n")
    assert inbox(world) == []


def test_a_cut_behind_the_end_loses_nothing() -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    plant(world, "RETR", Cut(len(ONE)))
    assert talk.say(b"RETR 1\r\nSTAT\r\n") == ONE
    assert talk.session.closed
    assert len(world.journal.entries(kind=Kind.OFFERED)) == 1


def test_greetings() -> None:
    world = make_world()
    plant(world, "greeting", Reply("-ERR", "[SYS/TEMP] come back"), nth=1)
    plant(world, "greeting", Stall(9), nth=2)
    plant(world, "greeting", Drop(), nth=3)
    plant(world, "greeting", Reply("+OK", "hello"), nth=4)
    refused = Talk(world)
    assert refused.greeting == b"-ERR [SYS/TEMP] come back\r\n"
    assert refused.session.closed
    slow = Talk(world)
    assert slow.greeting == b""
    assert slow.say(LOGIN) == b""
    slow.session.resume()
    assert slow.drain() == GREETING + WELCOME
    assert Talk(world).session.closed
    odd = Talk(world)
    assert odd.greeting == b"+OK hello\r\n"
    assert not odd.session.closed


def test_login_faults() -> None:
    world = make_world()
    plant(world, "PASS", Reply("-ERR", "[SYS/TEMP] no"), nth=1)
    plant(world, "PASS", LoseReply(), nth=2)
    talk = Talk(world)
    assert talk.say(LOGIN) == b"+OK send PASS\r\n-ERR [SYS/TEMP] no\r\n"
    assert world.pop3.locks.holder(BOB) is None
    assert talk.say(LOGIN) == WELCOME
    assert talk.session.closed
    assert world.pop3.locks.holder(BOB) is None
    assert Talk(world).say(LOGIN) == WELCOME


def test_faults_inside_an_exchange() -> None:
    world = make_world()
    plant(world, "auth", Reply("-ERR", "[SYS/TEMP] no"), nth=1)
    plant(world, "auth", Stall(1), nth=2)
    talk = Talk(world)
    assert talk.say(b"AUTH PLAIN\r\n" + GOOD + b"\r\n") == b"+ \r\n-ERR [SYS/TEMP] no\r\n"
    assert talk.say(b"AUTH PLAIN\r\n" + GOOD + b"\r\nSTAT\r\n") == b"+ \r\n"
    talk.session.resume()
    assert talk.drain() == b"+OK maildrop locked and ready\r\n+OK 0 0\r\n"


def test_faults_on_a_challenge_keep_the_exchange() -> None:
    world = make_world()
    plant(world, "AUTH", Delay(1), nth=1)
    talk = Talk(world)
    assert talk.say(b"AUTH PLAIN\r\n" + GOOD + b"\r\n") == b"+ \r\n"
    talk.session.resume()
    assert talk.drain() == b"+OK maildrop locked and ready\r\n"


@pytest.mark.parametrize("order", ["resume first", "handshake first"])
def test_stls_said_late(order: str) -> None:
    world = make_world()
    plant(world, "STLS", Delay(1))
    talk = Talk(world)
    assert talk.say(b"STLS\r\nQUIT\r\n") == b"+OK begin TLS negotiation\r\n"
    assert talk.session.wants_tls
    steps = [talk.session.resume, talk.session.tls_established]
    for step in steps if order == "resume first" else reversed(steps):
        step()
    assert talk.say(LOGIN) == WELCOME


def test_stls_whose_reply_is_lost_wants_nothing_more() -> None:
    world = make_world()
    plant(world, "STLS", LoseReply())
    talk = Talk(world)
    talk.say(b"STLS\r\n")
    assert talk.session.closed
    assert not talk.session.wants_tls


def test_faults_of_an_account_act_after_login() -> None:
    world = make_world()
    plant(world, "CAPA", Reply("-ERR", "not you"), account=BOB)
    talk = Talk(world)
    assert talk.say(b"CAPA\r\n").startswith(b"+OK")
    assert talk.say(LOGIN + b"CAPA\r\n") == WELCOME + b"-ERR not you\r\n"


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("USER", b"USER bob\r\n"),
        ("PASS", b"USER bob\r\nPASS nope\r\n"),
        ("AUTH", b"AUTH PLAIN " + GOOD + b"\r\n"),
        ("auth", b"AUTH PLAIN\r\n" + GOOD + b"\r\n"),
    ],
)
def test_faults_of_an_account_act_where_it_is_named(at: str, said: bytes) -> None:
    world = make_world()
    world.add_account("eve@example.test", PASSWORD)
    plant(world, at, Reply("-ERR", "not you"), account=BOB)
    eve = base64.b64encode(b"\0eve\0" + PASSWORD.encode())
    assert b"not you" not in Talk(world).say(said.replace(b"bob", b"eve").replace(GOOD, eve))
    assert Talk(world).say(said).endswith(b"-ERR not you\r\n")
