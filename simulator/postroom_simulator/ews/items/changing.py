"""Changes of items: which version they are made to, and what each does to the properties (ews reference 8)."""

from __future__ import annotations

from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Extended, Field, Indexed, Path, path_of, path_value
from postroom_simulator.ews.ids import parse_change_key
from postroom_simulator.ews.items import mapi
from postroom_simulator.ews.items.attaching import new_attachment
from postroom_simulator.ews.items.extended import normalised, path_of_property
from postroom_simulator.ews.items.hooks import hooks_of
from postroom_simulator.ews.items.keeping import numbered
from postroom_simulator.ews.items.kinds import Kind, kind_of
from postroom_simulator.ews.items.mail import read_message
from postroom_simulator.ews.items.writing import READ_ONLY, completed, mailboxes, octets_given
from postroom_simulator.ews.schema import type_named
from postroom_simulator.store.interface import Item

__all__ = ["apply_updates", "check_key"]

_OF_THE_TRANSPORT = frozenset(
    {"ToRecipients", "CcRecipients", "BccRecipients", "From", "Sender", "ReplyTo", "IsReadReceiptRequested", "IsDeliveryReceiptRequested",
     "InternetMessageId", "References", "InReplyTo"}
)  # fmt: skip
"""What a message that is no draft any more does not have changed."""
_OF_MIME = _OF_THE_TRANSPORT | {
    "Subject",
    "Body",
    "Attachments",
    "InternetMessageHeaders",
    "ConversationIndex",
    "ConversationTopic",
}
"""What MIME content says of a message, or leaves unsaid."""
_REQUIRED = frozenset({"ItemClass", "Sensitivity", "Importance", "IsRead"})
_APPENDED = frozenset(
    {
        "Body",
        "Members",
        "ToRecipients",
        "CcRecipients",
        "BccRecipients",
        "ReplyTo",
        "RequiredAttendees",
        "OptionalAttendees",
        "Resources",
        "Attachments",
    }
)
"""What AppendToItemField is for (MS-OXWSCORE 2.2.4.5)."""
_PATHS = ("FieldURI", "IndexedFieldURI", "ExtendedFieldURI")
_RECIPIENTS = frozenset({"ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo"})


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


def apply_updates(call: Call, item: Item, properties: Value, updates: list[tuple[str, Value]]) -> Value:
    """The new properties, with elements that the store keeps where they were set. Raises EwsError."""
    kind = kind_of(item.item_class)
    changed = dict(properties)
    for action, update in updates:
        path = _path(update)
        _check(item, kind, path, action)
        if action == "DeleteItemField":
            changed = _remove(changed, path, kind)
        else:
            changed = _set(call, item, changed, path, update, kind, append=action == "AppendToItemField")
    return changed


def _path(update: Value) -> Path:
    for name in _PATHS:
        if name in update:
            return path_of(name, update[name])
    raise EwsError("ErrorIncorrectUpdatePropertyCount")


def _refused(code: str, path: Path) -> EwsError:
    name, named = path_value(path)
    return EwsError(code, values={"PropertyPath": str(named.get("@FieldURI", name))})


def _check(item: Item, kind: Kind, path: Path, action: str) -> None:
    deleting = action == "DeleteItemField"
    wrong = "ErrorInvalidPropertyDelete" if deleting else "ErrorInvalidPropertySet"
    if action == "AppendToItemField" and (not isinstance(path, Field) or path.element not in _APPENDED):
        raise _refused("ErrorInvalidPropertyAppend", path)
    if isinstance(path, Extended):
        return
    if isinstance(path, Indexed):
        if path.uri == "item:InternetMessageHeader":
            raise _refused(wrong, path)
        return
    if not path.of_items or path.element not in type_named(kind.type).children:
        raise _refused(wrong, path)
    sent = kind.element == "Message" and "draft" not in item.flags
    if (
        path.element in READ_ONLY
        or path.element in hooks_of(kind.element).read_only
        or (sent and path.element in _OF_THE_TRANSPORT)
    ):
        raise _refused(wrong, path)
    if deleting and path.element in _REQUIRED:
        raise _refused("ErrorInvalidPropertyDelete", path)


def _given(update: Value, element: str, path: Path) -> Any:
    """The one property inside the item element of an update; None for an empty collection. Raises EwsError."""
    holders = [value for name, value in update.items() if name not in _PATHS]
    names = [name for holder in holders for name, value in holder.items() if name[0] != "@" and value != []]
    if len(names) > 1 or not holders:
        raise _refused("ErrorIncorrectUpdatePropertyCount", path)
    if not names:
        raise _refused("ErrorIncorrectUpdatePropertyCount", path)
    if names[0] != element:
        raise _refused("ErrorUpdatePropertyMismatch", path)
    return holders[0][names[0]]


