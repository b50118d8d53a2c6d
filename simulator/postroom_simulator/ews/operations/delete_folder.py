"""DeleteFolder (MS-OXWSFOLD 3.1.4.4)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folder_changing import check_folder_key, delete_folder
from postroom_simulator.ews.folders import find_folder


def handle(call: Call, request: Value) -> Value:
    def one(reference: tuple[str, Value]) -> Value:
        folder = find_folder(call, *reference)
        check_folder_key(reference[1])
        delete_folder(call, folder, request["@DeleteType"])
        return {}

    return answer(call, request["FolderIds"], one)
