"""An organizer's side of a meeting: invitations, updates, cancellations; and the answers of those who are invited (ews reference 11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account
from postroom_simulator.ews.calendar.appointments import ATTENDEE_LISTS, attendees_of, is_meeting
from postroom_simulator.ews.calendar.assistant import RECEIVED, cancelled_subject, organizes, sequence_of
from postroom_simulator.ews.calendar.ical_write import SENT_BY
from postroom_simulator.ews.calendar.notices import Notice, keep_draft, send
from postroom_simulator.ews.calendar.occurrences import ORIGINAL_TIMES
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.items.mail import mailbox
from postroom_simulator.store.interface import Folder, Item, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["answer", "cancel", "forward", "invite", "next_version", "organizer", "tell_changes", "withdraw"]

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


def _by(call: Call, owner: Account) -> Account | None:
    """Who acts for the owner of a calendar; None: the owner."""
    return call.account if call.account is not owner else None


def _event(call: Call, item: Item, owner: Account, properties: Mapping[str, Any]) -> Value:
    """What a notice tells of the meeting: without what is the organizer's alone."""
    told = {
        name: value for name, value in properties.items() if name not in ("Categories", "ReminderNextTime", "MyResponseType")
    }
    told |= {"Organizer": organizer(owner), "DateTimeStamp": call.now()}
    if _by(call, owner) is not None:
        told[SENT_BY] = call.account.address
    if isinstance(item, Occurrence):
        told["RecurrenceId"] = datetime.fromtimestamp(item.start, UTC)
    elif not properties.get("@received"):
        told.pop("RecurrenceId", None)
    return told


def _notice(
    call: Call,
    method: str,
    event: Value,
    owner: Account,
    people: Iterable[tuple[str, Value]],
    subject: str,
    body: Value | None = None,
) -> Notice:
    boxes: dict[str, list[Value]] = {name: [] for name in ATTENDEE_LISTS}
    for name, one in people:
        boxes[name].append(one["Mailbox"])
    lists = [tuple(boxes[name]) for name in ATTENDEE_LISTS]
    text = body if body is not None else event.get("Body")
    return Notice(method, (event,), owner, lists[0], subject, lists[1], lists[2], text, by=_by(call, owner))


def invite(call: Call, item: Item, mode: str) -> None:
    """Send a new meeting to everybody who is invited."""
    properties = item.properties or {}
    owner = _own(call, item, properties)
    if mode not in _SENDS or owner is None:
        return
    call.store.set_properties(item.uid, dict(properties) | {"MeetingRequestWasSent": True})
    event = _event(call, item, owner, properties)
    send(
        call.world,
        _notice(call, "REQUEST", event, owner, attendees_of(properties), properties.get("Subject") or ""),
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
    event = _event(call, item, owner, after)
    people = list(new.values()) if "ToAll" in mode or not before.get("MeetingRequestWasSent") else added
    if people:
        send(call.world, _notice(call, "REQUEST", event, owner, people, subject), copy=_saves(mode))
    if removed:
        gone = event | {"IsCancelled": True}
        send(call.world, _notice(call, "CANCEL", gone, owner, removed, cancelled_subject(subject)), copy=_saves(mode))


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
    event = _event(call, item, owner, properties) | {
        "IsCancelled": True,
        "AppointmentSequenceNumber": sequence_of(properties) + 1,
    }
    subject = cancelled_subject(properties.get("Subject"))
    send(call.world, _notice(call, "CANCEL", event, owner, attendees_of(properties), subject, body), copy=_saves(mode))


def withdraw(call: Call, item: Item, mode: str) -> None:
    """An appointment, or one date, is about to be deleted: a meeting's attendees hear that it is cancelled, of an attendee the organizer that it is
    declined (the documents tell of cancellations alone; that an attendee's deletion is an answer is our choice, after what servers were seen to do).
    Of a cancelled one nobody needs to hear."""
    properties = item.properties or {}
    owner = call.world.directory.get(item.account)
    if not properties.get(RECEIVED) or not isinstance(owner, Account):
        cancel(call, item, mode)
        return
    told = properties.get("IsCancelled") or call.store.folder_by_uid(item.folder).role is Role.DELETED
    if mode in _SENDS and not told:
        date = datetime.fromtimestamp(item.start, UTC) if isinstance(item, Occurrence) else None
        answer(call, owner, properties, "Decline", date=date, disposition="SendAndSaveCopy" if _saves(mode) else "SendOnly")


def forward(call: Call, item: Item, owner: Account, properties: Mapping[str, Any], message: Value, *, copy: bool) -> None:
    """Invite others to a meeting, whoever organizes it; they answer to its organizer. `owner`: in whose name."""
    event = _event(call, item, owner, properties)
    event.pop(SENT_BY, None)
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
    disposition: str,
    into: Folder | None = None,
) -> Item | None:
    """Tell the organizer: Accept, Tentative or Decline; with other times it is a counter proposal. `date`: the original start of the one date
    that it is about. `disposition`: a MessageDispositionType; what is kept of the answer is given back: of SaveOnly a draft of it, sent by nobody."""
    box = (properties.get("Organizer") or {}).get("Mailbox") or {}
    if "@" not in box.get("EmailAddress", ""):
        return None
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
        event |= {ORIGINAL_TIMES: (event["Start"], event["End"]), "Start": proposed[0], "End": proposed[1]}
    subject = ("New Time Proposed: " if proposed is not None else _PREFIXES[how]) + str(properties.get("Subject") or "")
    attendee = {"Mailbox": mailbox(owner.name, owner.address), "ResponseType": how}
    by = _by(call, owner)
    if by is not None:
        attendee[SENT_BY] = by.address
    method = "REPLY" if proposed is None else "COUNTER"
    notice = Notice(method, (event,), owner, (box,), subject, body=body, attendee=attendee, by=by)
    if disposition == "SaveOnly":
        return keep_draft(call.world, notice, into)
    return send(call.world, notice, copy=disposition == "SendAndSaveCopy", into=into)
