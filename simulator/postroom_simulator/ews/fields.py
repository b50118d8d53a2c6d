"""Property paths: `item:Subject` and its kin, indexed ones, extended ones (ews reference 7).

A known FieldURI is a prefix and an element of a type of the schema, so the schema is the table.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from postroom_simulator.ews.codec import SchemaViolation
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.schema import type_named

__all__ = ["PREFIXES", "Extended", "Field", "Indexed", "Path", "path_of", "path_value"]

PREFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "folder": ("FolderType", "CalendarFolderType", "ContactsFolderType", "SearchFolderType"),
        "item": ("ItemType",),
        "message": ("MessageType",),
        "meeting": ("MeetingMessageType", "MeetingResponseMessageType", "MeetingCancellationMessageType"),
        "meetingRequest": ("MeetingRequestMessageType",),
        "calendar": ("CalendarItemType", "MeetingRequestMessageType"),
        "task": ("TaskType",),
        "contacts": ("ContactItemType", "DistributionListType"),
        "distributionlist": ("DistributionListType",),
        "postitem": ("PostItemType",),
        "persona": ("PersonaType",),
        "conversation": ("ConversationType",),
    }
)
"""The types whose elements each prefix names."""


_OF_ITEMS = frozenset(PREFIXES) - {"folder", "persona", "conversation"}


@dataclass(frozen=True, slots=True)
class Field:
    """A first-class property: `element` of the item's or folder's type."""

    uri: str

    @property
    def prefix(self) -> str:
        return self.uri.partition(":")[0]

    @property
    def element(self) -> str:
        return self.uri.partition(":")[2]

    @property
    def of_items(self) -> bool:
        """Whether items have it; not conversations, personas and others."""
        return self.prefix in _OF_ITEMS


_COLLECTIONS = MappingProxyType(
    {
        "contacts:EmailAddress": "EmailAddresses",
        "contacts:ImAddress": "ImAddresses",
        "contacts:PhoneNumber": "PhoneNumbers",
        "contacts:PhysicalAddress": "PhysicalAddresses",
    }
)
"""The collections of a contact, by the path that names an entry."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """An entry of a collection: `contacts:EmailAddress` with index EmailAddress1, `item:InternetMessageHeader` with a name."""

    uri: str
    index: str

    @property
    def collection(self) -> tuple[str, str]:
        """Of a contact's collection: its element, and for addresses the part of the entry that is named, else "". ("", "") for other paths."""
        for prefix, element in _COLLECTIONS.items():
            if self.uri == prefix or self.uri.startswith(prefix + ":"):
                return element, self.uri[len(prefix) + 1 :]
        return "", ""


@dataclass(frozen=True, slots=True)
class Extended:
    """A MAPI property. Compared by what it means: tags and ids as numbers, sets by id. `spelling` is how the request wrote it, for the answer."""

    set: str
    tag: int | None
    name: str | None
    number: int | None
    type: str
    spelling: tuple[tuple[str, str | int], ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extended) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple[str, int | None, str | None, int | None, str]:
        return self.set, self.tag, self.name, self.number, self.type


Path = Field | Indexed | Extended

_INDEXED = frozenset(
    {
        "item:InternetMessageHeader",
        "contacts:ImAddress",
        "contacts:PhysicalAddress:Street",
        "contacts:PhysicalAddress:City",
        "contacts:PhysicalAddress:State",
        "contacts:PhysicalAddress:CountryOrRegion",
        "contacts:PhysicalAddress:PostalCode",
        "contacts:PhoneNumber",
        "contacts:EmailAddress",
        "distributionlist:Members:Member",
    }
)


def path_of(name: str, value: Mapping[str, object]) -> Path:
    """From a value of one of the three path elements. Raises SchemaViolation for a name that nobody knows, EwsError for a wrong property."""
    if name == "FieldURI":
        return field(str(value["@FieldURI"]))
    if name == "IndexedFieldURI":
        uri = str(value["@FieldURI"])
        if uri not in _INDEXED:
            raise SchemaViolation(f"The 'FieldURI' attribute is invalid: '{uri[:60]}'")
        return Indexed(uri, str(value["@FieldIndex"]))
    return _extended(value)


def path_value(path: Path) -> tuple[str, dict[str, object]]:
    """The element's name and value that name the path."""
    if isinstance(path, Field):
        return "FieldURI", {"@FieldURI": path.uri}
    if isinstance(path, Indexed):
        return "IndexedFieldURI", {"@FieldURI": path.uri, "@FieldIndex": path.index}
    return "ExtendedFieldURI", dict(path.spelling)


@functools.cache
def field(uri: str) -> Field:
    """Raises SchemaViolation."""
    prefix, _, element = uri.partition(":")
    types = PREFIXES.get(prefix, ())
    known = type_named("UnindexedFieldURIType").values
    if uri not in known and not any(element in type_named(one).children for one in types):
        raise SchemaViolation(f"The 'FieldURI' attribute is invalid: '{uri[:60]}' is not a known property")
    return Field(uri)


def _extended(value: Mapping[str, object]) -> Extended:
    spelling = tuple((key, one) for key, one in value.items() if isinstance(one, (str, int)))
    tag = value.get("@PropertyTag")
    name, number = value.get("@PropertyName"), value.get("@PropertyId")
    named_set = str(value.get("@DistinguishedPropertySetId") or value.get("@PropertySetId") or "").lower()
    if (tag is None) == (not named_set) or (named_set and (name is None) == (number is None)):
        raise EwsError(
            "ErrorInvalidExtendedProperty", "The extended property has to be named by a tag, or by a set and a name or an id."
        )
    parsed = None
    if tag is not None:
        try:
            parsed = int(str(tag), 16) if str(tag).lower().startswith("0x") else int(str(tag))
        except ValueError:
            raise EwsError("ErrorInvalidExtendedProperty", f"{str(tag)[:20]} is no property tag.") from None
        if not 0 <= parsed < 0x8000:
            raise EwsError("ErrorInvalidExtendedProperty", "Properties from 0x8000 on have no tags of their own.")
    number = int(number) if isinstance(number, int) else None
    return Extended(
        _SETS.get(named_set, named_set),
        parsed,
        str(name) if name is not None else None,
        number,
        str(value["@PropertyType"]),
        spelling,
    )


_SETS = {
    "00062002-0000-0000-c000-000000000046": "appointment",
    "00062003-0000-0000-c000-000000000046": "task",
    "00062004-0000-0000-c000-000000000046": "address",
    "00062008-0000-0000-c000-000000000046": "common",
    "00020329-0000-0000-c000-000000000046": "publicstrings",
    "00020386-0000-0000-c000-000000000046": "internetheaders",
    "6ed8da90-450b-101b-98da-00aa003f1305": "meeting",
    "11000e07-b51b-40d6-af21-caa85edab1d0": "calendarassistant",
    "4442858e-a9e3-4e80-b900-317a210cc15b": "unifiedmessaging",
    "00062040-0000-0000-c000-000000000046": "sharing",
}
"""The ids of the distinguished property sets (MS-OXPROPS 1.3.2)."""
