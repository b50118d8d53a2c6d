"""User configurations: named settings beside a folder, kept as its associated items (ews reference 15; MS-OXWSUSRCFG, MS-OXOCFG 2.2.2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.codec import moment
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item

__all__ = ["CLASS", "PARTS", "checked_parts", "find", "item_class", "named", "wanted_parts"]

CLASS = "IPM.Configuration"
PARTS = ("Dictionary", "XmlData", "BinaryData")
_NAME_LIMIT = 237
"""Characters of a name: with the class before it 255, the limit of item classes (MS-OXCMSG 2.2.1.3)."""
_ENTRY_LIMIT = 10_000
"""Entries of a dictionary (our choice)."""


def item_class(name: str) -> str:
    return f"{CLASS}.{name}"


def named(call: Call, value: Value) -> tuple[Folder, str]:
    """Folder and name of a UserConfigurationNameType. Raises EwsError."""
    name = value["@Name"]
    if len(name) > _NAME_LIMIT:
        raise EwsError("ErrorInvalidArgument", f"The name of a user configuration has at most {_NAME_LIMIT} characters.")
    return target_folder(call, value), name


def find(call: Call, folder: Folder, name: str) -> Item | None:
    """Names are compared without regard to case, as item classes are."""
    wanted = item_class(name).lower()
    for item in call.store.items(folder.uid):
        if ASSOCIATED in item.flags and item.item_class.lower() == wanted:
            return item
    return None


def wanted_parts(text: str) -> tuple[bool, tuple[str, ...]]:
    """Whether the id is asked for, and which parts; `text` as the request lists them, with spaces between."""
    asked = set(text.split())
    if "All" in asked:
        return True, PARTS
    return "Id" in asked, tuple(one for one in PARTS if one in asked)


def checked_parts(value: Value) -> Value:
    """What a request says of the parts of a configuration; octets as octets. Raises EwsError."""
    parts = {name: value[name] for name in PARTS if value.get(name) is not None}
    if "Dictionary" in parts:
        _check_dictionary(parts["Dictionary"])
    return parts


def _check_dictionary(value: Value) -> None:
    entries = value.get("DictionaryEntry", ())
    if len(entries) > _ENTRY_LIMIT:
        raise EwsError("ErrorInvalidArgument", f"A dictionary has at most {_ENTRY_LIMIT} entries.")
    seen = set()
    for entry in entries:
        key = entry["DictionaryKey"]
        _check(key)
        _check(entry["DictionaryValue"])
        known = (key["Type"], tuple(key["Value"]))
        if known in seen:
            raise EwsError("ErrorInvalidValueForProperty", f"The dictionary has the key {key['Value'][0][:60]!r} twice.")
        seen.add(known)


def _check(value: Value) -> None:
    kind, texts = value["Type"], value["Value"]
    if kind != "StringArray" and len(texts) != 1:
        raise EwsError("ErrorInvalidValueForProperty", f"A value of type {kind} is one text.")
    try:
        for text in texts:
            _READERS[kind](text.strip() if kind not in ("String", "StringArray") else text)
    except (ValueError, binascii.Error):
        raise EwsError("ErrorInvalidValueForProperty", f"{texts[0][:60]!r} is no {kind}.") from None


def _truth(text: str) -> None:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError


def _within(low: int, high: int) -> Callable[[str], Any]:
    def check(text: str) -> None:
        if len(text) > 40 or not low <= int(text) <= high:
            raise ValueError

    return check


_READERS: dict[str, Callable[[str], Any]] = {
    "DateTime": moment,
    "Boolean": _truth,
    "Byte": _within(0, 2**8 - 1),
    "String": str,
    "StringArray": str,
    "Integer32": _within(-(2**31), 2**31 - 1),
    "UnsignedInteger32": _within(0, 2**32 - 1),
    "Integer64": _within(-(2**63), 2**63 - 1),
    "UnsignedInteger64": _within(0, 2**64 - 1),
    "ByteArray": lambda text: base64.b64decode(text, validate=True),
}
"""Raise ValueError for a text that is none of the type."""
