"""Tokens of a folder's changes and their horizon: whoever follows tokens, and begins anew when one has expired, ends with what is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from postroom_simulator.clock import ManualClock
from postroom_simulator.errors import TokenExpired
from postroom_simulator.ids import Ids
from postroom_simulator.store import Horizon, Role
from postroom_simulator.store.memory import MemoryMailStore

ANN = "ann@sim.test"
MAIL = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> Iterator[MemoryMailStore]:
    store = made(clock, Horizon(count=10))
    yield store
    store.close()


def made(clock: ManualClock, horizon: Horizon) -> MemoryMailStore:
    store = MemoryMailStore(clock, Ids(1), horizon=horizon)
    store.open_account(ANN)
    return store


def inbox(store: MemoryMailStore) -> int:
    return store.folder(ANN, Role.INBOX).uid


def pass_through(store: MemoryMailStore, count: int) -> None:
    """So many messages come and go."""
    for _ in range(count):
        store.delete([store.deposit(ANN, MAIL).uid])


@dataclass
class Follower:
    """Somebody who knows of a folder what `changes` told, and nothing else."""

    folder: int
    token: int = 0
    reads: dict[int, bool] = field(default_factory=dict)
    begins: int = 0

    def ask(self, store: MemoryMailStore, limit: int | None = None) -> bool:
        """One answer. Whether it was the last for now."""
        try:
            changes = store.changes(self.folder, self.token, limit)
        except TokenExpired:
            self.token, self.reads, self.begins = 0, {}, self.begins + 1
            return False
        assert limit is None or len(changes.changed) + len(changes.removed) <= limit
        assert {item.uid for item in changes.changed if item.uid not in self.reads} == changes.new
        for item in changes.changed:
            self.reads[item.uid] = item.read
        for uid in changes.removed:
            self.reads.pop(uid, None)
        self.token = changes.token
        return changes.complete

    def agrees(self, store: MemoryMailStore) -> bool:
        return self.reads == {item.uid: item.read for item in store.items(self.folder)}


class TestHorizon:
    def test_a_token_lasts_as_long_as_what_left_since_is_remembered(self, store: MemoryMailStore) -> None:
        store.deposit(ANN, MAIL)
        known = [store.deposit(ANN, MAIL).uid for _ in range(10)]
        token = store.changes(inbox(store)).token
        store.delete(known)
        assert list(store.changes(inbox(store), token).removed) == known
        pass_through(store, 1)
        with pytest.raises(TokenExpired, match="begin anew"):
            store.changes(inbox(store), token)
        assert len(store.changes(inbox(store)).changed) == 1

    def test_a_token_from_behind_what_was_forgotten_is_good(self, store: MemoryMailStore) -> None:
        pass_through(store, 30)
        known = [store.deposit(ANN, MAIL).uid for _ in range(5)]
        token = store.changes(inbox(store)).token
        kept = store.deposit(ANN, MAIL)
        store.delete(known)
        changes = store.changes(inbox(store), token)
        assert [item.uid for item in changes.changed] == [kept.uid]
        assert list(changes.removed) == known

    def test_what_came_and_left_since_the_token_is_not_told(self, store: MemoryMailStore) -> None:
        stays = store.deposit(ANN, MAIL)
        token = store.changes(inbox(store)).token
        pass_through(store, 5)
        store.set_read([stays.uid], True)
        new = store.deposit(ANN, MAIL)
        changes = store.changes(inbox(store), token)
        assert changes.removed == ()
        assert (changes.new, changes.read_only) == ({new.uid}, {stays.uid})

    def test_an_item_that_left_and_came_back_is_another(self, store: MemoryMailStore) -> None:
        junk = store.folder(ANN, Role.JUNK).uid
        item = store.deposit(ANN, MAIL)
        tokens = {store.changes(inbox(store)).token: (item.uid,)}
        for _ in range(3):
            away = store.move(item.uid, junk)
            tokens[store.changes(inbox(store)).token] = ()
            item = store.move(away.uid, inbox(store))
            tokens[store.changes(inbox(store)).token] = (item.uid,)
        for token, known in tokens.items():
            changes = store.changes(inbox(store), token)
            there = known == (item.uid,)
            assert (changes.new, changes.removed) == (set() if there else {item.uid}, () if there else known)

    def test_what_is_new_is_told_before_what_changed_later(self, store: MemoryMailStore) -> None:
        old = store.deposit(ANN, MAIL)
        token = store.changes(inbox(store)).token
        new = store.deposit(ANN, MAIL)
        store.set_read([old.uid], True)
        store.set_read([new.uid], True)
        first = store.changes(inbox(store), token, 1)
        assert ([item.uid for item in first.changed], first.new) == ([new.uid], {new.uid})
        rest = store.changes(inbox(store), first.token)
        assert (rest.new, [item.uid for item in rest.changed]) == (set(), [old.uid, new.uid])

    def test_arrivals_and_changes_expire_nothing(self, store: MemoryMailStore) -> None:
        token = store.changes(inbox(store)).token
        uids = [store.deposit(ANN, MAIL).uid for _ in range(50)]
        store.set_read(uids, True)
        assert len(store.changes(inbox(store), token).changed) == 50

    def test_what_left_is_forgotten_with_age(self, clock: ManualClock, store: MemoryMailStore) -> None:
        item = store.deposit(ANN, MAIL)
        token = store.changes(inbox(store)).token
        store.delete([item.uid])
        clock.advance(days=29)
        assert store.changes(inbox(store), token).removed == (item.uid,)
        later = store.changes(inbox(store), token).token
        clock.advance(days=2)
        with pytest.raises(TokenExpired):
            store.changes(inbox(store), token)
        assert store.changes(inbox(store), later).complete

    def test_an_unknown_token_has_expired(self, store: MemoryMailStore) -> None:
        for token in (10**6, 2**64 * 10**6, -1, 2**200):
            with pytest.raises(TokenExpired, match="never gave"):
                store.changes(inbox(store), token)

    def test_a_folder_grows_by_nothing_with_what_passed_through(self, store: MemoryMailStore) -> None:
        past = store._folders[inbox(store)].past
        sizes = set()
        for _ in range(20):
            pass_through(store, 100)
            sizes.add(past.remembered)
            assert len(past._log_uids) <= 2 * past.remembered + 66
        assert sizes == {10}

    def test_a_horizon_below_zero_is_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="below 0"):
            Horizon(count=-1)


class TestFirstListings:
    def test_the_past_concerns_nobody_who_begins(self, store: MemoryMailStore) -> None:
        uids = [store.deposit(ANN, MAIL).uid for _ in range(20)]
        pass_through(store, 30)
        follower = Follower(inbox(store))
        while not follower.ask(store, 3):
            pass
        assert sorted(follower.reads) == uids
        assert follower.begins == 0

    def test_one_that_goes_on_never_expires_however_much_leaves(self, store: MemoryMailStore) -> None:
        uids = [store.deposit(ANN, MAIL).uid for _ in range(40)]
        follower = Follower(inbox(store))
        for left in range(8):  # pages of four, and each time 100 come and go, and one that was told leaves
            assert not follower.ask(store, 4)
            store.delete([uids[left * 4]])
            pass_through(store, 100)
        while not follower.ask(store, 4):
            pass
        assert follower.agrees(store)
        assert follower.begins == 0

    def test_a_page_can_be_asked_for_again(self, store: MemoryMailStore) -> None:
        uids = [store.deposit(ANN, MAIL).uid for _ in range(9)]
        first = store.changes(inbox(store), 0, 3)
        store.delete(uids[:2])
        pass_through(store, 100)
        pages = [store.changes(inbox(store), first.token, 3) for _ in range(2)]
        assert pages[0] == pages[1]
        last = store.changes(inbox(store), pages[0].token)
        assert set(pages[0].removed) | set(last.removed) >= set(uids[:2])

    def test_what_was_kept_for_it_goes_with_it(self, clock: ManualClock, store: MemoryMailStore) -> None:
        uids = [store.deposit(ANN, MAIL).uid for _ in range(40)]
        past = store._folders[inbox(store)].past
        follower, abandoned = Follower(inbox(store)), Follower(inbox(store))
        follower.ask(store, 30)
        abandoned.ask(store, 30)
        store.delete(uids[:30])
        pass_through(store, 100)
        assert past.remembered == 40
        while not follower.ask(store, 30):
            pass
        assert past.remembered == 40  # the other one may still come
        clock.advance(days=31)
        assert not abandoned.ask(store)
        assert abandoned.begins == 1
        assert past.remembered == 0

    def test_of_too_many_the_one_that_waited_longest_is_given_up(self, clock: ManualClock) -> None:
        store = made(clock, Horizon(count=5, listings=2))
        uids = [store.deposit(ANN, MAIL).uid for _ in range(10)]
        followers = [Follower(inbox(store)) for _ in range(3)]
        for follower in followers:
            follower.ask(store, 3)
        store.delete(uids[:2])
        pass_through(store, 20)
        for follower in followers:
            while not follower.ask(store):
                pass
            assert follower.agrees(store)
        assert [follower.begins for follower in followers] == [1, 0, 0]

    @given(count=st.integers(0, 3), listings=st.integers(0, 2), steps=st.lists(st.integers(0, 5), max_size=40))
    @settings(max_examples=100, deadline=None)
    def test_the_first_listing_of_the_only_asker_never_expires(self, count: int, listings: int, steps: list[int]) -> None:
        store = made(ManualClock(), Horizon(count=count, listings=max(1, listings)))
        uids = [store.deposit(ANN, MAIL).uid for _ in range(8)]
        follower = Follower(inbox(store))
        for step in steps:
            if step == 0 and uids:
                store.delete([uids.pop(len(uids) // 2)])
            elif step == 1:
                uids.append(store.deposit(ANN, MAIL).uid)
            elif step == 2 and uids:
                store.set_read([uids[0]], not store.item(uids[0]).read)
            elif step == 3:
                pass_through(store, 3)
            elif follower.ask(store, 2):
                break
        else:
            while not follower.ask(store, 2):
                pass
        assert follower.begins == 0
        assert follower.agrees(store)


class FollowersAgainstStore(RuleBasedStateMachine):
    """Several followers of one folder with a near horizon; each asks in its own time, in pages of its own size."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.store = made(self.clock, Horizon(count=3, age=100.0, listings=2))
        self.folder = inbox(self.store)
        self.junk = self.store.folder(ANN, Role.JUNK).uid
        self.followers = [Follower(self.folder) for _ in range(4)]

    def teardown(self) -> None:
        for follower in self.followers:
            for _ in range(1000):
                if follower.ask(self.store, 2):
                    break
            assert follower.agrees(self.store)
        self.store.close()

    def uids(self, folder: int) -> list[int]:
        return [item.uid for item in self.store.items(folder)]

    @rule(count=st.integers(1, 6))
    def arrive(self, count: int) -> None:
        for _ in range(count):
            self.store.deposit(ANN, MAIL)

    @rule(places=st.lists(st.integers(0, 30), max_size=6))
    def leave(self, places: list[int]) -> None:
        uids = self.uids(self.folder)
        self.store.delete({uids[place] for place in places if place < len(uids)})

    @rule(place=st.integers(0, 10), back=st.booleans())
    def move(self, place: int, back: bool) -> None:
        source, target = (self.junk, self.folder) if back else (self.folder, self.junk)
        uids = self.uids(source)
        if place < len(uids):
            self.store.move(uids[place], target)

    @rule(place=st.integers(0, 10))
    def read(self, place: int) -> None:
        uids = self.uids(self.folder)
        if place < len(uids):
            self.store.set_read([uids[place]], not self.store.item(uids[place]).read)

    @rule()
    def renumber(self) -> None:
        self.store.renumber(self.folder)

    @rule(seconds=st.integers(1, 120))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(who=st.integers(0, 3), limit=st.one_of(st.none(), st.integers(1, 3)))
    def follow(self, who: int, limit: int | None) -> None:
        if self.followers[who].ask(self.store, limit):
            assert self.followers[who].agrees(self.store)


TestFollowersAgainstStore = FollowersAgainstStore.TestCase
TestFollowersAgainstStore.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
