"""Forward mailboxes: the message of interest is the attachment of another (server-side-sync reference 5).

A server-side rule sends a copy as attachment to the forward mailbox; what counts is the inner message, judged for the user or queue that forwarded
it. How the two are matched is not published: this is the reference's suggestion. Only the first attached message is taken (of several: later).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from postroom.mime.addresses import parse_list
from postroom.mime.parse import parse_message
from postroom.mime.values import ParsedMessage
from postroom.model import IncomingDeliveryMethod, Lookup, Mailbox, RecordState, address_key
from postroom.organization.message_values import IncomingMessage
from postroom.store import Transaction
from postroom.store.search import resolve

__all__ = ["INVALID_ITEM", "Forwarded", "unwrap"]

INVALID_ITEM = "InvalidForwardMailItem"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The inner message, and whose mailbox forwarded it."""

    message: IncomingMessage
    mailbox: Mailbox


def unwrap(tx: Transaction, outer: ParsedMessage, received_on: datetime, submitted_by: str) -> Forwarded | str:
    """What was forwarded, or in words why it is no forwarded item."""
    attached = next((one for one in outer.attachments if one.content_type.lower() == "message/rfc822"), None)
    if attached is None:
        return "the original is not an attachment"
    mailbox = _forwarder(tx, outer)
    if mailbox is None:
        return "the sender is no user or queue whose mail is delivered through a forward mailbox"
    inner = parse_message(attached.octets)
    when = inner.received[0] if inner.received else inner.date or received_on
    return Forwarded(IncomingMessage.of_parsed(inner, when, submitted_by), mailbox)


def _forwarder(tx: Transaction, outer: ParsedMessage) -> Mailbox | None:
    """By From, else Sender, else Resent-From of the outer message."""
    resent = parse_list(outer.header("Resent-From") or "").addresses
    addresses = [*outer.from_[:1], *([outer.sender] if outer.sender is not None else []), *resent[:1]]
    found = resolve(tx, (one.address for one in addresses))
    owners: list[Lookup] = []
    for address in addresses:
        rows = found.get(address_key(address.address), [])
        owners += [row.reference for row in rows if row.active and row.entity in ("systemuser", "queue")]
    if not owners:
        return None
    boxes = {
        box.regardingobjectid: box
        for box in tx.find(
            Mailbox,
            regardingobjectid=owners,
            incomingemaildeliverymethod=IncomingDeliveryMethod.FORWARD_MAILBOX,
            statecode=RecordState.ACTIVE,
        )
    }
    return next((boxes[owner] for owner in owners if owner in boxes), None)
