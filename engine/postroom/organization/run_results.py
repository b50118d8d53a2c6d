"""What a run leaves behind (server-side-sync reference 3.2-3.7, 1.9): next due time, counters, the statistics row, alerts, the lease.

A run that went well, on a mailbox where nothing was wrong before, is one statement for the lease, one for the mailbox and one for the statistics: an
idle poll is little more. Whatever is out of the ordinary takes the long way, which reads the record.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import StaleRun
from postroom.model import EmailStatus, Lookup, Mailbox, MailboxTestStatus, OperationType, TraceLevel
from postroom.model.deployment import DeploymentSettings
from postroom.model.text import one_line
from postroom.organization import alerts, profile_alert
from postroom.organization.alerts import Alert
from postroom.organization.policies import settings_in
from postroom.organization.values import Operation, RunFailure
from postroom.rules.error_classes import Scope
from postroom.rules.operation import COLUMNS
from postroom.rules.outgoing_state import Mark
from postroom.rules.retry import PLACES, BackOff, Counters, Decision, after_failure, after_success
from postroom.store import TABLES, Fence, Transaction, leases, ledger
from postroom.store.prepared import Prepared
from postroom.store.rows import from_micros, to_micros
from postroom.store.tables import lease

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["RunResult", "back_off_of", "finish_run", "interval_of", "sending_due_since"]

_m, _e, _s = TABLES["mailbox"], TABLES["email"], TABLES["mailboxstatistics"]
_l = ledger.outgoing_ledger
INT_MAX = 2**31 - 1
BACKLOG_UNKNOWN = -1
INTERVAL = 2
"""`mailbox.mailboxprocessingcontext` ("internal", values not published; ours): the lowest bit is `testing_mail.TEST_ONLY`, above it stands the polling
interval that is in force, in seconds."""


def interval_of(mailbox: Mailbox) -> int:
    """The polling interval that a mailbox remembers, in seconds; 0: none."""
    return max(0, mailbox.mailboxprocessingcontext or 0) // INTERVAL


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one run reports.

    next_due      when the schedule wants this operation again
    scheduled_on  when the run was due; None: when it started
    steps         name -> seconds
    run_id        unique within the machine
    interval      seconds of the polling interval in force, without the profile's floor; None: not known
    """

    fence: Fence | None
    started_on: datetime
    next_due: datetime | None = None
    processed: int = 0
    failed: int = 0
    failure: RunFailure | None = None
    scheduled_on: datetime | None = None
    steps: dict[str, float] = field(default_factory=dict)
    machine: str = ""
    run_id: str = ""
    interval: int | None = None


_POSTPONE_COLUMN = {
    **{operation: columns.postponed for operation, columns in COLUMNS.items()},
    Operation.TEST: "postponetestemailconfigurationuntil",
}
_STATISTICS = {
    Operation.INCOMING: OperationType.INCOMING_EMAIL,
    Operation.OUTGOING: OperationType.OUTGOING_EMAIL,
    Operation.ACT: OperationType.ACT,
}
_EMPTY_COUNT = {Operation.INCOMING: "noemailcount", Operation.ACT: "noactcount"}


def finish_run(organization: Organization, mailbox_id: str, operation: Operation, result: RunResult) -> None:
    with organization.store.transaction() as tx:
        quick = (
            result.fence is not None and result.fence.instance == mailbox_id and operation in _WELL and result.failure is None
        )
        if result.fence is not None and not leases.release(tx, result.fence, unlock=not quick):
            raise StaleRun(f"the lease of {result.fence.instance!r} was lost: the run's result does not count")
        now = tx.now()
        if not quick or tx.execute(_WELL[operation], _parameters(now, mailbox_id, result)).rowcount == 0:
            if quick:
                leases.unlock(tx, mailbox_id)
            _the_long_way(tx, organization, mailbox_id, operation, result)
        if operation in _STATISTICS:
            _write_statistics(tx, organization, now, mailbox_id, operation, result)
    if result.failure is not None and result.failure.scope is not Scope.EMAIL and operation in _STATISTICS:
        profile_alert.consider(organization, mailbox_id)


