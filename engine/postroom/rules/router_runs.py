"""What the end of a run leads to: when the instance runs again, in which state it is, and who is told (provider-kit 5.5, 5.7). Pure.

Published: the natures of errors (`rules.error_classes`). Ours: the numbers, and that a mistake of the provider's backs off like a server in trouble.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from postroom import errors
from postroom.rules.error_classes import AlertLevel, Nature, Scope, classify
from postroom.rules.operation import Operation

__all__ = ["End", "InstanceState", "Next", "Patience", "after_run", "end_of", "wait_after"]


class InstanceState(StrEnum):
    """How an instance is, in a word."""

    WAITING = "waiting"  # for its time
    RUNNING = "running"
    HELD = "held"  # its state cannot be used: somebody has to look, nothing starts over by itself
    STOPPED = "stopped"  # by a permanent error, until its configuration changes or somebody resumes it; or its organization does not want it
    OVERRUN = "overrun"  # a run did not end in its grace time: the next one waits for its thread
    BROKEN = "broken"  # its provider cannot be used, or nobody is served by it

    @property
    def runs_again(self) -> bool:
        """Whether it goes on by itself."""
        return self in (InstanceState.WAITING, InstanceState.RUNNING)


class End(StrEnum):
    """How a run ended."""

    WELL = "well"
    CANCELLED = "cancelled"  # asked to end: a normal end
    FENCED = "fenced"  # somebody else has the instance: nothing of this run may be written any more
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    STATE = "state"  # what the instance remembers cannot be used
    BUG = "bug"  # a mistake of the provider's


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait after failures.

    period      seconds from one run to the next (`PollingPeriod`): the wait after one failure is twice that, then twice as long each time
    longest     seconds, at most; never less than the period
    jitter      the share of a wait that chance decides, so that instances which failed together do not come back together
    alert_from  failures in a row from which an alert is raised: a server may be away for a moment without anybody being told
    """

    period: float
    longest: float = 3600.0
    jitter: float = 0.25
    alert_from: int = 3


@dataclass(frozen=True, slots=True)
class Next:
    """`wait`: seconds to the next run, None: none by itself. `failures`: in a row, this one included. `alert`: NONE where nobody is told."""

    state: InstanceState
    wait: float | None
    failures: int
    alert: AlertLevel = AlertLevel.NONE


def end_of(error: BaseException | None, operation: Operation) -> End:
    """By `rules.error_classes` where the error is ours; anything else is a mistake of the provider's."""
    if error is None:
        return End.WELL
    if isinstance(error, errors.StateError):
        return End.STATE
    if not isinstance(error, errors.PostroomError):
        return End.BUG
    judged = classify(error, operation)
    if judged.nature is Nature.NONE:
        return End.CANCELLED
    if judged.nature is Nature.STALE:
        return End.FENCED
    permanent = judged.nature is Nature.PERMANENT and judged.scope is not Scope.EMAIL
    return End.PERMANENT if permanent else End.TRANSIENT


def wait_after(failures: int, patience: Patience, chance: float) -> float:
    """Seconds to wait after so many failures in a row. `chance`: from 0 up to 1."""
    longest = max(patience.longest, patience.period)
    wait = min(longest, patience.period * 2.0 ** min(failures, 60))
    return wait * (1.0 + patience.jitter * (chance - 1.0))


def after_run(
    end: End,
    failures: int,
    patience: Patience,
    chance: float,
    retry_after: timedelta | None = None,
    *,
    unfinished: bool = False,
) -> Next:
    """`failures`: in a row before this run. A server's own `retry_after` is honoured when it is later. `unfinished`: it was cut off with progress, and there
    is more to do."""
    if end is End.WELL:
        wait = patience.period if retry_after is None else max(patience.period, retry_after.total_seconds())
        return Next(InstanceState.WAITING, wait, 0)
    if end is End.CANCELLED:
        return Next(InstanceState.WAITING, 0.0 if unfinished else patience.period, failures)
    if end is End.FENCED:
        return Next(InstanceState.WAITING, patience.period, failures)
    failures += 1
    if end is End.STATE:
        return Next(InstanceState.HELD, None, failures, AlertLevel.ERROR)
    if end is End.PERMANENT:
        return Next(InstanceState.STOPPED, None, failures, AlertLevel.ERROR)
    wait = wait_after(failures, patience, chance)
    if retry_after is not None:
        wait = max(wait, retry_after.total_seconds())
    if end is End.BUG:
        return Next(InstanceState.WAITING, wait, failures, AlertLevel.ERROR)
    return Next(
        InstanceState.WAITING, wait, failures, AlertLevel.WARNING if failures >= patience.alert_from else AlertLevel.NONE
    )
