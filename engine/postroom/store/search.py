"""The index that address resolution asks (server-side-sync reference 4.8): every address of every email-enabled record.

Kept in step by the transaction that creates, updates or deletes a record. `active`: statecode 0, and not `isdisabled`; a record
without either counts as active.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.model import GenericRecord, Lookup, Record, address_key
from postroom.store.prepared import Prepared
from postroom.store.rows import check_text
from postroom.store.statements import any_of, any_value
from postroom.store.tables import email_search as table

if TYPE_CHECKING:
    from postroom.store.transaction import Transaction

__all__ = ["SEARCHED", "EmailSearch", "forget", "index", "reindex", "resolve"]

SEARCHED = frozenset({"statecode", "isdisabled", "ownerid"})
"""Attributes besides the addresses themselves that the index copies."""


@dataclass(frozen=True, slots=True)
class EmailSearch:
    """One address of one record. `key` as `address_key` gives it; `attribute`: the column that holds it."""

    key: str
    entity: str
    id: str
    attribute: str
    active: bool
    ownerid: Lookup | None

    @property
    def reference(self) -> Lookup:
        return Lookup(self.entity, self.id)


_COLUMNS = (
    table.c.addresskey,
    table.c.entity,
    table.c.id,
    table.c.attribute,
    table.c.active,
    table.c.ownerid,
    table.c.ownerid_entity,
)
_INSERT = Prepared(table.insert().inline())
_DELETE = Prepared(table.delete().where(table.c.id == sa.bindparam("p_id"), table.c.entity == sa.bindparam("p_entity")))
_PLACES = Prepared(
    sa.select(table.c.attribute, table.c.rownumber).where(
        table.c.id == sa.bindparam("p_id"), table.c.entity == sa.bindparam("p_entity")
    )
)
_RESOLVE = {
    dialect: Prepared(sa.select(*_COLUMNS).where(any_of(table.c.addresskey, "p_keys", dialect)).order_by(table.c.rownumber))
    for dialect in ("sqlite", "postgresql")
}


def _value(record: Record | GenericRecord, name: str) -> Any:
    if isinstance(record, GenericRecord):
        return record.values.get(name)
    return getattr(record, name, None)


def _rows(columns: Iterable[str], record: Record | GenericRecord) -> list[dict[str, Any]]:
    reference = record.reference
    owner = _value(record, "ownerid")
    owner = owner if isinstance(owner, Lookup) else None
    rows = []
    for name in columns:
        address = _value(record, name)
        if isinstance(address, str) and (found := address_key(check_text(address, f"{reference.entity}.{name}"))):
            rows.append(
                {
                    "addresskey": found,
                    "entity": reference.entity,
                    "id": reference.id,
                    "attribute": name,
                    "active": not _value(record, "statecode") and not _value(record, "isdisabled"),
                    "ownerid": owner.id if owner else None,
                    "ownerid_entity": owner.entity if owner else None,
                }
            )
    return rows


def index(tx: Transaction, columns: Iterable[str], record: Record | GenericRecord, *, fresh: bool) -> None:
    """Write the rows of one record; `fresh`: it has none yet. An address column keeps its place in the order of matches, so that an
    update never changes which of several records comes first."""
    rows = _rows(columns, record)
    if not fresh:
        reference = record.reference
        found = tx.execute(_PLACES, {"p_id": reference.id, "p_entity": reference.entity}).all()
        forget(tx, reference)
        places: dict[str, int] = {row[0]: row[1] for row in found}
        kept = [{**row, "rownumber": places[row["attribute"]]} for row in rows if row["attribute"] in places]
        rows = [row for row in rows if row["attribute"] not in places]
        if kept:
            tx.execute(_INSERT, kept)
    if rows:
        tx.execute(_INSERT, rows)


def forget(tx: Transaction, reference: Lookup) -> None:
    tx.execute(_DELETE, {"p_id": reference.id, "p_entity": reference.entity})


def resolve(tx: Transaction, keys: Iterable[str]) -> dict[str, list[EmailSearch]]:
    """All matches of each address, active or not, in the order in which they were first stored; one statement for any number. Every address asked for is
    a key of the answer, normalized by `address_key`."""
    found: dict[str, list[EmailSearch]] = {address_key(one): [] for one in keys}
    found.pop("", None)
    askable = [one for one in found if _can_be_stored(one)]
    if not askable:
        return found
    rows = tx.execute(_RESOLVE[tx.dialect], {"p_keys": any_value(askable, tx.dialect)})
    for key, entity, record_id, attribute, active, owner, owner_entity in rows:
        ownerid = Lookup(owner_entity, owner) if owner is not None else None
        found[key].append(EmailSearch(key, entity, record_id, attribute, active, ownerid))
    return found


def _can_be_stored(key: str) -> bool:
    """Text that no database holds matches nothing, and would break the question for the others."""
    return "\x00" not in key and (key.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in key))


def reindex(tx: Transaction, entity: str) -> int:
    """Build the rows of all records of an entity anew, after its columns were registered. Returns how many records it has."""
    from postroom.model import ENTITIES

    cls = ENTITIES.get(entity)
    records: list[Any] = list(tx.find(cls)) if cls is not None else list(tx.find(GenericRecord, entity=entity))
    columns = tx.store.email_columns.of(entity)
    for record in records:
        index(tx, columns, record, fresh=False)
    return len(records)
