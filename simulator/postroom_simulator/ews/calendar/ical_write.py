"""Appointments as iCalendar text (RFC 5545, RFC 5546, MS-OXCICAL): MimeContent of an answer, and what meeting notices carry (ews reference 11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.occurrences import DELETED, EXCEPTIONS, ORIGINAL_TIMES, Dates, zone_of
from postroom_simulator.ews.calendar.recurrence import Series
from postroom_simulator.ews.calendar.zone_rules import Change, RuleZone, rules_of
from postroom_simulator.ews.calendar.zones import UTC_ZONE, Zone

__all__ = ["PRODUCT", "SENT_BY", "rrule_text", "write_calendar"]

Value = Mapping[str, Any]
PRODUCT = "-//Postroom//Exchange Web Services simulator//EN"
SENT_BY = "@SentBy"
"""In an event or an attendee: the address of who acts for the organizer or for the attendee."""
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_CLASSES = {"Private": "PRIVATE", "Confidential": "CONFIDENTIAL", "Personal": "X-PERSONAL"}
_BUSY = {"Free": "FREE", "Tentative": "TENTATIVE", "Busy": "BUSY", "OOF": "OOF", "WorkingElsewhere": "WORKINGELSEWHERE"}
_PARTSTAT = {"Accept": "ACCEPTED", "Tentative": "TENTATIVE", "Decline": "DECLINED", "Organizer": "ACCEPTED"}
_ROLES = (
    ("RequiredAttendees", "REQ-PARTICIPANT", ""),
    ("OptionalAttendees", "OPT-PARTICIPANT", ""),
    ("Resources", "NON-PARTICIPANT", "RESOURCE"),
)
_PRIORITY = {"High": 1, "Normal": 5, "Low": 9}
_FIRST_YEAR = 1601
"""The year in which the rules of a VTIMEZONE begin, as servers write it."""
_EXDATES = 1000


def write_calendar(
    events: Iterable[Value],
    *,
    method: str = "PUBLISH",
    now: datetime,
    attendees: Iterable[Value] | None = None,
    comment: str = "",
) -> bytes:
    """A VCALENDAR with the zones that its events are in. An event is an appointment's properties, with its exceptions where it is a master;
    with `RecurrenceId` it is one date alone. `attendees`: those (AttendeeType with `ResponseType`) instead of all, as a reply has it."""
    told = list(events)
    zones: dict[str, tuple[Zone, int]] = {}
    for event in told:
        zone = zone_of(event)
        if zone.tz is not UTC_ZONE.tz:
            zones.setdefault(zone.id, (zone, event["Start"].year))
    lines = ["BEGIN:VCALENDAR", f"METHOD:{method}", f"PRODID:{PRODUCT}", "VERSION:2.0"]
    for zone, year in zones.values():
        lines += _timezone(zone, year)
    only = None if attendees is None else list(attendees)
    for event in told:
        lines += _event(event, now, method, only, comment)
        if EXCEPTIONS in event and event.get("Recurrence"):
            for changed in _exceptions(event):
                lines += _event(changed, now, method, only, comment)
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) for line in lines).encode("utf-8", "replace")


def _exceptions(event: Value) -> Iterator[Value]:
    for one in Dates(event).modified():
        yield _single(event) | dict(one.changed or {}) | {"Start": one.start, "End": one.end, "RecurrenceId": one.original}


def _single(event: Value) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("Recurrence", EXCEPTIONS, DELETED)}


# -- text


def _folded(line: str) -> str:
    """In pieces of at most 75 octets (RFC 5545 §3.1), no character cut."""
    if len(line) <= 75 and line.isascii():
        return line + "\r\n"
    pieces, piece, size = [], "", 0
    for character in line:
        width = len(character.encode("utf-8", "replace"))
        if size + width > 74:
            pieces.append(piece)
            piece, size = "", 0
        piece += character
        size += width
    return "\r\n ".join([*pieces, piece]) + "\r\n"


def _text(value: str) -> str:
    plain = "".join(c if c.isprintable() or c in "\n\t" else " " for c in value.replace("\r\n", "\n").replace("\r", "\n"))
    return plain.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _parameter(value: str) -> str:
    """Quoted always (RFC 5545 §3.2); quotes cannot be in it."""
    return '"' + "".join(c if c.isprintable() and c != '"' else "'" if c == '"' else " " for c in value) + '"'


def _moment(name: str, moment: datetime, zone: Zone) -> str:
    if zone.tz is UTC_ZONE.tz:
        return f"{name}:{_utc(moment)}"
    return f"{name};TZID={_zone_name(zone)}:{zone.local(moment):%Y%m%dT%H%M%S}"


def _zone_name(zone: Zone) -> str:
    return zone.id if all(c.isalnum() or c in " .-+_/()" for c in zone.id) else _parameter(zone.id)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


# -- zones


def _timezone(zone: Zone, year: int) -> list[str]:
    rule = RuleZone("", rules_of(zone.tz)).rule(year)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone.id}"]
    if rule.changes is None:
        lines += _observance("STANDARD", rule.standard, rule.standard, None)
    else:
        daylight, start, end = rule.changes
        lines += _observance("STANDARD", daylight, rule.standard, end)
        lines += _observance("DAYLIGHT", rule.standard, daylight, start)
    return [*lines, "END:VTIMEZONE"]


def _observance(name: str, before: timedelta, after: timedelta, change: Change | None) -> list[str]:
    lines = [f"BEGIN:{name}"]
    if change is None:
        lines.append(f"DTSTART:{_FIRST_YEAR}0101T000000")
    else:
        at = change.in_year(_FIRST_YEAR)
        day = f"BYMONTHDAY={change.nth}" if change.weekday is None else f"BYDAY={change.nth}{_DAYS[change.weekday]}"
        lines += [f"DTSTART:{at:%Y%m%dT%H%M%S}", f"RRULE:FREQ=YEARLY;INTERVAL=1;{day};BYMONTH={change.month}"]
    return [*lines, f"TZOFFSETFROM:{_offset(before)}", f"TZOFFSETTO:{_offset(after)}", f"END:{name}"]


def _offset(value: timedelta) -> str:
    total = int(value.total_seconds())
    hours, rest = divmod(abs(total), 3600)
    text = f"{'-' if total < 0 else '+'}{hours:02d}{rest // 60:02d}"
    return text + (f"{rest % 60:02d}" if rest % 60 else "")


# -- events


def _event(event: Value, now: datetime, method: str, only: list[Value] | None, comment: str) -> list[str]:
    zone = zone_of(event)
    lines = ["BEGIN:VEVENT", *_people(event, method, only)]
    body = event.get("Body")
    if body and body.get("") and method != "REPLY":
        lines += _body(body)
    if comment:
        lines.append(f"COMMENT:{_text(comment)}")
    if event.get("Recurrence"):
        lines += _recurrence(event, zone)
    lines.append(f"SUMMARY:{_text(event.get('Subject') or '')}")
    lines += [_moment("DTSTART", event["Start"], zone), _moment("DTEND", event["End"], zone)]
    if ORIGINAL_TIMES in event:
        before = zip(("X-MS-OLK-ORIGINALSTART", "X-MS-OLK-ORIGINALEND"), event[ORIGINAL_TIMES], strict=True)
        lines += [_moment(name, moment, zone) for name, moment in before]
    if event.get("UID"):
        lines.append(f"UID:{_text(event['UID'])}")
    if event.get("RecurrenceId"):
        lines.append(_moment("RECURRENCE-ID", event["RecurrenceId"], zone))
    lines.append(f"CLASS:{_CLASSES.get(event.get('Sensitivity', ''), 'PUBLIC')}")
    lines.append(f"PRIORITY:{_PRIORITY.get(event.get('Importance', ''), 5)}")
    lines.append(f"DTSTAMP:{_utc(event.get('DateTimeStamp') or now)}")
    busy = event.get("LegacyFreeBusyStatus") or "Busy"
    cancelled = event.get("IsCancelled") or method == "CANCEL"
    lines.append("TRANSP:" + ("TRANSPARENT" if busy == "Free" else "OPAQUE"))
    lines.append("STATUS:" + ("CANCELLED" if cancelled else "TENTATIVE" if busy == "Tentative" else "CONFIRMED"))
    sequence = event.get("AppointmentSequenceNumber") or 0
    lines.append(f"SEQUENCE:{sequence}")
    if event.get("Location"):
        lines.append(f"LOCATION:{_text(event['Location'])}")
    categories = (event.get("Categories") or {}).get("String") or ()
    if categories:
        lines.append("CATEGORIES:" + ",".join(map(_text, categories)))
    lines += _own(event, busy, sequence)
    lines += _alarm(event) if method not in ("REPLY", "CANCEL", "COUNTER") else []
    return [*lines, "END:VEVENT"]


def _body(body: Value) -> list[str]:
    from postroom_simulator.ews.items.html import text_of

    if body.get("@BodyType") != "HTML":
        return [f"DESCRIPTION:{_text(body[''])}"]
    return [f"DESCRIPTION:{_text(text_of(body['']))}", f"X-ALT-DESC;FMTTYPE=text/html:{_text(body[''])}"]


def _own(event: Value, busy: str, sequence: int) -> list[str]:
    """What only servers of this kind say."""
    return [
        f"X-MICROSOFT-CDO-APPT-SEQUENCE:{sequence}",
        f"X-MICROSOFT-CDO-BUSYSTATUS:{_BUSY.get(busy, 'BUSY')}",
        f"X-MICROSOFT-CDO-INTENDEDSTATUS:{_BUSY.get(event.get('IntendedFreeBusyStatus') or busy, 'BUSY')}",
        f"X-MICROSOFT-CDO-ALLDAYEVENT:{_truth(event.get('IsAllDayEvent'))}",
        f"X-MICROSOFT-CDO-IMPORTANCE:{ {'High': 2, 'Low': 0}.get(event.get('Importance', ''), 1) }",
        f"X-MICROSOFT-CDO-INSTTYPE:{_instance(event)}",
        f"X-MICROSOFT-DISALLOW-COUNTER:{_truth(event.get('AllowNewTimeProposal') is False)}",
    ]


def _truth(value: Any) -> str:
    return "TRUE" if value else "FALSE"


def _instance(event: Value) -> int:
    if event.get("Recurrence"):
        return 1
    return 3 if event.get("RecurrenceId") else 0


def _people(event: Value, method: str, only: list[Value] | None) -> list[str]:
    attendees = [(one, role, kind) for name, role, kind in _ROLES for one in (event.get(name) or {}).get("Attendee", ())]
    if only is not None:
        attendees = [(one, "REQ-PARTICIPANT", "") for one in only]
    box = (event.get("Organizer") or {}).get("Mailbox")
    lines = []
    if box and box.get("EmailAddress") and (attendees or method != "PUBLISH"):
        lines.append(
            f"ORGANIZER{_sent_by(event)};CN={_parameter(box.get('Name') or box['EmailAddress'])}:mailto:{_address(box)}"
        )
    for one, role, kind in attendees:
        mailbox = one["Mailbox"]
        if not mailbox.get("EmailAddress"):
            continue
        status = _PARTSTAT.get(one.get("ResponseType") or "", "NEEDS-ACTION")
        rsvp = "" if method in ("REPLY", "COUNTER") else f";RSVP={_truth(event.get('IsResponseRequested', True))}"
        kind_of = f";CUTYPE={kind}" if kind else ""
        name = _parameter(mailbox.get("Name") or mailbox["EmailAddress"])
        lines.append(
            f"ATTENDEE;ROLE={role}{kind_of};PARTSTAT={status}{rsvp}{_sent_by(one)};CN={name}:mailto:{_address(mailbox)}"
        )
    return lines


def _sent_by(value: Value) -> str:
    """Who acts for somebody (RFC 5545 §3.2.18)."""
    return f";SENT-BY={_parameter('mailto:' + value[SENT_BY])}" if value.get(SENT_BY) else ""


def _address(box: Value) -> str:
    return "".join(c for c in box["EmailAddress"] if c.isprintable() and c not in " ,;\"'<>")


def _alarm(event: Value) -> list[str]:
    if not event.get("ReminderIsSet"):
        return []
    minutes = int(event.get("ReminderMinutesBeforeStart") or 15)
    return ["BEGIN:VALARM", "DESCRIPTION:REMINDER", f"TRIGGER;RELATED=START:-PT{minutes}M", "ACTION:DISPLAY", "END:VALARM"]


# -- recurrence


def _recurrence(event: Value, zone: Zone) -> list[str]:
    dates = Dates(event)
    lines = [f"RRULE:{rrule_text(dates.series, dates)}"]
    gone = [datetime.fromtimestamp(key, UTC) for key in sorted(dates.deleted)[:_EXDATES]]
    if gone and zone.tz is UTC_ZONE.tz:
        lines.append("EXDATE:" + ",".join(map(_utc, gone)))
    elif gone:
        lines.append(f"EXDATE;TZID={_zone_name(zone)}:" + ",".join(f"{zone.local(one):%Y%m%dT%H%M%S}" for one in gone))
    return lines


def rrule_text(series: Series, dates: Dates) -> str:
    """A RECUR value (RFC 5545 §3.3.10) for the same dates: a day that short months lack is written as the last of those that they have."""
    one = series.pattern
    frequency = {"daily": "DAILY", "weekly": "WEEKLY", "monthly": "MONTHLY", "relative-monthly": "MONTHLY"}.get(
        one.kind, "YEARLY"
    )
    parts = [f"FREQ={frequency}"]
    if series.count is not None:
        parts.append(f"COUNT={series.count}")
    elif series.end is not None:
        last = series.last() or series.end
        parts.append(f"UNTIL={_utc(dates.plain(last).start)}")
    parts.append(f"INTERVAL={one.interval}")
    if one.kind == "weekly":
        parts.append("BYDAY=" + ",".join(_DAYS[day] for day in one.days))
    elif one.nth:
        if len(one.days) == 1:
            parts.append(f"BYDAY={one.nth}{_DAYS[one.days[0]]}")
        else:
            parts += ["BYDAY=" + ",".join(_DAYS[day] for day in one.days), f"BYSETPOS={one.nth}"]
    elif one.kind in ("monthly", "yearly"):
        parts.append(_monthday(one))
    if one.month:
        parts.append(f"BYMONTH={one.month}")
    if one.kind == "weekly":
        parts.append(f"WKST={_DAYS[one.first_day]}")
    return ";".join(parts)


def _monthday(one: recurrence.Pattern) -> str:
    if one.day <= 28 or (one.month and one.month != 2 and one.day <= 30) or one.month in (1, 3, 5, 7, 8, 10, 12):
        return f"BYMONTHDAY={one.day}"
    if one.day == 31:
        return "BYMONTHDAY=-1"
    return "BYMONTHDAY=" + ",".join(str(day) for day in range(28, one.day + 1)) + ";BYSETPOS=-1"
