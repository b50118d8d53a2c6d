"""What may go, and when: rows that nobody needs any more are removed in small batches, each a transaction of its own, so that the write lane is
never held long and a run that is cut off has done part of the work and harmed nothing.

What keeps a message from being taken in twice is never removed while the message may come again:

* A seen mark goes when the instance went on looking for `memory` since the mark was last touched. Every look touches the marks of what
  is still listed, so a mark that others of its instance have outlived by that long names a message that has left the source. A mailbox that
  nobody looks into ages nothing, however long it rests.
* A ledger row of an incoming message goes together with its seen mark, in one transaction, and never without one.
* Marks of messages without a name at the source (their octets are the name) stay as long as their mailbox: a look may end before it has
  come to all of them.
* An outgoing row goes only when it is settled (sent, failed, canceled): what waits or is uncertain stays.

Ours throughout: the product publishes no more than two ages (server-side-sync reference 1.5, 1.6).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from postroom.store import Transaction
from postroom.store.leases import mailbox_of
from postroom.store.ledger import (
    PENDING,
    content,
    incoming_ledger,
    outgoing_ledger,
    outgoing_recipient,
)
from postroom.store.rows import from_micros, to_micros
from postroom.store.statements import any_of, any_value
from postroom.store.tables import TABLES, housekeeping, lease, seen_entry, state_value

__all__ = ["BATCH", "Ages", "Last", "Reading", "Removed", "Writing", "last", "note", "remove"]

BATCH = 500
"""Rows of one transaction."""
BATCH_OCTETS = 16 * 1024 * 1024
"""Octets of contents removed in one transaction."""

Writing = Callable[[], AbstractContextManager[Transaction]]
"""Opens a write transaction; may raise (StaleRun, Cancelled) to end the work."""
Reading = Callable[[], AbstractContextManager[Transaction]]

_KEPT_CONTENTS = ("parked", PENDING)
_SETTLED_OUTGOING = ("sent", "failed", "canceled")
_EMAIL = 4202
"""Object type code of email: its rows only tell of failures."""
_NAMELESS = "sha256:"
"""How `providers.mailbox_run` names messages that have no name at the source."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How long each kind of row is kept; None: for ever."""

    traces: timedelta | None = None
    statistics: timedelta | None = None
    mappings: timedelta | None = None
    memory: timedelta | None = None
    outgoing: timedelta | None = None
    contents: timedelta | None = None


@dataclass(slots=True)
class Removed:
    """What was removed, by kind of row, and in how many transactions."""

    rows: dict[str, int] = field(default_factory=dict)
    octets: int = 0
    batches: int = 0

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    def add(self, kind: str, count: int) -> None:
        if count:
            self.rows[kind] = self.rows.get(kind, 0) + count

    def __str__(self) -> str:
        found = ", ".join(f"{count} {kind}" for kind, count in self.rows.items()) or "nothing"
        return f"{found}; {self.octets} octets of contents" if self.octets else found


def remove(reading: Reading, writing: Writing, now: datetime, ages: Ages) -> Removed:
    """Everything that is older than `ages` allow."""
    work = _Work(reading, writing, now, Removed())
    if ages.traces is not None:
        work.by_row("traces", TABLES["tracelog"], _changed(TABLES["tracelog"]), now - ages.traces)
    if ages.statistics is not None:
        table = TABLES["mailboxstatistics"]
        work.by_row("mailbox statistics", table, table.c.mailboxprocesscompletedon, now - ages.statistics, in_order=True)
    if ages.mappings is not None:
        work.by_row("failures of items", TABLES["exchangesyncidmapping"], _failed(), now - ages.mappings)
    if ages.memory is not None:
        work.memory(ages.memory)
    if ages.outgoing is not None:
        work.outgoing(now - ages.outgoing)
    if ages.contents is not None:
        work.contents(now - ages.contents)
    return work.removed


def _changed(table: sa.Table) -> sa.ColumnElement[Any]:
    """When a record was changed last: an alert that is renewed stays."""
    return sa.func.coalesce(table.c.modifiedon, table.c.createdon)


def _failed() -> sa.ColumnElement[Any]:
    """When an item failed; empty for the row that links a record with an item of Exchange: it is needed as long as both are there."""
    table = TABLES["exchangesyncidmapping"]
    linked = sa.and_(
        table.c.objectid.is_not(None),
        table.c.exchangeentryid.is_not(None),
        sa.func.coalesce(table.c.objecttypecode, 0) != _EMAIL,
    )
    return sa.case((linked, None), else_=table.c.lastsyncerroroccurredon)


