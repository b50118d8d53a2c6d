"""SendItem (MS-OXWSCORE 3.1.4.8, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.items.changing import check_key
from postroom_simulator.ews.items.finding import check_right, find_reference
from postroom_simulator.ews.items.sending import send
from postroom_simulator.ews.items.stored import sendable
from postroom_simulator.store.interface import Folder, Role


def handle(call: Call, request: Value) -> Value:
    def one(reference: tuple[str, Value]) -> Value:
        with call.world.lock:
            if not request["@SaveItemToFolder"] and "SavedItemFolderId" in request:
                raise EwsError("ErrorInvalidSendItemSaveSettings")
            item = find_reference(call, *reference)
            check_right(call, item, "delete")
            check_key(item, reference[1], missing="ErrorChangeKeyRequired", stale="ErrorStaleObject")
            send(call, sendable(call, item), _copy_folder(call, request))
            call.store.delete([item.uid])
        return {}

    return answer(call, request["ItemIds"], one)


def _copy_folder(call: Call, request: Value) -> Folder | None:
    if not request["@SaveItemToFolder"]:
        return None
    if "SavedItemFolderId" in request:
        return target_folder(call, request["SavedItemFolderId"], "create")
    return call.store.folder(canonical(call.account.address), Role.SENT)
