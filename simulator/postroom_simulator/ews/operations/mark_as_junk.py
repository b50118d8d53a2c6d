"""MarkAsJunk (MS-OXWSCORE 3.1.4.10, ews reference 8). Who is blocked is kept at the Junk folder, and mail of theirs goes there."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.finding import check_right, find_reference
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.leaving import move
from postroom_simulator.ews.items.view import item_id, properties_of
from postroom_simulator.junk import block, unblock
from postroom_simulator.store.interface import Role


def handle(call: Call, request: Value) -> Value:
    junk = bool(request["@IsJunk"])

    def one(reference: tuple[str, Value]) -> Value:
        with call.world.lock:
            item = find_reference(call, *reference)
            check_right(call, item, "delete")
            if kind_of(item.item_class).folder_class != "IPF.Note":
                raise EwsError("ErrorInvalidOperation", "Only messages are junk.")
            sender = ((properties_of(call, item).get("From") or {}).get("Mailbox") or {}).get("EmailAddress") or ""
            if sender:
                (block if junk else unblock)(call.store, item.account, sender)
            if not request["@MoveItem"]:
                return {}
            target = call.store.folder(item.account, Role.JUNK if junk else Role.INBOX)
            return {"MovedItemId": item_id(move(call, item, target))}

    return answer(call, request["ItemIds"], one)
