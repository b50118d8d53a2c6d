"""Times that suit all (ews reference 11, GetUserAvailability; MS-OXWAVLS 2.2.4: SuggestionsViewOptions, AttendeeConflictData)."""

from __future__ import annotations

from typing import Any

import pytest
from calendar_scene import ANN, BOB, CAT, Calendars, calendars
from test_ews_calendar_availability import ZONE, busy, request, share, views

from postroom_simulator.ews.permissions import DEFAULT, grant
from postroom_simulator.store.interface import Role

__all__ = ["calendars"]


def person(address: str, kind: str = "Required", strict: bool = False) -> str:
    return (
        f"<t:MailboxData><t:Email><t:Address>{address}</t:Address></t:Email><t:AttendeeType>{kind}</t:AttendeeType>"
        f"<t:ExcludeConflicts>{'true' if strict else 'false'}</t:ExcludeConflicts></t:MailboxData>"
    )


def asked(*people: str, extra: str = "", least: str = "Poor", later: str = "") -> str:
    return (
        f"<GetUserAvailabilityRequest>{ZONE}<MailboxDataArray>{''.join(people)}</MailboxDataArray><t:SuggestionsViewOptions>{extra}"
        f"<t:MinimumSuggestionQuality>{least}</t:MinimumSuggestionQuality>"
        "<t:DetailedSuggestionsWindow><t:StartTime>2027-03-01T08:00:00</t:StartTime><t:EndTime>2027-03-01T12:00:00</t:EndTime>"
        f"</t:DetailedSuggestionsWindow>{later}</t:SuggestionsViewOptions></GetUserAvailabilityRequest>"
    )


def found(scene: Calendars, *people: str, **how: str) -> dict[str, dict[str, Any]]:
    """Suggestions by their time."""
    answer = scene.ask(asked(*people, **how))
    (day,) = answer["SuggestionsResponse"]["SuggestionDayResultArray"]["SuggestionDayResult"]
    return {f"{one['MeetingTime']:%H:%M}": one for one in day["SuggestionArray"]["Suggestion"]}


def conflicts(one: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, dict(value or {})) for name, value in one["AttendeeConflictDataArray"]]


def test_each_attendee_is_told_in_order(calendars: Calendars) -> None:
    """A person, a group with its numbers, somebody whose calendar is closed, somebody whom nobody knows."""
    calendars.world.add_group("team@sim.test", [BOB, CAT])
    busy(calendars)
    grant(calendars.world.store, calendars.world.store.folder(CAT, Role.CALENDAR), DEFAULT, "None")
    people = [person(one) for one in (BOB, "team@sim.test", CAT, "no@sim.test")]
    at_nine = conflicts(found(calendars, *people)["09:30"])
    assert [name for name, _ in at_nine] == [
        "IndividualAttendeeConflictData",
        "GroupAttendeeConflictData",
        "IndividualAttendeeConflictData",
        "UnknownAttendeeConflictData",
    ]
    assert (at_nine[0][1]["BusyType"], at_nine[2][1]["BusyType"]) == ("Busy", "NoData")
    numbers = at_nine[1][1]
    assert [numbers[f"NumberOfMembers{part}"] for part in ("", "Available", "WithConflict", "WithNoData")] == [2, 0, 1, 1]


def test_a_group_that_is_too_big(calendars: Calendars) -> None:
    names = [f"p{number}@sim.test" for number in range(101)]
    for name in names:
        calendars.world.add_account(name)
    calendars.world.add_group("all@sim.test", names)
    assert conflicts(found(calendars, person("all@sim.test"))["09:00"])[0][0] == "TooBigGroupAttendeeConflictData"


def test_quality_counts_those_who_have_to_come(calendars: Calendars) -> None:
    busy(calendars)
    for kind, quality in (("Required", "Poor"), ("Optional", "Excellent"), ("Resource", "Excellent")):
        assert found(calendars, person(BOB, kind))["09:30"]["SuggestionQuality"] == quality
    share_of = found(calendars, *(person(one) for one in (BOB, ANN, CAT)))["09:30"]
    assert share_of["SuggestionQuality"] == "Fair"
    good = "<t:GoodThreshold>40</t:GoodThreshold>"
    assert found(calendars, *(person(one) for one in (BOB, ANN, CAT)), extra=good)["09:30"]["SuggestionQuality"] == "Good"
    assert "09:30" not in found(calendars, person(BOB), least="Fair")


def test_whose_conflicts_are_excluded(calendars: Calendars) -> None:
    busy(calendars)
    assert "09:30" not in found(calendars, person(BOB, strict=True))
    assert "10:00" in found(calendars, person(BOB, strict=True))


def test_the_meeting_that_is_moved_is_in_nobodys_way(calendars: Calendars) -> None:
    """CurrentMeetingTime with GlobalObjectId."""
    busy(calendars, extra="<t:UID>040000008200E00074C5B7101A82E0080000</t:UID>")
    assert conflicts(found(calendars, person(BOB))["09:00"])[0][1]["BusyType"] == "Busy"
    for later, free in (
        ("<t:CurrentMeetingTime>2027-03-01T09:00:00</t:CurrentMeetingTime>", "Free"),
        (
            (
                "<t:CurrentMeetingTime>2027-03-01T09:00:00</t:CurrentMeetingTime>"
                "<t:GlobalObjectId>040000008200E00074C5B7101A82E0080000</t:GlobalObjectId>"
            ),
            "Free",
        ),
        ("<t:CurrentMeetingTime>2027-03-01T09:00:00</t:CurrentMeetingTime><t:GlobalObjectId>00</t:GlobalObjectId>", "Busy"),
        ("<t:CurrentMeetingTime>2027-03-01T08:00:00</t:CurrentMeetingTime>", "Busy"),
    ):
        assert conflicts(found(calendars, person(BOB), later=later)["09:00"])[0][1]["BusyType"] == free


@pytest.mark.parametrize(
    "extra",
    [
        "<t:GoodThreshold>50</t:GoodThreshold>",
        "<t:MaximumResultsByDay>49</t:MaximumResultsByDay>",
        "<t:MaximumNonWorkHourResultsByDay>-1</t:MaximumNonWorkHourResultsByDay>",
        "<t:MeetingDurationInMinutes>29</t:MeetingDurationInMinutes>",
        "<t:MeetingDurationInMinutes>2000000000</t:MeetingDurationInMinutes>",
    ],
)
def test_options_have_bounds(calendars: Calendars, extra: str) -> None:
    assert calendars.code(asked(person(BOB), extra=extra)) == "ErrorInvalidArgument"


def test_a_group_shows_nothing_of_members_who_share_nothing(calendars: Calendars) -> None:
    busy(calendars)
    calendars.world.add_group("team@sim.test", [BOB])
    digits = views(calendars, "team@sim.test")[0]["FreeBusyView"]["MergedFreeBusy"]
    assert digits[9] == "2"
    share(calendars, "None")
    grant(calendars.world.store, calendars.world.store.folder(BOB, Role.CALENDAR), DEFAULT, "None")
    assert "2" not in views(calendars, "team@sim.test")[0]["FreeBusyView"]["MergedFreeBusy"]
    assert calendars.ask(request(BOB))["FreeBusyResponseArray"]["FreeBusyResponse"][0]["ResponseMessage"]["ResponseCode"] == (
        "ErrorNoFreeBusyAccess"
    )
