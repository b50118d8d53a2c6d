"""Appointments and series (ews reference 9, 11), sentence by sentence."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calendar_scene import Calendars, at, attendees, calendars, change, daily, numbered, recurrence, times, viewing, weekly
from icalendar import Calendar

__all__ = ["calendars"]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


# -- times


@pytest.mark.parametrize(
    ("start", "zone", "header", "hour"),
    [
        ("2027-03-01T09:00:00Z", "W. Europe Standard Time", "", 9),
        ("2027-03-01T09:00:00+03:00", "W. Europe Standard Time", "", 6),
        ("2027-03-01T09:00:00.250", "W. Europe Standard Time", "", 8),
        ("2027-03-01T09:00:00", "Pacific Standard Time", "W. Europe Standard Time", 17),
        ("2027-03-01T09:00:00", "", "Pacific Standard Time", 17),
        ("2027-03-01T09:00:00", "", "", 9),
        ("2027-03-01T09:00:00", "Europe/Vienna", "", 8),
    ],
)
def test_a_time_without_offset_is_in_the_zone_of_the_item_then_the_request_then_utc(
    calendars: Calendars, start: str, zone: str, header: str, hour: int
) -> None:
    said = f'<t:StartTimeZone Id="{zone}"/>' if zone else ""
    context = f'<t:TimeZoneContext><t:TimeZoneDefinition Id="{header}"/></t:TimeZoneContext>' if header else ""
    got = calendars.get(calendars.made(times(start, "2027-03-05T00:00:00Z", said), header=context))
    assert got["Start"] == utc(2027, 3, 1, hour)


def test_a_zone_that_nobody_knows(calendars: Calendars) -> None:
    assert calendars.create(times(zone='<t:StartTimeZone Id="Mordor Standard Time"/>'))["ResponseCode"] == "ErrorTimeZone"


def test_a_zone_of_2007(calendars: Calendars) -> None:
    item = calendars.made(times(zone='<t:MeetingTimeZone TimeZoneName="Tokyo Standard Time"/>'), version="Exchange2007_SP1")
    assert calendars.get(item)["Start"] == utc(2027, 3, 1, 0)
    assert calendars.get(item)["StartTimeZone"]["@Id"] == "Tokyo Standard Time"


def test_whole_days_are_cut_down_to_midnight(calendars: Calendars) -> None:
    got = calendars.get(calendars.appointment("<t:IsAllDayEvent>true</t:IsAllDayEvent>", end="2027-03-03T11:00:00"))
    assert (got["Start"], got["End"]) == (utc(2027, 2, 28, 23), utc(2027, 3, 2, 23))
    got = calendars.get(calendars.appointment("<t:IsAllDayEvent>true</t:IsAllDayEvent>"))
    assert got["End"] - got["Start"] == timedelta(days=1)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("2027-03-01T08:59:59", "ErrorCalendarEndDateIsEarlierThanStartDate"),
        ("2032-04-01T09:00:00", "ErrorCalendarDurationIsTooLong"),
        ("2027-03-01T09:00:00", "NoError"),
        ("2032-02-28T09:00:00", "NoError"),
    ],
)
def test_lengths(calendars: Calendars, end: str, code: str) -> None:
    assert calendars.create(times(end=end))["ResponseCode"] == code


# -- what is filled in


def test_a_new_appointment_has_everything_that_clients_need(calendars: Calendars) -> None:
    got = calendars.get(calendars.appointment())
    assert got["UID"].startswith("040000008200E00074C5B7101A82E008")
    assert len(got["UID"]) == 112
    assert got["DateTimeStamp"] == calendars.world.clock.now()
    assert got["Organizer"]["Mailbox"]["EmailAddress"] == "ann@sim.test"
    assert got["ReminderDueBy"] == got["Start"]
    assert got["Duration"] == "PT1H"
    wanted = {
        "CalendarItemType": "Single", "IsRecurring": False, "LegacyFreeBusyStatus": "Busy", "IsAllDayEvent": False, "IsMeeting": False,
        "IsCancelled": False, "MyResponseType": "Unknown", "MeetingRequestWasSent": False, "IsOrganizer": True, "AppointmentState": 0,
        "StartTimeZoneId": "W. Europe Standard Time",
    }  # fmt: skip
    assert {name: got[name] for name in wanted} == wanted


def test_a_uid_is_kept(calendars: Calendars) -> None:
    assert calendars.get(calendars.appointment("<t:UID>mine</t:UID>"))["UID"] == "mine"


def test_without_start_and_end_it_is_the_next_half_hour(calendars: Calendars) -> None:
    calendars.world.clock.sleep(61)
    got = calendars.get(calendars.made("<t:Subject>s</t:Subject>"))
    assert (got["Start"], got["End"]) == (utc(2026, 1, 5, 8, 30), utc(2026, 1, 5, 9))


@pytest.mark.parametrize(
    "name", ["CalendarItemType", "IsRecurring", "IsMeeting", "MyResponseType", "Duration", "AppointmentSequenceNumber"]
)
def test_what_no_request_sets(calendars: Calendars, name: str) -> None:
    value = {
        "CalendarItemType": "Single",
        "MyResponseType": "Accept",
        "Duration": "PT1H",
        "AppointmentSequenceNumber": "1",
    }.get(name, "true")
    assert calendars.create(times() + f"<t:{name}>{value}</t:{name}>")["ResponseCode"] == "ErrorInvalidPropertySet"


def test_attributes_that_appointments_need(calendars: Calendars) -> None:
    assert calendars.create(times(), send="")["ResponseCode"] == "ErrorSendMeetingInvitationsRequired"
    item = calendars.appointment()
    subject = change("item:Subject", "<t:Subject>n</t:Subject>")
    assert calendars.update(item, subject, send="")["ResponseCode"] == "ErrorSendMeetingInvitationsOrCancellationsRequired"
    assert calendars.delete(item, send="") == "ErrorSendMeetingCancellationsRequired"


# -- series


def test_a_master_says_what_its_dates_are(calendars: Calendars) -> None:
    master = calendars.series(weekly("Monday Wednesday"), numbered(4))
    got = calendars.get(master)
    assert (got["CalendarItemType"], got["IsRecurring"]) == ("RecurringMaster", False)
    assert got["FirstOccurrence"]["Start"] == utc(2027, 3, 1, 8)
    assert got["LastOccurrence"]["Start"] == utc(2027, 3, 10, 8)
    assert "ModifiedOccurrences" not in got
    assert "DeletedOccurrences" not in got


def test_a_series_without_end_has_no_last_date(calendars: Calendars) -> None:
    got = calendars.get(calendars.appointment(recurrence(daily())))
    assert "FirstOccurrence" in got
    assert "LastOccurrence" not in got


def test_the_start_moves_to_the_first_date(calendars: Calendars) -> None:
    got = calendars.get(calendars.series(weekly("Friday"), numbered(2)))
    assert got["Start"] == utc(2027, 3, 5, 8)


def test_dates_keep_the_time_of_the_day(calendars: Calendars) -> None:
    calendars.series(daily(), numbered(3, "2027-03-27"), start="2027-03-27T09:00:00", end="2027-03-27T10:00:00")
    got = calendars.view("2027-03-27T00:00:00Z", "2027-04-01T00:00:00Z")
    assert [one["Start"].hour for one in got] == [8, 7, 7]


def test_first_and_last_ids_are_those_of_the_view_and_of_the_index(calendars: Calendars) -> None:
    master = calendars.series()
    got = calendars.get(master)
    seen = calendars.view("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z")
    assert [one["CalendarItemType"] for one in seen] == ["Occurrence"] * 5
    assert all(one["IsRecurring"] for one in seen)
    assert got["FirstOccurrence"]["ItemId"] == seen[0]["ItemId"] == calendars.get(at(master, 1))["ItemId"]
    assert got["LastOccurrence"]["ItemId"] == seen[-1]["ItemId"] == calendars.get(at(master, 5))["ItemId"]
    assert calendars.get(seen[2]["ItemId"])["Start"] == seen[2]["Start"]


def test_a_date_leads_to_its_master(calendars: Calendars) -> None:
    master = calendars.series()
    date = calendars.get(at(master, 2))["ItemId"]
    got = calendars.get(f'<t:RecurringMasterItemId OccurrenceId="{date["@Id"]}"/>')
    assert got["ItemId"]["@Id"] == master["@Id"]


@pytest.mark.parametrize("index", [0, -1, 6, 2_000_000_000])
def test_an_index_outside(calendars: Calendars, index: int) -> None:
    assert calendars.got(at(calendars.series(), index))["ResponseCode"] == "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"


def test_ids_of_the_wrong_kind(calendars: Calendars) -> None:
    single = calendars.appointment()
    assert calendars.got(at(single, 1))["ResponseCode"] == "ErrorCalendarCannotUseIdForRecurringMasterId"
    wrong = f'<t:RecurringMasterItemId OccurrenceId="{single["@Id"]}"/>'
    assert calendars.got(wrong)["ResponseCode"] == "ErrorCalendarCannotUseIdForOccurrenceId"
    date = calendars.get(at(calendars.series(), 1))["ItemId"]
    assert calendars.got(at(date, 1))["ResponseCode"] == "ErrorCalendarCannotUseIdForRecurringMasterId"


def test_an_updated_date_is_an_exception(calendars: Calendars) -> None:
    master = calendars.series()
    before = calendars.get(at(master, 3))
    moved = calendars.updated(
        before["ItemId"],
        change("item:Subject", "<t:Subject>other</t:Subject>")
        + change("calendar:Start", "<t:Start>2027-03-03T11:00:00Z</t:Start>")
        + change("calendar:End", "<t:End>2027-03-03T12:00:00Z</t:End>"),
    )
    got = calendars.get(moved)
    assert (got["CalendarItemType"], got["IsRecurring"], got["Subject"]) == ("Exception", True, "other")
    assert (got["Start"], got["OriginalStart"]) == (utc(2027, 3, 3, 11), before["Start"])
    assert moved["@Id"] == before["ItemId"]["@Id"]
    assert moved["@ChangeKey"] != before["ItemId"]["@ChangeKey"]
    listed = calendars.get(master)["ModifiedOccurrences"]["Occurrence"]
    assert [(one["ItemId"], one["Start"], one["OriginalStart"]) for one in listed] == [
        (moved, got["Start"], got["OriginalStart"])
    ]
    assert calendars.get(at(master, 2))["Subject"] == "plan"
    assert calendars.get(at(master, 2))["CalendarItemType"] == "Occurrence"


def test_dates_are_changed_one_after_the_other_by_the_keys_of_one_view(calendars: Calendars) -> None:
    calendars.series()
    for one in calendars.view("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z"):
        message = calendars.update(one["ItemId"], change("item:Subject", "<t:Subject>n</t:Subject>"), mode="NeverOverwrite")
        assert message["ResponseCode"] == "NoError"
    assert {one["Subject"] for one in calendars.view("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z")} == {"n"}


def test_an_exception_follows_the_master_in_what_it_did_not_change(calendars: Calendars) -> None:
    master = calendars.series()
    calendars.updated(at(master, 2), change("item:Subject", "<t:Subject>other</t:Subject>"))
    calendars.updated({"@Id": master["@Id"]}, change("calendar:Location", "<t:Location>here</t:Location>"))
    got = calendars.get(at(master, 2))
    assert (got["Subject"], got["Location"]) == ("other", "here")


def test_a_deleted_date(calendars: Calendars) -> None:
    master = calendars.series()
    date = calendars.get(at(master, 2))
    assert calendars.delete(at(master, 2)) == "NoError"
    got = calendars.get(master)
    assert got["DeletedOccurrences"]["DeletedOccurrence"] == [{"Start": date["Start"]}]
    for gone in (at(master, 2), date["ItemId"]):
        assert calendars.got(gone)["ResponseCode"] == "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
        assert calendars.delete(gone) == "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
    assert len(calendars.view("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z")) == 4
    assert calendars.get(at(master, 3))["Start"] == utc(2027, 3, 3, 8)


def test_the_first_date_deleted_makes_the_next_the_first(calendars: Calendars) -> None:
    master = calendars.series()
    calendars.delete(at(master, 1))
    calendars.delete(at(master, 5))
    got = calendars.get(master)
    assert (got["FirstOccurrence"]["Start"].day, got["LastOccurrence"]["Start"].day) == (2, 4)


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("2027-03-04T08:00:00Z", "2027-03-04T08:30:00Z", "ErrorOccurrenceCrossingBoundary"),
        ("2027-03-02T20:00:00Z", "2027-03-02T21:00:00Z", "ErrorOccurrenceCrossingBoundary"),
        ("2027-03-03T08:00:00Z", "2027-03-04T09:00:00Z", "ErrorOccurrenceTimeSpanTooBig"),
        ("2027-03-03T08:00:00Z", "2027-03-03T07:00:00Z", "ErrorCalendarEndDateIsEarlierThanStartDate"),
        ("2027-03-03T20:00:00Z", "2027-03-03T21:00:00Z", "NoError"),
    ],
)
def test_an_exception_stays_between_its_neighbours(calendars: Calendars, start: str, end: str, code: str) -> None:
    master = calendars.series()
    changes = change("calendar:Start", f"<t:Start>{start}</t:Start>") + change("calendar:End", f"<t:End>{end}</t:End>")
    assert calendars.update(at(master, 3), changes)["ResponseCode"] == code


def test_dates_that_run_into_each_other(calendars: Calendars) -> None:
    long = times(end="2027-03-02T10:00:00") + recurrence(daily())
    assert calendars.create(long)["ResponseCode"] == "ErrorOccurrenceTimeSpanTooBig"


@pytest.mark.parametrize(
    "what",
    [
        change("calendar:Recurrence", recurrence(daily(2), numbered(5))),
        change("calendar:Start", "<t:Start>2027-03-01T08:30:00Z</t:Start>"),
    ],
)
def test_another_pattern_drops_exceptions(calendars: Calendars, what: str) -> None:
    master = calendars.series()
    calendars.updated(at(master, 2), change("item:Subject", "<t:Subject>other</t:Subject>"))
    calendars.delete(at(master, 3))
    got = calendars.get(calendars.updated({"@Id": master["@Id"]}, what))
    assert "ModifiedOccurrences" not in got
    assert "DeletedOccurrences" not in got


def test_a_master_that_moves_takes_its_range_along(calendars: Calendars) -> None:
    master = calendars.series()
    changes = change("calendar:Start", "<t:Start>2027-04-05T08:00:00Z</t:Start>") + change(
        "calendar:End", "<t:End>2027-04-05T09:00:00Z</t:End>"
    )
    got = calendars.get(calendars.updated({"@Id": master["@Id"]}, changes))
    assert got["FirstOccurrence"]["Start"] == utc(2027, 4, 5, 8)
    assert str(got["Recurrence"]["NumberedRecurrence"]["StartDate"])[:10] == "2027-04-05"


def test_deleting_the_master_deletes_all(calendars: Calendars) -> None:
    master = calendars.series()
    date = calendars.get(at(master, 2))["ItemId"]
    assert calendars.delete(master) == "NoError"
    assert calendars.view("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z") == []
    assert calendars.got(date)["ResponseCode"] == "ErrorItemNotFound"


def test_a_recurrence_that_is_none(calendars: Calendars) -> None:
    assert calendars.create(times() + recurrence(weekly("Day")))["ResponseCode"] == "ErrorCalendarInvalidDayForWeeklyRecurrence"


def test_dates_are_not_moved(calendars: Calendars) -> None:
    master = calendars.series()
    move = f'<MoveItem><ToFolderId><t:DistinguishedFolderId Id="deleteditems"/></ToFolderId><ItemIds>{at(master, 1)}</ItemIds></MoveItem>'
    assert calendars.code(move) == "ErrorCalendarCannotMoveOrCopyOccurrence"


# -- views


def test_a_view_has_what_overlaps_in_order_of_start(calendars: Calendars) -> None:
    calendars.appointment(start="2027-03-02T10:00:00", end="2027-03-02T11:00:00")
    calendars.series()
    calendars.appointment(start="2027-02-28T23:00:00", end="2027-03-01T01:00:00")
    got = calendars.view("2027-03-01T00:00:00Z", "2027-03-03T08:00:00Z")
    assert [(one["CalendarItemType"], one["Start"]) for one in got] == [
        ("Single", utc(2027, 2, 28, 22)),
        ("Occurrence", utc(2027, 3, 1, 8)),
        ("Occurrence", utc(2027, 3, 2, 8)),
        ("Single", utc(2027, 3, 2, 9)),
    ]


def test_what_ends_at_the_beginning_is_in_and_what_begins_at_the_end_is_not(calendars: Calendars) -> None:
    calendars.appointment()
    assert len(calendars.view("2027-03-01T09:00:00Z", "2027-03-01T10:00:00Z")) == 1
    assert len(calendars.view("2027-03-01T09:00:01Z", "2027-03-01T10:00:00Z")) == 0
    assert len(calendars.view("2027-03-01T07:00:00Z", "2027-03-01T08:00:00Z")) == 0


def test_a_view_is_cut_by_its_maximum(calendars: Calendars) -> None:
    calendars.series()
    root = calendars.root("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z", 3)
    assert (len(root["Items"]), root["@IncludesLastItemInRange"]) == (3, False)
    root = calendars.root("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z", 5)
    assert (len(root["Items"]), root["@IncludesLastItemInRange"]) == (5, True)


def test_views_that_are_refused(calendars: Calendars) -> None:
    assert calendars.code(viewing("2027-01-01T00:00:00Z", "2029-01-05T00:00:00Z")) == "ErrorCalendarViewRangeTooBig"
    assert (
        calendars.code(viewing("2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z", folder="inbox"))
        == "ErrorCalendarFolderIsInvalidForCalendarView"
    )


def test_without_a_view_there_are_masters_only(calendars: Calendars) -> None:
    calendars.series()
    calendars.appointment()
    found = calendars.one(
        '<FindItem Traversal="Shallow"><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape>'
        '<ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></ParentFolderIds></FindItem>'
    )["RootFolder"]["Items"]
    assert sorted(one["CalendarItemType"] for _, one in found) == ["RecurringMaster", "Single"]


def test_a_view_shows_exceptions_where_they_are_now(calendars: Calendars) -> None:
    master = calendars.series(weekly("Monday"), numbered(3))
    changes = change("calendar:Start", "<t:Start>2027-03-10T08:00:00Z</t:Start>") + change(
        "calendar:End", "<t:End>2027-03-10T09:00:00Z</t:End>"
    )
    calendars.updated(at(master, 2), changes)
    got = calendars.view("2027-03-10T00:00:00Z", "2027-03-11T00:00:00Z")
    assert [one["CalendarItemType"] for one in got] == ["Exception"]
    assert calendars.view("2027-03-08T00:00:00Z", "2027-03-09T00:00:00Z") == []


# -- MIME


def test_mime_content_is_bare_icalendar_with_a_zone(calendars: Calendars) -> None:
    octets = calendars.mime(calendars.appointment())
    assert octets.startswith(b"BEGIN:VCALENDAR\r\n")
    assert b"BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\n" in octets
    event = Calendar.from_ical(octets).walk("VEVENT")[0]
    assert str(event["SUMMARY"]) == "plan"


def test_an_update_of_the_subject_shows_up_in_the_mime_content(calendars: Calendars) -> None:
    item = calendars.updated(calendars.appointment(), change("item:Subject", "<t:Subject>new words</t:Subject>"))
    assert b"SUMMARY:new words\r\n" in calendars.mime(item)
    assert b"SUMMARY:plan" not in calendars.mime(item)


ICS = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:dav\r\nSUMMARY:from iCal\r\nLOCATION:l\r\nDTSTART;TZID=Europe/Berlin:20270301T090000\r\n"
    "DTEND;TZID=Europe/Berlin:20270301T100000\r\nRRULE:FREQ=DAILY;COUNT=5\r\nEXDATE;TZID=Europe/Berlin:20270302T090000\r\nCLASS:PRIVATE\r\n"
    "TRANSP:TRANSPARENT\r\nCATEGORIES:A,B\r\nDESCRIPTION:text\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT30M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    "BEGIN:VEVENT\r\nUID:dav\r\nRECURRENCE-ID;TZID=Europe/Berlin:20270303T090000\r\nSUMMARY:moved\r\nDTSTART;TZID=Europe/Berlin:20270303T110000\r\n"
    "DTEND;TZID=Europe/Berlin:20270303T120000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.mark.parametrize("wrapped", [False, True])
def test_mime_content_makes_an_appointment(calendars: Calendars, wrapped: bool) -> None:
    text = f"Content-Type: text/calendar; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{ICS}" if wrapped else ICS
    content = base64.b64encode(text.encode()).decode()
    item = calendars.made(f'<t:MimeContent CharacterSet="UTF-8">{content}</t:MimeContent>')
    got = calendars.get(item)
    wanted: dict[str, Any] = {
        "UID": "dav", "Subject": "from iCal", "Location": "l", "Start": utc(2027, 3, 1, 8), "Sensitivity": "Private",
        "LegacyFreeBusyStatus": "Free", "Categories": {"String": ["A", "B"]}, "ReminderIsSet": True, "ReminderMinutesBeforeStart": "30",
        "CalendarItemType": "RecurringMaster",
    }  # fmt: skip
    assert {name: got[name] for name in wanted} == wanted
    assert got["DeletedOccurrences"]["DeletedOccurrence"] == [{"Start": utc(2027, 3, 2, 8)}]
    assert got["ModifiedOccurrences"]["Occurrence"][0]["Start"] == utc(2027, 3, 3, 10)
    assert calendars.get(at(item, 3))["Subject"] == "moved"
    again = calendars.mime(item)
    assert [
        word
        for word in (b"RRULE:FREQ=DAILY;COUNT=5", b"EXDATE", b"RECURRENCE-ID", b"CLASS:PRIVATE", b"TRIGGER")
        if word not in again
    ] == []


def test_other_elements_win_over_mime_content(calendars: Calendars) -> None:
    content = base64.b64encode(ICS.encode()).decode()
    item = calendars.made(f"<t:MimeContent>{content}</t:MimeContent><t:Subject>mine</t:Subject>")
    assert calendars.get(item)["Subject"] == "mine"


def test_mime_content_that_is_none(calendars: Calendars) -> None:
    content = base64.b64encode(b"Subject: no calendar\r\n\r\n").decode()
    assert calendars.create(f"<t:MimeContent>{content}</t:MimeContent>")["ResponseCode"] == "ErrorMimeContentInvalid"


# -- MAPI


def path(number: int, kind: str, group: str = "Appointment") -> str:
    return f'<t:ExtendedFieldURI DistinguishedPropertySetId="{group}" PropertyId="{number}" PropertyType="{kind}"/>'


def named(name: str, kind: str) -> str:
    return f'<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="{name}" PropertyType="{kind}"/>'


def test_mirrors(calendars: Calendars) -> None:
    paths = (
        path(33315, "Boolean")
        + path(0x8231, "Integer")
        + named("urn:schemas:calendar:instancetype", "Integer")
        + path(0x8216, "Binary")
    )
    single = calendars.get(calendars.appointment(), paths, shape="IdOnly")["ExtendedProperty"]
    assert [one["Value"] for one in single] == ["false", "0", "0"]
    master = calendars.series(weekly("Monday"))
    found = [one["Value"] for one in calendars.get(master, paths, shape="IdOnly")["ExtendedProperty"]]
    assert found[:3] == ["true", "2", "1"]
    assert base64.b64decode(found[3])[:6] == b"\x04\x30\x04\x30\x0b\x20"
    date = calendars.get(at(master, 1), named("urn:schemas:calendar:instancetype", "Integer"), shape="IdOnly")
    assert date["ExtendedProperty"][0]["Value"] == "2"


def test_searches_for_single_appointments_by_mapi(calendars: Calendars) -> None:
    calendars.series()
    calendars.appointment("<t:UID>one</t:UID>")
    restriction = (
        f'<Restriction><t:IsEqualTo>{path(33315, "Boolean")}<t:FieldURIOrConstant><t:Constant Value="false"/></t:FieldURIOrConstant></t:IsEqualTo>'
        "</Restriction>"
    )
    found = calendars.one(
        f'<FindItem Traversal="Shallow"><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape>{restriction}'
        '<ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></ParentFolderIds></FindItem>'
    )["RootFolder"]["Items"]
    assert [one["UID"] for _, one in found] == ["one"]


def test_attendees_get_names_and_no_answers_from_the_request(calendars: Calendars) -> None:
    got = calendars.get(calendars.appointment(attendees("bob@sim.test", "x@out.test")))
    assert [(one["Mailbox"]["Name"], one["ResponseType"]) for one in got["RequiredAttendees"]["Attendee"]] == [
        ("Bob Birch", "Unknown"),
        ("x@out.test", "Unknown"),
    ]
    assert (got["IsMeeting"], got["MyResponseType"], got["DisplayTo"]) == (True, "Organizer", "Bob Birch; x@out.test")


# -- the rest of the calendar


def test_conflicts_and_neighbours_are_counted(calendars: Calendars) -> None:
    item = calendars.appointment()
    calendars.appointment(start="2027-03-01T09:30:00", end="2027-03-01T11:00:00")
    calendars.appointment(start="2027-03-01T10:00:00", end="2027-03-01T11:00:00")
    calendars.appointment("<t:LegacyFreeBusyStatus>Free</t:LegacyFreeBusyStatus>")
    got = calendars.get(item)
    assert (got["ConflictingMeetingCount"], got["AdjacentMeetingCount"]) == (1, 1)
    ((_, other),) = got["ConflictingMeetings"]
    assert other["Start"] == utc(2027, 3, 1, 8, 30)
    assert got["AdjacentMeetings"][0][1]["Start"] == utc(2027, 3, 1, 9)


@pytest.mark.parametrize(
    ("bounds", "days"),
    [
        ('Start="2027-03-02T00:00:00Z" End="2027-03-04T00:00:00Z"', [2, 3]),
        ('Start="2027-03-02T00:00:00Z" Count="2"', [2, 3]),
        ('End="2027-03-02T00:00:00Z"', [1]),
        ('Start="2027-03-04T00:00:00Z"', [4, 5]),
    ],
)
def test_dates_in_ranges(calendars: Calendars, bounds: str, days: list[int]) -> None:
    master = calendars.series()
    asked = f'<t:RecurringMasterItemIdRanges Id="{master["@Id"]}"><t:Ranges><t:Range {bounds}/></t:Ranges></t:RecurringMasterItemIdRanges>'
    assert [one["Start"].day for _, one in calendars.got(asked)["Items"]] == days


def test_a_view_without_offsets_is_in_the_zone_of_the_request(calendars: Calendars) -> None:
    calendars.appointment()
    context = '<t:TimeZoneContext><t:TimeZoneDefinition Id="Tokyo Standard Time"/></t:TimeZoneContext>'
    assert len(calendars.view("2027-03-01T18:01:00", "2027-03-01T18:40:00", header=context)) == 0
    assert len(calendars.view("2027-03-01T16:30:00", "2027-03-01T17:00:00", header=context)) == 0
    assert len(calendars.view("2027-03-01T18:00:00", "2027-03-01T18:40:00", header=context)) == 1
