"""What keeps an organization's database small and readable: retention, vacuum, a new key for the secrets. All of it ours; what may be removed
without harm is decided in `store.retention`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from postroom.errors import Cancelled, RuleViolated
from postroom.organization.callers import Caller
from postroom.organization.policies import settings_in, switches_of
from postroom.store import Fence, Transaction, leases, retention, secrets
from postroom.store.retention import Ages, Removed

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["INSTANCE", "Removed", "Vacuumed", "ages", "retain", "retention_due", "rotate_key", "vacuum"]

INSTANCE = "organization/retention"
"""Whose lease keeps two retentions apart."""


def ages(organization: Organization) -> Ages:
    """Two ages are the organization's own (`tracelogmaximumageindays`, `ExchangeSyncIdMappingPersistenceTimeInDays`), the others the
    deployment's. 0 means for ever, except for the second: that is published as a number of days."""
    deployment = organization.deployment.settings
    with organization.store.reading() as tx:
        row = settings_in(tx)
    traces = row.tracelogmaximumageindays if row.tracelogmaximumageindays is not None else deployment.keep_traces_days
    return Ages(
        traces=_days(traces),
        statistics=_days(deployment.keep_statistics_days),
        mappings=timedelta(days=switches_of(row.orgdborgsettings).exchangesyncidmappingpersistencetimeindays),
        memory=_days(deployment.keep_memory_days),
        outgoing=_days(deployment.keep_outgoing_days),
        contents=_days(deployment.keep_contents_days),
    )


def _days(number: int) -> timedelta | None:
    return timedelta(days=number) if number > 0 else None


def retention_due(organization: Organization) -> datetime:
    """When the next retention is due: an interval after the last one, or after the organization was made."""
    with organization.store.reading() as tx:
        done = retention.last(tx)
        last = done.at if done is not None else settings_in(tx).createdon
    if last is None:
        return organization.clock.now()
    return last + timedelta(seconds=organization.deployment.settings.retention_interval)


def retain(
    organization: Organization, _caller: Caller, *, holder: str = "", cancelled: Callable[[], bool] = lambda: False
) -> Removed:
    """Raises RuleViolated while another retention of this organization goes on, Cancelled between two batches when `cancelled` says so:
    what was removed until then stays removed."""
    store = organization.store
    now = store.clock.now()
    with store.transaction() as tx:
        fence = leases.acquire(tx, INSTANCE, holder or INSTANCE, now, _expiry(organization))
    if fence is None:
        raise RuleViolated("another retention of this organization goes on: nothing was done")
    kept = ages(organization)
    try:
        removed = retention.remove(store.reading, _writing(organization, fence, cancelled), now, kept)
        with store.transaction(fence) as tx:
            retention.note(tx, now, kept)
    finally:
        with store.transaction() as tx:
            leases.release(tx, fence)
    return removed


def _expiry(organization: Organization) -> datetime:
    return organization.clock.now() + timedelta(seconds=organization.deployment.settings.lease_seconds)


def _writing(organization: Organization, fence: Fence, cancelled: Callable[[], bool]) -> retention.Writing:
    """Write transactions that hold while the lease is ours, and keep it so."""

    @contextmanager
    def batch() -> Iterator[Transaction]:
        if cancelled():
            raise Cancelled("retention was asked to end; it goes on another time")
        with organization.store.transaction(fence) as tx:
            leases.renew(tx, fence, _expiry(organization))
            yield tx

    def writing() -> AbstractContextManager[Transaction]:
        return batch()

    return writing


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """Octets that the database takes on its disk."""

    before: int
    after: int


def vacuum(organization: Organization, _caller: Caller) -> Vacuumed:
    """Give back the room of removed rows. SQLite writes the file anew: it needs as much free room as the database takes, and nobody
    writes meanwhile. PostgreSQL makes the room usable again and renews its statistics; the files mostly keep their size."""
    before = organization.store.size()
    organization.store.vacuum()
    return Vacuumed(before, organization.store.size())


def rotate_key(organization: Organization, _caller: Caller) -> int:
    """Encrypt every secret of this organization with the newest key of the ring, in batches. Returns how many were not yet. May be
    repeated, and goes on where it was cut off. Raises StoreError, naming what to do, for a secret that no key of the ring opens."""
    store = organization.store
    return secrets.move_to_newest(store)
