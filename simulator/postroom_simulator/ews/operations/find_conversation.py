"""FindConversation (MS-OXWSCONV 3.1.4.2)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.search.conversations import find


def handle(call: Call, request: Value) -> Value:
    try:
        return success(**find(call, request))
    except EwsError as error:
        return failure(error)
