"""An organizer's side of a meeting: invitations, updates, cancellations; and the answers of those who are invited (ews reference 11)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account
from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.appointments import ATTENDEE_LISTS, attendees_of, is_meeting
from postroom_simulator.ews.calendar.assistant import cancelled_subject, organizes, sequence_of
from postroom_simulator.ews.calendar.notices import Notice, send
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.items.mail import mailbox
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["answer", "cancel", "forward", "invite", "next_version", "organizer", "recurrence_blob", "tell_changes"]

Value = dict[str, Any]
_SENDS = frozenset({"SendOnlyToAll", "SendToAllAndSaveCopy", "SendOnlyToChanged", "SendToChangedAndSaveCopy"})
_WEIGHTY = ("Start", "End", "Location", "Recurrence", "StartTimeZone", "IsAllDayEvent", "Subject", "Body")
"""Elements whose change makes a new version of a meeting (our choice; MS-OXOCAL 3.1.5.5 has the times and the place)."""


def organizer(account: Account) -> Value:
    """A SingleRecipientType."""
    return {"Mailbox": mailbox(account.name, account.address)}


def _saves(mode: str) -> bool:
    return mode.endswith("SaveCopy")


def _own(call: Call, item: Item, properties: Mapping[str, Any]) -> Account | None:
    """The owner of the calendar, where he is the organizer of this meeting; else None."""
    owner = call.world.directory.get(item.account)
    if not isinstance(owner, Account) or not is_meeting(properties):
        return None
    return owner if organizes(call.world, owner, properties) else None


def _event(item: Item, owner: Account, properties: Mapping[str, Any], now: datetime) -> Value:
    """What a notice tells of the meeting: without what is the organizer's alone."""
    told = {
        name: value for name, value in properties.items() if name not in ("Categories", "ReminderNextTime", "MyResponseType")
    }
    told |= {"Organizer": organizer(owner), "DateTimeStamp": now}
    if isinstance(item, Occurrence):
        told["RecurrenceId"] = datetime.fromtimestamp(item.start, UTC)
    elif not properties.get("@received"):
        told.pop("RecurrenceId", None)
    return told


def _notice(
    method: str, event: Value, owner: Account, people: Iterable[tuple[str, Value]], subject: str, body: Value | None = None
) -> Notice:
    boxes: dict[str, list[Value]] = {name: [] for name in ATTENDEE_LISTS}
    for name, one in people:
        boxes[name].append(one["Mailbox"])
    lists = [tuple(boxes[name]) for name in ATTENDEE_LISTS]
    return Notice(
        method, (event,), owner, lists[0], subject, lists[1], lists[2], body if body is not None else event.get("Body")
    )


def invite(call: Call, item: Item, mode: str) -> None:
    """Send a new meeting to everybody who is invited."""
    properties = item.properties or {}
    owner = _own(call, item, properties)
    if mode not in _SENDS or owner is None:
        return
    call.store.set_properties(item.uid, dict(properties) | {"MeetingRequestWasSent": True})
    event = _event(item, owner, properties, call.now())
    send(
        call.world,
        _notice("REQUEST", event, owner, attendees_of(properties), properties.get("Subject") or ""),
        copy=_saves(mode),
    )


def next_version(call: Call, item: Item, before: Mapping[str, Any], after: Value, mode: str) -> Value:
    """A meeting that is about to be sent out again has the next number, where what matters has changed."""
    if mode not in _SENDS or _own(call, item, after) is None:
        return after
    if before.get("MeetingRequestWasSent") and any(before.get(name) != after.get(name) for name in _WEIGHTY):
        after["AppointmentSequenceNumber"] = sequence_of(before) + 1
        if any(before.get(name) != after.get(name) for name in ("Start", "End", "Recurrence")):
            _forget_answers(after)
    after["MeetingRequestWasSent"] = True
    return after


def _forget_answers(properties: Value) -> None:
    """At another time everybody is asked anew."""
    for name in ATTENDEE_LISTS:
        people = (properties.get(name) or {}).get("Attendee")
        if people:
            properties[name] = {"Attendee": [{"Mailbox": one["Mailbox"], "ResponseType": "Unknown"} for one in people]}


def tell_changes(call: Call, item: Item, before: Mapping[str, Any], after: Mapping[str, Any], mode: str) -> None:
    """Send a changed meeting to all or to those who are new, and a cancellation to those who are out."""
    if mode not in _SENDS:
        return
    owner = _own(call, item, after) or _own(call, item, before)
    if owner is None:
        return
    old, new = _by_address(before), _by_address(after)
    added = [new[address] for address in new if address not in old]
    removed = [old[address] for address in old if address not in new]
    subject = str(after.get("Subject") or "")
    event = _event(item, owner, after, call.now())
    people = list(new.values()) if "ToAll" in mode or not before.get("MeetingRequestWasSent") else added
    if people:
        send(call.world, _notice("REQUEST", event, owner, people, subject), copy=_saves(mode))
    if removed:
        gone = event | {"IsCancelled": True}
        send(call.world, _notice("CANCEL", gone, owner, removed, cancelled_subject(subject)), copy=_saves(mode))


def _by_address(properties: Mapping[str, Any]) -> dict[str, tuple[str, Value]]:
    return {one["Mailbox"].get("EmailAddress", "").lower(): (name, one) for name, one in attendees_of(properties)}


def cancel(call: Call, item: Item, mode: str, body: Value | None = None) -> None:
    """Tell everybody that a meeting, or one date of it, will not be. What lies in Deleted Items was told of before."""
    properties = item.properties or {}
    owner = _own(call, item, properties)
    if mode not in _SENDS or owner is None:
        return
    if call.store.folder_by_uid(item.folder).role is Role.DELETED:
        return
    event = _event(item, owner, properties, call.now()) | {
        "IsCancelled": True,
        "AppointmentSequenceNumber": sequence_of(properties) + 1,
    }
    subject = cancelled_subject(properties.get("Subject"))
    send(call.world, _notice("CANCEL", event, owner, attendees_of(properties), subject, body), copy=_saves(mode))


