"""The store of one organization: records, leases, secrets, the memory of providers, the ledger.

store = OrganizationStore.open("sqlite://", clock=clock)
with store.transaction(fence) as tx:
    tx.create(Mailbox(name="Sales"))
with store.reading() as tx:
    tx.find(Mailbox, statecode=0, order_by=("name",))
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from postroom.clock import Clock
from postroom.model import EmailColumns
from postroom.store.base import BaseStore
from postroom.store.database import Database, open_database
from postroom.store.leases import Fence
from postroom.store.tables import TABLES, metadata
from postroom.store.transaction import Transaction

if TYPE_CHECKING:
    from postroom.store.secrets import KeyRing

__all__ = ["TABLES", "Fence", "OrganizationStore", "Transaction", "metadata"]


def _random_id() -> str:
    return str(uuid.uuid4())


class OrganizationStore(BaseStore[Transaction]):
    """The database of one organization."""

    kind = Transaction

    def __init__(
        self, database: Database, *, clock: Clock, keys: KeyRing | None, ids: Callable[[], str], email_columns: EmailColumns
    ) -> None:
        super().__init__(database, clock=clock)
        self.keys = keys
        self.new_id = ids
        self.email_columns = email_columns

    @classmethod
    def open(
        cls,
        url: str = "sqlite://",
        *,
        clock: Clock,
        keys: KeyRing | None = None,
        ids: Callable[[], str] = _random_id,
        email_columns: EmailColumns | None = None,
    ) -> OrganizationStore:
        """`sqlite://` in memory, `sqlite:///path`, `postgresql+psycopg://...`; tables are made where there are none.

        `keys` encrypts passwords (without: reading or writing one is an error); `ids` gives the ids of new records (a seeded source
        makes them repeatable); `email_columns` adds custom email-enabled entities. Raises StoreError, NewerDatabase.
        """
        database = open_database(url)
        return cls(database, clock=clock, keys=keys, ids=ids, email_columns=email_columns or EmailColumns())
