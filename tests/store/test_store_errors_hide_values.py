"""A database error, and everything it was raised from, shows no value that was being written."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
import sqlalchemy as sa

from postroom.store import OrganizationStore
from postroom_simulator import ManualClock

HUSH = "hunter2-not-to-be-seen"


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_statement_that_fails_keeps_its_parameters_to_itself(tmp_path: Path, kind: str) -> None:
    url = "sqlite://" if kind == "memory" else f"sqlite:///{tmp_path / 'one.sqlite'}"
    store = OrganizationStore.open(url, clock=ManualClock())
    try:
        with pytest.raises(Exception) as info, store.transaction() as tx:
            tx.execute(sa.text("INSERT INTO no_such_table (a) VALUES (:a)"), {"a": HUSH})
        assert HUSH not in "".join(traceback.format_exception(info.value))
    finally:
        store.close()
