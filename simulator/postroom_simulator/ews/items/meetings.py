"""Meeting notices in mailboxes: hooks of MeetingRequest, MeetingResponse, MeetingCancellation (ews reference 7, 11; MS-OXWSMTGS 2.2.4).

The message is what was delivered; everything about the meeting comes out of its calendar part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.calendar.appointments import READ_ONLY, duration_text
from postroom_simulator.ews.calendar.assistant import find_meeting, is_account, sequence_of
from postroom_simulator.ews.calendar.conflicts import LATE as CONFLICTS
from postroom_simulator.ews.calendar.ical_read import Event, ICalendar
from postroom_simulator.ews.calendar.notices import answer_of, calendar_of
from postroom_simulator.ews.calendar.occurrences import ORIGINAL_TIMES, zone_of
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.keeping import BESIDE, changed_names
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.leaving import move
from postroom_simulator.ews.permissions import allowed
from postroom_simulator.ews.schema import type_named
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = [
    "LATE",
    "READ_ONLY",
    "calendar_in",
    "check_delegate",
    "deleted",
    "derive",
    "event_of",
    "represented",
    "respond",
    "update",
]

Value = dict[str, Any]
_NOT_SHOWN = frozenset(
    {"Body", "Subject", "Importance", "Sensitivity", "Categories", "ReminderIsSet", "ReminderMinutesBeforeStart"}
)
"""What the message says itself."""


def calendar_in(call: Call, item: Item) -> ICalendar | None:
    """The calendar part of a delivered notice; None where its octets are gone."""
    if item.properties is not None:
        return None
    found: ICalendar | None = call.service.contents.get(
        ("calendar", item.digest), lambda: calendar_of(call.store.octets(item.uid))
    )
    return found


def event_of(call: Call, item: Item) -> Event | None:
    """What a delivered notice is about."""
    calendar = calendar_in(call, item)
    return calendar.events[0] if calendar is not None else None


def derive(call: Call, item: Item, properties: Value) -> Value:
    event = event_of(call, item)
    if event is not None:
        properties |= _of_the_meeting(call, item, event)
    properties.setdefault("HasBeenProcessed", True)
    properties.setdefault("IsDelegated", False)
    return properties


def _of_the_meeting(call: Call, item: Item, event: Event) -> Value:
    kind = kind_of(item.item_class)
    said = event.properties
    owner = call.world.directory.get(item.account)
    organizer = ((said.get("Organizer") or {}).get("Mailbox") or {}).get("EmailAddress", "")
    zone = zone_of(said)
    proposed = said["Start"], said["End"]
    if ORIGINAL_TIMES in said:
        said = said | dict(zip(("Start", "End"), said[ORIGINAL_TIMES], strict=True))
    value = {name: one for name, one in said.items() if name not in _NOT_SHOWN and name[0] != "@"} | {
        "IsMeeting": True,
        "IsCancelled": bool(said.get("IsCancelled")) or kind.element == "MeetingCancellation",
        "IsRecurring": event.recurrence_id is not None,
        "MeetingRequestWasSent": True,
        "AppointmentSequenceNumber": event.sequence,
        "AppointmentState": 3,
        "Duration": duration_text(said["End"] - said["Start"]),
        "TimeZone": zone.name or zone.id,
        "StartTimeZoneId": zone.id,
        "EndTimeZoneId": zone.id,
        "StartWallClock": said["Start"],
        "EndWallClock": said["End"],
        "IsOrganizer": isinstance(owner, Account) and is_account(call.world, organizer, owner),
        "MyResponseType": "NoResponseReceived",
        "ResponseType": "NoResponseReceived",
        "CalendarItemType": "RecurringMaster" if said.get("Recurrence") else "Exception" if event.recurrence_id else "Single",
    }
    if kind.element == "MeetingRequest":
        value["IntendedFreeBusyStatus"] = said.get("IntendedFreeBusyStatus") or said.get("LegacyFreeBusyStatus") or "Busy"
        value["LegacyFreeBusyStatus"] = "Tentative"
        value["MeetingRequestType"] = (item.beside or {}).get("MeetingRequestType", "NewMeetingRequest")
    if kind.element == "MeetingResponse":
        how = answer_of(event)[1]
        value["ResponseType"] = "Tentative" if how == "Unknown" else how
        calendar = calendar_in(call, item)
        if calendar is not None and calendar.method == "COUNTER":
            value |= {"ProposedStart": proposed[0], "ProposedEnd": proposed[1]}
    if event.recurrence_id is not None:
        value |= {"RecurrenceId": event.recurrence_id, "OriginalStart": event.recurrence_id}
    children = type_named(kind.type).children
    return {name: one for name, one in value.items() if name in children}


def update(call: Call, item: Item, before: Value, after: Value, _: Value) -> Value:
    """A message that loses its octets keeps what they said of the meeting."""
    event = event_of(call, item)
    if event is not None and not {name.partition(" ")[0] for name in changed_names(before, after)} <= BESIDE | {
        "IsRead",
        "ItemClass",
    }:
        return _of_the_meeting(call, item, event) | after
    return after


def respond(call: Call, item: Item, properties: Value) -> list[tuple[str, Value]]:
    """What can be answered."""
    element = kind_of(item.item_class).element
    found: list[tuple[str, Value]] = [(name, {}) for name in ("ReplyToItem", "ReplyAllToItem", "ForwardItem")]
    if element == "MeetingCancellation":
        return [*found, ("RemoveItem", {})]
    if element != "MeetingRequest" or properties.get("IsOrganizer"):
        return found
    answers: list[tuple[str, Value]] = [(name, {}) for name in ("AcceptItem", "TentativelyAcceptItem", "DeclineItem")]
    if call.version >= Version.EXCHANGE_2013_SP1 and properties.get("AllowNewTimeProposal") is not False:
        found.append(("ProposeNewTime", {}))
    return [*answers, *found]


def deleted(call: Call, item: Item, request: Value) -> None:
    """RemoveItem takes the cancelled meeting out of the calendar too."""
    if not request.get("RemoveItem"):
        return
    target = associated(call, item)
    if target is not None and (target.properties or {}).get("IsCancelled"):
        if target.account != canonical(call.account.address):
            check_delegate(call, call.world.directory.account(target.account), "Remove")
        move(call, target, call.store.folder(item.account, Role.DELETED))


# -- made for one answer: what depends on the calendar


def represented(call: Call, item: Item) -> Account | None:
    """For whom a notice came: the owner of the mailbox that it lies in, of a delegate's copy the owner of the calendar."""
    copied = (item.properties or item.beside or {}).get("ReceivedRepresenting")
    address = ((copied or {}).get("Mailbox") or {}).get("EmailAddress") if copied else item.account
    found = call.world.directory.get(address or item.account)
    return found if isinstance(found, Account) else None


