"""CreateItem (MS-OXWSCORE 3.1.4.2, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.items.kinds import Kind
from postroom_simulator.ews.items.sending import send
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.ews.items.writing import STANDARD_FOLDERS, check_folder, new_properties, store_new
from postroom_simulator.store.interface import Folder, Role


def handle(call: Call, request: Value) -> Value:
    return answer(call, request["Items"], lambda one: {"Items": _create(call, request, *one)}, Items=[])


def _create(call: Call, request: Value, element: str, value: Value) -> list[tuple[str, Value]]:
    kind, properties, octets = new_properties(element, value)
    if kind.element != "Message":
        folder = _folder(call, request, kind, Role.NONE)
        item = store_new(call, folder, kind, properties, octets, draft=False)
        return [(kind.element, {"ItemId": item_id(item)})]
    disposition = request.get("@MessageDisposition")
    if disposition is None:
        raise EwsError("ErrorMessageDispositionRequired")
    if disposition == "SaveOnly":
        folder = _folder(call, request, kind, Role.DRAFTS)
        item = store_new(call, folder, kind, properties, octets, draft=True)
        return [(kind.element, {"ItemId": item_id(item)})]
    copy = _folder(call, request, kind, Role.SENT) if disposition == "SendAndSaveCopy" else None
    send(call, properties, copy)
    return []


def _folder(call: Call, request: Value, kind: Kind, role: Role) -> Folder:
    if "SavedItemFolderId" in request:
        folder = target_folder(call, request["SavedItemFolderId"])
    else:
        standard = role if role is not Role.NONE else STANDARD_FOLDERS.get(kind.element, Role.DRAFTS)
        folder = call.store.folder(canonical(call.account.address), standard)
    check_folder(kind, folder)
    return folder
