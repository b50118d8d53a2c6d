"""Appointments: hooks of CalendarItem (ews reference 7, 11)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account
from postroom_simulator.ews.calendar import organizing
from postroom_simulator.ews.calendar.appointments import (
    ATTENDEE_LISTS,
    READ_ONLY,
    check_exception,
    completed,
    date_shown,
    instants,
    rescheduled,
    shown,
    whole_days,
)
from postroom_simulator.ews.calendar.conflicts import LATE
from postroom_simulator.ews.calendar.dates import dates_of, drop, find, keep, occurrence_id
from postroom_simulator.ews.calendar.expansion import overlapping
from postroom_simulator.ews.calendar.ical_read import merged, read_calendar
from postroom_simulator.ews.calendar.ical_write import write_calendar
from postroom_simulator.ews.calendar.occurrences import zone_of
from postroom_simulator.ews.calendar.private import seen_by_caller
from postroom_simulator.ews.calendar.recurrence_blob import recurrence_blob
from postroom_simulator.ews.calendar.reminders import DISMISSED, SNOOZED
from postroom_simulator.ews.calendar.zones import UTC_ZONE, context_zone, zone_or_utc
from postroom_simulator.ews.codec import moment
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.items.mapi import Key, Mirror, element, one_of, read_only, truth
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Folder, Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["LATE", "MIRRORS", "READ_ONLY", "changed", "created", "deleted", "derive", "drop", "expand", "find", "global_id", "keep", "prepare", "read_mime", "respond", "update",
           "write_mime"]  # fmt: skip

Value = dict[str, Any]


def expand(call: Call, folder: Folder, start: datetime, end: datetime) -> list[Item]:
    """For a CalendarView: see `expansion.overlapping`."""
    return overlapping(call.store, folder, start, end)


# -- MIME


def read_mime(call: Call, octets: bytes) -> Value:
    """The first appointment of a bare iCalendar text, or of a message that carries one. Raises EwsError."""
    if not octets.lstrip(b"\xef\xbb\xbf \r\n\t")[:15].upper().startswith(b"BEGIN:VCALENDAR"):
        octets = _part(octets)
    events = merged(read_calendar(octets, zone_or_utc(call)).events)
    if not events:
        raise EwsError("ErrorMimeContentInvalid", "The content has no VEVENT.")
    said = events[0].properties
    if events[0].recurrence_id is not None:
        said["RecurrenceId"] = events[0].recurrence_id
    return {name: value for name, value in said.items() if name not in ("IsCancelled", "AppointmentSequenceNumber")}


def _part(octets: bytes) -> bytes:
    import email
    import email.policy

    parsed = email.message_from_bytes(octets, policy=email.policy.compat32)
    for part in parsed.walk():
        if part.get_content_type() == "text/calendar":
            payload = part.get_payload(decode=True)
            return payload if isinstance(payload, bytes) else b""
    raise EwsError("ErrorMimeContentInvalid", "The content is no iCalendar.")


def write_mime(_: Call, item: Item, properties: Value) -> bytes:
    """Bare iCalendar text with the zone's VTIMEZONE."""
    if not isinstance(item, Occurrence):
        properties = {name: value for name, value in properties.items() if name != "RecurrenceId" or "@received" in properties}
    return write_calendar([properties], method="REQUEST" if properties.get("IsMeeting") else "PUBLISH", now=item.created)


# -- new ones


def prepare(call: Call, properties: Value, _: bool) -> Value:
    """Raises EwsError."""
    completed(call.world, properties, lambda: context_zone(call), call.now())
    _name_attendees(call, properties, {})
    return properties


def _name_attendees(call: Call, properties: Value, before: Mapping[str, Any]) -> None:
    """Attendees by name, with what they answered before: how somebody answers is not the organizer's to say."""
    known = {
        one["Mailbox"].get("EmailAddress", "").lower(): one
        for name in ATTENDEE_LISTS
        for one in (before.get(name) or {}).get("Attendee", ())
    }
    for name in ATTENDEE_LISTS:
        given = (properties.get(name) or {}).get("Attendee")
        if not given:
            properties.pop(name, None)
            continue
        properties[name] = {"Attendee": [_attendee(call, one, known) for one in given]}


def _attendee(call: Call, one: Value, known: Mapping[str, Value]) -> Value:
    from postroom_simulator.ews.items.writing import completed as completed_box

    box = completed_box(call, one["Mailbox"])
    earlier = known.get((box.get("EmailAddress") or "").lower(), {})
    kept = {
        name: earlier[name] for name in ("ResponseType", "LastResponseTime", "ProposedStart", "ProposedEnd") if name in earlier
    }
    return {"Mailbox": box, "ResponseType": "Unknown"} | kept


def created(call: Call, item: Item, request: Value) -> None:
    """Send invitations where the request says so."""
    organizing.invite(call, item, request.get("@SendMeetingInvitations", "SendToNone"))


