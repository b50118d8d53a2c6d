"""Reminders of appointments and tasks: which are due, and what becomes of one that was looked at (the documented GetReminders and PerformReminderAction
operations; MS-OXORMDR for what a snoozed or dismissed reminder of a series means).

A series has one reminder at a time: that of the first date that is neither over nor dismissed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.calendar.dates import dates_of, occurrence
from postroom_simulator.ews.calendar.occurrences import Date, seconds
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.store.interface import ASSOCIATED, Item, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["DISMISSED", "SNOOZED", "Reminder", "act", "due"]

Value = dict[str, Any]
SNOOZED = "@snoozed"
"""In an item's properties: when it reminds again; of a series the original start of the date (seconds since 1970 UTC) and when."""
DISMISSED = "@dismissed"
"""In a series: the original start of the last date whose reminder was dismissed."""
_LOOKED_AT = 400
"""Dates of one series that are looked at for the next reminder (our choice)."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """One that is set. at: when it is due. item: what it is of, an occurrence for a series."""

    at: datetime
    start: datetime
    end: datetime
    item: Item
    group: str

    def over(self, now: datetime) -> bool:
        """Whether what it reminds of is done."""
        if self.group == "Task":
            return (self.item.properties or {}).get("Status") == "Completed"
        return self.end <= now


def due(call: Call, begin: datetime | None, end: datetime | None, kind: str) -> list[Reminder]:
    """The reminders of the caller's calendar and tasks, by time. kind: All, those within the window; Current, also earlier ones of what is not over yet;
    Old, those within the window of what is over. Raises EwsError ErrorInvalidArgument for Old without a whole window."""
    if kind == "Old" and (begin is None or end is None):
        raise EwsError("ErrorInvalidArgument", "Old reminders need BeginTime and EndTime.")
    if begin is not None and end is not None and begin > end:
        raise EwsError("ErrorInvalidArgument", "The window ends before it begins.")
    now, found = call.now(), []
    for one in _all(call, begin, over=kind != "Current"):
        inside = (begin is None or one.at >= begin) and (end is None or one.at <= end)
        if kind == "Old":
            inside = inside and one.over(now)
        elif kind == "Current" and begin is not None and one.at < begin:
            inside = not one.over(now)
        if inside:
            found.append(one)
    return sorted(found, key=lambda one: (one.at, one.item.uid))


def _all(call: Call, begin: datetime | None, *, over: bool) -> Iterator[Reminder]:
    account = canonical(call.account.address)
    for item in call.store.items(call.store.folder(account, Role.CALENDAR).uid):
        properties = item.properties or {}
        if ASSOCIATED in item.flags or "Start" not in properties:
            continue
        if properties.get("Recurrence"):
            one = _of_series(item, begin if over and begin is not None else call.now())
            if one is not None:
                yield one
        elif properties.get("ReminderIsSet"):
            yield Reminder(_at(properties), properties["Start"], properties["End"], item, "Calendar")
    for item in call.store.items(call.store.folder(account, Role.TASKS).uid):
        properties = item.properties or {}
        at = properties.get(SNOOZED) or properties.get("ReminderDueBy")
        if ASSOCIATED in item.flags or not properties.get("ReminderIsSet") or at is None:
            continue
        start = properties.get("StartDate") or properties.get("DueDate") or at
        yield Reminder(at, start, properties.get("DueDate") or start, item, "Task")


def _at(properties: Value | Any) -> datetime:
    snoozed = properties.get(SNOOZED)
    if isinstance(snoozed, datetime):
        return snoozed
    found: datetime = properties["Start"] - timedelta(minutes=int(properties.get("ReminderMinutesBeforeStart") or 0))
    return found


def _of_series(master: Item, since: datetime) -> Reminder | None:
    """That of the first date that ends after `since`, and after the last that was dismissed."""
    properties = master.properties or {}
    dates = dates_of(master)
    dismissed = properties.get(DISMISSED)
    if dismissed is not None:
        since = max(since, datetime.fromtimestamp(dismissed, UTC))
    day = dates.zone.local(since - max(dates.length, timedelta(0)) - timedelta(days=1)).date()
    at = day if day in dates.series else dates.series.after(day)
    for _ in range(_LOOKED_AT):
        if at is None:
            return None
        one, at = _date(dates, at), dates.series.after(at)
        if one is None or one.end <= since or (dismissed is not None and one.key <= dismissed):
            continue
        item = occurrence(master, one)
        own = item.properties or {}
        if own.get("ReminderIsSet"):
            snoozed = properties.get(SNOOZED)
            moment = snoozed[1] if isinstance(snoozed, tuple) and snoozed[0] == one.key else _at({**own, SNOOZED: None})
            return Reminder(moment, one.start, one.end, item, "Calendar")
    return None


def _date(dates: Any, day: Any) -> Date | None:
    try:
        found: Date = dates.by_key(dates.plain(day).key)
    except EwsError:  # it was deleted
        return None
    return found


# -- acted on


def act(call: Call, item: Item, action: str, until: datetime | None) -> Item:
    """Dismiss a reminder, or let it come again at `until`. What has none is left alone, as is a snooze to a time before the reminder. The item as it is then.
    Raises EwsError."""
    if isinstance(item, Occurrence):
        return _act_on_date(call, item, action, until)
    properties = dict(item.properties or {})
    if not properties.get("ReminderIsSet"):
        return item
    if properties.get("Recurrence"):
        raise EwsError("ErrorInvalidArgument", "A series has reminders of its dates.")
    if action == "Dismiss":
        properties |= {"ReminderIsSet": False}
        properties.pop(SNOOZED, None)
        return call.store.set_properties(item.uid, properties)
    at = properties.get(SNOOZED) or properties.get("ReminderDueBy") if "Start" not in properties else _at(properties)
    if until is None or (at is not None and until <= at):
        return item
    return call.store.set_properties(item.uid, properties | {SNOOZED: until})


def _act_on_date(call: Call, item: Occurrence, action: str, until: datetime | None) -> Item:
    """Past the reminder of the next date a snoozed one is as good as dismissed."""
    master = call.store.item(item.uid)
    properties = dict(master.properties or {})
    dates = dates_of(master)
    one = dates.by_key(item.start)
    if action == "Snooze":
        own = dict(item.properties or {})
        _, following = dates.neighbours(one.key)
        minutes = timedelta(minutes=int(own.get("ReminderMinutesBeforeStart") or 0))
        snoozed = properties.get(SNOOZED)
        at = snoozed[1] if isinstance(snoozed, tuple) and snoozed[0] == one.key else own["Start"] - minutes
        if until is None or until <= at or not own.get("ReminderIsSet"):
            return item
        if following is None or until < following.start - minutes:
            kept = call.store.set_properties(master.uid, properties | {SNOOZED: (one.key, until)})
            return occurrence(kept, dates_of(kept).by_key(item.start))
    last = max(seconds(one.original), properties.get(DISMISSED) or 0)
    properties.pop(SNOOZED, None)
    kept = call.store.set_properties(master.uid, properties | {DISMISSED: last})
    return occurrence(kept, dates_of(kept).by_key(item.start))
