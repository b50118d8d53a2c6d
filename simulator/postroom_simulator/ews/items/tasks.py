"""Tasks: hooks of Task (ews reference 12; MS-OXWSTASK)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account
from postroom_simulator.ews.calendar import recurrence
from postroom_simulator.ews.calendar.recurrence import Series
from postroom_simulator.ews.calendar.zones import zone_or_utc
from postroom_simulator.ews.codec import moment
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.mapi import Key, Mirror, element, one_of, read_only
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["MIRRORS", "READ_ONLY", "changed", "deleted", "derive", "prepare", "update"]

Value = dict[str, Any]
READ_ONLY = frozenset(
    {"AssignedTime", "ChangeCount", "DelegationState", "Delegator", "IsAssignmentEditable", "IsComplete", "IsRecurring", "IsTeamTask", "Owner",
     "StatusDescription"}
)  # fmt: skip
"""Elements of a task that no request sets (MS-OXWSTASK 2.2.4.6)."""
_DESCRIPTIONS = {"NotStarted": "Not Started", "InProgress": "In Progress", "Completed": "Completed", "WaitingOnOthers": "Waiting on someone else",
                 "Deferred": "Deferred"}  # fmt: skip
_DATES = ("StartDate", "DueDate", "CompleteDate")
_DONE = ("Status", "PercentComplete", "CompleteDate")


# -- checked and completed


def prepare(call: Call, properties: Value, _: bool) -> Value:
    """Raises EwsError."""
    _days(call, properties)
    _together(properties, {}, call.now())
    if properties.get("Recurrence"):
        series = recurrence.parse(properties["Recurrence"])
        properties["Recurrence"] = recurrence.write(series)
        if properties.get("Status") != "Completed":
            _on_first_date(properties, series)
    properties["ChangeCount"] = 1
    return properties


def _days(call: Call, properties: Value) -> None:
    """Dates lose their time: they are midnight UTC of the day that they are in the request's zone."""
    zone = zone_or_utc(call)
    for name in _DATES:
        given = properties.get(name)
        if given is not None:
            day = given.date() if given.tzinfo is None else zone.local(given).date()
            properties[name] = _midnight(given.date() if _is_midnight(given) else day)
    due, start = properties.get("DueDate"), properties.get("StartDate")
    if due is not None and start is not None and due < start:
        raise EwsError("ErrorInvalidPropertySet", "The task is due before it starts.", values={"PropertyPath": "task:DueDate"})
    remind = properties.get("ReminderDueBy")
    if remind is not None and remind.tzinfo is None:
        properties["ReminderDueBy"] = zone.instant(remind)


def _is_midnight(moment: datetime) -> bool:
    """Of UTC: a day that was written by this service."""
    return moment.tzinfo is not None and moment.astimezone(UTC).time() == time()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _together(properties: Value, before: Mapping[str, Any], now: datetime) -> None:
    """Status, percentage and date of completion agree: what changed decides, completion before all else."""
    percent = properties.get("PercentComplete")
    if percent is not None and not 0 <= percent <= 100:
        raise EwsError(
            "ErrorInvalidValueForProperty", "A percentage is from 0 to 100.", values={"PropertyPath": "task:PercentComplete"}
        )
    moved = {name for name in _DONE if properties.get(name) != before.get(name)}
    done = (
        ("Status" in moved and properties.get("Status") == "Completed")
        or ("PercentComplete" in moved and percent == 100)
        or ("CompleteDate" in moved and properties.get("CompleteDate") is not None)
    )
    was = before.get("Status") == "Completed"
    if done or (was and not moved):
        properties |= {"Status": "Completed", "PercentComplete": 100.0}
        properties.setdefault("CompleteDate", _midnight(now.date()))
        return
    properties.pop("CompleteDate", None)
    if was:  # taken up again
        if "Status" not in moved:
            properties["Status"] = "InProgress" if percent and percent < 100 else "NotStarted"
        if "PercentComplete" not in moved or percent == 100:
            properties["PercentComplete"] = 0.0
        return
    status = properties.get("Status", "NotStarted")
    if "Status" in moved and status == "NotStarted" and "PercentComplete" not in moved:
        properties["PercentComplete"] = 0.0
    elif "PercentComplete" in moved and "Status" not in moved:
        if percent and status == "NotStarted":
            properties["Status"] = "InProgress"
        elif not percent and status == "InProgress":
            properties["Status"] = "NotStarted"


def _on_first_date(properties: Value, series: Series) -> None:
    """A recurring task begins, and is due, on the first of its dates."""
    first = series.first() or series.start
    length = timedelta(0)
    if properties.get("StartDate") and properties.get("DueDate"):
        length = properties["DueDate"] - properties["StartDate"]
    if properties.get("StartDate"):
        properties["StartDate"] = _midnight(first)
    properties["DueDate"] = _midnight(first) + length


