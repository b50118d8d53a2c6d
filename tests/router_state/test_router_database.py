"""What every database of a router must do alike (provider-kit 5.4, T1 to T13)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from router_state_values import HIDDEN, ME, SPEC, MovableClock, NoConfig, Progress

from postroom.channels.email_router.database import Alert, RouterDatabase
from postroom.channels.email_router.tables import damaged, instance
from postroom.errors import StaleRun, StateError
from postroom.model.secret import Secret
from postroom.providers.contract import Direction, ProviderSpec
from postroom.store.leases import Fence
from postroom.store.tables import state_value

OTHER = "e" * 64
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def begun(database: RouterDatabase, identity: str = ME, holder: str = "one") -> Fence:
    fence = database.begin(identity, SPEC, holder)
    assert fence is not None
    return fence


def committed(database: RouterDatabase, *values: int, identity: str = ME) -> Fence:
    """A run that committed these, one after the other."""
    fence = begun(database, identity)
    cell = database.state(identity, SPEC, fence)
    for value in values:
        cell.commit(Progress(done=value))
    return fence


def spoil(database: RouterDatabase, identity: str = ME, **values: Any) -> None:
    """What a bad disk or a curious hand does."""
    with database.transaction() as tx:
        tx.execute(state_value.update().where(state_value.c.instance == identity).values(**values))


class TestValues:
    def test_a_first_run_has_the_initial_state(self, database: RouterDatabase) -> None:
        fence = begun(database)
        cell = database.state(ME, SPEC, fence)
        assert cell.value == Progress()
        assert cell.generation == 0
        assert database.alerts() == []

    def test_what_is_committed_is_there_for_the_next_run(self, database: RouterDatabase, clock: MovableClock) -> None:
        fence = begun(database)
        new = Progress(cursor=Progress().cursor.advance(NOON, "a"), done=3, names=("ü", "b"), extra={"x": [1, None]})
        database.state(ME, SPEC, fence).commit(new)
        database.end(fence)
        clock.advance(60)
        again = database.state(ME, SPEC, begun(database, holder="two"))
        assert again.value == new
        assert again.generation == 1

    def test_the_row_tells_it(self, database: RouterDatabase, clock: MovableClock) -> None:
        fence = database.begin(ME, SPEC, "one", name="News", organization="alder", mailbox="a@alder.test")
        assert fence is not None
        database.state(ME, SPEC, fence).commit(Progress(done=1))
        clock.advance(5)
        database.end(fence, "TransientError: 503")
        (row,) = database.rows()
        assert (row.identity, row.name, row.organization, row.mailbox) == (ME, "News", "alder", "a@alder.test")
        assert (row.provider, row.direction, row.generation, row.state_version) == ("feed", "inbound", 1, 1)
        assert row.last_error == "TransientError: 503"
        assert row.last_error_on == row.ended_on == clock.now()
        assert row.started_on == row.committed_on == clock.now() - timedelta(seconds=5)
        assert row.holder == ""
        database.end(begun(database))
        assert database.row(ME) is not None
        assert database.rows()[0].last_error == ""

    def test_no_empty_commit(self, database: RouterDatabase) -> None:
        fence = committed(database, 1, 1, 1)
        assert database.state(ME, SPEC, fence).generation == 1

    def test_instances_do_not_see_each_other(self, database: RouterDatabase) -> None:
        committed(database, 1)
        committed(database, 2, identity=OTHER)
        assert database.state(ME, SPEC).value.done == 1
        assert database.state(OTHER, SPEC).value.done == 2
        database.seen(ME).add({"a": "1"})
        assert database.seen(OTHER).new_among(["a"]) == ["a"]

    @pytest.mark.parametrize("name", ["done", "names"])
    def test_too_large(self, database: RouterDatabase, name: str) -> None:
        cell = database.state(ME, SPEC, begun(database))
        large: Any = 10**70_000 if name == "done" else tuple(str(n) for n in range(20_000))
        with pytest.raises((StateError, ValueError), match=r"octets|digits"):
            cell.commit(replace(Progress(), **{name: large}))
        assert database.state(ME, SPEC).generation == 0

    @pytest.mark.parametrize(
        "bad", [Secret("x"), b"octets", NOON.replace(tzinfo=None), float("nan"), {1: 2}, object(), "\ud800"]
    )
    def test_what_does_not_belong_in_a_state(self, database: RouterDatabase, bad: Any) -> None:
        cell = database.state(ME, SPEC, begun(database))
        with pytest.raises(StateError, match="extra"):
            cell.commit(Progress(extra={"a": bad}))
        assert cell.generation == 0

    def test_a_secret_of_the_configuration_as_text(self, database: RouterDatabase) -> None:
        cell = database.state(ME, SPEC, begun(database), secrets=(HIDDEN,))
        with pytest.raises(StateError, match="secret") as caught:
            cell.commit(Progress(names=("login hunter22",)))
        assert "hunter22" not in str(caught.value)

    def test_a_cursor_goes_back_only_with_a_reason(self, database: RouterDatabase) -> None:
        cell = database.state(ME, SPEC, begun(database))
        later = Progress(cursor=Progress().cursor.advance(NOON, "a"))
        cell.commit(later)
        with pytest.raises(StateError, match="goes backwards"):
            cell.commit(Progress())
        with pytest.raises(StateError, match="reason"):
            cell.rewind(Progress(), " ")
        back = Progress(cursor=later.cursor.rewind(NOON - timedelta(hours=1), "the feed was rebuilt"))
        cell.rewind(back, "the feed was rebuilt")
        assert database.state(ME, SPEC).value == back
        assert [(one.kind, one.detail) for one in database.alerts(ME)] == [("rewound", "the feed was rebuilt")]


class TestFences:
    def test_based_on_an_old_generation(self, database: RouterDatabase) -> None:
        fence = begun(database)
        one, two = database.state(ME, SPEC, fence), database.state(ME, SPEC, fence)
        one.commit(Progress(done=1))
        with pytest.raises(StaleRun):
            two.commit(Progress(done=2))
        assert database.state(ME, SPEC).value.done == 1

    @pytest.mark.parametrize("how", ["later run", "forced", "revoked", "held", "tombstone", "ended"])
    def test_void(self, database: RouterDatabase, how: str) -> None:
        early = begun(database)
        cell, seen = database.state(ME, SPEC, early), database.seen(ME, early)
        match how:
            case "later run":
                begun(database)
            case "forced":
                assert database.begin(ME, SPEC, "two", force=True)
            case "revoked":
                database.revoke(ME)
            case "held":
                database.hold(ME, "somebody said so")
            case "tombstone":
                database.tombstone(ME)
            case "ended":
                database.end(early)
        with pytest.raises(StaleRun):
            cell.commit(Progress(done=1))
        with pytest.raises(StaleRun):
            seen.add({"a": "1"})
        with pytest.raises(StaleRun):
            database.check(early)
        assert not database.renew(early)
        assert not database.end(early, "late")
        assert database.rows()[0].last_error == ""

    def test_another_holder_waits(self, database: RouterDatabase, clock: MovableClock) -> None:
        fence = begun(database)
        assert database.begin(ME, SPEC, "two") is None
        clock.advance(600)
        assert database.renew(fence)
        clock.advance(600)
        assert database.begin(ME, SPEC, "two") is None
        clock.advance(600)
        later = database.begin(ME, SPEC, "two")
        assert later is not None
        assert later.taken_from == "one"
        with pytest.raises(StaleRun):
            database.check(fence)


class TestDamage:
    def test_the_generation_before_is_used(self, database: RouterDatabase) -> None:
        told: list[Alert] = []
        database.listen(told.append)
        committed(database, 1, 2)
        spoil(database, value="{}")
        cell = database.state(ME, SPEC, begun(database))
        assert cell.value.done == 1
        assert [one.kind for one in told] == ["restored"]
        with database.reading() as tx:
            aside = tx.execute(sa.select(damaged.c.value, damaged.c.detail)).all()
        assert [tuple(one) for one in aside] == [("{}", "fails its checksum")]
        cell.commit(Progress(done=3))
        assert database.state(ME, SPEC).value.done == 3
        assert len(told) == 1

    @pytest.mark.parametrize(
        "values",
        [
            {"value": "{}", "previousvalue": "{}"},
            {"checksum": "", "previouschecksum": None},
            {"generation": 7, "previousgeneration": None},
            {"version": 0, "previousvalue": None},
        ],
    )
    def test_neither_is_usable(self, database: RouterDatabase, values: dict[str, Any]) -> None:
        committed(database, 1, 2)
        committed(database, 5, identity=OTHER)
        spoil(database, **values)
        with pytest.raises(StateError, match="held"):
            database.state(ME, SPEC, begun(database))
        with pytest.raises(StateError, match="held"):
            database.begin(ME, SPEC, "one")
        assert [one.kind for one in database.alerts(ME)] == ["damaged"]
        held = database.row(ME)
        assert held is not None
        assert "checksum" in held.held
        assert database.state(OTHER, SPEC, begun(database, OTHER)).value.done == 5

    def test_a_lost_state_is_no_first_run(self, database: RouterDatabase) -> None:
        committed(database, 1)
        with database.transaction() as tx:
            tx.execute(state_value.delete())
        with pytest.raises(StateError, match="not there any more"):
            database.state(ME, SPEC, begun(database))
        assert [one.kind for one in database.alerts()] == ["lost"]

    def test_an_older_copy_is_noticed(self, database: RouterDatabase) -> None:
        committed(database, 1, 2)
        with database.transaction() as tx:
            tx.execute(instance.update().values(generation=9))
        cell = database.state(ME, SPEC, begun(database))
        assert (cell.value.done, cell.generation) == (2, 10)
        assert [one.kind for one in database.alerts()] == ["restored"]

    def test_somebody_decides(self, database: RouterDatabase) -> None:
        committed(database, 1)
        spoil(database, value="")
        with pytest.raises(StateError):
            database.state(ME, SPEC, begun(database))
        database.release(ME)
        with pytest.raises(StateError, match="held"):  # what is wrong still is
            database.state(ME, SPEC, begun(database))
        with pytest.raises(StateError, match="reason"):
            database.restart(ME, SPEC, Progress(done=7), "")
        database.restart(ME, SPEC, Progress(done=7), "from the backup of Monday")
        assert database.state(ME, SPEC, begun(database)).value.done == 7
        assert [one.kind for one in database.alerts(ME)] == ["restarted"]
        assert [one.kind for one in database.alerts(ME, cleared=True)] == ["damaged", "damaged", "restarted"]


@dataclass(frozen=True)
class Wider:
    done: str = ""
    added: int = 0


def _migrated(old: Any, version: int) -> Any:
    if version == 1:
        return {"done": str(old["done"])}
    return Wider(old["done"], 1)


class TestVersions:
    wider: ProviderSpec[NoConfig, Wider] = ProviderSpec("feed", Direction.INBOUND, NoConfig, Wider, 3, migrate=_migrated)

    def test_each_earlier_version(self, database: RouterDatabase) -> None:
        committed(database, 4)
        cell = database.state(ME, self.wider, begun(database))
        assert cell.value == Wider("4")
        cell.commit(Wider("5"))
        assert database.rows()[0].state_version == 3
        two = ProviderSpec("feed", Direction.INBOUND, NoConfig, Wider, 2, migrate=_migrated)
        fence = database.begin(OTHER, two, "one")
        database.state(OTHER, two, fence).commit(Wider("x"))
        assert database.state(OTHER, self.wider, fence).value == Wider("x", 1)

    def test_a_later_one(self, database: RouterDatabase) -> None:
        fence = database.begin(ME, self.wider, "one")
        database.state(ME, self.wider, fence).commit(Wider("x"))
        with pytest.raises(StateError, match="version 3; feed knows up to 1"):
            database.state(ME, SPEC, begun(database))
        assert [one.kind for one in database.alerts()] == ["newer"]

    @pytest.mark.parametrize("migrate", [None, lambda old, version: 1 / 0, lambda old, version: {"strange": 1}])
    def test_a_migration_that_does_not_work(self, database: RouterDatabase, migrate: Any) -> None:
        committed(database, 4)
        broken = replace(self.wider, migrate=migrate)
        with pytest.raises(StateError, match="not understood"):
            database.state(ME, broken, begun(database))
        database.release(ME)
        assert database.state(ME, self.wider, begun(database)).value == Wider("4")


class TestComingAndGoing:
    def test_a_tombstone_and_back(self, database: RouterDatabase, clock: MovableClock) -> None:
        committed(database, 1)
        assert database.tombstone(ME, timedelta(days=1))
        assert not database.tombstone(ME)
        assert database.purge() == []
        assert database.state(ME, SPEC, begun(database)).value.done == 1
        assert database.rows()[0].tombstoned_on is None
        clock.advance(100 * 86400)
        assert database.purge() == []

    def test_forgotten_after_its_time(self, database: RouterDatabase, clock: MovableClock) -> None:
        early = committed(database, 1)
        database.seen(ME).add({"a": "1"})
        committed(database, 2, identity=OTHER)
        database.tombstone(ME, timedelta(days=1))
        clock.advance(86400)
        assert database.purge() == [ME]
        assert [row.identity for row in database.rows()] == [OTHER]
        again = begun(database)
        assert database.state(ME, SPEC, again).generation == 0
        assert database.seen(ME).new_among(["a"]) == ["a"]
        assert again.token > early.token

    def test_held_before_it_ever_ran(self, database: RouterDatabase) -> None:
        database.hold(ME, "not yet")
        with pytest.raises(StateError, match="not yet"):
            database.begin(ME, SPEC, "one")
        database.release(ME)
        assert database.state(ME, SPEC, begun(database)).value == Progress()
        assert database.identities() == [ME]
        database.tombstone(ME)
        assert database.identities() == []

    def test_at_once_but_never_a_live_one(self, database: RouterDatabase) -> None:
        committed(database, 1)
        assert database.purge(ME) == []
        database.tombstone(ME)
        assert database.purge(ME) == [ME]
