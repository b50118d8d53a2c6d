"""What each kind of item adds to making, showing, changing and deleting: one module a kind, one table that names them all.

A module has any of the functions of `Hooks`, under their names; what it lacks does nothing. All of them may raise EwsError, which becomes the
message of that item. Properties are values of the kind's type by element name, with "ExtendedProperty" and the item's attachments under
"Attachments"; a hook gives a new dict or changes the one that it was handed, which is its own to change.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.errors import EwsError
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["MODULES", "RESPONSES", "Hooks", "Occurrence", "hooks_of", "occurrence_of", "respond"]

Value = dict[str, Any]

MODULES: Mapping[str, str] = MappingProxyType(
    {
        "Message": "messages",
        "PostItem": "posts",
        "CalendarItem": "calendar",
        "MeetingRequest": "meetings",
        "MeetingResponse": "meetings",
        "MeetingCancellation": "meetings",
        "MeetingMessage": "meetings",
        "Task": "tasks",
        "Contact": "contacts",
        "DistributionList": "lists",
        "Item": "other",
    }
)
"""Element of a kind, and the module of this package that has its hooks. A module that is not there has none."""

RESPONSES: Mapping[str, str] = MappingProxyType(
    {
        "ReplyToItem": "replies",
        "ReplyAllToItem": "replies",
        "ForwardItem": "replies",
        "PostReplyItem": "replies",
        "SuppressReadReceipt": "replies",
        "RemoveItem": "replies",
        "AcceptItem": "answers",
        "TentativelyAcceptItem": "answers",
        "DeclineItem": "answers",
        "CancelCalendarItem": "answers",
        "ProposeNewTime": "answers",
        "AcceptSharingInvitation": "sharing",
    }
)
"""Response objects of CreateItem, and the module with `respond(call, request, element, value) -> items of the answer`: pairs of element and value."""


@dataclass(slots=True, kw_only=True)
class Occurrence(Item):
    """One date of a recurring item, as if it were an item: `uid` is that of the master, `start` the original start in seconds since 1970 UTC.
    Its properties are those of the date; the store has no item of that kind, so that it is written and deleted by the hooks of its kind."""

    start: int


def _same(_: Call, __: Any, properties: Value) -> Value:
    return properties


def _as_given(_: Call, properties: Value, __: bool) -> Value:
    return properties


def _as_updated(_: Call, __: Item, ___: Value, after: Value, ____: Value) -> Value:
    return after


def _nothing(*_: Any) -> None:
    return None


def _no_occurrence(*_: Any) -> Any:
    raise EwsError("ErrorInvalidOperation", "Items of this kind have no occurrences.")


@dataclass(frozen=True, slots=True)
class Hooks:
    """What happens to the items of a kind.

    read_mime    (call, octets) -> properties: what MimeContent of a request says; None: it is not taken
    write_mime   (call, item, properties) -> octets: MimeContent of an answer; None: there is none
    prepare      (call, properties, draft) -> properties: a new item is about to be stored: check, complete
    created      (call, item, request) -> None: it was stored; `request` is that of CreateItem
    derive       (call, item, properties) -> properties: it is about to be shown: everything that follows from what is stored. Kept until the item
                 changes, so it must not depend on the caller or the time
    update       (call, item, before, after, request) -> properties: UpdateItem is about to store `after`: check, complete
    changed      (call, item, before, after, request) -> None: it was stored. `request`: of UpdateItem
    deleted      (call, item, request) -> None: it is about to be deleted or moved to where deleted items go; `request` is that of DeleteItem
    respond      (call, item, properties) -> response objects: pairs of element and value that GetItem lists
    find         (call, name, value) -> Occurrence (or master): for an id of an occurrence, or an OccurrenceItemId, RecurringMasterItemId ...
    keep         (call, occurrence, properties) -> Occurrence: write one date
    drop         (call, occurrence, request) -> None: delete one date
    mirrors      extended properties that mirror elements of this kind: `mapi.Mirror` by `mapi.Key`; a module calls it MIRRORS
    read_only    elements of this kind that no request sets, beside those of every kind; a module calls it READ_ONLY
    late         elements that are made for one answer, since they depend on more than the item: (call, item, properties, shape) -> value by element;
                 a module calls it LATE
    """

    read_mime: Callable[[Call, bytes], Value] | None = None
    write_mime: Callable[[Call, Item, Value], bytes] | None = None
    prepare: Callable[[Call, Value, bool], Value] = _as_given
    created: Callable[[Call, Item, Value], None] = _nothing
    derive: Callable[[Call, Item, Value], Value] = _same
    update: Callable[[Call, Item, Value, Value, Value], Value] = _as_updated
    changed: Callable[[Call, Item, Value, Value, Value], None] = _nothing
    deleted: Callable[[Call, Item, Value], None] = _nothing
    respond: Callable[[Call, Item, Value], list[tuple[str, Value]] | None] = _nothing
    find: Callable[[Call, str, Value], Item] = _no_occurrence
    keep: Callable[[Call, Any, Value], Item] = _no_occurrence
    drop: Callable[[Call, Any, Value], None] = _no_occurrence
    mirrors: Mapping[tuple[str, int | str], Any] = field(default_factory=dict)
    read_only: frozenset[str] = frozenset()
    late: Mapping[str, Callable[[Call, Item, Value, Any], Any]] = field(default_factory=dict)


@functools.cache
def hooks_of(element: str) -> Hooks:
    """Of the kind with this element."""
    name = f"{__package__}.{MODULES[element]}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        return Hooks()
    names = {one: one.upper() if one in ("mirrors", "read_only", "late") else one for one in Hooks.__slots__}
    return Hooks(**{one: getattr(module, name) for one, name in names.items() if hasattr(module, name)})


def occurrence_of(call: Call, name: str, value: Value) -> Item:
    """By a reference that names no item of the store: an ItemId of an occurrence, or an element other than ItemId. Raises EwsError."""
    return hooks_of("CalendarItem").find(call, name, value)


def respond(call: Call, request: Value, element: str, value: Value) -> list[tuple[str, Value]]:
    """Carry out a response object. Raises EwsError."""
    name = f"{__package__}.{RESPONSES[element]}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        raise EwsError("ErrorInvalidOperation", f"{element} is not available on this server.") from None
    made: list[tuple[str, Value]] = module.respond(call, request, element, value)
    return made
