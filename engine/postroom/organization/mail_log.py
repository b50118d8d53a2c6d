"""The ledger for people: what came in and what became of it, what was to be sent; the newest first (ours)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import RecordNotFound
from postroom.model import EmailStatus, Mailbox, MailboxTestStatus, RecordState, TraceLevel
from postroom.organization.books import OutgoingEntry, outgoing_entry
from postroom.store import TABLES, Transaction, ledger
from postroom.store.rows import from_micros

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["DISPOSITIONS", "MailRow", "find_mail", "mail", "mail_row", "outgoing", "summary"]

DISPOSITIONS = ("tracked", "filtered", "parked", "pending", "failing")
_incoming = ledger.incoming_ledger
_email = TABLES["email"]


@dataclass(frozen=True, slots=True)
class MailRow:
    """One message at one place where it was offered.

    number   names the row for good
    address  the mailbox's of today; empty when the mailbox is gone
    sender   the first From address, as far as it is known
    digest   SHA-256 of the octets; empty while they are not known (`failing`)
    head     see `heads`; None where octets are kept or nothing was
    """

    number: int
    mailbox_id: str
    address: str
    source_key: str
    digest: str
    size: int
    message_id: str
    subject: str
    sender: str
    disposition: str
    reason: str
    detail: str
    email_id: str | None
    attempts: int
    received_on: datetime | None
    at: datetime
    head: str | None = None


_mailbox = TABLES["mailbox"]
_ROWS = (
    sa.select(
        _incoming.c.rownumber,
        _incoming.c.mailbox_id,
        _mailbox.c.emailaddress,
        _incoming.c.source_key,
        _incoming.c.digest,
        _incoming.c.size,
        _incoming.c.message_id,
        _incoming.c.subject,
        _email.c.sender,
        _incoming.c.disposition,
        _incoming.c.reason,
        _incoming.c.detail,
        _incoming.c.email_id,
        _incoming.c.attempts,
        _incoming.c.received_on,
        _incoming.c.at,
        _incoming.c.head,
    )
    .select_from(
        _incoming.outerjoin(_mailbox, _mailbox.c.mailboxid == _incoming.c.mailbox_id).outerjoin(
            _email, _email.c.activityid == _incoming.c.email_id
        )
    )
    .order_by(_incoming.c.rownumber.desc())
)


def _row(values: Sequence[Any]) -> MailRow:
    number, mailbox_id, address, key, digest, size, message_id, subject, sender, *rest = values
    disposition, reason, detail, email_id, attempts, received_on, at, head = rest
    if head is not None:
        senders = json.loads(head).get("from_") or [[""]]
        sender = senders[0][0]
    return MailRow(
        number,
        mailbox_id,
        address or "",
        key,
        digest,
        size,
        message_id,
        subject,
        sender or "",
        disposition,
        reason,
        detail,
        email_id,
        attempts,
        None if received_on is None else from_micros(received_on),
        from_micros(at),
        head,
    )


def mail(organization: Organization, *, mailbox_id: str | None, disposition: str | None, limit: int | None) -> list[MailRow]:
    wanted = _ROWS
    if mailbox_id is not None:
        wanted = wanted.where(_incoming.c.mailbox_id == mailbox_id)
    if disposition is not None:
        wanted = wanted.where(_incoming.c.disposition == disposition)
    if limit is not None:
        wanted = wanted.limit(limit)
    with organization.store.reading() as tx:
        return [_row(values) for values in tx.execute(wanted)]


def mail_row(tx: Transaction, number: int) -> MailRow:
    """Raises RecordNotFound."""
    found = tx.execute(_ROWS.where(_incoming.c.rownumber == number)).first()
    if found is None:
        raise RecordNotFound(f"no mail has the number {number}")
    return _row(found)


def find_mail(organization: Organization, text: str) -> list[MailRow]:
    """By number, Message-ID or subject (in any case); the newest first."""
    if text.lstrip("#").isdecimal() and len(text) < 18:
        with organization.store.reading() as tx:
            return [mail_row(tx, int(text.lstrip("#")))]
    plain = text.strip()
    identifier = plain if plain.startswith("<") else f"<{plain}>"
    condition = sa.or_(_incoming.c.message_id.in_((plain, identifier)), sa.func.lower(_incoming.c.subject) == plain.lower())
    with organization.store.reading() as tx:
        return [_row(values) for values in tx.execute(_ROWS.where(condition))]


# -- outgoing ---------------------------------------------------------------------------------------------------------


def outgoing(
    organization: Organization,
    *,
    marks: Sequence[str] = (),
    email_ids: Sequence[str] | None = None,
    tests: bool = False,
    limit: int | None = None,
) -> list[OutgoingEntry]:
    table = ledger.outgoing_ledger
    numbers = sa.select(table.c.rownumber).order_by(table.c.rownumber.desc())
    if marks:
        numbers = numbers.where(table.c.mark.in_(tuple(marks)))
    if email_ids is not None:
        numbers = numbers.where(table.c.email_id.in_(tuple(email_ids)))
    if not tests:
        numbers = numbers.where(table.c.kind == "email")
    if limit is not None:
        numbers = numbers.limit(limit)
    with organization.store.reading() as tx:
        rows = ledger.outgoing_rows(tx, table.c.rownumber.in_(numbers))
    return [outgoing_entry(row) for row in reversed(rows)]


# -- at a glance ------------------------------------------------------------------------------------------------------


def summary(organization: Organization) -> dict[str, Any]:
    """Counts: mailboxes and how they stand, mail by disposition, emails to be sent, what a person has to look at."""
    alert = TABLES["tracelog"]
    with organization.store.reading() as tx:
        boxes = tx.find(Mailbox)
        mail_counts = _counted(tx, _incoming.c.disposition)
        marks = _counted(tx, ledger.outgoing_ledger.c.mark, ledger.outgoing_ledger.c.kind == "email")
        waiting = tx.execute(
            sa.select(sa.func.count()).select_from(_email).where(_email.c.statuscode == int(EmailStatus.PENDING_SEND))
        ).scalar()
        errors = tx.execute(
            sa.select(sa.func.count()).select_from(alert).where(alert.c.level == int(TraceLevel.ERROR))
        ).scalar()
    active = [box for box in boxes if box.statecode is RecordState.ACTIVE]
    failing = [box for box in active if MailboxTestStatus.FAILURE in (box.incomingemailstatus, box.outgoingemailstatus)]
    return {
        "mailboxes": len(boxes),
        "mailboxes_enabled_for_incoming": sum(box.enabledforincomingemail for box in active),
        "mailboxes_enabled_for_outgoing": sum(box.enabledforoutgoingemail for box in active),
        "mailboxes_failing": len(failing),
        **{f"mail_{name}": mail_counts.get(name, 0) for name in DISPOSITIONS},
        "emails_waiting": waiting or 0,
        "emails_sent": marks.get("sent", 0),
        "emails_failed": marks.get("failed", 0),
        "emails_uncertain": marks.get("uncertain", 0),
        "alerts_of_errors": errors or 0,
    }


def _counted(tx: Transaction, column: sa.ColumnElement[Any], *conditions: sa.ColumnElement[bool]) -> dict[str, int]:
    return {
        str(name): int(number)
        for name, number in tx.execute(sa.select(column, sa.func.count()).where(*conditions).group_by(column))
    }
