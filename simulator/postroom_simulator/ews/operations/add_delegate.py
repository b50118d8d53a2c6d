"""AddDelegate (MS-OXWSDLGM 3.1.4.1, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.people.delegates import add, change_each


def handle(call: Call, request: Value) -> Value:
    return change_each(call, request, add)
