"""GetReminders (documented with Exchange 2013; ews reference 4: in the schema only)."""

from __future__ import annotations

from datetime import datetime

from postroom_simulator.ews.calendar.reminders import Reminder, due
from postroom_simulator.ews.calendar.zones import zone_or_utc
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.items.view import item_id

MOST = 200
"""Reminders of one answer (the schema's MaxItems)."""


def handle(call: Call, request: Value) -> Value:
    try:
        begin, end = (_instant(call, request.get(name)) for name in ("BeginTime", "EndTime"))
        found = due(call, begin, end, request.get("ReminderType", "All"))
    except EwsError as error:
        return failure(error)
    return success(Reminders={"Reminder": [_value(call, one) for one in found[: request.get("MaxItems", MOST)]]})


def _instant(call: Call, given: datetime | None) -> datetime | None:
    return given if given is None or given.tzinfo is not None else zone_or_utc(call).instant(given)


def _value(call: Call, one: Reminder) -> Value:
    properties = one.item.properties or {}
    value: Value = {
        "Subject": properties.get("Subject") or "",
        "Location": properties.get("Location") or "",
        "ReminderTime": one.at,
        "StartDate": one.start,
        "EndDate": one.end,
        "ItemId": item_id(one.item),
        "ReminderGroup": one.group,
        "UID": properties.get("UID") or "",
    }
    if isinstance(one.item, Occurrence):
        value["RecurringMasterItemId"] = item_id(call.store.item(one.item.uid))
    return value
