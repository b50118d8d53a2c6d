"""Pages of what was found, and the attributes that say where one lies (ews reference 9; MS-OXWSSRCH 2.2.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.search.restriction import compile_restriction
from postroom_simulator.ews.versions import Version

__all__ = ["Page", "View", "view_of"]

FIND_LIMIT = 1000
"""What a search gives at most in one answer (EWSFindCountLimit of a real server)."""


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of what was found: from `start` on, `length` of them, with the attributes of the answer's RootFolder."""

    start: int
    length: int
    attributes: Value


@dataclass(frozen=True, slots=True)
class View:
    """How an answer is cut. kind: indexed, fractional, seek, none.

    offset, numerator, denominator, from_end  as asked; limit: what is given at most
    condition   of a seek: the page begins at the first that holds it
    """

    kind: str = "none"
    limit: int = FIND_LIMIT
    offset: int = 0
    numerator: int = 0
    denominator: int = 1
    from_end: bool = False
    strict: bool = False
    condition: Callable[[Any], bool] | None = None

    def page(self, total: int, found: Sequence[Any] = ()) -> Page:
        """Of `total`; `found` is needed to seek. Raises EwsError ErrorExceededFindCountLimit for old clients that asked for everything."""
        if self.kind == "fractional":
            return self._fraction(total)
        if self.strict and total > self.limit:
            raise EwsError("ErrorExceededFindCountLimit")
        start = self._seek(found) if self.kind == "seek" else self.offset
        if self.from_end and self.kind == "indexed":
            end = max(0, total - start)
            begin = max(0, end - self.limit)
            return _page(begin, end - begin, total - begin, total, last=begin == 0)
        begin = min(start, total)
        length = min(self.limit, total - begin)
        return _page(begin, length, begin + length, total, last=begin + length >= total)

    def _seek(self, found: Sequence[Any]) -> int:
        assert self.condition is not None
        places = range(len(found) - 1, -1, -1) if self.from_end else range(len(found))
        return next((place for place in places if self.condition(found[place])), len(found))

    def _fraction(self, total: int) -> Page:
        begin = min(total, total * self.numerator // self.denominator)
        length = min(self.limit, total - begin)
        attributes = {
            "@NumeratorOffset": begin + length,
            "@AbsoluteDenominator": total,
            "@TotalItemsInView": total,
            "@IncludesLastItemInRange": begin + length >= total,
        }
        return Page(begin, length, attributes)


def _page(begin: int, length: int, next_offset: int, total: int, *, last: bool) -> Page:
    attributes = {"@IndexedPagingOffset": next_offset, "@TotalItemsInView": total, "@IncludesLastItemInRange": last}
    return Page(begin, length, attributes)


def view_of(call: Call, request: Value, what: str) -> View:
    """Of a FindItem ("Item"), FindFolder ("Folder") or FindConversation. Raises EwsError: ErrorInvalidPagingMaxRows,
    ErrorInvalidIndexedPagingParameters, ErrorInvalidFractionalPagingParameters."""
    for kind, name in (("indexed", "IndexedPage"), ("fractional", "FractionalPage"), ("seek", "SeekToConditionPage")):
        value = request.get(f"{name}{what}View")
        if value is not None:
            return _view(call, kind, value)
    return View(strict=what == "Item" and call.version < Version.EXCHANGE_2010)


def limit_of(value: Value) -> int:
    """Raises EwsError ErrorInvalidPagingMaxRows."""
    most = value.get("@MaxEntriesReturned", FIND_LIMIT)
    if most < 1:
        raise EwsError("ErrorInvalidPagingMaxRows", "The paging maximum has to be greater than 0.")
    return min(int(most), FIND_LIMIT)


def _view(call: Call, kind: str, value: Value) -> View:
    limit = limit_of(value)
    if kind == "fractional":
        numerator, denominator = value["@Numerator"], value["@Denominator"]
        if denominator < 1 or not 0 <= numerator <= denominator:
            raise EwsError("ErrorInvalidFractionalPagingParameters")
        return View(kind, limit, numerator=numerator, denominator=denominator)
    from_end = value["@BasePoint"] == "End"
    if kind == "seek":
        return View(kind, limit, from_end=from_end, condition=compile_restriction(call, value["Condition"]))
    if value["@Offset"] < 0:
        raise EwsError("ErrorInvalidIndexedPagingParameters")
    return View(kind, limit, value["@Offset"], from_end=from_end)
