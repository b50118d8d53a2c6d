"""Databases of earlier versions are brought forward with all they hold; those of later versions are left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from postroom.errors import NewerDatabase
from postroom.model import Mailbox
from postroom.store import OrganizationStore, schema
from postroom.store.migrations import difference, upgrade
from postroom.store.tables import register_all

Schema = dict[str, dict[str, Any]]
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=["file", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/old.db"
    return str(request.getfixturevalue("empty_postgres"))


def described(connection: sa.Connection) -> Schema:
    """Every table of a database: columns with type, nullability and default, keys, indexes with their columns and uniqueness. The order of
    columns does not count: what is added later comes last."""
    inspector = sa.inspect(connection)
    found: Schema = {}
    for table in inspector.get_table_names():
        columns = inspector.get_columns(table)
        found[table] = {
            "columns": {
                one["name"]: (str(one["type"]), one["nullable"], str(one["default"]).replace(f"{table}_", ""))
                for one in columns
            },
            "key": sorted(inspector.get_pk_constraint(table)["constrained_columns"]),
            "unique": sorted((u["name"], tuple(u["column_names"])) for u in inspector.get_unique_constraints(table)),
            "indexes": sorted((i["name"], tuple(i["column_names"]), bool(i["unique"])) for i in inspector.get_indexes(table)),
        }
    return found


def fill(connection: sa.Connection) -> Rows:
    """Two rows in each table, whatever its columns are."""
    found: Rows = {}
    tables = sa.MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        if table.name == schema.VERSION_TABLE:
            continue
        for number in (1, 2):
            row = {column.name: value(column, number) for column in table.columns}
            connection.execute(table.insert(), row)
            found.setdefault(table.name, []).append(row)
    return found


def value(column: sa.Column[Any], number: int) -> Any:
    kind = column.type.python_type
    return {str: f"{column.name} {number} ü", int: number, bool: True, float: 0.5, bytes: bytes([number, 0, 255])}[kind]


def rows_of(connection: sa.Connection, names: Rows) -> Rows:
    """The rows of these tables, in these columns."""
    found: Rows = {}
    for name, rows in names.items():
        table = sa.Table(name, sa.MetaData(), autoload_with=connection)
        wanted = [table.c[column] for column in rows[0]]
        found[name] = sorted((dict(row._mapping) for row in connection.execute(sa.select(*wanted))), key=str)
    return found


@pytest.mark.parametrize("revision", schema.revisions()[:-1])
def test_an_earlier_database_becomes_a_current_one_and_keeps_its_rows(empty: str, clock: Any, revision: str) -> None:
    engine = sa.create_engine(empty, poolclass=sa.NullPool)
    with engine.begin() as connection:
        upgrade(connection, revision)
    with engine.begin() as connection:
        before = fill(connection)
        assert len(before) == 28
    OrganizationStore.open(empty, clock=clock).close()
    with engine.connect() as connection:
        assert rows_of(connection, before) == {name: sorted(rows, key=str) for name, rows in before.items()}
        upgraded = described(connection)
    assert upgraded == _new(engine)
    engine.dispose()


def _new(engine: sa.Engine) -> Schema:
    """The schema of a new database in the place of the one there was."""
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            fresh = sa.create_engine("sqlite://")
            with fresh.begin() as other:
                schema.create(other)
                found = described(other)
            fresh.dispose()
            return found
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        schema.create(connection)
        return described(connection)


def test_an_upgrade_that_fails_changes_nothing(empty: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = sa.create_engine(empty, poolclass=sa.NullPool)
    with engine.begin() as connection:
        upgrade(connection, "0001")
        before = described(connection)

    def then_fail(connection: sa.Connection, **kinds: Any) -> None:
        upgrade(connection, **kinds)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("postroom.store.migrations.upgrade", then_fail)
        with pytest.raises(ZeroDivisionError):
            OrganizationStore.open(empty, clock=clock)
    with engine.connect() as connection:
        assert described(connection) == before
    engine.dispose()
    with OrganizationStore.open(empty, clock=clock) as store, store.transaction() as tx:
        tx.create(Mailbox(name="a"))


def test_a_database_of_a_later_version_is_refused_and_untouched(empty: str, clock: Any) -> None:
    OrganizationStore.open(empty, clock=clock).close()
    engine = sa.create_engine(empty, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("CREATE TABLE of_tomorrow (x integer)")
        before = described(connection)
    with pytest.raises(NewerDatabase, match=f"revision 9999.*up to {schema.head()}.*later version of Postroom"):
        OrganizationStore.open(empty, clock=clock)
    with engine.connect() as connection:
        assert described(connection) == before
    engine.dispose()


def test_nothing_is_missing_in_the_migrations() -> None:
    assert difference.render() == ""


def test_the_tool_names_what_is_missing() -> None:
    """A column that the metadata has and no migration makes."""
    code = (
        "import sys, runpy, sqlalchemy as sa; from postroom.store.tables import TABLES, TEXT\n"
        "TABLES['mailbox'].append_column(sa.Column('of_tomorrow', TEXT))\n"
        "runpy.run_module('postroom.store.migrations.difference', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout == "op.add_column('mailbox', sa.Column('of_tomorrow', TEXT, nullable=True))\n"


def test_the_revisions_are_a_chain() -> None:
    """One head, and the number in a file's name is its revision: `schema.revisions` reads the names only."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "postroom.store:migrations")
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(walked)) == schema.revisions()
    assert register_all().tables
