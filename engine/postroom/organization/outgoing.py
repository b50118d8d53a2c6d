"""Email from draft to Pending Send: SendEmail and its kin; what a sending run does is in `outbox` (server-side-sync reference 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from postroom.errors import InvalidValue, PrivilegeMissing, RuleViolated, SendRefused
from postroom.model import (
    DEFAULT_EMAIL_COLUMNS,
    ActivityMimeAttachment,
    ActivityParty,
    Email,
    EmailConnectionChannel,
    EmailServerProfile,
    EmailStatus,
    GenericRecord,
    Lookup,
    Mailbox,
    ParticipationType,
    RecordState,
    ServerType,
    SystemUser,
    TraceLevel,
    UserSettings,
    address_key,
)
from postroom.model import Organization as OrganizationRecord
from postroom.model.text import one_line
from postroom.organization import alerts, item_monitoring
from postroom.organization.alerts import Alert
from postroom.organization.callers import READ_QUEUE, SEND_AS_USER, WRITE_ACTIVITY, Caller
from postroom.organization.correlating import store_hashes
from postroom.organization.drafts import RECIPIENT_KINDS, Draft, create_email
from postroom.organization.message_values import message_id_key
from postroom.organization.outbox import apply_outcome
from postroom.organization.policies import Policies, policies_of, settings_in
from postroom.organization.promotion import duplicate_key
from postroom.rules.outgoing_state import TRANSITIONS, Mark, Step, after_decision, cancellable
from postroom.rules.sending import (
    Author,
    Depth,
    Party,
    SendProblem,
    SendRequest,
    Through,
    check_send,
    reaches,
    sending_mailbox,
)
from postroom.rules.tracking_token import TOKEN_LIMIT, append_token, make_token, with_history
from postroom.store import Transaction, ledger

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "Draft",
    "cancel_email",
    "create_email",
    "get_tracking_token",
    "keep_prefixes",
    "resolve_uncertain",
    "send_email",
    "send_in",
]

_SUBJECT_LIMIT = 200
_UNITS_ABOVE = 32
"""Business units that are walked up at most; deeper trees do not exist in practice, and a ring would not end. Ours."""


# -- sending ----------------------------------------------------------------------------------------------------------


def get_tracking_token(organization: Organization, caller: Caller, _subject: str) -> str:
    """Raises RuleViolated when no prefix is configured."""
    with organization.store.transaction() as tx:
        policies = policies_of(settings_in(tx))
        if not policies.token.prefixes:
            raise RuleViolated("no tracking prefix is configured")
        return _new_token(tx, caller.user_id or "", policies)


def keep_prefixes(values: dict[str, Any], before: OrganizationRecord | None) -> None:
    """A change of `trackingprefix` keeps the earlier prefixes as history (reference 4.5). Raises InvalidValue."""
    if "trackingprefix" in values:
        try:
            values["trackingprefix"] = with_history(
                values["trackingprefix"], before.trackingprefix if before is not None else None
            )
        except ValueError as problem:
            raise InvalidValue(f"trackingprefix: {problem}") from None


def _new_token(tx: Transaction, user_id: str, policies: Policies) -> str:
    """`nexttrackingnumber` is where the messages of a user begin that is numbered now (ours: "next token number" is all that is published): an
    organization that takes over from another system sets it above the numbers that are in use."""
    number, counter = ledger.next_counter(tx, user_id, max(0, settings_in(tx).nexttrackingnumber))
    return make_token(policies.token, number, counter)


def send_email(
    organization: Organization, caller: Caller, email_id: str, *, issue_send: bool, tracking_token: str | None
) -> str:
    with organization.store.transaction() as tx:
        return send_in(tx, caller, email_id, issue_send=issue_send, tracking_token=tracking_token)


def send_in(
    tx: Transaction, caller: Caller, email_id: str, *, issue_send: bool = True, tracking_token: str | None = None
) -> str:
    """SendEmail within a transaction. Returns the subject as it will be sent. Raises SendRefused, PrivilegeMissing, InvalidValue."""
    email = tx.get(Email, email_id)
    settings = settings_in(tx)
    policies = policies_of(settings)
    parties = tx.find(ActivityParty, activityid=email.reference)
    senders = _parties(parties, ParticipationType.SENDER)
    recipients = [one for _, kind in RECIPIENT_KINDS for one in _parties(parties, kind)]
    verdict = check_send(
        SendRequest(
            outgoing=email.directioncode,
            status=email.statuscode,
            senders=senders,
            recipients=recipients,
            author=_author(tx, caller, senders),
            allow_unresolved=settings.allowunresolvedpartiesonemailsend,
            custom=[one for one in tx.store.email_columns.entities if one not in DEFAULT_EMAIL_COLUMNS],
        )
    )
    if verdict.problem is not None:
        kind = PrivilegeMissing if verdict.problem is SendProblem.SEND_AS else SendRefused
        raise kind(verdict.detail, verdict.problem.value)
    sender = senders[0]
    assert sender.reference is not None
    token = _token(tx, caller, email, sender.reference, policies, tracking_token)
    limit = policies.switches.maximumsubjectlengthonmailserver
    wire_subject = _marked(email.subject or "", token, limit)
    if not wire_subject.endswith(token):  # it did not fit (reference 4.5): nobody will ever answer with it
        token = ""
    changes: dict[str, Any] = {
        "trackingtoken": token or None,
        "subject": _marked(email.subject or "", token, _SUBJECT_LIMIT),
        "torecipients": ";".join(one.address for one in recipients if one.address)[:500],
        "sender": sender.address[:250],
        "emailsender": sender.reference,
        "emailsenderobjecttypecode": sender.reference.entity,
        "attachmentcount": len(tx.find(ActivityMimeAttachment, objectid=email.reference)),
    }
    if email.statuscode is EmailStatus.FAILED:
        item_monitoring.forget(tx, "", email_id=email_id)
    if issue_send:
        changes |= _request(tx, caller, email, sender, recipients, wire_subject)
        _warn_of_mailbox(tx, settings, email, changes["sendermailboxid"])
    else:
        changes |= {"statuscode": TRANSITIONS[email.statuscode, Step.RECORD], "senton": tx.now(), "actualend": tx.now()}
    changes["statecode"] = changes["statuscode"].state
    tx.update(Email, email_id, **changes)
    store_hashes(tx, policies, email_id, wire_subject, [one.address for one in (sender, *recipients) if one.address])
    return wire_subject


def _parties(parties: Iterable[ActivityParty], kind: ParticipationType) -> list[Party]:
    return [Party(one.partyid, one.addressused or "") for one in parties if one.participationtypemask is kind]


def _token(tx: Transaction, caller: Caller, email: Email, sender: Lookup, policies: Policies, given: str | None) -> str:
    """The caller's, else the one that the email has, else a new one; "" where there is none. A user is numbered by its first email; what
    the system sends counts for the user it is from (ours). Raises InvalidValue."""
    if given is not None:
        if len(given) > TOKEN_LIMIT or one_line(given, TOKEN_LIMIT) != given:
            raise InvalidValue(f"a tracking token is one line of at most {TOKEN_LIMIT} characters")
        return given
    if email.trackingtoken or not policies.token.prefixes:
        return email.trackingtoken or ""
    return _new_token(tx, caller.user_id or (sender.id if sender.entity == "systemuser" else ""), policies)


def _marked(subject: str, token: str, limit: int) -> str:
    """The subject with its token at the end, once, within the limit."""
    if token and subject.endswith(token):
        subject = subject[: -len(token)].rstrip()
    return append_token(subject, token, limit)


# -- who may send as whom ---------------------------------------------------------------------------------------------


def _author(tx: Transaction, caller: Caller, senders: Sequence[Party]) -> Author:
    sender = senders[0].reference if senders else None
    allows = privileged = False
    if sender is not None and sender.entity == "systemuser" and not caller.system and sender.id != caller.user_id:
        settings = tx.first(UserSettings, systemuserid=sender.id)
        allows = settings is not None and settings.issendasallowed
        privileged = _privileged(tx, caller, sender)
    return Author(caller.user_id, caller.system, privileged, allows, caller.may(READ_QUEUE))


def _privileged(tx: Transaction, caller: Caller, sender: Lookup) -> bool:
    """Whether "Send Email as Another User" reaches the sender from where the caller stands."""
    depth = caller.depth(SEND_AS_USER)
    if depth in (None, Depth.GLOBAL):
        return depth is Depth.GLOBAL
    own = tx.first(SystemUser, systemuserid=caller.user_id) if caller.user_id else None
    other = tx.first(SystemUser, systemuserid=sender.id)
    unit = other.businessunitid if other is not None else None
    above: list[str] = []
    while unit is not None and unit.id not in above and len(above) < _UNITS_ABOVE:
        above.append(unit.id)
        found = next(iter(tx.find(GenericRecord, entity="businessunit", id=unit.id)), None)
        parent = found.get("parentbusinessunitid") if found is not None else None
        unit = parent if isinstance(parent, Lookup) else None
    return reaches(depth, own.businessunitid.id if own is not None and own.businessunitid is not None else None, above)


# -- the request ------------------------------------------------------------------------------------------------------


def _request(
    tx: Transaction, caller: Caller, email: Email, sender: Party, recipients: Sequence[Party], subject: str
) -> dict[str, Any]:
    """The request enters the ledger; what changes in the activity is returned. The Message-ID is made once and for all."""
    now = tx.now()
    message_id = email.messageid or f"<{tx.new_id()}@{sender.address.rpartition('@')[2] or 'invalid'}>"
    assert sender.reference is not None
    mailbox = _mailbox(tx, caller, sender.reference)
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
        "statuscode": TRANSITIONS[email.statuscode, Step.SEND],
        "messageid": message_id_key(message_id),
        "messageiddupcheck": duplicate_key(message_id, outgoing=True),
        "sendermailboxid": mailbox.reference if mailbox is not None else None,
        "deliveryattempts": 0,
        "postponeemailprocessinguntil": None,
    }


def _mailbox(tx: Transaction, caller: Caller, sender: Lookup) -> Mailbox | None:
    """The mailbox that sends (reference 7.5): that of From, or with delegation on Exchange the submitter's."""
    if caller.user_id is not None and sender.id != caller.user_id:
        delegation = policies_of(settings_in(tx)).switches.enablemailboxdelegationforoutgoingemail
        submitter = Lookup("systemuser", caller.user_id)
        own = tx.first(Mailbox, regardingobjectid=submitter) if delegation else None
        through = sending_mailbox(sender, submitter, delegation=delegation, server_type=_server_type(tx, own))
        if through is Through.SUBMITTER:
            return own
    return tx.first(Mailbox, regardingobjectid=sender)


