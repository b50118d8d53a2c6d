"""The archive of a mailbox, and what is kept for recovery (ews reference 6, 8; MS-OXWSARCH, MS-OXWSFOLD)."""

from __future__ import annotations

from typing import Any

import pytest
from folders_scene import ANN, BOB, Asker, ann, bob, by_id, mail, named, world

from postroom_simulator import World
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Item, Role

__all__ = ["ann", "bob", "world"]
Value = dict[str, Any]


def held(world: World, role: Role) -> list[Item]:
    return list(world.store.items(world.store.folder(ANN, role).uid))


def ref(item: Item) -> str:
    one = item_id(item)
    return f'<t:ItemId Id="{one["@Id"]}" ChangeKey="{one["@ChangeKey"]}"/>'


def archive(source: str, *items: Item) -> str:
    refs = "".join(map(ref, items))
    return f"<ArchiveItem><ArchiveSourceFolderId>{source}</ArchiveSourceFolderId><ItemIds>{refs}</ItemIds></ArchiveItem>"


def carry(operation: str, to: str, *items: Item) -> str:
    return f"<{operation}><ToFolderId>{to}</ToFolderId><ItemIds>{''.join(map(ref, items))}</ItemIds></{operation}>"


def delete(how: str, *items: Item) -> str:
    return f'<DeleteItem DeleteType="{how}"><ItemIds>{"".join(map(ref, items))}</ItemIds></DeleteItem>'


def delivered(world: World, subject: str = "hello") -> Item:
    world.deliver("x@out.test", [ANN], mail(subject))
    return held(world, Role.INBOX)[-1]


@pytest.fixture
def archived(world: World) -> World:
    world.store.open_archive(ANN)
    return world


# -- ArchiveItem (reference 4, tier 3; MS-OXWSARCH 3.1.4.1)


def test_without_an_archive(world: World, ann: Asker) -> None:
    """The published example: ErrorInvalidOperation, with this text; and the folders are not there (reference 6)."""
    (message,) = ann.messages(archive(named("inbox"), delivered(world)))
    assert (message["ResponseCode"], message["MessageText"]) == (
        "ErrorInvalidOperation",
        "Archive mailbox is not enabled for this user.",
    )
    assert ann.code(carry("MoveItem", named("archiveinbox"), delivered(world))) == "ErrorToFolderNotFound"


def test_an_account_is_made_with_an_archive() -> None:
    with World(hostname="folders.sim.test") as world:
        world.add_account(ANN, "pw", archive=True)
        world.add_account(BOB, "pw")
        assert Asker(world).folder(named("archivemsgfolderroot"))[1]["DisplayName"] == "Top of Information Store"
        shape = "<FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape>"
        asked = f"<GetFolder>{shape}<FolderIds>{named('archiveroot')}</FolderIds></GetFolder>"
        assert Asker(world, BOB).code(asked) == "ErrorFolderNotFound"


def test_items_go_to_the_folder_of_the_same_path(archived: World, ann: Asker) -> None:
    """ "Preserves the folder hierarchy"; the answer has no items (published example)."""
    first, second = delivered(archived), delivered(archived)
    messages = ann.messages(archive(named("inbox"), first, second))
    assert [(one["ResponseCode"], one["Items"]) for one in messages] == [("NoError", []), ("NoError", [])]
    assert (len(held(archived, Role.INBOX)), len(held(archived, Role.ARCHIVE_INBOX))) == (0, 2)
    made = ann.make("below", by_id(ann.make("above")))
    item = archived.store.move(
        delivered(archived).uid, next(one.uid for one in archived.store.folders(ANN) if one.name == "below")
    )
    ann.one(archive(by_id(made), item))
    assert ann.names(named("archivemsgfolderroot"), "Deep") == ["Inbox", "Deleted Items", "above", "below"]
    below = [one for one in archived.store.folders(ANN) if one.name == "below"][-1]
    assert len(archived.store.items(below.uid)) == 1
    assert "below" in ann.names(named("msgfolderroot"), "Deep")


