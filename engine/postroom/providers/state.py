"""A provider's state as JSON and back: a frozen dataclass of plain values, written alike on every machine.

    encode(FeedState(cursor=Cursor.start()))      -> {"cursor": {"ids": [], ...}}
    decode(FeedState, {"cursor": {...}})          -> FeedState(...)

Fields may be str, int, float, bool, None, datetime (aware), timedelta, UUID, Enum, Literal, `X | None`, tuple[X, ...], tuple[X, Y], list, frozenset,
dict[str, X] and dataclasses of these. Octets, secrets and messages are refused: a state is small, and anybody may read it (provider-kit T11).
"""

from __future__ import annotations

import base64
import dataclasses
import json
import types
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from postroom.errors import StateError
from postroom.mime.values import OutgoingMessage, ParsedMessage
from postroom.model.secret import Secret

__all__ = ["canonical", "decode", "encode", "initial", "problems_of", "walk"]

S = TypeVar("S")
DEEPEST = 32
"""Levels of a state; more is a mistake or an attack."""
_REFUSED: tuple[tuple[tuple[type, ...], str], ...] = (
    ((Secret,), "a secret: it belongs in the configuration"),
    ((bytes, bytearray, memoryview), "octets: a message does not belong in a state"),
    ((ParsedMessage, OutgoingMessage), "a message: keep its id or its digest"),
)


def encode(value: Any) -> Any:
    """What JSON can hold. Raises StateError, naming the field, for what it cannot or must not."""
    return _encode(value, "the state", 0)


def canonical(value: Any) -> str:
    """The state as text: the same for equal states."""
    return json.dumps(encode(value), ensure_ascii=False, allow_nan=False, sort_keys=True)


def _encode(value: Any, where: str, depth: int) -> Any:  # noqa: C901 - one case a type
    if depth > DEEPEST:
        raise StateError(f"{where} is nested too deeply")
    for kinds, reason in _REFUSED:
        if isinstance(value, kinds):
            raise StateError(f"{where} holds {reason}")
    if isinstance(value, Enum):
        return _encode(value.value, where, depth + 1)
    if isinstance(value, str):
        return _text(value, where)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise StateError(f"{where} is no number that JSON knows")
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise StateError(f"{where} is a time without a zone")
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            one.name: _encode(getattr(value, one.name), f"{where}.{one.name}", depth + 1)
            for one in dataclasses.fields(value)
            if one.init
        }
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise StateError(f"{where} has a key that is no text")
        return {_text(key, where): _encode(one, f"{where}[{key[:40]!r}]", depth + 1) for key, one in value.items()}
    if isinstance(value, frozenset | set):
        return sorted((_encode(one, f"an entry of {where}", depth + 1) for one in value), key=json.dumps)
    if isinstance(value, tuple | list):
        return [_encode(one, f"{where}[{n}]", depth + 1) for n, one in enumerate(value)]
    raise StateError(f"{where} is a {type(value).__name__}, which JSON does not know")


def _text(value: str, where: str) -> str:
    if not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value):
        raise StateError(f"{where} holds half a character (a lone surrogate)")
    return value


def decode(kind: type[S], thing: Any) -> S:
    """A state from JSON. A field that is missing takes its default; raises StateError for one that is unknown, of another type, or required."""
    return _decode(kind, thing, "the state", 0)  # type: ignore[no-any-return]


