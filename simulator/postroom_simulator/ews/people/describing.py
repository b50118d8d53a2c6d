"""What a persona tells of somebody, from elements of a contact (ews reference 12; MS-OXWSPERS, published descriptions of the elements of Persona)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

__all__ = ["described"]

Value = dict[str, Any]
_PHONES: Mapping[str, str] = MappingProxyType(
    {
        "BusinessPhone": "BusinessPhoneNumbers",
        "BusinessPhone2": "BusinessPhoneNumbers2",
        "HomePhone": "HomePhones",
        "HomePhone2": "HomePhones2",
        "MobilePhone": "MobilePhones",
        "AssistantPhone": "AssistantPhoneNumbers",
        "Callback": "CallbackPhones",
        "CarPhone": "CarPhones",
        "HomeFax": "HomeFaxes",
        "CompanyMainPhone": "OrganizationMainPhones",
        "OtherFax": "OtherFaxes",
        "OtherTelephone": "OtherTelephones",
        "Pager": "Pagers",
        "RadioPhone": "RadioPhones",
        "Telex": "TelexNumbers",
        "TtyTddPhone": "TTYTDDPhoneNumbers",
        "BusinessFax": "WorkFaxes",
    }
)
"""Kinds of number of a contact, and the element of a persona that has them."""
_PHONE_TYPES = MappingProxyType({"BusinessPhone": "Business", "MobilePhone": "Mobile", "HomePhone": "Home"})
_TEXTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "DisplayName": ("DisplayName", "DisplayNames"),
        "FileAs": ("FileAs", "FileAses"),
        "FileAsMapping": ("FileAsId", "FileAsIds"),
        "GivenName": ("GivenName", "GivenNames"),
        "MiddleName": ("MiddleName", "MiddleNames"),
        "Surname": ("Surname", "Surnames"),
        "Generation": ("Generation", "Generations"),
        "Nickname": ("Nickname", "Nicknames"),
        "JobTitle": ("Title", "Titles"),
        "Department": ("Department", "Departments"),
        "CompanyName": ("CompanyName", "CompanyNames"),
        "Initials": ("", "Initials"),
        "Manager": ("", "Managers"),
        "AssistantName": ("", "AssistantNames"),
        "Profession": ("", "Professions"),
        "SpouseName": ("", "SpouseNames"),
        "OfficeLocation": ("Location", "OfficeLocations"),
        "BusinessHomePage": ("", "BusinessHomePages"),
        "Birthday": ("", "Birthdays"),
        "WeddingAnniversary": ("", "WeddingAnniversaries"),
    }
)
"""Elements of a contact; the persona's one that has the text, and the one that has it with its attributions."""
_PARTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Title": ("DisplayNamePrefix", "DisplayNamePrefixes"),
        "YomiFirstName": ("YomiFirstName", "YomiFirstNames"),
        "YomiLastName": ("YomiLastName", "YomiLastNames"),
    }
)
"""The same of CompleteName."""
_ADDRESSES = MappingProxyType({"Business": "BusinessAddresses", "Home": "HomeAddresses", "Other": "OtherAddresses"})
_CITIES = MappingProxyType({"Home": "HomeCity", "Business": "WorkCity"})
_SORTED = ("DisplayNameFirstLast", "DisplayNameLastFirst", "CompanyName", "HomeCity", "WorkCity")
"""Elements beside which there is a key to sort by."""


