"""The ledger: what became of every message, incoming and outgoing, and the octets of what came in, once by SHA-256.

The ledger is the truth that the books are drawn from. Plain functions over a `Transaction`; nothing here decides anything: dispositions and
marks are given by the organization (`rules.outgoing_state.Mark`, `providers.contract.Disposition`) and kept as words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from postroom.store.prepared import Prepared
from postroom.store.rows import from_micros, to_micros
from postroom.store.tables import TABLES, TEXT, metadata, row_number, seen_entry

if TYPE_CHECKING:
    from postroom.store import Transaction

__all__ = [
    "FAILING",
    "PART",
    "PENDING",
    "IncomingRow",
    "Known",
    "OutgoingRow",
    "RecipientRow",
    "add_outgoing",
    "content",
    "count_failure",
    "forget_pending",
    "forget_seen",
    "incoming_ledger",
    "incoming_rows",
    "known_offer",
    "next_counter",
    "outgoing_ledger",
    "outgoing_of",
    "outgoing_recipient",
    "outgoing_rows",
    "read_content",
    "record_incoming",
    "record_recipients",
    "reopen_deleted",
    "settled_among",
    "store_content",
    "tracking_counter",
    "update_outgoing",
]

PENDING = "pending"
"""An offer that was noted and not settled (before the watermark): the next look may settle it."""
PART = " part "
"""Between the source's key of an item and the number of one of several messages in it, each of which has a row of its own."""
FAILING = "failing"
"""Attempts at a message whose octets may not even be known; it ends with another disposition."""

_CHUNK = 500
T = TypeVar("T")

incoming_ledger = sa.Table(
    "incoming_ledger",
    metadata,
    row_number(),
    sa.Column("instance", TEXT, nullable=False),
    sa.Column("source_key", TEXT, nullable=False),
    sa.Column("digest", TEXT, nullable=False),  # "" while failing
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("mailbox_id", TEXT, nullable=False),
    sa.Column("message_id", TEXT, nullable=False),
    sa.Column("subject", TEXT, nullable=False),
    sa.Column("disposition", TEXT, nullable=False),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("detail", TEXT, nullable=False),
    sa.Column("email_id", TEXT),
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("received_on", sa.BigInteger()),
    sa.Column("at", sa.BigInteger(), nullable=False),
    sa.Column("head", TEXT),  # what was judged, where no octets are kept: organization.heads
    sa.Index(None, "instance", "source_key", "digest", unique=True),
    sa.Index(None, "instance", "digest"),
    sa.Index(None, "mailbox_id", "disposition"),
)
"""One row for each message at each place it was offered: (instance, source key, digest)."""

outgoing_ledger = sa.Table(
    "outgoing_ledger",
    metadata,
    row_number(),
    sa.Column("email_id", TEXT, nullable=False, unique=True),  # of a test: an id of its own
    sa.Column("kind", TEXT, nullable=False),  # "email" or "test"
    sa.Column("mailbox_id", TEXT, nullable=False),
    sa.Column("message_id", TEXT, nullable=False),
    sa.Column("sender", TEXT, nullable=False),
    sa.Column("subject", TEXT, nullable=False),
    sa.Column("date", sa.BigInteger(), nullable=False),  # the Date field, the same on each try
    sa.Column("mark", TEXT, nullable=False),
    sa.Column("instance", TEXT, nullable=False),  # who claimed it
    sa.Column("token", sa.BigInteger(), nullable=False),  # with which fence; 0 without
    sa.Column("attempts", sa.Integer(), nullable=False),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("requested_at", sa.BigInteger(), nullable=False),
    sa.Column("at", sa.BigInteger(), nullable=False),
    sa.Index(None, "mailbox_id", "mark"),
    sa.Index(None, "instance", "mark"),
)
"""One row for each email that somebody asked to send, and for each test message."""

