"""Meetings between mailboxes, and with the outside (ews reference 8, 11), sentence by sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from calendar_scene import ANN, BOB, CAT, Calendars, at, attendees, calendars, change, daily, numbered, recurrence

from postroom_simulator.ews.calendar.notices import calendar_of
from postroom_simulator.people import Delegate

__all__ = ["calendars"]

MOVE = change("calendar:Start", "<t:Start>2027-03-02T08:00:00Z</t:Start>") + change(
    "calendar:End", "<t:End>2027-03-02T09:00:00Z</t:End>"
)
PLACE = change("calendar:Location", "<t:Location>there</t:Location>")


def meeting(scene: Calendars, *people: str, send: str = "SendToAllAndSaveCopy", extra: str = "") -> dict[str, Any]:
    return scene.appointment(attendees(*(people or (BOB,))) + extra, send=send)


def got(scene: Calendars, folder: str = "calendar", user: str = BOB, index: int = -1) -> dict[str, Any]:
    return scene.get(scene.listed(folder, user)[index], user=user)


def answers(scene: Calendars, item: dict[str, Any]) -> list[str]:
    return [one["ResponseType"] for one in scene.get(item)["RequiredAttendees"]["Attendee"]]


def test_nothing_is_sent_when_nobody_is_to_be_told(calendars: Calendars) -> None:
    item = meeting(calendars, send="SendToNone")
    assert calendars.notices(BOB) == calendars.listed("calendar", BOB) == []
    assert calendars.get(item)["MeetingRequestWasSent"] is False


@pytest.mark.parametrize(("send", "copies"), [("SendOnlyToAll", 0), ("SendToAllAndSaveCopy", 1)])
def test_an_invitation_lies_in_the_inbox_and_in_the_calendar(calendars: Calendars, send: str, copies: int) -> None:
    item = meeting(calendars, send=send)
    sent = calendars.get(item)
    assert sent["MeetingRequestWasSent"] is True
    assert (sent["MyResponseType"], sent["IsMeeting"], sent["AppointmentState"]) == ("Organizer", True, 1)
    assert calendars.notices(ANN, "sentitems") == ["MeetingRequest"] * copies
    request, own = got(calendars, "inbox"), got(calendars)
    assert (request["ItemClass"], request["MeetingRequestType"]) == ("IPM.Schedule.Meeting.Request", "NewMeetingRequest")
    assert request["AssociatedCalendarItemId"] == own["ItemId"]
    assert (request["UID"], request["Start"], request["Subject"]) == (sent["UID"], sent["Start"], "plan")
    assert (own["UID"], own["MyResponseType"], own["LegacyFreeBusyStatus"]) == (sent["UID"], "NoResponseReceived", "Tentative")
    assert (own["IsOrganizer"], own["Organizer"]["Mailbox"]["Name"], own["AppointmentState"]) == (False, "Ann Alder", 3)
    calendar = calendar_of(calendars.world.inbox(BOB)[0])
    assert calendar is not None
    assert calendar.method == "REQUEST"


def test_invitations_to_the_outside_go_out_as_mail(calendars: Calendars) -> None:
    meeting(calendars, BOB, "x@out.test")
    (lies,) = calendars.world.store.outbound()
    assert lies.recipients == ("x@out.test",)
    calendar = calendar_of(calendars.world.store.outbound_octets(lies.uid))
    assert calendar is not None
    assert calendar.events[0].properties["Organizer"]["Mailbox"]["EmailAddress"] == ANN


@pytest.mark.parametrize(
    ("element", "answer", "status", "state"),
    [
        ("AcceptItem", "Accept", "Busy", "IPM.Schedule.Meeting.Resp.Pos"),
        ("TentativelyAcceptItem", "Tentative", "Tentative", "IPM.Schedule.Meeting.Resp.Tent"),
    ],
)
def test_an_answer_reaches_both_calendars(calendars: Calendars, element: str, answer: str, status: str, state: str) -> None:
    item = meeting(calendars)
    calendars.world.clock.sleep(60)
    request = calendars.listed("inbox", BOB)[0]
    assert calendars.respond_with(element, request, user=BOB)["ResponseCode"] == "NoError"
    own = got(calendars)
    assert (own["MyResponseType"], own["LegacyFreeBusyStatus"]) == (answer, status)
    assert own["AppointmentReplyTime"] == calendars.world.clock.now()
    assert calendars.notices(BOB) == []
    assert calendars.notices(BOB, "deleteditems") == ["MeetingRequest"]
    assert calendars.notices(BOB, "sentitems") == ["MeetingResponse"]
    response = got(calendars, "inbox", ANN)
    assert (response["ItemClass"], response["ResponseType"]) == (state, answer)
    assert response["AssociatedCalendarItemId"]["@Id"] == item["@Id"]
    person = calendars.get(item)["RequiredAttendees"]["Attendee"][0]
    assert (person["ResponseType"], person["LastResponseTime"]) == (answer, calendars.world.clock.now())


def test_declining_removes_it_from_the_calendar(calendars: Calendars) -> None:
    item = meeting(calendars)
    calendars.respond_with("DeclineItem", calendars.listed("inbox", BOB)[0], user=BOB)
    assert calendars.listed("calendar", BOB) == []
    assert answers(calendars, item) == ["Decline"]


@pytest.mark.parametrize(("disposition", "told", "kept"), [("SaveOnly", 0, 0), ("SendOnly", 1, 0), ("SendAndSaveCopy", 1, 1)])
def test_the_disposition_decides_whether_an_answer_is_sent(
    calendars: Calendars, disposition: str, told: int, kept: int
) -> None:
    item = meeting(calendars)
    calendars.respond_with("AcceptItem", calendars.listed("inbox", BOB)[0], disposition=disposition, user=BOB)
    assert len(calendars.notices(ANN)) == told
    assert len(calendars.notices(BOB, "sentitems")) == kept
    assert got(calendars)["MyResponseType"] == "Accept"
    assert answers(calendars, item) == ["Accept" if told else "Unknown"]


def test_an_appointment_can_be_answered_itself(calendars: Calendars) -> None:
    item = meeting(calendars)
    calendars.respond_with("AcceptItem", calendars.listed("calendar", BOB)[0], user=BOB)
    assert answers(calendars, item) == ["Accept"]
    assert calendars.notices(BOB) == []


@pytest.mark.parametrize(
    ("element", "word"), [("AcceptItem", "Accept"), ("TentativelyAcceptItem", "Tentative"), ("DeclineItem", "Decline")]
)
def test_the_organizer_does_not_answer(calendars: Calendars, element: str, word: str) -> None:
    item = calendars.get(meeting(calendars), shape="IdOnly")["ItemId"]
    assert calendars.respond_with(element, item)["ResponseCode"] == f"ErrorCalendarIsOrganizerFor{word}"


def test_an_answer_needs_what_it_answers(calendars: Calendars) -> None:
    code = calendars.code('<CreateItem MessageDisposition="SendOnly"><Items><t:AcceptItem/></Items></CreateItem>')
    assert code == "ErrorMissingInformationReferenceItemId"
    meeting(calendars)
    request = calendars.listed("inbox", BOB)[0]
    calendars.world.store.set_read(
        [calendars.world.store.items(calendars.world.store.folder(BOB, role("inbox")).uid)[0].uid], True
    )
    assert calendars.respond_with("AcceptItem", request, user=BOB)["ResponseCode"] == "ErrorStaleObject"


def role(name: str) -> Any:
    from postroom_simulator.store.interface import Role

    return Role(name)


def test_an_update_has_the_next_number_and_older_requests_are_out_of_date(calendars: Calendars) -> None:
    item = meeting(calendars)
    assert got(calendars, "inbox")["IsOutOfDate"] is False
    calendars.respond_with("AcceptItem", calendars.listed("calendar", BOB)[0], user=BOB)
    item = calendars.updated({"@Id": item["@Id"]}, MOVE, "SendToAllAndSaveCopy")
    assert calendars.get(item)["AppointmentSequenceNumber"] == 1
    new = got(calendars, "inbox")
    assert (new["MeetingRequestType"], new["IsOutOfDate"]) == ("FullUpdate", False)
    own = got(calendars)
    assert (own["Start"], own["MyResponseType"]) == (datetime(2027, 3, 2, 8, tzinfo=UTC), "NoResponseReceived")
    assert answers(calendars, item) == ["Unknown"]


def test_an_old_request_cannot_be_answered(calendars: Calendars) -> None:
    item = meeting(calendars)
    old = calendars.listed("inbox", BOB)[0]
    calendars.updated(item | {"@ChangeKey": calendars.get(item)["ItemId"]["@ChangeKey"]}, MOVE, "SendOnlyToAll")
    assert calendars.get(old, user=BOB)["IsOutOfDate"] is True
    assert calendars.respond_with("AcceptItem", old, user=BOB)["ResponseCode"] == "ErrorCalendarMeetingRequestIsOutOfDate"
    assert calendars.respond_with("AcceptItem", calendars.listed("inbox", BOB)[1], user=BOB)["ResponseCode"] == "NoError"


def test_another_place_asks_nobody_anew(calendars: Calendars) -> None:
    item = meeting(calendars)
    calendars.respond_with("AcceptItem", calendars.listed("inbox", BOB)[0], user=BOB)
    calendars.updated({"@Id": item["@Id"]}, PLACE, "SendOnlyToAll")
    assert got(calendars, "inbox")["MeetingRequestType"] == "InformationalUpdate"
    own = got(calendars)
    assert (own["Location"], own["MyResponseType"], own["LegacyFreeBusyStatus"]) == ("there", "Accept", "Busy")


def test_an_update_that_is_sent_to_nobody(calendars: Calendars) -> None:
    item = meeting(calendars)
    calendars.updated({"@Id": item["@Id"]}, MOVE, "SendToNone")
    assert calendars.notices(BOB) == ["MeetingRequest"]


@pytest.mark.parametrize(("send", "bob"), [("SendOnlyToChanged", 1), ("SendToChangedAndSaveCopy", 1), ("SendOnlyToAll", 2)])
def test_who_joins_is_invited_and_who_leaves_is_told(calendars: Calendars, send: str, bob: int) -> None:
    item = meeting(calendars, BOB)
    people = change("calendar:RequiredAttendees", attendees(BOB, CAT))
    calendars.updated({"@Id": item["@Id"]}, people, send)
    assert calendars.notices(BOB) == ["MeetingRequest"] * bob
    assert calendars.notices(CAT) == ["MeetingRequest"]
    calendars.updated({"@Id": item["@Id"]}, change("calendar:RequiredAttendees", attendees(CAT)), "SendOnlyToChanged")
    assert calendars.notices(BOB)[-1] == "MeetingCancellation"
    assert got(calendars)["IsCancelled"] is True
    assert calendars.notices(CAT) == ["MeetingRequest"]


def test_deleting_with_sending_cancels(calendars: Calendars) -> None:
    item = meeting(calendars)
    assert calendars.delete({"@Id": item["@Id"]}, "SendOnlyToAll") == "NoError"
    note, own = got(calendars, "inbox"), got(calendars)
    assert (note["ItemClass"], note["Subject"]) == ("IPM.Schedule.Meeting.Canceled", "Canceled: plan")
    assert (own["IsCancelled"], own["LegacyFreeBusyStatus"], own["AppointmentState"]) == (True, "Free", 7)
    for element, word in (("AcceptItem", "Accept"), ("TentativelyAcceptItem", "Tentative"), ("DeclineItem", "Decline")):
        reply = calendars.respond_with(element, own["ItemId"], user=BOB)
        assert reply["ResponseCode"] == f"ErrorCalendarIsCancelledFor{word}"
    assert calendars.respond_with("RemoveItem", note["ItemId"], user=BOB)["ResponseCode"] == "NoError"
    assert calendars.listed("calendar", BOB) == []
    assert "MeetingCancellation" not in calendars.notices(BOB)


def test_deleting_without_sending_tells_nobody(calendars: Calendars) -> None:
    calendars.delete({"@Id": meeting(calendars)["@Id"]}, "SendToNone")
    assert calendars.notices(BOB) == ["MeetingRequest"]


def test_what_lies_in_deleted_items_is_not_cancelled_again(calendars: Calendars) -> None:
    calendars.delete({"@Id": meeting(calendars)["@Id"]}, "SendOnlyToAll")
    calendars.delete(calendars.listed("deleteditems")[0], "SendOnlyToAll", kind="HardDelete")
    assert calendars.notices(BOB).count("MeetingCancellation") == 1


def test_cancelling(calendars: Calendars) -> None:
    item = calendars.get(meeting(calendars), shape="IdOnly")["ItemId"]
    body = '<t:NewBodyContent BodyType="Text">sorry</t:NewBodyContent>'
    assert calendars.respond_with("CancelCalendarItem", item, body)["ResponseCode"] == "NoError"
    assert calendars.listed() == []
    assert calendars.notices(ANN, "sentitems") == ["MeetingRequest", "MeetingCancellation"]
    assert got(calendars, "inbox")["Body"][""].strip() == "sorry"
    assert calendars.respond_with("CancelCalendarItem", item, body)["ResponseCode"] == "ErrorItemNotFound"


def test_only_the_organizer_cancels(calendars: Calendars) -> None:
    meeting(calendars)
    own = calendars.listed("calendar", BOB)[0]
    assert calendars.respond_with("CancelCalendarItem", own, user=BOB)["ResponseCode"] == "ErrorCalendarIsNotOrganizer"


def test_another_time_is_proposed(calendars: Calendars) -> None:
    item = meeting(calendars)
    times = "<t:ProposedStart>2027-03-05T08:00:00Z</t:ProposedStart><t:ProposedEnd>2027-03-05T09:00:00Z</t:ProposedEnd>"
    calendars.respond_with("TentativelyAcceptItem", calendars.listed("inbox", BOB)[0], times, user=BOB)
    person = calendars.get(item)["RequiredAttendees"]["Attendee"][0]
    assert (person["ResponseType"], person["ProposedStart"]) == ("Tentative", datetime(2027, 3, 5, 8, tzinfo=UTC))
    note = got(calendars, "inbox", ANN)
    assert (note["ProposedEnd"], note["Subject"]) == (datetime(2027, 3, 5, 9, tzinfo=UTC), "New Time Proposed: plan")


def test_one_date_of_a_series_is_answered_changed_and_cancelled_alone(calendars: Calendars) -> None:
    item = meeting(calendars, extra=recurrence(daily(), numbered(3)))
    master = calendars.listed("calendar", BOB)[0]
    assert calendars.get(master, user=BOB)["CalendarItemType"] == "RecurringMaster"
    calendars.updated(at(item, 2), PLACE, "SendOnlyToAll")
    assert [calendars.get(at(master, n), user=BOB).get("Location") for n in (1, 2, 3)] == [None, "there", None]
    request = got(calendars, "inbox")
    assert (request["CalendarItemType"], request["RecurrenceId"]) == ("Exception", datetime(2027, 3, 2, 8, tzinfo=UTC))
    calendars.respond_with("AcceptItem", request["ItemId"], user=BOB)
    assert [calendars.get(at(master, n), user=BOB)["MyResponseType"] for n in (1, 2)] == ["NoResponseReceived", "Accept"]
    people = [calendars.get(at(item, n))["RequiredAttendees"]["Attendee"][0]["ResponseType"] for n in (1, 2)]
    assert people == ["Unknown", "Accept"]
    calendars.delete(at(item, 3), "SendOnlyToAll")
    assert calendars.notices(BOB)[-1] == "MeetingCancellation"
    assert [calendars.get(at(master, n), user=BOB)["IsCancelled"] for n in (1, 3)] == [False, True]


def test_what_can_be_answered_is_listed(calendars: Calendars) -> None:
    item = meeting(calendars)
    assert [name for name, _ in calendars.get(item)["ResponseObjects"]] == [
        "CancelCalendarItem",
        "ReplyAllToItem",
        "ForwardItem",
    ]
    assert {name for name, _ in got(calendars, "inbox")["ResponseObjects"]} >= {
        "AcceptItem",
        "TentativelyAcceptItem",
        "DeclineItem",
    }
    assert {name for name, _ in got(calendars)["ResponseObjects"]} >= {"AcceptItem", "DeclineItem", "ProposeNewTime"}


# -- from outside

REQUEST = (
    "From: Xenia <x@out.test>\r\nTo: bob@sim.test\r\nSubject: out\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n"
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:outside\r\nSEQUENCE:{sequence}\r\nDTSTAMP:20270101T000000Z\r\nSUMMARY:out\r\n"
    "ORGANIZER:mailto:x@out.test\r\nATTENDEE;RSVP=TRUE:mailto:bob@sim.test\r\nDTSTART:{start}\r\nDURATION:PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def outside(scene: Calendars, method: str = "REQUEST", sequence: int = 0, start: str = "20270301T090000Z") -> None:
    scene.world.deliver("x@out.test", [BOB], REQUEST.format(method=method, sequence=sequence, start=start).encode())


def test_mail_from_outside_is_a_meeting_request_as_well(calendars: Calendars) -> None:
    outside(calendars)
    assert calendars.notices(BOB) == ["MeetingRequest"]
    assert got(calendars)["MyResponseType"] == "NoResponseReceived"
    calendars.respond_with("AcceptItem", calendars.listed("inbox", BOB)[0], user=BOB)
    (lies,) = calendars.world.store.outbound()
    calendar = calendar_of(calendars.world.store.outbound_octets(lies.uid))
    assert calendar is not None
    assert (calendar.method, lies.recipients, calendar.events[0].uid) == ("REPLY", ("x@out.test",), "outside")


def test_updates_and_cancellations_from_outside(calendars: Calendars) -> None:
    outside(calendars, sequence=2)
    outside(calendars, sequence=1, start="20270401T090000Z")
    assert got(calendars)["Start"].month == 3
    assert got(calendars, "inbox")["MeetingRequestType"] == "Outdated"
    outside(calendars, sequence=3, start="20270501T090000Z")
    assert got(calendars)["Start"].month == 5
    outside(calendars, "CANCEL", 4, "20270501T090000Z")
    assert got(calendars)["IsCancelled"] is True


def test_an_answer_from_outside(calendars: Calendars) -> None:
    item = meeting(calendars, "x@out.test")
    uid = calendars.get(item)["UID"]
    text = REQUEST.format(method="REPLY", sequence=0, start="20270301T080000Z").replace("UID:outside", f"UID:{uid}")
    text = text.replace("ATTENDEE;RSVP=TRUE:mailto:bob@sim.test", "ATTENDEE;PARTSTAT=DECLINED:mailto:X@OUT.test").replace(
        "mailto:x@out.test", "mailto:ann@sim.test", 1
    )
    calendars.world.deliver("x@out.test", [ANN], text.encode())
    assert answers(calendars, item) == ["Decline"]
    assert calendars.notices(ANN) == ["MeetingResponse"]


def test_what_is_published_or_broken_is_plain_mail(calendars: Calendars) -> None:
    outside(calendars, "PUBLISH")
    calendars.world.deliver(
        "x@out.test", [BOB], b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nnonsense\r\n"
    )
    assert calendars.notices(BOB) == ["Message", "Message"]
    assert calendars.listed("calendar", BOB) == []


def test_a_group_is_invited_as_its_members(calendars: Calendars) -> None:
    calendars.world.add_group("team@sim.test", [ANN, BOB, CAT])
    meeting(calendars, "team@sim.test")
    assert calendars.notices(BOB) == calendars.notices(CAT) == ["MeetingRequest"]
    assert len(calendars.listed()) == 1


# -- passed on


@pytest.mark.parametrize("folder", ["calendar", "inbox"])
def test_a_forwarded_meeting_invites_and_who_answers_joins(calendars: Calendars, folder: str) -> None:
    item = meeting(calendars)
    people = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{CAT}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
    given = calendars.listed(folder, BOB)[0]
    asked = (
        f'<CreateItem MessageDisposition="SendAndSaveCopy"><Items><t:ForwardItem>{people}<t:ReferenceItemId Id="{given["@Id"]}" '
        f'ChangeKey="{given["@ChangeKey"]}"/></t:ForwardItem></Items></CreateItem>'
    )
    calendars.one(asked, user=BOB)
    assert calendars.notices(CAT) == ["MeetingRequest"]
    assert got(calendars, user=CAT)["Organizer"]["Mailbox"]["EmailAddress"] == ANN
    calendars.respond_with("AcceptItem", calendars.listed("inbox", CAT)[0], user=CAT)
    joined = calendars.get(item)["OptionalAttendees"]["Attendee"]
    assert [(one["Mailbox"]["EmailAddress"], one["ResponseType"]) for one in joined] == [(CAT, "Accept")]


@pytest.mark.parametrize(
    ("mode", "owner", "delegate"),
    [("DelegatesAndMe", ["MeetingRequest"], 1), ("DelegatesOnly", [], 1), ("NoForward", ["MeetingRequest"], 0)],
)
def test_delegates_get_copies(calendars: Calendars, mode: Any, owner: list[str], delegate: int) -> None:
    delegation = calendars.world.directory.account(BOB).delegation
    delegation.meeting_requests = mode
    delegation.delegates[CAT] = Delegate(CAT, meeting_copies=True)
    meeting(calendars)
    assert calendars.notices(BOB) == owner
    assert calendars.notices(CAT) == ["MeetingRequest"] * delegate
    assert len(calendars.listed("calendar", BOB)) == 1
    assert calendars.listed("calendar", CAT) == []
    if delegate:
        copy = got(calendars, "inbox", CAT)
        assert (copy["IsDelegated"], copy["ReceivedRepresenting"]["Mailbox"]["EmailAddress"]) == (True, BOB)
        message = calendars.respond_with("AcceptItem", copy["ItemId"], user=CAT)
        assert message["ResponseCode"] == "ErrorCalendarIsDelegatedForAccept"  # nothing was granted


def test_answering_one_date_leaves_the_invitation_to_the_series(calendars: Calendars) -> None:
    """Section 11: the request that was answered leaves the Inbox, and no other."""
    meeting(calendars, extra=recurrence(daily(), numbered(3)))
    master = calendars.listed("calendar", BOB)[0]
    date = calendars.get(at(master, 2), user=BOB)["ItemId"]
    calendars.respond_with("DeclineItem", date, user=BOB)
    assert calendars.notices(BOB) == ["MeetingRequest"]
    calendars.respond_with("AcceptItem", calendars.listed("calendar", BOB)[0], user=BOB)
    assert calendars.notices(BOB) == []