def described(known: Mapping[str, Any], boxes: list[Value], source: Value) -> Value:
    """What follows from elements of a contact. `boxes`: EmailAddressTypes; `source`: the one attribution (PersonaAttributionType)."""
    value: Value = {"Attributions": {"Attribution": [source]}, "RelevanceScore": 2**31 - 1}
    attributed = {"Attributions": {"Attribution": [source["Id"]]}}
    value |= _texts(known, _TEXTS, attributed) | _texts(known.get("CompleteName") or {}, _PARTS, attributed)
    first, last, shown = (str(known.get(name) or "") for name in ("GivenName", "Surname", "DisplayName"))
    value["DisplayNameFirstLast"] = " ".join(filter(None, (first, last))) or shown or None
    value["DisplayNameLastFirst"] = ", ".join(filter(None, (last, first))) or shown or None
    if boxes:
        value["EmailAddress"], value["EmailAddresses"] = boxes[0], {"Address": boxes}
        for number, box in enumerate(boxes[:3], 1):
            value[f"Emails{number}"] = {"EmailAddressAttributedValue": [{"Value": box, **attributed}]}
    value |= _phones(known, attributed) | _postal(known, attributed) | _rest(known, attributed)
    for number, entry in enumerate((known.get("ImAddresses") or {}).get("Entry", ())[:3], 1):
        value.setdefault("ImAddress", entry[""])
        value[f"ImAddresses{number if number > 1 else ''}"] = {"StringAttributedValue": [{"Value": entry[""], **attributed}]}
    value |= _sorting(value)
    return {name: one for name, one in value.items() if one is not None}


def _texts(known: Mapping[str, Any], names: Mapping[str, tuple[str, str]], attributed: Value) -> Value:
    value: Value = {}
    for element, (plain, several) in names.items():
        given = known.get(element)
        text = given.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(given, datetime) else given
        if text:
            value[several] = {"StringAttributedValue": [{"Value": text, **attributed}]}
            if plain:
                value[plain] = text
    return value


def _phones(known: Mapping[str, Any], attributed: Value) -> Value:
    value: Value = {}
    for entry in (known.get("PhoneNumbers") or {}).get("Entry", ()):
        kind = entry["@Key"]
        if not entry.get("") or kind not in _PHONES:
            continue
        number = {"Number": entry[""], "Type": _PHONE_TYPES.get(kind, "Other")}
        value.setdefault("PhoneNumber", number)
        value[_PHONES[kind]] = {"PhoneNumberAttributedValue": [{"Value": number, **attributed}]}
    return value


def _postal(known: Mapping[str, Any], attributed: Value) -> Value:
    value: Value = {}
    for entry in (known.get("PhysicalAddresses") or {}).get("Entry", ()):
        kind = entry["@Key"]
        lines = {name: entry.get(name) for name in ("Street", "City", "State", "PostalCode")}
        one = {name: text for name, text in (lines | {"Country": entry.get("CountryOrRegion")}).items() if text}
        if not one or kind not in _ADDRESSES:
            continue
        written = ", ".join(one[name] for name in ("Street", "PostalCode", "City", "State", "Country") if name in one)
        whole = one | {"Type": kind, "FormattedAddress": written}
        value[_ADDRESSES[kind]] = {"PostalAddressAttributedValue": [{"Value": whole, **attributed}]}
        if kind in _CITIES and "City" in one:
            value[_CITIES[kind]] = one["City"]
    return value


def _rest(known: Mapping[str, Any], attributed: Value) -> Value:
    value: Value = {}
    children = (known.get("Children") or {}).get("String")
    if children:
        value["Children"] = {"StringArrayAttributedValue": [{"Values": {"Value": list(children)}, **attributed}]}
    body = known.get("Body") or {}
    if body.get("", "").strip():
        content = {"Value": body[""], "BodyType": body.get("@BodyType", "Text")}
        value["Bodies"] = {"BodyContentAttributedValue": [{"Value": content, **attributed}]}
    return value


def _sorting(value: Mapping[str, Any]) -> Value:
    """Keys to sort by, and the letters under which names are listed: the first in upper case, "#" for what begins with none (our choice)."""
    made: Value = {f"{name}SortKey": value.get(name) for name in _SORTED}
    for name in _SORTED[:2]:
        letter = str(value.get(name) or "")[:1].upper()
        made[f"{name}Header"] = (letter if letter.isalpha() else "#") if letter else None
    return made
