"""exchangelib and folders: the tree, and what is done to it."""

from __future__ import annotations

import pytest
from exchangelib import DEEP, SHALLOW, Folder, FolderCollection, Message
from exchangelib.errors import (
    ErrorDeleteDistinguishedFolder,
    ErrorFolderExists,
    ErrorFolderNotFound,
    ErrorItemNotFound,
    ErrorObjectTypeChanged,
)
from exchangelib.folders import Calendar, Contacts, Inbox, Messages, Tasks
from exchangelib.items import MOVE_TO_DELETED_ITEMS


def test_the_well_known_folders_of_a_mailbox(exchange):
    ann = exchange.account()
    found = {
        name: getattr(ann, name).__class__.__name__
        for name in ("inbox", "drafts", "sent", "trash", "outbox", "junk", "calendar", "contacts", "tasks")
    }
    assert found == {
        "inbox": "Inbox",
        "drafts": "Drafts",
        "sent": "SentItems",
        "trash": "DeletedItems",
        "outbox": "Outbox",
        "junk": "JunkEmail",
        "calendar": "Calendar",
        "contacts": "Contacts",
        "tasks": "Tasks",
    }
    assert all(getattr(ann, name).is_distinguished for name in found)
    assert {type(folder) for folder in (ann.calendar, ann.contacts, ann.tasks)} == {Calendar, Contacts, Tasks}


@pytest.mark.parametrize(
    "name", ["notes", "journal", "recoverable_items_root", "recoverable_items_deletions", "search_folders"]
)
def test_further_well_known_folders(exchange, name):
    assert getattr(exchange.account(), name).test_access()


@pytest.mark.parametrize("name", ["public_folders_root", "archive_root"])
def test_what_a_mailbox_does_not_have_is_said_to_be_missing(exchange, name):
    with pytest.raises(ErrorFolderNotFound):
        getattr(exchange.account(), name)


def test_walking_the_tree(exchange):
    ann = exchange.account()
    paths = {folder.absolute for folder in ann.root.walk()}
    assert {"/Root/Top of Information Store/Inbox", "/Root/Top of Information Store/Calendar"} <= paths
    assert (ann.root / "Top of Information Store" / "Inbox").id == ann.inbox.id
    assert ann.inbox.parent.id == ann.msg_folder_root.id
    assert ann.root.tois.id == ann.msg_folder_root.id
    assert "Inbox" in ann.root.tree()
    assert [folder.name for folder in ann.root.glob("*/Inbox")] == ["Inbox"]
    assert [folder.name for folder in ann.root.glob("**/Sent Items")] == ["Sent Items"]


def test_make_rename_move_and_delete_a_folder(exchange):
    ann = exchange.account()
    folder = Messages(parent=ann.inbox, name="Orders").save()
    below = Messages(parent=folder, name="2026").save()
    assert (ann.inbox / "Orders" / "2026").id == below.id
    assert folder.folder_class == "IPF.Note"
    with pytest.raises(ErrorFolderExists):
        Messages(parent=ann.inbox, name="orders").save()

    key = folder.changekey
    folder.name = "Old orders"
    folder.save(update_fields=["name"])
    folder.refresh()
    assert folder.name == "Old orders"
    assert folder.changekey != key

    identity = below.id
    below.move(ann.msg_folder_root)
    ann.root.clear_cache()
    assert (ann.msg_folder_root / "2026").id == identity
    assert folder.child_folder_count in (0, 1)
    folder.refresh()
    assert folder.child_folder_count == 0

    gone = folder.id
    folder.delete()
    with pytest.raises(ErrorItemNotFound):
        Folder(root=ann.root, id=gone).refresh()
    below.delete(delete_type=MOVE_TO_DELETED_ITEMS)
    ann.root.clear_cache()
    assert (ann.trash / "2026").id


def test_folders_of_other_kinds(exchange):
    ann = exchange.account()
    calendar = Calendar(parent=ann.calendar, name="Holidays").save()
    contacts = Contacts(parent=ann.contacts, name="Suppliers").save()
    tasks = Tasks(parent=ann.tasks, name="Later").save()
    ann.root.clear_cache()
    found = {folder.name: (type(folder), folder.folder_class) for folder in ann.root.walk()}
    assert found["Holidays"] == (Calendar, "IPF.Appointment")
    assert found["Suppliers"] == (Contacts, "IPF.Contact")
    assert found["Later"] == (Tasks, "IPF.Task")
    calendar.folder_class = "IPF.Note"
    with pytest.raises(ErrorObjectTypeChanged):
        calendar.save(update_fields=["folder_class"])
    for folder in (calendar, contacts, tasks):
        folder.delete()


