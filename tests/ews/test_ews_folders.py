"""Folders: found, shown, made, changed, moved, copied, emptied and deleted (ews reference 5, 6)."""

from __future__ import annotations

import pytest
from folders_scene import ANN, BOB, Asker, additional, ann, bob, by_id, clock_of, create, mail, named, tag, uri, world

from postroom_simulator import World
from postroom_simulator.ews.ids import Id, Kind, mailbox_number, write_id
from postroom_simulator.ews.schema import type_named
from postroom_simulator.store.interface import UNNAMED, Role

__all__ = ["ann", "bob", "world"]


# -- by name and by id


def codes_of_names(ann: Asker) -> dict[str, str]:
    names = list(type_named("DistinguishedFolderIdNameType").values)
    asked = "".join(map(named, names))
    shape = "<FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape>"
    messages = ann.messages(f"<GetFolder>{shape}<FolderIds>{asked}</FolderIds></GetFolder>")
    assert len(names) >= 67
    return dict(zip(names, (one["ResponseCode"] for one in messages), strict=True))


def test_each_of_the_names_of_the_schema_is_a_folder_or_an_error_of_its_own(world: World, ann: Asker) -> None:
    """Reference 6: names without a folder here are an error each, those of an archive where the mailbox has none too."""
    codes = codes_of_names(ann)
    known = {role.value for role in set(Role) - UNNAMED}
    archived = {name for name in known if name.startswith("archive")}
    assert {name for name, code in codes.items() if code == "NoError"} == known - archived
    assert codes.pop("publicfoldersroot") == "ErrorNoPublicFolderReplicaAvailable"
    assert set(codes.values()) == {"NoError", "ErrorFolderNotFound"}
    assert codes["archivemsgfolderroot"] == "ErrorFolderNotFound"
    world.store.open_archive(ANN)
    assert {name for name, code in codes_of_names(ann).items() if code == "NoError"} == known


def test_what_is_there_does_not_depend_on_what_was_asked_before(world: World, ann: Asker) -> None:
    """FindFolder gives the same before and after a well-known folder was looked up, and by a folder's id alone."""
    root = world.store.folder(ANN, Role.ROOT)
    one = write_id(Id(Kind.FOLDER, mailbox_number(ANN), root.uid))
    first = ann.names(by_id(one), "Deep")
    ann.folder(named("quickcontacts"))
    ann.folder(named("recoverableitemspurges"))
    assert ann.names(by_id(one), "Deep") == ann.names(named("root"), "Deep") == first
    assert {"Recoverable Items", "Purges", "Conversation History"} <= set(first)
    assert ann.folder(by_id(one))[1]["ChildFolderCount"] == len(ann.names(by_id(one)))


@pytest.mark.parametrize(
    ("name", "shown", "element", "folder_class"),
    [
        ("msgfolderroot", "Top of Information Store", "Folder", "IPF"),
        ("searchfolders", "Finder", "Folder", None),
        ("inbox", "Inbox", "Folder", "IPF.Note"),
        ("calendar", "Calendar", "CalendarFolder", "IPF.Appointment"),
        ("contacts", "Contacts", "ContactsFolder", "IPF.Contact"),
        ("tasks", "Tasks", "TasksFolder", "IPF.Task"),
        ("notes", "Notes", "Folder", "IPF.StickyNote"),
        ("journal", "Journal", "Folder", "IPF.Journal"),
        ("recipientcache", "Recipient Cache", "ContactsFolder", "IPF.Contact.RecipientCache"),
    ],
)
def test_the_element_is_that_of_the_class(ann: Asker, name: str, shown: str, element: str, folder_class: str | None) -> None:
    got, value = ann.folder(named(name))
    assert (got, value["DisplayName"], value.get("FolderClass")) == (element, shown, folder_class)
    assert value["DistinguishedFolderId"] == name


def test_shapes(ann: Asker) -> None:
    default = {
        "FolderId",
        "DisplayName",
        "TotalCount",
        "ChildFolderCount",
        "UnreadCount",
        "FolderClass",
        "DistinguishedFolderId",
    }
    assert set(ann.folder(named("inbox"), "IdOnly")[1]) - {"ExtendedProperty"} == {"FolderId"}
    assert set(ann.folder(named("inbox"), "Default")[1]) - {"ExtendedProperty"} == default
    everything = set(ann.folder(named("inbox"))[1]) - {"ExtendedProperty"}
    assert everything == default | {"ParentFolderId", "EffectiveRights", "PermissionSet"}
    assert "UnreadCount" not in ann.folder(named("calendar"))[1]
    assert "DistinguishedFolderId" not in ann.folder(named("inbox"), "Default", version="Exchange2010")[1]
    asked = ann.folder(named("inbox"), "IdOnly", uri("folder:DisplayName") + uri("folder:ParentFolderId"))[1]
    assert asked["DisplayName"] == "Inbox"
    assert asked["ParentFolderId"] == ann.folder(named("msgfolderroot"))[1]["FolderId"]


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        (by_id("nonsense"), "ErrorInvalidIdMalformed"),
        (by_id(""), "ErrorInvalidIdEmpty"),
        (named("inbox", "nobody@sim.test"), "ErrorNonExistentMailbox"),
    ],
)
def test_ids_that_name_nothing(ann: Asker, reference: str, code: str) -> None:
    shape = "<FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape>"
    assert ann.code(f"<GetFolder>{shape}<FolderIds>{reference}</FolderIds></GetFolder>") == code


