"""Track in CRM: CheckPromoteEmail and DeliverPromoteEmail (server-side-sync reference 4.1, 4.3).

Somebody chooses a mail in their own client. Filters are not asked, the rest is as for mail that comes in by itself: parties, owner, regarding, attachments,
one activity for each Message-ID and direction. A mail whose sender is the account that tracks it is a sent one, and becomes an outgoing email that is
Sent (ours: the published request has no direction).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from postroom.errors import RuleViolated
from postroom.model import (
    ActivityMimeAttachment,
    ActivityParty,
    Email,
    EmailStatus,
    Lookup,
    Mailbox,
    ReasonCode,
    Verdict,
    address_key,
)
from postroom.organization import promotion
from postroom.organization.callers import Caller
from postroom.organization.incoming import judge, load_place
from postroom.organization.message_values import IncomingMessage, message_id_key
from postroom.rules.acceptance import Acceptance
from postroom.rules.tracking_token import find_tokens
from postroom.store import Transaction

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["check_promote_email", "deliver_promote_email"]


def check_promote_email(
    organization: Organization, _caller: Caller, message_id: str, subject: str, *, outgoing: bool | None
) -> Verdict:
    """ShouldPromote and ReasonCode. Only a stored copy speaks against it; `outgoing` None looks in both directions (DirectionCode)."""
    key = message_id_key(message_id)
    with organization.store.reading() as tx:
        directions = (False, True) if outgoing is None else (outgoing,)
        if key and any(_stored(tx, key, outgoing=one) for one in directions):
            return Verdict(False, ReasonCode.DUPLICATE, "an email with this Message-ID is stored already")
        tokens = find_tokens(subject, load_place(tx, None).policies.token)
        if any(tx.first(Email, trackingtoken=token) is not None for token in tokens):
            return Verdict(True, ReasonCode.CORRELATION_MATCH, "the subject has the tracking token of a stored email")
    return Verdict(True, ReasonCode.ACCEPT_ALL, "tracked by hand: no filter is asked")


def deliver_promote_email(
    organization: Organization, caller: Caller, email_id: str | None, message: IncomingMessage, regarding: Lookup | None
) -> str:
    """The activity's id: `email_id`, a new one without it, or that of the copy which is stored already.

    `email_id` may name a draft, which the client made beforehand: it becomes the tracked email, and keeps its owner and what it is about. Raises
    RuleViolated when it names an email that is no draft, or when there is no sender.
    """
    if message.sender is None:
        raise RuleViolated("the email has no sender", "InvalidSender")
    outgoing = address_key(message.sender.address) == address_key(message.submitted_by)
    with organization.store.transaction() as tx:
        draft = _draft(tx, email_id)
        stored = _stored(tx, message.message_id, outgoing=outgoing)
        if stored is not None:
            return stored
        mailbox = _mailbox(tx, caller, message.submitted_by)
        place = load_place(tx, mailbox.mailboxid if mailbox is not None else None)
        tracker = place.owner or (Lookup("systemuser", caller.user_id) if caller.user_id else None)
        verdict = Verdict(True, ReasonCode.ACCEPT_ALL, "tracked by hand")
        judgement = replace(judge(tx, place, message), acceptance=Acceptance(verdict, tracker))
        kept = _replace(tx, draft) if draft is not None else _Kept()
        made = promotion.promote(tx, organization.deployment.settings, place, message, judgement, email_id=email_id or "")
        changes = kept.values | ({"regardingobjectid": regarding} if regarding is not None else {})
        if outgoing:
            changes |= _as_sent(message, mailbox)
        if changes:
            tx.update(Email, made, **changes)
        return made


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a draft leaves to the email that takes its place."""

    regarding: Lookup | None = None
    owner: Lookup | None = None

    @property
    def values(self) -> dict[str, Any]:
        named = {"regardingobjectid": self.regarding, "ownerid": self.owner}
        return {name: value for name, value in named.items() if value is not None}


def _draft(tx: Transaction, email_id: str | None) -> Email | None:
    found = tx.first(Email, activityid=email_id) if email_id else None
    if found is not None and found.statuscode is not EmailStatus.DRAFT:
        raise RuleViolated(
            f"the email {email_id} is {found.statuscode.name.lower().replace('_', ' ')}: only a draft is tracked"
        )
    return found


def _replace(tx: Transaction, draft: Email) -> _Kept:
    for party in tx.find(ActivityParty, activityid=draft.reference):
        tx.delete(ActivityParty, party.activitypartyid)
    for file in tx.find(ActivityMimeAttachment, objectid=draft.reference):
        tx.delete(ActivityMimeAttachment, file.activitymimeattachmentid)
    tx.delete(Email, draft.activityid)
    return _Kept(draft.regardingobjectid, draft.ownerid)


def _as_sent(message: IncomingMessage, mailbox: Mailbox | None) -> dict[str, Any]:
    status = EmailStatus.SENT
    return {
        "directioncode": True,
        "statecode": status.state,
        "statuscode": status,
        "sendermailboxid": mailbox.reference if mailbox is not None else None,
        "messageiddupcheck": promotion.duplicate_key(message.message_id, outgoing=True) if message.message_id else None,
    }


def _stored(tx: Transaction, message_id: str, *, outgoing: bool) -> str | None:
    """The email of this Message-ID and direction."""
    if not message_id:
        return None
    found = tx.first(Email, messageiddupcheck=promotion.duplicate_key(message_id, outgoing=outgoing))
    return found.activityid if found is not None else None


def _mailbox(tx: Transaction, caller: Caller, submitted_by: str) -> Mailbox | None:
    """The mailbox of the account that tracks, else the caller's."""
    for box in tx.find(Mailbox, emailaddress=submitted_by.strip()) if submitted_by.strip() else ():
        return box
    return tx.first(Mailbox, regardingobjectid=Lookup("systemuser", caller.user_id)) if caller.user_id else None
