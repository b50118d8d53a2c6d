"""Making and checking the tables of a database that outlives the process.

A new database gets all tables at once from the metadata and is stamped with the newest revision; the tests prove that this equals
what the migrations make. Alembic, slow to import, is loaded only when an older database has to be brought forward.

There is more than one kind of database (an organization's, the Email Router's). What sets them apart is one value, a `Plan`; everything
below it, opening, locking, preparing, bringing forward, is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from postroom.errors import NewerDatabase, StoreError
from postroom.store.tables import register_all

__all__ = ["ORGANIZATION", "VERSION_TABLE", "Plan", "create", "head", "revision_at", "revisions"]

VERSION_TABLE = "alembic_version"
"""Alembic's own table, so that its command line works on our databases."""


@dataclass(frozen=True)
class Plan:
    """One kind of database.

    name           what to call it in an error
    tables         gives the metadata, whole
    versions       the package whose modules are the revisions; their files begin with their number
    version_table  where the revision is kept
    strangers      tables that say whose a database without a revision is: name -> in words
    """

    name: str
    tables: Callable[[], sa.MetaData]
    versions: str
    version_table: str
    strangers: tuple[tuple[str, str], ...] = ()

    @cached_property
    def _version(self) -> sa.Table:
        return sa.Table(self.version_table, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))

    @cached_property
    def revisions(self) -> tuple[str, ...]:
        """The revisions that this version of Postroom knows, oldest first."""
        package, _, folder = self.versions.rpartition(".")
        files = (entry.name for entry in resources.files(package).joinpath(folder).iterdir())
        return tuple(sorted(name.split("_")[0] for name in files if name[:4].isdigit() and name.endswith(".py")))

    @property
    def head(self) -> str:
        """The newest revision."""
        return self.revisions[-1]

    def stamped(self, connection: Connection) -> str | None:
        """The revision a database carries; None when it has none. Raises NewerDatabase, and StoreError for someone else's database."""
        inspector = sa.inspect(connection)
        if not inspector.has_table(self.version_table):
            for table, whose in self.strangers:
                if inspector.has_table(table):
                    raise StoreError(f"the database {whose}: give {self.name} one of its own")
            return None
        found = connection.execute(sa.select(self._version.c.version_num)).scalars().all()
        if not found:
            return None
        if len(found) > 1 or found[0] not in self.revisions:
            raise NewerDatabase(
                f"the database has revision {', '.join(found)}; this Postroom knows up to {self.head}: use a later version of Postroom"
            )
        return str(found[0])

    def is_current(self, connection: Connection) -> bool:
        """Whether nothing has to be done. Raises NewerDatabase, StoreError."""
        return self.stamped(connection) == self.head

    def create(self, connection: Connection) -> None:
        """All tables of the newest revision, and its stamp, in a database without tables."""
        self.tables().create_all(connection, checkfirst=False)
        self._version.create(connection, checkfirst=True)
        connection.execute(self._version.insert(), {"version_num": self.head})

    def prepare(self, connection: Connection) -> None:
        """In a write transaction: make the tables, or bring them forward. Looks again, as another process may have been faster."""
        stamp = self.stamped(connection)
        if stamp == self.head:
            return
        if stamp is None:
            self.create(connection)
            return
        from postroom.store.migrations import upgrade  # imports alembic

        upgrade(connection, plan=self)

    def revision_at(self, url: str) -> str | None:
        """The revision of a database, which is left as it is. Raises StoreError, NewerDatabase."""
        try:
            engine = sa.create_engine(url)
            try:
                with engine.connect() as connection:
                    return self.stamped(connection)
            finally:
                engine.dispose()
        except sa.exc.SQLAlchemyError as trouble:
            raise StoreError(f"the database does not answer: {type(trouble).__name__}") from None


ORGANIZATION = Plan(
    "an organization",
    register_all,
    "postroom.store.migrations.versions",
    VERSION_TABLE,
    (
        ("mailbox", "has tables of the same names, but was not made by Postroom"),
        ("email", "has tables of the same names, but was not made by Postroom"),
        ("routerinstance", "is that of an Email Router"),
    ),
)
"""The database of one organization."""


def revisions() -> tuple[str, ...]:
    """The revisions of an organization's database, oldest first."""
    return ORGANIZATION.revisions


def head() -> str:
    """The newest of them."""
    return ORGANIZATION.head


def create(connection: Connection) -> None:
    """The tables of an organization."""
    ORGANIZATION.create(connection)


def revision_at(url: str) -> str | None:
    """The revision of an organization's database, which is left as it is. Raises StoreError, NewerDatabase."""
    return ORGANIZATION.revision_at(url)
