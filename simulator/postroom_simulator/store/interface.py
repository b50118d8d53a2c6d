"""What the protocols ask of a mail store. It knows folders and items, and no protocol's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

__all__ = [
    "ASSOCIATED",
    "UNNAMED",
    "Changes",
    "Folder",
    "Happening",
    "Horizon",
    "Item",
    "Listing",
    "MailStore",
    "Outbound",
    "Role",
    "Tally",
]


class Role(StrEnum):
    """The distinguished folders of a mailbox. A folder made by a user has the role NONE. Those from RECOVERABLE on are made when they are first
    asked for; those of an archive only where the account is given one."""

    ROOT = "root"
    TOP = "msgfolderroot"
    INBOX = "inbox"
    DRAFTS = "drafts"
    OUTBOX = "outbox"
    SENT = "sentitems"
    DELETED = "deleteditems"
    JUNK = "junkemail"
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    TASKS = "tasks"
    NOTES = "notes"
    JOURNAL = "journal"
    SEARCH = "searchfolders"
    RECOVERABLE = "recoverableitemsroot"
    DELETIONS = "recoverableitemsdeletions"
    VERSIONS = "recoverableitemsversions"
    PURGES = "recoverableitemspurges"
    CONVERSATIONS = "conversationhistory"
    QUICK_CONTACTS = "quickcontacts"
    IM_CONTACTS = "imcontactlist"
    RECIPIENTS = "recipientcache"
    SYNC_ISSUES = "syncissues"
    CONFLICTS = "conflicts"
    LOCAL_FAILURES = "localfailures"
    SERVER_FAILURES = "serverfailures"
    TODO_SEARCH = "todosearch"
    FAVORITES = "favorites"
    PEOPLE_CONNECT = "peopleconnect"
    MY_CONTACTS = "mycontacts"
    DIRECTORY = "directory"
    COMMON_VIEWS = "Common Views"
    VIEWS = "Views"
    DEFERRED = "Deferred Action"
    SCHEDULE = "Schedule"
    ARCHIVE_ROOT = "archiveroot"
    ARCHIVE_TOP = "archivemsgfolderroot"
    ARCHIVE_INBOX = "archiveinbox"
    ARCHIVE_DELETED = "archivedeleteditems"
    ARCHIVE_RECOVERABLE = "archiverecoverableitemsroot"
    ARCHIVE_DELETIONS = "archiverecoverableitemsdeletions"
    ARCHIVE_VERSIONS = "archiverecoverableitemsversions"
    ARCHIVE_PURGES = "archiverecoverableitemspurges"
    NONE = ""


UNNAMED = frozenset({Role.COMMON_VIEWS, Role.VIEWS, Role.DEFERRED, Role.SCHEDULE, Role.NONE})
"""Roles that no protocol has a name for: clients find these folders by their display names."""

ASSOCIATED = "associated"
"""The flag of an item that belongs to its folder's settings: it is not counted or listed with the others."""


