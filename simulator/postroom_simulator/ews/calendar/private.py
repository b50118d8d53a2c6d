"""What others see of a private appointment: when it is, and no more (ews reference 6, 11, 15: ViewPrivateItems; MS-OXWSDLGM 2.2.4.5).

Real servers leave the hiding to some of their front ends; which properties are left, and the subject shown instead, is our choice after what Outlook shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.calendar.occurrences import CHANGED_AT, EXCEPTIONS
from postroom_simulator.ews.errors import EwsError

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call
    from postroom_simulator.store.interface import Item

__all__ = ["SUBJECT", "check_seen", "is_private", "may_view_private", "reduced", "seen_by_caller"]

Value = dict[str, Any]
SUBJECT = "Private Appointment"
_PRIVATE = frozenset({"Private", "Confidential"})
_KEPT = frozenset(
    {
        "CalendarItemType", "DateTimeCreated", "DateTimeReceived", "DateTimeSent", "DateTimeStamp", "DeletedOccurrences", "Duration", "End",
        "EndTimeZone", "EndTimeZoneId", "EndWallClock", "FirstOccurrence", "InstanceKey", "IsAllDayEvent", "IsAssociated", "IsCancelled",
        "IsDraft", "IsFromMe", "IsMeeting", "IsOrganizer", "IsRead", "IsRecurring", "IsSubmitted", "IsUnmodified", "ItemClass", "ItemId",
        "LastModifiedTime", "LastOccurrence", "LegacyFreeBusyStatus", "MeetingTimeZone", "ModifiedOccurrences", "OriginalStart",
        "ParentFolderId", "Recurrence", "RecurrenceId", "SearchKey", "Sensitivity", "Size", "Start", "StartTimeZone", "StartTimeZoneId",
        "StartWallClock", "StoreEntryId", "TimeZone", "UID",
    }
)  # fmt: skip


def is_private(properties: Mapping[str, Any]) -> bool:
    return properties.get("Sensitivity") in _PRIVATE


def may_view_private(owner: Account | None, caller: Account) -> bool:
    """Whether somebody sees private items of a mailbox: its owner, and the delegates who were given that."""
    if owner is None or owner is caller:
        return owner is caller
    delegate = owner.delegation.delegates.get(canonical(caller.address))
    return delegate is not None and delegate.private_items


def seen_by_caller(call: Call, item: Item, properties: Value) -> Value:
    """The properties of an item as who asks may see them."""
    if not item.item_class.startswith("IPM.Appointment") or not is_private(properties):
        return properties
    owner = call.world.directory.get(item.account)
    if may_view_private(owner if isinstance(owner, Account) else None, call.account):
        return properties
    return reduced(properties)


def check_seen(call: Call, item: Item, properties: Mapping[str, Any] | None) -> None:
    """Raises EwsError ErrorAccessDenied where the caller would get more of a private appointment than may be seen: by copying, exporting or opening what
    is attached. `properties`: the item's own."""
    whole = dict(properties or {})
    if seen_by_caller(call, item, whole) is not whole:
        raise EwsError("ErrorAccessDenied", "The appointment is private.")


def reduced(properties: Mapping[str, Any]) -> Value:
    """When, and whether the time is taken."""
    value = {name: one for name, one in properties.items() if name in _KEPT or (name[0] == "@" and name != EXCEPTIONS)}
    value |= {"Subject": SUBJECT, "HasAttachments": False}
    if EXCEPTIONS in properties:
        times = ("Start", "End", CHANGED_AT)
        value[EXCEPTIONS] = {
            key: {name: one[name] for name in times if name in one} for key, one in properties[EXCEPTIONS].items()
        }
    return value
