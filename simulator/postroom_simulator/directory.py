"""Who is there: accounts with their addresses, passwords, quota and rules; groups; and the look-ups among them."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from postroom_simulator.errors import DuplicateAddress, UnknownAccount, WorldError
from postroom_simulator.offers import Offers
from postroom_simulator.people import Booking, Delegation, Profile
from postroom_simulator.rule_conditions import Conditions
from postroom_simulator.saslprep import prepared

if TYPE_CHECKING:
    from postroom_simulator.actors.values import Actor

__all__ = ["Account", "Always", "Directory", "Group", "Rule", "WorkingHours", "canonical", "fold", "is_postmaster"]

_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})


def fold(address: str) -> str:
    """An address as look-ups compare it: ASCII letters in lower case, nothing else touched."""
    return address.lower() if address.isascii() else address.translate(_LOWER)


def canonical(address: str) -> str:
    """The one form of all ways to write an address: folded, and a domain with other than ASCII letters as A-labels (RFC 5891 §4.4), so
    that `x@bücher.test` and `x@xn--bcher-kva.test` are the same. A local part is never changed but in case; what is no domain name stays."""
    if address.isascii():
        return address.lower()
    local, at, domain = address.rpartition("@")
    if not at or domain.isascii():
        return fold(address)
    try:
        return fold(local) + at + domain.encode("idna").decode("ascii").lower()
    except UnicodeError:  # empty or too long labels, characters that no name has
        return fold(address)


def is_postmaster(address: str) -> bool:
    """Whether it is the address that every mail system takes mail for: RFC 5321 §4.5.1."""
    return address[:10].lower() == "postmaster" and address[10:11] in ("", "@")


@dataclass(frozen=True, slots=True)
class Rule:
    """A server-side rule that runs when a message is deposited in the Inbox. All conditions given must hold.

    Conditions: `from_contains`, `subject_contains` (case-insensitive), `sent_to` (an address among To/Cc); none: always.
    Actions: `forward_as_attachment_to` (a new message from the account, the original inside as message/rfc822),
    `forward_to` (a new message quoting the original), `redirect_to` (the same octets, Resent- fields added), `move_to` (folder name
    or role, or its uid), `delete`, `mark_read`. `stop` ends rule processing.

    What Exchange's rules have beside these: `conditions` (all have to hold) and `exceptions` (none may hold); `copy_to` (as `move_to`),
    `delete_for_good`, `mark_importance` (Low, Normal, High), `categories` to assign, `reply_with` (the uid of a message in the mailbox that is sent
    as an answer). `id` and `priority` are what clients of Exchange know the rule by;
    rules run in the order of the account's list.
    """

    name: str = ""
    from_contains: str | None = None
    subject_contains: str | None = None
    sent_to: str | None = None
    forward_as_attachment_to: tuple[str, ...] = ()
    forward_to: tuple[str, ...] = ()
    redirect_to: tuple[str, ...] = ()
    move_to: str | int | None = None
    delete: bool = False
    mark_read: bool = False
    stop: bool = False
    enabled: bool = True
    conditions: Conditions | None = None
    exceptions: Conditions | None = None
    copy_to: str | int | None = None
    delete_for_good: bool = False
    mark_importance: str | None = None
    categories: tuple[str, ...] = ()
    reply_with: int | None = None
    id: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Always:
    """What is done to all mail of a conversation that comes (ApplyConversationAction). categories: assigned; move_to: uid of a folder; delete: a
    disposal: HardDelete, SoftDelete, MoveToDeletedItems."""

    categories: tuple[str, ...] = ()
    move_to: int | None = None
    delete: str | None = None


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """When somebody works (our default: Monday to Friday from 8 to 17). time_zone: a Windows id or an IANA name. days: 0 Monday ... 6 Sunday. begins,
    ends: minutes of the day."""

    time_zone: str = "UTC"
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    begins: int = 480
    ends: int = 1020


@dataclass(slots=True)
class Account:
    """A mailbox that people log in to.

    address    primary address as given; look-ups fold ASCII case
    aliases    further addresses whose mail lands here
    logins     further names for AUTH and USER; the address, each alias and the local part (where unique) always work
    password   never shown
    quota      octets, None: unlimited
    disabled   known, but can neither log in nor receive
    offers     what servers take back for this account, by protocol (see `offers`; set by `World.take_back`)
    actors     what it does by itself with mail that comes: values of `postroom_simulator.actors`; may be changed at any time
    profile    what the address book tells of it
    send_as    addresses of accounts that may send mail as this one
    send_on_behalf  addresses of accounts that may send mail on behalf of this one; they are named as its sender
    delegation      its delegates; they may send on behalf of it too
    password_expires  None: never
    working_hours     what availability tells of its day
    is_room           a room that can be invited
    conversations     what is always done to mail of a conversation, by its number
    single_item_recovery  what is deleted for good, and what items were before a change, is kept among the Recoverable Items
    booking           how it answers, when it is a room
    """

    address: str
    password: str = field(repr=False)
    name: str = ""
    aliases: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    quota: int | None = None
    disabled: bool = False
    rules: list[Rule] = field(default_factory=list)
    offers: dict[str, Offers] = field(default_factory=dict)
    actors: list[Actor] = field(default_factory=list)
    profile: Profile = field(default_factory=Profile)
    send_as: set[str] = field(default_factory=set)
    send_on_behalf: set[str] = field(default_factory=set)
    delegation: Delegation = field(default_factory=Delegation)
    password_expires: datetime | None = None
    working_hours: WorkingHours = field(default_factory=WorkingHours)
    is_room: bool = False
    conversations: dict[int, Always] = field(default_factory=dict)
    single_item_recovery: bool = False
    booking: Booking = field(default_factory=Booking)


@dataclass(slots=True)
class Group:
    """An address that stands for several: mail for it goes to each member (accounts, groups, outside addresses), once. `is_room_list`: its members are
    rooms, and it is offered as a list of rooms."""

    address: str
    members: tuple[str, ...] = ()
    name: str = ""
    is_room_list: bool = False
    profile: Profile = field(default_factory=Profile)


class Directory:
    """Accounts and groups by any of their addresses. Safe to use from several threads.

    Addresses are compared in their canonical form. `user+tag@host` finds `user@host` unless the tagged address is somebody's own.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: dict[str, Account | Group] = {}  # by primary address
        self._addresses: dict[str, Account | Group] = {}  # by any address
        self._logins: dict[str, Account] = {}  # by further login name
        self._locals: dict[str, list[Account]] = {}  # by local part
        self._prepared: dict[str, Account] = {}  # by names beyond ASCII, as they are compared at login

    # -- who is there

    def accounts(self) -> list[Account]:
        """In the order in which they came."""
        with self._lock:
            return [entry for entry in self._entries.values() if isinstance(entry, Account)]

    def groups(self) -> list[Group]:
        with self._lock:
            return [entry for entry in self._entries.values() if isinstance(entry, Group)]

    def get(self, address: str) -> Account | Group | None:
        """The account or group that has this very address."""
        return self._addresses.get(canonical(address))

    def resolve(self, address: str) -> Account | Group | None:
        """Who gets mail for this address: like `get`, then without a subaddress ("+tag", RFC 5233). None: nobody here."""
        folded = canonical(address)
        found = self._addresses.get(folded)
        if found is None and "+" in folded:
            local, at, domain = folded.rpartition("@")
            user = local.partition("+")[0]
            found = self._addresses.get(user + at + domain) if user else None
        return found

    def account(self, address: str) -> Account:
        """The account that has this address. Raises UnknownAccount, for groups too."""
        found = self.get(address)
        if not isinstance(found, Account):
            known = ", ".join(sorted(self._entries)[:10]) or "none"
            raise UnknownAccount(f"no account has the address {address!r}; known: {known}")
        return found

    def named(self, name: str) -> list[Account | Group]:
        """Everybody whose local part or full name this is, case folded; in the order in which they came."""
        wanted = fold(name).strip()
        with self._lock:
            return [
                entry
                for entry in self._entries.values()
                if wanted and wanted in (fold(entry.name), fold(entry.address).rpartition("@")[0])
            ]

    def is_local(self, domain: str) -> bool:
        """Whether anybody here has an address in this domain."""
        end = canonical(f"x@{domain}")[1:]
        return any(address.endswith(end) for address in tuple(self._addresses))

    def __contains__(self, address: str) -> bool:
        return self.get(address) is not None

    def __len__(self) -> int:
        return len(self._entries)

    # -- logging in

    def find_login(self, login: str) -> Account | None:
        """The account that a user name means: an address, a further login name, or the local part where only one account has it. Names
        beyond ASCII are compared as RFC 4013 prepares them, where none is the same as it is."""
        folded = canonical(login)
        found = self._addresses.get(folded) or self._logins.get(folded)
        if found is None and not login.isascii():
            folded = canonical(prepared(login))
            found = self._prepared.get(folded)
        if found is None:
            same = self._locals.get(folded, ())
            found = same[0] if len(same) == 1 else None
        return found if isinstance(found, Account) else None

    def authenticate(self, login: str, password: str) -> Account | None:
        """The account, or None: wrong password, unknown or disabled. Takes the same time for each of these. Passwords are compared as RFC
        4013 prepares them."""
        account = self.find_login(login)
        given = sha256(prepared(password).encode("utf-8", "surrogatepass")).digest()
        wanted = sha256(prepared(account.password if account else "").encode("utf-8", "surrogatepass")).digest()
        same = hmac.compare_digest(given, wanted)
        return account if same and account is not None and not account.disabled else None

    # -- coming, going, changing

    def add(self, entry: Account | Group) -> None:
        """Raises DuplicateAddress when somebody has one of its addresses or logins, WorldError for an address that is none."""
        with self._lock:
            addresses, logins = _names(entry)
            for name in (*addresses, *logins):
                self._check_free(name)
            self._entries[canonical(entry.address)] = entry
            self._addresses.update(dict.fromkeys(addresses, entry))
            if isinstance(entry, Account):
                self._logins.update(dict.fromkeys(logins, entry))
                for name in (entry.address, *entry.aliases, *entry.logins):
                    if not name.isascii():
                        self._prepared.setdefault(canonical(prepared(name)), entry)
                for local in _local_parts(addresses):
                    self._locals.setdefault(local, []).append(entry)

    def remove(self, address: str) -> Account | Group:
        """Take out whoever has this address, with all others of the same owner. Raises UnknownAccount."""
        with self._lock:
            entry = self.get(address)
            if entry is None:
                raise UnknownAccount(f"nobody has the address {address!r}")
            self._addresses = {name: owner for name, owner in self._addresses.items() if owner is not entry}
            self._entries = {name: owner for name, owner in self._entries.items() if owner is not entry}
            self._logins = {name: owner for name, owner in self._logins.items() if owner is not entry}
            self._prepared = {name: owner for name, owner in self._prepared.items() if owner is not entry}
            for same in self._locals.values():
                same[:] = [owner for owner in same if owner is not entry]
            return entry

    def change_addresses(
        self,
        address: str,
        *,
        primary: str | None = None,
        aliases: Iterable[str] | None = None,
        logins: Iterable[str] | None = None,
    ) -> Account:
        """Give an account other addresses; what is left out stays. A failed call changes nothing.

        Raises UnknownAccount, DuplicateAddress, WorldError. The store keeps mail by primary address, so change that one by
        `World.change_addresses`."""
        with self._lock:
            account = self.account(address)
            before = (account.address, account.aliases, account.logins)
            self.remove(address)
            try:
                account.address = primary if primary is not None else account.address
                account.aliases = tuple(aliases) if aliases is not None else account.aliases
                account.logins = tuple(logins) if logins is not None else account.logins
                self.add(account)
            except WorldError:
                account.address, account.aliases, account.logins = before
                self.add(account)
                raise
            return account

    def _check_free(self, name: str) -> None:
        owner = self._addresses.get(name) or self._logins.get(name)
        if owner is not None:
            raise DuplicateAddress(f"{name!r} belongs to {owner.address!r} already")


def _names(entry: Account | Group) -> tuple[list[str], list[str]]:
    """Folded addresses and folded further logins, each once."""
    aliases = entry.aliases if isinstance(entry, Account) else ()
    logins = entry.logins if isinstance(entry, Account) else ()
    addresses = list(dict.fromkeys(canonical(_checked(address)) for address in (entry.address, *aliases)))
    return addresses, [name for name in dict.fromkeys(map(canonical, logins)) if name not in addresses]


def _checked(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if (
        not (local and at and domain)
        or any(c.isspace() or not c.isprintable() for c in domain)
        or "\n" in local
        or "\r" in local
    ):
        raise WorldError(f"{address!r} is no mail address: expected local@domain")
    return address


def _local_parts(addresses: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(address.rpartition("@")[0] for address in addresses))
