"""UpdateFolder (MS-OXWSFOLD 3.1.4.8)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folder_changing import apply_updates, find_changed
from postroom_simulator.ews.folders import folder_element, folder_id


def handle(call: Call, request: Value) -> Value:
    def one(change: Value) -> Value:
        folder = apply_updates(call, find_changed(call, change), change["Updates"])
        return {"Folders": [(folder_element(folder), {"FolderId": folder_id(folder)})]}

    return answer(call, request["FolderChanges"]["FolderChange"], one, Folders=[])
