"""An organization in memory, as one run sees it: for tests of providers, with a switch to fail at any call."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from postroom.clock import Clock
from postroom.errors import MessageError, StaleRun
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.contract import (
    ClaimedEmail,
    Connector,
    Delivered,
    Disposition,
    IncomingOffer,
    RecipientResult,
    RunContext,
    Submission,
)

__all__ = ["Call", "FakeGateway", "MemorySeenSet", "MemoryStateCell", "Settled", "make_context"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the gateway, the seen set or the state cell, in the order of one shared list. `key` says what it concerned."""

    name: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """One row of the fake's ledger."""

    source_key: str
    digest: str
    disposition: Disposition
    reason: ReasonCode
    detail: str = ""


class Failures:
    """Errors waiting to be raised: `fail("deliver_incoming", error, nth=2)`. `calls` is the shared journal."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls
        self._waiting: dict[str, deque[Exception | None]] = {}
        self._always: dict[tuple[str, str], Exception] = {}

    def fail(self, name: str, error: Exception, *, nth: int = 1) -> None:
        """The nth next call of this name raises the error."""
        waiting = self._waiting.setdefault(name, deque())
        while len(waiting) < nth:
            waiting.append(None)
        waiting[nth - 1] = error

    def fail_always(self, name: str, error: Exception, key: str = "") -> None:
        """Each call of this name (concerning `key`, if given) raises the error."""
        self._always[name, key] = error

    def heal(self) -> None:
        self._waiting.clear()
        self._always.clear()

    def note(self, name: str, key: str = "") -> None:
        self.calls.append(Call(name, key))
        always = self._always.get((name, key)) or self._always.get((name, ""))
        if always is not None:
            raise always
        waiting = self._waiting.get(name)
        if waiting and (error := waiting.popleft()) is not None:
            raise error


class FakeGateway(Failures):
    """An EmailGateway. What a batch did counts when it ends well, and vanishes when it does not, as in a database.

    judge         decides the verdicts; default: everything is accepted
    ledger        what was committed, by (source key, digest)
    attempts      failed attempts by source key; `maximum` uses them up
    outgoing      waiting to be claimed
    claimed, submitting, reports   the three durable marks
    stale         every call raises StaleRun from now on
    """

    def __init__(self, judge: Callable[[IncomingOffer], Verdict] | None = None, *, maximum: int = 5) -> None:
        super().__init__([])
        self.judge = judge or (lambda _: Verdict(deliver=True, reason=ReasonCode.ACCEPT_ALL))
        self.maximum = maximum
        self.ledger: dict[tuple[str, str], Settled] = {}
        self.offers: list[IncomingOffer] = []
        self.attempts: dict[str, int] = {}
        self.outgoing: deque[ClaimedEmail] = deque()
        self.claimed: list[str] = []
        self.submitting: list[str] = []
        self.reports: dict[str, Submission] = {}
        self.stale = False
        self._in_batch = False

    def note(self, name: str, key: str = "") -> None:
        if self.stale:
            self.calls.append(Call(name, key))
            raise StaleRun("another run has this instance")
        super().note(name, key)

    @contextmanager
    def batch(self) -> Iterator[None]:
        if self._in_batch:
            raise RuntimeError("batches are not nested")
        before = dict(self.ledger), list(self.offers), dict(self.attempts)
        self.note("batch")
        self._in_batch = True
        try:
            yield
            self.note("commit")
        except BaseException:
            self.ledger, self.offers, self.attempts = before
            raise
        finally:
            self._in_batch = False

    def check_incoming(self, offer: IncomingOffer) -> Verdict:
        self.note("check_incoming", offer.source_key)
        return self.judge(offer)

    def deliver_incoming(self, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        self._needs_batch("deliver_incoming", offer.source_key)
        created = self._write(offer, Disposition.TRACKED, verdict)
        if created:
            self.offers.append(offer)
        return Delivered(f"email-{offer.source_key}", created)

    def settle(self, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> None:
        self._needs_batch("settle", offer.source_key)
        self._write(offer, disposition, verdict)

    def _needs_batch(self, name: str, key: str) -> None:
        self.note(name, key)
        if not self._in_batch:
            raise RuntimeError(f"{name} outside of a batch")

    def _write(self, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> bool:
        place = offer.source_key, offer.message.digest
        if place in self.ledger:
            return False
        self.ledger[place] = Settled(*place, disposition, verdict.reason, verdict.detail)
        return True

    def failed(self, source_key: str, detail: str, subject: str = "") -> bool:  # noqa: ARG002 - the contract's shape
        self.note("failed", source_key)
        self.attempts[source_key] = self.attempts.get(source_key, 0) + 1
        return self.attempts[source_key] >= self.maximum

    def settled(self, digests: Iterable[str]) -> Mapping[str, Disposition]:
        self.note("settled")
        wanted = set(digests)
        return {row.digest: row.disposition for row in self.ledger.values() if row.digest in wanted}

    def claim_outgoing(self, limit: int) -> Sequence[ClaimedEmail]:
        self.note("claim_outgoing")
        taken = [self.outgoing.popleft() for _ in range(min(limit, len(self.outgoing)))]
        self.claimed.extend(email.email_id for email in taken)
        return taken

    def mark_submitting(self, email: ClaimedEmail, refused: Sequence[RecipientResult] = ()) -> None:  # noqa: ARG002
        self.note("mark_submitting", email.email_id)
        self.submitting.append(email.email_id)

    def report_outgoing(self, email: ClaimedEmail, submission: Submission) -> None:
        self.note("report_outgoing", email.email_id)
        if email.email_id in self.reports:
            raise MessageError(f"{email.email_id} was reported before")
        self.reports[email.email_id] = submission

    def by(self, disposition: Disposition) -> list[str]:
        """Source keys with this disposition, in order of settling."""
        return [row.source_key for row in self.ledger.values() if row.disposition is disposition]


class MemorySeenSet:
    """A SeenSet. Its calls go to `failures`' journal and may fail there: "seen.add", "seen.new_among", "seen.touch"."""

    def __init__(self, failures: Failures | None = None) -> None:
        self.entries: dict[str, str] = {}
        self.touched: list[str] = []
        self._failures = failures or Failures([])

    def new_among(self, keys: Sequence[str]) -> list[str]:
        self._failures.note("seen.new_among")
        return [key for key in keys if key not in self.entries]

    def digest(self, key: str) -> str | None:
        return self.entries.get(key)

    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        self._failures.note("seen.recall")
        return {key: self.entries[key] for key in keys if key in self.entries}

    def add(self, entries: Mapping[str, str]) -> None:
        self._failures.note("seen.add")
        self.entries.update(entries)

    def touch(self, keys: Sequence[str]) -> None:
        self._failures.note("seen.touch")
        self.touched.extend(keys)


