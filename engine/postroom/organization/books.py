"""The books: what became of every message, to be compared with what the servers saw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from postroom.model import Mailbox
from postroom.store import ledger, retention

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["Books", "IncomingEntry", "OutgoingEntry", "RecipientEntry", "outgoing_entry", "read"]


@dataclass(frozen=True, slots=True)
class IncomingEntry:
    """One message at one place where it was offered.

    mailbox_id, address   whose; the address is the mailbox's of today, empty when the mailbox is gone
    instance, source_key  the place and its name for the message (POP3: the UIDL)
    digest                SHA-256 of the octets; empty while they are not known (`failing`)
    disposition           tracked, filtered, parked, pending (with the reason in `detail`: before the watermark), failing
    reason                name of the ReasonCode in lower case with blanks: "no correlation match"
    email_id              the activity: its own when tracked, the one it duplicates when it is a known duplicate
    """

    mailbox_id: str
    address: str
    instance: str
    source_key: str
    digest: str
    message_id: str
    subject: str
    disposition: str
    reason: str
    detail: str
    email_id: str | None
    attempts: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RecipientEntry:
    """`accepted` None: not known (not tried yet, or uncertain)."""

    address: str
    accepted: bool | None
    reply: str


@dataclass(frozen=True, slots=True)
class OutgoingEntry:
    """One request to send. `kind`: "email" or "test"; `mark`: pending, claimed, submitting, sent, failed, uncertain, canceled."""

    email_id: str
    kind: str
    message_id: str
    mailbox_id: str
    sender: str
    subject: str
    mark: str
    recipients: tuple[RecipientEntry, ...]
    attempts: int
    reason: str
    requested_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Books:
    """`left_before`, `settled_before`: retention may have forgotten messages that left their source, and requests to send that were settled,
    before these moments; None: nothing was forgotten."""

    incoming: tuple[IncomingEntry, ...]
    outgoing: tuple[OutgoingEntry, ...]
    left_before: datetime | None = None
    settled_before: datetime | None = None


def read(organization: Organization) -> Books:
    """One consistent snapshot, in the order things were first noted."""
    with organization.store.reading() as tx:
        addresses = {box.mailboxid: box.emailaddress or "" for box in tx.find(Mailbox)}
        incoming = [_incoming(row, addresses) for row in ledger.incoming_rows(tx)]
        outgoing = [outgoing_entry(row) for row in ledger.outgoing_rows(tx)]
        last = retention.last(tx)
    if last is None:
        return Books(tuple(incoming), tuple(outgoing))
    return Books(tuple(incoming), tuple(outgoing), last.memory, last.outgoing)


def _incoming(row: ledger.IncomingRow, addresses: dict[str, str]) -> IncomingEntry:
    return IncomingEntry(
        mailbox_id=row.mailbox_id,
        address=addresses.get(row.mailbox_id, ""),
        instance=row.instance,
        source_key=row.source_key,
        digest=row.digest,
        message_id=row.message_id,
        subject=row.subject,
        disposition=row.disposition,
        reason=row.reason,
        detail=row.detail,
        email_id=row.email_id,
        attempts=row.attempts,
        at=row.at,
    )


def outgoing_entry(row: ledger.OutgoingRow) -> OutgoingEntry:
    return OutgoingEntry(
        email_id=row.email_id,
        kind=row.kind,
        message_id=row.message_id,
        mailbox_id=row.mailbox_id,
        sender=row.sender,
        subject=row.subject,
        mark=row.mark,
        recipients=tuple(RecipientEntry(one.address, one.accepted, one.reply) for one in row.recipients),
        attempts=row.attempts,
        reason=row.reason,
        requested_at=row.requested_at,
        at=row.at,
    )
