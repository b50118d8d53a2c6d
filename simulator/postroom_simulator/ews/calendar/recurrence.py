"""The dates of a recurrence: patterns and ranges as values, counted without walking through what came before (ews reference 11; MS-OXWSMTGS 2.2.4).

Dates are local; times and zones are `occurrences`' matter. A month that is too short has its last day instead of the one that a pattern names.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from postroom_simulator.ews.calendar.names import INDEX, INDEX_NAMES, MONTHS
from postroom_simulator.ews.errors import EwsError

__all__ = [
    "END_OF_TIME",
    "REGENERATIONS",
    "WEEKDAYS",
    "Pattern",
    "Series",
    "is_regenerating",
    "next_regeneration",
    "parse",
    "write",
]

Value = dict[str, Any]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_GROUPS = {"Day": range(7), "Weekday": range(5), "WeekendDay": range(5, 7)}
REGENERATIONS = {
    "DailyRegeneration": "daily",
    "WeeklyRegeneration": "weekly",
    "MonthlyRegeneration": "monthly",
    "YearlyRegeneration": "yearly",
}

END_OF_TIME = date(4500, 9, 1)
"""A recurrence cannot end after this day (MS-OXWSCDATA, ErrorRecurrenceEndDateTooBig)."""
MAX_COUNT = 999
MAX_DAYS, MAX_WEEKS, MAX_MONTHS = 999, 99, 99
"""Intervals that are taken (MS-OXWSMTGS 2.2.4)."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """kind    daily, weekly, monthly, relative-monthly, yearly, relative-yearly, regenerating
    interval   in days, weeks, months or (regenerating: of `unit`) periods; years are always 1
    days       0 Monday ... 6 Sunday
    nth        1 to 4, -1 the last: which of the `days` of the month
    day        of the month
    first_day  the weeks' first day
    unit       of a regenerating pattern: daily, weekly, monthly, yearly
    """

    kind: str
    interval: int = 1
    days: tuple[int, ...] = ()
    nth: int = 0
    day: int = 0
    month: int = 0
    first_day: int = 6
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A pattern and its range: from `start`, until the day `end` (inclusive), or `count` dates, or for ever."""

    pattern: Pattern
    start: date
    end: date | None = None
    count: int | None = None

    @property
    def endless(self) -> bool:
        return self.end is None and self.count is None

    def first(self) -> date | None:
        """None: there is no date at all."""
        return next(self.dates(), None)

    def last(self) -> date | None:
        """None: it never ends, or there is no date at all."""
        if self.count is not None:
            found = None
            for one in self.dates():
                found = one
            return found
        if self.end is None:
            return None
        return self.before(self.end + timedelta(days=1))

    def dates(self) -> Iterator[date]:
        """All of them, in order."""
        for number, one in enumerate(self._raw(0), 1):
            if (self.count is not None and number > self.count) or (self.end is not None and one > self.end):
                return
            yield one

    def nth(self, index: int) -> date | None:
        """By number from 1. None: there is no such."""
        if index < 1 or (self.count is not None and index > self.count):
            return None
        for number, one in enumerate(self.dates(), 1):
            if number == index:
                return one
        return None

    def between(self, first: date, last: date) -> Iterator[date]:
        """The dates from `first` to `last`, both included."""
        if first < self.start:
            first = self.start
        until = min(last, self._limit(last))
        for one in self._raw(self._period_of(first)):
            if one > until:
                return
            if one >= first:
                yield one

    def __contains__(self, day: date) -> bool:
        return next(self.between(day, day), None) is not None

    def before(self, day: date) -> date | None:
        """The last date before a day."""
        limit = self._limit(day)
        number = self._period_of(day)
        while number >= 0:
            found = [one for one in self._period(number) if self.start <= one < day and one <= limit]
            if found:
                return found[-1]
            number -= 1
        return None

    def after(self, day: date) -> date | None:
        """The first date after a day."""
        for one in self._raw(self._period_of(max(day, self.start))):
            if one > day:
                return one if one <= self._limit(one) else None
        return None

    def _limit(self, otherwise: date) -> date:
        """The last day that a date can be on; `otherwise` for what never ends."""
        if self.end is not None:
            return self.end
        if self.count is not None:
            return self.last() or self.start - timedelta(days=1)
        return otherwise

    def _raw(self, number: int) -> Iterator[date]:
        """Dates from a period on, as if there were no end but that of time."""
        while True:
            try:
                found = self._period(number)
            except (OverflowError, ValueError):  # the calendar's last year
                return
            for one in found:
                if one > END_OF_TIME:
                    return
                if one >= self.start:
                    yield one
            number += 1

    def _period_of(self, day: date) -> int:
        """The number of the period that a day is in."""
        pattern = self.pattern
        if pattern.kind == "daily":
            return (day - self.start).days // pattern.interval
        if pattern.kind == "weekly":
            return (day - self._week()).days // (7 * pattern.interval)
        if pattern.kind in ("yearly", "relative-yearly"):
            return day.year - self.start.year
        return ((day.year - self.start.year) * 12 + day.month - self.start.month) // max(1, pattern.interval)

    def _week(self) -> date:
        return self.start - timedelta(days=(self.start.weekday() - self.pattern.first_day) % 7)

    def _period(self, number: int) -> list[date]:
        """The dates of a period, in order."""
        pattern = self.pattern
        if pattern.kind == "regenerating":
            return [self.start] if number == 0 else _nothing_more()
        if pattern.kind == "daily":
            return [self.start + timedelta(days=number * pattern.interval)]
        if pattern.kind == "weekly":
            week = self._week() + timedelta(days=7 * pattern.interval * number)
            days = sorted((day - pattern.first_day) % 7 for day in pattern.days)
            return [week + timedelta(days=day) for day in days]
        if pattern.kind in ("yearly", "relative-yearly"):
            year, month = self.start.year + number, pattern.month
        else:
            year, month = divmod(self.start.year * 12 + self.start.month - 1 + number * pattern.interval, 12)
            month += 1
        if pattern.nth:
            return [_nth_day(year, month, pattern.days, pattern.nth)]
        return [date(year, month, min(pattern.day, calendar.monthrange(year, month)[1]))]


