"""Opening databases and beginning transactions: SQLite in memory, SQLite files, PostgreSQL.

* In memory: a copy of an image made once per process (dependencies reference 3.5); one thread only, any other raises WrongThread.
* File: WAL, synchronous=FULL (what is committed survives a power cut), BEGIN IMMEDIATE behind the write lane.
* PostgreSQL: each write transaction takes one advisory lock first. Ours: writers of one organization then queue up exactly as on
  SQLite, so that read-then-update loses nothing and no transaction has to be repeated; readers never wait.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from postroom.errors import DuplicateRecord, StoreError, WrongThread
from postroom.store.lane import WriteLane, lane_of
from postroom.store.schema import ORGANIZATION, Plan

__all__ = ["Database", "first_line", "observe", "open_database", "refusal"]

_ADVISORY_LOCK = 0x506F7374726F6F6D  # "Postroom"
_BUSY_MS = 5000


Observer = Callable[[str], None]
"""Is told the SQL text of each statement before it is executed, COMMIT and ROLLBACK too. What it raises goes on."""


class Database(Protocol):
    """One open database. `write` and `read` give a connection inside a transaction; an exception rolls it back."""

    engine: Engine
    observers: list[Observer]

    def write(self) -> AbstractContextManager[Connection]: ...
    def read(self) -> AbstractContextManager[Connection]: ...

    def size(self) -> int:
        """Octets that it takes."""
        ...

    def vacuum(self) -> None:
        """Give back the room of removed rows. Raises StoreError."""
        ...

    def close(self) -> None: ...


def open_database(url: str, plan: Plan = ORGANIZATION) -> Database:
    """Raises StoreError for an address that is not understood or does not answer, and for a database of another kind."""
    try:
        address = sa.make_url(url)
    except ArgumentError:
        raise StoreError(
            "not a database address; examples: sqlite://, sqlite:///path, postgresql+psycopg://host/name"
        ) from None
    if address.get_backend_name() == "sqlite" and address.get_driver_name() == "pysqlite":
        if address.database in (None, "", ":memory:"):
            return MemoryDatabase(plan)
        return FileDatabase(address, plan)
    if address.drivername == "postgresql+psycopg":
        return PostgresDatabase(address, plan)
    raise StoreError(f"cannot keep records in {address.drivername!r}; use sqlite or postgresql+psycopg")


def _no_driver_transactions(connection: Any, _: object) -> None:
    """We say BEGIN ourselves: left alone, the driver begins at the first write and loses updates read before it (3.5)."""
    connection.isolation_level = None


def observe(database: Database, observer: Observer) -> Callable[[], None]:
    """Let `observer` see what is asked of a database, until the function that is returned is called."""

    def statement(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        observer(text)

    listeners: list[tuple[str, Callable[..., None]]] = [("before_cursor_execute", statement)]
    if database.engine.dialect.name != "sqlite":  # there transactions and prepared statements do not pass SQLAlchemy
        listeners += [("commit", lambda _: observer("COMMIT")), ("rollback", lambda _: observer("ROLLBACK"))]
    for name, listener in listeners:
        event.listen(database.engine, name, listener)
    database.observers.append(observer)

    def forget() -> None:
        database.observers.remove(observer)
        for name, listener in listeners:
            event.remove(database.engine, name, listener)

    return forget


def first_line(trouble: DBAPIError | sqlite3.Error) -> str:
    """What the database said, without the statement, its parameters and PostgreSQL's DETAIL (they may hold mail)."""
    said = trouble.orig if isinstance(trouble, DBAPIError) else trouble
    return (str(said).splitlines() or ["no reason given"])[0]


_ADVICE = (
    ("is full", "make room on its disk: nothing of this transaction was written"),
    ("is locked", "another process keeps writing to it: try again when it has ended"),
    ("readonly", "the user of this process may not write the file or its folder"),
    ("unable to open", "the user of this process may not read or write the file or its folder"),
    ("malformed", "the file is damaged: stop everything that uses it and restore the backup"),
    ("not a database", "the file is none of SQLite's, or its beginning is damaged: restore the backup"),
    ("disk I/O error", "its disk fails or is full: look at the disk, nothing of this transaction was written"),
)
"""What SQLite says, and what to do about it."""


def _refused(trouble: DBAPIError | sqlite3.Error) -> str:
    said = first_line(trouble)
    advice = next((text for words, text in _ADVICE if words in said), "")
    return f"the database refused: {said}" + (f" ({advice})" if advice else "")


