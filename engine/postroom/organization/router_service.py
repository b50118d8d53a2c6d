"""What the Email Router asks of an organization: whom it may serve, the lease of a mailbox in one direction, and who has something to send.

Ours throughout. The lease of a direction is named `<mailbox>/incoming` or `<mailbox>/outgoing`: several routers that serve the same mailbox meet it, and
so does server-side synchronization, whose own lease is the mailbox's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import StaleRun
from postroom.model import EmailStatus, Lookup, Mailbox, OutgoingDeliveryMethod, RecordState
from postroom.organization import alerts, outbox
from postroom.organization.policies import settings_in
from postroom.organization.values import Operation
from postroom.rules.eligibility import Obstacle, Reason
from postroom.rules.locking import may_break
from postroom.rules.outgoing_state import Mark
from postroom.rules.router_serving import channel_obstacles, explain_routed
from postroom.store import TABLES, Fence, Transaction, leases, ledger
from postroom.store.memory import SqlStateCell
from postroom.store.prepared import Prepared
from postroom.store.rows import from_micros, to_micros
from postroom.store.tables import lease, state_value

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "Begun",
    "begin",
    "channel",
    "close_alerts",
    "find_mailbox",
    "lease_name",
    "mailboxes_of",
    "note_served",
    "senders",
    "served_since",
    "waiting",
]

_m, _e, _l = TABLES["mailbox"], TABLES["email"], ledger.outgoing_ledger
_now, _before = (sa.bindparam(name, type_=sa.BigInteger()) for name in ("p_now", "p_before"))


@dataclass(frozen=True, slots=True)
class Begun:
    """`fence` None: why not, in `reasons`; `held_by` names who has the lease where somebody has it."""

    fence: Fence | None
    reasons: tuple[Reason, ...] = ()
    held_by: str = ""


def lease_name(mailbox_id: str, operation: Operation) -> str:
    return f"{mailbox_id}/{operation.value}"


# -- whom it serves ---------------------------------------------------------------------------------------------------


def channel(organization: Organization) -> list[Reason]:
    """What keeps the router from the organization; empty: nothing."""
    with organization.store.reading() as tx:
        return channel_obstacles(settings_in(tx))


def mailboxes_of(organization: Organization, owners: Iterable[Lookup]) -> dict[Lookup, str]:
    """The mailboxes of users and queues, by their owner; those that have none are left out."""
    wanted = list(owners)
    with organization.store.reading() as tx:
        if len(wanted) > 20:  # one look at all of them
            boxes = tx.find(Mailbox)
        else:
            boxes = [box for owner in wanted for box in tx.find(Mailbox, regardingobjectid=owner, limit=1)]
    known = {box.regardingobjectid: box.mailboxid for box in boxes if box.regardingobjectid is not None}
    return {owner: known[owner] for owner in wanted if owner in known}


def find_mailbox(organization: Organization, address: str) -> str | None:
    """The mailbox with this address, in any letter case."""
    with organization.store.reading() as tx:
        row = tx.execute(
            sa.select(_m.c.mailboxid)
            .where(sa.func.lower(_m.c.emailaddress) == address.lower())
            .order_by(_m.c.statecode)
            .limit(1)
        ).first()
    return None if row is None else str(row[0])


def senders(organization: Organization) -> list[str]:
    """All mailboxes whose outgoing email the router is to send."""
    with organization.store.reading() as tx:
        boxes = tx.find(
            Mailbox,
            statecode=int(RecordState.ACTIVE),
            outgoingemaildeliverymethod=int(OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER),
        )
    return [box.mailboxid for box in boxes]


# -- a run ------------------------------------------------------------------------------------------------------------


class _NotToBeBroken(Exception):
    """A stale lock of another host."""


_HELD = Prepared(
    sa.select(lease.c.holder).where(
        lease.c.instance == sa.bindparam("p_instance"), lease.c.holder.is_not(None), lease.c.expires > _now
    )
)


def begin(
    organization: Organization,
    mailbox_id: str,
    operation: Operation,
    holder: str,
    *,
    forward: bool = False,
    sending_delay: timedelta = timedelta(0),
) -> Begun:
    """Take the lease of one direction of a mailbox, if the router may serve it. `sending_delay`: emails that an earlier run left without a result are
    looked at again when they are that old (`SendingStatusDelay`). Raises RecordNotFound."""
    now = organization.clock.now()
    try:
        with organization.store.transaction() as tx:
            settings, mailbox = settings_in(tx), tx.get(Mailbox, mailbox_id)
            reasons = explain_routed(operation, mailbox, settings, forward=forward)
            if reasons:
                return Begun(None, tuple(reasons))
            name = lease_name(mailbox_id, operation)
            synchronized = _holder(tx, mailbox_id, now)  # a run of server-side sync that began before the channel was changed
            expires = now + timedelta(seconds=organization.deployment.settings.lease_seconds)
            fence = None if synchronized else leases.acquire(tx, name, holder, now, expires)
            if fence is None:
                by = synchronized or _holder(tx, name, now)
                return Begun(None, (Reason(Obstacle.LOCKED, "the mailbox is being processed"),), by)
            forced = bool(settings.ismailboxforcedunlockingenabled)
            if fence.taken_from is not None and not may_break(holder, fence.taken_from, forced_unlocking=forced):
                raise _NotToBeBroken(fence.taken_from)
            if operation is Operation.OUTGOING:
                outbox.take_over_left(tx, fence, mailbox_id, now - sending_delay)
            return Begun(fence)
    except _NotToBeBroken as kept:  # rolled back: the lock is as it was
        text = "another host locked the mailbox and did not give it back"
        return Begun(None, (Reason(Obstacle.STALE_LOCK, text),), str(kept))


def _holder(tx: Transaction, instance: str, now: datetime) -> str:
    row = tx.execute(_HELD, {"p_instance": instance, "p_now": to_micros(now)}).first()
    return "" if row is None else str(row[0])


@dataclass(frozen=True, slots=True)
class _Served:
    """What is kept of an instance that serves a mailbox: who ran it first, and when."""

    holder: str
    since: str


_SERVED = Prepared(sa.select(state_value.c.committedon).where(state_value.c.instance == sa.bindparam("p_instance")))


def _mark_name(mailbox_id: str, identity: str) -> str:
    return f"{mailbox_id}/router/{identity}"


def served_since(organization: Organization, mailbox_id: str, identity: str) -> datetime | None:
    """When this instance of a router served the mailbox for the first time; None: it never did."""
    with organization.store.reading() as tx:
        row = tx.execute(_SERVED, {"p_instance": _mark_name(mailbox_id, identity)}).first()
    return None if row is None else from_micros(row[0])


def note_served(organization: Organization, mailbox_id: str, identity: str, holder: str) -> None:
    """From now on the organization knows that this instance serves the mailbox: a router that knows nothing of it has lost its memory. Once; it goes with
    the mailbox."""
    if served_since(organization, mailbox_id, identity) is not None:
        return
    mark = _Served(holder, organization.clock.now().isoformat())
    cell = SqlStateCell(organization.store, _mark_name(mailbox_id, identity), _Served("", ""))
    with suppress(StaleRun):  # somebody else has just noted it
        cell.commit(mark)


# -- who has something to send ----------------------------------------------------------------------------------------


def _passed(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(column.is_(None), column <= _now)


_TO_SEND = sa.exists().where(
    _e.c.sendermailboxid == _m.c.mailboxid,
    _e.c.statecode == int(EmailStatus.PENDING_SEND.state),
    _e.c.statuscode == int(EmailStatus.PENDING_SEND),
    _passed(_e.c.postponeemailprocessinguntil),
    _passed(_e.c.delayedemailsendtime),
)
_LEFT = sa.exists().where(
    _l.c.mailbox_id == _m.c.mailboxid, _l.c.mark.in_((Mark.CLAIMED.value, Mark.SUBMITTING.value)), _l.c.at <= _before
)
_WAITING = Prepared(sa.select(_m.c.mailboxid).where(sa.or_(_TO_SEND, _LEFT)))


def waiting(organization: Organization, mailbox_ids: Collection[str], sending_delay: timedelta) -> Sequence[str]:
    """Those of the mailboxes that have an email to send now, or one that an earlier run left without a result long enough ago. One statement."""
    now = organization.clock.now()
    with organization.store.reading() as tx:
        rows = tx.execute(_WAITING, {"p_now": to_micros(now), "p_before": to_micros(now - sending_delay)}).all()
    return [row[0] for row in rows if row[0] in mailbox_ids]


# -- what it leads to -------------------------------------------------------------------------------------------------


def close_alerts(organization: Organization, mailbox_id: str, operation: Operation) -> int:
    """It works again: open alerts of this direction are closed. Returns how many there were."""
    with organization.store.transaction() as tx:
        return alerts.close_errors(tx, Lookup("mailbox", mailbox_id), operation)