outgoing_recipient = sa.Table(
    "outgoing_recipient",
    metadata,
    row_number(),
    sa.Column("email_id", TEXT, nullable=False),
    sa.Column("address", TEXT, nullable=False),
    sa.Column("accepted", sa.Boolean()),  # NULL: not known yet
    sa.Column("permanent", sa.Boolean(), nullable=False),
    sa.Column("reply", TEXT, nullable=False),
    sa.Index(None, "email_id", "address", unique=True),
)
"""The envelope: one row for each recipient and what became of it."""

content = sa.Table(
    "content",
    metadata,
    sa.Column("digest", TEXT, primary_key=True),
    sa.Column("size", sa.BigInteger(), nullable=False),
    sa.Column("octets", sa.LargeBinary(), nullable=False),
    sa.Column("storedon", sa.BigInteger()),  # last offered; NULL: before revision 0002
    sa.Index(None, "storedon"),
)
"""Octets, once by SHA-256."""

tracking_counter = sa.Table(
    "tracking_counter",
    metadata,
    sa.Column("user_id", TEXT, primary_key=True),  # "" is the engine
    sa.Column("number", sa.BigInteger(), nullable=False),
    sa.Column("counter", sa.BigInteger(), nullable=False),
)
"""Each sending user's number, counted from 1, and the counter of its next message (server-side-sync reference 4.5)."""


@dataclass(frozen=True, slots=True)
class IncomingRow:
    """See `incoming_ledger`."""

    instance: str
    source_key: str
    digest: str
    size: int
    mailbox_id: str
    message_id: str
    subject: str
    disposition: str
    reason: str
    detail: str
    email_id: str | None
    attempts: int
    received_on: datetime | None
    at: datetime
    head: str | None = None


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """See `outgoing_recipient`. `accepted` None: not known."""

    address: str
    accepted: bool | None
    permanent: bool
    reply: str


@dataclass(frozen=True, slots=True)
class OutgoingRow:
    """See `outgoing_ledger`."""

    email_id: str
    kind: str
    mailbox_id: str
    message_id: str
    sender: str
    subject: str
    date: datetime
    mark: str
    instance: str
    token: int
    attempts: int
    reason: str
    requested_at: datetime
    at: datetime
    recipients: tuple[RecipientRow, ...] = ()


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Pieces small enough for one statement's parameters."""
    rest = iter(values)
    while piece := list(islice(rest, _CHUNK)):
        yield piece


# -- incoming -----------------------------------------------------------------------------------------------------------