def update(call: Call, _: Item, before: Value, after: Value, __: Value) -> Value:
    """Raises EwsError."""
    _days(call, after)
    _together(after, before, call.now())
    if after.get("Recurrence") and after.get("Recurrence") != before.get("Recurrence"):
        series = recurrence.parse(after["Recurrence"])
        after["Recurrence"] = recurrence.write(series)
        _on_first_date(after, series)
    if _is_done(before, after) and after.get("Recurrence"):
        del after["Recurrence"]  # it goes on in the next task
    after["ChangeCount"] = int(before.get("ChangeCount") or 1) + 1
    return after


def _is_done(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return before.get("Status") != "Completed" and after.get("Status") == "Completed"


# -- the next one


def changed(call: Call, item: Item, before: Value, after: Value, _: Value) -> None:
    """Completing a recurring task makes the next one."""
    if _is_done(before, after) and before.get("Recurrence"):
        _make_next(call, item, before, after["CompleteDate"].date())


def _make_next(call: Call, item: Item, before: Value, done: date) -> Item | None:
    """The task that comes after this one; None: it was the last."""
    series = recurrence.parse(before["Recurrence"])
    following = _next_series(series, before, done)
    if following is None:
        return None
    kept = {
        name: value
        for name, value in before.items()
        if name not in ("CompleteDate", "ActualWork", "ReminderNextTime", "LastModifiedName")
    }
    kept |= {"Status": "NotStarted", "PercentComplete": 0.0, "ChangeCount": 1, "Recurrence": recurrence.write(following)}
    _on_first_date(kept, following)
    if kept.get("ReminderIsSet") and before.get("ReminderDueBy") and before.get("DueDate"):
        kept["ReminderDueBy"] = before["ReminderDueBy"] + (kept["DueDate"] - before["DueDate"])
    return call.store.create(item.folder, item.item_class, kept)


def _next_series(series: Series, before: Value, done: date) -> Series | None:
    """What is left of a recurrence after one of its tasks."""
    if series.count is not None and series.count <= 1:
        return None
    count = series.count - 1 if series.count is not None else None
    if series.pattern.kind == "regenerating":
        start = recurrence.next_regeneration(series.pattern, done)
        if series.end is not None and start > series.end:
            return None
        return dataclasses.replace(series, start=start, count=count)
    due = before.get("StartDate") or before.get("DueDate")
    start_or_none = series.after(due.date() if due is not None else series.start)
    return dataclasses.replace(series, start=start_or_none, count=count) if start_or_none is not None else None


def deleted(call: Call, item: Item, request: Value) -> None:
    """SpecifiedOccurrenceOnly deletes one task of a recurrence: the next one takes its place. Raises EwsError ErrorCannotDeleteTaskOccurrence where
    the next depends on when this one is done."""
    properties = dict(item.properties or {})
    if request.get("@AffectedTaskOccurrences") != "SpecifiedOccurrenceOnly" or not properties.get("Recurrence"):
        return
    if recurrence.is_regenerating(properties["Recurrence"]):
        raise EwsError("ErrorCannotDeleteTaskOccurrence")
    if _make_next(call, item, properties, call.now().date()) is None:
        raise EwsError("ErrorCannotDeleteTaskOccurrence", "There is no task after this one.")


# -- shown


def derive(call: Call, item: Item, properties: Value) -> Value:
    status = properties.setdefault("Status", "NotStarted")
    properties.setdefault("PercentComplete", 0.0)
    properties |= {
        "IsComplete": status == "Completed",
        "IsRecurring": bool(properties.get("Recurrence")),
        "StatusDescription": _DESCRIPTIONS[status],
    }
    owner = call.world.directory.get(item.account)
    if isinstance(owner, Account):
        properties.setdefault("Owner", owner.name or owner.address)
    return properties


def _put_complete(properties: Value, text: Any) -> None:
    properties["Status"] = "Completed" if text == "true" else "NotStarted"


def _put_percent(properties: Value, text: Any) -> None:
    properties["PercentComplete"] = float(text or 0) * 100


_STATUS = {0: "NotStarted", 1: "InProgress", 2: "Completed", 3: "WaitingOnOthers", 4: "Deferred"}
MIRRORS: Mapping[Key, Mirror] = MappingProxyType(
    {
        ("task", 0x8101): one_of("Status", _STATUS, 0),
        ("task", 0x8102): Mirror(lambda _, one: (one.get("PercentComplete") or 0) / 100, _put_percent),
        ("task", 0x8104): element("StartDate", moment),
        ("task", 0x8105): element("DueDate", moment),
        ("task", 0x810F): element("CompleteDate", moment),
        ("task", 0x8110): element("ActualWork", int),
        ("task", 0x8111): element("TotalWork", int),
        ("task", 0x811C): Mirror(lambda _, one: one.get("Status") == "Completed", _put_complete),
        ("task", 0x811F): read_only(lambda _, one: one.get("Owner")),
        ("task", 0x8126): read_only(lambda _, one: bool(one.get("Recurrence"))),
        ("common", 0x8516): element("StartDate", moment),
        ("common", 0x8517): element("DueDate", moment),
    }
)
"""MS-OXOTASK 2.2.2."""
