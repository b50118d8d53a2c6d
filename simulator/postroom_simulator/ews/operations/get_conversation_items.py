"""GetConversationItems (MS-OXWSCONV 3.1.4.3)."""

from __future__ import annotations

import struct

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer, failure
from postroom_simulator.ews.conversations import GONE, items_of_conversation, number_of
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder
from postroom_simulator.ews.items.view import item_value, properties_of
from postroom_simulator.ews.shapes import item_shape
from postroom_simulator.store.interface import Item

MOST = 100
"""Items of a conversation in an answer (the bound that is published for MaxItemsToReturn)."""
_STATE = struct.Struct(">4sQQ")
_MARK = b"PRCV"


def handle(call: Call, request: Value) -> Value:
    asked = request["Conversations"].get("Conversation") or []
    if not asked:  # fits the schema, and no answer to it would (our choice)
        raise EwsError("ErrorInvalidArgument", "No conversation is named.")
    shape = item_shape(request["ItemShape"])
    limit = request.get("MaxItemsToReturn", MOST)
    try:
        if not 1 <= limit <= MOST:
            raise EwsError("ErrorInvalidArgument", f"MaxItemsToReturn is 1 to {MOST}.")
        ignored = frozenset(find_folder(call, *one).uid for one in request.get("FoldersToIgnore") or ())
    except EwsError as error:  # wrong for one conversation, wrong for all
        return {"ResponseMessages": [("GetConversationItemsResponseMessage", failure(error)) for _ in asked]}
    scope = request.get("MailboxScope", "PrimaryOnly")

    def one(conversation: Value) -> Value:
        number = number_of(conversation["ConversationId"])
        since = _since(conversation.get("SyncState"), number)
        found = items_of_conversation(call, canonical(call.account.address), number, scope=scope, without=GONE, ignored=ignored)
        if not found:
            raise EwsError("ErrorItemNotFound")
        nodes = _ordered(call, found[:limit], request.get("SortOrder", "TreeOrderDescending"))
        nodes = [node for node in nodes if any(item.change > since for item in node)]
        state = _STATE.pack(_MARK, number, max(item.change for item in found))
        return {
            "Conversation": {
                "ConversationId": conversation["ConversationId"],
                "SyncState": state,
                "ConversationNodes": {
                    "ConversationNode": [_node(call, node, [item_value(call, item, shape) for item in node]) for node in nodes]
                },
            }
        }

    return answer(call, asked, one)


def _since(state: bytes | None, number: int) -> int:
    """The number of the last change that the caller knows. Raises EwsError ErrorInvalidSyncStateData."""
    if not state:
        return 0
    try:
        mark, whose, since = _STATE.unpack(state)
    except (struct.error, TypeError):
        raise EwsError("ErrorInvalidSyncStateData") from None
    if mark != _MARK or whose != number:
        raise EwsError("ErrorInvalidSyncStateData")
    return int(since)


def _ordered(call: Call, items: list[Item], order: str) -> list[list[Item]]:
    """Nodes in order: copies of one message are one node. The tree's order has what was answered before the answers, those by their time."""
    nodes: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: (item.received, item.uid)):
        nodes.setdefault(properties_of(call, item).get("InternetMessageId") or f"uid {item.uid}", []).append(item)
    found = list(nodes.values())
    if order.startswith("Tree"):
        found = _tree(call, nodes)
    if order.endswith("Descending"):
        found.reverse()
    return found


def _tree(call: Call, nodes: dict[str, list[Item]]) -> list[list[Item]]:
    below: dict[str, list[str]] = {}
    roots: list[str] = []
    for name, items in nodes.items():
        parent = properties_of(call, items[0]).get("InReplyTo") or ""
        (below.setdefault(parent, []) if parent in nodes and parent != name else roots).append(name)
    found: dict[str, list[Item]] = {}
    for start in (*roots, *nodes):  # those in a circle have no root: they come behind, by their time
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = nodes[name]
                waiting += reversed(below.get(name, []))
    return list(found.values())


def _node(call: Call, items: list[Item], shown: list[tuple[str, Value]]) -> Value:
    known = properties_of(call, items[0])
    node = {
        "InternetMessageId": known.get("InternetMessageId"),
        "ParentInternetMessageId": known.get("InReplyTo"),
        "Items": shown,
    }
    return {name: one for name, one in node.items() if one is not None}
