"""An accepted message becomes an email activity with its parties, attachments and queue items (server-side-sync reference 4.8 to 4.11)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from postroom.mime.values import Address
from postroom.model import (
    ActivityParty,
    Email,
    EmailNotification,
    EmailState,
    EmailStatus,
    GenericRecord,
    Lookup,
    ParticipationType,
    Priority,
    QueueItem,
    SystemUser,
    UserSettings,
    address_key,
)
from postroom.model.deployment import DeploymentSettings
from postroom.model.text import clean_text, one_line
from postroom.organization.correlating import store_hashes
from postroom.organization.message_values import IncomingMessage, attachment_rows
from postroom.rules.attachments import is_kept
from postroom.rules.conversation_index import base_hash, base_of
from postroom.rules.correlation import method_without_match
from postroom.rules.ownership import choose_owner
from postroom.rules.resolution import Match, resolve_recipient
from postroom.store import Transaction

if TYPE_CHECKING:
    from postroom.organization.incoming import Judgement, Place

__all__ = ["add_queue_items", "duplicate_key", "notification_of", "promote", "record_for_strangers"]

_NAMESPACE = uuid.UUID("5d0f4cb5-8b33-4e2f-9a34-1f6f2a0d7c11")
EMAIL_TYPE_CODE = 4202
"""Object type code of email [K]."""
_CONTACT_ADDRESS = 100
"""Characters of `contact.emailaddress1` [K]."""
_CUSTOMERS = frozenset({"contact", "account", "lead"})
_PARENT_ACCOUNT = {"contact": "parentcustomerid", "lead": "parentaccountid"}
"""Where a sender's account stands [K]."""
_LISTS = (
    ("to", ParticipationType.TO),
    ("cc", ParticipationType.CC),
    ("bcc", ParticipationType.BCC),
)


def duplicate_key(message_id: str, *, outgoing: bool) -> str:
    """`email.messageiddupcheck`: one for each (Message-ID, direction), unique in the store (reference 4.4)."""
    return str(uuid.uuid5(_NAMESPACE, f"{int(outgoing)} {message_id}"))


def promote(
    tx: Transaction,
    deployment: DeploymentSettings,
    place: Place,
    message: IncomingMessage,
    judgement: Judgement,
    *,
    email_id: str = "",
) -> str:
    """Write the activity and everything below it; returns its id (`email_id` where it is given: manual tracking). Raises InvalidValue when something
    cannot be stored, DuplicateRecord when another copy was faster."""
    email_id = email_id or tx.new_id()
    activity = Lookup("email", email_id)
    owner = _owner(place, message, judgement)
    sender = judgement.sender.record or _new_contact(tx, place, message, judgement, owner)
    kept = [one for one in message.attachments if is_kept(one.filename, len(one.octets), place.policies.attachments)]
    files = attachment_rows(activity, kept)
    limit = deployment.maximum_body_characters
    notification = notification_of(blocked=len(kept) < len(message.attachments), cut=len(message.body) > limit)
    account = _account_of(tx, sender)
    email = _email(email_id, place, message, judgement, owner, sender, account, message.body[:limit], len(files), notification)
    tx.create(email)
    tx.create_many(list(_parties(place, message, judgement, activity, sender)))
    if files:
        tx.create_many(files)
    store_hashes(tx, place.policies, email_id, message.subject, message.everybody)
    add_queue_items(tx, email, _queues(tx, place, message, judgement))
    return email_id


def notification_of(*, blocked: bool, cut: bool) -> EmailNotification:
    """`email.notifications`: a file that is missing is told before a body that was cut; the column holds one of them (ours)."""
    if blocked:
        return EmailNotification.ATTACHMENT_BLOCKED
    return EmailNotification.TRUNCATED_BODY if cut else EmailNotification.NONE


