"""What a channel needs for its rounds: who is due, why somebody is not, and what a run leaves behind (server-side-sync reference 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import StaleRun
from postroom.model import (
    ActDeliveryMethod,
    EmailConnectionChannel,
    EmailRouterAccessApproval,
    EmailServerProfile,
    EmailStatus,
    IncomingDeliveryMethod,
    Lookup,
    Mailbox,
    MailboxStatistics,
    MailboxTestStatus,
    OperationType,
    OutgoingDeliveryMethod,
    RecordState,
    ServerType,
    TraceLevel,
)
from postroom.model.text import one_line
from postroom.organization import alerts, outbox
from postroom.organization.alerts import Alert
from postroom.organization.policies import settings_in
from postroom.organization.values import DueMailbox, Operation, RunFailure
from postroom.rules.eligibility import Reason, explain
from postroom.rules.error_classes import Scope
from postroom.rules.operation import COLUMNS
from postroom.rules.outgoing_state import Mark
from postroom.rules.retry import BackOff, Counters, Decision, after_failure, after_success
from postroom.store import TABLES, Fence, Transaction, leases, ledger
from postroom.store.prepared import Prepared
from postroom.store.rows import from_micros, shape_of, to_micros
from postroom.store.tables import lease

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["RunResult", "begin_run", "due_mailboxes", "end_run", "explain_mailbox", "finish_run", "next_due", "renew_run"]

_m, _p, _o, _e = TABLES["mailbox"], TABLES["emailserverprofile"], TABLES["organization"], TABLES["email"]
_l = ledger.outgoing_ledger
_NOW = sa.bindparam("p_now", type_=sa.BigInteger())
_SSS = int(IncomingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER)


# -- who is due: rules.eligibility in SQL, and whether there is anything to do -------------------------------------------


def _passed(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(column.is_(None), column <= _NOW)


def _approved() -> sa.ColumnElement[bool]:
    required = sa.case(
        (_m.c.regardingobjectid_entity == "queue", _o.c.requireapprovalforqueueemail),
        else_=_o.c.requireapprovalforuseremail,
    )
    approved = sa.and_(
        _m.c.emailrouteraccessapproval == int(EmailRouterAccessApproval.APPROVED),
        sa.or_(_p.c.servertype != int(ServerType.EXCHANGE_ONLINE_HYBRID), _m.c.isemailaddressapprovedbyo365admin.is_(True)),
    )
    return sa.or_(required.is_(False), approved)


_UNLOCKED = ~sa.exists().where(lease.c.mailboxid == _m.c.mailboxid, lease.c.holder.is_not(None), lease.c.expires > _NOW)
_SERVICE = sa.and_(
    _m.c.statecode == int(RecordState.ACTIVE),
    _p.c.statecode == int(RecordState.ACTIVE),
    _o.c.emailconnectionchannel == int(EmailConnectionChannel.SERVER_SIDE_SYNC),
    _approved(),
)
_INCOMING_SERVED = sa.or_(_m.c.incomingemaildeliverymethod == _SSS, _m.c.isforwardmailbox.is_(True))
_OUTGOING_SERVED = _m.c.outgoingemaildeliverymethod == int(OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER)
_ACT_SERVED = _m.c.actdeliverymethod == int(ActDeliveryMethod.SERVER_SIDE_SYNC)
_INCOMING = sa.and_(_INCOMING_SERVED, _m.c.enabledforincomingemail.is_(True))
_OUTGOING = sa.and_(_OUTGOING_SERVED, _m.c.enabledforoutgoingemail.is_(True))
_ACT = sa.and_(
    _ACT_SERVED,
    _m.c.enabledforact.is_(True),
    _p.c.servertype != int(ServerType.OTHER),
    _m.c.regardingobjectid_entity == "systemuser",
)
_TEST = sa.and_(_m.c.testemailconfigurationscheduled.is_(True), sa.or_(_INCOMING_SERVED, _OUTGOING_SERVED, _ACT_SERVED))
_PENDING = sa.and_(
    _e.c.sendermailboxid == _m.c.mailboxid,
    _e.c.statecode == int(EmailStatus.PENDING_SEND.state),
    _e.c.statuscode == int(EmailStatus.PENDING_SEND),
)
_WORK = sa.or_(
    sa.exists().where(_PENDING, _passed(_e.c.postponeemailprocessinguntil), _passed(_e.c.delayedemailsendtime)),
    sa.exists().where(_l.c.mailbox_id == _m.c.mailboxid, _l.c.mark.in_((Mark.CLAIMED.value, Mark.SUBMITTING.value))),
)
"""Sending has work when an email waits, or when an earlier run left one half done. An idle outbox costs no run."""

_DUE = {
    Operation.TEST: sa.and_(_TEST, _passed(_m.c.postponetestemailconfigurationuntil)),
    Operation.INCOMING: sa.and_(_INCOMING, _passed(_m.c.postponemailboxprocessinguntil), _passed(_m.c.receivingpostponeduntil)),
    Operation.OUTGOING: sa.and_(_OUTGOING, _passed(_m.c.postponesendinguntil), _WORK),
    Operation.ACT: sa.and_(_ACT, _passed(_m.c.receivingpostponeduntilforact)),
}
_MAILBOX, _PROFILE = shape_of(Mailbox), shape_of(EmailServerProfile)
_PROFILE_START = len(_MAILBOX.columns)
_FLAGS_START = _PROFILE_START + len(_PROFILE.columns)
_FROM = _m.join(_p, _m.c.emailserverprofile == _p.c.emailserverprofileid).join(_o, sa.true())
_DUE_NOW = (
    sa.select(
        *(column.label(f"m{number}") for number, column in enumerate(_MAILBOX.columns)),
        *(column.label(f"p{number}") for number, column in enumerate(_PROFILE.columns)),
        *(condition.label(f"due_{operation.value}") for operation, condition in _DUE.items()),
    )
    .select_from(_FROM)
    .where(_SERVICE, _UNLOCKED, sa.or_(*_DUE.values()))
    .order_by(_m.c.postponemailboxprocessinguntil.asc().nulls_first(), _m.c.rownumber)
)


_FIND_DUE = Prepared(_DUE_NOW, plain=True)
_FIND_FIRST_DUE = Prepared(_DUE_NOW.limit(sa.bindparam("p_limit", type_=sa.Integer())), plain=True)


def due_mailboxes(organization: Organization, now: datetime, *, limit: int | None) -> list[DueMailbox]:
    parameters = {"p_now": to_micros(now)}
    with organization.store.reading() as tx:
        if limit is None:
            rows = tx.execute(_FIND_DUE, parameters).all()
        else:
            rows = tx.execute(_FIND_FIRST_DUE, {**parameters, "p_limit": limit}).all()
    found = []
    for row in rows:
        directions = tuple(operation for operation, due in zip(_DUE, row[_FLAGS_START:], strict=True) if due)
        mailbox, profile = _MAILBOX.record(row[:_PROFILE_START]), _PROFILE.record(row[_PROFILE_START:_FLAGS_START])
        found.append(DueMailbox(mailbox, directions, profile))
    return found


def _earliest(condition: sa.ColumnElement[bool], *columns: sa.ColumnElement[Any]) -> list[Any]:
    """Scalar subqueries: the first moment after now at which each postponement of such mailboxes ends."""
    return [
        sa.select(sa.func.min(column)).select_from(_FROM).where(_SERVICE, condition, column > _NOW).scalar_subquery()
        for column in columns
    ]


def _earliest_email(column: sa.ColumnElement[Any]) -> Any:
    source = _FROM.join(_e, _PENDING)
    return sa.select(sa.func.min(column)).select_from(source).where(_SERVICE, _OUTGOING, column > _NOW).scalar_subquery()


_NEXT = Prepared(
    sa.select(
        *_earliest(_TEST, _m.c.postponetestemailconfigurationuntil),
        *_earliest(_INCOMING, _m.c.postponemailboxprocessinguntil, _m.c.receivingpostponeduntil),
        *_earliest(sa.and_(_OUTGOING, sa.exists().where(_PENDING)), _m.c.postponesendinguntil),
        *_earliest(_ACT, _m.c.receivingpostponeduntilforact),
        _earliest_email(_e.c.postponeemailprocessinguntil),
        _earliest_email(_e.c.delayedemailsendtime),
        sa.select(sa.func.min(lease.c.expires)).where(lease.c.holder.is_not(None), lease.c.expires > _NOW).scalar_subquery(),
    )
)


def next_due(organization: Organization) -> datetime | None:
    with organization.store.reading() as tx:
        row = tx.execute(_NEXT, {"p_now": to_micros(organization.clock.now())}).one()
    moments = [value for value in row if value is not None]
    return from_micros(min(moments)) if moments else None


def explain_mailbox(organization: Organization, mailbox_id: str, operation: Operation) -> list[Reason]:
    with organization.store.reading() as tx:
        mailbox = tx.get(Mailbox, mailbox_id)
        reference = mailbox.emailserverprofile
        profile = tx.first(EmailServerProfile, emailserverprofileid=reference.id) if reference is not None else None
        now = organization.clock.now()
        held = sa.select(lease.c.token).where(
            lease.c.mailboxid == mailbox_id, lease.c.holder.is_not(None), lease.c.expires > to_micros(now)
        )
        locked = tx.execute(held).first() is not None
        return explain(operation.value, mailbox, profile, settings_in(tx), now=now, locked=locked)


# -- a run ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one run reports. `next_due`: when the schedule wants this operation again. `steps`: name -> seconds."""

    fence: Fence | None
    started_on: datetime
    next_due: datetime | None = None
    processed: int = 0
    failed: int = 0
    failure: RunFailure | None = None
    scheduled_on: datetime | None = None
    steps: dict[str, float] = field(default_factory=dict)
    machine: str = ""