def test_an_id_stays_over_rename_and_move_and_its_key_changes(ann: Asker) -> None:
    made = ann.make("one")
    keys = [ann.folder(by_id(made))[1]["FolderId"]["@ChangeKey"]]
    ann.one(update(made, set_name("two")))
    keys.append(ann.folder(by_id(made))[1]["FolderId"]["@ChangeKey"])
    ann.one(move("MoveFolder", by_id(made), named("inbox")))
    keys.append(ann.folder(by_id(made))[1]["FolderId"]["@ChangeKey"])
    assert len(set(keys)) == 3
    assert ann.folder(by_id(made))[1]["DisplayName"] == "two"


def test_a_deleted_folder_is_not_found_by_its_id_and_a_mailbox_that_is_gone_neither(world: World, ann: Asker) -> None:
    made = ann.make("one")
    ann.one(delete(by_id(made)))
    shape = "<FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape>"
    asked = f"<GetFolder>{shape}<FolderIds>{by_id(made)}</FolderIds></GetFolder>"
    assert ann.code(asked) == "ErrorItemNotFound"
    assert ann.code(delete(by_id(made))) == "ErrorItemNotFound"
    assert ann.code(update(made, set_name("x"))) == "ErrorItemNotFound"
    assert ann.code(create("x", by_id(made))) == "ErrorParentFolderNotFound"
    world.add_account("gone@sim.test", "pw")
    gone = ann.folder(named("inbox"), user="gone@sim.test")[1]["FolderId"]["@Id"]
    world.remove_account("gone@sim.test")
    assert ann.code(f"<GetFolder>{shape}<FolderIds>{by_id(gone)}</FolderIds></GetFolder>") == "ErrorNonExistentMailbox"


def test_an_items_id_is_no_folders_id(world: World, ann: Asker) -> None:
    from postroom_simulator.ews.items.view import item_id

    world.deliver("x@out.test", [ANN], mail("hello"))
    item = world.store.items(world.store.folder(ANN, Role.INBOX).uid)[0]
    shape = "<FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape>"
    asked = f"<GetFolder>{shape}<FolderIds>{by_id(item_id(item)['@Id'])}</FolderIds></GetFolder>"
    assert ann.code(asked) == "ErrorCannotUseItemIdForFolderId"


# -- counts and MAPI properties


def test_counts_follow_what_is_there(world: World, ann: Asker) -> None:
    def counts() -> tuple[int, int, int]:
        value = ann.folder(named("inbox"))[1]
        return value["TotalCount"], value["UnreadCount"], value["ChildFolderCount"]

    assert counts() == (0, 0, 0)
    for number in range(3):
        world.deliver("x@out.test", [ANN], mail(f"hello {number}"))
    ann.make("below", named("inbox"))
    inbox = world.store.folder(ANN, Role.INBOX)
    first = world.store.items(inbox.uid)[0]
    world.store.set_read([first.uid], True)
    assert counts() == (3, 2, 1)
    world.store.create(inbox.uid, "IPM.Configuration.x", {}, flags=frozenset({"associated"}), read=False)
    assert counts() == (3, 2, 1)
    world.store.delete([first.uid])
    assert counts() == (2, 2, 1)


def extended(value: dict[str, object]) -> list[str]:
    found = value["ExtendedProperty"]
    assert isinstance(found, list)
    return [one["Value"] for one in found]


def test_the_mapi_properties_that_clients_ask_for(world: World, ann: Asker) -> None:
    world.deliver("x@out.test", [ANN], mail("hello"))
    made = ann.make("below", named("inbox"))
    asked = [
        ("0x3613", "String", "IPF.Note"),
        ("0x3602", "Integer", "1"),
        ("0x3603", "Integer", "1"),
        ("0x360a", "Boolean", "true"),
        ("0x10f3", "String", "Inbox"),
        ("4340", "Boolean", "false"),
        ("0xe08", "Integer", str(world.store.items(world.store.folder(ANN, Role.INBOX).uid)[0].size)),
        ("0x3601", "Integer", "1"),
    ]
    value = ann.folder(named("inbox"), "IdOnly", "".join(tag(number, kind) for number, kind, _ in asked))[1]
    assert extended(value) == [wanted for _, _, wanted in asked]
    assert [one["ExtendedFieldURI"]["@PropertyTag"] for one in value["ExtendedProperty"]] == [one for one, _, _ in asked]
    assert extended(ann.folder(by_id(made), "IdOnly", tag("0x360a", "Boolean"))[1]) == ["false"]


