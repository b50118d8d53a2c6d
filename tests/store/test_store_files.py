"""What only some databases have: files, threads, processes, migrations, keys in files."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from postroom.errors import NewerDatabase, StoreError, WrongThread
from postroom.model import Mailbox
from postroom.store import OrganizationStore, schema
from postroom.store.lane import WriteLane
from postroom.store.migrations import upgrade
from postroom.store.secrets import KeyRing
from postroom.store.tables import register_all


class TestMemory:
    def test_a_second_thread_is_refused(self, clock: Any) -> None:
        caught: list[BaseException] = []

        def use(store: OrganizationStore) -> None:
            for way in (store.transaction, store.reading):
                try:
                    with way():
                        pass
                except WrongThread as refused:
                    caught.append(refused)

        with OrganizationStore.open("sqlite://", clock=clock) as store:
            thread = threading.Thread(target=use, args=(store,))
            thread.start()
            thread.join()
            with store.transaction() as tx:
                tx.create(Mailbox(name="still works"))
        assert len(caught) == 2

    def test_stores_share_nothing(self, clock: Any) -> None:
        with OrganizationStore.open("sqlite://", clock=clock) as one, OrganizationStore.open("sqlite://", clock=clock) as two:
            with one.transaction() as tx:
                tx.create(Mailbox(name="a"))
            with two.transaction() as tx:
                assert tx.find(Mailbox) == []


@pytest.fixture(params=["file", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that several threads may use."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/shared.db"
    return str(request.getfixturevalue("postgres_with_tables")())


class TestConcurrency:
    def test_read_then_update_in_four_threads_loses_nothing(self, shared_url: str, clock: Any) -> None:
        rounds = 40
        with OrganizationStore.open(shared_url, clock=clock) as store:
            with store.transaction() as tx:
                box = tx.create(Mailbox(name="a")).mailboxid

            def count() -> None:
                for _ in range(rounds):
                    with store.transaction() as tx:
                        before = tx.get(Mailbox, box)
                        tx.update(Mailbox, box, noemailcount=before.noemailcount + 1)
                    with store.reading() as tx:
                        assert tx.get(Mailbox, box).noemailcount > before.noemailcount

            failures = _in_threads(4, count)
            with store.reading() as tx:
                assert tx.get(Mailbox, box).noemailcount == 4 * rounds
        assert failures == []

    def test_a_reader_does_not_wait_for_a_writer(self, shared_url: str, clock: Any) -> None:
        with OrganizationStore.open(shared_url, clock=clock) as store, store.transaction() as tx:
            tx.create(Mailbox(name="not yet"))
            seen: list[int] = []

            def look() -> None:
                with store.reading() as other:
                    seen.append(other.count(Mailbox))

            assert _in_threads(1, look) == []
            assert seen == [0]

    def test_the_lane_is_first_come_first_served(self) -> None:
        lane = WriteLane()
        order: list[int] = []
        lane.acquire()
        with pytest.raises(StoreError):
            lane.acquire()
        threads = []
        for number in range(5):

            def take(number: int = number) -> None:
                lane.acquire()
                order.append(number)
                lane.release()

            threads.append(threading.Thread(target=take))
            threads[-1].start()
            while lane.waiting <= number:
                threads[-1].join(0.001)
        lane.release()
        for thread in threads:
            thread.join(10)
        assert order == [0, 1, 2, 3, 4]
        lane.acquire()

    def test_who_is_interrupted_while_waiting_leaves_the_queue(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lane = WriteLane()
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            lane.acquire()
            held.set()
            done.wait(10)
            lane.release()

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(10)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                lane.acquire()
        assert lane.waiting == 0
        done.set()
        holder.join(10)
        lane.acquire()

    def test_the_lane_is_free_again_after_a_failure(self, tmp_path: Path, clock: Any) -> None:
        with OrganizationStore.open(f"sqlite:///{tmp_path}/a.db", clock=clock) as store:
            for _ in range(3):
                with pytest.raises(ZeroDivisionError), store.transaction():
                    raise ZeroDivisionError
            with store.transaction() as tx:
                tx.create(Mailbox(name="a"))


def _interrupted(*_: Any) -> bool:
    raise KeyboardInterrupt


def _in_threads(count: int, work: Callable[[], None]) -> list[BaseException]:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failures


class TestFiles:
    def test_it_is_durable_and_can_be_read_again(self, tmp_path: Path, clock: Any) -> None:
        url = f"sqlite:///{tmp_path}/a.db"
        with OrganizationStore.open(url, clock=clock) as store, store.transaction() as tx:
            box = tx.create(Mailbox(name="a"))
            pragmas = [tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 2]  # 2: FULL
        with OrganizationStore.open(url, clock=clock) as store, store.reading() as tx:
            assert tx.find(Mailbox) == [box]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db"]

    def test_opening_does_not_import_alembic(self, tmp_path: Path) -> None:
        code = (
            "import sys; from postroom.clock import SystemClock; from postroom.store import OrganizationStore\n"
            f"OrganizationStore.open('sqlite:///{tmp_path}/a.db', clock=SystemClock()).close()\n"
            "sys.exit('alembic' in sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

    def test_addresses_that_lead_nowhere(self, tmp_path: Path, clock: Any) -> None:
        (tmp_path / "no.db").write_text("this is a letter, not a database, and long enough to be told apart from an empty one")
        for url, words in (
            ("nonsense", "not a database address"),
            ("mysql://host/name", "cannot keep records"),
            (f"sqlite:///{tmp_path}/missing/a.db", "not a folder"),
            (f"sqlite:///{tmp_path}/no.db", "not a database"),
            ("postgresql+psycopg://nobody:hush@127.0.0.1:1/none", "refused"),
        ):
            with pytest.raises(StoreError, match=words) as refused:
                OrganizationStore.open(url, clock=clock)
            assert "hush" not in str(refused.value)

    def test_a_locked_file_is_said_so(self, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("postroom.store.database._BUSY_MS", 10)
        with OrganizationStore.open(f"sqlite:///{tmp_path}/a.db", clock=clock) as store:
            other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"), store.transaction():
                pass
            other.execute("ROLLBACK")
            other.close()
            with store.transaction() as tx:
                tx.create(Mailbox(name="a"))


@pytest.fixture(params=["file", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/empty.db"
    return str(request.getfixturevalue("empty_postgres"))


class TestMigrations:
    def test_they_make_exactly_the_tables_of_the_metadata(self, empty: str) -> None:
        engine = sa.create_engine(empty, poolclass=sa.NullPool)
        with engine.begin() as connection:
            upgrade(connection)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
            difference = compare_metadata(context, register_all())
            assert difference == [], "what is missing: python -m postroom.store.migrations.difference"
            assert context.get_current_revision() == schema.head()
        engine.dispose()

    def test_a_migrated_database_opens(self, empty: str, clock: Any) -> None:
        engine = sa.create_engine(empty, poolclass=sa.NullPool)
        with engine.begin() as connection:
            upgrade(connection)
        engine.dispose()
        with OrganizationStore.open(empty, clock=clock) as store, store.transaction() as tx:
            tx.create(Mailbox(name="a"))

    def test_made_and_migrated_are_one_and_the_same(self, tmp_path: Path, clock: Any) -> None:
        def described(path: Path) -> set[tuple[str, ...]]:
            with sqlite3.connect(path) as connection:
                rows = connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
                rows += connection.execute("SELECT name, wr, ncol FROM pragma_table_list WHERE schema = 'main'").fetchall()
            connection.close()
            return {tuple(map(str, row)) for row in rows}

        engine = sa.create_engine(f"sqlite:///{tmp_path}/migrated.db", poolclass=sa.NullPool)
        with engine.begin() as connection:
            upgrade(connection)
        engine.dispose()
        OrganizationStore.open(f"sqlite:///{tmp_path}/made.db", clock=clock).close()
        assert described(tmp_path / "made.db") == described(tmp_path / "migrated.db")

    def test_a_database_from_the_future(self, empty: str, clock: Any) -> None:
        OrganizationStore.open(empty, clock=clock).close()
        engine = sa.create_engine(empty, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        engine.dispose()
        with pytest.raises(NewerDatabase, match="9999"):
            OrganizationStore.open(empty, clock=clock)

    def test_someone_elses_database(self, empty: str, clock: Any) -> None:
        engine = sa.create_engine(empty, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE mailbox (x integer)")
        engine.dispose()
        with pytest.raises(StoreError, match="not made by Postroom"):
            OrganizationStore.open(empty, clock=clock)

    def test_two_openers_at_once(self, empty: str, clock: Any) -> None:
        def open_and_write() -> None:
            with OrganizationStore.open(empty, clock=clock) as store, store.transaction() as tx:
                tx.create(Mailbox(name="a"))

        assert _in_threads(4, open_and_write) == []
        with OrganizationStore.open(empty, clock=clock) as store, store.reading() as tx:
            assert tx.count(Mailbox) == 4


class TestKeyRing:
    def test_a_file_is_made_for_its_owner_only(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        ring = KeyRing.from_file(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert KeyRing.from_file(path).to_text() == ring.to_text()
        assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]

    @pytest.mark.skipif(os.name != "posix", reason="file modes")
    def test_a_file_open_to_others_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        KeyRing.from_file(path)
        path.chmod(0o640)
        with pytest.raises(StoreError, match="chmod 600"):
            KeyRing.from_file(path)

    def test_missing_and_broken_files(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot read"):
            KeyRing.from_file(tmp_path / "keys", create=False)
        with pytest.raises(StoreError, match="cannot write"):
            KeyRing.from_file(tmp_path / "missing" / "keys")
        for text in ("", "# only words\n", "short", "ü" * 44):
            with pytest.raises(StoreError):
                KeyRing.from_text(text)

    def test_it_never_shows_its_keys(self) -> None:
        ring = KeyRing.generate()
        assert ring.to_text().strip() not in repr(ring)
        with pytest.raises(TypeError):
            pickle.dumps(ring)
        token = ring.encrypt("hush", 0)
        assert "hush" not in token
        assert ring.rotate().decrypt(token) == "hush"
        with pytest.raises(StoreError):
            KeyRing.generate().decrypt(token)
