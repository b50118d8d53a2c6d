"""Calendars from Python, without a client: appointments, meetings, answers and tasks put into mailboxes, and a list of who was told what. For tests,
population and imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.calendar.notices import answer_of, calendar_of
from postroom_simulator.ews.call import Call
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.kinds import kind_of_element
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from datetime import datetime

    from postroom_simulator.world import World

__all__ = ["Told", "add_appointment", "add_event", "add_task", "answer_meeting", "assert_told", "told"]

Value = dict[str, Any]
_ANSWERS = {"Accept": "AcceptItem", "Tentative": "TentativelyAcceptItem", "Decline": "DeclineItem"}


def call_as(world: World, address: str) -> Call:
    """A call of somebody, as if a request had come. Raises UnknownAccount."""
    account = world.directory.account(address)
    return Call(world, world.ews, account, account, world.ews.server.newest, world.ews.server)


def add_appointment(
    world: World,
    address: str,
    subject: str,
    start: datetime,
    end: datetime,
    *,
    attendees: Iterable[str] = (),
    zone: str = "UTC",
    send: bool = True,
    **elements: Any,
) -> Item:
    """An appointment in somebody's calendar; with attendees a meeting, whose invitations go out when `send`. `zone`: of naive times, and of a series.
    `elements`: any others of CalendarItem, as the schema has them. Raises UnknownAccount, EwsError."""
    people = [{"Mailbox": {"EmailAddress": one}} for one in attendees]
    value: Value = {"Subject": subject, "Start": start, "End": end, "StartTimeZone": {"@Id": zone}, **elements}
    if people:
        value["RequiredAttendees"] = {"Attendee": people}
    return add_event(world, address, value, send=send)


def add_event(world: World, address: str, value: Mapping[str, Any], *, send: bool = False) -> Item:
    """An appointment with these properties. Raises UnknownAccount, EwsError."""
    from postroom_simulator.ews.items import calendar

    with world.lock:
        call = call_as(world, address)
        folder = world.store.folder(canonical(call.account.address), Role.CALENDAR)
        properties = calendar.prepare(call, dict(value), False)
        item = world.store.create(folder.uid, kind_of_element("CalendarItem").item_class, properties)
        calendar.created(call, item, {"@SendMeetingInvitations": "SendToAllAndSaveCopy" if send else "SendToNone"})
        return world.store.item(item.uid)


def answer_meeting(world: World, address: str, uid: str, answer: str, *, text: str = "") -> None:
    """Answer, as somebody, the meeting with this UID in his calendar: Accept, Tentative, Decline. Raises UnknownAccount, EwsError."""
    from postroom_simulator.ews.calendar.assistant import find_meeting
    from postroom_simulator.ews.items.answers import carry_out

    with world.lock:
        call = call_as(world, address)
        item = find_meeting(world, canonical(call.account.address), uid)
        if item is None:
            raise EwsError("ErrorItemNotFound")
        body = {"Body": {"@BodyType": "Text", "": text}} if text else {}
        carry_out(call, item, _ANSWERS[answer], body, "SendAndSaveCopy")


def add_task(world: World, address: str, subject: str, **elements: Any) -> Item:
    """A task in somebody's task folder. `elements`: any others of Task, as the schema has them. Raises UnknownAccount, EwsError."""
    from postroom_simulator.ews.items import tasks

    with world.lock:
        call = call_as(world, address)
        folder = world.store.folder(canonical(call.account.address), Role.TASKS)
        return world.store.create(folder.uid, "IPM.Task", tasks.prepare(call, {"Subject": subject, **elements}, False))


# -- who was told


@dataclass(frozen=True, slots=True)
class Told:
    """One meeting notice that reached somebody. method: REQUEST, CANCEL, REPLY, COUNTER. answer: Accept, Tentative, Decline of an answer, else "".
    recipient: the mailbox's address, or that of an envelope that left."""

    recipient: str
    method: str
    subject: str
    uid: str
    sequence: int = 0
    answer: str = ""


def told(world: World, recipient: str = "") -> list[Told]:
    """The meeting notices that mailboxes have, in any folder but Sent Items, and those in the outbound drawer; of one recipient, or of all. Mailboxes in the
    order of the directory, notices in order of arrival."""
    found: list[Told] = []
    for account in world.directory.accounts():
        folders = [one.uid for one in world.store.folders(account.address) if one.role is not Role.SENT]
        items = [
            item
            for uid in folders
            for item in world.store.items(uid)
            if item.digest and item.item_class.startswith("IPM.Schedule.")
        ]
        for item in sorted(items, key=lambda item: item.uid):
            found += _told(account.address, world.store.octets(item.uid))
    for lies in world.store.outbound():
        for address in lies.recipients:
            found += _told(address, world.store.outbound_octets(lies.uid))
    return [one for one in found if not recipient or canonical(one.recipient) == canonical(recipient)]


def assert_told(world: World, recipient: str, method: str, *, times: int | None = None, **facts: Any) -> list[Told]:
    """The notices of a method that a recipient has, with these other facts of `Told`: at least one, or so many `times`. AssertionError says what there is."""
    there = told(world, recipient)
    found = [one for one in there if one.method == method and all(getattr(one, name) == value for name, value in facts.items())]
    if len(found) != times if times is not None else not found:
        wanted = " ".join([method, *(f"{name}={value!r}" for name, value in facts.items())])
        rows = (
            "".join(f"\n  {one.method} {one.subject!r} sequence={one.sequence} answer={one.answer!r}" for one in there)
            or " nothing"
        )
        raise AssertionError(
            f"{recipient} was told {len(found)} times, not {'at all' if times is None else times}: {wanted}. There is:{rows}"
        )
    return found


def _told(recipient: str, octets: bytes) -> list[Told]:
    calendar = calendar_of(octets)
    if calendar is None:
        return []
    event = calendar.events[0]
    answer = answer_of(event)[1] if calendar.method in ("REPLY", "COUNTER") else ""
    return [Told(recipient, calendar.method, str(event.properties.get("Subject") or ""), event.uid, event.sequence, answer)]
