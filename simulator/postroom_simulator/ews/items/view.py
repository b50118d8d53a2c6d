"""An item as an answer shows it: the properties it has, the shape asked for, the ids of the moment."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.directory import Account
from postroom_simulator.ews.calendar.private import may_view_private, seen_by_caller
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Indexed
from postroom_simulator.ews.ids import Id, change_key, mailbox_number, write_id
from postroom_simulator.ews.ids import Kind as IdKind
from postroom_simulator.ews.items import mapi
from postroom_simulator.ews.items.attaching import listed
from postroom_simulator.ews.items.bodies import body_in, normalized_body, preview_of, text_body, unique_body
from postroom_simulator.ews.items.entities import entities
from postroom_simulator.ews.items.extended import path_of_property, property_value
from postroom_simulator.ews.items.hooks import Occurrence, hooks_of
from postroom_simulator.ews.items.html import has_external_images, image_urls
from postroom_simulator.ews.items.keeping import octets_of, own
from postroom_simulator.ews.items.kinds import ITEM_DEFAULT, Kind, kind_of
from postroom_simulator.ews.items.threads import conversation_id
from postroom_simulator.ews.schema import type_named
from postroom_simulator.ews.shapes import Shape
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Item

__all__ = ["item_id", "item_value", "properties_of"]

HEAVY = frozenset(
    {"MimeContent", "Body", "Attachments", "ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo", "InternetMessageHeaders", "ResponseObjects", "TextBody",
     "NormalizedBody", "UniqueBody", "EntityExtractionResult"}
)  # fmt: skip
"""What FindItem never gives (ews reference 9)."""
BY_NAME = frozenset(
    {
        "MimeContent",
        "ExtendedProperty",
        "StoreEntryId",
        "SearchKey",
        "SortKey",
        "UniqueBody",
        "NormalizedBody",
        "TextBody",
        "Preview",
        "EntityExtractionResult",
    }
)
"""What only those get who ask for it by name (our choice, after what real servers do)."""
FIRST_READ = 64 * 1024
"""Octets up to which a message that was read is remembered with its bodies."""
LIGHT_TEXT = 255
"""Characters of a text in FindItem (ews reference 9)."""


def item_id(item: Item) -> Value:
    """An ItemIdType."""
    if isinstance(item, Occurrence):
        one = Id(IdKind.OCCURRENCE, mailbox_number(item.account), item.uid, item.start)
    else:
        one = Id(IdKind.ITEM, mailbox_number(item.account), item.uid)
    return {"@Id": write_id(one), "@ChangeKey": change_key(IdKind.ITEM, item.change)}


def properties_of(call: Call, item: Item) -> Value:
    """Everything about an item, by element, whichever its authority is, but for what `LATE` makes. What nobody set is absent; hidden keys begin with "@".
    Not to be changed by the caller."""
    return _whole(call, item, _light(call, item))


def _light(call: Call, item: Item) -> Value:
    """As who asks may see it."""
    return seen_by_caller(call, item, _remembered(call, item))


def _remembered(call: Call, item: Item) -> Value:
    """The same, without the body of a large message: that is read again when it is wanted, and not remembered."""
    key = (item.uid, getattr(item, "start", None))
    state = (item.change, item.folder, item.account)
    known = call.service.seen.get(key)
    if known is not None and known[0] == state:
        seen: Value = known[1]
        return seen
    value = _own(call, item)
    value |= _of_the_store(call, item, value)
    value = hooks_of(kind_of(item.item_class).element).derive(call, item, value)
    if item.size > FIRST_READ and item.properties is None and "Body" in value:
        value["@Preview"] = preview_of(value.pop("Body"))
    call.service.seen.put(key, (state, value))
    return value


def _whole(call: Call, item: Item, known: Value) -> Value:
    return known | {"Body": own(call.store, item).get("Body")} if "@Preview" in known else known


def _own(call: Call, item: Item) -> Value:
    """Without the octets of attachments, so that it may be remembered."""
    if item.properties is not None:
        return dict(item.properties)
    value = own(call.store, item)
    if "Attachments" in value:
        value["Attachments"] = [
            (element, {name: one for name, one in attachment.items() if name not in ("Content", "@Mime")})
            for element, attachment in value["Attachments"]
        ]
    return value


def _of_the_store(call: Call, item: Item, value: Value) -> Value:
    from postroom_simulator.ews.folders import folder_id

    draft = "draft" in item.flags
    owner = call.world.directory.get(item.account)
    name = owner.name or owner.address if isinstance(owner, Account) else item.account
    sender = ((value.get("From") or {}).get("Mailbox") or {}).get("EmailAddress") or ""
    found: Value = {
        "ItemId": item_id(item),
        "ParentFolderId": folder_id(call.store.folder_by_uid(item.folder)),
        "ItemClass": item.item_class,
        "DateTimeReceived": item.received,
        "DateTimeSent": value.get("DateTimeSent") or item.created,
        "Size": max(item.size, 1),
        "DateTimeCreated": item.created,
        "LastModifiedTime": item.modified,
        "LastModifiedName": value.get("LastModifiedName") or name,
        "IsRead": item.read,
        "IsDraft": draft,
        "IsSubmitted": "submitted" in item.flags,
        "IsFromMe": isinstance(owner, Account) and call.world.directory.get(sender) is owner if sender else False,
        "IsUnmodified": not draft and "modified" not in item.flags,
        "IsAssociated": "associated" in item.flags,
        "HasAttachments": any(not one.get("IsInline") for _, one in value.get("Attachments") or ()),
        "ConversationId": conversation_id(item, value),
        "InstanceKey": struct.pack(">QQ", item.folder, item.uid),
        "StoreEntryId": mapi.entry_id(item),
        "SearchKey": b"PS" + struct.pack(">QQ", 0, item.uid),
        "Culture": value.get("Culture") or "en-US",
    }
    for shown, element in (("DisplayTo", "ToRecipients"), ("DisplayCc", "CcRecipients"), ("DisplayBcc", "BccRecipients")):
        boxes = (value.get(element) or {}).get("Mailbox") or ()
        if boxes:
            found[shown] = "; ".join(box.get("Name") or box.get("EmailAddress") or "" for box in boxes)
    return found


# -- what is made when it is asked for

Late = Callable[[Call, Item, Value, Shape], Any]


def _icon(_: Call, item: Item, value: Value, __: Shape) -> str:
    kind = kind_of(item.item_class).element
    if kind == "PostItem":
        return "PostItem"
    if kind != "Message":
        return "Default"
    verb = _VERBS.get(_last_verb(value), "")
    if "draft" in item.flags or "submitted" in item.flags:
        return "MailUnread" if not item.read else "MailRead"
    return verb or ("MailRead" if item.read else "MailUnread")


_VERBS = {"102": "MailReplied", "103": "MailReplied", "104": "MailForwarded"}


def _last_verb(value: Value) -> str:
    for one in value.get("ExtendedProperty") or ():
        if path_of_property(one).tag == 0x1081:
            return str(one.get("Value"))
    return ""


def _rights(call: Call, item: Item, value: Value, _: Shape) -> Value:
    folder = call.store.folder_by_uid(item.folder)
    names = dict.fromkeys(("CreateAssociated", "CreateContents", "CreateHierarchy"), False)
    for name, right in (("Delete", "delete"), ("Modify", "edit"), ("Read", "read")):
        try:
            call.service.check_access(call, folder, right, owned=is_own(call, item, value))
            names[name] = True
        except EwsError:
            names[name] = False
    owner = call.world.directory.get(item.account)
    private = may_view_private(owner if isinstance(owner, Account) else None, call.account)
    return names | {"ViewPrivateItems": names["Read"] and private}


def is_own(call: Call, item: Item, value: Mapping[str, Any]) -> bool:
    """Whether the caller made the item."""
    from postroom_simulator.directory import canonical

    maker: str = value.get("@By", item.account)
    return maker == canonical(call.account.address)


def _url(item: Item, mode: str) -> str:
    from urllib.parse import quote

    return f"?ae=Item&a={mode}&t={quote(item.item_class)}&id={quote(item_id(item)['@Id'])}"


def _parent(call: Call, item: Item, _: Value, __: Shape) -> Value:
    """With the folder's key of the moment."""
    from postroom_simulator.ews.folders import folder_id

    return folder_id(call.store.folder_by_uid(item.folder))


