"""Brings an older database forward, killed with SIGKILL before each statement of it in turn; one line of JSON for each.

    python crash_migration.py TEMPLATE COPY

A process with everything imported forks for each life. First one life that is not killed: {"statements": n, "state": digest}; then for
each statement {"killed": signal, "before": the state found after the kill, "state": the state after opening it again}.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from postroom.store import OrganizationStore
from postroom_simulator import ManualClock


def state(path: Path) -> str:
    """The schema and every row."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        lines = sorted(database.iterdump())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def life(path: Path, stop: int | None) -> tuple[int, int]:
    """Open the database in a child. The signal that ended it, and how many statements it came to."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            number = 0

            def before(*_: object) -> None:
                nonlocal number
                if number == stop:
                    os.kill(os.getpid(), signal.SIGKILL)
                number += 1

            sa.event.listen(sa.Engine, "before_cursor_execute", before)
            sa.event.listen(sa.Engine, "commit", before)
            OrganizationStore.open(f"sqlite:///{path}", clock=ManualClock()).close()
            os.write(writing, str(number).encode())
            os._exit(0)
        finally:
            os._exit(70)
    os.close(writing)
    told = os.read(reading, 100)
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status <= 0, "the child failed"
    return -status, int(told or 0)


def fresh(template: Path, copy: Path) -> None:
    for old in copy.parent.glob(copy.name + "*"):
        old.unlink()
    shutil.copyfile(template, copy)


def play(template: Path, copy: Path) -> None:
    fresh(template, copy)
    _, statements = life(copy, None)
    print(json.dumps({"statements": statements, "state": state(copy), "before": state(template)}), flush=True)
    for stop in range(statements):
        fresh(template, copy)
        killed, _ = life(copy, stop)
        between = state(copy)
        life(copy, None)
        print(json.dumps({"killed": killed, "before": between, "state": state(copy)}), flush=True)


if __name__ == "__main__":
    import alembic.command  # noqa: F401 - imported once, before the first fork

    play(Path(sys.argv[1]), Path(sys.argv[2]))
