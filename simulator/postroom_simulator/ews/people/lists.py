"""Members of distribution lists, public ones of the directory and private ones of a contacts folder (ews reference 12; MS-OXWSDLIST)."""

from __future__ import annotations

from postroom_simulator.directory import Group
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.items.finding import find_item
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import properties_of
from postroom_simulator.ews.people.book import mailbox_value

__all__ = ["expand"]


def expand(call: Call, value: Value) -> list[Value]:
    """The mailboxes one level below a list: lists in it are not expanded. Raises EwsError."""
    if "ItemId" in value:
        return _private(call, value["ItemId"])
    address = value.get("EmailAddress", "")
    address = address[5:] if address[:5].lower() == "smtp:" else address
    found = call.world.directory.get(address)
    if not isinstance(found, Group):
        raise EwsError("ErrorNameResolutionNoResults")
    return [member(call, one) for one in found.members]


def _private(call: Call, reference: Value) -> list[Value]:
    item = find_item(call, reference)
    if kind_of(item.item_class).element != "DistributionList":
        raise EwsError("ErrorInvalidItemForOperationExpandDL")
    members = (properties_of(call, item).get("Members") or {}).get("Member", ())
    return [dict(one["Mailbox"]) for one in members if one.get("Mailbox")]


def member(call: Call, address: str) -> Value:
    """A member of a public list by its address: somebody of the directory, or an address elsewhere."""
    found = call.world.directory.get(address)
    if found is not None:
        return mailbox_value(found)
    return {"Name": address, "EmailAddress": address, "RoutingType": "SMTP", "MailboxType": "Contact"}
