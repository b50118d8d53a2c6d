"""Recurrence against python-dateutil: every pattern and range, and what dateutil does otherwise (short months) against its own rule."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.ews.calendar import occurrences, recurrence
from postroom_simulator.ews.calendar.recurrence import Pattern, Series
from postroom_simulator.ews.errors import EwsError

WINDOW = 40
starts = st.dates(date(1999, 1, 1), date(2060, 12, 31))
days = st.sets(st.integers(0, 6), min_size=1).map(lambda found: tuple(sorted(found)))
groups = st.one_of(st.integers(0, 6).map(lambda day: (day,)), st.sampled_from([tuple(range(7)), tuple(range(5)), (5, 6)]))
nths = st.sampled_from([1, 2, 3, 4, -1])
patterns = st.one_of(
    st.builds(Pattern, st.just("daily"), st.integers(1, 400)),
    st.builds(lambda interval, chosen, first: Pattern("weekly", interval, chosen, first_day=first), st.integers(1, 9), days, st.integers(0, 6)),
    st.builds(lambda interval, day: Pattern("monthly", interval, day=day), st.integers(1, 30), st.integers(1, 31)),
    st.builds(lambda interval, chosen, nth: Pattern("relative-monthly", interval, chosen, nth), st.integers(1, 30), groups, nths),
    st.builds(lambda day, month: Pattern("yearly", day=day, month=month), st.integers(1, 31), st.integers(1, 12)),
    st.builds(lambda chosen, nth, month: Pattern("relative-yearly", 1, chosen, nth, month=month), groups, nths, st.integers(1, 12)),
)  # fmt: skip


def expected(pattern: Pattern, start: date, number: int) -> list[date]:
    """By dateutil. A day beyond the shortest month is asked for as the last of 28 and up to it."""
    frequency = {"daily": rrule.DAILY, "weekly": rrule.WEEKLY, "monthly": rrule.MONTHLY, "relative-monthly": rrule.MONTHLY}
    extra: dict[str, object] = {}
    if pattern.kind in ("monthly", "yearly"):
        extra = {"bymonthday": list(range(min(28, pattern.day), pattern.day + 1)), "bysetpos": -1}
    elif pattern.nth:
        extra = {"byweekday": list(pattern.days), "bysetpos": pattern.nth}
    elif pattern.kind == "weekly":
        extra = {"byweekday": list(pattern.days), "wkst": pattern.first_day}
    if pattern.month:
        extra["bymonth"] = pattern.month
    begin = datetime.combine(start, datetime.min.time())
    if pattern.nth or pattern.kind in ("monthly", "yearly"):  # bysetpos counts within whole months only from their first day on
        begin = begin.replace(day=1)
    rule = rrule.rrule(frequency.get(pattern.kind, rrule.YEARLY), begin, pattern.interval, **extra)  # type: ignore[arg-type]
    found = []
    for one in rule:
        if one.date() >= start:
            found.append(one.date())
        if len(found) == number:
            break
    return found


@settings(max_examples=150, deadline=None)
@given(patterns, starts)
def test_dates_are_those_of_dateutil(pattern: Pattern, start: date) -> None:
    series = Series(pattern, start, count=WINDOW)
    found = list(series.dates())
    assert found == expected(pattern, start, WINDOW)
    assert series.first() == found[0]
    assert series.last() == found[-1]
    assert series.nth(7) == found[6]
    assert series.nth(WINDOW + 1) is None
    assert series.nth(0) is None


@settings(max_examples=100, deadline=None)
@given(patterns, starts, st.integers(-400, 4000), st.integers(0, 500))
def test_a_window_shows_what_counting_from_the_start_shows(pattern: Pattern, start: date, offset: int, length: int) -> None:
    series = Series(pattern, start, end=start + timedelta(days=5000))
    whole = list(series.dates())
    first = start + timedelta(days=offset)
    last = first + timedelta(days=length)
    assert list(series.between(first, last)) == [one for one in whole if first <= one <= last]
    assert series.before(first) == max((one for one in whole if one < first), default=None)
    assert series.after(first) == min((one for one in whole if one > first), default=None)
    assert (first in series) == (first in whole)
    assert (
        list(Series(pattern, start).between(first, last)) == list(series.between(first, min(last, date(9999, 1, 1))))
        or offset + length > 5000
    )


@settings(max_examples=100, deadline=None)
@given(patterns, starts, st.sampled_from(["count", "end", "endless"]))
def test_values_round_trip(pattern: Pattern, start: date, how: str) -> None:
    bounds = {"count": {"count": 5}, "end": {"end": start + timedelta(days=3000)}, "endless": {}}[how]
    series = Series(pattern, start, **bounds)
    again = recurrence.parse(recurrence.write(series))
    assert list(again.between(start, start + timedelta(days=3000))) == list(series.between(start, start + timedelta(days=3000)))
    assert recurrence.write(again) == recurrence.write(series)


def test_day_31_of_a_short_month_is_its_last_day() -> None:
    series = Series(Pattern("monthly", 1, day=31), date(2027, 1, 31), count=5)
    assert list(series.dates()) == [
        date(2027, 1, 31),
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
        date(2027, 5, 31),
    ]
    leap = Series(Pattern("yearly", day=29, month=2), date(2027, 1, 1), count=2)
    assert list(leap.dates()) == [date(2027, 2, 28), date(2028, 2, 29)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"DailyRecurrence": {"Interval": 0}}, "ErrorCalendarInvalidRecurrence"),
        ({"DailyRecurrence": {"Interval": 1000}}, "ErrorCalendarInvalidRecurrence"),
        ({"WeeklyRecurrence": {"Interval": 1, "DaysOfWeek": "Monday Day"}}, "ErrorCalendarInvalidDayForWeeklyRecurrence"),
        ({"WeeklyRecurrence": {"Interval": 1, "DaysOfWeek": ""}}, "ErrorCalendarInvalidDayForWeeklyRecurrence"),
        ({"AbsoluteMonthlyRecurrence": {"Interval": 1, "DayOfMonth": 32}}, "ErrorCalendarInvalidAttributeValue"),
        ({}, "ErrorCalendarInvalidRecurrence"),
    ],
)
def test_patterns_that_are_none(value: dict[str, object], code: str) -> None:
    with pytest.raises(EwsError) as caught:
        recurrence.parse(value | {"NoEndRecurrence": {"StartDate": date(2027, 1, 1)}})
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"EndDateRecurrence": {"StartDate": date(2027, 1, 2), "EndDate": date(2027, 1, 1)}}, "ErrorCalendarEndDateIsEarlierThanStartDate"),
        ({"EndDateRecurrence": {"StartDate": date(2027, 1, 2), "EndDate": date(4500, 9, 2)}}, "ErrorRecurrenceEndDateTooBig"),
        ({"NumberedRecurrence": {"StartDate": date(2027, 1, 2), "NumberOfOccurrences": 0}}, "ErrorCalendarInvalidRecurrence"),
        ({"NumberedRecurrence": {"StartDate": date(2027, 1, 2), "NumberOfOccurrences": 1000}}, "ErrorCalendarInvalidRecurrence"),
        ({"NoEndRecurrence": {"StartDate": date(4500, 9, 2)}}, "ErrorCalendarOutOfRange"),
        ({}, "ErrorCalendarInvalidRecurrence"),
    ],
)  # fmt: skip
def test_ranges_that_are_none(value: dict[str, object], code: str) -> None:
    with pytest.raises(EwsError) as caught:
        recurrence.parse({"DailyRecurrence": {"Interval": 1}} | value)
    assert caught.value.code == code


def test_a_range_that_ends_before_the_first_date() -> None:
    weekly = {"WeeklyRecurrence": {"Interval": 1, "DaysOfWeek": "Friday"}}
    with pytest.raises(EwsError) as caught:
        recurrence.parse(weekly | {"EndDateRecurrence": {"StartDate": date(2027, 1, 4), "EndDate": date(2027, 1, 6)}})
    assert caught.value.code == "ErrorRecurrenceHasNoOccurrence"


def test_wall_clock_times_stay_over_changes_of_the_clocks() -> None:
    dates = occurrences.Dates(
        {
            "Start": datetime(2026, 10, 24, 7, 0, tzinfo=UTC),
            "End": datetime(2026, 10, 24, 8, 30, tzinfo=UTC),
            "StartTimeZone": {"@Id": "W. Europe Standard Time"},
            "Recurrence": {"DailyRecurrence": {"Interval": 1}, "NumberedRecurrence": {"StartDate": date(2026, 10, 24), "NumberOfOccurrences": 3}},
        }
    )  # fmt: skip
    found = list(dates.between(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)))
    assert [(one.start.hour, one.end.hour, one.end.minute) for one in found] == [(7, 8, 30), (8, 9, 30), (8, 9, 30)]
    assert dates.by_index(2) == found[1]
    assert dates.by_key(found[1].key) == found[1]


def test_an_endless_series_far_ahead_costs_nothing() -> None:
    series = Series(Pattern("daily", 1), date(1700, 1, 1))
    assert list(series.between(date(4400, 2, 28), date(4400, 3, 1))) == [date(4400, 2, 28), date(4400, 2, 29), date(4400, 3, 1)]
    assert series.last() is None
    assert series.endless


@pytest.mark.parametrize(("unit", "done", "then"), [
    ("daily", date(2027, 1, 30), date(2027, 2, 1)), ("weekly", date(2027, 1, 30), date(2027, 2, 13)),
    ("monthly", date(2026, 12, 31), date(2027, 2, 28)), ("yearly", date(2028, 2, 29), date(2030, 2, 28)),
])  # fmt: skip
def test_regeneration_counts_from_completion(unit: str, done: date, then: date) -> None:
    assert recurrence.next_regeneration(Pattern("regenerating", 2, unit=unit), done) == then


def test_months_have_the_days_they_have() -> None:
    assert all(
        one.day == min(30, calendar.monthrange(one.year, one.month)[1])
        for one in Series(Pattern("monthly", 1, day=30), date(2027, 1, 30), count=30).dates()
    )
