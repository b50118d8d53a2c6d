"""Whom a mailbox is entrusted to: delegates in the directory, their levels in the permissions of its folders (ews reference 15; MS-OXWSDLGM)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from postroom_simulator.directory import Account, canonical
from postroom_simulator.ews import permissions
from postroom_simulator.ews.call import Call, Value, failure, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.identity import sid_of
from postroom_simulator.people import Delegate
from postroom_simulator.store.interface import Folder, Role

__all__ = ["add", "answer_each", "change_each", "delegate_value", "owner_of", "remove", "update", "user_of"]

FOLDERS: Mapping[str, Role] = MappingProxyType(
    {
        "CalendarFolderPermissionLevel": Role.CALENDAR,
        "TasksFolderPermissionLevel": Role.TASKS,
        "InboxFolderPermissionLevel": Role.INBOX,
        "ContactsFolderPermissionLevel": Role.CONTACTS,
        "NotesFolderPermissionLevel": Role.NOTES,
        "JournalFolderPermissionLevel": Role.JOURNAL,
    }
)
"""The folders of which a delegate has a level each."""
_LEVELS = ("None", "Reviewer", "Author", "Editor")
"""Levels that delegates are given; any other is shown as Custom."""
_SID = re.compile(r"S-1-\d{1,14}(-\d{1,10}){1,15}", re.IGNORECASE)


def owner_of(call: Call, value: Value) -> Account:
    """The mailbox that a request is about: one's own only. Raises EwsError."""
    address = value.get("EmailAddress", "")
    found = call.world.directory.get(address) if address else call.account
    if not isinstance(found, Account):
        raise EwsError("ErrorNonExistentMailbox")
    if found is not call.account:
        raise EwsError("ErrorAccessDenied")
    return found


def user_of(call: Call, value: Value) -> Account:
    """By a UserIdType: a SID, an address, or a name that only one account has. Raises EwsError."""
    if value.get("SID"):
        if not _SID.fullmatch(value["SID"]):
            raise EwsError("ErrorInvalidUserSid")
        found = next((one for one in call.world.directory.accounts() if sid_of(one) == value["SID"].upper()), None)
    elif value.get("PrimarySmtpAddress"):
        entry = call.world.directory.get(value["PrimarySmtpAddress"])
        found = entry if isinstance(entry, Account) else None
    elif value.get("DisplayName"):
        same = [one for one in call.world.directory.named(value["DisplayName"]) if isinstance(one, Account)]
        found = same[0] if len(same) == 1 else None
    else:
        raise EwsError("ErrorInvalidDelegateUserId")
    if found is None:
        raise EwsError("ErrorDelegateNoUser")
    return found


def answer_each(inputs: list[Value], act: Callable[[Value], Value | None]) -> Value:
    """The payload of an answer about delegates: one message for each."""
    messages = []
    for one in inputs:
        try:
            made = act(one)
            messages.append(success(DelegateUser=made) if made is not None else success())
        except EwsError as error:
            messages.append(failure(error))
    return {"ResponseMessages": {"DelegateUserResponseMessageType": messages}} if messages else {}


def change_each(call: Call, request: Value, act: Callable[[Call, Account, Value], Value]) -> Value:
    """The answer of AddDelegate and UpdateDelegate: `act` for each user, then who gets meeting requests."""
    try:
        owner = owner_of(call, request["Mailbox"])
    except EwsError as error:
        return failure(error)
    users = (request.get("DelegateUsers") or {}).get("DelegateUser", [])
    messages = answer_each(users, lambda one: act(call, owner, one))
    if request.get("DeliverMeetingRequests"):
        owner.delegation.meeting_requests = request["DeliverMeetingRequests"]
    return success(**messages)


