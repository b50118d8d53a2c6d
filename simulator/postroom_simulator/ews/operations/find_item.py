"""FindItem (MS-OXWSSRCH 3.1.4.2, ews reference 9)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folders import find_folder
from postroom_simulator.ews.items.view import item_value
from postroom_simulator.ews.shapes import item_shape


def handle(call: Call, request: Value) -> Value:
    shape = item_shape(request["ItemShape"], light=True)
    view = request.get("IndexedPageItemView", {})
    offset, most = view.get("@Offset", 0), view.get("@MaxEntriesReturned", 1000)

    def one(reference: tuple[str, Value]) -> Value:
        folder = find_folder(call, *reference)
        items = sorted(call.store.items(folder.uid), key=lambda item: (item.received, item.uid), reverse=True)
        page = items[offset : offset + most]
        return {
            "RootFolder": {
                "@IndexedPagingOffset": offset + len(page),
                "@TotalItemsInView": len(items),
                "@IncludesLastItemInRange": offset + len(page) >= len(items),
                "Items": [item_value(call, item, shape) for item in page],
            }
        }

    return answer(call, request["ParentFolderIds"], one)
