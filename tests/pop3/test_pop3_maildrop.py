"""The snapshot, when others touch the mailbox meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pop3_talk import BOB, DOTTED, PLAIN, Talk, inbox, make_world

from postroom_simulator.errors import StoreError
from postroom_simulator.journal import Kind
from postroom_simulator.pop3.maildrop import Maildrop, uid_of, uidl
from postroom_simulator.pop3.replies import Refusal
from postroom_simulator.store.interface import Role


def test_unique_ids_map_back() -> None:
    world = make_world(DOTTED, DOTTED)
    ids = [uidl(world.store.item(uid)) for uid in inbox(world)]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[\x21-\x7e]{1,70}", unique_id) for unique_id in ids)
    assert [uid_of(unique_id) for unique_id in ids] == inbox(world)
    assert uid_of("nobody-made-this") is None
    assert uid_of("") is None


def test_mail_that_arrives_is_seen_next_time() -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    world.store.deposit(BOB, PLAIN)
    assert talk.say(b"STAT\r\nRETR 2\r\nQUIT\r\n").startswith(b"+OK 1 28\r\n-ERR no such message, the maildrop has 1\r\n")
    assert Talk.logged_in(world).say(b"STAT\r\n") == b"+OK 2 53\r\n"


def test_what_vanished_is_refused_and_its_removal_no_failure() -> None:
    world = make_world(DOTTED, PLAIN)
    first, second = inbox(world)
    talk = Talk.logged_in(world)
    world.store.delete([first])
    listing = b"+OK 2 53\r\n+OK 2 messages\r\n1 28\r\n2 25\r\n.\r\n"
    assert talk.say(b"STAT\r\nLIST\r\nRETR 1\r\nTOP 1 0\r\n") == listing + b"-ERR message 1 is gone\r\n" * 2
    assert talk.say(b"DELE 1\r\nDELE 2\r\nQUIT\r\n").endswith(b"+OK bye, 1 messages removed\r\n")
    assert [entry.data["uid"] for entry in world.journal.entries(kind=Kind.REMOVED)] == [second]
    assert inbox(world) == []


def test_what_was_altered_is_refused_and_stays() -> None:
    world = make_world(DOTTED, PLAIN)
    first, second = inbox(world)
    talk = Talk.logged_in(world)
    before = talk.say(b"UIDL 1\r\n")
    world.store.replace_octets(first, b"Subject: quite another one\r\n\r\n")
    assert talk.say(b"RETR 1\r\n") == b"-ERR message 1 was altered by somebody else\r\n"
    assert talk.say(b"UIDL 1\r\nLIST 1\r\n") == before + b"+OK 1 28\r\n"
    assert talk.say(b"DELE 1\r\nDELE 2\r\nQUIT\r\n").endswith(b"-ERR [SYS/TEMP] some deleted messages not removed\r\n")
    assert talk.session.closed
    assert inbox(world) == [first]
    assert [entry.data["uid"] for entry in world.journal.entries(kind=Kind.REMOVED)] == [second]
    assert Talk.logged_in(world).say(b"UIDL 1\r\n") != before


def test_what_was_moved_away_is_not_removed() -> None:
    world = make_world(DOTTED)
    (uid,) = inbox(world)
    talk = Talk.logged_in(world)
    talk.say(b"DELE 1\r\n")
    archive = world.store.folder(BOB, Role.DELETED)
    moved = world.store.move(uid, archive.uid)
    assert talk.say(b"RSET\r\nRETR 1\r\n").endswith(b"-ERR message 1 is gone\r\n")
    talk.say(b"DELE 1\r\n")
    assert talk.say(b"QUIT\r\n") == b"+OK bye, 0 messages removed\r\n"
    assert world.store.item(moved.uid).folder == archive.uid


def test_what_was_moved_away_and_back_is_another_message() -> None:
    world = make_world(DOTTED)
    (uid,) = inbox(world)
    first = Talk.logged_in(world)
    before = first.say(b"UIDL\r\n")
    away = world.store.move(uid, world.store.folder(BOB, Role.DELETED).uid)
    world.store.move(away.uid, world.store.folder(BOB, Role.INBOX).uid)
    assert first.say(b"DELE 1\r\nQUIT\r\n").endswith(b"+OK bye, 0 messages removed\r\n")
    assert len(inbox(world)) == 1
    assert Talk.logged_in(world).say(b"UIDL\r\n") != before


def test_a_name_that_was_kept_ends_with_a_move() -> None:
    world = make_world(DOTTED)
    old = world.copy_inbox(BOB)

    def names() -> bytes:
        return Talk.logged_in(world).say(b"UIDL\r\nQUIT\r\n")

    before = names()
    world.withdraw(inbox(world)[0])
    world.restore_inbox(old)
    assert names() == before
    world.store.move(inbox(world)[0], world.store.folder(BOB, Role.DELETED).uid)
    assert world.pop3.names == {}
    world.restore_inbox(old)
    assert names() == before


def test_flags_do_not_matter() -> None:
    world = make_world(DOTTED)
    talk = Talk.logged_in(world)
    world.store.set_read(inbox(world), True)
    assert talk.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n").endswith(b"+OK bye, 1 messages removed\r\n")


def test_a_store_that_fails_to_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(DOTTED, PLAIN, DOTTED)
    broken = inbox(world)[1]
    delete = world.store.delete

    def failing(uids: Iterable[int]) -> None:
        uids = list(uids)
        if broken in uids:
            raise StoreError("a bad sector")
        delete(uids)

    monkeypatch.setattr(world.store, "delete", failing)
    talk = Talk.logged_in(world)
    assert talk.say(b"DELE 1\r\nDELE 2\r\nDELE 3\r\nQUIT\r\n").endswith(
        b"-ERR [SYS/TEMP] some deleted messages not removed\r\n"
    )
    assert inbox(world) == [broken]
    assert len(world.journal.entries(kind=Kind.REMOVED)) == 2


def test_a_store_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(DOTTED)

    def failing(folder: int) -> None:
        raise StoreError("a bad sector")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "items", failing)
        talk = Talk(world)
        assert talk.say(b"USER bob\r\nPASS open sesame\r\n").endswith(b"-ERR [SYS/TEMP] the maildrop cannot be opened\r\n")
    assert world.pop3.locks.holder(BOB) is None
    assert Talk.logged_in(world).say(b"STAT\r\n") == b"+OK 1 28\r\n"


def test_opening_reads_no_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(*(b"Subject: %d\r\n\r\n" % n for n in range(50)))

    def refuse(uid: int) -> bytes:
        raise AssertionError("octets were read")

    monkeypatch.setattr(world.store, "wire", refuse)
    monkeypatch.setattr(world.store, "served", refuse)
    monkeypatch.setattr(world.store, "octets", refuse)
    talk = Talk.logged_in(world)
    assert talk.say(b"STAT\r\nLIST\r\nUIDL\r\nDELE 3\r\nQUIT\r\n").count(b"+OK") == 5


@given(
    lines=st.lists(st.sampled_from([b"", b".", b"..", b"a", b".a", b"a.", b"\r", b"x\ry", b"\xe4"]), max_size=8),
    end=st.sampled_from([b"", b"\n", b"\r\n"]),
    lf=st.booleans(),
    wanted=st.integers(0, 9),
)
@settings(max_examples=60)
def test_sizes_stuffing_and_top(lines: list[bytes], end: bytes, lf: bool, wanted: int) -> None:
    """What RETR sends is as long as LIST says, without the stuffing; TOP sends its beginning."""
    octets = (b"\n" if lf else b"\r\n").join([b"Subject: x", *lines]) + end
    talk = Talk.logged_in(make_world(octets))
    size = int(talk.say(b"LIST 1\r\n").split()[2])
    head, _, rest = talk.say(b"RETR 1\r\n").partition(b"\r\n")
    assert head == b"+OK %d octets" % size
    assert rest.endswith(b"\r\n.\r\n")
    sent = rest[: -len(b".\r\n")].split(b"\r\n")[:-1]
    assert not any(line.startswith(b".") and not line.startswith(b"..") for line in sent)
    assert sum(len(line.removeprefix(b".")) + 2 for line in sent) == size
    top = talk.say(b"TOP 1 %d\r\n" % wanted).partition(b"\r\n")[2][: -len(b".\r\n")].split(b"\r\n")[:-1]
    blank = sent.index(b"") if b"" in sent else len(sent)
    assert top == sent[: blank + 1 + wanted]


def test_the_maildrop_alone() -> None:
    world = make_world(DOTTED, PLAIN)
    maildrop = Maildrop.open(world.store, BOB)
    assert maildrop.figures == (2, 53)
    maildrop.mark(1)
    assert maildrop.figures == (1, 25)
    assert maildrop.sizes() == b"2 25\r\n"
    for number in (0, 1, 3, -1):
        with pytest.raises(Refusal):
            maildrop.item(number)
    maildrop.unmark_all()
    assert maildrop.figures == (2, 53)
    assert maildrop.sizes() == b"1 28\r\n2 25\r\n"
