"""GetUserAvailability (MS-OXWAVLS 3.1.4.1, ews reference 11)."""

from __future__ import annotations

from postroom_simulator.ews.calendar.availability import MOST_MAILBOXES, Window, free_busy, suggestions, window_of
from postroom_simulator.ews.calendar.zone_values import from_serializable
from postroom_simulator.ews.calendar.zones import Zone, context_zone
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError


def handle(call: Call, request: Value) -> Value:
    """What is wrong with the whole request is a fault; a mailbox that cannot be looked at is an error in its place."""
    mailboxes = request["MailboxDataArray"].get("MailboxData") or []
    if not mailboxes:
        raise EwsError("ErrorMailboxDataArrayEmpty")
    if len(mailboxes) > MOST_MAILBOXES:
        raise EwsError("ErrorMailboxDataArrayTooBig")
    zone = _zone(call, request)
    answer: Value = {}
    if "FreeBusyViewOptions" in request:
        window = window_of(request["FreeBusyViewOptions"], zone)
        answer["FreeBusyResponseArray"] = {
            "FreeBusyResponse": [_one(call, one["Email"]["Address"], window) for one in mailboxes]
        }
    if "SuggestionsViewOptions" in request:
        days = suggestions(call, mailboxes, request["SuggestionsViewOptions"], zone)
        answer["SuggestionsResponse"] = {"ResponseMessage": success(), "SuggestionDayResultArray": days}
    if not answer:
        raise EwsError("ErrorInvalidFreeBusyViewType", "Neither free and busy times nor suggestions are asked for.")
    return answer


def _zone(call: Call, request: Value) -> Zone:
    if "TimeZone" in request:
        return from_serializable(request["TimeZone"])
    if call.time_zone or call.zone_definition is not None:
        return context_zone(call)
    raise EwsError("ErrorTimeZone", "The request names no time zone.")


def _one(call: Call, address: str, window: Window) -> Value:
    try:
        return {"ResponseMessage": success(), "FreeBusyView": free_busy(call, address, window)}
    except EwsError as error:
        return {"ResponseMessage": failure(error), "FreeBusyView": {"FreeBusyViewType": "None"}}
