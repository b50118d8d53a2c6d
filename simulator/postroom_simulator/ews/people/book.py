"""The directory as clients see it: mailboxes and contacts of its accounts and groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from postroom_simulator.directory import Account, Directory, Group, canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError

__all__ = ["Entry", "account_of", "contact_value", "display_name", "entries", "mailbox_value", "parts_of_name"]

Entry = Account | Group

_ADDRESSES = 3
"""E-mail addresses that a contact has place for."""


def entries(directory: Directory) -> Iterator[Entry]:
    """Everybody whom searches of the address book find: accounts, then groups, in the order in which they came."""
    everybody: list[Entry] = [*directory.accounts(), *directory.groups()]
    for entry in everybody:
        if not entry.profile.hidden:
            yield entry


def display_name(entry: Entry) -> str:
    return entry.name or entry.address.rpartition("@")[0]


def parts_of_name(entry: Entry) -> tuple[str, str]:
    """Given name and surname. Where the profile has neither, those of the name that a person is shown by: the last word is the surname, or what is
    before a comma (our choice; LDAP clients of DavMail look for people by them). Rooms and groups have none."""
    profile = entry.profile
    if profile.given_name or profile.surname or not isinstance(entry, Account) or entry.is_room:
        return profile.given_name, profile.surname
    last, comma, first = (part.strip() for part in entry.name.partition(","))
    if comma:
        return first, last
    given, _, surname = last.rpartition(" ")
    return given.strip(), surname if given else ""


def mailbox_value(entry: Entry) -> Value:
    """An EmailAddressType."""
    kind = "Mailbox" if isinstance(entry, Account) else "PublicDL"
    return {"Name": display_name(entry), "EmailAddress": entry.address, "RoutingType": "SMTP", "MailboxType": kind}


def contact_value(call: Call, entry: Entry, shape: str) -> Value:
    """A ContactItemType from the directory; its addresses are prefixed, the primary one "SMTP:" and others "smtp:" (ews reference 12).

    shape: AllProperties adds what came with Exchange 2010 SP2 (alias, notes, photo, manager, reports)."""
    if shape == "IdOnly":
        return {"DisplayName": display_name(entry)}
    profile = entry.profile
    given, surname = parts_of_name(entry)
    value: Value = {
        "DisplayName": display_name(entry),
        "GivenName": given,
        "Initials": profile.initials,
        "Surname": surname,
        "CompanyName": profile.company,
        "EmailAddresses": {"Entry": _addresses(entry)},
        "PhysicalAddresses": _postal(entry),
        "PhoneNumbers": {"Entry": [{"@Key": kind, "": text} for kind, text in profile.phones.items() if text]},
        "AssistantName": profile.assistant,
        "ContactSource": "ActiveDirectory",
        "Department": profile.department,
        "JobTitle": profile.title,
        "OfficeLocation": profile.office,
        "Manager": _manager_name(call, entry),
    }
    if shape == "AllProperties":
        value |= _further(call, entry)
    return {name: one for name, one in value.items() if one not in ("", None, {"Entry": []}, {"Mailbox": []})}


def _addresses(entry: Entry) -> list[Value]:
    aliases = entry.aliases if isinstance(entry, Account) else ()
    texts = [f"SMTP:{entry.address}", *(f"smtp:{one}" for one in aliases)][:_ADDRESSES]
    return [{"@Key": f"EmailAddress{number}", "": text} for number, text in enumerate(texts, 1)]


def _postal(entry: Entry) -> Value | None:
    profile = entry.profile
    lines = {
        "Street": profile.street,
        "City": profile.city,
        "State": profile.state,
        "CountryOrRegion": profile.country,
        "PostalCode": profile.postal_code,
    }
    given = {name: text for name, text in lines.items() if text}
    return {"Entry": [{"@Key": "Business", **given}]} if given else None


def _manager_name(call: Call, entry: Entry) -> str | None:
    found = call.world.directory.get(entry.profile.manager) if entry.profile.manager else None
    return display_name(found) if found is not None else None


def _further(call: Call, entry: Entry) -> Value:
    directory = call.world.directory
    manager = directory.get(entry.profile.manager) if entry.profile.manager else None
    reports = [one for one in directory.accounts() if one.profile.manager and directory.get(one.profile.manager) is entry]
    return {
        "Alias": entry.address.rpartition("@")[0],
        "Notes": entry.profile.notes,
        "HasPicture": bool(entry.profile.photo),
        "Photo": entry.profile.photo or None,
        "DirectoryId": str(uuid5(NAMESPACE_URL, f"mailto:{canonical(entry.address)}")),
        "ManagerMailbox": {"Mailbox": mailbox_value(manager)} if manager is not None else None,
        "DirectReports": {"Mailbox": [mailbox_value(one) for one in reports]},
    }


def account_of(call: Call, value: Any, *, error: str = "ErrorNonExistentMailbox") -> Account:
    """Whose mailbox an address or a mailbox element (EmailAddressType, EmailAddress of availability) means. Raises EwsError `error`."""
    address = value if isinstance(value, str) else str(value.get("EmailAddress") or value.get("Address") or "")
    found = call.world.directory.get(address)
    if not isinstance(found, Account):
        raise EwsError(error)
    return found
