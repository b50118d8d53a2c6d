"""One declaration: a frozen dataclass whose fields are `element()`s. Loader, writer, schemas, tables and identity all come from it.

    @dataclass(frozen=True)
    class FeedConfig:
        url: str = element("FeedUrl", identity=True, help="where the feed is")
        period: Millis = element("PollingPeriod", default=Millis(60_000), minimum=1_000)
        password: Secret = element("FeedPassword", default=Secret(""), secret=True)
        users: tuple[UUID, ...] = element("UserId", many=True)

Types: str, int, float, bool, Millis, UUID, Secret, an Enum, a Literal of words; `X | None` with a default; `tuple[X, ...]` with many=True.
A field without `element()` must have a default and is not for files.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, dataclass, field
from enum import Enum
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from postroom.errors import ConfigError
from postroom.model.secret import Secret
from postroom.providers.configuration.values import (
    TEXT_LENGTH,
    Choice,
    Fraction,
    Hidden,
    Identifier,
    Kind,
    Millis,
    Period,
    Seconds,
    Text,
    Truth,
    Whole,
)

__all__ = ["Declared", "credential_like", "declaration", "element", "identity"]

KEY = "postroom.element"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
CREDENTIAL = re.compile(r"passw|secret|token|credential|api_?key|private_?key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Options:
    name: str
    many: bool
    identity: bool | str
    secret: bool
    minimum: float | None
    maximum: float | None
    length: int
    pattern: tuple[str, str]
    milliseconds: bool
    overridable: bool
    help: str
    source: str
    deprecated: str
    was: Mapping[str, Mapping[str, str] | None]


def element(
    name: str,
    *,
    default: Any = MISSING,
    many: bool = False,
    identity: bool | str = False,
    secret: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    length: int = TEXT_LENGTH,
    pattern: tuple[str, str] = ("", ""),
    milliseconds: bool = False,
    overridable: bool = True,
    help: str = "",  # noqa: A002 - the word that a declaration wants
    source: str = "",
    deprecated: str = "",
    was: Mapping[str, Mapping[str, str] | None] | None = None,
) -> Any:
    """A dataclass field that is an element of the file.

    name          of the element
    default       when it is absent; without it the element is required. A `many` defaults to none at all
    identity      part of what tells instances apart; a text is the stable key to use when the element is renamed one day
    secret        the type is Secret; not in repr
    minimum       and maximum, both included, in the unit of the wire (milliseconds for intervals)
    length        characters of a text, at most
    pattern       regular expression for a whole text, and what to call it in a message ("a URL")
    milliseconds  a float field: seconds in code, whole milliseconds on the wire
    overridable   `ProviderOverrides` may set it, as long as it is single, no secret and no identity
    source        where the element comes from: a reference row, or "ours"
    deprecated    what to use instead; the element still works
    was           earlier names, each with a translation of its values, or None where they are the same
    """
    options = _Options(
        name,
        many,
        identity,
        secret,
        minimum,
        maximum,
        length,
        pattern,
        milliseconds,
        overridable,
        help,
        source,
        deprecated,
        was or {},
    )
    if many and default is MISSING:
        default = ()
    return field(default=default, metadata={KEY: options}, repr=not secret)


@dataclass(frozen=True, slots=True)
class Declared:
    """One field of a declaration, understood. `identity` is its key in the identity, "" for none. `default` is MISSING when required."""

    attribute: str
    name: str
    kind: Kind
    many: bool
    default: Any
    identity: str
    secret: bool
    overridable: bool
    help: str
    source: str
    deprecated: str
    was: Mapping[str, Mapping[str, str] | None]

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def texts(self, value: Any) -> list[str]:
        """The value as texts of elements; none where it cannot be told from absence."""
        if self.many:
            return [self.kind.render(one) for one in value]
        return [] if value is None else [self.kind.render(value)]


def declaration(model: type) -> tuple[Declared, ...]:
    """The elements of a model, in the order of its fields. Raises ConfigError with all that is wrong in the declaration itself."""
    return _declaration(cast(Hashable, model))


@functools.lru_cache(maxsize=256)
def _declaration(model: Any) -> tuple[Declared, ...]:
    title = getattr(model, "__qualname__", "what was given")
    if not dataclasses.is_dataclass(model):
        raise ConfigError(f"{title} is no dataclass, so it declares no elements")
    try:
        hints = get_type_hints(model)
    except Exception as error:  # names in annotations are foreign code
        raise ConfigError(f"the annotations of {title} cannot be understood: {error}") from error
    found: list[Declared] = []
    problems: list[str] = []
    for each in dataclasses.fields(model):
        options = each.metadata.get(KEY)
        if options is not None:
            try:
                found.append(_declared(each, options, hints[each.name]))
            except ConfigError as error:
                problems.append(f"{each.name}: {error}")
        elif each.init and each.default is MISSING and each.default_factory is MISSING:
            problems.append(f"{each.name}: has neither element() nor a default")
    names = [name for one in found for name in (one.name, *one.was)]
    problems += [f"{name} is declared twice" for name in sorted({name for name in names if names.count(name) > 1})]
    if problems:
        raise ConfigError(f"the declaration of {title} is wrong: {'; '.join(problems)}")
    return tuple(found)


def _declared(each: dataclasses.Field[Any], options: _Options, hint: Any) -> Declared:
    inner, many = _inner(hint, options)
    kind = _kind(inner, options)
    if options.secret is not isinstance(kind, Hidden):
        raise ConfigError("secret=True and the type Secret belong together")
    if options.secret and options.identity:
        raise ConfigError("a secret is no identity: a new password would lose the state")
    if many and each.default != ():
        raise ConfigError("a repeated element has no default but none at all")
    for name in (options.name, *options.was):
        if not NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no element name")
    key = options.identity if isinstance(options.identity, str) else options.name if options.identity else ""
    return Declared(
        each.name,
        options.name,
        kind,
        many,
        each.default,
        key,
        options.secret,
        options.overridable and not (many or key or options.secret),
        options.help,
        options.source,
        options.deprecated,
        options.was,
    )


def _inner(hint: Any, options: _Options) -> tuple[Any, bool]:
    """`tuple[X, ...]` and `X | None` -> X."""
    if get_origin(hint) is tuple and get_args(hint)[1:] == (Ellipsis,):
        if not options.many:
            raise ConfigError("a tuple needs many=True")
        return get_args(hint)[0], True
    if options.many:
        raise ConfigError("many=True needs tuple[X, ...]")
    if get_origin(hint) in (Union, types.UnionType):
        rest = [arm for arm in get_args(hint) if arm is not type(None)]
        if len(rest) == 1:
            return rest[0], False
    return hint, False


def _kind(inner: Any, options: _Options) -> Kind:
    low, high = options.minimum, options.maximum
    whole = (None if low is None else int(low), None if high is None else int(high))
    if get_origin(inner) is Literal:
        return Choice({str(word): word for word in get_args(inner)})
    if isinstance(inner, type) and issubclass(inner, Enum):
        return Choice.of_enum(inner)
    if inner is Millis or (inner is float and options.milliseconds):
        default = Period()
        bounds = (default.minimum if low is None else whole[0], default.maximum if high is None else whole[1])
        return Period(*bounds) if inner is Millis else Seconds(*bounds)
    makers: dict[Any, Kind] = {
        str: Text(options.length, *options.pattern),
        Secret: Hidden(options.length),
        bool: Truth(),
        int: Whole(*whole),
        float: Fraction(low, high),
        UUID: Identifier(),
    }
    if inner not in makers:
        raise ConfigError(f"the type {inner!r} is none that an element can have")
    return makers[inner]


def identity(provider: str, *values: Any) -> str:
    """What tells one instance from all others: SHA-256, hexadecimal, over the provider's name and the identity fields of `values` (a
    configuration, and what else is set for the instance), trimmed and case-folded (provider-kit 5.3). A password or a tuning value
    is never in it. Empty fields are left out, so that one added later does not change what is known."""
    told = {
        declared.identity: [text.strip().casefold() for text in declared.texts(getattr(value, declared.attribute))]
        for value in values
        for declared in declaration(type(value))
        if declared.identity
    }
    parts = sorted((key, texts) for key, texts in told.items() if any(texts))
    octets = json.dumps([provider.strip().casefold(), parts], ensure_ascii=True).encode("ascii")
    return hashlib.sha256(octets).hexdigest()


def credential_like(model: type) -> list[str]:
    """Elements that look like credentials by their names and are no secrets (provider-kit CFG-08)."""
    return [
        one.name
        for one in declaration(model)
        if not one.secret and isinstance(one.kind, Text) and CREDENTIAL.search(f"{one.name} {one.attribute}")
    ]
