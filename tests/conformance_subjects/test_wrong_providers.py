"""Each wrong provider, and each broken framework, fails its own check for the reason that was meant; the texts say what an author needs."""

from __future__ import annotations

from functools import cache

import pytest

from postroom.testing.conformance import table
from postroom.testing.conformance.kill import Kill, tried
from postroom.testing.conformance.mutants import load_mutants
from postroom.testing.conformance.table import Owner

EVERY = table.load()
MUTANTS = load_mutants()
MINE = {"INB", "OUT", "STA", "CON"}
NAMES = [name for name, one in MUTANTS.items() if one.check.partition("-")[0] in MINE]
NEIGHBOURS = {
    "INB": ("INB-01", "INB-03", "INB-05"),
    "OUT": ("OUT-01", "OUT-06", "OUT-11"),
    "STA": ("INB-01", "STA-07", "STA-09"),
    "CON": ("INB-01", "CON-06"),
}
"""Cheap checks that most mistakes would fail, if they failed unrelated ones. All of them: tests/conformance, --campaign."""


@cache
def row(name: str) -> Kill:
    one = MUTANTS[name]
    return tried(one, NEIGHBOURS[one.check.partition("-")[0]])


@pytest.mark.parametrize("name", NAMES)
def test_the_mistake_is_found_for_its_reason(name: str) -> None:
    assert not row(name).text(), row(name).text()


def test_every_check_has_a_mistake_that_it_finds() -> None:
    without = {one.id for one in EVERY.values() if one.family in MINE} - {MUTANTS[name].check for name in NAMES}
    assert not without


def test_duties_of_the_framework_are_broken_by_frameworks() -> None:
    owned = {one.id for one in EVERY.values() if one.family in MINE and one.owner is Owner.FRAMEWORK}
    assert owned == {"STA-06", "STA-13", "STA-15"}
    assert owned == {MUTANTS[name].check for name in NAMES if not isinstance(MUTANTS[name].broken, type)}


TEXTS = {
    "INB-01 SendsTwice": ("each of 5 messages exactly once", "message 5: 2 times"),
    "INB-05 OffByOne": ("at most 3 messages in a run", "4 messages"),
    "INB-10 DeletesOnRetrieve": ("a source that keeps what was not stored", "messages [1, 2, 3, 4] are gone"),
    "OUT-03 LeaksBlindCopies": ("a blind copy that is in no header", "its address is in the message"),
    "OUT-09 ResendsBlindly": ("SubmissionResult.UNCERTAIN", "SubmissionResult.RETRY"),
    "STA-05 DeletesFirst": ("nothing lost", "cut off before call"),
    "STA-12 ResetsToZero": ("no work with a cursor in the future", "state.commit"),
    "STA-17 StoresEveryId": ("at most 65536 octets of state after 10000 messages", "more with each"),
    "CON-02 GlobalConnection": ("all instances complete", "of 32 failed"),
    "CON-06 GoesOn": ("an end after at most three calls", "check_incoming"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_says_what_was_expected_and_what_was_seen(name: str) -> None:
    own = row(name).own
    expected, observed = TEXTS[name]
    assert expected in own.expected
    assert observed in own.observed
    text = own.text()
    assert own.check.id in text
    assert own.check.rule in text
    assert f"-k {own.check.id} --seed 0" in own.reproduce
    assert own.journal or own.evidence, "what happened is shown"
