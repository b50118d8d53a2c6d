"""Attachments inside an item's properties: named by numbers, found by ids, listed without their content (ews reference 13; MS-OXWSATT).

An attachment's id names item, folder and a path of numbers, one for each item attachment on the way: at most `LEVELS` of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.calendar.private import check_seen
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import Id, Kind, change_key, mailbox_number, parse_id, write_id
from postroom_simulator.ews.items.compose import inner_octets
from postroom_simulator.ews.items.hooks import Occurrence, occurrence_of
from postroom_simulator.ews.items.kinds import kind_of_element
from postroom_simulator.ews.items.mail import read_message
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = [
    "LEVELS",
    "Found",
    "attachment_id",
    "find_attachment",
    "inner_item",
    "inner_of",
    "listed",
    "new_attachment",
    "shown_of",
]

Value = dict[str, Any]
Attachment = tuple[str, Value]

LEVELS = 5
"""How deep attachments are nested at most (our choice)."""
_BITS = 12
_MOST = 2**_BITS - 1
_DATE_BITS = 2 * _BITS
"""Of the path of what is attached to a date of a series: beside its start there is room for two levels."""
_SINCE_1601 = 11_644_473_600
"""Seconds from 1601 to 1970."""
_ITEMS = (
    "Item",
    "Message",
    "CalendarItem",
    "Contact",
    "MeetingMessage",
    "MeetingRequest",
    "MeetingResponse",
    "MeetingCancellation",
    "Task",
    "PostItem",
)
_SHOWN = ("Name", "ContentType", "ContentId", "ContentLocation", "Size", "IsInline", "LastModifiedTime")
_OF_A_REFERENCE = (
    "AttachLongPathName",
    "ProviderType",
    "ProviderEndpointUrl",
    "AttachmentThumbnailUrl",
    "AttachmentPreviewUrl",
    "PermissionType",
    "OriginalPermissionType",
    "AttachmentIsFolder",
)
"""What a ReferenceAttachment says of the thing elsewhere that it stands for."""


@dataclass(frozen=True, slots=True)
class Found:
    """An attachment of an item of the store: `path` has its number, after those of what it is in."""

    item: Item
    path: tuple[int, ...]
    element: str
    value: Value


def attachment_id(item: Item, path: tuple[int, ...]) -> Value:
    """An AttachmentIdType, with the item's own id and key."""
    part = 0
    for number in path:
        part = part << _BITS | number
    box = mailbox_number(item.account)
    if isinstance(item, Occurrence):
        text = write_id(Id(Kind.DATE_ATTACHMENT, box, item.uid, (item.start + _SINCE_1601) << _DATE_BITS | part))
        root = write_id(Id(Kind.OCCURRENCE, box, item.uid, item.start))
    else:
        text = write_id(Id(Kind.ATTACHMENT, box, item.uid, part))
        root = write_id(Id(Kind.ITEM, box, item.uid))
    return {"@Id": text, "@RootItemId": root, "@RootItemChangeKey": change_key(Kind.ITEM, item.change)}


def find_attachment(call: Call, text: str) -> Found:
    """Raises EwsError: ErrorInvalidAttachmentId, ErrorItemNotFound."""
    from postroom_simulator.errors import StoreError
    from postroom_simulator.ews.items.keeping import own

    try:
        parsed = parse_id(text)
    except EwsError:
        raise EwsError("ErrorInvalidAttachmentId") from None
    if parsed.kind not in (Kind.ATTACHMENT, Kind.DATE_ATTACHMENT):
        raise EwsError("ErrorInvalidAttachmentId")
    part = parsed.part
    try:
        item = call.store.item(parsed.uid)
        if parsed.kind is Kind.DATE_ATTACHMENT:
            start, part = (parsed.part >> _DATE_BITS) - _SINCE_1601, parsed.part & 2**_DATE_BITS - 1
            date = write_id(Id(Kind.OCCURRENCE, parsed.mailbox, parsed.uid, start))
            item = occurrence_of(call, "ItemId", {"@Id": date})
        call.service.check_access(call, call.store.folder_by_uid(item.folder))
        owner = own(call.store, item)
        check_seen(call, item, item.properties)
    except StoreError:
        raise EwsError("ErrorItemNotFound") from None
    path: list[int] = []
    while part > 0:
        path.insert(0, part & _MOST)
        part >>= _BITS
    if not path:
        raise EwsError("ErrorInvalidAttachmentId")
    for depth, number in enumerate(path):
        found = next((pair for pair in owner.get("Attachments") or () if pair[1].get("@Number") == number), None)
        if found is None:
            raise EwsError("ErrorItemNotFound")
        if depth + 1 == len(path):
            return Found(item, tuple(path), *found)
        owner = inner_of(found[1])[1]
    raise EwsError("ErrorItemNotFound")


