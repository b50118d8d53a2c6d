"""When a time zone's clocks change, as rules by year: from the data of the machine's zones, and as a zone of their own where a request describes
one that has no name (ews reference 11)."""

from __future__ import annotations

import calendar
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

__all__ = [
    "DAYS",
    "FIRST_YEAR",
    "LAST_YEAR",
    "Change",
    "RuleZone",
    "YearRule",
    "minutes",
    "parse_duration",
    "rules_of",
    "write_duration",
]

FIRST_YEAR, LAST_YEAR = 2007, 2037
"""Years whose rules are told to clients (our choice): the last ones hold for ever."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DURATION = re.compile(r"([+-]?)P(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+)(?:\.\d+)?S)?)?")
_ZERO = timedelta(0)


def parse_duration(text: str) -> timedelta:
    """An xs:duration without years and months. Raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()[1:]):
        raise ValueError(f"no duration: {text[:40]!r}")
    days, hours, minute, seconds = (int(part or 0) for part in found.groups()[1:])
    try:
        made = timedelta(days=days, hours=hours, minutes=minute, seconds=seconds)
    except OverflowError:
        raise ValueError(f"a duration beyond all bounds: {text[:40]!r}") from None
    return -made if found[1] == "-" else made


def write_duration(length: timedelta) -> str:
    """In minutes, as servers write offsets: "-PT60M"."""
    whole = minutes(length)
    return f"-PT{-whole}M" if whole < 0 else f"PT{whole}M"


def minutes(length: timedelta) -> int:
    return round(length.total_seconds() / 60)


@dataclass(frozen=True, slots=True)
class Change:
    """The moment of a year at which clocks change: local time before the change.

    weekday  0 Monday ... 6 Sunday; None: `nth` is the day of the month
    nth      1 to 4 the so-manieth such day of the month, -1 the last
    """

    month: int
    weekday: int | None
    nth: int
    at: timedelta

    def in_year(self, year: int) -> datetime:
        """Local time before the change, naive."""
        return datetime(year, self.month, self._day(year)) + self.at  # noqa: DTZ001 - local time

    def _day(self, year: int) -> int:
        first, length = calendar.monthrange(year, self.month)
        if self.weekday is None:
            return min(self.nth, length)
        days = range(1 + (self.weekday - first) % 7, length + 1, 7)
        return days[min(self.nth, len(days)) - 1] if self.nth > 0 else days[-1]


@dataclass(frozen=True, slots=True)
class YearRule:
    """A year's offsets from UTC (positive: east) and when they change; both changes or none."""

    standard: timedelta
    daylight: timedelta | None = None
    to_daylight: Change | None = None
    to_standard: Change | None = None

    @property
    def changes(self) -> tuple[timedelta, Change, Change] | None:
        """Daylight offset, change to it, change back."""
        if self.daylight is None or self.to_daylight is None or self.to_standard is None:
            return None
        return self.daylight, self.to_daylight, self.to_standard


class RuleZone(tzinfo):
    """A time zone by rules: each holds from its year on, the first one before it too. Equal rules make equal zones."""

    def __init__(self, name: str, rules: tuple[tuple[int, YearRule], ...]) -> None:
        self.name = name
        self.rules = rules

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleZone) and self.rules == other.rules

    def __hash__(self) -> int:
        return hash(self.rules)

    def __repr__(self) -> str:
        return f"RuleZone({self.name!r})"

    def rule(self, year: int) -> YearRule:
        found = self.rules[0][1]
        for first, one in self.rules:
            if first <= year:
                found = one
        return found

    def utcoffset(self, moment: datetime | None) -> timedelta:
        if moment is None:
            return self.rules[-1][1].standard
        rule = self.rule(moment.year)
        daylight = self._daylight(moment.replace(tzinfo=None), moment.fold)
        return rule.daylight if daylight and rule.daylight is not None else rule.standard

    def dst(self, moment: datetime | None) -> timedelta:
        return _ZERO if moment is None else self.utcoffset(moment) - self.rule(moment.year).standard

    def tzname(self, _: datetime | None) -> str:
        return self.name

    def _daylight(self, local: datetime, fold: int) -> bool:
        rule = self.rule(local.year)
        if rule.changes is None:
            return False
        daylight, start, end = rule.changes
        shift = daylight - rule.standard
        begins, ends = start.in_year(local.year), end.in_year(local.year)
        if fold:  # the second of two equal times, or a time that was skipped as if it were after
            ends -= shift
        else:
            begins += shift
        return begins <= local < ends if begins < ends else not ends <= local < begins

    def fromutc(self, moment: datetime) -> datetime:
        naive = moment.replace(tzinfo=None)
        year = (naive + self.rule(naive.year).standard).year
        rule = self.rule(year)
        if rule.changes is None:
            return moment + rule.standard
        daylight, start, end = rule.changes
        begins, ends = start.in_year(year) - rule.standard, end.in_year(year) - daylight
        summer = begins <= naive < ends if begins < ends else not ends <= naive < begins
        if summer:
            return moment + daylight
        again = ends <= naive < ends + (daylight - rule.standard)
        return (moment + rule.standard).replace(fold=int(again))