_INCOMING_COLUMNS = [column for column in incoming_ledger.c if column.name != "rownumber"]
_INCOMING_NAMES = tuple(column.name for column in _INCOMING_COLUMNS)
_KEY = (
    (incoming_ledger.c.instance == sa.bindparam("instance_"))
    & (incoming_ledger.c.source_key == sa.bindparam("source_key_"))
    & (incoming_ledger.c.digest == sa.bindparam("digest_"))
)
_FIND = Prepared(
    sa.select(incoming_ledger.c.digest, incoming_ledger.c.disposition, incoming_ledger.c.email_id).where(
        incoming_ledger.c.instance == sa.bindparam("instance_"),
        incoming_ledger.c.source_key == sa.bindparam("source_key_"),
        incoming_ledger.c.digest.in_(("", sa.bindparam("digest_"))),
    )
)
_DROP = Prepared(sa.delete(incoming_ledger).where(_KEY))
_UPDATE_INCOMING = Prepared(sa.update(incoming_ledger).where(_KEY))  # SET comes from the parameters named as columns
_ALL_INCOMING = Prepared(sa.select(*_INCOMING_COLUMNS).order_by(incoming_ledger.c.rownumber))
_INSERT_INCOMING = Prepared(sa.insert(incoming_ledger).inline())


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger has on an offer. `disposition` None: nothing yet; `failing`: attempts were counted."""

    disposition: str | None = None
    email_id: str | None = None
    failing: bool = False


def known_offer(tx: Transaction, instance: str, source_key: str, digest: str) -> Known:
    """One statement."""
    disposition, email_id, failing = None, None, False
    for row in tx.execute(_FIND, {"instance_": instance, "source_key_": source_key, "digest_": digest}):
        if row[0] == digest:
            disposition, email_id = row[1], row[2]
        else:
            failing = True
    return Known(disposition, email_id, failing)


def record_incoming(tx: Transaction, row: IncomingRow, known: Known) -> None:
    """Write the disposition of an offer; a later one replaces an earlier one. Attempts counted before are closed with it."""
    values = {name: getattr(row, name) for name in _INCOMING_NAMES}
    values["received_on"] = None if row.received_on is None else to_micros(row.received_on)
    values["at"] = to_micros(row.at)
    key = {"instance_": row.instance, "source_key_": row.source_key}
    if known.disposition is not None:
        tx.execute(_UPDATE_INCOMING, {**values, **key, "digest_": row.digest})
    else:
        tx.execute(_INSERT_INCOMING, values)
    if known.failing and row.digest:
        tx.execute(_DROP, {**key, "digest_": ""})


def count_failure(tx: Transaction, instance: str, source_key: str, mailbox_id: str, detail: str, now: datetime) -> int:
    """One more failed attempt at a message; returns how many there were."""
    found = tx.execute(
        sa.select(incoming_ledger.c.attempts).where(_KEY),
        {"instance_": instance, "source_key_": source_key, "digest_": ""},
    ).scalar()
    attempts = (found or 0) + 1
    row = IncomingRow(instance, source_key, "", 0, mailbox_id, "", "", FAILING, "failed", detail, None, attempts, None, now)
    record_incoming(tx, row, Known(FAILING if found is not None else None))
    return attempts


def settled_among(tx: Transaction, instance: str, digests: Iterable[str]) -> dict[str, str]:
    """digest -> disposition of those octets that this instance has settled, under whatever source key."""
    found: dict[str, str] = {}
    for piece in chunks(dict.fromkeys(digests)):
        rows = tx.execute(
            sa.select(incoming_ledger.c.digest, incoming_ledger.c.disposition)
            .where(incoming_ledger.c.instance == instance, incoming_ledger.c.digest.in_(piece))
            .where(incoming_ledger.c.disposition.not_in((PENDING, FAILING)))
            .order_by(incoming_ledger.c.rownumber)
        )
        found.update((row[0], row[1]) for row in rows)
    return found


def forget_pending(tx: Transaction, mailbox_ids: Sequence[str], since: datetime | None) -> dict[str, list[str]]:
    """Take back the notes "before the watermark" on messages received at or after `since` (None: all), so that they are offered anew.
    Returns instance -> source keys."""
    found: dict[str, list[str]] = {}
    for piece in chunks(mailbox_ids):
        condition = incoming_ledger.c.mailbox_id.in_(piece) & (incoming_ledger.c.disposition == PENDING)
        if since is not None:
            condition &= incoming_ledger.c.received_on >= to_micros(since)
        for instance, source_key in tx.execute(
            sa.select(incoming_ledger.c.instance, incoming_ledger.c.source_key).where(condition)
        ):
            found.setdefault(instance, []).append(source_key)
        tx.execute(sa.delete(incoming_ledger).where(condition))
    return found


def reopen_deleted(tx: Transaction, mailbox_ids: Sequence[str], since: datetime | None) -> dict[str, list[str]]:
    """Messages received at or after `since` (None: all) whose activity was deleted are pending again: what a lowered date makes eligible
    (server-side-sync reference 4.2). Returns instance -> source keys."""
    email = TABLES["email"]
    found: dict[str, list[str]] = {}
    for piece in chunks(mailbox_ids):
        condition = sa.and_(
            incoming_ledger.c.mailbox_id.in_(piece),
            incoming_ledger.c.disposition == "tracked",
            ~sa.exists().where(email.c.activityid == incoming_ledger.c.email_id),
        )
        if since is not None:
            condition &= incoming_ledger.c.received_on >= to_micros(since)
        rows = tx.execute(
            sa.select(incoming_ledger.c.rownumber, incoming_ledger.c.instance, incoming_ledger.c.source_key).where(condition)
        ).all()
        for _, instance, source_key in rows:
            keys = found.setdefault(instance, [])
            item = source_key.partition(PART)[0]  # of several messages in one the whole item is offered anew
            if item not in keys[-1:]:
                keys.append(item)
        for numbers in chunks(row[0] for row in rows):
            _reopen(tx, incoming_ledger.c.rownumber.in_(numbers))
        for instance, source_key in {(row[1], row[2].partition(PART)[0]) for row in rows if PART in row[2]}:
            _reopen(
                tx,
                sa.and_(
                    incoming_ledger.c.instance == instance,
                    incoming_ledger.c.source_key == source_key,
                    incoming_ledger.c.disposition == "tracked",
                ),
            )
    return found


def _reopen(tx: Transaction, which: sa.ColumnElement[bool]) -> None:
    detail = "the activity was deleted and the date lowered"
    values = {"disposition": PENDING, "email_id": None, "reason": "reopened", "detail": detail}
    tx.execute(sa.update(incoming_ledger).where(which).values(**values))


def forget_seen(tx: Transaction, instance: str, source_keys: Iterable[str]) -> None:
    """Take keys out of an instance's memory, so that they are offered anew."""
    for piece in chunks(source_keys):
        tx.execute(sa.delete(seen_entry).where(seen_entry.c.instance == instance, seen_entry.c.sourcekey.in_(piece)))


