"""The folder tree of one mailbox, and its folders with their items."""

from __future__ import annotations

from datetime import datetime

from postroom_simulator.store.interface import ASSOCIATED, Folder, Horizon, Item, Role, Tally
from postroom_simulator.store.ordering import Ordering
from postroom_simulator.store.past import Past

__all__ = ["ARCHIVE", "DISTINGUISHED", "FURTHER", "Box", "FolderState"]

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


FURTHER: dict[Role, tuple[Role, str, str]] = {
    Role.RECOVERABLE: (Role.ROOT, "Recoverable Items", ""),
    Role.DELETIONS: (Role.RECOVERABLE, "Deletions", ""),
    Role.VERSIONS: (Role.RECOVERABLE, "Versions", ""),
    Role.PURGES: (Role.RECOVERABLE, "Purges", ""),
    Role.CONVERSATIONS: (Role.TOP, "Conversation History", "IPF.Note"),
    Role.QUICK_CONTACTS: (Role.CONTACTS, "Skype for Business Contacts", "IPF.Contact.MOC.QuickContacts"),
    Role.IM_CONTACTS: (Role.CONTACTS, "{A9E2BC46-B3A0-4243-B315-60D991004455}", "IPF.Contact.MOC.ImContactList"),
    Role.RECIPIENTS: (Role.CONTACTS, "Recipient Cache", "IPF.Contact.RecipientCache"),
    Role.SYNC_ISSUES: (Role.TOP, "Sync Issues", "IPF.Note"),
    Role.CONFLICTS: (Role.SYNC_ISSUES, "Conflicts", "IPF.Note"),
    Role.LOCAL_FAILURES: (Role.SYNC_ISSUES, "Local Failures", "IPF.Note"),
    Role.SERVER_FAILURES: (Role.SYNC_ISSUES, "Server Failures", "IPF.Note"),
    Role.TODO_SEARCH: (Role.ROOT, "To-Do Search", "Outlook.Reminder"),
    Role.FAVORITES: (Role.TOP, "Favorites", "IPF.Note"),
    Role.PEOPLE_CONNECT: (Role.CONTACTS, "PeopleConnect", "IPF.Contact.PeopleConnect"),
    Role.MY_CONTACTS: (Role.SEARCH, "MyContacts", "IPF.Contact"),
    Role.DIRECTORY: (Role.ROOT, "Directory", ""),
    Role.COMMON_VIEWS: (Role.ROOT, "Common Views", ""),
    Role.VIEWS: (Role.ROOT, "Views", ""),
    Role.DEFERRED: (Role.ROOT, "Deferred Action", ""),
    Role.SCHEDULE: (Role.ROOT, "Schedule", ""),
}
"""Folders that are made when somebody first asks for them: role of the parent, name, class."""


ARCHIVE: tuple[tuple[Role, Role | None, str, str], ...] = (
    (Role.ARCHIVE_ROOT, None, "Root", ""),
    (Role.ARCHIVE_TOP, Role.ARCHIVE_ROOT, "Top of Information Store", "IPF"),
    (Role.ARCHIVE_INBOX, Role.ARCHIVE_TOP, "Inbox", "IPF.Note"),
    (Role.ARCHIVE_DELETED, Role.ARCHIVE_TOP, "Deleted Items", "IPF.Note"),
    (Role.ARCHIVE_RECOVERABLE, Role.ARCHIVE_ROOT, "Recoverable Items", ""),
    (Role.ARCHIVE_DELETIONS, Role.ARCHIVE_RECOVERABLE, "Deletions", ""),
    (Role.ARCHIVE_VERSIONS, Role.ARCHIVE_RECOVERABLE, "Versions", ""),
    (Role.ARCHIVE_PURGES, Role.ARCHIVE_RECOVERABLE, "Purges", ""),
)
"""The tree that an archive begins with."""


class FolderState:
    """A folder, its items in order of arrival, what it remembers of their changes, and what is counted.

    hidden    associated items; they are among `items` too
    children  uids of the folders in it
    """

    __slots__ = ("children", "folder", "hidden", "items", "order", "past", "size", "touched", "unread")

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.items: dict[int, Item] = {}
        self.past = Past(self.items)
        self.hidden: set[int] = set()
        self.children: dict[int, None] = {}
        self.order: Ordering | None = None
        self.size = self.unread = 0
        self.touched: datetime | None = folder.created

    def put(self, item: Item) -> bool:
        """A new or changed item; `item.change` is greater than any before. Whether the number of unread items changed."""
        before, unread = self.items.get(item.uid), self.unread
        if before is not None:
            self._uncount(before, item)
        self.items[item.uid] = item
        self.past.changed(item)
        self.size += item.size
        self.touched = item.modified
        if ASSOCIATED in item.flags:
            self.hidden.add(item.uid)
            return self.unread != unread
        self.unread += not item.read
        if self.order is not None and (before is None or before.received != item.received or ASSOCIATED in before.flags):
            self.order.put(item)
        return self.unread != unread

    def _uncount(self, item: Item, after: Item | None = None) -> None:
        self.size -= item.size
        if ASSOCIATED in item.flags:
            self.hidden.discard(item.uid)
            return
        self.unread -= not item.read
        stays = after is not None and after.received == item.received and ASSOCIATED not in after.flags
        if self.order is not None and not stays:
            self.order.drop(item)

    def drop(self, uid: int, change: int, horizon: Horizon, now: float) -> None:
        """The item left. `now`: the clock's `monotonic()`."""
        item = self.items.pop(uid)
        self._uncount(item)
        self.past.left(uid, item.arrived, change, horizon, now)

    def ordering(self) -> Ordering:
        """Of the items that are not associated."""
        if self.order is None:
            self.order = Ordering(item for item in self.items.values() if ASSOCIATED not in item.flags)
        return self.order

    def tally(self) -> Tally:
        hidden = len(self.hidden)
        return Tally(
            len(self.items) - hidden, self.unread, hidden, len(self.children), self.size, self.past.last_change, self.touched
        )


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
        return [self.folders[child] for child in self.folders[uid].children]
