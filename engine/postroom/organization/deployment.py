"""Deployments: organizations side by side, and the connection limits that they share on purpose."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self

from postroom.clock import Clock
from postroom.errors import RuleViolated
from postroom.model import EmailColumns
from postroom.model.deployment import DeploymentSettings
from postroom.organization import custom_columns, records
from postroom.organization.callers import Caller
from postroom.organization.organization import Organization
from postroom.store import OrganizationStore, schema, secrets
from postroom.store.secrets import KeyRing

__all__ = ["ConnectionLimits", "Deployment", "Ids", "KeyRotation"]


class Ids(Protocol):
    """A source of ids. A simulated world's ids have the same shape, so that a seed gives the same run."""

    def uuid(self) -> uuid.UUID: ...


class _RandomIds:
    def uuid(self) -> uuid.UUID:
        return uuid.uuid4()


class ConnectionLimits:
    """How many connections each (server, authenticated user) has open (server-side-sync reference 3.6). Excess work waits for a
    later round: `slot` tells at once whether there is room."""

    def __init__(self) -> None:
        self._open: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def acquire(self, server: str, user: str, limit: int) -> bool:
        """Take a slot, or False when `limit` are taken."""
        key = (server.casefold(), user.casefold())
        with self._lock:
            if self._open[key] >= limit:
                return False
            self._open[key] += 1
            return True

    def release(self, server: str, user: str) -> None:
        key = (server.casefold(), user.casefold())
        with self._lock:
            self._open[key] -= 1
            if self._open[key] <= 0:
                del self._open[key]

    @contextmanager
    def slot(self, server: str, user: str, limit: int) -> Iterator[bool]:
        """True inside the block when a slot was taken; it is given back at the end."""
        taken = self.acquire(server, user, limit)
        try:
            yield taken
        finally:
            if taken:
                self.release(server, user)

    def open(self, server: str, user: str) -> int:
        with self._lock:
            return self._open[(server.casefold(), user.casefold())]


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """`moved`: by organization, how many secrets the newest key did not open before. `retired`: how many old keys went."""

    moved: Mapping[str, int]
    retired: int


class Deployment:
    """Organizations under one roof: each has its own database and settings, and no mail, state or error crosses over. The table of
    open connections does, on purpose: a server counts them whoever asks.

    clock     what time it is, for everything
    settings  section 1.6 of the server-side-sync reference
    keys      the key ring that secrets are encrypted with; None: one for this object only (in-memory stores)
    ids       where new ids come from; a seeded source makes runs repeatable
    """

    def __init__(
        self,
        clock: Clock,
        *,
        settings: DeploymentSettings | None = None,
        keys: KeyRing | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.clock = clock
        self.settings = settings or DeploymentSettings()
        self.keys = keys or KeyRing.generate()
        self.ids: Ids = ids or _RandomIds()
        self.connections = ConnectionLimits()
        self.organizations: dict[str, Organization] = {}

    def new_id(self) -> str:
        """A canonical lower-case uuid."""
        return str(self.ids.uuid())

    def create_organization(
        self, name: str, url: str = "sqlite://", *, email_columns: EmailColumns | None = None, **settings: Any
    ) -> Organization:
        """A new organization in a new (or empty) database. `settings` are attributes of the organization row (reference 1.5); where the
        references contradict each other, section 11 decides what a new organization starts with. `email_columns` names the address
        columns of custom email-enabled entities.

        Raises RuleViolated when the name is taken or the database holds an organization, RecordError for wrong settings.
        """
        organization = self._open(name, url, email_columns)
        try:
            records.seed(organization, settings)
        except BaseException:
            self._close(name)
            raise
        return organization

    def open_organization(self, name: str, url: str, *, email_columns: EmailColumns | None = None) -> Organization:
        """An organization that exists. Raises RecordNotFound when the database holds none, NewerDatabase."""
        organization = self._open(name, url, email_columns)
        try:
            records.settings(organization)
        except BaseException:
            self._close(name)
            raise
        return organization

    def _open(self, name: str, url: str, email_columns: EmailColumns | None) -> Organization:
        if name in self.organizations:
            raise RuleViolated(f"an organization named {name!r} is open already")
        store = OrganizationStore.open(url, clock=self.clock, keys=self.keys, ids=self.new_id, email_columns=email_columns)
        organization = Organization(name, store, self)
        self.organizations[name] = organization
        try:
            custom_columns.bring_together(store)
        except BaseException:
            self._close(name)
            raise
        return organization

    def _close(self, name: str) -> None:
        self.organizations.pop(name).store.close()

    @staticmethod
    def revision_of(url: str) -> str | None:
        """The revision of a database as it lies there (ours); None: it holds no tables. Changes nothing. Raises StoreError, NewerDatabase."""
        return schema.revision_at(url)

    def rotate_keys(self, caller: Caller, *, retire: bool = True) -> KeyRotation:
        """A new key for all secrets (ours): it is put in front of the ring and its file, every open organization's secrets are moved to
        it, and then the old keys go. May be cut off anywhere and repeated: every secret can be read at every moment, and one that was
        begun is brought to its end before a new key is made. Every organization that uses the ring must be open in this deployment, or
        `retire` be False. Raises StoreError when the key file cannot be written, or a secret cannot be read: then no key goes."""
        organizations = list(self.organizations.values())
        begun = len(self.keys) > 1 and not all(secrets.all_newest(one.store) for one in organizations)
        if not begun:
            self.keys.add_newest()
        moved = {one.name: one.rotate_key(caller) for one in organizations}
        return KeyRotation(moved, self.keys.retire() if retire else 0)

    def close(self) -> None:
        """Close every store. Idempotent."""
        for name in list(self.organizations):
            self._close(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
