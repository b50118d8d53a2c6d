"""The database file itself in trouble: a clear error and what to do; never a silent fresh start, and over when the trouble is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from router_state_values import ME, SPEC, MovableClock, Progress
from sqlalchemy import event

from postroom.channels.email_router.database import RouterDatabase
from postroom.channels.email_router.tables import ROUTER
from postroom.errors import NewerDatabase, StateError, StoreError
from postroom.store import OrganizationStore
from postroom.store.migrations import difference


@pytest.fixture
def path(tmp_path: Path, clock: MovableClock) -> Path:
    """A database with a state in it, closed."""
    file = tmp_path / "router.db"
    with RouterDatabase(f"sqlite:///{file}", clock) as database:
        fence = database.begin(ME, SPEC, "one")
        assert fence is not None
        database.state(ME, SPEC, fence).commit(Progress(done=1, names=tuple(f"name {n}" for n in range(1000))))
        database.end(fence)
    return file


def damage_page(path: Path, clock: MovableClock, table: str) -> None:
    """Garbage where the rows of a table begin."""
    connection = sqlite3.connect(path)
    page, size = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0], 4096
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    octets = bytearray(path.read_bytes())
    octets[(page - 1) * size : page * size] = os.urandom(size)
    path.write_bytes(octets)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda octets: b"", "is empty: it was cut off.*restore the backup"),
        (lambda octets: b"garbage " * 4096, r"not a database.*restore the backup"),
        (lambda octets: octets[:100], "refused|malformed|not a database"),
        (lambda octets: octets[: len(octets) // 2], "malformed.*restore the backup"),
        (lambda octets: bytes(16) + octets[16:], "not a database.*restore the backup"),
    ],
)
def test_a_damaged_file_is_no_new_one(path: Path, clock: MovableClock, spoil: Callable[[bytes], bytes], said: str) -> None:
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    before = path.read_bytes()
    with pytest.raises(StoreError, match=said), RouterDatabase(f"sqlite:///{path}", clock) as database:
        database.state(ME, SPEC)
    assert path.read_bytes() == before
    path.write_bytes(whole)
    for beside in path.parent.glob("router.db-*"):
        beside.unlink()
    with RouterDatabase(f"sqlite:///{path}", clock) as database:
        assert database.state(ME, SPEC).value.done == 1


def test_garbage_in_the_middle(path: Path, clock: MovableClock) -> None:
    damage_page(path, clock, "statevalue")
    with RouterDatabase(f"sqlite:///{path}", clock) as database:
        with pytest.raises(StoreError, match="malformed"):
            database.state(ME, SPEC)
        assert database.identities() == [ME]


def test_locked(path: Path, clock: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.store.database._BUSY_MS", 10)
    with RouterDatabase(f"sqlite:///{path}", clock) as database:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"is locked \(another process keeps writing"):
            database.begin(ME, SPEC, "one")
        assert database.state(ME, SPEC).value.done == 1
        holder.close()
        assert database.begin(ME, SPEC, "one") is not None


def test_a_full_disk(path: Path, clock: MovableClock) -> None:
    with RouterDatabase(f"sqlite:///{path}", clock) as database:
        limit = [1]

        def note(connection: sqlite3.Connection, *_: object) -> None:
            connection.execute(f"PRAGMA max_page_count={limit[0]}")

        event.listen(database._database.engine, "checkout", note)
        fence = database.begin(ME, SPEC, "one")
        assert fence is not None
        cell = database.state(ME, SPEC, fence)
        large = Progress(names=tuple(f"another name {n}" for n in range(2500)))
        with pytest.raises(StoreError, match=r"is full.*make room"):
            cell.commit(large)
        assert database.state(ME, SPEC).value.done == 1
        limit[0] = 2**30
        cell.commit(large)
        assert database.state(ME, SPEC).value == large


def test_read_only(path: Path, clock: MovableClock) -> None:
    with RouterDatabase(f"sqlite:///{path}", clock) as database:
        event.listen(database._database.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA query_only=1") and None)
        with pytest.raises(StoreError, match=r"readonly.*may not write"):
            database.begin(ME, SPEC, "one")


def test_away(tmp_path: Path, clock: MovableClock) -> None:
    with pytest.raises(StoreError, match=r"not there.*restore the backup"):
        RouterDatabase(f"sqlite:///{tmp_path}/router.db", clock, must_exist=True)
    assert list(tmp_path.iterdir()) == []


def test_no_folder(tmp_path: Path, clock: MovableClock) -> None:
    with pytest.raises(StoreError, match="is not a folder"):
        RouterDatabase(f"sqlite:///{tmp_path}/none/router.db", clock)


@pytest.mark.parametrize("url", ["file", "postgresql"], indirect=True)
class TestKinds:
    def test_an_organization_is_no_router(self, url: str, clock: MovableClock) -> None:
        OrganizationStore.open(url, clock=clock).close()
        with pytest.raises(StoreError, match="is that of an organization: give the router one of its own"):
            RouterDatabase(url, clock)

    def test_a_router_is_no_organization(self, url: str, clock: MovableClock) -> None:
        RouterDatabase(url, clock).close()
        with pytest.raises(StoreError, match="is that of an Email Router: give an organization one of its own"):
            OrganizationStore.open(url, clock=clock)


def test_of_a_later_version(path: Path, clock: MovableClock) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE router_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(NewerDatabase, match="later version of Postroom"):
        RouterDatabase(f"sqlite:///{path}", clock)


def test_nothing_is_missing_in_the_migrations() -> None:
    assert difference.render(ROUTER) == ""


def test_a_held_instance_holds_nobody_else(path: Path, clock: MovableClock) -> None:
    """The service starts, and the others run."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE statevalue SET value = x'00ff', previousvalue = NULL, generation = 'many'")
    connection.commit()
    connection.close()
    with RouterDatabase(f"sqlite:///{path}", clock) as database:
        with pytest.raises(StateError, match="held"):
            database.state(ME, SPEC, database.begin(ME, SPEC, "one"))
        other = database.begin("d" * 64, SPEC, "one")
        database.state("d" * 64, SPEC, other).commit(Progress(done=1))
        assert len(database.rows()) == 2
