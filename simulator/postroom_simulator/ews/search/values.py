"""What a path says of an item or folder, as values that compare: instants, numbers, truths, texts (ews reference 9)."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.call import Call
from postroom_simulator.ews.codec import moment
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import PREFIXES, Extended, Field, Indexed, Path
from postroom_simulator.ews.folder_properties import folder_extended
from postroom_simulator.ews.folders import folder_id, folder_property
from postroom_simulator.ews.items import hooks
from postroom_simulator.ews.items.kinds import Kind, kind_of
from postroom_simulator.ews.items.view import item_id, properties_of
from postroom_simulator.ews.schema import Child, type_named
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item

__all__ = ["Getter", "Source", "comparable", "getter", "kind_of_value", "parse_constant", "sortable"]

Source = Item | Folder | dict[str, Any]
"""What is searched: items, folders, and conversations, which are values of ConversationType."""
Getter = Callable[[Source], Any]
"""A value that compares, a list of such (any of them counts), or None where there is none."""

UNSEARCHABLE = frozenset(
    {"MimeContent", "ResponseObjects", "EffectiveRights", "UniqueBody", "NormalizedBody", "InternetMessageHeaders", "PermissionSet",
     "SharingEffectiveRights", "ManagedFolderInformation", "SearchParameters", "EntityExtractionResult", "WebClientReadFormQueryString",
     "WebClientEditFormQueryString", "Recurrence", "FirstOccurrence", "LastOccurrence", "ModifiedOccurrences", "DeletedOccurrences",
     "MeetingTimeZone", "ConflictingMeetings", "AdjacentMeetings", "ConflictingMeetingCount", "AdjacentMeetingCount", "CompleteName", "TextBody",
     "Photo", "MSExchangeCertificate", "UserSMIMECertificate", "OnlineMeetingSettings", "RightsManagementLicenseData", "ReplicaList",
     "Duration", "StartTimeZone", "EndTimeZone", "VotingInformation", "ApprovalRequestData", "ReminderMessageData", "Members"}
)  # fmt: skip
"""First-class properties that are no part of a search (our choice of the ones that real servers compute or keep as a whole)."""
_PEOPLE = frozenset(
    {"ArrayOfRecipientsType", "SingleRecipientType", "NonEmptyArrayOfAttendeesType", "EmailAddressType", "AttendeeType"}
)
_TEXTS = frozenset({"ArrayOfStringsType"})
_UNSORTABLE = frozenset({"Body", "Attachments", "Categories"})


@functools.cache
def child_of(path: Field) -> Child | None:
    """How the schema writes the property; None: it is said elsewhere."""
    for one in PREFIXES.get(path.prefix, ()):
        found = type_named(one).children.get(path.element)
        if found is not None:
            return found
    return None


def kind_of_value(path: Path) -> str:
    """boolean, number, moment, date, text, people, octets, id, or the name of an enumeration. Raises EwsError ErrorUnsupportedPathForQuery for
    what cannot be searched."""
    if isinstance(path, Extended):
        return _KINDS.get(path.type.removesuffix("Array"), "text")
    if isinstance(path, Indexed):
        if path.uri == "item:InternetMessageHeader" or path.uri.startswith("contacts:"):
            return "text"
        raise EwsError("ErrorUnsupportedPathForQuery")
    child = child_of(path)
    if child is None or path.element in UNSEARCHABLE:
        raise EwsError("ErrorUnsupportedPathForQuery", f"{path.uri} cannot be searched.")
    return _kind_of_type(child.type)


_KINDS = MappingProxyType(
    {
        "ApplicationTime": "number",
        "Binary": "octets",
        "Boolean": "boolean",
        "Currency": "number",
        "Double": "number",
        "Float": "number",
        "Integer": "number",
        "Long": "number",
        "Short": "number",
        "SystemTime": "moment",
    }
)
_SIMPLE = MappingProxyType(
    {
        "boolean": "boolean",
        "int": "number",
        "long": "number",
        "double": "number",
        "dateTime": "moment",
        "date": "moment",
        "base64Binary": "octets",
        "string": "text",
    }
)


def _kind_of_type(name: str) -> str:
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name in ("duration", "time", "any"):
        return "text"
    spec = type_named(name)
    if spec.values:
        return name
    if name in _PEOPLE:
        return "people"
    if name in ("ItemIdType", "FolderIdType"):
        return "id"
    if name in _TEXTS or spec.text or name in ("FlagType", "NonEmptyArrayOfAttachmentsType", "ArrayOfAttachmentsType"):
        return "text"
    raise EwsError("ErrorUnsupportedPathForQuery")


def sortable(path: Path) -> None:
    """Raises EwsError ErrorUnsupportedPathForSortGroup for what cannot be sorted or grouped by."""
    try:
        kind = kind_of_value(path)
    except EwsError:
        raise EwsError("ErrorUnsupportedPathForSortGroup") from None
    if isinstance(path, Field) and path.element in _UNSORTABLE:
        raise EwsError("ErrorUnsupportedPathForSortGroup", f"{path.uri} cannot be sorted by.")
    if isinstance(path, Extended) and path.type.endswith("Array"):
        raise EwsError("ErrorUnsupportedPathForSortGroup")
    child = child_of(path) if isinstance(path, Field) else None
    if kind == "people" and child is not None and child.type != "SingleRecipientType":
        raise EwsError("ErrorUnsupportedPathForSortGroup")


# -- getting


_QUICK: Mapping[str, Callable[[Item], Any]] = MappingProxyType(
    {
        "item:ItemClass": lambda item: item.item_class,
        "item:DateTimeReceived": lambda item: item.received,
        "item:DateTimeCreated": lambda item: item.created,
        "item:LastModifiedTime": lambda item: item.modified,
        "item:Size": lambda item: max(item.size, 1),
        "item:IsDraft": lambda item: "draft" in item.flags,
        "item:IsAssociated": lambda item: ASSOCIATED in item.flags,
        "item:ItemId": lambda item: item_id(item)["@Id"],
        "message:IsRead": lambda item: item.read,
    }
)
"""What the store says without a look into the item."""


def getter(call: Call, path: Path) -> Getter:
    """Raises EwsError ErrorUnsupportedPathForQuery."""
    kind = kind_of_value(path)

    def get(source: Source) -> Any:
        if isinstance(source, Folder):
            return comparable(kind, _folder_value(call, source, path))
        return comparable(kind, _item_value(call, source, path) if isinstance(source, Item) else _of_conversation(source, path))

    return get


def _of_conversation(value: dict[str, Any], path: Path) -> Any:
    return value.get(path.element) if isinstance(path, Field) and path.prefix == "conversation" else None


def _folder_value(call: Call, folder: Folder, path: Path) -> Any:
    if isinstance(path, Extended):
        return folder_extended(call, folder, path)
    return folder_property(call, folder, path.element) if isinstance(path, Field) and path.prefix == "folder" else None


def _item_value(call: Call, item: Item, path: Path) -> Any:
    if isinstance(path, Field):
        quick = _QUICK.get(path.uri)
        if quick is not None:
            return quick(item)
        if path.uri == "item:ParentFolderId":
            return folder_id(call.store.folder_by_uid(item.folder))
        return _first_class(call, item, path)
    if isinstance(path, Extended):
        return extended_of(call, item, path)
    return _indexed(properties_of(call, item), path)


def _first_class(call: Call, item: Item, path: Field) -> Any:
    kind = kind_of(item.item_class)
    if not path.of_items or path.element not in type_named(kind.type).children:
        return None
    known = properties_of(call, item)
    if path.element == "Attachments":
        return [one.get("Name", "") for _, one in known.get("Attachments") or ()]
    found = known.get(path.element)
    return found if found is not None else dict(kind.always).get(path.element)


def extended_of(call: Call, item: Item, path: Extended) -> Any:
    """The value of a MAPI property of an item, None where it has none."""
    from postroom_simulator.ews.items import mapi

    quick = _QUICK_TAGS.get(path.tag) if path.tag is not None else None
    if quick is not None:
        return quick(item)
    return mapi.read(item, properties_of(call, item), path, _mirrors(kind_of(item.item_class)))


_QUICK_TAGS: Mapping[int | None, Callable[[Item], Any]] = MappingProxyType(
    {
        0x001A: lambda item: item.item_class,
        0x0E06: lambda item: item.received,
        0x0E08: lambda item: max(item.size, 1),
        0x0E23: lambda item: item.arrived,
        0x3007: lambda item: item.created,
        0x3008: lambda item: item.modified,
    }
)


def _mirrors(kind: Kind) -> Mapping[Any, Any]:
    found: Mapping[Any, Any] = getattr(hooks.hooks_of(kind.element), "mirrors", None) or {}
    return found


def _indexed(known: Mapping[str, Any], path: Indexed) -> Any:
    if path.uri == "item:InternetMessageHeader":
        given = (known.get("InternetMessageHeaders") or {}).get("InternetMessageHeader") or ()
        return [one[""] for one in given if one["@HeaderName"].lower() == path.index.lower()] or None
    collection, part = path.collection
    for entry in (known.get(collection) or {}).get("Entry", ()):
        if entry["@Key"] == path.index:
            return entry.get(part)
    return None


# -- comparing


def comparable(kind: str, value: Any) -> Any:
    """The form in which values of a kind compare; texts without regard to case, as the store of real servers compares them."""
    if value is None:
        return None
    if isinstance(value, list):
        found = [comparable(kind, one) for one in value]
        return [one for one in found if one is not None] or None
    if isinstance(value, dict):
        return _of_dict(kind, value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() in ("true", "1")
    if kind == "number":
        return value if isinstance(value, int | float) else _number(str(value))
    if kind == "moment":
        return _instant(value)
    if kind == "octets":
        return value if isinstance(value, bytes) else _octets(str(value))
    if kind in ("text", "people", "id"):
        return str(value)
    places = list(type_named(kind).values)
    return places.index(value) if value in places else None


def _of_dict(kind: str, value: Mapping[str, Any]) -> Any:
    if kind == "id":
        return value.get("@Id")
    if kind == "people":
        boxes = value.get("Mailbox", value.get("Attendee", value))
        found: list[str] = []
        for box in boxes if isinstance(boxes, list) else [boxes]:
            box = box.get("Mailbox", box) if isinstance(box, dict) else {}
            found += [text for text in (box.get("Name"), box.get("EmailAddress")) if text]
        return found or None
    for name in ("String", "FlagStatus", ""):
        if name in value:
            return value[name] or None
    return None


def _number(text: str) -> float | int | None:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None


def _instant(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        found = moment(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _octets(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        return None


def parse_constant(kind: str, text: str) -> Any:
    """The constant of a restriction, in the kind of what it is compared with. Raises EwsError ErrorUnsupportedTypeForConversion."""
    value = comparable(kind, text if kind in ("text", "people", "id") else text.strip())
    if kind == "boolean" and text.strip().lower() not in ("true", "false", "1", "0"):
        value = None
    if value is None:
        raise EwsError("ErrorUnsupportedTypeForConversion", f"'{text[:60]}' is no value of this property.")
    return value
