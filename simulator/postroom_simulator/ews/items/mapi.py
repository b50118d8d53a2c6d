"""MAPI properties that mirror first-class ones: both are kept in step (ews reference 7; MS-OXPROPS).

A mirror reads from the item's properties, and writes into them; what has no mirror is kept as it was given. A kind's module may have `MIRRORS` of its
own, which come first.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.codec import moment
from postroom_simulator.ews.entry_ids import item_entry
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Extended
from postroom_simulator.ews.items.extended import path_of_property, text_of, values_of
from postroom_simulator.ews.items.html import text_of as text_of_html
from postroom_simulator.ews.items.mail import topic

if TYPE_CHECKING:
    from postroom_simulator.store.interface import Item

__all__ = ["MIRRORS", "Key", "Mirror", "entry_id", "forget", "message_flags", "mirror_of", "read", "write"]

Value = dict[str, Any]
Key = tuple[str, int | str]
"""("", tag), or (set, name in lower case or id)."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """get: from item and properties, None where there is no value. put: into the properties; None: read-only. A removed property is put as None.
    many: the value is a list."""

    get: Callable[[Item, Value], Any]
    put: Callable[[Value, Any], None] | None = None
    many: bool = False


def read_only(get: Callable[[Item, Value], Any]) -> Mirror:
    return Mirror(get)


def element(name: str, convert: Callable[[str], Any] = str) -> Mirror:
    """The same value as the element's."""

    def put(properties: Value, text: Any) -> None:
        _set(properties, name, None if text is None else convert(text))

    return Mirror(lambda _, properties: properties.get(name), put)


def _set(properties: Value, name: str, value: Any) -> None:
    if value is None:
        properties.pop(name, None)
    else:
        properties[name] = value


def truth(text: str) -> bool:
    return text == "true"


MINUTES_LIMIT = 2_999_999
"""Minutes before its start at which an appointment may be recalled: as the schema's, to the digit."""
_USUAL = 0x5AE980E1
"""In the place of minutes: as usual (MS-OXORMDR 2.2.1.3)."""


def minutes(text: str) -> str:
    """Raises EwsError ErrorInvalidExtendedPropertyValue."""
    if int(text) == _USUAL:
        return "15"
    if not 0 <= int(text) <= MINUTES_LIMIT:
        raise EwsError("ErrorInvalidExtendedPropertyValue")
    return text


def one_of(name: str, numbers: Mapping[int, str], otherwise: int | None = None) -> Mirror:
    """An element with words, as a number."""
    words = {word: number for number, word in numbers.items()}

    def get(_: Item, properties: Value) -> int | None:
        return words.get(properties.get(name, ""), otherwise)

    def put(properties: Value, text: Any) -> None:
        if text is not None and int(text) not in numbers:
            raise EwsError("ErrorInvalidExtendedPropertyValue")
        _set(properties, name, None if text is None else numbers[int(text)])

    return Mirror(get, put)


def _address(element_name: str, part: str) -> Mirror:
    def get(_: Item, properties: Value) -> Any:
        return ((properties.get(element_name) or {}).get("Mailbox") or {}).get(part)

    def put(properties: Value, text: Any) -> None:
        box = dict((properties.get(element_name) or {}).get("Mailbox") or {})
        _set(box, part, text)
        _set(properties, element_name, {"Mailbox": box} if box else None)

    return Mirror(get, put)


# -- flags of the message

_READ, _UNMODIFIED, _SUBMITTED, _UNSENT, _ATTACHED, _FROM_ME, _ASSOCIATED = 1, 2, 4, 8, 0x10, 0x20, 0x40


def message_flags(item: Item, properties: Value) -> int:
    """PidTagMessageFlags (MS-OXCMSG 2.2.1.6)."""
    found = {
        _READ: item.read,
        _UNMODIFIED: properties.get("IsUnmodified"),
        _SUBMITTED: "submitted" in item.flags,
        _UNSENT: "draft" in item.flags,
        _ATTACHED: properties.get("HasAttachments"),
        _FROM_ME: properties.get("IsFromMe"),
        _ASSOCIATED: "associated" in item.flags,
    }
    return sum(bit for bit, there in found.items() if there)


def _put_flags(properties: Value, text: Any) -> None:
    if text is not None:
        bits = int(text)
        properties["IsRead"] = bool(bits & _READ)
        properties["IsDraft"] = bool(bits & _UNSENT)
        if bits & _ASSOCIATED:
            properties["IsAssociated"] = True


def _flag(_: Item, properties: Value) -> int | None:
    status = (properties.get("Flag") or {}).get("FlagStatus")
    return {"Flagged": 2, "Complete": 1}.get(status or "")


def _put_flag(properties: Value, text: Any) -> None:
    status = {2: "Flagged", 1: "Complete"}.get(int(text) if text is not None else 0, "NotFlagged")
    properties["Flag"] = {"FlagStatus": status}