def initial(kind: type[S]) -> S:
    """The state of a first run. Raises StateError when the class cannot be made without arguments."""
    try:
        return kind()
    except TypeError:
        raise StateError(f"{kind.__name__} has fields without a default: a first run has no state to begin with") from None


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside a state with its path, dataclasses included."""
    yield path, value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield from walk(getattr(value, one.name), f"{path}.{one.name}")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from walk(one, f"{path}[{key!r}]")
    elif isinstance(value, tuple | list):
        for n, one in enumerate(value):
            yield from walk(one, f"{path}[{n}]")


def problems_of(kind: type) -> list[str]:
    """What is wrong with a class as a state: not frozen, a required field, a type that does not survive JSON."""
    if not dataclasses.is_dataclass(kind):
        return [f"{getattr(kind, '__name__', kind)} is no dataclass"]
    problems: list[str] = []
    if not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        problems.append(f"{kind.__name__} is not frozen")
    try:
        first = kind()
        if decode(kind, encode(first)) != first:
            problems.append(f"{kind.__name__} is not the same after a round trip through JSON")
    except TypeError:
        problems.append(f"{kind.__name__} has fields without a default")
    except StateError as error:
        problems.append(str(error))
    return problems


def _scalar(kind: type) -> Callable[[Any, str], Any]:
    def of(thing: Any, where: str) -> Any:
        wrong = isinstance(thing, bool) and kind is not bool
        if kind is float and isinstance(thing, int) and not wrong:
            return float(thing)
        if wrong or not isinstance(thing, kind):
            raise StateError(f"{where} is no {kind.__name__}")
        return thing

    return of


def _moment(thing: Any, where: str) -> datetime:
    try:
        found = datetime.fromisoformat(thing)
    except (TypeError, ValueError):
        raise StateError(f"{where} is no time") from None
    if found.tzinfo is None:
        raise StateError(f"{where} is a time without a zone")
    return found.astimezone(UTC)


def _interval(thing: Any, where: str) -> timedelta:
    try:
        return timedelta(seconds=_SCALARS[float](thing, where))
    except OverflowError:
        raise StateError(f"{where} is no interval") from None


def _uuid(thing: Any, where: str) -> UUID:
    try:
        return UUID(thing)
    except (AttributeError, TypeError, ValueError):
        raise StateError(f"{where} is no UUID") from None


def _octets(thing: Any, where: str) -> bytes:
    try:
        return base64.b64decode(thing, validate=True)
    except (TypeError, ValueError):
        raise StateError(f"{where} is not base64") from None


_SCALARS: dict[Any, Callable[[Any, str], Any]] = {
    bytes: _octets,  # on the wire between processes; a state refuses them when it is written
    **{kind: _scalar(kind) for kind in (str, int, float, bool)},
    datetime: _moment,
    timedelta: _interval,
    UUID: _uuid,
}


def _decode(kind: Any, thing: Any, where: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise StateError(f"{where} is nested too deeply")
    if kind is Any:
        return thing
    if kind in (None, type(None)):
        if thing is not None:
            raise StateError(f"{where} is not null")
        return None
    if kind in _SCALARS:
        return _SCALARS[kind](thing, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _either(arguments, thing, where, depth)
    if origin is Literal:
        if thing not in arguments:
            raise StateError(f"{where} is none of the words that it may be")
        return thing
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(thing)
        except ValueError:
            raise StateError(f"{where} is none of the values that it may have") from None
    if dataclasses.is_dataclass(kind):
        return _record(kind, thing, where, depth)
    return _many(origin or kind, arguments, thing, where, depth)


def _either(arms: tuple[Any, ...], thing: Any, where: str, depth: int) -> Any:
    for arm in arms:
        try:
            return _decode(arm, thing, where, depth + 1)
        except StateError:
            continue
    raise StateError(f"{where} is of none of the types that it may have")


def _record(kind: Any, thing: Any, where: str, depth: int) -> Any:
    if not isinstance(thing, Mapping):
        raise StateError(f"{where} is no object")
    hints = get_type_hints(kind)
    known = {one.name for one in dataclasses.fields(kind) if one.init}
    if strange := sorted(set(thing) - known):
        raise StateError(
            f"{where} has fields that {kind.__name__} does not know: {', '.join(str(one)[:40] for one in strange[:5])}"
        )
    given = {name: _decode(hints[name], one, f"{where}.{name}", depth + 1) for name, one in thing.items()}
    try:
        return kind(**given)
    except (TypeError, ValueError) as wrong:
        raise StateError(f"{where} does not fit {kind.__name__}: {type(wrong).__name__}") from wrong


def _many(origin: Any, arguments: tuple[Any, ...], thing: Any, where: str, depth: int) -> Any:
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(thing, Mapping):
            raise StateError(f"{where} is no object")
        inner = arguments[1] if len(arguments) == 2 else Any
        return {key: _decode(inner, one, f"{where}[{str(key)[:40]!r}]", depth + 1) for key, one in thing.items()}
    if not isinstance(origin, type) or not issubclass(origin, tuple | list | frozenset | set):
        raise StateError(f"{where} has a type that a state cannot have: {origin}")
    if not isinstance(thing, list | tuple):
        raise StateError(f"{where} is no list")
    if origin is tuple and arguments and arguments[1:] != (Ellipsis,):
        if len(thing) != len(arguments):
            raise StateError(f"{where} has {len(thing)} entries, not {len(arguments)}")
        return tuple(
            _decode(arm, one, f"{where}[{n}]", depth + 1) for n, (arm, one) in enumerate(zip(arguments, thing, strict=True))
        )
    inner = arguments[0] if arguments else Any
    return origin(_decode(inner, one, f"{where}[{n}]", depth + 1) for n, one in enumerate(thing))
