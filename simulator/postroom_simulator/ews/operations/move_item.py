"""MoveItem (MS-OXWSCORE 3.1.4.7, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.items.leaving import move
from postroom_simulator.ews.items.moving import carry


def handle(call: Call, request: Value) -> Value:
    return carry(call, request, move, right="delete")
