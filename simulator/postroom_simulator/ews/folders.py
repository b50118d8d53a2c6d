"""Folders as clients see them: found by id or by their well-known names, and shown in a shape (ews reference 6)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Field, Path
from postroom_simulator.ews.ids import Id, Kind, change_key, mailbox_number, parse_id, write_id
from postroom_simulator.store.interface import Folder, Role

__all__ = ["DISTINGUISHED", "find_folder", "folder_element", "folder_id", "folder_value", "mailbox_of", "target_folder"]

DISTINGUISHED: Mapping[str, Role] = MappingProxyType({role.value: role for role in Role if role is not Role.NONE})
"""The well-known names that this server has folders for."""
ROLES = {role: name for name, role in DISTINGUISHED.items()}

_ELEMENTS = {"IPF.Appointment": "CalendarFolder", "IPF.Contact": "ContactsFolder", "IPF.Task": "TasksFolder"}
_DEFAULT = ("FolderId", "DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount", "FolderClass", "DistinguishedFolderId")
_ALL = (*_DEFAULT, "ParentFolderId", "EffectiveRights")


def find_folder(call: Call, name: str, value: Mapping[str, Any]) -> Folder:
    """By a FolderId or DistinguishedFolderId. Raises EwsError."""
    if name == "DistinguishedFolderId":
        return _distinguished(call, value)
    parsed = parse_id(value["@Id"])
    if parsed.kind is not Kind.FOLDER:
        raise EwsError("ErrorCannotUseItemIdForFolderId")
    try:
        folder = call.store.folder_by_uid(parsed.uid)
    except StoreError:
        raise EwsError("ErrorItemNotFound") from None
    call.service.check_access(call, folder)
    return folder


def target_folder(call: Call, value: Mapping[str, Any]) -> Folder:
    """By a TargetFolderIdType. Raises EwsError."""
    for name in ("FolderId", "DistinguishedFolderId"):
        if name in value:
            return find_folder(call, name, value[name])
    raise EwsError("ErrorFolderNotFound")


def mailbox_of(call: Call, value: Mapping[str, Any] | None) -> Account:
    """Whose mailbox: that of the Mailbox element, else the caller's own. Raises EwsError."""
    address = (value or {}).get("EmailAddress", "")
    if not address:
        return call.account
    found = call.world.directory.get(address)
    if not isinstance(found, Account):
        raise EwsError("ErrorNonExistentMailbox")
    return found


def _distinguished(call: Call, value: Mapping[str, Any]) -> Folder:
    role = DISTINGUISHED.get(value["@Id"])
    account = mailbox_of(call, value.get("Mailbox"))
    if value["@Id"] == "publicfoldersroot":
        raise EwsError("ErrorNoPublicFolderReplicaAvailable")
    if role is None:
        raise EwsError("ErrorFolderNotFound")
    folder = call.store.folder(canonical(account.address), role)
    call.service.check_access(call, folder)
    return folder


def folder_id(folder: Folder) -> Value:
    """A FolderIdType."""
    text = write_id(Id(Kind.FOLDER, mailbox_number(folder.account), folder.uid))
    return {"@Id": text, "@ChangeKey": change_key(Kind.FOLDER, folder.change)}


def folder_element(folder: Folder) -> str:
    """The element for the folder's class; a longer class counts as the one that it begins with."""
    for prefix, element in _ELEMENTS.items():
        if folder.folder_class == prefix or folder.folder_class.startswith(prefix + "."):
            return element
    return "SearchFolder" if folder.role is Role.SEARCH else "Folder"


def folder_value(call: Call, folder: Folder, shape: str, paths: tuple[Path, ...] = ()) -> tuple[str, Value]:
    """Element and value in a base shape, with further properties."""
    wanted = {"IdOnly": ("FolderId",), "Default": _DEFAULT}.get(shape, _ALL)
    names = dict.fromkeys((*wanted, *(path.element for path in paths if isinstance(path, Field))))
    element = folder_element(folder)
    value = {}
    for name in names:
        maker = _MAKERS.get(name)
        made = maker(call, folder) if maker is not None else None
        if made is not None:
            value[name] = made
    if element in ("CalendarFolder", "ContactsFolder"):
        value.pop("UnreadCount", None)
    return element, value


def _parent(call: Call, folder: Folder) -> Value | None:
    return folder_id(call.store.folder_by_uid(folder.parent)) if folder.parent is not None else None


def _children(call: Call, folder: Folder) -> int:
    return sum(1 for one in call.store.folders(folder.account) if one.parent == folder.uid)


def _unread(call: Call, folder: Folder) -> int:
    return sum(1 for item in call.store.items(folder.uid) if not item.read)


def _rights(_: Call, folder: Folder) -> Value:
    names = ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read", "ViewPrivateItems")
    return dict.fromkeys(names, True) | {"Delete": folder.role is Role.NONE}


_MAKERS = MappingProxyType(
    {
        "FolderId": lambda _, folder: folder_id(folder),
        "ParentFolderId": _parent,
        "FolderClass": lambda _, folder: folder.folder_class or None,
        "DisplayName": lambda _, folder: folder.name,
        "TotalCount": lambda call, folder: call.store.count(folder.uid),
        "ChildFolderCount": _children,
        "EffectiveRights": _rights,
        "DistinguishedFolderId": lambda _, folder: ROLES.get(folder.role),
        "UnreadCount": _unread,
    }
)
