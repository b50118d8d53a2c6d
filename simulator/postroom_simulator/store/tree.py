"""The folder tree of one mailbox, and what a folder remembers of its items."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from postroom_simulator.store.interface import Folder, Item, Role

__all__ = ["DISTINGUISHED", "Box", "FolderState"]

DISTINGUISHED: tuple[tuple[Role, Role | None, str, str], ...] = (
    (Role.ROOT, None, "Root", ""),
    (Role.TOP, Role.ROOT, "Top of Information Store", "IPF"),
    (Role.INBOX, Role.TOP, "Inbox", "IPF.Note"),
    (Role.DRAFTS, Role.TOP, "Drafts", "IPF.Note"),
    (Role.OUTBOX, Role.TOP, "Outbox", "IPF.Note"),
    (Role.SENT, Role.TOP, "Sent Items", "IPF.Note"),
    (Role.DELETED, Role.TOP, "Deleted Items", "IPF.Note"),
    (Role.JUNK, Role.TOP, "Junk Email", "IPF.Note"),
    (Role.CALENDAR, Role.TOP, "Calendar", "IPF.Appointment"),
    (Role.CONTACTS, Role.TOP, "Contacts", "IPF.Contact"),
    (Role.TASKS, Role.TOP, "Tasks", "IPF.Task"),
    (Role.NOTES, Role.TOP, "Notes", "IPF.StickyNote"),
    (Role.JOURNAL, Role.TOP, "Journal", "IPF.Journal"),
    (Role.SEARCH, Role.ROOT, "Finder", ""),
)
"""Role, role of the parent, name, class: the tree that each account begins with, parents first."""


class FolderState:
    """A folder, its items in order of arrival, and the log of their changes.

    The log is two parallel columns in order of change: the change's number and the uid concerned. An entry counts only while
    it is the latest of its uid; when more than half are stale the log is written anew, so it stays linear in what is and was here.
    """

    __slots__ = ("_gone", "_log_changes", "_log_uids", "folder", "items")

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.items: dict[int, Item] = {}
        self._gone: dict[int, int] = {}  # uid -> change with which it left
        self._log_changes = array("q")
        self._log_uids = array("q")

    def put(self, item: Item) -> None:
        """A new or changed item; `item.change` is greater than any before."""
        self.items[item.uid] = item
        self._gone.pop(item.uid, None)
        self._log(item.change, item.uid)

    def drop(self, uid: int, change: int) -> None:
        """The item left."""
        del self.items[uid]
        self._gone[uid] = change
        self._log(change, uid)

    @property
    def last_change(self) -> int:
        """Number of the latest change to any item here, 0 when there never was one."""
        return self._log_changes[-1] if self._log_changes else 0

    def since(self, token: int) -> Iterator[tuple[int, int]]:
        """(change, uid) of each uid that changed after the token, in order of its last change."""
        for index in range(bisect_right(self._log_changes, token), len(self._log_changes)):
            change, uid = self._log_changes[index], self._log_uids[index]
            if self._latest(uid) == change:
                yield change, uid

    def _latest(self, uid: int) -> int:
        item = self.items.get(uid)
        return item.change if item is not None else self._gone.get(uid, 0)

    def _log(self, change: int, uid: int) -> None:
        self._log_changes.append(change)
        self._log_uids.append(uid)
        if len(self._log_uids) > 2 * (len(self.items) + len(self._gone)) + 64:
            live = list(self.since(0))
            self._log_changes = array("q", (change for change, _ in live))
            self._log_uids = array("q", (uid for _, uid in live))


class Box:
    """One account's mailbox: quota, use, folders."""

    __slots__ = ("account", "folders", "quota", "roles", "used")

    def __init__(self, account: str, quota: int | None) -> None:
        self.account = account
        self.quota = quota
        self.used = 0
        self.folders: dict[int, FolderState] = {}  # by uid, in order of making
        self.roles: dict[Role, FolderState] = {}

    def children(self, uid: int) -> list[FolderState]:
        return [state for state in self.folders.values() if state.folder.parent == uid]
