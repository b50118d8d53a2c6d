"""Who is free when: views of others' calendars, and times that suit all (ews reference 11; MS-OXWAVLS)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account, Group, canonical
from postroom_simulator.ews.calendar.expansion import overlapping
from postroom_simulator.ews.calendar.private import is_private, may_view_private
from postroom_simulator.ews.calendar.zone_values import serializable
from postroom_simulator.ews.calendar.zones import UTC_ZONE, Zone, named
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.permissions import sharing_rights
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["MOST_MAILBOXES", "Window", "busy_of", "free_busy", "suggestions", "window_of"]

Value = dict[str, Any]
MOST_MAILBOXES = 100
LONGEST = timedelta(days=62)
"""Of a window that is looked at (our choice; Exchange: 42 days, later 62)."""
_WEIGHT = {"Free": 0, "NoData": 0, "WorkingElsewhere": 1, "Tentative": 2, "Busy": 3, "OOF": 4}
_DIGITS = {"Free": "0", "NoData": "4", "Tentative": "1", "Busy": "2", "OOF": "3"}
_VIEWS = ("MergedOnly", "FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HALF_HOUR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end`; times are told in `zone`. interval: of the digits."""

    start: datetime
    end: datetime
    zone: Zone
    interval: timedelta = _HALF_HOUR
    view: str = "FreeBusy"


def window_of(options: Value, zone: Zone) -> Window:
    """From FreeBusyViewOptions. Raises EwsError: ErrorInvalidTimeInterval, ErrorTimeIntervalTooBig, ErrorInvalidMergedFreeBusyInterval,
    ErrorInvalidFreeBusyViewType."""
    start, end = (_instant(options["TimeWindow"][name], zone) for name in ("StartTime", "EndTime"))
    if start >= end:
        raise EwsError("ErrorInvalidTimeInterval", "The window ends before it begins.")
    if end - start > LONGEST:
        raise EwsError("ErrorTimeIntervalTooBig", f"The window is longer than {LONGEST.days} days.")
    interval = options.get("MergedFreeBusyIntervalInMinutes", 30)
    if not 5 <= interval <= 1440 or timedelta(minutes=interval) > end - start:
        raise EwsError(
            "ErrorInvalidMergedFreeBusyInterval", "The interval is from 5 to 1440 minutes, and no longer than the window."
        )
    views = str(options.get("RequestedView", "FreeBusy")).split()
    if len(views) != 1 or views[0] not in _VIEWS:
        raise EwsError("ErrorInvalidFreeBusyViewType")
    return Window(start, end, zone, timedelta(minutes=interval), views[0])


def _instant(given: datetime, zone: Zone) -> datetime:
    return zone.instant(given) if given.tzinfo is None else given


# -- one mailbox


def busy_of(call: Call, account: Account, start: datetime, end: datetime) -> list[Item]:
    """What is in the calendar, by start."""
    folder = call.store.folder(canonical(account.address), Role.CALENDAR)
    found = overlapping(call.store, folder, start, end)
    return [item for item in found if _times(item)[1] > start or _times(item)[0] == _times(item)[1]]


def _times(item: Item) -> tuple[datetime, datetime]:
    properties = item.properties or {}
    return properties["Start"], properties["End"]


def _status(item: Item) -> str:
    return str((item.properties or {}).get("LegacyFreeBusyStatus") or "Busy")


