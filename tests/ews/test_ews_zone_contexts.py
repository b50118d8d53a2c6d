"""Time zones that only rules describe, in requests and answers; the zones of 2007 (ews reference 2, 11; MS-OXWSGTZ, MS-OXWSMTGS 2.2.4.20)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from calendar_scene import Calendars, calendars

__all__ = ["calendars"]


def rules(name: str = "", bias: str = "PT3H", summer: str = "PT2H") -> str:
    """A zone west of Greenwich by so much, with summer time from the first Sunday in April to the last in October."""
    given = f' Id="{name}" Name="{name}"' if name else ""
    day = "<t:TimeOffset>PT2H</t:TimeOffset><t:Month>{month}</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek><t:Occurrence>{nth}</t:Occurrence>"
    return (
        f"<t:{{element}}{given}><t:Periods>"
        f'<t:Period Bias="{bias}" Name="Standard" Id="std"/><t:Period Bias="{summer}" Name="Daylight" Id="dlt"/></t:Periods>'
        '<t:TransitionsGroups><t:TransitionsGroup Id="0">'
        f'<t:RecurringDayTransition><t:To Kind="Period">dlt</t:To>{day.format(month=4, nth=1)}</t:RecurringDayTransition>'
        f'<t:RecurringDayTransition><t:To Kind="Period">std</t:To>{day.format(month=10, nth=-1)}</t:RecurringDayTransition>'
        '</t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions>'
        "</t:{element}>"
    )


def context(name: str = "", **how: str) -> str:
    return f"<t:TimeZoneContext>{rules(name, **how).replace('{element}', 'TimeZoneDefinition')}</t:TimeZoneContext>"


@pytest.mark.parametrize("name", ["", "Nowhere Standard Time"])
@pytest.mark.parametrize(("day", "hour"), [("2027-03-01", 12), ("2027-07-01", 11)])
def test_times_without_offset_are_in_the_zone_that_the_header_describes(
    calendars: Calendars, name: str, day: str, hour: int
) -> None:
    """Section 11: a time without offset is in the item's zone, else in TimeZoneContext, else UTC; here TimeZoneContext has rules only."""
    item = calendars.appointment(start=f"{day}T09:00:00", end=f"{day}T10:00:00", zone="", header=context(name))
    assert calendars.get(item)["Start"].hour == hour


def test_a_known_id_counts_for_more_than_the_rules_beside_it(calendars: Calendars) -> None:
    item = calendars.appointment(zone="", header=context("W. Europe Standard Time"))
    assert calendars.get(item)["Start"] == datetime(2027, 3, 1, 8, tzinfo=UTC)


def test_the_described_zone_is_told_again(calendars: Calendars) -> None:
    """Both directions: an item in a zone without a name is answered with the rules it was given."""
    zone = rules("Nowhere Standard Time").replace("{element}", "StartTimeZone")
    item = calendars.appointment(start="2027-07-01T09:00:00", end="2027-07-01T10:00:00", zone=zone)
    shown = calendars.get(item)
    assert shown["Start"] == datetime(2027, 7, 1, 11, tzinfo=UTC)
    told = shown["StartTimeZone"]
    assert told["@Id"] == "Nowhere Standard Time"
    assert [one["@Bias"] for one in told["Periods"]["Period"]] == ["PT3H", "PT2H"]
    assert told["TransitionsGroups"]["TransitionsGroup"][0][""][0][0] == "RecurringDayTransition"
    mime = calendars.mime(item).decode()
    assert "TZID:Nowhere Standard Time" in mime
    assert "TZOFFSETTO:-0300" in mime
    assert "TZOFFSETTO:-0200" in mime


def test_views_and_tasks_follow_the_header(calendars: Calendars) -> None:
    calendars.appointment(start="2027-03-01T12:00:00Z", end="2027-03-01T13:00:00Z", zone="")
    header = context()
    assert len(calendars.view("2027-03-01T09:00:00", "2027-03-01T10:00:00", header=header)) == 1
    assert calendars.view("2027-03-01T09:00:00", "2027-03-01T10:00:00") == []
    task = calendars.made("<t:DueDate>2027-03-02T01:00:00Z</t:DueDate>", "", "Task", header=header)
    assert calendars.get(task)["DueDate"] == datetime(2027, 3, 1, tzinfo=UTC)


