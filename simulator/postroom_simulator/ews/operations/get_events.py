"""GetEvents (MS-OXWSNTIF 3.1.4.1, ews reference 14)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.notifications.events import parse_watermark
from postroom_simulator.ews.notifications.subscriptions import PAGE, notification


def handle(call: Call, request: Value) -> Value:
    return answer(call, [request], lambda one: _events(call, one))


def _events(call: Call, request: Value) -> Value:
    subscriptions = call.service.subscriptions
    found = subscriptions.find(call, request["SubscriptionId"])
    if found.kind != "pull":
        raise EwsError("ErrorInvalidPullSubscriptionId")
    since = parse_watermark(request["Watermark"], subscriptions.newest)
    subscriptions.touch(found)
    events = subscriptions.pending(found, since)
    page, more = events[:PAGE], len(events) > PAGE
    return {"Notification": notification(found, page, request["Watermark"], more=more, newest=subscriptions.newest)}
