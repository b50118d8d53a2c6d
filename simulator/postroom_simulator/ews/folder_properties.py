"""The MAPI properties of folders: those that the store knows, and those that clients keep beside a folder (ews reference 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.entry_ids import encoded, folder_entry
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Extended, Path, path_of
from postroom_simulator.store.interface import Folder, Role

__all__ = ["extended_value", "folder_extended", "kept_extended", "without"]

Maker = Callable[[Call, Folder], Any]


def folder_extended(call: Call, folder: Folder, path: Extended) -> Any:
    """The value of a MAPI property as Python has it, None where it has none."""
    for one in kept_extended(folder):
        if path_of("ExtendedFieldURI", one["ExtendedFieldURI"]) == path:
            values = one.get("Values")
            return list(values["Value"]) if values is not None else one.get("Value", "")
    known = _TAGS.get(path.tag) if path.tag is not None else None
    if known is None or path.type not in known[0]:
        return None
    return known[1](call, folder)


def kept_extended(folder: Folder) -> Sequence[Mapping[str, Any]]:
    """The ExtendedPropertyType values that clients keep beside a folder."""
    kept: Sequence[Mapping[str, Any]] = (folder.properties or {}).get("ExtendedProperty", ())
    return kept


def without(kept: Sequence[Mapping[str, Any]], path: Extended) -> list[Mapping[str, Any]]:
    return [one for one in kept if path_of("ExtendedFieldURI", one["ExtendedFieldURI"]) != path]


def extended_value(path: Extended, value: Any) -> Value:
    """An ExtendedPropertyType, named as the request wrote it."""
    spelled = {"ExtendedFieldURI": dict(path.spelling)}
    if isinstance(value, list):
        return spelled | {"Values": {"Value": [_text(one) for one in value]}}
    return spelled | {"Value": _text(value)}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return str(value)


def check_settable(path: Path) -> None:
    """Raises EwsError for a property that the store alone says."""
    if isinstance(path, Extended) and path.tag in _TAGS and path.tag not in _SETTABLE:
        raise EwsError("ErrorObjectTypeChanged" if path.tag == 0x3613 else "ErrorInvalidPropertySet")


def _kind(_: Call, folder: Folder) -> int:
    if folder.role in (Role.ROOT, Role.ARCHIVE_ROOT):
        return 0
    return 2 if folder.role is Role.SEARCH or "SearchParameters" in (folder.properties or {}) else 1


def _id(_: Call, folder: Folder) -> str:
    return encoded(folder_entry(folder.account, folder.uid), "EntryId")


_TAGS: Mapping[int | None, tuple[tuple[str, ...], Maker]] = MappingProxyType(
    {
        0x0E08: (("Integer", "Long"), lambda call, folder: call.store.tally(folder.uid).size),
        0x0FFF: (("Binary",), _id),
        0x10F3: (("String",), lambda _, folder: folder.name),
        0x10F4: (("Boolean",), lambda *_: False),
        0x3001: (("String",), lambda _, folder: folder.name),
        0x3007: (("SystemTime",), lambda _, folder: folder.created),
        0x3008: (("SystemTime",), lambda _, folder: folder.modified),
        0x3601: (("Integer",), _kind),
        0x3602: (("Integer",), lambda call, folder: call.store.tally(folder.uid).items),
        0x3603: (("Integer",), lambda call, folder: call.store.tally(folder.uid).unread),
        0x360A: (("Boolean",), lambda call, folder: call.store.tally(folder.uid).children > 0),
        0x3613: (("String",), lambda _, folder: folder.folder_class or None),
        0x3617: (("Integer",), lambda call, folder: call.store.tally(folder.uid).associated),
        0x6638: (("Integer",), lambda call, folder: call.store.tally(folder.uid).children),
        0x670A: (("SystemTime",), lambda call, folder: call.store.tally(folder.uid).touched),
        0x6751: (("Integer",), lambda call, folder: call.store.tally(folder.uid).change + 1),
        0x6752: (("Integer",), lambda call, folder: call.store.tally(folder.uid).change),
    }
)
"""MS-OXPROPS; types that may be asked for, and the value. 0x6751 and 0x6752 (next and last article number) are numbers of the same kind as 0x0e23 of
items, the change with which an item came into the folder."""
_SETTABLE = frozenset({0x10F3, 0x10F4})
