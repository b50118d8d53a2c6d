"""GetSearchableMailboxes (ews reference 4; MS-OXWSEDISC 3.1.4.1): the mailboxes that somebody with the role MailboxSearch may search."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import NAMESPACE_URL, uuid5

from postroom_simulator.directory import Account, Group, canonical
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.identity import roles_of
from postroom_simulator.ews.people.book import Entry, display_name, entries
from postroom_simulator.ews.people.names import in_directory
from postroom_simulator.ews.people.tips import members


def handle(call: Call, request: Value) -> Value:
    """All, or those that the filter finds (as ResolveNames does); with ExpandGroupMembership the members of groups in place of groups."""
    if "MailboxSearch" not in roles_of(call.service, call.account):
        return failure(EwsError("ErrorAccessDenied"), SearchableMailboxes={}, FailedMailboxes={})
    directory, asked = call.world.directory, (request.get("SearchFilter") or "").strip()
    found: list[Entry] = in_directory(directory, asked) if asked else list(entries(directory))
    if request.get("ExpandGroupMembership"):
        found = list({canonical(one.address): one for one in _expanded(call, found)}.values())
    return success(SearchableMailboxes={"SearchableMailbox": [_shown(one) for one in found]}, FailedMailboxes={})


def _expanded(call: Call, found: list[Entry]) -> Iterator[Entry]:
    for entry in found:
        if isinstance(entry, Account):
            yield entry
            continue
        for address in sorted(members(call, entry)):
            member = call.world.directory.get(address)
            if member is not None:
                yield member


def _shown(entry: Entry) -> Value:
    """A SearchableMailboxType. The GUID is the same for one address in every world."""
    local = entry.address.partition("@")[0]
    return {
        "Guid": str(uuid5(NAMESPACE_URL, f"mailbox:{canonical(entry.address)}")),
        "PrimarySmtpAddress": entry.address,
        "IsExternalMailbox": False,
        "ExternalEmailAddress": "",
        "DisplayName": display_name(entry),
        "IsMembershipGroup": isinstance(entry, Group),
        "ReferenceId": f"/o=Postroom/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={local}",
    }