def test_the_time_of_change_advances_with_the_content_and_article_numbers_grow(world: World, ann: Asker) -> None:
    asked = tag("0x670a", "SystemTime") + tag("0x6751", "Integer") + tag("0x6752", "Integer") + tag("0x3008", "SystemTime")

    def now() -> list[str]:
        return extended(ann.folder(named("inbox"), "IdOnly", asked)[1])

    before = now()
    clock_of(world).advance(minutes=5)
    world.deliver("x@out.test", [ANN], mail("hello"))
    after = now()
    assert after[0] > before[0]
    item = world.store.items(world.store.folder(ANN, Role.INBOX).uid)[0]
    assert int(before[1]) <= item.arrived < int(after[1])
    assert int(after[2]) == item.arrived
    assert after[3] == before[3]


def test_extended_properties_of_a_folder_are_kept_changed_and_removed(ann: Asker) -> None:
    named_property = (
        '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="colour" PropertyType="String"/>'
    )
    kept = f"<t:ExtendedProperty>{named_property}<t:Value>blue</t:Value></t:ExtendedProperty>"
    made = ann.make("coloured", inside=kept)

    def colour() -> list[str]:
        return extended(ann.folder(by_id(made), "IdOnly", named_property)[1])

    assert colour() == ["blue"]
    red = f"<t:Folder><t:ExtendedProperty>{named_property}<t:Value>red</t:Value></t:ExtendedProperty></t:Folder>"
    ann.one(update(made, f"<t:SetFolderField>{named_property}{red}</t:SetFolderField>"))
    assert colour() == ["red"]
    ann.one(update(made, f"<t:DeleteFolderField>{named_property}</t:DeleteFolderField>"))
    assert colour() == []
    hidden = tag("0x10f4", "Boolean")
    ann.one(
        update(
            made,
            f"<t:SetFolderField>{hidden}<t:Folder><t:ExtendedProperty>{hidden}<t:Value>true</t:Value></t:ExtendedProperty>"
            "</t:Folder></t:SetFolderField>",
        )
    )
    assert extended(ann.folder(by_id(made), "IdOnly", tag("4340", "Boolean"))[1]) == ["true"]


# -- making


def test_a_folder_of_each_element_has_its_class(ann: Asker) -> None:
    for element, folder_class in (
        ("Folder", "IPF.Note"),
        ("CalendarFolder", "IPF.Appointment"),
        ("ContactsFolder", "IPF.Contact"),
        ("TasksFolder", "IPF.Task"),
    ):
        made = ann.make(element, element=element)
        got, value = ann.folder(by_id(made))
        assert (got, value["FolderClass"]) == (element, folder_class)


def test_a_folder_may_be_made_of_any_class_and_an_element_only_of_its_own(ann: Asker) -> None:
    made = ann.make("journal 2", inside="")
    assert ann.folder(by_id(made))[0] == "Folder"
    shown = "<t:FolderClass>IPF.Contact</t:FolderClass><t:DisplayName>people</t:DisplayName>"
    asked = "<CreateFolder><ParentFolderId>{}</ParentFolderId><Folders><t:{}>{}</t:{}></Folders></CreateFolder>"
    root = named("msgfolderroot")
    (found,) = ann.one(asked.format(root, "Folder", shown, "Folder"))["Folders"]
    assert ann.folder(by_id(found[1]["FolderId"]["@Id"]))[0] == "ContactsFolder"
    assert ann.code(asked.format(root, "CalendarFolder", shown, "CalendarFolder")) == "ErrorObjectTypeChanged"


def test_names_are_unique_without_case_and_one_of_several_fails_alone(ann: Asker) -> None:
    ann.make("One")
    assert ann.code(create("oNE")) == "ErrorFolderExists"
    assert ann.one(create("One", named("inbox")))["ResponseCode"] == "NoError"
    several = (
        f"<CreateFolder><ParentFolderId>{named('msgfolderroot')}</ParentFolderId><Folders><t:Folder>"
        "<t:DisplayName>two</t:DisplayName></t:Folder><t:Folder><t:DisplayName>ONE</t:DisplayName></t:Folder>"
        "<t:Folder><t:DisplayName>three</t:DisplayName></t:Folder></Folders></CreateFolder>"
    )
    messages = ann.messages(several)
    assert [one["ResponseCode"] for one in messages] == ["NoError", "ErrorFolderExists", "NoError"]
    assert messages[1]["MessageText"] == "A folder with the specified name already exists."
    assert messages[1]["Folders"] == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 256])
def test_a_name_that_no_folder_can_have(ann: Asker, name: str) -> None:
    assert ann.code(create(name)) == "ErrorFolderSave"


