"""What the address book tells of somebody, and whom a mailbox is entrusted to: values of `Account` and `Group`, known to no protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["PHONES", "Booking", "Delegate", "Delegation", "MeetingRequests", "Profile"]

PHONES = (
    "AssistantPhone",
    "BusinessFax",
    "BusinessPhone",
    "BusinessPhone2",
    "HomePhone",
    "HomePhone2",
    "MobilePhone",
    "OtherTelephone",
    "Pager",
)  # fmt: skip
"""The kinds of telephone number that a directory keeps of somebody (MS-OXWSCONT 2.2.5.5 names them so)."""

MeetingRequests = Literal["DelegatesOnly", "DelegatesAndMe", "DelegatesAndSendInformationToMe", "NoForward"]
"""Where meeting requests for a mailbox with delegates go (MS-OXWSDLGM 2.2.5.1)."""


@dataclass(slots=True)
class Profile:
    """A directory entry besides name and addresses. Texts are "" where nothing is known.

    manager      address of an account
    phones       number by kind, one of `PHONES`
    photo        octets of an image file, b"" for none
    photos       the same in other sizes, by their codes: "HR48x48" ... "HR648x648"
    hidden       left out of every search of the address book, though mail still comes in
    mail_tip     text that senders are shown before they send
    restricted   senders are told that delivery is restricted; mail comes in all the same
    moderated    senders are told that messages are looked at first; mail comes in all the same
    """

    given_name: str = ""
    surname: str = ""
    initials: str = ""
    title: str = ""
    department: str = ""
    company: str = ""
    office: str = ""
    manager: str = ""
    assistant: str = ""
    phones: dict[str, str] = field(default_factory=dict)
    street: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    notes: str = ""
    photo: bytes = field(default=b"", repr=False)
    photos: dict[str, bytes] = field(default_factory=dict, repr=False)
    hidden: bool = False
    mail_tip: str = ""
    restricted: bool = False
    moderated: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.phones) - set(PHONES)
        if unknown:
            raise ValueError(f"no kind of telephone number: {', '.join(sorted(unknown))}; known: {', '.join(PHONES)}")


@dataclass(frozen=True, slots=True)
class Delegate:
    """Somebody a mailbox is entrusted to. What they may do in its folders is in the folders' permissions.

    address         canonical
    meeting_copies  gets copies of the owner's meeting messages
    private_items   sees items that are marked private
    """

    address: str
    meeting_copies: bool = False
    private_items: bool = False


@dataclass(slots=True)
class Booking:
    """How a room answers invitations (the calendar attendant's settings, with its defaults).

    automatic        it answers by itself; else invitations wait in its calendar as everybody's do
    conflicts        it may be booked twice
    recurring        it takes recurring meetings
    window_days      so far ahead it can be booked
    longest_minutes  of one meeting
    organizer_as_subject  the calendar shows who booked instead of what for
    """

    automatic: bool = True
    conflicts: bool = False
    recurring: bool = True
    window_days: int = 180
    longest_minutes: int = 1440
    organizer_as_subject: bool = True


@dataclass(slots=True)
class Delegation:
    """The delegates of one mailbox, in the order in which they came."""

    delegates: dict[str, Delegate] = field(default_factory=dict)
    meeting_requests: MeetingRequests = "DelegatesAndSendInformationToMe"
