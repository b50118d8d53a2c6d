"""What a channel needs for its rounds: who is due, why somebody is not, and the lease of a run (server-side-sync reference 3). What a run leaves
behind is in `run_results`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import StaleRun
from postroom.model import (
    ActDeliveryMethod,
    CredentialRetrieval,
    EmailConnectionChannel,
    EmailRouterAccessApproval,
    EmailServerProfile,
    EmailStatus,
    IncomingDeliveryMethod,
    Mailbox,
    OutgoingDeliveryMethod,
    RecordState,
    ServerType,
)
from postroom.organization import outbox
from postroom.organization.policies import settings_in
from postroom.organization.run_results import sending_due_since
from postroom.organization.values import DueMailbox, Operation
from postroom.rules.eligibility import Reason, explain
from postroom.rules.locking import host_of, may_break
from postroom.rules.operation import COLUMNS
from postroom.rules.outgoing_state import Mark
from postroom.store import TABLES, Fence, leases, ledger
from postroom.store.prepared import Prepared
from postroom.store.rows import from_micros, shape_of, to_micros
from postroom.store.tables import lease

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["begin_run", "due_mailboxes", "due_since", "end_run", "explain_mailbox", "next_due", "renew_run"]

_m, _p, _o, _e = TABLES["mailbox"], TABLES["emailserverprofile"], TABLES["organization"], TABLES["email"]
_l = ledger.outgoing_ledger
_NOW = sa.bindparam("p_now", type_=sa.BigInteger())
_SSS = int(IncomingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER)


# -- who is due: rules.eligibility in SQL, and whether there is anything to do -------------------------------------------


def _passed(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(column.is_(None), column <= _NOW)


def _approved() -> sa.ColumnElement[bool]:
    required = sa.case(
        (_m.c.regardingobjectid_entity == "queue", _o.c.requireapprovalforqueueemail),
        else_=_o.c.requireapprovalforuseremail,
    )
    approved = sa.and_(
        _m.c.emailrouteraccessapproval == int(EmailRouterAccessApproval.APPROVED),
        sa.or_(_p.c.servertype != int(ServerType.EXCHANGE_ONLINE_HYBRID), _m.c.isemailaddressapprovedbyo365admin.is_(True)),
    )
    return sa.or_(required.is_(False), approved)


_HOST = sa.bindparam("p_host", type_=sa.String())
_MAY_BREAK = sa.or_(
    _HOST.is_(None),
    _o.c.ismailboxforcedunlockingenabled.is_(True),
    sa.func.substr(sa.func.lower(lease.c.holder) + "/", 1, sa.func.length(_HOST)) == _HOST,
)
"""`rules.locking.may_break`: p_host is the asking host with a slash, None where nobody in particular asks."""
_UNLOCKED = ~sa.exists().where(
    lease.c.mailboxid == _m.c.mailboxid, lease.c.holder.is_not(None), sa.or_(lease.c.expires > _NOW, sa.not_(_MAY_BREAK))
)
_SERVICE = sa.and_(
    _m.c.statecode == int(RecordState.ACTIVE),
    _p.c.statecode == int(RecordState.ACTIVE),
    _o.c.emailconnectionchannel == int(EmailConnectionChannel.SERVER_SIDE_SYNC),
    _approved(),
)
_INCOMING_SERVED = sa.or_(_m.c.incomingemaildeliverymethod == _SSS, _m.c.isforwardmailbox.is_(True))
_OUTGOING_SERVED = _m.c.outgoingemaildeliverymethod == int(OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER)
_ACT_SERVED = _m.c.actdeliverymethod == int(ActDeliveryMethod.SERVER_SIDE_SYNC)
_INCOMING = sa.and_(_INCOMING_SERVED, _m.c.enabledforincomingemail.is_(True))
_OUTGOING = sa.and_(_OUTGOING_SERVED, _m.c.enabledforoutgoingemail.is_(True))
_ACT = sa.and_(
    _ACT_SERVED,
    _m.c.enabledforact.is_(True),
    _p.c.servertype != int(ServerType.OTHER),
    _m.c.regardingobjectid_entity == "systemuser",
    sa.not_(
        sa.and_(
            sa.func.coalesce(_p.c.incomingcredentialretrieval, 0) == int(CredentialRetrieval.EMAIL_SERVER_PROFILE),
            _p.c.incominguseimpersonation.is_(False),
        )
    ),
)
_TEST = sa.and_(_m.c.testemailconfigurationscheduled.is_(True), sa.or_(_INCOMING_SERVED, _OUTGOING_SERVED, _ACT_SERVED))
_PENDING = sa.and_(
    _e.c.sendermailboxid == _m.c.mailboxid,
    _e.c.statecode == int(EmailStatus.PENDING_SEND.state),
    _e.c.statuscode == int(EmailStatus.PENDING_SEND),
)
_WORK = sa.or_(
    sa.exists().where(_PENDING, _passed(_e.c.postponeemailprocessinguntil), _passed(_e.c.delayedemailsendtime)),
    sa.exists().where(_l.c.mailbox_id == _m.c.mailboxid, _l.c.mark.in_((Mark.CLAIMED.value, Mark.SUBMITTING.value))),
)
"""Sending has work when an email waits, or when an earlier run left one half done. An idle outbox costs no run."""

_DUE = {
    Operation.TEST: sa.and_(_TEST, _passed(_m.c.postponetestemailconfigurationuntil)),
    Operation.INCOMING: sa.and_(_INCOMING, _passed(_m.c.postponemailboxprocessinguntil), _passed(_m.c.receivingpostponeduntil)),
    Operation.OUTGOING: sa.and_(_OUTGOING, _passed(_m.c.postponesendinguntil), _WORK),
    Operation.ACT: sa.and_(_ACT, _passed(_m.c.receivingpostponeduntilforact)),
}
_MAILBOX, _PROFILE = shape_of(Mailbox), shape_of(EmailServerProfile)
_PROFILE_START = len(_MAILBOX.columns)
_FLAGS_START = _PROFILE_START + len(_PROFILE.columns)
_PROFILE_KEY = _PROFILE_START + [column.name for column in _PROFILE.columns].index("emailserverprofileid")
_FROM = _m.join(_p, _m.c.emailserverprofile == _p.c.emailserverprofileid).join(_o, sa.true())
_DUE_NOW = (
    sa.select(
        *(column.label(f"m{number}") for number, column in enumerate(_MAILBOX.columns)),
        *(column.label(f"p{number}") for number, column in enumerate(_PROFILE.columns)),
        *(condition.label(f"due_{operation.value}") for operation, condition in _DUE.items()),
        _o.c.ismailboxinactivebackoffenabled,
        sa.func.coalesce(sa.select(lease.c.token).where(lease.c.instance == _m.c.mailboxid).scalar_subquery(), 0),
    )
    .select_from(_FROM)
    .where(_SERVICE, _UNLOCKED, sa.or_(*_DUE.values()))
    .order_by(_m.c.postponemailboxprocessinguntil.asc().nulls_first(), _m.c.rownumber)
)


_FIND_DUE = Prepared(_DUE_NOW, plain=True)
_FIND_FIRST_DUE = Prepared(_DUE_NOW.limit(sa.bindparam("p_limit", type_=sa.Integer())), plain=True)


def due_mailboxes(organization: Organization, now: datetime, *, limit: int | None, holder: str | None) -> list[DueMailbox]:
    parameters = {"p_now": to_micros(now), "p_host": None if holder is None else f"{host_of(holder)}/"}
    with organization.store.reading() as tx:
        if limit is None:
            rows = tx.execute(_FIND_DUE, parameters).all()
        else:
            rows = tx.execute(_FIND_FIRST_DUE, {**parameters, "p_limit": limit}).all()
    found = []
    profiles: dict[str, EmailServerProfile] = {}  # mailboxes share theirs
    for row in rows:
        directions = tuple(operation for operation, due in zip(_DUE, row[_FLAGS_START:-2], strict=True) if due)
        mailbox, profile = _MAILBOX.record(row[:_PROFILE_START]), profiles.get(row[_PROFILE_KEY])
        if profile is None:
            profile = profiles[row[_PROFILE_KEY]] = _PROFILE.record(row[_PROFILE_START:_FLAGS_START])
        found.append(DueMailbox(mailbox, directions, profile, bool(row[-2]), row[-1]))
    return found


def _earliest(condition: sa.ColumnElement[bool], *columns: sa.ColumnElement[Any]) -> list[Any]:
    """Scalar subqueries: the first moment after now at which each postponement of such mailboxes ends."""
    return [
        sa.select(sa.func.min(column)).select_from(_FROM).where(_SERVICE, condition, column > _NOW).scalar_subquery()
        for column in columns
    ]


def _earliest_email(column: sa.ColumnElement[Any]) -> Any:
    source = _FROM.join(_e, _PENDING)
    return sa.select(sa.func.min(column)).select_from(source).where(_SERVICE, _OUTGOING, column > _NOW).scalar_subquery()


_NEXT = Prepared(
    sa.select(
        *_earliest(_TEST, _m.c.postponetestemailconfigurationuntil),
        *_earliest(_INCOMING, _m.c.postponemailboxprocessinguntil, _m.c.receivingpostponeduntil),
        *_earliest(sa.and_(_OUTGOING, sa.exists().where(_PENDING)), _m.c.postponesendinguntil),
        *_earliest(_ACT, _m.c.receivingpostponeduntilforact),
        _earliest_email(_e.c.postponeemailprocessinguntil),
        _earliest_email(_e.c.delayedemailsendtime),
        sa.select(sa.func.min(lease.c.expires)).where(lease.c.holder.is_not(None), lease.c.expires > _NOW).scalar_subquery(),
    )
)


def next_due(organization: Organization) -> datetime | None:
    with organization.store.reading() as tx:
        row = tx.execute(_NEXT, {"p_now": to_micros(organization.clock.now())}).one()
    moments = [value for value in row if value is not None]
    return from_micros(min(moments)) if moments else None


def explain_mailbox(organization: Organization, mailbox_id: str, operation: Operation, *, holder: str | None) -> list[Reason]:
    with organization.store.reading() as tx:
        mailbox = tx.get(Mailbox, mailbox_id)
        reference = mailbox.emailserverprofile
        profile = tx.first(EmailServerProfile, emailserverprofileid=reference.id) if reference is not None else None
        now = organization.clock.now()
        settings = settings_in(tx)
        held = sa.select(lease.c.holder, lease.c.expires).where(lease.c.mailboxid == mailbox_id, lease.c.holder.is_not(None))
        locks = tx.execute(held).all()
        forced = bool(settings.ismailboxforcedunlockingenabled)
        return explain(
            operation.value,
            mailbox,
            profile,
            settings,
            now=now,
            locked=any(expires > to_micros(now) for _, expires in locks),
            stale=holder is not None
            and any(
                expires <= to_micros(now) and not may_break(holder, previous, forced_unlocking=forced)
                for previous, expires in locks
            ),
        )


# -- a run ------------------------------------------------------------------------------------------------------------


class _NotToBeBroken(Exception):
    """A stale lock of another host."""


def begin_run(
    organization: Organization, mailbox_id: str, operation: Operation, holder: str, *, expected: int | None = None
) -> Fence | None:
    """One lease a mailbox, whatever the operation: named as the mailbox's id. A stale lock is broken where `rules.locking` allows it."""
    now = organization.clock.now()
    expires = now + timedelta(seconds=organization.deployment.settings.lease_seconds)
    try:
        with organization.store.transaction() as tx:
            fence = leases.acquire(tx, mailbox_id, holder, now, expires, expected=expected)
            if fence is None:
                return None
            if fence.taken_from is not None:
                forced = settings_in(tx).ismailboxforcedunlockingenabled
                if not may_break(holder, fence.taken_from, forced_unlocking=forced):
                    raise _NotToBeBroken
            if fence.taken_from is not None or operation in (Operation.OUTGOING, Operation.TEST):
                outbox.take_over_mailbox(tx, mailbox_id, fence.token)
            return fence
    except _NotToBeBroken:  # rolled back: the lock is as it was
        return None


def due_since(organization: Organization, mailbox: Mailbox, operation: Operation) -> datetime | None:
    """When a mailbox that is due had become so; None: it always was."""
    if operation is Operation.OUTGOING:
        with organization.store.reading() as tx:
            asked = sending_due_since(tx, mailbox.mailboxid)
        return max((one for one in (asked, mailbox.postponesendinguntil) if one is not None), default=None)
    if operation is Operation.TEST:
        return mailbox.postponetestemailconfigurationuntil
    names = COLUMNS[operation].waits
    return max((moment for name in names if (moment := getattr(mailbox, name)) is not None), default=None)


def renew_run(organization: Organization, fence: Fence) -> bool:
    expires = organization.clock.now() + timedelta(seconds=organization.deployment.settings.lease_seconds)
    try:
        with organization.store.transaction() as tx:
            leases.renew(tx, fence, expires)
    except StaleRun:
        return False
    return True


def end_run(organization: Organization, fence: Fence | None) -> None:
    """The lease knows its mailbox."""
    if fence is None:
        return
    with organization.store.transaction() as tx:
        leases.release(tx, fence)
