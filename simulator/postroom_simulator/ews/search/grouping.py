"""Groups of what was found (ews reference 9; MS-OXWSSRCH 2.2.4: GroupBy, DistinguishedGroupBy)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.fields import Field
from postroom_simulator.ews.items.extended import text_of
from postroom_simulator.ews.search.ordering import sort_key
from postroom_simulator.ews.search.restriction import path_in
from postroom_simulator.ews.search.values import Source, getter, sortable
from postroom_simulator.store.interface import Item

__all__ = ["Grouping", "grouped", "grouping_of"]


@dataclass(frozen=True, slots=True)
class Grouping:
    """index: the text by which items are together. rank: of an item; the greatest (or least) of a group is the group's, and orders the groups."""

    index: Callable[[Source], str]
    rank: Callable[[Source], Any]
    greatest: bool
    descends: bool


def grouping_of(call: Call, request: Value) -> Grouping | None:
    """Raises SchemaViolation, EwsError ErrorUnsupportedPathForSortGroup."""
    if "GroupBy" in request:
        value = request["GroupBy"]
        path, aggregate = path_in(value), value["AggregateOn"]
        on = path_in(aggregate)
        sortable(path)
        sortable(on)
        return Grouping(
            _index(getter(call, path)),
            sort_key(call, on),
            aggregate["@Aggregate"] == "Maximum",
            value["@Order"] == "Descending",
        )
    if "DistinguishedGroupBy" in request:  # by conversation: its latest message orders it
        topic, received = Field("message:ConversationTopic"), Field("item:DateTimeReceived")
        descends = request["DistinguishedGroupBy"]["@Order"] == "Descending"
        return Grouping(_index(getter(call, topic)), sort_key(call, received), True, descends)
    return None


def _index(get: Callable[[Source], Any]) -> Callable[[Source], str]:
    def index(source: Source) -> str:
        value = get(source)
        if isinstance(value, list):
            value = value[0] if value else None
        return "" if value is None else text_of(value)

    return index


def grouped(items: Sequence[Item], grouping: Grouping) -> list[tuple[str, list[Item]]]:
    """Groups in their order, items in theirs. Texts make one group without regard to case."""
    groups: dict[str, tuple[str, list[Item]]] = {}
    for item in items:
        index = grouping.index(item)
        groups.setdefault(index.casefold(), (index, []))[1].append(item)
    choose = max if grouping.greatest else min
    return sorted(
        groups.values(), key=lambda group: choose(grouping.rank(item) for item in group[1]), reverse=grouping.descends
    )
