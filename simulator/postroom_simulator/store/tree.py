"""The folder tree of one mailbox, and its folders with their items."""

from __future__ import annotations

from postroom_simulator.store.interface import Folder, Horizon, Item, Role
from postroom_simulator.store.past import Past

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
    """A folder, its items in order of arrival, and what it remembers of their changes."""

    __slots__ = ("folder", "items", "past")

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.items: dict[int, Item] = {}
        self.past = Past(self.items)

    def put(self, item: Item) -> None:
        """A new or changed item; `item.change` is greater than any before."""
        self.items[item.uid] = item
        self.past.changed(item)

    def drop(self, uid: int, change: int, horizon: Horizon, now: float) -> None:
        """The item left. `now`: the clock's `monotonic()`."""
        del self.items[uid]
        self.past.left(uid, change, horizon, now)


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
