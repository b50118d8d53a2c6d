"""CreateItem (MS-OXWSCORE 3.1.4.2, ews reference 8)."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.items.hooks import RESPONSES, hooks_of, respond
from postroom_simulator.ews.items.kinds import Kind
from postroom_simulator.ews.items.moving import check_target
from postroom_simulator.ews.items.sending import check_recipients, send
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.ews.items.writing import New, check_folder, new_properties, standard_folder, store_new
from postroom_simulator.store.interface import Folder, Role


def handle(call: Call, request: Value) -> Value:
    return answer(call, request["Items"], lambda one: {"Items": _create(call, request, *one)}, Items=[])


def _create(call: Call, request: Value, element: str, value: Value) -> list[tuple[str, Value]]:
    with call.world.lock:
        if element in RESPONSES:
            return respond(call, request, element, value)
        new = new_properties(call, element, value)
        if new.kind.element == "Message":
            return _create_message(call, request, new)
        if new.kind.element == "CalendarItem" and "@SendMeetingInvitations" not in request:
            raise EwsError("ErrorSendMeetingInvitationsRequired")
        item = store_new(call, _folder(call, request, new.kind, standard_folder(new)), new, draft=False)
        hooks_of(new.kind.element).created(call, item, request)
        return [(new.kind.element, {"ItemId": item_id(call.store.item(item.uid))})]


def _create_message(call: Call, request: Value, new: New) -> list[tuple[str, Value]]:
    disposition = request.get("@MessageDisposition")
    if disposition is None:
        raise EwsError("ErrorMessageDispositionRequired")
    if disposition == "SaveOnly":
        item = store_new(call, _folder(call, request, new.kind, standard_folder(new)), new, draft=True)
        return [(new.kind.element, {"ItemId": item_id(item)})]
    check_recipients(new.whole())
    copy = _folder(call, request, new.kind, Role.SENT) if disposition == "SendAndSaveCopy" else None
    if new.octets is None:
        new = New(new.kind, hooks_of(new.kind.element).prepare(call, dict(new.properties), True))
    send(call, new, copy)
    return []


def _folder(call: Call, request: Value, kind: Kind, role: Role) -> Folder:
    if "SavedItemFolderId" in request:
        folder = target_folder(call, request["SavedItemFolderId"], "create")
    else:
        folder = call.store.folder(canonical(call.account.address), role)
    check_target(folder)
    check_folder(kind, folder)
    return folder
