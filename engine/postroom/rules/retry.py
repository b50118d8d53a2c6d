"""How often and when to try again (server-side-sync reference 3.4, 1.6). Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from postroom.rules.error_classes import AlertLevel, ErrorClass, Nature, Scope
from postroom.rules.operation import Operation

__all__ = ["BackOff", "Counters", "Decision", "after_failure", "after_success"]

DIGITS = 1000
"""Three decimal digits for each operation: `mailbox.transientfailurecount` holds them all in one int [I]."""
PLACES = {Operation.INCOMING: DIGITS * DIGITS, Operation.OUTGOING: DIGITS, Operation.ACT: 1}


@dataclass(frozen=True, slots=True)
class BackOff:
    """Deployment settings of one operation (reference 1.6): seconds, and failures that are borne."""

    on_transient_error: float = 300.0
    on_timeout: float = 300.0
    maximum_failures: int = 10


@dataclass(frozen=True, slots=True)
class Counters:
    """Transient failures in a row, by operation, 0 to 999. TEST and RETENTION are not counted."""

    incoming: int = 0
    outgoing: int = 0
    act: int = 0

    @classmethod
    def unpack(cls, packed: int) -> Counters:
        """From `transientfailurecount`. Whatever a database holds is read; a negative number counts as none."""
        packed = max(0, packed) % DIGITS**3
        return cls(packed // DIGITS**2, packed // DIGITS % DIGITS, packed % DIGITS)

    def pack(self) -> int:
        return sum(min(max(0, getattr(self, operation.value)), DIGITS - 1) * place for operation, place in PLACES.items())

    def of(self, operation: Operation) -> int:
        return int(getattr(self, operation.value)) if operation in PLACES else 0

    def put(self, operation: Operation, count: int) -> Counters:
        return replace(self, **{operation.value: min(max(0, count), DIGITS - 1)}) if operation in PLACES else self


@dataclass(frozen=True, slots=True)
class Decision:
    """What a failed cycle leads to.

    postpone   from the end of the cycle until the next try; None: as the schedule says
    disable    the operation is switched off for the mailbox until Test & Enable
    level      of the alert; the code is the error's own, also when repetition made it permanent
    """

    counters: Counters
    disable: bool
    level: AlertLevel
    postpone: timedelta | None


def after_success(counters: Counters, operation: Operation) -> Counters:
    """A successful cycle resets its own operation's counter."""
    return counters.put(operation, 0)


def after_failure(
    counters: Counters,
    operation: Operation,
    error: ErrorClass,
    back_off: BackOff,
    retry_after: timedelta | None = None,
) -> Decision:
    """Transient errors of server or mailbox: up to `maximum_failures` retries, then permanent with the same code and level Error.
    Permanent ones: disabled at once. A test is asked for by somebody who waits for the answer, and retention comes round again: neither is
    switched off. Email-level errors and normal ends change nothing. A server's own `retry_after` is honoured when it
    is later."""
    if error.scope is Scope.EMAIL or error.nature in (Nature.NONE, Nature.STALE):
        return Decision(counters, disable=False, level=error.level, postpone=None)
    if error.nature is Nature.PERMANENT:
        return Decision(counters, disable=operation in PLACES, level=AlertLevel.ERROR, postpone=None)
    count = counters.of(operation) + 1
    counted = counters.put(operation, count)
    exhausted = operation in PLACES and count > back_off.maximum_failures
    wait = timedelta(seconds=back_off.on_timeout if error.timeout else back_off.on_transient_error)
    if exhausted:
        return Decision(counted, disable=True, level=AlertLevel.ERROR, postpone=None)
    return Decision(counted, disable=False, level=error.level, postpone=max(wait, retry_after or wait))
