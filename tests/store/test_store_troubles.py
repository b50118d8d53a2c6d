"""Databases in trouble: a full disk, a lock that another process holds, a file that may not be written, a damaged file, a lost server. Each is a clear
error, leaves nothing half done, and is over when the trouble is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from postroom.errors import StoreError
from postroom.model import Mailbox
from postroom.organization import SYSTEM, DeploymentSettings
from postroom.store import OrganizationStore, ledger
from postroom.testing.scene import Scene

SETTINGS = DeploymentSettings(allow_non_ssl_email=True)
MINUTES = timedelta(minutes=30)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "organization.db"


@pytest.fixture
def scene(path: Path) -> Iterator[Scene]:
    """A user with mail waiting, on a database file."""
    with Scene(url=f"sqlite:///{path}", settings=SETTINGS) as made:
        made.mail_server()
        ada = made.user("Ada", "ada@alder.test", ready=True)
        made.filter(ada, 0)
        for number in range(3):
            made.mail("carl@birch.test", "ada@alder.test", f"Mail {number}", text="word " * 20_000)
        yield made


def subjects(scene: Scene) -> list[str]:
    found = (email.subject for email in scene.organization.retrieve_multiple(SYSTEM, "email"))
    return sorted(subject for subject in found if subject.startswith("Mail "))


ALL = ["Mail 0", "Mail 1", "Mail 2"]


class TestFullDisk:
    def full(self, store: OrganizationStore, room: int) -> Callable[[], None]:
        """Let the database have `room` pages more; the function that is returned gives it a larger disk."""
        engine = store._database.engine
        with store.reading() as tx:
            limit = [tx.connection.exec_driver_sql("PRAGMA page_count").scalar_one() + room]

        def note(connection: Any, *_: object) -> None:
            connection.execute(f"PRAGMA max_page_count={limit[0]}")

        event.listen(engine, "checkout", note)

        def larger() -> None:
            limit[0] = 2**30

        return larger

    def test_it_is_said_and_nothing_is_half_done(self, path: Path, clock: Any) -> None:
        with OrganizationStore.open(f"sqlite:///{path}", clock=clock) as store:
            larger = self.full(store, 10)
            with pytest.raises(StoreError, match=r"is full \(make room"), store.transaction() as tx:  # noqa: PT012
                tx.create(Mailbox(name="a"))
                for number in range(40):
                    ledger.store_content(tx, str(number), bytes(4000))
            with store.reading() as tx:
                assert tx.find(Mailbox) == []
            larger()
            with store.transaction() as tx:
                tx.create(Mailbox(name="a"))

    def test_the_engine_goes_on_when_there_is_room(self, scene: Scene) -> None:
        """Mail stays at the server, and is taken in once."""
        larger = self.full(scene.organization.store, 12)
        scene.engine.run_due()
        assert subjects(scene) != ALL
        larger()
        scene.advance(MINUTES)
        scene.run()
        scene.run(after=MINUTES)
        assert subjects(scene) == ALL

    def test_a_disk_that_takes_no_more(self, path: Path) -> None:
        """The operating system's own refusal (a limit on the size of files), in a process of its own."""
        code = (
            "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "from postroom.clock import SystemClock; from postroom.errors import StoreError; from postroom.model import Mailbox\n"
            "from postroom.store import OrganizationStore, ledger\n"
            "url = sys.argv[1]; store = OrganizationStore.open(url, clock=SystemClock())\n"
            "with store.transaction() as tx: tx.create(Mailbox(name='before'))\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))\n"
            "try:\n"
            "    with store.transaction() as tx:\n"
            "        tx.create(Mailbox(name='lost'))\n"
            "        for number in range(40): ledger.store_content(tx, str(number), bytes(100_000))\n"
            "except StoreError as error: print(error)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
            "with store.transaction() as tx: tx.create(Mailbox(name='after'))\n"
            "with store.reading() as tx: print([box.name for box in tx.find(Mailbox)])\n"
            "store.close()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, f"sqlite:///{path}"], capture_output=True, text=True, check=True, timeout=60
        )
        refused, names = done.stdout.splitlines()
        assert "nothing of this transaction was written" in refused
        assert names == "['before', 'after']"


