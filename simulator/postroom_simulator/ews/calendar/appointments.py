"""The rules of one appointment: what a new or changed one is checked for and completed with, and what follows from what is stored
(ews reference 11; MS-OXWSMTGS 2.2.4.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.occurrences import DELETED, EXCEPTIONS, PATTERN_CHANGE, Date, Dates, seconds, zone_of
from postroom_simulator.ews.calendar.zones import Zone, definition
from postroom_simulator.ews.errors import EwsError

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["ATTENDEE_LISTS", "DEFAULT_LENGTH", "LONGEST", "READ_ONLY", "attendees_of", "check_exception", "completed", "duration_text", "instants",
           "is_meeting", "new_uid", "rescheduled", "shown", "whole_days"]  # fmt: skip

Value = dict[str, Any]
ATTENDEE_LISTS = ("RequiredAttendees", "OptionalAttendees", "Resources")
DEFAULT_LENGTH = timedelta(minutes=30)
"""Of an appointment without an end (our choice)."""
LONGEST = timedelta(days=5 * 366)
"""Five years (ErrorCalendarDurationIsTooLong)."""
REMINDER_MINUTES = "15"
"""Of an appointment that says nothing of a reminder."""
READ_ONLY = frozenset(
    {
        "AdjacentMeetingCount", "AdjacentMeetings", "AppointmentReplyTime", "AppointmentSequenceNumber", "AppointmentState", "CalendarItemType",
        "ConflictingMeetingCount", "ConflictingMeetings", "DateTimeStamp", "DeletedOccurrences", "Duration", "EndTimeZoneId", "EndWallClock",
        "FirstOccurrence", "IsCancelled", "IsMeeting", "IsOrganizer", "IsRecurring", "LastOccurrence", "MeetingRequestWasSent",
        "ModifiedOccurrences", "MyResponseType", "Organizer", "OriginalStart", "RecurrenceId", "StartTimeZoneId", "StartWallClock",
        "TimeZone", "IntendedFreeBusyStatus",
    }
)  # fmt: skip
"""Elements of an appointment that no request sets (MS-OXWSMTGS 2.2.4.5)."""
_MEETING, _RECEIVED, _CANCELLED = 1, 2, 4
"""Bits of AppointmentState (MS-OXOCAL 2.2.1.10)."""


def new_uid(world: World, now: datetime) -> str:
    """A global object id as servers make it (MS-OXOCAL 2.2.1.27): a fixed head, the time, a guid."""
    ticks = int((now - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000
    stamp = ticks.to_bytes(8, "little").hex().upper()
    return f"040000008200E00074C5B7101A82E008{'0' * 8}{stamp}{'0' * 16}10000000{world.ids.uuid().hex.upper()}"


def is_meeting(properties: Mapping[str, Any]) -> bool:
    return any((properties.get(name) or {}).get("Attendee") for name in ATTENDEE_LISTS)


def attendees_of(properties: Mapping[str, Any]) -> list[tuple[str, Value]]:
    """Pairs of list and attendee."""
    return [(name, one) for name in ATTENDEE_LISTS for one in (properties.get(name) or {}).get("Attendee", ())]


# -- new and changed ones


def instants(properties: Value, context: Callable[[], Zone]) -> None:
    """Give every time an offset: that of the item's zone, else of the request's, else UTC. Raises EwsError for a zone that nobody knows."""
    stated = "StartTimeZone" in properties or "MeetingTimeZone" in properties
    zone = zone_of(properties) if stated else context()
    ended = zone_of({"StartTimeZone": properties["EndTimeZone"]}) if properties.get("EndTimeZone") else zone
    for name in ("Start", "End", "ReminderDueBy"):
        given = properties.get(name)
        if given is not None and given.tzinfo is None:
            properties[name] = (ended if name == "End" else zone).instant(given)
    properties["StartTimeZone"] = definition(zone)
    properties["EndTimeZone"] = definition(ended)


def completed(world: World, properties: Value, context: Callable[[], Zone], now: datetime) -> Value:
    """Check an appointment and give it what it needs. Raises EwsError."""
    instants(properties, context)
    zone = zone_of(properties)
    if "Start" not in properties:
        start = properties["End"] - DEFAULT_LENGTH if "End" in properties else _half_hour(now)
        properties["Start"] = start
    properties.setdefault("End", properties["Start"] + DEFAULT_LENGTH)
    if properties["End"] < properties["Start"]:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if properties.get("IsAllDayEvent"):
        whole_days(properties, zone)
    if properties["End"] - properties["Start"] > LONGEST:
        raise EwsError("ErrorCalendarDurationIsTooLong")
    properties["UID"] = properties.get("UID") or new_uid(world, now)
    properties["DateTimeStamp"] = now
    properties.setdefault("LegacyFreeBusyStatus", "Busy")
    properties.setdefault("ReminderIsSet", True)
    properties.setdefault("ReminderMinutesBeforeStart", REMINDER_MINUTES)
    if properties.get("Recurrence"):
        _first_date(properties)
    return properties


def _half_hour(now: datetime) -> datetime:
    late = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
    return late if late == now else late + DEFAULT_LENGTH


def whole_days(properties: Value, zone: Zone) -> None:
    """Cut both times down to midnight in the zone; the end day is exclusive, and at least one day is left."""
    first = zone.local(properties["Start"]).date()
    last = zone.local(properties["End"]).date()
    midnight = time()
    properties["Start"] = zone.instant(datetime.combine(first, midnight))
    properties["End"] = zone.instant(datetime.combine(max(last, first + timedelta(days=1)), midnight))


def _first_date(properties: Value) -> None:
    """Start a series on its first date, and see that its dates do not run into each other. Raises EwsError."""
    series = recurrence.parse(properties["Recurrence"])
    dates = Dates(properties)
    first = series.first()
    if first is None:
        raise EwsError("ErrorRecurrenceHasNoOccurrence")
    plain = dates.plain(first)
    properties["Start"], properties["End"] = plain.start, plain.end
    if series.pattern.kind != "regenerating":
        second = series.after(first)
        nearest = second and min((after - before for before, after in _pairs(series, first)), default=timedelta(days=10_000))
        if nearest and dates.length > nearest:
            raise EwsError("ErrorOccurrenceTimeSpanTooBig")


def _pairs(series: recurrence.Series, first: Any) -> list[tuple[Any, Any]]:
    """Some dates that follow one another: enough to have seen each distance of a pattern within a year of weeks."""
    found: list[tuple[Any, Any]] = []
    before, after = first, series.after(first)
    while after is not None and len(found) < 14:
        found.append((before, after))
        before, after = after, series.after(after)
    return found


def rescheduled(before: Mapping[str, Any], after: Value) -> Value:
    """A master whose pattern or time changed has no exceptions any more; its range moves along with its start."""
    after.pop(PATTERN_CHANGE, None)
    if not after.get("Recurrence"):
        after.pop(EXCEPTIONS, None)
        after.pop(DELETED, None)
        return after
    if not before.get("Recurrence"):
        return after
    pattern_changed = before["Recurrence"] != after["Recurrence"]
    moved = before["Start"] != after["Start"] or before.get("StartTimeZone") != after.get("StartTimeZone")
    if moved and not pattern_changed:
        name = next(
            name for name in after["Recurrence"] if name in ("NoEndRecurrence", "EndDateRecurrence", "NumberedRecurrence")
        )
        day = zone_of(after).local(after["Start"]).date()
        after["Recurrence"] = after["Recurrence"] | {name: after["Recurrence"][name] | {"StartDate": day}}
    if pattern_changed or moved:
        after.pop(EXCEPTIONS, None)
        after.pop(DELETED, None)
    return after


def check_exception(dates: Dates, key: int, start: datetime, end: datetime) -> None:
    """Whether a single date may be there. Raises EwsError: ErrorOccurrenceTimeSpanTooBig, ErrorOccurrenceCrossingBoundary,
    ErrorCalendarEndDateIsEarlierThanStartDate."""
    if end < start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    before, after = dates.neighbours(key)
    original = datetime.fromtimestamp(key, UTC)
    if after is not None and end - start > after.start - original:
        raise EwsError("ErrorOccurrenceTimeSpanTooBig")
    local = dates.zone.local
    if before is not None and (start < before.end or local(start).date() <= local(before.start).date()):
        raise EwsError("ErrorOccurrenceCrossingBoundary")
    if after is not None and (end > after.start or local(start).date() >= local(after.start).date()):
        raise EwsError("ErrorOccurrenceCrossingBoundary")


# -- what follows from it


def duration_text(length: timedelta) -> str:
    """An xs:duration as servers write an appointment's: PT1H30M, P1D."""
    total = max(0, int(length.total_seconds()))
    days, rest = divmod(total, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, second = divmod(rest, 60)
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (second, "S")) if number)
    text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
    return f"P{text}" if text else "PT0S"


