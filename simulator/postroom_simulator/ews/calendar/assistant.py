"""What a mailbox does by itself with meeting notices that come: invitations appear in the calendar, answers at the organizer's meeting, cancellations
at the attendee's (ews reference 11)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews.calendar import notices
from postroom_simulator.ews.calendar.appointments import ATTENDEE_LISTS, attendees_of
from postroom_simulator.ews.calendar.ical_read import Event, ICalendar, merged
from postroom_simulator.ews.calendar.occurrences import DELETED, EXCEPTIONS, Dates, seconds
from postroom_simulator.ews.calendar.private import is_private
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["RECEIVED", "Received", "find_meeting", "is_account", "look_at", "organizes", "sequence_of"]

Value = dict[str, Any]
RECEIVED = "@received"
"""In the properties of an appointment: it came as an invitation."""
_OWN = ("LegacyFreeBusyStatus", "MyResponseType", "AppointmentReplyTime", "ReminderIsSet", "ReminderMinutesBeforeStart", "Categories", "Sensitivity",
        "ExtendedProperty", "Attachments")  # fmt: skip
"""What an attendee's own copy keeps when the organizer changes the meeting."""


@dataclass(frozen=True, slots=True)
class Received:
    """A notice on its way into a mailbox: the class of the message, and what is kept beside its octets: `beside` of the owner's, `beside_copies` of those
    that delegates get."""

    calendar: ICalendar
    item_class: str
    beside: Mapping[str, Any]
    octets: bytes = field(default=b"", repr=False)
    beside_copies: Mapping[str, Any] = field(default_factory=dict)

    def carry_out(self, world: World, account: Account, item: Item) -> Item:
        """Do to the calendar what the notice says, and give delegates their copies; a room answers. What does not fit it is passed over. `item`: the
        notice; as it is then is given back."""
        act = {"REQUEST": _request, "CANCEL": _cancel, "REPLY": _reply, "COUNTER": _counter}[self.calendar.method]
        for event in merged(self.calendar.events):
            if event.uid:
                try:
                    act(world, account, event)
                except StoreError:  # no room for it: the message is there all the same
                    continue
        if _copied(world, account, self) and account.delegation.meeting_requests == "DelegatesOnly":
            return world.store.move(item.uid, world.store.folder(item.account, Role.DELETED).uid)
        if account.is_room:
            from postroom_simulator.ews.calendar.booking import attend

            return attend(world, account, self.calendar, item)
        return item


def look_at(world: World, account: Account, octets: bytes) -> Received | None:
    """What a message on its way into a mailbox is; None for all that is no meeting notice. Changes nothing."""
    calendar = notices.calendar_of(octets)
    if calendar is None:
        return None
    item_class = notices.class_of(calendar)
    if item_class == "IPM.Note":
        return None
    beside: Value = {}
    if calendar.method == "REQUEST":
        beside = {"MeetingRequestType": _kind_of_request(world, account, calendar.events[0])}
    return Received(calendar, item_class, beside | _only_told(world, account, calendar), octets, beside)


def _only_told(world: World, account: Account, calendar: ICalendar) -> Value:
    """A request that delegates are to answer is there for its owner to know (MS-OXWSMTGS 2.2.5.11: PrincipalWantsCopy)."""
    told = account.delegation.meeting_requests == "DelegatesAndSendInformationToMe"
    if calendar.method != "REQUEST" or not told or not _copied_to(world, account, calendar):
        return {}
    return {"MeetingRequestType": "PrincipalWantsCopy"}


def _copied(world: World, account: Account, received: Received) -> bool:
    """Put a copy into the Inbox of each delegate that gets them (ews reference 15): whether there is one. Copies do nothing to calendars."""
    if account.delegation.meeting_requests == "NoForward":
        return False
    owner = {
        "Mailbox": {
            "Name": account.name or account.address,
            "EmailAddress": account.address,
            "RoutingType": "SMTP",
            "MailboxType": "Mailbox",
        }
    }
    beside = dict(received.beside_copies) | {"IsDelegated": True, "ReceivedRepresenting": owner}
    delegates = _copied_to(world, account, received.calendar)
    for delegate in delegates:
        with contextlib.suppress(StoreError):  # no room there
            world.store.deposit(
                delegate.address, received.octets, item_class=received.item_class, beside=beside, delivered=True
            )
    return bool(delegates)


