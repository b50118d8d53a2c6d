"""UploadItems (MS-OXWSBTRF 3.1.4.2, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.errors import StoreError
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder
from postroom_simulator.ews.items.blobs import restored, unpacked
from postroom_simulator.ews.items.finding import check_right, find_item
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Folder, Item


def handle(call: Call, request: Value) -> Value:
    def one(given: Value) -> Value:
        with call.world.lock:
            folder = find_folder(call, "FolderId", given["ParentFolderId"])
            call.service.check_access(call, folder, "create")
            blob = unpacked(given["Data"])
            present = _present(call, given, folder)
            return {"ItemId": item_id(restored(call, folder, blob, present, associated=bool(given.get("@IsAssociated"))))}

    return answer(call, request["Items"]["Item"], one)


def _present(call: Call, given: Value, folder: Folder) -> Item | None:
    """The item that is replaced. Raises EwsError."""
    action = given["@CreateAction"]
    if action == "CreateNew":
        return None
    if "ItemId" not in given:
        if action == "Update":
            raise EwsError("ErrorInvalidIdEmpty")
        return None
    try:
        item = find_item(call, given["ItemId"])
        if item.folder != folder.uid:
            raise EwsError("ErrorItemNotFound")
    except (EwsError, StoreError) as error:
        if action == "UpdateOrCreate" and isinstance(error, EwsError) and error.code == "ErrorItemNotFound":
            return None
        raise
    check_right(call, item, "edit")
    return item
