"""Email from draft to Pending Send: SendEmail and its kin; what a sending run does is in `outbox` (server-side-sync reference 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from postroom.errors import NotWritable, PrivilegeMissing, RuleViolated, SendRefused
from postroom.mime.values import Address, Attachment
from postroom.model import (
    ActivityParty,
    Email,
    EmailStatus,
    GenericRecord,
    Lookup,
    Mailbox,
    ParticipationType,
    UserSettings,
    address_key,
)
from postroom.model.text import one_line
from postroom.model.validate import validate_create
from postroom.organization.callers import SEND_AS_USER, WRITE_ACTIVITY, Caller
from postroom.organization.message_values import addresses_of, attachment_rows, message_id_key
from postroom.organization.outbox import apply_outcome
from postroom.organization.policies import Policies, policies_of, settings_in
from postroom.organization.promotion import duplicate_key
from postroom.rules.outgoing_state import Mark, Outcome, cancellable
from postroom.rules.sending import Author, Party, SendProblem, SendRequest, check_send
from postroom.rules.tracking_token import append_token, make_token
from postroom.store import Transaction, ledger

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "Draft",
    "cancel_email",
    "create_email",
    "get_tracking_token",
    "resolve_uncertain",
    "send_email",
]

Recipient = Address | Lookup
_RECIPIENT_KINDS = (("to", ParticipationType.TO), ("cc", ParticipationType.CC), ("bcc", ParticipationType.BCC))
_SUBJECT_LIMIT = 200
_ADDRESS_OF = {"systemuser": "internalemailaddress", "queue": "emailaddress"}


# -- drafts -----------------------------------------------------------------------------------------------------------


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
        lists = {name: _recipients(given.pop(name, ())) for name, _ in _RECIPIENT_KINDS}
        return cls(from_, lists, given.pop("subject", ""), given.pop("description", ""), tuple(attachments), values)

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Draft:
        """From the attributes of a Create: `from` (or `from_`), `to`, `cc`, `bcc` are party lists."""
        rest = dict(values)
        sender = rest.pop("from_", None) or rest.pop("from", None)
        if isinstance(sender, (list, tuple)) and not isinstance(sender, Lookup):
            sender = sender[0] if len(sender) == 1 else None
        lists = {name: rest.pop(name, ()) for name, _ in _RECIPIENT_KINDS}
        subject, description = rest.pop("subject", None) or "", rest.pop("description", None) or ""
        attachments = tuple(rest.pop("attachments", ()))
        return cls.of(from_=sender, subject=subject, description=description, attachments=attachments, values=rest, **lists)


def _recipients(given: Iterable[Any] | str) -> tuple[Recipient, ...]:
    if isinstance(given, (str, Lookup, Address)):
        given = [given]
    found: list[Recipient] = []
    for one in given:
        if isinstance(one, Lookup):
            found.append(one)
        else:
            found.extend(addresses_of([one]))
    return tuple(found)


def create_email(organization: Organization, caller: Caller, draft: Draft) -> str:
    """Returns the draft's id. Raises RecordError, RecordNotFound for parties that do not exist, RuleViolated for an incoming one."""
    values = dict(validate_create(Email, {"subject": draft.subject, "description": draft.description, **draft.values}))
    if values.get("directioncode") is False:
        raise RuleViolated("incoming email comes in through DeliverIncomingEmail")
    if {"statecode", "statuscode"} & values.keys():
        raise NotWritable("email: a new email is a draft")
    sender = draft.from_ or (Lookup("systemuser", caller.user_id) if caller.user_id else None)
    with organization.store.transaction() as tx:
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


def _draft_parties(tx: Transaction, activity: Lookup, sender: Lookup | None, draft: Draft) -> list[ActivityParty]:
    parties: list[tuple[ParticipationType, Lookup | None, str]] = []
    if sender is not None:
        parties.append((ParticipationType.SENDER, sender, _address_of(tx, sender)))
    for name, kind in _RECIPIENT_KINDS:
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


# -- sending ----------------------------------------------------------------------------------------------------------


def get_tracking_token(organization: Organization, caller: Caller, _subject: str) -> str:
    """Raises RuleViolated when no prefix is configured."""
    with organization.store.transaction() as tx:
        policies = policies_of(settings_in(tx))
        if not policies.token.prefixes:
            raise RuleViolated("no tracking prefix is configured")
        return _new_token(tx, caller.user_id or "", policies)


def _new_token(tx: Transaction, user_id: str, policies: Policies) -> str:
    number, counter = ledger.next_counter(tx, user_id)
    return make_token(policies.token, number, counter)


