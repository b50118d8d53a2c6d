"""Synchronisation of hierarchies and of items (ews reference 10)."""

from __future__ import annotations

from typing import Any

import pytest
from folders_scene import ANN, Asker, ann, by_id, clock_of, mail, named, uri, world
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from postroom_simulator import World
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Horizon, Item, Role

__all__ = ["ann", "world"]
Value = dict[str, Any]


def hierarchy(state: str = "", folder: str = "") -> str:
    given = f"<SyncState>{state}</SyncState>" if state else ""
    where = f"<SyncFolderId>{folder}</SyncFolderId>" if folder else ""
    shape = "<FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>"
    return f"<SyncFolderHierarchy>{shape}{where}{given}</SyncFolderHierarchy>"


def items(
    state: str = "",
    folder: str = "",
    most: int = 512,
    *,
    scope: str = "",
    ignore: str = "",
    shape: str = "IdOnly",
    extra: str = "",
) -> str:
    given = f"<SyncState>{state}</SyncState>" if state else ""
    scoped = f"<SyncScope>{scope}</SyncScope>" if scope else ""
    ignored = f'<Ignore><t:ItemId Id="{ignore}"/></Ignore>' if ignore else ""
    paths = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
    return (
        f"<SyncFolderItems><ItemShape><t:BaseShape>{shape}</t:BaseShape>{paths}</ItemShape>"
        f"<SyncFolderId>{folder or named('inbox')}</SyncFolderId>{given}{ignored}"
        f"<MaxChangesReturned>{most}</MaxChangesReturned>{scoped}</SyncFolderItems>"
    )


def told(message: Value) -> list[tuple[str, str]]:
    """What and display name (or id of what is gone) of a hierarchy's changes."""
    found = []
    for what, change in message["Changes"]:
        if what == "Delete":
            found.append((what, change["FolderId"]["@Id"]))
        else:
            (value,) = change.values()
            found.append((what, value["DisplayName"]))
    return found


def kinds(message: Value) -> list[str]:
    return [what for what, _ in message["Changes"]]


def inbox(world: World) -> int:
    return world.store.folder(ANN, Role.INBOX).uid


# -- the hierarchy


def test_the_first_time_everything_is_new_and_parents_come_first(ann: Asker) -> None:
    outer = ann.make("outer")
    ann.make("inner", by_id(outer))
    message = ann.one(hierarchy())
    names = [name for _, name in told(message)]
    assert set(kinds(message)) == {"Create"}
    assert names[0] == "Top of Information Store"
    assert names.index("inner") == names.index("outer") + 1
    assert "Root" not in names
    assert message["IncludesLastFolderInRange"] is True


def test_what_became_of_folders_and_a_state_may_be_used_again(world: World, ann: Asker) -> None:
    a, b, c = ann.make("a"), ann.make("b"), ann.make("c")
    state = ann.one(hierarchy())["SyncState"]
    assert told(ann.one(hierarchy(state))) == []
    world.deliver("x@out.test", [ANN], mail("counts alone change nothing"))
    assert told(ann.one(hierarchy(state))) == []
    folders = {one.name: one.uid for one in world.store.folders(ANN)}
    world.store.rename_folder(folders["a"], "A")
    world.store.delete_folder(folders["b"])
    world.store.move_folder(folders["c"], inbox(world))
    ann.make("d")
    for _ in range(2):
        assert sorted(told(ann.one(hierarchy(state)))) == sorted(
            [("Update", "A"), ("Delete", b), ("Update", "c"), ("Create", "d")]
        )
    assert a != c


def test_below_a_folder(world: World, ann: Asker) -> None:
    outer = ann.make("outer")
    inner = ann.make("inner", by_id(outer))
    state = ann.one(hierarchy(folder=by_id(outer)))["SyncState"]
    assert ann.code(hierarchy(state)) == "ErrorInvalidSyncStateData"
    folders = {one.name: one.uid for one in world.store.folders(ANN)}
    world.store.move_folder(folders["inner"], inbox(world))
    assert told(ann.one(hierarchy(state, by_id(outer)))) == [("Delete", inner)]
    ann.make("innermost", by_id(inner))
    world.store.move_folder(folders["inner"], folders["outer"])
    changed = told(ann.one(hierarchy(state, by_id(outer))))
    assert changed == [("Update", "inner"), ("Create", "innermost")]