def _blocks(value: Value, shape: Shape) -> bool:
    """Whether the answer leaves out pictures from elsewhere (BlockExternalImages)."""
    body = value.get("Body") or {"@BodyType": "Text"}
    return shape.block_images and body["@BodyType"] == "HTML" and has_external_images(body[""])


def _with_images(item: Item, value: Value, shape: Shape) -> Value | None:
    """The body, its inline pictures at the URL that the request wants them at."""
    body: Value | None = value.get("Body")
    if body is None or not shape.image_template or body["@BodyType"] != "HTML" or item.uid == 0:
        return body
    ids = {
        (one.get("ContentId") or "").strip("<>").lower(): shown["AttachmentId"]["@Id"]
        for (_, one), (_, shown) in zip(value.get("Attachments") or (), listed(item, value, max(Version)) or (), strict=True)
        if one.get("ContentId")
    }
    return body | {"": image_urls(body[""], ids, shape.image_template)}


def _responses(call: Call, item: Item, value: Value, _: Shape) -> Any:
    return hooks_of(kind_of(item.item_class).element).respond(call, item, value) or None


LATE: Mapping[str, Late] = MappingProxyType(
    {
        "Body": lambda _, item, value, shape: body_in(_with_images(item, value, shape), shape),
        "TextBody": lambda _, __, value, ___: text_body(value.get("Body")),
        "UniqueBody": lambda _, __, value, shape: unique_body(value.get("Body"), shape),
        "NormalizedBody": lambda _, __, value, shape: normalized_body(value.get("Body"), shape),
        "Preview": lambda _, __, value, ___: value["@Preview"] if "@Preview" in value else preview_of(value.get("Body")),
        "ParentFolderId": _parent,
        "Attachments": lambda call, item, value, _: listed(item, value, call.version),
        "IconIndex": _icon,
        "EffectiveRights": _rights,
        "ResponseObjects": _responses,
        "WebClientReadFormQueryString": lambda _, item, __, ___: _url(item, "Open"),
        "WebClientEditFormQueryString": lambda _, item, __, ___: _url(item, "Open") if "draft" in item.flags else None,
        "HasBlockedImages": lambda _, __, value, shape: _blocks(value, shape),
        "BlockStatus": lambda _, __, value, shape: _blocks(value, shape),
        "EntityExtractionResult": lambda _, __, value, ___: entities(value),
        "Flag": lambda _, __, value, ___: value.get("Flag") or {"FlagStatus": "NotFlagged"},
    }
)
"""Elements that are made for one answer."""
_BODIES = frozenset({"Body", "TextBody", "UniqueBody", "NormalizedBody", "EntityExtractionResult"})


