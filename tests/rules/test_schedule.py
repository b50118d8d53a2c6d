"""The polling interval: published bounds, suggested formula (server-side-sync reference 3.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.rules.schedule import Cycle, Windows, first_interval, next_poll


@pytest.mark.parametrize(
    ("cycle", "count", "previous", "seconds", "next_count"),
    [
        (Cycle(3), 0, 300.0, 300.0, 0),
        (Cycle(100, full=True), 0, 300.0, 150.0, 0),
        (Cycle(100, full=True), 0, 150.0, 120.0, 0),
        (Cycle(0), 0, 300.0, 360.0, 1),
        (Cycle(0), 0, 120.0, 300.0, 1),
        (Cycle(0), 6, 700.0, 720.0, 7),
        (Cycle(1), 6, 720.0, 300.0, 0),
        (Cycle(0), 2, None, 480.0, 3),
    ],
)
def test_interval(cycle: Cycle, count: int, previous: float | None, seconds: float, next_count: int) -> None:
    told = next_poll(cycle, count, previous)
    assert (told.seconds, told.noemailcount) == (seconds, next_count)


def test_the_profiles_minimum_is_a_floor() -> None:
    assert next_poll(Cycle(100, full=True), 0, 120.0, minimum_minutes=10).seconds == 600
    assert next_poll(Cycle(0), 9, 720.0, minimum_minutes=10).seconds == 720


@given(
    history=st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=40),
    minimum=st.one_of(st.none(), st.integers(0, 60)),
)
def test_never_outside_the_windows_whatever_the_history(history: list[tuple[int, bool]], minimum: int | None) -> None:
    interval, count = None, 0
    for found, full in history:
        told = next_poll(Cycle(found, full), count, interval, minimum_minutes=minimum)
        floor = (minimum or 0) * 60
        assert max(120, floor) <= told.seconds <= max(720, floor)
        assert told.noemailcount == (0 if found or full else count + 1)
        interval, count = told.seconds, told.noemailcount


@given(count=st.integers(0, 30))
def test_the_interval_can_be_derived_from_the_count_alone(count: int) -> None:
    assert next_poll(Cycle(0), count, first_interval(count)) == next_poll(Cycle(0), count)


def test_a_window_upside_down_is_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        Windows(active_minimum=400)
