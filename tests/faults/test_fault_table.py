"""The fault table: which fault acts at which step, and which faults cannot be."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.clock import ManualClock
from postroom_simulator.errors import FaultError
from postroom_simulator.fault_rules import PHASES, VERBS, possible_at
from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Fault,
    FaultTable,
    Garble,
    LoseReply,
    Point,
    Refuse,
    Reply,
    Stall,
    When,
)

RETR = Point("pop3", "RETR", "ann@sim.test")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def table(clock: ManualClock) -> FaultTable:
    return FaultTable(clock, random.Random(1))


def acting(table: FaultTable, point: Point, times: int) -> list[int]:
    """At which of so many steps something acted, counted from 1."""
    return [number for number in range(1, times + 1) if table.pick(point) is not None]


def test_an_empty_table_lets_everything_pass(table: FaultTable) -> None:
    assert table.pick(RETR) is None
    assert table.counts == {}


def test_a_fault_acts_at_its_step_and_no_other(table: FaultTable) -> None:
    fault = table.add(When("pop3", "RETR"), Drop())
    assert table.pick(RETR) == fault
    assert table.pick(Point("pop3", "DELE", "ann@sim.test")) is None
    assert table.pick(Point("smtp", "QUIT")) is None
    assert table.counts == {fault.name: 1}


def test_names_are_given_to_faults_without_one(table: FaultTable) -> None:
    assert table.add(When("pop3", "RETR"), Drop()).name == "fault 1: Drop at RETR of pop3"
    assert table.add(Fault(When(), Delay(1), "slow")).name == "slow"
    assert table.add(When(at="QUIT"), Drop(), name="rude").name == "rude"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (When("pop3", "RETR", nth=2), [2]),
        (When("pop3", "RETR", first=3), [3, 4, 5]),
        (When("pop3", "RETR", last=2), [1, 2]),
        (When("pop3", "RETR", first=2, last=4), [2, 3, 4]),
        (When("pop3", "RETR", probability=0.0), []),
        (When("pop3", "RETR", probability=1.0), [1, 2, 3, 4, 5]),
    ],
)
def test_occurrences(table: FaultTable, when: When, expected: list[int]) -> None:
    table.add(when, Drop())
    assert acting(table, RETR, 5) == expected


def test_the_first_added_wins_and_each_counts_its_own_steps(table: FaultTable) -> None:
    every = table.add(When("pop3", "RETR", last=2), Drop(), name="first two")
    third = table.add(When("pop3", nth=3), Delay(1), name="third of any")
    assert [table.pick(RETR) for _ in range(4)] == [every, every, third, None]


def test_the_account_is_compared_without_case_and_only_once_known(table: FaultTable) -> None:
    table.add(When(account="Ann@Sim.Test"), Drop())
    assert table.pick(Point("pop3", "USER", None)) is None
    assert table.pick(Point("pop3", "STAT", "bob@sim.test")) is None
    assert table.pick(Point("pop3", "STAT", "ann@sim.test")) is not None


def test_the_window_follows_the_clock_and_until_is_excluded(table: FaultTable, clock: ManualClock) -> None:
    start = clock.now()
    table.add(When(after=start + timedelta(minutes=1), until=start + timedelta(minutes=2)), Drop())
    seen = []
    for _ in range(5):
        seen.append(table.pick(RETR) is not None)
        clock.advance(30)
    assert seen == [False, False, True, True, False]


def test_steps_outside_the_window_are_not_counted(table: FaultTable, clock: ManualClock) -> None:
    table.add(When(nth=1, after=clock.now() + timedelta(seconds=1)), Drop())
    assert table.pick(RETR) is None
    clock.advance(1)
    assert table.pick(RETR) is not None


def test_chance_is_drawn_only_when_all_else_matches(clock: ManualClock) -> None:
    chance = random.Random(7)
    table = FaultTable(clock, chance)
    table.add(When("pop3", "RETR", nth=2, probability=0.5), Drop())
    before = chance.getstate()
    table.pick(Point("pop3", "DELE", None))
    table.pick(RETR)
    assert chance.getstate() == before
    table.pick(RETR)
    assert chance.getstate() != before


def test_a_fault_anywhere_passes_over_steps_where_its_effect_cannot_be(table: FaultTable) -> None:
    table.add(When("smtp"), Reply("451"))
    assert [at for at in ("connect", "tls", "text", "greeting", "end-of-data") if table.pick(Point("smtp", at))] == [
        "greeting",
        "end-of-data",
    ]


def test_removing_and_clearing(table: FaultTable) -> None:
    given = Fault(When("pop3", "RETR"), Drop())
    table.add(given)
    other = table.add(When("pop3", "RETR"), Delay(1))
    table.remove(given)
    assert list(table) == [other]
    with pytest.raises(FaultError, match="no such fault"):
        table.remove(given)
    table.clear()
    assert len(table) == 0


def test_equal_faults_count_apart(table: FaultTable) -> None:
    fault = Fault(When("pop3", "RETR", nth=1), Drop(), "twin")
    table.add(fault)
    table.pick(RETR)
    table.add(fault)
    assert table.pick(RETR) == fault
    assert table.counts == {"twin": 2}


@pytest.mark.parametrize(
    ("when", "effect", "reason"),
    [
        (When(at="RETR"), Refuse(), '"connect" only'),
        (When(), Refuse(), '"connect" only'),
        (When(at="greeting"), AcceptThenReset(), '"connect" only'),
        (When(at="RETR"), Cut(-1), "0 or more"),
        (When(at="RETR"), Cut(1, "reset"), '"fin" or "rst"'),  # type: ignore[arg-type]
        (When("pop3", "RETR"), Reply("451"), "pop3 reply"),
        (When("smtp", "RCPT"), Reply("-ERR"), "smtp reply"),
        (When("smtp", "RCPT"), Reply("999"), "three digits"),
        (When("smtp", "RCPT"), Reply("４５１"), "three digits"),
        (When(at="QUIT"), Reply("451"), "Name the protocol"),
        (When("smtp", "RCPT"), Reply("451", "a\r\nb"), "one line"),
        (When("smtp", "RCPT"), Reply("451", "x" * 600), "600 characters"),
        (When("smtp", "tls"), Reply("451"), 'not possible at "tls"'),
        (When("smtp", "connect"), Reply("451"), 'not possible at "connect"'),
        (When("smtp", "text"), Reply("451"), 'not possible at "text"'),
        (When("pop3", "tls"), Drip(), "possible are Delay, Stall, Cut, Drop"),
        (When(nth=1, first=1), Drop(), "one or the other"),
        (When(nth=1, last=1), Drop(), "one or the other"),
        (When(first=3, last=2), Drop(), "comes after last"),
        (When(nth=0), Drop(), "counts from 1"),
        (When(nth=True), Drop(), "counts from 1"),
        (When(probability=1.5), Drop(), "between 0 and 1"),
        (When(probability=float("nan")), Drop(), "between 0 and 1"),
        (When(after=datetime(2026, 1, 1)), Drop(), "time zone"),  # noqa: DTZ001 - that is the point
        (When(after=datetime(2026, 1, 2, tzinfo=UTC), until=datetime(2026, 1, 2, tzinfo=UTC)), Drop(), "empty"),
        (When(at="connect", account="a@b"), Drop(), "not known yet"),
        (When(at="greeting", account="a@b"), Drop(), "not known yet"),
        (When(at="tls", account="a@b"), Drop(), "not known yet"),
        (When("pop3", "text"), Cut(), "smtp only"),
        (When("pop3", "end-of-data"), Cut(), "smtp only"),
        (When("smtp", "RETR"), Cut(), "pop3 only"),
        (When("pop3", "RETRE"), Drop(), 'mean "RETR"'),
        (When("smtp", "enddata"), Drop(), 'mean "end-of-data"'),
        (When("smtp", "rcpt"), Drop(), 'mean "RCPT"'),
        (When("pop4", "RETR"), Drop(), 'mean "pop3"'),
        (When(), Delay(float("inf")), "0 or more"),
        (When(), Delay(-1), "0 or more"),
        (When(), Drip(0), "1 or more"),
        (When(), Garble(0), "1 or more"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(table: FaultTable, when: When, effect: Effect, reason: str) -> None:
    with pytest.raises(FaultError) as caught:
        table.add(when, effect)
    assert reason in str(caught.value)
    assert len(table) == 0


def test_everything_wrong_is_said_at_once(table: FaultTable) -> None:
    with pytest.raises(FaultError) as caught:
        table.add(Fault(When("pop3", "RETRE", nth=0), Cut(-1), "mine"))
    assert str(caught.value).startswith("mine: ")
    assert all(word in str(caught.value) for word in ("RETRE", "counts from 1", "0 or more"))


def test_a_fault_needs_one_effect(table: FaultTable) -> None:
    with pytest.raises(FaultError, match="needs an effect"):
        table.add(When())
    with pytest.raises(FaultError, match="has its effect already"):
        table.add(Fault(When(), Drop()), Drop())


EFFECTS = st.sampled_from([Delay(1), Stall(), Cut(3), Drop(), LoseReply(), Garble(), Drip()])
POINTS = st.builds(
    Point,
    st.sampled_from(["pop3", "smtp"]),
    st.sampled_from(["connect", "greeting", "QUIT", "NOOP", "AUTH"]),
    st.sampled_from([None, "a@sim.test", "b@sim.test"]),
)
WHENS = st.builds(
    When,
    st.sampled_from(["*", "pop3", "smtp"]),
    st.sampled_from(["*", "QUIT", "NOOP", "AUTH"]),
    st.sampled_from([None, "A@sim.test"]),
    first=st.one_of(st.none(), st.integers(1, 3)),
    last=st.one_of(st.none(), st.integers(3, 5)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WHENS, EFFECTS), max_size=4), st.lists(POINTS, max_size=25))
def test_the_table_agrees_with_a_plain_reading_of_its_rules(rows: list[tuple[When, Effect]], points: list[Point]) -> None:
    table = FaultTable(ManualClock(), random.Random(0))
    faults = [table.add(when, effect, name=str(number)) for number, (when, effect) in enumerate(rows)]
    seen = [0] * len(faults)
    acted = {fault.name: 0 for fault in faults}
    for point in points:
        winners = []
        for number, fault in enumerate(faults):
            when = fault.when
            if when.protocol not in ("*", point.protocol) or when.at not in ("*", point.at):
                continue
            if when.account is not None and (point.account or "").lower() != when.account.lower():
                continue
            if not possible_at(fault.effect, point.at):
                continue
            seen[number] += 1
            if (when.first or 1) <= seen[number] <= (when.last or 99):
                winners.append(fault)
        picked = table.pick(point)
        assert picked == (winners[0] if winners else None)
        if picked:
            acted[picked.name] += 1
    assert table.counts == acted


def test_every_word_of_every_protocol_is_accepted(table: FaultTable) -> None:
    for protocol in VERBS:
        for at in (*VERBS[protocol], *PHASES[protocol]):
            table.add(When(protocol, at), Drop())
    assert len(table) == sum(len(VERBS[p]) + len(PHASES[p]) for p in VERBS)
