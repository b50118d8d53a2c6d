"""Servers that are not what the RFCs want: each trouble as a client sees it, and in the journal."""

from __future__ import annotations

import pytest
from pop3_talk import BOB, DOTTED, LOGIN, PLAIN, Talk, inbox, make_world

from postroom_simulator.clock import ManualClock
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.troubles import Troubles
from postroom_simulator.world import World


def world_in(**trouble: object) -> World:
    world = make_world(DOTTED, PLAIN, DOTTED, PLAIN)
    world.pop3.troubles[BOB.upper()] = Troubles(**trouble)  # type: ignore[arg-type]
    return world


def names(talk: Talk) -> dict[bytes, bytes]:
    rows = talk.say(b"UIDL\r\n").split(b"\r\n")[1:-2]
    return {number: name for number, _, name in (row.partition(b" ") for row in rows)}


def told(world: World) -> list[str]:
    return [entry.data["trouble"] for entry in world.journal.entries(kind=Kind.NOTE) if "trouble" in entry.data]


def again(world: World, talk: Talk) -> Talk:
    talk.say(b"QUIT\r\n")
    return Talk.logged_in(world)


def test_each_login_with_troubles_is_journalled() -> None:
    world = world_in(uidl="reset", vanished={2, 1}, sizes=3)
    Talk.logged_in(world).say(b"QUIT\r\n")
    (entry,) = world.journal.expect(1, kind=Kind.NOTE, data={"trouble": "login"})
    assert entry.detail == "in trouble: uidl reset, sizes 3, vanished 1 2"
    assert entry.account == BOB
    del world.pop3.troubles[BOB]
    Talk.logged_in(world)
    assert world.journal.count(kind=Kind.NOTE, data={"trouble": "login"}) == 1


def test_ids_that_are_others_each_time() -> None:
    world = world_in(uidl="reset")
    first = Talk.logged_in(world)
    before = names(first)
    assert names(first) == before, "the same within a session"
    after = names(again(world, first))
    assert len(set(before.values()) | set(after.values())) == 8


def test_ids_of_others() -> None:
    world = world_in(uidl="reused")
    talk = Talk.logged_in(world)
    before = names(talk)
    talk.say(b"DELE 1\r\n")
    after = names(again(world, talk))
    assert [after[b"1"], after[b"3"]] == [before[b"1"], before[b"3"]]
    assert len(after) == 3


def test_doubled_ids() -> None:
    rows = names(Talk.logged_in(world_in(uidl="doubled")))
    assert rows[b"1"] == rows[b"2"] != rows[b"3"] == rows[b"4"]


def test_missing_ids() -> None:
    world = world_in(uidl="missing")
    talk = Talk.logged_in(world)
    assert list(names(talk)) == [b"1", b"3"]
    assert talk.say(b"UIDL 2\r\n") == b"-ERR message 2 has no unique id\r\n"
    assert talk.say(b"LIST\r\n").startswith(b"+OK 4 messages")
    assert talk.say(b"RETR 2\r\n").startswith(b"+OK 25 octets")
    assert told(world) == ["login", "uidl"]


def test_long_and_illegal_ids() -> None:
    assert {len(name) for name in names(Talk.logged_in(world_in(uidl="long"))).values()} == {400}
    rows = names(Talk.logged_in(world_in(uidl="illegal")))
    assert len(set(rows.values())) == 4
    assert all(b" \x01\xc3\xa9" in name for name in rows.values())


def test_no_unique_ids_for_this_account() -> None:
    world = world_in(no_uidl=True)
    world.add_account("eve@example.test", "secret")
    talk = Talk(world)
    assert b"\r\nUIDL\r\n" in talk.say(b"CAPA\r\n"), "nobody knows who it is"
    talk.say(LOGIN)
    assert b"\r\nUIDL\r\n" not in talk.say(b"CAPA\r\n")
    assert talk.say(b"UIDL\r\n") == b"-ERR unknown command\r\n"
    eve = Talk(world)
    eve.say(b"USER eve\r\nPASS secret\r\n")
    assert eve.say(b"UIDL\r\n").startswith(b"+OK")


def test_wrong_sizes() -> None:
    talk = Talk.logged_in(world_in(sizes=-26))
    assert talk.say(b"LIST 1\r\nLIST 2\r\nSTAT\r\n") == b"+OK 1 2\r\n+OK 2 0\r\n+OK 4 4\r\n"
    assert talk.say(b"RETR 2\r\n") == b"+OK 0 octets\r\nSubject: two\r\n\r\na\r\nb\r\nc\r\n.\r\n"
    assert Talk.logged_in(world_in(sizes="zero")).say(b"STAT\r\n") == b"+OK 4 0\r\n"


def test_vanished() -> None:
    world = world_in(vanished={2})
    talk = Talk.logged_in(world)
    assert len(names(talk)) == 4
    assert talk.say(b"LIST 2\r\n") == b"+OK 2 25\r\n"
    assert talk.say(b"RETR 2\r\n").startswith(b"-ERR message 2 is gone")
    assert talk.say(b"TOP 2 0\r\n").startswith(b"-ERR message 2 is gone")
    assert talk.say(b"RETR 1\r\n").startswith(b"+OK")
    assert told(world) == ["login", "vanished", "vanished"]
    assert [entry.data["uid"] for entry in world.journal.entries(kind=Kind.OFFERED)] == inbox(world)[:1]


