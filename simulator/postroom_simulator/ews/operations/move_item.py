"""MoveItem (MS-OXWSCORE 3.1.4.7, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.items.moving import carry
from postroom_simulator.store.interface import Folder, Item


def handle(call: Call, request: Value) -> Value:
    return carry(call, request, _move, right="delete")


def _move(call: Call, item: Item, folder: Folder) -> Item:
    return call.store.move(item.uid, folder.uid)
