"""UpdateDelegate (MS-OXWSDLGM 3.1.4.4, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.delegates import answer_each, owner_of, update


def handle(call: Call, request: Value) -> Value:
    try:
        owner = owner_of(call, request["Mailbox"])
    except EwsError as error:
        return failure(error)
    users = (request.get("DelegateUsers") or {}).get("DelegateUser", [])
    messages = answer_each(users, lambda one: update(call, owner, one))
    if request.get("DeliverMeetingRequests"):
        owner.delegation.meeting_requests = request["DeliverMeetingRequests"]
    return success(**messages)