def test_what_the_server_says_itself_is_not_set(ann: Asker) -> None:
    total = (
        f"<CreateFolder><ParentFolderId>{named('inbox')}</ParentFolderId><Folders><t:Folder><t:DisplayName>x</t:DisplayName>"
        "<t:TotalCount>3</t:TotalCount></t:Folder></Folders></CreateFolder>"
    )
    assert ann.code(total) == "ErrorInvalidPropertySet"


def test_a_path_of_folders_keeps_those_that_are_there(ann: Asker) -> None:
    first = ann.make("a")
    steps = "".join(f"<t:Folder><t:DisplayName>{name}</t:DisplayName></t:Folder>" for name in ("A", "b", "c"))
    asked = (
        f"<CreateFolderPath><ParentFolderId>{named('msgfolderroot')}</ParentFolderId>"
        f"<RelativeFolderPath>{steps}</RelativeFolderPath></CreateFolderPath>"
    )
    messages = ann.messages(asked)
    ids = [one["Folders"][0][1]["FolderId"]["@Id"] for one in messages]
    assert ids[0] == first
    assert ann.names(by_id(first), "Deep") == ["b", "c"]
    assert [one["Folders"][0][1]["FolderId"]["@Id"] for one in ann.messages(asked)] == ids


def test_managed_folders_are_those_of_the_organization(world: World, ann: Asker) -> None:
    asked = "<CreateManagedFolder><FolderNames><t:FolderName>{}</t:FolderName></FolderNames></CreateManagedFolder>"
    assert ann.code(asked.format("Legal")) == "ErrorManagedFolderNotFound"
    world.ews.managed_folders["Legal"] = "kept for ten years"
    (found,) = ann.one(asked.format("legal"))["Folders"]
    value = ann.folder(by_id(found[1]["FolderId"]["@Id"]))[1]
    assert value["DisplayName"] == "Legal"
    assert value["ManagedFolderInformation"]["Comment"] == "kept for ten years"
    assert ann.code(asked.format("Legal")) == "ErrorManagedFolderAlreadyExists"


# -- changing


def update(one: str, change: str) -> str:
    return (
        f"<UpdateFolder><FolderChanges><t:FolderChange>{by_id(one)}<t:Updates>{change}</t:Updates></t:FolderChange>"
        "</FolderChanges></UpdateFolder>"
    )


def set_name(name: str) -> str:
    field = uri("folder:DisplayName")
    return f"<t:SetFolderField>{field}<t:Folder><t:DisplayName>{name}</t:DisplayName></t:Folder></t:SetFolderField>"


def test_managed_folders_stay_as_they_are(world: World, ann: Asker) -> None:
    """ManagedFolderInformation: CanDelete and CanRenameOrMove are false; what is in them is the user's."""
    world.ews.managed_folders["Keep"] = "for ever"
    (found,) = ann.one(
        "<CreateManagedFolder><FolderNames><t:FolderName>Keep</t:FolderName></FolderNames></CreateManagedFolder>"
    )["Folders"]
    one = found[1]["FolderId"]["@Id"]
    assert ann.code(update(one, set_name("other"))) == "ErrorFolderSave"
    assert ann.code(move("MoveFolder", by_id(one), named("inbox"))) == "ErrorMoveCopyFailed"
    for how in ("HardDelete", "SoftDelete", "MoveToDeletedItems"):
        assert ann.code(delete(by_id(one), how)) == "ErrorCannotDeleteObject"
    inner = ann.make("own", by_id(one))
    ann.one(delete(by_id(inner)))
    ann.one(move("CopyFolder", by_id(one), named("inbox")))
    assert ann.names(named("inbox")) == ["Keep"]
    copied = next(
        folder
        for folder in world.store.folders(ANN)
        if folder.name == "Keep" and folder.parent == world.store.folder(ANN, Role.INBOX).uid
    )
    assert "ManagedFolderInformation" not in (copied.properties or {})


def test_renaming(ann: Asker) -> None:
    made = ann.make("one")
    ann.make("two")
    assert ann.code(update(made, set_name("TWO"))) == "ErrorFolderExists"
    ann.one(update(made, set_name("ONE")))
    assert ann.folder(by_id(made))[1]["DisplayName"] == "ONE"
    inbox = ann.folder(named("inbox"))[1]["FolderId"]["@Id"]
    assert ann.code(update(inbox, set_name("x"))) == "ErrorFolderSave"


def test_an_update_of_several_things_does_all_or_nothing(ann: Asker) -> None:
    made = ann.make("one")
    bad = f"<t:SetFolderField>{uri('folder:TotalCount')}<t:Folder><t:TotalCount>1</t:TotalCount></t:Folder></t:SetFolderField>"
    assert ann.code(update(made, set_name("two") + bad)) == "ErrorInvalidPropertySet"
    assert ann.folder(by_id(made))[1]["DisplayName"] == "one"