def _put_private(properties: Value, text: Any) -> None:
    private = properties.get("Sensitivity") in ("Private", "Confidential")
    if private != (text == "true"):
        properties["Sensitivity"] = "Normal" if private else "Private"


# -- identity


def entry_id(item: Item) -> bytes:
    """PidTagEntryId. Like the item's id it changes when the item is moved."""
    return item_entry(item.account, item.folder, item.uid)


def record_key(item: Item) -> bytes:
    """PidTagRecordKey: one of its own for each item, kept over moves."""
    return b"PR" + struct.pack(">Q", item.uid)


def _url_name(item: Item, properties: Value) -> str:
    """PidTagUrlCompName: what somebody set, else made of the subject as real servers do."""
    subject = "".join(c for c in properties.get("Subject") or "No Subject" if c not in '/\\:*?"<>|#%')[:60]
    return f"{subject or 'No Subject'}-{item.uid}.EML"


def _headers(_: Item, properties: Value) -> str | None:
    """PidTagTransportMessageHeaders."""
    given = (properties.get("InternetMessageHeaders") or {}).get("InternetMessageHeader") or ()
    return "".join(f"{one['@HeaderName']}: {one['']}\r\n" for one in given) or None


def _body(_: Item, properties: Value) -> str | None:
    body = properties.get("Body")
    if not body:
        return None
    return text_of_html(body[""]) if body["@BodyType"] == "HTML" else body[""]


def _markup(_: Item, properties: Value) -> bytes | None:
    body = properties.get("Body")
    return body[""].encode("utf-8", "replace") if body and body["@BodyType"] == "HTML" else None


def _put_body(properties: Value, text: Any) -> None:
    _set(properties, "Body", None if text is None else {"@BodyType": "Text", "": text})


def _prefix(_: Item, properties: Value) -> str:
    subject = properties.get("Subject") or ""
    return subject[: len(subject) - len(topic(subject) or "")]


def _put_categories(properties: Value, values: Any) -> None:
    _set(properties, "Categories", {"String": list(values)} if values else None)


def _mirrors() -> Iterator[tuple[Key, Mirror]]:
    importance = {0: "Low", 1: "Normal", 2: "High"}
    sensitivity = {0: "Normal", 1: "Personal", 2: "Private", 3: "Confidential"}
    tags: dict[int, Mirror] = {
        0x001A: element("ItemClass"),
        0x0017: one_of("Importance", importance, 1),
        0x0036: one_of("Sensitivity", sensitivity, 0),
        0x0037: element("Subject"),
        0x0E1D: read_only(lambda _, one: topic(one.get("Subject") or "") or ""),
        0x003D: read_only(_prefix),
        0x0070: element("ConversationTopic"),
        0x0029: element("IsReadReceiptRequested", truth),
        0x0023: element("IsDeliveryReceiptRequested", truth),
        0x0039: element("DateTimeSent", moment),
        0x0E06: element("DateTimeReceived", moment),
        0x0E07: Mirror(message_flags, _put_flags),
        0x0E69: element("IsRead", truth),
        0x0E08: read_only(lambda item, one: one.get("Size") or max(item.size, 1)),
        0x0E20: read_only(lambda item, one: one.get("Size") or max(item.size, 1)),
        0x0E23: read_only(lambda item, _: item.arrived),
        0x0E1B: read_only(lambda _, one: bool(one.get("HasAttachments"))),
        0x0E02: read_only(lambda _, one: one.get("DisplayBcc", "")),
        0x0E03: read_only(lambda _, one: one.get("DisplayCc", "")),
        0x0E04: read_only(lambda _, one: one.get("DisplayTo", "")),
        0x0FF9: read_only(lambda item, _: record_key(item)),
        0x0FFF: read_only(lambda item, _: entry_id(item)),
        0x0FF6: read_only(lambda item, _: record_key(item)),
        0x300B: read_only(lambda item, _: b"PS" + struct.pack(">QQ", 0, item.uid)),
        0x3007: element("DateTimeCreated", moment),
        0x3008: read_only(lambda item, _: item.modified),
        0x3FFA: read_only(lambda _, one: one.get("LastModifiedName")),
        0x007D: read_only(_headers),
        0x1000: Mirror(_body, _put_body),
        0x1013: read_only(_markup),
        0x1035: element("InternetMessageId"),
        0x1039: element("References"),
        0x1042: element("InReplyTo"),
        0x1090: Mirror(_flag, _put_flag),
        0x0C1A: _address("Sender", "Name"),
        0x0C1F: _address("Sender", "EmailAddress"),
        0x5D01: _address("Sender", "EmailAddress"),
        0x0C1E: _address("Sender", "RoutingType"),
        0x0042: _address("From", "Name"),
        0x0065: _address("From", "EmailAddress"),
        0x5D02: _address("From", "EmailAddress"),
        0x0064: _address("From", "RoutingType"),
        0x3FDE: read_only(lambda _, __: 65001),
        0x67AA: read_only(lambda item, _: "associated" in item.flags),
    }
    yield from ((("", tag), mirror) for tag, mirror in tags.items())
    yield (
        ("publicstrings", "keywords"),
        Mirror(lambda _, one: (one.get("Categories") or {}).get("String"), _put_categories, many=True),
    )
    yield ("common", 0x8503), element("ReminderIsSet", truth)
    yield ("common", 0x8501), element("ReminderMinutesBeforeStart", minutes)
    yield ("common", 0x8502), element("ReminderDueBy", moment)
    yield ("common", 0x8506), Mirror(lambda _, one: one.get("Sensitivity") in ("Private", "Confidential"), _put_private)


