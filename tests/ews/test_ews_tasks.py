"""Tasks (ews reference 12), sentence by sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from calendar_scene import Calendars, calendars, change

__all__ = ["calendars"]

TODAY = datetime(2026, 1, 5, tzinfo=UTC)


def task(scene: Calendars, inside: str = "", **how: str) -> dict[str, Any]:
    return scene.made(f"<t:Subject>do</t:Subject>{inside}", send="", element="Task", **how)


def recurring(
    pattern: str, bounds: str = "<t:NoEndRecurrence><t:StartDate>2026-02-01</t:StartDate></t:NoEndRecurrence>"
) -> str:
    return f"<t:Recurrence>{pattern}{bounds}</t:Recurrence>"


def every(name: str = "DailyRecurrence", interval: int = 2) -> str:
    return f"<t:{name}><t:Interval>{interval}</t:Interval></t:{name}>"


def limited(count: int) -> str:
    return f"<t:NumberedRecurrence><t:StartDate>2026-02-01</t:StartDate><t:NumberOfOccurrences>{count}</t:NumberOfOccurrences></t:NumberedRecurrence>"


def state(one: dict[str, Any]) -> tuple[Any, ...]:
    return one["Status"], one["PercentComplete"], one["IsComplete"], one.get("CompleteDate")


def put(name: str, value: object) -> str:
    return change(f"task:{name}", f"<t:{name}>{value}</t:{name}>", "Task")


DONE = ("Completed", 100.0, True, TODAY)


def test_a_new_task(calendars: Calendars) -> None:
    got = calendars.get(task(calendars))
    assert state(got) == ("NotStarted", 0.0, False, None)
    assert (got["IsRecurring"], got["StatusDescription"], got["Owner"], got["ChangeCount"]) == (
        False,
        "Not Started",
        "Ann Alder",
        1,
    )


@pytest.mark.parametrize(
    ("inside", "wanted"),
    [
        ("<t:Status>Completed</t:Status>", DONE),
        ("<t:PercentComplete>100</t:PercentComplete>", DONE),
        ("<t:CompleteDate>2026-01-03T10:00:00Z</t:CompleteDate>", ("Completed", 100.0, True, datetime(2026, 1, 3, tzinfo=UTC))),
        ("<t:PercentComplete>30</t:PercentComplete>", ("InProgress", 30.0, False, None)),
        ("<t:Status>Deferred</t:Status><t:PercentComplete>30</t:PercentComplete>", ("Deferred", 30.0, False, None)),
    ],
)
def test_a_task_that_is_made_in_a_state(calendars: Calendars, inside: str, wanted: tuple[Any, ...]) -> None:
    assert state(calendars.get(task(calendars, inside))) == wanted


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ([put("Status", "Completed")], DONE),
        ([put("PercentComplete", 100)], DONE),
        ([put("PercentComplete", 40)], ("InProgress", 40.0, False, None)),
        ([put("PercentComplete", 40), put("Status", "NotStarted")], ("NotStarted", 0.0, False, None)),
        ([put("Status", "Completed"), put("PercentComplete", 50)], ("InProgress", 50.0, False, None)),
        ([put("Status", "Completed"), put("Status", "WaitingOnOthers")], ("WaitingOnOthers", 0.0, False, None)),
        ([put("Status", "Completed"), put("PercentComplete", 0)], ("NotStarted", 0.0, False, None)),
        (
            [put("Status", "Completed"), '<t:DeleteItemField><t:FieldURI FieldURI="task:CompleteDate"/></t:DeleteItemField>'],
            ("NotStarted", 0.0, False, None),
        ),
    ],
)
def test_status_percentage_and_completion_move_together(
    calendars: Calendars, changes: list[str], wanted: tuple[Any, ...]
) -> None:
    item = task(calendars)
    for one in changes:
        item = calendars.updated(item, one)
    assert state(calendars.get(item)) == wanted


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_percentage_that_is_none(calendars: Calendars, percent: int) -> None:
    assert calendars.update(task(calendars), put("PercentComplete", percent))["ResponseCode"] == "ErrorInvalidValueForProperty"


@pytest.mark.parametrize(
    ("given", "zone", "day"),
    [
        ("2026-02-03T17:45:00Z", "", 3),
        ("2026-02-03T17:45:00", "", 3),
        ("2026-02-03T17:45:00Z", "Tokyo Standard Time", 4),
        ("2026-02-03T00:00:00Z", "Pacific Standard Time", 3),
        ("2026-02-03T00:00:00", "Tokyo Standard Time", 3),
    ],
)
def test_dates_lose_their_time(calendars: Calendars, given: str, zone: str, day: int) -> None:
    header = f'<t:TimeZoneContext><t:TimeZoneDefinition Id="{zone}"/></t:TimeZoneContext>' if zone else ""
    item = task(calendars, f"<t:DueDate>{given}</t:DueDate><t:StartDate>{given}</t:StartDate>", header=header)
    got = calendars.get(item)
    assert got["DueDate"] == got["StartDate"] == datetime(2026, 2, day, tzinfo=UTC)


def test_due_before_the_start(calendars: Calendars) -> None:
    inside = "<t:DueDate>2026-02-01T00:00:00Z</t:DueDate><t:StartDate>2026-02-02T00:00:00Z</t:StartDate>"
    assert calendars.create(inside, send="", element="Task")["ResponseCode"] == "ErrorInvalidPropertySet"


def tasks(scene: Calendars) -> list[dict[str, Any]]:
    return [scene.get(one) for one in scene.listed("tasks")]


@pytest.mark.parametrize(
    ("pattern", "due"),
    [
        (every("DailyRegeneration"), datetime(2026, 2, 12, tzinfo=UTC)),
        (every("WeeklyRegeneration"), datetime(2026, 2, 24, tzinfo=UTC)),
        (every("MonthlyRegeneration"), datetime(2026, 4, 10, tzinfo=UTC)),
        (every("YearlyRegeneration"), datetime(2028, 2, 10, tzinfo=UTC)),
        (every("DailyRecurrence"), datetime(2026, 2, 3, tzinfo=UTC)),
    ],
)
def test_completing_makes_the_next(calendars: Calendars, pattern: str, due: datetime) -> None:
    item = task(calendars, recurring(pattern) + "<t:Body BodyType='Text'>b</t:Body>")
    assert calendars.get(item)["DueDate"] == datetime(2026, 2, 1, tzinfo=UTC)
    calendars.updated(item, put("CompleteDate", "2026-02-10T00:00:00Z"))
    done, following = tasks(calendars)
    assert (done["IsComplete"], done["IsRecurring"], following["IsComplete"], following["IsRecurring"]) == (
        True,
        False,
        False,
        True,
    )
    assert (following["DueDate"], following["Subject"], following["Body"][""]) == (due, "do", "b")
    assert "CompleteDate" not in following


def test_the_last_of_so_many_makes_no_next(calendars: Calendars) -> None:
    task(calendars, recurring(every("DailyRegeneration"), limited(2)))
    calendars.updated(calendars.listed("tasks")[0], put("Status", "Completed"))
    assert tasks(calendars)[1]["Recurrence"]["NumberedRecurrence"]["NumberOfOccurrences"] == 1
    calendars.updated(calendars.listed("tasks")[1], put("Status", "Completed"))
    assert [one["IsComplete"] for one in tasks(calendars)] == [True, True]


def test_start_and_due_keep_their_distance(calendars: Calendars) -> None:
    days = "<t:DueDate>2026-02-04T00:00:00Z</t:DueDate><t:StartDate>2026-02-01T00:00:00Z</t:StartDate>"
    calendars.updated(task(calendars, recurring(every(interval=7)) + days), put("Status", "Completed"))
    following = tasks(calendars)[1]
    assert (following["StartDate"].day, following["DueDate"].day) == (8, 11)


def test_deleting_needs_to_say_which(calendars: Calendars) -> None:
    assert calendars.delete(task(calendars), send="") == "ErrorAffectedTaskOccurrencesRequired"


def test_deleting_all_or_one(calendars: Calendars) -> None:
    item = task(calendars, recurring(every()))
    assert calendars.delete(item, send="", extra='AffectedTaskOccurrences="SpecifiedOccurrenceOnly"') == "NoError"
    (following,) = tasks(calendars)
    assert following["DueDate"].day == 3
    assert calendars.delete(following["ItemId"], send="", extra='AffectedTaskOccurrences="AllOccurrences"') == "NoError"
    assert tasks(calendars) == []


@pytest.mark.parametrize("inside", [recurring(every("DailyRegeneration")), recurring(every(), limited(1))])
def test_one_that_has_no_next_is_not_deleted_alone(calendars: Calendars, inside: str) -> None:
    item = task(calendars, inside)
    assert (
        calendars.delete(item, send="", extra='AffectedTaskOccurrences="SpecifiedOccurrenceOnly"')
        == "ErrorCannotDeleteTaskOccurrence"
    )
    assert len(tasks(calendars)) == 1


def test_mirrors(calendars: Calendars) -> None:
    paths = "".join(
        f'<t:ExtendedFieldURI DistinguishedPropertySetId="Task" PropertyId="{number}" PropertyType="{kind}"/>'
        for number, kind in (
            (0x8104, "SystemTime"),
            (0x8105, "SystemTime"),
            (0x810F, "SystemTime"),
            (0x8102, "Double"),
            (0x811C, "Boolean"),
        )
    )
    inside = "<t:DueDate>2026-02-04T00:00:00Z</t:DueDate><t:StartDate>2026-02-01T00:00:00Z</t:StartDate><t:Status>Completed</t:Status>"
    got = calendars.get(task(calendars, inside), paths, shape="IdOnly")["ExtendedProperty"]
    assert [one["Value"] for one in got] == [
        "2026-02-01T00:00:00Z",
        "2026-02-04T00:00:00Z",
        "2026-01-05T00:00:00Z",
        "1.0",
        "true",
    ]


def test_what_no_request_sets(calendars: Calendars) -> None:
    made = calendars.create("<t:IsComplete>true</t:IsComplete>", send="", element="Task")
    assert made["ResponseCode"] == "ErrorInvalidPropertySet"
