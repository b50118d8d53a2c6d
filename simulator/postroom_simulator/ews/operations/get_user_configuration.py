"""GetUserConfiguration (MS-OXWSUSRCFG 3.1.4.3, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.ews.people.settings import find, named, wanted_parts


def handle(call: Call, request: Value) -> Value:
    def one(name: Value) -> Value:
        item = find(call, *named(call, name, "read"))
        if item is None:
            raise EwsError("ErrorItemNotFound")
        with_id, parts = wanted_parts(request["UserConfigurationProperties"])
        kept = item.properties or {}
        value = {part: kept[part] for part in parts if part in kept}
        if with_id:
            value["ItemId"] = item_id(item)
        return {"UserConfiguration": {"UserConfigurationName": name, **value}}

    return answer(call, [request["UserConfigurationName"]], one)
