"""Making, changing, moving, copying, emptying and deleting folders (ews reference 6; MS-OXWSFOLD 3.1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from postroom_simulator.directory import canonical
from postroom_simulator.errors import QuotaExceeded, StoreError
from postroom_simulator.ews import permissions
from postroom_simulator.ews.archive import in_archive, kin
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Extended, Field, Path, path_of
from postroom_simulator.ews.folder_names import named_child
from postroom_simulator.ews.folder_properties import check_settable, without
from postroom_simulator.ews.folders import find_folder, folder_element, is_search
from postroom_simulator.ews.ids import parse_change_key
from postroom_simulator.store.interface import Folder, Item, Role

__all__ = [
    "apply_updates",
    "copy_folder",
    "delete_folder",
    "delete_items",
    "empty_folder",
    "find_changed",
    "make_folder",
    "move_folder",
]

CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "Folder": "IPF.Note",
        "CalendarFolder": "IPF.Appointment",
        "ContactsFolder": "IPF.Contact",
        "TasksFolder": "IPF.Task",
        "SearchFolder": "IPF.Note",
    }
)
"""The class that a folder made by such an element has."""
_SETTABLE = frozenset(
    {"FolderClass", "DisplayName", "ExtendedProperty", "PermissionSet", "SearchParameters", "PolicyTag", "ArchiveTag"}
)
_BESIDE = ("SearchParameters", "PolicyTag", "ArchiveTag")
"""First-class properties that are kept beside a folder as they are."""
NAME_LIMIT = 255


def make_folder(call: Call, parent: Folder, element: str, value: Value) -> Folder:
    """Raises EwsError."""
    call.service.check_access(call, parent, "folders")
    for name, one in value.items():
        if name not in _SETTABLE and name[0] != "@" and one != []:
            raise EwsError("ErrorInvalidPropertySet", values={"PropertyPath": f"folder:{name}"})
    if is_search(parent):
        raise EwsError("ErrorInvalidParentFolder", "A search folder holds no folders.")
    folder_class = value.get("FolderClass") or CLASSES[element]
    if element not in ("Folder", "SearchFolder") and not _begins(folder_class, CLASSES[element]):
        raise EwsError("ErrorObjectTypeChanged", f"A {element} is not of the class {folder_class[:60]}.")
    if element == "SearchFolder" and "SearchParameters" not in value:
        raise EwsError("ErrorFolderSave", "A search folder has SearchParameters.")
    name = value.get("DisplayName") or ""
    beside = _inherited(call, parent) | _beside(call, value, folder_class)
    if named_child(call, parent, name) is not None:
        raise EwsError("ErrorFolderExists")
    try:
        made = call.store.create_folder(parent.uid, name, folder_class)
    except StoreError as error:
        raise EwsError("ErrorFolderSave", f"The folder cannot be made: {error}.") from None
    return call.store.set_folder(made.uid, properties=beside) if beside else made


def _inherited(call: Call, parent: Folder) -> Value:
    """A new folder has the permissions of its parent, and who makes it in another's mailbox owns it (our choice, as MAPI clients do it)."""
    kept = list((parent.properties or {}).get("permissions", ()))
    maker = canonical(call.account.address)
    if maker != parent.account:
        kept = [one for one in kept if one.user != maker] + [replace(permissions.LEVELS["Owner"], user=maker)]
    return {"permissions": tuple(kept)} if kept else {}


def _begins(folder_class: str, prefix: str) -> bool:
    return folder_class == prefix or folder_class.startswith(prefix + ".")


def _beside(call: Call, value: Value, folder_class: str) -> Value:
    kept: Value = {name: value[name] for name in _BESIDE if name in value}
    for one in value.get("ExtendedProperty", ()):
        check_settable(path_of("ExtendedFieldURI", one["ExtendedFieldURI"]))
    if value.get("ExtendedProperty"):
        kept["ExtendedProperty"] = list(value["ExtendedProperty"])
    if "PermissionSet" in value:
        kept["permissions"] = permissions.read_permission_set(value["PermissionSet"], folder_class, call.world.directory)
    if "SearchParameters" in kept:
        from postroom_simulator.ews.search.folders import check_parameters

        kept["SearchParameters"] = check_parameters(call, kept["SearchParameters"])
    return kept


# -- changing


def check_folder_key(value: Mapping[str, Any]) -> None:
    """Folders take changes whatever version is named, but the key has to be one. Raises EwsError ErrorInvalidChangeKey."""
    if value.get("@ChangeKey"):
        parse_change_key(value["@ChangeKey"])


def apply_updates(call: Call, folder: Folder, updates: Iterable[tuple[str, Value]]) -> Folder:
    """All of them or none. Raises EwsError."""
    call.service.check_access(call, folder, "own")
    beside: Value = dict(folder.properties or {})
    name = folder.name
    before = dict(beside)
    for action, update in updates:
        path = _path(update)
        check_settable(path)
        if action == "AppendToFolderField":
            raise EwsError("ErrorInvalidPropertyAppend")
        if action == "DeleteFolderField":
            _remove(beside, path)
            continue
        given = _given(update, path)
        if isinstance(path, Field) and path.element == "DisplayName":
            name = given
        else:
            _set(call, folder, beside, path, given)
    if name != folder.name:
        folder = _rename(call, folder, name)
    if beside != before:
        folder = call.store.set_folder(folder.uid, properties=beside)
    return folder


