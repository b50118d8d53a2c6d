"""Server-side synchronization: the built-in providers, configured from profile and mailbox records.

Asks the organization which mailboxes are due (one query), turns each into jobs, lets the runtime run them, and writes down what they lead to:
next due time, counters, statistics, alerts. Decisions are the rules'; this module only carries values between them.
"""

from __future__ import annotations

import logging
import os
import socket
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from postroom.errors import Cancelled, ConfigError, MessageError, RuleViolated, StoreError, TransientError
from postroom.model import AuthenticationProtocol, CredentialRetrieval, Mailbox, ServerType
from postroom.model.deployment import DeploymentSettings
from postroom.organization import SYSTEM, DueMailbox, GatewayBinding, Operation, Organization, RunFailure
from postroom.organization.run_results import interval_of
from postroom.organization.testing_mail import directions_to_test
from postroom.organization.upkeep import INSTANCE as RETENTION_INSTANCE
from postroom.organization.values import Connection
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.builtin.smtp import SmtpConfig, SmtpProvider
from postroom.providers.contract import Connector, Provider, ProviderEnv, RunContext, RunOutcome
from postroom.rules import schedule
from postroom.rules.error_classes import Nature, classify
from postroom.rules.watermark import deletes_after_processing
from postroom.runtime.executors import Executor
from postroom.runtime.jobs import Job, JobRun
from postroom.runtime.outcome import Ending, JobReport
from postroom.runtime.runtime import Runtime
from postroom.store.leases import Fence
from postroom.store.memory import SqlSeenSet, SqlStateCell

__all__ = ["ServerSideSync", "this_host"]

log = logging.getLogger("postroom.server_side_sync")

STARTTLS_PORTS = frozenset({25, 110, 587})
"""With TLS asked for, these ports speak in the clear first (RFC 8314 §3 and the services' registrations); all others TLS at once. Ours: the
profile knows only yes or no."""

OUTGOING_PER_CYCLE = 100
"""Emails claimed at once. Ours; "more" runs again."""

RETENTION_SECONDS = 600.0
"""A retention that takes longer is cut off between two transactions. Ours."""
RETENTION_RETRY = timedelta(hours=1)
"""When one that failed is tried again. Ours."""


_NOT_SPOKEN = frozenset({AuthenticationProtocol.NEGOTIATE, AuthenticationProtocol.NTLM})


@dataclass(slots=True)
class _Cycle:
    """What is noted while a job works: whose credentials were used, how long its steps took (in seconds), and when to poll again."""

    credentials: int | None = None
    steps: dict[str, float] = field(default_factory=dict)
    poll: schedule.NextPoll | None = None

    @property
    def of_profile(self) -> bool:
        return self.credentials == CredentialRetrieval.EMAIL_SERVER_PROFILE


class NoRoom(Cancelled):
    """As many connections as the server allows this user are open: nothing was done, and nothing went wrong (reference 3.6)."""


def this_host() -> str:
    """What leases call this machine."""
    return socket.gethostname()