def test_altered() -> None:
    world = world_in(altered={2})
    first = Talk.logged_in(world)
    ids, octets = names(first), first.say(b"RETR 2\r\n")
    assert octets == first.say(b"RETR 2\r\n"), "the same within a session"
    assert int(first.say(b"LIST 2\r\n").split()[2]) == len(octets.partition(b"\r\n")[2]) - 3
    second = again(world, first)
    assert names(second) == ids
    assert second.say(b"RETR 2\r\n") != octets
    assert second.say(b"RETR 1\r\n") == b"+OK 28 octets\r\nSubject: one\r\n\r\n..dot\r\nlast\r\n.\r\n"


@pytest.mark.parametrize("end", ["eof", "timeout", "QUIT"])
def test_a_session_that_ends_badly_holds_on(end: str) -> None:
    world = world_in(lock=300)
    talk = Talk.logged_in(world)
    if end == "QUIT":
        talk.say(b"QUIT\r\n")
    else:
        talk.session.receive_eof() if end == "eof" else talk.session.timeout()
        talk.session.receive_eof()
        assert b"-ERR [IN-USE]" in Talk(world).say(LOGIN)
        assert told(world) == ["login", "lock"]
        assert isinstance(world.clock, ManualClock)
        world.clock.advance(minutes=5)
    assert b"-ERR" not in Talk(world).say(LOGIN)


LISTINGS = {
    "more": [b"1", b"2", b"3", b"4", b"5"],
    "fewer": [b"1", b"2", b"3"],
    "twice": [b"1", b"1", b"2", b"2", b"3", b"3", b"4", b"4"],
    "reversed": [b"4", b"3", b"2", b"1"],
    "stat": [b"1", b"2", b"3", b"4"],
}


@pytest.mark.parametrize("lie", LISTINGS)
def test_listings_that_lie(lie: str) -> None:
    talk = Talk.logged_in(world_in(listing_lies=lie))
    for verb in (b"UIDL", b"LIST"):
        rows = talk.say(verb + b"\r\n").split(b"\r\n")[1:-2]
        assert [row.split(b" ")[0] for row in rows] == LISTINGS[lie]
    assert talk.say(b"STAT\r\n") == (b"+OK 5 106\r\n" if lie == "stat" else b"+OK 4 106\r\n")


def test_a_message_without_end() -> None:
    world = world_in(endless=10_000)
    talk = Talk.logged_in(world)
    said = talk.say(b"RETR 1\r\nQUIT\r\n")
    assert len(said) == 10_000 + len(b"+OK 28 octets\r\n") + 29
    assert b"\r\n.\r\n" not in said
    assert not talk.session.closed
    assert talk.say(b"NOOP\r\n") == b"", "nothing is heard any more"
    assert not world.journal.entries(kind=Kind.OFFERED)
    talk.session.timeout()
    assert talk.session.closed
    assert len(inbox(world)) == 4


# -- old copies


def test_an_inbox_as_it_was() -> None:
    world = make_world(DOTTED, PLAIN)
    talk = Talk.logged_in(world)
    before = names(talk)
    copy = world.copy_inbox(BOB)
    talk.say(b"DELE 1\r\n")
    talk = again(world, talk)
    world.store.deposit(BOB, PLAIN)
    talk = again(world, talk)
    assert len(names(talk)) == 2
    world.restore_inbox(copy)
    talk = again(world, talk)
    assert set(names(talk).values()) == set(before.values()), "removed mail is back under its id, newer mail is gone"
    assert sorted(world.inbox(BOB)) == sorted([DOTTED, PLAIN])
    assert "restored" in [entry.data.get("reason") for entry in world.journal.entries(kind=Kind.REMOVED)]
    world.restore_inbox(copy)
    assert set(names(again(world, talk)).values()) == set(before.values()), "twice is the same"


def test_an_old_copy_comes_with_a_login_and_once() -> None:
    world = make_world(DOTTED)
    world.pop3.troubles[BOB] = Troubles(restored_from=world.copy_inbox(BOB))
    (uid,) = inbox(world)
    world.withdraw(uid)
    talk = Talk.logged_in(world)
    assert talk.say(b"STAT\r\n") == b"+OK 1 28\r\n"
    talk.say(b"DELE 1\r\n")
    assert again(world, talk).say(b"STAT\r\n") == b"+OK 0 0\r\n"
    assert world.journal.count(kind=Kind.NOTE, data={"before": uid}) == 1


def test_nothing_of_a_trouble_touches_the_store() -> None:
    world = world_in(uidl="illegal", sizes=7, altered={1}, listing_lies="more")
    before = world.inbox(BOB)
    talk = Talk.logged_in(world)
    talk.say(b"LIST\r\nUIDL\r\nRETR 1\r\nRETR 5\r\nDELE 5\r\nQUIT\r\n")
    assert world.inbox(BOB) == before


def test_an_old_copy_has_its_old_order() -> None:
    world = make_world(DOTTED, PLAIN, DOTTED)
    talk = Talk.logged_in(world)
    before = talk.say(b"UIDL\r\n")
    talk.say(b"QUIT\r\n")
    copy = world.copy_inbox(BOB)
    world.withdraw(inbox(world)[0])
    world.place(BOB, b"newer")
    world.restore_inbox(copy)
    assert Talk.logged_in(world).say(b"UIDL\r\n") == before