def _nothing_more() -> list[date]:
    raise OverflowError


def _nth_day(year: int, month: int, days: tuple[int, ...], nth: int) -> date:
    first, length = calendar.monthrange(year, month)
    found = [day for day in range(1, length + 1) if (first + day - 1) % 7 in days]
    return date(year, month, found[nth - 1] if nth > 0 else found[-1])


# -- to and from what requests say


def parse(value: Mapping[str, Any]) -> Series:
    """From a RecurrenceType or TaskRecurrenceType. Raises EwsError: ErrorCalendarInvalidRecurrence and its kin."""
    patterns = [name for name in value if name in _PATTERNS or name in REGENERATIONS]
    ranges = [name for name in value if name in _RANGES]
    if len(patterns) != 1 or len(ranges) != 1:
        raise EwsError("ErrorCalendarInvalidRecurrence", "A recurrence has one pattern and one range.")
    name = patterns[0]
    if name in REGENERATIONS:
        interval = _interval(value[name], MAX_DAYS)
        pattern = Pattern("regenerating", interval, unit=REGENERATIONS[name])
    else:
        pattern = _PATTERNS[name](value[name])
    series = _ranged(pattern, ranges[0], value[ranges[0]])
    if series.first() is None:
        raise EwsError("ErrorRecurrenceHasNoOccurrence")
    return series


def is_regenerating(value: Mapping[str, Any]) -> bool:
    return any(name in REGENERATIONS for name in value)


def _interval(value: Mapping[str, Any], most: int) -> int:
    interval = int(value["Interval"])
    if not 1 <= interval <= most:
        raise EwsError("ErrorCalendarInvalidRecurrence", f"An interval is from 1 to {most}.")
    return interval


def _daily(value: Mapping[str, Any]) -> Pattern:
    return Pattern("daily", _interval(value, MAX_DAYS))


def _weekly(value: Mapping[str, Any]) -> Pattern:
    names = str(value["DaysOfWeek"]).split()
    if not names or any(name not in WEEKDAYS for name in names):
        raise EwsError("ErrorCalendarInvalidDayForWeeklyRecurrence")
    first = value.get("FirstDayOfWeek", "Sunday")
    if first not in WEEKDAYS:
        raise EwsError("ErrorCalendarInvalidDayForWeeklyRecurrence")
    days = tuple(sorted({WEEKDAYS.index(name) for name in names}))
    return Pattern("weekly", _interval(value, MAX_WEEKS), days, first_day=WEEKDAYS.index(first))


def _day(value: Mapping[str, Any]) -> int:
    day = int(value["DayOfMonth"])
    if not 1 <= day <= 31:
        raise EwsError("ErrorCalendarInvalidAttributeValue", "A day of the month is from 1 to 31.")
    return day


