"""What every database must do alike: transactions, fences, leases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from postroom.errors import (
    InvalidValue,
    StaleRun,
    StoreError,
)
from postroom.model import (
    Mailbox,
)
from postroom.store import TABLES, Fence, OrganizationStore, leases
from postroom.store.tables import lease

BOX = "22222222-0000-4000-8000-000000000000"


class TestTransactions:
    def test_reading_writes_nothing(self, store: OrganizationStore) -> None:
        with store.reading() as tx:
            with pytest.raises(StoreError, match="only reads"):
                tx.create(Mailbox(name="a"))
            with pytest.raises(StoreError, match="only reads"), tx.savepoint():
                pass
        with pytest.raises(StoreError), store.reading() as tx:
            tx.execute(TABLES["mailbox"].insert(), {"mailboxid": BOX})
        with store.transaction() as tx:
            assert tx.find(Mailbox) == []

    def test_one_at_a_time_in_a_thread(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            tx.create(Mailbox(name="a"))
            with pytest.raises(StoreError, match="transaction open"), store.transaction():
                pass
            with store.reading() as inner:
                assert inner.count(Mailbox) == 1
                with pytest.raises(StoreError):
                    inner.delete(Mailbox, BOX)
        with store.reading(), pytest.raises(StoreError, match="transaction open"), store.transaction():
            pass
        with store.transaction() as tx:
            assert tx.count(Mailbox) == 1

    @pytest.mark.parametrize("name", ["\ud800", "\x00", 2**70])
    def test_parameters_that_no_database_takes(self, store: OrganizationStore, name: Any) -> None:
        table = TABLES["mailbox"]
        with store.reading() as tx:
            if name == "\x00" and tx.dialect == "sqlite":
                assert tx.execute(sa.select(table.c.name).where(table.c.name == name)).all() == []
                return
            column = table.c.name if isinstance(name, str) else table.c.noemailcount
            with pytest.raises((InvalidValue, StoreError)) as refused:
                tx.execute(sa.select(table.c.name).where(column == name))
        assert "mailbox" not in str(refused.value)

    def test_a_closed_store(self, store: OrganizationStore) -> None:
        store.close()
        store.close()
        with pytest.raises(StoreError, match="closed"), store.reading():
            pass


class TestLeases:
    def acquire(self, store: OrganizationStore, holder: str, instance: str = BOX, **more: Any) -> Fence | None:
        with store.transaction() as tx:
            now = tx.now()
            return leases.acquire(tx, instance, holder, now, now + timedelta(minutes=30), **more)

    def test_one_holder(self, store: OrganizationStore, clock: Any) -> None:
        one = self.acquire(store, "one")
        assert one == Fence(BOX, 1)
        assert self.acquire(store, "two") is None
        clock.advance(30 * 60 - 1)
        assert self.acquire(store, "two") is None
        with store.transaction(one) as tx:
            assert leases.release(tx, one)
            assert not leases.release(tx, one)
        two = self.acquire(store, "two")
        assert two == Fence(BOX, 2)
        assert two.taken_from is None

    def test_expiry_and_takeover(self, store: OrganizationStore, clock: Any) -> None:
        one = self.acquire(store, "one")
        clock.advance(30 * 60)
        with store.transaction(one) as tx:  # expired, but nobody took it
            leases.renew(tx, one, tx.now() + timedelta(minutes=30))
        assert self.acquire(store, "two") is None
        forced = self.acquire(store, "two", force=True)
        assert forced == Fence(BOX, 2)
        assert forced.taken_from == "one"
        with store.transaction() as tx:
            assert not leases.release(tx, one)
            with pytest.raises(StaleRun):
                leases.renew(tx, one, tx.now())
        clock.advance(30 * 60)
        third = self.acquire(store, "three")
        assert third == Fence(BOX, 3)
        assert third.taken_from == "two"

    def test_a_stale_run_writes_nothing(self, store: OrganizationStore) -> None:
        one = self.acquire(store, "one")
        with store.transaction(one) as tx:
            tx.create(Mailbox(name="first"))
        self.acquire(store, "two", force=True)
        with pytest.raises(StaleRun), store.transaction(one) as tx:
            tx.create(Mailbox(name="late"))
        with pytest.raises(StaleRun), store.transaction(Fence("unknown", 1)):
            pass
        with store.reading() as tx:
            assert [box.name for box in tx.find(Mailbox)] == ["first"]

    def test_a_released_lease_is_stale(self, store: OrganizationStore) -> None:
        one = self.acquire(store, "one")
        with store.transaction(one) as tx:
            leases.release(tx, one)
        with pytest.raises(StaleRun), store.transaction(one):
            pass

    def test_the_mailbox_row_follows(self, store: OrganizationStore, clock: Any) -> None:
        with store.transaction() as tx:
            tx.create(Mailbox(mailboxid=BOX))
            tx.create(Mailbox(name="other"))

        def row() -> tuple[Any, ...]:
            with store.reading() as tx:
                box = tx.get(Mailbox, BOX)
                return box.hostid, box.processingstatecode, box.forcedunlockcount

        one = self.acquire(store, "host one", f"{BOX}/incoming")
        assert row() == ("host one", 1, 0)
        two = self.acquire(store, "host two", f"mailbox:{BOX}/outgoing")
        with store.transaction() as tx:
            leases.release(tx, one)
        assert row() == ("host two", 1, 0)
        with store.transaction() as tx:
            leases.release(tx, two)
        assert row() == (None, 0, 0)
        self.acquire(store, "host three", BOX)
        clock.advance(7200)
        self.acquire(store, "host four", BOX)
        assert row() == ("host four", 1, 1)
        with store.reading() as tx:
            assert tx.get(Mailbox, BOX).lastmailboxforcedunlockoccurredon == clock.now()
            assert tx.first(Mailbox, name="other").processingstatecode == 0  # type: ignore[union-attr]

    def test_what_a_run_costs(self, store: OrganizationStore, statements: Any) -> None:
        with store.transaction() as tx:
            tx.create(Mailbox(mailboxid=BOX))
            leases.release(tx, leases.acquire(tx, BOX, "one", tx.now(), tx.now()))  # type: ignore[arg-type]
        with store.transaction() as tx, statements(tx) as seen:
            fence = leases.acquire(tx, BOX, "two", tx.now(), tx.now() + timedelta(minutes=1))
            assert fence is not None
            leases.check(tx, fence)
            tx.update(Mailbox, BOX, noemailcount=1)
            leases.release(tx, fence)
        assert len(seen) == 6  # lease and mailbox twice, the fence, the update

    def test_an_instance_without_a_mailbox(self, store: OrganizationStore) -> None:
        assert self.acquire(store, "one", "router/reader") == Fence("router/reader", 1)
        with store.reading() as tx:
            assert tx.execute(sa.select(lease.c.mailboxid)).scalar_one() is None
