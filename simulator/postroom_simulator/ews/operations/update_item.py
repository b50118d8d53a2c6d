"""UpdateItem (MS-OXWSCORE 3.1.4.9, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.changing import apply_updates, check_key, own_properties
from postroom_simulator.ews.items.finding import find_item
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id


def handle(call: Call, request: Value) -> Value:
    def one(change: Value) -> Value:
        if "ItemId" not in change:
            raise EwsError("ErrorInvalidOperation", "Occurrences are not updated here.")
        item = find_item(call, change["ItemId"])
        mode = request["@ConflictResolution"]
        if mode != "AlwaysOverwrite":
            check_key(item, change["ItemId"], missing="ErrorChangeKeyRequiredForWriteOperations")
        properties, read = apply_updates(item, own_properties(call, item), change["Updates"])
        if read is not None:
            call.store.set_read([item.uid], read)
        if len(change["Updates"]) > (read is not None):
            call.store.set_properties(item.uid, properties)
        item = call.store.item(item.uid)
        return {"Items": [(kind_of(item.item_class).element, {"ItemId": item_id(item)})], "ConflictResults": {"Count": 0}}

    return answer(call, request["ItemChanges"]["ItemChange"], one, Items=[])
