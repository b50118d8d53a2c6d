"""ExportItems (MS-OXWSBTRF 3.1.4.1, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.calendar.private import check_seen
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.blobs import packed
from postroom_simulator.ews.items.finding import find_item
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.ews.items.view import item_id


def handle(call: Call, request: Value) -> Value:
    def one(reference: Value) -> Value:
        item = find_item(call, reference)
        if isinstance(item, Occurrence):
            raise EwsError("ErrorInvalidOperation", "An occurrence is exported with its series.")
        check_seen(call, item, item.properties)
        return {"ItemId": item_id(item), "Data": packed(call.store, item)}

    return answer(call, request["ItemIds"]["ItemId"], one)
