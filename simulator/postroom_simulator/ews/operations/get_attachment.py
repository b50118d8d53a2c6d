"""GetAttachment (MS-OXWSATT 3.1.4.3, ews reference 13)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.items.attaching import find_attachment, shown_of
from postroom_simulator.ews.items.inner import shown_inner
from postroom_simulator.ews.shapes import Shape, item_shape


def handle(call: Call, request: Value) -> Value:
    shape = _shape(request.get("AttachmentShape") or {})

    def one(reference: Value) -> Value:
        found = find_attachment(call, reference["@Id"])
        value = shown_of(found.item, found.element, found.value, found.path)
        if found.element == "FileAttachment":
            value["Content"] = found.value.get("Content") or b""
        elif found.element == "ItemAttachment":
            element, inner = shown_inner(call, found, shape)
            value[element] = inner
        return {"Attachments": [(found.element, value)]}

    return answer(call, request["AttachmentIds"]["AttachmentId"], one, Attachments=[])


def _shape(given: Value) -> Shape:
    """All of an attached item, but for its MIME content, which is extra."""
    return item_shape(dict(given) | {"BaseShape": "AllProperties"})
