"""The dates of one recurring appointment as instants: wall-clock times kept over changes of the clocks, exceptions, dates that were deleted
(ews reference 11).

What the store keeps of a series, beside the properties of the master: under EXCEPTIONS the properties of single dates that differ, and under DELETED
the dates that are gone; both by original start in whole seconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.zone_values import from_meeting_zone
from postroom_simulator.ews.calendar.zones import UTC_ZONE, Zone, from_definition
from postroom_simulator.ews.errors import EwsError

__all__ = ["CHANGED_AT", "DELETED", "EXCEPTIONS", "ORIGINAL_TIMES", "PATTERN_CHANGE", "Date", "Dates", "seconds", "zone_of"]

Value = dict[str, Any]
EXCEPTIONS = "@exceptions"
DELETED = "@deleted"
PATTERN_CHANGE = "@pattern change"
"""The version of the dates that are no exceptions, where it is not that of the master."""
ORIGINAL_TIMES = "@original times"
"""In the event of a counter proposal: start and end of the meeting as it is (MS-OXCICAL 2.1.3.1.1.20: X-MS-OLK-ORIGINALSTART)."""
CHANGED_AT = "@change"
"""In the properties of an exception: its version."""


def seconds(moment: datetime) -> int:
    """Since 1970 UTC."""
    return int(moment.timestamp())


def zone_of(properties: Mapping[str, Any]) -> Zone:
    """Of an appointment: its StartTimeZone, MeetingTimeZone, or UTC. Raises EwsError for one that nobody knows."""
    if properties.get("StartTimeZone"):
        return from_definition(properties["StartTimeZone"])
    if properties.get("MeetingTimeZone"):
        return from_meeting_zone(properties["MeetingTimeZone"])
    return UTC_ZONE


@dataclass(frozen=True, slots=True)
class Date:
    """One date. `changed`: what an exception has of its own, None for a date as the pattern has it."""

    original: datetime
    start: datetime
    end: datetime
    changed: Mapping[str, Any] | None = None

    @property
    def key(self) -> int:
        return seconds(self.original)


class Dates:
    """Of a recurring master's properties."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self.zone = zone_of(properties)
        self.series = recurrence.parse(properties["Recurrence"])
        start, end = properties["Start"], properties["End"]
        local = self.zone.local(start)
        self.at = local - datetime.combine(local.date(), datetime.min.time())
        self.length: timedelta = self.zone.local(end) - local
        self.exceptions: Mapping[int, Mapping[str, Any]] = properties.get(EXCEPTIONS) or {}
        self.deleted: frozenset[int] = frozenset(properties.get(DELETED) or ())

    # -- dates and instants

    def _instant(self, day: date) -> datetime:
        return self.zone.instant(datetime.combine(day, datetime.min.time()) + self.at)

    def plain(self, day: date) -> Date:
        """As the pattern has it."""
        local = datetime.combine(day, datetime.min.time()) + self.at
        start = self.zone.instant(local)
        end = self.zone.instant(local + self.length)
        return Date(start, start, max(start, end))

    def _date(self, day: date) -> Date | None:
        """As it is; None: it was deleted."""
        plain = self.plain(day)
        if plain.key in self.deleted:
            return None
        changed = self.exceptions.get(plain.key)
        if changed is None:
            return plain
        return Date(plain.original, changed.get("Start", plain.start), changed.get("End", plain.end), changed)

    def day_of(self, key: int) -> date | None:
        """The local day of an original start; None: no date of the series starts there."""
        try:
            day = self.zone.local(datetime.fromtimestamp(key, UTC)).date()
        except (OverflowError, OSError, ValueError):
            return None
        return day if day in self.series and seconds(self._instant(day)) == key else None

    # -- looking up

    def by_key(self, key: int) -> Date:
        """By original start. Raises EwsError: ErrorItemNotFound, ErrorCalendarOccurrenceIsDeletedFromRecurrence."""
        day = self.day_of(key)
        if day is None:
            raise EwsError("ErrorItemNotFound")
        return self._existing(day)

    def by_index(self, index: int) -> Date:
        """By number from 1; deleted ones count. Raises EwsError."""
        day = self.series.nth(index) if index <= 100_000 else None
        if day is None:
            raise EwsError("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange")
        return self._existing(day)

    def _existing(self, day: date) -> Date:
        found = self._date(day)
        if found is None:
            raise EwsError("ErrorCalendarOccurrenceIsDeletedFromRecurrence")
        return found

    def first(self) -> Date | None:
        """The first that is left."""
        for day in self.series.dates():
            found = self._date(day)
            if found is not None:
                return found
        return None

    def last(self) -> Date | None:
        """The last that is left; None for a series without end."""
        day = self.series.last()
        while day is not None:
            found = self._date(day)
            if found is not None:
                return found
            day = self.series.before(day)
        return None

    def between(self, start: datetime, end: datetime) -> Iterator[Date]:
        """Those that overlap a window, by start: which end at or after `start` and begin before `end`."""
        found = []
        margin = max(self.length, timedelta(0)) + timedelta(days=2)
        first = _shifted(self.zone.local(start).date(), -margin)
        last = _shifted(self.zone.local(end).date(), timedelta(days=2))
        for day in self.series.between(first, last):
            plain = self.plain(day)
            if plain.key not in self.exceptions and plain.key not in self.deleted:
                found.append(plain)
        found += self.modified()
        yield from sorted(
            (one for one in found if one.end >= start and one.start < end), key=lambda one: (one.start, one.original)
        )

    def modified(self) -> list[Date]:
        """The exceptions, by original start."""
        found = []
        for key, changed in sorted(self.exceptions.items()):
            day = self.day_of(key)
            if day is not None:
                plain = self.plain(day)
                found.append(Date(plain.original, changed.get("Start", plain.start), changed.get("End", plain.end), changed))
        return found

    def neighbours(self, key: int) -> tuple[Date | None, Date | None]:
        """The dates before and after one, as they are; deleted ones are passed over."""
        day = self.day_of(key)
        before = after = None
        at = self.series.before(day) if day else None
        while at is not None and before is None:
            before, at = self._date(at), self.series.before(at)
        at = self.series.after(day) if day else None
        while at is not None and after is None:
            after, at = self._date(at), self.series.after(at)
        return before, after


def _shifted(day: date, by: timedelta) -> date:
    try:
        return day + by
    except OverflowError:
        return date.max if by > timedelta(0) else date.min