def shown(properties: Value, owner: str) -> Value:
    """Add everything that follows from an appointment's own properties. `owner`: the folded address whose calendar it is in."""
    start, end = properties["Start"], properties["End"]
    zone = zone_of(properties)
    organizer = ((properties.get("Organizer") or {}).get("Mailbox") or {}).get("EmailAddress", "")
    own = not organizer or organizer.lower() == owner
    meeting = bool(properties.get("@received")) or is_meeting(properties)
    cancelled = bool(properties.get("IsCancelled"))
    properties |= {
        "IsMeeting": meeting,
        "IsCancelled": cancelled,
        "IsRecurring": False,
        "IsOrganizer": own,
        "CalendarItemType": "RecurringMaster" if properties.get("Recurrence") else "Single",
        "Duration": duration_text(end - start),
        "TimeZone": zone.name or zone.id,
        "StartTimeZoneId": zone.id,
        "EndTimeZoneId": zone_of({"StartTimeZone": properties.get("EndTimeZone")}).id
        if properties.get("EndTimeZone")
        else zone.id,
        "StartWallClock": start,
        "EndWallClock": end,
        "AppointmentState": (_MEETING if meeting else 0) | (0 if own else _RECEIVED) | (_CANCELLED if cancelled else 0),
        "MeetingRequestWasSent": bool(properties.get("MeetingRequestWasSent")),
    }
    properties["MyResponseType"] = _response(properties, own=own, meeting=meeting)
    if properties.get("ReminderIsSet"):
        properties["ReminderDueBy"] = start
        snoozed = properties.get("@snoozed")
        before = timedelta(minutes=int(properties.get("ReminderMinutesBeforeStart") or 0))
        properties["ReminderNextTime"] = snoozed if isinstance(snoozed, datetime) else start - before
    for element, lists in (("DisplayTo", ("RequiredAttendees",)), ("DisplayCc", ("OptionalAttendees",))):
        names = [
            one["Mailbox"].get("Name") or one["Mailbox"].get("EmailAddress", "")
            for name, one in attendees_of(properties)
            if name in lists
        ]
        if names:
            properties[element] = "; ".join(names)
    if properties.get("Recurrence") and properties.get("ReminderIsSet"):
        properties.pop("ReminderNextTime", None)  # it depends on the day
    return properties


