"""What a provider is, and all that it sees of the world.

A provider implements one protocol in one direction for one mailbox (an *instance*). The runtime constructs it with its typed
configuration, calls `check` and `run` with a context, and `close` at the end. All effects go through the context: the
organization through `gateway`, sockets through `net`, time through `clock`, memory through `state` and `seen`. The contract
is synchronous and at-least-once: deliver, commit, then remember, then delete at the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from postroom.clock import Clock
from postroom.errors import Cancelled, ProviderError
from postroom.mime.values import OutgoingMessage, ParsedMessage
from postroom.model.verdict import ReasonCode, Verdict

__all__ = [
    "Capability",
    "CheckReport",
    "ClaimedEmail",
    "Connection",
    "Connector",
    "Delivered",
    "Direction",
    "Disposition",
    "EmailGateway",
    "IncomingOffer",
    "Provider",
    "ProviderAlerts",
    "ProviderEnv",
    "ProviderLog",
    "ProviderSpec",
    "ReasonCode",
    "RecipientResult",
    "RunContext",
    "RunOutcome",
    "SeenSet",
    "StateCell",
    "Submission",
    "SubmissionResult",
    "Verdict",
]

C = TypeVar("C")
S = TypeVar("S")


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Capability(Enum):
    """What a provider says it can do; selects and is verified by conformance checks."""

    STATEFUL = "stateful"
    CHECK = "check"
    DELETE = "delete"
    UNWRAP_FORWARDED = "unwrap_forwarded"
    OWN_TRANSPORT = "own_transport"


@dataclass(frozen=True, slots=True)
class IncomingOffer:
    """A message found at a source.

    source_key   what the source calls it, stable between runs (POP3: the UIDL), at most 320 characters
    octets       the message, whole
    message      the octets, understood
    received_on  aware UTC; for POP3 the topmost Received, else Date, else the time of the run (reference 4.2)
    submitted_by address of the account that offers it
    """

    source_key: str
    octets: bytes
    message: ParsedMessage
    received_on: datetime
    submitted_by: str = ""


class Disposition(StrEnum):
    """What became of an offer. Ours: the ledger's words."""

    TRACKED = "tracked"
    FILTERED = "filtered"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The activity that holds the message. `created` is False when it was there already (same instance, key and octets)."""

    email_id: str
    created: bool


@dataclass(frozen=True, slots=True)
class ClaimedEmail:
    """An activity that this run may send, once. `message_id` and `message.date` are the same on every try."""

    email_id: str
    attempt: int
    envelope_from: str
    recipients: tuple[str, ...]
    message: OutgoingMessage


class SubmissionResult(StrEnum):
    SENT = "sent"  # the server took it over for at least one recipient
    FAILED = "failed"  # refused for good
    RETRY = "retry"  # refused for now, or never submitted
    UNCERTAIN = "uncertain"  # submitted, and the answer was lost: never resent blindly


@dataclass(frozen=True, slots=True)
class RecipientResult:
    """One recipient's fate: `accepted`, or refused with what the server said; `permanent` as its code says."""

    address: str
    accepted: bool
    reply: str = ""
    permanent: bool = True


@dataclass(frozen=True, slots=True)
class Submission:
    """The report on one claimed email.

    `attempted` is False when the email itself was never tried (no connection, credentials refused, run cancelled): it stays pending
    and the try is not counted against it (reference 7.4)."""

    result: SubmissionResult
    recipients: tuple[RecipientResult, ...] = ()
    reply: str = ""
    retry_after: timedelta | None = None
    attempted: bool = True


