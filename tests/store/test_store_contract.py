"""What every database must do alike: records, find, savepoints, fences, leases, search, secrets, memory."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_values import record_of

from postroom.errors import (
    DuplicateRecord,
    InvalidValue,
    NotWritable,
    RecordNotFound,
    StaleRun,
    StateError,
    StoreError,
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
    Queue,
    RecordState,
    ServerType,
    SystemUser,
    TraceLevel,
    TraceLog,
)
from postroom.model.profile import EmailServerProfile
from postroom.store import TABLES, Fence, OrganizationStore, leases, search, secrets
from postroom.store.memory import SqlSeenSet, SqlStateCell
from postroom.store.tables import email_search, lease, secret, state_value

PROFILE = Lookup("emailserverprofile", "11111111-0000-4000-8000-000000000000")
BOX = "22222222-0000-4000-8000-000000000000"


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


MOMENT = datetime(2026, 1, 5, 8, 30, 0, 123456, tzinfo=UTC)


class TestFind:
    @pytest.fixture
    def boxes(self, store: OrganizationStore) -> list[Mailbox]:
        other = Lookup("emailserverprofile", BOX)
        with store.transaction() as tx:
            return tx.create_many(
                [
                    Mailbox(name="b", emailaddress="b@x.test", emailserverprofile=PROFILE, postponesendinguntil=MOMENT),
                    Mailbox(name="a", emailaddress="a@x.test", emailserverprofile=PROFILE),
                    Mailbox(name="ä", emailserverprofile=other, statecode=RecordState.INACTIVE),
                    Mailbox(name="B", emailserverprofile=None),
                ]
            )

    @pytest.mark.parametrize(
        ("asked", "names"),
        [
            ({}, "b a ä B"),
            ({"name": "a"}, "a"),
            ({"name": ["a", "B", "nobody"]}, "a B"),
            ({"name": ()}, ""),
            ({"name": "x" * 300}, ""),
            ({"emailaddress": None}, "ä B"),
            ({"statecode": 0}, "b a B"),
            ({"statecode": RecordState.INACTIVE}, "ä"),
            ({"statecode": [0, 1], "emailaddress": None}, "ä B"),
            ({"emailserverprofile": PROFILE}, "b a"),
            ({"emailserverprofile": Lookup("mailbox", PROFILE.id)}, ""),
            ({"emailserverprofile": [PROFILE, Lookup("emailserverprofile", BOX)]}, "b a ä"),
            ({"emailserverprofile": [Lookup("mailbox", PROFILE.id), Lookup("emailserverprofile", BOX)]}, "ä"),
            ({"postponesendinguntil": MOMENT}, "b"),
            ({"postponesendinguntil": MOMENT + timedelta(microseconds=1)}, ""),
            ({"enabledforact": True, "isserviceaccount": False}, "b a ä B"),
            ({"enabledforact": False}, ""),
            ({"order_by": ("name",)}, "B a b ä"),
            ({"order_by": ("-name",)}, "ä b a B"),
            ({"order_by": "name"}, "B a b ä"),
            ({"order_by": ("emailaddress",)}, "ä B a b"),
            ({"order_by": ("-emailaddress", "name")}, "b a B ä"),
            ({"order_by": ("name",), "limit": 2}, "B a"),
            ({"limit": 0}, ""),
        ],
    )
    @pytest.mark.usefixtures("boxes")
    def test_answers(self, store: OrganizationStore, asked: dict[str, Any], names: str) -> None:
        with store.reading() as tx:
            assert " ".join(box.name or "" for box in tx.find(Mailbox, **asked)) == names
            if "order_by" not in asked and "limit" not in asked:
                assert tx.count(Mailbox, **asked) == len(names.split())
            first = tx.first(Mailbox, **{name: value for name, value in asked.items() if name != "limit"})
            if "limit" not in asked:
                assert (first.name if first else "") == (names.split() or [""])[0]

    def test_refusals(self, store: OrganizationStore) -> None:
        with store.reading() as tx:
            for asked in ({"statecode": 9}, {"name": ["a", None]}, {"name": "a\x00"}, {"limit": -1}, {"noemailcount": 2**70}):
                with pytest.raises(InvalidValue):
                    tx.find(Mailbox, **asked)
            with pytest.raises(UnknownAttribute, match="did you mean 'name'"):
                tx.find(Mailbox, nam="a")
            with pytest.raises(UnknownAttribute):
                tx.find(Mailbox, order_by=("nam",))

    def test_a_long_list_is_one_parameter(self, store: OrganizationStore, boxes: list[Mailbox]) -> None:
        many = [f"name {n}" for n in range(70_000)]
        with store.reading() as tx:
            assert tx.find(Mailbox, name=[*many, "a"]) == [boxes[1]]

    def test_core_conditions(self, store: OrganizationStore, boxes: list[Mailbox]) -> None:
        table = TABLES["mailbox"]
        with store.reading() as tx:
            found = tx.where(Mailbox, table.c.name > sa.bindparam("low"), order_by=("-name",), limit=2, low="a")
        assert found == [boxes[2], boxes[0]]


class TestGenericRecords:
    def test_values_come_back(self, store: OrganizationStore) -> None:
        values = {
            "fullname": 'Ada Löwe \\u0041 "x"',
            "emailaddress1": "ada@x.test",
            "count": 5,
            "ratio": 0.5,
            "open": True,
            "parentcustomerid": Lookup("account", BOX),
            "birthdate": MOMENT,
            "list": [1, "two", None],
            "nothing": None,
        }
        with store.transaction() as tx:
            made = tx.create(GenericRecord("contact", "", values))
            assert made.id
            assert tx.get(GenericRecord, made.reference) == made
            assert tx.fetch(made.reference).values == values  # type: ignore[union-attr]
            tx.update(GenericRecord, made.reference, count=6, more="x")
            assert tx.get(GenericRecord, made.id).values == {**values, "count": 6, "more": "x"}
            tx.delete(GenericRecord, made.reference)
            assert tx.find(GenericRecord) == []

    @pytest.mark.parametrize(
        ("asked", "names"),
        [
            ({"entity": "contact"}, "a b"),
            ({"entity": ["contact", "lead"]}, "a b l"),
            ({"name": "a"}, "a"),
            ({"name": ["l", "b"]}, "b l"),
            ({"count": 1}, "a"),
            ({"count": [1, 3]}, "a l"),
            ({"count": None}, "b"),
            ({"open": True}, "b"),
            ({"owner": Lookup("systemuser", BOX)}, "l"),
            ({"owner": Lookup("team", BOX)}, ""),
            ({"odd name": "x"}, "b"),
            ({"order_by": ("-name",)}, "l b a"),
            ({"entity": "contact", "order_by": ("name",), "limit": 1}, "a"),
        ],
    )
    def test_find(self, store: OrganizationStore, asked: dict[str, Any], names: str) -> None:
        with store.transaction() as tx:
            tx.create(GenericRecord("contact", "1", {"name": "a", "count": 1}))
            tx.create(GenericRecord("contact", "2", {"name": "b", "open": True, "odd name": "x"}))
            tx.create(GenericRecord("lead", "3", {"name": "l", "count": 3, "owner": Lookup("systemuser", BOX)}))
        with store.reading() as tx:
            assert " ".join(one.values["name"] for one in tx.find(GenericRecord, **asked)) == names

    def test_a_typed_entity_is_no_generic_one(self, store: OrganizationStore) -> None:
        with store.transaction() as tx, pytest.raises(InvalidValue):
            tx.create(GenericRecord("mailbox", BOX))

    def test_what_json_cannot_hold(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            for value in (float("nan"), object(), {1}, b"octets"):
                with pytest.raises(InvalidValue):
                    tx.create(GenericRecord("contact", "", {"x": value}))

    def test_an_id_that_two_entities_share(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            tx.create(GenericRecord("contact", BOX))
            tx.create(GenericRecord("lead", BOX))
            with pytest.raises(StoreError, match="Lookup"):
                tx.get(GenericRecord, BOX)


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


class TestSearch:
    def names(self, store: OrganizationStore, address: str) -> list[tuple[str, str, bool]]:
        with store.reading() as tx:
            return [(m.entity, m.attribute, m.active) for m in search.resolve(tx, [address])[address.casefold()]]

    def test_every_email_enabled_record_is_found(self, store: OrganizationStore) -> None:
        owner = Lookup("systemuser", BOX)
        with store.transaction() as tx:
            user = tx.create(SystemUser(internalemailaddress="Ada@X.test", personalemailaddress="ada@home.test"))
            queue = tx.create(Queue(name="q", emailaddress="ada@x.TEST", ownerid=owner))
            contact = tx.create(GenericRecord("contact", "", {"emailaddress2": " ada@x.test ", "ownerid": owner}))
            tx.create(GenericRecord("invoice", "", {"emailaddress1": "ada@x.test"}))
            found = search.resolve(tx, ["ADA@x.test", "nobody@x.test", "bad\x00key", "\ud800@x.test", ""])
        assert [(m.reference, m.ownerid) for m in found["ada@x.test"]] == [
            (user.reference, None),
            (queue.reference, owner),
            (contact.reference, owner),
        ]
        assert found["nobody@x.test"] == []
        assert "" not in found

    def test_it_follows_updates_and_deletes(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            user = tx.create(SystemUser(internalemailaddress="a@x.test"))
            queue = tx.create(Queue(name="q", emailaddress="a@x.test"))
            contact = tx.create(GenericRecord("contact", "", {"emailaddress1": "a@x.test"}))
        with store.transaction() as tx:
            tx.update(SystemUser, user.systemuserid, isdisabled=True)
            tx.update(Queue, queue.queueid, emailaddress="b@x.test")
            tx.update(GenericRecord, contact.reference, statecode=1)
        assert self.names(store, "a@x.test") == [
            ("systemuser", "internalemailaddress", False),
            ("contact", "emailaddress1", False),
        ]
        assert self.names(store, "b@x.test") == [("queue", "emailaddress", True)]
        with store.transaction() as tx:
            tx.update(SystemUser, user.systemuserid, internalemailaddress=None)
            tx.delete(Queue, queue.queueid)
            tx.delete(GenericRecord, contact.reference)
        with store.reading() as tx:
            assert tx.execute(sa.select(sa.func.count()).select_from(email_search)).scalar_one() == 0

    def test_an_update_keeps_the_order_of_matches(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            first, second = (tx.create(SystemUser(internalemailaddress="a@x.test")) for _ in range(2))
            tx.update(SystemUser, first.systemuserid, isdisabled=True, personalemailaddress="A@x.test")
            tx.update(SystemUser, first.systemuserid, isdisabled=False)
            found = search.resolve(tx, ["a@x.test"])["a@x.test"]
        assert [match.id for match in found] == [first.systemuserid, second.systemuserid, first.systemuserid]

    def test_it_rolls_back_with_the_record(self, store: OrganizationStore) -> None:
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:  # noqa: PT012  # the block is what is undone
            tx.create(SystemUser(internalemailaddress="a@x.test"))
            raise ZeroDivisionError
        assert self.names(store, "a@x.test") == []

    def test_custom_entities(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            tx.create(GenericRecord("new_project", "", {"new_email": "p@x.test"}))
            store.email_columns.register("new_project", "new_email")
            assert search.reindex(tx, "new_project") == 1
            tx.create(GenericRecord("new_project", "", {"new_email": "q@x.test"}))
        assert self.names(store, "p@x.test") == [("new_project", "new_email", True)]
        assert self.names(store, "q@x.test") == [("new_project", "new_email", True)]

    def test_a_thousand_addresses_are_one_statement(self, store: OrganizationStore, statements: Any) -> None:
        keys = [f"{n}@x.test" for n in range(1000)]
        with store.reading() as tx, statements(tx) as seen:
            assert len(search.resolve(tx, keys)) == 1000
        assert len(seen) == 1


class TestSecrets:
    def test_round_trip(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            box = tx.create(Mailbox(name="a"))
            assert secrets.read(tx, box.mailboxid, "password") is None
            secrets.write_all(tx, Mailbox, box.mailboxid, {"password": secrets.Secret("pässword"), "credentialinfo": "x"})
            assert tx.get(Mailbox, box.mailboxid).ispasswordset
            found = secrets.read(tx, box.mailboxid, "password")
            assert found is not None
            assert found.reveal() == "pässword"
            assert "pässword" not in repr(found)
            raw = str(tx.execute(sa.select(secret.c.value)).all())
            assert "ssword" not in raw
            secrets.write_all(tx, Mailbox, box.mailboxid, {"password": None})
            assert not tx.get(Mailbox, box.mailboxid).ispasswordset
            assert secrets.read(tx, box.mailboxid, "password") is None
            with pytest.raises(UnknownAttribute):
                secrets.write_all(tx, Mailbox, box.mailboxid, {"name": "x"})

    def test_a_deleted_record_takes_its_secrets_along(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            box = tx.create(Mailbox(name="a"))
            secrets.write(tx, box.mailboxid, "password", "p")
            tx.delete(Mailbox, box.mailboxid)
            assert tx.execute(sa.select(secret)).all() == []

    def test_a_row_copied_to_another_record_is_no_secret(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            secrets.write(tx, "one", "password", "p")
            tx.execute(secret.update().values(recordid="two"))
            with pytest.raises(StoreError, match="copied"):
                secrets.read(tx, "two", "password")

    def test_rotation(self, store: OrganizationStore) -> None:
        assert store.keys is not None
        first = store.keys
        with store.transaction() as tx:
            secrets.write(tx, "one", "password", "p")
            both = first.rotate()
            assert secrets.reencrypt(tx, both) == 1
            with pytest.raises(StoreError, match="key"):
                secrets.read(tx, "one", "password")
            store.keys = both.newest()
            assert secrets.read(tx, "one", "password") == secrets.Secret("p")

    def test_without_keys_only_secrets_fail(self, store: OrganizationStore) -> None:
        with store.transaction() as tx:
            secrets.write(tx, "one", "password", "p")
        store.keys = None
        with store.transaction() as tx:
            tx.create(Mailbox(name="a"))
            assert secrets.read(tx, "two", "password") is None
            with pytest.raises(StoreError, match="without keys"):
                secrets.read(tx, "one", "password")
            with pytest.raises(StoreError, match="without keys"):
                secrets.write(tx, "two", "password", "p")


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
        assert len(done) <= 4  # two statements, on PostgreSQL with the write lock

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


def test_a_queue_of_mail_is_found_by_state(store: OrganizationStore) -> None:
    box = Lookup("mailbox", BOX)
    with store.transaction() as tx:
        waiting = tx.create(
            Email(statuscode=EmailStatus.PENDING_SEND, statecode=EmailStatus.PENDING_SEND.state, sendermailboxid=box)
        )
        tx.create(Email(sendermailboxid=box))
        tx.create(TraceLog(level=TraceLevel.ERROR, tracecode=1, regardingobjectid=box))
        assert tx.find(Email, statecode=1, statuscode=6, sendermailboxid=box) == [waiting]
