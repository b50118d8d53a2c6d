"""Contacts and lists put into a mailbox without a client, and looked at in tests.

add_contact(world, "ann@sim.test", GivenName="Zoe", Surname="Yew", emails=["zoe@yew.test"])
add_list(world, "ann@sim.test", "Chess club", ["bob@sim.test", "x@out.test"])
assert_contact(world, "ann@sim.test", Surname="Yew", EmailAddress1="zoe@yew.test")
"""

from __future__ import annotations

import base64
import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import properties_of
from postroom_simulator.ews.items.writing import new_properties, store_new
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import ASSOCIATED, Item, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["add_card", "add_contact", "add_list", "assert_contact", "call_for", "contacts_of", "flat"]

_COLLECTIONS = ("EmailAddresses", "PhoneNumbers", "ImAddresses", "PhysicalAddresses")


def call_for(world: World, address: str) -> Call:
    """A call that belongs to no request, in the newest version. Raises UnknownAccount."""
    account = world.directory.account(address)
    return Call(world, world.ews, account, account, max(Version), world.ews.server)


def _add(world: World, address: str, element: str, value: Value, role: Role | int) -> Item:
    call = call_for(world, address)
    with world.lock:
        folder = (
            call.store.folder(canonical(call.account.address), role)
            if isinstance(role, Role)
            else call.store.folder_by_uid(role)
        )
        return store_new(call, folder, new_properties(call, element, value), draft=False)


def add_contact(
    world: World,
    address: str,
    *,
    emails: Iterable[str] = (),
    phones: Mapping[str, str] | None = None,
    folder: Role | int = Role.CONTACTS,
    **elements: Any,
) -> Item:
    """A contact of `address`. `emails`: up to three, in order; `phones`: number by kind ("MobilePhone"); `elements`: those of ContactItemType, as
    values of the schema. Raises UnknownAccount, EwsError."""
    value = dict(elements)
    boxes = [{"@Key": f"EmailAddress{number}", "": text} for number, text in enumerate(emails, 1)]
    if boxes:
        value["EmailAddresses"] = {"Entry": boxes[:3]}
    if phones:
        value["PhoneNumbers"] = {"Entry": [{"@Key": kind, "": text} for kind, text in phones.items()]}
    return _add(world, address, "Contact", value, folder)


def add_card(world: World, address: str, octets: bytes, *, folder: Role | int = Role.CONTACTS) -> Item:
    """A contact from a vCard. Raises UnknownAccount, EwsError ErrorMimeContentInvalid."""
    return _add(world, address, "Contact", {"MimeContent": {"": base64.b64encode(octets).decode("ascii")}}, folder)


def add_list(world: World, address: str, name: str, members: Iterable[str], *, folder: Role | int = Role.CONTACTS) -> Item:
    """A private distribution list; `members` are addresses. Raises UnknownAccount, EwsError."""
    boxes = [{"Mailbox": {"EmailAddress": one}} for one in members]
    return _add(world, address, "DistributionList", {"DisplayName": name, "Members": {"Member": boxes}}, folder)


# -- looking


def contacts_of(world: World, address: str, folder: Role | int = Role.CONTACTS) -> list[dict[str, str]]:
    """The contacts of a folder as `flat` tells them, in the order in which they came. Raises UnknownAccount."""
    call = call_for(world, address)
    place = (
        call.store.folder(canonical(call.account.address), folder)
        if isinstance(folder, Role)
        else call.store.folder_by_uid(folder)
    )
    items = [item for item in call.store.items(place.uid) if ASSOCIATED not in item.flags]
    return [flat(properties_of(call, item)) for item in items if kind_of(item.item_class).element == "Contact"]


def flat(value: Mapping[str, Any]) -> dict[str, str]:
    """A contact's texts by element, the entries of its collections by key: {"Surname": ..., "EmailAddress1": ..., "MobilePhone": ..., "HomeCity": ...}."""
    found = {name: one for name, one in value.items() if isinstance(one, str)}
    for collection in _COLLECTIONS:
        for entry in (value.get(collection) or {}).get("Entry", ()):
            if collection == "PhysicalAddresses":
                found |= {f"{entry['@Key']}{part}": text for part, text in entry.items() if part != "@Key"}
            else:
                found[entry["@Key"]] = entry[""]
    return found


def assert_contact(world: World, address: str, folder: Role | int = Role.CONTACTS, **expected: str) -> dict[str, str]:
    """The one contact that has all these texts, named as in `flat`. AssertionError names the nearest one and what differs."""
    present = contacts_of(world, address, folder)
    found = [one for one in present if expected.items() <= one.items()]
    if len(found) == 1:
        return found[0]
    wanted = ", ".join(f"{name}={text!r}" for name, text in expected.items())
    if found:
        raise AssertionError(f"{len(found)} contacts of {address} have {wanted}")
    if not present:
        raise AssertionError(f"{address} has no contact at all; wanted: {wanted}")
    nearest = max(present, key=lambda one: sum(_likeness(text, one.get(name, "")) for name, text in expected.items()))
    differing = [f"{name}: {nearest.get(name)!r}, not {text!r}" for name, text in expected.items() if nearest.get(name) != text]
    raise AssertionError(
        f"none of {len(present)} contacts of {address} has {wanted}; the nearest one differs in " + "; ".join(differing)
    )


def _likeness(one: str, two: str) -> float:
    return difflib.SequenceMatcher(None, one, two).ratio()
