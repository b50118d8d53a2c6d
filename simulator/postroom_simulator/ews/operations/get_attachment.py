"""GetAttachment (MS-OXWSATT 3.1.4.3, ews reference 13)."""

from __future__ import annotations

from typing import Any

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.items.attaching import attachment_id, find_attachment
from postroom_simulator.ews.items.inner import shown_inner
from postroom_simulator.ews.shapes import Shape, item_shape

_SHOWN = ("Name", "ContentType", "ContentId", "ContentLocation", "Size", "LastModifiedTime", "IsInline", "IsContactPhoto")


def handle(call: Call, request: Value) -> Value:
    shape = _shape(request.get("AttachmentShape") or {})

    def one(reference: Value) -> Value:
        found = find_attachment(call, reference["@Id"])
        value: dict[str, Any] = {name: found.value[name] for name in _SHOWN if found.value.get(name) is not None}
        value["AttachmentId"] = {"@Id": attachment_id(found.item, found.path)["@Id"]}
        value.setdefault("LastModifiedTime", found.item.modified)
        value.setdefault("IsInline", False)
        if found.element == "FileAttachment":
            value["IsContactPhoto"] = bool(value.get("IsContactPhoto"))
            value["Content"] = found.value.get("Content") or b""
        else:
            element, inner = shown_inner(call, found, shape)
            value[element] = inner
        return {"Attachments": [(found.element, value)]}

    return answer(call, request["AttachmentIds"]["AttachmentId"], one, Attachments=[])


def _shape(given: Value) -> Shape:
    """All of an attached item, but for its MIME content, which is extra."""
    return item_shape(dict(given) | {"BaseShape": "AllProperties"})
