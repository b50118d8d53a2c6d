"""An older database is brought forward by a process that is killed before each statement in turn: it is either untouched or done, and the next
start ends as an undisturbed one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from postroom.store.migrations import upgrade
from postroom.store.schema import revisions


@pytest.mark.slow
@pytest.mark.parametrize("revision", revisions()[:-1])
def test_killed_at_every_statement_of_a_migration(revision: str, tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    engine = sa.create_engine(f"sqlite:///{template}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        upgrade(connection, revision)
        _fill(connection)
    engine.dispose()
    found = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("crash_migration.py")), str(template), str(tmp_path / "run.db")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    undisturbed, *kills = [json.loads(line) for line in found.stdout.splitlines()]
    assert undisturbed["state"] != undisturbed["before"], "nothing was migrated"
    assert len(kills) == undisturbed["statements"] > 10
    for number, kill in enumerate(kills):
        assert kill["killed"] == 9, f"statement {number} was not reached"
        assert kill["before"] in (undisturbed["before"], undisturbed["state"]), f"half done after a kill at statement {number}"
        assert kill["state"] == undisturbed["state"], f"another end after a kill at statement {number}"


def _fill(connection: sa.Connection) -> None:
    """A few rows in every table, so that copying tables has something to lose."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    for table in metadata.sorted_tables:
        if table.name == "alembic_version":
            continue
        for number in (1, 2):
            values = {}
            for column in table.columns:
                kind = column.type.python_type
                values[column.name] = {
                    str: f"{column.name} {number}",
                    int: number,
                    bool: True,
                    float: 0.5,
                    bytes: bytes([number]),
                }[kind]
            connection.execute(table.insert(), values)
