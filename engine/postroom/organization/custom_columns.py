"""The address columns of custom entities, kept with the organization (server-side-sync reference 4.8: any email-enabled entity takes part).

They are one value in the table of small states: a reopened organization knows them without being told. What a caller names when opening is added
to what is kept; nothing is ever taken away here (ours).
"""

from __future__ import annotations

from collections.abc import Sequence

from postroom.errors import RecordError
from postroom.model import DEFAULT_EMAIL_COLUMNS, EmailColumns
from postroom.organization.callers import Caller
from postroom.store import OrganizationStore, search
from postroom.store.memory import SqlStateCell

__all__ = ["bring_together", "register"]

KEY = "emailcolumns"
NAME_LIMIT = 128
Kept = dict[str, list[str]]


def _cell(store: OrganizationStore) -> SqlStateCell[Kept]:
    return SqlStateCell(store, KEY, {})


def _custom(columns: EmailColumns) -> Kept:
    """Entities and columns beyond the published ones."""
    found = {
        entity: [name for name in columns.of(entity) if name not in DEFAULT_EMAIL_COLUMNS.get(entity, ())]
        for entity in columns.entities
    }
    return {entity: names for entity, names in found.items() if names}


def bring_together(store: OrganizationStore) -> None:
    """Read what is kept into the store's registry; write down what the registry has beyond that, and index it."""
    cell = _cell(store)
    kept = cell.value
    fresh = {
        entity: names
        for entity, given in _custom(store.email_columns).items()
        if (names := [name for name in given if name not in kept.get(entity, ())])
    }
    for entity, names in kept.items():
        store.email_columns.register(entity, *names)
    if fresh:
        cell.commit(_custom(store.email_columns))
        _index(store, fresh)


def register(store: OrganizationStore, _caller: Caller, entity: str, names: Sequence[str]) -> None:
    """Raises RecordError for names that cannot be."""
    for name in (entity, *names):
        if not name.isidentifier() or len(name) > NAME_LIMIT:
            raise RecordError(f"{name[:NAME_LIMIT]!r} is not the name of an entity or attribute")
    store.email_columns.register(entity, *names)
    cell = _cell(store)
    if _custom(store.email_columns) != cell.value:
        cell.commit(_custom(store.email_columns))
        _index(store, [entity])


def _index(store: OrganizationStore, entities: Sequence[str] | Kept) -> None:
    with store.transaction() as tx:
        for entity in entities:
            search.reindex(tx, entity)
