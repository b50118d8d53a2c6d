"""What a sending run does: claim, mark, report; and what becomes of a run that was lost (server-side-sync reference 7.1, 7.3, 7.4)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import RecordNotFound, StaleRun
from postroom.mime.values import Address, Attachment, OutgoingMessage
from postroom.model import (
    ActivityMimeAttachment,
    ActivityParty,
    Email,
    EmailServerProfile,
    EmailStatus,
    GenericRecord,
    Lookup,
    Mailbox,
    ParticipationType,
    Queue,
    SystemUser,
    TraceLevel,
    address_key,
)
from postroom.model.deployment import DeploymentSettings
from postroom.model.text import one_line
from postroom.organization import alerts, item_monitoring
from postroom.organization.alerts import Alert
from postroom.organization.callers import READ_ACTIVITY, WRITE_ACTIVITY, Caller
from postroom.organization.policies import settings_in
from postroom.organization.values import GatewayBinding
from postroom.providers.contract import ClaimedEmail, RecipientResult, Submission
from postroom.rules.code_pages import charset_of
from postroom.rules.outgoing_state import TRANSITIONS, Attempt, Mark, Outcome, Report, Step, after_loss, after_report
from postroom.rules.tracking_header import TRACKING_HEADER
from postroom.store import TABLES, Fence, Transaction, ledger
from postroom.store.prepared import Prepared
from postroom.store.rows import shape_of, to_micros

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "apply_outcome",
    "background_send_email",
    "claim",
    "mark_submitting",
    "report",
    "take_over",
    "take_over_left",
    "take_over_mailbox",
    "token_of",
]

_email = TABLES["email"]
_outgoing = ledger.outgoing_ledger
_WAITING = sa.and_(
    _email.c.sendermailboxid == sa.bindparam("p_mailbox"),
    _email.c.statecode == int(EmailStatus.PENDING_SEND.state),
    _email.c.statuscode == int(EmailStatus.PENDING_SEND),
    sa.or_(_email.c.postponeemailprocessinguntil.is_(None), _email.c.postponeemailprocessinguntil <= sa.bindparam("p_now")),
    sa.or_(_email.c.delayedemailsendtime.is_(None), _email.c.delayedemailsendtime <= sa.bindparam("p_now")),
)
_ORDER = (sa.func.coalesce(_email.c.deliveryprioritycode, 1).desc(), _email.c.createdon, _email.c.rownumber)
_CANDIDATES = Prepared(
    sa.select(*shape_of(Email).columns)
    .join(_outgoing, _outgoing.c.email_id == _email.c.activityid)
    .where(_WAITING, _outgoing.c.mark == Mark.PENDING.value)
    .order_by(*_ORDER)
    .limit(sa.bindparam("p_limit", type_=sa.Integer())),
    plain=True,
)


def background_send_email(organization: Organization, caller: Caller, mailbox_id: str, limit: int) -> list[Email]:
    caller.require(READ_ACTIVITY)
    caller.require(WRITE_ACTIVITY)
    with organization.store.reading() as tx:
        return _waiting(tx, mailbox_id, limit)


def _waiting(tx: Transaction, mailbox_id: str, limit: int) -> list[Email]:
    """Emails to be sent through this mailbox now: high priority first, then the oldest."""
    parameters = {"p_mailbox": mailbox_id, "p_now": to_micros(tx.now()), "p_limit": max(0, limit)}
    return [shape_of(Email).record(row) for row in tx.execute(_CANDIDATES, parameters)]


# -- what a run does --------------------------------------------------------------------------------------------------


def claim(tx: Transaction, binding: GatewayBinding, limit: int) -> list[ClaimedEmail]:
    """Take up to `limit` waiting emails: durable mark `claimed`, status Sending."""
    waiting = _waiting(tx, binding.mailbox_id, limit)
    if not waiting:
        return []
    mailbox = tx.get(Mailbox, binding.mailbox_id)
    if not mailbox.emailaddress:
        return []
    name, charset = _sender_name(tx, mailbox), _charset(tx, mailbox)
    claimed = []
    for email in waiting:
        row = ledger.outgoing_of(tx, email.activityid)
        assert row is not None
        try:
            message = _message(tx, email, row, mailbox, Address(mailbox.emailaddress, name), charset)
        except ValueError as problem:  # an attachment that is no base64
            status = TRANSITIONS[email.statuscode, Step.REFUSE]
            outcome = Outcome(status, Mark.FAILED, row.attempts, reason=one_line(str(problem), 1000))
            apply_outcome(tx, row, outcome)
            _tell(tx, row, outcome)
            continue
        status = TRANSITIONS[email.statuscode, Step.PICK]
        values: dict[str, Any] = {"statecode": status.state, "statuscode": status}
        if email.actualstart is None:
            values["actualstart"] = tx.now()
        tx.update(Email, email.activityid, **values)
        ledger.update_outgoing(tx, email.activityid, {**_mine(binding), "mark": Mark.CLAIMED.value, "at": tx.now()})
        claimed.append(ClaimedEmail(email.activityid, row.attempts + 1, mailbox.emailaddress, _still_to_reach(row), message))
    return claimed


def _still_to_reach(row: ledger.OutgoingRow) -> tuple[str, ...]:
    """The envelope of the next try: without those who have it, and without those refused for good (unless all were)."""
    left = [one for one in row.recipients if not one.accepted]
    return tuple(one.address for one in left if not one.permanent) or tuple(one.address for one in left)


def token_of(binding: GatewayBinding) -> int:
    """The fencing token of a run; 0 without a lease."""
    return binding.fence.token if binding.fence is not None else 0


def _mine(binding: GatewayBinding) -> dict[str, Any]:
    return {"instance": binding.instance, "token": token_of(binding)}


def _sender_name(tx: Transaction, mailbox: Mailbox) -> str:
    """The display name of From: the user's or queue's."""
    owner = mailbox.regardingobjectid
    if owner is None:
        return ""
    name = tx.get(SystemUser, owner).fullname if owner.entity == "systemuser" else tx.get(Queue, owner).name
    return name or ""


def _charset(tx: Transaction, mailbox: Mailbox) -> str:
    """Of the text of what is sent: the profile's code page (reference 1.1)."""
    reference = mailbox.emailserverprofile
    profile = tx.first(EmailServerProfile, emailserverprofileid=reference.id) if reference is not None else None
    return charset_of(profile.encodingcodepage if profile is not None else None)


