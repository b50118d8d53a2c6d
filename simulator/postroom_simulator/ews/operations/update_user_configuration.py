"""UpdateUserConfiguration (MS-OXWSUSRCFG 3.1.4.4, ews reference 15): parts that the request has replace those that are there."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.settings import checked_parts, find, named


def handle(call: Call, request: Value) -> Value:
    def one(given: Value) -> Value:
        item = find(call, *named(call, given["UserConfigurationName"], "edit"))
        if item is None:
            raise EwsError("ErrorItemNotFound")
        call.store.set_properties(item.uid, dict(item.properties or {}) | checked_parts(given))
        return {}

    return answer(call, [request["UserConfiguration"]], one)
