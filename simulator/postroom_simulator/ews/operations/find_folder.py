"""FindFolder (MS-OXWSSRCH 3.1.4.1)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folders import find_folder, folder_value
from postroom_simulator.ews.shapes import folder_shape
from postroom_simulator.store.interface import Folder


def handle(call: Call, request: Value) -> Value:
    shape = folder_shape(request["FolderShape"])

    def one(reference: tuple[str, Value]) -> Value:
        parent = find_folder(call, *reference)
        found = below(call, parent, deep=request["@Traversal"] == "Deep")
        return {
            "RootFolder": {
                "@IndexedPagingOffset": len(found),
                "@TotalItemsInView": len(found),
                "@IncludesLastItemInRange": True,
                "Folders": [folder_value(call, folder, shape.base, shape.paths) for folder in found],
            }
        }

    return answer(call, request["ParentFolderIds"], one)


def below(call: Call, parent: Folder, *, deep: bool) -> list[Folder]:
    """The folders in a folder, and with `deep` those in these; parents before children."""
    children: dict[int | None, list[Folder]] = {}
    for folder in call.store.folders(parent.account):
        children.setdefault(folder.parent, []).append(folder)
    found, waiting = [], list(children.get(parent.uid, ()))
    while waiting:
        folder = waiting.pop(0)
        found.append(folder)
        if deep:
            waiting[:0] = children.get(folder.uid, ())
    return found
