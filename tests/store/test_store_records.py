"""What every database must do alike: records."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_values import record_of

from postroom.errors import (
    DuplicateRecord,
    InvalidValue,
    NotWritable,
    RecordNotFound,
    UnknownAttribute,
)
from postroom.model import (
    ENTITIES,
    ActivityParty,
    Email,
    EmailStatus,
    GenericRecord,
    Lookup,
    Mailbox,
    RecordState,
    ServerType,
    TraceLevel,
    TraceLog,
)
from postroom.model.profile import EmailServerProfile
from postroom.store import OrganizationStore

BOX = "22222222-0000-4000-8000-000000000000"
MOMENT = datetime(2026, 1, 5, 8, 30, 0, 123456, tzinfo=UTC)


class TestRecords:
    @pytest.mark.parametrize("entity", ENTITIES)
    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    @given(data=st.data())
    def test_round_trip(self, store: OrganizationStore, entity: str, data: st.DataObject) -> None:
        cls = ENTITIES[entity]
        record = data.draw(record_of(cls))
        with store.transaction() as tx:
            for one in tx.find(cls):
                tx.delete(cls, one.record_id)
            stored = tx.create(record)
            assert tx.get(cls, stored.record_id) == stored
        given_values = {f.name: v for f in dataclasses.fields(record) if (v := getattr(record, f.name)) is not None}
        assert {name: getattr(stored, name) for name in given_values} == given_values

    def test_an_id_and_the_times_are_filled_in(self, store: OrganizationStore, clock: Any) -> None:
        with store.transaction() as tx:
            box = tx.create(Mailbox(name="a"))
        assert box.mailboxid == "00000000-0000-4000-8000-000000000001"
        assert box.createdon == box.modifiedon == clock.now()
        clock.advance(60)
        with store.transaction() as tx:
            tx.update(Mailbox, box.mailboxid, noemailcount=4)
            again = tx.get(Mailbox, box.reference)
        assert again == dataclasses.replace(box, noemailcount=4, modifiedon=clock.now())

    def test_types_come_back(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            made = tx.create(EmailServerProfile(name="p", servertype=ServerType.OTHER, processemailsreceivedafter=MOMENT))
            found = tx.get(EmailServerProfile, made.emailserverprofileid)
        assert found.servertype is ServerType.OTHER
        assert found.statecode is RecordState.ACTIVE
        assert found.useautodiscover is False
        assert found.processemailsreceivedafter == MOMENT
        assert found.processemailsreceivedafter.tzinfo is UTC

    def test_missing_records(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            for call in (
                lambda: tx.get(Mailbox, BOX),
                lambda: tx.update(Mailbox, BOX, name="b"),
                lambda: tx.update(Mailbox, BOX),
                lambda: tx.delete(Mailbox, BOX),
                lambda: tx.get(GenericRecord, Lookup("contact", BOX)),
                lambda: tx.delete(GenericRecord, Lookup("contact", BOX)),
                lambda: tx.fetch(Lookup("contact", BOX)),
            ):
                with pytest.raises(RecordNotFound):
                    call()

    def test_values_that_do_not_fit_are_refused_alike(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            box = tx.create(Mailbox(name="a"))
            for changes in (
                {"name": "x" * 201},
                {"name": "a\x00b"},
                {"name": "\ud800"},
                {"name": 5},
                {"noemailcount": 2**31},
                {"noemailcount": True},
                {"enabledforact": 1},
                {"statecode": 7},
                {"statecode": TraceLevel.ERROR},
                {"lastactiveon": datetime(2026, 1, 1)},  # noqa: DTZ001
                {"emailserverprofile": "id"},
                {"emailserverprofile": Lookup("", "")},
            ):
                with pytest.raises(InvalidValue, match=f"mailbox.{next(iter(changes))}"):
                    tx.update(Mailbox, box.mailboxid, **changes)
            with pytest.raises(UnknownAttribute, match="did you mean 'emailaddress'"):
                tx.update(Mailbox, box.mailboxid, emailadress="a@b.test")
            with pytest.raises(NotWritable):
                tx.update(Mailbox, box.mailboxid, mailboxid=BOX)
            assert tx.get(Mailbox, box.mailboxid) == box

    def test_the_same_id_twice(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            tx.create(Mailbox(mailboxid=BOX))
            with pytest.raises(DuplicateRecord), tx.savepoint():
                tx.create(Mailbox(mailboxid=BOX))
            tx.create(GenericRecord("contact", BOX))
            tx.create(GenericRecord("lead", BOX))
            with pytest.raises(DuplicateRecord), tx.savepoint():
                tx.create(GenericRecord("contact", BOX))
            assert tx.count(Mailbox) == 1

    def test_the_duplicate_check_of_message_ids(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            tx.create_many([Email(subject="a"), Email(subject="b")])
            tx.create(Email(messageiddupcheck=BOX))
        with pytest.raises(DuplicateRecord), store.transaction() as tx:
            tx.create(Email(messageiddupcheck=BOX))

    def test_many_at_once(self, store: OrganizationStore) -> None:
        activity = Lookup("email", BOX)
        wanted = [ActivityParty(activityid=activity, addressused=f"{n}@b.test") for n in range(50)]
        with store.transaction() as tx:
            made = tx.create_many(wanted)
            assert [one.addressused for one in tx.find(ActivityParty, activityid=activity)] == [p.addressused for p in wanted]
            assert tx.find(ActivityParty) == made
            assert tx.create_many([]) == []

    def test_rollback(self, store: OrganizationStore) -> None:
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:  # noqa: PT012  # the block is what is undone
            tx.create(Mailbox(name="a"))
            raise ZeroDivisionError
        with store.reading() as tx:
            assert tx.find(Mailbox) == []

    def test_savepoints_nest(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            tx.create(Mailbox(name="kept"))
            with pytest.raises(ZeroDivisionError), tx.savepoint():  # noqa: PT012
                tx.create(Mailbox(name="lost"))
                with tx.savepoint():
                    tx.create(Mailbox(name="lost too"))
                raise ZeroDivisionError
            with tx.savepoint():
                tx.create(Mailbox(name="kept too"))
        with store.reading() as tx:
            assert [box.name for box in tx.find(Mailbox)] == ["kept", "kept too"]


def test_a_queue_of_mail_is_found_by_state(store: OrganizationStore) -> None:
    box = Lookup("mailbox", BOX)
    with store.transaction() as tx:
        waiting = tx.create(
            Email(statuscode=EmailStatus.PENDING_SEND, statecode=EmailStatus.PENDING_SEND.state, sendermailboxid=box)
        )
        tx.create(Email(sendermailboxid=box))
        tx.create(TraceLog(level=TraceLevel.ERROR, tracecode=1, regardingobjectid=box))
        assert tx.find(Email, statecode=1, statuscode=6, sendermailboxid=box) == [waiting]
