"""The contract of a mail store, for every store there is."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest

from postroom_simulator.clock import ManualClock
from postroom_simulator.errors import NoSuchFolder, NoSuchItem, QuotaExceeded, StoreError, UnknownAccount
from postroom_simulator.ids import Ids
from postroom_simulator.store import MailStore, Role
from postroom_simulator.store.interface import Happening, Item
from postroom_simulator.store.memory import MemoryMailStore
from postroom_simulator.store.tree import ARCHIVE, DISTINGUISHED, FURTHER

ANN = "ann@sim.test"
MAIL = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "spooled"])
def store(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[MailStore]:
    budget = {"memory": 1 << 20, "spooled": 0}[request.param]
    store = MemoryMailStore(clock, Ids(7), memory_budget=budget)
    store.open_account(ANN)
    yield store
    store.close()


def inbox(store: MailStore, account: str = ANN) -> int:
    return store.folder(account, Role.INBOX).uid


class TestAccounts:
    def test_a_new_account_has_every_distinguished_folder_below_the_root(self, store: MailStore) -> None:
        roles = {folder.role for folder in store.folders(ANN)}
        assert roles == {role for role, *_ in DISTINGUISHED}
        assert roles | set(FURTHER) | {role for role, *_ in ARCHIVE} == set(Role) - {Role.NONE}
        parents = {folder.uid: folder.parent for folder in store.folders(ANN)}
        root = store.folder(ANN, Role.ROOT).uid
        top = store.folder(ANN, Role.TOP)
        assert parents[root] is None
        assert top.parent == root
        assert store.folder(ANN, Role.INBOX).parent == top.uid

    def test_an_archive_is_a_tree_of_its_own(self, store: MailStore) -> None:
        with pytest.raises(NoSuchFolder):
            store.folder(ANN, Role.ARCHIVE_TOP)
        store.complete(ANN)
        assert not store.has_archive(ANN)
        before = len(store.folders(ANN))
        store.open_archive(ANN)
        store.open_archive(ANN)
        assert store.has_archive(ANN)
        assert len(store.folders(ANN)) == before + len(ARCHIVE)
        assert store.folder(ANN, Role.ARCHIVE_ROOT).parent is None
        item = store.deposit(ANN, MAIL)
        moved = store.move(item.uid, store.folder(ANN, Role.ARCHIVE_INBOX).uid)
        assert (moved.account, store.count(inbox(store))) == (ANN, 0)
        store.close_account(ANN)

    def test_opening_twice_changes_nothing(self, store: MailStore) -> None:
        store.deposit(ANN, MAIL)
        store.open_account("ANN@SIM.test", quota=1)
        assert store.count(inbox(store)) == 1
        assert len(store.folders(ANN)) == len(DISTINGUISHED)

    def test_addresses_fold_ascii_case(self, store: MailStore) -> None:
        assert store.deposit("Ann@Sim.TEST", MAIL).account == ANN

    def test_an_account_that_was_not_opened_is_unknown(self, store: MailStore) -> None:
        with pytest.raises(UnknownAccount, match=r"bob@sim\.test"):
            store.deposit("bob@sim.test", MAIL)
        with pytest.raises(UnknownAccount):
            store.folders("bob@sim.test")


class TestDeposit:
    def test_octets_come_back_exactly(self, store: MailStore) -> None:
        octets = b"bare\nLF and \r CR and \x00 NUL \xff\r\n.dot"
        item = store.deposit(ANN, octets)
        assert store.octets(item.uid) == octets
        assert item.size == len(octets)
        assert item.digest == sha256(octets).hexdigest()

    def test_the_octets_are_the_stores_own(self, store: MailStore) -> None:
        given = bytearray(MAIL)
        item = store.deposit(ANN, given)  # type: ignore[arg-type]
        given[:] = b"x" * len(given)
        assert store.octets(item.uid) == MAIL

    def test_it_lies_unread_in_the_inbox_received_now(self, store: MailStore, clock: ManualClock) -> None:
        clock.advance(90)
        item = store.deposit(ANN, MAIL)
        assert item.folder == inbox(store)
        assert not item.read
        assert item.received == item.created == clock.now()
        assert store.item(item.uid) == item

    def test_an_earlier_time_is_kept_in_utc(self, store: MailStore) -> None:
        earlier = datetime(2020, 2, 29, 12, 0, tzinfo=timezone(timedelta(hours=2)))
        item = store.deposit(ANN, MAIL, received=earlier)
        assert item.received == earlier
        assert item.received.tzinfo is UTC

    def test_a_time_without_zone_is_refused(self, store: MailStore) -> None:
        with pytest.raises(ValueError, match="tzinfo"):
            store.deposit(ANN, MAIL, received=datetime(2020, 1, 1))  # noqa: DTZ001
        assert store.count(inbox(store)) == 0

    def test_somebody_elses_folder_is_no_folder(self, store: MailStore) -> None:
        store.open_account("bob@sim.test")
        with pytest.raises(NoSuchFolder):
            store.deposit(ANN, MAIL, folder=inbox(store, "bob@sim.test"))

    def test_order_is_order_of_arrival_in_the_folder(self, store: MailStore) -> None:
        uids = [store.deposit(ANN, MAIL + bytes([48 + n])).uid for n in range(4)]
        junk = store.folder(ANN, Role.JUNK).uid
        away = store.move(uids[0], junk)
        store.set_read([uids[1]], True)
        back = store.move(away.uid, inbox(store))
        assert [item.uid for item in store.items(inbox(store))] == [uids[1], uids[2], uids[3], back.uid]


WIRE = [
    (b"", b"", 0),
    (b"a", b"a\r\n", 3),
    (b"a\r\n", b"a\r\n", 3),
    (b"a\nb\n", b"a\r\nb\r\n", 6),
    (b"a\rb", b"a\rb\r\n", 5),
    (b"a\r", b"a\r\r\n", 4),
    (b"a\r\r\nb\r\n", b"a\r\r\nb\r\n", 7),
    (b".\r\n", b"..\r\n", 3),
    (b".a\n..\nb.", b"..a\r\n...\r\nb.\r\n", 12),
    (b"\n.\n", b"\r\n..\r\n", 5),
    (b"a\r.b\n", b"a\r.b\r\n", 6),
]


class TestWire:
    @pytest.mark.parametrize(("octets", "wire", "size"), WIRE)
    def test_form_and_size(self, store: MailStore, octets: bytes, wire: bytes, size: int) -> None:
        item = store.deposit(ANN, octets)
        assert store.wire(item.uid) == wire
        assert item.wire_size == size


class TestQuota:
    def test_what_does_not_fit_is_refused_whole(self, store: MailStore) -> None:
        store.set_quota(ANN, 2 * len(MAIL))
        store.deposit(ANN, MAIL)
        store.deposit(ANN, MAIL)
        with pytest.raises(QuotaExceeded):
            store.deposit(ANN, b"x")
        assert store.used(ANN) == 2 * len(MAIL)
        assert store.count(inbox(store)) == 2

    def test_deleting_makes_room(self, store: MailStore) -> None:
        store.set_quota(ANN, len(MAIL))
        item = store.deposit(ANN, MAIL)
        store.delete([item.uid])
        assert store.used(ANN) == 0
        assert store.deposit(ANN, MAIL).uid != item.uid

    def test_it_counts_in_every_change_of_size(self, store: MailStore) -> None:
        item = store.deposit(ANN, MAIL)
        store.set_quota(ANN, len(MAIL) + 1)
        with pytest.raises(QuotaExceeded):
            store.replace_octets(item.uid, MAIL + b"xx")
        with pytest.raises(QuotaExceeded):
            store.set_properties(item.uid, {"subject": "y" * 100})
        with pytest.raises(QuotaExceeded):
            store.create(store.folder(ANN, Role.CALENDAR).uid, "IPM.Appointment", {"subject": "meeting"})
        assert store.octets(item.uid) == MAIL
        assert store.used(ANN) == len(MAIL)

    def test_a_move_into_a_full_mailbox_is_refused(self, store: MailStore) -> None:
        store.open_account("bob@sim.test", quota=3)
        item = store.deposit(ANN, MAIL)
        with pytest.raises(QuotaExceeded):
            store.move(item.uid, inbox(store, "bob@sim.test"))
        assert store.item(item.uid) == item


class TestItems:
    def test_what_was_given_out_does_not_change(self, store: MailStore) -> None:
        item = store.deposit(ANN, MAIL)
        folder = store.create_folder(inbox(store), "one")
        store.set_read([item.uid], True)
        store.rename_folder(folder.uid, "two")
        assert not item.read
        assert folder.name == "one"
        assert store.item(item.uid).read
        assert store.item(item.uid).change > item.change

    def test_marking_what_is_marked_is_no_change(self, store: MailStore) -> None:
        item = store.deposit(ANN, MAIL)
        store.set_read([item.uid], False)
        store.set_flags(item.uid, frozenset())
        assert store.item(item.uid).change == item.change

    def test_unknown_uids_spoil_the_whole_call(self, store: MailStore) -> None:
        item = store.deposit(ANN, MAIL)
        with pytest.raises(NoSuchItem):
            store.delete([item.uid, 99999])
        with pytest.raises(NoSuchItem):
            store.set_read([item.uid, 99999], True)
        assert store.item(item.uid) == item

    def test_a_uid_named_twice_is_deleted_once(self, store: MailStore) -> None:
        item = store.deposit(ANN, MAIL)
        store.delete([item.uid, item.uid])
        assert store.used(ANN) == 0
        with pytest.raises(NoSuchItem):
            store.octets(item.uid)

    def test_equal_octets_live_as_long_as_one_item_has_them(self, store: MailStore) -> None:
        first, second = store.deposit(ANN, MAIL), store.deposit(ANN, MAIL)
        store.delete([first.uid])
        assert store.octets(second.uid) == MAIL

    def test_properties_take_over_from_octets_and_back(self, store: MailStore) -> None:
        item = store.deposit(ANN, MAIL)
        edited = store.set_properties(item.uid, {"subject": "edited"})
        assert edited.properties == {"subject": "edited"}
        assert edited.digest == ""
        with pytest.raises(StoreError, match="properties"):
            store.octets(item.uid)
        replaced = store.replace_octets(item.uid, b"new")
        assert replaced.properties is None
        assert store.octets(item.uid) == b"new"
        assert store.used(ANN) == 3

    def test_moving_to_another_mailbox_takes_the_octets_along(self, store: MailStore) -> None:
        store.open_account("bob@sim.test")
        item = store.deposit(ANN, MAIL)
        moved = store.move(item.uid, inbox(store, "bob@sim.test"))
        assert (moved.account, store.octets(moved.uid)) == ("bob@sim.test", MAIL)
        assert (store.used(ANN), store.used("bob@sim.test")) == (0, len(MAIL))

    def test_a_move_gives_a_new_uid_and_keeps_all_else(self, store: MailStore) -> None:
        junk = store.folder(ANN, Role.JUNK).uid
        seen: list[Happening] = []
        store.observe(seen.append)
        item = store.deposit(ANN, MAIL, read=True, flags=frozenset({"x"}), beside={"a": "b"}, item_class="IPM.Note.X")
        moved = store.move(item.uid, junk)
        with pytest.raises(NoSuchItem):
            store.item(item.uid)
        assert moved.uid > item.uid
        assert moved.change == moved.arrived == moved.content > item.change
        same = replace(
            moved, **{name: getattr(item, name) for name in ("uid", "folder", "change", "arrived", "content")}, origin=0
        )
        assert (same, moved.origin) == (item, item.folder)
        assert (seen[-1].what, seen[-1].item, seen[-1].old_uid, seen[-1].old_folder) == ("moved", moved, item.uid, item.folder)
        assert store.move(moved.uid, junk) == moved
        back = store.move(moved.uid, inbox(store))
        assert (back.origin, len({item.uid, moved.uid, back.uid})) == (junk, 3)

    def test_a_restored_folder_has_new_uids_in_the_same_order(self, store: MailStore) -> None:
        items = [store.deposit(ANN, MAIL + b"%d" % number, read=number == 1) for number in range(3)]
        seen: list[Happening] = []
        store.observe(seen.append)
        numbers = store.renumber(inbox(store))
        now = store.items(inbox(store))
        assert list(numbers.items()) == [(item.uid, one.uid) for item, one in zip(items, now, strict=True)]
        assert [one.read for one in now] == [False, True, False]
        assert store.used(ANN) == 3 * (len(MAIL) + 1)
        assert [(one.what, one.old_uid) for one in seen] == [("moved", item.uid) for item in items]


class TestFolders:
    def test_names_are_unique_among_siblings_whatever_the_case(self, store: MailStore) -> None:
        store.create_folder(inbox(store), "Straße")
        with pytest.raises(StoreError, match="already"):
            store.create_folder(inbox(store), "STRASSE")
        with pytest.raises(StoreError):
            store.create_folder(inbox(store), "  ")

    def test_distinguished_folders_stay_what_they_are(self, store: MailStore) -> None:
        for act in (
            lambda: store.delete_folder(inbox(store)),
            lambda: store.rename_folder(inbox(store), "x"),
            lambda: store.move_folder(inbox(store), store.folder(ANN, Role.JUNK).uid),
        ):
            with pytest.raises(StoreError, match="Inbox"):
                act()

    def test_no_folder_lies_below_itself(self, store: MailStore) -> None:
        outer = store.create_folder(inbox(store), "outer")
        inner = store.create_folder(outer.uid, "inner")
        with pytest.raises(StoreError, match="itself"):
            store.move_folder(outer.uid, inner.uid)
        assert store.folder_by_uid(outer.uid).parent == inbox(store)

    def test_deleting_takes_the_subtree_and_its_octets(self, store: MailStore) -> None:
        outer = store.create_folder(inbox(store), "outer")
        inner = store.create_folder(outer.uid, "inner")
        item = store.deposit(ANN, MAIL, folder=inner.uid)
        store.delete_folder(outer.uid)
        assert store.used(ANN) == 0
        with pytest.raises(NoSuchFolder):
            store.items(inner.uid)
        with pytest.raises(NoSuchItem):
            store.item(item.uid)


class TestOrder:
    def test_items_can_be_put_into_another_order(self, store: MailStore) -> None:
        uids = [store.deposit(ANN, MAIL).uid for _ in range(3)]
        wanted = [uids[2], uids[0], uids[1]]
        store.arrange(inbox(store), wanted)
        assert [item.uid for item in store.items(inbox(store))] == wanted

    @pytest.mark.parametrize("wanted", [[], [1], [1, 1, 2], [1, 2, 3]])
    def test_an_order_that_is_none_changes_nothing(self, store: MailStore, wanted: list[int]) -> None:
        uids = [store.deposit(ANN, MAIL).uid for _ in range(2)]
        with pytest.raises(StoreError, match="once"):
            store.arrange(inbox(store), [uids[number - 1] if number < 3 else 99 for number in wanted])
        assert [item.uid for item in store.items(inbox(store))] == uids


class TestChanges:
    def test_pages_tell_what_one_answer_tells(self, store: MailStore) -> None:
        uids = [store.deposit(ANN, MAIL).uid for _ in range(10)]
        store.set_read(uids[:3], True)
        store.delete(uids[3:5])
        whole = store.changes(inbox(store))
        assert whole.complete
        assert [item.uid for item in whole.changed] == [*uids[:3], *uids[5:]]
        paged: dict[int, Item] = {}
        token = 0
        while True:
            page = store.changes(inbox(store), token, limit=3)
            assert len(page.changed) + len(page.removed) <= 3
            assert page.new == {item.uid for item in page.changed if item.uid not in paged}
            paged |= {item.uid: item for item in page.changed}
            token = page.token
            if page.complete:
                break
        assert tuple(paged.values()) == whole.changed
        assert token == whole.token

    def test_an_idle_folder_has_nothing_to_tell(self, store: MailStore) -> None:
        store.deposit(ANN, MAIL)
        token = store.changes(inbox(store)).token
        store.deposit(ANN, MAIL, folder=store.folder(ANN, Role.JUNK).uid)
        again = store.changes(inbox(store), token)
        assert (again.changed, again.removed, again.token, again.complete) == ((), (), token, True)

    def test_moving_away_is_leaving(self, store: MailStore) -> None:
        item = store.deposit(ANN, MAIL)
        token = store.changes(inbox(store)).token
        junk = store.folder(ANN, Role.JUNK).uid
        moved = store.move(item.uid, junk)
        assert store.changes(inbox(store), token).removed == (item.uid,)
        assert [each.uid for each in store.changes(junk).changed] == [moved.uid]

    def test_a_limit_below_one_is_a_mistake(self, store: MailStore) -> None:
        with pytest.raises(ValueError, match="limit"):
            store.changes(inbox(store), 0, 0)


class TestDrawer:
    def test_it_keeps_octets_and_shows_headers_whatever_their_case(self, store: MailStore, clock: ManualClock) -> None:
        posted = store.post_outbound("ann@sim.test", ["x@out.test", "y@out.test"], MAIL)
        assert list(store.outbound()) == [posted]
        assert store.outbound_octets(posted.uid) == MAIL
        assert posted.headers["SUBJECT"] == "hello"
        assert posted.recipients == ("x@out.test", "y@out.test")
        assert posted.at == clock.now()

    def test_what_is_not_there(self, store: MailStore) -> None:
        with pytest.raises(NoSuchItem):
            store.outbound_octets(1)


def test_several_threads_deposit_and_delete_without_loss(store: MailStore) -> None:
    def work(number: int) -> None:
        for count in range(50):
            kept = store.deposit(ANN, b"%d %d" % (number, count))
            store.delete([store.deposit(ANN, MAIL).uid])
            assert store.octets(kept.uid) == b"%d %d" % (number, count)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count(inbox(store)) == 200
    assert {store.octets(item.uid) for item in store.items(inbox(store))} == {
        b"%d %d" % (n, c) for n in range(4) for c in range(50)
    }


def test_the_spool_takes_what_memory_does_not(clock: ManualClock) -> None:
    store = MemoryMailStore(clock, Ids(), memory_budget=1000)
    store.open_account(ANN)
    items = [store.deposit(ANN, bytes([65 + n]) * 400) for n in range(5)]
    assert (store._contents.in_memory, store._contents.spooled) == (800, 1200)
    assert [store.octets(item.uid) for item in items] == [bytes([65 + n]) * 400 for n in range(5)]
    store.delete(item.uid for item in items)
    assert (store._contents.in_memory, store._contents.spooled) == (0, 0)
    store.close()
    store.close()


def test_the_spool_does_not_grow_for_ever(clock: ManualClock) -> None:
    store = MemoryMailStore(clock, Ids(), memory_budget=1000)
    store.open_account(ANN)
    keep = [store.deposit(ANN, bytes([65 + n]) * 900) for n in range(3)]
    for count in range(100):
        store.delete([store.deposit(ANN, b"%d" % count * 300).uid])
        assert os.fstat(store._contents._spool._descriptor).st_size < 8000
    assert [store.octets(item.uid) for item in keep] == [bytes([65 + n]) * 900 for n in range(3)]
    store.close()


def test_after_closing_the_spool_says_so(clock: ManualClock) -> None:
    store = MemoryMailStore(clock, Ids(), memory_budget=0)
    store.open_account(ANN)
    item = store.deposit(ANN, MAIL)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.octets(item.uid)
    with pytest.raises(StoreError, match="closed"):
        store.deposit(ANN, MAIL + b"x")
    assert store.count(inbox(store)) == 1


def test_a_renamed_account_keeps_its_mail(clock: ManualClock) -> None:
    store = MemoryMailStore(clock, Ids())
    store.open_account(ANN)
    item = store.deposit(ANN, MAIL)
    store.rename_account(ANN, "Anna@sim.test")
    assert store.item(item.uid).account == "anna@sim.test"
    assert store.folder("anna@sim.test", Role.INBOX).account == "anna@sim.test"
    with pytest.raises(UnknownAccount):
        store.used(ANN)


def test_the_change_log_stays_linear_in_what_is_there(clock: ManualClock) -> None:
    store = MemoryMailStore(clock, Ids())
    store.open_account(ANN)
    uid = store.deposit(ANN, MAIL).uid
    for count in range(1000):
        store.set_read([uid], count % 2 == 0)
    assert len(store._folders[inbox(store)].past._log_uids) < 100
