"""The archive of a mailbox: a second tree of folders beside its own, and what goes there (ews reference 6; MS-OXWSARCH)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from postroom_simulator.errors import StoreError
from postroom_simulator.ews.call import Call
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folder_names import named_child
from postroom_simulator.ews.folders import folder_element, is_search
from postroom_simulator.store.interface import Folder, MailStore, Role

__all__ = ["in_archive", "kin", "path_in_archive"]

_KIN: Mapping[Role, Role] = MappingProxyType(
    {
        Role.ROOT: Role.ARCHIVE_ROOT,
        Role.TOP: Role.ARCHIVE_TOP,
        Role.INBOX: Role.ARCHIVE_INBOX,
        Role.DELETED: Role.ARCHIVE_DELETED,
        Role.RECOVERABLE: Role.ARCHIVE_RECOVERABLE,
        Role.DELETIONS: Role.ARCHIVE_DELETIONS,
        Role.VERSIONS: Role.ARCHIVE_VERSIONS,
        Role.PURGES: Role.ARCHIVE_PURGES,
    }
)


def in_archive(store: MailStore, folder: Folder) -> bool:
    if not store.has_archive(folder.account):
        return False
    while folder.parent is not None:
        folder = store.folder_by_uid(folder.parent)
    return folder.role is Role.ARCHIVE_ROOT


def kin(store: MailStore, near: Folder, role: Role) -> Folder:
    """The folder of a role in the tree, mailbox or archive, that another folder is in."""
    return store.folder(near.account, _KIN[role] if in_archive(store, near) else role)


def path_in_archive(call: Call, source: Folder) -> Folder:
    """The folder of the archive that has the same path as one of the mailbox; what is missing is made. Raises EwsError."""
    if source.role is Role.ROOT or is_search(source):
        raise EwsError(
            "ErrorCannotSpecifySearchFolderAsSourceFolder" if is_search(source) else "ErrorArchiveFolderPathCreation"
        )
    if folder_element(source) != "Folder":
        raise EwsError("ErrorCannotArchiveCalendarContactTaskFolderException")
    path, at = [], source
    while at.role is not Role.TOP:
        path.append(at)
        if at.parent is None:  # beside the tree that people see: recoverable items and the like
            raise EwsError("ErrorArchiveFolderPathCreation")
        at = call.store.folder_by_uid(at.parent)
    found = call.store.folder(source.account, Role.ARCHIVE_TOP)
    for step in reversed(path):
        if step.role in _KIN:
            found = call.store.folder(source.account, _KIN[step.role])
            continue
        try:
            below = named_child(call, found, step.name)
            found = below or call.store.create_folder(found.uid, step.name, step.folder_class or "IPF.Note")
        except StoreError:
            raise EwsError("ErrorArchiveFolderPathCreation") from None
    return found
