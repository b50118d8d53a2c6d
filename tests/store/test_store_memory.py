"""What every database must do alike: what providers remember, seen keys and state."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from postroom.errors import (
    StaleRun,
    StateError,
    StoreError,
)
from postroom.store import Fence, OrganizationStore, leases
from postroom.store.memory import _NEW_SQL, SqlSeenSet, SqlStateCell
from postroom.store.secrets import KeyRing
from postroom.store.tables import state_value


class TestSeen:
    def test_new_among(self, store: OrganizationStore) -> None:
        seen = SqlSeenSet(store, "box")
        keys = ["b", 'a"\\', "ü", "d\n"]
        assert seen.new_among(keys) == keys
        assert seen.new_among([]) == []
        seen.add({'a"\\': "1", "d\n": "2"})
        seen.add({})
        assert seen.new_among(keys) == ["b", "ü"]
        assert seen.digest("d\n") == "2"
        assert seen.digest("b") is None
        seen.add({"d\n": "3"})
        assert seen.digest("d\n") == "3"
        assert len(seen) == 2
        assert SqlSeenSet(store, "other").new_among(keys) == keys

    def test_a_hundred_thousand(self, store: OrganizationStore, statements: Any) -> None:
        seen = SqlSeenSet(store, "box")
        keys = [f"key {n:06}" for n in range(100_000)]
        with statements(store) as done:
            seen.add(dict.fromkeys(keys[1:-1], "digest"))
            assert seen.new_among(keys) == [keys[0], keys[-1]]
        assert len(done) <= 4  # two statements, on PostgreSQL with the write lock and a plan for the list

    def test_a_mailbox_that_is_new_since_the_statistics_were_taken(
        self, postgres_with_tables: Any, clock: Any, ids: Any
    ) -> None:
        """PostgreSQL believes that it has hardly any entries; all of them must not be read for each key."""
        with OrganizationStore.open(postgres_with_tables(), clock=clock, keys=KeyRing.generate(), ids=ids) as store:
            for number in range(4):
                SqlSeenSet(store, f"other {number}").add({f"{n}": "digest" for n in range(500)})
            store._database.vacuum()
            keys = [f"key {n:04}" for n in range(2000)]
            SqlSeenSet(store, "box").add(dict.fromkeys(keys, "digest"))
            explained = sa.text("EXPLAIN " + _NEW_SQL["postgresql"].statement.text)
            with store.reading() as tx:
                plan = "\n".join(row[0] for row in tx.execute(explained, {"instance": "box", "keys": keys}))
        assert "using pk_seenentry" in plan
        assert "ix_seenentry_instance_touchedon" not in plan

    def test_expiry(self, store: OrganizationStore, clock: Any) -> None:
        seen = SqlSeenSet(store, "box", coarseness=timedelta(hours=1))
        seen.add({"old": "1", "kept": "2"})
        clock.advance(7200)
        seen.add({"new": "3"})
        seen.touch(["kept", "unknown"])
        seen.touch([])
        assert seen.expire(clock.now() - timedelta(hours=1)) == 1
        assert seen.new_among(["old", "kept", "new"]) == ["old"]

    def test_touching_again_soon_writes_nothing(self, store: OrganizationStore, clock: Any, statements: Any) -> None:
        seen = SqlSeenSet(store, "box")
        seen.add({"a": "1"})
        clock.advance(3600)
        with statements(store) as done:
            seen.touch(["a"])
        assert [one for one in done if one.startswith("UPDATE")] == []

    def test_fenced(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            fence = leases.acquire(tx, "box", "one", tx.now(), tx.now() + timedelta(minutes=1))
            leases.acquire(tx, "box", "two", tx.now(), tx.now() + timedelta(minutes=1), force=True)
        seen = SqlSeenSet(store, "box", fence=fence)
        with pytest.raises(StaleRun):
            seen.add({"a": "1"})
        assert seen.new_among(["a"]) == ["a"]

    def test_memory_is_not_committed_with_the_mail(self, store: OrganizationStore) -> None:
        seen = SqlSeenSet(store, "box")
        with store.transaction():
            assert seen.new_among(["a"]) == ["a"]
            with pytest.raises(StoreError):
                seen.add({"a": "1"})


@dataclasses.dataclass(frozen=True)
class Cursor:
    place: int = 0
    name: str = ""


class TestState:
    def cell(self, store: OrganizationStore, **more: Any) -> SqlStateCell[Cursor]:
        return SqlStateCell(store, "box", Cursor(), **more)

    def test_round_trip(self, store: OrganizationStore) -> None:
        cell = self.cell(store)
        assert cell.value == Cursor()
        assert cell.generation == 0
        cell.commit(Cursor(1, "ü"))
        cell.commit(Cursor(2))
        assert cell.value == Cursor(2)
        again = self.cell(store)
        assert (again.value, again.generation) == (Cursor(2), 2)

    def test_an_unchanged_value_costs_nothing(self, store: OrganizationStore, statements: Any) -> None:
        cell = self.cell(store)
        cell.commit(Cursor(1))
        with statements(store) as done:
            cell.commit(Cursor(1))
        assert done == []

    def test_two_runs(self, store: OrganizationStore) -> None:
        one, two, late = self.cell(store), self.cell(store), self.cell(store)
        assert one.value == two.value == late.value
        one.commit(Cursor(1))
        with pytest.raises(StaleRun):
            two.commit(Cursor(5))
        one.commit(Cursor(2))
        with pytest.raises(StaleRun):
            late.commit(Cursor(6))
        fresh = self.cell(store)
        assert fresh.value == Cursor(2)
        one.commit(Cursor(3))
        with pytest.raises(StaleRun):
            fresh.commit(Cursor(7))

    def test_fenced(self, store: OrganizationStore) -> None:
        with pytest.raises(StaleRun):
            self.cell(store, fence=Fence("box", 3)).commit(Cursor(1))
        assert self.cell(store).value == Cursor()

    def test_rewind_keeps_the_reason(self, store: OrganizationStore) -> None:
        cell = self.cell(store)
        cell.commit(Cursor(9))
        cell.rewind(Cursor(1), "the server lost its marks")
        with store.reading() as tx:
            assert tx.execute(sa.select(state_value.c.note)).scalar_one() == "the server lost its marks"

    def test_damage_is_noticed_and_the_generation_before_is_there(self, store: OrganizationStore) -> None:
        cell = self.cell(store)
        cell.commit(Cursor(1))
        with pytest.raises(StateError, match="no earlier"):
            self.cell(store).restore_previous("x")
        cell.commit(Cursor(2))
        with store.transaction() as tx:
            tx.execute(state_value.update().values(value='{"place": 7, "name": ""}'))
        broken = self.cell(store)
        with pytest.raises(StateError, match="damaged"):
            _ = broken.value
        with pytest.raises(StateError, match="damaged"):
            broken.commit(Cursor(3))
        assert broken.restore_previous("damaged") == Cursor(1)
        assert self.cell(store).value == Cursor(1)
        assert self.cell(store).generation == 3

    def test_versions(self, store: OrganizationStore) -> None:
        self.cell(store, version=2).commit(Cursor(1))
        with pytest.raises(StateError, match="version 2"):
            _ = self.cell(store, version=1).value
        newer = self.cell(store, version=3, decode=lambda thing, version: Cursor(thing["place"], f"from {version}"))
        assert newer.value == Cursor(1, "from 2")
        with pytest.raises(StateError, match="not understood"):
            _ = self.cell(store, version=3, decode=lambda thing, _: thing["nowhere"]).value

    def test_what_json_cannot_hold(self, store: OrganizationStore) -> None:
        with pytest.raises(StateError, match="JSON"):
            SqlStateCell(store, "box", Cursor(), encode=lambda _: {1, 2}).commit(Cursor(4))