@dataclass(slots=True)
class _Work:
    reading: Reading
    writing: Writing
    now: datetime
    removed: Removed

    # -- rows by their age alone

    def by_row(
        self, kind: str, table: sa.Table, moment: sa.ColumnElement[Any], before: datetime, *, in_order: bool = False
    ) -> None:
        """Pages in the order of creation; looked for without the write lock. `in_order`: the moments grow with the rows, so that a
        page without an old one ends it."""
        last, old = -1, moment < to_micros(before)
        while True:
            with self.reading() as tx:
                page = tx.execute(
                    sa.select(table.c.rownumber, old).where(table.c.rownumber > last).order_by(table.c.rownumber).limit(BATCH)
                ).all()
            if not page:
                return
            last = page[-1][0]
            if wanted := [number for number, is_old in page if is_old]:
                with self._batch() as tx:
                    condition = sa.and_(any_of(table.c.rownumber, "numbers", tx.dialect), old)
                    done = tx.execute(sa.delete(table).where(condition), {"numbers": any_value(wanted, tx.dialect)})
                self.removed.add(kind, done.rowcount)
            elif in_order:
                return

    def _batch(self) -> AbstractContextManager[Transaction]:
        self.removed.batches += 1
        return self.writing()

    # -- what instances remember, and the ledger with it

    def memory(self, age: timedelta) -> None:
        for instance in list(self._instances()):
            mailbox = mailbox_of(instance)
            if mailbox is not None and not self._is_there(mailbox):
                self._forget_instance(instance)
            else:
                self._forget_absent(instance, age)
        self._forget_orphans(age)

    def _instances(self) -> Iterator[str]:
        """Every instance that remembers anything: one look-up in the index each, however many marks there are."""
        for column in (seen_entry.c.instance, state_value.c.instance):
            last = ""
            while True:
                with self.reading() as tx:
                    found = tx.execute(sa.select(sa.func.min(column)).where(column > last)).scalar()
                if found is None:
                    break
                last = str(found)
                yield last

    def _is_there(self, mailbox: str) -> bool:
        table = TABLES["mailbox"]
        with self.reading() as tx:
            return tx.execute(sa.select(table.c.rownumber).where(table.c.mailboxid == mailbox)).first() is not None

    def _forget_absent(self, instance: str, age: timedelta) -> None:
        with self.reading() as tx:
            latest = tx.execute(
                sa.select(sa.func.max(seen_entry.c.touchedon)).where(seen_entry.c.instance == instance)
            ).scalar()
        if latest is None:
            return
        before = to_micros(min(from_micros(latest), self.now) - age)
        gone = sa.and_(
            seen_entry.c.instance == instance,
            seen_entry.c.touchedon < before,
            sa.not_(seen_entry.c.sourcekey.startswith(_NAMELESS, autoescape=True)),
        )
        while self._forget_marks(instance, gone) == BATCH:
            pass

    def _forget_marks(self, instance: str, gone: sa.ColumnElement[bool]) -> int:
        """One batch of marks and the ledger rows that belong to them."""
        with self.reading() as tx:
            keys = tx.execute(sa.select(seen_entry.c.sourcekey).where(gone).limit(BATCH)).scalars().all()
        if not keys:
            return 0
        with self._batch() as tx:
            # touched since we looked: it stays
            marks = sa.and_(gone, any_of(seen_entry.c.sourcekey, "keys", tx.dialect))
            keys = (
                tx.execute(sa.select(seen_entry.c.sourcekey).where(marks), {"keys": any_value(keys, tx.dialect)})
                .scalars()
                .all()
            )
            rows = sa.and_(incoming_ledger.c.instance == instance, any_of(incoming_ledger.c.source_key, "keys", tx.dialect))
            values = {"keys": any_value(keys, tx.dialect)}
            self.removed.add("settled messages", tx.execute(sa.delete(incoming_ledger).where(rows), values).rowcount)
            self.removed.add("seen marks", tx.execute(sa.delete(seen_entry).where(marks), values).rowcount)
        return len(keys)

    def _forget_instance(self, instance: str) -> None:
        """Its mailbox was deleted: nobody ever looks there again."""
        while self._forget_marks(instance, seen_entry.c.instance == instance) == BATCH:
            pass
        with self._batch() as tx:
            states = tx.execute(sa.delete(state_value).where(state_value.c.instance == instance)).rowcount
            tx.execute(sa.delete(lease).where(lease.c.instance == instance, lease.c.holder.is_(None)))
        self.removed.add("states of deleted mailboxes", states)

    def _forget_orphans(self, age: timedelta) -> None:
        """Ledger rows of deleted mailboxes that no mark led to, by their age."""
        mailbox, before = TABLES["mailbox"], to_micros(self.now - age)
        orphan = sa.and_(incoming_ledger.c.at < before, ~sa.exists().where(mailbox.c.mailboxid == incoming_ledger.c.mailbox_id))
        with self.reading() as tx:
            boxes = tx.execute(sa.select(incoming_ledger.c.mailbox_id).where(orphan).distinct()).scalars().all()
        for box in boxes:
            condition = sa.and_(incoming_ledger.c.mailbox_id == box, orphan)
            while True:
                with self._batch() as tx:
                    some = sa.select(incoming_ledger.c.rownumber).where(condition).limit(BATCH)
                    done = tx.execute(sa.delete(incoming_ledger).where(incoming_ledger.c.rownumber.in_(some))).rowcount
                self.removed.add("settled messages", done)
                if done < BATCH:
                    break

    # -- what was sent

    def outgoing(self, before: datetime) -> None:
        last = -1
        table = outgoing_ledger
        old = sa.and_(table.c.mark.in_(_SETTLED_OUTGOING), table.c.at < to_micros(before))
        while True:
            with self.reading() as tx:
                page = tx.execute(
                    sa.select(table.c.rownumber, table.c.email_id, old)
                    .where(table.c.rownumber > last)
                    .order_by(table.c.rownumber)
                    .limit(BATCH)
                ).all()
            if not page:
                return
            last = page[-1][0]
            if wanted := [email for _, email, is_old in page if is_old]:
                with self._batch() as tx:
                    values = {"emails": any_value(wanted, tx.dialect)}
                    condition = sa.and_(any_of(table.c.email_id, "emails", tx.dialect), old)
                    again = tx.execute(sa.select(table.c.email_id).where(condition), values).scalars().all()
                    values = {"emails": any_value(again, tx.dialect)}
                    reached = any_of(outgoing_recipient.c.email_id, "emails", tx.dialect)
                    tx.execute(sa.delete(outgoing_recipient).where(reached), values)
                    done = tx.execute(sa.delete(table).where(condition), values).rowcount
                self.removed.add("settled requests to send", done)

    # -- octets

    def contents(self, before: datetime) -> None:
        """Octets that no parked or pending message needs. The index on `storedon` finds them; empty ones are from before revision 0002."""
        kept = self._kept_digests()
        stored = sa.func.coalesce(content.c.storedon, 0)
        for condition in (content.c.storedon.is_(None), content.c.storedon < to_micros(before)):
            last: tuple[int, str] = (-1, "")
            while page := self._contents_page(condition, stored, last):
                last = page[-1][2], page[-1][0]
                self._remove_contents(condition, [(digest, size) for digest, size, _ in page if digest not in kept])

    def _kept_digests(self) -> set[str]:
        box = TABLES["mailbox"]
        rows = sa.select(incoming_ledger.c.digest).join_from(
            box, incoming_ledger, incoming_ledger.c.mailbox_id == box.c.mailboxid
        )
        with self.reading() as tx:
            return set(tx.execute(rows.where(incoming_ledger.c.disposition.in_(_KEPT_CONTENTS))).scalars())

    def _contents_page(self, condition: Any, stored: Any, last: tuple[int, str]) -> list[tuple[str, int, int]]:
        after = sa.or_(stored > last[0], sa.and_(stored == last[0], content.c.digest > last[1]))
        with self.reading() as tx:
            rows = tx.execute(
                sa.select(content.c.digest, content.c.size, stored)
                .where(condition, after)
                .order_by(content.c.storedon, content.c.digest)
                .limit(BATCH)
            )
            return [(str(row[0]), int(row[1]), int(row[2])) for row in rows]

    def _remove_contents(self, condition: Any, found: list[tuple[str, int]]) -> None:
        while found:
            some: list[str] = []
            size = 0
            while found and (not some or size + found[0][1] <= BATCH_OCTETS):
                digest, octets = found.pop(0)
                some.append(digest)
                size += octets
            with self._batch() as tx:
                wanted = sa.and_(condition, any_of(content.c.digest, "digests", tx.dialect))
                values = {"digests": any_value(some, tx.dialect)}
                size = tx.execute(sa.select(sa.func.sum(content.c.size)).where(wanted), values).scalar() or 0
                done = tx.execute(sa.delete(content).where(wanted), values).rowcount
            self.removed.add("contents", done)
            self.removed.octets += int(size)


