"""A draft of the store as a new message, to be sent (ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.keeping import own
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.writing import New
from postroom_simulator.store.interface import Item

__all__ = ["sendable"]


def sendable(call: Call, item: Item) -> New:
    """Raises EwsError for what is no draft of a message, or of an answer to an invitation; of the latter only as it was kept: what it says to calendars
    is in its octets."""
    kind = kind_of(item.item_class)
    fits = kind.element == "Message" or (kind.element == "MeetingResponse" and item.properties is None)
    if not fits or "draft" not in item.flags:
        raise EwsError("ErrorInvalidItemForOperationSendItem")
    if item.properties is None:
        beside = {name: one for name, one in (item.beside or {}).items() if one is not None}
        return New(kind, beside | {"ItemClass": item.item_class}, call.store.octets(item.uid))
    return New(kind, own(call.store, item) | {"ItemClass": item.item_class})
