"""DeleteAttachment (MS-OXWSATT 3.1.4.2, ews reference 13)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.attaching import attachment_id, find_attachment
from postroom_simulator.ews.items.finding import check_right
from postroom_simulator.ews.items.keeping import own_of, save


def handle(call: Call, request: Value) -> Value:
    def one(reference: Value) -> Value:
        with call.world.lock:
            found = find_attachment(call, reference["@Id"])
            if len(found.path) > 1:
                raise EwsError("ErrorCannotDeleteObject", "What is attached to an attached item stays with it.")
            check_right(call, found.item, "edit")
            before = own_of(call, found.item)
            kept = [pair for pair in before["Attachments"] if pair[1].get("@Number") != found.path[0]]
            saved = save(call, found.item, before, before | {"Attachments": kept})
        root = attachment_id(saved, found.path)
        return {"RootItemId": {"@RootItemId": root["@RootItemId"], "@RootItemChangeKey": root["@RootItemChangeKey"]}}

    return answer(call, request["AttachmentIds"]["AttachmentId"], one)
