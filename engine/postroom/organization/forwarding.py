"""Forward mailboxes: the messages of interest are attachments of another (server-side-sync reference 5).

A server-side rule sends a copy as attachment to the forward mailbox; what counts is the inner message, judged for the user or queue that forwarded
it. How the two are matched is not published: this is the reference's suggestion. Each attached message is taken; what is attached to one of those is
an attachment like any other (ours: messages are not dug out of messages).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from postroom.mime.addresses import parse_list
from postroom.mime.parse import parse_message
from postroom.mime.values import Address, Limits, ParsedMessage
from postroom.model import IncomingDeliveryMethod, Lookup, Mailbox, RecordState, address_key
from postroom.organization.message_values import IncomingMessage
from postroom.store import Transaction
from postroom.store.search import resolve

__all__ = ["INVALID_ITEM", "PARTS", "Forwarded", "Inner", "unwrap"]

INVALID_ITEM = "InvalidForwardMailItem"
PARTS = 50
"""Attached messages that are taken from one; an item with more is no forwarded mail. Ours."""


@dataclass(frozen=True, slots=True)
class Inner:
    """One attached message, and its own octets."""

    message: IncomingMessage
    octets: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The inner messages in their order, at least one, and whose mailbox forwarded them."""

    inner: tuple[Inner, ...]
    mailbox: Mailbox

    @property
    def message(self) -> IncomingMessage:
        """The first of them."""
        return self.inner[0].message


def unwrap(tx: Transaction, outer: ParsedMessage, received_on: datetime, submitted_by: str) -> Forwarded | str:
    """What was forwarded, or in words why it is no forwarded item."""
    attached = [one for one in outer.attachments if one.content_type.lower() == "message/rfc822"]
    if not attached:
        return "the original is not an attachment"
    if len(attached) > PARTS:
        return f"{len(attached)} messages are attached, at most {PARTS} are taken"
    mailbox = _forwarder(tx, outer)
    if mailbox is None:
        return "the sender is no user or queue whose mail is delivered through a forward mailbox"
    limits = Limits(seconds=Limits().seconds / len(attached))
    inner = (_inner(one.octets, limits, received_on, submitted_by) for one in attached)
    return Forwarded(tuple(inner), mailbox)


def _inner(octets: bytes, limits: Limits, received_on: datetime, submitted_by: str) -> Inner:
    parsed = parse_message(octets, limits=limits)
    when = parsed.received[0] if parsed.received else parsed.date or received_on
    return Inner(IncomingMessage.of_parsed(parsed, when, submitted_by), octets, parsed.digest)


def _forwarders(outer: ParsedMessage) -> Iterator[Address]:
    """Who may have forwarded it: From, else Sender, else Resent-From (suggested)."""
    yield from outer.from_[:1]
    if outer.sender is not None:
        yield outer.sender
    yield from parse_list(outer.header("Resent-From") or "").addresses[:1]


def _forwarder(tx: Transaction, outer: ParsedMessage) -> Mailbox | None:
    """The first of them that is a user or queue with incoming method Forward Mailbox and an active mailbox."""
    addresses = list(_forwarders(outer))
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
