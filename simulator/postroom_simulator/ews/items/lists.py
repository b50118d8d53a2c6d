"""Private distribution lists: their members, each with a key of its own and a status (ews reference 12; MS-OXWSDLIST)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.finding import find_item
from postroom_simulator.ews.items.mapi import Key, Mirror, element
from postroom_simulator.ews.people.book import mailbox_value
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["MIRRORS", "READ_ONLY", "derive", "member_value", "prepare", "update"]

Value = dict[str, Any]

READ_ONLY = frozenset({"FileAs", "ContactSource"})
"""Of the server."""
LIMIT = 5_000
"""Members of a private list (our choice)."""


def prepare(call: Call, properties: Value, _: bool) -> Value:
    """Raises EwsError."""
    return _checked(call, properties)


def update(call: Call, _: Item, before: Value, after: Value, __: Value) -> Value:
    return _checked(call, after) if after.get("Members") != before.get("Members") else after


def _checked(call: Call, properties: Value) -> Value:
    members = (properties.get("Members") or {}).get("Member", ())
    if len(members) > LIMIT:
        raise EwsError("ErrorPropertyUpdate", f"A distribution list has at most {LIMIT} members.")
    if not members:
        properties.pop("Members", None)
        return properties
    kept: dict[str, Value] = {}
    for member in members:
        value = member_value(call, member)
        kept.setdefault(value["@Key"], value)
    properties["Members"] = {"Member": list(kept.values())}
    return properties


def member_value(call: Call, member: Value) -> Value:
    """A MemberType as it is kept: who it is, found by address or item, with key and status. The same member has the same key."""
    mailbox, status = _known(call, dict(member.get("Mailbox") or {}))
    names = (
        mailbox.get("RoutingType", ""),
        canonical(mailbox.get("EmailAddress", "")),
        (mailbox.get("ItemId") or {}).get("@Id", ""),
    )
    digest = sha256("\0".join(names).encode("utf-8", "surrogatepass")).digest()
    return {"@Key": base64.b64encode(b"\0\0\0\0" + digest[:24]).decode("ascii"), "Mailbox": mailbox, "Status": status}


def _known(call: Call, mailbox: Value) -> tuple[Value, str]:
    """The member, and whether it is what it says: Demoted where the directory does not know it (any more), Unrecognized where it cannot be
    reached at all. Raises EwsError for a member that is nobody."""
    if "ItemId" in mailbox:
        return _item_member(call, mailbox)
    address = mailbox.get("EmailAddress", "")
    if not address:
        raise EwsError("ErrorInvalidRecipients", "A member needs an address or an item.")
    mailbox.setdefault("RoutingType", "SMTP")
    found = call.world.directory.get(address)
    if found is not None and mailbox.get("MailboxType") != "OneOff":
        return mailbox | mailbox_value(found) | {"Name": mailbox.get("Name") or mailbox_value(found)["Name"]}, "Normal"
    mailbox.setdefault("Name", address)
    claimed = mailbox.get("MailboxType", "OneOff")
    mailbox["MailboxType"] = "OneOff"
    if mailbox["RoutingType"].upper() == "SMTP" and "@" not in address.strip("@"):
        return mailbox, "Unrecognized"
    return mailbox, "Demoted" if claimed in ("Mailbox", "PublicDL") else "Normal"


def _item_member(call: Call, mailbox: Value) -> tuple[Value, str]:
    from postroom_simulator.ews.items.kinds import kind_of
    from postroom_simulator.ews.items.view import item_id, properties_of

    item = find_item(call, mailbox["ItemId"])
    known = properties_of(call, item)
    mailbox["ItemId"] = item_id(item)
    mailbox["Name"] = mailbox.get("Name") or known.get("DisplayName") or known.get("Subject") or "?"
    if kind_of(item.item_class).element == "DistributionList":
        return mailbox | {"MailboxType": "PrivateDL", "RoutingType": "MAPIPDL"}, "Normal"
    addresses = [one[""] for one in (known.get("EmailAddresses") or {}).get("Entry", ()) if one.get("")]
    mailbox |= {"MailboxType": "Contact", "RoutingType": "SMTP"}
    if "EmailAddress" not in mailbox and addresses:
        mailbox["EmailAddress"] = addresses[0]
    return mailbox, "Normal" if mailbox.get("EmailAddress") else "Unrecognized"


def derive(_: Call, __: Item, properties: Value) -> Value:
    shown = properties.get("DisplayName") or properties.get("Subject")
    if shown:
        properties["DisplayName"] = shown
        properties.setdefault("Subject", shown)
        properties["FileAs"] = shown
    return properties


MIRRORS: Mapping[Key, Mirror] = MappingProxyType(
    {
        ("", 0x3001): element("DisplayName"),
        ("address", 0x8053): element("DisplayName"),
        ("address", 0x8005): Mirror(lambda _, one: one.get("FileAs") or one.get("DisplayName")),
    }
)
"""Of distribution lists (MS-OXOCNTC 2.2.2)."""
