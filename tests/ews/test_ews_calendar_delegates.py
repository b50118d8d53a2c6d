"""Delegates and calendars: copies of meeting notices, answers for the owner, meetings made for the owner (ews reference 11, 15, 16; MS-OXWSDLGM)."""

from __future__ import annotations

import email
from typing import Any

import pytest
from calendar_scene import ANN, BOB, CAT, Calendars, attendees, calendars

from postroom_simulator.ews import permissions
from postroom_simulator.people import Delegate
from postroom_simulator.store.interface import Role

__all__ = ["calendars"]


def entrusted(scene: Calendars, level: str = "Editor", mode: Any = "DelegatesAndMe", copies: bool = True) -> None:
    """Cat is a delegate of Bob's, with a level in his calendar."""
    delegation = scene.world.directory.account(BOB).delegation
    delegation.meeting_requests = mode
    delegation.delegates[CAT] = Delegate(CAT, meeting_copies=copies)
    permissions.grant(scene.world.store, scene.world.store.folder(BOB, Role.CALENDAR), CAT, level)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("DelegatesAndMe", "NewMeetingRequest"),
        ("DelegatesAndSendInformationToMe", "PrincipalWantsCopy"),
        ("NoForward", "NewMeetingRequest"),
    ],
)
def test_what_the_owner_still_gets(calendars: Calendars, mode: Any, kind: str) -> None:
    """Section 15, DeliverMeetingRequests: what is there for the owner to know says so; the delegate's copy is a new request."""
    entrusted(calendars, mode=mode)
    calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    assert calendars.get(calendars.listed("inbox", BOB)[0], user=BOB)["MeetingRequestType"] == kind
    copies = [calendars.get(one, user=CAT) for one in calendars.listed("inbox", CAT)]
    assert [one["MeetingRequestType"] for one in copies] == ["NewMeetingRequest"] * (mode != "NoForward")


def test_the_owner_alone_where_no_delegate_wants_copies(calendars: Calendars) -> None:
    entrusted(calendars, mode="DelegatesOnly", copies=False)
    calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    assert (calendars.notices(BOB), calendars.notices(CAT)) == (["MeetingRequest"], [])


@pytest.mark.parametrize("mode", ["DelegatesAndMe", "DelegatesOnly", "DelegatesAndSendInformationToMe"])
def test_a_delegate_answers_from_the_copy(calendars: Calendars, mode: Any) -> None:
    """Section 11: the owner's calendar has the answer, the organizer hears it from the owner by the delegate, the copy leaves the Inbox."""
    entrusted(calendars, mode=mode)
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    copy = calendars.get(calendars.listed("inbox", CAT)[0], user=CAT)
    (own,) = calendars.listed("calendar", BOB)
    assert copy["AssociatedCalendarItemId"]["@Id"] == own["@Id"]
    assert (copy["IsDelegated"], copy["ReceivedRepresenting"]["Mailbox"]["EmailAddress"]) == (True, BOB)
    assert calendars.respond_with("AcceptItem", copy["ItemId"], user=CAT)["ResponseCode"] == "NoError"
    answered = calendars.get(calendars.listed("calendar", BOB)[0], user=BOB)
    assert (answered["MyResponseType"], answered["LegacyFreeBusyStatus"]) == ("Accept", "Busy")
    people = calendars.get(item)["RequiredAttendees"]["Attendee"]
    assert [(one["Mailbox"]["EmailAddress"], one["ResponseType"]) for one in people] == [(BOB, "Accept")]
    assert calendars.notices(CAT) == []
    assert (calendars.notices(CAT, "sentitems"), calendars.notices(BOB, "sentitems")) == (["MeetingResponse"], [])
    assert calendars.listed("calendar", CAT) == []


def test_an_answer_for_somebody_names_both(calendars: Calendars) -> None:
    """Section 16, send on behalf: From is the owner, Sender the delegate (RFC 5545 §3.2.18 in the calendar part)."""
    entrusted(calendars)
    calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    calendars.respond_with("DeclineItem", calendars.listed("inbox", CAT)[0], user=CAT)
    message = email.message_from_bytes(calendars.world.inbox(ANN)[0])
    assert (message["From"], message["Sender"]) == ('"Bob Birch" <bob@sim.test>', '"Cat Cedar" <cat@sim.test>')
    note = calendars.get(calendars.listed("inbox")[0])
    assert (note["From"]["Mailbox"]["EmailAddress"], note["Sender"]["Mailbox"]["EmailAddress"]) == (BOB, CAT)
    part = next(one for one in message.walk() if one.get_content_type() == "text/calendar")
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert 'SENT-BY="mailto:cat@sim.test"' in payload.decode().replace("\r\n ", "")
    assert calendars.listed("calendar", BOB) == []