def send_email(
    organization: Organization, caller: Caller, email_id: str, *, issue_send: bool, tracking_token: str | None
) -> str:
    with organization.store.transaction() as tx:
        email = tx.get(Email, email_id)
        settings = settings_in(tx)
        policies = policies_of(settings)
        parties = tx.find(ActivityParty, activityid=email.reference)
        senders = _parties(parties, ParticipationType.SENDER)
        recipients = [one for _, kind in _RECIPIENT_KINDS for one in _parties(parties, kind)]
        verdict = check_send(
            SendRequest(
                outgoing=email.directioncode,
                status=email.statuscode,
                senders=senders,
                recipients=recipients,
                author=_author(tx, caller, senders),
                allow_unresolved=settings.allowunresolvedpartiesonemailsend,
            )
        )
        if verdict.problem is not None:
            kind = PrivilegeMissing if verdict.problem is SendProblem.SEND_AS else SendRefused
            raise kind(verdict.detail, verdict.problem.value)
        token = tracking_token
        if token is None:
            token = email.trackingtoken or (_new_token(tx, caller.user_id or "", policies) if policies.token.prefixes else "")
        subject = email.subject or ""
        marked = subject if token and subject.endswith(token) else None
        wire_subject = marked or append_token(subject, token, policies.switches.maximumsubjectlengthonmailserver)
        changes: dict[str, Any] = {
            "trackingtoken": token[:50] or None,
            "subject": marked or append_token(subject, token, _SUBJECT_LIMIT),
            "torecipients": ";".join(one.address for one in recipients if one.address)[:500],
            "sender": senders[0].address[:250],
        }
        if issue_send:
            changes |= _request(tx, email, senders[0], recipients, wire_subject)
        else:
            changes |= {"statuscode": EmailStatus.SENT, "senton": tx.now(), "actualend": tx.now()}
        changes["statecode"] = changes["statuscode"].state
        tx.update(Email, email_id, **changes)
        return wire_subject


def _parties(parties: Iterable[ActivityParty], kind: ParticipationType) -> list[Party]:
    return [Party(one.partyid, one.addressused or "") for one in parties if one.participationtypemask is kind]


def _author(tx: Transaction, caller: Caller, senders: Sequence[Party]) -> Author:
    sender = senders[0].reference if senders else None
    allows = False
    if sender is not None and sender.entity == "systemuser":
        settings = tx.first(UserSettings, systemuserid=sender.id)
        allows = settings is not None and settings.issendasallowed
    return Author(caller.user_id, caller.system, caller.holds(SEND_AS_USER), allows)


def _request(tx: Transaction, email: Email, sender: Party, recipients: Sequence[Party], subject: str) -> dict[str, Any]:
    """The request enters the ledger; what changes in the activity is returned. The Message-ID is made once and for all."""
    now = tx.now()
    message_id = email.messageid or f"<{tx.new_id()}@{sender.address.rpartition('@')[2] or 'invalid'}>"
    assert sender.reference is not None
    mailbox = tx.first(Mailbox, regardingobjectid=sender.reference)
    envelope = {address_key(one.address): one.address for one in recipients if one.address}
    row = ledger.OutgoingRow(
        email_id=email.activityid,
        kind="email",
        mailbox_id=mailbox.mailboxid if mailbox is not None else "",
        message_id=message_id,
        sender=sender.address,
        subject=subject,
        date=now,
        mark=Mark.PENDING.value,
        instance="",
        token=0,
        attempts=0,
        reason="",
        requested_at=now,
        at=now,
        recipients=tuple(ledger.RecipientRow(address, None, False, "") for address in envelope.values()),
    )
    ledger.add_outgoing(tx, row)
    return {
        "statuscode": EmailStatus.PENDING_SEND,
        "messageid": message_id_key(message_id),
        "messageiddupcheck": duplicate_key(message_id, outgoing=True),
        "sendermailboxid": mailbox.reference if mailbox is not None else None,
        "deliveryattempts": 0,
        "postponeemailprocessinguntil": None,
    }


def cancel_email(organization: Organization, _caller: Caller, email_id: str) -> None:
    with organization.store.transaction() as tx:
        email = tx.get(Email, email_id)
        row = ledger.outgoing_of(tx, email_id)
        if not email.directioncode or not cancellable(email.statuscode, Mark(row.mark) if row is not None else None):
            raise RuleViolated(f"a {email.statuscode.name.lower().replace('_', ' ')} email cannot be canceled")
        status = EmailStatus.CANCELED
        tx.update(Email, email_id, statecode=status.state, statuscode=status, actualend=tx.now())
        if row is not None and row.mark == Mark.PENDING:
            ledger.update_outgoing(tx, email_id, {"mark": Mark.CANCELED.value, "reason": "canceled", "at": tx.now()})


def resolve_uncertain(organization: Organization, caller: Caller, email_id: str, *, sent: bool) -> None:
    """Who decides must be able to write activities. Raises RuleViolated when the email is not uncertain."""
    caller.require(WRITE_ACTIVITY)
    with organization.store.transaction() as tx:
        row = ledger.outgoing_of(tx, email_id)
        if row is None or row.mark != Mark.UNCERTAIN:
            raise RuleViolated("the email is not uncertain")
        reason = "a person said so"
        if sent:
            outcome = Outcome(EmailStatus.SENT, Mark.SENT, row.attempts, reason=reason)
            unknown = [one for one in row.recipients if one.accepted is None]
            ledger.record_recipients(tx, email_id, [replace(one, accepted=True) for one in unknown])
        else:
            outcome = Outcome(EmailStatus.PENDING_SEND, Mark.PENDING, row.attempts, reason=reason)
        apply_outcome(tx, row, outcome)
