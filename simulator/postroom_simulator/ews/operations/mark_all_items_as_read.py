"""MarkAllItemsAsRead (MS-OXWSCORE 3.1.4.6, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folders import find_folder, is_search
from postroom_simulator.ews.items.receipts import acknowledge
from postroom_simulator.ews.search.folders import found_in


def handle(call: Call, request: Value) -> Value:
    read = bool(request["ReadFlag"])

    def one(reference: tuple[str, Value]) -> Value:
        with call.world.lock:
            folder = find_folder(call, *reference)
            call.service.check_access(call, folder, "edit")
            there = found_in(call, folder) if is_search(folder) else call.store.items(folder.uid)
            items = [item for item in there if item.read != read]
            call.store.set_read([item.uid for item in items], read)
            if read:
                for item in items:
                    acknowledge(call, call.store.item(item.uid), send=not request["SuppressReadReceipts"])
        return {}

    return answer(call, request["FolderIds"], one)