# -- when it was done last ----------------------------------------------------------------------------------------------


RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class Last:
    """The last time that retention came to its end. `memory`, `outgoing`: what had ended before may have been forgotten; None: nothing."""

    at: datetime
    memory: datetime | None = None
    outgoing: datetime | None = None


def last(tx: Transaction) -> Last | None:
    """None: never."""
    row = tx.execute(sa.select(housekeeping.c.at, housekeeping.c.detail).where(housekeeping.c.name == RETENTION)).first()
    if row is None:
        return None
    told = json.loads(row[1] or "{}")
    return Last(from_micros(row[0]), *(from_micros(told[name]) if told.get(name) else None for name in ("memory", "outgoing")))


def note(tx: Transaction, now: datetime, ages: Ages) -> None:
    """Retention came to its end. What has been forgotten once stays so when the ages grow."""
    before = last(tx)
    told = {}
    for name in ("memory", "outgoing"):
        age, earlier = getattr(ages, name), getattr(before, name, None)
        horizon = max((one for one in (earlier, now - age if age is not None else None) if one is not None), default=None)
        told[name] = to_micros(horizon) if horizon is not None else None
    values = {"at": to_micros(now), "detail": json.dumps(told)}
    if tx.execute(sa.update(housekeeping).where(housekeeping.c.name == RETENTION).values(values)).rowcount == 0:
        tx.execute(sa.insert(housekeeping), {"name": RETENTION, **values})
