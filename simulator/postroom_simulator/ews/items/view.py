"""An item as an answer shows it: the properties it has, the shape asked for, the ids of the moment."""

from __future__ import annotations

import base64
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.ids import Id, change_key, mailbox_number, write_id
from postroom_simulator.ews.ids import Kind as IdKind
from postroom_simulator.ews.items.compose import compose
from postroom_simulator.ews.items.kinds import ITEM_DEFAULT, Kind, kind_of
from postroom_simulator.ews.items.mail import read_message
from postroom_simulator.ews.schema import type_named
from postroom_simulator.ews.shapes import Shape
from postroom_simulator.store.interface import Item

__all__ = ["item_id", "item_value", "properties_of"]

HEAVY = frozenset(
    {
        "MimeContent",
        "Body",
        "Attachments",
        "ToRecipients",
        "CcRecipients",
        "BccRecipients",
        "ReplyTo",
        "InternetMessageHeaders",
        "ResponseObjects",
        "TextBody",
        "NormalizedBody",
        "UniqueBody",
    }
)
"""What FindItem never gives (ews reference 9)."""
COMPUTED = frozenset({"StoreEntryId", "SearchKey"})


def item_id(item: Item) -> Value:
    """An ItemIdType."""
    text = write_id(Id(IdKind.ITEM, mailbox_number(item.account), item.uid, item.folder))
    return {"@Id": text, "@ChangeKey": change_key(IdKind.ITEM, item.change)}


def properties_of(call: Call, item: Item) -> Value:
    """Everything about an item, by element, whichever its authority is. What nobody set is absent. Not to be changed by the caller."""
    known = call.service.seen.get(item.uid)
    if known is not None and known[0] == (item.change, item.folder):
        seen: Value = known[1]
        return seen
    if item.properties is not None:
        value: Value = {name: one for name, one in item.properties.items() if name != "@octets"}
    else:
        value = call.service.contents.get(item.digest, lambda: read_message(call.store.octets(item.uid)))
        value = dict(value)
    value |= _of_the_store(call, item)
    call.service.seen.put(item.uid, ((item.change, item.folder), value))
    return value


def _of_the_store(call: Call, item: Item) -> Value:
    from postroom_simulator.ews.folders import folder_id

    draft = "draft" in item.flags
    return {
        "ItemId": item_id(item),
        "ParentFolderId": folder_id(call.store.folder_by_uid(item.folder)),
        "ItemClass": item.item_class,
        "DateTimeReceived": item.received,
        "Size": max(item.size, 1),
        "DateTimeCreated": item.created,
        "LastModifiedTime": item.modified,
        "IsRead": item.read,
        "IsDraft": draft,
        "IsSubmitted": "submitted" in item.flags,
        "IsUnmodified": item.properties is None,
        "IsAssociated": "associated" in item.flags,
    }


def item_value(call: Call, item: Item, shape: Shape) -> tuple[str, Value]:
    """Element and value of an item in a shape."""
    kind = kind_of(item.item_class)
    known = properties_of(call, item)
    value: dict[str, Any] = {}
    for name in _wanted(kind, shape):
        if name in known:
            value[name] = known[name]
    if shape.base == "AllProperties":
        for name, otherwise in kind.always:
            value.setdefault(name, otherwise)
    if shape.mime and not shape.light:
        value["MimeContent"] = _mime(call, item)
    return kind.element, value


def _wanted(kind: Kind, shape: Shape) -> list[str]:
    children = type_named(kind.type).children
    if shape.base == "IdOnly":
        names = ["ItemId"]
    elif shape.base == "Default":
        names = [*ITEM_DEFAULT, *kind.default]
    else:
        names = [name for name in children if name not in COMPUTED and name != "MimeContent"]
    if shape.light:
        names = [name for name in names if name not in HEAVY]
    names += [name for name in shape.elements if name in children and name not in names and name != "MimeContent"]
    return [name for name in names if name in children]


def _mime(call: Call, item: Item) -> Value | None:
    if item.properties is None:
        octets = call.store.octets(item.uid)
    else:
        octets = item.properties.get("@octets") or compose(dict(item.properties), bcc=True)
    return {"@CharacterSet": "UTF-8", "": base64.b64encode(octets).decode("ascii")}