def _set(call: Call, item: Item, changed: Value, path: Path, update: Value, kind: Kind, *, append: bool) -> Value:
    if isinstance(path, Extended):
        given = _given(update, "ExtendedProperty", path)
        if len(given) != 1:
            raise _refused("ErrorIncorrectUpdatePropertyCount", path)
        if path_of_property(given[0]) != path:
            raise _refused("ErrorUpdatePropertyMismatch", path)
        mapi.write(changed, normalised(given[0]), hooks_of(kind.element).mirrors)
        if "ItemClass" in changed and kind_of(changed["ItemClass"]).element != kind.element:
            raise EwsError("ErrorObjectTypeChanged")
        changed.pop("IsDraft", None)  # settled when a message is first stored (MS-OXCMSG 2.2.1.6)
        return changed
    if isinstance(path, Indexed) and path.uri == _MEMBER:
        return _set_member(changed, path, _given(update, "Members", path))
    if isinstance(path, Indexed):
        return _set_indexed(changed, path, update)
    value = _prepared(call, item, path, _given(update, path.element, path), kind)
    if path.element == "MimeContent":
        gone = _OF_MIME if kind.folder_class == "IPF.Note" else frozenset(value)
        kept: Value = {name: one for name, one in changed.items() if name not in gone}
        kept.update(value)
        return kept
    if value is None or value in ({}, []):
        changed.pop(path.element, None)
        return changed
    changed[path.element] = _appended(changed[path.element], value) if append and path.element in changed else value
    return numbered(changed) if path.element == "Attachments" else changed


def _prepared(call: Call, item: Item, path: Field, value: Any, kind: Kind) -> Any:
    """A value of a request as it is kept."""
    if path.element in _RECIPIENTS:
        return mailboxes(call, value)
    if path.element in ("From", "Sender") and kind.folder_class == "IPF.Note":
        return {"Mailbox": completed(call, value["Mailbox"])}
    if path.element == "Attachments":
        return [new_attachment(call, *one) for one in value]
    if path.element == "ItemClass" and kind_of(value).element != kind_of(item.item_class).element:
        raise EwsError("ErrorObjectTypeChanged")
    if path.element == "MimeContent":
        return _from_mime(call, kind, octets_given(value))
    if path.element == "Categories":
        return value if value.get("String") else None
    return value


def _from_mime(call: Call, kind: Kind, octets: bytes) -> Value:
    """Properties instead of those that MIME content says."""
    hooks = hooks_of(kind.element)
    if hooks.read_mime is not None:
        said: Value = hooks.read_mime(call, octets)
        return said
    if kind.folder_class != "IPF.Note":
        raise EwsError("ErrorUnsupportedMimeConversion")
    return numbered(read_message(octets))


def _set_indexed(changed: Value, path: Indexed, update: Value) -> Value:
    collection, part = _collection(path)
    given = _given(update, collection, path)
    entries = (given or {}).get("Entry") or []
    if len(entries) > 1:
        raise _refused("ErrorIncorrectUpdatePropertyCount", path)
    if entries and entries[0]["@Key"] != path.index:
        raise _refused("ErrorUpdatePropertyMismatch", path)
    _set_entry(changed, collection, path, entries[0] if entries else None, part)
    return changed


def _appended(old: Any, new: Any) -> Any:
    if isinstance(old, list):
        return [*old, *new]
    if "" in new:  # a body
        return old | {"": old[""] + new[""]}
    name = next(iter(new))
    return {name: [*(old.get(name) or ()), *new[name]]}


def _remove(changed: Value, path: Path, kind: Kind) -> Value:
    if isinstance(path, Field):
        changed.pop(path.element, None)
    elif isinstance(path, Extended):
        mapi.forget(changed, path, hooks_of(kind.element).mirrors)
    elif path.uri == _MEMBER:
        _set_member(changed, path, None)
    else:
        collection, part = _collection(path)
        _set_entry(changed, collection, path, None, part)
    return changed


_MEMBER = "distributionlist:Members:Member"


def _set_member(changed: Value, path: Indexed, given: Value | None) -> Value:
    """Put others in the place of the member with that key, or nobody. Raises EwsError ErrorDistributionListMemberNotExist."""
    members = (changed.get("Members") or {}).get("Member") or ()
    place = next((at for at, one in enumerate(members) if one.get("@Key") == path.index), None)
    if place is None:
        raise _refused("ErrorDistributionListMemberNotExist", path)
    changed["Members"] = {"Member": [*members[:place], *((given or {}).get("Member") or ()), *members[place + 1 :]]}
    return changed


def _collection(path: Indexed) -> tuple[str, str]:
    """The collection's element, and for addresses the part of the entry that is named."""
    if not path.collection[0]:
        raise _refused("ErrorInvalidPropertySet", path)
    return path.collection


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
        if entry is not None and [name for name, value in entry.items() if name != "@Key" and value not in (None, "")]:
            entries.append(entry)
    if entries:
        changed[collection] = {"Entry": entries}
    else:
        changed.pop(collection, None)
