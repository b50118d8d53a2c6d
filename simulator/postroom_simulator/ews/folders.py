"""Folders as clients see them: found by id or by their well-known names, and shown in a shape (ews reference 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews import permissions
from postroom_simulator.ews.calendar.private import may_view_private
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Extended, Field, Path
from postroom_simulator.ews.folder_properties import extended_value, folder_extended
from postroom_simulator.ews.ids import Id, Kind, change_key, mailbox_number, parse_id, write_id
from postroom_simulator.store.interface import UNNAMED, Folder, Role

__all__ = [
    "DISTINGUISHED",
    "find_folder",
    "folder_element",
    "folder_id",
    "folder_property",
    "folder_value",
    "is_search",
    "mailbox_of",
    "target_folder",
]

DISTINGUISHED: Mapping[str, Role] = MappingProxyType({role.value: role for role in Role if role not in UNNAMED})
"""The well-known names that this server has folders for."""
ROLES = {role: name for name, role in DISTINGUISHED.items()}

_ELEMENTS = {"IPF.Appointment": "CalendarFolder", "IPF.Contact": "ContactsFolder", "IPF.Task": "TasksFolder"}
_DEFAULT = ("FolderId", "DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount", "FolderClass", "DistinguishedFolderId")
_ALL = (
    *_DEFAULT,
    "ParentFolderId",
    "EffectiveRights",
    "ManagedFolderInformation",
    "PolicyTag",
    "ArchiveTag",
    "PermissionSet",
    "SharingEffectiveRights",
    "SearchParameters",
)


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
        known = {mailbox_number(canonical(one.address)) for one in call.world.directory.accounts()}
        raise EwsError("ErrorItemNotFound" if parsed.mailbox in known else "ErrorNonExistentMailbox") from None
    call.service.check_access(call, folder, "see")
    call.store.complete(folder.account)  # what is seen of a mailbox does not depend on what somebody asked before
    return folder


def target_folder(call: Call, value: Mapping[str, Any], right: str = "see", *, missing: str = "") -> Folder:
    """By a TargetFolderIdType, with a right in it. Raises EwsError; `missing` in place of whatever says that it is not there."""
    try:
        for name in ("FolderId", "DistinguishedFolderId"):
            if name in value:
                folder = find_folder(call, name, value[name])
                call.service.check_access(call, folder, right)
                return folder
    except EwsError as error:
        if missing and error.code in ("ErrorItemNotFound", "ErrorFolderNotFound"):
            raise EwsError(missing) from None
        raise
    raise EwsError(missing or "ErrorFolderNotFound")


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
    call.store.complete(account.address)  # whoever is looked at with this protocol has all its folders
    try:
        folder = call.store.folder(canonical(account.address), role)
    except StoreError:  # of an archive that the account does not have
        raise EwsError("ErrorFolderNotFound") from None
    call.service.check_access(call, folder, "see")
    return folder


def folder_id(folder: Folder) -> Value:
    """A FolderIdType."""
    text = write_id(Id(Kind.FOLDER, mailbox_number(folder.account), folder.uid))
    return {"@Id": text, "@ChangeKey": change_key(Kind.FOLDER, folder.change)}


def is_search(folder: Folder) -> bool:
    """Whether it is a search folder: it holds what a search finds."""
    return "SearchParameters" in (folder.properties or {}) or folder.role in (Role.TODO_SEARCH, Role.MY_CONTACTS)


def folder_element(folder: Folder) -> str:
    """The element for the folder's class; a longer class counts as the one that it begins with."""
    if is_search(folder):
        return "SearchFolder"
    for prefix, element in _ELEMENTS.items():
        if folder.folder_class == prefix or folder.folder_class.startswith(prefix + "."):
            return element
    return "Folder"