def test_the_class_stays_what_it_was(ann: Asker) -> None:
    made = ann.make("one")
    change = f"<t:SetFolderField>{uri('folder:FolderClass')}<t:Folder><t:FolderClass>{{}}</t:FolderClass></t:Folder></t:SetFolderField>"
    assert ann.code(update(made, change.format("IPF.Task"))) == "ErrorObjectTypeChanged"
    ann.one(update(made, change.format("IPF.Note")))
    by_tag = tag("0x3613", "String")
    given = f"<t:Folder><t:ExtendedProperty>{by_tag}<t:Value>IPF.Task</t:Value></t:ExtendedProperty></t:Folder>"
    assert ann.code(update(made, f"<t:SetFolderField>{by_tag}{given}</t:SetFolderField>")) == "ErrorObjectTypeChanged"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            f"<t:SetFolderField>{uri('folder:DisplayName')}<t:Folder><t:FolderClass>IPF.Note</t:FolderClass></t:Folder></t:SetFolderField>",
            "ErrorUpdatePropertyMismatch",
        ),
        (
            (
                f"<t:SetFolderField>{uri('folder:DisplayName')}<t:Folder><t:FolderClass>IPF.Note</t:FolderClass>"
                "<t:DisplayName>x</t:DisplayName></t:Folder></t:SetFolderField>"
            ),
            "ErrorIncorrectUpdatePropertyCount",
        ),
        (f"<t:SetFolderField>{uri('folder:DisplayName')}<t:Folder/></t:SetFolderField>", "ErrorIncorrectUpdatePropertyCount"),
        (f"<t:DeleteFolderField>{uri('folder:DisplayName')}</t:DeleteFolderField>", "ErrorInvalidPropertyDelete"),
        (
            (
                f"<t:AppendToFolderField>{uri('folder:DisplayName')}<t:Folder><t:DisplayName>x</t:DisplayName></t:Folder>"
                "</t:AppendToFolderField>"
            ),
            "ErrorInvalidPropertyAppend",
        ),
    ],
)
def test_updates_that_are_none(ann: Asker, change: str, code: str) -> None:
    assert ann.code(update(ann.make("one"), change)) == code


def test_a_change_key_has_to_be_one(ann: Asker) -> None:
    made = ann.make("one")
    assert ann.code(delete(by_id(made, "AAAA"))) == "ErrorInvalidChangeKey"
    key = ann.folder(by_id(made))[1]["FolderId"]["@ChangeKey"]
    ann.one(delete(by_id(made, key)))


# -- moving and copying


def move(operation: str, what: str, to: str) -> str:
    return f"<{operation}><ToFolderId>{to}</ToFolderId><FolderIds>{what}</FolderIds></{operation}>"


def test_moving(ann: Asker) -> None:
    made, below = ann.make("one"), ann.make("two")
    ann.make("ONE", by_id(below))
    assert ann.code(move("MoveFolder", by_id(made), by_id(below))) == "ErrorMoveCopyFailed"
    ann.one(update(made, set_name("three")))
    ann.one(move("MoveFolder", by_id(made), by_id(below)))
    assert ann.names(by_id(below)) == ["ONE", "three"]
    assert ann.code(move("MoveFolder", by_id(below), by_id(made))) == "ErrorMoveCopyFailed"
    assert ann.code(move("MoveFolder", named("inbox"), by_id(made))) == "ErrorMoveDistinguishedFolder"
    gone = ann.make("gone")
    ann.one(delete(by_id(gone)))
    assert ann.code(move("MoveFolder", by_id(made), by_id(gone))) == "ErrorToFolderNotFound"


def test_a_copy_has_everything_that_the_original_has(world: World, ann: Asker) -> None:
    made = ann.make("one")
    ann.make("inner", by_id(made))
    folder = next(one for one in world.store.folders(ANN) if one.name == "one")
    world.store.deposit(ANN, mail("hello"), folder=folder.uid)
    (found,) = ann.one(move("CopyFolder", by_id(made), named("inbox")))["Folders"]
    copied = found[1]["FolderId"]["@Id"]
    assert copied != made
    assert ann.folder(by_id(copied))[1]["TotalCount"] == 1
    assert ann.names(by_id(copied)) == ["inner"]
    assert ann.code(move("CopyFolder", by_id(made), named("inbox"))) == "ErrorMoveCopyFailed"
    assert ann.code(move("CopyFolder", by_id(made), by_id(made))) == "ErrorMoveCopyFailed"


# -- deleting and emptying


def delete(what: str, how: str = "HardDelete") -> str:
    return f'<DeleteFolder DeleteType="{how}"><FolderIds>{what}</FolderIds></DeleteFolder>'


def empty(what: str, how: str = "HardDelete", subfolders: str = "false") -> str:
    return f'<EmptyFolder DeleteType="{how}" DeleteSubFolders="{subfolders}"><FolderIds>{what}</FolderIds></EmptyFolder>'


def held(world: World, role: Role) -> int:
    return world.store.tally(world.store.folder(ANN, role).uid).items


def test_deleting_moves_to_deleted_items_under_a_free_name(ann: Asker) -> None:
    for _ in range(3):
        ann.one(delete(by_id(ann.make("one")), "MoveToDeletedItems"))
    assert ann.names(named("deleteditems")) == ["one", "one1", "one2"]


