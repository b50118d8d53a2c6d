"""Every effect at every command and phase of all protocols on both transports: seen as expected, or refused as impossible.

The words are those of the rules: a new verb, phase or effect without an expectation fails here.
"""

from __future__ import annotations

from typing import get_args

import fault_cells
import pytest
from fault_cells import (
    EFFECTS,
    ELSEWHERE_TRIED,
    EXCEPTIONS,
    SOME,
    STEPS,
    Expected,
    Seen,
    converse,
    effects_of,
    expected,
    in_memory,
    ordinary,
    over_tcp,
)

from postroom_simulator.errors import FaultError
from postroom_simulator.fault_rules import PHASES, VERBS
from postroom_simulator.faults import Effect, Fault, When
from postroom_simulator.world import World

KINDS: tuple[type[Effect], ...] = get_args(Effect)
PLACES = [
    (protocol, at)
    for protocol in VERBS
    for at in (*PHASES[protocol], *SOME.get(protocol, VERBS[protocol]))
    if at not in ELSEWHERE_TRIED.get(protocol, ())
]


def test_nothing_is_without_an_expectation() -> None:
    missing = [f"{protocol} {at}" for protocol, at in PLACES if at not in STEPS.get(protocol, {})]
    missing += [kind.__name__ for kind in KINDS if kind not in EFFECTS]
    assert not missing, f"say in fault_cells.py what is to come of {', '.join(missing)}"
    assert {(protocol, at) for protocol in STEPS for at in STEPS[protocol]} == set(PLACES)


def test_every_exception_is_one() -> None:
    """None is left for a cell that does not exist."""
    for protocol, at, kind in EXCEPTIONS:
        places = [place for place in PLACES if place[1] == at and protocol in ("*", place[0])]
        assert places, (protocol, at)
        assert kind in KINDS


@pytest.mark.parametrize(("protocol", "at"), PLACES)
def test_the_conversation_shows_whether_the_step_was_taken(protocol: str, at: str) -> None:
    """It is no use as a witness when both ways look alike: for all steps that change anything there is a difference."""
    usual = ordinary(protocol, at)
    assert usual.reply
    indifferent = {"connect", "tls", "greeting", "NOOP", "VRFY", "EXPN", "HELP", "CAPA", "STAT", "LIST", "UIDL", "RETR", "TOP"}
    if at not in indifferent | INDIFFERENT.get(protocol, set()):
        assert usual.ends or usual.after != usual.after_undone or usual.left_after != usual.left_after_undone


INDIFFERENT = {"pop3": {"LANG", "UTF8"}, "smtp": {"QUIT"}, "ews": {"FindItem"}, "http": {"GET", "HEAD", "DELETE"}}
"""LANG and UTF8 change what later answers look like, not what they say here."""


@pytest.mark.parametrize("open_line", [in_memory, over_tcp])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("protocol", "at"), PLACES)
def test_every_cell(protocol: str, at: str, kind: type[Effect], open_line: fault_cells.Opener) -> None:
    for effect in effects_of(kind, protocol):
        fault = Fault(When(protocol, at, nth=1), effect, "it")
        wanted = expected(protocol, at, effect)
        if wanted is None:
            refused(fault)
            continue
        seen = converse(open_line, STEPS[protocol][at], protocol, at, fault, wanted)
        check(seen, wanted, protocol, at, effect)


def refused(fault: Fault) -> None:
    with World() as world, pytest.raises(FaultError, match=r"it: .* (possible|only)"):
        world.faults.add(fault)


def check(seen: Seen, wanted: Expected, protocol: str, at: str, effect: Effect) -> None:
    usual = ordinary(protocol, at)
    what = f"{protocol} {at} {effect}: {seen}"
    if wanted.garbled:
        assert len(seen.heard) == len(wanted.heard), what
        assert sum(a != b for a, b in zip(seen.heard, wanted.heard, strict=True)) == wanted.garbled, what
    else:
        assert seen.heard == wanted.heard, what
    assert seen.end == wanted.end, what
    assert seen.seconds == pytest.approx(wanted.seconds), what
    assert seen.after == wanted.after, what
    assert seen.faults == ((at, type(effect).__name__),), what
    assert seen.closed == wanted.closed, what
    if wanted.after is not None:
        left = usual.left_after if wanted.taken else usual.left_after_undone
    else:
        left = usual.left if wanted.taken else usual.left_undone
    assert seen.left == left, what