def _message(
    tx: Transaction, email: Email, row: ledger.OutgoingRow, mailbox: Mailbox, sender: Address, charset: str
) -> OutgoingMessage:
    """The same octets' worth of values on every try: Message-ID and Date come from the ledger. From is the mailbox (`sender`), or the other user or queue
    in whose name this mailbox sends (delegation, Exchange only)."""
    parties = tx.find(ActivityParty, activityid=email.reference)
    for one in parties:
        if (
            one.participationtypemask is ParticipationType.SENDER
            and one.partyid != mailbox.regardingobjectid
            and one.addressused
        ):
            sender = Address(one.addressused, _party_name(tx, one.partyid))
    files = tx.find(ActivityMimeAttachment, objectid=email.reference) if email.attachmentcount else []
    html = _is_html(email)
    body = email.description or ""
    reply = email.inreplyto or ""
    return OutgoingMessage(
        message_id=row.message_id,
        date=row.date,
        from_=sender,
        to=_addresses(tx, parties, ParticipationType.TO),
        cc=_addresses(tx, parties, ParticipationType.CC),
        subject=row.subject,
        text=None if html else body,
        html=body if html else None,
        attachments=tuple(
            Attachment(
                one.filename or "attachment",
                one.mimetype or "application/octet-stream",
                _octets(tx, one),
            )
            for one in files
        ),
        importance=int(email.prioritycode) if email.prioritycode is not None else 1,
        in_reply_to=reply,
        references=(reply,) if reply else (),
        delivery_receipt=email.deliveryreceiptrequested,
        read_receipt=email.readreceiptrequested,
        extra_headers=((TRACKING_HEADER, email.activityid),),
        charset=charset,
    )


def _octets(tx: Transaction, file: ActivityMimeAttachment) -> bytes:
    """The file's own body, or that of the shared blob which `attachmentid` names (reference 1.8): a record `attachment`, or the file of another email
    with the same one. Raises ValueError when there is neither, or no base64."""
    body = file.body
    if not body and file.attachmentid is not None:
        others = [one.body for one in tx.find(ActivityMimeAttachment, attachmentid=file.attachmentid) if one.body]
        blob = next(iter(tx.find(GenericRecord, entity=file.attachmentid.entity, id=file.attachmentid.id)), None)
        body = str(blob.get("body") or "") if blob is not None else next(iter(others), None)
        if body is None:
            raise ValueError(f"the file {one_line(file.filename or '', 100)!r} is not there any more")
    return base64.b64decode(body or "", validate=True)


