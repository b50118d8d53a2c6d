"""The store of one organization: records, leases, secrets, the memory of providers, the ledger.

store = OrganizationStore.open("sqlite://", clock=clock)
with store.transaction(fence) as tx:
    tx.create(Mailbox(name="Sales"))
with store.reading() as tx:
    tx.find(Mailbox, statecode=0, order_by=("name",))
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy.engine import Connection

from postroom.clock import Clock
from postroom.errors import StoreError
from postroom.model import EmailColumns
from postroom.store import leases
from postroom.store.database import Database, open_database
from postroom.store.leases import Fence
from postroom.store.tables import TABLES, metadata
from postroom.store.transaction import Transaction

if TYPE_CHECKING:
    from postroom.store.secrets import KeyRing

__all__ = ["TABLES", "Fence", "OrganizationStore", "Transaction", "metadata"]


def _random_id() -> str:
    return str(uuid.uuid4())


class _Scope:
    """The `with` block of one transaction, which is its thread's current one. A class: it is entered six times in an idle poll."""

    __slots__ = ("_active", "_fence", "_inner", "_store", "_writable")

    def __init__(
        self,
        store: OrganizationStore,
        active: threading.local,
        inner: AbstractContextManager[Connection],
        fence: Fence | None,
        *,
        writable: bool,
    ) -> None:
        self._store = store
        self._active = active
        self._inner = inner
        self._fence = fence
        self._writable = writable

    def __enter__(self) -> Transaction:
        connection = self._inner.__enter__()
        try:
            tx = Transaction(self._store, connection, writable=self._writable)
            if self._fence is not None:
                leases.check(tx, self._fence)
            self._active.connection = connection
        except BaseException as error:
            self._inner.__exit__(type(error), error, error.__traceback__)
            raise
        return tx

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._active.connection = None
        self._inner.__exit__(kind, error, trace)


class OrganizationStore:
    """One database. Transactions do not nest: a thread ends one before it opens the next, on every database alike."""

    def __init__(
        self, database: Database, *, clock: Clock, keys: KeyRing | None, ids: Callable[[], str], email_columns: EmailColumns
    ) -> None:
        self._database = database
        self.clock = clock
        self.keys = keys
        self.new_id = ids
        self.email_columns = email_columns
        self._active = threading.local()
        self._closed = False

    @classmethod
    def open(
        cls,
        url: str = "sqlite://",
        *,
        clock: Clock,
        keys: KeyRing | None = None,
        ids: Callable[[], str] = _random_id,
        email_columns: EmailColumns | None = None,
    ) -> OrganizationStore:
        """`sqlite://` in memory, `sqlite:///path`, `postgresql+psycopg://...`; tables are made where there are none.

        `keys` encrypts passwords (without: reading or writing one is an error); `ids` gives the ids of new records (a seeded source
        makes them repeatable); `email_columns` adds custom email-enabled entities. Raises StoreError, NewerDatabase.
        """
        database = open_database(url)
        return cls(database, clock=clock, keys=keys, ids=ids, email_columns=email_columns or EmailColumns())

    def transaction(self, fence: Fence | None = None) -> AbstractContextManager[Transaction]:
        """Read and write; committed at the end. With a fence: raises StaleRun at once when the lease was lost, nothing written."""
        self._check_open()
        if self._current() is not None:
            raise StoreError("this thread has a transaction open in this store: end it first, or pass it on")
        return _Scope(self, self._active, self._database.write(), fence, writable=True)

    def reading(self) -> AbstractContextManager[Transaction]:
        """A read-only snapshot; takes no write lock. Inside a transaction of the same thread it reads within that one."""
        self._check_open()
        current = self._current()
        if current is not None:
            return nullcontext(Transaction(self, current, writable=False))
        return _Scope(self, self._active, self._database.read(), None, writable=False)

    def size(self) -> int:
        """Octets that the database takes."""
        self._check_open()
        return self._database.size()

    def vacuum(self) -> None:
        """Give back the room of removed rows. Raises StoreError: within a transaction of this thread, or when others keep the database
        busy."""
        self._check_open()
        if self._current() is not None:
            raise StoreError("this thread has a transaction open in this store: end it first")
        self._database.vacuum()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _current(self) -> Connection | None:
        found: Connection | None = getattr(self._active, "connection", None)
        return found

    def close(self) -> None:
        """Idempotent."""
        self._closed = True
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<OrganizationStore on {self._database.engine.dialect.name}>"