@pytest.mark.parametrize("state", ["AAAA", "nonsense!", "x" * 100])
def test_garbage_is_no_state_and_the_error_has_state_and_flag(ann: Asker, state: str) -> None:
    (message,) = ann.messages(hierarchy(state))
    assert message["ResponseCode"] == "ErrorInvalidSyncStateData"
    assert (message["SyncState"], message["IncludesLastFolderInRange"], message["Changes"]) == ("", True, [])
    (message,) = ann.messages(items(state))
    assert message["ResponseCode"] == "ErrorInvalidSyncStateData"
    assert (message["SyncState"], message["IncludesLastItemInRange"], message["Changes"]) == ("", True, [])


def test_states_belong_to_a_folder_and_a_kind(ann: Asker) -> None:
    state = ann.one(items())["SyncState"]
    assert ann.code(items(state, named("drafts"))) == "ErrorInvalidSyncStateData"
    assert ann.code(hierarchy(state, named("inbox"))) == "ErrorInvalidSyncStateData"
    assert ann.code(items(ann.one(hierarchy(folder=named("inbox")))["SyncState"])) == "ErrorInvalidSyncStateData"


def test_a_folder_that_is_not_there(ann: Asker) -> None:
    gone = ann.make("gone")
    ann.one(f'<DeleteFolder DeleteType="HardDelete"><FolderIds>{by_id(gone)}</FolderIds></DeleteFolder>')
    assert ann.code(items(folder=by_id(gone))) == "ErrorSyncFolderNotFound"
    assert ann.code(hierarchy(folder=by_id(gone))) == "ErrorSyncFolderNotFound"
    assert ann.code(items(folder=named("todosearch"))) == "ErrorInvalidFolderTypeForOperation"


# -- items


def fill(world: World, many: int) -> list[Item]:
    for number in range(many):
        world.deliver("x@out.test", [ANN], mail(f"m{number}"))
        clock_of(world).advance(1)
    return list(world.store.items(inbox(world)))


def subjects(message: Value) -> list[str]:
    found = []
    for what, change in message["Changes"]:
        if what in ("Create", "Update"):
            (value,) = change.values()
            found.append(value["Subject"])
    return found


def test_the_first_time_the_newest_come_first_in_pages(world: World, ann: Asker) -> None:
    fill(world, 7)
    asked: dict[str, Any] = {"most": 3, "extra": uri("item:Subject")}
    message = ann.one(items(**asked))
    pages = [subjects(message)]
    while not message["IncludesLastItemInRange"]:
        message = ann.one(items(message["SyncState"], **asked))
        pages.append(subjects(message))
    assert [name for page in pages for name in page] == ["m6", "m5", "m4", "m3", "m2", "m1", "m0"]
    assert [len(page) for page in pages if page] == [3, 3, 1]
    assert ann.one(items(message["SyncState"]))["Changes"] == []


def test_what_happens_between_pages_is_neither_lost_nor_doubled(world: World, ann: Asker) -> None:
    found = fill(world, 6)
    asked: dict[str, Any] = {"most": 2, "extra": uri("item:Subject")}
    first = ann.one(items(**asked))
    assert subjects(first) == ["m5", "m4"]
    world.store.delete([found[0].uid, found[5].uid])
    world.deliver("x@out.test", [ANN], mail("new"))
    message, rest = first, []
    while not message["IncludesLastItemInRange"]:
        message = ann.one(items(message["SyncState"], **asked))
        rest += [(what, change) for what, change in message["Changes"]]
    names = [next(iter(change.values()))["Subject"] for what, change in rest if what == "Create"]
    assert names == ["m3", "m2", "m1", "new"]
    assert sum(what == "Delete" for what, _ in rest) >= 1
    again = ann.one(items(first["SyncState"], **asked))
    assert subjects(again) == ["m3", "m2"]


def test_read_state_alone_is_a_change_of_its_own(world: World, ann: Asker) -> None:
    one, two, three = fill(world, 3)
    state = ann.one(items())["SyncState"]
    world.store.set_read([one.uid, two.uid], True)
    world.store.set_flags(two.uid, frozenset({"x"}))
    world.store.set_flags(three.uid, frozenset({"x"}))
    world.store.set_read([three.uid], True)
    message = ann.one(items(state))
    assert sorted(kinds(message)) == ["ReadFlagChange", "Update", "Update"]
    (change,) = [change for what, change in message["Changes"] if what == "ReadFlagChange"]
    assert change["IsRead"] is True
    later = message["SyncState"]
    world.store.set_read([two.uid], False)
    assert kinds(ann.one(items(later))) == ["ReadFlagChange"]
    assert sorted(kinds(ann.one(items(state)))) == ["ReadFlagChange", "Update", "Update"]