def _is_html(email: Email) -> bool:
    """By `mimetype` where it is set, else by how the body begins: the product's bodies are HTML."""
    if email.mimetype:
        return "html" in email.mimetype.lower()
    return (email.description or "").lstrip()[:1] == "<"


def _addresses(tx: Transaction, parties: Iterable[ActivityParty], kind: ParticipationType) -> tuple[Address, ...]:
    found: dict[str, Address] = {}
    for one in parties:
        if one.participationtypemask is kind and one.addressused:
            found.setdefault(address_key(one.addressused), Address(one.addressused, _party_name(tx, one.partyid)))
    return tuple(found.values())


def _party_name(tx: Transaction, party: Lookup | None) -> str:
    if party is None:
        return ""
    try:
        record = tx.fetch(party)
    except RecordNotFound:  # deleted since: its address is still the party's
        return ""
    names = ("fullname", "name")
    values = [record.get(name) if isinstance(record, GenericRecord) else getattr(record, name, None) for name in names]
    return next((one_line(value, 200) for value in values if isinstance(value, str) and value), "")


def mark_submitting(
    tx: Transaction, binding: GatewayBinding, email: ClaimedEmail, refused: Sequence[RecipientResult] = ()
) -> None:
    """Raises StaleRun when the claim is not this run's any more."""
    _own_row(tx, binding, email, (Mark.CLAIMED,))
    ledger.record_recipients(
        tx,
        email.email_id,
        [ledger.RecipientRow(one.address, False, one.permanent, one_line(one.reply, 1000)) for one in refused],
    )
    ledger.update_outgoing(tx, email.email_id, {"mark": Mark.SUBMITTING.value, "at": tx.now()})


def _own_row(tx: Transaction, binding: GatewayBinding, email: ClaimedEmail, marks: Sequence[Mark]) -> ledger.OutgoingRow:
    row = ledger.outgoing_of(tx, email.email_id)
    mine = _mine(binding)
    if row is None or row.mark not in marks or (row.instance, row.token) != (mine["instance"], mine["token"]):
        raise StaleRun(f"the email {email.email_id} is not claimed by this run")
    return row


def report(
    tx: Transaction, deployment: DeploymentSettings, binding: GatewayBinding, email: ClaimedEmail, submission: Submission
) -> None:
    """The outcome of one try. One that the server never heard of (no connection, credentials refused, never submitted) is no attempt: the
    mailbox's trouble is not the email's (reference 7.4)."""
    row = _own_row(tx, binding, email, (Mark.CLAIMED, Mark.SUBMITTING))
    results = _results(row, submission)
    ledger.record_recipients(tx, email.email_id, results)
    known = {**{one.address: one for one in row.recipients}, **{one.address: one for one in results}}
    if _tried(row, submission):
        attempt = Attempt(
            attempts=row.attempts,
            limit=deployment.maximum_email_delivery_attempts,
            back_off=timedelta(seconds=deployment.mailbox_backoff_on_transient_error),
            now=tx.now(),
            reached=any(one.accepted for one in known.values()),
            left=any(one.accepted is False and not one.permanent for one in known.values()),
        )
        reply = one_line(submission.reply or _refusals(submission), 1000)
        outcome = after_report(Report(submission.result.value), attempt, reply=reply, retry_after=submission.retry_after)
    else:
        later = tx.now() + submission.retry_after if submission.retry_after else None
        outcome = Outcome(EmailStatus.PENDING_SEND, Mark.PENDING, row.attempts, later, "not tried")
    apply_outcome(tx, row, outcome)
    refused = [one for one in known.values() if one.accepted is False]
    _tell(tx, row, outcome, "; ".join(f"{one.address}: {one.reply}" for one in refused))


def _results(row: ledger.OutgoingRow, submission: Submission) -> list[ledger.RecipientRow]:
    """What is known of each recipient. A recipient that the server accepted has the message only if the message was taken over too: on any
    other result nobody knows more than before. A report of success that names no recipient speaks of all."""
    sent = submission.result.value == Report.SENT
    if sent and not submission.recipients:
        return [ledger.RecipientRow(one.address, True, False, submission.reply) for one in row.recipients]
    return [
        ledger.RecipientRow(
            one.address,
            (True if sent else None) if one.accepted else False,
            one.permanent and not one.accepted,
            one_line(one.reply, 1000),
        )
        for one in submission.recipients
    ]


