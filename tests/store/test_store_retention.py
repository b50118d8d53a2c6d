"""What retention removes, what it never removes, and how it goes about it: on every database."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from postroom.model import Lookup, Mailbox, MailboxStatistics, OperationType, TraceLevel, TraceLog
from postroom.model.exchange import ExchangeSyncIdMapping
from postroom.store import OrganizationStore, ledger, retention
from postroom.store.database import observe
from postroom.store.ledger import IncomingRow, Known, OutgoingRow, RecipientRow
from postroom.store.memory import SqlSeenSet, SqlStateCell
from postroom.store.retention import Ages, Removed

BOX = "22222222-0000-4000-8000-000000000001"
OTHER = "22222222-0000-4000-8000-000000000002"
DAY = timedelta(days=1)
ALL = {"traces": 9, "statistics": 9, "memory": 9, "outgoing": 9, "contents": 9}


@pytest.fixture
def boxes(store: OrganizationStore) -> None:
    with store.transaction() as tx:
        tx.create(Mailbox(mailboxid=BOX, name="a"))
        tx.create(Mailbox(mailboxid=OTHER, name="b"))


def retain(store: OrganizationStore, **ages: int) -> Removed:
    kept = Ages(**{name: timedelta(days=days) for name, days in ages.items()})
    return retention.remove(store.reading, store.transaction, store.clock.now(), kept)


def offer(store: OrganizationStore, key: str, disposition: str = "tracked", *, box: str = BOX, seen: bool = True) -> None:
    """A message is settled, its octets kept, its key remembered, as a run does."""
    digest = f"digest of {key}"
    with store.transaction() as tx:
        ledger.record_incoming(tx, row(key, digest, disposition, box, tx.now()), Known())
        ledger.store_content(tx, digest, key.encode())
    if seen:
        SqlSeenSet(store, box).add({key: digest if disposition != "parked" else ""})


def row(key: str, digest: str, disposition: str, box: str, now: datetime) -> IncomingRow:
    return IncomingRow(box, key, digest, 5, box, f"<{key}>", key, disposition, "", "", None, 0, now, now)


def look(store: OrganizationStore, *listed: str, box: str = BOX) -> list[str]:
    """A look into the mailbox that finds these keys; returns what would be retrieved."""
    seen = SqlSeenSet(store, box)
    new = seen.new_among(listed)
    seen.touch([key for key in listed if key not in new])
    return new


def keys(store: OrganizationStore, box: str = BOX) -> list[str]:
    with store.reading() as tx:
        return [one.source_key for one in ledger.incoming_rows(tx) if one.mailbox_id == box]


class TestMemory:
    @pytest.mark.usefixtures("boxes")
    def test_what_left_the_source_is_forgotten_and_what_is_listed_is_not(self, store: OrganizationStore, clock: Any) -> None:
        for key in ("gone", "listed"):
            offer(store, key)
        for _ in range(10):
            clock.advance(DAY.total_seconds())
            assert look(store, "listed") == []
        removed = retain(store, memory=5)
        assert removed.rows == {"settled messages": 1, "seen marks": 1}
        assert keys(store) == ["listed"]
        assert look(store, "listed", "gone") == ["gone"]

    @pytest.mark.usefixtures("boxes")
    def test_a_mailbox_that_rested_doubles_nothing(self, store: OrganizationStore, clock: Any) -> None:
        """Switched off for a year, with all its mail still at the server."""
        for key in ("one", "two"):
            offer(store, key)
        clock.advance(365 * DAY.total_seconds())
        assert retain(store, memory=5).total == 0
        assert look(store, "one", "two") == []
        assert retain(store, memory=5).total == 0

    @pytest.mark.usefixtures("boxes")
    def test_what_another_mailbox_does_ages_nothing(self, store: OrganizationStore, clock: Any) -> None:
        offer(store, "one")
        clock.advance(30 * DAY.total_seconds())
        offer(store, "two", box=OTHER)
        assert retain(store, memory=5).total == 0

    @pytest.mark.usefixtures("boxes")
    def test_a_ledger_row_never_goes_without_a_mark(self, store: OrganizationStore, clock: Any) -> None:
        """The run died between its commit and its memory: the message is still at the source, and only the ledger knows it."""
        offer(store, "settled and not remembered", seen=False)
        clock.advance(30 * DAY.total_seconds())
        offer(store, "new")
        assert retain(store, memory=5).total == 0
        assert keys(store) == ["settled and not remembered", "new"]

    @pytest.mark.usefixtures("boxes")
    def test_messages_without_names_are_remembered_as_long_as_the_mailbox(self, store: OrganizationStore, clock: Any) -> None:
        offer(store, "sha256:0f")
        clock.advance(30 * DAY.total_seconds())
        offer(store, "new")
        assert retain(store, memory=5).total == 0

    @pytest.mark.usefixtures("boxes")
    def test_touched_between_the_look_and_the_removal_it_stays(self, store: OrganizationStore, clock: Any) -> None:
        offer(store, "old")
        clock.advance(30 * DAY.total_seconds())
        offer(store, "new")

        def writing() -> Any:
            look(store, "old", "new")
            return store.transaction()

        ages = Ages(memory=5 * DAY)
        assert retention.remove(store.reading, writing, clock.now(), ages).total == 0
        assert keys(store) == ["old", "new"]

    def test_a_deleted_mailbox_is_forgotten(self, store: OrganizationStore, clock: Any, boxes: None) -> None:
        for box in (BOX, OTHER):
            offer(store, f"of {box}", box=box)
            offer(store, f"unseen of {box}", box=box, seen=False)
            SqlStateCell(store, box, Cursor()).commit(Cursor(1))
        with store.transaction() as tx:
            tx.delete(Mailbox, BOX)
        assert retain(store, memory=5).rows == {"settled messages": 1, "seen marks": 1, "states of deleted mailboxes": 1}
        clock.advance(30 * DAY.total_seconds())
        assert retain(store, memory=5).rows == {"settled messages": 1}
        assert (keys(store), len(keys(store, OTHER))) == ([], 2)
        assert SqlStateCell(store, OTHER, Cursor()).value == Cursor(1)


@dataclasses.dataclass(frozen=True)
class Cursor:
    place: int = 0


class TestContents:
    @pytest.mark.usefixtures("boxes")
    @pytest.mark.parametrize(
        ("disposition", "stays"), [("tracked", False), ("filtered", False), ("parked", True), ("pending", True)]
    )
    def test_by_disposition(self, store: OrganizationStore, clock: Any, disposition: str, stays: bool) -> None:
        offer(store, "one", disposition)
        clock.advance(9 * DAY.total_seconds())
        assert retain(store, contents=10).total == 0
        clock.advance(2 * DAY.total_seconds())
        removed = retain(store, contents=10)
        assert (removed.rows, removed.octets) == (({}, 0) if stays else ({"contents": 1}, 3))
        with store.reading() as tx:
            assert (ledger.read_content(tx, "digest of one") is not None) == stays
        assert keys(store) == ["one"]

    @pytest.mark.usefixtures("boxes")
    def test_octets_that_come_again_are_young_again(self, store: OrganizationStore, clock: Any) -> None:
        offer(store, "one")
        clock.advance(20 * DAY.total_seconds())
        with store.transaction() as tx:
            ledger.store_content(tx, "digest of one", b"one")
        assert retain(store, contents=10).total == 0

    @pytest.mark.usefixtures("boxes")
    def test_those_from_before_the_age_was_kept(self, store: OrganizationStore) -> None:
        for key, disposition in (("one", "tracked"), ("two", "parked"), ("three", "tracked")):
            offer(store, key, disposition)
        with store.transaction() as tx:
            tx.execute(sa.update(ledger.content).values(storedon=None))
        assert retain(store, contents=10).rows == {"contents": 2}


class TestOutgoing:
    @pytest.mark.parametrize(
        ("mark", "stays"),
        [
            ("pending", True),
            ("claimed", True),
            ("submitting", True),
            ("uncertain", True),
            ("sent", False),
            ("failed", False),
            ("canceled", False),
        ],
    )
    def test_by_mark(self, store: OrganizationStore, clock: Any, mark: str, stays: bool) -> None:
        now = clock.now()
        recipient = RecipientRow("carl@birch.test", None, False, "")
        with store.transaction() as tx:
            for name in ("a", "b"):
                made = OutgoingRow(name, "email", BOX, "<m>", "s", "s", now, mark, BOX, 0, 1, "", now, now, (recipient,))
                ledger.add_outgoing(tx, made)
        clock.advance(9 * DAY.total_seconds())
        assert retain(store, outgoing=10).total == 0
        clock.advance(2 * DAY.total_seconds())
        with store.transaction() as tx:
            ledger.update_outgoing(tx, "b", {"at": clock.now()})
        removed = retain(store, outgoing=10)
        assert removed.rows == ({} if stays else {"settled requests to send": 1})
        with store.reading() as tx:
            left = ledger.outgoing_rows(tx)
            recipients = tx.execute(sa.select(sa.func.count()).select_from(ledger.outgoing_recipient)).scalar_one()
        assert [one.email_id for one in left] == (["a", "b"] if stays else ["b"])
        assert recipients == len(left)


class TestRowsByAge:
    def test_traces_by_their_last_renewal(self, store: OrganizationStore, clock: Any) -> None:
        box = Lookup("mailbox", BOX)
        with store.transaction() as tx:
            made = [tx.create(TraceLog(level=TraceLevel.ERROR, tracecode=n, regardingobjectid=box)) for n in (1, 2)]
        clock.advance(10 * DAY.total_seconds())
        with store.transaction() as tx:
            tx.update(TraceLog, made[0].tracelogid, text="again")
        assert retain(store, traces=5).rows == {"traces": 1}
        with store.reading() as tx:
            assert [one.tracecode for one in tx.find(TraceLog)] == [1]

    def test_statistics(self, store: OrganizationStore, clock: Any) -> None:
        for _ in range(4):
            with store.transaction() as tx:
                tx.create(statistics(tx.now()))
            clock.advance(DAY.total_seconds())
        assert retain(store, statistics=2).rows == {"mailbox statistics": 2}
        assert retain(store, statistics=2).total == 0

    def test_failures_of_items_go_and_links_stay(self, store: OrganizationStore, clock: Any) -> None:
        with store.transaction() as tx:
            now = tx.now()
            for name, values in {
                "failed": {"objectid": BOX},
                "failed email": {"objectid": BOX, "exchangeentryid": "x", "objecttypecode": 4202},
                "linked": {"objectid": BOX, "exchangeentryid": "x", "objecttypecode": 4201},
            }.items():
                tx.create(ExchangeSyncIdMapping(itemsubject=name, lastsyncerroroccurredon=now, **values))
            tx.create(ExchangeSyncIdMapping(itemsubject="well"))
        clock.advance(4 * DAY.total_seconds())
        with store.transaction() as tx:
            tx.create(ExchangeSyncIdMapping(itemsubject="failed now", lastsyncerroroccurredon=tx.now()))
        assert retain(store, mappings=3).rows == {"failures of items": 2}
        with store.reading() as tx:
            assert [one.itemsubject for one in tx.find(ExchangeSyncIdMapping)] == ["linked", "well", "failed now"]

    def test_no_age_no_removal(self, store: OrganizationStore, clock: Any) -> None:
        with store.transaction() as tx:
            tx.create(statistics(tx.now()))
        clock.advance(9999 * DAY.total_seconds())
        assert retain(store).total == 0


def statistics(now: datetime) -> MailboxStatistics:
    return MailboxStatistics(
        mailboxid=Lookup("mailbox", BOX),
        operationtypeid=OperationType.INCOMING_EMAIL,
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


class TestBatches:
    @pytest.fixture
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "BATCH", 10)
        monkeypatch.setattr(retention, "BATCH_OCTETS", 35)

    @pytest.fixture
    def much(self, store: OrganizationStore, clock: Any, boxes: None) -> None:
        """35 of everything, all of it old."""
        box = Lookup("mailbox", BOX)
        now = clock.now()
        SqlSeenSet(store, BOX).add({f"key {n:03}": "x" for n in range(35)})
        with store.transaction() as tx:
            for n in range(35):
                key = f"key {n:03}"
                ledger.record_incoming(tx, row(key, key, "tracked", BOX, now), Known())
                ledger.store_content(tx, key, b"ten octets")
                ledger.add_outgoing(tx, OutgoingRow(key, "email", BOX, "", "", "", now, "sent", BOX, 0, 1, "", now, now))
            tx.create_many([statistics(now)] * 35)
            tx.create_many([TraceLog(level=TraceLevel.ERROR, tracecode=1, regardingobjectid=box)] * 35)
        clock.advance(100 * DAY.total_seconds())
        SqlSeenSet(store, BOX).add({"young": "x"})

    @pytest.mark.usefixtures("small", "much")
    def test_no_transaction_is_large(self, store: OrganizationStore) -> None:
        removed = retain(store, **ALL)
        assert set(removed.rows.values()) == {35}
        assert len(removed.rows) == 6
        assert removed.octets == 350
        assert removed.batches >= 4 * 4 + 12

    @pytest.mark.usefixtures("small", "much")
    @pytest.mark.parametrize("at", [1, 3, 6, 9, 14, 20])
    def test_cut_off_it_has_done_part_and_harmed_nothing(self, store: OrganizationStore, at: int) -> None:
        forget = observe(store._database, _cut(at))
        with pytest.raises(ZeroDivisionError):
            retain(store, **ALL)
        forget()
        with store.reading() as tx:
            marks = set(tx.execute(sa.text("SELECT sourcekey FROM seenentry")).scalars())
        assert set(keys(store)) == marks - {"young"}
        retain(store, **ALL)
        assert keys(store) == []
        assert retain(store, **ALL).total == 0


def _cut(at: int) -> Callable[[str], None]:
    """The power goes before the commit of the transaction that deletes for the n-th time."""
    deleted = [0, 0]

    def note(statement: str) -> None:
        if statement.startswith("DELETE"):
            deleted[0] += 1
        elif statement == "COMMIT" and deleted[0] > deleted[1]:
            deleted[1] = deleted[0]
            if deleted[0] >= at:
                raise ZeroDivisionError

    return note


def test_what_was_forgotten_stays_noted(store: OrganizationStore, clock: Any) -> None:
    with store.transaction() as tx:
        assert retention.last(tx) is None
        retention.note(tx, clock.now(), Ages(memory=5 * DAY))
        first = retention.last(tx)
        assert first == retention.Last(clock.now(), memory=clock.now() - 5 * DAY)
        retention.note(tx, clock.now() + DAY, Ages(memory=50 * DAY, outgoing=DAY))
        assert retention.last(tx) == retention.Last(clock.now() + DAY, clock.now() - 5 * DAY, clock.now())


def test_vacuum_gives_room_back(store: OrganizationStore) -> None:
    with store.transaction() as tx:
        for number in range(40):
            ledger.store_content(tx, str(number), bytes(50_000))
    before = store.size()
    with store.transaction() as tx:
        tx.execute(sa.delete(ledger.content))
    store.vacuum()
    after = store.size()
    if "sqlite" in repr(store):
        assert after < before - 1_500_000
    else:  # the files keep their size, and their room is used again
        assert after <= before + 100_000
    with store.transaction() as tx:
        tx.create(Mailbox(name="still works"))
