"""Who may do what in a folder: its permission set, the levels, and the question whether a caller may (ews reference 6, 16; MS-OXWSFOLD 2.2.4).

A folder keeps its permissions beside it (`Folder.properties["permissions"]`); one that keeps none has the entries Default and Anonymous alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from postroom_simulator.directory import Account, Directory, canonical
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.store.interface import Folder, MailStore

__all__ = [
    "ANONYMOUS",
    "DEFAULT",
    "LEVELS",
    "Permission",
    "allowed",
    "effective_rights",
    "grant",
    "keep",
    "permission_set",
    "permissions_of",
    "read_permission_set",
    "revoke",
    "sharing_rights",
]

Value = dict[str, Any]
DEFAULT, ANONYMOUS = "Default", "Anonymous"


@dataclass(frozen=True, slots=True)
class Permission:
    """What one user may. `user`: a canonical address, `DEFAULT` (everybody without an entry) or `ANONYMOUS`. edit, delete: None, Owned, All; read:
    None, FullDetails, of calendars also TimeOnly and TimeAndSubjectAndLocation."""

    user: str
    create: bool = False
    create_folders: bool = False
    owner: bool = False
    visible: bool = False
    contact: bool = False
    edit: str = "None"
    delete: str = "None"
    read: str = "None"

    @property
    def level(self) -> str:
        """The name of what it allows, `Custom` where there is none."""
        bare = replace(self, user="", contact=False)
        return next((name for name, one in LEVELS.items() if one == bare), "Custom")


def _level(create: int, folders: int, owner: int, visible: int, edit: str, delete: str, read: str) -> Permission:
    return Permission("", bool(create), bool(folders), bool(owner), bool(visible), False, edit, delete, read)


LEVELS: Mapping[str, Permission] = MappingProxyType(
    {
        "None": _level(0, 0, 0, 0, "None", "None", "None"),
        "Owner": _level(1, 1, 1, 1, "All", "All", "FullDetails"),
        "PublishingEditor": _level(1, 1, 0, 1, "All", "All", "FullDetails"),
        "Editor": _level(1, 0, 0, 1, "All", "All", "FullDetails"),
        "PublishingAuthor": _level(1, 1, 0, 1, "Owned", "Owned", "FullDetails"),
        "Author": _level(1, 0, 0, 1, "Owned", "Owned", "FullDetails"),
        "NoneditingAuthor": _level(1, 0, 0, 1, "None", "Owned", "FullDetails"),
        "Reviewer": _level(0, 0, 0, 1, "None", "None", "FullDetails"),
        "Contributor": _level(1, 0, 0, 1, "None", "None", "None"),
        "FreeBusyTimeOnly": _level(0, 0, 0, 0, "None", "None", "TimeOnly"),
        "FreeBusyTimeAndSubjectAndLocation": _level(0, 0, 0, 0, "None", "None", "TimeAndSubjectAndLocation"),
    }
)
"""MS-OXWSCDATA 2.2.5.9, 2.2.5.3; what each allows: MS-OXWSFOLD 2.2.4.13."""


def is_calendar(folder: Folder) -> bool:
    return folder.folder_class.split(".")[:2] == ["IPF", "Appointment"]


def permissions_of(folder: Folder) -> tuple[Permission, ...]:
    """All entries; those for Default and Anonymous are always there and come first."""
    kept: Sequence[Permission] = (folder.properties or {}).get("permissions", ())
    users = {one.user for one in kept}
    default = LEVELS["FreeBusyTimeOnly" if is_calendar(folder) else "None"]
    missing = [replace(default, user=DEFAULT)] if DEFAULT not in users else []
    missing += [Permission(ANONYMOUS)] if ANONYMOUS not in users else []
    return (*missing, *kept)


def keep(store: MailStore, folder: Folder, permissions: Sequence[Permission]) -> Folder:
    return store.set_folder(folder.uid, properties={**(folder.properties or {}), "permissions": tuple(permissions)})


def grant(store: MailStore, folder: Folder, address: str, level: str) -> Folder:
    """Give a user (an address, `DEFAULT`, `ANONYMOUS`) a level. Raises KeyError for a level that is none."""
    user = address if address in (DEFAULT, ANONYMOUS) else canonical(address)
    others = [one for one in permissions_of(folder) if one.user != user]
    return keep(store, folder, [*others, replace(LEVELS[level], user=user)])


def revoke(store: MailStore, folder: Folder, address: str) -> Folder:
    """Take a user's entry away; harmless where there is none."""
    user = canonical(address)
    others = [one for one in permissions_of(folder) if one.user != user]
    return keep(store, folder, others) if len(others) < len(permissions_of(folder)) else folder


def _for(folder: Folder, address: str) -> Permission:
    entries = {one.user: one for one in permissions_of(folder)}
    return entries.get(canonical(address), entries[DEFAULT])


