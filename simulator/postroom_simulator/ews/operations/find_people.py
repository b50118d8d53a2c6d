"""FindPeople (MS-OXWSPERS 3.1.4.1, ews reference 12): people of a contacts folder, or of the directory."""

from __future__ import annotations

from collections.abc import Iterable

from postroom_simulator.directory import canonical
from postroom_simulator.ews.archive import in_archive
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Field, Path
from postroom_simulator.ews.folders import folder_element, target_folder
from postroom_simulator.ews.people.filtering import matches, ordered
from postroom_simulator.ews.people.names import matcher
from postroom_simulator.ews.people.personas import ALL, DEFAULT, of_contacts, of_directory, shaped, with_properties
from postroom_simulator.ews.shapes import paths_of
from postroom_simulator.store.interface import Role


def handle(call: Call, request: Value) -> Value:
    try:
        found = _find(call, request)
        page, offset = _page(found, request["IndexedPageItemView"])
        shape = request.get("PersonaShape") or {"BaseShape": "Default"}
        paths = paths_of(shape.get("AdditionalProperties"))
        names = _names(shape["BaseShape"], paths)
        shown = [shaped(with_properties(call, one, paths), names) for one in page]
    except EwsError as error:
        return failure(error, People={}, TotalNumberOfPeopleInView=0, FirstMatchingRowIndex=0, FirstLoadedRowIndex=0)
    return success(
        People={"Persona": shown},
        TotalNumberOfPeopleInView=len(found),
        FirstMatchingRowIndex=offset,
        FirstLoadedRowIndex=offset,
    )


def _find(call: Call, request: Value) -> list[Value]:
    found: Iterable[Value] = _everybody(call, request)
    if request.get("QueryString"):
        fits = matcher(request["QueryString"])
        found = [one for one in found if fits(*_texts(one))]
    for restriction in (request.get("Restriction"), request.get("AggregationRestriction")):
        if restriction is not None:
            found = [one for one in found if matches(restriction, one)]
    return ordered(request.get("SortOrder"), found)


def _everybody(call: Call, request: Value) -> Iterable[Value]:
    """Of the folder; of the directory where the folder is that one; of both where none is named, or as the sources say (2016)."""
    parent = request.get("ParentFolderId")
    if parent is None:
        sources = (request.get("QuerySources") or {}).get("Source") or ["Mailbox", "Directory"]
        found = list(_of_all_contacts(call, canonical(call.account.address))) if "Mailbox" in sources else []
        return [*found, *of_directory(call)] if "Directory" in sources else found
    folder = target_folder(call, parent, "read")
    if folder.role is Role.DIRECTORY:
        return of_directory(call)
    if folder.role in (Role.ROOT, Role.TOP, Role.MY_CONTACTS):
        return _of_all_contacts(call, folder.account)
    if folder_element(folder) != "ContactsFolder":
        raise EwsError("ErrorInvalidFolderTypeForOperation")
    return of_contacts(call, folder)


def _of_all_contacts(call: Call, account: str) -> Iterable[Value]:
    """Of the mailbox; an archive is another."""
    for folder in call.store.folders(account):
        if folder_element(folder) == "ContactsFolder" and not in_archive(call.store, folder):
            yield from of_contacts(call, folder)


def _texts(persona: Value) -> tuple[list[str], list[str]]:
    names = [
        str(persona.get(name) or "") for name in ("DisplayName", "FileAs", "DisplayNameFirstLast", "Nickname", "CompanyName")
    ]
    return names, [one["EmailAddress"] for one in (persona.get("EmailAddresses") or {}).get("Address", ())]


def _page(found: list[Value], view: Value) -> tuple[list[Value], int]:
    offset, most = view["@Offset"], view.get("@MaxEntriesReturned", 1000)
    if offset < 0 or most < 1:
        raise EwsError("ErrorInvalidIndexedPagingParameters")
    if view.get("@BasePoint") == "End":
        end = max(len(found) - offset, 0)
        return found[max(end - most, 0) : end], max(end - most, 0)
    return found[offset : offset + most], offset


def _names(base: str, paths: Iterable[Path]) -> frozenset[str] | None:
    if base == ALL:
        return None
    asked = {path.element for path in paths if isinstance(path, Field)}
    return frozenset(asked | {"ExtendedProperties"} | set(DEFAULT if base == "Default" else ()))