def listed(item: Item, value: Value, version: Version, path: tuple[int, ...] = ()) -> list[Attachment] | None:
    """Attachments as GetItem lists them, without content; those by reference to whom that is told of them."""
    rows = [
        (element, _listed(item, element, one, path))
        for element, one in value.get("Attachments") or ()
        if element != "ReferenceAttachment" or version >= Version.EXCHANGE_2016
    ]
    return rows or None


def _listed(item: Item, element: str, one: Value, path: tuple[int, ...]) -> Value:
    return shown_of(item, element, one, (*path, one.get("@Number", 1)))


def shown_of(item: Item, element: str, one: Value, path: tuple[int, ...]) -> Value:
    """An attachment without its content; `path`: with its own number."""
    names = (*_SHOWN, *_OF_A_REFERENCE) if element == "ReferenceAttachment" else _SHOWN
    shown: Value = {name: one[name] for name in names if one.get(name) is not None}
    shown["AttachmentId"] = {"@Id": attachment_id(item, path)["@Id"]}
    shown.setdefault("LastModifiedTime", item.modified)
    shown.setdefault("IsInline", False)
    if element == "FileAttachment":
        shown["IsContactPhoto"] = bool(one.get("IsContactPhoto"))
    return shown


def inner_of(value: Value) -> tuple[str, Value]:
    """Element and properties of an attached item, with its own attachments numbered."""
    from postroom_simulator.ews.items.keeping import numbered

    for element in _ITEMS:
        if isinstance(value.get(element), dict):
            return element, numbered(dict(value[element]))
    octets = inner_octets(value)
    return "Message", numbered(read_message(octets) | {"@Mime": octets})


def inner_item(found: Found, properties: Value, item_class: str) -> Item:
    """An attached item as if it were in the store, for what shows items: without uid."""
    outer = found.item
    size = found.value.get("Size") or 1
    return Item(
        0,
        outer.account,
        outer.folder,
        outer.change,
        item_class,
        outer.created,
        outer.modified,
        outer.received,
        True,
        size,
        0,
        properties=properties,
    )


def new_attachment(call: Call, element: str, given: Value, level: int = 1) -> Attachment:
    """An attachment of a request, checked, as it is kept; `level`: 1 for one of an item of the store. Raises EwsError."""
    if level > LEVELS:
        raise EwsError("ErrorAttachmentNestLevelLimitExceeded", f"Attachments are nested at most {LEVELS} deep.")
    value = {name: one for name, one in given.items() if name not in ("AttachmentId", "Size", "LastModifiedTime")}
    value["LastModifiedTime"] = call.now()
    if element == "FileAttachment":
        value["Content"] = value.get("Content") or b""
        value["Size"] = len(value["Content"])
        value.setdefault("Name", "attachment")
        value.setdefault("ContentType", _type_of(value["Name"]))
        if value.get("IsContactPhoto"):
            value.setdefault("ContentType", "image/jpeg")
    elif element == "ItemAttachment":
        value = _with_item(call, value, level)
    else:
        if not value.get("AttachLongPathName"):
            raise EwsError(
                "ErrorRequiredPropertyMissing", "An attachment by reference says where the thing is: AttachLongPathName."
            )
        value.setdefault("Name", value["AttachLongPathName"].rstrip("/").rpartition("/")[2] or "attachment")
        value["Size"] = 0
    return element, value


def _type_of(name: str) -> str:
    import mimetypes

    return mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"


def _with_item(call: Call, value: Value, level: int) -> Value:
    from postroom_simulator.ews.items.keeping import states
    from postroom_simulator.ews.items.writing import new_properties

    element = next((name for name in _ITEMS if name in value), None)
    if element is None:
        raise EwsError("ErrorMissingItemForCreateItemAttachment")
    if element.startswith("Meeting"):
        raise EwsError("ErrorInvalidItemForOperationCreateItemAttachment")
    made = new_properties(call, element, value.pop(element), level=level + 1, attached=True)
    kept, state = states(made.properties)
    if made.octets is not None:
        kept["@Mime"] = made.octets
        kept = read_message(made.octets) | kept
    item_class = state.get("ItemClass") or made.kind.item_class
    inner = kept | {name: one for name, one in state.items() if name != "IsDraft"} | {"ItemClass": item_class}
    shown = made.kind.element
    if shown not in _ITEMS or kind_of_element(shown).element != shown:
        shown = "Item"
    value[shown] = inner
    value.setdefault("Name", inner.get("Subject") or "Untitled")
    value.setdefault("ContentType", "message/rfc822")
    value["Size"] = len(inner_octets(value | {"@Mime": kept["@Mime"]} if "@Mime" in kept else value))
    return value