def test_what_is_not_archived(archived: World, ann: Asker) -> None:
    item = delivered(archived)
    assert ann.code(archive(named("publicfoldersroot"), item)) == "ErrorCannotArchiveItemsInPublicFolders"
    ann.one(archive(named("inbox"), item))
    (kept,) = held(archived, Role.ARCHIVE_INBOX)
    assert ann.code(archive(named("archiveinbox"), kept)) == "ErrorCannotArchiveItemsInArchiveMailbox"
    assert ann.code(archive(named("inbox"), kept)) == "ErrorCannotArchiveItemsInArchiveMailbox"
    calendar = archived.store.folder(ANN, Role.CALENDAR).uid
    note = archived.store.move(delivered(archived).uid, calendar)
    assert ann.code(archive(named("calendar"), note)) == "ErrorCannotArchiveCalendarContactTaskFolderException"
    contact = archived.store.create(archived.store.folder(ANN, Role.INBOX).uid, "IPM.Contact", {"DisplayName": "c"})
    assert ann.code(archive(named("inbox"), contact)) == "ErrorInvalidItemForOperationArchiveItem"
    lost = archived.store.move(delivered(archived).uid, archived.store.folder(ANN, Role.DELETIONS).uid)
    assert ann.code(archive(named("recoverableitemsdeletions"), lost)) == "ErrorArchiveFolderPathCreation"
    ann.one(archive(named("deleteditems"), note))  # from elsewhere: the folder that is named says where to
    assert len(held(archived, Role.ARCHIVE_DELETED)) == 1
    assert ann.code(archive(named("inbox"), note)) == "ErrorItemNotFound"
    assert ann.code(archive(named("inbox"), note), version="Exchange2010_SP2") == "ErrorIncorrectSchemaVersion"


def test_somebody_elses_mail_is_not_archived(archived: World, ann: Asker, bob: Asker) -> None:
    assert bob.code(archive(named("inbox", ANN), delivered(archived))) == "ErrorAccessDenied"


# -- the archive is a mailbox of its own


def test_moving_between_a_mailbox_and_its_archive(archived: World, ann: Asker) -> None:
    """Reference 8: no new ids where an item goes into another mailbox. Folders do not go (ErrorCrossMailboxMoveCopy)."""
    (message,) = ann.messages(carry("MoveItem", named("archiveinbox"), delivered(archived)))
    assert (message["ResponseCode"], message["Items"]) == ("NoError", [])
    (message,) = ann.messages(carry("CopyItem", named("inbox"), held(archived, Role.ARCHIVE_INBOX)[0]))
    assert (message["ResponseCode"], message["Items"]) == ("NoError", [])
    (message,) = ann.messages(carry("MoveItem", named("archivedeleteditems"), held(archived, Role.ARCHIVE_INBOX)[0]))
    assert len(message["Items"]) == 1
    made = ann.make("own")
    for operation in ("MoveFolder", "CopyFolder"):
        asked = f"<{operation}><ToFolderId>{named('archivemsgfolderroot')}</ToFolderId><FolderIds>{by_id(made)}</FolderIds></{operation}>"
        assert ann.code(asked) == "ErrorCrossMailboxMoveCopy"


def test_deleting_in_the_archive_stays_in_the_archive(archived: World, ann: Asker) -> None:
    """Published table of folders with deleted items: archivedeleteditems, archiverecoverableitemsdeletions."""
    ann.one(archive(named("inbox"), delivered(archived)))
    ann.one(delete("MoveToDeletedItems", *held(archived, Role.ARCHIVE_INBOX)))
    ann.one(delete("MoveToDeletedItems", *held(archived, Role.ARCHIVE_DELETED)))
    assert len(held(archived, Role.ARCHIVE_DELETIONS)) == 1
    ann.one(delete("SoftDelete", *held(archived, Role.ARCHIVE_DELETIONS)))
    assert [len(held(archived, role)) for role in (Role.ARCHIVE_DELETIONS, Role.DELETED, Role.DELETIONS)] == [0, 0, 0]
    made = ann.make("kept", named("archivemsgfolderroot"))
    ann.one(f'<DeleteFolder DeleteType="MoveToDeletedItems"><FolderIds>{by_id(made)}</FolderIds></DeleteFolder>')
    assert ann.names(named("archivedeleteditems")) == ["kept"]
    assert ann.code(f'<DeleteFolder DeleteType="HardDelete"><FolderIds>{named("archiveinbox")}</FolderIds></DeleteFolder>') == (
        "ErrorDeleteDistinguishedFolder"
    )
    empty = '<EmptyFolder DeleteType="HardDelete" DeleteSubFolders="false"><FolderIds>{}</FolderIds></EmptyFolder>'
    assert ann.code(empty.format(named("archiverecoverableitemsdeletions"))) == "ErrorCannotEmptyFolder"
    assert ann.code(empty.format(named("archivedeleteditems"))) == "NoError"


