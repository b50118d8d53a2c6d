"""FindItem: which items of a folder, in which order, which of them, and how they are shown (ews reference 9)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.archive import kin
from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Field
from postroom_simulator.ews.folders import folder_element, folder_id, is_search
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id, item_value
from postroom_simulator.ews.search.folders import found_in
from postroom_simulator.ews.search.grouping import Grouping, grouped, grouping_of
from postroom_simulator.ews.search.ordering import Order, by_receipt, orders_of, sorted_by
from postroom_simulator.ews.search.paging import View, limit_of, view_of
from postroom_simulator.ews.search.query_string import compile_query
from postroom_simulator.ews.search.restriction import Predicate, compile_restriction
from postroom_simulator.ews.search.values import getter
from postroom_simulator.ews.shapes import Shape, item_shape
from postroom_simulator.store.interface import ASSOCIATED, Folder, Item, Role

__all__ = ["Search", "quick_value", "root_of", "search_of"]

TEXT_LIMIT = 255
"""Characters to which a search cuts texts."""
LONGEST_VIEW = timedelta(days=2 * 366)
"""Days that a CalendarView may have: two years."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a FindItem asks of each of its folders."""

    shape: Shape
    traversal: str
    wanted: Predicate | None
    orders: list[Order]
    view: View
    grouping: Grouping | None
    calendar: Value | None = None
    contacts: Value | None = None


def search_of(call: Call, request: Value) -> Search:
    """Raises EwsError, SchemaViolation, Fault."""
    shape = item_shape(request["ItemShape"], light=True)
    if any(isinstance(path, Field) and path.element in _NEVER for path in shape.paths) or shape.mime:
        raise EwsError("ErrorInvalidPropertyForOperation")
    text = (request.get("QueryString") or {}).get("", "")
    if text and "Restriction" in request:
        raise EwsError("ErrorInvalidOperation", "A query string does not go with a restriction.")
    traversal, calendar, contacts = request["@Traversal"], request.get("CalendarView"), request.get("ContactsView")
    if calendar is not None and (
        "Restriction" in request or "SortOrder" in request or text or traversal != "Shallow" or "GroupBy" in request
    ):
        raise EwsError("ErrorInvalidOperation", "A calendar view takes no restriction, order, group or other traversal.")
    wanted = compile_query(call, text) if text else compile_restriction(call, request.get("Restriction"))
    for view in (calendar, contacts):
        if view is not None:
            limit_of(view)
    return Search(
        shape,
        traversal,
        wanted,
        orders_of(request.get("SortOrder")),
        view_of(call, request, "Item"),
        grouping_of(call, request),
        calendar,
        contacts,
    )


_NEVER = frozenset({"MimeContent"})


def root_of(call: Call, folder: Folder, search: Search) -> Value:
    """A FindItemParentType. Raises EwsError."""
    if search.calendar is not None:
        return _calendar(call, folder, search, search.calendar)
    descends = by_receipt(search.orders)
    plain = search.wanted is None and search.contacts is None and search.grouping is None and search.view.kind != "seek"
    if plain and search.traversal == "Shallow" and not is_search(folder) and descends is not None:
        return _stretch(call, folder, search, descends=descends)
    found = _found(call, folder, search)
    page = search.view.page(len(found), found)
    chosen = found[page.start : page.start + page.length]
    if search.grouping is None:
        return page.attributes | {"Items": [shown(call, item, search.shape) for item in chosen]}
    groups = [
        {"GroupIndex": index, "Items": [shown(call, item, search.shape) for item in items]}
        for index, items in grouped(chosen, search.grouping)
    ]
    return page.attributes | {"Groups": {"GroupedItems": groups}}


def _stretch(call: Call, folder: Folder, search: Search, *, descends: bool) -> Value:
    """Everything in order of receipt: the store keeps that order, so a page costs what it shows."""
    total = call.store.tally(folder.uid).items
    page = search.view.page(total)
    first = page.start if descends else total - page.start - page.length
    items = call.store.newest(folder.uid, first, page.length)
    if not descends:
        items.reverse()
    return page.attributes | {"Items": [shown(call, item, search.shape) for item in items]}


def _found(call: Call, folder: Folder, search: Search) -> list[Item]:
    items = _candidates(call, folder, search.traversal)
    if search.wanted is not None:
        items = [item for item in items if search.wanted(item)]
    if search.contacts is not None:
        items = _between(call, items, search.contacts)
    return sorted_by(call, items, search.orders) if search.orders else items


