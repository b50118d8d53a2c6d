"""What several checks do: cut a run off at any call, watch calls as they happen, judge messages by their tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from postroom.model.verdict import ReasonCode, Verdict
from postroom.providers.contract import IncomingOffer
from postroom.testing.conformance.bench import Bench, Instance, Ran
from postroom.testing.conformance.failures import CheckFailed, NotApplicable
from postroom.testing.conformance.gateway import KitGateway
from postroom.testing.conformance.guard import unseen
from postroom.testing.conformance.messages import SourceMessage, token_in

__all__ = ["PowerCut", "carried", "count_calls", "cut_at", "deleting", "judge", "scratch", "token_of", "watched"]


LAST_LINES = 16


class PowerCut(BaseException):
    """The process is no more. No Exception, so that a provider does not deal with it."""


@contextmanager
def watched(gateway: KitGateway, called: Callable[[str, str], None]) -> Iterator[None]:
    """`called(name, key)` before each call of gateway, state and seen set; what it raises is raised to the provider."""
    note = gateway.note

    def heard(name: str, key: str = "") -> None:
        called(name, key)
        note(name, key)

    gateway.note = heard  # type: ignore[method-assign]
    try:
        yield
    finally:
        gateway.note = note  # type: ignore[method-assign]


def count_calls(instance: Instance, **context: Any) -> tuple[int, Ran]:
    """How many calls a run makes, and the run."""
    mark = len(instance.gateway.calls)
    ran = instance.try_run(**context)
    return len(instance.gateway.calls) - mark, ran


def cut_at(instance: Instance, number: int, **context: Any) -> bool:
    """Run, and take the power away before the call of this number (from 0); what comes after it fails likewise. False: there was none."""
    seen = 0
    cut = False

    def called(name: str, key: str) -> None:  # noqa: ARG001
        nonlocal seen, cut
        cut = cut or seen == number
        seen += 1
        if cut:
            raise PowerCut

    with watched(instance.gateway, called), suppress(PowerCut):
        instance.try_run(**context)
    return cut


@contextmanager
def scratch(bench: Bench) -> Iterator[Bench]:
    """Another bench of the same subject and seed, whose world writes below the folder of this one."""
    made = bench.fresh()
    try:
        yield made
    except CheckFailed as failed:  # its journal ends with it: the last lines are the evidence
        lines = [f"{entry.connection or '-'}: {entry.detail}" for entry in made.world.journal[-LAST_LINES:]]
        raise CheckFailed(failed.expected, failed.observed, (*failed.evidence, *lines)) from failed
    finally:
        with unseen():
            made.close()


def carried(bench: Bench, *parts: str) -> None:
    """Raises NotApplicable unless the source can carry these parts of a message."""
    missing = [part for part in parts if part not in bench.subject.carries]
    if missing:
        raise NotApplicable(f"messages of this source have no {', '.join(missing)}")


def deleting(bench: Bench) -> dict[str, str]:
    """Elements that make the provider delete what was stored; none where it cannot."""
    return dict(bench.subject.deleting(bench.world) or {})


def token_of(bench: Bench, offer: IncomingOffer) -> str:
    """Which message an offer is."""
    known = [message.token for message in bench.seeded]
    message = offer.message
    text = f"{message.subject} {message.message_id} {message.text} {message.html}"
    return token_in(offer.octets, known) or token_in(text.encode("utf-8", "replace"), known)


def judge(bench: Bench, message: SourceMessage, reason: ReasonCode, *, raises: Exception | None = None) -> None:
    """From now on the organization refuses this message for this reason (or raises), and takes the others."""

    def verdict(offer: IncomingOffer) -> Verdict:
        if token_of(bench, offer) != message.token:
            return Verdict(deliver=True, reason=ReasonCode.ACCEPT_ALL)
        if raises is not None:
            raise raises
        return Verdict(deliver=False, reason=reason)

    bench.gateway.judge = verdict