# -- shown ones


def derive(call: Call, item: Item, properties: Value) -> Value:
    owner = call.world.directory.get(item.account)
    if isinstance(owner, Account):
        properties.setdefault("Organizer", organizing.organizer(owner))
    if "Start" not in properties or "End" not in properties:  # not made by this service
        properties.setdefault("Start", properties.get("End") or item.created)
        properties.setdefault("End", properties["Start"])
    if isinstance(item, Occurrence):
        return date_shown(properties, item.account, exception=bool(properties.get("@exception")))
    shown(properties, item.account)
    if properties.get("Recurrence"):
        _add_dates(item, properties)
    return properties


def _add_dates(item: Item, properties: Value) -> None:
    dates = dates_of(item)
    first, last, modified = dates.first(), dates.last(), dates.modified()

    def info(one: Any) -> Value:
        return {"ItemId": occurrence_id(item, one), "Start": one.start, "End": one.end, "OriginalStart": one.original}

    if first is not None:
        properties["FirstOccurrence"] = info(first)
    if last is not None:
        properties["LastOccurrence"] = info(last)
    if modified:
        properties["ModifiedOccurrences"] = {"Occurrence": [info(one) for one in modified]}
    if dates.deleted:
        gone = [{"Start": datetime.fromtimestamp(key, dates.zone.tz)} for key in sorted(dates.deleted)]
        properties["DeletedOccurrences"] = {"DeletedOccurrence": gone}


def respond(call: Call, _: Item, properties: Value) -> list[tuple[str, Value]]:
    """What can be answered."""
    if not properties.get("IsMeeting"):
        return [("ForwardItem", {})]
    if properties.get("IsOrganizer"):
        return [("CancelCalendarItem", {}), ("ReplyAllToItem", {}), ("ForwardItem", {})]
    found: list[tuple[str, Value]] = [(name, {}) for name in ("ReplyToItem", "ReplyAllToItem", "ForwardItem")]
    if properties.get("IsCancelled"):
        return [*found, ("RemoveItem", {})]
    answers: list[tuple[str, Value]] = [(name, {}) for name in ("AcceptItem", "TentativelyAcceptItem", "DeclineItem")]
    if call.version >= Version.EXCHANGE_2013_SP1 and properties.get("AllowNewTimeProposal") is not False:
        found.append(("ProposeNewTime", {}))
    return [*answers, *found]


# -- changed ones


def update(call: Call, item: Item, before: Value, after: Value, request: Value) -> Value:
    """Raises EwsError."""
    if seen_by_caller(call, item, before) is not before:
        raise EwsError("ErrorAccessDenied", "The appointment is private.")
    instants(after, lambda: context_zone(call))
    if after.get("Start") is None or after.get("End") is None:
        raise EwsError("ErrorInvalidPropertyDelete", "An appointment has a start and an end.")
    if after["End"] < after["Start"]:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    _name_attendees(call, after, before)
    after.pop("ReminderDueBy", None)
    if any(before.get(name) != after.get(name) for name in ("Start", "ReminderIsSet", "ReminderMinutesBeforeStart")):
        for name in (SNOOZED, DISMISSED):  # it reminds anew
            after.pop(name, None)
    if isinstance(item, Occurrence):
        if after.get("Recurrence"):
            raise EwsError("ErrorInvalidPropertySet", "One date of a series does not recur itself.")
        if after.get("IsAllDayEvent"):
            whole_days(after, zone_of(after))
        times = ("Start", "End")
        if any(before.get(name) != after.get(name) for name in times):
            check_exception(dates_of(call.store.item(item.uid)), item.start, after["Start"], after["End"])
    else:
        uid = after.get("UID") or before.get("UID")
        after = rescheduled(before, after)
        stamp = before.get("DateTimeStamp")
        after = completed(call.world, after | {"UID": uid}, lambda: UTC_ZONE, call.now())
        if stamp is not None:
            after["DateTimeStamp"] = stamp
    return organizing.next_version(call, item, before, after, _mode(request))


def _mode(request: Value) -> str:
    return str(request.get("@SendMeetingInvitationsOrCancellations", "SendToNone"))


def changed(call: Call, item: Item, before: Value, after: Value, request: Value) -> None:
    """Send updates where the request says so."""
    organizing.tell_changes(call, item, before, after, _mode(request))


def deleted(call: Call, item: Item, request: Value) -> None:
    """Send cancellations, or a decline, where the request says so."""
    organizing.withdraw(call, item, request.get("@SendMeetingCancellations", "SendToNone"))


# -- MAPI properties


def _kind(item: Item, one: Value) -> int:
    """0 single, 1 master, 2 occurrence, 3 exception."""
    if isinstance(item, Occurrence):
        return 3 if one.get("@exception") else 2
    return 1 if one.get("Recurrence") else 0