_POSTPONE_COLUMN = {
    **{operation: columns.postponed for operation, columns in COLUMNS.items()},
    Operation.TEST: "postponetestemailconfigurationuntil",
}
_STATISTICS = {
    Operation.INCOMING: OperationType.INCOMING_EMAIL,
    Operation.OUTGOING: OperationType.OUTGOING_EMAIL,
    Operation.ACT: OperationType.ACT,
}


def begin_run(organization: Organization, mailbox_id: str, operation: Operation, holder: str) -> Fence | None:
    """One lease a mailbox, whatever the operation: named as the mailbox's id."""
    now = organization.clock.now()
    expires = now + timedelta(seconds=organization.deployment.settings.lease_seconds)
    with organization.store.transaction() as tx:
        fence = leases.acquire(tx, mailbox_id, holder, now, expires)
        if fence is not None and (fence.taken_from is not None or operation in (Operation.OUTGOING, Operation.TEST)):
            outbox.take_over_mailbox(tx, mailbox_id, fence.token)
        return fence


def finish_run(organization: Organization, mailbox_id: str, operation: Operation, result: RunResult) -> None:
    with organization.store.transaction() as tx:
        if result.fence is not None and not leases.release(tx, result.fence):
            raise StaleRun(f"the lease of {result.fence.instance!r} was lost: the run's result does not count")
        mailbox = tx.get(Mailbox, mailbox_id)
        changes = _common(tx.now(), mailbox, operation, result)
        if result.failure is None:
            changes |= _succeeded(tx.now(), mailbox, operation, result)
        else:
            changes |= _failed(tx, organization, mailbox, operation, result.failure)
        tx.update(Mailbox, mailbox_id, **changes)
        if operation in _STATISTICS:
            tx.create(_statistics(tx.now(), mailbox, operation, result))