class EmailGateway(Protocol):
    """The organization as one run sees it: bound to (organization, instance, fence). `check_incoming`, `deliver_incoming` are the
    published CheckIncomingEmail and DeliverIncomingEmail; the other names are ours.

    Any call may raise `StaleRun` when the run's lease was lost: end the run, do nothing more.
    """

    def batch(self) -> AbstractContextManager[None]:
        """Messages handled inside share one commit, a savepoint each, so that one that fails takes no other along. Committed to
        disk when the block ends without an exception; only then may anything be deleted at the source. Not nested."""
        ...

    def check_incoming(self, offer: IncomingOffer) -> Verdict:
        """Should this message be tracked? Changes nothing."""
        ...

    def deliver_incoming(self, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        """Create the email activity with parties, attachments, queue items and ledger row. Idempotent on (instance, source key,
        SHA-256 of the octets). Raises MessageError when this message cannot be stored."""
        ...

    def settle(self, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> None:
        """Write to the ledger what was not delivered: FILTERED by the verdict, or PARKED after too many failures. Idempotent."""
        ...

    def failed(self, source_key: str, detail: str, subject: str = "") -> bool:
        """Count a failed attempt at one message (never against the mailbox). True when its attempts are used up: settle it as
        PARKED and go on (reference 3.5: five)."""
        ...

    def settled(self, digests: Iterable[str]) -> Mapping[str, Disposition]:
        """Which of these octets (SHA-256) this instance has settled before, under whatever source key: what a provider asks when all
        its source keys are new at once."""
        ...

    def claim_outgoing(self, limit: int) -> Sequence[ClaimedEmail]:
        """Take up to `limit` emails waiting to be sent through this mailbox: durable mark `claimed`."""
        ...

    def mark_submitting(self, email: ClaimedEmail, refused: Sequence[RecipientResult] = ()) -> None:
        """Durable mark `submitting`: to be called before the octet that makes the server responsible (SMTP: the final dot). `refused`:
        the recipients that will not get it, as known by then, so that a run that dies now does not take that with it."""
        ...

    def report_outgoing(self, email: ClaimedEmail, submission: Submission) -> None:
        """Durable outcome. Every claimed email is reported before a run ends."""
        ...


class StateCell(Protocol[S]):
    """One small versioned value of the instance. Losing it costs a look, never a double."""

    @property
    def value(self) -> S: ...
    def commit(self, new: S) -> None:
        """Atomic and durable before it returns. Raises StaleRun when it is based on an old generation or a lost lease."""
        ...

    def rewind(self, new: S, reason: str) -> None:
        """A commit that may move a cursor backwards; noted with the reason."""
        ...


class SeenSet(Protocol):
    """The keys that this instance has dealt with, each with the digest of what was seen under it."""

    def new_among(self, keys: Sequence[str]) -> list[str]:
        """Those never added (or expired), in the order given. One constant, small number of statements for any length."""
        ...

    def digest(self, key: str) -> str | None: ...
    def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        """key -> digest of those among `keys` that are remembered. One constant, small number of statements for any length."""
        ...

    def add(self, entries: Mapping[str, str]) -> None:
        """Remember key -> digest, durably."""
        ...

    def touch(self, keys: Sequence[str]) -> None:
        """They are still at the source: do not expire them."""
        ...


class Connection(Protocol):
    """A connected byte stream, shaped like the part of `socket.socket` that poplib and smtplib use. Every wait is bounded by the
    connector's time-out and the run's deadline."""

    def sendall(self, octets: bytes, /) -> None: ...
    def recv(self, limit: int, /) -> bytes: ...
    def makefile(self, mode: str = "rb", buffering: int = -1) -> Any: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...


class Connector(Protocol):
    """Where connections come from: real sockets, or a simulated world in memory.

    Raises ConnectionFailed, ServerTimeout or TlsError, never a bare OSError.
    """

    def connect(self, host: str, port: int, *, timeout: float, tls: bool = False) -> Connection:
        """`tls`: implicit TLS, host name and chain verified. `timeout` in seconds, for connecting and every later wait."""
        ...

    def start_tls(self, connection: Connection, host: str) -> Connection:
        """STARTTLS or STLS was accepted: turn the line into TLS. Octets that the server sent before the handshake are an error."""
        ...


class ProviderLog(Protocol):
    """Structured, redacting. `event` is a stable id."""

    def __call__(self, event: str, text: str = "", /, **values: Any) -> None: ...


class ProviderAlerts(Protocol):
    """What people should know of, beside what becomes of their mail. Ours."""

    def __call__(self, key: str, text: str, /) -> None:
        """Tell the mailbox's owner. `key` names the occasion at the source, so that telling it again (a run that was cut off) is one alert; `text`
        is one line, at most 500 characters."""
        ...


def _told_nobody(key: str, text: str, /) -> None:
    """Where a run has nobody to tell."""


@dataclass(frozen=True, slots=True)
class ProviderEnv:
    """What a constructor may know. No I/O is possible with it."""

    instance: str
    organization: str = ""
    mailbox: str = ""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a self-test found. A failure is raised as a ProviderError instead."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """Counts of one run. `more`: there is more to do at once. `error`: what ended the run early, its progress kept (an error that
    ended a run without any progress is raised instead; `Cancelled` is always told here). `detail`: what was said about the last
    message that was not sent; "" where all were."""

    processed: int = 0
    delivered: int = 0
    rejected: int = 0
    failed: int = 0
    more: bool = False
    retry_after: timedelta | None = None
    error: ProviderError | None = None
    detail: str = ""


@dataclass(slots=True)
class RunContext(Generic[S]):
    """Everything that one run may touch.

    `deadline` is a point of `clock.monotonic()`; `cancelled` is asked, so that the runtime can stop a run between two steps.
    `alert` reaches people. `limits` carries per-cycle settings: "items" (messages a cycle), "timeout" (seconds of each wait).
    """

    run_id: str
    instance: str
    state: StateCell[S]
    seen: SeenSet
    gateway: EmailGateway
    net: Connector
    clock: Clock
    log: ProviderLog
    deadline: float
    items: int = 100
    timeout: float = 100.0
    cancelled: Callable[[], bool] = field(default=lambda: False)
    alert: ProviderAlerts = _told_nobody

    def remaining(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - self.clock.monotonic())

    def raise_if_cancelled(self) -> None:
        """Raises Cancelled when the deadline has passed or the runtime wants an end."""
        if self.cancelled() or self.remaining() <= 0:
            raise Cancelled("the run was asked to end")


@dataclass(frozen=True)
class ProviderSpec(Generic[C, S]):
    """What a provider declares of itself, once, in data.

    `config` and `state` are frozen dataclasses; the state must survive a round trip through JSON (`providers.state`).
    `migrate(old, version)` takes what JSON held when `state_version` was `version` and gives what it would hold today, or the state itself; needed as
    soon as `state_version` is more than 1.
    """

    name: str
    direction: Direction
    config: type[C]
    state: type[S]
    state_version: int = 1
    capabilities: frozenset[Capability] = frozenset()
    sdk_api: tuple[int, int] = (1, 0)
    migrate: Callable[[Any, int], Any] | None = None


class Provider(Protocol):
    """What the runtime calls. No inheritance needed."""

    spec: ClassVar[ProviderSpec[Any, Any]]

    def __init__(self, config: Any, env: ProviderEnv) -> None:
        """No I/O, no threads."""
        ...

    def check(self, ctx: RunContext[Any]) -> CheckReport:
        """Does the configuration work? No lasting effects. Raises ProviderError."""
        ...

    def run(self, ctx: RunContext[Any]) -> RunOutcome: ...
    def close(self) -> None:
        """Idempotent."""
        ...
