"""Restrictions as predicates (ews reference 9; MS-OXWSSRCH 2.2.3)."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from postroom_simulator.ews.call import Call, Value
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.fields import Path, path_of
from postroom_simulator.ews.search.values import Source, getter, kind_of_value, parse_constant

__all__ = ["Predicate", "compile_restriction", "contains", "path_in"]

Predicate = Callable[[Source], bool]
MOST_NODES, MOST_DEPTH = 512, 64
"""Expressions in a restriction, and how deep they nest (our choice)."""
_PATHS = ("FieldURI", "IndexedFieldURI", "ExtendedFieldURI")
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "IsEqualTo": operator.eq,
        "IsNotEqualTo": operator.ne,
        "IsGreaterThan": operator.gt,
        "IsGreaterThanOrEqualTo": operator.ge,
        "IsLessThan": operator.lt,
        "IsLessThanOrEqualTo": operator.le,
    }
)


def path_in(value: Mapping[str, Any]) -> Path:
    """The path that an expression has. Raises SchemaViolation, EwsError."""
    for name in _PATHS:
        if name in value:
            return path_of(name, value[name])
    raise EwsError("ErrorInvalidRestriction")


def compile_restriction(call: Call, value: Iterable[tuple[str, Any]] | None) -> Predicate | None:
    """None for no restriction. Raises EwsError: ErrorInvalidRestriction, ErrorRestrictionTooComplex, ErrorUnsupportedPathForQuery,
    ErrorUnsupportedTypeForConversion, ErrorContainsFilterWrongType, ErrorInvalidExcludesRestriction."""
    if value is None:
        return None
    return _Compiler(call).all_of(list(value), 0)


class _Compiler:
    def __init__(self, call: Call) -> None:
        self._call = call
        self._nodes = 0

    def all_of(self, pairs: list[tuple[str, Any]], depth: int) -> Predicate:
        parts = self._parts(pairs, depth)
        return parts[0] if len(parts) == 1 else lambda source: all(part(source) for part in parts)

    def _parts(self, pairs: Iterable[tuple[str, Any]], depth: int) -> list[Predicate]:
        parts = [self._one(name, value, depth + 1) for name, value in pairs]
        if not parts:
            raise EwsError("ErrorInvalidRestriction")
        return parts

    def _one(self, name: str, value: Any, depth: int) -> Predicate:
        self._nodes += 1
        if self._nodes > MOST_NODES or depth > MOST_DEPTH:
            raise EwsError("ErrorRestrictionTooComplex")
        if name == "And":
            return self.all_of(value, depth)
        if name == "Or":
            parts = self._parts(value, depth)
            return lambda source: any(part(source) for part in parts)
        if name == "Not":
            inner = self.all_of(value, depth)
            return lambda source: not inner(source)
        if name == "Exists":
            get = getter(self._call, path_in(value))
            return lambda source: get(source) is not None
        if name == "Excludes":
            return self._excludes(value)
        return self._contains(value) if name == "Contains" else self._compare(name, value)

    def _excludes(self, value: Value) -> Predicate:
        path = path_in(value)
        if kind_of_value(path) != "number":
            raise EwsError("ErrorInvalidExcludesRestriction")
        text = str(value["Bitmask"]["@Value"]).strip().lower()
        try:
            mask = int(text, 16) if text.startswith("0x") else int(text)
        except ValueError:
            raise EwsError("ErrorInvalidExcludesRestriction") from None
        get = getter(self._call, path)
        return lambda source: not int(get(source) or 0) & mask

    def _compare(self, name: str, value: Value) -> Predicate:
        path = path_in(value)
        kind, get = kind_of_value(path), getter(self._call, path)
        other = value["FieldURIOrConstant"]
        compare = _COMPARISONS[name]
        if "Constant" not in other:
            second = path_in(other)
            if kind_of_value(second) != kind:
                raise EwsError("ErrorInvalidRestriction", "Values of different kinds cannot be compared.")
            get_second = getter(self._call, second)
            return lambda source: _any(compare, _folded(get(source)), _folded(get_second(source)), name)
        constant = _folded(parse_constant(kind, other["Constant"]["@Value"]))
        return lambda source: _any(compare, _folded(get(source)), constant, name)

    def _contains(self, value: Value) -> Predicate:
        path = path_in(value)
        if kind_of_value(path) not in ("text", "people"):
            raise EwsError("ErrorContainsFilterWrongType")
        get = getter(self._call, path)
        test = contains(
            value["Constant"]["@Value"],
            value.get("@ContainmentMode", "FullString"),
            value.get("@ContainmentComparison", "Exact"),
        )

        def found(source: Source) -> bool:
            got = get(source)
            return any(test(one) for one in got) if isinstance(got, list) else got is not None and test(got)

        return found


def _folded(value: Any) -> Any:
    if isinstance(value, str):
        return value.casefold()
    return [_folded(one) for one in value] if isinstance(value, list) else value


def _any(compare: Callable[[Any, Any], bool], left: Any, right: Any, name: str) -> bool:
    """Of several values any counts; for being different none may be equal. What has no value is different from everything, and nothing else."""
    if left is None or right is None:
        return name == "IsNotEqualTo" and left is not right
    if name == "IsNotEqualTo":
        return not _any(operator.eq, left, right, "")
    lefts = left if isinstance(left, list) else [left]
    rights = right if isinstance(right, list) else [right]
    try:
        return any(compare(one, other) for one in lefts for other in rights)
    except TypeError:
        return False


# -- texts that contain others


def _ignoring(comparison: str) -> Callable[[str], str]:
    loose, case, spacing = "Loose" in comparison, "Case" in comparison, "NonSpac" in comparison

    def form(text: str) -> str:
        if loose or spacing:
            text = "".join(c for c in unicodedata.normalize("NFKD" if loose else "NFD", text) if not unicodedata.combining(c))
        return text.casefold() if loose or case else text

    return form


_WORD = re.compile(r"\w+")


def contains(wanted: str, mode: str, comparison: str) -> Callable[[str], bool]:
    """The test of a Contains: MS-OXWSCDATA 2.2.5.4, 2.2.5.5. Loose counts as ignoring case, non-spacing characters and compatibility forms."""
    form = _ignoring(comparison)
    part = form(wanted)
    if mode == "FullString":
        return lambda text: form(text) == part
    if mode == "Prefixed":
        return lambda text: form(text).startswith(part)
    if mode == "Substring":
        return lambda text: part in form(text)
    words = _WORD.findall(part)
    if mode == "ExactPhrase":
        phrase = re.compile(r"(?<!\w)" + re.escape(part) + r"(?!\w)")
        return lambda text: bool(phrase.search(form(text)))
    return lambda text: bool(words) and _prefixes(words, _WORD.findall(form(text)))


def _prefixes(wanted: list[str], words: list[str]) -> bool:
    """Whether the wanted words begin words that follow each other."""
    return any(
        all(word.startswith(one) for one, word in zip(wanted, words[start:], strict=False))
        for start in range(len(words) - len(wanted) + 1)
    )
