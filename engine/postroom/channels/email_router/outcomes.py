"""What the end of a run leads to: written to the organization in the run's thread, and taken into account in the router's."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postroom.channels.email_router.work import BrokenByProvider, NotServed, ProviderMistake, Work
from postroom.errors import Cancelled, PostroomError
from postroom.model import Lookup, TraceLevel
from postroom.model.text import one_line
from postroom.organization import router_service
from postroom.organization.alerts import Alert
from postroom.providers.contract import RunOutcome
from postroom.rules.eligibility import Obstacle
from postroom.rules.error_classes import AlertLevel, classify
from postroom.rules.router_runs import End, InstanceState, Next, Patience, after_run, end_of
from postroom.runtime.outcome import Ending, JobReport

if TYPE_CHECKING:
    from postroom.channels.email_router.service import EmailRouter

__all__ = ["Outcomes"]

MOST_ALERTS = 20
"""Mailboxes that are told of one failed run of a provider that sends for many. Ours."""

_EVENT = {
    End.WELL: "run.ended",
    End.CANCELLED: "run.cancelled",
    End.FENCED: "run.fenced",
    End.TRANSIENT: "run.failed",
    End.PERMANENT: "instance.stopped",
    End.STATE: "instance.held",
    End.BUG: "provider.bug",
}


@dataclass(frozen=True, slots=True)
class _Judged:
    end: End
    following: Next
    text: str


class Outcomes:
    """One a router."""

    def __init__(self, router: EmailRouter) -> None:
        self._router = router
        self._without: set[str] = set()  # organizations that do not use the router

    # -- in the run's thread, while it has its leases -----------------------------------------------------------------

    def record(self, work: Work, report: JobReport) -> None:
        """Alerts of the organization are written, or closed."""
        judged = self._judge(work, report)
        work.judged = judged
        if judged.end is End.STATE:
            self._hold(work, judged.text)
        try:
            if judged.end is End.WELL:
                self._all_well(work)
            elif judged.following.alert is not AlertLevel.NONE and report.error is not None:
                self._alert(work, report, judged)
        except PostroomError as error:  # its database is away, as it may have been for the run
            name = work.place.name
            self._router.events.tell("organization.alert_failed", work.place.key, name, work.instance.redact(str(error)))

    def _hold(self, work: Work, reason: str) -> None:
        """It survives a restart. What the database found out itself, it holds itself."""
        with suppress(PostroomError):
            row = self._router.memory.row(work.place.key)
            if row is None or not row.held:
                self._router.memory.hold(work.place.key, reason)

    def _judge(self, work: Work, report: JobReport) -> _Judged:
        router, instance, error = self._router, work.instance, report.error
        end = end_of(error, work.operation)
        patience = Patience(work.entry.settings.polling_period.seconds, router.patience)
        outcome = report.outcome or RunOutcome()
        retry_after = outcome.retry_after or getattr(error, "retry_after", None)
        unfinished = isinstance(error, Cancelled) and report.late and outcome.more
        following = after_run(end, instance.failures, patience, router.random.random(), retry_after, unfinished=unfinished)
        return _Judged(end, following, instance.redact(told(error)) if error is not None else "")

    def _all_well(self, work: Work) -> None:
        if not work.instance.alerted:
            return
        for mailbox_id in work.instance.mailboxes or ():
            router_service.close_alerts(work.organization, mailbox_id, work.operation)

    def _alert(self, work: Work, report: JobReport, judged: _Judged) -> None:
        """The documented type of the error, to the mailboxes that the run was for."""
        assert report.error is not None
        error = classify(report.error, work.operation)
        level = judged.following.alert
        what = {
            InstanceState.HELD: "held: what it remembers cannot be used",
            InstanceState.STOPPED: "stopped",
            InstanceState.BROKEN: "stopped: its provider cannot be used",
        }.get(judged.following.state, "tried again later")
        text = f"{work.operation.value.capitalize()} processing of the mailbox by the Email Router failed and is {what}: {error.name}"
        served = work.senders.served if work.senders is not None and work.senders.served else work.instance.mailboxes or ()
        for mailbox_id in served[:MOST_ALERTS]:
            work.organization.alert(
                Alert(
                    Lookup("mailbox", mailbox_id),
                    TraceLevel(int(level)),
                    error.name,
                    text,
                    details=judged.text,
                    number=error.tracecode,
                    parameters={"instance": one_line(work.place.name, 200), "operation": work.operation.value},
                    actions=("Resume",) if judged.following.wait is None else (),
                    machine=self._router.holder,
                )
            )

    # -- in the router's thread ---------------------------------------------------------------------------------------

    def ended(self, work: Work, report: JobReport) -> None:
        """Counters, the state, and when it runs again."""
        instance = work.instance
        self._count(work, report)
        instance.running_since = None
        if work.senders_gateway is not None:
            instance.last_turn = work.senders_gateway.last
        if instance.generation != work.generation:  # its configuration changed, or it went, while it ran
            return
        if isinstance(report.error, NotServed):
            self._not_served(work, report.error)
        elif report.ending is Ending.BUSY:
            self._overlap(work)
        else:
            self._decided(work, report, work.judged or self._judge(work, report))

    def _count(self, work: Work, report: JobReport) -> None:
        counters, outcome = work.instance.counters, report.outcome or RunOutcome()
        if report.ending is Ending.BUSY or isinstance(report.error, NotServed):
            return
        counters.runs += 1
        counters.failed_runs += report.error is not None and not isinstance(report.error, Cancelled)
        for name in ("processed", "delivered", "rejected", "failed"):
            setattr(counters, name, getattr(counters, name) + getattr(outcome, name))

    def _not_served(self, work: Work, error: NotServed) -> None:
        """It is looked at again each period: whoever is served again goes on by itself."""
        router, instance, place = self._router, work.instance, work.place
        left = any(reason.code is Obstacle.CHANNEL for reason in error.reasons)
        if left and place.organization not in self._without:
            self._without.add(place.organization)
            router.events.tell("organization.left", text=f"{place.organization}: {error}", organization=place.organization)
        if instance.why != str(error):
            router.events.tell("instance.not_served", place.key, place.name, str(error))
        instance.state, instance.why = InstanceState.STOPPED, str(error)
        router.schedule(instance, work.entry.settings.polling_period.seconds)

    def _overlap(self, work: Work) -> None:
        """Another router serves the same mailbox. Nothing is doubled; somebody should make the sets disjoint."""
        instance, why = work.instance, f"it is being processed by {work.overlap}"
        if instance.why != why:
            self._router.events.tell("instance.overlap", work.place.key, work.place.name, why)
        instance.state, instance.why = InstanceState.WAITING, why
        self._router.schedule(instance, work.entry.settings.polling_period.seconds)

    def _decided(self, work: Work, report: JobReport, judged: _Judged) -> None:
        router, instance, place = self._router, work.instance, work.place
        following = judged.following
        if place.organization in self._without:
            self._without.discard(place.organization)
            router.events.tell("organization.returned", text=place.organization, organization=place.organization)
        state, event, wait = following.state, _EVENT[judged.end], following.wait
        if report.ending is Ending.OVERRUN:
            state, event = InstanceState.OVERRUN, "run.overrun"
        elif isinstance(report.error, BrokenByProvider):
            state, event = InstanceState.BROKEN, "instance.broken"
        instance.failures, instance.state = following.failures, state
        instance.why = judged.text if wait is None or state is InstanceState.OVERRUN else ""
        if judged.end is End.WELL:
            instance.last_error = instance.trace = ""
            instance.alerted = False
            self._meetings(work)
        elif judged.end is not End.CANCELLED:
            instance.last_error, instance.trace = judged.text, work.trace
            instance.alerted = True
        self._tell(work, report, event, judged)
        if wait is None:
            instance.next_due = None
        elif not router.runtime.waits(place.key, place.operation):
            router.schedule(instance, wait)

    def _meetings(self, work: Work) -> None:
        """Of a provider that sends for many: those whose mailbox it could not have."""
        met = work.senders_gateway.met if work.senders_gateway is not None else {}
        for mailbox_id, why in met.items():
            if work.instance.why != why:
                work.instance.why = why
                event = "instance.overlap" if " by " in why else "instance.not_served"
                self._router.events.tell(event, work.place.key, work.place.name, why, mailbox=mailbox_id)

    def _tell(self, work: Work, report: JobReport, event: str, judged: _Judged) -> None:
        outcome = report.outcome or RunOutcome()
        self._router.events.tell(
            event,
            work.place.key,
            work.place.name,
            judged.text,
            run=report.run_id,
            organization=work.place.organization,
            mailbox=work.instance.address,
            processed=outcome.processed,
            delivered=outcome.delivered,
            failed=outcome.failed,
            failures=judged.following.failures,
        )


def told(error: BaseException) -> str:
    """What may be shown of an error: what it says where it is ours, else only what it is."""
    if isinstance(error, ProviderMistake):
        return f"the provider {error}"
    if not isinstance(error, PostroomError):
        return f"the provider raised {type(error).__name__}"
    reply = getattr(error, "reply", "")
    text = str(error)
    return f"{text} ({reply})" if reply and reply not in text else text