def test_several_changes_collapse_and_what_came_and_went_is_nothing(world: World, ann: Asker) -> None:
    (one,) = fill(world, 1)
    state = ann.one(items())["SyncState"]
    for number in range(3):
        world.store.set_flags(one.uid, frozenset({str(number)}))
    gone = world.store.deposit(ANN, mail("gone"))
    world.store.delete([gone.uid])
    kept = world.store.deposit(ANN, mail("kept"))
    world.store.set_read([kept.uid], True)
    assert kinds(ann.one(items(state))) == ["Update", "Create"]


def test_a_move_is_a_deletion_here_and_a_creation_there(world: World, ann: Asker) -> None:
    (one,) = fill(world, 1)
    drafts = world.store.folder(ANN, Role.DRAFTS).uid
    first = ann.one(items())
    here, there = first["SyncState"], ann.one(items(folder=named("drafts")))["SyncState"]
    away = world.store.move(one.uid, drafts)
    (deleted,) = ann.one(items(here))["Changes"]
    (created,) = ann.one(items(there, named("drafts")))["Changes"]
    known = first["Changes"][0][1]["Message"]["ItemId"]["@Id"]
    assert deleted[1]["ItemId"]["@Id"] == known
    assert created[1]["Message"]["ItemId"]["@Id"] != known
    world.store.move(away.uid, inbox(world))
    back, gone = ann.one(items(here))["Changes"]
    assert (gone[0], gone[1]["ItemId"]["@Id"], back[0]) == ("Delete", known, "Create")
    assert back[1]["Message"]["ItemId"]["@Id"] not in (known, created[1]["Message"]["ItemId"]["@Id"])
    assert ann.one(items(there, named("drafts")))["Changes"] == []


def followed(ann: Asker, state: str, known: set[str], most: int) -> None:
    """Follow to the end; `known` is what the client knows, as it is told."""
    complete = False
    while not complete:
        message = ann.one(items(state, most=most))
        for what, change in message["Changes"]:
            (value,) = (change,) if what in ("Delete", "ReadFlagChange") else change.values()
            one = value["ItemId"]["@Id"]
            assert (one in known) == (what != "Create"), what
            (known.discard if what == "Delete" else known.add)(one)
        state, complete = message["SyncState"], message["IncludesLastItemInRange"]


def test_what_left_and_came_back_while_pages_are_told(world: World, ann: Asker) -> None:
    fill(world, 1)
    first = ann.one(items(most=5))
    known = {change["Message"]["ItemId"]["@Id"] for _, change in first["Changes"]}
    found = fill(world, 4)
    away = world.store.move(found[0].uid, world.store.folder(ANN, Role.DRAFTS).uid)
    fill(world, 1)
    world.store.move(away.uid, inbox(world))
    followed(ann, first["SyncState"], known, 5)
    assert known == {str(item_id(item)["@Id"]) for item in world.store.items(inbox(world))}


@pytest.mark.parametrize("most", [1, 2, 5])
def test_what_is_new_is_told_as_new_however_it_changed_since(world: World, ann: Asker, most: int) -> None:
    fill(world, 1)
    first = ann.one(items(most=most))
    known = {change["Message"]["ItemId"]["@Id"] for _, change in first["Changes"]}
    old, new, _ = fill(world, 2)
    world.store.set_read([old.uid], True)
    world.store.set_read([new.uid], True)
    followed(ann, first["SyncState"], known, most)
    assert known == {str(item_id(item)["@Id"]) for item in world.store.items(inbox(world))}


def test_ignored_ids_are_not_created(world: World, ann: Asker) -> None:
    fill(world, 2)
    known = ann.one(items())["Changes"][0][1]["Message"]["ItemId"]["@Id"]
    assert len(ann.one(items(ignore=known))["Changes"]) == 1


def test_associated_items_are_told_where_they_are_asked_for(world: World, ann: Asker) -> None:
    fill(world, 1)
    state = ann.one(items())["SyncState"]
    world.store.create(inbox(world), "IPM.Configuration.x", {}, flags=frozenset({"associated"}))
    assert ann.one(items(state))["Changes"] == []
    assert kinds(ann.one(items(state, scope="NormalAndAssociatedItems"))) == ["Create"]
    assert len(ann.one(items())["Changes"]) == 1
    assert len(ann.one(items(scope="NormalAndAssociatedItems"))["Changes"]) == 2


