"""Generic records in their one table: the same calls as for typed ones, over JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from postroom.errors import InvalidValue, RecordNotFound, StoreError
from postroom.model import GenericRecord, Lookup
from postroom.store.rows import check_text, decode_values, encode_values
from postroom.store.statements import any_of, any_value
from postroom.store.tables import generic_record as table

__all__ = ["delete", "find", "get", "insert", "rewrite"]

_COLUMNS = (table.c.entity, table.c.id, table.c["values"])
_ONE = sa.and_(table.c.entity == sa.bindparam("p_entity"), table.c.id == sa.bindparam("p_id"))
_GET = sa.select(*_COLUMNS).where(_ONE)
_GET_BY_ID = sa.select(*_COLUMNS).where(table.c.id == sa.bindparam("p_id")).limit(2)
_INSERT = table.insert().inline()
_UPDATE = table.update().where(_ONE).values({"values": sa.bindparam("p_values")})
_DELETE = table.delete().where(_ONE)


def _record(row: Any) -> GenericRecord:
    return GenericRecord(row[0], row[1], decode_values(row[2]))


def get(connection: Any, key: Lookup | str) -> GenericRecord:
    """By lookup, or by id alone where that names one record. Raises RecordNotFound."""
    if isinstance(key, Lookup):
        rows = connection.execute(_GET, {"p_entity": key.entity, "p_id": key.id}).all()
    else:
        rows = connection.execute(_GET_BY_ID, {"p_id": key}).all()
    if not rows:
        raise RecordNotFound(f"no {key.entity if isinstance(key, Lookup) else 'generic record'} {key[-1]!r}"[:200])
    if len(rows) > 1:
        raise StoreError(f"several entities have a record {key!r}; ask with a Lookup")
    return _record(rows[0])


def insert(connection: Any, record: GenericRecord) -> None:
    check_text(record.entity, "entity")
    check_text(record.id, "id")
    connection.execute(_INSERT, {"entity": record.entity, "id": record.id, "values": encode_values(record)})


def rewrite(connection: Any, record: GenericRecord) -> None:
    connection.execute(_UPDATE, {"p_entity": record.entity, "p_id": record.id, "p_values": encode_values(record)})


def delete(connection: Any, key: Lookup) -> int:
    count: int = connection.execute(_DELETE, {"p_entity": key.entity, "p_id": key.id}).rowcount
    return count


def find(
    connection: Any, filters: Mapping[str, Any], order_by: Sequence[str], limit: int | None, dialect: str
) -> list[GenericRecord]:
    """By `entity`, `id`, and any value inside: equal, None (absent or null), a Lookup, or a list of texts or whole numbers."""
    conditions: list[Any] = []
    parameters: dict[str, Any] = {}
    for index, (name, value) in enumerate(filters.items()):
        conditions.append(_condition(name, value, f"p{index}", parameters, dialect))
    statement = sa.select(*_COLUMNS).where(*conditions)
    for name in order_by:
        column = _column(name.removeprefix("-"), dialect)
        statement = statement.order_by(column.desc().nulls_last() if name.startswith("-") else column.asc().nulls_first())
    statement = statement.order_by(table.c.rownumber)
    if limit is not None:
        statement = statement.limit(limit)
    return [_record(row) for row in connection.execute(statement, parameters)]


def _column(name: str, dialect: str, *inner: str) -> Any:
    """A column of the table, or a value inside the JSON, as text."""
    if name in ("entity", "id") and not inner:
        return table.c[name]
    check_text(name, "attribute")
    path = [name, *inner]
    values = table.c["values"]
    if dialect == "sqlite":
        steps = "".join('."' + step.replace('"', "") + '"' if not step.isdigit() else f"[{step}]" for step in path)
        return sa.func.json_extract(values, sa.bindparam(None, "$" + steps))
    return sa.func.json_extract_path_text(sa.cast(values, sa.JSON()), *path).collate("C")


def _condition(name: str, value: Any, bind: str, parameters: dict[str, Any], dialect: str) -> Any:
    if value is None:
        return _column(name, dialect).is_(None)
    if isinstance(value, Lookup):
        parameters |= {f"{bind}e": value.entity, f"{bind}i": value.id}
        entity = _column(name, dialect, "$lookup", "0") == sa.bindparam(f"{bind}e")
        return sa.and_(entity, _column(name, dialect, "$lookup", "1") == sa.bindparam(f"{bind}i"))
    if isinstance(value, datetime | Mapping | float):
        raise InvalidValue(f"cannot search generic records by a {type(value).__name__}")
    column = _column(name, dialect)
    if isinstance(value, list | tuple | set | frozenset):
        parameters[bind] = any_value((_comparable(one, dialect) for one in value), dialect)
        return any_of(column if dialect == "sqlite" else sa.type_coerce(column, sa.Text()), bind, dialect)
    parameters[bind] = _comparable(value, dialect)
    return column == sa.bindparam(bind, type_=None if dialect == "sqlite" else sa.Text())


def _comparable(value: Any, dialect: str) -> Any:
    """What the database gets out of the JSON for this value: SQLite the value (True as 1), PostgreSQL its text."""
    if isinstance(value, str):
        return check_text(value, "value")
    if isinstance(value, bool):
        return int(value) if dialect == "sqlite" else str(value).lower()
    if isinstance(value, int):
        return int(value) if dialect == "sqlite" else str(int(value))
    raise InvalidValue(f"cannot search generic records by a {type(value).__name__}")
