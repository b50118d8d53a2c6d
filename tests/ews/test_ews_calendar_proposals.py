"""Other times proposed in answers (ews reference 2, 8, 11; MS-OXWSMTGS 2.2.4.4, 3.1.4.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from calendar_scene import ANN, BOB, CAT, Calendars, at, attendees, calendars, change, daily, numbered, recurrence

from postroom_simulator.ews.calendar.notices import calendar_of

__all__ = ["calendars"]

START, END = datetime(2027, 3, 5, 8, tzinfo=UTC), datetime(2027, 3, 5, 9, tzinfo=UTC)
TIMES = "<t:ProposedStart>2027-03-05T08:00:00Z</t:ProposedStart><t:ProposedEnd>2027-03-05T09:00:00Z</t:ProposedEnd>"


def person(scene: Calendars, item: dict[str, Any] | str, index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = scene.get(item)["RequiredAttendees"]["Attendee"][index]
    return found


@pytest.mark.parametrize(
    ("element", "answer", "item_class"),
    [
        ("AcceptItem", "Accept", "IPM.Schedule.Meeting.Resp.Pos"),
        ("TentativelyAcceptItem", "Tentative", "IPM.Schedule.Meeting.Resp.Tent"),
        ("DeclineItem", "Decline", "IPM.Schedule.Meeting.Resp.Neg"),
        ("ProposeNewTime", "Tentative", "IPM.Schedule.Meeting.Resp.Tent"),
    ],
)
def test_every_answer_may_propose(calendars: Calendars, element: str, answer: str, item_class: str) -> None:
    """Section 8, 11: the organizer's row of the attendee has the answer and the times; the response has the meeting's own times beside."""
    item = calendars.appointment(attendees(BOB, CAT), send="SendOnlyToAll")
    before = calendars.get(item)
    calendars.respond_with(element, calendars.listed("inbox", BOB)[0], TIMES, user=BOB)
    row = person(calendars, item)
    assert (row["ResponseType"], row["ProposedStart"], row["ProposedEnd"]) == (answer, START, END)
    assert "ProposedStart" not in person(calendars, item, 1)
    note = calendars.get(calendars.listed("inbox")[0])
    assert (note["ItemClass"], note["ResponseType"]) == (item_class, answer)
    assert (note["ProposedStart"], note["ProposedEnd"], note["Start"]) == (START, END, before["Start"])
    assert calendars.get(item)["Start"] == before["Start"]


def test_proposals_are_of_2013(calendars: Calendars) -> None:
    """Section 2: an older schema has neither the times nor ProposeNewTime among the response objects."""
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    request = calendars.listed("inbox", BOB)[0]
    names = [name for name, _ in calendars.get(request, user=BOB)["ResponseObjects"]]
    assert "ProposeNewTime" in names
    old = [name for name, _ in calendars.get(request, user=BOB, version="Exchange2010")["ResponseObjects"]]
    assert "ProposeNewTime" not in old
    calendars.respond_with("TentativelyAcceptItem", request, TIMES, user=BOB)
    shown = calendars.get(item, version="Exchange2010_SP2")["RequiredAttendees"]["Attendee"][0]
    assert "ProposedStart" not in shown
    assert shown["ResponseType"] == "Tentative"


def test_a_proposal_goes_out_as_a_counter(calendars: Calendars) -> None:
    """RFC 5546 §3.2.7; the times of the meeting stand beside those that are proposed (MS-OXCICAL)."""
    calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    calendars.respond_with("DeclineItem", calendars.listed("inbox", BOB)[0], TIMES, user=BOB)
    octets = calendars.world.inbox(ANN)[0]
    calendar = calendar_of(octets)
    assert calendar is not None
    assert (calendar.method, calendar.events[0].properties["Start"]) == ("COUNTER", START)


def test_a_later_answer_takes_the_proposal_back(calendars: Calendars) -> None:
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    calendars.respond_with("TentativelyAcceptItem", calendars.listed("inbox", BOB)[0], TIMES, user=BOB)
    calendars.respond_with("AcceptItem", calendars.listed("calendar", BOB)[0], user=BOB)
    row = person(calendars, item)
    assert (row["ResponseType"], "ProposedStart" in row) == ("Accept", False)


def test_a_proposal_for_one_date_of_a_series(calendars: Calendars) -> None:
    item = calendars.appointment(attendees(BOB) + recurrence(daily(), numbered(5)), send="SendOnlyToAll")
    master = calendars.listed("calendar", BOB)[0]
    date = calendars.get(at(master, 2), user=BOB)["ItemId"]
    calendars.respond_with("TentativelyAcceptItem", date, TIMES, user=BOB)
    assert person(calendars, at(item, 2))["ProposedStart"] == START
    assert "ProposedStart" not in person(calendars, at(item, 3))


def test_the_organizer_takes_no_proposals(calendars: Calendars) -> None:
    said = "<t:AllowNewTimeProposal>false</t:AllowNewTimeProposal>"
    item = calendars.appointment(attendees(BOB) + said, send="SendOnlyToAll")
    request = calendars.listed("inbox", BOB)[0]
    assert "ProposeNewTime" not in [name for name, _ in calendars.get(request, user=BOB)["ResponseObjects"]]
    message = calendars.respond_with("TentativelyAcceptItem", request, TIMES, user=BOB)
    assert message["ResponseCode"] == "ErrorInvalidOperation"
    assert person(calendars, item)["ResponseType"] == "Unknown"


def test_a_proposal_that_ends_before_it_starts(calendars: Calendars) -> None:
    calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    times = "<t:ProposedStart>2027-03-05T08:00:00Z</t:ProposedStart><t:ProposedEnd>2027-03-05T07:00:00Z</t:ProposedEnd>"
    message = calendars.respond_with("AcceptItem", calendars.listed("inbox", BOB)[0], times, user=BOB)
    assert message["ResponseCode"] == "ErrorCalendarEndDateIsEarlierThanStartDate"


def test_a_meeting_at_another_time_forgets_proposals(calendars: Calendars) -> None:
    """Section 11: updates raise the sequence number; everybody is asked anew."""
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    calendars.respond_with("TentativelyAcceptItem", calendars.listed("inbox", BOB)[0], TIMES, user=BOB)
    moved = change("calendar:Start", "<t:Start>2027-03-05T08:00:00Z</t:Start>") + change(
        "calendar:End", "<t:End>2027-03-05T09:00:00Z</t:End>"
    )
    calendars.updated(item, moved, "SendOnlyToAll")
    assert "ProposedStart" not in person(calendars, item)


def test_a_proposal_names_times(calendars: Calendars) -> None:
    """As an element of its own (section 8); an older version of the schema does not have it."""
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    request = calendars.listed("inbox", BOB)[0]
    message = calendars.respond_with("ProposeNewTime", request, user=BOB)
    assert message["ResponseCode"] == "ErrorRequiredPropertyMissing"
    asked = f'<CreateItem MessageDisposition="SendOnly"><Items><t:ProposeNewTime><t:ReferenceItemId Id="{request["@Id"]}"/>{TIMES}</t:ProposeNewTime></Items></CreateItem>'
    assert calendars.code(asked, user=BOB, version="Exchange2013") == "ErrorIncorrectSchemaVersion"
    assert person(calendars, item)["ResponseType"] == "Unknown"
