"""GetConversationItems (MS-OXWSCONV 3.1.4.3)."""

from __future__ import annotations

import base64

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.conversations import items_of_conversation, number_of
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder
from postroom_simulator.ews.items.view import item_value, properties_of
from postroom_simulator.ews.shapes import item_shape
from postroom_simulator.store.interface import Item


def handle(call: Call, request: Value) -> Value:
    shape = item_shape(request["ItemShape"])
    ignored = frozenset(find_folder(call, *one).uid for one in request.get("FoldersToIgnore") or ())
    limit = request.get("MaxItemsToReturn", 100)
    ascending = request.get("SortOrder", "TreeOrderDescending").endswith("Ascending")

    def one(asked: Value) -> Value:
        number = number_of(asked["ConversationId"])
        items = items_of_conversation(call, canonical(call.account.address), number, ignored=ignored)[:limit]
        if not items:
            raise EwsError("ErrorItemNotFound")
        if ascending:
            items.reverse()
        nodes = [_node(call, item, item_value(call, item, shape)) for item in items]
        state = base64.b64encode(str(max(item.change for item in items)).encode())
        return {
            "Conversation": {
                "ConversationId": asked["ConversationId"],
                "SyncState": state.decode("ascii"),
                "ConversationNodes": {"ConversationNode": nodes},
            }
        }

    return answer(call, request["Conversations"]["Conversation"], one)


def _node(call: Call, item: Item, shown: tuple[str, Value]) -> Value:
    known = properties_of(call, item)
    node = {
        "InternetMessageId": known.get("InternetMessageId"),
        "ParentInternetMessageId": known.get("InReplyTo"),
        "Items": [shown],
    }
    return {name: one for name, one in node.items() if one is not None}
