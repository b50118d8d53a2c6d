"""GetItem (MS-OXWSCORE 3.1.4.4)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.items.finding import find_reference
from postroom_simulator.ews.items.view import item_value
from postroom_simulator.ews.shapes import item_shape


def handle(call: Call, request: Value) -> Value:
    shape = item_shape(request["ItemShape"])

    def one(reference: tuple[str, Value]) -> Value:
        if reference[0] == "RecurringMasterItemIdRanges" and reference[1].get("Ranges"):
            from postroom_simulator.ews.calendar.dates import in_ranges

            return {"Items": [item_value(call, item, shape) for item in in_ranges(call, reference[1])]}
        return {"Items": [item_value(call, find_reference(call, *reference), shape)]}

    return answer(call, request["ItemIds"], one, Items=[])
