"""People as FindPeople and GetPersona show them: a persona for each contact, and for each entry of the directory (ews reference 12; MS-OXWSPERS)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from postroom_simulator.directory import Account, canonical
from postroom_simulator.errors import StoreError
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Extended, Path
from postroom_simulator.ews.folders import folder_id
from postroom_simulator.ews.ids import Id, Kind, change_key, mailbox_number, parse_id, write_id
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id, item_value, properties_of
from postroom_simulator.ews.people.book import Entry, contact_value, entries, mailbox_value
from postroom_simulator.ews.people.describing import described
from postroom_simulator.ews.shapes import Shape
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item

__all__ = ["ALL", "DEFAULT", "find_persona", "of_contacts", "of_directory", "persona_by_address", "shaped", "with_properties"]

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


def of_contacts(call: Call, folder: Folder) -> Iterator[Value]:
    """The personas of a contacts folder, with everything there is of them."""
    for item in call.store.items(folder.uid):
        if ASSOCIATED not in item.flags and kind_of(item.item_class).element in ("Contact", "DistributionList"):
            yield _of_item(call, item)


def of_directory(call: Call) -> Iterator[Value]:
    for entry in entries(call.world.directory):
        yield _of_entry(call, entry)


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
    return value | described(known, boxes, source)


def _of_entry(call: Call, entry: Entry) -> Value:
    text = write_id(Id(Kind.PERSONA, mailbox_number(canonical(entry.address)), 0))
    known = contact_value(call, entry, "Default")
    if entry.profile.notes:
        known["Body"] = {"@BodyType": "Text", "": entry.profile.notes}
    identity = {"@Id": text}
    value: Value = {"PersonaId": identity, "PersonaType": "Person" if isinstance(entry, Account) else "DistributionList"}
    source = {"Id": "0", "SourceId": identity, "DisplayName": "Global Address List", "IsWritable": False}
    return value | described(known, [mailbox_value(entry)], source | {"IsQuickContact": False, "IsHidden": False})


def shaped(persona: Value, names: frozenset[str] | None) -> Value:
    """With these elements only, None: with all; the id is always there."""
    if names is None:
        return persona
    return {name: one for name, one in persona.items() if name in names or name == "PersonaId"}


def with_properties(call: Call, persona: Value, paths: Iterable[Path]) -> Value:
    """With the extended properties that are named; of somebody of the directory there are none."""
    wanted = [path for path in paths if isinstance(path, Extended)]
    source = persona["Attributions"]["Attribution"][0]
    if not wanted or not source["IsWritable"]:
        return persona
    item = call.store.item(parse_id(source["SourceId"]["@Id"]).uid)
    shown = item_value(call, item, Shape(paths=tuple(wanted)))[1].get("ExtendedProperty") or ()
    attributed = {"Attributions": {"Attribution": [source["Id"]]}}
    found = [{"Value": one, **attributed} for one in shown]
    return persona | {"ExtendedProperties": {"ExtendedPropertyAttributedValue": found}} if found else persona


def find_persona(call: Call, reference: Value) -> Value:
    """By a PersonaId. Raises EwsError."""
    parsed = parse_id(reference.get("@Id", ""))
    if parsed.kind is not Kind.PERSONA:
        raise EwsError("ErrorInvalidId")
    if not parsed.uid:
        for entry in entries(call.world.directory):
            if mailbox_number(canonical(entry.address)) == parsed.mailbox:
                return _of_entry(call, entry)
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
    return _of_entry(call, found)
