"""What lies beside a message's octets, several changes at once, and octets of items that have none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postroom_simulator import World
from postroom_simulator.errors import NoSuchItem, QuotaExceeded, StoreError
from postroom_simulator.store.interface import Item, Role
from postroom_simulator.store.memory import MemoryMailStore

ANN = "ann@sim.test"
OCTETS = b"Subject: s\r\n\r\nbody\r\n"


@pytest.fixture
def store() -> Iterator[MemoryMailStore]:
    with World() as world:
        world.add_account(ANN)
        yield world.store


def test_what_lies_beside_leaves_the_octets(store: MemoryMailStore) -> None:
    item = store.deposit(ANN, OCTETS)
    changed = store.alter(item.uid, beside={"Categories": ["red"]})
    assert changed.beside == {"Categories": ["red"]}
    assert (changed.digest, changed.wire_size, changed.properties) == (item.digest, item.wire_size, None)
    assert store.octets(item.uid) == store.rendered(changed) == OCTETS
    assert changed.size == item.size + len("Categories") + len("red")
    assert store.used(ANN) == changed.size
    assert changed.change > item.change
    back = store.alter(item.uid, beside={})
    assert (back.beside, back.size) == (None, item.size)


def test_it_may_come_with_the_octets(store: MemoryMailStore) -> None:
    item = store.deposit(ANN, OCTETS, beside={"Flag": "x"})
    assert item.beside == {"Flag": "x"}
    assert item.size == len(OCTETS) + len("Flag") + len("x")


def test_properties_take_the_place_of_both(store: MemoryMailStore) -> None:
    item = store.deposit(ANN, OCTETS, beside={"Flag": "x"})
    changed = store.set_properties(item.uid, {"Subject": "new"})
    assert (changed.beside, changed.digest, changed.properties) == (None, "", {"Subject": "new"})
    with pytest.raises(StoreError):
        store.octets(item.uid)
    with pytest.raises(StoreError):
        store.alter(item.uid, beside={"Flag": "x"})


def test_octets_take_the_place_of_both(store: MemoryMailStore) -> None:
    item = store.deposit(ANN, OCTETS, beside={"Flag": "x"})
    changed = store.replace_octets(item.uid, b"other\r\n")
    assert (changed.beside, changed.size) == (None, len(b"other\r\n"))
    assert store.used(ANN) == changed.size


def test_several_things_are_one_change(store: MemoryMailStore) -> None:
    item = store.deposit(ANN, OCTETS)
    inbox = store.folder(ANN, Role.INBOX).uid
    token = store.changes(inbox).token
    changed = store.alter(item.uid, read=True, flags=frozenset({"draft"}), item_class="IPM.Note.X", beside={"a": "b"})
    assert (changed.read, changed.flags, changed.item_class) == (True, {"draft"}, "IPM.Note.X")
    assert [one.change for one in store.changes(inbox, token).changed] == [changed.change]
    assert changed.content == changed.change


def test_read_state_alone_is_no_content(store: MemoryMailStore) -> None:
    item = store.deposit(ANN, OCTETS)
    changed = store.alter(item.uid, read=True)
    assert changed.change > item.change
    assert changed.content == item.content
    assert store.alter(item.uid, read=True) == changed
    assert store.alter(item.uid) == changed


def test_the_quota_holds_beside_too(store: MemoryMailStore) -> None:
    item = store.deposit(ANN, OCTETS)
    store.set_quota(ANN, len(OCTETS) + 10)
    with pytest.raises(QuotaExceeded):
        store.alter(item.uid, beside={"a": "b" * 20}, read=True)
    assert store.item(item.uid) == item
    with pytest.raises(QuotaExceeded):
        store.deposit(ANN, b"", beside={"a": "b" * 20})
    with pytest.raises(NoSuchItem):
        store.alter(item.uid + 1, read=True)


def test_copies_have_what_lies_beside(store: MemoryMailStore) -> None:
    item = store.deposit(ANN, OCTETS, beside={"a": "b"})
    twin = store.copy(item.uid, store.folder(ANN, Role.JUNK).uid)
    assert (twin.beside, twin.digest) == (item.beside, item.digest)
    store.alter(twin.uid, beside={})
    assert store.item(item.uid).beside == {"a": "b"}


def test_who_renders(store: MemoryMailStore) -> None:
    item = store.create(store.folder(ANN, Role.INBOX).uid, "IPM.Note", {"Subject": "s"})
    assert store.rendered(item) is None
    seen: list[Item] = []

    def render(one: Item) -> bytes | None:
        seen.append(one)
        return b"made" if one.item_class == "IPM.Note" else None

    store.renderer = render
    assert store.rendered(item) == b"made"
    assert seen == [item]