def test_availability_takes_the_zone_of_the_header(calendars: Calendars) -> None:
    calendars.appointment(start="2027-03-01T12:00:00Z", end="2027-03-01T13:00:00Z", zone="")
    asked = (
        "<GetUserAvailabilityRequest><MailboxDataArray><t:MailboxData><t:Email><t:Address>ann@sim.test</t:Address></t:Email>"
        "<t:AttendeeType>Required</t:AttendeeType></t:MailboxData></MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow>"
        "<t:StartTime>2027-03-01T00:00:00</t:StartTime><t:EndTime>2027-03-02T00:00:00</t:EndTime></t:TimeWindow>"
        "<t:RequestedView>FreeBusy</t:RequestedView></t:FreeBusyViewOptions></GetUserAvailabilityRequest>"
    )
    answer = calendars.ask(asked, header=context())
    view = answer["FreeBusyResponseArray"]["FreeBusyResponse"][0]["FreeBusyView"]
    assert view["CalendarEventArray"]["CalendarEvent"][0]["StartTime"].hour == 9
    assert calendars.code(asked) == "ErrorTimeZone"


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ('<t:TimeZoneContext><t:TimeZoneDefinition Id="Nowhere"/></t:TimeZoneContext>', "ErrorTimeZone"),
        (context(bias="PT30H"), "ErrorCalendarInvalidTimeZone"),
        (context().replace('Kind="Period">std', 'Kind="Period">none'), "ErrorCalendarInvalidTimeZone"),
        (
            "<t:TimeZoneContext><t:TimeZoneDefinition><t:Rule/></t:TimeZoneDefinition></t:TimeZoneContext>",
            "ErrorSchemaValidation",
        ),
    ],
)
def test_zones_that_are_none(calendars: Calendars, broken: str, code: str) -> None:
    inside = "<t:Start>2027-03-01T09:00:00</t:Start><t:End>2027-03-01T10:00:00</t:End>"
    asked = (
        f'<CreateItem SendMeetingInvitations="SendToNone"><Items><t:CalendarItem>{inside}</t:CalendarItem></Items></CreateItem>'
    )
    assert calendars.code(asked, header=broken) == code


# -- 2007

MEETING_ZONE = (
    '<t:MeetingTimeZone TimeZoneName="{name}"><t:BaseOffset>PT3H</t:BaseOffset><t:Standard TimeZoneName="S"><t:Offset>PT0H</t:Offset>'
    "<t:RelativeYearlyRecurrence><t:DaysOfWeek>Sunday</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex><t:Month>October</t:Month>"
    "</t:RelativeYearlyRecurrence><t:Time>02:00:00</t:Time></t:Standard>"
    '<t:Daylight TimeZoneName="D"><t:Offset>-PT1H</t:Offset><t:RelativeYearlyRecurrence><t:DaysOfWeek>Sunday</t:DaysOfWeek>'
    "<t:DayOfWeekIndex>First</t:DayOfWeekIndex><t:Month>April</t:Month></t:RelativeYearlyRecurrence><t:Time>02:00:00</t:Time></t:Daylight>"
    "</t:MeetingTimeZone>"
)


@pytest.mark.parametrize("name", ["", "Nowhere"])
def test_a_meeting_time_zone_by_rules(calendars: Calendars, name: str) -> None:
    """Section 11: MeetingTimeZone belongs to 2007, StartTimeZone to 2010 and later; each version is answered in its own."""
    zone = MEETING_ZONE.format(name=name)
    item = calendars.appointment(start="2027-07-01T09:00:00", end="2027-07-01T10:00:00", zone=zone, version="Exchange2007_SP1")
    old = calendars.get(item, version="Exchange2007_SP1")
    assert old["Start"] == datetime(2027, 7, 1, 11, tzinfo=UTC)
    assert "StartTimeZone" not in old
    told = old["MeetingTimeZone"]
    assert told["BaseOffset"] in ("PT3H", "PT180M")
    assert told["Daylight"]["Offset"] in ("-PT1H", "-PT60M")
    assert told["Daylight"]["RelativeYearlyRecurrence"]["Month"] == "April"
    new = calendars.get(item)
    assert [one["@Bias"] for one in new["StartTimeZone"]["Periods"]["Period"]] == ["PT180M", "PT120M"]


def test_a_zone_with_a_name_is_told_to_2007_by_its_rules(calendars: Calendars) -> None:
    item = calendars.appointment()
    told = calendars.get(item, version="Exchange2007_SP1")["MeetingTimeZone"]
    assert (told["@TimeZoneName"], told["Daylight"]["RelativeYearlyRecurrence"]["Month"]) == (
        "W. Europe Standard Time",
        "March",
    )
