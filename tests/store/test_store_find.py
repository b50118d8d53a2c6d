"""What every database must do alike: find, and generic records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from postroom.errors import (
    InvalidValue,
    StoreError,
    UnknownAttribute,
)
from postroom.model import (
    GenericRecord,
    Lookup,
    Mailbox,
    RecordState,
)
from postroom.store import TABLES, OrganizationStore

PROFILE = Lookup("emailserverprofile", "11111111-0000-4000-8000-000000000000")
BOX = "22222222-0000-4000-8000-000000000000"
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
