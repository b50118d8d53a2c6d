"""When a mailbox is looked at again (server-side-sync reference 3.2). Pure: values in, a value out, no chance in it.

Published: normally every 5 minutes, down to 2 for a busy mailbox, up to 12 for a quiet one, the profile's MinPollingIntervalInMinutes
as a floor. The formula is not published; this is the reference's suggestion [I].
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_WINDOWS", "Cycle", "NextPoll", "Windows", "first_interval", "next_poll"]

NORMAL_SECONDS = 300.0
STEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Windows:
    """Deployment settings ...MailboxMinimumBackoff and ...MaximumBackoff (reference 1.6), in seconds. Raises ValueError when a
    minimum is below one second or above its maximum."""

    active_minimum: float = 120.0
    active_maximum: float = 300.0
    idle_minimum: float = 300.0
    idle_maximum: float = 720.0

    def __post_init__(self) -> None:
        for low, high in ((self.active_minimum, self.active_maximum), (self.idle_minimum, self.idle_maximum)):
            if not 1 <= low <= high:
                raise ValueError(f"a polling window runs from at least one second to its maximum, not from {low} to {high}")


DEFAULT_WINDOWS = Windows()


@dataclass(frozen=True, slots=True)
class Cycle:
    """What a finished cycle found: messages, and whether the batch was full (there may be more)."""

    found: int
    full: bool = False


@dataclass(frozen=True, slots=True)
class NextPoll:
    """`seconds` after the end of the cycle; `noemailcount` as the mailbox keeps it: empty cycles in a row; `interval` is what the next cycle
    starts from: the seconds without the profile's floor."""

    seconds: float
    noemailcount: int
    interval: float = NORMAL_SECONDS


def first_interval(noemailcount: int, windows: Windows = DEFAULT_WINDOWS) -> float:
    """The interval in force when nobody remembers it: from the mailbox's own count of empty cycles, in seconds."""
    if noemailcount <= 0:
        return _clamp(NORMAL_SECONDS, windows.active_minimum, windows.active_maximum)
    return _clamp(windows.idle_minimum + STEP_SECONDS * noemailcount, windows.idle_minimum, windows.idle_maximum)


def next_poll(
    cycle: Cycle,
    noemailcount: int,
    previous: float | None = None,
    windows: Windows = DEFAULT_WINDOWS,
    minimum_minutes: float | None = None,
    *,
    inactive_back_off: bool = False,
) -> NextPoll:
    """When to look again, in seconds from the end of the cycle.

    A full batch halves the interval toward the active minimum; mail keeps it inside the active window; each empty cycle adds a
    minute toward the idle maximum. `previous` is the interval that led to this cycle, None: derived from `noemailcount`.

    `inactive_back_off` is IsMailboxInactiveBackoffEnabled, whose exact effect is not published. Ours: the first empty cycle backs off to the idle
    maximum at once.
    """
    last = previous if previous is not None else first_interval(noemailcount, windows)
    if cycle.found <= 0 and not cycle.full:
        step = windows.idle_maximum if inactive_back_off else STEP_SECONDS
        seconds, count = _clamp(last + step, windows.idle_minimum, windows.idle_maximum), max(0, noemailcount) + 1
    else:
        seconds, count = _clamp(last / 2 if cycle.full else last, windows.active_minimum, windows.active_maximum), 0
    return NextPoll(max(seconds, (minimum_minutes or 0) * 60.0), count, seconds)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
