"""Contacts: names that follow from others, entries of collections, the photo, vCards (ews reference 12; MS-OXWSCONT)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.codec import moment
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.mapi import Key, Mirror, element
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = [
    "MIRRORS",
    "PHOTO",
    "READ_ONLY",
    "complete_name",
    "derive",
    "file_as",
    "prepare",
    "read_mime",
    "update",
    "write_mime",
]

Value = dict[str, Any]

PHOTO = "ContactPicture.jpg"
"""The name of the attachment that is a contact's photo."""

READ_ONLY = frozenset(
    {"CompleteName", "HasPicture", "ContactSource", "PhoneticFullName", "PhoneticFirstName", "PhoneticLastName", "Alias", "Notes", "Photo",
     "UserSMIMECertificate", "MSExchangeCertificate", "DirectoryId", "ManagerMailbox", "DirectReports"}
)  # fmt: skip
"""Of the server, or of the directory (MS-OXWSCONT 2.2.4.1)."""

COLLECTIONS = ("EmailAddresses", "PhysicalAddresses", "PhoneNumbers", "ImAddresses")
LINES = (
    "FileAs", "DisplayName", "GivenName", "Initials", "MiddleName", "Nickname", "CompanyName", "AssistantName", "Department", "Generation",
    "JobTitle", "Manager", "Mileage", "OfficeLocation", "Profession", "SpouseName", "Surname",
)  # fmt: skip
"""Texts of one line."""
LINE_LIMIT = 1024
"""Characters of a text of one line; a longer one is ErrorPropertyUpdate (our choice; servers have limits and do not publish them)."""
_PREFIX_TAG = 0x3A45
"""PidTagDisplayNamePrefix: "Dr."; no element has it but the title of CompleteName."""


# -- names


def full_name(value: Mapping[str, Any]) -> str:
    return " ".join(str(value[name]) for name in ("GivenName", "MiddleName", "Surname", "Generation") if value.get(name))


def _joined(separator: str, *parts: Any) -> str:
    return separator.join(str(part) for part in parts if part)


def _file_as_makers() -> Mapping[str, Callable[[Mapping[str, Any]], str]]:
    def first(one: Mapping[str, Any]) -> str:
        return _joined(" ", one.get("GivenName"), one.get("MiddleName"))

    def comma(one: Mapping[str, Any]) -> str:
        return _joined(", ", one.get("Surname"), first(one))

    def close(one: Mapping[str, Any]) -> str:
        return _joined("", one.get("Surname"), first(one))

    def space(one: Mapping[str, Any]) -> str:
        return _joined(" ", one.get("Surname"), first(one))

    def company(one: Mapping[str, Any]) -> str:
        return str(one.get("CompanyName") or "")

    return MappingProxyType(
        {
            "LastCommaFirst": comma,
            "FirstSpaceLast": full_name,
            "Company": company,
            "LastCommaFirstCompany": lambda one: _joined("\r\n", comma(one), company(one)),
            "CompanyLastFirst": lambda one: _joined("\r\n", company(one), close(one)),
            "LastFirst": close,
            "LastFirstCompany": lambda one: _joined("\r\n", close(one), company(one)),
            "CompanyLastCommaFirst": lambda one: _joined("\r\n", company(one), comma(one)),
            "LastFirstSuffix": lambda one: _joined(" ", close(one), one.get("Generation")),
            "LastSpaceFirstCompany": lambda one: _joined("\r\n", space(one), company(one)),
            "CompanyLastSpaceFirst": lambda one: _joined("\r\n", company(one), space(one)),
            "LastSpaceFirst": space,
            "DisplayName": lambda one: str(one.get("DisplayName") or full_name(one)),
            "FirstName": lambda one: str(one.get("GivenName") or ""),
            "LastFirstMiddleSuffix": lambda one: _joined(" ", space(one), one.get("Generation")),
            "LastName": lambda one: str(one.get("Surname") or ""),
        }
    )


_FILE_AS = _file_as_makers()
"""How each mapping makes FileAs (MS-OXWSCONT 2.2.5.7; MS-OXOCNTC 2.2.1.1.12 for line ends before and after a company)."""


def file_as(value: Mapping[str, Any]) -> str | None:
    """What somebody set, else what the mapping makes of the names; without a mapping the last name comes first, and what has no name is filed
    as it is shown (our choice). None: nothing."""
    if value.get("FileAs"):
        return str(value["FileAs"])
    mapping = value.get("FileAsMapping", "None")
    if mapping in _FILE_AS:
        return _FILE_AS[mapping](value) or None
    if mapping == "Empty":
        return None
    return _FILE_AS["LastCommaFirst"](value) or value.get("DisplayName") or value.get("CompanyName") or None


