"""ApplyConversationAction (MS-OXWSCONV 3.1.4.1)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.conversation_acting import apply


def handle(call: Call, request: Value) -> Value:
    def one(action: Value) -> Value:
        with call.world.lock:
            apply(call, action)
        return {}

    return answer(call, request["ConversationActions"]["ConversationAction"], one)
