"""ApplyConversationAction (MS-OXWSCONV 3.1.4.1): done to what is there now; see `conversations`."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.conversations import items_of_conversation, number_of
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folder_changing import delete_items
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.store.interface import Item


def handle(call: Call, request: Value) -> Value:
    def one(action: Value) -> Value:
        items = items_of_conversation(call, canonical(call.account.address), number_of(action["ConversationId"]))
        if "ContextFolderId" in action:
            context = target_folder(call, action["ContextFolderId"]).uid
            items = [item for item in items if item.folder == context]
        last = action.get("ConversationLastSyncTime")
        if last is not None and last.tzinfo is not None:
            items = [item for item in items if item.received <= last]
        _act(call, action, items)
        return {}

    return answer(call, request["ConversationActions"]["ConversationAction"], one)


def _act(call: Call, action: Value, items: list[Item]) -> None:
    """Raises EwsError."""
    what = action["Action"]
    if what in ("Delete", "AlwaysDelete"):
        delete_items(call, items, action.get("DeleteType", "MoveToDeletedItems"))
    elif what in ("Move", "AlwaysMove", "Copy"):
        target = target_folder(call, action.get("DestinationFolderId") or {}, "create", missing="ErrorToFolderNotFound")
        for item in items:
            if what == "Copy":
                call.store.copy(item.uid, target.uid)
            else:
                call.store.move(item.uid, target.uid)
    elif what == "SetReadState":
        if "IsRead" not in action:
            raise EwsError("ErrorMissingArgument")
        call.store.set_read([item.uid for item in items], action["IsRead"])
    else:  # categories, flags and retention of whole conversations
        raise EwsError("ErrorInvalidOperation", f"{what} is not available on this server.")
