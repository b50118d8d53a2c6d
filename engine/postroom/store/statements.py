"""Core statements for records, built once per shape of question.

The database compiles a statement once; here it is also built only once: the key is the entity class, the names asked for and how each
is compared, so that a question asked again costs one dictionary look-up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from postroom.errors import InvalidValue
from postroom.model import Kind, Lookup, Record
from postroom.store.prepared import Prepared
from postroom.store.rows import Shape
from postroom.store.tables import ENTITY_SUFFIX

__all__ = ["Question", "any_of", "any_value", "delete_of", "find_statement", "insert_of", "update_of"]

_statements: dict[Any, Prepared] = {}


def any_of(column: Any, name: str, dialect: str) -> sa.ColumnElement[bool]:
    """`column` is among the list bound as `name` (made by `any_value`): one parameter for a list of any length."""
    if dialect == "sqlite":
        each = sa.func.json_each(sa.bindparam(name, type_=sa.Text())).table_valued("value")
        return sa.ColumnElement.in_(column, sa.select(each.c.value))
    array = sa.ARRAY(column.type if not isinstance(column.type, sa.Text) else sa.Text())
    return column == sa.any_(sa.bindparam(name, type_=array))  # type: ignore[no-any-return]


def any_value(values: Iterable[Any], dialect: str) -> Any:
    """The parameter for `any_of`."""
    found = list(values)
    return json.dumps(found) if dialect == "sqlite" else found


class Question:
    """The conditions of a `find`, split into a shape (hashable, for the statement) and parameters."""

    def __init__(self, shape: Shape[Any], filters: Mapping[str, Any], dialect: str) -> None:
        self.parts: list[tuple[str, str, int]] = []
        self.parameters: dict[str, Any] = {}
        self.possible = True
        for name, value in filters.items():
            self._add(shape, name, value, dialect)

    def _add(self, shape: Shape[Any], name: str, value: Any, dialect: str) -> None:
        is_lookup = shape.attribute(name).kind is Kind.LOOKUP
        if value is None:
            self.parts.append((name, "null", 0))
        elif isinstance(value, Lookup) and is_lookup:
            self.parts.append((name, "lookup", 0))
            self.parameters |= {f"p_{name}": value.id, f"p_{name}_0": value.entity}
        elif isinstance(value, Sequence | frozenset | set) and not isinstance(value, str | Lookup):
            self._add_list(shape, name, list(value), dialect, is_lookup)
        else:
            self.parts.append((name, "equal", 0))
            self.parameters[f"p_{name}"] = _bound(shape, name, value)

    def _add_list(self, shape: Shape[Any], name: str, values: list[Any], dialect: str, is_lookup: bool) -> None:
        if None in values:
            raise InvalidValue(f"{shape.entity}.{name}: a list of values to look for cannot hold None")
        if not values:
            self.possible = False
        elif is_lookup:
            by_entity: dict[str, list[str]] = {}
            for value in values:
                by_entity.setdefault(Lookup(*value).entity, []).append(shape.value(name, value))
            self.parts.append((name, "lookups", len(by_entity)))
            for index, (entity, ids) in enumerate(sorted(by_entity.items())):
                self.parameters |= {f"p_{name}_{index}": entity, f"p_{name}_{index}_ids": any_value(ids, dialect)}
        else:
            self.parts.append((name, "any", 0))
            self.parameters[f"p_{name}"] = any_value((_bound(shape, name, value) for value in values), dialect)


def _bound(shape: Shape[Any], name: str, value: Any) -> Any:
    """A value to compare with. Text longer than the column is no error: it just matches nothing."""
    limit = shape.attribute(name).limit
    if isinstance(value, str) and limit is not None and len(value) > limit:
        value = value[: limit + 1]
        shape.value(name, value[:limit])
        return value
    return shape.value(name, value)


def _condition(shape: Shape[Any], part: tuple[str, str, int], dialect: str) -> sa.ColumnElement[bool]:
    name, how, count = part
    column = shape.table.c[name]
    if how == "null":
        return column.is_(None)
    if how == "any":
        return any_of(column, f"p_{name}", dialect)
    if how == "lookup":
        entity = shape.table.c[name + ENTITY_SUFFIX]
        return sa.and_(column == sa.bindparam(f"p_{name}"), entity == sa.bindparam(f"p_{name}_0"))
    if how == "lookups":
        entity = shape.table.c[name + ENTITY_SUFFIX]
        return sa.or_(
            *(
                sa.and_(any_of(column, f"p_{name}_{index}_ids", dialect), entity == sa.bindparam(f"p_{name}_{index}"))
                for index in range(count)
            )
        )
    return column == sa.bindparam(f"p_{name}")


def order_of(shape: Shape[Any], order_by: Sequence[str]) -> list[Any]:
    """Order by attributes, `-name` descending, empty values lowest on both databases; equals in the order of creation."""
    found: list[Any] = []
    for name in order_by:
        attribute = shape.attribute(name.removeprefix("-"))
        column = shape.table.c[attribute.name]
        found.append(column.desc().nulls_last() if name.startswith("-") else column.asc().nulls_first())
    return [*found, shape.table.c.rownumber]


def find_statement(shape: Shape[Any], question: Question, order_by: Sequence[str], limited: bool, dialect: str) -> Prepared:
    """SELECT of whole records."""
    key = ("find", shape.cls, tuple(question.parts), tuple(order_by), limited, dialect)
    prepared = _statements.get(key)
    if prepared is None:
        statement = sa.select(*shape.columns).where(*(_condition(shape, part, dialect) for part in question.parts))
        statement = statement.order_by(*order_of(shape, order_by))
        if limited:
            statement = statement.limit(sa.bindparam("p__limit", type_=sa.Integer()))
        prepared = _statements[key] = Prepared(statement, plain=True)
    return prepared


def get_of(cls: type[Record], shape: Shape[Any]) -> Prepared:
    key = ("get", cls)
    prepared = _statements.get(key)
    if prepared is None:
        statement = sa.select(*shape.columns).where(shape.table.c[shape.key] == sa.bindparam("p_key"))
        prepared = _statements[key] = Prepared(statement, plain=True)
    return prepared


def insert_of(shape: Shape[Any]) -> Prepared:
    key = ("insert", shape.cls)
    prepared = _statements.get(key)
    if prepared is None:
        statement = shape.table.insert().inline()
        prepared = _statements[key] = Prepared(statement, plain=True)
    return prepared


def update_of(shape: Shape[Any], columns: Iterable[str]) -> Prepared:
    """UPDATE of these columns of the record bound as `p_key`; values are bound as `v_<column>`."""
    names = tuple(columns)
    key = ("update", shape.cls, names)
    prepared = _statements.get(key)
    if prepared is None:
        statement = (
            shape.table.update()
            .where(shape.table.c[shape.key] == sa.bindparam("p_key"))
            .values({name: sa.bindparam(f"v_{name}") for name in names})
        )
        prepared = _statements[key] = Prepared(statement, plain=True)
    return prepared


def delete_of(shape: Shape[Any]) -> Prepared:
    key = ("delete", shape.cls)
    prepared = _statements.get(key)
    if prepared is None:
        statement = shape.table.delete().where(shape.table.c[shape.key] == sa.bindparam("p_key"))
        prepared = _statements[key] = Prepared(statement, plain=True)
    return prepared


def count_statement(shape: Shape[Any], question: Question, dialect: str) -> Prepared:
    key = ("count", shape.cls, tuple(question.parts), dialect)
    prepared = _statements.get(key)
    if prepared is None:
        conditions = (_condition(shape, part, dialect) for part in question.parts)
        statement = sa.select(sa.func.count()).select_from(shape.table).where(*conditions)
        prepared = _statements[key] = Prepared(statement, plain=True)
    return prepared