def test_the_hierarchy_of_the_mailbox_is_without_its_archive(archived: World, ann: Asker) -> None:
    """Reference 6: the tree of the mailbox hangs below root; that of the archive below archiveroot."""
    root = ann.folder(named("archiveroot"))[1]
    assert "ParentFolderId" not in root
    assert root["DistinguishedFolderId"] == "archiveroot"
    assert "Purges" in ann.names(named("archiveroot"), "Deep")
    assert ann.names(named("root"), "Deep").count("Inbox") == 1
    shape = "<FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>"
    synced = ann.one(f"<SyncFolderHierarchy>{shape}</SyncFolderHierarchy>")
    names = [change[1]["Folder"].get("DisplayName") for change in synced["Changes"] if "Folder" in change[1]]
    assert names.count("Inbox") == 1


# -- copying folder trees (reference 6; MS-OXWSFOLD 3.1.4.1)


def copy(what: str, to: str) -> str:
    return f"<CopyFolder><ToFolderId>{to}</ToFolderId><FolderIds>{what}</FolderIds></CopyFolder>"


def test_a_copy_that_does_not_fit_leaves_nothing_behind(world: World, ann: Asker) -> None:
    made = ann.make("big")
    uid = next(one.uid for one in world.store.folders(ANN) if one.name == "big")
    for subject in ("one", "two"):
        world.store.deposit(ANN, mail(subject), folder=uid)
    ann.make("inner", by_id(made))
    world.set_quota(ANN, world.store.used(ANN) + len(mail("one")) + 10)
    assert ann.code(copy(by_id(made), named("inbox"))) == "ErrorQuotaExceeded"
    assert ann.names(named("inbox")) == []


def test_a_copy_of_a_copy(world: World, ann: Asker) -> None:
    """A tree of several levels with its items; into itself it does not go, nor over a name that is taken, nor into another mailbox."""
    top = ann.make("a")
    below = ann.make("b", by_id(top))
    lowest = ann.make("c", by_id(below), element="CalendarFolder")
    assert lowest
    uid = next(one.uid for one in world.store.folders(ANN) if one.name == "b")
    world.store.deposit(ANN, mail("kept"), folder=uid)
    ann.one(copy(by_id(top), named("notes")))
    assert ann.names(named("notes"), "Deep") == ["a", "b", "c"]
    copied = [one for one in world.store.folders(ANN) if one.name in ("b", "c")][-2:]
    assert [one.folder_class for one in copied] == ["IPF.Note", "IPF.Appointment"]
    assert len(world.store.items(copied[0].uid)) == 1
    assert ann.code(copy(by_id(top), by_id(below))) == "ErrorMoveCopyFailed"
    assert ann.code(copy(by_id(top), named("notes"))) == "ErrorMoveCopyFailed"
    assert ann.code(copy(by_id(top), by_id("x"))) == "ErrorInvalidIdMalformed"


def test_folders_stay_in_their_mailbox(world: World, ann: Asker, bob: Asker) -> None:
    from postroom_simulator.ews import permissions

    permissions.grant(world.store, world.store.folder(BOB, Role.TOP), ANN, "Owner")
    permissions.grant(world.store, world.store.folder(BOB, Role.INBOX), ANN, "Owner")
    made = ann.make("mine")
    for operation in ("MoveFolder", "CopyFolder"):
        asked = f"<{operation}><ToFolderId>{named('inbox', BOB)}</ToFolderId><FolderIds>{by_id(made)}</FolderIds></{operation}>"
        assert ann.code(asked) == "ErrorCrossMailboxMoveCopy"
    assert bob.names(named("inbox")) == []


