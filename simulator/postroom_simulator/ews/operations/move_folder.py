"""MoveFolder (MS-OXWSFOLD 3.1.4.7)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folder_changing import move_folder
from postroom_simulator.ews.folders import find_folder, folder_element, folder_id, target_folder


def handle(call: Call, request: Value) -> Value:
    def one(reference: tuple[str, Value]) -> Value:
        target = target_folder(call, request["ToFolderId"], missing="ErrorToFolderNotFound")
        folder = move_folder(call, find_folder(call, *reference), target)
        return {"Folders": [(folder_element(folder), {"FolderId": folder_id(folder)})]}

    return answer(call, request["FolderIds"], one, Folders=[])