def _recurrence_kind(_: Item, one: Value) -> int:
    """PidLidRecurrenceType: none, day, week, month, year."""
    name = next(
        (name for name in one.get("Recurrence") or () if "Recurrence" in name and not name.startswith(("No", "End", "Num"))), ""
    )
    for number, part in ((1, "Daily"), (2, "Weekly"), (3, "Monthly"), (4, "Yearly")):
        if part in name:
            return number
    return 0


def global_id(_: Item, one: Value) -> bytes | None:
    """PidLidGlobalObjectId (MS-OXOCAL 2.2.1.27): a UID that servers made is one, others are wrapped."""
    uid = one.get("UID") or ""
    if uid.upper().startswith("040000008200E00074C5B7101A82E008"):
        try:
            return bytes.fromhex(uid)
        except ValueError:
            pass
    data = b"vCal-Uid" + struct.pack("<I", 1) + uid.encode("utf-8", "replace") + b"\0"
    head = bytes.fromhex("040000008200E00074C5B7101A82E008")
    return head + bytes(20) + struct.pack("<I", len(data)) + data if uid else None


def _minutes(_: Item, one: Value) -> int:
    return int((one["End"] - one["Start"]).total_seconds() // 60)


def _clip_end(item: Item, one: Value) -> Any:
    if not one.get("Recurrence"):
        return one.get("End")
    last = dates_of(item).last()
    return last.end if last is not None else None


_BUSY = {0: "Free", 1: "Tentative", 2: "Busy", 3: "OOF", 4: "WorkingElsewhere"}
_RESPONSES = {0: "Unknown", 1: "Organizer", 2: "Tentative", 3: "Accept", 4: "Decline", 5: "NoResponseReceived"}


def _follows_from_attendees(_: Value, __: Any) -> None:
    """DavMail writes the state that it expects of an event; ours follows from who was invited by whom."""


def _put_uid(properties: Value, text: Any) -> None:
    if text:
        properties["UID"] = text


MIRRORS: Mapping[Key, Mirror] = MappingProxyType(
    {
        ("appointment", 0x8201): read_only(lambda _, one: one.get("AppointmentSequenceNumber") or 0),
        ("appointment", 0x8205): one_of("LegacyFreeBusyStatus", _BUSY, 2),
        ("appointment", 0x8208): element("Location"),
        ("appointment", 0x820D): element("Start", moment),
        ("appointment", 0x820E): element("End", moment),
        ("appointment", 0x8213): read_only(_minutes),
        ("appointment", 0x8215): element("IsAllDayEvent", truth),
        ("appointment", 0x8216): read_only(lambda _, one: recurrence_blob(one)),
        ("appointment", 0x8217): Mirror(lambda _, one: one.get("AppointmentState") or 0, _follows_from_attendees),
        ("appointment", 0x8218): read_only(
            lambda _, one: {name: number for number, name in _RESPONSES.items()}[one.get("MyResponseType", "Unknown")]
        ),
        ("appointment", 0x8223): read_only(lambda _, one: bool(one.get("Recurrence"))),
        ("appointment", 0x8224): one_of("IntendedFreeBusyStatus", _BUSY),
        ("appointment", 0x8228): read_only(lambda _, one: one.get("OriginalStart")),
        ("appointment", 0x8231): read_only(_recurrence_kind),
        ("appointment", 0x8234): read_only(lambda _, one: one.get("TimeZone")),
        ("appointment", 0x8235): read_only(lambda _, one: one.get("Start")),
        ("appointment", 0x8236): read_only(_clip_end),
        ("common", 0x8516): read_only(lambda _, one: one.get("Start")),
        ("common", 0x8517): read_only(lambda _, one: one.get("End")),
        ("common", 0x8560): read_only(lambda _, one: one.get("ReminderNextTime")),
        ("", 0x0060): element("Start", moment),
        ("", 0x0061): element("End", moment),
        ("meeting", 0x3): read_only(global_id),
        ("meeting", 0x23): read_only(global_id),
        ("publicstrings", "urn:schemas:calendar:uid"): Mirror(lambda _, one: one.get("UID"), _put_uid),
        ("publicstrings", "urn:schemas:calendar:instancetype"): read_only(_kind),
        ("publicstrings", "urn:schemas:calendar:location"): element("Location"),
        ("publicstrings", "urn:schemas:calendar:dtstart"): read_only(lambda _, one: one.get("Start")),
        ("publicstrings", "urn:schemas:calendar:dtend"): read_only(lambda _, one: one.get("End")),
        ("publicstrings", "urn:schemas:calendar:alldayevent"): read_only(lambda _, one: bool(one.get("IsAllDayEvent"))),
    }
)
"""MS-OXOCAL 2.2.1, MS-OXPROPS."""