def delegate_value(call: Call, owner: Account, delegate: Delegate, *, levels: bool) -> Value:
    """A DelegateUserType. Raises EwsError for somebody who has left."""
    found = call.world.directory.get(delegate.address)
    if not isinstance(found, Account):
        raise EwsError("ErrorDelegateNoUser")
    value: Value = {
        "UserId": {"SID": sid_of(found), "PrimarySmtpAddress": found.address, "DisplayName": found.name or found.address},
        "ReceiveCopiesOfMeetingMessages": delegate.meeting_copies,
        "ViewPrivateItems": delegate.private_items,
    }
    if levels:
        value["DelegatePermissions"] = {name: _level(call, owner, role, found) for name, role in FOLDERS.items()}
    return value


def _folder(call: Call, owner: Account, role: Role) -> Folder:
    return call.store.folder(canonical(owner.address), role)


def _level(call: Call, owner: Account, role: Role, user: Account) -> str:
    entries = {one.user: one for one in permissions.permissions_of(_folder(call, owner, role))}
    entry = entries.get(canonical(user.address))
    if entry is None:
        return "None"
    return entry.level if entry.level in _LEVELS else "Custom"


def _known(owner: Account, user: Account) -> Delegate:
    found = owner.delegation.delegates.get(canonical(user.address))
    if found is None:
        raise EwsError("ErrorNotDelegate")
    return found


def _set_levels(call: Call, owner: Account, user: Account, levels: Value) -> None:
    for name, level in levels.items():
        folder = _folder(call, owner, FOLDERS[name])
        if level == "None":
            permissions.revoke(call.store, folder, user.address)
        elif level != "Custom":
            permissions.grant(call.store, folder, user.address, level)


def _check_levels(levels: Value, before: Mapping[str, str]) -> None:
    """Custom is an answer, not a wish; to send back what was got is allowed."""
    if any(level == "Custom" and before.get(name) != "Custom" for name, level in levels.items()):
        raise EwsError("ErrorInvalidDelegatePermission")


def add(call: Call, owner: Account, value: Value) -> Value:
    """A new delegate, from a DelegateUserType; in folders of which nothing is said there are no new rights. Raises EwsError."""
    user = user_of(call, value["UserId"])
    if user is owner:
        raise EwsError("ErrorDelegateCannotAddOwner")
    address = canonical(user.address)
    if address in owner.delegation.delegates:
        raise EwsError("ErrorDelegateAlreadyExists")
    levels = value.get("DelegatePermissions") or {}
    _check_levels(levels, {})
    delegate = Delegate(address, bool(value.get("ReceiveCopiesOfMeetingMessages")), bool(value.get("ViewPrivateItems")))
    owner.delegation.delegates[address] = delegate
    _set_levels(call, owner, user, levels)
    return delegate_value(call, owner, delegate, levels=True)


def update(call: Call, owner: Account, value: Value) -> Value:
    """What the request does not name stays. Raises EwsError."""
    user = user_of(call, value["UserId"])
    before = _known(owner, user)
    levels = value.get("DelegatePermissions") or {}
    _check_levels(levels, {name: _level(call, owner, role, user) for name, role in FOLDERS.items()})
    delegate = Delegate(
        before.address,
        bool(value.get("ReceiveCopiesOfMeetingMessages", before.meeting_copies)),
        bool(value.get("ViewPrivateItems", before.private_items)),
    )
    owner.delegation.delegates[before.address] = delegate
    _set_levels(call, owner, user, levels)
    return delegate_value(call, owner, delegate, levels=True)


def remove(call: Call, owner: Account, value: Value) -> None:
    """With the permissions in the six folders. Raises EwsError."""
    user = user_of(call, value)
    delegate = _known(owner, user)
    del owner.delegation.delegates[delegate.address]
    for role in FOLDERS.values():
        permissions.revoke(call.store, _folder(call, owner, role), user.address)


def get(call: Call, owner: Account, value: Value, *, levels: bool) -> Value:
    """One delegate. Raises EwsError."""
    return delegate_value(call, owner, _known(owner, user_of(call, value)), levels=levels)
