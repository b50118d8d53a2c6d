"""iCalendar text as appointments (RFC 5545, MS-OXCICAL): MimeContent of a request, meeting notices, files (ews reference 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.ical_rules import Component, series_from, zone_from
from postroom_simulator.ews.calendar.occurrences import DELETED, EXCEPTIONS, ORIGINAL_TIMES, Dates, seconds
from postroom_simulator.ews.calendar.zones import UTC_ZONE, Zone, definition, named
from postroom_simulator.ews.errors import EwsError

__all__ = ["Event", "ICalendar", "merged", "read_calendar"]

Value = dict[str, Any]
TEXT_LIMIT = 8 * 1024 * 1024
EVENT_LIMIT = 20_000
"""Octets and components of one text that are read (our choice)."""
_SENSITIVITY = {"PRIVATE": "Private", "CONFIDENTIAL": "Confidential", "X-PERSONAL": "Personal"}
_BUSY = {"FREE": "Free", "TENTATIVE": "Tentative", "BUSY": "Busy", "OOF": "OOF", "WORKINGELSEWHERE": "WorkingElsewhere"}
_RESPONSES = {"ACCEPTED": "Accept", "TENTATIVE": "Tentative", "DECLINED": "Decline"}


@dataclass(slots=True)
class Event:
    """properties  of an appointment, with its deleted dates
    recurrence_id  of a single date of a series, None for all others
    sequence       of the event
    comment        what somebody wrote with a reply
    """

    properties: Value
    recurrence_id: datetime | None = None
    sequence: int = 0
    comment: str = ""

    @property
    def uid(self) -> str:
        return str(self.properties.get("UID") or "")


@dataclass(slots=True)
class ICalendar:
    """method in upper case, "" for none."""

    method: str
    events: list[Event] = field(default_factory=list)


def read_calendar(octets: bytes, zone: Zone = UTC_ZONE, *, skip: Callable[[str], None] | None = None) -> ICalendar:
    """Every event of a text; `zone` is that of times without one. With `skip`, that is told of single events that cannot be read. Raises EwsError: ErrorMimeContentInvalid for what is no iCalendar,
    ErrorUnsupportedRecurrence for a rule that appointments here cannot have."""
    from icalendar import Calendar

    if len(octets) > TEXT_LIMIT:
        raise EwsError("ErrorMimeContentInvalid", f"The calendar has more than {TEXT_LIMIT} octets.")
    try:
        found = Calendar.from_ical(octets.decode("utf-8", "replace").lstrip("\ufeff"), multiple=True)
        calendars = [one for one in found if one.name == "VCALENDAR"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as wrong:
        raise EwsError("ErrorMimeContentInvalid", f"The content is no iCalendar: {str(wrong)[:200]}") from None
    if not calendars:
        raise EwsError("ErrorMimeContentInvalid", "The content has no VCALENDAR.")
    made = ICalendar(_string(calendars[0], "METHOD").upper())
    for calendar in calendars:
        zones = {_string(one, "TZID"): one for one in calendar.walk("VTIMEZONE")}
        reader = _Reader(zones, zone)
        for component in calendar.walk("VEVENT"):
            if len(made.events) >= EVENT_LIMIT:
                raise EwsError("ErrorMimeContentInvalid", f"The calendar has more than {EVENT_LIMIT} events.")
            try:
                event = _event(reader, component)
                if made.method == "COUNTER":
                    reader.add_original_times(component, event.properties)
                made.events.append(event)
            except EwsError as wrong:
                if skip is None:
                    raise
                skip(f"{_string(component, 'UID')[:100] or 'an event'}: {wrong.text}")
    return made


def _event(reader: _Reader, component: Component) -> Event:
    try:
        return reader.event(component)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as wrong:
        raise EwsError("ErrorMimeContentInvalid", f"An event is not understood: {str(wrong)[:200]}") from None


def merged(events: list[Event]) -> list[Event]:
    """Masters with the single dates of theirs as exceptions; a date whose master is not there stays alone."""
    masters = {one.uid: one for one in events if one.recurrence_id is None and one.properties.get("Recurrence")}
    kept = []
    for one in events:
        master = masters.get(one.uid) if one.recurrence_id is not None else None
        if master is None or one.recurrence_id is None:
            kept.append(one)
            continue
        dates = Dates(master.properties)
        key = seconds(one.recurrence_id)
        if dates.day_of(key) is None:
            continue
        changed = {
            name: value
            for name, value in one.properties.items()
            if name not in _OF_THE_SERIES and _differs(master, name, value)
        }
        changed |= {"Start": one.properties["Start"], "End": one.properties["End"]}
        master.properties.setdefault(EXCEPTIONS, {})[key] = changed
    return kept


_OF_THE_SERIES = frozenset(
    {"UID", "StartTimeZone", "EndTimeZone", "Recurrence", "DateTimeStamp", "RecurrenceId", "Organizer", DELETED, EXCEPTIONS}
)


def _differs(master: Event, name: str, value: Any) -> bool:
    return bool(master.properties.get(name) != value)


def _string(component: Component, name: str) -> str:
    found = component.get(name)
    if isinstance(found, list):
        found = found[0] if found else None
    return "" if found is None else str(found)


class _Reader:
    def __init__(self, zones: Mapping[str, Component], otherwise: Zone) -> None:
        self._described = zones
        self._otherwise = otherwise
        self._known: dict[str, Zone] = {}

    def event(self, component: Component) -> Event:
        properties: Value = {}
        zone = self._times(component, properties)
        self._text(component, properties)
        _people(component, properties)
        _reminder(component, properties)
        if component.get("RRULE") is not None:
            self._series(component, properties, zone)
        found = component.get("RECURRENCE-ID")
        made = Event(properties, None, _number(_string(component, "SEQUENCE")), _string(component, "COMMENT"))
        if found is not None:
            made.recurrence_id = self._moment(found, zone)[0]
        if made.sequence:
            properties["AppointmentSequenceNumber"] = made.sequence
        return made

    # -- times

    def _times(self, component: Component, properties: Value) -> Zone:
        """Start, end, zone, whole days."""
        begin = component.get("DTSTART")
        if begin is None:
            raise ValueError("there is no DTSTART")
        zone = self._zone_of(begin)
        start, whole = self._moment(begin, zone)
        if component.get("DTEND") is not None:
            end, _ = self._moment(component["DTEND"], zone)
        elif component.get("DURATION") is not None:
            end = start + component["DURATION"].dt
        else:
            end = zone.instant(zone.local(start) + timedelta(days=1)) if whole else start
        properties |= {"Start": start, "End": end}
        if whole or _string(component, "X-MICROSOFT-CDO-ALLDAYEVENT").upper() == "TRUE":
            properties["IsAllDayEvent"] = True
        properties["StartTimeZone"] = definition(zone)
        ended = self._zone_of(component["DTEND"]) if component.get("DTEND") is not None else zone
        properties["EndTimeZone"] = definition(ended)
        if component.get("DTSTAMP") is not None:
            properties["DateTimeStamp"] = self._moment(component["DTSTAMP"], UTC_ZONE)[0]
        return zone

    def add_original_times(self, component: Component, properties: Value) -> None:
        """When a meeting is for which other times are proposed, where the proposal says so."""
        found = []
        for name in ("X-MS-OLK-ORIGINALSTART", "X-MS-OLK-ORIGINALEND"):
            text = _string(component, name)
            try:
                local = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - its zone is said beside it
            except ValueError:
                return
            zone = str(component[name].params.get("TZID", "")) if hasattr(component.get(name), "params") else ""
            known = UTC_ZONE if text.endswith("Z") else (named(zone) or self._known.get(zone) or self._otherwise)
            found.append(known.instant(local))
        properties[ORIGINAL_TIMES] = tuple(found)

    def _zone_of(self, value: Any) -> Zone:
        name = str(value.params.get("TZID", ""))
        moment = value.dt
        if not name:
            utc = isinstance(moment, datetime) and moment.tzinfo is not None
            return UTC_ZONE if utc else self._otherwise
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = named(name) or self._from_rules(name)
        return known

    def _from_rules(self, name: str) -> Zone:
        component = self._described.get(name)
        if component is None:
            return named(name.rpartition("/")[2]) or self._otherwise
        return zone_from(name, component)

    def _moment(self, value: Any, zone: Zone) -> tuple[datetime, bool]:
        """The instant, and whether only a day was said."""
        given = value.dt
        if isinstance(given, datetime):
            if given.tzinfo is UTC or (given.tzinfo is not None and "TZID" not in value.params):
                return given.astimezone(UTC).replace(microsecond=0), False
            local = given.replace(tzinfo=None, microsecond=0)
            return (self._zone_of(value) if "TZID" in value.params else zone).instant(local), False
        return zone.instant(datetime.combine(given, datetime.min.time())), True

    # -- what is shown

    def _text(self, component: Component, properties: Value) -> None:
        plain = {
            "UID": _string(component, "UID"),
            "Subject": _string(component, "SUMMARY"),
            "Location": _string(component, "LOCATION"),
        }
        properties |= {name: text for name, text in plain.items() if text}
        html, text = _string(component, "X-ALT-DESC"), _string(component, "DESCRIPTION")
        if html and "html" in html.lower():
            html = html.replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
            properties["Body"] = {"@BodyType": "HTML", "": html}
        elif text:
            properties["Body"] = {"@BodyType": "Text", "": text}
        properties["Sensitivity"] = _SENSITIVITY.get(_string(component, "CLASS").upper(), "Normal")
        busy = _BUSY.get(_string(component, "X-MICROSOFT-CDO-BUSYSTATUS").upper())
        if busy is None and component.get("TRANSP") is not None:
            busy = "Free" if _string(component, "TRANSP").upper() == "TRANSPARENT" else "Busy"
        if busy is not None:
            properties["LegacyFreeBusyStatus"] = busy
        intended = _BUSY.get(_string(component, "X-MICROSOFT-CDO-INTENDEDSTATUS").upper())
        if intended is not None:
            properties["IntendedFreeBusyStatus"] = intended
        priority = _number(_string(component, "PRIORITY"))
        if priority:
            properties["Importance"] = "High" if priority < 5 else "Low" if priority > 5 else "Normal"
        if _string(component, "STATUS").upper() == "CANCELLED":
            properties["IsCancelled"] = True
        if _string(component, "X-MICROSOFT-DISALLOW-COUNTER").upper() == "TRUE":
            properties["AllowNewTimeProposal"] = False
        categories = _categories(component)
        if categories:
            properties["Categories"] = {"String": categories}

    # -- recurrence

    def _series(self, component: Component, properties: Value, zone: Zone) -> None:
        rules = component["RRULE"]
        if isinstance(rules, list):
            raise EwsError("ErrorUnsupportedRecurrence", "An event has one RRULE.")
        local = zone.local(properties["Start"])
        series = series_from({key.upper(): list(value) for key, value in rules.items()}, local, zone)
        properties["Recurrence"] = recurrence.write(series)
        recurrence.parse(properties["Recurrence"])
        gone = set()
        given = component.get("EXDATE")
        at = local - datetime.combine(local.date(), datetime.min.time())
        for block in given if isinstance(given, list) else [given] if given is not None else []:
            for one in block.dts:
                if "TZID" in block.params and "TZID" not in one.params:
                    one.params["TZID"] = block.params["TZID"]
                moment, whole = self._moment(one, zone)
                gone.add(seconds(zone.instant(zone.local(moment) + at) if whole else moment))
        dates = Dates(properties)
        kept = sorted(key for key in gone if dates.day_of(key) is not None)
        if kept:
            properties[DELETED] = kept


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _categories(component: Component) -> list[str]:
    given = component.get("CATEGORIES")
    found: list[str] = []
    for block in given if isinstance(given, list) else [given] if given is not None else []:
        found += [str(one).strip() for one in getattr(block, "cats", [block])]
    return [one for one in dict.fromkeys(found) if one]


# -- people, reminders


def _people(component: Component, properties: Value) -> None:
    organizer = component.get("ORGANIZER")
    if isinstance(organizer, list):
        organizer = organizer[0]
    if organizer is not None and _box(organizer):
        properties["Organizer"] = {"Mailbox": _box(organizer)}
    given = component.get("ATTENDEE")
    lists: dict[str, list[Value]] = {}
    for one in given if isinstance(given, list) else [given] if given is not None else []:
        box = _box(one)
        if not box:
            continue
        role, kind = str(one.params.get("ROLE", "")).upper(), str(one.params.get("CUTYPE", "")).upper()
        name = "OptionalAttendees" if role == "OPT-PARTICIPANT" else "RequiredAttendees"
        name = "Resources" if role == "NON-PARTICIPANT" or kind in ("RESOURCE", "ROOM") else name
        attendee: Value = {
            "Mailbox": box,
            "ResponseType": _RESPONSES.get(str(one.params.get("PARTSTAT", "")).upper(), "Unknown"),
        }
        lists.setdefault(name, []).append(attendee)
        if str(one.params.get("RSVP", "")).upper() == "FALSE":
            properties.setdefault("IsResponseRequested", False)
    properties |= {name: {"Attendee": found} for name, found in lists.items()}


def _box(value: Any) -> Value:
    text = str(value).strip()
    address = text[7:] if text[:7].lower() == "mailto:" else text
    if "@" not in address:
        return {}
    name = str(value.params.get("CN", "")).strip('"') or address
    return {"Name": name, "EmailAddress": address, "RoutingType": "SMTP", "MailboxType": "Mailbox"}


def _reminder(component: Component, properties: Value) -> None:
    properties["ReminderIsSet"] = False
    for alarm in component.walk("VALARM"):
        trigger = alarm.get("TRIGGER")
        given = trigger.dt if trigger is not None else None
        if isinstance(given, datetime):
            given = given.astimezone(UTC) - properties["Start"] if given.tzinfo is not None else timedelta(0)
        if isinstance(given, timedelta):
            properties["ReminderIsSet"] = True
            properties["ReminderMinutesBeforeStart"] = str(max(0, min(round(-given.total_seconds() / 60), 2_000_000)))
            return
