"""Search folders: what they search for, and what they hold now (ews reference 6; MS-OXWSSRCH 2.2.3.20)."""

from __future__ import annotations

from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder, folder_id, is_search
from postroom_simulator.ews.search.restriction import Predicate, compile_restriction
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item, Role

__all__ = ["check_parameters", "found_in", "parameters_of", "tree_below"]


def tree_below(call: Call, parent: Folder) -> list[Folder]:
    """The folders below another, parents before children."""
    found, waiting = [], call.store.children(parent.uid)
    while waiting:
        folder = waiting.pop(0)
        found.append(folder)
        waiting[:0] = call.store.children(folder.uid)
    return found


def check_parameters(call: Call, value: Value) -> Value:
    """A search that can be carried out, its folders named by their ids. Raises EwsError."""
    compile_restriction(call, value["Restriction"])
    bases = [find_folder(call, name, one) for name, one in value["BaseFolderIds"]]
    for base in bases:
        call.service.check_access(call, base, "read")
        if is_search(base):
            raise EwsError("ErrorCannotSpecifySearchFolderAsSourceFolder")
    return {
        "@Traversal": value.get("@Traversal", "Shallow"),
        "Restriction": value["Restriction"],
        "BaseFolderIds": [("FolderId", {"@Id": folder_id(base)["@Id"]}) for base in bases],
    }


def parameters_of(call: Call, folder: Folder) -> Value:
    """A SearchParametersType."""
    kept = (folder.properties or {}).get("SearchParameters")
    if kept is not None:
        return dict(kept)
    role, wanted = (Role.CONTACTS, "IPM.Contact") if folder.role is Role.MY_CONTACTS else (Role.TOP, "IPM.Task")
    base = call.store.folder(folder.account, role)
    classes: list[tuple[str, Any]] = [("Contains", _prefixed("item:ItemClass", wanted))]
    if folder.role is Role.TODO_SEARCH:
        flagged = {"ExtendedFieldURI": {"@PropertyTag": "0x1090", "@PropertyType": "Integer"}}
        classes.append(("IsEqualTo", flagged | {"FieldURIOrConstant": {"Constant": {"@Value": "2"}}}))
    return {
        "@Traversal": "Deep",
        "Restriction": [("Or", classes)] if len(classes) > 1 else classes,
        "BaseFolderIds": [("FolderId", {"@Id": folder_id(base)["@Id"]})],
    }


def _prefixed(uri: str, text: str) -> Value:
    return {
        "@ContainmentMode": "Prefixed",
        "@ContainmentComparison": "IgnoreCase",
        "FieldURI": {"@FieldURI": uri},
        "Constant": {"@Value": text},
    }


def found_in(call: Call, folder: Folder) -> list[Item]:
    """Received last first. Folders that are gone since count as empty; Deleted Items are not searched below another folder."""
    parameters = parameters_of(call, folder)
    wanted = compile_restriction(call, parameters["Restriction"])
    found: dict[int, Item] = {}
    for base in _bases(call, parameters):
        for one in [base, *(tree_below(call, base) if parameters["@Traversal"] == "Deep" else ())]:
            if one.uid == base.uid or (one.role is not Role.DELETED and not is_search(one)):
                found |= {item.uid: item for item in call.store.items(one.uid) if _fits(item, wanted)}
    return sorted(found.values(), key=lambda item: (item.received, item.uid), reverse=True)


def _fits(item: Item, wanted: Predicate | None) -> bool:
    return ASSOCIATED not in item.flags and (wanted is None or wanted(item))


def _bases(call: Call, parameters: Value) -> list[Folder]:
    bases = []
    for name, value in parameters["BaseFolderIds"]:
        try:
            bases.append(find_folder(call, name, value))
        except EwsError:
            continue
    return bases
