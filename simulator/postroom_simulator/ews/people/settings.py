"""User configurations: named settings beside a folder, kept as its associated items (ews reference 15; MS-OXWSUSRCFG, MS-OXOCFG 2.2.2)."""

from __future__ import annotations

import base64
from collections.abc import Callable

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


def named(call: Call, value: Value, right: str) -> tuple[Folder, str]:
    """Folder, with a right in it, and name of a UserConfigurationNameType. Raises EwsError."""
    name = value["@Name"]
    if len(name) > _NAME_LIMIT:
        raise EwsError("ErrorInvalidArgument", f"The name of a user configuration has at most {_NAME_LIMIT} characters.")
    return target_folder(call, value, right), name


def find(call: Call, folder: Folder, name: str) -> Item | None:
    """Names are compared without regard to case, as item classes are."""
    wanted = item_class(name).lower()
    if not call.store.tally(folder.uid).associated:
        return None
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
        parts["Dictionary"] = _checked_dictionary(parts["Dictionary"])
    return parts


def _checked_dictionary(value: Value) -> Value:
    entries = value.get("DictionaryEntry", ())
    if len(entries) > _ENTRY_LIMIT:
        raise EwsError("ErrorInvalidArgument", f"A dictionary has at most {_ENTRY_LIMIT} entries.")
    kept: dict[tuple[str, tuple[str, ...]], Value] = {}
    for entry in entries:
        key = _checked(entry["DictionaryKey"])
        name = (key["Type"], tuple(key["Value"]))
        if name in kept:
            raise EwsError("ErrorInvalidValueForProperty", f"The dictionary has the key {key['Value'][0][:60]!r} twice.")
        kept[name] = {"DictionaryKey": key, "DictionaryValue": _checked(entry["DictionaryValue"])}
    return {"DictionaryEntry": list(kept.values())}


def _checked(value: Value) -> Value:
    """A typed value in the one spelling of it: clients read answers more strictly than they write (ews reference 3)."""
    kind, texts = value["Type"], value["Value"]
    if kind != "StringArray" and len(texts) != 1:
        raise EwsError("ErrorInvalidValueForProperty", f"A value of type {kind} is one text.")
    try:
        return {"Type": kind, "Value": [_READERS[kind](text) for text in texts]}
    except ValueError:
        raise EwsError("ErrorInvalidValueForProperty", f"{texts[0][:60]!r} is no {kind}.") from None


def _truth(text: str) -> str:
    folded = text.strip().lower()
    if folded not in ("true", "false", "1", "0"):
        raise ValueError
    return "true" if folded in ("true", "1") else "false"


def _moment(text: str) -> str:
    found = moment(text)
    zone = "Z" if found.tzinfo is not None else ""
    return found.replace(tzinfo=None).isoformat(timespec="seconds") + zone


def _octets(text: str) -> str:
    return base64.b64encode(base64.b64decode("".join(text.split()), validate=True)).decode("ascii")


def _within(low: int, high: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if len(text) > 40 or not low <= int(text) <= high:
            raise ValueError
        return str(int(text))

    return check


_READERS: dict[str, Callable[[str], str]] = {
    "DateTime": _moment,
    "Boolean": _truth,
    "Byte": _within(0, 2**8 - 1),
    "String": str,
    "StringArray": str,
    "Integer32": _within(-(2**31), 2**31 - 1),
    "UnsignedInteger32": _within(0, 2**32 - 1),
    "Integer64": _within(-(2**63), 2**63 - 1),
    "UnsignedInteger64": _within(0, 2**64 - 1),
    "ByteArray": _octets,
}
"""The text as it is kept. Raise ValueError for one that is none of the type (binascii.Error is one)."""
