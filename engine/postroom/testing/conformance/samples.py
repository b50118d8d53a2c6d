"""Values for elements, right and wrong ones, from their declarations alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from postroom.providers.configuration import Declared
from postroom.providers.configuration.values import Choice, Fraction, Hidden, Text, Whole, Wrong

__all__ = ["another", "beyond", "document", "nonsense", "required"]

NONSENSE = "surely-no-such-value"
CANDIDATES = (
    "true",
    "false",
    "1",
    "2",
    "3",
    "7",
    "60",
    "1001",
    "5000",
    "70001",
    "1048577",
    "0.5",
    "1.5",
    "https://other.kit.test/elsewhere",
    "http://other.kit.test/elsewhere",
    "ftp://other.kit.test/elsewhere",
    "other@kit.test",
    "kit-other",
    "/kit/other",
    "5f0c7f8e-1111-4222-8333-abcdefabcdef",
)


def required(declared: Sequence[Declared]) -> list[Declared]:
    return [one for one in declared if one.required]


def _candidates(declared: Declared) -> Iterator[str]:
    kind = declared.kind
    if isinstance(kind, Choice):
        yield from kind.values
    if isinstance(kind, Whole):
        for bound in (kind.minimum, kind.maximum):
            if bound is not None:
                yield from (str(bound), str(bound + 1), str(bound - 1))
    if isinstance(kind, Hidden):
        yield "kit-an0ther-S3cret"
    if isinstance(kind, Text) and not kind.pattern:
        yield "kit-other"
    yield from CANDIDATES


def another(declared: Declared, current: Any) -> str | None:
    """A text that the element takes and that means something else than `current` (a value); None when none was found."""
    for text in _candidates(declared):
        try:
            value = declared.kind.parse(text)
        except Wrong:
            continue
        if value != (current[0] if declared.many and current else current):
            return text
    return None


def nonsense(declared: Declared) -> str | None:
    """A text that is no value of the element's type; None where every text is one."""
    try:
        declared.kind.parse(NONSENSE)
    except Wrong:
        return NONSENSE
    return None


def beyond(declared: Declared) -> list[str]:
    """Texts of the right type and out of bounds."""
    kind = declared.kind
    if isinstance(kind, Whole):
        found = [] if kind.minimum is None else [str(kind.minimum - 1)]
        return found + ([] if kind.maximum is None else [str(kind.maximum + 1)])
    if isinstance(kind, Fraction):
        found = [] if kind.minimum is None else [str(int(kind.minimum) - 1)]
        return found + ([] if kind.maximum is None else [str(int(kind.maximum) + 1)])
    if isinstance(kind, Choice):
        return [NONSENSE]
    if isinstance(kind, Text | Hidden):
        return ["x" * (kind.length + 1)]
    return []


def document(texts: Mapping[str, str | Sequence[str]]) -> tuple[bytes, dict[str, int]]:
    """One provider's element as a file would have it, an element a line; and the line of each element (the last, where repeated)."""
    from xml.sax.saxutils import escape

    lines, where = ["<ProviderConfiguration>"], {}
    for name, given in texts.items():
        for text in [given] if isinstance(given, str) else given:
            lines.append(f"  <{name}>{escape(text)}</{name}>")
            where[name] = len(lines)
    return "\n".join([*lines, "</ProviderConfiguration>", ""]).encode(), where