def _candidates(call: Call, folder: Folder, traversal: str) -> list[Item]:
    """Received last first."""
    if is_search(folder):
        return found_in(call, folder) if traversal == "Shallow" else []
    if traversal == "Shallow":
        return call.store.newest(folder.uid, 0, call.store.tally(folder.uid).items)
    if traversal == "Associated":
        found = [item for item in call.store.items(folder.uid) if ASSOCIATED in item.flags]
    else:  # what was deleted softly lies in Recoverable Items
        dumpster = kin(call.store, folder, Role.DELETIONS)
        found = [item for item in call.store.items(dumpster.uid) if item.origin == folder.uid]
    return sorted(found, key=lambda item: (item.received, item.uid), reverse=True)


def _between(call: Call, items: list[Item], view: Value) -> list[Item]:
    """Of a ContactsView: names between two, in their order; the names themselves belong to it."""
    get = getter(call, Field("contacts:DisplayName"))
    named = sorted(((str(get(item) or "").casefold(), item.uid, item) for item in items), key=lambda one: one[:2])
    low, high = view.get("@InitialName", "").casefold(), view.get("@FinalName", "").casefold()
    found = [item for name, _, item in named if name >= low and (not high or name[: len(high)] <= high)]
    return found[: limit_of(view)]


# -- calendar views


def _calendar(call: Call, folder: Folder, search: Search, view: Value) -> Value:
    if folder_element(folder) != "CalendarFolder":
        raise EwsError("ErrorCalendarFolderIsInvalidForCalendarView")
    start, end = _instant(view["@StartDate"], call), _instant(view["@EndDate"], call)
    if end < start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if end - start > LONGEST_VIEW:
        raise EwsError("ErrorCalendarViewRangeTooBig")
    expand: Callable[[Call, Folder, datetime, datetime], list[Item]] = getattr(
        importlib.import_module("postroom_simulator.ews.items.calendar"), "expand", _singles
    )
    found = expand(call, folder, start, end)
    limit = limit_of(view)
    chosen = found[:limit]
    return {
        "@TotalItemsInView": len(found),
        "@IncludesLastItemInRange": len(found) <= limit,
        "Items": [shown(call, item, search.shape) for item in chosen],
    }


def _instant(value: datetime, call: Call) -> datetime:
    """Without an offset: in the zone of the request."""
    from postroom_simulator.ews.calendar.zones import zone_or_utc

    return value if value.tzinfo is not None else zone_or_utc(call).instant(value)


def _singles(call: Call, folder: Folder, start: datetime, end: datetime) -> list[Item]:
    """What overlaps the window, in order of start; an item that ends just at its beginning does."""
    begins, ends = getter(call, Field("calendar:Start")), getter(call, Field("calendar:End"))
    found = [(begins(item), ends(item), item) for item in call.store.items(folder.uid) if ASSOCIATED not in item.flags]
    there = [(first, item.uid, item) for first, last, item in found if first and last and first < end and last >= start]
    return [item for *_, item in sorted(there, key=lambda one: one[:2])]


# -- showing


_QUICK: Mapping[str, Callable[[Call, Item], Any]] = MappingProxyType(
    {
        "ItemId": lambda _, item: item_id(item),
        "ParentFolderId": lambda call, item: folder_id(call.store.folder_by_uid(item.folder)),
        "ItemClass": lambda _, item: item.item_class,
        "DateTimeReceived": lambda _, item: item.received,
        "DateTimeCreated": lambda _, item: item.created,
        "LastModifiedTime": lambda _, item: item.modified,
        "Size": lambda _, item: max(item.size, 1),
        "IsDraft": lambda _, item: "draft" in item.flags,
    }
)
"""Properties that need no look into the item."""


def quick_value(call: Call, item: Item, shape: Shape) -> tuple[str, Value] | None:
    """An item of which nothing is asked but what the store knows; None where more is."""
    names = ("ItemId", *shape.elements)
    if shape.base != "IdOnly" or type(item) is not Item or shape.extended or shape.indexed or not _QUICK.keys() >= set(names):
        return None
    return kind_of(item.item_class).element, {name: _QUICK[name](call, item) for name in names}


def shown(call: Call, item: Item, shape: Shape) -> tuple[str, Value]:
    """An item as a search shows it: what the store knows is not looked for in the item, and texts are cut."""
    quick = quick_value(call, item, shape)
    if quick is not None:
        return quick
    element, value = item_value(call, item, shape)
    return element, {name: _cut(one) if name not in _WHOLE else one for name, one in value.items()}


_WHOLE = frozenset({"ItemId", "ParentFolderId", "ConversationId", "InternetMessageId", "ItemClass", "UID"})


def _cut(value: Any) -> Any:
    return value[:TEXT_LIMIT] if isinstance(value, str) else value