class ServerSideSync:
    """The channel of one organization.

        sync.run_due()      everything that is due now, until nothing is
        sync.stop()         from any thread: run_due returns when what runs has come to an end, nothing half done
        sync.close()        ends what runs, in order

    `reported` is told of each run that ended, `tested` of each direction that a test looked at (mailbox id, direction, failure or None; in
    the run's thread).

    Inline (the default) everything happens in the caller's thread; a store in memory allows nothing else. With a pool, mailboxes run
    side by side, each at most once.
    """

    def __init__(
        self,
        organization: Organization,
        connector: Connector,
        *,
        executor: Executor | None = None,
        holder: str = "",
        reported: Callable[[JobReport], None] | None = None,
        tested: Callable[[str, Operation, RunFailure | None], None] | None = None,
    ) -> None:
        self.organization = organization
        self.connector = connector
        self.holder = holder or f"{this_host()}/{os.getpid()}-{id(self):x}"
        self.runtime = Runtime(organization.clock, executor, reported=reported)
        self._tested = tested
        self._stopping = False
        self._retention_due: datetime | None = None
        self._met_others = False

    def run_due(
        self,
        *,
        operations: Collection[Operation] = tuple(Operation),
        limit: int | None = None,
        mailboxes: Collection[str] | None = None,
    ) -> list[JobReport]:
        """Run what is due at this moment, and what that makes due, each mailbox and operation once (a full batch goes on at once).
        `limit` bounds the mailboxes taken up in one round, `mailboxes` names the only ones to be looked at. Returns the reports in the order in which the runs ended."""
        reports: list[JobReport] = []
        done: set[tuple[str, Operation]] = set()
        while True:
            found = self.organization.due_mailboxes(limit=limit, holder=self.holder)
            if self._met_others:
                # Each process has an order of its own, so that they do not follow each other from mailbox to mailbox.
                found.sort(key=lambda due: zlib.crc32(f"{self.holder} {due.mailbox.mailboxid}".encode()))
            turns = {due.mailbox.mailboxid: _Turn(due.token) for due in found}
            jobs = [
                self._job(due, operation, turns[due.mailbox.mailboxid])
                for due in found
                for operation in due.directions
                if operation in operations
                and (due.mailbox.mailboxid, operation) not in done
                and (mailboxes is None or due.mailbox.mailboxid in mailboxes)
            ]
            if not jobs or self._stopping:
                return reports + (self._keep_house() if Operation.RETENTION in operations and mailboxes is None else [])
            for job in jobs:
                done.add((job.instance, Operation(job.operation)))
                self.runtime.submit(job)
            ended = self.runtime.run_until_idle()
            self._met_others = any(report.ending is Ending.BUSY for report in ended)
            waiting = {(report.instance, report.operation) for report in ended if isinstance(report.error, NoRoom)}
            if len(waiting) < len(ended):  # others have ended and made room
                done -= waiting
            reports += ended

    def _keep_house(self) -> list[JobReport]:
        """Retention, when its time has come and no other process has done it meanwhile. The time is asked for once and then again when it has come."""
        now = self.organization.clock.now()
        if self._stopping or (self._retention_due is not None and now < self._retention_due):
            return []
        self._retention_due = self.organization.retention_due()
        if now < self._retention_due:
            return []
        self._retention_due = now + RETENTION_RETRY  # should it fail; a success is found in the database
        self.runtime.submit(
            Job(instance=RETENTION_INSTANCE, operation=Operation.RETENTION, run=self._retain, seconds=RETENTION_SECONDS)
        )
        return self.runtime.run_until_idle()

    def _retain(self, run: JobRun) -> RunOutcome:
        try:
            removed = self.organization.retain(SYSTEM, holder=self.holder, cancelled=run.cancelled)
        except RuleViolated:  # another process is at it
            return RunOutcome()
        log.info("retention: %s", removed)
        return RunOutcome(processed=removed.total)

    def stop(self) -> None:
        """From any thread. Nothing more is started; each run ends after the message that it is at."""
        self._stopping = True
        self.runtime.stop()

    def close(self) -> None:
        """End what runs, progress kept. Idempotent."""
        self.runtime.close()

    # -- one job ------------------------------------------------------------------------------------------------------

    def _job(self, due: DueMailbox, operation: Operation, turn: _Turn) -> Job:
        cycle = _Cycle()
        work = self._test if operation is Operation.TEST else self._email
        lease = _MailboxLease(self.organization, due.mailbox.mailboxid, operation, self.holder, turn)

        def record(report: JobReport, fence: Fence | None) -> None:
            if self._record(due, operation, report, fence, cycle):
                lease.given_back = fence

        return Job(
            instance=due.mailbox.mailboxid,
            operation=operation,
            run=lambda run: work(due, operation, run, cycle),
            lease=lease,
            record=record,
            scheduled=self.organization.due_since(due.mailbox, operation),
        )

    def _email(self, due: DueMailbox, operation: Operation, run: JobRun, cycle: _Cycle) -> RunOutcome:
        """One cycle of one direction. A job that runs again has its steps anew."""
        monotonic = self.organization.clock.monotonic
        cycle.steps, began = {}, monotonic()
        with self.organization.store.reading():  # one look for the password and for what the provider remembers
            connection = self._connection(due, operation)
            cycle.credentials = connection.credentials
            provider = self._provider(due.mailbox, operation, connection)
            context = self._context(due.mailbox, operation, operation, provider, connection, run)
            if operation is Operation.INCOMING:
                _ = context.state.value
        with self._slot(connection):
            cycle.steps["prepare"] = monotonic() - began
            try:
                return provider.run(context)
            finally:
                cycle.steps["run"] = monotonic() - began - cycle.steps["prepare"]
                provider.close()

    def _test(self, due: DueMailbox, operation: Operation, run: JobRun, cycle: _Cycle) -> RunOutcome:
        """Test & Enable (reference 2.4): each direction that still needs an answer is tried for real and told the result."""
        tested = failed = 0
        for direction in directions_to_test(due.mailbox):
            failure: RunFailure | None = None
            cycle.credentials = None
            try:
                self._try_direction(due, direction, operation, run, cycle)
            except (Cancelled, StoreError):  # says nothing about the mailbox
                raise
            except Exception as error:
                failure = RunFailure.of(error, direction, profile_credentials=cycle.of_profile)
                failed += 1
            self.organization.record_test_result(due.mailbox.mailboxid, direction, failure, fence=run.fence)
            if self._tested is not None:
                self._tested(due.mailbox.mailboxid, direction, failure)
            tested += 1
        return RunOutcome(processed=tested, failed=failed)

    def _try_direction(self, due: DueMailbox, direction: Operation, operation: Operation, run: JobRun, cycle: _Cycle) -> None:
        """Log in; outgoing also sends the real message to the mailbox itself. Raises ProviderError."""
        connection = self._connection(due, direction)
        cycle.credentials = connection.credentials
        with self._slot(connection):
            provider = self._provider(due.mailbox, direction, connection)
            try:
                ctx = self._context(due.mailbox, direction, operation, provider, connection, run)
                provider.check(ctx)
                if direction is Operation.OUTGOING:
                    outcome = provider.run(ctx)
                    if outcome.error is not None:
                        raise outcome.error
                    if outcome.rejected:
                        raise MessageError("the test message was refused", permanent=True, reply=outcome.detail)
                    if not outcome.delivered:
                        raise TransientError("the server did not take the test message", reply=outcome.detail)
            finally:
                provider.close()

    # -- what a run is made of ----------------------------------------------------------------------------------------

    def _connection(self, due: DueMailbox, direction: Operation) -> Connection:
        """Raises ConfigError for what these providers cannot do."""
        if due.profile.servertype is not ServerType.OTHER:
            raise ConfigError("Exchange profiles are not served: only POP3 and SMTP are")
        if direction is Operation.ACT:
            raise ConfigError("appointments, contacts and tasks need an Exchange profile")
        connection = self.organization.connection(due, direction)
        if connection.authentication in _NOT_SPOKEN:
            raise ConfigError("POP3 and SMTP are spoken with passwords only: Negotiate and NTLM are not")
        return connection

    @contextmanager
    def _slot(self, connection: Connection) -> Iterator[None]:
        """One connection among those allowed for the authenticated user on the server (reference 3.6). Raises NoRoom."""
        c = connection
        with self.organization.deployment.connections.slot(c.host, c.user, c.limit) as taken:
            if not taken:
                raise NoRoom(f"{c.limit} connections to {c.host} are open for this user already (MaxConcurrentConnections)")
            yield

    def _provider(self, mailbox: Mailbox, direction: Operation, connection: Connection) -> Provider:
        env = ProviderEnv(mailbox.mailboxid, self.organization.name, mailbox.emailaddress or "")
        tls = _tls(connection)
        if direction is Operation.INCOMING:
            return Pop3Provider(
                Pop3Config(
                    connection.host,
                    connection.port,
                    connection.username,
                    connection.password,
                    tls=tls,
                    delete=deletes_after_processing(
                        mailbox.processanddeleteemails,
                        mailbox.regardingobjectid.entity if mailbox.regardingobjectid is not None else None,
                        forward=bool(mailbox.isforwardmailbox),
                    ),
                ),
                env,
            )
        return SmtpProvider(
            SmtpConfig(connection.host, connection.port, connection.username, connection.password, tls=tls), env
        )

    def _context(
        self,
        mailbox: Mailbox,
        direction: Operation,
        operation: Operation,
        provider: Provider,
        connection: Connection,
        run: JobRun,
    ) -> RunContext[Any]:
        organization, instance = self.organization, mailbox.mailboxid
        settings = organization.deployment.settings
        spec = provider.spec
        incoming = direction is Operation.INCOMING
        return RunContext(
            run_id=run.run_id,
            instance=instance,
            state=SqlStateCell(
                organization.store, f"{instance}:{direction}", spec.state(), version=spec.state_version, fence=run.fence
            ),
            seen=SqlSeenSet(organization.store, instance, fence=run.fence),
            gateway=organization.gateway(GatewayBinding(instance, instance, run.fence, operation)),
            net=run.connector(self.connector),
            clock=organization.clock,
            log=_ProviderLog(organization.name, mailbox.emailaddress or instance),
            deadline=run.deadline,
            items=settings.incoming_maximum_emails_per_cycle if incoming else OUTGOING_PER_CYCLE,
            timeout=connection.timeout,
            cancelled=run.cancelled,
        )

    # -- what a run leads to ------------------------------------------------------------------------------------------

    def _record(self, due: DueMailbox, operation: Operation, report: JobReport, fence: Fence | None, cycle: _Cycle) -> bool:
        """Whether there was a result to write; the lease went back with it."""
        failure: RunFailure | None = None
        if isinstance(report.error, NoRoom):
            return False  # still due
        if report.error is not None:
            nature = classify(report.error, operation).nature
            if nature is Nature.STALE:
                return False  # another run has the mailbox; nothing of this one may be written
            if nature is not Nature.NONE:
                failure = RunFailure.of(report.error, operation, profile_credentials=cycle.of_profile)
                log.info("%s of %s: %s", operation, due.mailbox.emailaddress, failure.text)
        outcome = report.outcome or RunOutcome()
        poll = None if operation is Operation.TEST else self._next_poll(due, operation, outcome, cycle.poll)
        incoming = operation is Operation.INCOMING
        cycle.poll = poll
        self.organization.finish_run(
            due.mailbox.mailboxid,
            operation,
            fence=fence,
            started_on=report.started,
            next_due=None if poll is None else report.ended + timedelta(seconds=poll.seconds),
            processed=outcome.processed,
            failed=outcome.failed,
            failure=failure,
            scheduled_on=report.scheduled,
            steps=cycle.steps,
            machine=self.holder,
            run_id=report.run_id,
            interval=round(poll.interval) if poll is not None and incoming and failure is None else None,
        )
        return True

    def _next_poll(
        self, due: DueMailbox, operation: Operation, outcome: RunOutcome, earlier: schedule.NextPoll | None
    ) -> schedule.NextPoll:
        """By the windows of the operation, from the interval that the mailbox remembers, or from what the same job has found a moment before."""
        mailbox, act = due.mailbox, operation is Operation.ACT
        empty, interval = (mailbox.noactcount or 0, 0) if act else (mailbox.noemailcount or 0, interval_of(mailbox))
        if earlier is not None:
            empty, interval = earlier.noemailcount, round(earlier.interval)
        return schedule.next_poll(
            schedule.Cycle(outcome.processed, outcome.more),
            empty,
            previous=float(interval) if interval else None,
            windows=_windows(self.organization.deployment.settings, act=act),
            minimum_minutes=due.profile.minpollingintervalinminutes,
            inactive_back_off=due.inactive_back_off,
        )


