"""How often somebody may log in, how long mail stays, and what CAPA says of it (RFC 2449 §6.5, §6.7, §6.9)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pop3_talk import BOB, DOTTED, LOGIN, PLAIN, WELCOME, Talk, inbox, make_world

from postroom_simulator.clock import ManualClock
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.policy import NEVER, Policy
from postroom_simulator.world import World

EVE = "eve@example.test"


def advance(world: World, **units: float) -> None:
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(**units)


def capa(talk: Talk) -> list[bytes]:
    return talk.say(b"CAPA\r\n").split(b"\r\n")[1:-2]


def said(talk: Talk, name: bytes) -> list[bytes]:
    return [line for line in capa(talk) if line.startswith(name)]


def test_too_early_logins_are_refused_on_the_worlds_clock() -> None:
    world = make_world(DOTTED)
    world.pop3.policies.default = Policy(login_delay=600)
    talk = Talk.logged_in(world)
    talk.say(b"QUIT\r\n")
    advance(world, seconds=599)
    early = Talk(world)
    assert early.say(LOGIN).endswith(b"-ERR [LOGIN-DELAY] too soon after the last login, try again in 1 seconds\r\n")
    assert not early.session.closed
    assert world.pop3.locks.holder(BOB) is None
    assert world.journal.entries(kind=Kind.LOGIN)[-1].data["ok"] is False
    advance(world, seconds=1)
    assert early.say(LOGIN) == WELCOME


def test_a_refused_login_does_not_count_for_the_delay() -> None:
    world = make_world(DOTTED)
    world.pop3.policies.default = Policy(login_delay=600)
    Talk(world).say(b"USER bob\r\nPASS wrong\r\n")
    assert Talk(world).say(LOGIN) == WELCOME


def test_wrong_credentials_learn_nothing_of_the_delay() -> None:
    world = make_world(DOTTED)
    world.pop3.policies.default = Policy(login_delay=600)
    Talk.logged_in(world).say(b"QUIT\r\n")
    assert Talk(world).say(b"USER bob\r\nPASS wrong\r\n").endswith(b"-ERR [AUTH] authentication failed\r\n")


def test_the_delay_of_one_account() -> None:
    world = make_world(DOTTED)
    world.add_account(EVE, "secret")
    world.pop3.policies[BOB.upper()] = Policy(login_delay=600)
    Talk.logged_in(world).say(b"QUIT\r\n")
    assert b"[LOGIN-DELAY]" in Talk(world).say(LOGIN)
    for _ in range(2):
        eve = Talk(world)
        assert b"-ERR" not in eve.say(b"USER eve\r\nPASS secret\r\nQUIT\r\n")
    del world.pop3.policies[BOB]
    assert Talk(world).say(LOGIN) == WELCOME


def test_what_capa_says_of_delays() -> None:
    world = make_world(DOTTED)
    world.add_account(EVE, "secret")
    assert said(Talk(world), b"LOGIN-DELAY") == []
    world.pop3.policies.default = Policy(login_delay=60)
    assert said(Talk(world), b"LOGIN-DELAY") == [b"LOGIN-DELAY 60"]
    world.pop3.policies[BOB] = Policy(login_delay=900)
    assert said(Talk(world), b"LOGIN-DELAY") == [b"LOGIN-DELAY 900 USER"], "the longest, and that it may differ"
    assert said(Talk.logged_in(world), b"LOGIN-DELAY") == [b"LOGIN-DELAY 900"]
    eve = Talk(world)
    eve.say(b"USER eve\r\nPASS secret\r\n")
    assert said(eve, b"LOGIN-DELAY") == [b"LOGIN-DELAY 60"]


def test_what_capa_says_of_expiry() -> None:
    world = make_world(DOTTED)
    assert said(Talk(world), b"EXPIRE") == []
    for days, shown in ((30, b"EXPIRE 30"), (NEVER, b"EXPIRE NEVER"), (0, b"EXPIRE 0")):
        world.pop3.policies.default = Policy(expire=days)  # type: ignore[arg-type]
        assert said(Talk(world), b"EXPIRE") == [shown]
    world.pop3.policies.default = Policy(expire=NEVER)
    world.pop3.policies[BOB] = Policy(expire=7)
    assert said(Talk(world), b"EXPIRE") == [b"EXPIRE 7 USER"], "the shortest, and that it may differ"
    talk = Talk.logged_in(world)
    assert said(talk, b"EXPIRE") == [b"EXPIRE 7"]


def test_mail_expires_so_many_days_after_it_came() -> None:
    world = make_world(DOTTED)
    first = inbox(world)[0]
    world.pop3.policies.default = Policy(expire=7)
    advance(world, days=5)
    world.store.deposit(BOB, PLAIN)
    advance(world, days=2, seconds=-1)
    Talk.logged_in(world).say(b"QUIT\r\n")
    assert len(inbox(world)) == 2
    advance(world, seconds=1)
    assert len(inbox(world)) == 2, "removed at the next login, not before"
    assert Talk.logged_in(world).say(b"STAT\r\n") == b"+OK 1 25\r\n"
    (entry,) = world.journal.entries(kind=Kind.REMOVED)
    assert (entry.data["uid"], entry.data["reason"]) == (first, "expired")


def test_mail_expires_so_many_days_after_it_was_retrieved() -> None:
    world = make_world(DOTTED, PLAIN)
    world.pop3.policies.default = Policy(expire=7, expire_from="retrieved")
    advance(world, days=30)
    Talk.logged_in(world).say(b"RETR 1\r\nTOP 2 0\r\nQUIT\r\n")
    advance(world, days=3)
    Talk.logged_in(world).say(b"RETR 1\r\nQUIT\r\n")  # the first time counts
    advance(world, days=4)
    assert Talk.logged_in(world).say(b"STAT\r\n") == b"+OK 1 25\r\n"


def test_never_expires() -> None:
    world = make_world(DOTTED)
    world.pop3.policies.default = Policy(expire=NEVER)
    advance(world, days=5000)
    assert Talk.logged_in(world).say(b"STAT\r\n") == b"+OK 1 28\r\n"


def test_expire_0_removes_what_was_retrieved_at_quit_only() -> None:
    world = make_world(DOTTED, PLAIN, DOTTED)
    world.pop3.policies.default = Policy(expire=0)
    talk = Talk.logged_in(world)
    talk.say(b"RETR 1\r\n")
    talk.session.receive_eof()
    assert len(inbox(world)) == 3
    talk = Talk.logged_in(world)
    assert talk.say(b"RETR 1\r\nDELE 2\r\nTOP 3 9\r\nQUIT\r\n").endswith(b"+OK bye, 2 messages removed\r\n")
    assert len(inbox(world)) == 1


@pytest.mark.parametrize("values", [{"login_delay": -1}, {"expire": -1}, {"expire": "soon"}])
def test_policies_that_cannot_be(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"delay|expires"):
        Policy(**values)  # type: ignore[arg-type]


def test_the_implementation_may_be_told_late() -> None:
    world = make_world(DOTTED)
    assert said(Talk(world), b"IMPLEMENTATION") == [b"IMPLEMENTATION Postroom"]
    world.pop3.settings.implementation_late = True
    talk = Talk(world)
    assert said(talk, b"IMPLEMENTATION") == []
    talk.say(LOGIN)
    assert said(talk, b"IMPLEMENTATION") == [b"IMPLEMENTATION Postroom"]


def test_a_mailbox_that_is_not_there_needs_somebody() -> None:
    world = make_world(DOTTED)
    world.store.close_account(BOB)
    assert Talk(world).say(LOGIN).endswith(b"-ERR [SYS/PERM] the maildrop cannot be opened\r\n")


def test_a_dead_session_lets_go_on_the_clock() -> None:
    world = make_world(DOTTED)
    assert world.lock_maildrop(BOB, 300)
    assert not world.lock_maildrop(BOB, 300), "it is held"
    assert b"-ERR [IN-USE]" in Talk(world).say(LOGIN)
    advance(world, seconds=timedelta(minutes=5).total_seconds() - 1)
    assert b"-ERR [IN-USE]" in Talk(world).say(LOGIN)
    advance(world, seconds=1)
    assert world.pop3.locks.holder(BOB, world.clock.monotonic()) is None
    assert Talk(world).say(LOGIN) == WELCOME


def test_nothing_is_remembered_of_messages_that_are_gone() -> None:
    world = make_world(DOTTED, PLAIN, DOTTED, PLAIN)
    world.pop3.policies.default = Policy(expire=7)
    copy = world.copy_inbox(BOB)
    for uid in inbox(world):
        world.withdraw(uid)
    world.restore_inbox(copy)
    Talk.logged_in(world).say(b"RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\nDELE 1\r\nQUIT\r\n")
    assert len(world.pop3.names) == len(world.pop3.policies._retrieved) == 3
    world.withdraw(inbox(world)[0])
    assert len(world.pop3.names) == len(world.pop3.policies._retrieved) == 2
    world.reset_uidls(BOB)
    assert not world.pop3.names
    assert not world.pop3.policies._retrieved
