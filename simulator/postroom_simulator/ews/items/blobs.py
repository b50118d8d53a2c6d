"""Items as opaque octets, and back (ews reference 8): JSON, compressed, with what JSON does not know marked. The format is ours.

What comes back is checked against the schema before it is stored: a blob that somebody altered is corrupt, never a broken item.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from datetime import UTC, date, datetime
from typing import Any

from postroom_simulator.ews.call import Call
from postroom_simulator.ews.codec import SchemaViolation, write
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.extended import normalised
from postroom_simulator.ews.items.keeping import numbered
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Folder, Item, MailStore

__all__ = ["packed", "restored", "unpacked"]

Value = dict[str, Any]
_MAGIC = b"PRXI1\n"
_LARGEST = 128 * 1024 * 1024
"""Octets of a blob once it is no longer compressed (our choice)."""
_CLASS = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
_FLAGS = frozenset({"draft", "submitted", "associated", "modified"})


def packed(store: MailStore, item: Item) -> bytes:
    """The whole item."""
    blob: Value = {
        "class": item.item_class,
        "received": item.received,
        "created": item.created,
        "read": item.read,
        "flags": sorted(item.flags & _FLAGS),
        "properties": item.properties,
        "beside": item.beside,
        "octets": store.octets(item.uid) if item.properties is None else None,
    }
    return _MAGIC + zlib.compress(json.dumps(_plain(blob), separators=(",", ":")).encode("utf-8", "surrogatepass"), 6)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"\0octets": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime):
        return {"\0moment": value.isoformat()}
    if isinstance(value, date):
        return {"\0date": value.isoformat()}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return {"\0pair": [_plain(one) for one in value]}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _rich(value: Value) -> Any:
    """For `json.loads`, which calls this for the innermost first."""
    if len(value) != 1:
        return value
    (key, one), *_ = value.items()
    if key == "\0octets":
        return base64.b64decode(one, validate=True)
    if key == "\0moment":
        return datetime.fromisoformat(one)
    if key == "\0date":
        return date.fromisoformat(one)
    return tuple(one) if key == "\0pair" else value


def unpacked(data: bytes) -> Value:
    """Raises EwsError ErrorCorruptData."""
    if not data.startswith(_MAGIC):
        raise EwsError("ErrorCorruptData", "The data are none that were exported here.")
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(data[len(_MAGIC) :], _LARGEST)
        if inflater.unconsumed_tail or not inflater.eof:
            raise ValueError
        blob = json.loads(text.decode("utf-8", "surrogatepass"), object_hook=_rich)
        _check(blob)
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError, RecursionError, SchemaViolation):
        raise EwsError("ErrorCorruptData", "The exported data are damaged.") from None
    found: Value = blob
    return found


def _check(blob: Any) -> None:
    """Raises ValueError, TypeError, KeyError, AttributeError for what is no item."""
    if not _CLASS.fullmatch(blob["class"]) or not isinstance(blob["read"], bool) or not _FLAGS.issuperset(blob["flags"]):
        raise ValueError
    for name in ("received", "created"):
        if not isinstance(blob[name], datetime) or blob[name].tzinfo is None:
            raise ValueError
    if (blob["properties"] is None) == (blob["octets"] is None):
        raise ValueError
    if blob["octets"] is not None and not isinstance(blob["octets"], bytes):
        raise ValueError
    for name in ("properties", "beside"):
        if blob[name] is not None:
            _check_properties(blob["class"], blob[name])


def _check_properties(item_class: str, properties: Value) -> None:
    kind = kind_of(item_class)
    elements = {name: one for name, one in properties.items() if name[:1] != "@"}
    attachments = elements.pop("Attachments", None) or []
    write(kind.element, kind.type, elements, max(Version), "t")
    for one in elements.get("ExtendedProperty") or ():
        normalised(one)
    if set(properties) - set(elements) - {"Attachments", "@By", "@ReceiptDone", "@Attachments"}:
        raise KeyError
    if not isinstance(properties.get("@Attachments", 0), int) or not isinstance(properties.get("@By", ""), str):
        raise TypeError
    for element, attachment in attachments:
        _check_attachment(element, attachment)


def _check_attachment(element: str, attachment: Value) -> None:
    if not isinstance(attachment.get("@Number", 1), int) or not isinstance(attachment.get("@Mime", b""), bytes):
        raise TypeError
    if not isinstance(attachment.get("Content", b""), bytes):
        raise TypeError
    shown = {}
    for name, one in attachment.items():
        if name[:1] == "@":
            continue
        if isinstance(one, dict):
            inner = kind_of(one.get("ItemClass", "IPM.Note"))
            _check_properties(
                inner.item_class if name != "Item" else "IPM", {key: part for key, part in one.items() if key != "@Mime"}
            )
        else:
            shown[name] = one
    write("Attachments", "ArrayOfAttachmentsType", [(element, shown)], max(Version))


def restored(call: Call, folder: Folder, blob: Value, present: Item | None, *, associated: bool) -> Item:
    """Store what `unpacked` gave; in place of `present`, which keeps its id. Raises QuotaExceeded."""
    store = call.store
    flags = frozenset(blob["flags"]) | ({"associated"} if associated else frozenset())
    received, created, beside = blob["received"].astimezone(UTC), blob["created"].astimezone(UTC), blob["beside"] or {}
    if present is not None:
        if blob["octets"] is not None:
            store.replace_octets(present.uid, blob["octets"])
            values: Value = {"beside": beside}
        else:
            values = {"properties": numbered(blob["properties"])}
        return store.alter(
            present.uid, **values, read=blob["read"], flags=flags, item_class=blob["class"], received=received, created=created
        )
    if blob["octets"] is not None:
        made = store.deposit(
            folder.account,
            blob["octets"],
            folder=folder.uid,
            received=received,
            read=blob["read"],
            item_class=blob["class"],
            flags=flags,
            beside=beside,
        )
    else:
        made = store.create(
            folder.uid, blob["class"], numbered(blob["properties"]), received=received, read=blob["read"], flags=flags
        )
    return store.alter(made.uid, created=created)
