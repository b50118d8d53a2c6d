"""GetFolder (MS-OXWSFOLD 3.1.4.6)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folders import find_folder, folder_value
from postroom_simulator.ews.shapes import folder_shape


def handle(call: Call, request: Value) -> Value:
    shape = folder_shape(request["FolderShape"])

    def one(reference: tuple[str, Value]) -> Value:
        folder = find_folder(call, *reference)
        return {"Folders": [folder_value(call, folder, shape.base, shape.paths)]}

    return answer(call, request["FolderIds"], one, Folders=[])