def _tried(row: ledger.OutgoingRow, submission: Submission) -> bool:
    if submission.result.value != Report.RETRY:
        return True
    if not submission.attempted:
        return False
    return row.mark == Mark.SUBMITTING or bool(submission.reply or submission.recipients)


def _refusals(submission: Submission) -> str:
    return "; ".join(f"{one.address}: {one.reply}" for one in submission.recipients if not one.accepted)


def apply_outcome(tx: Transaction, row: ledger.OutgoingRow, outcome: Outcome) -> None:
    """Write an outcome to the ledger and, unless it is a test message, to the activity. A test message that would wait is given up instead:
    nobody waits for it any more, the next test makes its own."""
    now = tx.now()
    mark = Mark.CANCELED if row.kind == "test" and outcome.mark is Mark.PENDING else outcome.mark
    changes = {"mark": mark.value, "attempts": outcome.attempts, "reason": outcome.reason, "at": now}
    ledger.update_outgoing(tx, row.email_id, changes)
    if row.kind != "email":
        return
    values: dict[str, Any] = {
        "statecode": outcome.status.state,
        "statuscode": outcome.status,
        "deliveryattempts": outcome.attempts,
        "postponeemailprocessinguntil": outcome.retry_at,
    }
    if outcome.status is EmailStatus.SENT:
        values |= {"senton": now, "actualend": now}
    tx.update(Email, row.email_id, **values)


def _tell(tx: Transaction, row: ledger.OutgoingRow, outcome: Outcome, refused: str = "") -> None:
    """An email-level alert for what failed, wholly or for some recipients, and for what a person has to decide."""
    details = outcome.reason
    if outcome.mark is Mark.FAILED:
        code, what = "EmailNotSent", "was not sent"
    elif outcome.mark is Mark.UNCERTAIN:
        code, what = "EmailUncertain", "may or may not have been sent: somebody has to decide"
    elif outcome.mark is Mark.SENT and refused:
        code, what, details = "EmailNotSent", "was not sent to every recipient", refused
    else:
        return
    text = f"The email {row.subject!r} {what}"
    alert = Alert(Lookup("mailbox", row.mailbox_id), TraceLevel.ERROR, code, text, details=details)
    alerts.write(tx, settings_in(tx), alert)
    if row.kind == "email":
        item_monitoring.note(
            tx,
            row.mailbox_id,
            email_id=row.email_id,
            subject=row.subject,
            error=details,
            number=alert.trace_code,
            tries=outcome.attempts,
        )


# -- after a lost run -------------------------------------------------------------------------------------------------


def take_over(organization: Organization, instance: str, fence: Fence) -> int:
    with organization.store.transaction(fence) as tx:
        return _recover(tx, sa.and_(_outgoing.c.instance == instance, _outgoing.c.token != fence.token))


def take_over_mailbox(tx: Transaction, mailbox_id: str, token: int) -> int:
    """The same for whatever an earlier run of this mailbox left; one statement when it left nothing."""
    return _recover(tx, sa.and_(_outgoing.c.mailbox_id == mailbox_id, _outgoing.c.token != token))


def take_over_left(tx: Transaction, fence: Fence, mailbox_id: str, before: datetime) -> int:
    """The same for what any earlier run of this mailbox, under whatever lease, left without a result up to `before` (`SendingStatusDelay`)."""
    mine = sa.and_(_outgoing.c.instance == fence.instance, _outgoing.c.token == fence.token)
    return _recover(tx, sa.and_(_outgoing.c.mailbox_id == mailbox_id, sa.not_(mine), _outgoing.c.at <= to_micros(before)))


def _recover(tx: Transaction, whose: sa.ColumnElement[bool]) -> int:
    condition = sa.and_(whose, _outgoing.c.mark.in_((Mark.CLAIMED.value, Mark.SUBMITTING.value)))
    uncertain = 0
    for row in ledger.outgoing_rows(tx, condition):
        outcome = after_loss(Mark(row.mark), row.attempts)
        assert outcome is not None
        apply_outcome(tx, row, outcome)
        _tell(tx, row, outcome)
        uncertain += outcome.mark is Mark.UNCERTAIN
    return uncertain