def _server_type(tx: Transaction, mailbox: Mailbox | None) -> ServerType | None:
    reference = mailbox.emailserverprofile if mailbox is not None else None
    profile = tx.first(EmailServerProfile, emailserverprofileid=reference.id) if reference is not None else None
    return profile.servertype if profile is not None else None


def _warn_of_mailbox(tx: Transaction, settings: OrganizationRecord, email: Email, mailbox_id: Lookup | None) -> None:
    """The email stays Pending Send while its mailbox is not configured, approved and enabled (reference 7.3); that of a mailbox that is deactivated, or not
    enabled for outgoing email, is told to its owner (MailboxDisabled, reference 10)."""
    mailbox = tx.get(Mailbox, mailbox_id) if mailbox_id is not None else None
    routed = settings.emailconnectionchannel is EmailConnectionChannel.EMAIL_ROUTER  # which knows no Test & Enable
    if mailbox is None or (mailbox.statecode is RecordState.ACTIVE and (routed or mailbox.enabledforoutgoingemail)):
        return
    why = "deactivated" if mailbox.statecode is not RecordState.ACTIVE else "not enabled for outgoing email"
    text = f"The email {one_line(email.subject or '', 200)!r} cannot be sent: its mailbox is {why}"
    alerts.write(tx, settings, Alert(mailbox.reference, TraceLevel.ERROR, "MailboxDisabled", text))


# -- ends -------------------------------------------------------------------------------------------------------------


def cancel_email(organization: Organization, _caller: Caller, email_id: str) -> None:
    with organization.store.transaction() as tx:
        email = tx.get(Email, email_id)
        row = ledger.outgoing_of(tx, email_id)
        mark = Mark(row.mark) if row is not None else None
        reached = row is not None and any(one.accepted for one in row.recipients)
        if not email.directioncode or not cancellable(email.statuscode, mark, reached=reached):
            why = " that has reached some of its recipients" if reached else ""
            raise RuleViolated(f"a {email.statuscode.name.lower().replace('_', ' ')} email{why} cannot be canceled")
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
        if sent:
            unknown = [one for one in row.recipients if one.accepted is None]
            ledger.record_recipients(tx, email_id, [replace(one, accepted=True) for one in unknown])
        left = any(one.accepted is False and not one.permanent for one in row.recipients)
        item_monitoring.forget(tx, row.mailbox_id, email_id=email_id)
        apply_outcome(tx, row, after_decision(row.attempts, sent=sent, left=left))
