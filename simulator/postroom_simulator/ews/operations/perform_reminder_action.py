"""PerformReminderAction (documented with Exchange 2013; ews reference 4: in the schema only)."""

from __future__ import annotations

from postroom_simulator.ews.calendar.reminders import act
from postroom_simulator.ews.calendar.zones import zone_or_utc
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.finding import check_right, find_item
from postroom_simulator.ews.items.view import item_id


def handle(call: Call, request: Value) -> Value:
    """The ids of what was acted on, as they are then; the first that cannot be acted on ends it (our choice: there is one code for all)."""
    updated: list[Value] = []
    try:
        for one in request["ReminderItemActions"]["ReminderItemAction"]:
            item = find_item(call, one["ItemId"])
            check_right(call, item, "edit")
            until = one.get("NewReminderTime")
            if until is not None and until.tzinfo is None:
                until = zone_or_utc(call).instant(until)
            updated.append(item_id(act(call, item, one["ActionType"], until)))
    except EwsError as error:
        return failure(error, UpdatedItemIds={"ItemId": updated} if updated else None)
    return success(UpdatedItemIds={"ItemId": updated})
