"""A job: one piece of work for one instance, whoever it belongs to. Email providers, tests, retention and synchronizers alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from postroom.clock import Clock
from postroom.providers.contract import Connector, RunOutcome
from postroom.rules.operation import Operation
from postroom.runtime.connections import RunConnector
from postroom.runtime.outcome import JobReport

__all__ = ["Job", "JobRun", "LeasePort"]


class LeasePort(Protocol):
    """How the runtime takes the instance's lease. The runtime never looks into a fence. May be called from the run's thread and, to take
    the lease away or to renew it, from the runtime's."""

    def acquire(self) -> Any | None:
        """A fence, or None when somebody else holds the lease."""
        ...

    def renew(self, fence: Any) -> bool:
        """Keep it. False when it was lost."""
        ...

    def release(self, fence: Any) -> None:
        """Give it back, or take it from a run that does not end: whatever that run still writes raises StaleRun."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """What to run.

    instance    at most one job of an instance runs at a time
    run         the work. It builds its RunContext from the `JobRun` and returns counts or raises; it is called in the executor
    seconds     from start to deadline
    scheduled   when the work was due; None: when it was submitted to run
    lease       None: no lease is needed
    record      called once a run with its report and fence, before the lease is released: statistics, counters, next due time, alerts.
                Not called when the lease was not to be had. What it raises replaces the report's error
    ended       called once a run with its report, whatever became of it, in the runtime's own thread; it does not raise. It may submit jobs
    groups      what the run shares with others, of which only so many may run at once (`Runtime(caps=...)`): its organization, its server
    """

    instance: str
    operation: Operation
    run: Callable[[JobRun], RunOutcome]
    seconds: float = 600.0
    lease: LeasePort | None = None
    record: Callable[[JobReport, Any], None] | None = None
    scheduled: datetime | None = None
    ended: Callable[[JobReport], None] | None = None
    groups: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, Operation]:
        return self.instance, self.operation


class JobRun:
    """One run of a job, as its work sees it.

    run_id     unique within the runtime
    fence      what the lease gave; None without a lease
    deadline   a point of `clock.monotonic()`
    """

    def __init__(self, run_id: str, job: Job, clock: Clock) -> None:
        self.run_id = run_id
        self.job = job
        self.clock = clock
        self.fence: Any | None = None
        self.deadline = clock.monotonic() + job.seconds
        self._cancelled = threading.Event()
        self._shut_down = False
        self._connectors: list[RunConnector] = []
        self._lock = threading.Lock()

    def cancelled(self) -> bool:
        """For `RunContext.cancelled`."""
        return self._cancelled.is_set()

    def connector(self, inner: Connector) -> RunConnector:
        """For `RunContext.net`: bounded by the deadline, shut down when the run is cancelled, closed when it ends."""
        connector = RunConnector(inner, self.clock, self.deadline)
        with self._lock:
            self._connectors.append(connector)
            shut_down = self._shut_down
        if shut_down:
            connector.shutdown()
        return connector

    def ask_to_end(self) -> None:
        """Let the run end by itself between two messages: the flag only, no connection is touched. From any thread."""
        self._cancelled.set()

    def cancel(self) -> None:
        """Ask the run to end: the flag, and whoever waits on a connection wakes up. From any thread; idempotent."""
        self._cancelled.set()
        with self._lock:
            self._shut_down = True
            connectors = list(self._connectors)
        for connector in connectors:
            connector.shutdown()

    def close(self) -> None:
        with self._lock:
            connectors, self._connectors = self._connectors, []
        for connector in connectors:
            connector.close()