@dataclass(slots=True)
class Folder:
    """A folder of one account's tree.

    uid      stable inside the store, never reused; wire ids are derived from it by the protocols
    account  primary address of the owner, folded
    change   store-wide number of the folder's last change: its change key
    made     store-wide number of its making
    created, modified  when it was made, and when it itself was changed last (aware, UTC)
    properties  what protocols keep beside it; opaque to the store, None where there is nothing
    """

    uid: int
    account: str
    parent: int | None
    name: str
    role: Role = Role.NONE
    folder_class: str = "IPF.Note"
    change: int = 0
    made: int = 0
    created: datetime | None = None
    modified: datetime | None = None
    properties: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What is in a folder, counted as it changes: asking costs nothing.

    items, unread  without associated ones
    associated     items flagged so
    children       folders right in it
    size           octets of all items
    change         store-wide number of the last change to an item of it, 0 when there never was one
    touched        when an item of it changed last, or the folder itself
    """

    items: int
    unread: int
    associated: int
    children: int
    size: int
    change: int
    touched: datetime | None


@dataclass(frozen=True, slots=True)
class Happening:
    """One change, as observers are told of it.

    what        created, modified, moved, copied, deleted
    item        as it is now (deleted: as it was); None when it was a folder
    folder      where it is now; or the folder that it was about, as it is now
    old_folder  uid of the folder it came from (moved, copied), of the parent where it was a folder
    old_uid     uid that the item had (moved), uid of what was copied
    delivered   as mail from outside
    read_changed  whether a count of unread items changed
    """

    what: str
    folder: Folder
    item: Item | None = None
    old_folder: int = 0
    old_uid: int = 0
    delivered: bool = False
    read_changed: bool = False


@dataclass(slots=True)
class Item:
    """One item of a folder. A snapshot: the store gives out copies or never changes one that it gave out.

    uid         stable inside the store, never reused; a move gives another one, and the old one is dead for ever
    change      store-wide number of the item's last change: its change key
    item_class  "IPM.Note", "IPM.Appointment" ...
    received    when the store took it (aware, UTC); imported mail may carry an earlier one
    read        whether its owner has seen it
    size        octets of the authority
    wire_size   octets as sent over a line protocol, every line end counted as two, without stuffing (RFC 1939 §11)
    properties  set when the properties are the authority (calendar items, edited messages), else None: then the octets are,
                to be had from `MailStore.octets`. Values are opaque to the store.
    digest      SHA-256 of the octets, hexadecimal; "" when the properties are the authority
    utf8_head   whether the message's head has UTF-8 beyond ASCII (RFC 6532): not everybody may be handed it as it is
    arrived     store-wide number of the change with which it came into its folder
    content     store-wide number of its last change that was more than its read state
    beside      what a protocol keeps of an item whose octets are the authority, beside them (categories, flags ...); opaque to the store,
                None where there is nothing
    origin      uid of the folder that it was moved from last, 0 where it never was
    """

    uid: int
    account: str
    folder: int
    change: int
    item_class: str
    created: datetime
    modified: datetime
    received: datetime
    read: bool
    size: int
    wire_size: int
    digest: str = ""
    flags: frozenset[str] = frozenset()
    properties: Mapping[str, Any] | None = None
    utf8_head: bool = False
    arrived: int = 0
    content: int = 0
    beside: Mapping[str, Any] | None = None
    origin: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a folder's items, newest first. `after`: uid and receipt of the last, for the next page; `token`: for `changes` once complete."""

    items: tuple[Item, ...]
    begun: int
    after: tuple[datetime, int] | None
    complete: bool
    token: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of a folder since a token: items that are there and came or changed, in order of arrival or change, and uids that left (deleted or
    moved away), in order of leaving. `complete` is False when a limit cut the list; ask again with `token`. Tokens are opaque and greater than 0 once
    there is anything to know; they mean something to the folder that gave them. What came and left since the token is not told.

    new        uids of `changed` that were not there at the token
    read_only  uids of `changed` of which nothing but the read state changed since
    """

    changed: tuple[Item, ...]
    removed: tuple[int, ...]
    token: int
    complete: bool = True
    new: frozenset[int] = frozenset()
    read_only: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Horizon:
    """How much each folder remembers of items that left it. A token from before what was forgotten has expired: whoever holds it begins
    anew. All three are our choice; real servers have such limits and do not publish them.

    count     so many of the items that left last
    age       seconds of the world's clock after which they are forgotten, however few they are: thirty days
    listings  so many first listings (from 0, cut by a limit) may be under way in a folder: none of them expires before it is complete,
              however much leaves meanwhile, unless its next page is not asked for within `age`, or more begin
    """

    count: int = 10_000
    age: float = 30 * 86_400.0
    listings: int = 16

    def __post_init__(self) -> None:
        if min(self.count, self.age, self.listings) < 0:
            raise ValueError("a horizon has no numbers below 0")


@dataclass(slots=True)
class Outbound:
    """A message for somebody unknown here. Nothing ever leaves the machine: it lies in the drawer for tests to read."""

    uid: int
    at: datetime
    sender: str
    recipients: tuple[str, ...]
    size: int
    digest: str
    headers: dict[str, str] = field(default_factory=dict)


class MailStore(Protocol):
    """Accounts with folder trees and items. Safe to call from several threads (one lock inside).

    Errors: `NoSuchFolder`, `NoSuchItem`, `QuotaExceeded`, `TokenExpired`, `UnknownAccount`. A failed call changes nothing.
    """

    horizon: Horizon
    """Holds for what is forgotten from now on."""

    # -- accounts and folders
    def open_account(self, account: str, quota: int | None = None) -> None:
        """Make the folder tree of a new account. `quota` in octets. Idempotent."""
        ...

    def open_archive(self, account: str) -> None:
        """Give an account an archive: a second tree beside its own, with the roles from ARCHIVE_ROOT on. What is in it counts for the account's
        quota (our choice). Idempotent."""
        ...

    def has_archive(self, account: str) -> bool: ...
    def close_account(self, account: str) -> None:
        """Forget an account with all that is in it."""
        ...

    def rename_account(self, account: str, new: str) -> None:
        """The same mailbox under another primary address. StoreError when that one is taken."""
        ...

    def set_quota(self, account: str, quota: int | None) -> None: ...
    def quota(self, account: str) -> int | None:
        """Octets, None: unlimited."""
        ...

    def used(self, account: str) -> int:
        """Octets in all folders of the account."""
        ...

    def folders(self, account: str) -> list[Folder]: ...
    def folder(self, account: str, role: Role) -> Folder:
        """The distinguished folder."""
        ...

    def complete(self, account: str) -> None:
        """Make all distinguished folders that were not asked for yet. Costs nothing once they are there."""
        ...

    def folder_by_uid(self, uid: int) -> Folder: ...
    def create_folder(self, parent: int, name: str, folder_class: str = "IPF.Note") -> Folder: ...
    def rename_folder(self, uid: int, name: str) -> Folder: ...
    def move_folder(self, uid: int, parent: int) -> Folder: ...
    def delete_folder(self, uid: int) -> None:
        """With all that is in it. Distinguished folders cannot be deleted (StoreError)."""
        ...

    def children(self, uid: int) -> list[Folder]:
        """The folders right in a folder, in order of making."""
        ...

    def tally(self, uid: int) -> Tally: ...
    def set_folder(self, uid: int, *, properties: Mapping[str, Any] | None = None, folder_class: str | None = None) -> Folder:
        """Replace what is kept beside a folder, or its class; None leaves it."""
        ...

    def observe(self, observer: Callable[[Happening], None]) -> Callable[[], None]:
        """Call `observer` after each change, with the store's lock held: it must be quick, raise nothing and change nothing here. Gives what
        ends that."""
        ...

    # -- items
    def deposit(
        self,
        account: str,
        octets: bytes,
        *,
        folder: int | None = None,
        received: datetime | None = None,
        read: bool = False,
        item_class: str = "IPM.Note",
        flags: frozenset[str] = frozenset(),
        delivered: bool = False,
        beside: Mapping[str, Any] | None = None,
    ) -> Item:
        """Store octets exactly as given; into the Inbox unless a folder is named. `delivered`: observers are told that it is new mail."""
        ...

    def create(
        self,
        folder: int,
        item_class: str,
        properties: Mapping[str, Any],
        *,
        received: datetime | None = None,
        read: bool = True,
        flags: frozenset[str] = frozenset(),
        delivered: bool = False,
    ) -> Item:
        """An item whose properties are the authority."""
        ...

    def item(self, uid: int) -> Item: ...
    def items(self, folder: int) -> Sequence[Item]:
        """In order of arrival in the folder."""
        ...

    def count(self, folder: int) -> int: ...
    def octets(self, uid: int) -> bytes:
        """The octets, exactly as deposited. StoreError when the properties are the authority."""
        ...

    def wire(self, uid: int) -> bytes:
        """As a line protocol sends it: every line end CR LF (a lone LF becomes one, a lone CR stays), the last line ended, lines
        beginning with "." doubled, without the closing "." line. `len` minus the stuffed dots is `wire_size`."""
        ...

    def served(self, uid: int) -> tuple[str, bytes]:
        """Digest and `wire` of one moment."""
        ...

    renderer: Callable[[Item], bytes | None] | None
    """Makes octets of an item whose properties are the authority, for those that want octets; None: the item is no message. The same item gives
    the same octets. A protocol that writes such items sets it."""

    def rendered(self, item: Item) -> bytes | None:
        """The octets of an item as it was given out: its own, or those that the renderer makes; None where there are none. Raises NoSuchItem."""
        ...

    def alter(
        self,
        uid: int,
        *,
        properties: Mapping[str, Any] | None = None,
        beside: Mapping[str, Any] | None = None,
        read: bool | None = None,
        flags: frozenset[str] | None = None,
        item_class: str | None = None,
        received: datetime | None = None,
        created: datetime | None = None,
    ) -> Item:
        """Several things in one change; what is None stays. `properties`: see `set_properties`; `beside`: {} for nothing, StoreError where
        the properties are the authority."""
        ...

    def set_read(self, uids: Iterable[int], read: bool) -> None: ...
    def set_flags(self, uid: int, flags: frozenset[str]) -> Item: ...
    def set_properties(self, uid: int, properties: Mapping[str, Any]) -> Item:
        """From now on the properties are the authority; the octets are dropped."""
        ...

    def replace_octets(self, uid: int, octets: bytes) -> Item:
        """For tests that alter a message behind a client's back."""
        ...

    def move(self, uid: int, folder: int) -> Item:
        """Into another folder of any mailbox, under a new uid; nothing happens where it lies there already. All else of the item stays but its
        change, `arrived`, `modified` and `origin`."""
        ...

    def copy(self, uid: int, folder: int) -> Item:
        """The same item again, as a new one, in a folder of any mailbox."""
        ...

    def newest(self, folder: int, offset: int, limit: int) -> list[Item]:
        """A stretch of the folder's items without associated ones, received last first. Costs what it gives, once the folder was asked."""
        ...

    def listing(
        self,
        folder: int,
        begun: int = 0,
        after: tuple[datetime, int] | None = None,
        limit: int = 512,
        *,
        associated: bool = False,
    ) -> Listing:
        """A first listing in pages, received last first, of what is in the folder since `begun` (0: begin) and behind `after`. What changes
        meanwhile is told by `changes` with the token of the last page. Raises TokenExpired."""
        ...

    def delete(self, uids: Iterable[int]) -> None:
        """For good. Unknown uids raise NoSuchItem and delete nothing."""
        ...

    def renumber(self, folder: int) -> Mapping[int, int]:
        """Give every item of a folder a new uid, as after a restore from a backup; the old ones left, and observers are told of a move within the
        folder. Old uid -> new uid."""
        ...

    def arrange(self, folder: int, uids: Sequence[int]) -> None:
        """Put the items of a folder into this order, as if they had arrived so. Raises StoreError unless it names each of them once."""
        ...

    def changes(self, folder: int, since: int = 0, limit: int | None = None) -> Changes:
        """Since a token of this folder (0: everything). Costs what changed, not what is there. Raises TokenExpired (see `Horizon`)."""
        ...

    # -- the outbound drawer
    def post_outbound(self, sender: str, recipients: Iterable[str], octets: bytes) -> Outbound: ...
    def outbound(self) -> Sequence[Outbound]: ...
    def outbound_item(self, uid: int) -> Outbound: ...
    def outbound_octets(self, uid: int) -> bytes: ...
    def drop_outbound(self, uid: int) -> None:
        """Forget one message of the drawer."""
        ...

    def close(self) -> None:
        """Release spool files. Idempotent."""
        ...
