"""Sentences of the ews reference, section 11, that no other test keeps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from calendar_scene import (
    ANN,
    BOB,
    CAT,
    Calendars,
    at,
    attendees,
    calendars,  # noqa: F401
    change,
    numbered,
    reference,
    times,
)
from folders_scene import by_id, named

WEEKS = (
    "<t:WeeklyRecurrence><t:Interval>2</t:Interval><t:DaysOfWeek>Sunday Monday</t:DaysOfWeek><t:FirstDayOfWeek>{}</t:FirstDayOfWeek>"
    "</t:WeeklyRecurrence>"
)
MONTHS = (
    "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>{}</t:DaysOfWeek><t:DayOfWeekIndex>{}</t:DayOfWeekIndex>"
    "</t:RelativeMonthlyRecurrence>"
)


def days(calendars: Calendars) -> list[str]:  # noqa: F811
    return [f"{one['Start']:%m-%d}" for one in calendars.view("2027-02-01T00:00:00Z", "2027-06-01T00:00:00Z")]


@pytest.mark.parametrize(
    ("first", "expected"),
    [("Sunday", ["02-28", "03-01", "03-14", "03-15", "03-28"]), ("Monday", ["02-28", "03-08", "03-14", "03-22", "03-28"])],
)
def test_the_first_day_of_the_week_counts(calendars: Calendars, first: str, expected: list[str]) -> None:  # noqa: F811
    """Section 11: FirstDayOfWeek of a weekly pattern decides which days are of the same week."""
    start, end = "2027-02-28T09:00:00", "2027-02-28T10:00:00"
    calendars.series(WEEKS.format(first), numbered(5, "2027-02-28"), start=start, end=end)
    assert days(calendars) == expected


@pytest.mark.parametrize(
    ("kind", "index", "expected"),
    [
        ("Day", "First", ["04-01", "05-01"]),
        ("Day", "Last", ["03-31", "04-30"]),
        ("Weekday", "First", ["03-01", "04-01"]),
        ("Weekday", "Last", ["03-31", "04-30"]),
        ("WeekendDay", "First", ["03-06", "04-03"]),
        ("WeekendDay", "Last", ["03-28", "04-25"]),
        ("Tuesday", "Second", ["03-09", "04-13"]),
        ("Tuesday", "Third", ["03-16", "04-20"]),
        ("Tuesday", "Fourth", ["03-23", "04-27"]),
    ],
)
def test_days_by_kind(calendars: Calendars, kind: str, index: str, expected: list[str]) -> None:  # noqa: F811
    """Section 11: DaysOfWeek knows Day, Weekday and WeekendDay; DayOfWeekIndex First to Fourth, and Last."""
    begin = "2027-03-02" if (kind, index) == ("Day", "First") else "2027-03-01"
    calendars.series(MONTHS.format(kind, index), numbered(2, begin), start=f"{begin}T09:00:00", end=f"{begin}T10:00:00")
    assert days(calendars) == expected


def test_a_date_goes_through_every_operation(calendars: Calendars) -> None:  # noqa: F811
    """Section 11: ids of occurrences are stable, and of use to every operation on items."""
    calendars.series()
    shown = calendars.view("2027-03-01T00:00:00Z", "2027-03-10T00:00:00Z")
    one = shown[1]["ItemId"]
    assert calendars.get(one)["CalendarItemType"] == "Occurrence"
    calendars.updated(one, change("item:Subject", "<t:Subject>other</t:Subject>"))
    again = calendars.view("2027-03-01T00:00:00Z", "2027-03-10T00:00:00Z")
    assert [each["ItemId"]["@Id"] for each in again] == [each["ItemId"]["@Id"] for each in shown]
    assert calendars.get({"@Id": one["@Id"]})["Subject"] == "other"
    mime = calendars.mime({"@Id": one["@Id"]})
    assert b"SUMMARY:other" in mime
    exported = calendars.code(f"<ExportItems><ItemIds>{reference({'@Id': one['@Id']})}</ItemIds></ExportItems>")
    attach = (
        f'<CreateAttachment><ParentItemId Id="{one["@Id"]}"/><Attachments><t:FileAttachment><t:Name>a</t:Name><t:Content>YQ==</t:Content>'
        "</t:FileAttachment></Attachments></CreateAttachment>"
    )
    assert calendars.code(attach) == "NoError"
    assert exported != "ErrorInternalServerError"
    assert calendars.delete({"@Id": one["@Id"]}) == "NoError"
    assert len(calendars.view("2027-03-01T00:00:00Z", "2027-03-10T00:00:00Z")) == 4


@pytest.mark.parametrize("send", ["SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"])
def test_deletions_know_three_ways_of_sending(calendars: Calendars, send: str) -> None:  # noqa: F811
    """Section 11: DeleteItem has SendToNone, SendOnlyToAll, SendToAllAndSaveCopy, and none of those for changed attendees."""
    item = calendars.appointment(attendees(BOB), send="SendOnlyToAll")
    assert calendars.delete(item, "SendOnlyToChanged") == "ErrorSchemaValidation"
    assert calendars.delete(item, send) == "NoError"
    assert calendars.notices(BOB) == ["MeetingRequest"] + ["MeetingCancellation"] * (send != "SendToNone")
    assert calendars.notices(ANN, "sentitems") == ["MeetingCancellation"] * (send == "SendToAllAndSaveCopy")


def test_every_kind_of_answer_is_told(calendars: Calendars) -> None:  # noqa: F811
    """Section 11: the response types, at the organizer and at the attendee."""
    plain = calendars.appointment()
    assert calendars.get(plain)["MyResponseType"] == "Unknown"
    item = calendars.appointment(attendees(BOB, CAT), send="SendOnlyToAll")

    def told() -> list[str]:
        return [one["ResponseType"] for one in calendars.get(item)["RequiredAttendees"]["Attendee"]]

    assert calendars.get(item)["MyResponseType"] == "Organizer"
    assert told() == ["Unknown", "Unknown"]
    assert calendars.get(calendars.listed("calendar", BOB)[0], user=BOB)["MyResponseType"] == "NoResponseReceived"
    calendars.respond_with("TentativelyAcceptItem", calendars.listed("inbox", BOB)[0], user=BOB)
    calendars.respond_with("AcceptItem", calendars.listed("inbox", CAT)[0], user=CAT)
    assert told() == ["Tentative", "Accept"]
    calendars.respond_with("DeclineItem", calendars.listed("calendar", CAT)[0], user=CAT)
    assert told() == ["Tentative", "Decline"]


def test_davmail_learns_the_zone(calendars: Calendars) -> None:  # noqa: F811
    """Section 11: how DavMail finds out about the user's zone, step by step."""
    asked = (
        '<GetUserConfiguration><UserConfigurationName Name="OWA.UserOptions"><t:DistinguishedFolderId Id="root"/></UserConfigurationName>'
        "<UserConfigurationProperties>All</UserConfigurationProperties></GetUserConfiguration>"
    )
    assert calendars.code(asked) == "ErrorItemNotFound"
    scratch = calendars.make("davmailtemp", named("calendar"))
    made = calendars.messages(
        f'<CreateItem SendMeetingInvitations="SendToNone"><SavedItemFolderId>{by_id(scratch)}</SavedItemFolderId><Items><t:CalendarItem>'
        f"{times()}</t:CalendarItem></Items></CreateItem>"
    )[0]
    item = made["Items"][0][1]["ItemId"] if made["ResponseCode"] == "NoError" else calendars.made(times())
    text = calendars.mime(item).decode()
    zone = text[text.index("BEGIN:VTIMEZONE") : text.index("END:VTIMEZONE")]
    assert "TZID:W. Europe Standard Time" in zone
    assert zone.count("RRULE:FREQ=YEARLY") == 2
    assert calendars.delete(item, kind="HardDelete") == "NoError"
    assert (
        calendars.code(f'<DeleteFolder DeleteType="HardDelete"><FolderIds>{by_id(scratch)}</FolderIds></DeleteFolder>')
        == "NoError"
    )
    assert calendars.get(calendars.made(times()))["Start"] == datetime(2027, 3, 1, 8, tzinfo=UTC)
    assert calendars.got(at(calendars.series(), 2))["ResponseCode"] == "NoError"
