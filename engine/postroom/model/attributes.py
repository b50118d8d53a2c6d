"""Attribute descriptors: what the published metadata says of a column, carried by each dataclass field of an entity.

A field function (`string(100)`, `picklist(ServerType)`, ...) gives a `dataclasses.field` whose metadata holds an `Attribute`. They return
`Any`, so that `name: str = string(100)` passes the type checker. Without `default` and without `required` the default is None.

Flags say what *callers* of the organization may do (server-side-sync reference 1, "RO" and friends); the engine itself writes records
directly and is only held to type, length, range and option list:

    required      must be given, and not None, at create
    read_only     the engine writes it; callers may neither create nor update it
    create_only   callers set it at create and never change it ("RO after creation")
    update_only   not valid for create
    write_only    never readable: a password. Such an attribute is no dataclass field; it is declared with `secret(...)` in `__secrets__`
    internal      the engine's own bookkeeping, not readable by callers
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

__all__ = [
    "INT_MAX",
    "INT_MIN",
    "Attribute",
    "Kind",
    "Lookup",
    "Record",
    "attributes_of",
    "big_integer",
    "boolean",
    "guid",
    "integer",
    "key",
    "lookup",
    "memo",
    "moment",
    "nearest",
    "number",
    "picklist",
    "secret",
    "string",
]

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
"""The platform's whole number is a signed 32-bit integer [K]."""

MEMO_MAX = 1_048_576
"""Largest memo the platform stores, in characters [K]; the default where the reference gives no limit."""


class Lookup(NamedTuple):
    """A reference to a record: logical name of the entity and the record's id (canonical lower-case uuid)."""

    entity: str
    id: str


class Kind(Enum):
    STRING = "string"
    MEMO = "memo"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    BIG_INTEGER = "big integer"
    PICKLIST = "option"
    LOOKUP = "lookup"
    MOMENT = "moment"
    NUMBER = "number"
    GUID = "guid"


@dataclasses.dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. `limit` in characters; `low`..`high` inclusive; `targets` empty means any entity; `flag` names the
    `is...passwordset` companion of a write-only attribute."""

    name: str
    kind: Kind
    limit: int | None = None
    low: int | None = None
    high: int | None = None
    options: type[IntEnum] | None = None
    targets: tuple[str, ...] = ()
    default: Any = None
    required: bool = False
    read_only: bool = False
    create_only: bool = False
    update_only: bool = False
    write_only: bool = False
    internal: bool = False
    email: bool = False
    flag: str = ""


class Record:
    """What every entity class has. `__secrets__` holds the write-only attributes, which are never part of a record."""

    __slots__ = ()
    __entity__: ClassVar[str]
    __key__: ClassVar[str]
    __primary__: ClassVar[str] = ""
    __secrets__: ClassVar[Mapping[str, Attribute]] = MappingProxyType({})

    @property
    def record_id(self) -> str:
        """The value of the key attribute; empty before the store has given one."""
        value: str = getattr(self, self.__key__)
        return value

    @property
    def reference(self) -> Lookup:
        """A lookup to this record."""
        return Lookup(self.__entity__, self.record_id)


_KNOWN: dict[type[Record], Mapping[str, Attribute]] = {}


def attributes_of(cls: type[Record]) -> Mapping[str, Attribute]:
    """The attributes of an entity class in declaration order, without the write-only ones."""
    if cls in _KNOWN:
        return _KNOWN[cls]
    found = {}
    for one in dataclasses.fields(cls):  # type: ignore[arg-type]  # every entity class is one
        spec: Attribute = one.metadata["attribute"]
        found[one.name] = dataclasses.replace(spec, name=one.name)
    _KNOWN[cls] = MappingProxyType(found)
    return _KNOWN[cls]


def _field(kind: Kind, default: Any, required: bool, **settings: Any) -> Any:
    spec = Attribute(name="", kind=kind, default=default, required=required, **settings)
    if required and default is None:
        return dataclasses.field(metadata={"attribute": spec})
    return dataclasses.field(default=default, metadata={"attribute": spec})


def key() -> Any:
    """The record's id. Empty means: the store gives one at create."""
    spec = Attribute(name="", kind=Kind.GUID, default="", create_only=True)
    return dataclasses.field(default="", metadata={"attribute": spec})


def string(limit: int, *, default: str | None = None, required: bool = False, email: bool = False, **flags: bool) -> Any:
    """A single line of at most `limit` characters; `email`: it holds an address."""
    return _field(Kind.STRING, default, required, limit=limit, email=email, **flags)


def memo(limit: int = MEMO_MAX, *, default: str | None = None, required: bool = False, **flags: bool) -> Any:
    """Lines of text, at most `limit` characters."""
    return _field(Kind.MEMO, default, required, limit=limit, **flags)


def boolean(*, default: bool | None = False, required: bool = False, **flags: bool) -> Any:
    return _field(Kind.BOOLEAN, default, required, **flags)


def integer(
    low: int = INT_MIN, high: int = INT_MAX, *, default: int | None = None, required: bool = False, **flags: bool
) -> Any:
    """A whole number, `low`..`high` inclusive."""
    return _field(Kind.INTEGER, default, required, low=low, high=high, **flags)


def big_integer(*, default: int | None = None, required: bool = False, **flags: bool) -> Any:
    """A signed 64-bit integer."""
    return _field(Kind.BIG_INTEGER, default, required, low=-(2**63), high=2**63 - 1, **flags)


def picklist(options: type[IntEnum], *, default: IntEnum | None = None, required: bool = False, **flags: bool) -> Any:
    """One of a published option list."""
    return _field(Kind.PICKLIST, default, required, options=options, **flags)


def lookup(*targets: str, required: bool = False, **flags: bool) -> Any:
    """A reference to a record of one of `targets` (logical names); none given: of any entity."""
    return _field(Kind.LOOKUP, None, required, targets=targets, **flags)


def moment(*, required: bool = False, **flags: bool) -> Any:
    """An aware UTC datetime."""
    return _field(Kind.MOMENT, None, required, **flags)


def number(*, required: bool = False, **flags: bool) -> Any:
    """A floating point number."""
    return _field(Kind.NUMBER, None, required, **flags)


def guid(*, required: bool = False, **flags: bool) -> Any:
    """A uuid that is no lookup."""
    return _field(Kind.GUID, None, required, **flags)


def secret(name: str, limit: int, *, flag: str = "", read_only: bool = False) -> Attribute:
    """A write-only attribute for `__secrets__`; `flag` names the boolean that says whether it is set. With `read_only` nobody can
    write it any more: a deprecated password."""
    return Attribute(name=name, kind=Kind.STRING, limit=limit, write_only=True, flag=flag, read_only=read_only)


def nearest(name: str, names: Iterable[str]) -> str:
    """Words for an error message: "; did you mean 'x'?", or nothing when none is near."""
    found = difflib.get_close_matches(name[:100], list(names), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
