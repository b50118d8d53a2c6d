"""RefreshSharingFolder (MS-OXWSMSHR 3.1.4.3)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder
from postroom_simulator.ews.people.sharing import refresh


def handle(call: Call, request: Value) -> Value:
    try:
        refresh(call, find_folder(call, "FolderId", request["SharingFolderId"]))
    except EwsError as error:
        return failure(error)
    return success()