def _windows(settings: DeploymentSettings, *, act: bool) -> schedule.Windows:
    if act:
        return schedule.Windows(
            settings.active_mailbox_minimum_backoff_for_act,
            settings.active_mailbox_maximum_backoff_for_act,
            settings.idle_mailbox_minimum_backoff_for_act,
            settings.idle_mailbox_maximum_backoff_for_act,
        )
    return schedule.Windows(
        settings.active_mailbox_minimum_backoff,
        settings.active_mailbox_maximum_backoff,
        settings.idle_mailbox_minimum_backoff,
        settings.idle_mailbox_maximum_backoff,
    )


def _tls(connection: Connection) -> Literal["none", "implicit", "starttls"]:
    if not connection.tls:
        return "none"
    return "starttls" if connection.port in STARTTLS_PORTS else "implicit"


@dataclass(slots=True)
class _Turn:
    """The token of a mailbox's lease when it was found due, and then that of the own latest run: whoever else had it meanwhile has done what
    was due."""

    token: int | None


class _MailboxLease:
    """The mailbox's lease, as the runtime asks for it. `given_back`: a fence that went back with the run's result."""

    def __init__(self, organization: Organization, mailbox_id: str, operation: Operation, holder: str, turn: _Turn) -> None:
        self._organization = organization
        self._turn = turn
        self._mailbox_id = mailbox_id
        self._operation = operation
        self._holder = holder
        self.given_back: Fence | None = None

    def acquire(self) -> Fence | None:
        fence = self._organization.begin_run(self._mailbox_id, self._operation, self._holder, expected=self._turn.token)
        if fence is not None:
            self._turn.token = fence.token
        return fence

    def renew(self, fence: Fence) -> bool:
        return self._organization.renew_run(self._mailbox_id, fence)

    def release(self, fence: Fence) -> None:
        if fence != self.given_back:
            self._organization.end_run(self._mailbox_id, fence)


class _ProviderLog:
    """Structured events of a provider, on the standard logging of this process."""

    def __init__(self, organization: str, mailbox: str) -> None:
        self._where = f"{organization}/{mailbox}"

    def __call__(self, event: str, text: str = "", /, **values: Any) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s %s %s", self._where, event, text, values or "")