def _path(update: Value) -> Path:
    for name in ("FieldURI", "ExtendedFieldURI"):
        if name in update:
            return path_of(name, update[name])
    raise EwsError("ErrorInvalidPropertySet", "Folders have no indexed properties.")


def _given(update: Value, path: Path) -> Any:
    holders = [value for name, value in update.items() if name in CLASSES]
    given = [(name, one) for holder in holders for name, one in holder.items() if name[0] != "@" and one != []]
    if len(given) != 1:
        raise EwsError("ErrorIncorrectUpdatePropertyCount")
    name, value = given[0]
    if name != (path.element if isinstance(path, Field) else "ExtendedProperty"):
        raise EwsError("ErrorUpdatePropertyMismatch")
    return value


def _set(call: Call, folder: Folder, beside: Value, path: Path, given: Any) -> None:
    if isinstance(path, Extended):
        if len(given) != 1 or path_of("ExtendedFieldURI", given[0]["ExtendedFieldURI"]) != path:
            raise EwsError("ErrorUpdatePropertyMismatch")
        beside["ExtendedProperty"] = [*without(kept_of(beside), path), *given]
        return
    element = path.element if isinstance(path, Field) else ""
    if element == "FolderClass":
        if given != folder.folder_class:
            raise EwsError("ErrorObjectTypeChanged")
    elif element == "PermissionSet":
        beside["permissions"] = permissions.read_permission_set(given, folder.folder_class, call.world.directory)
    elif element == "SearchParameters" and is_search(folder):
        from postroom_simulator.ews.search.folders import check_parameters

        beside[element] = check_parameters(call, given)
    elif element in _BESIDE and element != "SearchParameters":
        beside[element] = given
    else:
        raise EwsError("ErrorInvalidPropertySet", values={"PropertyPath": f"folder:{element}"})


def kept_of(beside: Value) -> list[Mapping[str, Any]]:
    return list(beside.get("ExtendedProperty", ()))


def _remove(beside: Value, path: Path) -> None:
    if isinstance(path, Extended):
        beside["ExtendedProperty"] = without(kept_of(beside), path)
    elif isinstance(path, Field) and path.element in ("PolicyTag", "ArchiveTag"):
        beside.pop(path.element, None)
    elif isinstance(path, Field) and path.element == "PermissionSet":
        beside.pop("permissions", None)
    else:
        raise EwsError("ErrorInvalidPropertyDelete")


def _managed(folder: Folder, right: str) -> bool:
    """Whether it is a folder of the organization that people may not delete (CanDelete), or rename and move (CanRenameOrMove)."""
    return ((folder.properties or {}).get("ManagedFolderInformation") or {}).get(right) is False


def _rename(call: Call, folder: Folder, name: str) -> Folder:
    if folder.role is not Role.NONE or folder.parent is None:
        raise EwsError("ErrorFolderSave", "Distinguished folders cannot be renamed.")
    if _managed(folder, "CanRenameOrMove"):
        raise EwsError("ErrorFolderSave", "Managed folders cannot be renamed.")
    namesake = named_child(call, call.store.folder_by_uid(folder.parent), name)
    if namesake is not None and namesake.uid != folder.uid:
        raise EwsError("ErrorFolderExists")
    try:
        return call.store.rename_folder(folder.uid, name)
    except StoreError as error:
        raise EwsError("ErrorFolderSave", f"The folder cannot be renamed: {error}.") from None


# -- moving and copying

_COPIED = frozenset({"SearchParameters", "PolicyTag", "ArchiveTag", "ExtendedProperty"})
"""What a copy has of what lies beside a folder: neither its permissions nor what the server keeps there."""


def move_folder(call: Call, folder: Folder, target: Folder) -> Folder:
    """Its id stays. Raises EwsError."""
    if folder.role is not Role.NONE:
        raise EwsError("ErrorMoveDistinguishedFolder")
    call.service.check_access(call, folder, "own")
    call.service.check_access(call, target, "folders")
    _check_same_mailbox(call, folder, target)
    if _managed(folder, "CanRenameOrMove"):
        raise EwsError("ErrorMoveCopyFailed", "Managed folders stay where they are.")
    if is_search(target):
        raise EwsError("ErrorMoveCopyFailed", "A search folder holds no folders.")
    try:
        return call.store.move_folder(folder.uid, target.uid)
    except StoreError:
        raise EwsError("ErrorMoveCopyFailed") from None


def _check_same_mailbox(call: Call, folder: Folder, target: Folder) -> None:
    """Folders do not leave their mailbox, which an archive is one of its own of (published description of ErrorCrossMailboxMoveCopy); items do."""
    if folder.account != target.account or in_archive(call.store, folder) != in_archive(call.store, target):
        raise EwsError("ErrorCrossMailboxMoveCopy")