def test_what_is_in_deleted_items_goes_on(ann: Asker) -> None:
    made = ann.make("one")
    ann.one(delete(by_id(made), "MoveToDeletedItems"))
    ann.one(delete(by_id(made), "MoveToDeletedItems"))
    assert ann.names(named("deleteditems")) == []


@pytest.mark.parametrize(("how", "kept"), [("HardDelete", 0), ("SoftDelete", 1)])
def test_deleting_for_good_and_softly(world: World, ann: Asker, how: str, kept: int) -> None:
    made = ann.make("one")
    folder = next(one for one in world.store.folders(ANN) if one.name == "one")
    world.store.deposit(ANN, mail("hello"), folder=folder.uid)
    ann.one(delete(by_id(made), how))
    assert "one" not in ann.names(named("root"), "Deep")
    assert held(world, Role.DELETIONS) == kept


def test_distinguished_folders_stay(ann: Asker) -> None:
    (message,) = ann.messages(delete(named("inbox")))
    assert (message["ResponseCode"], message["MessageText"]) == (
        "ErrorDeleteDistinguishedFolder",
        "Distinguished folders cannot be deleted.",
    )


@pytest.mark.parametrize("subfolders", ["true", "false"])
def test_emptying(world: World, ann: Asker, subfolders: str) -> None:
    ann.make("below", named("inbox"))
    world.deliver("x@out.test", [ANN], mail("hello"))
    ann.one(empty(named("inbox"), "MoveToDeletedItems", subfolders))
    assert held(world, Role.INBOX) == 0
    assert held(world, Role.DELETED) == 1
    assert ann.names(named("inbox")) == ([] if subfolders == "true" else ["below"])
    ann.one(empty(named("deleteditems"), "SoftDelete"))
    assert held(world, Role.DELETIONS) == 1


@pytest.mark.parametrize("name", ["root", "msgfolderroot", "calendar", "searchfolders", "recoverableitemsdeletions"])
def test_some_folders_are_not_emptied(ann: Asker, name: str) -> None:
    assert ann.code(empty(named(name))) == "ErrorCannotEmptyFolder"


def test_emptying_is_newer_than_2007(ann: Asker) -> None:
    assert ann.code(empty(named("inbox")), version="Exchange2007_SP1") == "ErrorIncorrectSchemaVersion"


# -- FindFolder


def find(parents: str, traversal: str = "Shallow", view: str = "", restriction: str = "", extra: str = "") -> str:
    return (
        f'<FindFolder Traversal="{traversal}"><FolderShape><t:BaseShape>Default</t:BaseShape>{additional(extra)}</FolderShape>'
        f"{view}{restriction}<ParentFolderIds>{parents}</ParentFolderIds></FindFolder>"
    )


def page(offset: int, most: int, point: str = "Beginning") -> str:
    return f'<IndexedPageFolderView MaxEntriesReturned="{most}" Offset="{offset}" BasePoint="{point}"/>'


def equal(path: str, text: str) -> str:
    return (
        f"<Restriction><t:IsEqualTo>{path}<t:FieldURIOrConstant><t:Constant Value={chr(34)}{text}{chr(34)}/>"
        "</t:FieldURIOrConstant></t:IsEqualTo></Restriction>"
    )


def test_a_name_is_looked_up_as_davmail_does(ann: Asker) -> None:
    ann.make("Projects")
    wanted = equal(uri("folder:DisplayName"), "projects")
    root = ann.one(find(named("msgfolderroot"), view=page(0, 1), restriction=wanted))["RootFolder"]
    assert [value["DisplayName"] for _, value in root["Folders"]] == ["Projects"]
    assert (root["@TotalItemsInView"], root["@IncludesLastItemInRange"]) == (1, True)
    by_class = equal(tag("0x3613", "String"), "IPF.Appointment")
    root = ann.one(find(named("msgfolderroot"), "Deep", restriction=by_class))["RootFolder"]
    assert [element for element, _ in root["Folders"]] == ["CalendarFolder"]


def test_pages_of_folders(ann: Asker) -> None:
    parent = ann.make("parent")
    for number in range(7):
        ann.make(f"f{number}", by_id(parent))
    offset, seen = 0, []
    while True:
        root = ann.one(find(by_id(parent), view=page(offset, 3)))["RootFolder"]
        seen += [value["DisplayName"] for _, value in root["Folders"]]
        if root["@IncludesLastItemInRange"]:
            break
        offset = root["@IndexedPagingOffset"]
    assert seen == [f"f{number}" for number in range(7)]
    end = ann.one(find(by_id(parent), view=page(0, 3, "End")))["RootFolder"]
    assert [value["DisplayName"] for _, value in end["Folders"]] == ["f4", "f5", "f6"]
    assert ann.code(find(by_id(parent), view=page(0, 0))) == "ErrorInvalidPagingMaxRows"
    assert ann.code(find(by_id(parent), view=page(-1, 5))) == "ErrorInvalidIndexedPagingParameters"


