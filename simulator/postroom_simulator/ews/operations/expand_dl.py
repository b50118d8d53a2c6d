"""ExpandDL (MS-OXWSDLIST 3.1.4.1, ews reference 12)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.people.lists import expand


def handle(call: Call, request: Value) -> Value:
    def one(mailbox: Value) -> Value:
        members = expand(call, mailbox)
        return {
            "DLExpansion": {
                "@TotalItemsInView": len(members),
                "@IncludesLastItemInRange": True,
                "Mailbox": members,
            }
        }

    return answer(call, [request["Mailbox"]], one)
