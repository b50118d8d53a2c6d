"""A cursor loses nothing: equal times, late arrivals, unsorted sources, clocks that jump."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.errors import StateError
from postroom.providers.cursor import Cursor
from postroom.providers.state import decode, encode

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_equal_times() -> None:
    cursor = Cursor.start().advance(at(0), "a")
    assert [cursor.is_new(at(0), one) for one in "ab"] == [False, True]
    cursor = cursor.advance(at(0), "b")
    assert not cursor.is_new(at(0), "b")
    assert cursor.advance(at(1), "c").ids[0].when == at(1)  # what is older is told by the threshold


def test_late_arrivals_within_the_window() -> None:
    cursor = Cursor.start(look_back=HOUR).advance(at(0), "a").advance(at(1800), "b")
    assert cursor.is_new(at(10), "late")
    assert not cursor.is_new(at(0), "a")
    after = cursor.advance(at(10), "late")
    assert after.threshold == at(1800)
    assert not after.is_new(at(10), "late")
    assert not after.is_new(at(-7200), "too late")
    with pytest.raises(StateError, match="backwards"):
        after.note(at(-7200), "too late")


def test_an_unsorted_source_that_is_interrupted() -> None:
    items = {"a": at(30), "b": at(10), "c": at(20)}
    cursor = Cursor.start()
    for one in "ab":
        cursor = cursor.note(items[one], one)
    assert [one for one in items if cursor.is_new(items[one], one)] == ["c"]
    cursor = cursor.note(items["c"], "c").finish(at(60))
    assert cursor.threshold == at(30)
    assert not any(cursor.is_new(when, one) for one, when in items.items())


def test_an_item_from_the_future_does_not_take_the_threshold_along() -> None:
    cursor = Cursor.start().advance(at(86400 * 365), "of next year", signpost=at(0))
    assert cursor.threshold == at(0)
    assert not cursor.is_new(at(86400 * 365), "of next year")
    assert cursor.is_new(at(5), "of today")
    noted = Cursor.start().note(at(100), "later").note(at(-5), "now").finish(at(0))
    assert noted.threshold == at(-5)
    assert not noted.is_new(at(100), "later")


def test_a_clock_that_went_back() -> None:
    cursor = Cursor.start().advance(at(100), "a", signpost=at(100))
    assert cursor.finish(at(0)) == cursor
    assert cursor.in_future(at(50))
    assert not cursor.in_future(at(100))


def test_where_a_first_run_begins() -> None:
    cursor = Cursor.start(at=at(0), look_back=HOUR)
    assert not cursor.is_new(at(-1), "old")
    assert cursor.is_new(at(0), "at the moment itself")
    assert cursor.asks_from == at(0)
    assert Cursor.start().asks_from is None


def test_rewinding() -> None:
    cursor = Cursor.start(at=at(0)).advance(at(100), "a")
    with pytest.raises(StateError, match="reason"):
        cursor.rewind(at(50), "")
    back = cursor.rewind(at(-50), "the feed was rebuilt")
    assert back.is_new(at(100), "a")
    assert back.is_new(at(-50), "older than the beginning")
    assert back.goes_back_from(cursor)
    assert not cursor.goes_back_from(back)
    assert cursor.rewind(None, "all of it").asks_from is None
    assert Cursor(cursor.threshold).goes_back_from(cursor)  # the ids of its moment forgotten


def test_refused() -> None:
    with pytest.raises(StateError, match="zone"):
        Cursor.start().note(datetime(2026, 1, 1), "a")  # noqa: DTZ001
    with pytest.raises(ValueError):
        Cursor(look_back=-HOUR)
    assert Cursor.start(at=datetime.min.replace(tzinfo=UTC), look_back=HOUR).asks_from is not None


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=25),
    st.integers(0, 20),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_each_item_once(times: list[int], window: int, unsorted: bool, chance: object) -> None:
    """Sources that grow between runs, runs that are cut off anywhere, a state that passes through JSON between them."""
    items = [(at(when), f"id {n}") for n, when in enumerate(times)]
    cursor, done = Cursor.start(look_back=timedelta(seconds=window)), []
    there: list[tuple[datetime, str]] = []
    waiting = sorted(items)  # in the order of arrival: by date, so none is later than the window
    while waiting or len(done) < len(items):
        there += [waiting.pop(0) for _ in range(min(len(waiting), 1 + chance.randrange(5)))]  # type: ignore[attr-defined]
        seen = list(there)
        if unsorted:
            chance.shuffle(seen)  # type: ignore[attr-defined]
        stop = chance.randrange(2 * len(seen) + 1) if waiting else len(seen)  # type: ignore[attr-defined]
        for when, name in seen[:stop]:
            if cursor.is_new(when, name):
                done.append(name)
                cursor = cursor.note(when, name) if unsorted else cursor.advance(when, name)
        if unsorted and stop >= len(seen):
            cursor = cursor.finish(max(when for when, _ in there))
        cursor = decode(Cursor, encode(cursor))
    assert sorted(done) == sorted(name for _, name in items)