def folder_value(
    call: Call, folder: Folder, shape: str, paths: tuple[Path, ...] = (), *, light: bool = False
) -> tuple[str, Value]:
    """Element and value in a base shape, with further properties. `light`, of FindFolder and hierarchies: without permissions."""
    wanted = {"IdOnly": ("FolderId",), "Default": _DEFAULT}.get(shape, _ALL)
    names = dict.fromkeys((*wanted, *(path.element for path in paths if isinstance(path, Field))))
    element = folder_element(folder)
    value = {}
    for name in names:
        if not (light and name == "PermissionSet"):
            made = folder_property(call, folder, name, element)
            if made is not None:
                value[name] = made
    extended = [(path, folder_extended(call, folder, path)) for path in paths if isinstance(path, Extended)]
    found = [extended_value(path, one) for path, one in extended if one is not None]
    if found:
        value["ExtendedProperty"] = found
    return element, value


def folder_property(call: Call, folder: Folder, name: str, element: str = "") -> Any:
    """A first-class property by its element; None where the folder has none."""
    maker = _MAKERS.get(name)
    if maker is None or ((element or folder_element(folder)), name) in _NOT_OF:
        return None
    return maker(call, folder)


_NOT_OF = frozenset(
    {("CalendarFolder", "UnreadCount"), ("ContactsFolder", "UnreadCount")}
    | {(one, "SharingEffectiveRights") for one in ("Folder", "TasksFolder", "SearchFolder")}
)
"""What an element does not have."""


def _parent(call: Call, folder: Folder) -> Value | None:
    return folder_id(call.store.folder_by_uid(folder.parent)) if folder.parent is not None else None


def _count(call: Call, folder: Folder) -> int:
    if is_search(folder):
        from postroom_simulator.ews.search.folders import found_in

        return len(found_in(call, folder))
    return call.store.tally(folder.uid).items


def _unread(call: Call, folder: Folder) -> int:
    if is_search(folder):
        from postroom_simulator.ews.search.folders import found_in

        return sum(1 for item in found_in(call, folder) if not item.read)
    return call.store.tally(folder.uid).unread


def _parameters(call: Call, folder: Folder) -> Value | None:
    if not is_search(folder):
        return None
    from postroom_simulator.ews.search.folders import parameters_of

    return parameters_of(call, folder)


def _rights(call: Call, folder: Folder) -> Value:
    owner = call.world.directory.get(folder.account)
    private = may_view_private(owner if isinstance(owner, Account) else None, call.account)
    return permissions.effective_rights(
        folder, call.account.address, distinguished=folder.role is not Role.NONE, private=private
    )


def _permission_set(call: Call, folder: Folder) -> Value | None:
    """Owners alone see it."""
    if not permissions.allowed(folder, call.account.address, "own"):
        return None
    return permissions.permission_set(folder, call.world.directory)


def _sharing(call: Call, folder: Folder) -> str:
    rights = permissions.sharing_rights(folder, call.account.address)
    return rights if permissions.is_calendar(folder) or rights == "FullDetails" else "None"


_MAKERS: Mapping[str, Callable[[Call, Folder], Any]] = MappingProxyType(
    {
        "FolderId": lambda _, folder: folder_id(folder),
        "ParentFolderId": _parent,
        "FolderClass": lambda _, folder: folder.folder_class or None,
        "DisplayName": lambda _, folder: folder.name,
        "TotalCount": _count,
        "ChildFolderCount": lambda call, folder: call.store.tally(folder.uid).children,
        "ManagedFolderInformation": lambda _, folder: (folder.properties or {}).get("ManagedFolderInformation"),
        "EffectiveRights": _rights,
        "DistinguishedFolderId": lambda _, folder: ROLES.get(folder.role),
        "PolicyTag": lambda _, folder: (folder.properties or {}).get("PolicyTag"),
        "ArchiveTag": lambda _, folder: (folder.properties or {}).get("ArchiveTag"),
        "PermissionSet": _permission_set,
        "SharingEffectiveRights": _sharing,
        "SearchParameters": _parameters,
        "UnreadCount": _unread,
    }
)
