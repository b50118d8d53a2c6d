"""iCalendar text and appointments, both ways; rules and zones as icalendar and dateutil understand them."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from test_ews_calendar_recurrence import patterns

from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.ical_read import merged, read_calendar
from postroom_simulator.ews.calendar.ical_write import rrule_text, write_calendar
from postroom_simulator.ews.calendar.occurrences import DELETED, EXCEPTIONS, Dates, seconds
from postroom_simulator.ews.calendar.recurrence import Pattern, Series
from postroom_simulator.ews.calendar.zones import definition, named, zone_named
from postroom_simulator.ews.errors import EwsError

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
BERLIN = {"@Id": "W. Europe Standard Time", "@Name": "(UTC+01:00) Berlin"}


def appointment(**more: Any) -> dict[str, Any]:
    return {
        "Subject": "Plan; with, signs\\ and\nlines",
        "UID": "one@sim.test",
        "Location": "Room 5, façade",
        "Start": datetime(2027, 3, 1, 9, tzinfo=UTC),
        "End": datetime(2027, 3, 1, 10, 30, tzinfo=UTC),
        "StartTimeZone": BERLIN,
        "EndTimeZone": BERLIN,
        "Body": {"@BodyType": "Text", "": "Bring:\npens " + "ü" * 80},
        "Sensitivity": "Private",
        "Importance": "High",
        "LegacyFreeBusyStatus": "OOF",
        "Categories": {"String": ["Red, green", "Work"]},
        "ReminderIsSet": True,
        "ReminderMinutesBeforeStart": "20",
    } | more


def back(properties: dict[str, Any], **how: Any) -> dict[str, Any]:
    octets = write_calendar([properties], now=NOW, **how)
    assert all(len(line) <= 75 for line in octets.split(b"\r\n"))
    return merged(read_calendar(octets).events)[0].properties


def test_what_is_written_is_read() -> None:
    given = appointment()
    got = back(given)
    assert {name: got[name] for name in given} == given


@pytest.mark.parametrize("status", ["Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"])
@pytest.mark.parametrize("sensitivity", ["Normal", "Personal", "Private", "Confidential"])
def test_words_are_kept(status: str, sensitivity: str) -> None:
    got = back(appointment(LegacyFreeBusyStatus=status, Sensitivity=sensitivity))
    assert (got["LegacyFreeBusyStatus"], got["Sensitivity"]) == (status, sensitivity)


def test_whole_days_are_midnights_of_the_zone() -> None:
    got = back(
        appointment(IsAllDayEvent=True, Start=datetime(2027, 2, 28, 23, tzinfo=UTC), End=datetime(2027, 3, 1, 23, tzinfo=UTC))
    )
    assert got["IsAllDayEvent"] is True
    foreign = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:d\r\nDTSTART;VALUE=DATE:20270301\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    event = read_calendar(foreign, zone_named("Europe/Berlin")).events[0].properties
    assert event["IsAllDayEvent"] is True
    assert (event["Start"], event["End"]) == (datetime(2027, 2, 28, 23, tzinfo=UTC), datetime(2027, 3, 1, 23, tzinfo=UTC))


def test_a_series_with_exceptions_and_gaps() -> None:
    series = Series(Pattern("weekly", 1, (0, 2), first_day=0), date(2027, 3, 1), count=10)
    given = appointment(Recurrence=recurrence.write(series))
    dates = Dates(given)
    gone, moved = dates.by_index(2), dates.by_index(9)
    given[DELETED] = [gone.key]
    given[EXCEPTIONS] = {
        moved.key: {"Start": moved.start + timedelta(hours=2), "End": moved.end + timedelta(hours=2), "Subject": "later"}
    }
    got = back(given)
    assert got["Recurrence"] == given["Recurrence"]
    assert got[DELETED] == [gone.key]
    assert {key: value for key, value in got[EXCEPTIONS][moved.key].items() if key in ("Start", "End", "Subject")} == given[
        EXCEPTIONS
    ][moved.key]


def test_people_are_kept() -> None:
    ann = {"Mailbox": {"Name": 'Ann "A" Lee', "EmailAddress": "ann@sim.test"}, "ResponseType": "Accept"}
    given = appointment(
        Organizer={"Mailbox": {"Name": "Org", "EmailAddress": "org@sim.test"}},
        RequiredAttendees={"Attendee": [ann]},
        OptionalAttendees={"Attendee": [{"Mailbox": {"EmailAddress": "opt@sim.test"}}]},
        Resources={"Attendee": [{"Mailbox": {"EmailAddress": "room@sim.test"}, "ResponseType": "Decline"}]},
    )
    got = back(given, method="REQUEST")
    assert got["Organizer"]["Mailbox"]["EmailAddress"] == "org@sim.test"
    assert [one["ResponseType"] for one in got["RequiredAttendees"]["Attendee"]] == ["Accept"]
    assert got["OptionalAttendees"]["Attendee"][0]["Mailbox"]["Name"] == "opt@sim.test"
    assert got["Resources"]["Attendee"][0]["ResponseType"] == "Decline"


@settings(max_examples=60, deadline=None)
@given(
    patterns,
    st.dates(date(2020, 1, 1), date(2035, 1, 1)),
    st.sampled_from(["W. Europe Standard Time", "UTC", "Hawaiian Standard Time"]),
)
def test_rules_mean_the_same_dates_to_dateutil_and_come_back(pattern: Pattern, start: date, zone: str) -> None:
    first = Series(pattern, start, count=20).first()
    assert first is not None
    series = Series(pattern, first, count=20)
    begin = zone_named(zone).instant(datetime(first.year, first.month, first.day, 9))  # noqa: DTZ001
    given = appointment(
        Start=begin, End=begin + timedelta(hours=1), StartTimeZone={"@Id": zone}, Recurrence=recurrence.write(series)
    )
    dates = Dates(given)
    text = rrule_text(series, dates)
    local = dates.zone.local(begin)
    by_dateutil = [one.date() for one in rrule.rrulestr(text, dtstart=local.replace(day=local.day))]
    assert by_dateutil == list(series.dates()), text
    again = Dates(back(given))
    assert list(again.series.dates()) == list(series.dates())
    bounded = Series(pattern, first, end=list(series.dates())[-1])
    given["Recurrence"] = recurrence.write(bounded)
    assert list(Dates(back(given)).series.dates()) == list(series.dates())


def test_zones_are_told_and_understood() -> None:
    octets = write_calendar([appointment()], now=NOW)
    assert octets.count(b"BEGIN:VTIMEZONE") == 1
    zone = Calendar.from_ical(octets).walk("VTIMEZONE")[0]
    assert str(zone["TZID"]) == "W. Europe Standard Time"
    renamed = octets.replace(b"W. Europe Standard Time", b"Somewhere Else")
    got = read_calendar(renamed).events[0].properties
    assert got["Start"] == datetime(2027, 3, 1, 9, tzinfo=UTC)
    assert got["StartTimeZone"]["@Id"] == "Somewhere Else"
    summer = write_calendar(
        [appointment(Start=datetime(2027, 7, 1, 9, tzinfo=UTC), End=datetime(2027, 7, 1, 9, tzinfo=UTC))], now=NOW
    )
    got = read_calendar(summer.replace(b"W. Europe Standard Time", b"Somewhere Else")).events[0].properties
    assert got["Start"] == datetime(2027, 7, 1, 9, tzinfo=UTC)
    assert definition(zone_named("UTC"))["@Id"] == "UTC"
    assert named("Somewhere Else") is None


@pytest.mark.parametrize("octets", [b"", b"hello", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", b"BEGIN:VCALENDAR",
    b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:soon\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", b"BEGIN:VCARD\r\nEND:VCARD\r\n"])  # fmt: skip
def test_texts_that_are_none(octets: bytes) -> None:
    with pytest.raises(EwsError) as caught:
        read_calendar(octets)
    assert caught.value.code == "ErrorMimeContentInvalid"


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=MONTHLY;BYMONTHDAY=1,15", "FREQ=YEARLY;BYWEEKNO=3", "FREQ=DAILY;INTERVAL=2;BYDAY=MO",
    "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=2", "FREQ=YEARLY;BYMONTH=1,2;BYMONTHDAY=1", "FREQ=MONTHLY;BYDAY=-2MO"])  # fmt: skip
def test_rules_that_appointments_cannot_have(rule: str) -> None:
    text = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20270101T090000Z\r\nRRULE:{rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    with pytest.raises(EwsError) as caught:
        read_calendar(text.encode())
    assert caught.value.code == "ErrorUnsupportedRecurrence"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(noise: bytes) -> None:
    octets = write_calendar([appointment()], now=NOW)
    for broken in (
        noise,
        octets[: len(noise) * 3] + noise,
        octets.replace(b"DTSTART", noise[:8]),
        octets.replace(b"20270301", noise),
    ):
        with contextlib.suppress(EwsError):
            read_calendar(broken)


def test_keys_are_whole_seconds() -> None:
    assert seconds(datetime(2027, 1, 1, tzinfo=UTC)) == 1798761600
