"""Kinds of items: element, type, and what each base shape holds (ews reference 7, 8; MS-OXWSCORE 2.2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["ITEM_DEFAULT", "KINDS", "STICKY_NOTE", "Kind", "kind_of", "kind_of_element"]

STICKY_NOTE = "IPM.StickyNote"


@dataclass(frozen=True, slots=True)
class Kind:
    """element, type: of the schema. default: further elements of the Default shape, beside those of every item. heavy: elements that FindItem never gives.
    always: elements that have a value under AllProperties even when nobody set one (the Managed API raises on a missing one)."""

    element: str
    type: str
    item_class: str
    folder_class: str = "IPF.Note"
    default: tuple[str, ...] = ()
    always: tuple[tuple[str, object], ...] = ()


_ITEM_DEFAULT = (
    "ItemId",
    "Subject",
    "Sensitivity",
    "Attachments",
    "HasAttachments",
    "Body",
    "DateTimeSent",
    "DateTimeCreated",
    "ResponseObjects",
    "Size",
)
_MESSAGE_DEFAULT = (
    "From",
    "ToRecipients",
    "CcRecipients",
    "BccRecipients",
    "IsRead",
    "IsReadReceiptRequested",
    "IsDeliveryReceiptRequested",
    "IsResponseRequested",
    "Sender",
    "References",
    "InternetMessageId",
    "IsResend",
    "IsFromMe",
    "IsDraft",
    "IsSubmitted",
    "IsUnmodified",
)
_MEETING_DEFAULT = (
    *_MESSAGE_DEFAULT,
    "AssociatedCalendarItemId",
    "IsDelegated",
    "IsOutOfDate",
    "HasBeenProcessed",
    "ResponseType",
)

_ITEM_ALWAYS = (
    ("Sensitivity", "Normal"),
    ("Importance", "Normal"),
    ("IsSubmitted", False),
    ("IsDraft", False),
    ("IsFromMe", False),
    ("IsResend", False),
    ("IsUnmodified", True),
    ("HasAttachments", False),
    ("ReminderIsSet", False),
    ("ReminderMinutesBeforeStart", "0"),
    ("IsAssociated", False),
    ("Culture", "en-US"),
)
_MESSAGE_ALWAYS = (
    *_ITEM_ALWAYS,
    ("IsRead", False),
    ("IsReadReceiptRequested", False),
    ("IsDeliveryReceiptRequested", False),
    ("IsResponseRequested", False),
)
_MEETING_ALWAYS = (
    *_MESSAGE_ALWAYS,
    ("IsDelegated", False),
    ("IsOutOfDate", False),
    ("HasBeenProcessed", False),
    ("ResponseType", "Unknown"),
)
_CALENDAR_ALWAYS = (
    *_ITEM_ALWAYS,
    ("IsAllDayEvent", False),
    ("LegacyFreeBusyStatus", "Busy"),
    ("IsMeeting", False),
    ("IsCancelled", False),
    ("IsRecurring", False),
    ("MeetingRequestWasSent", False),
    ("IsResponseRequested", True),
    ("CalendarItemType", "Single"),
    ("MyResponseType", "Unknown"),
    ("AppointmentSequenceNumber", 0),
    ("AppointmentState", 0),
    ("AllowNewTimeProposal", True),
    ("IsOnlineMeeting", False),
    ("ConferenceType", 0),
)
_TASK_ALWAYS = (
    *_ITEM_ALWAYS,
    ("IsComplete", False),
    ("IsRecurring", False),
    ("IsTeamTask", False),
    ("PercentComplete", 0),
    ("Status", "NotStarted"),
    ("StatusDescription", "Not Started"),
    ("ChangeCount", 1),
    ("DelegationState", "NoMatch"),
    ("IsAssignmentEditable", 0),
)

KINDS: tuple[Kind, ...] = (
    Kind(
        "MeetingRequest",
        "MeetingRequestMessageType",
        "IPM.Schedule.Meeting.Request",
        "IPF.Note",
        (*_MEETING_DEFAULT, "MeetingRequestType", "IntendedFreeBusyStatus", "Start", "End", "Location"),
        _MEETING_ALWAYS,
    ),
    Kind(
        "MeetingCancellation",
        "MeetingCancellationMessageType",
        "IPM.Schedule.Meeting.Canceled",
        "IPF.Note",
        _MEETING_DEFAULT,
        _MEETING_ALWAYS,
    ),
    Kind(
        "MeetingResponse",
        "MeetingResponseMessageType",
        "IPM.Schedule.Meeting.Resp",
        "IPF.Note",
        _MEETING_DEFAULT,
        _MEETING_ALWAYS,
    ),
    Kind("MeetingMessage", "MeetingMessageType", "IPM.Schedule.Meeting", "IPF.Note", _MEETING_DEFAULT, _MEETING_ALWAYS),
    Kind(
        "CalendarItem",
        "CalendarItemType",
        "IPM.Appointment",
        "IPF.Appointment",
        (
            "Start",
            "End",
            "LegacyFreeBusyStatus",
            "Location",
            "CalendarItemType",
            "Organizer",
            "RequiredAttendees",
            "OptionalAttendees",
            "Resources",
            "HasAttachments",
            "IsAllDayEvent",
            "IsMeeting",
            "IsRecurring",
            "Recurrence",
            "MyResponseType",
        ),
        _CALENDAR_ALWAYS,
    ),
    Kind(
        "DistributionList",
        "DistributionListType",
        "IPM.DistList",
        "IPF.Contact",
        ("DisplayName", "FileAs", "ContactSource"),
        _ITEM_ALWAYS,
    ),
    Kind(
        "Contact",
        "ContactItemType",
        "IPM.Contact",
        "IPF.Contact",
        (
            "FileAs",
            "DisplayName",
            "GivenName",
            "CompanyName",
            "EmailAddresses",
            "PhysicalAddresses",
            "PhoneNumbers",
            "ImAddresses",
            "CompleteName",
            "JobTitle",
            "Surname",
        ),
        (*_ITEM_ALWAYS, ("HasPicture", False), ("FileAsMapping", "None")),
    ),
    Kind("Task", "TaskType", "IPM.Task", "IPF.Task", ("DueDate", "PercentComplete", "StartDate", "Status"), _TASK_ALWAYS),
    Kind(
        "PostItem",
        "PostItemType",
        "IPM.Post",
        "IPF.Note",
        ("From", "IsRead", "PostedTime", "Sender"),
        (*_ITEM_ALWAYS, ("IsRead", False)),
    ),
    Kind("Message", "MessageType", "IPM.Note", "IPF.Note", _MESSAGE_DEFAULT, _MESSAGE_ALWAYS),
    Kind("Message", "MessageType", "REPORT.IPM", "IPF.Note", _MESSAGE_DEFAULT, _MESSAGE_ALWAYS),
    # Evolution knows its memos as messages of this class, and only so
    Kind("Message", "MessageType", STICKY_NOTE, "IPF.Note", _MESSAGE_DEFAULT, _MESSAGE_ALWAYS),
)
"""The longest classes first: a class that begins with one of these and a dot is of its kind."""

OTHER = Kind("Item", "ItemType", "IPM", "IPF.Note", (), _ITEM_ALWAYS)
ITEM_DEFAULT = _ITEM_DEFAULT

_BY_ELEMENT: Mapping[str, Kind] = MappingProxyType({one.element: one for one in reversed(KINDS)} | {"Item": OTHER})


def kind_of(item_class: str) -> Kind:
    """By item class, compared without regard to case."""
    folded = item_class.lower()
    for kind in KINDS:
        known = kind.item_class.lower()
        if folded == known or folded.startswith(known + "."):
            return kind
    return OTHER


def kind_of_element(element: str) -> Kind:
    """By element name; an Item that is created becomes a Message (ews reference 8)."""
    return _BY_ELEMENT[element]
