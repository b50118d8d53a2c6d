"""Rooms that answer by themselves (ews reference 11, 15; settings as the calendar attendant of servers has them)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from calendar_scene import ANN, BOB, Calendars, attendees, calendars, change, daily, numbered, recurrence

__all__ = ["calendars"]

ROOM = "atlas@sim.test"


@pytest.fixture
def room(calendars: Calendars) -> Calendars:
    account = calendars.world.add_account(ROOM, "pw", name="Atlas")
    account.is_room = True
    account.booking.window_days = 10_000
    return calendars


def booked(scene: Calendars, user: str = ANN, extra: str = "", **how: Any) -> dict[str, Any]:
    return scene.appointment(attendees(ROOM, kind="Resources") + extra, send="SendOnlyToAll", user=user, **how)


def answer(scene: Calendars, item: dict[str, Any], user: str = ANN) -> str:
    return str(scene.get(item, user=user)["Resources"]["Attendee"][0]["ResponseType"])


def test_a_room_that_is_free_accepts(room: Calendars) -> None:
    """Section 11: the organizer receives a MeetingResponse, and the attendee's ResponseType is on the organizer's item."""
    item = booked(room)
    assert answer(room, item) == "Accept"
    assert room.notices(ANN) == ["MeetingResponse"]
    (kept,) = room.listed("calendar", ROOM)
    own = room.get(kept, user=ROOM)
    assert (own["MyResponseType"], own["LegacyFreeBusyStatus"], own["Subject"]) == ("Accept", "Busy", "Ann Alder")
    assert room.notices(ROOM) == []
    assert room.notices(ROOM, "deleteditems") == ["MeetingRequest"]


def test_a_room_that_is_taken_declines(room: Calendars) -> None:
    """Section 11: decline removes the calendar item."""
    booked(room)
    item = booked(room, BOB, start="2027-03-01T09:30:00", end="2027-03-01T11:00:00")
    assert answer(room, item, BOB) == "Decline"
    assert len(room.listed("calendar", ROOM)) == 1
    later = booked(room, BOB, start="2027-03-01T10:00:00", end="2027-03-01T11:00:00")
    assert answer(room, later, BOB) == "Accept"


def test_one_date_that_is_taken_declines_the_series(room: Calendars) -> None:
    booked(room, start="2027-03-03T09:00:00", end="2027-03-03T10:00:00")
    item = booked(room, BOB, recurrence(daily(), numbered(5)))
    assert answer(room, item, BOB) == "Decline"
    item = booked(room, BOB, recurrence(daily(), numbered(2)))
    assert answer(room, item, BOB) == "Accept"


@pytest.mark.parametrize(
    ("setting", "value", "extra"),
    [
        ("window_days", 1, ""),
        ("longest_minutes", 59, ""),
        ("recurring", False, recurrence(daily(), numbered(2))),
        ("conflicts", False, recurrence(daily())),
    ],
)
def test_what_a_room_does_not_take(room: Calendars, setting: str, value: Any, extra: str) -> None:
    """Too far ahead, too long, recurring, without end."""
    setattr(room.world.directory.account(ROOM).booking, setting, value)
    assert answer(room, booked(room, extra=extra)) == "Decline"


def test_a_room_may_be_booked_twice_or_by_hand(room: Calendars) -> None:
    booking = room.world.directory.account(ROOM).booking
    booking.conflicts, booking.organizer_as_subject = True, False
    booked(room)
    assert answer(room, booked(room, BOB), BOB) == "Accept"
    assert {room.get(one, user=ROOM)["Subject"] for one in room.listed("calendar", ROOM)} == {"plan"}
    booking.automatic = False
    assert answer(room, booked(room, BOB), BOB) == "Unknown"
    assert room.notices(ROOM) == ["MeetingRequest"]


def test_a_meeting_that_moves_is_looked_at_again_and_a_cancelled_one_leaves(room: Calendars) -> None:
    booked(room, BOB, start="2027-03-02T09:00:00", end="2027-03-02T10:00:00")
    item = booked(room)
    moved = change("calendar:Start", "<t:Start>2027-03-02T08:00:00Z</t:Start>") + change(
        "calendar:End", "<t:End>2027-03-02T09:00:00Z</t:End>"
    )
    item = room.updated(item, moved, "SendOnlyToAll")
    assert answer(room, item) == "Decline"
    back = change("calendar:Start", "<t:Start>2027-03-01T08:00:00Z</t:Start>") + change(
        "calendar:End", "<t:End>2027-03-01T09:00:00Z</t:End>"
    )
    room.updated(room.get(item)["ItemId"], back, "SendOnlyToAll")
    assert answer(room, item) == "Accept"
    room.delete(item, "SendOnlyToAll")
    assert [room.get(one, user=ROOM)["Start"] for one in room.listed("calendar", ROOM)] == [datetime(2027, 3, 2, 8, tzinfo=UTC)]
