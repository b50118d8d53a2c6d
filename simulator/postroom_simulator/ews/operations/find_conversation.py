"""FindConversation (MS-OXWSCONV 3.1.4.2)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.conversations import by_conversation, conversation_value, folders_below, items_of_conversation
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.search.paging import view_of
from postroom_simulator.ews.search.query_string import compile_query
from postroom_simulator.store.interface import Item


def handle(call: Call, request: Value) -> Value:
    try:
        return success(**_find(call, request))
    except EwsError as error:
        return failure(error)


def _find(call: Call, request: Value) -> Value:
    """Conversations with an item in the folder, that with the newest first; orders by other fields are not offered (our choice)."""
    folder = target_folder(call, request["ParentFolderId"], "read")
    view = view_of(call, request, "Item")
    deep = request.get("@Traversal") == "Deep"
    items = [item for one in (folders_below(call, folder) if deep else [folder]) for item in call.store.items(one.uid)]
    text = (request.get("QueryString") or {}).get("", "")
    if text:
        wanted = compile_query(call, text)
        items = [item for item in items if wanted(item)]
    items.sort(key=lambda item: (item.received, item.uid), reverse=True)
    found = list(by_conversation(call, items).items())
    if request.get("@ViewFilter") == "Unread":
        found = [one for one in found if any(not item.read for item in one[1])]
    page = view.page(len(found), [group[0] for _, group in found])
    values = [_shown(call, number, group) for number, group in found[page.start : page.start + page.length]]
    answer: Value = {"Conversations": {"Conversation": values}}
    return answer | {"TotalConversationsInView": len(found), "IndexedOffset": page.start + page.length}


def _shown(call: Call, number: int, here: list[Item]) -> Value:
    everywhere = items_of_conversation(call, here[0].account, number)
    return conversation_value(call, here, everywhere or here)