def check_delegate(call: Call, owner: Account, how: str) -> None:
    """Raises EwsError ErrorCalendarIsDelegatedFor... where the caller may not answer for the owner: that needs the right to edit the calendar."""
    folder = call.store.folder(canonical(owner.address), Role.CALENDAR)
    if not allowed(folder, call.account.address, "edit"):
        raise EwsError(f"ErrorCalendarIsDelegatedFor{how}")


def associated(call: Call, item: Item) -> Item | None:
    """The appointment that the notice is about: in the same mailbox, for a delegate's copy in that of the owner."""
    event, owner = event_of(call, item), represented(call, item)
    uid = event.uid if event is not None else (item.properties or {}).get("UID", "")
    return find_meeting(call.world, canonical(owner.address), uid) if uid and owner is not None else None


def _associated_id(call: Call, item: Item, _: Value, __: Any) -> Value | None:
    from postroom_simulator.ews.items.view import item_id

    found = associated(call, item)
    return item_id(found) if found is not None else None


def is_out_of_date(call: Call, item: Item) -> bool:
    """Whether the calendar knows a newer version of the meeting."""
    event, found = event_of(call, item), associated(call, item)
    return event is not None and found is not None and event.sequence < sequence_of(found.properties or {})


LATE: Mapping[str, Callable[[Call, Item, Value, Any], Any]] = MappingProxyType(
    {
        **CONFLICTS,
        "AssociatedCalendarItemId": _associated_id,
        "IsOutOfDate": lambda call, item, _, __: is_out_of_date(call, item),
    }
)
