"""Folders that show what somebody else shares: kept beside the folder, as `Folder.properties["shared"]` (MS-OXWSMSHR).

A sharing folder copies the items of the owner's calendar or contacts that the reader's permissions there show; nothing leaves the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews.call import Call
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.permissions import sharing_rights
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item, Role

__all__ = ["ROLES", "refresh", "sharing_folder"]

ROLES: Mapping[str, Role] = MappingProxyType({"Calendar": Role.CALENDAR, "Contacts": Role.CONTACTS})
"""By SharingDataType."""


def _shared(folder: Folder) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = (folder.properties or {}).get("shared")
    return found


def source_of(call: Call, owner: Account, data: str) -> Folder:
    """The owner's folder of that kind, when the caller may read in it. Raises EwsError."""
    folder = call.store.folder(canonical(owner.address), ROLES[data])
    if sharing_rights(folder, call.account.address) == "None":
        raise EwsError("ErrorAccessDenied")
    return folder


def sharing_folder(call: Call, source: Folder) -> Folder:
    """The caller's folder that shows `source`; made, beside the caller's own of that kind, where there is none."""
    mine = canonical(call.account.address)
    for folder in call.store.folders(mine):
        if (_shared(folder) or {}).get("uid") == source.uid:
            return folder
    parent = call.store.folder(mine, source.role)
    name = f"{call.world.directory.account(source.account).name or source.account}: {source.name}"
    made = call.store.create_folder(parent.uid, name, source.folder_class)
    return call.store.set_folder(made.uid, properties={"shared": {"uid": source.uid, "items": {}}})


def refresh(call: Call, folder: Folder) -> None:
    """Make the folder show what is shared now: what is new is copied, what changed is copied again, what is gone goes. Raises EwsError."""
    shared = _shared(folder)
    if shared is None:
        raise EwsError("ErrorInvalidFolderTypeForOperation")
    source = call.store.folder_by_uid(shared["uid"])
    rights = sharing_rights(source, call.account.address)
    if rights == "None":
        raise EwsError("ErrorSharingSynchronizationFailed")
    copies: dict[int, tuple[int, int]] = dict(shared["items"]) if shared.get("rights") == rights else {}
    if not copies:
        call.store.delete([item.uid for item in call.store.items(folder.uid)])
    present = {item.uid: item for item in call.store.items(source.uid) if ASSOCIATED not in item.flags}
    there = {item.uid for item in call.store.items(folder.uid)}
    for uid, (copy, change) in list(copies.items()):
        if uid not in present or present[uid].change != change or copy not in there:
            if copy in there:
                call.store.delete([copy])
            del copies[uid]
    for uid, item in present.items():
        if uid not in copies:
            copies[uid] = (_show(call, item, folder, rights).uid, item.change)
    call.store.set_folder(
        folder.uid, properties={**(folder.properties or {}), "shared": {**shared, "items": copies, "rights": rights}}
    )


_TIMES = ("Start", "End", "StartTimeZone", "EndTimeZone", "IsAllDayEvent", "LegacyFreeBusyStatus", "Recurrence")
_SUBJECTS = ("Subject", "Location")


def _show(call: Call, item: Item, folder: Folder, rights: str) -> Item:
    """A copy with what may be seen: all of it, times with subject and location, times. Of what is private only times are seen."""
    properties = item.properties or {}
    private = properties.get("Sensitivity", "Normal") in ("Private", "Confidential")
    if rights == "FullDetails" and not private:
        return call.store.copy(item.uid, folder.uid)
    names = _TIMES if private or rights == "TimeOnly" else (*_TIMES, *_SUBJECTS)
    shown = {name: properties[name] for name in names if name in properties}
    shown.setdefault("Subject", "Private" if private else str(shown.get("LegacyFreeBusyStatus", "Busy")))
    return call.store.create(folder.uid, item.item_class, shown)