def test_traversals(ann: Asker) -> None:
    outer = ann.make("outer")
    ann.make("inner", by_id(outer))
    assert "inner" not in ann.names(named("msgfolderroot"))
    deep = ann.names(named("msgfolderroot"), "Deep")
    assert deep.index("inner") == deep.index("outer") + 1
    assert ann.names(named("msgfolderroot"), "SoftDeleted") == []


def test_several_parents_have_a_message_each_in_their_order(ann: Asker) -> None:
    ann.make("below", named("inbox"))
    messages = ann.messages(find(named("inbox") + by_id("nonsense") + named("drafts")))
    assert [one["ResponseCode"] for one in messages] == ["NoError", "ErrorInvalidIdMalformed", "NoError"]
    assert len(messages[0]["RootFolder"]["Folders"]) == 1
    assert messages[2]["RootFolder"]["Folders"] == []


# -- search folders


def searching(text: str, base: str, traversal: str = "Deep") -> str:
    contains = (
        f'<t:Contains ContainmentMode="Substring" ContainmentComparison="IgnoreCase">{uri("item:Subject")}'
        f"<t:Constant Value={chr(34)}{text}{chr(34)}/></t:Contains>"
    )
    return (
        f'<t:SearchParameters Traversal="{traversal}"><t:Restriction>{contains}</t:Restriction>'
        f"<t:BaseFolderIds>{base}</t:BaseFolderIds></t:SearchParameters>"
    )


def test_a_search_folder_holds_what_it_finds(world: World, ann: Asker) -> None:
    for subject in ("invoice 1", "hello", "Invoice 2"):
        world.deliver("x@out.test", [ANN], mail(subject))
    made = ann.make("invoices", named("searchfolders"), "SearchFolder", searching("invoice", named("inbox")))
    element, value = ann.folder(by_id(made))
    assert (element, value["TotalCount"], value["UnreadCount"]) == ("SearchFolder", 2, 2)
    assert value["SearchParameters"]["@Traversal"] == "Deep"
    shape = "<ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape>"
    asked = f'<FindItem Traversal="Shallow">{shape}<ParentFolderIds>{by_id(made)}</ParentFolderIds></FindItem>'
    assert ann.one(asked)["RootFolder"]["@TotalItemsInView"] == 2
    world.deliver("x@out.test", [ANN], mail("another INVOICE"))
    assert ann.one(asked)["RootFolder"]["@TotalItemsInView"] == 3
    assert ann.code(empty(by_id(made))) == "ErrorCannotEmptyFolder"
    assert ann.code(create("x", by_id(made))) == "ErrorInvalidParentFolder"
    twice = create("twice", named("searchfolders"), "SearchFolder", searching("x", by_id(made)))
    assert ann.code(twice) == "ErrorCannotSpecifySearchFolderAsSourceFolder"
    assert ann.code(create("x", named("searchfolders"), "SearchFolder")) == "ErrorFolderSave"


def test_the_search_folders_of_the_mailbox(world: World, ann: Asker) -> None:
    tasks = world.store.folder(ANN, Role.TASKS)
    world.store.create(tasks.uid, "IPM.Task", {"Subject": "do it"})
    element, value = ann.folder(named("todosearch"))
    assert (element, value["TotalCount"]) == ("SearchFolder", 1)
    assert ann.folder(named("mycontacts"))[1]["TotalCount"] == 0


# -- who may


def test_another_mailbox_is_closed_until_somebody_opens_it(world: World, ann: Asker, bob: Asker) -> None:
    shape = "<FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape>"
    asked = f"<GetFolder>{shape}<FolderIds>{named('inbox', ANN)}</FolderIds></GetFolder>"
    assert bob.code(asked) == "ErrorAccessDenied"
    permit(ann, "inbox", BOB, "Reviewer")
    assert bob.code(asked) == "NoError"
    rights = bob.folder(named("inbox", ANN), "IdOnly", uri("folder:EffectiveRights"))[1]["EffectiveRights"]
    assert (rights["Read"], rights["CreateContents"], rights["Modify"], rights["CreateHierarchy"]) == (
        True,
        False,
        False,
        False,
    )
    assert bob.code(create("x", named("inbox", ANN))) == "ErrorAccessDenied"
    assert bob.code(empty(named("inbox", ANN))) == "ErrorAccessDenied"
    assert "PermissionSet" not in bob.folder(named("inbox", ANN))[1]
    permit(ann, "inbox", BOB, "Owner")
    made = bob.make("bobs", named("inbox", ANN))
    assert bob.folder(by_id(made))[1]["DisplayName"] == "bobs"


