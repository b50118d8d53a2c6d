"""What is done to conversations: now, and to what comes later (MS-OXWSCONV 3.1.4.1, ews reference 8).

The actions that begin with Always are remembered with the account and carried out where mail is delivered (`conversation_actions`); one without its
object - AlwaysMove without a folder, AlwaysCategorize without categories, AlwaysDelete with EnableAlwaysDelete false - ends that, as the Managed API
asks for it. Everything is done before the answer, whatever ProcessRightAway says (our choice).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from uuid import UUID

from postroom_simulator.directory import Always, canonical
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.conversations import items_of_conversation, number_of
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import target_folder
from postroom_simulator.ews.items.deleting import dispose
from postroom_simulator.ews.items.finding import check_right
from postroom_simulator.ews.items.keeping import aware, own, save
from postroom_simulator.ews.items.leaving import move
from postroom_simulator.ews.items.moving import check_target
from postroom_simulator.ews.items.receipts import acknowledge
from postroom_simulator.store.interface import Folder, Item

__all__ = ["apply"]


def apply(call: Call, action: Value) -> None:
    """Raises EwsError."""
    number = number_of(action["ConversationId"])
    _ACTIONS[action["Action"]](call, action, number, _items(call, action, number))


def _items(call: Call, action: Value, number: int) -> list[Item]:
    """What there is: in the folder that is named, else wherever it counts; up to the time that is named."""
    account = canonical(call.account.address)
    if "ContextFolderId" in action:
        context = target_folder(call, action["ContextFolderId"])
        items = items_of_conversation(call, context.account, number, scope="All", without=frozenset())
        items = [item for item in items if item.folder == context.uid]
    else:
        items = items_of_conversation(call, account, number)
    last = aware(action.get("ConversationLastSyncTime"))
    return items if last is None else [item for item in items if item.received <= last]


def _remember(call: Call, number: int, **what: Any) -> None:
    known = call.account.conversations
    after = replace(known.get(number, Always()), **what)
    if after == Always():
        known.pop(number, None)
    else:
        known[number] = after


# -- once


def _delete(call: Call, action: Value, _: int, items: list[Item]) -> None:
    for item in items:
        check_right(call, item, "delete")
        dispose(call, item, action.get("DeleteType", "MoveToDeletedItems"))


def _target(call: Call, action: Value) -> Folder:
    target = target_folder(call, action.get("DestinationFolderId") or {}, "create", missing="ErrorToFolderNotFound")
    check_target(target)
    return target


def _move(call: Call, action: Value, _: int, items: list[Item]) -> None:
    target = _target(call, action)
    for item in items:
        check_right(call, item, "delete")
        move(call, item, target)


def _copy(call: Call, action: Value, _: int, items: list[Item]) -> None:
    target = _target(call, action)
    for item in items:
        check_right(call, item, "read")
        call.store.copy(item.uid, target.uid)


def _read(call: Call, action: Value, _: int, items: list[Item]) -> None:
    read = _given(action, "IsRead")
    for item in items:
        check_right(call, item, "edit")
        if item.read != read:
            call.store.set_read([item.uid], read)
            if read:
                acknowledge(call, call.store.item(item.uid), send=not action.get("SuppressReadReceipts"))


def _set(call: Call, items: list[Item], change: Callable[[Value], Value]) -> None:
    for item in items:
        check_right(call, item, "edit")
        before = own(call.store, item)
        save(call, item, before, change(dict(before)))


def _flag(call: Call, action: Value, _: int, items: list[Item]) -> None:
    flag = _given(action, "Flag")
    _set(call, items, lambda value: value | {"Flag": flag})


def _retain(call: Call, action: Value, _: int, items: list[Item]) -> None:
    """A tag of the kind that the action names; without a tag the items have none of that kind any more."""
    name = {"Delete": "PolicyTag", "Archive": "ArchiveTag"}[_given(action, "RetentionPolicyType")]
    text = (action.get("RetentionPolicyTagId") or "").strip()
    tag = None
    if text:
        try:
            tag = {"@IsExplicit": True, "": str(UUID(text))}
        except ValueError:
            raise EwsError("ErrorInvalidRetentionTagIdGuid") from None
        _check_tag(call, tag[""], archive=name == "ArchiveTag")
    _set(call, items, lambda value: value | {name: tag})


def _check_tag(call: Call, one: object, *, archive: bool) -> None:
    """A tag that the organization has is of one kind; others are taken as they come (our choice)."""
    for tag in call.service.retention_tags:
        if tag.value()["RetentionId"] == one and tag.archive != archive:
            raise EwsError("ErrorInvalidRetentionTagTypeMismatch")


def _given(action: Value, name: str) -> Any:
    if name not in action:
        raise EwsError("ErrorMissingArgument", f"{action['Action']} needs {name}.")
    return action[name]


# -- from now on


def _always_categorize(call: Call, action: Value, number: int, items: list[Item]) -> None:
    categories = tuple((action.get("Categories") or {}).get("String") or ())
    _remember(call, number, categories=categories)

    def with_them(value: Value) -> Value:
        had = (value.get("Categories") or {}).get("String") or ()
        return value | {"Categories": {"String": list(dict.fromkeys((*had, *categories)))}}

    if categories:
        _set(call, items, with_them)


def _always_delete(call: Call, action: Value, number: int, items: list[Item]) -> None:
    if action.get("EnableAlwaysDelete") is False:
        _remember(call, number, delete=None)
        return
    _delete(call, action, number, items)
    _remember(call, number, delete=action.get("DeleteType", "MoveToDeletedItems"))


def _always_move(call: Call, action: Value, number: int, items: list[Item]) -> None:
    if "DestinationFolderId" not in action:
        _remember(call, number, move_to=None)
        return
    target = _target(call, action)
    if target.account != canonical(call.account.address):
        raise EwsError("ErrorApplyConversationActionFailed", "Mail is not moved into another mailbox by itself.")
    _move(call, action, number, [item for item in items if item.folder != target.uid])
    _remember(call, number, move_to=target.uid)


_ACTIONS: Mapping[str, Callable[[Call, Value, int, list[Item]], None]] = MappingProxyType(
    {
        "AlwaysCategorize": _always_categorize,
        "AlwaysDelete": _always_delete,
        "AlwaysMove": _always_move,
        "Copy": _copy,
        "Delete": _delete,
        "Flag": _flag,
        "Move": _move,
        "SetReadState": _read,
        "SetRetentionPolicy": _retain,
    }
)
