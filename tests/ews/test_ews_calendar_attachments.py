"""What is attached to single dates of a series (ews reference 11: occurrence ids are usable with every item operation; 13)."""

from __future__ import annotations

from typing import Any

from calendar_scene import Calendars, at, calendars, daily, numbered, recurrence

__all__ = ["calendars"]


def attach(scene: Calendars, item: dict[str, Any], name: str = "a.txt") -> dict[str, Any]:
    file = f"<t:FileAttachment><t:Name>{name}</t:Name><t:Content>YQ==</t:Content></t:FileAttachment>"
    message = scene.one(
        f'<CreateAttachment><ParentItemId Id="{item["@Id"]}" ChangeKey="{item["@ChangeKey"]}"/><Attachments>{file}</Attachments></CreateAttachment>'
    )
    found: dict[str, Any] = message["Attachments"][0][1]["AttachmentId"]
    return found


def got(scene: Calendars, attachment: str) -> dict[str, Any]:
    (message,) = scene.messages(
        f'<GetAttachment><AttachmentIds><t:AttachmentId Id="{attachment}"/></AttachmentIds></GetAttachment>'
    )
    return message


def names(scene: Calendars, item: Any) -> list[str]:
    return [one["Name"] for _, one in scene.get(item).get("Attachments") or ()]


def test_a_date_has_attachments_of_its_own(calendars: Calendars) -> None:
    master = calendars.appointment(recurrence(daily(), numbered(3)))
    date = calendars.get(at(master, 2))["ItemId"]
    made = attach(calendars, date)
    assert made["@RootItemId"] == date["@Id"]
    shown = calendars.get(at(master, 2))
    assert (shown["CalendarItemType"], shown["ItemId"]["@ChangeKey"]) == ("Exception", made["@RootItemChangeKey"])
    assert names(calendars, at(master, 1)) == names(calendars, master) == []
    listed = shown["Attachments"][0][1]["AttachmentId"]["@Id"]
    assert listed == made["@Id"]
    assert got(calendars, listed)["Attachments"][0][1]["Content"] in (b"a", "YQ==")
    attach(calendars, shown["ItemId"], "b.txt")
    assert names(calendars, at(master, 2)) == ["a.txt", "b.txt"]
    gone = calendars.one(f'<DeleteAttachment><AttachmentIds><t:AttachmentId Id="{listed}"/></AttachmentIds></DeleteAttachment>')
    assert gone["RootItemId"]["@RootItemId"] == date["@Id"]
    assert names(calendars, at(master, 2)) == ["b.txt"]
    assert got(calendars, listed)["ResponseCode"] == "ErrorItemNotFound"


def test_a_date_shows_what_the_series_has(calendars: Calendars) -> None:
    master = calendars.appointment(recurrence(daily(), numbered(3)))
    attach(calendars, master)
    one = calendars.get(at(master, 3))["Attachments"][0][1]["AttachmentId"]["@Id"]
    assert got(calendars, one)["ResponseCode"] == "NoError"
    calendars.one(f'<DeleteAttachment><AttachmentIds><t:AttachmentId Id="{one}"/></AttachmentIds></DeleteAttachment>')
    assert (names(calendars, at(master, 3)), names(calendars, at(master, 2)), names(calendars, master)) == (
        [],
        ["a.txt"],
        ["a.txt"],
    )


def test_an_attachment_of_a_date_that_was_deleted(calendars: Calendars) -> None:
    master = calendars.appointment(recurrence(daily(), numbered(3)))
    made = attach(calendars, calendars.get(at(master, 2))["ItemId"])
    calendars.delete(at(master, 2))
    assert got(calendars, made["@Id"])["ResponseCode"] == "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
