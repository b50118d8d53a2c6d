"""What every database must do alike: the index of e-mail addresses."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from postroom.model import (
    GenericRecord,
    Lookup,
    Queue,
    SystemUser,
)
from postroom.store import OrganizationStore, search
from postroom.store.tables import email_search

BOX = "22222222-0000-4000-8000-000000000000"


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
