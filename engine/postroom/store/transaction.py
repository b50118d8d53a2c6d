"""One transaction: records in, records out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from postroom.errors import DuplicateRecord, InvalidValue, NotWritable, RecordNotFound
from postroom.model import ENTITIES, GenericRecord, Lookup, Record, entity_class
from postroom.store import generic, search
from postroom.store import statements as made
from postroom.store.base import BaseTransaction
from postroom.store.prepared import Prepared
from postroom.store.rows import Shape, shape_of
from postroom.store.tables import secret

if TYPE_CHECKING:
    from postroom.store import OrganizationStore

__all__ = ["Transaction"]

R = TypeVar("R", bound=Record)
T = TypeVar("T", bound=Record | GenericRecord)

_FORGET_SECRETS = Prepared(secret.delete().where(secret.c.recordid == sa.bindparam("p_id")))


class Transaction(BaseTransaction):
    """A transaction of an organization's store."""

    __slots__ = ()
    records: ClassVar[bool] = True
    store: OrganizationStore

    def new_id(self) -> str:
        """An id from the store's source."""
        return self.store.new_id()

    @overload
    def get(self, cls: type[R], key: str | Lookup) -> R: ...
    @overload
    def get(self, cls: type[GenericRecord], key: str | Lookup) -> GenericRecord: ...
    def get(self, cls: type[Any], key: str | Lookup) -> Any:
        """The record with this id or lookup. Raises RecordNotFound. A generic record is best asked for by Lookup."""
        if cls is GenericRecord:
            return generic.get(self.connection, key)
        shape: Shape[Any] = shape_of(cls)
        record_id = _id_for(shape, key)
        row = self.execute(made.get_of(cls, shape), {"p_key": record_id}).first()
        if row is None:
            raise RecordNotFound(f"no {shape.entity} {record_id!r}")
        return shape.record(row)

    def fetch(self, reference: Lookup) -> Record | GenericRecord:
        """The record that a lookup points to, typed where its entity is. Raises RecordNotFound."""
        if reference.entity in ENTITIES:
            return self.get(entity_class(reference.entity), reference.id)
        return self.get(GenericRecord, reference)

    @overload
    def find(self, cls: type[R], *, order_by: Sequence[str] = (), limit: int | None = None, **filters: Any) -> list[R]: ...
    @overload
    def find(
        self, cls: type[GenericRecord], *, order_by: Sequence[str] = (), limit: int | None = None, **filters: Any
    ) -> list[GenericRecord]: ...
    def find(self, cls: type[Any], *, order_by: Sequence[str] = (), limit: int | None = None, **filters: Any) -> list[Any]:
        """Records whose attributes equal the filters: a list means any of them, None means empty. In the order of creation, or by
        `order_by` (`"name"`, `"-name"`), equals in the order of creation. Raises UnknownAttribute, InvalidValue."""
        if isinstance(order_by, str):
            order_by = (order_by,)
        if limit is not None and limit < 0:
            raise InvalidValue(f"limit {limit} is negative")
        if cls is GenericRecord:
            return generic.find(self.connection, filters, order_by, limit, self.dialect)
        shape: Shape[Any] = shape_of(cls)
        question = made.Question(shape, filters, self.dialect)
        statement = made.find_statement(shape, question, order_by, limit is not None, self.dialect)
        if not question.possible:
            return []
        if limit is not None:
            question.parameters["p__limit"] = limit
        return [shape.record(row) for row in self.execute(statement, question.parameters)]

    @overload
    def first(self, cls: type[R], *, order_by: Sequence[str] = (), **filters: Any) -> R | None: ...
    @overload
    def first(self, cls: type[GenericRecord], *, order_by: Sequence[str] = (), **filters: Any) -> GenericRecord | None: ...
    def first(self, cls: type[Any], *, order_by: Sequence[str] = (), **filters: Any) -> Any:
        """The first that `find` would give, or None."""
        found = self.find(cls, order_by=order_by, limit=1, **filters)
        return found[0] if found else None

    def where(
        self, cls: type[R], *conditions: Any, order_by: Sequence[str] = (), limit: int | None = None, **parameters: Any
    ) -> list[R]:
        """Records by Core conditions on `postroom.store.tables.TABLES[entity]`, for what `find` cannot say (ranges, subqueries)."""
        shape = shape_of(cls)
        statement = sa.select(*shape.columns).where(*conditions).order_by(*made.order_of(shape, order_by))
        if limit is not None:
            statement = statement.limit(limit)
        return [shape.record(row) for row in self.execute(statement, parameters)]

    def count(self, cls: type[Record], **filters: Any) -> int:
        """How many `find` would give."""
        shape: Shape[Any] = shape_of(cls)
        question = made.Question(shape, filters, self.dialect)
        if not question.possible:
            return 0
        statement = made.count_statement(shape, question, self.dialect)
        return int(self.execute(statement, question.parameters).scalar_one())

    def create(self, record: T) -> T:
        """Store a record and give it back as stored: with an id from the store's source where it had none, and with `createdon`,
        `modifiedon` where it has these and they were empty. Raises DuplicateRecord, InvalidValue."""
        self._must_write()
        if isinstance(record, GenericRecord):
            done = self._identified_generic(record)
            self._generic(generic.insert, done)
            self._index(done, fresh=True)
            return cast(T, done)
        shape: Shape[Any] = shape_of(type(record))
        made_record = self._completed(shape, record)
        self.execute(made.insert_of(shape), shape.of_record(made_record))
        self._index(made_record, fresh=True)
        return cast(T, made_record)

    def create_many(self, records: Iterable[R]) -> list[R]:
        """Several records of one class in one statement."""
        self._must_write()
        wanted = list(records)
        if not wanted:
            return []
        shape: Shape[Any] = shape_of(type(wanted[0]))
        if any(type(one) is not shape.cls for one in wanted):
            raise InvalidValue("create_many takes records of one class")
        done: list[Any] = [self._completed(shape, one) for one in wanted]
        self.execute(made.insert_of(shape), [shape.of_record(one) for one in done])
        for one in done:
            self._index(one, fresh=True)
        return done

    def update(self, cls: type[Any], key: str | Lookup, /, **changes: Any) -> None:
        """Set these attributes, and `modifiedon` where there is one and it is not given. A generic record needs a Lookup; its values
        are merged. Raises RecordNotFound, UnknownAttribute, InvalidValue, DuplicateRecord."""
        self._must_write()
        if cls is GenericRecord:
            self._update_generic(key, changes)
            return
        shape: Shape[Any] = shape_of(cls)
        record_id = _id_for(shape, key)
        if shape.key in changes:
            raise NotWritable(f"{shape.entity}.{shape.key}: a record keeps its id")
        if shape.stamps_change and "modifiedon" not in changes:
            changes = {**changes, "modifiedon": self.now()}
        row = shape.row(changes)
        if not row:
            self.get(cls, record_id)
            return
        parameters = {f"v_{name}": value for name, value in row.items()}
        parameters["p_key"] = record_id
        if self.execute(made.update_of(shape, row), parameters).rowcount == 0:
            raise RecordNotFound(f"no {shape.entity} {record_id!r}")
        columns = self.store.email_columns.of(shape.entity)
        if columns and not (search.SEARCHED.isdisjoint(changes) and set(columns).isdisjoint(changes)):
            self._index(self.get(cls, record_id), fresh=False)

    def delete(self, cls: type[Any], key: str | Lookup) -> None:
        """Remove a record with its secrets and its addresses in the search index; other records that point to it stay as they are.
        Raises RecordNotFound."""
        self._must_write()
        if cls is GenericRecord:
            reference = key if isinstance(key, Lookup) else self.get(GenericRecord, key).reference
            count = generic.delete(self.connection, reference)
        else:
            shape: Shape[Any] = shape_of(cls)
            reference = Lookup(shape.entity, _id_for(shape, key))
            count = self.execute(made.delete_of(shape), {"p_key": reference.id}).rowcount
            if cls.__secrets__:
                self.execute(_FORGET_SECRETS, {"p_id": reference.id})
        if count == 0:
            raise RecordNotFound(f"no {reference.entity} {reference.id!r}")
        if reference.entity in self.store.email_columns:
            search.forget(self, reference)

    def _completed(self, shape: Shape[Any], record: Record) -> Any:
        missing: dict[str, Any] = {}
        if not record.record_id:
            missing[shape.key] = self.new_id()
        if shape.stamps_creation:
            now: datetime | None = None
            for name in ("createdon", "modifiedon"):
                if name in shape.attributes and getattr(record, name) is None:
                    now = now or self.now()
                    missing[name] = now
        return shape.changed(record, missing) if missing else record

    def _identified_generic(self, record: GenericRecord) -> GenericRecord:
        if not record.entity or record.entity in ENTITIES:
            raise InvalidValue(f"{record.entity!r} is not the name of a generic entity")
        return record if record.id else dataclasses.replace(record, id=self.new_id())

    def _generic(self, write: Any, record: GenericRecord) -> None:
        try:
            write(self.connection, record)
        except IntegrityError as trouble:
            raise DuplicateRecord(f"there is a {record.entity} {record.id!r} already") from trouble

    def _update_generic(self, key: str | Lookup, changes: Mapping[str, Any]) -> None:
        before = self.get(GenericRecord, key)
        after = GenericRecord(before.entity, before.id, {**before.values, **changes})
        self._generic(generic.rewrite, after)
        self._index(after, fresh=False)

    def _index(self, record: Any, *, fresh: bool) -> None:
        entity = record.entity if isinstance(record, GenericRecord) else record.__entity__
        if columns := self.store.email_columns.of(entity):
            search.index(self, columns, record, fresh=fresh)


def _id_for(shape: Shape[Any], key: str | Lookup) -> str:
    if isinstance(key, str):
        return key
    if key.entity != shape.entity:
        raise InvalidValue(f"a lookup to {key.entity} is no {shape.entity}")
    return key.id
