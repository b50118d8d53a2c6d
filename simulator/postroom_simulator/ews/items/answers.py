"""Response objects about meetings: AcceptItem, TentativelyAcceptItem, DeclineItem, ProposeNewTime, CancelCalendarItem (ews reference 8, 11)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.calendar import organizing
from postroom_simulator.ews.calendar.appointments import is_meeting
from postroom_simulator.ews.calendar.assistant import find_meeting, invited, is_account, organizes
from postroom_simulator.ews.calendar.dates import dates_of, drop, keep, occurrence
from postroom_simulator.ews.calendar.occurrences import seconds
from postroom_simulator.ews.calendar.zones import zone_or_utc
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.items.finding import check_right
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.leaving import move
from postroom_simulator.ews.items.meetings import check_delegate, event_of, is_out_of_date, represented
from postroom_simulator.ews.items.replies import referred
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Folder, Item, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["carry_out", "forwarded", "respond"]

Value = dict[str, Any]
_ANSWERS = {
    "AcceptItem": "Accept",
    "TentativelyAcceptItem": "Tentative",
    "DeclineItem": "Decline",
    "ProposeNewTime": "Tentative",
}


def respond(call: Call, request: Value, element: str, value: Value) -> list[tuple[str, Value]]:
    """Carry out a response object; the items of the answer. Raises EwsError."""
    disposition = request.get("@MessageDisposition")
    if disposition is None:
        raise EwsError("ErrorMessageDispositionRequired")
    item = referred(call, value)
    if element == "CancelCalendarItem":
        return _cancel(call, item, value, disposition)
    saved = request.get("SavedItemFolderId")
    into = target_folder(call, saved, "create", missing="ErrorParentFolderNotFound") if saved else None
    changed = carry_out(call, item, element, value, disposition, into)
    return [(kind_of(one.item_class).element, {"ItemId": item_id(one)}) for one in changed]


def _cancel(call: Call, item: Item, value: Value, disposition: str) -> list[tuple[str, Value]]:
    if kind_of(item.item_class).element != "CalendarItem":
        raise EwsError("ErrorInvalidOperation", "Only an appointment is cancelled so.")
    if not _organizes(call, item):
        raise EwsError("ErrorCalendarIsNotOrganizer")
    check_right(call, item, "delete")
    mode = {"SendOnly": "SendOnlyToAll", "SendAndSaveCopy": "SendToAllAndSaveCopy"}.get(disposition, "SendToNone")
    organizing.cancel(call, item, mode, value.get("NewBodyContent") or value.get("Body"))
    if isinstance(item, Occurrence):
        drop(call, item, {"@SendMeetingCancellations": "SendToNone"})
        return []
    gone = move(call, item, call.store.folder(item.account, Role.DELETED))
    return [("CalendarItem", {"ItemId": item_id(gone)})]


def _organizes(call: Call, item: Item) -> bool:
    owner = call.world.directory.get(item.account)
    return isinstance(owner, Account) and organizes(call.world, owner, item.properties or {})


def carry_out(call: Call, item: Item, element: str, value: Value, disposition: str, into: Folder | None = None) -> list[Item]:
    """Answer an invitation or an appointment. The appointment as it is then, the draft of the answer where it is only kept, and the
    invitation where there was one. Raises EwsError.

    A delegate who may edit the owner's calendar answers for the owner, from the calendar or from a copy of the invitation; the answer names both."""
    owner = represented(call, item)
    if owner is None:
        raise EwsError("ErrorNonExistentMailbox")
    how = _ANSWERS[element]
    if canonical(owner.address) != item.account:
        check_delegate(call, owner, how)
    message, target = _what(call, item, owner, how)
    check_right(call, target, "edit")
    properties = dict(target.properties or {})
    if _organizes(call, target):
        raise EwsError(f"ErrorCalendarIsOrganizerFor{how}")
    if properties.get("IsCancelled"):
        raise EwsError(f"ErrorCalendarIsCancelledFor{how}")
    proposed = _proposed(call, value, properties)
    if element == "ProposeNewTime" and proposed is None:
        raise EwsError("ErrorRequiredPropertyMissing", "A proposal names other times: ProposedStart, ProposedEnd.")
    date = datetime.fromtimestamp(target.start, UTC) if isinstance(target, Occurrence) else None
    response = organizing.answer(
        call, owner, properties, how, body=value.get("Body"), proposed=proposed, date=date, disposition=disposition, into=into
    )
    answered = _answered(call, target, properties, how)
    if response is not None and disposition == "SaveOnly":
        answered.append(response)
    if message is not None:
        answered.append(move(call, message, call.store.folder(message.account, Role.DELETED)))
    return answered