def incoming_rows(tx: Transaction) -> list[IncomingRow]:
    """All, in the order they were first noted."""
    found = []
    for values in tx.execute(_ALL_INCOMING):
        row = dict(zip(_INCOMING_NAMES, values, strict=True))
        row["received_on"] = None if row["received_on"] is None else from_micros(row["received_on"])
        row["at"] = from_micros(row["at"])
        found.append(IncomingRow(**row))
    return found


# -- contents -----------------------------------------------------------------------------------------------------------


def _keep(insert: Any) -> Prepared:
    return Prepared(insert.on_conflict_do_update(index_elements=["digest"], set_={"storedon": insert.excluded.storedon}))


_STORE_CONTENT = {"sqlite": _keep(sqlite.insert(content)), "postgresql": _keep(postgresql.insert(content))}


def store_content(tx: Transaction, digest: str, octets: bytes) -> None:
    """Keep octets under their SHA-256; when they are kept already, from now on as new."""
    now = to_micros(tx.now())
    tx.execute(_STORE_CONTENT[tx.dialect], {"digest": digest, "size": len(octets), "octets": octets, "storedon": now})


def read_content(tx: Transaction, digest: str) -> bytes | None:
    found = tx.execute(sa.select(content.c.octets).where(content.c.digest == digest)).scalar()
    return None if found is None else bytes(found)


# -- outgoing -----------------------------------------------------------------------------------------------------------


_OUTGOING_COLUMNS = [column for column in outgoing_ledger.c if column.name != "rownumber"]
_OUTGOING_NAMES = tuple(column.name for column in _OUTGOING_COLUMNS)
_ALL_OUTGOING = sa.select(*_OUTGOING_COLUMNS).order_by(outgoing_ledger.c.rownumber)
_ALL_RECIPIENTS = sa.select(
    outgoing_recipient.c.email_id,
    outgoing_recipient.c.address,
    outgoing_recipient.c.accepted,
    outgoing_recipient.c.permanent,
    outgoing_recipient.c.reply,
).order_by(outgoing_recipient.c.rownumber)
_EVERYTHING = Prepared(_ALL_OUTGOING), Prepared(_ALL_RECIPIENTS)


