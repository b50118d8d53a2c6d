"""The world: clock, chance, directory, store, journal and faults in one object. One for each test, nothing global."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from postroom_simulator import delivery, offers
from postroom_simulator.actors.desk import Desk
from postroom_simulator.clock import Clock, ManualClock
from postroom_simulator.delivery import Delivery, RecipientStatus
from postroom_simulator.directory import Account, Directory, Group, Rule
from postroom_simulator.errors import WorldError
from postroom_simulator.faults import FaultTable, TlsTrouble
from postroom_simulator.ids import Ids
from postroom_simulator.journal import Journal, Kind
from postroom_simulator.net.registry import Connections
from postroom_simulator.pop3 import copies
from postroom_simulator.pop3.copies import InboxCopy
from postroom_simulator.pop3.settings import Pop3Service
from postroom_simulator.smtp.settings import SmtpService
from postroom_simulator.store.interface import Happening, Item, Role
from postroom_simulator.store.memory import MemoryMailStore
from postroom_simulator.tokens import TokenAuthority

if TYPE_CHECKING:
    from postroom_simulator.actors.wishes import Wishes
    from postroom_simulator.ews.service import EwsService
    from postroom_simulator.net.memory import MemorySocket
    from postroom_simulator.net.tcp import Servers
    from postroom_simulator.net.tls import Authority
    from postroom_simulator.web.site import Site

__all__ = ["SERVICES", "World"]

SERVICES = {
    "smtp": 25,
    "submission": 587,
    "smtps": 465,
    "pop3": 110,
    "pop3s": 995,
    "ews": 80,
    "ewss": 443,
    "http": 8080,
    "https": 8443,
}
"""The services of a world and the ports that they have in memory (over TCP: any free port). "smtps", "pop3s" and "ewss" (Exchange Web
Services over HTTPS) and "https" (the world's pages) are implicit TLS, "ews" and "http" have none, the others offer STARTTLS or STLS."""


class World:
    """A small internet: mail servers, the people who have mailboxes on them, and everything that happened.

    In memory there is nothing to start: `connect` gives a socket-like object. Over TCP, `listen` starts the servers on a thread of
    their own. `close` (or leaving the `with` block) leaves no thread, task, port or file behind.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Clock | None = None,
        hostname: str = "mail.sim.test",
        journal_capacity: int | None = None,
    ) -> None:
        """`clock` None: a manual one. `journal_capacity`: how many entries the journal keeps (None: all), for servers that run long."""
        self.clock: Clock = clock if clock is not None else ManualClock()
        self.ids = Ids(seed)
        self.hostname = hostname
        self.lock = threading.RLock()
        self.journal = Journal(self.clock, journal_capacity)
        self.faults = FaultTable(self.clock, self.ids.random)
        self.directory = Directory()
        self.store = MemoryMailStore(self.clock, self.ids)
        self.store.observe(self._follow)
        self.connections = Connections(self.clock)
        self.pop3 = Pop3Service()
        self.smtp = SmtpService()
        self._ews: EwsService | None = None
        self._http: Site | None = None
        self.tokens = TokenAuthority(self)
        self.accept_anyone = False
        """Whether any user name and password log in, making an account at once (`serve --accept-anyone`)."""
        self.open_domains: AbstractSet[str] = frozenset()
        """Domains, in lower case, in which mail for anybody makes an account (password "secret"); "*": in all (`serve --mailboxes-for`)."""
        self._tls: dict[str, TlsTrouble] = {}
        self.desk = Desk(self)
        """What actors of accounts have still to do (see `postroom_simulator.actors`)."""
        self._authority: Authority | None = None
        self._servers: list[Servers] = []

    # -- people

    def add_account(
        self,
        address: str,
        password: str = "secret",  # noqa: S107 - a fake server's default, documented
        *,
        name: str = "",
        aliases: Iterable[str] = (),
        quota: int | None = None,
        disabled: bool = False,
        rules: Iterable[Rule] = (),
        archive: bool = False,
    ) -> Account:
        """A new account with its folder tree, and with one of an archive where it has that. Raises DuplicateAddress."""
        account = Account(address, password, name, tuple(aliases), (), quota, disabled, list(rules))
        with self.lock:
            self.directory.add(account)
            self.store.open_account(address, quota)
            if archive:
                self.store.open_archive(address)
        return account

    def add_group(self, address: str, members: Iterable[str] = (), *, name: str = "") -> Group:
        """An address that stands for several: accounts, groups, outside addresses. Raises DuplicateAddress."""
        group = Group(address, tuple(members), name)
        self.directory.add(group)
        return group

    def remove_account(self, address: str) -> None:
        """Forget an account and its mail. Raises UnknownAccount."""
        with self.lock:
            account = self.directory.account(address)
            self.directory.remove(address)
            self.store.close_account(account.address)

    def change_addresses(
        self,
        address: str,
        *,
        primary: str | None = None,
        aliases: Iterable[str] | None = None,
        logins: Iterable[str] | None = None,
    ) -> Account:
        """Give an account other addresses and logins; its mail stays. Raises UnknownAccount, DuplicateAddress."""
        with self.lock:
            before = self.directory.account(address).address
            account = self.directory.change_addresses(address, primary=primary, aliases=aliases, logins=logins)
            self.store.rename_account(before, account.address)
            return account

    def set_quota(self, address: str, quota: int | None) -> None:
        """Octets that the account may hold, None: any number. Raises UnknownAccount."""
        with self.lock:
            account = self.directory.account(address)
            account.quota = quota
            self.store.set_quota(account.address, quota)

    def take_back(self, address: str, protocol: str, *, hidden: Iterable[str] = (), false: Iterable[str] = ()) -> None:
        """Let "pop3" or "smtp" be without some of what it offers, for this account (see `offers`): `hidden` is not announced and not
        there, `false` is announced and not there. Replaces what was taken back before; nothing given gives all of it back.

        Raises UnknownAccount, and WorldError for names that the server never offers."""
        with self.lock:
            self.directory.account(address).offers[protocol] = offers.Offers(
                offers.checked(protocol, hidden), offers.checked(protocol, false)
            )

    def authenticate(self, login: str, password: str) -> Account | None:
        """As `Directory.authenticate`; with `accept_anyone` an unknown user name becomes an account with this password, and a known
        one is let in with any. A login that is no address gets the world's host name."""
        if not self.accept_anyone:
            return self.directory.authenticate(login, password)
        with self.lock:
            known = self.directory.find_login(login)
            if known is not None:
                return None if known.disabled else known
            try:
                return self.add_account(login if "@" in login else f"{login}@{self.hostname}", password)
            except WorldError:  # a group's address, or no address at all
                return None

    # -- mail

    def deliver(
        self,
        sender: str,
        recipients: Iterable[str],
        octets: bytes,
        *,
        protocol: str = "",
        connection: str = "",
        wishes: Wishes | None = None,
    ) -> list[Delivery]:
        """Put a message, octet for octet, where its recipients want it: see `delivery.deliver`."""
        done = delivery.deliver(self, sender, recipients, octets, protocol=protocol, connection=connection, wishes=wishes)
        self.desk.run_errands()
        return done

    def recipient_status(self, address: str, size: int = 0) -> RecipientStatus:
        """What would become of a message of `size` octets (0: unknown) for this address."""
        return delivery.recipient_status(self, address, size)

    def place(
        self,
        address: str,
        octets: bytes,
        *,
        folder: str | Role | int = Role.INBOX,
        received: datetime | None = None,
        read: bool = False,
        sender: str = "",
    ) -> Item:
        """Put a message into a mailbox past its rules, as an import does. `folder`: a role, a name (made where it is missing), or a uid.
        Raises UnknownAccount, QuotaExceeded, NoSuchFolder."""
        return delivery.place(self, address, octets, folder=folder, received=received, read=read, sender=sender)

    def withdraw(self, uid: int, *, to: str | Role | None = None, reason: str = "test") -> int | None:
        """Take an item away for good, or move it to another folder of its mailbox, journalled as REMOVED. The uid that it has then. Raises
        NoSuchItem."""
        return delivery.withdraw(self, uid, to=to, reason=reason)

    def inbox(self, address: str) -> list[bytes]:
        """The messages in an account's Inbox, octet for octet, in order of arrival. Raises UnknownAccount."""
        account = self.directory.account(address)
        folder = self.store.folder(account.address, Role.INBOX)
        return [self.store.octets(item.uid) for item in self.store.items(folder.uid) if item.digest]

    def reset_uidls(self, address: str | None = None) -> None:
        """Every message in the Inbox of one account (None: of all) gets a new unique id, as when a server was restored from a
        backup. Journalled, old uid and new."""
        with self.lock:
            accounts = self.directory.accounts() if address is None else [self.directory.account(address)]
            for account in accounts:
                self.store.renumber(self.store.folder(account.address, Role.INBOX).uid)

    def _follow(self, happening: Happening) -> None:
        """What is kept by an item's uid ends with it; a new uid of an old item is journalled. With the store's lock held."""
        item = happening.item
        if item is not None and happening.what == "moved":
            self.pop3.forget(happening.old_uid)
            data = {"uid": item.uid, "before": happening.old_uid}
            self.journal.add(Kind.NOTE, account=item.account, detail="a new unique id", data=data)
        elif item is not None and happening.what == "deleted":
            self.pop3.forget(item.uid)

    def copy_inbox(self, address: str) -> InboxCopy:
        """The account's Inbox as it is now, for `restore_inbox`. Raises UnknownAccount."""
        return copies.copy_inbox(self, address)

    def restore_inbox(self, copy: InboxCopy) -> None:
        """Make an Inbox what it was when `copy` was made: newer mail is gone, removed mail is back under its old unique ids, as when
        a server was restored from a backup. Journalled."""
        copies.restore_inbox(self, copy)

    def lock_maildrop(self, address: str, seconds: float, holder: str = "a session that died") -> bool:
        """Hold an account's maildrop for so long, as a session does that died unnoticed. False: somebody has it. Raises
        UnknownAccount."""
        account = self.directory.account(address).address
        now = self.clock.monotonic()
        if self.pop3.locks.acquire(account, holder, now=now, until=now + seconds) is None:
            return False
        self.journal.add(Kind.NOTE, account=account, detail=f"maildrop held by {holder} for {seconds:g} seconds")
        return True

    # -- the network

    @property
    def tls(self) -> Mapping[str, TlsTrouble]:
        """The services whose TLS has a trouble (see `fault_rules.TLS_TROUBLES`), for connections made from now on. Set it to one trouble
        for all services, to a mapping of services to troubles, or to None: `world.tls = TlsTrouble("expired")`. Raises FaultError."""
        return self._tls

    @tls.setter
    def tls(self, troubles: TlsTrouble | Mapping[str, TlsTrouble] | None) -> None:
        from postroom_simulator.net.service import troubles_by_service

        self._tls = troubles_by_service(troubles)

    @property
    def ews(self) -> EwsService:
        """Exchange Web Services: its settings, and `respond`. Made at first use."""
        with self.lock:
            if self._ews is None:
                from postroom_simulator.ews.service import EwsService

                self._ews = EwsService(self)
            return self._ews

    @property
    def http(self) -> Site:
        """The pages of the services "http" and "https". Made at first use."""
        with self.lock:
            if self._http is None:
                from postroom_simulator.web.site import Site

                self._http = Site(self)
            return self._http

    @property
    def authority(self) -> Authority:
        """The certificate authority of this world, made at first use."""
        with self.lock:
            if self._authority is None:
                from postroom_simulator.net.tls import Authority

                self._authority = Authority(self.hostname)
            return self._authority

    def connect(self, service: str, *, timeout: float | None = None) -> MemorySocket:
        """A client's end of a new in-memory connection. Raises ConnectionRefusedError where a fault says so."""
        from postroom_simulator.net import memory

        return memory.connect(self, service, timeout)

    def listen(self, *, host: str = "127.0.0.1", ports: dict[str, int] | None = None, allow_remote: bool = False) -> Servers:
        """Start the servers on sockets. `ports` maps services to ports, 0 for any free one; default: all services. A host that is not
        loopback needs `allow_remote` (WorldError otherwise). OSError when a port is taken."""
        from postroom_simulator.net.tcp import Servers

        servers = Servers(self, host, ports, allow_remote=allow_remote)
        self._servers.append(servers)
        self.desk.arm()
        return servers

    def tick(self) -> int:
        """Let actors do what is due by now, and say how much it was. Only needed on a clock that cannot be moved, while no servers listen:
        see `Desk`."""
        return self.desk.tick()

    def wake_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back from the loop of servers that listen; without any nothing happens. For clocks that cannot be moved."""
        for servers in self._servers[:1]:
            servers.wake_later(seconds, callback)

    def run_aside(self, callback: Callable[[], None]) -> None:
        """Call in a thread beside the loop of servers that listen; without any nothing happens."""
        for servers in self._servers[:1]:
            servers.run_aside(callback)

    def settle(self, timeout: float = 10.0) -> None:
        """Return when every connection has seen both sides close and the journal is complete: see `Connections.settle`."""
        self.connections.settle(timeout)

    def close(self) -> None:
        """Stop the servers and give the files back. Idempotent; journal and what is in memory can still be read."""
        while self._servers:
            self._servers.pop().close()
        self.connections.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """`close`. Raises the first error that our own code met while serving, unless `settle` did, or something else is raised already."""
        self.close()
        if kind is None and self.connections.failures:
            raise self.connections.failures.popleft()
