"""The recurrence of an appointment as MAPI has it: PidLidAppointmentRecur (ews reference 7; MS-OXOCAL 2.2.1.44)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.occurrences import Date, Dates
from postroom_simulator.ews.calendar.recurrence import Series

__all__ = ["recurrence_blob"]

_EPOCH = datetime(1601, 1, 1)  # noqa: DTZ001 - local time
_FREQUENCIES = {
    "daily": 0x200A,
    "weekly": 0x200B,
    "monthly": 0x200C,
    "relative-monthly": 0x200C,
    "yearly": 0x200D,
    "relative-yearly": 0x200D,
}
_FOREVER = 0x5AE980DF
_ENDLESS_COUNT = 10
"""OccurrenceCount of a series without end (2.2.1.44.1)."""
_MOST = 0xFFFF
_SUBJECT, _DELTA, _REMINDER, _LOCATION, _STATUS, _ATTACHED, _WHOLE_DAY, _BODY = 0x1, 0x4, 0x8, 0x10, 0x20, 0x40, 0x80, 0x200
"""OverrideFlags (2.2.1.44.2)."""
_BUSY = {"Free": 0, "Tentative": 1, "Busy": 2, "OOF": 3, "WorkingElsewhere": 4}


def recurrence_blob(properties: Mapping[str, Any]) -> bytes | None:
    """Of a master: pattern, deleted and changed dates, times of the day, and what each exception has of its own. None for what does not recur, or only
    once it is done."""
    if not properties.get("Recurrence"):
        return None
    dates = Dates(properties)
    if dates.series.pattern.kind == "regenerating":
        return None
    start = int(dates.at.total_seconds() // 60)
    end = start + int(dates.length.total_seconds() // 60)
    exceptions = sorted(dates.modified(), key=lambda one: (one.start, one.original))
    blob = _pattern(dates, exceptions)
    blob += struct.pack("<IIIIH", 0x3006, 0x3009, start, end, len(exceptions))
    blob += b"".join(_exception(dates, one) for one in exceptions)
    blob += struct.pack("<I", 0)
    blob += b"".join(_extended(dates, one) for one in exceptions)
    return blob + struct.pack("<I", 0)


# -- RecurrencePattern (2.2.1.44.1)


def _pattern(dates: Dates, exceptions: list[Date]) -> bytes:
    series, pattern = dates.series, dates.series.pattern
    period = pattern.interval * (1440 if pattern.kind == "daily" else 1)
    if pattern.kind in ("yearly", "relative-yearly"):
        period = 12
    kind = {"daily": 0, "weekly": 1}.get(pattern.kind, 3 if pattern.nth else 2)
    first = _first_date_time(series, period)
    blob = struct.pack("<HHHHHIII", 0x3004, 0x3004, _FREQUENCIES[pattern.kind], kind, 0, first, period, 0) + _specific(pattern)
    ends = 0x2021 if series.end else 0x2022 if series.count else 0x2023
    local = dates.zone.local
    originals = {_midnight(local(one.original).date()) for one in exceptions}
    gone = sorted({_midnight(local(datetime.fromtimestamp(key, UTC)).date()) for key in dates.deleted} | originals)
    now = sorted(_midnight(local(one.start).date()) for one in exceptions)
    last = series.last()
    blob += struct.pack("<III", ends, _count(series), (pattern.first_day + 1) % 7)
    blob += struct.pack(f"<I{len(gone)}I", len(gone), *gone) + struct.pack(f"<I{len(now)}I", len(now), *now)
    return blob + struct.pack("<II", _midnight(series.start), _midnight(last) if last is not None else _FOREVER)


def _count(series: Series) -> int:
    if series.count is not None:
        return series.count
    if series.endless:
        return _ENDLESS_COUNT
    return sum(1 for _, _ in zip(range(_MOST), series.dates(), strict=False))


def _first_date_time(series: Series, period: int) -> int:
    """Where the pattern begins to be counted, so that any date can be told by the remainder."""
    pattern, start = series.pattern, series.start
    if pattern.kind == "daily":
        return _midnight(start) % period
    if pattern.kind == "weekly":
        week = start - timedelta(days=(start.weekday() - pattern.first_day) % 7)
        return _midnight(week) % (period * 7 * 1440)
    months = ((start.year - 1601) * 12 + start.month - 1) % period
    return _midnight(date(1601 + months // 12, months % 12 + 1, 1))


def _specific(pattern: recurrence.Pattern) -> bytes:
    days = sum(1 << ((day + 1) % 7) for day in pattern.days)
    if pattern.kind == "weekly":
        return struct.pack("<I", days)
    if pattern.nth:
        return struct.pack("<II", days, 5 if pattern.nth == -1 else pattern.nth)
    return struct.pack("<I", pattern.day) if pattern.day else b""


# -- ExceptionInfo (2.2.1.44.2), ExtendedException (2.2.1.44.4)


def _times(dates: Dates, one: Date) -> bytes:
    return struct.pack("<III", *(_minutes(dates.zone.local(moment)) for moment in (one.start, one.end, one.original)))


def _exception(dates: Dates, one: Date) -> bytes:
    changed = one.changed or {}
    flags, fields = 0, b""
    if "Subject" in changed:
        flags, fields = flags | _SUBJECT, fields + _short_text(changed["Subject"])
    if "ReminderMinutesBeforeStart" in changed:
        flags, fields = flags | _DELTA, fields + struct.pack("<I", int(changed["ReminderMinutesBeforeStart"] or 0))
    if "ReminderIsSet" in changed:
        flags, fields = flags | _REMINDER, fields + struct.pack("<I", bool(changed["ReminderIsSet"]))
    if "Location" in changed:
        flags, fields = flags | _LOCATION, fields + _short_text(changed["Location"])
    if "LegacyFreeBusyStatus" in changed:
        flags, fields = flags | _STATUS, fields + struct.pack("<I", _BUSY.get(changed["LegacyFreeBusyStatus"], 2))
    if "Attachments" in changed:
        flags, fields = flags | _ATTACHED, fields + struct.pack("<I", bool(changed["Attachments"]))
    if "IsAllDayEvent" in changed:
        flags, fields = flags | _WHOLE_DAY, fields + struct.pack("<I", bool(changed["IsAllDayEvent"]))
    if "Body" in changed:
        flags |= _BODY
    return _times(dates, one) + struct.pack("<H", flags) + fields


def _short_text(text: str) -> bytes:
    octets = str(text or "").encode("cp1252", "replace")[: _MOST - 1]
    return struct.pack("<HH", len(octets) + 1, len(octets)) + octets


def _extended(dates: Dates, one: Date) -> bytes:
    """What ExceptionInfo cannot say in its code page."""
    changed = one.changed or {}
    blob = struct.pack("<III", 4, 0, 0)
    texts = [changed[name] for name in ("Subject", "Location") if name in changed]
    if not texts:
        return blob
    return blob + _times(dates, one) + b"".join(map(_wide_text, texts)) + struct.pack("<I", 0)


def _wide_text(text: str) -> bytes:
    octets = str(text or "").encode("utf-16-le", "replace")[: 2 * (_MOST - 1)]
    return struct.pack("<H", len(octets) // 2) + octets


def _minutes(local: datetime) -> int:
    return int((local - _EPOCH) / timedelta(minutes=1))


def _midnight(day: date) -> int:
    return _minutes(datetime.combine(day, datetime.min.time()))
