"""Changes of items: which version they are made to, and what each does to the properties (ews reference 8).

A delivered message keeps its octets while only what no message has in its octets is changed (categories, flags, reminders, extended properties ...):
they lie beside it under `OCTETS`. A change of anything else drops them.
"""

from __future__ import annotations

from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Extended, Field, Indexed, Path, path_of, path_value
from postroom_simulator.ews.ids import parse_change_key
from postroom_simulator.ews.items.kinds import Kind, kind_of
from postroom_simulator.ews.items.mail import attachments_of, read_message
from postroom_simulator.ews.items.writing import READ_ONLY
from postroom_simulator.ews.schema import type_named
from postroom_simulator.store.interface import Item

__all__ = ["OCTETS", "apply_updates", "check_key", "own_properties"]

OCTETS = "@octets"
"""Where the properties keep a delivered message's octets; never an element."""

_BESIDE = frozenset(
    {"Categories", "Flag", "IsRead", "ReminderIsSet", "ReminderMinutesBeforeStart", "ReminderDueBy", "ReminderNextTime", "ExtendedProperty",
     "ItemClass", "Importance", "Sensitivity", "IsResponseRequested", "Culture", "RetentionDate", "PolicyTag", "ArchiveTag", "IconIndex"}
)  # fmt: skip
"""Properties that lie beside a message's octets (our choice)."""
_OF_THE_TRANSPORT = frozenset(
    {"ToRecipients", "CcRecipients", "BccRecipients", "From", "Sender", "ReplyTo", "IsReadReceiptRequested", "IsDeliveryReceiptRequested",
     "InternetMessageId", "References", "ConversationIndex", "ConversationTopic", "InternetMessageHeaders"}
)  # fmt: skip
"""What a message that is no draft any more does not have changed."""
_REQUIRED = frozenset({"ItemClass", "Sensitivity", "Importance", "IsRead"})


def check_key(item: Item, value: Value, *, missing: str = "", stale: str = "ErrorIrresolvableConflict") -> bool:
    """Whether the request knows the present version. Raises EwsError `missing` for no key, `stale` for an old one ("": only say so)."""
    text = value.get("@ChangeKey", "")
    if not text:
        if missing:
            raise EwsError(missing)
        return False
    current = parse_change_key(text) == item.change
    if not current and stale:
        raise EwsError(stale)
    return current


def own_properties(call: Call, item: Item) -> Value:
    """What the item itself says, to be changed: a copy. Of octets: what they say, with the octets beside."""
    if item.properties is not None:
        return dict(item.properties)
    octets = call.store.octets(item.uid)
    return read_message(octets) | {"Attachments": attachments_of(octets), OCTETS: octets}


def apply_updates(item: Item, properties: Value, updates: list[tuple[str, Value]]) -> tuple[Value, bool | None]:
    """The new properties, and the read state where it was set. Raises EwsError."""
    kind = kind_of(item.item_class)
    changed, read = dict(properties), None
    for action, update in updates:
        path = _path(update)
        if isinstance(path, Field) and path.element == "IsRead" and action == "SetItemField":
            read = bool(_given(update, "IsRead", path))
            continue
        _check(item, kind, path, action)
        if action == "DeleteItemField":
            _remove(changed, path)
        else:
            _set(changed, path, update, append=action == "AppendToItemField")
        if OCTETS in changed and not (isinstance(path, Extended) or (isinstance(path, Field) and path.element in _BESIDE)):
            del changed[OCTETS]
    return changed, read


def _path(update: Value) -> Path:
    for name in ("FieldURI", "IndexedFieldURI", "ExtendedFieldURI"):
        if name in update:
            return path_of(name, update[name])
    raise EwsError("ErrorIncorrectUpdatePropertyCount")


