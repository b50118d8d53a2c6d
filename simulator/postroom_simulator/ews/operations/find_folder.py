"""FindFolder (MS-OXWSSRCH 3.1.4.1, ews reference 6)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer, failure
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder, folder_value
from postroom_simulator.ews.permissions import allowed
from postroom_simulator.ews.search.folders import tree_below
from postroom_simulator.ews.search.paging import view_of
from postroom_simulator.ews.search.restriction import compile_restriction
from postroom_simulator.ews.shapes import folder_shape
from postroom_simulator.store.interface import Folder


def handle(call: Call, request: Value) -> Value:
    parents = request["ParentFolderIds"]
    try:
        shape = folder_shape(request["FolderShape"])
        view = view_of(call, request, "Folder")
        wanted = compile_restriction(call, request.get("Restriction"))
    except EwsError as error:  # wrong for one folder, wrong for all
        return {"ResponseMessages": [("FindFolderResponseMessage", failure(error)) for _ in parents]}

    def one(reference: tuple[str, Value]) -> Value:
        found = _below(call, find_folder(call, *reference), request["@Traversal"])
        if wanted is not None:
            found = [folder for folder in found if wanted(folder)]
        page = view.page(len(found), found)
        chosen = found[page.start : page.start + page.length]
        folders = [folder_value(call, folder, shape.base, shape.paths, light=True) for folder in chosen]
        return {"RootFolder": page.attributes | {"Folders": folders}}

    return answer(call, parents, one)


def _below(call: Call, parent: Folder, traversal: str) -> list[Folder]:
    """What the caller may see of the folders in a folder, or below it. Folders deleted softly leave their items alone behind."""
    if traversal == "SoftDeleted":
        return []
    found = tree_below(call, parent) if traversal == "Deep" else call.store.children(parent.uid)
    return [folder for folder in found if allowed(folder, call.account.address, "see")]
