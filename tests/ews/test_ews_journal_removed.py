"""What leaves a folder over this service is in the journal, as what POP3 removes is: the books that are kept of mail see it."""

from __future__ import annotations

from typing import Any

import pytest
from folders_scene import ANN, BOB, Asker, ann, mail, named, world

from postroom_simulator import World
from postroom_simulator.ews import permissions
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.journal import Entry, Kind
from postroom_simulator.store.interface import Item, Role

__all__ = ["ann", "world"]


def arrived(world: World, address: str = ANN) -> Item:
    """A message in an Inbox."""
    world.deliver("x@out.test", [address], mail("hello", to=address))
    return world.store.items(world.store.folder(address, Role.INBOX).uid)[-1]


def of(item: Item) -> str:
    return f'<ItemIds><t:ItemId Id="{item_id(item)["@Id"]}"/></ItemIds>'


def deleting(item: Item, how: str) -> str:
    return f'<DeleteItem DeleteType="{how}">{of(item)}</DeleteItem>'


def removed(world: World) -> list[Entry]:
    return world.journal.entries(kind=Kind.REMOVED, protocol="ews")


def expected(item: Item, why: str, **more: Any) -> dict[str, Any]:
    return {"uid": item.uid, "folder": "inbox", "digest": item.digest, "reason": why, **more}


@pytest.mark.parametrize(
    ("how", "more"),
    [("HardDelete", {}), ("SoftDelete", {"to": "recoverableitemsdeletions"}), ("MoveToDeletedItems", {"to": "deleteditems"})],
)
def test_deletions_are_told_apart(world: World, ann: Asker, how: str, more: dict[str, str]) -> None:
    item = arrived(world)
    assert ann.code(deleting(item, how)) == "NoError"
    (entry,) = removed(world)
    assert (entry.account, entry.verb, entry.data) == (ANN, "DeleteItem", expected(item, how, **more))
    moves = world.journal.entries(detail="a new unique id", data={"before": item.uid})
    assert len(moves) == len(more)


def test_what_is_deleted_twice_is_told_twice(world: World, ann: Asker) -> None:
    assert ann.code(deleting(arrived(world), "MoveToDeletedItems")) == "NoError"
    gone = world.store.items(world.store.folder(ANN, Role.DELETED).uid)[0]
    assert ann.code(deleting(gone, "HardDelete")) == "NoError"
    assert [(one.data["folder"], one.data.get("to")) for one in removed(world)] == [
        ("inbox", "deleteditems"),
        ("deleteditems", None),
    ]


def test_what_is_moved(world: World, ann: Asker) -> None:
    item = arrived(world)
    assert ann.code(f"<MoveItem><ToFolderId>{named('junkemail')}</ToFolderId>{of(item)}</MoveItem>") == "NoError"
    assert [one.data for one in removed(world)] == [expected(item, "MoveItem", to="junkemail")]


def test_what_is_moved_to_where_it_is_did_not_leave(world: World, ann: Asker) -> None:
    item = arrived(world)
    assert ann.code(f"<MoveItem><ToFolderId>{named('inbox')}</ToFolderId>{of(item)}</MoveItem>") == "NoError"
    assert removed(world) == []


def test_what_goes_to_another_mailbox(world: World, ann: Asker) -> None:
    item = arrived(world)
    permissions.grant(world.store, world.store.folder(BOB, Role.INBOX), ANN, "Editor")
    moving = f"<MoveItem><ToFolderId>{named('inbox', BOB)}</ToFolderId>{of(item)}</MoveItem>"
    assert ann.code(moving) == "NoError"
    assert [one.data for one in removed(world)] == [expected(item, "MoveItem", to="inbox", to_account=BOB)]


@pytest.mark.parametrize("operation", ["EmptyFolder", "MarkAsJunk"])
def test_other_ways_out(world: World, ann: Asker, operation: str) -> None:
    item = arrived(world)
    asked = {
        "EmptyFolder": f'<EmptyFolder DeleteType="HardDelete" DeleteSubFolders="false"><FolderIds>{named("inbox")}</FolderIds></EmptyFolder>',
        "MarkAsJunk": f'<MarkAsJunk IsJunk="true" MoveItem="true">{of(item)}</MarkAsJunk>',
    }[operation]
    assert ann.code(asked) == "NoError"
    assert [(one.verb, one.data["uid"]) for one in removed(world)] == [(operation, item.uid)]


def test_a_copy_leaves_nothing(world: World, ann: Asker) -> None:
    assert ann.code(f"<CopyItem><ToFolderId>{named('drafts')}</ToFolderId>{of(arrived(world))}</CopyItem>") == "NoError"
    assert removed(world) == []


def test_what_single_item_recovery_keeps_is_gone_from_its_folder(world: World, ann: Asker) -> None:
    world.directory.account(ANN).single_item_recovery = True
    item = arrived(world)
    assert ann.code(deleting(item, "HardDelete")) == "NoError"
    assert [one.data for one in removed(world)] == [expected(item, "HardDelete")]
