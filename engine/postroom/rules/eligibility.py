"""May this mailbox run this operation now? (server-side-sync reference 3.1)

`explain` names everything that speaks against it. An operation is eligible when nothing does. The channel's query for due
mailboxes says the same in SQL; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from postroom.model.options import (
    ActDeliveryMethod,
    CredentialRetrieval,
    EmailConnectionChannel,
    EmailRouterAccessApproval,
    IncomingDeliveryMethod,
    OutgoingDeliveryMethod,
    RecordState,
    ServerType,
)
from postroom.rules.operation import COLUMNS, Operation

if TYPE_CHECKING:
    from postroom.model import EmailServerProfile, Mailbox, Organization

__all__ = ["Obstacle", "Reason", "approval_obstacles", "approval_required", "explain", "is_eligible", "served"]


class Obstacle(StrEnum):
    """Stable codes; ours, except that `code` texts in alerts follow reference 10."""

    CHANNEL = "channel"
    MAILBOX_INACTIVE = "mailbox-inactive"
    NO_PROFILE = "no-profile"
    PROFILE_INACTIVE = "profile-inactive"
    METHOD = "method"
    SERVER_TYPE = "server-type"
    OWNER = "owner"
    DELEGATION = "delegation"
    NOT_APPROVED = "not-approved"
    NOT_APPROVED_BY_ADMIN = "not-approved-by-admin"
    NOT_ENABLED = "not-enabled"
    NOT_SCHEDULED = "not-scheduled"
    POSTPONED = "postponed"
    LOCKED = "locked"
    STALE_LOCK = "stale-lock"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks against it. `until`: when it passes by itself."""

    code: Obstacle
    text: str
    until: datetime | None = None

    def __str__(self) -> str:
        return f"skipped: {self.text}"


_WHAT = {"incoming": "incoming email", "outgoing": "outgoing email", "act": "appointments, contacts and tasks"}


def explain(
    operation: str,
    mailbox: Mailbox,
    profile: EmailServerProfile | None,
    organization: Organization,
    *,
    now: datetime,
    locked: bool | None = None,
    stale: bool = False,
) -> list[Reason]:
    """Everything that keeps `mailbox` from `operation` ("incoming", "outgoing", "act" or "test"), in a fixed order.

    `profile` is the mailbox's, None where it has none. `locked` overrides `processingstatecode`: a lock whose lease has expired
    does not count, unless it is `stale`: not to be broken by who asks (`rules.locking`).
    """
    return [
        *_service(mailbox, profile, organization),
        *(_test(mailbox) if operation == "test" else _direction(operation, mailbox, profile)),
        *approval_obstacles(mailbox, profile, organization),
        *_timing(operation, mailbox, now, bool(mailbox.processingstatecode) if locked is None else locked),
        *([Reason(Obstacle.STALE_LOCK, "another host locked the mailbox and did not give it back")] if stale else ()),
    ]


def is_eligible(
    operation: str,
    mailbox: Mailbox,
    profile: EmailServerProfile | None,
    organization: Organization,
    *,
    now: datetime,
    locked: bool | None = None,
) -> bool:
    return not explain(operation, mailbox, profile, organization, now=now, locked=locked)


def approval_required(mailbox: Mailbox, organization: Organization) -> bool:
    """Whether the approval gate exists for this mailbox (reference 2.3). A forward mailbox stands under the users' gate: suggested there."""
    owner = mailbox.regardingobjectid
    if owner is not None and owner.entity == "queue":
        return bool(organization.requireapprovalforqueueemail)
    return bool(organization.requireapprovalforuseremail)


def _service(mailbox: Mailbox, profile: EmailServerProfile | None, organization: Organization) -> Iterator[Reason]:
    if organization.emailconnectionchannel not in (None, EmailConnectionChannel.SERVER_SIDE_SYNC):
        yield Reason(Obstacle.CHANNEL, "the organization uses the email router")
    if mailbox.statecode != RecordState.ACTIVE:
        yield Reason(Obstacle.MAILBOX_INACTIVE, "the mailbox is inactive")
    if profile is None:
        yield Reason(Obstacle.NO_PROFILE, "the mailbox has no profile")
    elif profile.statecode != RecordState.ACTIVE:
        yield Reason(Obstacle.PROFILE_INACTIVE, "the profile is inactive")


