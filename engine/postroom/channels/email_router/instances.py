"""One instance: what the router knows of it, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from postroom.channels.email_router.events import Redactor
from postroom.channels.email_router.placing import Place
from postroom.providers.contract import Provider
from postroom.rules.router_runs import InstanceState

__all__ = ["Instance", "InstanceCounters", "InstanceStatus"]


@dataclass(slots=True)
class InstanceCounters:
    """What it did since the router was started."""

    runs: int = 0
    failed_runs: int = 0
    processed: int = 0
    delivered: int = 0
    rejected: int = 0
    failed: int = 0

    def as_mapping(self) -> Mapping[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """An instance at one moment.

    identity    key of its state
    mailbox     the address that it serves; for a sender of several, how many
    why         what keeps it from running, in words; "" when nothing does
    last_error  of its latest run that failed; "" after one that went well
    trace       of a provider's mistake: where it was raised
    next_due    None: not by itself
    failures    in a row
    """

    identity: str
    name: str
    provider: str
    organization: str
    mailbox: str
    state: InstanceState
    why: str = ""
    last_error: str = ""
    trace: str = ""
    next_due: datetime | None = None
    failures: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    running_since: datetime | None = None


@dataclass(slots=True)
class Instance:
    """Changed by the router's thread alone; what a run brings along (provider, mailboxes) by the run's, of which there is one at a time.

    generation  grows with each configuration: what an earlier one leaves behind is told apart
    retired     providers of earlier generations that are still to be closed
    mailboxes   ids, as they were last asked for; None: not yet
    asked_at    when, as a point of `clock.monotonic()`
    last_turn   the mailbox that had the last turn (senders)
    in_a_row    runs that followed each other at once
    marked      the organization knows that this instance serves its mailbox
    """

    place: Place
    redact: Redactor
    generation: int = 1
    provider: Provider | None = None
    retired: list[Provider] = field(default_factory=list)
    state: InstanceState = InstanceState.WAITING
    why: str = ""
    last_error: str = ""
    trace: str = ""
    failures: int = 0
    counters: InstanceCounters = field(default_factory=InstanceCounters)
    next_due: datetime | None = None
    next_point: float = 0.0
    mailboxes: tuple[str, ...] | None = None
    address: str = ""
    asked_at: float = 0.0
    last_turn: str = ""
    in_a_row: int = 0
    alerted: bool = True
    leaving: bool = False
    marked: bool = False
    running_since: datetime | None = None

    @property
    def key(self) -> str:
        return self.place.key

    @property
    def groups(self) -> tuple[str, ...]:
        """What its runs share with others."""
        server = self.place.server
        organization = f"organization:{self.place.organization}"
        return (organization, f"server:{server}") if server else (organization,)

    def take(self, place: Place, redact: Redactor) -> None:
        """Another configuration. The provider of the old one is closed before a new one is made."""
        self.place, self.redact = place, redact
        self.generation += 1
        self._retire()
        self.state, self.why, self.failures = InstanceState.WAITING, "", 0
        self.mailboxes, self.leaving = None, False

    def _retire(self) -> None:
        if self.provider is not None:
            self.retired.append(self.provider)
            self.provider = None

    def forget_provider(self) -> None:
        """The next run makes a new one."""
        self._retire()

    def status(self, running: bool) -> InstanceStatus:
        state = self.state
        if running and state is not InstanceState.OVERRUN:
            state = InstanceState.RUNNING
        served = self.address or (f"{len(self.mailboxes)} mailboxes" if self.mailboxes is not None else self.place.address)
        return InstanceStatus(
            self.key,
            self.place.name,
            self.place.provider,
            self.place.organization,
            served,
            state,
            self.redact(self.why),
            self.redact(self.last_error),
            self.redact(self.trace),
            self.next_due if state in (InstanceState.WAITING, InstanceState.STOPPED) else None,
            self.failures,
            self.counters.as_mapping(),
            self.running_since if running else None,
        )


def plain(value: Any, redact: Redactor) -> Any:
    """A value of an event: short, without secrets, and nothing that could reach further."""
    return value if isinstance(value, int | float | bool) or value is None else redact(str(value))[:400]