def allowed(folder: Folder, address: str, right: str, *, owned: bool = False) -> bool:
    """Whether a user may: see, read, create, edit, delete (items), folders (create some in it), own (change the folder itself). `owned`: the item
    is the user's own making."""
    if canonical(address) == folder.account:
        return True
    one = _for(folder, address)
    if one.owner and right in ("see", "own", "folders"):
        return True
    match right:
        case "see":
            return one.visible or one.create or one.read == "FullDetails"
        case "read":
            return one.read == "FullDetails"
        case "create":
            return one.create
        case "folders":
            return one.create_folders
        case "edit":
            return one.edit == "All" or (owned and one.edit == "Owned")
        case "delete":
            return one.delete == "All" or (owned and one.delete == "Owned")
        case "own":
            return one.owner
    raise ValueError(f"{right!r} is no right")


def sharing_rights(folder: Folder, address: str) -> str:
    """What of the items a user may read: SharingEffectiveRights."""
    return "FullDetails" if canonical(address) == folder.account else _for(folder, address).read


def effective_rights(folder: Folder, address: str, *, distinguished: bool, private: bool = False) -> Value:
    """An EffectiveRightsType. `private`: whether the user sees private items of this mailbox."""
    may = {right: allowed(folder, address, right) for right in ("create", "folders", "own", "read")}
    return {
        "CreateAssociated": may["create"],
        "CreateContents": may["create"],
        "CreateHierarchy": may["folders"],
        "Delete": may["own"] and not distinguished,
        "Modify": may["own"],
        "Read": may["read"],
        "ViewPrivateItems": may["read"] and (private or canonical(address) == folder.account),
    }


# -- the element


def permission_set(folder: Folder, directory: Directory) -> Value:
    """A PermissionSetType, of calendars a CalendarPermissionSetType."""
    name = "CalendarPermission" if is_calendar(folder) else "Permission"
    return {f"{name}s": {name: [_entry(one, name, directory) for one in permissions_of(folder)]}}


def _entry(one: Permission, name: str, directory: Directory) -> Value:
    return {
        "UserId": _user(one.user, directory),
        "CanCreateItems": one.create,
        "CanCreateSubFolders": one.create_folders,
        "IsFolderOwner": one.owner,
        "IsFolderVisible": one.visible,
        "IsFolderContact": one.contact,
        "EditItems": one.edit,
        "DeleteItems": one.delete,
        "ReadItems": one.read,
        f"{name}Level": one.level if name == "CalendarPermission" or not one.level.startswith("FreeBusy") else "Custom",
    }


def _user(user: str, directory: Directory) -> Value:
    if user in (DEFAULT, ANONYMOUS):
        return {"DistinguishedUser": user}
    found = directory.get(user)
    address, name = (found.address, found.name) if found is not None else (user, "")
    return {"PrimarySmtpAddress": address, "DisplayName": name or address}


def read_permission_set(value: Value, folder_class: str, directory: Directory) -> tuple[Permission, ...]:
    """From the element. Raises EwsError: ErrorInvalidPermissionSettings for a user that is there twice and for single permissions beside a level
    that says them, ErrorCannotSetCalendarPermissionOnNonCalendarFolder and its mirror, ErrorInvalidUserInfo."""
    calendar = folder_class.split(".")[:2] == ["IPF", "Appointment"]
    if "CalendarPermissions" in value and not calendar:
        raise EwsError("ErrorCannotSetCalendarPermissionOnNonCalendarFolder")
    if "Permissions" in value and calendar:
        raise EwsError("ErrorCannotSetNonCalendarPermissionOnCalendarFolder")
    if (value.get("UnknownEntries") or {}).get("UnknownEntry"):
        raise EwsError("ErrorCannotSetPermissionUnknownEntries")
    name = "CalendarPermission" if calendar else "Permission"
    entries = [_read_entry(one, name, directory) for one in value[f"{name}s"][name]]
    if len({one.user for one in entries}) < len(entries):
        raise EwsError("ErrorInvalidPermissionSettings", "A user has more than one permission.")
    return tuple(entries)


_PARTS = (
    ("CanCreateItems", "create"),
    ("CanCreateSubFolders", "create_folders"),
    ("IsFolderOwner", "owner"),
    ("IsFolderVisible", "visible"),
    ("EditItems", "edit"),
    ("DeleteItems", "delete"),
    ("ReadItems", "read"),
)


def _read_entry(value: Value, name: str, directory: Directory) -> Permission:
    user = _read_user(value["UserId"], directory)
    contact = bool(value.get("IsFolderContact", False))
    given = {part: value[element] for element, part in _PARTS if element in value}
    level = value[f"{name}Level"]
    if level == "Custom":
        return Permission(user, contact=contact, **given)
    known = replace(LEVELS[level], user=user, contact=contact)
    if any(getattr(known, part) != one for part, one in given.items()):
        raise EwsError("ErrorInvalidPermissionSettings", f"Single permissions do not go with the level {level}.")
    return known


def _read_user(value: Value, directory: Directory) -> str:
    if "DistinguishedUser" in value:
        return str(value["DistinguishedUser"])
    found = directory.get(value.get("PrimarySmtpAddress", ""))
    if not isinstance(found, Account):
        raise EwsError("ErrorInvalidUserInfo", "The user of a permission is not known.")
    return canonical(found.address)
