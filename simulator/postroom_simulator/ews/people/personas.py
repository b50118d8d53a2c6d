"""People as FindPeople and GetPersona show them: a persona for each contact, and for each entry of the directory (ews reference 12; MS-OXWSPERS)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import folder_id
from postroom_simulator.ews.ids import Id, Kind, change_key, mailbox_number, parse_id, write_id
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id, properties_of
from postroom_simulator.ews.people.book import Entry, display_name, entries, mailbox_value
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item

__all__ = ["ALL", "DEFAULT", "find_persona", "of_contacts", "of_directory", "persona_by_address", "shaped"]

DEFAULT = (
    "PersonaId",
    "PersonaType",
    "DisplayName",
    "DisplayNameFirstLast",
    "DisplayNameLastFirst",
    "FileAs",
    "GivenName",
    "Surname",
    "Title",
    "Department",
    "CompanyName",
    "EmailAddress",
    "EmailAddresses",
    "PhoneNumber",
    "ImAddress",
    "HomeCity",
    "WorkCity",
    "RelevanceScore",
)
"""What the Default shape holds (our choice of the plain ones)."""
ALL = "AllProperties"

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
    }
)
"""Elements of a contact; the persona's one that has the text, and the one that has it with its attributions."""


def of_contacts(call: Call, folder: Folder) -> Iterator[Value]:
    """The personas of a contacts folder, with everything there is of them."""
    for item in call.store.items(folder.uid):
        if ASSOCIATED not in item.flags and kind_of(item.item_class).element in ("Contact", "DistributionList"):
            yield _of_item(call, item)


def of_directory(call: Call) -> Iterator[Value]:
    for entry in entries(call.world.directory):
        yield _of_entry(entry)


def _of_item(call: Call, item: Item) -> Value:
    known = properties_of(call, item)
    text = write_id(Id(Kind.PERSONA, mailbox_number(item.account), item.uid))
    value: Value = {
        "PersonaId": {"@Id": text, "@ChangeKey": change_key(Kind.ITEM, item.change)},
        "PersonaType": "Person" if kind_of(item.item_class).element == "Contact" else "DistributionList",
        "CreationTime": item.created,
        "FolderIds": {"FolderId": [folder_id(call.store.folder_by_uid(item.folder))]},
    }
    boxes = [
        {"Name": one.get("@Name") or known.get("DisplayName") or one[""], "EmailAddress": one[""], "RoutingType": "SMTP"}
        | {"MailboxType": "Contact"}
        for one in (known.get("EmailAddresses") or {}).get("Entry", ())
        if one.get("")
    ]
    source = {"Id": "0", "SourceId": item_id(item), "DisplayName": "Contacts", "IsWritable": True}
    source |= {"IsQuickContact": False, "IsHidden": False, "FolderId": folder_id(call.store.folder_by_uid(item.folder))}
    return value | _described(known, boxes, source)


def _of_entry(entry: Entry) -> Value:
    profile = entry.profile
    text = write_id(Id(Kind.PERSONA, mailbox_number(canonical(entry.address)), 0))
    known = {
        "DisplayName": display_name(entry),
        "GivenName": profile.given_name,
        "Surname": profile.surname,
        "JobTitle": profile.title,
        "Department": profile.department,
        "CompanyName": profile.company,
        "OfficeLocation": profile.office,
        "PhoneNumbers": {"Entry": [{"@Key": kind, "": number} for kind, number in profile.phones.items()]},
        "PhysicalAddresses": {"Entry": [{"@Key": "Business", "City": profile.city}] if profile.city else []},
    }
    identity = {"@Id": text}
    value: Value = {"PersonaId": identity, "PersonaType": "Person" if isinstance(entry, Account) else "DistributionList"}
    source = {"Id": "0", "SourceId": identity, "DisplayName": "Global Address List", "IsWritable": False}
    return value | _described(known, [mailbox_value(entry)], source | {"IsQuickContact": False, "IsHidden": False})


def _described(known: Mapping[str, Any], boxes: list[Value], source: Value) -> Value:
    """What follows from elements of a contact. `source`: the one attribution."""
    value: Value = {"Attributions": {"Attribution": [source]}, "RelevanceScore": 2**31 - 1}
    attributed = {"Attributions": {"Attribution": [source["Id"]]}}
    for element, (plain, several) in _TEXTS.items():
        text = known.get(element)
        if text:
            value[several] = {"StringAttributedValue": [{"Value": text, **attributed}]}
            if plain:
                value[plain] = text
    first, last, shown = (str(known.get(name) or "") for name in ("GivenName", "Surname", "DisplayName"))
    value["DisplayNameFirstLast"] = " ".join(filter(None, (first, last))) or shown or None
    value["DisplayNameLastFirst"] = ", ".join(filter(None, (last, first))) or shown or None
    if boxes:
        value["EmailAddress"], value["EmailAddresses"] = boxes[0], {"Address": boxes}
        for number, box in enumerate(boxes[:3], 1):
            value[f"Emails{number}"] = {"EmailAddressAttributedValue": [{"Value": box, **attributed}]}
    value |= _phones(known, attributed)
    for address in (known.get("PhysicalAddresses") or {}).get("Entry", ()):
        name = {"Home": "HomeCity", "Business": "WorkCity"}.get(address["@Key"])
        if name and address.get("City"):
            value[name] = address["City"]
    for number, entry in enumerate((known.get("ImAddresses") or {}).get("Entry", ())[:3], 1):
        value.setdefault("ImAddress", entry[""])
        value[f"ImAddresses{number if number > 1 else ''}"] = {"StringAttributedValue": [{"Value": entry[""], **attributed}]}
    return {name: one for name, one in value.items() if one is not None}


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


def shaped(persona: Value, names: frozenset[str] | None) -> Value:
    """With these elements only, None: with all; the id is always there."""
    if names is None:
        return persona
    return {name: one for name, one in persona.items() if name in names or name == "PersonaId"}


def find_persona(call: Call, reference: Value) -> Value:
    """By a PersonaId. Raises EwsError."""
    parsed = parse_id(reference.get("@Id", ""))
    if parsed.kind is not Kind.PERSONA:
        raise EwsError("ErrorInvalidId")
    if not parsed.uid:
        for entry in entries(call.world.directory):
            if mailbox_number(canonical(entry.address)) == parsed.mailbox:
                return _of_entry(entry)
        raise EwsError("ErrorItemNotFound")
    try:
        item = call.store.item(parsed.uid)
        folder = call.store.folder_by_uid(item.folder)
    except StoreError:
        raise EwsError("ErrorItemNotFound") from None
    call.service.check_access(call, folder)
    return _of_item(call, item)


def persona_by_address(call: Call, address: str) -> Value:
    """Somebody of the directory. Raises EwsError."""
    found = call.world.directory.get(address)
    if found is None or found.profile.hidden:
        raise EwsError("ErrorItemNotFound")
    return _of_entry(found)
