"""Rules in iCalendar text: how something recurs (RFC 5545 §3.3.10), and when the clocks of a VTIMEZONE change (§3.6.5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.recurrence import Pattern, Series
from postroom_simulator.ews.calendar.zone_rules import Change, YearRule
from postroom_simulator.ews.calendar.zones import Zone, from_rules
from postroom_simulator.ews.errors import EwsError

__all__ = ["Component", "series_from", "zone_from"]

Component = Any
"""One of icalendar's: a mapping from property names to values of many types, lists where a property repeats."""
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def zone_from(name: str, component: Component) -> Zone:
    """By the last rule of each kind that a VTIMEZONE has."""
    standard = daylight = None
    for one in component.subcomponents:
        if one.name == "STANDARD":
            standard = one
        elif one.name == "DAYLIGHT":
            daylight = one
    winter = standard["TZOFFSETTO"].td if standard is not None else timedelta(0)
    if daylight is None or standard is None or not daylight.get("RRULE") or not standard.get("RRULE"):
        return from_rules(
            name, ((1, YearRule(winter if standard is not None or daylight is None else daylight["TZOFFSETTO"].td)),)
        )
    summer = daylight["TZOFFSETTO"].td
    return from_rules(name, ((1, YearRule(winter, summer, _change(daylight), _change(standard))),))


def _change(component: Component) -> Change:
    rule, start = component["RRULE"], component["DTSTART"].dt
    at = timedelta(hours=start.hour, minutes=start.minute, seconds=start.second)
    month = int(rule.get("BYMONTH", [start.month])[0])
    day = rule.get("BYDAY")
    if not day:
        return Change(month, None, int(rule.get("BYMONTHDAY", [start.day])[0]), at)
    nth, weekday = _weekday(str(day[0]))
    return Change(month, weekday, nth if nth in (1, 2, 3, 4) else -1, at)


def _weekday(text: str) -> tuple[int, int]:
    """ "2MO" -> (2, 0); "MO" -> (0, 0)."""
    return int(text[:-2] or 0), _DAYS.index(text[-2:].upper())


def series_from(rule: Mapping[str, list[Any]], local: datetime, zone: Zone) -> Series:
    """Of an RRULE, its parts by name in upper case, that begins at a wall-clock time. Raises EwsError ErrorUnsupportedRecurrence for what appointments
    do not have."""
    unknown = set(rule) - {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}
    if unknown or not rule.get("FREQ"):
        raise EwsError(
            "ErrorUnsupportedRecurrence", f"Appointments have no {', '.join(sorted(unknown)) or 'rule without FREQ'}."
        )
    pattern = _pattern(rule, str(rule["FREQ"][0]).upper(), local.date())
    if rule.get("COUNT"):
        return Series(pattern, local.date(), count=min(int(rule["COUNT"][0]), recurrence.MAX_COUNT))
    if rule.get("UNTIL"):
        until = rule["UNTIL"][0]
        if isinstance(until, datetime):
            until = (zone.local(until) if until.tzinfo is not None else until).date()
        return Series(pattern, local.date(), end=min(until, recurrence.END_OF_TIME))
    return Series(pattern, local.date())


def _pattern(rule: Mapping[str, list[Any]], frequency: str, start: date) -> Pattern:
    interval = int((rule.get("INTERVAL") or [1])[0])
    days = [_weekday(str(one)) for one in rule.get("BYDAY") or ()]
    months = [int(one) for one in rule.get("BYMONTH") or ()]
    if interval < 1 or len(months) > 1 or (months and frequency != "YEARLY"):
        raise _unsupported()
    if frequency == "DAILY":
        if not days:
            return Pattern("daily", interval)
        if interval > 1:
            raise _unsupported()
        frequency = "WEEKLY"
    if frequency == "WEEKLY":
        first = _DAYS.index(str((rule.get("WKST") or ["MO"])[0]).upper())
        return Pattern("weekly", interval, tuple(sorted({day for _, day in days})) or (start.weekday(),), first_day=first)
    if frequency not in ("MONTHLY", "YEARLY"):
        raise _unsupported()
    pattern = _in_month(rule, days, start)
    month = months[0] if months else start.month
    if frequency == "MONTHLY":
        return Pattern(pattern.kind, interval, pattern.days, pattern.nth, pattern.day)
    if interval > 1:  # every so-many years is every so-many months
        if month != start.month:
            raise _unsupported()
        return Pattern(pattern.kind, interval * 12, pattern.days, pattern.nth, pattern.day)
    kind = "relative-yearly" if pattern.nth else "yearly"
    return Pattern(kind, 1, pattern.days, pattern.nth, pattern.day, month)


def _in_month(rule: Mapping[str, list[Any]], days: list[tuple[int, int]], start: date) -> Pattern:
    """Which day of its month."""
    position = int((rule.get("BYSETPOS") or [0])[0])
    if days:
        chosen = tuple(sorted({day for _, day in days}))
        nth = position or days[0][0]
        if (
            nth not in (1, 2, 3, 4, 5, -1)
            or (len(days) > 1 and not position)
            or chosen not in _CHOICES
            or rule.get("BYMONTHDAY")
        ):
            raise _unsupported()
        return Pattern("relative-monthly", 1, chosen, -1 if nth == 5 else nth)
    numbers = sorted(int(one) for one in rule.get("BYMONTHDAY") or [start.day])
    if numbers == [-1]:
        return Pattern("monthly", day=31)
    if len(numbers) == 1 and 1 <= numbers[0] <= 31:
        return Pattern("monthly", day=numbers[0])
    if position == -1 and numbers == list(range(28, numbers[-1] + 1)):
        return Pattern("monthly", day=numbers[-1])
    raise _unsupported()


_CHOICES = frozenset([*((day,) for day in range(7)), tuple(range(7)), tuple(range(5)), (5, 6)])


def _unsupported() -> EwsError:
    return EwsError("ErrorUnsupportedRecurrence", "Appointments do not recur by such a rule.")