def _direction(operation: str, mailbox: Mailbox, profile: EmailServerProfile | None) -> Iterator[Reason]:
    if not served(operation, mailbox):
        yield Reason(Obstacle.METHOD, f"{_WHAT[operation]} is not served by server-side synchronization")
    if operation == "act":
        if profile is not None and profile.servertype == ServerType.OTHER:
            yield Reason(Obstacle.SERVER_TYPE, "appointments, contacts and tasks need an Exchange profile")
        if mailbox.regardingobjectid is None or mailbox.regardingobjectid.entity != "systemuser":
            yield Reason(Obstacle.OWNER, "appointments, contacts and tasks are for users' mailboxes only")
        if profile is not None and _delegated(profile):
            yield Reason(
                Obstacle.DELEGATION, "appointments, contacts and tasks need impersonation: the profile's account has delegation"
            )
    if not getattr(mailbox, COLUMNS[Operation(operation)].enabled):
        yield Reason(Obstacle.NOT_ENABLED, f"the mailbox is not enabled for {_WHAT[operation]}")


def _delegated(profile: EmailServerProfile) -> bool:
    """The profile's credentials without impersonation mean delegation, which email alone can live with (reference 1.1)."""
    shared = profile.incomingcredentialretrieval == CredentialRetrieval.EMAIL_SERVER_PROFILE
    return shared and not profile.incominguseimpersonation


def served(operation: str, mailbox: Mailbox) -> bool:
    """Does the delivery method of this operation mean server-side synchronization? A forward mailbox takes mail in whatever its method says,
    and sends nothing."""
    if operation == "incoming":
        return bool(mailbox.isforwardmailbox) or (
            mailbox.incomingemaildeliverymethod == IncomingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER
        )
    if operation == "outgoing":
        return mailbox.outgoingemaildeliverymethod == OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER
    return mailbox.actdeliverymethod == ActDeliveryMethod.SERVER_SIDE_SYNC


def _test(mailbox: Mailbox) -> Iterator[Reason]:
    if not mailbox.testemailconfigurationscheduled:
        yield Reason(Obstacle.NOT_SCHEDULED, "no test is scheduled")
    if not served("incoming", mailbox) and not served("outgoing", mailbox) and not served("act", mailbox):
        yield Reason(Obstacle.METHOD, "nothing of the mailbox is served by server-side synchronization")


def approval_obstacles(mailbox: Mailbox, profile: EmailServerProfile | None, organization: Organization) -> list[Reason]:
    """What is missing of the approval that the organization asks for (reference 2.3)."""
    if not approval_required(mailbox, organization):
        return []
    found = []
    if mailbox.emailrouteraccessapproval != EmailRouterAccessApproval.APPROVED:
        found.append(Reason(Obstacle.NOT_APPROVED, "the address is not approved"))
    online = profile is not None and profile.servertype == ServerType.EXCHANGE_ONLINE_HYBRID
    if online and not mailbox.isemailaddressapprovedbyo365admin:
        found.append(Reason(Obstacle.NOT_APPROVED_BY_ADMIN, "the address is not approved by the Office 365 administrator"))
    return found


_POSTPONEMENTS = {
    **{operation.value: columns.waits for operation, columns in COLUMNS.items()},
    "test": ("postponetestemailconfigurationuntil",),
}


def _timing(operation: str, mailbox: Mailbox, now: datetime, locked: bool) -> Iterator[Reason]:
    moments = [moment for name in _POSTPONEMENTS[operation] if (moment := getattr(mailbox, name)) is not None and moment > now]
    if moments:
        until = max(moments)
        yield Reason(Obstacle.POSTPONED, f"postponed until {until:%Y-%m-%d %H:%M:%S} UTC", until)
    if locked:
        yield Reason(Obstacle.LOCKED, "the mailbox is being processed")
