"""What each permission level allows in another's folder, operation by operation (ews reference 6, 15, 16; MS-OXWSFOLD 2.2.4.13)."""

from __future__ import annotations

from typing import Any

import pytest
from folders_scene import ANN, BOB, Asker, ann, mail, world

from postroom_simulator import World
from postroom_simulator.ews import permissions
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Item, Role

__all__ = ["ann", "world"]

INBOX = f'<t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>{ANN}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>'
ACTS = ("see", "list", "get", "create", "edit own", "edit all", "delete own", "delete all", "folder")
MATRIX = {
    "None": "",
    "Contributor": "see, create",
    "Reviewer": "see, list, get",
    "NoneditingAuthor": "see, list, get, create, delete own",
    "Author": "see, list, get, create, edit own, delete own",
    "PublishingAuthor": "see, list, get, create, edit own, delete own, folder",
    "Editor": "see, list, get, create, edit own, edit all, delete own, delete all",
    "PublishingEditor": "see, list, get, create, edit own, edit all, delete own, delete all, folder",
    "Owner": "see, list, get, create, edit own, edit all, delete own, delete all, folder",
}


def message(scene: Asker) -> str:
    one = "<t:Message><t:Subject>by bob</t:Subject></t:Message>"
    return scene.code(
        f'<CreateItem MessageDisposition="SaveOnly"><SavedItemFolderId>{INBOX}</SavedItemFolderId><Items>{one}</Items></CreateItem>',
        user=BOB,
    )


def edit(scene: Asker, item: Item) -> str:
    one = item_id(item)
    change = '<t:SetItemField><t:FieldURI FieldURI="item:Categories"/><t:Message><t:Categories><t:String>x</t:String></t:Categories></t:Message></t:SetItemField>'
    return scene.code(
        '<UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><ItemChanges><t:ItemChange>'
        f'<t:ItemId Id="{one["@Id"]}"/><t:Updates>{change}</t:Updates></t:ItemChange></ItemChanges></UpdateItem>',
        user=BOB,
    )


def delete(scene: Asker, item: Item) -> str:
    return scene.code(
        f'<DeleteItem DeleteType="HardDelete"><ItemIds><t:ItemId Id="{item_id(item)["@Id"]}"/></ItemIds></DeleteItem>', user=BOB
    )


def try_all(scene: Asker, level: str) -> dict[str, str]:
    """Code by act. Items by Ann and by Bob are there before Bob gets the level."""
    store = scene.world.store
    folder = store.folder(ANN, Role.INBOX)

    def another(owned: bool) -> Item:
        if not owned:
            return store.deposit(ANN, mail("by ann"))
        permissions.grant(store, store.folder(ANN, Role.INBOX), BOB, "Owner")
        assert message(scene) == "NoError"
        made = store.items(folder.uid)[-1]
        permissions.grant(store, store.folder(ANN, Role.INBOX), BOB, level)
        return made

    def folder_of(inside: str) -> str:
        return scene.code(inside, user=BOB)

    shape = "<ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape>"
    permissions.grant(store, folder, BOB, level)
    first = another(False)
    return {
        "see": folder_of(
            f"<GetFolder><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape><FolderIds>{INBOX}</FolderIds></GetFolder>"
        ),
        "list": folder_of(f'<FindItem Traversal="Shallow">{shape}<ParentFolderIds>{INBOX}</ParentFolderIds></FindItem>'),
        "get": folder_of(f'<GetItem>{shape}<ItemIds><t:ItemId Id="{item_id(first)["@Id"]}"/></ItemIds></GetItem>'),
        "create": message(scene),
        "edit own": edit(scene, another(True)),
        "edit all": edit(scene, first),
        "delete own": delete(scene, another(True)),
        "delete all": delete(scene, first),
        "folder": folder_of(
            f"<CreateFolder><ParentFolderId>{INBOX}</ParentFolderId><Folders><t:Folder><t:DisplayName>new</t:DisplayName></t:Folder>"
            "</Folders></CreateFolder>"
        ),
    }


@pytest.mark.parametrize("level", sorted(MATRIX))
def test_what_a_level_allows(ann: Asker, level: str) -> None:
    codes = try_all(ann, level)
    allowed = [act for act in ACTS if codes[act] == "NoError"]
    assert ", ".join(allowed) == MATRIX[level], codes
    refused = {code for code in codes.values() if code != "NoError"}
    assert refused <= {"ErrorAccessDenied", "ErrorCreateItemAccessDenied", "ErrorItemNotFound", "ErrorFolderNotFound"}, codes


@pytest.mark.parametrize("level", sorted(MATRIX))
def test_effective_rights_say_the_same(ann: Asker, level: str) -> None:
    """Section 16: EffectiveRights tell what is allowed, of the folder and of an item in it."""
    store = ann.world.store
    permissions.grant(store, store.folder(ANN, Role.INBOX), BOB, level)
    may = MATRIX[level].split(", ")
    if "see" not in may:
        return
    rights: dict[str, Any] = ann.folder(INBOX, user=BOB)[1]["EffectiveRights"]
    assert (rights["CreateContents"], rights["CreateHierarchy"], rights["Read"]) == (
        "create" in may,
        "folder" in may,
        "get" in may,
    )
    if "get" not in may:
        return
    item = item_id(store.deposit(ANN, mail("by ann")))
    shape = "<ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape>"
    shown = ann.one(f'<GetItem>{shape}<ItemIds><t:ItemId Id="{item["@Id"]}"/></ItemIds></GetItem>', user=BOB)["Items"][0][1]
    own = shown["EffectiveRights"]
    assert (own["Modify"], own["Delete"], own["Read"]) == ("edit all" in may, "delete all" in may, True)


def test_a_stranger_has_no_rights(ann: Asker, world: World) -> None:
    world.store.deposit(ANN, mail("by ann"))
    assert ann.code(
        f"<GetFolder><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape><FolderIds>{INBOX}</FolderIds></GetFolder>",
        user=BOB,
    ) in (
        "ErrorAccessDenied",
        "ErrorFolderNotFound",
    )
