"""An accepted message becomes an email activity with its parties, attachments and queue items (server-side-sync reference 4.8 to 4.11)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from postroom.mime.values import Address
from postroom.model import (
    ActivityMimeAttachment,
    ActivityParty,
    CorrelationMethod,
    Email,
    EmailNotification,
    EmailState,
    EmailStatus,
    GenericRecord,
    Lookup,
    ParticipationType,
    Priority,
    QueueItem,
    UserSettings,
    address_key,
)
from postroom.model.deployment import DeploymentSettings
from postroom.model.text import clean_text, one_line
from postroom.organization.message_values import IncomingMessage, attachment_rows
from postroom.rules.ownership import choose_owner
from postroom.rules.resolution import Match, resolve_recipient
from postroom.store import Transaction

if TYPE_CHECKING:
    from postroom.organization.incoming import Judgement, Place

__all__ = ["add_queue_items", "duplicate_key", "promote"]

_NAMESPACE = uuid.UUID("5d0f4cb5-8b33-4e2f-9a34-1f6f2a0d7c11")
EMAIL_TYPE_CODE = 4202
"""Object type code of email [K]."""
_CONTACT_ADDRESS = 100
"""Characters of `contact.emailaddress1` [K]."""
_CUSTOMERS = frozenset({"contact", "account", "lead"})
_LISTS = (
    ("to", ParticipationType.TO),
    ("cc", ParticipationType.CC),
    ("bcc", ParticipationType.BCC),
)


def duplicate_key(message_id: str, *, outgoing: bool) -> str:
    """`email.messageiddupcheck`: one for each (Message-ID, direction), unique in the store (reference 4.4)."""
    return str(uuid.uuid5(_NAMESPACE, f"{int(outgoing)} {message_id}"))


def promote(
    tx: Transaction, deployment: DeploymentSettings, place: Place, message: IncomingMessage, judgement: Judgement
) -> str:
    """Write the activity and everything below it; returns its id. Raises InvalidValue when something cannot be stored, DuplicateRecord
    when another copy was faster."""
    email_id = tx.new_id()
    activity = Lookup("email", email_id)
    owner = _owner(place, message, judgement)
    sender = judgement.sender.record or _new_contact(tx, place, message, judgement, owner)
    attachments, blocked = _attachments(deployment, place.settings.maxuploadfilesize, message, activity)
    tx.create(_email(email_id, place, message, judgement, owner, sender, len(attachments), blocked))
    tx.create_many(list(_parties(place, message, judgement, activity, sender)))
    if attachments:
        tx.create_many(attachments)
    add_queue_items(tx, activity, _queues(place, message, judgement), message.subject)
    return email_id


def _email(
    email_id: str,
    place: Place,
    message: IncomingMessage,
    judgement: Judgement,
    owner: Lookup | None,
    sender: Match | None,
    attachment_count: int,
    blocked: bool,
) -> Email:
    correlation = judgement.correlation
    regarding = correlation.email.regarding if correlation is not None else None
    parent = correlation.parent if correlation is not None else None
    values: dict[str, Any] = {}
    if sender is not None:
        values = {"emailsender": sender.reference, "emailsenderobjecttypecode": sender.entity}
    if message.message_id:
        values["messageiddupcheck"] = duplicate_key(message.message_id, outgoing=False)
    return Email(
        activityid=email_id,
        statecode=EmailState.COMPLETED,
        statuscode=EmailStatus.RECEIVED,
        directioncode=False,
        ownerid=owner,
        subject=one_line(message.subject, 200),
        description=clean_text(message.body),
        mimetype="text/html" if message.html else "text/plain",
        sender=one_line(message.sender.address, 250) if message.sender is not None else None,
        torecipients=";".join(one_line(one.address, 500) for one in message.to[:100])[:500],
        messageid=message.message_id or None,
        inreplyto=message.in_reply_to or None,
        conversationindex=one_line(message.conversation_index, 2048) or None,
        correlationmethod=correlation.method if correlation is not None else CorrelationMethod.NONE,
        correlatedactivityid=Lookup("email", correlation.email.email_id) if correlation is not None else None,
        parentactivityid=Lookup("email", parent) if parent is not None else None,
        regardingobjectid=regarding,
        acceptingentityid=judgement.acceptance.accepting,
        receivingmailboxid=place.mailbox.reference if place.mailbox is not None else None,
        submittedby=one_line(message.submitted_by, 250) or None,
        prioritycode=Priority(min(2, max(0, message.importance))),
        notifications=EmailNotification.ATTACHMENT_BLOCKED if blocked else EmailNotification.NONE,
        senton=message.received_on,
        actualend=message.received_on,
        attachmentcount=attachment_count,
        **values,
    )


# -- parties ----------------------------------------------------------------------------------------------------------


def _parties(
    place: Place, message: IncomingMessage, judgement: Judgement, activity: Lookup, sender: Match | None
) -> Iterator[ActivityParty]:
    """The sender, one record or unresolved; each recipient as every record that has its address, or unresolved."""
    if message.sender is not None:
        yield _party(activity, sender.reference if sender else None, ParticipationType.SENDER, message.sender)
    for name, kind in _LISTS:
        addresses: Sequence[Address] = getattr(message, name)
        done: set[tuple[str, Lookup | None]] = set()
        for address in addresses:
            key = address_key(address.address)
            found = resolve_recipient(judgement.matches.get(key, ()), place.policies.resolution)
            references: list[Lookup | None] = [match.reference for match in found]
            for reference in references or [None]:
                if (key, reference) not in done:
                    done.add((key, reference))
                    yield _party(activity, reference, kind, address)


def _party(activity: Lookup, party: Lookup | None, kind: ParticipationType, address: Address) -> ActivityParty:
    return ActivityParty(
        activityid=activity, partyid=party, participationtypemask=kind, addressused=one_line(address.address, 200)
    )


def _owner(place: Place, message: IncomingMessage, judgement: Judgement) -> Lookup | None:
    """Reference 4.9. A queue among the recipients counts as its owner."""
    lists = [
        [owner for match in _users(place, message, judgement, name) if (owner := _acts_for(place, match))] for name, _ in _LISTS
    ]
    sender = judgement.sender.record
    mailbox_owner = place.mailbox.ownerid if place.mailbox is not None else None
    return choose_owner(
        lists,
        correlated=judgement.correlation.email.owner if judgement.correlation is not None else None,
        sender_record=sender.owner if sender is not None and sender.entity in _CUSTOMERS else None,
        fallback=mailbox_owner or judgement.acceptance.accepting,
    )


def _users(place: Place, message: IncomingMessage, judgement: Judgement, name: str) -> Iterator[Lookup]:
    for address in getattr(message, name):
        matches = judgement.matches.get(address_key(address.address), ())
        for match in resolve_recipient(matches, place.policies.resolution):
            if match.entity in ("systemuser", "queue") and match.active:
                yield match.reference


def _acts_for(place: Place, reference: Lookup) -> Lookup | None:
    return reference if reference.entity == "systemuser" else place.queue_owners.get(reference.id)


def _new_contact(
    tx: Transaction, place: Place, message: IncomingMessage, judgement: Judgement, owner: Lookup | None
) -> Match | None:
    """AutoCreateContactOnPromote: a contact for an unknown sender, where the organization and the accepting user want it."""
    accepting = judgement.acceptance.accepting
    if message.sender is None or judgement.matches.get(address_key(message.sender.address)):
        return None
    if len(message.sender.address) > _CONTACT_ADDRESS:
        return None  # half an address would be another one
    if not place.policies.switches.autocreatecontactonpromote or accepting is None or accepting.entity != "systemuser":
        return None
    if accepting.id not in place.makes_contacts:
        settings = tx.first(UserSettings, systemuserid=accepting.id)
        place.makes_contacts[accepting.id] = settings is not None and settings.autocreatecontactonpromote
    if not place.makes_contacts[accepting.id]:
        return None
    name = one_line(message.sender.name or message.sender.address, 160)
    first, _, last = name.rpartition(" ")
    values: dict[str, Any] = {
        "fullname": name,
        "firstname": first,
        "lastname": last,
        "emailaddress1": one_line(message.sender.address, _CONTACT_ADDRESS),
        "ownerid": owner or accepting,
        "createdon": tx.now(),
    }
    return Match(tx.create(GenericRecord("contact", "", values)).reference, owner=owner or accepting)


# -- attachments and queue items --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Limits:
    size: int
    blocked: frozenset[str]


def _attachments(
    deployment: DeploymentSettings, size: int, message: IncomingMessage, activity: Lookup
) -> tuple[list[ActivityMimeAttachment], bool]:
    """The files that may be kept, and whether any was left out (blocked extension or too large, reference 4.11)."""
    limits = _Limits(size, deployment.blocked_extensions)
    kept = [one for one in message.attachments if not _refused(one.filename, len(one.octets), limits)]
    return attachment_rows(activity, kept), len(kept) < len(message.attachments)


def _refused(filename: str, size: int, limits: _Limits) -> bool:
    _, dot, extension = filename.rstrip(". ").rpartition(".")
    return size > limits.size or (bool(dot) and extension.lower() in limits.blocked)


def _queues(place: Place, message: IncomingMessage, judgement: Judgement) -> list[Lookup]:
    """One queue item for each resolved queue recipient, and for the synchronizing queue, as the switches say."""
    switches = place.policies.switches
    found: dict[Lookup, None] = {}
    if switches.createqueueitemsforacceptingqueuerecipients:
        for name, _ in _LISTS:
            found |= {one: None for one in _users(place, message, judgement, name) if one.entity == "queue"}
        accepting = judgement.acceptance.accepting
        if accepting is not None and accepting.entity == "queue":
            found[accepting] = None
    if switches.createqueueitemforsynchronizingmailbox and place.owner is not None and place.owner.entity == "queue":
        found[place.owner] = None
    return list(found)


def add_queue_items(tx: Transaction, activity: Lookup, queues: Sequence[Lookup], title: str) -> None:
    """The activity in each of these queues, unless it is there."""
    for queue in queues:
        if tx.first(QueueItem, objectid=activity, queueid=queue) is None:
            row = QueueItem(
                queueid=queue, objectid=activity, objecttypecode=EMAIL_TYPE_CODE, title=one_line(title, 300), enteredon=tx.now()
            )
            tx.create(row)
