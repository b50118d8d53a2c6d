"""Runs of jobs: leases, deadlines, overruns, fairness; inline and in a pool."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from postroom.errors import AuthError, Cancelled, ServerTimeout, StaleRun
from postroom.providers.contract import RunOutcome
from postroom.rules.operation import Operation
from postroom.runtime.executors import InlineExecutor, PoolExecutor
from postroom.runtime.jobs import Job, JobRun
from postroom.runtime.outcome import Ending, JobReport
from postroom.runtime.runtime import Runtime
from postroom_simulator.clock import ManualClock, SystemClock

PATIENCE = 10.0


class Lease:
    """A lease with fencing numbers. `held` says somebody else has it."""

    def __init__(self) -> None:
        self.token = 0
        self.holder: int | None = None
        self.held = False
        self.renewals = 0
        self.log: list[str] = []

    def acquire(self) -> int | None:
        if self.held or self.holder is not None:
            return None
        self.token += 1
        self.holder = self.token
        self.log.append(f"acquire {self.token}")
        return self.token

    def renew(self, fence: int) -> bool:
        self.renewals += 1
        return fence == self.holder

    def release(self, fence: int) -> None:
        self.log.append(f"release {fence}")
        if self.holder == fence:
            self.holder = None


def job(run: Callable[[JobRun], RunOutcome], instance: str = "box", **arguments: Any) -> Job:
    return Job(instance, arguments.pop("operation", Operation.INCOMING), run, **arguments)


def nothing(_: JobRun) -> RunOutcome:
    return RunOutcome()


@contextmanager
def pool(threads: int = 2, **arguments: Any) -> Iterator[PoolExecutor]:
    executor = PoolExecutor(threads, **arguments)
    try:
        yield executor
    finally:
        assert executor.close(PATIENCE), "a thread is left"


def test_a_job_runs_when_it_is_due() -> None:
    clock = ManualClock()
    runtime = Runtime(clock)
    runtime.submit(job(lambda _: RunOutcome(processed=3)), due=clock.monotonic() + 60)
    assert runtime.run_until_idle() == []
    assert runtime.next_due() == 60
    clock.advance(minutes=1)
    (report,) = runtime.run_until_idle()
    assert report.succeeded
    assert report.outcome == RunOutcome(processed=3)
    assert (report.instance, report.operation, report.ending) == ("box", Operation.INCOMING, Ending.DONE)
    assert report.started == clock.now()
    assert runtime.run_until_idle() == []


def test_record_sees_report_and_fence_before_the_lease_goes() -> None:
    lease, told = Lease(), []

    def record(report: JobReport, fence: Any) -> None:
        told.append((report.outcome, fence, lease.holder))

    runtime = Runtime(ManualClock())
    runtime.submit(job(lambda run: RunOutcome(processed=run.fence), lease=lease, record=record))
    runtime.run_until_idle()
    assert told == [(RunOutcome(processed=1), 1, 1)]
    assert lease.log == ["acquire 1", "release 1"]


def test_a_busy_lease_does_nothing() -> None:
    lease = Lease()
    lease.held = True
    called: list[object] = []
    runtime = Runtime(ManualClock())
    runtime.submit(job(lambda run: called.append(run) or RunOutcome(), lease=lease, record=lambda *_: called.append("record")))
    (report,) = runtime.run_until_idle()
    assert report.ending is Ending.BUSY
    assert not report.succeeded
    assert called == []


@pytest.mark.parametrize("error", [AuthError("no"), ZeroDivisionError("bug"), StaleRun("lost")])
def test_an_error_is_reported_and_the_lease_released(error: Exception) -> None:
    def run(_: JobRun) -> RunOutcome:
        raise error

    lease = Lease()
    runtime = Runtime(ManualClock())
    runtime.submit(job(run, lease=lease))
    (report,) = runtime.run_until_idle()
    assert report.error is error
    assert report.outcome is None
    assert lease.holder is None


def test_errors_of_lease_and_record_are_told() -> None:
    class Broken(Lease):
        def acquire(self) -> int | None:
            raise OSError("database away")

    def record(report: JobReport, fence: Any) -> None:
        raise StaleRun("too late")

    runtime = Runtime(ManualClock())
    runtime.submit(job(nothing, "a", lease=Broken()))
    lease = Lease()
    runtime.submit(job(nothing, "b", lease=lease, record=record))
    first, second = runtime.run_until_idle()
    assert isinstance(first.error, OSError)
    assert isinstance(second.error, StaleRun)
    assert lease.holder is None


def test_more_comes_after_everything_due() -> None:
    order = []

    def worker(name: str) -> Callable[[JobRun], RunOutcome]:
        left = [3]

        def run(_: JobRun) -> RunOutcome:
            order.append(name)
            left[0] -= 1
            return RunOutcome(processed=1, more=left[0] > 0)

        return run

    runtime = Runtime(ManualClock())
    for name in "abc":
        runtime.submit(job(worker(name), name))
    reports = runtime.run_until_idle()
    assert "".join(order) == "abcabcabc"
    assert len(reports) == 9


def test_more_with_an_error_waits_for_somebody_to_decide() -> None:
    runtime = Runtime(ManualClock())
    runtime.submit(job(lambda _: RunOutcome(processed=1, more=True, error=ServerTimeout("slow"))))
    (report,) = runtime.run_until_idle()
    assert isinstance(report.error, ServerTimeout)
    assert report.outcome is not None
    assert report.outcome.processed == 1


def test_operations_of_one_instance_run_one_after_the_other() -> None:
    with pool(4) as executor:
        inside, most = [0], [0]
        lock = threading.Lock()

        def run(_: JobRun) -> RunOutcome:
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.001)
            with lock:
                inside[0] -= 1
            return RunOutcome(processed=1)

        runtime = Runtime(ManualClock(), executor)
        for operation in Operation:
            runtime.submit(job(run, operation=operation))
        assert len(runtime.run_until_idle(PATIENCE)) == len(Operation)
        assert most == [1]


def test_a_pool_runs_instances_side_by_side() -> None:
    with pool(3) as executor:
        together = threading.Barrier(3, timeout=PATIENCE)

        def run(_: JobRun) -> RunOutcome:
            together.wait()
            return RunOutcome(processed=1)

        runtime = Runtime(ManualClock(), executor)
        for number in range(9):
            runtime.submit(job(run, f"box-{number}"))
        reports = runtime.run_until_idle(PATIENCE)
        assert len(reports) == 9
        assert all(report.succeeded for report in reports)


def test_a_deadline_inside_a_run_that_moved_the_clock() -> None:
    clock = ManualClock()

    def run(jobrun: JobRun) -> RunOutcome:
        clock.advance(jobrun.deadline - clock.monotonic())
        return RunOutcome(processed=4, more=True, error=Cancelled("deadline")) if jobs.pop() else RunOutcome()

    jobs = [False, True]
    runtime = Runtime(clock)
    runtime.submit(job(run, seconds=30))
    first, second = runtime.run_until_idle()
    assert first.late
    assert isinstance(first.error, Cancelled)
    assert second.late
    assert second.error is None


def test_nothing_achieved_before_the_deadline_is_a_time_out() -> None:
    clock = ManualClock()

    def run(jobrun: JobRun) -> RunOutcome:
        clock.advance(31)
        return RunOutcome(more=True, error=Cancelled("deadline"))

    runtime = Runtime(clock)
    runtime.submit(job(run, seconds=30))
    (report,) = runtime.run_until_idle()
    assert isinstance(report.error, ServerTimeout)


def test_the_deadline_cancels_and_an_overrun_loses_its_lease() -> None:
    clock = ManualClock()
    lease = Lease()
    recorded = []
    go_on, entered = threading.Event(), threading.Event()

    def stuck(run: JobRun) -> RunOutcome:
        entered.set()
        assert go_on.wait(PATIENCE)
        return RunOutcome(processed=99)

    with pool(1) as executor:
        runtime = Runtime(clock, executor, grace=10)
        runtime.submit(job(stuck, seconds=30, lease=lease, record=lambda report, _: recorded.append(report)))
        runtime.tick()
        assert entered.wait(PATIENCE)
        clock.advance(30)
        assert runtime.tick() == []
        clock.advance(10)
        (report,) = runtime.tick()
        assert report.ending is Ending.OVERRUN
        assert report.late
        assert lease.holder is None
        # the instance waits for the old thread, others get the replacement slot
        runtime.submit(job(nothing))
        runtime.submit(job(nothing, "other"))
        reports = runtime.run_until_idle(PATIENCE)
        assert [one.instance for one in reports] == ["other"]
        assert executor.leaked == 1
        go_on.set()
        assert runtime.wait(PATIENCE)
        reports = runtime.run_until_idle(PATIENCE)
        assert [one.outcome for one in reports] == [RunOutcome()]
        assert [one.ending for one in recorded] == [Ending.OVERRUN]


def test_a_cancelled_run_sees_the_flag() -> None:
    entered = threading.Event()

    def run(jobrun: JobRun) -> RunOutcome:
        entered.set()
        while not jobrun.cancelled():
            threading.Event().wait(0.001)
        return RunOutcome(more=True, error=Cancelled("asked to end"))

    with pool(1) as executor:
        runtime = Runtime(ManualClock(), executor)
        runtime.submit(job(run))
        runtime.tick()
        assert entered.wait(PATIENCE)
        runtime.withdraw("box", Operation.INCOMING)
        (report,) = runtime.run_until_idle(PATIENCE)
        assert isinstance(report.error, Cancelled)
        assert runtime.next_due() is None


def test_a_lease_is_renewed_and_its_loss_cancels() -> None:
    clock, lease = ManualClock(), Lease()
    entered, cancelled = threading.Event(), threading.Event()

    def run(jobrun: JobRun) -> RunOutcome:
        entered.set()
        while not jobrun.cancelled():
            threading.Event().wait(0.001)
        cancelled.set()
        raise Cancelled("asked to end")

    with pool(1) as executor:
        runtime = Runtime(clock, executor, renew_every=60)
        runtime.submit(job(run, lease=lease, seconds=600))
        runtime.tick()
        assert entered.wait(PATIENCE)
        clock.advance(60)
        runtime.tick()
        assert lease.renewals == 1
        assert not cancelled.is_set()
        lease.holder = None
        clock.advance(60)
        runtime.tick()
        assert cancelled.wait(PATIENCE)
        runtime.run_until_idle(PATIENCE)


def test_deadlines_are_watched_while_waiting() -> None:
    def run(jobrun: JobRun) -> RunOutcome:
        while not jobrun.cancelled():
            threading.Event().wait(0.001)
        return RunOutcome(processed=1, error=Cancelled("asked to end"))

    with pool(1) as executor:
        runtime = Runtime(SystemClock(), executor)
        runtime.submit(job(run, seconds=0.05))
        (report,) = runtime.run_until_idle()
        assert report.late


def test_patience_ends_under_a_clock_that_stands_still() -> None:
    go_on = threading.Event()
    with pool(1) as executor:
        runtime = Runtime(ManualClock(), executor)
        runtime.submit(job(lambda _: RunOutcome(processed=int(go_on.wait(PATIENCE)))))
        with pytest.raises(TimeoutError):
            runtime.run_until_idle(0.02)
        go_on.set()
        assert len(runtime.run_until_idle(PATIENCE)) == 1


def test_close_cancels_and_leaves_nothing() -> None:
    entered = threading.Event()

    def run(jobrun: JobRun) -> RunOutcome:
        entered.set()
        while not jobrun.cancelled():
            threading.Event().wait(0.001)
        raise Cancelled("asked to end")

    executor = PoolExecutor(2)
    runtime = Runtime(ManualClock(), executor)
    runtime.submit(job(run))
    runtime.submit(job(nothing, "later"), due=99)
    runtime.tick()
    assert entered.wait(PATIENCE)
    (report,) = runtime.close(PATIENCE)
    assert isinstance(report.error, Cancelled)
    with pytest.raises(RuntimeError):
        runtime.submit(job(nothing))


def test_a_thread_that_is_ended_frees_its_instance() -> None:
    def run(jobrun: JobRun) -> RunOutcome:
        raise SystemExit(3)

    lease = Lease()
    threads: list[object] = []
    before, threading.excepthook = threading.excepthook, threads.append
    try:
        with pool(1) as executor:
            runtime = Runtime(ManualClock(), executor)
            runtime.submit(job(run, lease=lease))
            (report,) = runtime.run_until_idle(PATIENCE)
            assert isinstance(report.error, RuntimeError)
            assert lease.holder is None
            runtime.submit(job(nothing, lease=lease))
            (report,) = runtime.run_until_idle(PATIENCE)
            assert report.succeeded
    finally:
        threading.excepthook = before


def test_inline_lets_an_interrupt_through() -> None:
    def run(jobrun: JobRun) -> RunOutcome:
        raise KeyboardInterrupt

    lease = Lease()
    runtime = Runtime(ManualClock(), InlineExecutor())
    runtime.submit(job(run, lease=lease))
    with pytest.raises(KeyboardInterrupt):
        runtime.tick()
    assert lease.holder is None


def test_a_pool_with_too_many_stuck_threads_shrinks() -> None:
    go_on = threading.Event()
    executor = PoolExecutor(2, max_leaked=1)
    handles = [executor.start(lambda: (go_on.wait(PATIENCE), None)[1]) for _ in range(2)]
    assert executor.write_off(handles[0])
    assert executor.slots == 2
    assert not executor.write_off(handles[1])
    assert executor.slots == 1
    go_on.set()
    assert executor.close(PATIENCE)
