"""GetStreamingEvents: complete envelopes one after another, a heartbeat, and an end (MS-OXWSNTIF 3.1.4.3, ews reference 14)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.notifications.subscriptions import Subscription, each_id, message_of, notification
from postroom_simulator.ews.stream import Stream

HEARTBEAT = 45.0
"""Seconds between heartbeats, as real servers have them."""
MOST = 200
"""Subscriptions of one connection."""


def handle(call: Call, request: Value) -> Value:
    found, wrong = _find(call, list(each_id(request["SubscriptionIds"])))
    if wrong:
        error = failure(EwsError("ErrorInvalidSubscription"), ErrorSubscriptionIds={"SubscriptionId": wrong})
        return {"ResponseMessages": [("GetStreamingEventsResponseMessage", error)]}
    try:
        call.service.throttling.begin_stream(call.account)
    except EwsError as error:
        return {"ResponseMessages": [("GetStreamingEventsResponseMessage", failure(error))]}
    stream = call.open_stream()
    _begin(call, stream, found, 60.0 * request["ConnectionTimeout"])
    first = message_of(ConnectionStatus="OK")
    waiting = _waiting(call, found)
    if not waiting:
        return first
    stream.send(first)
    for value in waiting[:-1]:
        stream.send(value)
    return waiting[-1]


def _find(call: Call, ids: list[str]) -> tuple[list[Subscription], list[str]]:
    """Those that can be streamed to the caller, and the ids of the others."""
    found, wrong = [], []
    for number, one in enumerate(ids):
        try:
            subscription = call.service.subscriptions.find(call, one)
        except EwsError:
            wrong.append(one)
            continue
        if subscription.kind == "streaming" and number < MOST:
            found.append(subscription)
        else:
            wrong.append(one)
    return found, wrong


def _begin(call: Call, stream: Stream, found: list[Subscription], timeout: float) -> None:
    subscriptions = call.service.subscriptions
    for one in found:
        if one.stream is not None:  # there is one connection for a subscription: the newest
            moved = failure(EwsError("ErrorNewEventStreamConnectionOpened"))
            one.stream.send({"ResponseMessages": [("GetStreamingEventsResponseMessage", moved)]})
            one.stream.end()
        one.stream = stream

    def ended() -> None:
        call.service.throttling.end_stream(call.account)
        for one in found:
            if one.stream is stream:
                one.stream = None
                subscriptions.touch(one)

    def heartbeat() -> None:
        stream.send(message_of(ConnectionStatus="OK"))
        stream.call_later(HEARTBEAT, heartbeat)

    def close() -> None:
        stream.send(message_of(ConnectionStatus="Closed"))
        stream.end()

    stream.on_end.append(ended)
    stream.call_later(timeout, close)
    stream.call_later(HEARTBEAT, heartbeat)


def _waiting(call: Call, found: list[Subscription]) -> list[Value]:
    """What happened since the subscriptions were made, or since they were connected last."""
    values = []
    for one in found:
        while events := call.service.subscriptions.pending(one, one.known):
            one.known = events[-1].number
            values.append(message_of(Notifications={"Notification": [notification(one, events)]}))
    return values
