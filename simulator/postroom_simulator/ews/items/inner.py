"""Attached items, shown as if they were in the store; they have no ids of their own (ews reference 13)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.items.attaching import Found, inner_item, inner_of, listed
from postroom_simulator.ews.items.kinds import kind_of, kind_of_element
from postroom_simulator.ews.items.view import shaped
from postroom_simulator.ews.shapes import Shape

__all__ = ["shown_inner"]

_OF_THE_STORE = (
    "ItemId",
    "ParentFolderId",
    "EffectiveRights",
    "ConversationId",
    "WebClientReadFormQueryString",
    "InstanceKey",
    "ResponseObjects",
)


def shown_inner(call: Call, found: Found, shape: Shape) -> tuple[str, Value]:
    """Element and value of an attached item."""
    element, known = inner_of(found.value)
    kind = kind_of_element(element) if element != "Item" else kind_of("IPM")
    item_class = known.get("ItemClass") or kind.item_class
    item = inner_item(found, known, item_class)
    known = known | {
        "ItemClass": item_class,
        "Size": item.size,
        "DateTimeCreated": known.get("DateTimeCreated") or item.created,
        "DateTimeReceived": known.get("DateTimeReceived") or item.received,
        "DateTimeSent": known.get("DateTimeSent") or item.created,
        "LastModifiedTime": item.modified,
        "HasAttachments": any(not one.get("IsInline") for _, one in known.get("Attachments") or ()),
        "IsRead": known.get("IsRead", True),
        "IsDraft": False,
        "IsUnmodified": True,
    }
    value = shaped(call, item, kind, known, shape)
    for name in _OF_THE_STORE:
        value.pop(name, None)
    if "Attachments" in value:
        value["Attachments"] = listed(found.item, known, call.version, found.path)
    return element, value
