"""Making and checking the schema of a database that outlives the process.

A new database gets all tables at once from the metadata and is stamped with the newest revision; the tests prove that this equals
what the migrations make. Alembic, slow to import, is loaded only when an older database has to be brought forward.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from postroom.errors import NewerDatabase, StoreError
from postroom.store.tables import register_all

__all__ = ["VERSION_TABLE", "create", "head", "is_current", "prepare", "revision_at", "revisions"]

VERSION_TABLE = "alembic_version"
"""Alembic's own table, so that its command line works on our databases."""

_version = sa.Table(VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))


@cache
def revisions() -> tuple[str, ...]:
    """The revisions that this version of Postroom knows, oldest first: the numbers that the files in `migrations/versions` begin with."""
    files = (entry.name for entry in resources.files("postroom.store.migrations").joinpath("versions").iterdir())
    return tuple(sorted(name.split("_")[0] for name in files if name[:4].isdigit() and name.endswith(".py")))


def head() -> str:
    """The newest revision."""
    return revisions()[-1]


def _stamped(connection: Connection) -> str | None:
    """The revision a database carries; None when it has none. Raises NewerDatabase, and StoreError for someone else's database."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(VERSION_TABLE):
        if inspector.has_table("mailbox") or inspector.has_table("email"):
            raise StoreError("the database has tables of the same names, but was not made by Postroom")
        return None
    found = connection.execute(sa.select(_version.c.version_num)).scalars().all()
    if not found:
        return None
    if len(found) > 1 or found[0] not in revisions():
        raise NewerDatabase(
            f"the database has revision {', '.join(found)}; this Postroom knows up to {head()}: use a later version of Postroom"
        )
    return str(found[0])


def revision_at(url: str) -> str | None:
    """The revision of a database, which is left as it is. Raises StoreError, NewerDatabase."""
    try:
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                return _stamped(connection)
        finally:
            engine.dispose()
    except sa.exc.SQLAlchemyError as trouble:
        raise StoreError(f"the database does not answer: {type(trouble).__name__}") from None


def is_current(connection: Connection) -> bool:
    """Whether nothing has to be done. Raises NewerDatabase, StoreError."""
    return _stamped(connection) == head()


def create(connection: Connection) -> None:
    """All tables of the newest revision, and its stamp, in a database without tables."""
    register_all().create_all(connection, checkfirst=False)
    _version.create(connection, checkfirst=True)
    connection.execute(_version.insert(), {"version_num": head()})


def prepare(connection: Connection) -> None:
    """In a write transaction: make the tables, or bring them forward. Looks again, as another process may have been faster."""
    stamp = _stamped(connection)
    if stamp == head():
        return
    if stamp is None:
        create(connection)
        return
    from postroom.store.migrations import upgrade  # imports alembic

    upgrade(connection)
