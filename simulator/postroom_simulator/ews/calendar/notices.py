"""Meeting notices as messages: written, sent and recognized (RFC 6047 iMIP, ews reference 11).

Invitations, updates, cancellations and answers travel as mail with a text/calendar part, inside the world as to the outside: what a mailbox does with
one is `assistant`'s, whoever sent it.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from postroom_simulator.compose import base64_lines, encoded, entity, mailbox, multipart
from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.calendar.ical_read import Event, ICalendar, read_calendar
from postroom_simulator.ews.calendar.ical_write import write_calendar
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.store.interface import Folder, Item, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["CLASSES", "Notice", "calendar_of", "class_of", "keep_draft", "send"]

Value = dict[str, Any]
CLASSES: Mapping[str, str] = {
    "REQUEST": "IPM.Schedule.Meeting.Request",
    "CANCEL": "IPM.Schedule.Meeting.Canceled",
    "Accept": "IPM.Schedule.Meeting.Resp.Pos",
    "Tentative": "IPM.Schedule.Meeting.Resp.Tent",
    "Decline": "IPM.Schedule.Meeting.Resp.Neg",
}
"""Item classes by method, and of answers by their kind."""
_SUBMITTED = frozenset({"submitted"})
_DRAFT = frozenset({"draft"})


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice to send.

    method      REQUEST, CANCEL, REPLY, COUNTER
    events      properties of what it is about
    sender      in whose name it is sent
    by          who sends it on behalf of the sender, None: the sender
    to, cc, also  addresses with names (EmailAddressType); `also` is in no header field
    subject, body  of the message; body: a BodyType
    attendee    who answers (AttendeeType), for an answer
    """

    method: str
    events: tuple[Mapping[str, Any], ...]
    sender: Account
    to: tuple[Value, ...]
    subject: str
    cc: tuple[Value, ...] = ()
    also: tuple[Value, ...] = ()
    body: Value | None = None
    attendee: Value | None = None
    by: Account | None = None


def send(world: World, notice: Notice, *, copy: bool, into: Folder | None = None) -> Item | None:
    """Deliver a notice to everybody it names; with `copy` one lies in the Sent Items of who sends it, or in `into`. Nobody to send to: nothing happens."""
    addresses = list(
        dict.fromkeys(
            box["EmailAddress"] for box in (*notice.to, *notice.cc, *notice.also) if "@" in box.get("EmailAddress", "")
        )
    )
    if not addresses:
        return None
    octets = compose(world, notice)
    world.deliver(notice.sender.address, addresses, octets)
    if not copy:
        return None
    folder = into or world.store.folder(canonical((notice.by or notice.sender).address), Role.SENT)
    kept = world.store.deposit(folder.account, octets, folder=folder.uid, read=True, item_class=_class(notice))
    return world.store.set_flags(kept.uid, _SUBMITTED)


def keep_draft(world: World, notice: Notice, into: Folder | None = None) -> Item:
    """A notice that waits to be sent: in the Drafts of who writes it, or in `into`."""
    folder = into or world.store.folder(canonical((notice.by or notice.sender).address), Role.DRAFTS)
    return world.store.deposit(
        folder.account, compose(world, notice), folder=folder.uid, read=True, item_class=_class(notice), flags=_DRAFT
    )


def _class(notice: Notice) -> str:
    if notice.method in CLASSES:
        return CLASSES[notice.method]
    return CLASSES[(notice.attendee or {}).get("ResponseType", "Tentative")]


def compose(world: World, notice: Notice) -> bytes:
    """The message: the text for people and for calendars beside each other (RFC 6047 §4)."""
    now = world.clock.now()
    attendees = None if notice.attendee is None else [notice.attendee]
    comment = (notice.body or {}).get("", "") if notice.method in ("REPLY", "COUNTER") else ""
    text = write_calendar(notice.events, method=notice.method, now=now, attendees=attendees, comment=comment)
    number, chance = world.ids.number("ews notice"), world.ids.random.getrandbits(64)
    fields = [
        ("From", mailbox(notice.sender.name, notice.sender.address)),
        ("Sender", mailbox(notice.by.name, notice.by.address) if notice.by is not None else ""),
        ("To", _boxes(notice.to)),
        ("Cc", _boxes(notice.cc)),
        ("Subject", encoded(" ".join(notice.subject.split()))),
        ("Thread-Topic", encoded(" ".join(notice.subject.split()))),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<{number:08x}.{chance:016x}.meeting@{world.hostname}>"),
        ("Content-Class", "urn:content-classes:calendarmessage"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="=_meeting-{number:08x}{chance:016x}"'),
    ]
    parts = [_readable(notice.body), _encoded(f"text/calendar; charset=utf-8; method={notice.method}", text)]
    return entity([(name, value) for name, value in fields if value], multipart(f"=_meeting-{number:08x}{chance:016x}", parts))


def _readable(body: Value | None) -> bytes:
    text = (body or {}).get("", "").replace("\r\n", "\n").replace("\n", "\r\n")
    subtype = "html" if (body or {}).get("@BodyType") == "HTML" else "plain"
    return _encoded(f"text/{subtype}; charset=utf-8", text.encode("utf-8", "replace"))


def _encoded(content_type: str, octets: bytes) -> bytes:
    return entity([("Content-Type", content_type), ("Content-Transfer-Encoding", "base64")], base64_lines(octets))


def _boxes(boxes: Iterable[Value]) -> str:
    return ",\r\n ".join(
        mailbox(box.get("Name") or "", box["EmailAddress"]) for box in boxes if "@" in box.get("EmailAddress", "")
    )


# -- recognized


def calendar_of(octets: bytes) -> ICalendar | None:
    """The first text/calendar part of a message that is a meeting notice; None: there is none, or nobody can read it."""
    parsed = email.message_from_bytes(octets, policy=email.policy.compat32)
    part = next((one for one in parsed.walk() if one.get_content_type() == "text/calendar"), None)
    if part is None:
        return None
    payload = part.get_payload(decode=True)
    try:
        found = read_calendar(payload if isinstance(payload, bytes) else b"")
    except EwsError:
        return None
    found.method = found.method or _parameter(part)
    return found if found.method in ("REQUEST", "CANCEL", "REPLY", "COUNTER") and found.events else None


def _parameter(part: Message) -> str:
    given = part.get_param("method")
    return given.upper() if isinstance(given, str) else ""


def class_of(calendar: ICalendar) -> str:
    """The item class of the message."""
    if calendar.method in CLASSES:
        return CLASSES[calendar.method]
    otherwise = CLASSES["Tentative"] if calendar.method == "COUNTER" else "IPM.Note"
    return CLASSES.get(answer_of(calendar.events[0])[1], otherwise)


def answer_of(event: Event) -> tuple[Value | None, str]:
    """Who answers, and how."""
    from postroom_simulator.ews.calendar.appointments import attendees_of

    found = [one for _, one in attendees_of(event.properties)]
    if not found:
        return None, "Unknown"
    return found[0], str(found[0].get("ResponseType", "Unknown"))


def stamp_of(event: Event, otherwise: datetime) -> datetime:
    found = event.properties.get("DateTimeStamp")
    return found if isinstance(found, datetime) else otherwise
