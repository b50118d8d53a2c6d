"""FindItem (MS-OXWSSRCH 3.1.4.2, ews reference 9)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer, failure
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder
from postroom_simulator.ews.search.items import root_of, search_of
from postroom_simulator.ews.search.query_string import highlighted


def handle(call: Call, request: Value) -> Value:
    parents = request["ParentFolderIds"]
    try:
        search = search_of(call, request)
    except EwsError as error:  # wrong for one folder, wrong for all
        return {"ResponseMessages": [("FindItemResponseMessage", failure(error)) for _ in parents]}

    def one(reference: tuple[str, Value]) -> Value:
        folder = find_folder(call, *reference)
        call.service.check_access(call, folder, "read")
        return {"RootFolder": root_of(call, folder, search)} | highlighted(call, request)

    return answer(call, parents, one)