def add_outgoing(tx: Transaction, row: OutgoingRow) -> None:
    """A new request to send. An email that failed and is sent again replaces its earlier row, recipients included."""
    tx.execute(sa.delete(outgoing_ledger).where(outgoing_ledger.c.email_id == row.email_id))
    tx.execute(sa.delete(outgoing_recipient).where(outgoing_recipient.c.email_id == row.email_id))
    values = {column.name: getattr(row, column.name) for column in _OUTGOING_COLUMNS}
    for name in ("date", "requested_at", "at"):
        values[name] = to_micros(values[name])
    tx.execute(sa.insert(outgoing_ledger), values)
    if row.recipients:
        tx.execute(
            sa.insert(outgoing_recipient),
            [
                {
                    "email_id": row.email_id,
                    "address": one.address,
                    "accepted": one.accepted,
                    "permanent": one.permanent,
                    "reply": one.reply,
                }
                for one in row.recipients
            ],
        )


def update_outgoing(tx: Transaction, email_id: str, values: Mapping[str, Any]) -> None:
    """Change a row: `mark`, `attempts`, `reason`, `instance`, `token`, `at` (a datetime)."""
    changed = {name: to_micros(value) if isinstance(value, datetime) else value for name, value in values.items()}
    tx.execute(sa.update(outgoing_ledger).where(outgoing_ledger.c.email_id == email_id).values(changed))


def record_recipients(tx: Transaction, email_id: str, results: Iterable[RecipientRow]) -> None:
    """What the server said about each recipient."""
    for one in results:
        tx.execute(
            sa.update(outgoing_recipient)
            .where(outgoing_recipient.c.email_id == email_id, outgoing_recipient.c.address == one.address)
            .values(accepted=one.accepted, permanent=one.permanent, reply=one.reply)
        )


def outgoing_of(tx: Transaction, email_id: str) -> OutgoingRow | None:
    """One row with its recipients, or None."""
    return next(iter(outgoing_rows(tx, outgoing_ledger.c.email_id == email_id)), None)


def outgoing_rows(tx: Transaction, condition: sa.ColumnElement[bool] | None = None) -> list[OutgoingRow]:
    """Rows with their recipients, in the order they were requested; all of them without a condition."""
    wanted: Any
    reached: Any
    wanted, reached = _EVERYTHING
    if condition is not None:
        wanted = _ALL_OUTGOING.where(condition)
        emails = sa.select(outgoing_ledger.c.email_id).where(condition)
        reached = _ALL_RECIPIENTS.where(outgoing_recipient.c.email_id.in_(emails))
    recipients: dict[str, list[RecipientRow]] = {}
    for email_id, address, accepted, permanent, reply in tx.execute(reached):
        recipients.setdefault(email_id, []).append(RecipientRow(address, accepted, permanent, reply))
    found = []
    for values in tx.execute(wanted):
        row = dict(zip(_OUTGOING_NAMES, values, strict=True))
        for name in ("date", "requested_at", "at"):
            row[name] = from_micros(row[name])
        found.append(OutgoingRow(**row, recipients=tuple(recipients.get(row["email_id"], ()))))
    return found


# -- tracking tokens ----------------------------------------------------------------------------------------------------


def next_counter(tx: Transaction, user_id: str, first: int = 0) -> tuple[int, int]:
    """(user number, message counter) for the user's next token. A user is numbered when it first sends; its counter counts from `first`."""
    found = tx.execute(
        sa.select(tracking_counter.c.number, tracking_counter.c.counter).where(tracking_counter.c.user_id == user_id)
    ).first()
    if found is None:
        last = tx.execute(sa.select(sa.func.max(tracking_counter.c.number))).scalar()
        number = (last or 0) + 1
        tx.execute(sa.insert(tracking_counter), {"user_id": user_id, "number": number, "counter": first + 1})
        return number, first
    tx.execute(
        sa.update(tracking_counter).where(tracking_counter.c.user_id == user_id).values(counter=tracking_counter.c.counter + 1)
    )
    return found[0], found[1]
