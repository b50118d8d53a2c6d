"""GetReminders and PerformReminderAction (ews reference 4, schema only; the documented operations of Exchange 2013), ReminderNextTime (11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calendar_scene import Calendars, at, calendars, change, daily, numbered, recurrence

__all__ = ["calendars"]

MONDAY = datetime(2027, 3, 1, 8, tzinfo=UTC)
"""The first appointment of these tests, as an instant; it reminds a quarter of an hour before."""


def go(scene: Calendars, moment: datetime) -> None:
    scene.world.clock.sleep((moment - scene.world.clock.now()).total_seconds())


def due(scene: Calendars, kind: str = "", begin: str = "", end: str = "", most: int = 0, **how: str) -> list[dict[str, Any]]:
    inside = "".join(
        f"<{name}>{value}</{name}>"
        for name, value in (("BeginTime", begin), ("EndTime", end), ("MaxItems", str(most or "")), ("ReminderType", kind))
        if value
    )
    answer = scene.ask(f"<GetReminders>{inside}</GetReminders>", **how)
    assert answer["ResponseCode"] == "NoError", answer
    return list((answer.get("Reminders") or {}).get("Reminder", ()))


def act(scene: Calendars, item: dict[str, Any], action: str, until: str = "") -> dict[str, Any]:
    later = f"<t:NewReminderTime>{until}</t:NewReminderTime>" if until else ""
    return scene.ask(
        f"<PerformReminderAction><ReminderItemActions><t:ReminderItemAction><t:ActionType>{action}</t:ActionType>"
        f'<t:ItemId Id="{item["@Id"]}" ChangeKey="{item.get("@ChangeKey", "")}"/>{later}</t:ReminderItemAction></ReminderItemActions>'
        "</PerformReminderAction>"
    )


def test_appointments_and_tasks_remind_and_messages_do_not(calendars: Calendars) -> None:
    item = calendars.appointment("<t:Location>there</t:Location>")
    calendars.appointment("<t:ReminderIsSet>false</t:ReminderIsSet>")
    calendars.appointment("<t:Sensitivity>Private</t:Sensitivity>", start="2027-03-02T09:00:00", end="2027-03-02T10:00:00")
    task = calendars.made(
        "<t:Subject>do</t:Subject><t:ReminderDueBy>2027-03-01T06:00:00Z</t:ReminderDueBy><t:ReminderIsSet>true</t:ReminderIsSet>",
        "",
        "Task",
    )
    calendars.made("<t:Subject>undated</t:Subject>", "", "Task")
    message = "<t:Message><t:Subject>m</t:Subject><t:ReminderDueBy>2027-03-01T06:00:00Z</t:ReminderDueBy><t:ReminderIsSet>true</t:ReminderIsSet></t:Message>"
    calendars.one(f'<CreateItem MessageDisposition="SaveOnly"><Items>{message}</Items></CreateItem>')
    found = due(calendars)
    assert [(one["ReminderGroup"], one["Subject"]) for one in found] == [
        ("Task", "do"),
        ("Calendar", "plan"),
        ("Calendar", "plan"),
    ]
    assert (found[0]["ItemId"]["@Id"], found[1]["ItemId"]) == (task["@Id"], item)
    assert (found[1]["ReminderTime"], found[1]["StartDate"], found[1]["Location"]) == (
        MONDAY - timedelta(minutes=15),
        MONDAY,
        "there",
    )
    assert found[1]["UID"] == calendars.get(item)["UID"]
    assert len(due(calendars, most=1)) == 1


@pytest.mark.parametrize(("kind", "found"), [("All", ["now"]), ("Current", ["long", "now"]), ("Old", [])])
def test_kinds(calendars: Calendars, kind: str, found: list[str]) -> None:
    """All: within the window. Current: also earlier ones of what goes on still. Old: within the window, of what is over."""

    def add(subject: str, start: str, end: str) -> None:
        inside = f"<t:Subject>{subject}</t:Subject><t:Start>{start}</t:Start><t:End>{end}</t:End>"
        calendars.made(inside)

    add("past", "2027-02-27T08:00:00Z", "2027-02-27T09:00:00Z")
    add("long", "2027-02-28T08:00:00Z", "2027-03-03T09:00:00Z")
    add("now", "2027-03-01T08:00:00Z", "2027-03-01T09:00:00Z")
    go(calendars, MONDAY)
    shown = due(calendars, kind, "2027-03-01T00:00:00Z", "2027-03-02T00:00:00Z")
    assert [one["Subject"] for one in shown] == found
    if kind == "Old":
        shown = due(calendars, kind, "2027-02-01T00:00:00Z", "2027-03-02T00:00:00Z")
        assert [one["Subject"] for one in shown] == ["past"]
        assert calendars.code("<GetReminders><ReminderType>Old</ReminderType></GetReminders>") == "ErrorInvalidArgument"


def test_a_dismissed_reminder_is_set_no_more(calendars: Calendars) -> None:
    item = calendars.appointment()
    updated = act(calendars, item, "Dismiss")
    assert updated["UpdatedItemIds"]["ItemId"][0]["@Id"] == item["@Id"]
    assert calendars.get(item)["ReminderIsSet"] is False
    assert due(calendars) == []


def test_a_snoozed_reminder_comes_later(calendars: Calendars) -> None:
    """A time that is no later than the reminder is ignored; an appointment that moves reminds anew."""
    item = calendars.appointment()
    act(calendars, item, "Snooze", "2027-03-01T07:50:00Z")
    assert [one["ReminderTime"].minute for one in due(calendars)] == [50]
    assert calendars.get(item)["ReminderNextTime"] == datetime(2027, 3, 1, 7, 50, tzinfo=UTC)
    act(calendars, due(calendars)[0]["ItemId"], "Snooze", "2027-03-01T07:00:00Z")
    assert [one["ReminderTime"].minute for one in due(calendars)] == [50]
    moved = change("calendar:Start", "<t:Start>2027-03-01T08:30:00Z</t:Start>")
    calendars.updated(item, moved)
    assert [one["ReminderTime"] for one in due(calendars)] == [datetime(2027, 3, 1, 8, 15, tzinfo=UTC)]


def test_a_task_is_snoozed_and_dismissed(calendars: Calendars) -> None:
    task = calendars.made(
        "<t:Subject>do</t:Subject><t:ReminderDueBy>2027-03-01T06:00:00Z</t:ReminderDueBy><t:ReminderIsSet>true</t:ReminderIsSet>",
        "",
        "Task",
    )
    act(calendars, task, "Snooze", "2027-03-01T07:00:00Z")
    (one,) = due(calendars)
    assert one["ReminderTime"].hour == 7
    act(calendars, one["ItemId"], "Dismiss")
    assert due(calendars) == []
    assert calendars.get(task)["ReminderIsSet"] is False


def test_a_series_reminds_of_one_date_at_a_time(calendars: Calendars) -> None:
    master = calendars.appointment(recurrence(daily(), numbered(4)))
    (one,) = due(calendars)
    assert (one["StartDate"], one["RecurringMasterItemId"]["@Id"]) == (MONDAY, master["@Id"])
    assert one["ItemId"]["@Id"] == calendars.get(at(master, 1))["ItemId"]["@Id"]
    act(calendars, one["ItemId"], "Snooze", "2027-03-01T07:55:00Z")
    (one,) = due(calendars)
    assert one["ReminderTime"].minute == 55
    act(calendars, one["ItemId"], "Snooze", "2027-03-02T12:00:00Z")
    (one,) = due(calendars)
    assert one["StartDate"].day == 2, "past the next date's reminder it is as good as dismissed"
    calendars.delete(at(master, 3))
    act(calendars, one["ItemId"], "Dismiss")
    assert [one["StartDate"].day for one in due(calendars)] == [4]
    go(calendars, MONDAY + timedelta(days=5))
    assert due(calendars) == []
    assert calendars.get(master)["ReminderIsSet"] is True


def test_what_cannot_be_acted_on(calendars: Calendars) -> None:
    master = calendars.appointment(recurrence(daily(), numbered(4)))
    assert act(calendars, master, "Dismiss")["ResponseCode"] == "ErrorInvalidArgument"
    item = calendars.appointment()
    calendars.delete(item, kind="HardDelete")
    assert act(calendars, item, "Dismiss")["ResponseCode"] == "ErrorItemNotFound"
    assert calendars.code("<GetReminders><MaxItems>201</MaxItems></GetReminders>") == "ErrorSchemaValidation"
    assert calendars.code("<GetReminders/>", version="Exchange2010_SP2") == "ErrorIncorrectSchemaVersion"
    backwards = (
        "<GetReminders><BeginTime>2027-03-02T00:00:00Z</BeginTime><EndTime>2027-03-01T00:00:00Z</EndTime></GetReminders>"
    )
    assert calendars.code(backwards) == "ErrorInvalidArgument"