def test_a_distinguished_folder_is_not_deleted(exchange):
    with pytest.raises(ErrorDeleteDistinguishedFolder):
        exchange.account().inbox.delete()


def test_empty_and_wipe(exchange):
    ann = exchange.account()
    folder = Messages(parent=ann.inbox, name="Full").save()
    below = Messages(parent=folder, name="Fuller").save()
    for place in (folder, below):
        Message(account=ann, folder=place, subject="one").save()
    folder.empty()
    assert (folder.all().count(), below.all().count()) == (0, 1)
    Message(account=ann, folder=folder, subject="two").save()
    folder.empty(delete_sub_folders=True)
    folder.refresh()
    assert (folder.total_count, folder.child_folder_count) == (0, 0)

    Message(account=ann, folder=folder, subject="three").save()
    Messages(parent=folder, name="again").save()
    folder.wipe()
    folder.refresh()
    assert (folder.total_count, folder.child_folder_count) == (0, 0)
    folder.delete()


def test_counts(exchange):
    for number in range(3):
        exchange.deliver(f"mail {number}")
    ann = exchange.account()
    assert (ann.inbox.total_count, ann.inbox.unread_count) == (3, 3)
    first = ann.inbox.all()[0]
    first.is_read = True
    first.save(update_fields=["is_read"])
    ann.inbox.refresh()
    assert (ann.inbox.total_count, ann.inbox.unread_count) == (3, 2)


def test_rights_and_permissions(exchange):
    ann = exchange.account()
    ann.inbox.refresh()
    assert ann.inbox.effective_rights.create_contents
    assert ann.inbox.effective_rights.read
    levels = {
        permission.user_id.distinguished_user: permission.permission_level
        for permission in ann.inbox.permission_set.permissions
    }
    assert set(levels) >= {"Default", "Anonymous"}


def test_finding_folders(exchange):
    ann = exchange.account()
    for name in ("Alder", "Birch", "Cedar"):
        Messages(parent=ann.inbox, name=name).save()
    below = FolderCollection(account=ann, folders=[ann.inbox])
    assert {folder.name for folder in below.find_folders(depth=SHALLOW)} == {"Alder", "Birch", "Cedar"}
    assert {folder.name for folder in below.filter().none()} == set()
    roots = FolderCollection(account=ann, folders=[ann.msg_folder_root])
    assert {folder.name for folder in roots.find_folders(depth=DEEP)} >= {"Inbox", "Alder"}
    assert [type(folder) for folder in FolderCollection(account=ann, folders=[ann.inbox]).get_folders()] == [Inbox]
    assert [folder.name for folder in FolderCollection(account=ann, folders=[ann.inbox]).resolve()] == ["Inbox"]


def test_folder_query_sets(exchange):
    from exchangelib.folders.queryset import FolderQuerySet, SingleFolderQuerySet

    ann = exchange.account()
    for name in ("Alder", "Birch", "Cedar"):
        Messages(parent=ann.inbox, name=name).save()
    query = FolderQuerySet(FolderCollection(account=ann, folders=[ann.inbox]))
    assert {folder.name for folder in query.all()} == {"Alder", "Birch", "Cedar"}
    assert query.get(name="Birch").name == "Birch"
    assert {folder.name for folder in query.filter(name__startswith="C")} == {"Cedar"}
    assert {folder.name for folder in query.filter(name__in=["Alder", "Cedar"]).only("name")} == {"Alder", "Cedar"}
    assert {
        folder.name
        for folder in FolderQuerySet(FolderCollection(account=ann, folders=[ann.root])).depth(DEEP).filter(name="Cedar")
    } == {"Cedar"}
    assert SingleFolderQuerySet(account=ann, folder=ann.inbox).resolve().id == ann.inbox.id


def test_a_folders_id_by_other_means(exchange):
    ann = exchange.account()
    assert ann.inbox.to_id().id == "inbox"
    assert Inbox.resolve(ann, ann.inbox).name == "Inbox"
    assert ann.inbox.test_access()
    children = ann.root.get_children(ann.msg_folder_root)
    assert "Inbox" in {child.name for child in children}