def copy_folder(call: Call, folder: Folder, target: Folder) -> Folder:
    """With all that is in it, as new folders and items: everything or nothing. Raises EwsError."""
    for one in _tree(call, folder):
        call.service.check_access(call, one, "read")
    call.service.check_access(call, target, "folders")
    _check_same_mailbox(call, folder, target)
    if is_search(folder):
        raise EwsError("ErrorCannotSpecifySearchFolderAsSourceFolder")
    if folder.parent is None or is_search(target) or _is_below(call, target, folder):
        raise EwsError("ErrorMoveCopyFailed")
    if named_child(call, target, folder.name) is not None:
        raise EwsError("ErrorMoveCopyFailed")
    try:
        return _copy(call, folder, target)
    except StoreError as error:
        begun = named_child(call, target, folder.name)
        if begun is not None:
            call.store.delete_folder(begun.uid)
        raise EwsError("ErrorQuotaExceeded" if isinstance(error, QuotaExceeded) else "ErrorMoveCopyFailed") from None


def _is_below(call: Call, folder: Folder, above: Folder) -> bool:
    at: Folder | None = folder
    while at is not None:
        if at.uid == above.uid:
            return True
        at = call.store.folder_by_uid(at.parent) if at.parent is not None else None
    return False


def _copy(call: Call, folder: Folder, target: Folder) -> Folder:
    """Raises StoreError."""
    made = call.store.create_folder(target.uid, folder.name, folder.folder_class or "IPF.Note")
    kept = {name: one for name, one in (folder.properties or {}).items() if name in _COPIED}
    if kept:
        made = call.store.set_folder(made.uid, properties=kept)
    for item in call.store.items(folder.uid):
        call.store.copy(item.uid, made.uid)
    for child in call.store.children(folder.uid):
        if not is_search(child):
            _copy(call, child, made)
    return made


# -- emptying and deleting


def delete_folder(call: Call, folder: Folder, disposal: str) -> None:
    """HardDelete: gone. SoftDelete: the items go to Recoverable Items, the folders are gone. MoveToDeletedItems: below Deleted Items, under a name
    that is free there; from there it goes for good. Raises EwsError."""
    if folder.role is not Role.NONE:
        raise EwsError("ErrorDeleteDistinguishedFolder")
    call.service.check_access(call, folder, "own")
    if any(_managed(one, "CanDelete") for one in _tree(call, folder)):
        raise EwsError("ErrorCannotDeleteObject", "Managed folders cannot be deleted.")
    deleted = kin(call.store, folder, Role.DELETED)
    if disposal == "MoveToDeletedItems" and not _is_below(call, folder, deleted):
        name, number = folder.name, 0
        while named_child(call, deleted, name) is not None:
            number += 1
            name = f"{folder.name[: NAME_LIMIT - 12]}{number}"
        try:
            if name != folder.name:
                call.store.rename_folder(folder.uid, name)
            call.store.move_folder(folder.uid, deleted.uid)
        except StoreError:
            raise EwsError("ErrorMoveCopyFailed") from None
        return
    for one in _tree(call, folder):
        delete_items(call, call.store.items(one.uid), "HardDelete" if disposal == "HardDelete" else "SoftDelete")
    call.store.delete_folder(folder.uid)


def _tree(call: Call, folder: Folder) -> list[Folder]:
    found = [folder]
    for one in found:  # grows while it is walked
        found += call.store.children(one.uid)
    return found


def delete_items(call: Call, items: Iterable[Item], disposal: str) -> None:
    """As `items.deleting.dispose`."""
    from postroom_simulator.ews.items.deleting import dispose

    for item in items:
        dispose(call, item, disposal)


_NEVER_EMPTIED = frozenset(
    {Role.ROOT, Role.TOP, Role.SEARCH, Role.CALENDAR, Role.RECOVERABLE, Role.DELETIONS, Role.VERSIONS, Role.PURGES, Role.ARCHIVE_ROOT,
     Role.ARCHIVE_TOP, Role.ARCHIVE_RECOVERABLE, Role.ARCHIVE_DELETIONS, Role.ARCHIVE_VERSIONS, Role.ARCHIVE_PURGES}
)  # fmt: skip


def empty_folder(call: Call, folder: Folder, disposal: str, *, subfolders: bool) -> None:
    """Raises EwsError ErrorCannotEmptyFolder for calendars, search folders and folders of the system."""
    if folder.role in _NEVER_EMPTIED or folder_element(folder) in ("CalendarFolder", "SearchFolder"):
        raise EwsError("ErrorCannotEmptyFolder", "The folder cannot be emptied.")
    call.service.check_access(call, folder, "delete")
    if subfolders:
        for child in call.store.children(folder.uid):
            if child.role is Role.NONE:
                delete_folder(call, child, disposal)
            else:
                empty_folder(call, child, disposal, subfolders=True)
    delete_items(call, call.store.items(folder.uid), disposal)


def find_changed(call: Call, change: Value) -> Folder:
    """The folder that a FolderChange names. Raises EwsError."""
    for name in ("FolderId", "DistinguishedFolderId"):
        if name in change:
            folder = find_folder(call, name, change[name])
            check_folder_key(change[name])
            return folder
    raise EwsError("ErrorFolderNotFound")
