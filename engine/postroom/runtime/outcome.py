"""What a finished job tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from postroom.providers.contract import RunOutcome
from postroom.rules.operation import Operation

__all__ = ["Ending", "JobReport"]


class Ending(StrEnum):
    """How a run ended for the runtime. The provider's errors are another matter."""

    DONE = "done"  # the work returned or raised
    BUSY = "busy"  # the lease belongs to somebody else: nothing was done
    OVERRUN = "overrun"  # it did not end in its grace time; the lease was taken from it, its thread is still there


@dataclass(frozen=True, slots=True)
class JobReport:
    """One run of a job.

    scheduled  when it was due; `started`, `ended` when it ran (aware, UTC)
    outcome    what the work returned; None when it raised, was busy or overran
    error      what went wrong: raised, or told in the outcome. None and `ending` DONE: success
    late       the deadline passed while it ran
    run_id     of the run, unique within its runtime
    """

    instance: str
    operation: Operation
    scheduled: datetime
    started: datetime
    ended: datetime
    ending: Ending = Ending.DONE
    outcome: RunOutcome | None = None
    error: Exception | None = None
    late: bool = False
    run_id: str = ""

    @property
    def succeeded(self) -> bool:
        return self.ending is Ending.DONE and self.error is None
