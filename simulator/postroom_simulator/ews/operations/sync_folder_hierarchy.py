"""SyncFolderHierarchy (MS-OXWSSYNC 3.1.4.1, ews reference 10)."""

from __future__ import annotations

from typing import Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.folders import folder_value, target_folder
from postroom_simulator.ews.ids import Id, Kind, mailbox_number, write_id
from postroom_simulator.ews.permissions import allowed
from postroom_simulator.ews.search.folders import tree_below
from postroom_simulator.ews.shapes import folder_shape
from postroom_simulator.ews.sync_states import read_hierarchy, write_hierarchy
from postroom_simulator.store.interface import Folder, Role


def handle(call: Call, request: Value) -> Value:
    return answer(call, [request], lambda one: _changes(call, one), SyncState="", IncludesLastFolderInRange=True, Changes=[])


def _changes(call: Call, request: Value) -> Value:
    """The state names every folder that the client knows with its version: what differs from what is there are the changes."""
    shape = folder_shape(request["FolderShape"])
    root = _root(call, request)
    given = request.get("SyncState", "").strip()
    known = read_hierarchy(given, root.uid) if given else {}
    there = [folder for folder in tree_below(call, root) if allowed(folder, call.account.address, "see")]
    changes: list[tuple[str, Any]] = []
    for folder in there:
        if known.get(folder.uid) != folder.change:
            what = "Update" if folder.uid in known else "Create"
            changes.append((what, dict([folder_value(call, folder, shape.base, shape.paths, light=True)])))
    now = {folder.uid: folder.change for folder in there}
    for uid in known:
        if uid not in now:
            gone = write_id(Id(Kind.FOLDER, mailbox_number(root.account), uid))
            changes.append(("Delete", {"FolderId": {"@Id": gone}}))
    return {"SyncState": write_hierarchy(root.uid, now), "IncludesLastFolderInRange": True, "Changes": changes}


def _root(call: Call, request: Value) -> Folder:
    if "SyncFolderId" in request:
        return target_folder(call, request["SyncFolderId"], missing="ErrorSyncFolderNotFound")
    call.store.complete(call.account.address)
    return call.store.folder(canonical(call.account.address), Role.ROOT)