def permit(asker: Asker, name: str, user: str, level: str, *, more: str = "", calendar: bool = False) -> dict[str, object]:
    kind = "CalendarPermission" if calendar else "Permission"
    element = "CalendarFolder" if calendar else "Folder"
    one = (
        f"<t:{kind}><t:UserId><t:PrimarySmtpAddress>{user}</t:PrimarySmtpAddress></t:UserId>{more}"
        f"<t:{kind}Level>{level}</t:{kind}Level></t:{kind}>"
    )
    change = (
        f"<t:SetFolderField>{uri('folder:PermissionSet')}<t:{element}><t:PermissionSet><t:{kind}s>{one}</t:{kind}s>"
        f"</t:PermissionSet></t:{element}></t:SetFolderField>"
    )
    return asker.messages(update(asker.folder(named(name))[1]["FolderId"]["@Id"], change))[0]


def test_default_and_anonymous_are_always_there(ann: Asker) -> None:
    found = ann.folder(named("inbox"))[1]["PermissionSet"]["Permissions"]["Permission"]
    assert [one["UserId"]["DistinguishedUser"] for one in found] == ["Default", "Anonymous"]
    assert {one["PermissionLevel"] for one in found} == {"None"}
    calendar = ann.folder(named("calendar"))[1]["PermissionSet"]["CalendarPermissions"]["CalendarPermission"]
    assert [one["CalendarPermissionLevel"] for one in calendar] == ["FreeBusyTimeOnly", "None"]
    permit(ann, "inbox", BOB, "Editor")
    found = ann.folder(named("inbox"))[1]["PermissionSet"]["Permissions"]["Permission"]
    assert [one["PermissionLevel"] for one in found] == ["None", "None", "Editor"]
    assert found[2]["UserId"] == {"PrimarySmtpAddress": BOB, "DisplayName": "Bob"}


@pytest.mark.parametrize(
    ("level", "create_items", "edit", "remove", "read"),
    [
        ("None", False, "None", "None", "None"),
        ("Owner", True, "All", "All", "FullDetails"),
        ("PublishingEditor", True, "All", "All", "FullDetails"),
        ("Editor", True, "All", "All", "FullDetails"),
        ("PublishingAuthor", True, "Owned", "Owned", "FullDetails"),
        ("Author", True, "Owned", "Owned", "FullDetails"),
        ("NoneditingAuthor", True, "None", "Owned", "FullDetails"),
        ("Reviewer", False, "None", "None", "FullDetails"),
        ("Contributor", True, "None", "None", "None"),
    ],
)
def test_what_a_level_says(ann: Asker, level: str, create_items: bool, edit: str, remove: str, read: str) -> None:
    assert permit(ann, "inbox", BOB, level)["ResponseCode"] == "NoError"
    one = ann.folder(named("inbox"))[1]["PermissionSet"]["Permissions"]["Permission"][2]
    assert (one["PermissionLevel"], one["CanCreateItems"], one["EditItems"], one["DeleteItems"], one["ReadItems"]) == (
        level,
        create_items,
        edit,
        remove,
        read,
    )


def test_permissions_that_contradict_themselves(ann: Asker) -> None:
    wrong = permit(ann, "inbox", BOB, "Reviewer", more="<t:CanCreateItems>true</t:CanCreateItems>")
    assert wrong["ResponseCode"] == "ErrorInvalidPermissionSettings"
    custom = permit(ann, "inbox", BOB, "Custom", more="<t:CanCreateItems>true</t:CanCreateItems>")
    assert custom["ResponseCode"] == "NoError"
    found = ann.folder(named("inbox"))[1]["PermissionSet"]["Permissions"]["Permission"][2]
    assert (found["PermissionLevel"], found["CanCreateItems"]) == ("Custom", True)
    assert permit(ann, "calendar", BOB, "Editor")["ResponseCode"] == "ErrorCannotSetNonCalendarPermissionOnCalendarFolder"
    assert permit(ann, "calendar", BOB, "Editor", calendar=True)["ResponseCode"] == "NoError"
    assert permit(ann, "inbox", "nobody@sim.test", "Editor")["ResponseCode"] == "ErrorInvalidUserInfo"


def test_a_user_has_one_permission(ann: Asker) -> None:
    one = (
        f"<t:Permission><t:UserId><t:PrimarySmtpAddress>{BOB}</t:PrimarySmtpAddress></t:UserId>"
        "<t:PermissionLevel>Editor</t:PermissionLevel></t:Permission>"
    )
    change = (
        f"<t:SetFolderField>{uri('folder:PermissionSet')}<t:Folder><t:PermissionSet><t:Permissions>{one}{one}</t:Permissions>"
        "</t:PermissionSet></t:Folder></t:SetFolderField>"
    )
    made = ann.make("shared")
    assert ann.code(update(made, change)) == "ErrorInvalidPermissionSettings"


def test_others_folders_are_listed_as_far_as_they_may_be_seen(ann: Asker, bob: Asker) -> None:
    permit(ann, "msgfolderroot", BOB, "Reviewer")
    permit(ann, "drafts", BOB, "Reviewer")
    assert bob.names(named("msgfolderroot", ANN)) == ["Drafts"]
