"""Drafts of outgoing email: CreateEmail with its parties and files (server-side-sync reference 1.8, 7.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from postroom.errors import InvalidValue, NotWritable, RuleViolated
from postroom.mime.addresses import parse_list
from postroom.mime.values import Address, Attachment
from postroom.model import ActivityParty, Email, GenericRecord, Lookup, Mailbox, ParticipationType
from postroom.model.text import one_line
from postroom.model.validate import validate_create
from postroom.organization.callers import Caller
from postroom.organization.message_values import attachment_rows
from postroom.organization.policies import policies_of, settings_in
from postroom.rules.attachments import is_kept
from postroom.store import Transaction

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["RECIPIENT_KINDS", "Draft", "Recipient", "create_email", "create_in"]

Recipient = Address | Lookup
_ADDRESS_LIMIT = 200
"""Characters of activityparty.addressused."""
RECIPIENT_KINDS = (("to", ParticipationType.TO), ("cc", ParticipationType.CC), ("bcc", ParticipationType.BCC))


@dataclass(frozen=True, slots=True)
class Draft:
    """What CreateEmail was asked for. Recipients are records or bare addresses."""

    from_: Lookup | None = None
    recipients: Mapping[str, tuple[Recipient, ...]] = field(default_factory=dict)
    subject: str = ""
    description: str = ""
    attachments: tuple[Attachment, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, *, from_: Lookup | None = None, attachments: tuple[Attachment, ...] = (), **given: Any) -> Draft:
        values = dict(given.pop("values", {}))
        lists = {name: _recipients(given.pop(name, ())) for name, _ in RECIPIENT_KINDS}
        return cls(from_, lists, given.pop("subject", ""), given.pop("description", ""), tuple(attachments), values)

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Draft:
        """From the attributes of a Create: `from` (or `from_`), `to`, `cc`, `bcc` are party lists."""
        rest = dict(values)
        sender = rest.pop("from_", None) or rest.pop("from", None)
        if isinstance(sender, (list, tuple)) and not isinstance(sender, Lookup):
            if len(sender) != 1:
                raise RuleViolated(f"an email has one sender, not {len(sender)}", "InvalidSender")
            sender = sender[0]
        lists = {name: rest.pop(name, ()) for name, _ in RECIPIENT_KINDS}
        subject, description = rest.pop("subject", None) or "", rest.pop("description", None) or ""
        attachments = tuple(rest.pop("attachments", ()))
        return cls.of(from_=sender, subject=subject, description=description, attachments=attachments, values=rest, **lists)


def _recipients(given: Iterable[Any] | str) -> tuple[Recipient, ...]:
    if isinstance(given, (str, Lookup, Address)):
        given = [given]
    found: list[Recipient] = []
    for one in given:
        if isinstance(one, (Lookup, Address)):
            found.append(one)
        else:
            found.extend(_addresses(one))
    for address in found:
        if isinstance(address, Address) and len(address.address) > _ADDRESS_LIMIT:
            raise InvalidValue(f"an address has at most {_ADDRESS_LIMIT} characters: half of one would be another's")
    return tuple(found)


def _addresses(text: str) -> tuple[Address, ...]:
    """Unresolved recipients, separated by ";" or ",". What is no address is refused here, where somebody can be told, not left out."""
    found = parse_list(text)
    if found.unusable or found.overflow:
        raise InvalidValue(f"not a list of addresses: {one_line(text.strip(), 80)!r}")
    return found.addresses


def create_email(organization: Organization, caller: Caller, draft: Draft) -> str:
    """Returns the draft's id. Raises RecordError, RecordNotFound for parties that do not exist, RuleViolated for an incoming one and for files that
    the organization does not take."""
    with organization.store.transaction() as tx:
        return create_in(tx, caller, draft)


def create_in(tx: Transaction, caller: Caller, draft: Draft) -> str:
    """The same within a transaction. The sender defaults to the caller, the owner to the caller, else to a user who sends."""
    values = dict(validate_create(Email, {"subject": draft.subject, "description": draft.description, **draft.values}))
    if values.get("directioncode") is False:
        raise RuleViolated("incoming email comes in through DeliverIncomingEmail")
    if {"statecode", "statuscode"} & values.keys():
        raise NotWritable("email: a new email is a draft")
    _check_files(tx, draft.attachments)
    sender = draft.from_ or (Lookup("systemuser", caller.user_id) if caller.user_id else None)
    owner = values.pop("ownerid", None) or (Lookup("systemuser", caller.user_id) if caller.user_id else None)
    if owner is None and sender is not None and sender.entity == "systemuser":
        owner = sender
    mailbox = tx.first(Mailbox, regardingobjectid=sender) if sender is not None else None
    email = tx.create(
        Email(
            **values,
            ownerid=owner,
            sendermailboxid=mailbox.reference if mailbox is not None else None,
            createdby=Lookup("systemuser", caller.user_id) if caller.user_id else None,
            attachmentcount=len(draft.attachments),
        )
    )
    tx.create_many(_draft_parties(tx, email.reference, sender, draft))
    tx.create_many(attachment_rows(email.reference, draft.attachments))
    return email.activityid


def _check_files(tx: Transaction, files: Iterable[Attachment]) -> None:
    """A file that would be left out of a received email (reference 4.11) is refused in one that is written: somebody is there to be told (ours)."""
    files = tuple(files)
    if not files:
        return
    policy = policies_of(settings_in(tx)).attachments
    for one in files:
        if not is_kept(one.filename, len(one.octets), policy):
            raise RuleViolated(
                f"the file {one_line(one.filename, 100)!r} is too large or of a blocked kind: at most {policy.size} octets are taken",
                "AttachmentBlocked",
            )


def _draft_parties(tx: Transaction, activity: Lookup, sender: Lookup | None, draft: Draft) -> list[ActivityParty]:
    parties: list[tuple[ParticipationType, Lookup | None, str]] = []
    if sender is not None:
        parties.append((ParticipationType.SENDER, sender, _address_of(tx, sender)))
    for name, kind in RECIPIENT_KINDS:
        for one in draft.recipients.get(name, ()):
            if isinstance(one, Lookup):
                parties.append((kind, one, _address_of(tx, one)))
            else:
                parties.append((kind, None, one.address))
    return [
        ActivityParty(
            activityid=activity, partyid=party, participationtypemask=kind, addressused=one_line(address, 200) or None
        )
        for kind, party, address in parties
    ]


def _address_of(tx: Transaction, reference: Lookup) -> str:
    """A record's first address that is not empty; "" when it has none. Raises RecordNotFound."""
    record = tx.fetch(reference)
    for name in tx.store.email_columns.of(reference.entity):
        value = record.get(name) if isinstance(record, GenericRecord) else getattr(record, name, None)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""