def _response(properties: Mapping[str, Any], *, own: bool, meeting: bool) -> str:
    if not meeting:
        return "Unknown" if not properties.get("MyResponseType") else str(properties["MyResponseType"])
    if own:
        return "Organizer"
    return str(properties.get("MyResponseType") or "NoResponseReceived")


def date_properties(master: Mapping[str, Any], one: Date) -> Value:
    """What a single date of a series has: the master's properties, its own times, and what an exception changed."""
    value = {name: given for name, given in master.items() if name not in _OF_THE_MASTER}
    changed = dict(one.changed or {})
    value |= {name: given for name, given in changed.items() if name[0] != "@"}
    for name in changed.get("@removed", ()):
        value.pop(name, None)
    return value | {"Start": one.start, "End": one.end, "OriginalStart": one.original, "RecurrenceId": one.original}


_OF_THE_MASTER = frozenset(
    {
        "Recurrence",
        "FirstOccurrence",
        "LastOccurrence",
        "ModifiedOccurrences",
        "DeletedOccurrences",
        EXCEPTIONS,
        DELETED,
        PATTERN_CHANGE,
        "@snoozed",
        "@dismissed",
    }
)


def date_shown(properties: Value, owner: str, *, exception: bool) -> Value:
    """`shown` for a single date."""
    shown(properties, owner)
    return properties | {"CalendarItemType": "Exception" if exception else "Occurrence", "IsRecurring": True}


def key_of(moment: datetime) -> int:
    return seconds(moment)
