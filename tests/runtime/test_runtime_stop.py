"""An orderly end: what runs comes to its next pause, connections untouched; what does not end meets its deadline."""

from __future__ import annotations

import threading

from postroom.clock import SystemClock
from postroom.errors import Cancelled
from postroom.providers.contract import RunOutcome
from postroom.rules.operation import Operation
from postroom.runtime.executors import PoolExecutor
from postroom.runtime.jobs import Job, JobRun
from postroom.runtime.outcome import JobReport
from postroom.runtime.runtime import Runtime

PATIENCE = 20.0


class Line:
    """Stands for a connection: remembers whether somebody shut it down."""

    def __init__(self) -> None:
        self.shut = threading.Event()

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> Line:
        return self

    def shutdown(self, how: int = 0) -> None:
        self.shut.set()

    def settimeout(self, seconds: float | None) -> None: ...

    def close(self) -> None: ...


def stopped_during(run_line: Line, *, grace: float, obeys: bool) -> tuple[list[JobReport], bool]:
    """The reports of a runtime that was stopped while one run went on and another waited, and whether the line was shut down while the
    first one ran."""
    started, was_shut = threading.Event(), []

    def first(run: JobRun) -> RunOutcome:
        run.connector(run_line).connect("mail.test", 110, timeout=PATIENCE)  # type: ignore[arg-type]
        started.set()
        if not obeys:
            assert run_line.shut.wait(PATIENCE)
            raise Cancelled("woken up")
        while not run.cancelled():
            run_line.shut.wait(0.01)
        was_shut.append(run_line.shut.is_set())
        return RunOutcome(processed=1, more=True)

    def second(run: JobRun) -> RunOutcome:
        raise AssertionError("nothing is started after a stop")

    runtime = Runtime(SystemClock(), PoolExecutor(1), grace=grace)
    runtime.submit(Job("a", Operation.INCOMING, first))
    runtime.submit(Job("b", Operation.INCOMING, second))
    stopper = threading.Thread(target=lambda: (started.wait(PATIENCE), runtime.stop()))
    stopper.start()
    reports = runtime.run_until_idle()
    stopper.join(PATIENCE)
    runtime.close()
    return reports, bool(was_shut and was_shut[0])


def test_a_run_that_is_asked_ends_with_its_progress_and_its_connection() -> None:
    reports, shut = stopped_during(Line(), grace=PATIENCE, obeys=True)
    assert [(one.instance, one.succeeded, one.late) for one in reports] == [("a", True, False)]
    assert not shut


def test_a_run_that_does_not_listen_meets_its_deadline() -> None:
    line = Line()
    reports, _ = stopped_during(line, grace=0.05, obeys=False)
    assert [(one.instance, one.late) for one in reports] == [("a", True)]
    assert line.shut.is_set()