def renew_run(organization: Organization, fence: Fence) -> bool:
    expires = organization.clock.now() + timedelta(seconds=organization.deployment.settings.lease_seconds)
    try:
        with organization.store.transaction() as tx:
            leases.renew(tx, fence, expires)
    except StaleRun:
        return False
    return True


def end_run(organization: Organization, fence: Fence | None) -> None:
    """The lease knows its mailbox."""
    if fence is None:
        return
    with organization.store.transaction() as tx:
        leases.release(tx, fence)


def _common(now: datetime, mailbox: Mailbox, operation: Operation, result: RunResult) -> dict[str, Any]:
    """Next due time and performance counters (durations in milliseconds: the unit is not published)."""
    duration = max(0, round((now - result.started_on).total_seconds() * 1000))
    times = (mailbox.processedtimes or 0) + 1
    average = ((mailbox.averagetotalduration or 0) * (times - 1) + duration) // times
    changes: dict[str, Any] = {
        "processinglastattemptedon": result.started_on,
        "lastsyncstartedon": result.started_on,
        "itemsprocessedforlastsync": result.processed,
        "itemsfailedforlastsync": result.failed,
        "processedtimes": times,
        "lastduration": min(duration, 2**31 - 1),
        "averagetotalduration": min(average, 2**31 - 1),
    }
    if operation in COLUMNS:
        changes[COLUMNS[operation].scheduled] = result.next_due
    if operation is Operation.INCOMING:
        changes["noemailcount"] = 0 if result.processed else mailbox.noemailcount + 1
    elif operation is Operation.ACT:
        changes["noactcount"] = 0 if result.processed else mailbox.noactcount + 1
    return changes