def _proposed(call: Call, value: Value, properties: Value) -> tuple[datetime, datetime] | None:
    """Other times, in the zone of the request where none was given."""
    if value.get("ProposedStart") is None and value.get("ProposedEnd") is None:
        return None
    if properties.get("AllowNewTimeProposal") is False:
        raise EwsError("ErrorInvalidOperation", "The organizer takes no proposals of other times.")
    start = value.get("ProposedStart") or properties["Start"]
    end = value.get("ProposedEnd") or start + (properties["End"] - properties["Start"])
    zone = zone_or_utc(call)
    start, end = (one if one.tzinfo is not None else zone.instant(one) for one in (start, end))
    if end < start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    return start, end


def _what(call: Call, item: Item, owner: Account, how: str) -> tuple[Item | None, Item]:
    """The invitation, where it lies in a mailbox still, and the appointment that is answered. Raises EwsError."""
    element = kind_of(item.item_class).element
    if element == "MeetingCancellation":
        raise EwsError(f"ErrorCalendarIsCancelledFor{how}")
    if element == "CalendarItem":
        return _invitation(call, item), item
    event = event_of(call, item)
    if element != "MeetingRequest" or event is None:
        raise EwsError("ErrorInvalidOperation", "There is nothing to answer.")
    if is_out_of_date(call, item):
        raise EwsError("ErrorCalendarMeetingRequestIsOutOfDate")
    organizer = ((event.properties.get("Organizer") or {}).get("Mailbox") or {}).get("EmailAddress", "")
    if is_account(call.world, organizer, owner):
        raise EwsError(f"ErrorCalendarIsOrganizerFor{how}")
    address = canonical(owner.address)
    known = find_meeting(call.world, address, event.uid)
    if known is None:  # it was deleted, and is wanted after all
        folder = call.store.folder(address, Role.CALENDAR)
        known = call.store.create(folder.uid, "IPM.Appointment", invited(event))
    if event.recurrence_id is not None and (known.properties or {}).get("Recurrence"):
        return item, occurrence(known, dates_of(known).by_key(seconds(event.recurrence_id)))
    return item, known


def _invitation(call: Call, item: Item) -> Item | None:
    """The newest request for an appointment that lies in the Inbox; for a date of a series one about that date alone."""
    date = item.start if isinstance(item, Occurrence) else None
    uid = (item.properties or {}).get("UID")
    inbox = call.store.folder(item.account, Role.INBOX)
    for one in reversed(call.store.items(inbox.uid)):
        if kind_of(one.item_class).element == "MeetingRequest":
            event = event_of(call, one)
            if event is None or event.uid != uid:
                continue
            about = seconds(event.recurrence_id) if event.recurrence_id is not None else None
            if date is None or about == date:
                return one
    return None


def _answered(call: Call, target: Item, properties: Value, how: str) -> list[Item]:
    """The appointment as it is after the answer; a declined one goes to Deleted Items."""
    intended = properties.get("IntendedFreeBusyStatus") or "Busy"
    status = {"Accept": intended, "Tentative": "Tentative"}.get(how, "Free")
    changed = properties | {"MyResponseType": how, "LegacyFreeBusyStatus": status, "AppointmentReplyTime": call.now()}
    if isinstance(target, Occurrence):
        if how == "Decline":
            drop(call, target, {})
            return []
        return [keep(call, target, changed)]
    kept = call.store.set_properties(target.uid, changed)
    if how == "Decline":
        kept = move(call, kept, call.store.folder(target.account, Role.DELETED))
    return [kept]


def forwarded(call: Call, item: Item, message: Value, *, copy: bool) -> bool:
    """Send a meeting on to others, as an invitation of its organizer; False for what is no meeting. `message`: the properties of what is written with it."""
    element = kind_of(item.item_class).element
    event = event_of(call, item) if element == "MeetingRequest" else None
    if element == "CalendarItem" and (is_meeting(item.properties or {}) or (item.properties or {}).get("@received")):
        properties = dict(item.properties or {})
    elif event is not None:
        properties = dict(event.properties)
    else:
        return False
    organizing.forward(call, item, call.account, properties, message, copy=copy)
    return True
