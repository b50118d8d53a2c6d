"""CreateFolder (MS-OXWSFOLD 3.1.4.3)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folder_changing import make_folder
from postroom_simulator.ews.folders import folder_id, target_folder


def handle(call: Call, request: Value) -> Value:
    def one(given: tuple[str, Value]) -> Value:
        parent = target_folder(call, request["ParentFolderId"], missing="ErrorParentFolderNotFound")
        element, value = given
        return {"Folders": [(element, {"FolderId": folder_id(make_folder(call, parent, element, value))})]}

    return answer(call, request["Folders"], one, Folders=[])
