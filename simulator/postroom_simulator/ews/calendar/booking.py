"""Rooms and other resources: they answer invitations by themselves (ews reference 11; the calendar attendant's documented settings).

What a room takes is in `Account.booking`. It declines what runs into another meeting, what is too long, and what is too far ahead.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from postroom_simulator.directory import Account, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews.calendar.expansion import overlapping
from postroom_simulator.ews.calendar.ical_read import ICalendar
from postroom_simulator.ews.calendar.occurrences import Dates
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["attend"]

_LOOKED_AT = 1000
"""Dates of a series that are looked at for conflicts (our choice)."""


def attend(world: World, account: Account, calendar: ICalendar, notice: Item) -> Item:
    """Answer an invitation that is in the room's calendar by now; take a cancelled meeting out of it. The notice as it is then."""
    if not account.booking.automatic:
        return notice
    uid = calendar.events[0].uid
    item = world.ews.meetings.find(world.store.folder(canonical(account.address), Role.CALENDAR).uid, uid)
    if item is None:
        return notice
    if calendar.method == "CANCEL":
        if (item.properties or {}).get("IsCancelled"):
            deleted = world.store.folder(item.account, Role.DELETED).uid
            world.store.move(item.uid, deleted)
            return world.store.move(notice.uid, deleted)
    elif calendar.method == "REQUEST":
        with contextlib.suppress(EwsError, StoreError):  # an old request; no room for the answer
            return _answer(world, account, item, notice)
    return notice


def _answer(world: World, account: Account, item: Item, notice: Item) -> Item:
    from postroom_simulator.ews.calendar.adding import call_as
    from postroom_simulator.ews.items.answers import carry_out

    why = refusal(world, account, item)
    text = f"Your request was declined: {why}" if why else "Your request was accepted."
    body = {"Body": {"@BodyType": "Text", "": text}}
    call = call_as(world, account.address)
    carried = carry_out(call, notice, "DeclineItem" if why else "AcceptItem", body, "SendOnly")
    if not why and account.booking.organizer_as_subject:
        _hide(world, item.uid)
    return carried[-1]


def _hide(world: World, uid: int) -> None:
    """Whoever looks at a room's calendar sees who booked it, and not what for (the defaults AddOrganizerToSubject, DeleteComments)."""
    properties = dict(world.store.item(uid).properties or {})
    box = (properties.get("Organizer") or {}).get("Mailbox") or {}
    properties["Subject"] = box.get("Name") or box.get("EmailAddress") or properties.get("Subject") or ""
    properties.pop("Body", None)
    world.store.set_properties(uid, properties)


def refusal(world: World, account: Account, item: Item) -> str:
    """Why the room cannot take a meeting, "" when it can."""
    booking, properties = account.booking, item.properties or {}
    if properties["End"] - properties["Start"] > timedelta(minutes=booking.longest_minutes):
        return f"the meeting is longer than {booking.longest_minutes} minutes."
    if properties.get("Recurrence") and not booking.recurring:
        return "the room takes no recurring meetings."
    horizon = world.clock.now() + timedelta(days=booking.window_days)
    for start, end in _times(item, _LOOKED_AT):
        if start > horizon:
            return f"the meeting is more than {booking.window_days} days ahead."
        if not booking.conflicts and next(_taken(world, item, start, end), None) is not None:
            return "the room is taken at that time."
    if properties.get("Recurrence") and Dates(properties).series.endless:
        return f"the meeting has no end, and the room takes none more than {booking.window_days} days ahead."
    return ""


def _times(item: Item, most: int) -> Iterator[tuple[datetime, datetime]]:
    """When a meeting is; of a series the first dates."""
    properties = item.properties or {}
    if not properties.get("Recurrence"):
        yield properties["Start"], properties["End"]
        return
    dates = Dates(properties)
    for day in itertools.islice(dates.series.dates(), most):
        one = dates.plain(day)
        if one.key not in dates.deleted:
            changed = dates.exceptions.get(one.key, {})
            yield changed.get("Start", one.start), changed.get("End", one.end)


def _taken(world: World, item: Item, start: datetime, end: datetime) -> Iterator[Item]:
    """What else is in the calendar at that time and is no free time."""
    uid = (item.properties or {}).get("UID")
    for one in overlapping(world.store, world.store.folder_by_uid(item.folder), start, end):
        properties = one.properties or {}
        other = properties.get("UID") != uid and properties.get("LegacyFreeBusyStatus") != "Free"
        if other and properties["Start"] < end and properties["End"] > start:
            yield one
