"""SendEmailAlert: when more than half of a profile's mailboxes failed within one hour, its owner gets a mail, once per hour (server-side-sync
reference 1.1, 3.7).

How the mail travels is ours: it is an ordinary email activity of the organization, from a mailbox that can send to the owner's address, so that it
goes the way of all mail, is retried like all mail and stands in the books. The sender is the owner's own mailbox unless that one failed too; else any
mailbox of the organization that can send and did not fail, queues first. Where none can, the alert on the profile has to do.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from postroom.errors import OrganizationError, PostroomError
from postroom.model import (
    EmailServerProfile,
    IncomingDeliveryMethod,
    Lookup,
    Mailbox,
    OutgoingDeliveryMethod,
    RecordState,
    SystemUser,
)
from postroom.organization import alerts
from postroom.organization.callers import SYSTEM
from postroom.organization.policies import settings_in
from postroom.store import TABLES, Transaction
from postroom.store.memory import SqlStateCell
from postroom.store.rows import to_micros

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["SUBJECT", "WINDOW", "consider", "too_many"]

log = logging.getLogger("postroom.alerts")

WINDOW = timedelta(hours=1)
SUBJECT = "Mailboxes of the email server profile {name} fail"
_m, _p, _s = TABLES["mailbox"], TABLES["emailserverprofile"], TABLES["mailboxstatistics"]
_SSS = int(IncomingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER)


def too_many(failed: int, total: int) -> bool:
    """More than half of them."""
    return failed * 2 > total


@dataclass(frozen=True, slots=True)
class _Trouble:
    profile: EmailServerProfile
    failed: int
    total: int
    sender: Lookup | None


def consider(organization: Organization, mailbox_id: str) -> str | None:
    """A mailbox's run has failed, and that is written down: is it time to write to its profile's owner? Returns the id of the email, when one was
    sent. What goes wrong here is no trouble of the run: it is logged, and the next failure asks again."""
    try:
        return _consider(organization, mailbox_id)
    except PostroomError as error:
        log.warning("%s: no mail to the owner of a failing profile: %s", organization.name, error)
        return None


def _consider(organization: Organization, mailbox_id: str) -> str | None:
    with organization.store.reading() as tx:
        now = tx.now()
        trouble = _look(tx, mailbox_id, now)
    if trouble is None:
        return None
    cell: SqlStateCell[str] = SqlStateCell(
        organization.store, f"sendemailalert:{trouble.profile.emailserverprofileid}", "", decode=lambda text, _: str(text)
    )
    if cell.value and datetime.fromisoformat(cell.value) + WINDOW > now:
        return None
    cell.commit(now.isoformat())
    with organization.store.transaction() as tx:
        alert = alerts.about("ProfileMailboxesFailing", trouble.profile.reference, profile=trouble.profile.name)
        alerts.write(tx, settings_in(tx), alert)
    return _write_to_owner(organization, trouble)


def _look(tx: Transaction, mailbox_id: str, now: datetime) -> _Trouble | None:
    reference = tx.get(Mailbox, mailbox_id).emailserverprofile
    profile = tx.first(EmailServerProfile, emailserverprofileid=reference.id) if reference is not None else None
    if profile is None or not profile.sendemailalert:
        return None
    failed_lately = _failed_since(now - WINDOW)
    served = sa.or_(
        _m.c.incomingemaildeliverymethod == _SSS,
        _m.c.isforwardmailbox.is_(True),
        _m.c.outgoingemaildeliverymethod == int(OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER),
    )
    mine = sa.and_(_m.c.emailserverprofile == profile.emailserverprofileid, _m.c.statecode == int(RecordState.ACTIVE), served)
    total, failed = (
        int(tx.execute(sa.select(sa.func.count()).select_from(_m).where(mine, *more)).scalar_one())
        for more in ((), (failed_lately,))
    )
    if not too_many(failed, total):
        return None
    return _Trouble(profile, failed, total, _sender(tx, profile, failed_lately))


def _failed_since(start: datetime) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        _s.c.mailboxid == _m.c.mailboxid, _s.c.mailboxprocesscompletedon > to_micros(start), _s.c.processresult.is_(False)
    )


def _sender(tx: Transaction, profile: EmailServerProfile, failed_lately: sa.ColumnElement[bool]) -> Lookup | None:
    can_send = (
        _m.c.enabledforoutgoingemail.is_(True),
        _m.c.outgoingemaildeliverymethod == int(OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER),
        _m.c.statecode == int(RecordState.ACTIVE),
        _m.c.regardingobjectid.is_not(None),
        _m.c.emailserverprofile == _p.c.emailserverprofileid,
        _p.c.statecode == int(RecordState.ACTIVE),
        ~failed_lately,
    )
    owner = profile.ownerid.id if profile.ownerid is not None else ""
    order = (
        sa.case((_m.c.regardingobjectid == owner, 0), (_m.c.regardingobjectid_entity == "queue", 1), else_=2),
        _m.c.rownumber,
    )
    row = tx.execute(
        sa.select(_m.c.regardingobjectid_entity, _m.c.regardingobjectid).where(*can_send).order_by(*order).limit(1)
    ).first()
    return Lookup(row[0], row[1]) if row is not None else None


def _write_to_owner(organization: Organization, trouble: _Trouble) -> str | None:
    profile = trouble.profile
    if trouble.sender is None:
        log.warning("%s: nobody can send the alert about the profile %r", organization.name, profile.name)
        return None
    text = (
        f"{trouble.failed} of the {trouble.total} mailboxes of the email server profile {profile.name!r} failed within the last hour. "
        "The alerts of the profile and of its mailboxes say why."
    )
    for to in _recipients(organization, profile):
        email = organization.create_email(
            SYSTEM, from_=trouble.sender, to=[to], subject=SUBJECT.format(name=profile.name)[:200], description=text
        )
        try:
            organization.send_email(SYSTEM, email, tracking_token="")
        except OrganizationError as refused:  # an address that belongs to nobody, where the organization allows none such
            organization.delete(SYSTEM, "email", email)
            log.info("%s: the alert about the profile %r: %s", organization.name, profile.name, refused)
            continue
        return email
    return None


def _recipients(organization: Organization, profile: EmailServerProfile) -> list[str | Lookup]:
    """`owneremailaddress`, as the owner's record where it is the owner's address; then the owner."""
    owner = profile.ownerid
    found: list[str | Lookup] = []
    known = ""
    if owner is not None and owner.entity == "systemuser":
        user: SystemUser = organization.retrieve(SYSTEM, "systemuser", owner.id)
        known = (user.internalemailaddress or "").casefold()
    if profile.owneremailaddress and profile.owneremailaddress.casefold() != known:
        found.append(profile.owneremailaddress)
    if known and owner is not None:
        found.append(owner)
    return found
