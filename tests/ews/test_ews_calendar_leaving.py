"""Meetings that an attendee deletes, answers that are only kept, private appointments that others delete or move (ews reference 8, 11, 15)."""

from __future__ import annotations

from typing import Any

import pytest
from calendar_scene import ANN, BOB, Calendars, at, attendees, calendars, daily, numbered, recurrence
from test_ews_calendar_private import delegate, secret

from postroom_simulator.store.interface import Role

__all__ = ["calendars"]

ANSWER = "MeetingResponse"


def invited(scene: Calendars, extra: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Ann's meeting, and what is in Bob's calendar."""
    item = scene.appointment(attendees(BOB) + extra, send="SendOnlyToAll")
    return item, scene.listed("calendar", BOB)[0]


def answer_of(scene: Calendars, item: dict[str, Any] | str) -> str:
    return str(scene.get(item)["RequiredAttendees"]["Attendee"][0]["ResponseType"])


@pytest.mark.parametrize("kind", ["MoveToDeletedItems", "SoftDelete", "HardDelete"])
@pytest.mark.parametrize(("send", "copies"), [("SendOnlyToAll", 0), ("SendToAllAndSaveCopy", 1)])
def test_an_attendee_who_deletes_declines(calendars: Calendars, kind: str, send: str, copies: int) -> None:
    item, copy = invited(calendars)
    assert calendars.delete(copy, send, kind, user=BOB) == "NoError"
    assert calendars.notices(ANN) == [ANSWER]
    assert calendars.notices(BOB, "sentitems") == [ANSWER] * copies
    assert answer_of(calendars, item) == "Decline"
    assert calendars.listed("calendar", BOB) == []


def test_an_attendee_may_delete_and_tell_nobody(calendars: Calendars) -> None:
    item, copy = invited(calendars)
    assert calendars.delete(copy, "SendToNone", user=BOB) == "NoError"
    assert calendars.notices(ANN) == []
    assert answer_of(calendars, item) == "Unknown"


def test_one_date_is_declined(calendars: Calendars) -> None:
    item, copy = invited(calendars, recurrence(daily(), numbered(3)))
    assert calendars.delete(at(copy, 2), "SendOnlyToAll", user=BOB) == "NoError"
    assert calendars.notices(ANN) == [ANSWER]
    assert [answer_of(calendars, at(item, index)) for index in (1, 2, 3)] == ["Unknown", "Decline", "Unknown"]


def test_nobody_hears_twice(calendars: Calendars) -> None:
    """Of a meeting that was cancelled, and of what lies in Deleted Items."""
    item, copy = invited(calendars)
    assert calendars.delete(item, "SendOnlyToAll") == "NoError"
    assert calendars.delete(calendars.listed("calendar", BOB)[0], "SendOnlyToAll", user=BOB) == "NoError"
    other, copy = invited(calendars)
    assert calendars.delete(copy, "SendOnlyToAll", user=BOB) == "NoError"
    folder = calendars.world.store.folder(BOB, Role.DELETED)
    gone = [
        one
        for one in calendars.listed("deleteditems", BOB)
        if calendars.get(one, user=BOB)["UID"] == calendars.get(other)["UID"]
    ]
    assert len(gone) == 1
    assert calendars.delete(gone[0], "SendOnlyToAll", "HardDelete", user=BOB) == "NoError"
    assert len(calendars.world.store.items(folder.uid)) == 1
    assert calendars.notices(ANN) == [ANSWER]


@pytest.mark.parametrize(
    ("element", "suffix", "answer"),
    [("AcceptItem", "Pos", "Accept"), ("TentativelyAcceptItem", "Tent", "Tentative"), ("DeclineItem", "Neg", "Decline")],
)
def test_an_answer_that_is_only_kept_is_a_draft(calendars: Calendars, element: str, suffix: str, answer: str) -> None:
    item, copy = invited(calendars)
    message = calendars.respond_with(element, copy, disposition="SaveOnly", user=BOB)
    assert (message["ResponseCode"], [name for name, _ in message["Items"]][:2]) == (
        "NoError",
        ["CalendarItem", "MeetingResponse"],
    )
    draft = message["Items"][1][1]["ItemId"]
    shown = calendars.get(draft, user=BOB)
    assert (shown["ItemClass"], shown["IsDraft"]) == (f"IPM.Schedule.Meeting.Resp.{suffix}", True)
    assert calendars.listed("drafts", BOB) == [draft]
    assert (calendars.notices(ANN), answer_of(calendars, item)) == ([], "Unknown")
    sending = f'<SendItem SaveItemToFolder="true"><ItemIds><t:ItemId Id="{draft["@Id"]}" ChangeKey="{draft["@ChangeKey"]}"/></ItemIds></SendItem>'
    assert calendars.code(sending, user=BOB) == "NoError"
    assert calendars.notices(ANN) == [ANSWER]
    assert answer_of(calendars, item) == answer
    assert calendars.listed("drafts", BOB) == []


@pytest.mark.parametrize("private", [False, True])
def test_deleting_and_moving_what_one_may_not_see(calendars: Calendars, private: bool) -> None:
    item = secret(calendars)
    delegate(calendars, private=private)
    code = "NoError" if private else "ErrorAccessDenied"
    target = f'<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>'
    moving = f'<MoveItem><ToFolderId>{target}</ToFolderId><ItemIds><t:ItemId Id="{item["@Id"]}"/></ItemIds></MoveItem>'
    assert calendars.code(moving, user=BOB) == code
    assert calendars.delete(secret(calendars), user=BOB) == code
    assert len(calendars.listed("calendar", ANN)) == (0 if private else 2)


def test_one_private_date_is_not_deleted_either(calendars: Calendars) -> None:
    item = secret(calendars, extra=recurrence(daily(), numbered(3)))
    delegate(calendars)
    assert calendars.delete(at(item, 2), user=BOB) == "ErrorAccessDenied"