def _email(
    email_id: str,
    place: Place,
    message: IncomingMessage,
    judgement: Judgement,
    owner: Lookup | None,
    sender: Match | None,
    account: Lookup | None,
    body: str,
    attachment_count: int,
    notification: EmailNotification,
) -> Email:
    correlation = judgement.correlation
    regarding = correlation.email.regarding if correlation is not None else None
    parent = correlation.parent if correlation is not None else None
    values: dict[str, Any] = {}
    if sender is not None:
        values = {"emailsender": sender.reference, "emailsenderobjecttypecode": sender.entity, "sendersaccount": account}
    base = base_of(message.conversation_index)
    if base is not None:
        values["baseconversationindexhash"] = base_hash(base)
    if message.message_id:
        values["messageiddupcheck"] = duplicate_key(message.message_id, outgoing=False)
    return Email(
        activityid=email_id,
        statecode=EmailState.COMPLETED,
        statuscode=EmailStatus.RECEIVED,
        directioncode=False,
        ownerid=owner,
        subject=one_line(message.subject, 200),
        description=clean_text(body),
        mimetype="text/html" if message.html else "text/plain",
        sender=one_line(message.sender.address, 250) if message.sender is not None else None,
        torecipients=";".join(one_line(one.address, 500) for one in message.to[:100])[:500],
        messageid=message.message_id or None,
        inreplyto=message.in_reply_to or None,
        conversationindex=one_line(message.conversation_index, 2048) or None,
        correlationmethod=correlation.method if correlation is not None else method_without_match(place.policies.correlation),
        correlatedactivityid=Lookup("email", correlation.email.email_id) if correlation is not None else None,
        parentactivityid=Lookup("email", parent) if parent is not None else None,
        regardingobjectid=regarding,
        acceptingentityid=judgement.acceptance.accepting,
        receivingmailboxid=place.mailbox.reference if place.mailbox is not None else None,
        submittedby=one_line(message.submitted_by, 250) or None,
        prioritycode=Priority(min(2, max(0, message.importance))),
        notifications=notification,
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
    """AutoCreateContactOnPromote: a record for an unknown sender, where the organization and the accepting user want it (reference 4.8). A contact;
    a lead where the user's further option says so (ours: published is only "contact or lead"). A queue has no such option."""
    accepting = judgement.acceptance.accepting
    if message.sender is None or judgement.matches.get(address_key(message.sender.address)):
        return None
    if len(message.sender.address) > _CONTACT_ADDRESS:
        return None  # half an address would be another one
    if not place.policies.switches.autocreatecontactonpromote or accepting is None or accepting.entity != "systemuser":
        return None
    if accepting.id not in place.makes_contacts:
        place.makes_contacts[accepting.id] = record_for_strangers(tx.first(UserSettings, systemuserid=accepting.id))
    entity = place.makes_contacts[accepting.id]
    if not entity:
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
    if entity == "lead":
        values["subject"] = one_line(message.subject, 200)
    return Match(tx.create(GenericRecord(entity, "", values)).reference, owner=owner or accepting)


def record_for_strangers(settings: UserSettings | None) -> str:
    """Entity of the record that this user wants for unknown senders; "": none."""
    if settings is None or not settings.autocreatecontactonpromote:
        return ""
    return "lead" if settings.createleadonpromote else "contact"


def _account_of(tx: Transaction, sender: Match | None) -> Lookup | None:
    """`sendersaccount`: the sender's parent account, or the sender where it is one (reference 1.8)."""
    if sender is None:
        return None
    if sender.entity == "account":
        return sender.reference
    column = _PARENT_ACCOUNT.get(sender.entity)
    parent = tx.get(GenericRecord, sender.reference).get(column) if column is not None else None
    return parent if isinstance(parent, Lookup) and parent.entity == "account" else None


# -- queue items ------------------------------------------------------------------------------------------------------


def _queues(tx: Transaction, place: Place, message: IncomingMessage, judgement: Judgement) -> list[Lookup]:
    """One queue item for each resolved queue recipient; by another switch one for the queue whose mailbox is being synchronized, or for the
    default queue of the user whose mailbox it is (reference 4.11)."""
    switches = place.policies.switches
    found: dict[Lookup, None] = {}
    if switches.createqueueitemsforacceptingqueuerecipients:
        for name, _ in _LISTS:
            found |= {one: None for one in _users(place, message, judgement, name) if one.entity == "queue"}
        accepting = judgement.acceptance.accepting
        if accepting is not None and accepting.entity == "queue":
            found[accepting] = None
    if switches.createqueueitemforsynchronizingmailbox and place.owner is not None:
        own = place.owner if place.owner.entity == "queue" else tx.get(SystemUser, place.owner).queueid
        if own is not None:
            found[own] = None
    return list(found)


def add_queue_items(tx: Transaction, email: Email, queues: Sequence[Lookup]) -> None:
    """The activity in each of these queues, unless it is there."""
    for queue in queues:
        if tx.first(QueueItem, objectid=email.reference, queueid=queue) is None:
            row = QueueItem(
                queueid=queue,
                objectid=email.reference,
                objecttypecode=EMAIL_TYPE_CODE,
                title=email.subject,
                sender=email.sender,
                torecipients=email.torecipients,
                enteredon=tx.now(),
            )
            tx.create(row)
