"""What every store has, whatever its tables are: transactions, fences, the database below. A store adds what its transactions can do
(`kind`), a plan its tables (`store.schema.Plan`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, overload

from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.exc import DatabaseError

from postroom.clock import Clock
from postroom.errors import InvalidValue, StoreError
from postroom.store import leases
from postroom.store.database import Database, MemoryDatabase, refusal
from postroom.store.leases import Fence
from postroom.store.prepared import Answer, Prepared

__all__ = ["BaseStore", "BaseTransaction"]


class BaseTransaction:
    """What a store gives in a `with` block: committed when it ends, rolled back when an exception leaves it.

    After DuplicateRecord only a rollback is left: wrap the call in `savepoint()` to go on. `records`: whether the database has the
    tables of an organization.
    """

    __slots__ = ("_observers", "_sqlite", "connection", "dialect", "store", "writable")

    records: ClassVar[bool] = False

    def __init__(self, store: BaseStore[Any], connection: Connection, writable: bool) -> None:
        self.store = store
        self.connection = connection
        self.dialect: str = connection.dialect.name
        self._observers = store._database.observers  # noqa: SLF001 - the store's own
        raw = connection.connection.driver_connection if self.dialect == "sqlite" else None
        self._sqlite: sqlite3.Connection | None = cast(Any, raw)
        self.writable = writable

    def now(self) -> datetime:
        """The store's clock."""
        return self.store.clock.now()

    @overload
    def execute(self, statement: Prepared, parameters: Any = None) -> Answer: ...
    @overload
    def execute(self, statement: Any, parameters: Any = None) -> CursorResult[*tuple[Any, ...]]: ...
    def execute(self, statement: Any, parameters: Any = None) -> Any:
        """Any Core statement, prepared or not. Raises DuplicateRecord, InvalidValue, StoreError; the text of an error never holds
        parameters."""
        try:
            if isinstance(statement, Prepared):
                if self._sqlite is not None:
                    return statement.on_sqlite(self._sqlite, parameters, self._observers)
                if statement.lists:
                    self.connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")
                statement = statement.statement
            return self.connection.execute(statement, parameters)
        except (UnicodeEncodeError, OverflowError) as trouble:  # from the driver, for parameters that did not pass `rows`
            raise InvalidValue(f"a parameter cannot be stored: {trouble.__class__.__name__}") from None
        except (DatabaseError, sqlite3.Error) as trouble:
            raise refusal(trouble) or trouble from trouble

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What happens inside is undone when an exception leaves the block; what happened before stays. May be nested."""
        self._must_write()
        raw = self._sqlite
        if raw is None:
            with self.connection.begin_nested():
                yield
            return
        self._at_driver(raw, "SAVEPOINT one")  # the name may be in use further out: the innermost counts
        try:
            yield
        except BaseException:
            if raw.in_transaction:  # a full disk ends the transaction by itself
                self._at_driver(raw, "ROLLBACK TO one")
                self._at_driver(raw, "RELEASE one")
            raise
        self._at_driver(raw, "RELEASE one")

    def _at_driver(self, raw: sqlite3.Connection, sql: str) -> None:
        for observer in self._observers:
            observer(sql)
        try:
            raw.execute(sql)
        except sqlite3.Error as trouble:
            raise refusal(trouble) or trouble from trouble

    def _must_write(self) -> None:
        if not self.writable:
            raise StoreError("this transaction only reads")


T = TypeVar("T", bound=BaseTransaction)


class _Scope:
    """The `with` block of one transaction, which is its thread's current one. A class: it is entered six times in an idle poll."""

    __slots__ = ("_active", "_fence", "_inner", "_store", "_writable")

    def __init__(
        self,
        store: BaseStore[Any],
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

    def __enter__(self) -> Any:
        connection = self._inner.__enter__()
        try:
            tx = self._store.kind(self._store, connection, writable=self._writable)
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


class BaseStore(Generic[T]):
    """One database. Transactions do not nest: a thread ends one before it opens the next, on every database alike."""

    kind: type[T]
    """What its transactions are."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self.clock = clock
        self._active = threading.local()
        self._closed = False

    @property
    def one_thread(self) -> bool:
        """Whether it serves only the thread that opened it: a store in memory."""
        return isinstance(self._database, MemoryDatabase)

    def transaction(self, fence: Fence | None = None) -> AbstractContextManager[T]:
        """Read and write; committed at the end. With a fence: raises StaleRun at once when the lease was lost, nothing written."""
        self._check_open()
        if self._current() is not None:
            raise StoreError("this thread has a transaction open in this store: end it first, or pass it on")
        return _Scope(self, self._active, self._database.write(), fence, writable=True)

    def reading(self) -> AbstractContextManager[T]:
        """A read-only snapshot; takes no write lock. Inside a transaction of the same thread it reads within that one."""
        self._check_open()
        current = self._current()
        if current is not None:
            return nullcontext(self.kind(self, current, writable=False))
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
        return f"<{type(self).__name__} on {self._database.engine.dialect.name}>"
