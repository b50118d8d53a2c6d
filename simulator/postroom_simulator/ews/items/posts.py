"""Post items: said into a folder rather than sent (MS-OXWSPOST)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.items.messages import prepare as prepare_message
from postroom_simulator.ews.items.writing import sender_of
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["READ_ONLY", "derive", "prepare", "respond"]

Value = dict[str, Any]
READ_ONLY = frozenset({"PostedTime"})


def prepare(call: Call, properties: Value, draft: bool) -> Value:
    return prepare_message(call, properties, draft) | sender_of(call, properties) | {"IsDraft": False}


def derive(_: Call, item: Item, properties: Value) -> Value:
    properties.setdefault("PostedTime", item.created)
    return properties


def respond(_: Call, __: Item, ___: Value) -> list[tuple[str, Value]]:
    return [("ReplyToItem", {}), ("ReplyAllToItem", {}), ("ForwardItem", {}), ("PostReplyItem", {})]