def _the_long_way(
    tx: Transaction, organization: Organization, mailbox_id: str, operation: Operation, result: RunResult
) -> None:
    mailbox = tx.get(Mailbox, mailbox_id)
    changes = _common(tx.now(), mailbox, operation, result)
    if result.failure is None:
        changes |= _succeeded(tx, mailbox, operation, result)
    else:
        changes |= _failed(tx, organization.deployment.settings, mailbox, operation, result)
    tx.update(Mailbox, mailbox_id, **changes)


# -- it went well, as before ------------------------------------------------------------------------------------------


def _number(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(sa.func.coalesce(column, 0), sa.BigInteger())


def _given(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(f"p_{name}", type_=sa.BigInteger())


def _went_well(operation: Operation) -> Prepared:
    """The same as `_common` and `_succeeded` in one statement, for a mailbox without open trouble and with no other lease on it."""
    times, duration = _number(_m.c.processedtimes), _given("duration")
    average = (_number(_m.c.averagetotalduration) * times + duration) // (times + 1)
    columns = COLUMNS[operation]
    values: dict[str, Any] = {
        "hostid": None,
        "processingstatecode": 0,
        "processinglastattemptedon": _given("started"),
        "lastsyncstartedon": _given("started"),
        "lastsuccessfulsynccompletedon": _given("now"),
        "modifiedon": _given("now"),
        "itemsprocessedforlastsync": _given("processed"),
        "itemsfailedforlastsync": _given("failed"),
        "processedtimes": times + 1,
        "lastduration": duration,
        "averagetotalduration": sa.case((average > INT_MAX, INT_MAX), else_=average),
        "mailboxstatus": int(MailboxTestStatus.SUCCESS),
        "lastactiveon": sa.case((_given("processed") > 0, _given("now")), else_=_m.c.lastactiveon),
        columns.scheduled: _given("next"),
    }
    if (counter := _EMPTY_COUNT.get(operation)) is not None:
        values[counter] = sa.case((_given("processed") > 0, 0), else_=_m.c[counter] + 1)
    if operation is Operation.INCOMING:
        context = sa.func.coalesce(_m.c.mailboxprocessingcontext, 0)
        kept = sa.case((_given("interval") < 0, context), else_=context % INTERVAL + _given("interval") * INTERVAL)
        values["mailboxprocessingcontext"] = kept
    place = PLACES[operation]
    quiet = [
        _m.c.mailboxid == sa.bindparam("p_mailbox"),
        sa.func.coalesce(_m.c.lastsyncerrorcount, 0) == 0,
        _m.c.transientfailurecount // place % 1000 == 0,
        ~sa.exists().where(lease.c.mailboxid == _m.c.mailboxid, lease.c.holder.is_not(None)),
    ]
    if columns.postponed != columns.scheduled:
        quiet.append(_m.c[columns.postponed].is_(None))
    return Prepared(_m.update().where(*quiet).values(values))


_WELL = {operation: _went_well(operation) for operation in (Operation.INCOMING, Operation.OUTGOING, Operation.ACT)}


def _duration(now: datetime, result: RunResult) -> int:
    """Milliseconds: the unit of the mailbox's performance counters is not published."""
    return min(max(0, round((now - result.started_on).total_seconds() * 1000)), INT_MAX)


def _parameters(now: datetime, mailbox_id: str, result: RunResult) -> dict[str, Any]:
    return {
        "p_mailbox": mailbox_id,
        "p_started": to_micros(result.started_on),
        "p_now": to_micros(now),
        "p_processed": result.processed,
        "p_failed": result.failed,
        "p_duration": _duration(now, result),
        "p_next": to_micros(result.next_due) if result.next_due is not None else None,
        "p_interval": -1 if result.interval is None else result.interval,
    }


# -- the long way -----------------------------------------------------------------------------------------------------


def _common(now: datetime, mailbox: Mailbox, operation: Operation, result: RunResult) -> dict[str, Any]:
    """Next due time and performance counters."""
    duration = _duration(now, result)
    times = (mailbox.processedtimes or 0) + 1
    average = ((mailbox.averagetotalduration or 0) * (times - 1) + duration) // times
    changes: dict[str, Any] = {
        "processinglastattemptedon": result.started_on,
        "lastsyncstartedon": result.started_on,
        "itemsprocessedforlastsync": result.processed,
        "itemsfailedforlastsync": result.failed,
        "processedtimes": times,
        "lastduration": duration,
        "averagetotalduration": min(average, INT_MAX),
    }
    if operation in COLUMNS:
        changes[COLUMNS[operation].scheduled] = result.next_due
    if (counter := _EMPTY_COUNT.get(operation)) is not None and result.failure is None:
        changes[counter] = 0 if result.processed else getattr(mailbox, counter) + 1
    if operation is Operation.INCOMING and result.interval is not None:
        changes["mailboxprocessingcontext"] = (mailbox.mailboxprocessingcontext or 0) % INTERVAL + result.interval * INTERVAL
    return changes


def _succeeded(tx: Transaction, mailbox: Mailbox, operation: Operation, result: RunResult) -> dict[str, Any]:
    """The operation's counter starts over (reference 3.4), and its open alerts are closed."""
    changes: dict[str, Any] = {"lastsuccessfulsynccompletedon": tx.now()}
    if operation in _STATISTICS:
        changes["mailboxstatus"] = MailboxTestStatus.SUCCESS
        counters = Counters.unpack(mailbox.transientfailurecount)
        changes["transientfailurecount"] = after_success(counters, operation).pack()
        alerts.close_errors(tx, mailbox.reference, operation)
        if mailbox.emailserverprofile is not None:
            alerts.close_errors(tx, mailbox.emailserverprofile, operation)
    if result.processed:
        changes["lastactiveon"] = tx.now()
    if mailbox.lastsyncerrorcount:
        changes["lastsyncerrorcount"] = 0
    if operation is Operation.INCOMING and mailbox.receivingpostponeduntil is not None:
        changes["receivingpostponeduntil"] = None
    return changes


def back_off_of(deployment: DeploymentSettings, operation: Operation) -> BackOff:
    """Appointments, contacts and tasks have settings of their own (reference 1.6)."""
    if operation is Operation.ACT:
        return BackOff(
            on_transient_error=deployment.mailbox_backoff_on_transient_error_for_act,
            on_timeout=deployment.mailbox_backoff_on_timeout_for_act,
            maximum_failures=deployment.maximum_mailbox_transient_failures_for_act,
        )
    return BackOff(
        on_transient_error=deployment.mailbox_backoff_on_transient_error,
        on_timeout=deployment.mailbox_backoff_on_timeout,
        maximum_failures=deployment.max_mailbox_transient_failures,
    )


def _failed(
    tx: Transaction, deployment: DeploymentSettings, mailbox: Mailbox, operation: Operation, result: RunResult
) -> dict[str, Any]:
    """Count, postpone or disable as `rules.retry` decides, and say so (reference 3.4)."""
    failure = result.failure
    assert failure is not None
    error = failure.judgement(operation)
    counters = Counters.unpack(mailbox.transientfailurecount)
    decision = after_failure(counters, operation, error, back_off_of(deployment, operation), failure.retry_after)
    changes: dict[str, Any] = {"transientfailurecount": decision.counters.pack()}
    if error.scope is not Scope.EMAIL:
        changes |= {
            "mailboxstatus": MailboxTestStatus.FAILURE,
            "lastsyncerror": one_line(failure.text, 2048),
            "lastsyncerrorcode": error.tracecode,
            "lastsyncerrorcount": (mailbox.lastsyncerrorcount or 0) + 1,
            "lastsyncerrormachinename": one_line(result.machine, 320) or None,
            "lastsyncerroroccurredon": tx.now(),
        }
    if decision.disable and operation in COLUMNS:
        changes |= {COLUMNS[operation].enabled: False, COLUMNS[operation].status: MailboxTestStatus.FAILURE}
    elif decision.postpone is not None and operation in _POSTPONE_COLUMN:
        changes[_POSTPONE_COLUMN[operation]] = tx.now() + decision.postpone
    _tell(tx, mailbox, operation, result, decision)
    return changes


def _tell(tx: Transaction, mailbox: Mailbox, operation: Operation, result: RunResult, decision: Decision) -> None:
    """An alert on the mailbox, and for a profile's error on the profile: its owner always hears of it, the owners of its mailboxes where the
    organization wants (reference 3.7), as children of the profile's alert."""
    failure = result.failure
    if not decision.level or failure is None:
        return
    settings = settings_in(tx)
    error, level = failure.judgement(operation), TraceLevel(int(decision.level))
    what = "switched off" if decision.disable else "tried again later"
    text = f"{operation.value.capitalize()} processing of the mailbox failed and is {what}: {error.name}"
    of_profile = error.scope is Scope.PROFILE
    regarding: list[Lookup] = []
    if of_profile and mailbox.emailserverprofile is not None:
        regarding.append(mailbox.emailserverprofile)
    if not of_profile or settings.notifymailboxownerofemailserverlevelalerts:
        regarding.append(mailbox.reference)
    parent: str | None = None
    for one in regarding:
        alert = Alert(
            one,
            level,
            error.name,
            text,
            details=failure.text,
            number=error.tracecode,
            parameters={"mailbox": one_line(mailbox.emailaddress or mailbox.name or "", 200), "operation": operation.value},
            actions=("TestAndEnable",) if decision.disable else (),
            machine=result.machine,
            parent=parent,
        )
        parent = alerts.write(tx, settings, alert)


# -- statistics -------------------------------------------------------------------------------------------------------

_INSERT_STATISTICS = Prepared(_s.insert().inline())
_PENDING = sa.and_(
    _e.c.sendermailboxid == sa.bindparam("p_mailbox"),
    _e.c.statecode == int(EmailStatus.PENDING_SEND.state),
    _e.c.statuscode == int(EmailStatus.PENDING_SEND),
)
_BACKLOG = Prepared(sa.select(sa.func.count()).select_from(_e).where(_PENDING))
_REQUESTED = Prepared(
    sa.select(_l.c.requested_at, _e.c.postponeemailprocessinguntil, _e.c.delayedemailsendtime)
    .select_from(_e.join(_l, _l.c.email_id == _e.c.activityid))
    .where(_PENDING, _l.c.mark == Mark.PENDING.value)
    .order_by(_l.c.requested_at)
    .limit(200)
)


def sending_due_since(tx: Transaction, mailbox_id: str) -> datetime | None:
    """The first moment at which one of the emails that wait here (the 200 oldest) could have been sent; None: none waits."""
    moments = [max(moment for moment in row if moment is not None) for row in tx.execute(_REQUESTED, {"p_mailbox": mailbox_id})]
    return from_micros(min(moments)) if moments else None


def _write_statistics(
    tx: Transaction, organization: Organization, now: datetime, mailbox_id: str, operation: Operation, result: RunResult
) -> None:
    """One row per operation and cycle (reference 1.9, 3.6), every column of it. The backlog is known for sending only: emails that still wait.
    `asynceventid` names the run: derived from machine and run, ours."""
    scheduled = result.scheduled_on or result.started_on
    steps = ";".join(f"{name}={seconds:.3f}" for name, seconds in result.steps.items())
    sending = operation is Operation.OUTGOING
    row = {
        "mailboxstatisticsid": tx.new_id(),
        "mailboxid": mailbox_id,
        "mailboxid_entity": "mailbox",
        "operationtypeid": int(_STATISTICS[operation]),
        "processresult": result.failure is None,
        "mailboxprocessscheduledon": to_micros(scheduled),
        "mailboxprocessstartedon": to_micros(result.started_on),
        "mailboxprocesscompletedon": to_micros(now),
        "scheduledtimeintervalinminutes": _minutes(scheduled, result.started_on),
        "processtimeintervalinminutes": _minutes(result.started_on, now),
        "itemsprocessed": result.processed,
        "itemsfailed": result.failed,
        "crmitemsbacklog": tx.execute(_BACKLOG, {"p_mailbox": mailbox_id}).scalar_one() if sending else BACKLOG_UNKNOWN,
        "individualstepdurations": steps[:160] or None,
        "machinename": one_line(result.machine, 160) or None,
        "asynceventid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{result.machine}/{result.run_id}")) if result.run_id else None,
        "organizationid": organization.organization_id,
        "organizationid_entity": "organization",
        "createdon": to_micros(now),
    }
    tx.execute(_INSERT_STATISTICS, row)


def _minutes(start: datetime, end: datetime) -> int:
    return min(max(0, int((end - start) / timedelta(minutes=1))), INT_MAX)
