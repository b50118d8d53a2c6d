"""What callers of the organization may write, checked against the published metadata (server-side-sync reference 1).

`validate_create` and `validate_update` look at all values and report every problem at once, in words and without the value of a
password. The engine's own code writes records directly and does not come through here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from postroom.errors import InvalidValue, NotWritable, RecordError, RequiredMissing, UnknownAttribute
from postroom.model.attributes import Attribute, Kind, Lookup, Record, attributes_of, nearest
from postroom.model.secret import Secret

__all__ = ["Secret", "Validated", "validate_create", "validate_update"]


class Validated(dict[str, Any]):
    """The values that may be written, normalized; `secrets` holds the write-only ones apart (None: to be removed)."""

    def __init__(self, values: Mapping[str, Any], secrets: Mapping[str, Secret | None]) -> None:
        super().__init__(values)
        self.secrets = dict(secrets)


_MOST_PROBLEMS = 20
_SHOWN = 40


def validate_create(cls: type[Record], values: Mapping[str, Any]) -> Validated:
    """The values of a record to be created by a caller: `cls(**validated)` then succeeds. Defaults are not filled in.

    Raises the error of the one problem that there is (UnknownAttribute, InvalidValue, NotWritable, RequiredMissing); with several,
    the class of the first and all of their texts.
    """
    problems = _Problems(cls)
    done = _checked(cls, values, problems, _refusal_at_create)
    for name, spec in attributes_of(cls).items():
        if spec.required and spec.default is None and values.get(name) is None:
            problems.add(RequiredMissing, name, "is required")
    problems.settle()
    return done


def validate_update(cls: type[Record], values: Mapping[str, Any]) -> Validated:
    """The changes that a caller wants. Raises as `validate_create` does."""
    problems = _Problems(cls)
    done = _checked(cls, values, problems, _refusal_at_update)
    problems.settle()
    return done


class _Problems:
    def __init__(self, cls: type[Record]) -> None:
        self._entity = cls.__entity__
        self._found: list[tuple[type[RecordError], str]] = []

    def add(self, kind: type[RecordError], name: str, text: str) -> None:
        self._found.append((kind, f"{self._entity}.{name[:100]}: {text}"))

    def settle(self) -> None:
        if not self._found:
            return
        texts = [text for _, text in self._found[:_MOST_PROBLEMS]]
        if len(self._found) > _MOST_PROBLEMS:
            texts.append(f"and {len(self._found) - _MOST_PROBLEMS} more")
        raise self._found[0][0]("; ".join(texts))


def _refusal_at_create(_: type[Record], spec: Attribute) -> str:
    if spec.read_only or spec.internal:
        return "is written by the engine only"
    return "can be set only after the record was created" if spec.update_only else ""


def _refusal_at_update(cls: type[Record], spec: Attribute) -> str:
    if spec.read_only or spec.internal:
        return "is written by the engine only"
    return "can be set only when the record is created" if spec.create_only or spec.name == cls.__key__ else ""


def _checked(
    cls: type[Record], values: Mapping[str, Any], problems: _Problems, refusal: Callable[[type[Record], Attribute], str]
) -> Validated:
    known = attributes_of(cls)
    plain: dict[str, Any] = {}
    secrets: dict[str, Secret | None] = {}
    for name, value in values.items():
        spec = cls.__secrets__.get(name) or known.get(name)
        if spec is None:
            problems.add(UnknownAttribute, str(name), f"no such attribute{nearest(str(name), [*known, *cls.__secrets__])}")
        elif why := refusal(cls, spec):
            problems.add(NotWritable, name, why)
        elif value is None:
            _take_empty(spec, cls, plain, secrets, problems)
        else:
            try:
                done = _VALUE[spec.kind](spec, value.reveal() if isinstance(value, Secret) and spec.write_only else value)
            except InvalidValue as wrong:
                problems.add(InvalidValue, name, str(wrong))
            else:
                if spec.write_only:
                    secrets[name] = Secret(done)
                else:
                    plain[name] = done
    return Validated(plain, secrets)


def _take_empty(
    spec: Attribute, cls: type[Record], plain: dict[str, Any], secrets: dict[str, Secret | None], problems: _Problems
) -> None:
    if spec.write_only:
        secrets[spec.name] = None
    elif spec.name == cls.__key__ or (spec.required and spec.default is not None):
        problems.add(InvalidValue, spec.name, "must not be empty")
    elif spec.required:
        problems.add(RequiredMissing, spec.name, "is required")
    elif spec.default is not None:
        # ours: an attribute that is never empty falls back to its default
        plain[spec.name] = spec.default
    else:
        plain[spec.name] = None


def _shown(spec: Attribute, value: Any) -> str:
    if spec.write_only or isinstance(value, Secret):
        return "a value that is not shown"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _text(spec: Attribute, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"text expected, not {type(value).__name__}")
    if spec.limit is not None and len(value) > spec.limit:
        raise InvalidValue(f"{len(value)} characters, at most {spec.limit} are allowed")
    if "\x00" in value:
        raise InvalidValue("text must not contain NUL")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InvalidValue("text must not contain lone surrogates")
    if spec.kind is Kind.STRING and ("\n" in value or "\r" in value):
        raise InvalidValue("a single line expected")
    if spec.email and value and not _like_an_address(value):
        raise InvalidValue(f"{_shown(spec, value)} is not an e-mail address")
    return value


def _like_an_address(value: str) -> bool:
    """Something on both sides of the last @, and no blanks or control characters: as much as the platform checks [K]."""
    local, at, domain = value.rpartition("@")
    return bool(local and at and domain) and value.isprintable() and " " not in value


def _boolean(spec: Attribute, value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise InvalidValue(f"True or False expected, not {_shown(spec, value)}")


def _integer(spec: Attribute, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValue(f"a whole number expected, not {_shown(spec, value)}")
    low, high = spec.low, spec.high
    if (low is not None and value < low) or (high is not None and value > high):
        shown = value if abs(value) < 10**20 else "the number"
        raise InvalidValue(f"{shown} is not within {low}..{high}")
    return int(value)


def _picklist(spec: Attribute, value: Any) -> IntEnum:
    options = spec.options
    assert options is not None
    listed = ", ".join(f"{member.value} {member.name}" for member in options)
    foreign = isinstance(value, IntEnum) and not isinstance(value, options)
    if isinstance(value, bool) or not isinstance(value, int) or foreign:
        raise InvalidValue(f"an option expected ({listed}), not {_shown(spec, value)}")
    try:
        return options(value)
    except ValueError:
        raise InvalidValue(f"{_shown(spec, value)} is not an option; there are {listed}") from None


def _lookup(spec: Attribute, value: Any) -> Lookup:
    if not isinstance(value, Lookup):
        raise InvalidValue(f"a Lookup expected, not {_shown(spec, value)}")
    if spec.targets and value.entity not in spec.targets:
        raise InvalidValue(f"a lookup to {' or '.join(spec.targets)} expected, not to {value.entity[:100]!r}")
    if not value.entity:
        raise InvalidValue("a lookup names its entity")
    return Lookup(value.entity, _canonical(value.id))


def _moment(spec: Attribute, value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidValue(f"a datetime with a time zone expected, not {_shown(spec, value)}")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidValue("the moment is out of range") from None


def _number(spec: Attribute, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidValue(f"a finite number expected, not {_shown(spec, value)}")
    return float(value)


def _guid(_: Attribute, value: Any) -> str:
    return _canonical(value)


def _canonical(value: Any) -> str:
    """A uuid in its one canonical spelling: lower case, with hyphens, no braces."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and len(value) <= 45:
        try:
            return str(UUID(value))
        except ValueError:
            pass
    raise InvalidValue("a uuid expected")


_VALUE: Mapping[Kind, Callable[[Attribute, Any], Any]] = {
    Kind.STRING: _text,
    Kind.MEMO: _text,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.BIG_INTEGER: _integer,
    Kind.PICKLIST: _picklist,
    Kind.LOOKUP: _lookup,
    Kind.MOMENT: _moment,
    Kind.NUMBER: _number,
    Kind.GUID: _guid,
}