def test_mime_is_refused_and_the_limit_is_512(ann: Asker) -> None:
    mime = (
        "<SyncFolderItems><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
        f"</ItemShape><SyncFolderId>{named('inbox')}</SyncFolderId><MaxChangesReturned>1</MaxChangesReturned></SyncFolderItems>"
    )
    assert ann.code(mime) == "ErrorInvalidPropertyForOperation"
    for wrong in (0, 513):
        assert ann.code(items(most=wrong)) == "ErrorSchemaValidation"


def test_a_state_from_before_what_was_forgotten_has_expired(world: World, ann: Asker) -> None:
    world.store.horizon = Horizon(count=2)
    found = fill(world, 5)
    state = ann.one(items())["SyncState"]
    world.store.delete([item.uid for item in found[:4]])
    assert ann.code(items(state)) == "ErrorInvalidSyncStateData"


def test_a_first_listing_under_way_does_not_expire(world: World, ann: Asker) -> None:
    world.store.horizon = Horizon(count=1)
    found = fill(world, 6)
    message = ann.one(items(most=2))
    world.store.delete([item.uid for item in found[2:]])
    seen = {change["Message"]["ItemId"]["@Id"] for _, change in message["Changes"]}
    while not message["IncludesLastItemInRange"]:
        message = ann.one(items(message["SyncState"], most=2))
        for what, change in message["Changes"]:
            if what == "Delete":
                seen.discard(change["ItemId"]["@Id"])
            else:
                seen.add(change["Message"]["ItemId"]["@Id"])
    assert len(seen) == 2


class Follower(RuleBasedStateMachine):
    """A client that follows states has exactly what is in the folder, whenever it has come to the end, and whichever old state it starts from."""

    @initialize()
    def begin(self) -> None:
        self.world = World(hostname="follower.sim.test")
        self.world.add_account(ANN, "pw")
        self.ann = Asker(self.world)
        self.store = self.world.store
        self.here, self.there = inbox(self.world), self.store.folder(ANN, Role.DRAFTS).uid
        self.state, self.complete = "", False
        self.known: dict[str, bool] = {}
        self.old: list[tuple[str, dict[str, bool], bool]] = []

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()

    def some(self, folder: int, number: int) -> Item | None:
        found = self.store.items(folder)
        return found[number % len(found)] if found else None

    @rule(many=st.integers(1, 4))
    def arrive(self, many: int) -> None:
        for _ in range(many):
            self.store.deposit(ANN, b"Subject: x\r\n\r\n")
        clock_of(self.world).advance(1)

    @rule(number=st.integers(0, 20), read=st.booleans())
    def read(self, number: int, read: bool) -> None:
        if (item := self.some(self.here, number)) is not None:
            self.store.set_read([item.uid], read)

    @rule(number=st.integers(0, 20))
    def delete(self, number: int) -> None:
        if (item := self.some(self.here, number)) is not None:
            self.store.delete([item.uid])

    @rule(number=st.integers(0, 20), back=st.booleans())
    def move(self, number: int, back: bool) -> None:
        source, target = (self.there, self.here) if back else (self.here, self.there)
        if (item := self.some(source, number)) is not None:
            self.store.move(item.uid, target)

    @rule(most=st.integers(1, 5))
    def follow(self, most: int) -> None:
        self.old.append((self.state, dict(self.known), self.complete))
        message = self.ann.one(items(self.state, most=most, extra=uri("message:IsRead")))
        told = set()
        for what, change in message["Changes"]:
            (value,) = change.values() if what in ("Create", "Update") else (change,)
            one = value["ItemId"]["@Id"]
            assert one not in told
            told.add(one)
            if what != "Delete":
                assert (one in self.known) == (what != "Create")
            if what == "Delete":
                self.known.pop(one, None)
            else:
                self.known[one] = value["IsRead"]
        self.state, self.complete = message["SyncState"], message["IncludesLastItemInRange"]

    @rule(number=st.integers(0, 50))
    def replay(self, number: int) -> None:
        if self.old:
            state, known, complete = self.old[number % len(self.old)]
            self.state, self.known, self.complete = state, dict(known), complete

    @rule()
    def catch_up(self) -> None:
        self.follow(5)
        while not self.complete:
            self.follow(5)
        wanted = {str(item_id(item)["@Id"]): item.read for item in self.store.items(self.here)}
        assert self.known == wanted

    @invariant()
    def states_are_short(self) -> None:
        assert len(getattr(self, "state", "")) < 200


TestFollower = Follower.TestCase
TestFollower.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
