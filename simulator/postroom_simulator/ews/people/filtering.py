"""Restrictions and sort orders on personas: their texts and numbers by element, `persona:DisplayName` and its kin."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from postroom_simulator.ews.call import Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Field, path_of

__all__ = ["matches", "ordered"]

_OF_CONTACTS = {"JobTitle": "Title", "OfficeLocation": "Location"}
_PATHS = ("FieldURI", "IndexedFieldURI", "ExtendedFieldURI")
DEPTH = 100
"""Levels of And, Or and Not that are followed (our choice)."""


def matches(restriction: list[tuple[str, Any]], persona: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether all expressions hold. Raises EwsError for a path that personas cannot be searched by, and beyond `DEPTH` levels."""
    return all(_holds(name, one, persona, depth) for name, one in restriction)


def _holds(name: str, value: Any, persona: Mapping[str, Any], depth: int) -> bool:
    if depth > DEPTH:
        raise EwsError("ErrorInvalidRestriction", f"The restriction is nested more than {DEPTH} levels deep.")
    if name in ("And", "Or"):
        found = [_holds(inner, one, persona, depth + 1) for inner, one in value]
        return all(found) if name == "And" else any(found)
    if name == "Not":
        return not matches(value, persona, depth + 1)
    here = _texts(value, persona)
    if name == "Exists":
        return bool(here)
    if name == "Contains":
        return any(_contains(value, one) for one in here)
    if name == "Excludes":
        raise EwsError("ErrorUnsupportedPathForQuery")
    other = value["FieldURIOrConstant"]
    wanted = [str(other["Constant"]["@Value"])] if "Constant" in other else _texts(other, persona)
    compare = _COMPARISONS[name]
    return any(compare(_key(one), _key(two)) for one in here or [""] for two in wanted or [""])


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "IsEqualTo": lambda a, b: bool(a == b),
    "IsNotEqualTo": lambda a, b: bool(a != b),
    "IsGreaterThan": lambda a, b: bool(a > b),
    "IsGreaterThanOrEqualTo": lambda a, b: bool(a >= b),
    "IsLessThan": lambda a, b: bool(a < b),
    "IsLessThanOrEqualTo": lambda a, b: bool(a <= b),
}


def _key(text: str) -> str:
    return text.casefold()


def _texts(value: Mapping[str, Any], persona: Mapping[str, Any], error: str = "ErrorUnsupportedPathForQuery") -> list[str]:
    """The texts below the element that a path names. exchangelib says `contacts:DisplayName` where personas are meant."""
    name = next(one for one in _PATHS if one in value)
    path = path_of(name, value[name])
    if not isinstance(path, Field) or path.prefix not in ("persona", "contacts"):
        raise EwsError(error)
    return list(_below(persona.get(_OF_CONTACTS.get(path.element, path.element))))


def _below(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            if name not in ("Attributions", "RoutingType", "MailboxType", "ItemId"):
                yield from _below(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _below(one)
    elif value is not None:
        yield str(value)


def _contains(value: Mapping[str, Any], text: str) -> bool:
    comparison, mode = value.get("@ContainmentComparison", "Exact"), value.get("@ContainmentMode", "FullString")
    wanted, here = (_folded(one, comparison) for one in (str(value["Constant"]["@Value"]), text))
    if mode == "FullString":
        return here == wanted
    if mode == "Prefixed":
        return here.startswith(wanted)
    if mode == "PrefixOnWords":
        return any(word.startswith(wanted) for word in here.split())
    return wanted in here


def _folded(text: str, comparison: str) -> str:
    if "IgnoreCase" in comparison or comparison == "Loose":
        text = text.casefold()
    if "NonSpacing" in comparison or comparison == "Loose":
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return text


def ordered(sort: Value | None, personas: Iterable[Value]) -> list[Value]:
    """By what the request says, else by display name; without regard to case; who lacks a value comes first when ascending. Raises EwsError."""
    found = sorted(personas, key=lambda one: (_key(str(one.get("DisplayName") or "")), one["PersonaId"]["@Id"]))
    for order in reversed((sort or {}).get("FieldOrder", ())):

        def key(persona: Value, order: Value = order) -> str:
            return _key(" ".join(_texts(order, persona, "ErrorUnsupportedPathForSortGroup")))

        found.sort(key=key, reverse=order["@Order"] == "Descending")
    return found