def complete_name(value: Mapping[str, Any]) -> Value | None:
    """CompleteName; None for a contact without a name."""
    parts = {
        "Title": _title(value),
        "FirstName": value.get("GivenName"),
        "MiddleName": value.get("MiddleName"),
        "LastName": value.get("Surname"),
        "Suffix": value.get("Generation"),
        "Initials": value.get("Initials"),
        "FullName": value.get("DisplayName") or full_name(value),
        "Nickname": value.get("Nickname"),
    }
    given = {name: text for name, text in parts.items() if text}
    return given or None


def _title(value: Mapping[str, Any]) -> str | None:
    from postroom_simulator.ews.items.extended import path_of_property

    for one in value.get("ExtendedProperty") or ():
        if path_of_property(one).tag == _PREFIX_TAG:
            return str(one.get("Value") or "") or None
    return None


# -- hooks


def prepare(_: Call, properties: Value, __: bool) -> Value:
    """Raises EwsError."""
    return _checked(properties)


def update(_: Call, __: Item, before: Value, after: Value, ___: Value) -> Value:
    """A FileAs that is set ends the mapping; a mapping that is set ends the FileAs that somebody wrote. Raises EwsError."""
    wrote = after.get("FileAs") != before.get("FileAs")
    mapped = after.get("FileAsMapping") != before.get("FileAsMapping")
    if mapped and not wrote:
        after.pop("FileAs", None)
    elif wrote and not mapped:
        after.pop("FileAsMapping", None)
    return _checked(after)


def _checked(properties: Value) -> Value:
    for name in LINES:
        if len(str(properties.get(name) or "")) > LINE_LIMIT:
            raise EwsError("ErrorPropertyUpdate", f"{name} has more than {LINE_LIMIT} characters.")
    for name in COLLECTIONS:
        if name in properties:
            _tidy(properties, name)
    return properties


def _tidy(properties: Value, collection: str) -> None:
    """Each key once, the last that was given; entries without anything go."""
    kept: dict[str, Value] = {}
    for entry in (properties[collection] or {}).get("Entry", ()):
        text = entry.get("")
        if text is not None and len(text) > LINE_LIMIT:
            raise EwsError("ErrorPropertyUpdate", f"An entry of {collection} has more than {LINE_LIMIT} characters.")
        cleaned = {name: one for name, one in entry.items() if one or name == "@Key"}
        kept.pop(entry["@Key"], None)
        if text or any(name[:1] not in ("@", "") for name in cleaned):
            kept[entry["@Key"]] = cleaned
    if kept:
        properties[collection] = {"Entry": list(kept.values())}
    else:
        del properties[collection]


def derive(_: Call, __: Item, properties: Value) -> Value:
    boxes = (properties.get("EmailAddresses") or {}).get("Entry") or [{"": ""}]
    shown = properties.get("DisplayName") or full_name(properties) or properties.get("FileAs") or properties.get("CompanyName")
    shown = shown or boxes[0].get("")
    if shown:
        properties["DisplayName"] = shown
        properties.setdefault("Subject", shown)
    filed = file_as(properties)
    if filed:
        properties["FileAs"] = filed
    name = complete_name(properties)
    if name is not None:
        properties["CompleteName"] = name
    properties["HasPicture"] = any(one.get("IsContactPhoto") for _, one in properties.get("Attachments") or ())
    return properties


def read_mime(_: Call, octets: bytes) -> Value:
    """Raises EwsError ErrorMimeContentInvalid."""
    from postroom_simulator.ews.people.vcard import read_vcard

    try:
        return read_vcard(octets)
    except ValueError as wrong:
        raise EwsError("ErrorMimeContentInvalid", f"The content is no vCard: {wrong}") from None


def write_mime(_: Call, item: Item, properties: Value) -> bytes:
    from postroom_simulator.ews.people.vcard import write_vcard

    return write_vcard(properties, uid=f"{item.uid}", revised=item.modified)


# -- MAPI properties


def _entry(collection: str, key: str, part: str = "") -> Mirror:
    """The text of an entry, or a part of it; the entry goes with its last text."""

    def get(_: Item, properties: Value) -> Any:
        for one in (properties.get(collection) or {}).get("Entry", ()):
            if one["@Key"] == key:
                return one.get(part)
        return None

    def put(properties: Value, text: Any) -> None:
        entries = {one["@Key"]: dict(one) for one in (properties.get(collection) or {}).get("Entry", ())}
        entry = entries.setdefault(key, {"@Key": key, "": ""} if collection != "PhysicalAddresses" else {"@Key": key})
        if text in (None, ""):
            entry.pop(part, None)
            if part == "":
                del entries[key]
        else:
            entry[part] = text
        if entries.get(key) == {"@Key": key}:
            del entries[key]
        if entries:
            properties[collection] = {"Entry": list(entries.values())}
        else:
            properties.pop(collection, None)

    return Mirror(get, put)


