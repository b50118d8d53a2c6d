"""ResolveNames (MS-OXWSRSLNM 3.1.4.1, ews reference 12)."""

from __future__ import annotations

from postroom_simulator.directory import canonical
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import find_folder, folder_element
from postroom_simulator.ews.items.view import item_value
from postroom_simulator.ews.people.book import contact_value, mailbox_value
from postroom_simulator.ews.people.names import LIMIT, in_contacts, in_directory
from postroom_simulator.ews.shapes import Shape
from postroom_simulator.store.interface import Folder, Role

_SCOPES = {
    "ActiveDirectory": ("directory",),
    "ActiveDirectoryContacts": ("directory", "contacts"),
    "Contacts": ("contacts",),
    "ContactsActiveDirectory": ("contacts", "directory"),
}


def handle(call: Call, request: Value) -> Value:
    """One message for each name; the schema has one name, exchangelib sends several. Where both places are searched, what is found in the first
    comes first."""

    def one(typed: str) -> Value:
        try:
            return _resolve(call, request, typed)
        except EwsError as error:
            return failure(error, **(error.payload or {}))

    return {"ResponseMessages": [("ResolveNamesResponseMessage", one(typed)) for typed in request["UnresolvedEntry"]]}


def _resolve(call: Call, request: Value, typed: str) -> Value:
    folder = _folder(call, request.get("ParentFolderIds") or [])
    found: list[Value] = []
    matched = False
    for place in _SCOPES[request.get("@SearchScope", "ActiveDirectoryContacts")]:
        search = _directory if place == "directory" else _contacts
        resolutions, some = search(call, request, folder, typed)
        found += resolutions
        matched = matched or some
    if not found:
        raise EwsError("ErrorNameResolutionNoMailbox" if matched else "ErrorNameResolutionNoResults")
    found_set: Value = {
        "@IncludesLastItemInRange": len(found) <= LIMIT,
        "@TotalItemsInView": min(len(found), LIMIT),
        "Resolution": found[:LIMIT],
    }
    if len(found) > 1:
        raise EwsError("ErrorNameResolutionMultipleResults", warning=True, payload={"ResolutionSet": found_set})
    return success(ResolutionSet=found_set)


def _folder(call: Call, references: list[tuple[str, Value]]) -> Folder:
    """The one folder of contacts that is searched."""
    if len(references) > 1:
        raise EwsError("ErrorResolveNamesOnlyOneContactsFolderAllowed")
    if not references:
        return call.store.folder(canonical(call.account.address), Role.CONTACTS)
    folder = find_folder(call, *references[0])
    if folder_element(folder) != "ContactsFolder":
        raise EwsError("ErrorResolveNamesInvalidFolderType")
    return folder


def _directory(call: Call, request: Value, _: Folder, typed: str) -> tuple[list[Value], bool]:
    full = request["@ReturnFullContactData"]
    found = []
    for entry in in_directory(call.world.directory, typed):
        resolution: Value = {"Mailbox": mailbox_value(entry)}
        if full:
            resolution["Contact"] = contact_value(call, entry, request.get("@ContactDataShape", "Default"))
        found.append(resolution)
    return found, bool(found)


def _contacts(call: Call, request: Value, folder: Folder, typed: str) -> tuple[list[Value], bool]:
    found: list[Value] = []
    matched = False
    shape = Shape(request.get("@ContactDataShape", "Default"))
    for item, mailboxes in in_contacts(call, folder, typed):
        matched = True
        for mailbox in mailboxes:
            resolution: Value = {"Mailbox": mailbox}
            if request["@ReturnFullContactData"] and mailbox["MailboxType"] == "Contact":
                resolution["Contact"] = item_value(call, item, shape)[1]
            found.append(resolution)
    return found, matched
