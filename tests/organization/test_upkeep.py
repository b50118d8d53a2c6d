"""Retention, vacuum and keys as messages of the organization and jobs of its channel; and that a message's look-ups use indexes."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from organization_house import House

from postroom.channels.server_side_sync import ServerSideSync
from postroom.errors import Cancelled, RuleViolated, StoreError
from postroom.model import MailboxStatistics
from postroom.organization import SYSTEM, Deployment, Operation
from postroom.organization.deployment import KeyRotation
from postroom.organization.upkeep import INSTANCE
from postroom.store import leases, retention, secrets
from postroom.store.database import observe
from postroom.store.secrets import KeyRing
from postroom.store.tables import secret
from postroom_simulator.clock import ManualClock

DAY = timedelta(days=1)


class Nobody:
    """A connector that nothing may be connected with."""

    def connect(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("no connection was expected")

    start_tls = connect


def statistics(house: House) -> list[Any]:
    return house.organization.retrieve_multiple(SYSTEM, "mailboxstatistics")


def add_statistics(house: House, count: int = 1) -> None:
    box = house.mailbox(house.user("ada")).reference
    with house.organization.store.transaction() as tx:
        now = tx.now()
        one = MailboxStatistics(
            mailboxid=box,
            operationtypeid=0,
            processresult=True,
            mailboxprocessscheduledon=now,
            mailboxprocessstartedon=now,
            mailboxprocesscompletedon=now,
            scheduledtimeintervalinminutes=0,
            processtimeintervalinminutes=0,
            itemsprocessed=0,
            itemsfailed=0,
            crmitemsbacklog=-1,
        )
        tx.create_many([one] * count)


class TestRetention:
    def test_it_is_due_a_day_after_the_last_one(self, house: House) -> None:
        made = house.clock.now()
        assert house.organization.retention_due() == made + DAY
        house.clock.advance(3 * DAY)
        house.organization.retain(SYSTEM)
        assert house.organization.retention_due() == made + 4 * DAY

    def test_one_at_a_time(self, house: House) -> None:
        with house.organization.store.transaction() as tx:
            fence = leases.acquire(tx, INSTANCE, "other", tx.now(), tx.now() + DAY)
        with pytest.raises(RuleViolated, match="another retention"):
            house.organization.retain(SYSTEM)
        with house.organization.store.transaction() as tx:
            leases.release(tx, fence)  # type: ignore[arg-type]
        house.organization.retain(SYSTEM)
        house.organization.retain(SYSTEM)

    def test_who_was_taken_over_removes_nothing_more(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "BATCH", 1)
        add_statistics(house, 3)
        house.clock.advance(40 * DAY)

        def taken_over() -> bool:
            if len(statistics(house)) == 2:
                with house.organization.store.transaction() as tx:
                    leases.acquire(tx, INSTANCE, "other", tx.now(), tx.now() + DAY, force=True)
            return False

        with pytest.raises(StoreError):
            house.organization.retain(SYSTEM, cancelled=taken_over)
        assert len(statistics(house)) == 2

    def test_it_can_be_ended_between_two_transactions(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "BATCH", 1)
        add_statistics(house, 3)
        house.clock.advance(40 * DAY)
        due = house.organization.retention_due()
        with pytest.raises(Cancelled):
            house.organization.retain(SYSTEM, cancelled=lambda: len(statistics(house)) == 1)
        assert len(statistics(house)) == 1
        assert house.organization.retention_due() == due
        assert house.organization.retain(SYSTEM).rows == {"mailbox statistics": 1}

    @pytest.mark.parametrize(("days", "kept"), [(None, False), (5, False), (50, True), (0, True)])
    def test_traces_are_kept_as_the_organization_says(self, house: House, days: int | None, kept: bool) -> None:
        """Nothing said: thirty days; 0: for ever. Both ours."""
        house.settings(tracelogmaximumageindays=days)
        house.organization.record_test_result(house.mailbox(house.user("ada")).mailboxid, Operation.INCOMING, ValueError("x"))
        before = len(house.organization.retrieve_multiple(SYSTEM, "tracelog"))
        assert before
        house.clock.advance(40 * DAY)
        house.organization.retain(SYSTEM)
        assert len(house.organization.retrieve_multiple(SYSTEM, "tracelog")) == (before if kept else 0)

    def test_the_channel_has_it_done_once_a_day(self, house: House) -> None:
        sync = ServerSideSync(house.organization, Nobody())
        reports = []
        for _ in range(9):
            reports += sync.run_due()
            house.clock.advance(DAY / 3)
        assert [(one.instance, one.operation, one.error) for one in reports] == [(INSTANCE, Operation.RETENTION, None)] * 2
        house.clock.advance(DAY)
        assert sync.run_due(operations={Operation.INCOMING}) == []
        other = ServerSideSync(house.organization, Nobody())
        assert len(other.run_due()) == 1
        assert sync.run_due() == []  # the other has done it
        sync.close()
        other.close()

    def test_one_that_fails_is_tried_again_later(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        sync = ServerSideSync(house.organization, Nobody())
        house.clock.advance(2 * DAY)
        with monkeypatch.context() as patch:
            patch.setattr(retention, "remove", _fail)
            assert [type(one.error) for one in sync.run_due()] == [StoreError]
            assert sync.run_due() == []
        house.clock.advance(timedelta(hours=1))
        assert [one.error for one in sync.run_due()] == [None]
        sync.close()


def _fail(*_: Any) -> Any:
    raise StoreError("the disk is full")


def test_vacuum_tells_the_octets(tmp_path: Path) -> None:
    house = House(f"sqlite:///{tmp_path}/one.db")
    add_statistics(house, 5000)
    house.clock.advance(40 * DAY)
    assert house.organization.retain(SYSTEM).rows["mailbox statistics"] == 5000
    found = house.organization.vacuum(SYSTEM)
    assert found.after < found.before - 500_000
    assert found.after == sum(path.stat().st_size for path in tmp_path.iterdir() if not path.name.endswith("-shm"))
    house.deployment.close()


class TestKeys:
    @pytest.fixture
    def deployment(self, tmp_path: Path) -> Any:
        with Deployment(ManualClock(), keys=KeyRing.from_file(tmp_path / "keys")) as made:
            for name in ("alder", "birch"):
                organization = made.create_organization(name, f"sqlite:///{tmp_path}/{name}.db")
                organization.create(
                    SYSTEM,
                    "emailserverprofile",
                    name="mail",
                    servertype=1,
                    incomingserverlocation="a.test",
                    outgoingserverlocation="a.test",
                    incomingcredentialretrieval=1,
                    incomingusername="u",
                    incomingpassword="hunter2",
                )
            yield made

    def reopened(self, tmp_path: Path) -> None:
        """From the files alone, every secret can be read."""
        with Deployment(ManualClock(), keys=KeyRing.from_file(tmp_path / "keys", create=False)) as other:
            for name in ("alder", "birch"):
                organization = other.open_organization(name, f"sqlite:///{tmp_path}/{name}.db")
                with organization.store.reading() as tx:
                    (row,) = tx.execute(sa.select(secret.c.recordid, secret.c.attribute)).all()
                    assert secrets.read(tx, *row) == secrets.Secret("hunter2")

    def test_all_organizations_move_before_the_old_key_goes(self, deployment: Deployment, tmp_path: Path) -> None:
        old = (tmp_path / "keys").read_text()
        assert deployment.rotate_keys(SYSTEM) == KeyRotation({"alder": 1, "birch": 1}, 1)
        assert set(old.splitlines()) & set((tmp_path / "keys").read_text().splitlines()) == {old.splitlines()[0]}
        self.reopened(tmp_path)

    def test_without_retiring_the_old_key_stays(self, deployment: Deployment, tmp_path: Path) -> None:
        old = (tmp_path / "keys").read_text().splitlines()[1]
        assert deployment.rotate_keys(SYSTEM, retire=False).retired == 0
        assert old in (tmp_path / "keys").read_text()

    @pytest.mark.parametrize("failing", ["alder", "birch"])
    def test_cut_off_it_is_brought_to_its_end(self, deployment: Deployment, tmp_path: Path, failing: str) -> None:
        """The power goes while one organization is moved: both keys are in the file, and the second try makes no third."""

        def cut(text: str) -> None:
            if text.startswith("UPDATE secret"):
                raise ZeroDivisionError

        forget = observe(deployment.organizations[failing].store._database, cut)
        with pytest.raises(ZeroDivisionError):
            deployment.rotate_keys(SYSTEM)
        forget()
        self.reopened(tmp_path)
        keys = (tmp_path / "keys").read_text()
        assert len(KeyRing.from_text(keys)) == 2
        assert deployment.rotate_keys(SYSTEM).retired == 1
        assert (tmp_path / "keys").read_text().splitlines()[1:] == keys.splitlines()[1:2]
        self.reopened(tmp_path)

    def test_a_secret_that_cannot_be_read_keeps_every_key(self, deployment: Deployment, tmp_path: Path) -> None:
        with deployment.organizations["birch"].store.transaction() as tx:
            lost = KeyRing.generate().encrypt("x", 0)
            tx.connection.exec_driver_sql("UPDATE secret SET value = ?", (lost,))
        with pytest.raises(StoreError, match="put back the key file"):
            deployment.rotate_keys(SYSTEM)
        assert len(KeyRing.from_text((tmp_path / "keys").read_text())) == 2


GROWING = (
    "email",
    "activityparty",
    "activitymimeattachment",
    "emailhash",
    "incoming_ledger",
    "content",
    "seenentry",
    "queueitem",
)


def test_look_ups_of_a_message_use_indexes(tmp_path: Path) -> None:
    """Whatever the organization holds: no statement of judging and storing a message goes through a table that grows with the mail."""
    house = House(f"sqlite:///{tmp_path}/one.db", enablesmartmatching=True)
    ada = house.user("ada", filter_=1)
    house.update_mailbox(ada)
    house.contact("carl")
    seen: list[str] = []
    store = house.organization.store
    forget = observe(store._database, seen.append)
    for number, headers in enumerate(
        ({}, {"In_Reply_To": "<1@x.test>", "References": "<2@x.test> <3@x.test>", "Subject": "RE: it CRM:0001002"})
    ):
        offer = house.offer(number, **headers)
        gateway = house.gateway(ada)
        gateway.check_incoming(offer)
        house.organization.update(SYSTEM, "usersettings", ada.id, incomingemailfilteringmethod=0)
        house.take_in(ada, offer)
    forget()
    asked = {text for text in seen if text.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH"))}
    assert len(asked) > 10
    scans = []
    with store.reading() as tx:
        raw: Any = tx.connection.connection.driver_connection
        for text in asked:
            values: Any = dict.fromkeys(re.findall(r":(\w+)", text)) if ":" in text else [None] * text.count("?")
            plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {text}", values)]
            scans += [f"{step}: {text}" for step in plan if re.match(rf"SCAN ({'|'.join(GROWING)})\b", step)]
    house.deployment.close()
    assert scans == []