def _copied_to(world: World, account: Account, calendar: ICalendar) -> list[Account]:
    """The delegates that get copies of a meeting notice; of a private meeting only those that see what is private (MS-OXODLGT 2.2.2.2.1: the rule that
    sends copies leaves private ones out)."""
    private = is_private(calendar.events[0].properties)
    found = [
        world.directory.get(one.address)
        for one in account.delegation.delegates.values()
        if one.meeting_copies and (one.private_items or not private)
    ]
    return [one for one in found if isinstance(one, Account)]


def find_meeting(world: World, account: str, uid: str) -> Item | None:
    """The appointment with this UID in somebody's calendar; `account`: canonical address."""
    folder = world.store.folder(account, Role.CALENDAR)
    return world.ews.meetings.find(folder.uid, uid)


def sequence_of(properties: Mapping[str, Any]) -> int:
    return int(properties.get("AppointmentSequenceNumber") or 0)


def is_account(world: World, address: str, account: Account) -> bool:
    return world.directory.resolve(address) is account


def organizes(world: World, account: Account, properties: Mapping[str, Any]) -> bool:
    """Whether the meeting in this calendar is its owner's own."""
    address = _organizer(properties)
    return not properties.get(RECEIVED) and (not address or is_account(world, address, account))


def _organizer(properties: Mapping[str, Any]) -> str:
    return str(((properties.get("Organizer") or {}).get("Mailbox") or {}).get("EmailAddress", ""))


# -- invitations


def _kind_of_request(world: World, account: Account, event: Event) -> str:
    known = find_meeting(world, canonical(account.address), event.uid)
    if known is None or known.properties is None:
        return "NewMeetingRequest"
    if event.sequence < sequence_of(known.properties):
        return "Outdated"
    return "FullUpdate" if _moved(known.properties, event.properties) else "InformationalUpdate"


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return any(old.get(name) != new.get(name) for name in ("Start", "End", "Recurrence"))


def invited(event: Event) -> Value:
    """The appointment of somebody who is invited and has not answered."""
    intended = event.properties.get("IntendedFreeBusyStatus") or event.properties.get("LegacyFreeBusyStatus") or "Busy"
    value = event.properties | {
        RECEIVED: True,
        "IntendedFreeBusyStatus": intended,
        "LegacyFreeBusyStatus": "Free" if intended == "Free" else "Tentative",
        "MyResponseType": "NoResponseReceived",
        "MeetingRequestWasSent": True,
        "AppointmentSequenceNumber": event.sequence,
    }
    if event.recurrence_id is not None:
        value["RecurrenceId"] = event.recurrence_id
    return value


def _request(world: World, account: Account, event: Event) -> None:
    if is_account(world, _organizer(event.properties), account):
        return
    known = find_meeting(world, canonical(account.address), event.uid)
    if known is None or known.properties is None:
        folder = world.store.folder(canonical(account.address), Role.CALENDAR)
        world.store.create(folder.uid, "IPM.Appointment", invited(event))
        return
    old = known.properties
    if event.sequence < sequence_of(old):
        return
    if event.recurrence_id is not None and old.get("Recurrence"):
        _one_date(world, known, event, {"MyResponseType": "NoResponseReceived", "LegacyFreeBusyStatus": "Tentative"})
        return
    new = invited(event)
    kept = [name for name in _OWN if name in old]
    if _moved(old, event.properties):
        kept = [name for name in kept if name not in ("LegacyFreeBusyStatus", "MyResponseType", "AppointmentReplyTime")]
    else:
        new |= {name: old[name] for name in (EXCEPTIONS, DELETED) if name in old and name not in new}
    new |= {name: old[name] for name in kept}
    new.pop("IsCancelled", None)
    world.store.set_properties(known.uid, new)