@dataclass(slots=True)
class MemoryStateCell(Generic[S]):
    """A StateCell. `commits` are all values ever committed, `rewinds` the reasons given."""

    value: S
    failures: Failures = field(default_factory=lambda: Failures([]))
    commits: list[S] = field(default_factory=list)
    rewinds: list[str] = field(default_factory=list)

    def commit(self, new: S) -> None:
        self.failures.note("state.commit")
        self.value = new
        self.commits.append(new)

    def rewind(self, new: S, reason: str) -> None:
        self.rewinds.append(reason)
        self.commit(new)


@dataclass(slots=True)
class MemoryLog:
    """A ProviderLog that keeps what it is told."""

    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, event: str, text: str = "", /, **values: Any) -> None:
        self.lines.append((event, text, values))

    @property
    def events(self) -> list[str]:
        return [event for event, _, _ in self.lines]


def make_context(
    state: S,
    *,
    net: Connector,
    clock: Clock,
    gateway: FakeGateway | None = None,
    seen: MemorySeenSet | None = None,
    cell: MemoryStateCell[S] | None = None,
    log: MemoryLog | None = None,
    items: int = 100,
    timeout: float = 100.0,
    seconds: float = 600.0,
    cancelled: Callable[[], bool] = lambda: False,
) -> RunContext[S]:
    """A run's context over fakes. Pass `seen`, `cell` and `gateway` again to run the same instance again."""
    gateway = gateway if gateway is not None else FakeGateway()
    return RunContext(
        run_id="run-1",
        instance="instance-1",
        state=cell if cell is not None else MemoryStateCell(state, gateway),
        seen=seen if seen is not None else MemorySeenSet(gateway),
        gateway=gateway,
        net=net,
        clock=clock,
        log=log if log is not None else MemoryLog(),
        deadline=clock.monotonic() + seconds,
        items=items,
        timeout=timeout,
        cancelled=cancelled,
    )
