"""DeleteUserConfiguration (MS-OXWSUSRCFG 3.1.4.2, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.settings import find, named


def handle(call: Call, request: Value) -> Value:
    def one(name: Value) -> Value:
        item = find(call, *named(call, name, "delete"))
        if item is None:
            raise EwsError("ErrorItemNotFound")
        call.store.delete([item.uid])
        return {}

    return answer(call, [request["UserConfigurationName"]], one)
