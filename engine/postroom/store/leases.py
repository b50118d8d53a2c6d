"""Leases: one worker at a time per instance, with a fencing token (server-side-sync reference 3.3; dependencies reference 2.5).

Each acquisition raises the token; a transaction opened with a `Fence` locks the lease row first and goes on only while the token is
still its own. Who is taken over learns it at his next transaction, by StaleRun.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from postroom.errors import StaleRun
from postroom.store.prepared import Prepared
from postroom.store.rows import check_text, to_micros
from postroom.store.tables import TABLES, lease

if TYPE_CHECKING:
    from postroom.store.base import BaseTransaction

__all__ = ["Fence", "acquire", "check", "mailbox_of", "release", "renew", "unlock"]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write as `instance`. `taken_from`: the holder whose run had not ended; its unfinished work needs a look."""

    instance: str
    token: int
    taken_from: str | None = field(default=None, compare=False)


_FIRST = Prepared(lease.insert().inline())
_mailbox = TABLES["mailbox"]

_CHECK = Prepared(
    sa.select(lease.c.token, lease.c.holder).where(lease.c.instance == sa.bindparam("p_instance")).with_for_update()
)
_FREE = sa.or_(
    lease.c.holder.is_(None), lease.c.expires <= sa.bindparam("p_now"), sa.bindparam("p_force", type_=sa.Boolean()).is_(True)
)
_expected = sa.bindparam("p_expected", type_=sa.BigInteger())
_UNCHANGED = sa.or_(_expected.is_(None), lease.c.token == _expected)
_TAKE = Prepared(
    lease.update()
    .where(lease.c.instance == sa.bindparam("p_instance"), _FREE, _UNCHANGED)
    .values(
        token=lease.c.token + 1,
        previous=lease.c.holder,
        holder=sa.bindparam("p_holder"),
        expires=sa.bindparam("p_expires"),
    )
    .returning(lease.c.token, lease.c.previous)
)
_EXISTS = Prepared(sa.select(lease.c.token).where(lease.c.instance == sa.bindparam("p_instance")))
_OWN = sa.and_(
    lease.c.instance == sa.bindparam("p_instance"), lease.c.token == sa.bindparam("p_token"), lease.c.holder.is_not(None)
)
_RENEW = Prepared(lease.update().where(_OWN).values(expires=sa.bindparam("p_expires")))
_RELEASE = Prepared(lease.update().where(_OWN).values(holder=None))
_LOCK_MAILBOX = Prepared(
    _mailbox.update()
    .where(_mailbox.c.mailboxid == sa.bindparam("p_mailbox"))
    .values(hostid=sa.bindparam("p_holder"), processingstatecode=1)
)
_COUNT_FORCED = Prepared(
    _mailbox.update()
    .where(_mailbox.c.mailboxid == sa.bindparam("p_mailbox"))
    .values(forcedunlockcount=_mailbox.c.forcedunlockcount + 1, lastmailboxforcedunlockoccurredon=sa.bindparam("p_now"))
)
_UNLOCK_MAILBOX = Prepared(
    _mailbox.update()
    .where(
        _mailbox.c.mailboxid == sa.bindparam("p_mailbox"),
        ~sa.exists().where(lease.c.mailboxid == sa.bindparam("p_mailbox"), lease.c.holder.is_not(None)),
    )
    .values(hostid=None, processingstatecode=0)
)


def mailbox_of(instance: str) -> str | None:
    """The mailbox that an instance stands for: the first uuid in its name (`<id>`, `mailbox:<id>`, `<id>/incoming`), if any. Ours."""
    found = _UUID.search(instance)
    return found.group() if found else None


def acquire(
    tx: BaseTransaction,
    instance: str,
    holder: str,
    now: datetime,
    expires: datetime,
    *,
    force: bool = False,
    expected: int | None = None,
) -> Fence | None:
    """Take the lease when it is free or has expired, or with `force` from whoever holds it; None when another has it. `expected`: only if
    nobody had it since its token was that (0: nobody ever).

    A mailbox's `hostid` and `processingstatecode` follow; taking it from a holder that never released it counts as a forced unlock.
    """
    check_text(instance, "instance")
    holder = check_text(holder, "holder")[:256]
    parameters = {
        "p_instance": instance,
        "p_holder": holder,
        "p_now": to_micros(now),
        "p_expires": to_micros(expires),
        "p_force": force,
        "p_expected": expected,
    }
    mailbox = mailbox_of(instance) if tx.records else None
    row = tx.execute(_TAKE, parameters).first()
    if row is None:
        if tx.execute(_EXISTS, {"p_instance": instance}).first() is not None:
            return None
        first = {"instance": instance, "token": 1, "holder": holder, "expires": to_micros(expires), "mailboxid": mailbox}
        tx.execute(_FIRST, first)
    token, previous = (1, None) if row is None else (int(row[0]), row[1])
    if mailbox is not None:
        tx.execute(_LOCK_MAILBOX, {"p_mailbox": mailbox, "p_holder": holder})
        if previous is not None:
            tx.execute(_COUNT_FORCED, {"p_mailbox": mailbox, "p_now": to_micros(now)})
    return Fence(instance, token, previous)


def check(tx: BaseTransaction, fence: Fence) -> None:
    """Lock the lease row and compare; the store does it at the start of every fenced transaction. Raises StaleRun.

    SELECT FOR UPDATE on PostgreSQL; on SQLite BEGIN IMMEDIATE has locked everything, and a transaction that writes nothing else stays
    free of a disk write.
    """
    row = tx.execute(_CHECK, {"p_instance": fence.instance}).first()
    if row is None or row[0] != fence.token or row[1] is None:
        raise StaleRun(f"the lease of {fence.instance!r} is no longer held with token {fence.token}")


def renew(tx: BaseTransaction, fence: Fence, expires: datetime) -> None:
    """Move the end of the lease. Raises StaleRun when it was lost; an expired lease that nobody took is still one's own."""
    parameters = {"p_instance": fence.instance, "p_token": fence.token, "p_expires": to_micros(expires)}
    if tx.execute(_RENEW, parameters).rowcount == 0:
        raise StaleRun(f"the lease of {fence.instance!r} is no longer held with token {fence.token}")


def release(tx: BaseTransaction, fence: Fence, *, unlock: bool = True) -> bool:
    """Give the lease back. False when it was not one's own any more: then nothing is changed. `unlock` False leaves the mailbox's row to the caller,
    who changes it anyway."""
    if tx.execute(_RELEASE, {"p_instance": fence.instance, "p_token": fence.token}).rowcount == 0:
        return False
    mailbox = mailbox_of(fence.instance) if unlock and tx.records else None
    if mailbox is not None:
        tx.execute(_UNLOCK_MAILBOX, {"p_mailbox": mailbox})
    return True


def unlock(tx: BaseTransaction, mailbox_id: str) -> None:
    """The mailbox is idle again, unless another lease on it is held."""
    tx.execute(_UNLOCK_MAILBOX, {"p_mailbox": mailbox_id})