def _days(value: Mapping[str, Any]) -> tuple[int, ...]:
    name = str(value["DaysOfWeek"]).strip()
    if name in _GROUPS:
        return tuple(_GROUPS[name])
    if name not in WEEKDAYS:
        raise EwsError("ErrorCalendarInvalidAttributeValue", f"{name[:40]!r} is no day of the week.")
    return (WEEKDAYS.index(name),)


_PATTERNS: Mapping[str, Callable[[Mapping[str, Any]], Pattern]] = {
    "DailyRecurrence": _daily,
    "WeeklyRecurrence": _weekly,
    "AbsoluteMonthlyRecurrence": lambda value: Pattern("monthly", _interval(value, MAX_MONTHS), day=_day(value)),
    "RelativeMonthlyRecurrence": lambda value: Pattern(
        "relative-monthly", _interval(value, MAX_MONTHS), _days(value), INDEX[value["DayOfWeekIndex"]]
    ),
    "AbsoluteYearlyRecurrence": lambda value: Pattern("yearly", day=_day(value), month=MONTHS.index(value["Month"]) + 1),
    "RelativeYearlyRecurrence": lambda value: Pattern(
        "relative-yearly", 1, _days(value), INDEX[value["DayOfWeekIndex"]], month=MONTHS.index(value["Month"]) + 1
    ),
}
_RANGES = ("NoEndRecurrence", "EndDateRecurrence", "NumberedRecurrence")


def _ranged(pattern: Pattern, name: str, value: Mapping[str, Any]) -> Series:
    start = value["StartDate"]
    if start > END_OF_TIME:
        raise EwsError("ErrorCalendarOutOfRange")
    if name == "NumberedRecurrence":
        count = int(value["NumberOfOccurrences"])
        if not 1 <= count <= MAX_COUNT:
            raise EwsError("ErrorCalendarInvalidRecurrence", f"The number of occurrences is from 1 to {MAX_COUNT}.")
        return Series(pattern, start, count=count)
    if name == "EndDateRecurrence":
        end = value["EndDate"]
        if end < start:
            raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate", "The recurrence ends before it begins.")
        if end > END_OF_TIME:
            raise EwsError("ErrorRecurrenceEndDateTooBig")
        return Series(pattern, start, end=end)
    return Series(pattern, start)


def write(series: Series) -> Value:
    """A RecurrenceType."""
    name, value = _pattern_value(series.pattern)
    if series.count is not None:
        return {name: value, "NumberedRecurrence": {"StartDate": series.start, "NumberOfOccurrences": series.count}}
    if series.end is not None:
        return {name: value, "EndDateRecurrence": {"StartDate": series.start, "EndDate": series.end}}
    return {name: value, "NoEndRecurrence": {"StartDate": series.start}}


def _pattern_value(one: Pattern) -> tuple[str, Value]:
    month = {"Month": MONTHS[one.month - 1]} if one.month else {}
    if one.kind == "regenerating":
        return {unit: name for name, unit in REGENERATIONS.items()}[one.unit], {"Interval": one.interval}
    if one.kind == "daily":
        return "DailyRecurrence", {"Interval": one.interval}
    if one.kind == "weekly":
        days = " ".join(WEEKDAYS[day] for day in sorted(one.days, key=lambda day: (day + 1) % 7))
        return "WeeklyRecurrence", {"Interval": one.interval, "DaysOfWeek": days, "FirstDayOfWeek": WEEKDAYS[one.first_day]}
    if one.kind in ("monthly", "yearly"):
        day: Value = {"DayOfMonth": one.day} | month
        return (
            ("AbsoluteMonthlyRecurrence", day | {"Interval": one.interval}) if not month else ("AbsoluteYearlyRecurrence", day)
        )
    names = {tuple(days): name for name, days in _GROUPS.items()}
    relative: Value = {
        "DaysOfWeek": names.get(one.days) or WEEKDAYS[one.days[0]],
        "DayOfWeekIndex": INDEX_NAMES[one.nth],
    } | month
    if month:
        return "RelativeYearlyRecurrence", relative
    return "RelativeMonthlyRecurrence", relative | {"Interval": one.interval}


def next_regeneration(pattern: Pattern, done: date) -> date:
    """When a regenerating task comes next that was done on that day."""
    if pattern.unit in ("daily", "weekly"):
        return done + timedelta(days=pattern.interval * (7 if pattern.unit == "weekly" else 1))
    months = pattern.interval * (12 if pattern.unit == "yearly" else 1)
    found = Series(Pattern("monthly", months, day=done.day), done)
    return replace(found, start=done).after(done) or done