def _succeeded(now: datetime, mailbox: Mailbox, operation: Operation, result: RunResult) -> dict[str, Any]:
    changes: dict[str, Any] = {"lastsuccessfulsynccompletedon": now}
    if operation in _STATISTICS:
        changes["mailboxstatus"] = MailboxTestStatus.SUCCESS
        counters = Counters.unpack(mailbox.transientfailurecount)
        changes["transientfailurecount"] = after_success(counters, operation).pack()
    if result.processed:
        changes["lastactiveon"] = now
    if mailbox.lastsyncerrorcount:
        changes["lastsyncerrorcount"] = 0
    if operation is Operation.INCOMING and mailbox.receivingpostponeduntil is not None:
        changes["receivingpostponeduntil"] = None
    return changes


def _failed(
    tx: Transaction, organization: Organization, mailbox: Mailbox, operation: Operation, failure: RunFailure
) -> dict[str, Any]:
    """Count, postpone or disable as `rules.retry` decides, and say so (reference 3.4)."""
    error = failure.judgement(operation)
    deployment = organization.deployment.settings
    back_off = BackOff(
        on_transient_error=deployment.mailbox_backoff_on_transient_error,
        on_timeout=deployment.mailbox_backoff_on_timeout,
        maximum_failures=deployment.max_mailbox_transient_failures,
    )
    counters = Counters.unpack(mailbox.transientfailurecount)
    decision = after_failure(counters, operation, error, back_off, failure.retry_after)
    changes: dict[str, Any] = {"transientfailurecount": decision.counters.pack()}
    if error.scope is not Scope.EMAIL:
        changes |= {
            "mailboxstatus": MailboxTestStatus.FAILURE,
            "lastsyncerror": one_line(failure.text, 2048),
            "lastsyncerrorcode": error.tracecode,
            "lastsyncerrorcount": (mailbox.lastsyncerrorcount or 0) + 1,
            "lastsyncerroroccurredon": tx.now(),
        }
    if decision.disable and operation in COLUMNS:
        changes |= {COLUMNS[operation].enabled: False, COLUMNS[operation].status: MailboxTestStatus.FAILURE}
    elif decision.postpone is not None and operation in _POSTPONE_COLUMN:
        changes[_POSTPONE_COLUMN[operation]] = tx.now() + decision.postpone
    _tell(tx, mailbox, operation, failure, decision)
    return changes


def _tell(tx: Transaction, mailbox: Mailbox, operation: Operation, failure: RunFailure, decision: Decision) -> None:
    """An alert on the mailbox, and for a profile's error on the profile; its mailboxes' owners hear of it where the organization wants."""
    if not decision.level:
        return
    settings = settings_in(tx)
    error, level = failure.judgement(operation), TraceLevel(int(decision.level))
    what = "switched off" if decision.disable else "tried again later"
    text = f"{operation.value.capitalize()} processing of the mailbox failed and is {what}: {error.name}"
    regarding: list[Lookup] = []
    if error.scope is not Scope.PROFILE or settings.notifymailboxownerofemailserverlevelalerts:
        regarding.append(mailbox.reference)
    if error.scope is Scope.PROFILE and mailbox.emailserverprofile is not None:
        regarding.append(mailbox.emailserverprofile)
    for one in regarding:
        alerts.write(tx, settings, Alert(one, level, error.name, text, details=failure.text, number=error.tracecode))


def _statistics(now: datetime, mailbox: Mailbox, operation: Operation, result: RunResult) -> MailboxStatistics:
    scheduled = result.scheduled_on or _due_since(mailbox, operation) or result.started_on
    steps = ";".join(f"{name}={seconds:.3f}" for name, seconds in result.steps.items())
    return MailboxStatistics(
        mailboxid=mailbox.reference,
        operationtypeid=_STATISTICS[operation],
        processresult=result.failure is None,
        mailboxprocessscheduledon=scheduled,
        mailboxprocessstartedon=result.started_on,
        mailboxprocesscompletedon=now,
        scheduledtimeintervalinminutes=_minutes(scheduled, result.started_on),
        processtimeintervalinminutes=_minutes(result.started_on, now),
        itemsprocessed=result.processed,
        itemsfailed=result.failed,
        crmitemsbacklog=-1,
        individualstepdurations=steps[:160] or None,
        machinename=one_line(result.machine, 160) or None,
    )


def _due_since(mailbox: Mailbox, operation: Operation) -> datetime | None:
    """When the run that ends now had become due. Sending is due when somebody asks for it: that moment is not known here."""
    if operation is Operation.OUTGOING:
        return None
    return max((moment for name in COLUMNS[operation].waits if (moment := getattr(mailbox, name)) is not None), default=None)


def _minutes(start: datetime, end: datetime) -> int:
    return max(0, int((end - start).total_seconds() // 60))
