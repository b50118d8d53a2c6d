"""Time zones as requests and answers name them: Windows ids, IANA names, and descriptions by rules (ews reference 11; MS-OXWSGTZ).

A `Zone` knows its Windows id and computes with the machine's zone data; where a request describes one that nobody has a name for, it computes
with the rules it was given and keeps the description for the answer.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.calendar.zone_rules import (
    DAYS,
    LAST_YEAR,
    Change,
    RuleZone,
    YearRule,
    minutes,
    parse_duration,
    rules_of,
    write_duration,
)
from postroom_simulator.ews.errors import EwsError

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["UTC_ZONE", "Zone", "all_zones", "bounded", "context_zone", "definition", "from_definition", "from_rules",
           "named", "within", "zone_named", "zone_or_utc"]  # fmt: skip

Value = dict[str, Any]

_NEW = {"Alberta Standard Time": "Mountain Standard Time", "British Columbia Standard Time": "Pacific Standard Time",
        "Manitoba Standard Time": "Central Standard Time"}  # fmt: skip
"""Ids that came after the servers that this one is like; clients of today do not know them."""
CUSTOM = "Customized Time Zone"
"""The id of a zone that has none."""


@dataclass(frozen=True, slots=True)
class Zone:
    """id: of Windows. tz: computes. described: the TimeZoneDefinition of a zone without a name, as it was given."""

    id: str
    tz: tzinfo
    name: str = ""
    described: Value | None = field(default=None, compare=False)

    def local(self, moment: datetime) -> datetime:
        """An instant as wall-clock time here, naive."""
        return moment.astimezone(self.tz).replace(tzinfo=None)

    def instant(self, local: datetime) -> datetime:
        """A wall-clock time as an instant in UTC. The first of two equal ones; a time that the clocks skip moves on by what they skip."""
        return local.replace(tzinfo=self.tz).astimezone(UTC)


UTC_ZONE = Zone("UTC", UTC, "(UTC) Coordinated Universal Time")


@functools.cache
def _tables() -> tuple[Mapping[str, tuple[str, str]], Mapping[str, str]]:
    """Folded Windows id -> (id, IANA name); folded IANA name -> Windows id."""
    from tzlocal.windows_tz import tz_win, win_tz

    windows = {
        one.lower(): (one, place) for one, place in sorted(win_tz.items()) if one not in _NEW and not one.startswith("tzone:")
    }
    places = {place.lower(): _NEW.get(one, one) for place, one in tz_win.items()}
    return windows, {place: one for place, one in places.items() if one.lower() in windows}


def named(text: str) -> Zone | None:
    """By a Windows id, or an IANA name; compared without regard to case. None: nobody knows it."""
    return _named(text.strip()[:200].lower()) if text.strip() else None


@functools.lru_cache(maxsize=2048)
def _named(folded: str) -> Zone | None:
    windows, places = _tables()
    if folded in ("utc", "tzone://microsoft/utc", "gmt", "z", "etc/utc"):
        return UTC_ZONE
    if folded in windows:
        one, place = windows[folded]
        return Zone(one, _data(place), _display(one, place))
    if folded in places:
        one = places[folded]
        known = _proper(folded)
        return Zone(one, _data(known), _display(one, windows[one.lower()][1])) if known else _named(one.lower())
    return None


@functools.cache
def _proper(folded: str) -> str:
    """The IANA name with its capitals, "" where the machine has no such zone."""
    import zoneinfo

    return {name.lower(): name for name in zoneinfo.available_timezones()}.get(folded, "")


def _data(place: str) -> tzinfo:
    import zoneinfo

    return zoneinfo.ZoneInfo(place)


def _display(one: str, place: str) -> str:
    """A name to show: offset and city (our choice; real ones list several cities)."""
    total = minutes(_standard(Zone(one, _data(place))))
    sign = "-" if total < 0 else "+"
    offset = f"{sign}{abs(total) // 60:02d}:{abs(total) % 60:02d}" if total else ""
    return f"(UTC{offset}) {place.rpartition('/')[2].replace('_', ' ')}" if "/" in place else f"(UTC{offset}) {one}"


def zone_named(text: str) -> Zone:
    """Raises EwsError ErrorTimeZone."""
    found = named(text)
    if found is None:
        raise EwsError("ErrorTimeZone", f"The time zone {text[:60]!r} is not known.")
    return found


def all_zones() -> list[Zone]:
    """Every zone that GetServerTimeZones tells, by offset and then by id."""
    found = [zone for zone in (_named(folded) for folded in _tables()[0]) if zone is not None]
    return sorted(found, key=lambda zone: (_standard(zone), zone.id))


def _standard(zone: Zone) -> timedelta:
    return min(zone.tz.utcoffset(datetime(LAST_YEAR, month, 1)) or timedelta(0) for month in (1, 7))  # noqa: DTZ001


# -- of a request


def context_zone(call: Call) -> Zone:
    """What TimeZoneContext says, by a name or by rules; UTC where it says nothing. Raises EwsError for a zone that nobody knows."""
    if call.zone_definition is not None:
        return from_definition(call.zone_definition)
    return zone_named(call.time_zone) if call.time_zone else UTC_ZONE


def zone_or_utc(call: Call) -> Zone:
    """The same, UTC for a zone that nobody knows."""
    try:
        return context_zone(call)
    except EwsError:
        return UTC_ZONE


# -- TimeZoneDefinition (2010 and later)


def definition(zone: Zone, *, full: bool = False) -> Value:
    """A TimeZoneDefinitionType: with its rules when `full`, or when it has no name of its own."""
    if zone.described is not None:
        return zone.described
    value: Value = {"@Id": zone.id, "@Name": zone.name}
    return value | _rules_value(zone) if full else value


def _rules_value(zone: Zone) -> Value:
    rules = rules_of(zone.tz)
    wide = 2 if len(rules) > 10 else 1  # clients sort groups by their ids as texts
    periods: list[Value] = []
    groups: list[Value] = []
    transitions: list[tuple[str, Value]] = []
    for number, (year, rule) in enumerate(rules):
        group = f"{number:0{wide}d}"
        stem = f"trule:Postroom/Registry/{zone.id}/{year}"
        standard = f"{stem}-Standard"
        periods.append({"@Bias": write_duration(-rule.standard), "@Name": "Standard", "@Id": standard})
        if rule.changes is None:
            content = [("Transition", {"To": _to("Period", standard)})]
        else:
            daylight, start, end = rule.changes
            summer = f"{stem}-Daylight"
            periods.append({"@Bias": write_duration(-daylight), "@Name": "Daylight", "@Id": summer})
            content = [_transition(start, summer), _transition(end, standard)]
        groups.append({"@Id": group, "": content})
        target: Value = {"To": _to("Group", group)}
        if number:
            target["DateTime"] = datetime(year, 1, 1)  # noqa: DTZ001 - local time
        transitions.append(("AbsoluteDateTransition" if number else "Transition", target))
    return {"Periods": {"Period": periods}, "TransitionsGroups": {"TransitionsGroup": groups}, "Transitions": {"": transitions}}


def _to(kind: str, target: str) -> Value:
    return {"@Kind": kind, "": target}


def _transition(change: Change, period: str) -> tuple[str, Value]:
    value: Value = {"To": _to("Period", period), "TimeOffset": write_duration(change.at), "Month": change.month}
    if change.weekday is None:
        return "RecurringDateTransition", value | {"Day": change.nth}
    return "RecurringDayTransition", value | {"DayOfWeek": DAYS[change.weekday], "Occurrence": change.nth}


def from_definition(value: Mapping[str, Any]) -> Zone:
    """By its id where that is known, else by its rules. Raises EwsError: ErrorTimeZone for neither, ErrorCalendarInvalidTimeZone for rules that
    make no zone."""
    one = str(value.get("@Id") or "")
    found = named(one)
    if found is not None:
        return found
    if "Periods" not in value:
        raise EwsError("ErrorTimeZone", f"The time zone {one[:60]!r} is not known.")
    try:
        rules = _rules_from(value)
    except (KeyError, ValueError, IndexError):
        raise EwsError("ErrorCalendarInvalidTimeZone") from None
    kept = {"@Id": one or CUSTOM, "@Name": str(value.get("@Name") or one or CUSTOM)}
    kept |= {name: value[name] for name in ("Periods", "TransitionsGroups", "Transitions") if name in value}
    return Zone(kept["@Id"], RuleZone(kept["@Name"], rules), kept["@Name"], kept)


def _rules_from(value: Mapping[str, Any]) -> tuple[tuple[int, YearRule], ...]:
    periods = {one["@Id"]: one for one in value["Periods"]["Period"]}
    groups = {one["@Id"]: one[""] for one in (value.get("TransitionsGroups") or {}).get("TransitionsGroup", ())}
    rows: list[tuple[int, YearRule]] = []
    for name, one in (value.get("Transitions") or {}).get("", ()):
        year = one["DateTime"].year if name == "AbsoluteDateTransition" else 1
        target = one["To"]
        content = groups[target[""]] if target["@Kind"] == "Group" else [("Transition", {"To": target})]
        rows.append((year, _group_rule(content, periods)))
    if not rows:
        rows = [(1, YearRule(-_bias(next(iter(periods.values())))))]
    if len(rows) > 200:
        raise ValueError("more rules than years")
    return tuple(sorted(rows, key=lambda row: row[0]))


def _bias(period: Mapping[str, Any]) -> timedelta:
    return bounded(parse_duration(period["@Bias"]))


def bounded(offset: timedelta) -> timedelta:
    """Raises ValueError for a day and more."""
    if abs(offset) >= timedelta(days=1):
        raise ValueError("an offset of a day or more")
    return offset


def _group_rule(content: list[tuple[str, Value]], periods: Mapping[str, Any]) -> YearRule:
    changes = [(one, periods[one["To"][""]]) for _, one in content]
    if len(changes) == 1:
        return YearRule(-_bias(changes[0][1]))
    if len(changes) != 2:
        raise ValueError("a group has one change, or two")
    (one, first), (other, second) = changes
    if -_bias(first) < -_bias(second):
        (one, first), (other, second) = (other, second), (one, first)
    return YearRule(-_bias(second), -_bias(first), _change_from(one), _change_from(other))


def _change_from(value: Mapping[str, Any]) -> Change:
    at, month = parse_duration(value["TimeOffset"]), value["Month"]
    if not (1 <= month <= 12 and timedelta(0) <= at <= timedelta(days=1)):
        raise ValueError("no moment of a year")
    if "Day" in value:
        return Change(month, None, within(value["Day"], 1, 31), at)
    nth = value["Occurrence"]
    return Change(month, DAYS.index(value["DayOfWeek"]), -1 if nth in (-1, 5) else within(nth, 1, 4), at)


def within(number: int, low: int, high: int) -> int:
    """Raises ValueError beyond the limits, which are inside."""
    if not low <= number <= high:
        raise ValueError(f"{number} is not from {low} to {high}")
    return number


# -- by rules


def from_rules(name: str, rules: tuple[tuple[int, YearRule], ...]) -> Zone:
    """A zone that is only known by rules; it describes itself."""
    shown = name or CUSTOM
    zone = Zone(shown, RuleZone(shown, rules), shown)
    return Zone(shown, zone.tz, shown, {"@Id": shown, "@Name": shown} | _rules_value(zone))
