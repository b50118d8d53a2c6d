"""Statements that are asked again and again: compiled once per database, and on SQLite handed to the driver as they are.

SQLAlchemy needs more time to carry a small statement to SQLite and back than SQLite needs to answer it. A `Prepared` statement is compiled by
SQLAlchemy once, and then costs a dictionary look-up. On PostgreSQL it is executed like any other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from postroom.errors import StoreError

__all__ = ["Answer", "Prepared"]

_DIALECT = sqlite.dialect()

Values = Mapping[str, Any]


class Answer:
    """What a prepared statement gave: the part of SQLAlchemy's result that the store uses. Rows are tuples."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def all(self) -> list[tuple[Any, ...]]:
        return self._rows

    def first(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None

    def one(self) -> tuple[Any, ...]:
        """Raises StoreError unless there is exactly one row."""
        if len(self._rows) != 1:
            raise StoreError(f"one row expected, not {len(self._rows)}")
        return self._rows[0]

    def scalar(self) -> Any:
        """The first column of the first row; None without rows."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """Raises StoreError unless there is exactly one row."""
        return self.one()[0]


class Prepared:
    """A Core statement or `text`, to be executed through `Transaction.execute`. The parameters that are given decide which columns an INSERT or UPDATE
    without values of its own names; a parameter that is missing is an error.

    On SQLite truth values of the answer are made bool; `plain` leaves that to the caller, who converts whole records anyway.

    `lists`: a parameter is a list of any length. PostgreSQL then plans each execution for the list and for the table as they are; the plan it would
    keep may have been made for a list of two and an empty table, and needs a list's square later.
    """

    __slots__ = ("_compiled", "_plain", "lists", "statement")

    def __init__(self, statement: Any, *, plain: bool = False, lists: bool = False) -> None:
        self.statement = statement
        self.lists = lists
        self._plain = plain
        self._compiled: dict[Any, _Sqlite] = {}

    def on_sqlite(
        self,
        raw: sqlite3.Connection,
        parameters: Values | list[Values] | None,
        observers: Iterable[Callable[[str], None]] = (),
    ) -> Answer:
        """Execute at the driver. Raises sqlite3.Error, and what the driver says of values it cannot take."""
        many = type(parameters) is list
        sample: Values = cast(Any, parameters)[0] if many else cast(Any, parameters) or {}
        names = tuple(sample) if self.statement.is_dml else ()
        compiled = self._compiled.get(names)
        if compiled is None:
            compiled = self._compiled[names] = _Sqlite(self.statement, sample, self._plain)
        for observer in observers:
            observer(compiled.sql)
        if many:
            return Answer([], raw.executemany(compiled.sql, map(compiled.bind, cast(Any, parameters))).rowcount)
        cursor = raw.execute(compiled.sql, compiled.bind(sample))
        if not compiled.returns:
            return Answer([], cursor.rowcount)
        rows = cursor.fetchall()
        if compiled.flags:
            rows = [compiled.with_truth(row) for row in rows]
        return Answer(rows, cursor.rowcount)


class _Sqlite:
    """The SQL text, how parameters become its question marks, and which columns of the answer are truth values."""

    __slots__ = ("bind", "flags", "returns", "sql")

    def __init__(self, statement: Any, given: Values, plain: bool) -> None:
        names = list(given) if statement.is_dml else None
        compiled: SQLCompiler = statement.compile(dialect=_DIALECT, column_keys=names)
        expanded = compiled.construct_expanded_state(dict(given))
        self.sql = expanded.statement
        asked = tuple(expanded.positiontup or ())
        self.bind = _binder(asked, {name: expanded.parameters[name] for name in asked if name not in given})
        columns = tuple(getattr(statement, "exported_columns", ()))
        self.returns = bool(columns) or isinstance(statement, sa.TextClause)
        self.flags = tuple(index for index, column in enumerate(columns) if isinstance(column.type, sa.Boolean) and not plain)

    def with_truth(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for index in self.flags:
            if values[index] is not None:
                values[index] = bool(values[index])
        return tuple(values)


def _binder(asked: tuple[str, ...], constants: Values) -> Callable[[Values], Sequence[Any]]:
    """Parameters in the order of the question marks."""
    if not asked:
        return lambda _: ()
    pick = itemgetter(*asked)
    if len(asked) == 1:
        only = asked[0]
        return (lambda _: (constants[only],)) if only in constants else (lambda given: (given[only],))
    if not constants:
        return cast(Callable[[Values], Sequence[Any]], pick)
    return lambda given: cast(Sequence[Any], pick({**constants, **given}))