def item_value(call: Call, item: Item, shape: Shape) -> tuple[str, Value]:
    """Element and value of an item in a shape."""
    kind = kind_of(item.item_class)
    known = _light(call, item)
    if not _BODIES.isdisjoint(_wanted(call, kind, shape)) or shape.extended or shape.block_images:
        known = _whole(call, item, known)
    return kind.element, shaped(call, item, kind, known, shape)


def shaped(call: Call, item: Item, kind: Kind, known: Value, shape: Shape) -> Value:
    """The value of an item with these properties, whether it is in the store or attached to another."""
    always = dict(kind.always)
    late = hooks_of(kind.element).late
    value: dict[str, Any] = {}
    for name in _wanted(call, kind, shape):
        made = late.get(name) or LATE.get(name)
        found = made(call, item, known, shape) if made is not None else known.get(name, always.get(name))
        if found is not None:
            value[name] = found
    if shape.light:
        value = {name: one[:LIGHT_TEXT] if isinstance(one, str) and name != "Preview" else one for name, one in value.items()}
    own_mirrors = hooks_of(kind.element).mirrors
    for path in shape.extended:
        given = mapi.read(item, known, path, own_mirrors)
        if given is not None:
            value.setdefault("ExtendedProperty", []).append(property_value(path, given))
    for indexed in shape.indexed:
        _show_indexed(value, known, indexed, kind)
    if shape.mime and not shape.light:
        mime = _mime(call, item, known)
        if mime is not None:
            value["MimeContent"] = mime
    return value


def _wanted(call: Call, kind: Kind, shape: Shape) -> list[str]:
    children = type_named(kind.type).children
    if shape.base == "IdOnly":
        names = ["ItemId"]
    elif shape.base == "Default":
        names = [*ITEM_DEFAULT, *kind.default]
    else:
        names = [name for name in children if name not in BY_NAME]
    names += [name for name in shape.elements if name not in ("MimeContent", "ExtendedProperty")]
    if shape.light:
        names = [name for name in names if name not in HEAVY]
    version: Version = call.version
    return [name for name in dict.fromkeys(names) if name in children and children[name].since <= version]


def _entry(known: Value, path: Indexed) -> tuple[str, Value | None, str]:
    """Element of the collection, the entry that the path names, and the part of it."""
    if path.uri == "item:InternetMessageHeader":
        rows = (known.get("InternetMessageHeaders") or {}).get("InternetMessageHeader") or ()
        folded = path.index.lower()
        return "InternetMessageHeaders", next((one for one in rows if one["@HeaderName"].lower() == folded), None), ""
    element, part = path.collection
    rows = (known.get(element) or {}).get("Entry") or ()
    return element, next((one for one in rows if one["@Key"] == path.index), None), part


def _show_indexed(value: Value, known: Value, path: Indexed, kind: Kind) -> None:
    element, entry, part = _entry(known, path)
    if entry is None or element not in type_named(kind.type).children:
        return
    rows = "InternetMessageHeader" if element == "InternetMessageHeaders" else "Entry"
    present = value.get(element)
    if part:
        if part not in entry:
            return
        entry = {"@Key": entry["@Key"], part: entry[part]}
    shown = list((present or {}).get(rows) or ())
    same = next(
        (one for one in shown if one.get("@Key", one.get("@HeaderName")) == entry.get("@Key", entry.get("@HeaderName"))), None
    )
    if same is not None:
        shown[shown.index(same)] = same | entry
    else:
        shown.append(entry)
    value[element] = {rows: shown}


def _mime(call: Call, item: Item, known: Value) -> Value | None:
    if item.uid == 0:  # attached to another
        from postroom_simulator.ews.items.compose import inner_octets

        octets = inner_octets({"@Mime": known["@Mime"]} if "@Mime" in known else {"Message": known})
    else:
        try:
            octets = octets_of(call, item)
        except EwsError as none:
            if none.code == "ErrorUnsupportedMimeConversion" and call.version >= Version.EXCHANGE_2010:
                return None
            raise
    return {"@CharacterSet": "UTF-8", "": base64.b64encode(octets).decode("ascii")}