def _strings(name: str) -> Mirror:
    def put(properties: Value, texts: Any) -> None:
        properties.pop(name, None)
        if texts:
            properties[name] = {"String": list(texts)}

    return Mirror(lambda _, properties: (properties.get(name) or {}).get("String"), put, many=True)


_TEXT_TAGS = {
    0x3001: "DisplayName", 0x3A05: "Generation", 0x3A06: "GivenName", 0x3A0A: "Initials", 0x3A11: "Surname", 0x3A16: "CompanyName",
    0x3A17: "JobTitle", 0x3A18: "Department", 0x3A19: "OfficeLocation", 0x3A30: "AssistantName", 0x3A44: "MiddleName", 0x3A46: "Profession",
    0x3A48: "SpouseName", 0x3A4E: "Manager", 0x3A4F: "Nickname", 0x3A51: "BusinessHomePage",
}  # fmt: skip
_PHONE_TAGS = {
    0x3A02: "Callback", 0x3A08: "BusinessPhone", 0x3A09: "HomePhone", 0x3A1A: "PrimaryPhone", 0x3A1B: "BusinessPhone2", 0x3A1C: "MobilePhone",
    0x3A1D: "RadioPhone", 0x3A1E: "CarPhone", 0x3A1F: "OtherTelephone", 0x3A21: "Pager", 0x3A23: "OtherFax", 0x3A24: "BusinessFax",
    0x3A25: "HomeFax", 0x3A2C: "Telex", 0x3A2D: "Isdn", 0x3A2E: "AssistantPhone", 0x3A2F: "HomePhone2", 0x3A4B: "TtyTddPhone",
    0x3A57: "CompanyMainPhone",
}  # fmt: skip
_PARTS = ("Street", "City", "State", "PostalCode", "CountryOrRegion")
_ADDRESS_TAGS = {
    "Home": (0x3A5D, 0x3A59, 0x3A5C, 0x3A5B, 0x3A5A),
    "Other": (0x3A63, 0x3A5F, 0x3A62, 0x3A61, 0x3A60),
    "Business": (0x3A29, 0x3A27, 0x3A28, 0x3A2A, 0x3A26),
}
_BUSINESS_IDS = (0x8045, 0x8046, 0x8047, 0x8048, 0x8049)


def _follows_from_attachments(_: Value, __: Any) -> None:
    """DavMail writes it beside the picture, and takes it away without one."""


def _mirrors() -> Iterator[tuple[Key, Mirror]]:
    for tag, name in _TEXT_TAGS.items():
        yield ("", tag), element(name)
    for tag, key in _PHONE_TAGS.items():
        yield ("", tag), _entry("PhoneNumbers", key)
    for kind, tags in _ADDRESS_TAGS.items():
        for part, tag in zip(_PARTS, tags, strict=True):
            yield ("", tag), _entry("PhysicalAddresses", kind, part)
    for part, number in zip(_PARTS, _BUSINESS_IDS, strict=True):
        yield ("address", number), _entry("PhysicalAddresses", "Business", part)
    for number, start in enumerate((0x8080, 0x8090, 0x80A0), 1):
        key = f"EmailAddress{number}"
        yield ("address", start), _entry("EmailAddresses", key, "@Name")
        yield ("address", start + 2), _entry("EmailAddresses", key, "@RoutingType")
        yield ("address", start + 3), _entry("EmailAddresses", key)
        yield ("address", start + 4), _entry("EmailAddresses", key)
    yield ("", 0x3A42), element("Birthday", moment)
    yield ("", 0x3A41), element("WeddingAnniversary", moment)
    yield ("", 0x3A58), _strings("Children")
    yield ("address", 0x8005), element("FileAs")
    yield ("address", 0x8062), _entry("ImAddresses", "ImAddress1")
    yield ("address", 0x8015), Mirror(lambda _, one: bool(one.get("HasPicture")), _follows_from_attachments)
    yield ("common", 0x8534), element("Mileage")


MIRRORS: Mapping[Key, Mirror] = MappingProxyType(dict(_mirrors()))
"""Of contacts (MS-OXOCNTC 2.2.1; tags and ids MS-OXPROPS)."""