# -- recoverable items (published table of folders with deleted items)


def test_soft_and_hard_deletion(world: World, ann: Asker) -> None:
    """SoftDelete: Deletions. HardDelete: gone, as in a mailbox without single item recovery (reference 8)."""
    item = delivered(world)
    ann.one(delete("SoftDelete", item))
    (lost,) = held(world, Role.DELETIONS)
    assert ann.code(delete("SoftDelete", item)) == "ErrorItemNotFound"
    back = ann.one(carry("MoveItem", named("inbox"), lost))["Items"]
    assert len(back) == 1
    ann.one(delete("HardDelete", *held(world, Role.INBOX)))
    assert [held(world, role) for role in (Role.INBOX, Role.DELETIONS, Role.PURGES)] == [[], [], []]


def test_single_item_recovery(world: World, ann: Asker) -> None:
    """Hard-deleted items go to Purges, what was removed from Deletions too; older versions of what is changed to Versions, but not of drafts."""
    world.directory.account(ANN).single_item_recovery = True
    ann.one(delete("HardDelete", delivered(world)))
    ann.one(delete("SoftDelete", delivered(world)))
    ann.one(delete("SoftDelete", *held(world, Role.DELETIONS)))
    assert (len(held(world, Role.PURGES)), held(world, Role.DELETIONS)) == (2, [])
    assert ann.code(delete("HardDelete", held(world, Role.PURGES)[0])) == "ErrorCannotDeleteObject"
    change = (
        '<UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><ItemChanges><t:ItemChange>{}<t:Updates>{}</t:Updates>'
        "</t:ItemChange></ItemChanges></UpdateItem>"
    )
    subject = '<t:SetItemField><t:FieldURI FieldURI="item:Subject"/><t:Message><t:Subject>new</t:Subject></t:Message></t:SetItemField>'
    read = '<t:SetItemField><t:FieldURI FieldURI="message:IsRead"/><t:Message><t:IsRead>true</t:IsRead></t:Message></t:SetItemField>'
    item = delivered(world, "old")
    ann.one(change.format(ref(item), read))
    assert held(world, Role.VERSIONS) == []
    ann.one(change.format(ref(item), subject))
    (version,) = held(world, Role.VERSIONS)
    assert b"Subject: old" in world.store.octets(version.uid)
    draft = ann.one(
        '<CreateItem MessageDisposition="SaveOnly"><Items><t:Message><t:Subject>d</t:Subject></t:Message></Items></CreateItem>'
    )
    one = draft["Items"][0][1]["ItemId"]
    ann.one(change.format(f'<t:ItemId Id="{one["@Id"]}" ChangeKey="{one["@ChangeKey"]}"/>', subject))
    assert len(held(world, Role.VERSIONS)) == 1


def test_folders_are_never_soft_deleted(world: World, ann: Asker) -> None:
    """ "Folders cannot be soft deleted": they are gone, what was in them is recoverable, and the SoftDeleted traversal finds no folder."""
    made = ann.make("gone")
    uid = next(one.uid for one in world.store.folders(ANN) if one.name == "gone")
    world.store.deposit(ANN, mail("kept"), folder=uid)
    ann.one(f'<DeleteFolder DeleteType="SoftDelete"><FolderIds>{by_id(made)}</FolderIds></DeleteFolder>')
    assert ann.names(named("msgfolderroot"), "SoftDeleted") == ann.names(named("root"), "SoftDeleted") == []
    assert len(held(world, Role.DELETIONS)) == 1
    shape = "<FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape>"
    assert ann.code(f"<GetFolder>{shape}<FolderIds>{by_id(made)}</FolderIds></GetFolder>") == "ErrorItemNotFound"


@pytest.mark.parametrize("version", ["Exchange2010_SP1", "Exchange2013", "Exchange2013_SP1"])
def test_names_that_an_old_version_does_not_know_are_not_said(archived: World, ann: Asker, version: str) -> None:
    """Reference 2: archiveinbox is a name since 2013 SP1; what bears it is shown without."""
    assert ann.names(named("archivemsgfolderroot"), version=version) == ["Inbox", "Deleted Items"]
