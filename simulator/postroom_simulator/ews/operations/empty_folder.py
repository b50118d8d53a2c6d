"""EmptyFolder (MS-OXWSFOLD 3.1.4.5)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folder_changing import empty_folder
from postroom_simulator.ews.folders import find_folder


def handle(call: Call, request: Value) -> Value:
    def one(reference: tuple[str, Value]) -> Value:
        folder = find_folder(call, *reference)
        empty_folder(call, folder, request["@DeleteType"], subfolders=request["@DeleteSubFolders"])
        return {}

    return answer(call, request["FolderIds"], one)
