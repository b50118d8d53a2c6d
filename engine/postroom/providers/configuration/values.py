"""The types that an element can have: how each is read, written and described. Units are on the wire only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Protocol
from uuid import UUID

from postroom.model.secret import Secret
from postroom.providers.configuration.problems import Code

__all__ = [
    "Choice",
    "Fraction",
    "Hidden",
    "Identifier",
    "Kind",
    "Millis",
    "Period",
    "Seconds",
    "Text",
    "Truth",
    "Whole",
    "Wrong",
]

LONGEST = 2**31 - 1
"""Milliseconds of the longest interval, 24.8 days: what a signed 32-bit number holds. Ours."""
TEXT_LENGTH = 4096
BLANKS = " \t\r\n"
"""White space in XML (XML 1.0 §2.3); no other is trimmed."""


@dataclass(frozen=True, slots=True, order=True)
class Millis:
    """An interval as files have it: whole milliseconds."""

    milliseconds: int

    @property
    def seconds(self) -> float:
        return self.milliseconds / 1000

    @property
    def delta(self) -> timedelta:
        return timedelta(milliseconds=self.milliseconds)


class Wrong(Exception):
    """A text is no value of its kind. Never holds the text."""

    def __init__(self, code: Code, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.remedy = remedy


class Kind(Protocol):
    """What one type of element is. `parse` raises Wrong; `render` is its inverse; `schema` is JSON Schema; `xsd` the base type and
    its facets; `words` what a table says."""

    def parse(self, text: str, /) -> Any: ...
    def render(self, value: Any, /) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def schema(self) -> dict[str, Any]: ...
    @property
    def xsd(self) -> tuple[str, tuple[tuple[str, str], ...]]: ...


@dataclass(frozen=True, slots=True)
class Text:
    """Characters, white space at both ends trimmed. `pattern` matches the whole text."""

    length: int = TEXT_LENGTH
    pattern: str = ""
    pattern_words: str = ""

    def parse(self, text: str) -> str:
        trimmed = text.strip(BLANKS)
        if len(trimmed) > self.length:
            raise Wrong(Code.RANGE, f"is longer than {self.length} characters")
        if self.pattern and trimmed and not re.fullmatch(self.pattern, trimmed):
            raise Wrong(Code.TYPE, f"is not {self.pattern_words or 'of the form that it must have'}")
        return trimmed

    def render(self, value: Any) -> str:
        return str(value)

    @property
    def words(self) -> str:
        return self.pattern_words or "text"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.length}

    @property
    def xsd(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        return "xs:string", (("maxLength", str(self.length)),)


@dataclass(frozen=True, slots=True)
class Hidden:
    """A secret: every character counts, blanks too, and none is shown."""

    length: int = TEXT_LENGTH
    words: ClassVar[str] = "secret"

    def parse(self, text: str) -> Secret:
        if len(text) > self.length:
            raise Wrong(Code.RANGE, f"is longer than {self.length} characters")
        return Secret(text)

    def render(self, value: Any) -> str:
        return str(value.reveal())

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.length, "writeOnly": True}

    @property
    def xsd(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        return "xs:string", (("maxLength", str(self.length)),)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, both bounds included."""

    minimum: int | None = None
    maximum: int | None = None
    noun: ClassVar[str] = "a whole number"

    def number(self, text: str) -> int:
        trimmed = text.strip(BLANKS)
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", trimmed):  # int() also takes 1_000, other scripts' digits and any length
            raise Wrong(Code.TYPE, f"is not {self.noun}")
        number = int(trimmed)
        if (self.minimum is not None and number < self.minimum) or (self.maximum is not None and number > self.maximum):
            raise Wrong(Code.RANGE, "is out of range", f"allowed: {self.bounds}")
        return number

    def parse(self, text: str) -> Any:
        return self.number(text)

    def render(self, value: Any) -> str:
        return str(int(value))

    @property
    def bounds(self) -> str:
        low = "" if self.minimum is None else f"from {self.minimum}"
        high = "" if self.maximum is None else f"to {self.maximum}"
        return f"{low} {high}".strip()

    @property
    def words(self) -> str:
        return f"whole number {self.bounds}".strip()

    @property
    def schema(self) -> dict[str, Any]:
        low = {} if self.minimum is None else {"minimum": self.minimum}
        high = {} if self.maximum is None else {"maximum": self.maximum}
        return {"type": "integer", **low, **high}

    @property
    def xsd(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        low = () if self.minimum is None else (("minInclusive", str(self.minimum)),)
        high = () if self.maximum is None else (("maxInclusive", str(self.maximum)),)
        return "xs:integer", (*low, *high)


@dataclass(frozen=True, slots=True)
class Period(Whole):
    """An interval: milliseconds on the wire (email-router-providers 7), `Millis` in code."""

    minimum: int | None = 0
    maximum: int | None = LONGEST
    noun: ClassVar[str] = "a whole number of milliseconds"

    def parse(self, text: str) -> Any:
        return Millis(self.number(text))

    def render(self, value: Any) -> str:
        return str(value.milliseconds)

    @property
    def words(self) -> str:
        return f"milliseconds {self.bounds}".strip()


@dataclass(frozen=True, slots=True)
class Seconds(Period):
    """An interval: milliseconds on the wire, a float of seconds in code (for configurations that count so)."""

    def parse(self, text: str) -> Any:
        return self.number(text) / 1000

    def render(self, value: Any) -> str:
        return str(round(value * 1000))


@dataclass(frozen=True, slots=True)
class Fraction:
    """A decimal number; no exponent, no infinity."""

    minimum: float | None = None
    maximum: float | None = None

    def parse(self, text: str) -> float:
        trimmed = text.strip(BLANKS)
        if not re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,340})?", trimmed):
            raise Wrong(Code.TYPE, "is not a decimal number")
        number = float(trimmed)
        if (self.minimum is not None and number < self.minimum) or (self.maximum is not None and number > self.maximum):
            raise Wrong(Code.RANGE, "is out of range", f"allowed: {self._bounds}")
        return number

    def render(self, value: Any) -> str:
        return format(Decimal(repr(float(value))), "f")

    @property
    def _bounds(self) -> str:
        low = "" if self.minimum is None else f"from {self.minimum}"
        high = "" if self.maximum is None else f"to {self.maximum}"
        return f"{low} {high}".strip()

    @property
    def words(self) -> str:
        return f"decimal number {self._bounds}".strip()

    @property
    def schema(self) -> dict[str, Any]:
        low = {} if self.minimum is None else {"minimum": self.minimum}
        high = {} if self.maximum is None else {"maximum": self.maximum}
        return {"type": "number", **low, **high}

    @property
    def xsd(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        low = () if self.minimum is None else (("minInclusive", str(self.minimum)),)
        high = () if self.maximum is None else (("maxInclusive", str(self.maximum)),)
        return "xs:decimal", (*low, *high)


@dataclass(frozen=True, slots=True)
class Truth:
    """true, false, 1 or 0; letter case does not count (XML Schema writes `true`, .NET `True`)."""

    words: ClassVar[str] = "true or false"

    def parse(self, text: str) -> bool:
        match text.strip(BLANKS).casefold():
            case "true" | "1":
                return True
            case "false" | "0":
                return False
        raise Wrong(Code.TYPE, "is neither true nor false")

    def render(self, value: Any) -> str:
        return "true" if value else "false"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    @property
    def xsd(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        return "xs:token", (("pattern", "[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1"),)


@dataclass(frozen=True, slots=True)
class Identifier:
    """A GUID, with or without braces."""

    words: ClassVar[str] = "GUID"

    def parse(self, text: str) -> UUID:
        trimmed = text.strip(BLANKS)
        bare = trimmed[1:-1] if trimmed.startswith("{") and trimmed.endswith("}") else trimmed
        if not re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", bare):
            raise Wrong(Code.TYPE, "is not a GUID", "8-4-4-4-12 hexadecimal digits, as CRM shows it")
        return UUID(bare)

    def render(self, value: Any) -> str:
        return str(value)

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}

    @property
    def xsd(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        digits = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
        return "xs:token", (("pattern", f"{digits}|\\{{{digits}\\}}"),)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words. `values`: word on the wire -> value in code. Letter case does not count where no two words differ by it."""

    values: Mapping[str, Any]

    def parse(self, text: str) -> Any:
        trimmed = text.strip(BLANKS)
        if trimmed in self.values:
            return self.values[trimmed]
        folded = [value for word, value in self.values.items() if word.casefold() == trimmed.casefold()]
        if len(folded) != 1:
            raise Wrong(Code.ENUM, "is none of the values that there are", f"one of {', '.join(self.values)}")
        return folded[0]

    def render(self, value: Any) -> str:
        return next(word for word, known in self.values.items() if known == value)

    @property
    def words(self) -> str:
        return ", ".join(f"`{word}`" for word in self.values)

    @property
    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.values)}

    @property
    def xsd(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        return "xs:token", tuple(("enumeration", word) for word in self.values)

    @classmethod
    def of_enum(cls, kind: type[Enum]) -> Choice:
        return cls({str(member.value): member for member in kind})