@functools.lru_cache(maxsize=1024)
def rules_of(zone: tzinfo) -> tuple[tuple[int, YearRule], ...]:
    """The rules of a zone from FIRST_YEAR to LAST_YEAR, one row for each span of years that have the same.

    Of the two offsets of a year the smaller counts as standard. A year in which clocks change otherwise than there and back (a country
    chose another offset) counts as one of the offset that it ends with (our choice)."""
    if isinstance(zone, RuleZone):
        return zone.rules
    rows: list[tuple[int, _Fit]] = []
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        fit = _fit(zone, year)
        both = rows[-1][1].joined(fit) if rows else None
        if both is None:
            rows.append((year, fit))
        else:
            rows[-1] = (rows[-1][0], both)
    return tuple((year, fit.rule()) for year, fit in rows)


_Where = tuple[int, int, int]
"""Month, weekday, nth."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """Rules that would do for some years: each change with all the ways to say on which day it is."""

    standard: timedelta
    daylight: timedelta | None = None
    starts: frozenset[_Where] = frozenset()
    ends: frozenset[_Where] = frozenset()
    start_at: timedelta = _ZERO
    end_at: timedelta = _ZERO

    def joined(self, other: _Fit) -> _Fit | None:
        """What does for the years of both; None: nothing."""
        same = (self.standard, self.daylight, self.start_at, self.end_at)
        if same != (other.standard, other.daylight, other.start_at, other.end_at):
            return None
        if self.daylight is None:
            return self
        starts, ends = self.starts & other.starts, self.ends & other.ends
        if not starts or not ends:
            return None
        return _Fit(self.standard, self.daylight, starts, ends, self.start_at, self.end_at)

    def rule(self) -> YearRule:
        if self.daylight is None:
            return YearRule(self.standard)
        start, end = min(self.starts, key=_nth), min(self.ends, key=_nth)  # "last" where that does
        return YearRule(self.standard, self.daylight, Change(*start, self.start_at), Change(*end, self.end_at))


def _nth(where: _Where) -> int:
    return where[2]


def _fit(zone: tzinfo, year: int) -> _Fit:
    found = list(_transitions(zone, year))
    if len(found) == 2 and found[0][1] == found[1][2] and found[0][2] == found[1][1]:
        (one, standard, daylight), (other, _, _) = found
        if daylight < standard:
            one, other, standard, daylight = other, one, daylight, standard
        start, end = one + standard, other + daylight
        return _Fit(standard, daylight, _ways(start), _ways(end), _time(start), _time(end))
    last = datetime(year, 12, 31, 23, tzinfo=UTC)
    return _Fit(zone.utcoffset(last.astimezone(zone)) or _ZERO)


def _ways(local: datetime) -> frozenset[_Where]:
    nth = (local.day - 1) // 7 + 1
    ways = {(local.month, local.weekday(), nth)} if nth < 5 else set()
    if local.day + 7 > calendar.monthrange(local.year, local.month)[1]:
        ways.add((local.month, local.weekday(), -1))
    return frozenset(ways)


def _time(local: datetime) -> timedelta:
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)


def _transitions(zone: tzinfo, year: int) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    """Instant (naive UTC), offset before, offset after, in order. Two changes within four weeks would be missed; no zone has them."""
    before = datetime.combine(date(year, 1, 1), datetime.min.time())
    end = before.replace(year=year + 1)
    old = _offset(zone, before)
    while before < end:
        after = min(before + timedelta(days=28), end)
        new = _offset(zone, after)
        if old != new:
            low, high = before, after
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _offset(zone, middle) == old else (low, middle)
            yield high, old, new
        before, old = after, new


def _offset(zone: tzinfo, instant: datetime) -> timedelta:
    return zone.utcoffset(instant.replace(tzinfo=UTC).astimezone(zone)) or _ZERO
