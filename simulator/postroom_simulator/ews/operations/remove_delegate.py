"""RemoveDelegate (MS-OXWSDLGM 3.1.4.3, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.delegates import answer_each, owner_of, remove


def handle(call: Call, request: Value) -> Value:
    try:
        owner = owner_of(call, request["Mailbox"])
    except EwsError as error:
        return failure(error)
    return success(**answer_each(request["UserIds"]["UserId"], lambda one: remove(call, owner, one)))