MIRRORS: Mapping[Key, Mirror] = MappingProxyType(dict(_mirrors()))
"""Those that every kind of item has."""

_DEFAULTS: Mapping[Key, Callable[[Item, Value], Any]] = MappingProxyType(
    {
        ("", 0x10F3): _url_name,
        ("", 0x670E): lambda item, one: "/" + _url_name(item, one),
        ("", 0x1080): lambda item, _: 0x103 if "draft" in item.flags else 0x100 if item.read else 0x101,
    }
)
"""What properties have that nobody set, and that are otherwise kept as given."""


def key_of(path: Extended) -> Key:
    if path.tag is not None:
        return "", path.tag
    if path.name is not None:
        return path.set, path.name.lower()
    return path.set, path.number or 0


def mirror_of(path: Extended, own: Mapping[Key, Mirror]) -> Mirror | None:
    """`own`: those of the kind."""
    if path.set == "internetheaders" and path.name:
        return _header_mirror(path.name)
    key = key_of(path)
    return own.get(key) or MIRRORS.get(key)


def _header_mirror(name: str) -> Mirror:
    folded = name.lower()

    def get(_: Item, properties: Value) -> str | None:
        given = (properties.get("InternetMessageHeaders") or {}).get("InternetMessageHeader") or ()
        return next((one[""] for one in given if one["@HeaderName"].lower() == folded), None)

    def put(properties: Value, text: Any) -> None:
        given = (properties.get("InternetMessageHeaders") or {}).get("InternetMessageHeader") or ()
        kept = [one for one in given if one["@HeaderName"].lower() != folded]
        if text is not None:
            kept.append({"@HeaderName": name, "": text})
        _set(properties, "InternetMessageHeaders", {"InternetMessageHeader": kept} if kept else None)

    return Mirror(get, put)


def read(item: Item, properties: Value, path: Extended, own: Mapping[Key, Mirror]) -> Any:
    """The value: of a scalar type a text, number, moment or octets, of an array a list; None where there is none."""
    mirror = mirror_of(path, own)
    if mirror is not None:
        value = mirror.get(item, properties)
        return None if value is None else _as(path.type, value)
    for one in properties.get("ExtendedProperty") or ():
        if path_of_property(one) == path:
            return values_of(one)
    default = _DEFAULTS.get(key_of(path))
    return default(item, properties) if default is not None else None


def _as(kind: str, value: Any) -> Any:
    """A mirrored value in the type that was asked for, where that makes sense."""
    if kind == "Boolean" and isinstance(value, int):
        return bool(value)
    if kind in ("Integer", "Long", "Short") and isinstance(value, bool):
        return int(value)
    if kind.endswith("Array") and not isinstance(value, list):
        return [value]
    if kind == "Binary" and isinstance(value, str):
        return value.encode()
    return value


def write(properties: Value, given: Value, own: Mapping[Key, Mirror]) -> None:
    """Put a normalised property into the item's. Raises EwsError ErrorInvalidPropertySet for one that only the server sets."""
    path = path_of_property(given)
    mirror = mirror_of(path, own)
    if mirror is None:
        properties["ExtendedProperty"] = [*_others(properties, path), given]
        return
    if mirror.put is None:
        raise EwsError("ErrorInvalidPropertySet", values={"PropertyPath": text_of(path.tag or path.name or path.number)})
    value = values_of(given)
    if isinstance(value, list) != mirror.many:
        raise EwsError("ErrorInvalidExtendedPropertyValue")
    try:
        mirror.put(properties, value)
    except (ValueError, TypeError):
        raise EwsError("ErrorInvalidExtendedPropertyValue") from None


def forget(properties: Value, path: Extended, own: Mapping[Key, Mirror]) -> None:
    """Remove a property. Raises EwsError ErrorInvalidPropertyDelete."""
    mirror = mirror_of(path, own)
    if mirror is None:
        properties["ExtendedProperty"] = _others(properties, path)
    elif mirror.put is None:
        raise EwsError("ErrorInvalidPropertyDelete")
    else:
        mirror.put(properties, None)


def _others(properties: Value, path: Extended) -> list[Value]:
    return [one for one in properties.get("ExtendedProperty") or () if path_of_property(one) != path]
