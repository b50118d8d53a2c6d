"""GetDelegate (MS-OXWSDLGM 3.1.4.2, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.delegates import answer_each, get, owner_of


def handle(call: Call, request: Value) -> Value:
    """All delegates, or those that the request names."""
    try:
        owner = owner_of(call, request["Mailbox"])
    except EwsError as error:
        return failure(error)
    levels = request["@IncludePermissions"]
    wanted = (request.get("UserIds") or {}).get("UserId")
    if wanted is None:
        wanted = [{"PrimarySmtpAddress": one} for one in owner.delegation.delegates]
    messages = answer_each(wanted, lambda one: get(call, owner, one, levels=levels))
    return success(**messages, DeliverMeetingRequests=owner.delegation.meeting_requests)
