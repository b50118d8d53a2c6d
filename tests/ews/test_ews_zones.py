"""Time zones: Windows ids and IANA names, rules as data, and every way in which clients write them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from postroom_simulator.ews.calendar import zone_values, zones
from postroom_simulator.ews.calendar.zone_rules import Change, RuleZone, YearRule, parse_duration, rules_of, write_duration
from postroom_simulator.ews.errors import EwsError

SOME = ("W. Europe Standard Time", "Pacific Standard Time", "E. South America Standard Time", "India Standard Time", "AUS Eastern Standard Time",
        "Israel Standard Time", "GMT Standard Time", "Tokyo Standard Time", "New Zealand Standard Time")  # fmt: skip


def moments(count: int, first: int = 2021, years: int = 14) -> list[datetime]:
    chance = random.Random(7)
    return [datetime(first, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(years * 365 * 86400)) for _ in range(count)]


@pytest.mark.parametrize("name", SOME)
def test_rules_say_what_the_zone_data_say(name: str) -> None:
    zone = zones.zone_named(name)
    by_rules = RuleZone(name, rules_of(zone.tz))
    for moment in moments(300):
        local = moment.astimezone(zone.tz)
        ruled = moment.astimezone(by_rules)
        assert (ruled.replace(tzinfo=None), ruled.fold) == (local.replace(tzinfo=None), local.fold)
        assert local.replace(tzinfo=by_rules).utcoffset() == local.utcoffset()


def test_times_that_come_twice_and_times_that_never_come() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    ruled = RuleZone("x", rules_of(berlin))
    for year in (2026, 2027):
        for month, day in ((3, 28), (3, 29), (10, 25), (10, 31)):
            for minute in range(0, 300, 15):
                for fold in (0, 1):
                    local = datetime(year, month, day, fold=fold) + timedelta(minutes=minute)  # noqa: DTZ001
                    local = local.replace(fold=fold)
                    assert local.replace(tzinfo=ruled).utcoffset() == local.replace(tzinfo=berlin).utcoffset(), local


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("W. Europe Standard Time", "W. Europe Standard Time"),
        ("w. europe standard time", "W. Europe Standard Time"),
        ("Europe/Vienna", "W. Europe Standard Time"),
        ("america/new_york", "Eastern Standard Time"),
        ("America/Vancouver", "Pacific Standard Time"),
        ("UTC", "UTC"),
        ("tzone://Microsoft/Utc", "UTC"),
    ],
)
def test_names_of_zones(text: str, wanted: str) -> None:
    assert zones.zone_named(text).id == wanted


def test_an_iana_name_keeps_its_own_data() -> None:
    assert str(zones.zone_named("Europe/Vienna").tz) == "Europe/Vienna"


@pytest.mark.parametrize("text", ["", "Middle Earth Standard Time", "../../etc/passwd", "x" * 5000])
def test_names_that_nobody_knows(text: str) -> None:
    with pytest.raises(EwsError) as caught:
        zones.zone_named(text)
    assert caught.value.code == "ErrorTimeZone"


def test_there_are_as_many_zones_as_servers_have() -> None:
    assert 130 <= len(zones.all_zones()) <= 140
    assert all(zone.name.startswith("(UTC") for zone in zones.all_zones())


@pytest.mark.parametrize("name", SOME)
def test_definitions_are_read_back(name: str) -> None:
    zone = zones.zone_named(name)
    value = zones.definition(zone, full=True) | {"@Id": "Customized Time Zone"}
    again = zones.from_definition(value)
    assert again.described is not None
    for moment in moments(200):
        assert again.local(moment) == zone.local(moment)
        assert again.instant(zone.local(moment)) == zone.instant(zone.local(moment))


@pytest.mark.parametrize("name", SOME)
def test_meeting_time_zones_and_serialized_ones_are_read_back(name: str) -> None:
    zone = zones.zone_named(name)
    one = zone_values.from_meeting_zone(zone_values.meeting_zone(zone, 2027) | {"@TimeZoneName": "my own"})
    other = zone_values.from_serializable(zone_values.serializable(zone, 2027))
    for moment in moments(200, 2027, 1):
        assert one.local(moment) == zone.local(moment)
        assert other.local(moment) == zone.local(moment)


def test_biases_point_west() -> None:
    berlin = zone_values.serializable(zones.zone_named("W. Europe Standard Time"), 2027)
    assert berlin["Bias"] == -60
    assert berlin["StandardTime"] == {"Bias": 0, "Time": "03:00:00", "DayOrder": 5, "Month": 10, "DayOfWeek": "Sunday"}
    assert berlin["DaylightTime"] == {"Bias": -60, "Time": "02:00:00", "DayOrder": 5, "Month": 3, "DayOfWeek": "Sunday"}
    assert zone_values.meeting_zone(zones.zone_named("Pacific Standard Time"), 2027)["BaseOffset"] == "PT480M"
    periods = zones.definition(zones.zone_named("W. Europe Standard Time"), full=True)["Periods"]["Period"]
    assert [(one["@Name"], one["@Bias"]) for one in periods] == [("Standard", "-PT60M"), ("Daylight", "-PT120M")]


def test_dummies_of_exchangelib_mean_no_daylight_saving() -> None:
    value = {
        "Bias": -540,
        "StandardTime": {"Bias": 0, "Time": "00:00:00", "DayOrder": 1, "Month": 1, "DayOfWeek": "Monday"},
        "DaylightTime": {"Bias": 0, "Time": "00:00:00", "DayOrder": 5, "Month": 12, "DayOfWeek": "Sunday"},
    }
    assert zone_values.from_serializable(value).local(datetime(2027, 1, 1, tzinfo=UTC)).hour == 9


@pytest.mark.parametrize(
    "broken",
    [
        {"Periods": {"Period": [{"@Id": "a", "@Bias": "soon"}]}},
        {"Periods": {"Period": [{"@Id": "a", "@Bias": "PT99H"}]}},
        {"Periods": {"Period": [{"@Id": "a", "@Bias": "PT1H"}]}, "Transitions": {"": [("Transition", {"To": {"@Kind": "Group", "": "none"}})]}},
    ],
)  # fmt: skip
def test_definitions_that_make_no_zone(broken: dict[str, object]) -> None:
    with pytest.raises(EwsError) as caught:
        zones.from_definition({"@Id": "mine"} | broken)
    assert caught.value.code == "ErrorCalendarInvalidTimeZone"


def test_a_change_pattern_on_any_day_is_refused() -> None:
    change = {
        "Offset": "PT0M",
        "Time": "02:00:00",
        "RelativeYearlyRecurrence": {"DaysOfWeek": "Day", "DayOfWeekIndex": "First", "Month": "May"},
    }
    with pytest.raises(EwsError) as caught:
        zone_values.from_meeting_zone({"BaseOffset": "PT0M", "Standard": change, "Daylight": change | {"Offset": "-PT60M"}})
    assert caught.value.code == "ErrorCalendarInvalidDayForTimeChangePattern"


@pytest.mark.parametrize(
    ("text", "minutes"), [("PT60M", 60), ("-PT60M", -60), ("PT-60M", -60), ("PT1H30M", 90), ("P1DT1S", 1440), ("-PT0M", 0)]
)
def test_durations(text: str, minutes: int) -> None:
    assert round(parse_duration(text).total_seconds() / 60) == minutes
    assert parse_duration(write_duration(timedelta(minutes=minutes))) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "P1Y", "PT999999999999999999H"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_a_fixed_day_of_the_year() -> None:
    change = Change(3, None, 31, timedelta(hours=1))
    rule = YearRule(timedelta(0), timedelta(hours=1), change, Change(10, None, 1, timedelta(hours=1)))
    assert zones.from_rules("fixed", ((1, rule),)).local(datetime(2027, 6, 1, tzinfo=UTC)).hour == 1
    assert change.in_year(2027) == datetime(2027, 3, 31, 1)  # noqa: DTZ001
