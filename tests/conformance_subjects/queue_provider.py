"""A queue in memory, read by numbers: no base class, no network, no seen set. What failed is kept by its number until it is settled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from postroom.errors import Cancelled, ConfigError, MessageError, OrganizationError, ProviderError
from postroom.mime.parse import parse_message
from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.configuration import element
from postroom.providers.contract import (
    Capability,
    CheckReport,
    Direction,
    Disposition,
    IncomingOffer,
    ProviderEnv,
    ProviderSpec,
    RunContext,
    RunOutcome,
)

QUEUES: dict[str, list[bytes]] = {}
"""The outside world: what other programs have put there, by name."""
PARKED_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class QueueConfig:
    name: str = element("QueueName", identity=True, length=200, help="name of the queue")


@dataclass(frozen=True, slots=True)
class QueueState:
    """position: how many were looked at; failing: numbers among them that are to be tried again."""

    position: int = 0
    failing: tuple[int, ...] = ()


class QueueProvider:
    """Implements the contract and inherits nothing."""

    spec: ClassVar[ProviderSpec[QueueConfig, QueueState]] = ProviderSpec(
        "memory-queue", Direction.INBOUND, QueueConfig, QueueState, capabilities=frozenset({Capability.STATEFUL})
    )

    def __init__(self, config: QueueConfig, env: ProviderEnv) -> None:
        self.config = config
        self.env = env
        self.last_error = ""
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def check(self, ctx: RunContext[QueueState]) -> CheckReport:
        return CheckReport(f"{len(self._queue())} messages")

    def run(self, ctx: RunContext[QueueState]) -> RunOutcome:
        if self._closed:
            raise ProviderError("the provider was closed; make a new one")
        done: dict[str, int] = {"processed": 0, "delivered": 0, "rejected": 0, "failed": 0}
        try:
            more = self._work(ctx, done)
        except Cancelled as error:
            return RunOutcome(**done, more=True, error=error)
        except ProviderError as error:
            self.last_error = str(error)
            raise
        self.last_error = ""
        return RunOutcome(**done, more=more)

    def _queue(self) -> list[bytes]:
        if self.config.name not in QUEUES:
            raise ConfigError("there is no such queue")
        return QUEUES[self.config.name]

    def _work(self, ctx: RunContext[QueueState], done: dict[str, int]) -> bool:
        ctx.raise_if_cancelled()
        queue = self._queue()
        start = ctx.state.value
        if start.position > len(queue):
            ctx.log("queue.position_beyond_end", "the queue is shorter than what was read of it; nothing is new")
            return False
        fresh = list(range(start.position, len(queue)))[: ctx.items]
        # New ones first: what fails must not hold them up.
        numbers = (fresh + list(start.failing))[: ctx.items]
        for number in numbers:
            ctx.raise_if_cancelled()
            settled = self._take(ctx, number, queue[number], done)
            state = ctx.state.value
            failing = tuple(one for one in state.failing if one != number)
            if not settled:
                failing = (*failing, number)
            after = QueueState(max(state.position, number + 1), failing[-PARKED_AT_MOST:])
            if after != state:
                ctx.state.commit(after)
        return ctx.state.value.position < len(queue)

    def _take(self, ctx: RunContext[QueueState], number: int, octets: bytes, done: dict[str, int]) -> bool:
        message = parse_message(octets, monotonic=ctx.clock.monotonic)
        offer = IncomingOffer(str(number), octets, message, message.date or ctx.clock.now(), self.env.mailbox)
        counts = dict.fromkeys(done, 0)
        with ctx.gateway.batch():
            settled = self._settle(ctx, offer, counts)
        for name, count in counts.items():
            done[name] += count
        return settled

    def _settle(self, ctx: RunContext[Any], offer: IncomingOffer, counts: dict[str, int]) -> bool:
        gateway = ctx.gateway
        verdict = Verdict(deliver=False, reason=ReasonCode.UNKNOWN)
        try:
            verdict = gateway.check_incoming(offer)
            if verdict.deliver:
                counts["delivered"] += gateway.deliver_incoming(offer, verdict).created
            elif verdict.reason is ReasonCode.UNKNOWN:
                raise MessageError(verdict.detail or "undecided", source_key=offer.source_key)
            else:
                gateway.settle(offer, Disposition.FILTERED, verdict)
                counts["rejected"] += 1
        except (MessageError, OrganizationError) as error:
            counts["failed"] += 1
            if not gateway.failed(offer.source_key, str(error)) and not getattr(error, "permanent", False):
                return False
            gateway.settle(offer, Disposition.PARKED, replace(verdict, deliver=False, detail=str(error)))
            return True
        counts["processed"] += 1
        return True