def free_busy(call: Call, address: str, window: Window) -> Value:
    """A FreeBusyView of an account, or of a group as one. Raises EwsError: ErrorMailRecipientNotFound, ErrorNoFreeBusyAccess,
    ErrorFreeBusyDLLimitReached."""
    found = call.world.directory.resolve(address)
    if found is None:
        raise EwsError("ErrorMailRecipientNotFound", f"Nobody has the address {address[:100]!r}.")
    if isinstance(found, Group):
        members = [one for one in _members(call, found) if _may_see(call, one)]
        events = [busy_of(call, one, window.start, window.end) for one in members]
        digits = _merged(call, [item for each in events for item in each], window)
        return {"FreeBusyViewType": "MergedOnly", "MergedFreeBusy": digits}
    level = "FullDetails"
    folder = call.store.folder(canonical(found.address), Role.CALENDAR)
    if found is not call.account:
        level = sharing_rights(folder, call.account.address)
        if level == "None":
            raise EwsError("ErrorNoFreeBusyAccess")
    view = window.view
    if level == "TimeOnly":
        view = {"Detailed": "FreeBusy", "DetailedMerged": "FreeBusyMerged"}.get(view, view)
    items = busy_of(call, found, window.start, window.end)
    private = may_view_private(found, call.account)
    value: Value = {"FreeBusyViewType": view, "WorkingHours": _working_hours(found, window)}
    if view.startswith(("Detailed", "FreeBusy")):
        events_of = [_event(item, window, detailed=view.startswith("Detailed"), private=private) for item in items]
        if events_of:
            value["CalendarEventArray"] = {"CalendarEvent": events_of}
    if view.startswith("Merged") or view.endswith("Merged"):
        value["MergedFreeBusy"] = _merged(call, items, window)
    return value


def _members(call: Call, group: Group) -> list[Account]:
    found: dict[str, Account] = {}
    seen: set[str] = set()
    waiting = list(group.members)
    while waiting:
        entry = call.world.directory.resolve(waiting.pop())
        if isinstance(entry, Account):
            found[canonical(entry.address)] = entry
            if len(found) > MOST_MAILBOXES:
                raise EwsError("ErrorFreeBusyDLLimitReached")
        elif entry is not None and entry.address not in seen:
            seen.add(entry.address)
            waiting += entry.members
    return list(found.values())


def _event(item: Item, window: Window, *, detailed: bool, private: bool) -> Value:
    """`private`: whether the caller sees what is private."""
    properties = item.properties or {}
    start, end = _times(item)
    value: Value = {"StartTime": window.zone.local(start), "EndTime": window.zone.local(end), "BusyType": _status(item)}
    if not detailed:
        return value
    from postroom_simulator.ews.calendar.appointments import is_meeting

    details: Value = {
        "IsMeeting": is_meeting(properties) or bool(properties.get("@received")),
        "IsRecurring": isinstance(item, Occurrence),
        "IsException": bool(properties.get("@exception")),
        "IsReminderSet": bool(properties.get("ReminderIsSet")),
        "IsPrivate": is_private(properties),
    }
    if private or not is_private(properties):
        details |= {
            "ID": f"{item.uid:016X}",
            "Subject": properties.get("Subject") or "",
            "Location": properties.get("Location") or "",
        }
    return value | {"CalendarEventDetails": details}