def _check(item: Item, kind: Kind, path: Path, action: str) -> None:
    if isinstance(path, Extended | Indexed):
        return
    known = type_named(kind.type).children
    if path.element not in known:
        raise EwsError("ErrorInvalidPropertySet", f"{path.uri} is no property of {kind.element}.")
    sent = kind.element == "Message" and "draft" not in item.flags
    if path.element in READ_ONLY or (sent and path.element in _OF_THE_TRANSPORT):
        raise EwsError("ErrorInvalidPropertyDelete" if action == "DeleteItemField" else "ErrorInvalidPropertySet")
    if action == "DeleteItemField" and path.element in _REQUIRED:
        raise EwsError("ErrorInvalidPropertyDelete")
    if action == "AppendToItemField" and path.element not in (
        "Body",
        "ToRecipients",
        "CcRecipients",
        "BccRecipients",
        "ReplyTo",
        "RequiredAttendees",
        "OptionalAttendees",
        "Resources",
    ):
        raise EwsError("ErrorInvalidPropertyAppend")


def _given(update: Value, element: str, path: Path) -> Any:
    """The one property inside the item element of an update. Raises EwsError."""
    holders = [value for name, value in update.items() if name not in ("FieldURI", "IndexedFieldURI", "ExtendedFieldURI")]
    names = [name for holder in holders for name, value in holder.items() if name[0] != "@" and value != []]
    if len(names) > 1 or not holders:
        raise EwsError("ErrorIncorrectUpdatePropertyCount")
    if not names:  # an empty collection clears
        return None
    if names[0] != element:
        raise EwsError("ErrorUpdatePropertyMismatch", values={"PropertyPath": str(path_value(path)[1])})
    return holders[0][names[0]]


def _set(changed: Value, path: Path, update: Value, *, append: bool) -> None:
    if isinstance(path, Field):
        value = _given(update, path.element, path)
        if value is None:
            changed.pop(path.element, None)
        elif append and path.element in changed:
            changed[path.element] = _appended(changed[path.element], value)
        else:
            changed[path.element] = value
        return
    if isinstance(path, Extended):
        given = _given(update, "ExtendedProperty", path)
        kept = [
            one for one in changed.get("ExtendedProperty", ()) if path_of("ExtendedFieldURI", one["ExtendedFieldURI"]) != path
        ]
        changed["ExtendedProperty"] = [*kept, *(given or ())]
        return
    collection, entry_key = _collection(path)
    given = _given(update, collection, path)
    entries = (given or {}).get("Entry", [])
    _set_entry(changed, collection, path, entries[0] if entries else None, entry_key)


def _appended(old: Any, new: Any) -> Any:
    if "" in new:  # a body
        return old | {"": old[""] + new[""]}
    name = next(iter(new))
    return {name: [*old.get(name, ()), *new[name]]}


def _remove(changed: Value, path: Path) -> None:
    if isinstance(path, Field):
        changed.pop(path.element, None)
    elif isinstance(path, Extended):
        kept = [
            one for one in changed.get("ExtendedProperty", ()) if path_of("ExtendedFieldURI", one["ExtendedFieldURI"]) != path
        ]
        changed["ExtendedProperty"] = kept
    else:
        collection, entry_key = _collection(path)
        _set_entry(changed, collection, path, None, entry_key)


_COLLECTIONS = {
    "contacts:EmailAddress": "EmailAddresses",
    "contacts:ImAddress": "ImAddresses",
    "contacts:PhoneNumber": "PhoneNumbers",
    "contacts:PhysicalAddress": "PhysicalAddresses",
}


def _collection(path: Indexed) -> tuple[str, str]:
    """The collection's element, and for addresses the part of the entry that is named."""
    for prefix, element in _COLLECTIONS.items():
        if path.uri == prefix or path.uri.startswith(prefix + ":"):
            return element, path.uri[len(prefix) + 1 :]
    raise EwsError("ErrorInvalidPropertySet", f"{path.uri} cannot be changed.")


def _set_entry(changed: Value, collection: str, path: Indexed, entry: Value | None, part: str) -> None:
    entries = [dict(one) for one in (changed.get(collection) or {}).get("Entry", ())]
    present = next((one for one in entries if one["@Key"] == path.index), None)
    if part and present is not None:  # one line of a physical address
        present.pop(part, None)
        if entry is not None and part in entry:
            present[part] = entry[part]
        if not [name for name in present if name != "@Key"]:
            entries.remove(present)
    else:
        entries = [one for one in entries if one["@Key"] != path.index]
        if entry is not None:
            entries.append(entry)
    if entries:
        changed[collection] = {"Entry": entries}
    else:
        changed.pop(collection, None)
