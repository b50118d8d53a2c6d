"""Unsubscribe (MS-OXWSNTIF 3.1.4.5, ews reference 14)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError


def handle(call: Call, request: Value) -> Value:
    def one(text: str) -> Value:
        found = call.service.subscriptions.find(call, text)
        if found.kind == "push":  # who is pushed says so in the answer to a push
            raise EwsError("ErrorInvalidSubscription")
        call.service.subscriptions.close(found)
        return {}

    return answer(call, [request["SubscriptionId"]], one)
