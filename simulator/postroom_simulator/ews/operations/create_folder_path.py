"""CreateFolderPath: folders one in another, those that are there kept (MS-OXWSFOLD 3.1.4.9)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folder_changing import make_folder
from postroom_simulator.ews.folder_names import named_child
from postroom_simulator.ews.folders import folder_element, folder_id, target_folder
from postroom_simulator.store.interface import Folder


def handle(call: Call, request: Value) -> Value:
    reached: list[Folder | None] = []

    def one(given: tuple[str, Value]) -> Value:
        if reached and reached[-1] is None:
            raise EwsError("ErrorParentFolderNotFound")
        parent = reached[-1] if reached else None
        reached.append(None)
        if parent is None:
            parent = target_folder(call, request["ParentFolderId"], missing="ErrorParentFolderNotFound")
        element, value = given
        folder = named_child(call, parent, value.get("DisplayName") or "") or make_folder(call, parent, element, value)
        reached[-1] = folder
        return {"Folders": [(folder_element(folder), {"FolderId": folder_id(folder)})]}

    return answer(call, request["RelativeFolderPath"], one, Folders=[])