class TestLockedByAnotherProcess:
    @pytest.fixture
    def lock(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Callable[[], None]]]:
        monkeypatch.setattr("postroom.store.database._BUSY_MS", 10)
        holders: list[subprocess.Popen[str]] = []

        def hold() -> Callable[[], None]:
            code = (
                "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE')\n"
                "print('held', flush=True); sys.stdin.readline(); c.close()"
            )
            process = subprocess.Popen(
                [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            holders.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            return lambda: process.communicate("\n", timeout=30) and None

        yield hold
        for process in holders:
            process.kill()
            process.communicate()

    def test_it_is_said_and_readers_do_not_mind(self, path: Path, clock: Any, lock: Any) -> None:
        with OrganizationStore.open(f"sqlite:///{path}", clock=clock) as store:
            release = lock()
            with pytest.raises(StoreError, match=r"is locked \(another process"), store.transaction():
                pass
            with store.reading() as tx:
                assert tx.find(Mailbox) == []
            release()
            with store.transaction() as tx:
                tx.create(Mailbox(name="a"))

    def test_the_engine_goes_on_when_it_is_free(self, scene: Scene, lock: Any) -> None:
        scene.organization.store._database.engine.dispose()  # its connections wait longer
        release = lock()
        reports = scene.engine.run_due()
        assert [type(report.error) for report in reports] == [StoreError]
        assert subjects(scene) == []
        release()
        scene.run(after=MINUTES)
        assert subjects(scene) == ALL


@pytest.fixture
def folder() -> Iterator[Path]:
    """Everybody may come in."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-ro-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@pytest.mark.parametrize(("file", "folder_mode"), [(0o444, 0o777), (0o444, 0o555), (0o000, 0o777)])
def test_a_file_that_may_not_be_written(folder: Path, clock: Any, file: int, folder_mode: int) -> None:
    """By a process that file modes mean something to: root becomes nobody when it has imported everything."""
    path = folder / "organization.db"
    OrganizationStore.open(f"sqlite:///{path}", clock=clock).close()
    before = path.read_bytes()
    path.chmod(file)
    folder.chmod(folder_mode)
    code = (
        "import os, sys; from postroom.clock import SystemClock; from postroom.errors import StoreError\n"
        "from postroom.model import Mailbox; from postroom.store import OrganizationStore\n"
        "with OrganizationStore.open('sqlite://', clock=SystemClock()) as store, store.transaction() as tx: tx.create(Mailbox(name='a'))\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    with OrganizationStore.open(sys.argv[1], clock=SystemClock()) as store, store.transaction() as tx:\n"
        "        tx.create(Mailbox(name='a'))\n"
        "except StoreError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{path}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "the user of this process may not" in done.stdout, done.stdout + done.stderr
    path.chmod(0o600)
    folder.chmod(0o777)
    assert path.read_bytes() == before
    with OrganizationStore.open(f"sqlite:///{path}", clock=clock) as store, store.transaction() as tx:
        tx.create(Mailbox(name="a"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


class TestDamage:
    def test_at_the_beginning(self, path: Path, clock: Any) -> None:
        OrganizationStore.open(f"sqlite:///{path}", clock=clock).close()
        whole = path.read_bytes()
        path.write_bytes(b"x" * 100 + whole[100:])
        with pytest.raises(StoreError, match="restore the backup"):
            OrganizationStore.open(f"sqlite:///{path}", clock=clock)
        path.write_bytes(whole)
        with OrganizationStore.open(f"sqlite:///{path}", clock=clock) as store, store.transaction() as tx:
            tx.create(Mailbox(name="a"))

    def test_in_the_middle(self, path: Path, clock: Any) -> None:
        """What is damaged is said when it is read; what is whole can still be read."""
        with OrganizationStore.open(f"sqlite:///{path}", clock=clock) as store, store.transaction() as tx:
            tx.create(Mailbox(name="a"))
        page = _root_page(path, "mailbox")
        whole = path.read_bytes()
        path.write_bytes(whole[: (page - 1) * 4096] + bytes([0xFF]) * 4096 + whole[page * 4096 :])
        with OrganizationStore.open(f"sqlite:///{path}", clock=clock) as store:
            with pytest.raises(StoreError, match=r"malformed.*restore the backup"), store.reading() as tx:
                tx.find(Mailbox)
            with pytest.raises(StoreError, match="restore the backup"), store.transaction() as tx:
                tx.create(Mailbox(name="b"))
            with store.reading() as tx:
                assert ledger.incoming_rows(tx) == []


def _root_page(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (4096,)
        found = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()
    return int(found[0])


def test_a_connection_that_the_server_ended(postgres_with_tables: Callable[[], str], clock: Any) -> None:
    """PostgreSQL was restarted: an error each for what was under way, and then it goes on by itself."""
    url = postgres_with_tables()
    with OrganizationStore.open(url, clock=clock) as store:
        ending = sa.create_engine(url, poolclass=sa.NullPool)
        with pytest.raises(StoreError, match="refused"), store.transaction() as tx:  # noqa: PT012
            tx.create(Mailbox(name="lost"))
            me = tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            with ending.connect() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({me})")
            tx.create(Mailbox(name="lost too"))
        ending.dispose()
        with store.transaction() as tx:
            assert tx.find(Mailbox) == []
            tx.create(Mailbox(name="a"))
