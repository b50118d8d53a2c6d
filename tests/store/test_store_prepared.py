"""Statements that are compiled once: the same answers as SQLAlchemy's own, and nothing of the store's promises lost."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from postroom.errors import DuplicateRecord, InvalidValue, StoreError
from postroom.model import Mailbox
from postroom.store import OrganizationStore, Transaction
from postroom.store.database import observe
from postroom.store.prepared import Prepared
from postroom.store.tables import TABLES, generic_record, seen_entry

_mailbox = TABLES["mailbox"]
BOX = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


def test_answers(store: OrganizationStore) -> None:
    ask = sa.select(_mailbox.c.name, _mailbox.c.isforwardmailbox, _mailbox.c.noemailcount).where(
        _mailbox.c.name.in_(("a", "b", sa.bindparam("p_other"))), _mailbox.c.noemailcount < 5
    )
    prepared = Prepared(ask.order_by(_mailbox.c.name))
    with store.transaction() as tx:
        for name, forward in (("a", True), ("b", False), ("c", True), ("d", True)):
            tx.create(Mailbox(name=name, isforwardmailbox=forward))
        for other in ("c", "d"):
            rows = [tuple(row) for row in tx.execute(prepared, {"p_other": other})]
            assert rows == [tuple(row) for row in tx.execute(ask.order_by(_mailbox.c.name), {"p_other": other})]
            assert [type(value) for value in rows[0]] == [str, bool, int]
        answer = tx.execute(prepared, {"p_other": "c"})
        assert tuple(answer.first() or ()) == ("a", True, 0)
        nobody = tx.execute(Prepared(sa.select(_mailbox.c.name).where(_mailbox.c.name == sa.bindparam("p"))), {"p": "x"})
        assert nobody.first() is None


def test_changes(store: OrganizationStore) -> None:
    """The parameters decide about the columns; each set of them is compiled for itself."""
    insert, update = Prepared(seen_entry.insert()), Prepared(sa.update(seen_entry).where(seen_entry.c.sourcekey == "k1"))
    row = {"instance": "i", "sourcekey": "k1", "digest": "1", "touchedon": 1}
    with store.transaction() as tx:
        tx.execute(insert, row)
        tx.execute(insert, [{**row, "sourcekey": f"k{n}"} for n in range(2, 5)])
        assert tx.execute(update, {"digest": "2"}).rowcount == 1
        assert tx.execute(update, {"touchedon": 9}).rowcount == 1
        found = tx.execute(sa.select(seen_entry.c.digest, seen_entry.c.touchedon).order_by(seen_entry.c.sourcekey)).all()
        assert [tuple(one) for one in found] == [("2", 9), ("1", 1), ("1", 1), ("1", 1)]


def test_refusals(store: OrganizationStore) -> None:
    insert = Prepared(generic_record.insert())
    row = {"entity": "x", "id": "1", "values": "secret"}
    with store.transaction() as tx:
        tx.execute(insert, row)
        with pytest.raises(DuplicateRecord) as refused, tx.savepoint():
            tx.execute(insert, row)
        assert "secret" not in str(refused.value)
        with pytest.raises((InvalidValue, StoreError)), tx.savepoint():
            tx.execute(insert, {**row, "id": "\ud800"})
        with pytest.raises(StoreError), tx.savepoint():
            tx.execute(insert, {**row, "id": None})
    with pytest.raises(StoreError), store.reading() as tx:
        tx.execute(insert, {**row, "id": "2"})
    with store.reading() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(generic_record)).scalar_one() == 1


def test_savepoints_inside_savepoints(store: OrganizationStore) -> None:
    def two_that_fail(tx: Transaction) -> None:
        with tx.savepoint():
            tx.create(Mailbox(name="b"))
            with tx.savepoint():
                tx.create(Mailbox(name="c"))
            raise ZeroDivisionError

    with store.transaction() as tx:
        with tx.savepoint():
            tx.create(Mailbox(name="a"))
            with pytest.raises(ZeroDivisionError):
                two_that_fail(tx)
            tx.create(Mailbox(name="d"))
        with pytest.raises(ZeroDivisionError):
            two_that_fail(tx)
    with store.reading() as tx:
        assert [one.name for one in tx.find(Mailbox)] == ["a", "d"]


def test_observers_see_everything_and_may_stop_it(store: OrganizationStore) -> None:
    seen: list[str] = []

    def note(statement: str) -> None:
        seen.append(statement.split(maxsplit=1)[0])
        if statement == "COMMIT" and stop:
            raise ZeroDivisionError

    stop: list[Any] = []
    forget = observe(store._database, note)
    with store.transaction() as tx:
        tx.create(Mailbox(mailboxid=BOX, name="a"))
        tx.execute(sa.update(_mailbox).values(name="b"))
    wanted = [word for word in seen if word in ("INSERT", "UPDATE", "COMMIT")]
    assert wanted == ["INSERT", "UPDATE", "COMMIT"]
    stop.append(1)
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        tx.update(Mailbox, BOX, name="c")
    forget()
    seen.clear()
    with store.reading() as tx:
        assert tx.get(Mailbox, BOX).name == "b"
    assert seen == []