@pytest.mark.parametrize("element", ["AcceptItem", "TentativelyAcceptItem", "DeclineItem"])
def test_who_may_not_edit_the_calendar_does_not_answer(calendars: Calendars, element: str) -> None:
    """Section 19, the ErrorCalendarIsDelegatedFor... family."""
    entrusted(calendars, "Reviewer")
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    word = {"AcceptItem": "Accept", "TentativelyAcceptItem": "Tentative", "DeclineItem": "Decline"}[element]
    message = calendars.respond_with(element, calendars.listed("inbox", CAT)[0], user=CAT)
    assert message["ResponseCode"] == f"ErrorCalendarIsDelegatedFor{word}"
    direct = calendars.respond_with(element, calendars.listed("calendar", BOB)[0], user=CAT)
    assert direct["ResponseCode"] == "ErrorAccessDenied"
    assert calendars.get(item)["RequiredAttendees"]["Attendee"][0]["ResponseType"] == "Unknown"


def test_a_delegate_answers_in_the_owners_calendar(calendars: Calendars) -> None:
    entrusted(calendars)
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    message = calendars.respond_with("TentativelyAcceptItem", calendars.listed("calendar", BOB)[0], user=CAT)
    assert message["ResponseCode"] == "NoError"
    assert calendars.get(item)["RequiredAttendees"]["Attendee"][0]["ResponseType"] == "Tentative"
    assert calendars.notices(CAT, "sentitems") == ["MeetingResponse"]


def test_a_cancelled_copy_is_removed(calendars: Calendars) -> None:
    """Section 11: RemoveItem clears a cancelled meeting at the attendee."""
    entrusted(calendars)
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    calendars.delete(item, "SendOnlyToAll")
    copy = calendars.listed("inbox", CAT)[-1]
    assert calendars.respond_with("RemoveItem", copy, user=CAT)["ResponseCode"] == "NoError"
    assert calendars.listed("calendar", BOB) == []


def test_a_delegate_makes_a_meeting_for_the_owner(calendars: Calendars) -> None:
    """Section 16: in another's calendar the owner is the organizer, and who writes is named as sender."""
    entrusted(calendars)
    folder = (
        f'<SavedItemFolderId><t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox>'
        "</t:DistinguishedFolderId></SavedItemFolderId>"
    )
    inside = (
        f"<t:Subject>plan</t:Subject><t:Start>2027-03-01T09:00:00Z</t:Start><t:End>2027-03-01T10:00:00Z</t:End>{attendees(ANN)}"
    )
    asked = f'<CreateItem SendMeetingInvitations="SendToAllAndSaveCopy">{folder}<Items><t:CalendarItem>{inside}</t:CalendarItem></Items></CreateItem>'
    assert calendars.one(asked, user=CAT)["ResponseCode"] == "NoError"
    message = email.message_from_bytes(calendars.world.inbox(ANN)[0])
    assert (message["From"], message["Sender"]) == ('"Bob Birch" <bob@sim.test>', '"Cat Cedar" <cat@sim.test>')
    invited = calendars.get(calendars.listed("calendar")[0])
    assert invited["Organizer"]["Mailbox"]["EmailAddress"] == BOB
    assert calendars.notices(CAT, "sentitems") == ["MeetingRequest"]
    calendars.respond_with("AcceptItem", calendars.listed("inbox")[0])
    own = calendars.get(calendars.listed("calendar", BOB)[0], user=BOB)
    assert own["RequiredAttendees"]["Attendee"][0]["ResponseType"] == "Accept"


def test_who_may_not_delete_does_not_remove(calendars: Calendars) -> None:
    """Section 19: ErrorCalendarIsDelegatedForRemove."""
    entrusted(calendars, "Reviewer")
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    calendars.delete(item, "SendOnlyToAll")
    message = calendars.respond_with("RemoveItem", calendars.listed("inbox", CAT)[-1], user=CAT)
    assert message["ResponseCode"] == "ErrorCalendarIsDelegatedForRemove"
    assert len(calendars.listed("calendar", BOB)) == 1
    assert len(calendars.listed("inbox", CAT)) == 2


def test_the_copy_of_an_answer_lies_where_the_request_says(calendars: Calendars) -> None:
    """Section 8, SendAndSaveCopy: SavedItemFolderId, else Sent Items."""
    calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    request = calendars.listed("inbox", BOB)[0]
    asked = (
        '<CreateItem MessageDisposition="SendAndSaveCopy"><SavedItemFolderId><t:DistinguishedFolderId Id="drafts"/></SavedItemFolderId><Items>'
        f'<t:AcceptItem><t:ReferenceItemId Id="{request["@Id"]}" ChangeKey="{request["@ChangeKey"]}"/></t:AcceptItem></Items></CreateItem>'
    )
    calendars.one(asked, user=BOB)
    assert (calendars.notices(BOB, "drafts"), calendars.notices(BOB, "sentitems")) == (["MeetingResponse"], [])