def _one_date(world: World, known: Item, event: Event, more: Value) -> None:
    """Change a single date of a series."""
    properties = dict(known.properties or {})
    key = seconds(event.recurrence_id) if event.recurrence_id is not None else 0
    if Dates(properties).day_of(key) is None:
        return
    exceptions = dict(properties.get(EXCEPTIONS) or {})
    names = ("Start", "End", "Subject", "Location", "Body", "Importance")
    changed = {
        name: event.properties[name]
        for name in names
        if name in event.properties and event.properties[name] != properties.get(name)
    }
    exceptions[key] = dict(exceptions.get(key) or {}) | changed | more | {"@change": known.change + 1}
    properties[EXCEPTIONS] = exceptions
    properties[DELETED] = [one for one in properties.get(DELETED) or () if one != key]
    properties.setdefault("@pattern change", known.change)
    world.store.set_properties(known.uid, properties)


# -- cancellations


def _cancel(world: World, account: Account, event: Event) -> None:
    known = find_meeting(world, canonical(account.address), event.uid)
    if known is None or known.properties is None or organizes(world, account, known.properties):
        return
    old = dict(known.properties)
    if event.sequence < sequence_of(old):
        return
    gone = {
        "IsCancelled": True,
        "LegacyFreeBusyStatus": "Free",
        "Subject": cancelled_subject(event.properties.get("Subject") or old.get("Subject")),
    }
    if event.recurrence_id is not None and old.get("Recurrence"):
        _one_date(world, known, event, gone)
        return
    world.store.set_properties(known.uid, old | gone | {"AppointmentSequenceNumber": event.sequence, "ReminderIsSet": False})


def cancelled_subject(subject: str | None) -> str:
    text = subject or ""
    return text if text.startswith("Canceled: ") else f"Canceled: {text}"


# -- answers


def _counter(world: World, account: Account, event: Event) -> None:
    """An answer with other times: they are shown beside whoever wants them (MS-OXWSMTGS 2.2.4.4: ProposedStart)."""
    _reply(world, account, event, {"ProposedStart": event.properties["Start"], "ProposedEnd": event.properties["End"]})


def _reply(world: World, account: Account, event: Event, proposed: Mapping[str, Any] = MappingProxyType({})) -> None:
    known = find_meeting(world, canonical(account.address), event.uid)
    who, how = notices.answer_of(event)
    if known is None or known.properties is None or who is None or not organizes(world, account, known.properties):
        return
    old = dict(known.properties)
    if event.sequence < sequence_of(old):
        return
    if how == "Unknown":
        how = "Tentative"
    facts: Value = {"ResponseType": how, "LastResponseTime": notices.stamp_of(event, world.clock.now()), **proposed}
    if event.recurrence_id is not None and old.get("Recurrence"):
        key = seconds(event.recurrence_id)
        exceptions = dict(old.get(EXCEPTIONS) or {})
        single = dict(exceptions.get(key) or {})
        lists = _answered(world, {name: single.get(name) or old.get(name) for name in ATTENDEE_LISTS}, who, facts)
        if Dates(old).day_of(key) is not None:
            exceptions[key] = single | lists | {"@change": known.change + 1}
            old.setdefault("@pattern change", known.change)
            world.store.set_properties(known.uid, old | {EXCEPTIONS: exceptions})
        return
    world.store.set_properties(known.uid, old | _answered(world, old, who, facts))


def _answered(world: World, properties: Mapping[str, Any], who: Value, facts: Value) -> Value:
    """The attendee lists with an answer in them; somebody who was not invited joins the optional ones."""
    address = who["Mailbox"]["EmailAddress"]
    person = world.directory.resolve(address)
    for name, one in attendees_of(properties):
        other = one["Mailbox"].get("EmailAddress", "")
        if canonical(other) == canonical(address) or (person is not None and world.directory.resolve(other) is person):
            kept = {part: value for part, value in one.items() if part not in ("ProposedStart", "ProposedEnd")}
            everybody = [kept | facts if each is one else each for each in properties[name]["Attendee"]]
            return {name: {"Attendee": everybody}}
    rest = (properties.get("OptionalAttendees") or {}).get("Attendee") or []
    return {"OptionalAttendees": {"Attendee": [*rest, {"Mailbox": who["Mailbox"]} | facts]}}
