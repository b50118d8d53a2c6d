"""UpdateDelegate (MS-OXWSDLGM 3.1.4.4, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.people.delegates import change_each, update


def handle(call: Call, request: Value) -> Value:
    return change_each(call, request, update)
