"""The mail store against a model of plain dicts, over random histories."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from postroom_simulator.clock import ManualClock
from postroom_simulator.errors import QuotaExceeded
from postroom_simulator.ids import Ids
from postroom_simulator.store import Role
from postroom_simulator.store.memory import MemoryMailStore

ACCOUNTS = ("ann@sim.test", "bob@sim.test")
QUOTA = 60

OCTETS = st.lists(st.sampled_from([b"a", b".", b"\r\n", b"\n", b"\r", b"bc"]), max_size=12).map(b"".join)


def wire(octets: bytes) -> bytes:
    """Line by line, as slowly as the RFC reads."""
    *lines, last = octets.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in lines] + ([last] if last else [])
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)


@dataclass
class Seen:
    """What somebody who only asks `changes` believes of a folder."""

    token: int = 0
    reads: dict[int, bool] = field(default_factory=dict)


class StoreAgainstModel(RuleBasedStateMachine):
    items = Bundle("items")

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryMailStore(ManualClock(), Ids(1), memory_budget=20)
        self.folders: list[int] = []
        self.owner: dict[int, str] = {}
        for account in ACCOUNTS:
            self.store.open_account(account, QUOTA)
            for role in (Role.INBOX, Role.JUNK):
                uid = self.store.folder(account, role).uid
                self.folders.append(uid)
                self.owner[uid] = account
        self.model: dict[int, list[int]] = {uid: [] for uid in self.folders}  # folder -> uids in order
        self.octets: dict[int, bytes] = {}
        self.read: dict[int, bool] = {}
        self.seen = {uid: Seen() for uid in self.folders}

    def teardown(self) -> None:
        self.store.close()

    def used(self, account: str) -> int:
        return sum(len(self.octets[u]) for f, uids in self.model.items() if self.owner[f] == account for u in uids)

    def home(self, uid: int) -> int:
        return next(folder for folder, uids in self.model.items() if uid in uids)

    @rule(target=items, place=st.integers(0, 3), octets=OCTETS, read=st.booleans())
    def deposit(self, place: int, octets: bytes, read: bool) -> int | None:
        folder = self.folders[place]
        account = self.owner[folder]
        try:
            item = self.store.deposit(account, octets, folder=folder, read=read)
        except QuotaExceeded:
            assert self.used(account) + len(octets) > QUOTA
            return None
        assert self.used(account) + len(octets) <= QUOTA
        self.model[folder].append(item.uid)
        self.octets[item.uid], self.read[item.uid] = octets, read
        return item.uid

    @rule(uid=consumes(items))
    def delete(self, uid: int | None) -> None:
        if uid is not None:
            self.store.delete([uid])
            self.model[self.home(uid)].remove(uid)

    @rule(target=items, uid=consumes(items), place=st.integers(0, 3))
    def move(self, uid: int | None, place: int) -> int | None:
        if uid is None or uid not in self.live():
            return uid
        old, new = self.home(uid), self.folders[place]
        try:
            moved = self.store.move(uid, new)
        except QuotaExceeded:
            assert self.owner[old] != self.owner[new]
            assert self.used(self.owner[new]) + len(self.octets[uid]) > QUOTA
            return uid
        if new != old:
            self.model[old].remove(uid)
            self.model[new].append(moved.uid)
            self.octets[moved.uid], self.read[moved.uid] = self.octets.pop(uid), self.read.pop(uid)
        return moved.uid

    @rule(uid=items, read=st.booleans())
    def mark(self, uid: int | None, read: bool) -> None:
        if uid is not None and uid in self.live():
            self.store.set_read([uid], read)
            self.read[uid] = read

    @rule(uid=items, octets=OCTETS)
    def replace(self, uid: int | None, octets: bytes) -> None:
        if uid is None or uid not in self.live():
            return
        account = self.owner[self.home(uid)]
        more = len(octets) - len(self.octets[uid])
        try:
            self.store.replace_octets(uid, octets)
        except QuotaExceeded:
            assert self.used(account) + more > QUOTA
            return
        self.octets[uid] = octets

    def live(self) -> set[int]:
        return {uid for uids in self.model.values() for uid in uids}

    @precondition(lambda self: self.live())
    @rule(place=st.integers(0, 3), limit=st.one_of(st.none(), st.integers(1, 3)))
    def follow(self, place: int, limit: int | None) -> None:
        folder, seen = self.folders[place], self.seen[self.folders[place]]
        changes = self.store.changes(folder, seen.token, limit)
        assert not {item.uid for item in changes.changed} & set(changes.removed)
        assert {item.uid for item in changes.changed if item.uid not in seen.reads} == changes.new
        for item in changes.changed:
            seen.reads[item.uid] = item.read
        for uid in changes.removed:
            seen.reads.pop(uid, None)
        seen.token = changes.token
        if changes.complete:
            assert seen.reads == {uid: self.read[uid] for uid in self.model[folder]}

    @invariant()
    def agrees(self) -> None:
        for folder, uids in self.model.items():
            items = self.store.items(folder)
            assert [item.uid for item in items] == uids
            assert self.store.count(folder) == len(uids)
            for item in items:
                octets = self.octets[item.uid]
                assert self.store.octets(item.uid) == octets
                assert self.store.wire(item.uid) == wire(octets)
                assert item.wire_size == len(wire(octets)) - sum(line[:1] == b"." for line in wire(octets).split(b"\r\n"))
                assert (item.read, item.size) == (self.read[item.uid], len(octets))
        for account in ACCOUNTS:
            assert self.store.used(account) == self.used(account)


TestStoreAgainstModel = StoreAgainstModel.TestCase
TestStoreAgainstModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
