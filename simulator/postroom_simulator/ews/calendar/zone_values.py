"""Time zones as requests without names of zones write them: MeetingTimeZone of 2007, SerializableTimeZone of availability (ews reference 11)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from postroom_simulator.ews.calendar.names import INDEX, INDEX_NAMES, MONTHS
from postroom_simulator.ews.calendar.zone_rules import (
    DAYS,
    Change,
    RuleZone,
    YearRule,
    minutes,
    parse_duration,
    rules_of,
    write_duration,
)
from postroom_simulator.ews.calendar.zones import Zone, bounded, from_rules, named, within
from postroom_simulator.ews.errors import EwsError

__all__ = ["from_meeting_zone", "from_serializable", "meeting_zone", "serializable"]

Value = dict[str, Any]


# -- MeetingTimeZone (2007)


def meeting_zone(zone: Zone, year: int) -> Value:
    """A TimeZoneType, with the rules of a year."""
    rule = _rule(zone, year)
    value: Value = {"@TimeZoneName": zone.id, "BaseOffset": write_duration(-rule.standard)}
    if rule.changes is None:
        return value
    daylight, start, end = rule.changes
    value["Standard"] = {"@TimeZoneName": "Standard", "Offset": "PT0M", **_yearly(end, year)}
    value["Daylight"] = {
        "@TimeZoneName": "Daylight",
        "Offset": write_duration(rule.standard - daylight),
        **_yearly(start, year),
    }
    return value


def _rule(zone: Zone, year: int) -> YearRule:
    rules = rules_of(zone.tz)
    return RuleZone("", rules).rule(year)


def _yearly(change: Change, year: int) -> Value:
    total = minutes(change.at) % 1440
    time = f"{total // 60:02d}:{total % 60:02d}:00"
    if change.weekday is None:
        return {"AbsoluteDate": change.in_year(year).date(), "Time": time}
    pattern = {
        "DaysOfWeek": DAYS[change.weekday],
        "DayOfWeekIndex": INDEX_NAMES[change.nth],
        "Month": MONTHS[change.month - 1],
    }
    return {"RelativeYearlyRecurrence": pattern, "Time": time}


def from_meeting_zone(value: Mapping[str, Any]) -> Zone:
    """By name where that is known and nothing else is said, else by its rules. Raises EwsError."""
    name = str(value.get("@TimeZoneName") or "")
    found = named(name)
    if found is not None:
        return found
    if "BaseOffset" not in value:
        raise EwsError("ErrorCalendarInvalidTimeZone", f"The time zone {name[:60]!r} is not known.")
    try:
        base = -bounded(parse_duration(value["BaseOffset"]))
        standard, daylight = value.get("Standard"), value.get("Daylight")
        if standard is None or daylight is None:
            return from_rules(name, ((1, YearRule(base)),))
        winter = base - parse_duration(standard["Offset"])
        summer = base - parse_duration(daylight["Offset"])
        rule = YearRule(bounded(winter), bounded(summer), _change_of(daylight), _change_of(standard))
    except (KeyError, ValueError, IndexError):
        raise EwsError("ErrorCalendarInvalidTimeZone") from None
    return from_rules(name, ((1, rule),))


def _change_of(value: Mapping[str, Any]) -> Change:
    at = _clock(value["Time"])
    if "AbsoluteDate" in value:
        day = value["AbsoluteDate"]
        return Change(day.month, None, day.day, at)
    pattern = value["RelativeYearlyRecurrence"]
    if pattern["DaysOfWeek"] not in DAYS:
        raise EwsError("ErrorCalendarInvalidDayForTimeChangePattern")
    month = MONTHS.index(pattern["Month"]) + 1
    return Change(month, DAYS.index(pattern["DaysOfWeek"]), INDEX[pattern["DayOfWeekIndex"]], at)


def _clock(text: str) -> timedelta:
    hour, minute, second = [*str(text).strip().partition("Z")[0].partition(".")[0].split(":"), "0", "0"][:3]
    return timedelta(hours=within(int(hour), 0, 23), minutes=within(int(minute), 0, 59), seconds=within(int(second), 0, 59))


# -- SerializableTimeZone (availability)


def serializable(zone: Zone, year: int) -> Value:
    """A SerializableTimeZone, with the rules of a year. A zone without daylight saving has two changes that change nothing."""
    rule = _rule(zone, year)
    value: Value = {"Bias": minutes(-rule.standard)}
    if rule.changes is None:
        nothing = {"Bias": 0, "Time": "00:00:00", "DayOrder": 0, "Month": 0, "DayOfWeek": "Sunday"}
        return value | {"StandardTime": nothing, "DaylightTime": nothing}
    daylight, start, end = rule.changes
    value["StandardTime"] = {"Bias": 0, **_time_of(end)}
    value["DaylightTime"] = {"Bias": minutes(rule.standard - daylight), **_time_of(start)}
    return value


def _time_of(change: Change) -> Value:
    total = minutes(change.at) % 1440
    day = "Sunday" if change.weekday is None else DAYS[change.weekday]
    order = 5 if change.nth == -1 else change.nth
    return {"Time": f"{total // 60:02d}:{total % 60:02d}:00", "DayOrder": order, "Month": change.month, "DayOfWeek": day}


def from_serializable(value: Mapping[str, Any]) -> Zone:
    """Raises EwsError ErrorTimeZone."""
    try:
        base = -timedelta(minutes=within(value["Bias"], -1439, 1439))
        standard, daylight = value["StandardTime"], value["DaylightTime"]
        winter = base - timedelta(minutes=within(standard["Bias"], -1439, 1439))
        summer = base - timedelta(minutes=within(daylight["Bias"], -1439, 1439))
        if winter == summer or not standard["Month"] or not daylight["Month"]:
            rule = YearRule(winter if standard["Month"] else base)
        else:
            rule = YearRule(winter, summer, _serialized(daylight), _serialized(standard))
    except (KeyError, ValueError, IndexError):
        raise EwsError("ErrorTimeZone") from None
    return from_rules("", ((1, rule),))


def _serialized(value: Mapping[str, Any]) -> Change:
    month, order = within(value["Month"], 1, 12), value["DayOrder"]
    if value.get("Year") not in (None, "", "0"):  # a day of one year: of every year
        return Change(month, None, within(order, 1, 31), _clock(value["Time"]))
    return Change(month, DAYS.index(value["DayOfWeek"]), -1 if order == 5 else within(order, 1, 4), _clock(value["Time"]))
