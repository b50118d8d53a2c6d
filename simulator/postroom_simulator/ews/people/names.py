"""A name that somebody typed, found in the directory and among contacts (ews reference 12; MS-OXWSRSLNM 3.1.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from postroom_simulator.directory import Account, Directory, canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id, properties_of
from postroom_simulator.ews.people.book import Entry, display_name, entries, parts_of_name
from postroom_simulator.store.interface import Folder, Item

__all__ = ["LIMIT", "Matcher", "in_contacts", "in_directory", "matcher"]

LIMIT = 100
"""Resolutions that an answer has."""

Matcher = Callable[[Iterable[str], Iterable[str]], bool]
"""Whether names and addresses of somebody fit what was typed."""


def matcher(typed: str) -> Matcher:
    """Prefixes, without regard to case: of a name, of its words (each typed word begins another word of it), of an alias, of an address.
    With "smtp:" before it, of an address alone."""
    text = " ".join(typed.split()).casefold()
    only_addresses = text.startswith("smtp:")
    text = text.removeprefix("smtp:").strip()
    words = text.split()

    def fits(names: Iterable[str], addresses: Iterable[str]) -> bool:
        if not text:
            return False
        if any(canonical(one).startswith(canonical(text)) for one in addresses if one):
            return True
        return not only_addresses and any(_begins(name.casefold(), text, words) for name in names if name)

    return fits


def _begins(name: str, text: str, words: list[str]) -> bool:
    if name.startswith(text):
        return True
    parts = name.replace(",", " ").split()
    for word in words:
        found = next((part for part in parts if part.startswith(word)), None)
        if found is None:
            return False
        parts.remove(found)
    return True


def in_directory(directory: Directory, typed: str) -> list[Entry]:
    """A whole address that somebody has means them alone (our choice, as the server looks for a proxy address first)."""
    whole = typed.strip()
    whole = whole[5:].strip() if whole[:5].lower() == "smtp:" else whole
    owner = directory.get(whole) if "@" in whole else None
    if owner is not None:
        return [] if owner.profile.hidden else [owner]
    fits = matcher(typed)
    return [entry for entry in entries(directory) if fits(_names(entry), _addresses(entry))]


def _names(entry: Entry) -> tuple[str, ...]:
    return display_name(entry), " ".join(parts_of_name(entry)), entry.address.rpartition("@")[0]


def _addresses(entry: Entry) -> tuple[str, ...]:
    return (entry.address, *(entry.aliases if isinstance(entry, Account) else ()))


def in_contacts(call: Call, folder: Folder, typed: str) -> Iterator[tuple[Item, list[Value]]]:
    """Items of a contacts folder that fit, each with its mailboxes: of a contact the addresses that fit, or by its name all of them (our
    choice); of a list one. A contact without address has none."""
    fits = matcher(typed)
    for item in call.store.items(folder.uid):
        if "associated" in item.flags:
            continue
        element = kind_of(item.item_class).element
        if element not in ("Contact", "DistributionList"):
            continue
        known = properties_of(call, item)
        addresses = [one for one in (known.get("EmailAddresses") or {}).get("Entry", ()) if one.get("")]
        names = [str(known.get(name) or "") for name in ("DisplayName", "FileAs", "GivenName", "Surname", "Nickname")]
        by_address = [one for one in addresses if fits((), (one[""],))]
        if not by_address and not fits(names, ()):
            continue
        name = names[0] or names[1]
        if element == "DistributionList":
            yield item, [{"Name": name, "RoutingType": "MAPIPDL", "MailboxType": "PrivateDL", "ItemId": item_id(item)}]
        else:
            yield item, [_mailbox(item, name, one) for one in by_address or addresses]


def _mailbox(item: Item, name: str, entry: Value) -> Value:
    return {
        "Name": entry.get("@Name") or name or entry[""],
        "EmailAddress": entry[""],
        "RoutingType": entry.get("@RoutingType") or "SMTP",
        "MailboxType": "Contact",
        "ItemId": item_id(item),
    }
