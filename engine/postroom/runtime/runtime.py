"""Runs jobs: one of an instance at a time, under its lease, until its deadline. Knows nothing of organizations."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from postroom.clock import Clock
from postroom.errors import Cancelled, ServerTimeout
from postroom.providers.contract import RunOutcome
from postroom.rules.operation import Operation
from postroom.runtime.executors import Executor, InlineExecutor
from postroom.runtime.jobs import Job, JobRun
from postroom.runtime.outcome import Ending, JobReport
from postroom.runtime.scheduler import Scheduler

__all__ = ["Runtime"]

Key = tuple[str, Operation]


@dataclass(slots=True)
class _Active:
    """A run that goes on. `reported`: an overrun was told already, and the instance stays blocked until the thread ends."""

    job: Job
    run: JobRun
    scheduled: datetime
    started: datetime
    handle: object = None
    renewed: float = 0.0
    ended: bool = False
    reported: bool = False
    late: bool = False


class Runtime:
    """Takes jobs, runs those that are due, gives reports.

        runtime.submit(job, due=None)      now, or at a point of clock.monotonic()
        runtime.tick()                     start what is due, watch what runs, give the reports since the last tick
        runtime.run_until_idle()           tick until nothing is due and nothing runs
        runtime.stop()                     from any thread: let what runs come to an end

    All other methods belong to one thread. Inline everything happens inside `tick`, and a deadline is then watched by the waits and by
    `ctx.raise_if_cancelled` alone. With a pool, `tick` cancels a run at its deadline and, `grace` seconds later, takes its lease away,
    reports it as overrun, and blocks its instance until its thread ends.
    """

    def __init__(
        self,
        clock: Clock,
        executor: Executor | None = None,
        *,
        grace: float = 30.0,
        renew_every: float = 300.0,
        reported: Callable[[JobReport], None] | None = None,
        caps: Callable[[str], int | None] | None = None,
    ) -> None:
        """`caps`: how many jobs of a group (`Job.groups`) may run at once; None for one without bound."""
        self._clock = clock
        self._executor: Executor = executor if executor is not None else InlineExecutor()
        self._grace = grace
        self._renew_every = renew_every
        self._reported = reported
        self._scheduler: Scheduler[Key] = Scheduler(caps)
        self._jobs: dict[Key, Job] = {}
        self._due: dict[Key, datetime] = {}
        self._active: dict[Key, _Active] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._ended: list[tuple[_Active, JobReport | None]] = []
        self._closing = False
        self._stopping = False

    # -- from outside

    def submit(self, job: Job, due: float | None = None) -> None:
        """Have a job run at `due` (default: now). A job that waits already is replaced; one that runs is run again afterwards."""
        if self._closing:
            raise RuntimeError("the runtime is being closed")
        now = self._clock.monotonic()
        self._jobs[job.key] = job
        self._due[job.key] = job.scheduled or self._clock.now() + timedelta(seconds=0 if due is None else due - now)
        self._scheduler.put(job.key, job.instance, now if due is None else due, job.groups)

    def withdraw(self, instance: str, operation: Operation) -> None:
        """Do not run it any more; a run that goes on is cancelled."""
        key = instance, operation
        self._scheduler.remove(key)
        self._due.pop(key, None)
        if (active := self._active.get(key)) is not None:
            active.run.cancel()

    def waits(self, instance: str, operation: Operation) -> bool:
        """Whether a job waits for its time, or is asked for again while it runs."""
        key = instance, operation
        active = self._active.get(key)
        return key in self._scheduler and (active is None or active.ended)

    def let_go(self, instance: str, operation: Operation) -> bool:
        """A run that overran counts no more, although its thread is still there: the instance may run again. Somebody has decided that. False when
        no run of it overran."""
        key = instance, operation
        active = self._active.get(key)
        if active is None or not active.reported or active.ended:
            return False
        del self._active[key]
        self._scheduler.let_go(key)
        if key not in self._scheduler:
            del self._jobs[key]
        return True

    def running(self) -> list[Key]:
        """Instance and operation of the runs that go on, overrun ones too."""
        return list(self._active)

    def next_due(self) -> float | None:
        return self._scheduler.next_due()

    def tick(self) -> list[JobReport]:
        """One step. What was due when it began is started as far as there are slots; a job that wants more comes after all that was due."""
        now = self._clock.monotonic()
        reports = self._collect()
        if self._stopping and not self._closing:
            self._ask_to_end(now)
        if self._active:
            reports += self._watch(now)
        free = self._executor.slots - sum(not active.reported for active in self._active.values())
        if not self._closing:
            if self._executor.inline:
                for _ in range(len(self._scheduler)):
                    keys = self._scheduler.take(now, 1)
                    if not keys:
                        break
                    self._start(keys[0], now)
                    reports += self._collect()
            else:
                for key in self._scheduler.take(now, max(0, free)):
                    self._start(key, now)
        return reports

    def run_until_idle(self, patience: float | None = None) -> list[JobReport]:
        """Tick until nothing is due and nothing runs (runs that overran do not count). Meanwhile deadlines and leases are watched.

        `patience`: with a pool, real seconds without any run ending after which TimeoutError is raised; None: the deadlines are
        enough (but not under a manual clock, which nobody moves meanwhile)."""
        reports = self.tick()
        waited = 0.0
        while True:
            due = self._scheduler.next_due()
            busy = any(not active.reported for active in self._active.values())
            if not busy and (self._closing or due is None or due > self._clock.monotonic()):
                return reports
            if busy:
                pause = self._pause() if patience is None else min(self._pause(), patience - waited)
                waited = 0.0 if self.wait(pause) else waited + pause
                if patience is not None and waited >= patience:
                    raise TimeoutError(f"no run ended within {patience} seconds: {self.running()}")
            reports += self.tick()

    def _pause(self) -> float:
        """Seconds until something about the active runs has to be looked at: a deadline, the end of a grace, a renewal."""
        moments = [
            min(run.run.deadline + (self._grace if run.late else 0.0), run.renewed + self._renew_every)
            for run in self._active.values()
            if not run.reported
        ]
        return max(0.01, min(moments) - self._clock.monotonic())

    def wait(self, seconds: float) -> bool:
        """Wait in real time until a run has ended or `stop` was called; False when neither happened. Returns at once when one ended since
        the last tick."""
        with self._changed:
            return bool(
                self._changed.wait_for(lambda: bool(self._ended) or (self._stopping and not self._closing), timeout=seconds)
            )

    def stop(self) -> None:
        """From any thread: start nothing more, and ask what runs to end at the next message, its connections untouched, so that nothing is
        left half done. What still runs after the grace time meets its deadline. `run_until_idle` returns when all have ended."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _ask_to_end(self, now: float) -> None:
        self._closing = True
        for active in self._active.values():
            active.run.deadline = min(active.run.deadline, now + self._grace)
            active.run.ask_to_end()

    def close(self, grace: float | None = None) -> list[JobReport]:
        """Start nothing more, cancel what runs, wait up to `grace` real seconds for it."""
        self._closing = True
        for active in self._active.values():
            active.run.cancel()
        self._executor.close(self._grace if grace is None else grace)
        return self._collect()

    # -- in the runtime's thread

    def _start(self, key: Key, now: float) -> None:
        job = self._jobs[key]
        run = JobRun(f"run-{next(self._numbers)}", job, self._clock)
        moment = self._clock.now()
        active = _Active(job, run, min(self._due.pop(key, moment), moment), moment, renewed=now)
        self._active[key] = active
        active.handle = self._executor.start(lambda: self._execute(active))

    def _collect(self) -> list[JobReport]:
        with self._changed:
            ended, self._ended = self._ended, []
        reports = []
        for active, report in ended:
            key = active.job.key
            if self._active.get(key) is not active:
                continue  # it was let go
            del self._active[key]
            more = report is not None and report.outcome is not None and report.outcome.more and self._may_go_on(report)
            self._scheduler.finished(key, self._clock.monotonic(), more=more and not self._closing)
            if key not in self._scheduler:
                del self._jobs[key]
            elif more:
                self._due.setdefault(key, self._clock.now())
            if report is not None:
                reports.append(self._tell(active.job, report))
        return reports

    @staticmethod
    def _may_go_on(report: JobReport) -> bool:
        """`more` counts only after success: errors have their own waiting times. A run that its deadline ended goes on."""
        return report.error is None or (isinstance(report.error, Cancelled) and report.late)

    def _tell(self, job: Job, report: JobReport) -> JobReport:
        if job.ended is not None:
            job.ended(report)
        if self._reported is not None:
            self._reported(report)
        return report

    def _watch(self, now: float) -> list[JobReport]:
        """Deadlines, graces, leases of what runs."""
        reports = []
        for active in list(self._active.values()):
            if active.reported:
                continue
            if now >= active.run.deadline:
                active.late = True
                active.run.cancel()
            if now >= active.run.deadline + self._grace:
                if (report := self._overrun(active)) is not None:
                    reports.append(self._tell(active.job, report))
            elif now - active.renewed >= self._renew_every:
                active.renewed = now
                self._renew(active)
        return reports

    def _renew(self, active: _Active) -> None:
        lease, fence = active.job.lease, active.run.fence
        if lease is None or fence is None:
            return
        try:
            kept = lease.renew(fence)
        except Exception:  # a database that is away: the run will find out itself, and the next tick tries again
            return
        if not kept:
            active.run.cancel()

    def _overrun(self, active: _Active) -> JobReport | None:
        with self._changed:
            if active.ended:
                return None
            active.reported = True
        self._executor.write_off(active.handle)
        error = ServerTimeout("the run did not end in its grace time; its lease was taken away")
        report = self._report(active, Ending.OVERRUN, None, error)
        return self._recorded_and_released(active, report)

    # -- in the executor

    def _execute(self, active: _Active) -> None:
        try:
            self._carry_out(active)
        except BaseException as error:  # SystemExit and the like end the thread, and must not leave the instance blocked
            problem = RuntimeError(f"the run was ended by {type(error).__name__}")
            report = self._report(active, Ending.DONE, None, problem)
            self._finish(active, None if active.reported else self._recorded_and_released(active, report))
            raise

    def _carry_out(self, active: _Active) -> None:
        job, run = active.job, active.run
        try:
            run.fence = job.lease.acquire() if job.lease is not None else None
            if job.lease is not None and run.fence is None:
                self._finish(active, self._report(active, Ending.BUSY, None, None))
                return
        except Exception as error:
            self._finish(active, self._report(active, Ending.DONE, None, error))
            return
        outcome: RunOutcome | None = None
        failure: Exception | None = None
        try:
            outcome = job.run(run)
            failure = outcome.error
        except Exception as error:
            failure = error
        finally:
            run.close()
        active.late = active.late or self._clock.monotonic() >= run.deadline
        report = self._report(active, Ending.DONE, outcome, _judged(outcome, failure, late=active.late))
        with self._changed:
            overran = active.reported
            active.ended = True
        self._finish(active, None if overran else self._recorded_and_released(active, report))

    def _recorded_and_released(self, active: _Active, report: JobReport) -> JobReport:
        job, fence = active.job, active.run.fence
        try:
            if job.record is not None:
                job.record(report, fence)
        except Exception as error:
            report = replace(report, error=error)
        finally:
            if job.lease is not None and fence is not None:
                try:
                    job.lease.release(fence)
                except Exception as error:  # it expires by itself; the report says what happened
                    report = replace(report, error=report.error or error)
        return report

    def _report(self, active: _Active, ending: Ending, outcome: RunOutcome | None, error: Exception | None) -> JobReport:
        job = active.job
        ended = self._clock.now()
        return JobReport(
            job.instance,
            job.operation,
            active.scheduled,
            active.started,
            ended,
            ending,
            outcome,
            error,
            active.late,
            active.run.run_id,
        )

    def _finish(self, active: _Active, report: JobReport | None) -> None:
        with self._changed:
            active.ended = True
            self._ended.append((active, report))
            self._changed.notify_all()


def _judged(outcome: RunOutcome | None, failure: Exception | None, *, late: bool) -> Exception | None:
    """A run that its deadline ended is well when it made progress; when it made none the server was too slow (ours: otherwise a server
    that says nothing for ever would never count as failing)."""
    if late and isinstance(failure, Cancelled) and not (outcome is not None and (outcome.processed or outcome.failed)):
        return ServerTimeout("nothing was achieved before the deadline")
    return failure
