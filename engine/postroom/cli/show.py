"""How records and tables look, for people and as JSON."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any

from postroom.cli.texts import clean
from postroom.model import GenericRecord, Lookup
from postroom.model.attributes import Record

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["as_json", "console", "fields", "in_words", "lines", "option_words", "table", "values_of"]

_WIDE = 10_000
"""Columns where nobody reads on a screen: nothing is cut."""


def console() -> Console:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def values_of(record: Any) -> dict[str, Any]:
    """A record's readable attributes, the key first, under their published names."""
    if isinstance(record, GenericRecord):
        return {f"{record.entity}id": record.id, **record.values}
    return {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}


def as_json(value: Any) -> Any:
    """Option values are their numbers, moments ISO 8601 in UTC, lookups {"entity", "id"}."""
    if isinstance(value, Lookup):
        return {"entity": value.entity, "id": value.id}
    if isinstance(value, Record | GenericRecord):
        return as_json(values_of(value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, IntEnum):
        return int(value)
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: as_json(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): as_json(one) for name, one in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(as_json(one) for one in value)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [as_json(one) for one in value]
    return value


def option_words(value: IntEnum) -> str:
    """ "2 server side sync or router": the published number and our name for it."""
    return f"{int(value)} {value.name.lower().replace('_', ' ')}"


def in_words(value: Any, names: Mapping[str, str] | None = None) -> str:
    """A value for people. `names`: record id -> what the record is called."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, IntEnum):
        return option_words(value)
    if isinstance(value, Lookup):
        return f"{value.entity} {(names or {}).get(value.id, value.id)}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, frozenset | set | list | tuple):
        return " ".join(sorted(str(one) for one in value))
    return str(value)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, nothing: str = "nothing") -> None:
    """Columns under headings; one line that says so where there are no rows."""
    from rich.table import Table
    from rich.text import Text

    found = [[Text(clean(in_words(cell)), overflow="ellipsis", no_wrap=True) for cell in row] for row in rows]
    if not found:
        print(nothing)
        return
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading, no_wrap=True, overflow="ellipsis")
    for cells in found:
        made.add_row(*cells)
    page = console()
    if page.is_terminal:
        page.print(made)
        return
    with page.capture() as captured:
        page.print(made)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def fields(values: Mapping[str, Any], names: Mapping[str, str] | None = None, *, indent: str = "") -> None:
    """A name and its value on each line."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        shown = [clean(line) for line in in_words(value, names).splitlines()] or [""]
        print(f"{indent}{name:<{width}}  {shown[0]}".rstrip())
        for line in shown[1:]:
            print(f"{indent}{'':<{width}}  {line}".rstrip())


def lines(text: str, *, indent: str = "") -> None:
    """Text of others, made printable, line by line."""
    for line in text.splitlines():
        print(f"{indent}{clean(line)}".rstrip())