def _merged(call: Call, items: Iterable[Item], window: Window) -> str:
    """A digit for each interval: the weightiest of what overlaps it."""
    count = -(-(window.end - window.start) // window.interval)
    slots = ["Free"] * count
    for item in items:
        start, end = _times(item)
        status = _status(item)
        first = max(0, (start - window.start) // window.interval)
        last = min(count, -((window.start - max(end, start)) // window.interval))
        for number in range(first, last):
            if _WEIGHT.get(status, 0) > _WEIGHT[slots[number]]:
                slots[number] = status
    elsewhere = "4" if call.version >= Version.EXCHANGE_2013 else "0"
    return "".join(_DIGITS.get(one, elsewhere) for one in slots)


def _working_hours(account: Account, window: Window) -> Value:
    hours = account.working_hours
    zone = named(hours.time_zone) or UTC_ZONE
    days = " ".join(_DAYS[day] for day in sorted(hours.days, key=lambda day: (day + 1) % 7))
    period = {"DayOfWeek": days, "StartTimeInMinutes": hours.begins, "EndTimeInMinutes": hours.ends}
    return {"TimeZone": serializable(zone, window.start.year), "WorkingPeriodArray": {"WorkingPeriod": [period]}}


# -- times that suit


def suggestions(call: Call, people: list[Value], options: Value, zone: Zone) -> Value:
    """A SuggestionDayResultArray: half-hourly times of the days of the window, those in the working hours of who asks before others. `people`: values of
    MailboxData. Quality: Excellent when all can come, Good and Fair by how many of the required cannot (our choice of the formula). Raises EwsError
    ErrorInvalidTimeInterval, ErrorTimeIntervalTooBig, ErrorInvalidArgument."""
    start, end = (_instant(options["DetailedSuggestionsWindow"][name], zone) for name in ("StartTime", "EndTime"))
    if start >= end:
        raise EwsError("ErrorInvalidTimeInterval")
    if end - start > LONGEST:
        raise EwsError("ErrorTimeIntervalTooBig")
    for name, (low, high) in _BOUNDS.items():
        if not low <= options.get(name, low) <= high:
            raise EwsError("ErrorInvalidArgument", f"{name} is from {low} to {high}.")
    length = timedelta(minutes=options.get("MeetingDurationInMinutes", 30))
    moved = _moved(options, zone)
    everybody = [_invitee(call, one, start, end + length, moved) for one in people]
    days: dict[datetime, list[Value]] = {}
    for at in _half_hours(start, end):
        local = zone.local(at)
        day = datetime.combine(local.date(), datetime.min.time())
        found = _suggestion(call, everybody, at, length, zone, options)
        days.setdefault(day, []).extend([found] if found is not None else [])
    return {"SuggestionDayResult": [_day_result(day, found, options) for day, found in days.items()]}


_BOUNDS = {
    "GoodThreshold": (1, 49),
    "MaximumResultsByDay": (0, 48),
    "MaximumNonWorkHourResultsByDay": (0, 48),
    "MeetingDurationInMinutes": (30, 1440),
}
"""Of SuggestionsViewOptions (MS-OXWAVLS 2.2.4.1.30)."""
_QUALITIES = ("Excellent", "Good", "Fair", "Poor")


def _half_hours(start: datetime, end: datetime) -> Iterator[datetime]:
    at = start
    while at < end:
        yield at
        at += _HALF_HOUR


_Times = list[tuple[datetime, datetime, str]]


@dataclass(frozen=True, slots=True)
class _Invitee:
    """Who is to come. times: of each member of a group, of a person the one; None where nothing may be known. found: whether anybody has the address."""

    kind: str
    times: tuple[_Times | None, ...]
    found: bool = True
    group: bool = False
    strict: bool = False

    def conflict(self, start: datetime, end: datetime) -> tuple[tuple[str, Value], bool]:
        """What is told of them, and whether they cannot come."""
        if not self.found:
            return ("UnknownAttendeeConflictData", {}), False
        if self.group and len(self.times) > MOST_MAILBOXES:
            return ("TooBigGroupAttendeeConflictData", {}), False
        worst = [_worst(one, start, end) for one in self.times]
        away = sum(1 for one in worst if one in ("Busy", "OOF"))
        if not self.group:
            return ("IndividualAttendeeConflictData", {"BusyType": worst[0]}), bool(away)
        unknown = worst.count("NoData")
        return (
            "GroupAttendeeConflictData",
            {
                "NumberOfMembers": len(worst),
                "NumberOfMembersAvailable": len(worst) - away - unknown,
                "NumberOfMembersWithConflict": away,
                "NumberOfMembersWithNoData": unknown,
            },
        ), bool(away)


def _worst(times: _Times | None, start: datetime, end: datetime) -> str:
    if times is None:
        return "NoData"
    worst = "Free"
    for begun, ended, status in times:
        if begun < end and ended > start and _WEIGHT.get(status, 0) > _WEIGHT[worst]:
            worst = status
    return worst


def _moved(options: Value, zone: Zone) -> tuple[datetime, str] | None:
    """The meeting for which another time is looked for: when it is, and its global id in hexadecimal. It is in nobody's way."""
    given = options.get("CurrentMeetingTime")
    return (_instant(given, zone), str(options.get("GlobalObjectId") or "").upper()) if given is not None else None


def _invitee(call: Call, one: Value, start: datetime, end: datetime, moved: tuple[datetime, str] | None) -> _Invitee:
    kind, strict = one["AttendeeType"], bool(one.get("ExcludeConflicts"))
    found = call.world.directory.resolve(one["Email"]["Address"])
    if found is None:
        return _Invitee(kind, (), found=False, strict=strict)
    if isinstance(found, Account):
        return _Invitee(kind, (_times_of(call, found, start, end, moved),), strict=strict)
    try:
        members = _members(call, found)
    except EwsError:  # too many
        return _Invitee(kind, (None,) * (MOST_MAILBOXES + 1), group=True, strict=strict)
    return _Invitee(kind, tuple(_times_of(call, each, start, end, moved) for each in members), group=True, strict=strict)


def _may_see(call: Call, account: Account) -> bool:
    folder = call.store.folder(canonical(account.address), Role.CALENDAR)
    return account is call.account or sharing_rights(folder, call.account.address) != "None"


def _times_of(
    call: Call, account: Account, start: datetime, end: datetime, moved: tuple[datetime, str] | None
) -> _Times | None:
    """None: the caller may not know."""
    if not _may_see(call, account):
        return None
    items = busy_of(call, account, start, end)
    return [(*_times(item), _status(item)) for item in items if moved is None or not _is_moved(item, moved)]


def _is_moved(item: Item, moved: tuple[datetime, str]) -> bool:
    from postroom_simulator.ews.items.calendar import global_id

    properties = item.properties or {}
    known = (str(properties.get("UID") or "").upper(), (global_id(item, dict(properties)) or b"").hex().upper())
    return properties["Start"] == moved[0] and (not moved[1] or moved[1] in known)


def _suggestion(
    call: Call, people: list[_Invitee], at: datetime, length: timedelta, zone: Zone, options: Value
) -> Value | None:
    """None where somebody has a conflict whose conflicts are excluded."""
    conflicts: list[tuple[str, Value]] = []
    required = missing = 0
    for one in people:
        told, away = one.conflict(at, at + length)
        if away and one.strict:
            return None
        conflicts.append(told)
        if one.kind in ("Organizer", "Required") and one.found:
            required += 1
            missing += away
    share = 100 * missing / required if required else 0
    if not missing:
        quality = "Excellent"
    elif share <= options.get("GoodThreshold", 25):
        quality = "Good"
    else:
        quality = "Fair" if share < 50 else "Poor"
    local = zone.local(at)
    hours = call.account.working_hours
    working = local.weekday() in hours.days and hours.begins <= local.hour * 60 + local.minute < hours.ends
    return {"MeetingTime": local, "IsWorkTime": working, "SuggestionQuality": quality, "AttendeeConflictDataArray": conflicts}


def _day_result(day: datetime, found: list[Value], options: Value) -> Value:
    least = _QUALITIES.index(options.get("MinimumSuggestionQuality", "Fair"))
    good = [one for one in found if _QUALITIES.index(one["SuggestionQuality"]) <= least]
    inside = sorted((one for one in good if one["IsWorkTime"]), key=lambda one: _QUALITIES.index(one["SuggestionQuality"]))
    outside = [one for one in good if not one["IsWorkTime"]]
    chosen = inside[: options.get("MaximumResultsByDay", 10)] + outside[: options.get("MaximumNonWorkHourResultsByDay", 0)]
    best = min((_QUALITIES.index(one["SuggestionQuality"]) for one in chosen), default=3)
    result: Value = {"Date": day, "DayQuality": _QUALITIES[best]}
    return result | {"SuggestionArray": {"Suggestion": sorted(chosen, key=lambda one: one["MeetingTime"])}}
