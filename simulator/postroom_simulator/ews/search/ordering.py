"""Orders of what was found: several fields, missing values first when ascending (ews reference 9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.fields import Field, Path
from postroom_simulator.ews.search.restriction import path_in
from postroom_simulator.ews.search.values import Source, getter, sortable

__all__ = ["Order", "by_receipt", "orders_of", "sort_key", "sorted_by"]

Order = tuple[Path, bool]
"""A path, and whether it descends."""


def orders_of(value: Value | None) -> list[Order]:
    """From a SortOrder. Raises SchemaViolation, EwsError ErrorUnsupportedPathForSortGroup."""
    found = []
    for one in (value or {}).get("FieldOrder", ()):
        path = path_in(one)
        sortable(path)
        found.append((path, one["@Order"] == "Descending"))
    return found


def by_receipt(orders: Sequence[Order]) -> bool | None:
    """Whether the order is that of receipt alone, and then whether it descends; None for others. No order is receipt, last first."""
    if not orders:
        return True
    path, descends = orders[0]
    return descends if len(orders) == 1 and isinstance(path, Field) and path.uri == "item:DateTimeReceived" else None


def sort_key(call: Call, path: Path) -> Callable[[Source], tuple[bool, Any]]:
    """Of values of one path: missing ones are least, texts go without regard to case, of several values the first counts."""
    get = getter(call, path)

    def key(source: Source) -> tuple[bool, Any]:
        value = get(source)
        if isinstance(value, list):
            value = value[0] if value else None
        if value is None:
            return False, 0
        return True, value.casefold() if isinstance(value, str) else value

    return key


def sorted_by(call: Call, sources: Sequence[Source], orders: Sequence[Order]) -> list[Any]:
    """Stable: what is equal stays in the order in which it was."""
    found = list(sources)
    for path, descends in reversed(orders):
        found.sort(key=sort_key(call, path), reverse=descends)
    return found
