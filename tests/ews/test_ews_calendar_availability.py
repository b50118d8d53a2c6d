"""GetUserAvailability, GetRoomLists, GetRooms, GetServerTimeZones (ews reference 11), sentence by sentence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from calendar_scene import BOB, Calendars, attendees, calendars, daily, numbered, recurrence

from postroom_simulator.directory import WorkingHours
from postroom_simulator.ews.permissions import grant
from postroom_simulator.store.interface import Role

__all__ = ["calendars"]

ZONE = (
    "<t:TimeZone><t:Bias>-60</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>03:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month>"
    "<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder>"
    "<t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"
)


def options(
    view: str = "DetailedMerged", start: str = "2027-03-01T00:00:00", end: str = "2027-03-02T00:00:00", interval: int = 60
) -> str:
    return (
        f"<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>{start}</t:StartTime><t:EndTime>{end}</t:EndTime></t:TimeWindow>"
        f"<t:MergedFreeBusyIntervalInMinutes>{interval}</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>{view}</t:RequestedView></t:FreeBusyViewOptions>"
    )


def request(*addresses: str, how: str = "", zone: str = ZONE) -> str:
    each = "".join(
        f"<t:MailboxData><t:Email><t:Address>{one}</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData>"
        for one in addresses
    )
    return f"<GetUserAvailabilityRequest>{zone}<MailboxDataArray>{each}</MailboxDataArray>{how or options()}</GetUserAvailabilityRequest>"


def views(scene: Calendars, *addresses: str, **how: str) -> list[dict[str, Any]]:
    answer = scene.ask(request(*(addresses or (BOB,)), how=how.pop("how", "")), **how)
    assert "fault" not in answer, answer
    found: list[dict[str, Any]] = answer["FreeBusyResponseArray"]["FreeBusyResponse"]
    return found


def busy(
    scene: Calendars,
    status: str = "Busy",
    start: str = "2027-03-01T09:00:00",
    end: str = "2027-03-01T10:00:00",
    extra: str = "",
) -> None:
    scene.appointment(f"<t:LegacyFreeBusyStatus>{status}</t:LegacyFreeBusyStatus>{extra}", start=start, end=end, user=BOB)


def share(scene: Calendars, level: str) -> None:
    folder = scene.world.store.folder(BOB, Role.CALENDAR)
    grant(scene.world.store, folder, "ann@sim.test", level)


def test_digits(calendars: Calendars) -> None:
    busy(calendars)
    busy(calendars, "Tentative", "2027-03-01T09:30:00", "2027-03-01T11:30:00")
    busy(calendars, "OOF", "2027-03-01T22:00:00", "2027-03-02T05:00:00")
    busy(calendars, "Free", "2027-03-01T15:00:00", "2027-03-01T16:00:00")
    (one,) = views(calendars)
    assert one["FreeBusyView"]["MergedFreeBusy"] == "000000000211000000000033"
    (one,) = views(calendars, how=options(interval=1440))
    assert one["FreeBusyView"]["MergedFreeBusy"] == "3"
    (one,) = views(calendars, how=options(start="2027-03-01T09:00:00", end="2027-03-01T10:10:00", interval=30))
    assert one["FreeBusyView"]["MergedFreeBusy"] == "221"


@pytest.mark.parametrize(
    ("view", "digits", "events", "details"),
    [
        ("MergedOnly", True, False, False),
        ("FreeBusy", False, True, False),
        ("FreeBusyMerged", True, True, False),
        ("Detailed", False, True, True),
        ("DetailedMerged", True, True, True),
    ],
)
def test_views(calendars: Calendars, view: str, digits: bool, events: bool, details: bool) -> None:
    busy(calendars, extra="<t:Location>room</t:Location>")
    share(calendars, "Reviewer")
    (one,) = views(calendars, how=options(view))
    found = one["FreeBusyView"]
    assert found["FreeBusyViewType"] == view
    assert ("MergedFreeBusy" in found) is digits
    assert ("CalendarEventArray" in found) is events
    if events:
        (event,) = found["CalendarEventArray"]["CalendarEvent"]
        assert event["StartTime"] == datetime(2027, 3, 1, 9)  # noqa: DTZ001 - in the request's zone
        assert ("CalendarEventDetails" in event) is details
        if details:
            assert (event["CalendarEventDetails"]["Subject"], event["CalendarEventDetails"]["Location"]) == ("plan", "room")


def test_who_may_see_times_only_sees_times_only(calendars: Calendars) -> None:
    busy(calendars)
    (one,) = views(calendars)
    assert one["FreeBusyView"]["FreeBusyViewType"] == "FreeBusyMerged"
    share(calendars, "None")
    (one,) = views(calendars)
    assert one["ResponseMessage"]["ResponseCode"] == "ErrorNoFreeBusyAccess"


def test_what_is_private_has_no_subject_for_others(calendars: Calendars) -> None:
    busy(calendars, extra="<t:Sensitivity>Private</t:Sensitivity>")
    share(calendars, "FreeBusyTimeAndSubjectAndLocation")
    (one,) = views(calendars)
    details = one["FreeBusyView"]["CalendarEventArray"]["CalendarEvent"][0]["CalendarEventDetails"]
    assert details["IsPrivate"] is True
    assert "Subject" not in details


def test_series_count_by_their_dates(calendars: Calendars) -> None:
    busy(calendars, extra=recurrence(daily(), numbered(3)))
    (one,) = views(calendars, how=options("FreeBusy", end="2027-03-08T00:00:00"))
    assert len(one["FreeBusyView"]["CalendarEventArray"]["CalendarEvent"]) == 3


def test_working_hours_are_always_told(calendars: Calendars) -> None:
    calendars.world.directory.account(BOB).working_hours = WorkingHours("W. Europe Standard Time", (6, 0), 540, 1000)
    (one,) = views(calendars)
    hours = one["FreeBusyView"]["WorkingHours"]
    assert hours["TimeZone"]["Bias"] == -60
    assert hours["WorkingPeriodArray"]["WorkingPeriod"] == [
        {"DayOfWeek": "Sunday Monday", "StartTimeInMinutes": 540, "EndTimeInMinutes": 1000}
    ]


def test_an_unknown_address_is_an_error_in_its_place(calendars: Calendars) -> None:
    first, second, third = views(calendars, BOB, "who@out.test", BOB)
    assert [one["ResponseMessage"]["ResponseCode"] for one in (first, second, third)] == [
        "NoError",
        "ErrorMailRecipientNotFound",
        "NoError",
    ]
    assert second["FreeBusyView"] == {"FreeBusyViewType": "None"}


def test_a_group_is_as_busy_as_its_members(calendars: Calendars) -> None:
    busy(calendars)
    calendars.world.add_group("all@sim.test", [BOB, "cat@sim.test"])
    (one,) = views(calendars, "all@sim.test")
    assert one["FreeBusyView"]["MergedFreeBusy"].count("2") == 1


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (options(start="2027-03-03T00:00:00"), "ErrorInvalidTimeInterval"),
        (options(end="2028-03-03T00:00:00"), "ErrorTimeIntervalTooBig"),
        (options(interval=4), "ErrorInvalidMergedFreeBusyInterval"),
        (options(interval=1441), "ErrorInvalidMergedFreeBusyInterval"),
        (options("None"), "ErrorInvalidFreeBusyViewType"),
    ],
)
def test_requests_that_are_wrong(calendars: Calendars, how: str, code: str) -> None:
    assert calendars.code(request(BOB, how=how)) == code


def test_numbers_of_mailboxes_and_no_zone(calendars: Calendars) -> None:
    assert calendars.code(request(*[BOB] * 101)) == "ErrorMailboxDataArrayTooBig"
    assert calendars.code(request()) == "ErrorMailboxDataArrayEmpty"
    assert calendars.code(request(BOB, zone="")) == "ErrorTimeZone"


def test_suggestions(calendars: Calendars) -> None:
    busy(calendars, start="2027-03-01T08:00:00", end="2027-03-01T16:00:00")
    how = (
        "<t:SuggestionsViewOptions><t:MaximumResultsByDay>3</t:MaximumResultsByDay><t:MeetingDurationInMinutes>60</t:MeetingDurationInMinutes>"
        "<t:DetailedSuggestionsWindow><t:StartTime>2027-03-01T00:00:00</t:StartTime><t:EndTime>2027-03-02T00:00:00</t:EndTime>"
        "</t:DetailedSuggestionsWindow></t:SuggestionsViewOptions>"
    )
    answer = calendars.ask(request(BOB, how=how))
    (day,) = answer["SuggestionsResponse"]["SuggestionDayResultArray"]["SuggestionDayResult"]
    found = day["SuggestionArray"]["Suggestion"]
    assert [one["MeetingTime"].hour for one in found] == [16, 16]
    assert {one["SuggestionQuality"] for one in found} == {day["DayQuality"]} == {"Excellent"}


def test_rooms(calendars: Calendars) -> None:
    for name in ("atlas", "borea"):
        calendars.world.add_account(f"{name}@sim.test", name=name.title()).is_room = True
    calendars.world.add_group("rooms@sim.test", ["atlas@sim.test", BOB, "borea@sim.test"], name="Rooms").is_room_list = True
    calendars.world.add_group("team@sim.test", [BOB])
    lists = calendars.ask("<GetRoomLists/>")["RoomLists"]["Address"]
    assert [(one["Name"], one["EmailAddress"]) for one in lists] == [("Rooms", "rooms@sim.test")]
    rooms = calendars.ask("<GetRooms><RoomList><t:EmailAddress>rooms@sim.test</t:EmailAddress></RoomList></GetRooms>")["Rooms"][
        "Room"
    ]
    assert [one["Id"]["Name"] for one in rooms] == ["Atlas", "Borea"]
    for unknown in ("team@sim.test", "no@sim.test"):
        asked = f"<GetRooms><RoomList><t:EmailAddress>{unknown}</t:EmailAddress></RoomList></GetRooms>"
        assert calendars.code(asked) == "ErrorNameResolutionNoResults"


def test_a_room_is_a_resource_that_is_invited(calendars: Calendars) -> None:
    calendars.world.add_account("atlas@sim.test", name="Atlas").is_room = True
    calendars.appointment(attendees("atlas@sim.test", kind="Resources"), send="SendOnlyToAll")
    assert "MeetingRequest" in calendars.notices("atlas@sim.test", "deleteditems")  # it was answered


def zones(scene: Calendars, inside: str = "", full: str = "true") -> list[dict[str, Any]]:
    (message,) = scene.messages(f'<GetServerTimeZones ReturnFullTimeZoneData="{full}">{inside}</GetServerTimeZones>')
    found: list[dict[str, Any]] = message["TimeZoneDefinitions"]["TimeZoneDefinition"]
    return found


def test_server_time_zones(calendars: Calendars) -> None:
    found = zones(calendars)
    assert 130 <= len(found) <= 140
    for one in found:
        assert {period["@Name"] for period in one["Periods"]["Period"]} <= {"Standard", "Daylight"}
        assert all(len(group[""]) in (1, 2) for group in one["TransitionsGroups"]["TransitionsGroup"])
        assert any(target["To"]["@Kind"] == "Group" for _, target in one["Transitions"][""])


def test_ids_filter_the_zones(calendars: Calendars) -> None:
    ids = "<Ids><t:Id>Tokyo Standard Time</t:Id><t:Id>Nowhere</t:Id></Ids>"
    assert [one["@Id"] for one in zones(calendars, ids)] == ["Tokyo Standard Time"]
    assert "Periods" not in zones(calendars, ids, "false")[0]
