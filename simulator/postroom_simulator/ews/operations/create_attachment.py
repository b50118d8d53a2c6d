"""CreateAttachment (MS-OXWSATT 3.1.4.1, ews reference 13)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.items.attaching import attachment_id, new_attachment
from postroom_simulator.ews.items.changing import check_key
from postroom_simulator.ews.items.finding import check_right, find_item
from postroom_simulator.ews.items.keeping import numbered, own_of, save


def handle(call: Call, request: Value) -> Value:
    parent = dict(request["ParentItemId"])

    def one(given: tuple[str, Value]) -> Value:
        with call.world.lock:
            item = find_item(call, parent)
            check_right(call, item, "edit")
            if parent.get("@ChangeKey"):
                check_key(item, parent, stale="ErrorIrresolvableConflict")
            element, value = given
            before = own_of(call, item)
            made = new_attachment(call, element, value)
            after = numbered(before | {"Attachments": [*(before.get("Attachments") or ()), made]})
            saved = save(call, item, before, after)
            number = after["Attachments"][-1][1]["@Number"]
            shown = attachment_id(saved, (number,))
            parent["@ChangeKey"] = shown["@RootItemChangeKey"]  # for those that follow in the same request
            return {"Attachments": [(element, {"AttachmentId": shown})]}

    return answer(call, request["Attachments"], one, Attachments=[])