def forward(call: Call, item: Item, owner: Account, properties: Mapping[str, Any], message: Value, *, copy: bool) -> None:
    """Invite others to a meeting, whoever organizes it; they answer to its organizer."""
    event = _event(item, owner, properties, call.now())
    if properties.get("Organizer"):
        event["Organizer"] = properties["Organizer"]
    if "RecurrenceId" in properties:
        event["RecurrenceId"] = properties["RecurrenceId"]
    to, cc, also = (
        tuple((message.get(name) or {}).get("Mailbox") or ()) for name in ("ToRecipients", "CcRecipients", "BccRecipients")
    )
    notice = Notice("REQUEST", (event,), owner, to, str(message.get("Subject") or ""), cc, also, message.get("Body"))
    send(call.world, notice, copy=copy)


_PREFIXES = {"Accept": "Accepted: ", "Tentative": "Tentative: ", "Decline": "Declined: "}


def answer(
    call: Call,
    owner: Account,
    properties: Mapping[str, Any],
    how: str,
    *,
    body: Value | None = None,
    proposed: tuple[datetime, datetime] | None = None,
    date: datetime | None = None,
    copy: bool,
) -> None:
    """Tell the organizer: Accept, Tentative or Decline; with other times it is a counter proposal. `date`: the original start of the one date
    that it is about."""
    box = (properties.get("Organizer") or {}).get("Mailbox") or {}
    if "@" not in box.get("EmailAddress", ""):
        return
    names = (
        "UID",
        "Start",
        "End",
        "StartTimeZone",
        "Location",
        "Organizer",
        "AppointmentSequenceNumber",
        "Subject",
        "IsAllDayEvent",
        "MeetingTimeZone",
    )
    event = {name: properties[name] for name in names if name in properties} | {"DateTimeStamp": call.now()}
    if date is not None:
        event["RecurrenceId"] = date
    if proposed is not None:
        event |= {"Start": proposed[0], "End": proposed[1]}
    subject = ("New Time Proposed: " if proposed is not None else _PREFIXES[how]) + str(properties.get("Subject") or "")
    attendee = {"Mailbox": mailbox(owner.name, owner.address), "ResponseType": how}
    method = "REPLY" if proposed is None else "COUNTER"
    send(call.world, Notice(method, (event,), owner, (box,), subject, body=body, attendee=attendee), copy=copy)


# -- the recurrence as MAPI has it

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


def recurrence_blob(properties: Mapping[str, Any]) -> bytes | None:
    """PidLidAppointmentRecur (MS-OXOCAL 2.2.1.44): pattern, deleted and changed dates, times of the day; what exceptions changed beside their times is
    left out (our choice)."""
    from postroom_simulator.ews.calendar.occurrences import Dates

    if not properties.get("Recurrence"):
        return None
    dates = Dates(properties)
    series, pattern = dates.series, dates.series.pattern
    if pattern.kind == "regenerating":
        return None
    start = int(dates.at.total_seconds() // 60)
    end = start + int(dates.length.total_seconds() // 60)
    period = pattern.interval * (1440 if pattern.kind == "daily" else 1)
    if pattern.kind in ("yearly", "relative-yearly"):
        period = 12
    first = _minutes(datetime.combine(series.start, datetime.min.time()))
    kind = {"daily": 0, "weekly": 1}.get(pattern.kind, 3 if pattern.nth else 2)
    head = struct.pack("<HHHHHIII", 0x3004, 0x3004, _FREQUENCIES[pattern.kind], kind, 0, 0, period, 0) + _specific(pattern)
    ends = 0x2021 if series.end else 0x2022 if series.count else 0x2023
    moved = [dates.zone.local(one.original) for one in dates.modified()]
    gone = sorted(
        {_minutes(_day(dates.zone.local(datetime.fromtimestamp(key, UTC)))) for key in dates.deleted}
        | {_minutes(_day(one)) for one in moved}
    )
    at = sorted(_minutes(_day(dates.zone.local(one.start))) for one in dates.modified())
    last = series.last()
    until = _minutes(datetime.combine(last, datetime.min.time())) if last is not None else _FOREVER
    body = struct.pack("<III", ends, series.count or 10, (pattern.first_day + 1) % 7)
    body += (
        struct.pack(f"<I{len(gone)}I", len(gone), *gone)
        + struct.pack(f"<I{len(at)}I", len(at), *at)
        + struct.pack("<II", first, until)
    )
    exceptions = b"".join(
        struct.pack(
            "<IIIH",
            _minutes(dates.zone.local(one.start)),
            _minutes(dates.zone.local(one.end)),
            _minutes(dates.zone.local(one.original)),
            0,
        )
        for one in dates.modified()
    )
    tail = struct.pack("<IIIIH", 0x3006, 0x3009, start, end, len(at)) + exceptions + struct.pack("<II", 0, 0)
    return head + body + tail


def _specific(pattern: recurrence.Pattern) -> bytes:
    days = sum(1 << ((day + 1) % 7) for day in pattern.days)
    if pattern.kind == "weekly":
        return struct.pack("<I", days)
    if pattern.nth:
        return struct.pack("<II", days, 5 if pattern.nth == -1 else pattern.nth)
    return struct.pack("<I", pattern.day) if pattern.day else b""


def _minutes(local: datetime) -> int:
    return int((local - _EPOCH) / timedelta(minutes=1))


def _day(local: datetime) -> datetime:
    return datetime.combine(local.date(), datetime.min.time())