def _lock_postgres(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")


def refusal(trouble: BaseException | None) -> StoreError | None:
    """The database's refusal in our words; None for anything else."""
    if isinstance(trouble, IntegrityError | sqlite3.IntegrityError):
        return DuplicateRecord(f"a rule of the store: {first_line(trouble)}")
    if isinstance(trouble, DatabaseError | sqlite3.Error):
        return StoreError(_refused(trouble))
    return None


@contextmanager
def _postgres_transaction(connection: Connection, begin: Callable[[Connection], None] | None) -> Iterator[Connection]:
    """`begin` says to the database what SQLAlchemy leaves unsaid. Raises DuplicateRecord, StoreError for the database's refusals."""
    try:
        with connection.begin():
            if begin is not None:
                begin(connection)
            yield connection
    except DatabaseError as trouble:
        raise refusal(trouble) or trouble from trouble


class _SqliteTransaction:
    """A transaction on SQLite, begun and ended at the driver itself: an engine with events for this would pay for them at every
    statement. One that only reads is always rolled back, so that nothing in it can ever write; `PRAGMA query_only` would make SQLite
    compile every statement anew. Raises DuplicateRecord, StoreError for the database's refusals."""

    __slots__ = ("_changes", "_connection", "_observers", "_raw", "_write")

    def __init__(self, connection: Connection, observers: list[Observer], *, write: bool) -> None:
        self._connection = connection
        self._observers = observers
        self._write = write

    def __enter__(self) -> Connection:
        raw = self._raw = cast(sqlite3.Connection, self._connection.connection.driver_connection)
        self._changes = raw.total_changes
        try:
            raw.execute("BEGIN IMMEDIATE" if self._write else "BEGIN")
        except sqlite3.Error as trouble:
            raise refusal(trouble) or trouble from trouble
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        raw = self._raw
        written = raw.total_changes != self._changes
        try:
            if error is None and self._write:
                self._tell("COMMIT")
                raw.execute("COMMIT")
        except sqlite3.Error as trouble:
            raise refusal(trouble) or trouble from trouble
        finally:
            if raw.in_transaction:
                self._tell("ROLLBACK")
                raw.execute("ROLLBACK")
            if self._connection.in_transaction():  # what SQLAlchemy believes
                self._connection.rollback()
        if (refused := refusal(error)) is not None:
            raise refused from error
        if error is None and written and not self._write:
            raise StoreError("this transaction only reads: what it wrote was undone")

    def _tell(self, text: str) -> None:
        for observer in self._observers:
            observer(text)


def _connected(engine: Engine) -> Connection:
    """A connection from the pool. Raises StoreError when the database does not answer or is none."""
    try:
        return engine.connect()
    except (DatabaseError, sqlite3.Error) as trouble:  # SQLite's own where a new connection is prepared
        raise refusal(trouble) or trouble from trouble


def _make_ready(database: Database, plan: Plan) -> None:
    """Make or bring forward the tables; closes the database when that fails. Raises StoreError, NewerDatabase."""
    try:
        with database.read() as connection:
            current = plan.is_current(connection)
        if not current:
            with database.write() as connection:
                plan.prepare(connection)
    except BaseException:
        database.close()
        raise


class _Image:
    """The octets of a database with all tables and nothing in it, and one dialect whose compiled statements all share."""

    def __init__(self, plan: Plan) -> None:
        engine = sa.create_engine("sqlite://", poolclass=StaticPool, hide_parameters=True)
        event.listen(engine, "connect", _no_driver_transactions)
        with engine.connect() as connection:
            plan.create(connection)
            connection.commit()
            raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
            self.octets = raw.serialize()
        self.url, self.dialect, self.tables = engine.url, engine.dialect, len(plan.tables().tables)
        self.compiled: dict[Any, Any] = {}
        engine.dispose()

    @classmethod
    def of(cls, plan: Plan) -> _Image:
        """Made once a process, on first use."""
        with _image_guard:
            image = _images.get(plan.name)
            if image is None or image.tables != len(plan.tables().tables):
                image = _images[plan.name] = cls(plan)
            return image


_images: dict[str, _Image] = {}
_image_guard = threading.Lock()


def _write_image(path: Path, plan: Plan) -> None:
    """Make a new database file in one step, or leave it to the statements where the file system knows no links.

    The name appears with the whole file behind it, and never replaces a file that another process made meanwhile.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with fresh.open("xb") as file:
            file.write(_Image.of(plan).octets)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
    except OSError:
        pass  # made by someone else, or the statements will make it, or say why they cannot
    finally:
        fresh.unlink(missing_ok=True)


def _pages(connection: Connection) -> int:
    """Octets of a SQLite database."""
    raw = cast(sqlite3.Connection, connection.connection.driver_connection)
    return int(raw.execute("PRAGMA page_count").fetchone()[0]) * int(raw.execute("PRAGMA page_size").fetchone()[0])


def _vacuum_sqlite(connection: Connection) -> None:
    """Nothing else happens on this connection meanwhile. The log is emptied too, so that the disk gets its room back at once."""
    raw = cast(sqlite3.Connection, connection.connection.driver_connection)
    try:
        raw.execute("VACUUM")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as trouble:
        raise refusal(trouble) or trouble from trouble


class MemoryDatabase:
    """A fresh database in memory, for the thread that opens it."""

    def __init__(self, plan: Plan) -> None:
        self.observers: list[Observer] = []
        image = _Image.of(plan)
        raw = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        raw.deserialize(image.octets)
        raw.execute("PRAGMA foreign_keys=ON")
        # the dialect is shared, so that statements compiled for one store serve the next
        pool = StaticPool(cast(Any, lambda: raw), dialect=image.dialect)
        self.engine = Engine(
            pool, image.dialect, image.url, hide_parameters=True, execution_options={"compiled_cache": image.compiled}
        )
        self._connection = self.engine.connect()
        self._thread = threading.get_ident()

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise WrongThread("a store in memory serves only the thread that opened it; use a file for several")

    def write(self) -> AbstractContextManager[Connection]:
        self._check_thread()
        return _SqliteTransaction(self._connection, self.observers, write=True)

    def read(self) -> AbstractContextManager[Connection]:
        self._check_thread()
        return _SqliteTransaction(self._connection, self.observers, write=False)

    def size(self) -> int:
        self._check_thread()
        return _pages(self._connection)

    def vacuum(self) -> None:
        self._check_thread()
        _vacuum_sqlite(self._connection)

    def close(self) -> None:
        self._connection.close()
        self.engine.dispose()


class FileDatabase:
    """A database file. Its folder must exist; the tables are made when the file is new."""

    def __init__(self, address: URL, plan: Plan) -> None:
        assert address.database is not None
        self.observers: list[Observer] = []
        path = Path(address.database).absolute()
        if not path.parent.is_dir():
            raise StoreError(f"{path.parent} is not a folder")
        self._path = path
        self._lane: WriteLane = lane_of(str(path.resolve()))
        if not path.exists():
            _write_image(path, plan)
        self.engine = sa.create_engine(address, pool_size=5, max_overflow=100, hide_parameters=True)
        event.listen(self.engine, "connect", self._configure)
        _make_ready(self, plan)

    @staticmethod
    def _configure(connection: Any, record: object) -> None:
        _no_driver_transactions(connection, record)
        # busy_timeout first: switching to WAL itself may meet another opener
        for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._lane.acquire()
        try:
            with _connected(self.engine) as fresh, _SqliteTransaction(fresh, self.observers, write=True) as connection:
                yield connection
        finally:
            self._lane.release()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _connected(self.engine) as fresh, _SqliteTransaction(fresh, self.observers, write=False) as connection:
            yield connection

    def size(self) -> int:
        """The file, and the log beside it."""
        return sum(path.stat().st_size for path in (self._path, Path(f"{self._path}-wal")) if path.exists())

    def vacuum(self) -> None:
        self._lane.acquire()
        try:
            with _connected(self.engine) as connection:
                _vacuum_sqlite(connection)
        finally:
            self._lane.release()

    def close(self) -> None:
        self.engine.dispose()


_ENDING_IDLE = "-c idle_in_transaction_session_timeout=60000"
"""PostgreSQL ends a transaction whose process said nothing for a minute: it holds the lock that all writers of the organization wait for. Another
number may stand in the address (`?options=`)."""


class PostgresDatabase:
    """A PostgreSQL database through psycopg 3."""

    def __init__(self, address: URL, plan: Plan) -> None:
        self.observers: list[Observer] = []
        try:
            own = {} if "options" in address.query else {"options": _ENDING_IDLE}
            self.engine = sa.create_engine(address, connect_args=own, pool_size=5, max_overflow=100, hide_parameters=True)
        except (ImportError, NoSuchModuleError) as missing:
            raise StoreError("PostgreSQL needs the extra: pip install postroom[postgres]") from missing
        self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        _make_ready(self, plan)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with _connected(self.engine) as fresh, _postgres_transaction(fresh, _lock_postgres) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _connected(self._reader) as fresh, _postgres_transaction(fresh, None) as connection:
            yield connection

    def size(self) -> int:
        with self.read() as connection:
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())

    def vacuum(self) -> None:
        try:
            with _connected(self.engine.execution_options(isolation_level="AUTOCOMMIT")) as connection:
                connection.exec_driver_sql("VACUUM (ANALYZE)")
        except DatabaseError as trouble:
            raise refusal(trouble) or trouble from trouble

    def close(self) -> None:
        self.engine.dispose()
