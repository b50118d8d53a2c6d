"""CheckIncomingEmail: does this message become an activity? (server-side-sync reference 4.1, 4.3, 4.4)

Order: invalid sender, duplicate, recipients, internal mail, filters. The filter of every resolved recipient is asked, and the first that
accepts wins; the mailbox being synchronized adds its owner only where that one accepts everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroom.model.attributes import Lookup
from postroom.model.options import IncomingFilteringMethod as Filter
from postroom.model.verdict import ReasonCode, Verdict
from postroom.rules.correlation import Correlation

__all__ = ["Acceptance", "AcceptancePolicy", "Question", "Recipient", "check_incoming", "usable_address"]

_CUSTOMERS = frozenset({"contact", "account", "lead"})
_OURSELVES = frozenset({"systemuser", "queue"})


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user or queue among the recipients, or the owner of the mailbox being synchronized. `visible`: on To or Cc, not only Bcc."""

    reference: Lookup
    filter: Filter
    visible: bool = True


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """Switches of reference 1.5, with their published defaults; IgnoreInternalEmailFromQueues has none: off."""

    ignore_internal: bool = False
    ignore_internal_to_queues: bool = False
    """The opposite of DoNotIgnoreInternalEmailToQueues."""
    internal_enhancement: bool = True
    ignore_internal_from_queues: bool = False
    only_synchronizing_filter: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that decides.

    sender_address  the first From address; empty when missing
    sender          the record it resolves to
    stored          an incoming copy with this Message-ID is stored already
    opposite        an outgoing copy with this Message-ID is stored
    recipients      users and queues, To before Cc before Bcc
    synchronizing   owner of the mailbox being synchronized; None for a forward mailbox or where no mailbox is named
    """

    sender_address: str
    sender: Lookup | None = None
    stored: bool = False
    opposite: bool = False
    recipients: Sequence[Recipient] = ()
    synchronizing: Recipient | None = None
    correlation: Correlation | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The verdict, and who accepted."""

    verdict: Verdict
    accepting: Lookup | None = None


def check_incoming(question: Question, policy: AcceptancePolicy) -> Acceptance:
    """The published decision, in its order."""
    if not usable_address(question.sender_address):
        return _refuse(ReasonCode.INVALID_SENDER, f"the sender {question.sender_address!r} is missing or unusable")
    if question.stored:
        return _refuse(ReasonCode.DUPLICATE, "an email with this Message-ID is stored already")
    if not any(recipient.visible for recipient in question.recipients) and not _takes_all(question.synchronizing):
        return _refuse(ReasonCode.NO_RECIPIENT_MATCH, "no user or queue among the recipients")
    internal = _internal(question, policy)
    if internal is not None:
        return internal
    return _filters(question, policy)


def usable_address(address: str) -> bool:
    """A local part and a domain, nothing that cannot be one address. Ours: what "missing or unusable" means is not published."""
    local, at, domain = address.rpartition("@")
    return (
        bool(at and local and domain) and len(address) <= 320 and not any(c.isspace() or not c.isprintable() for c in address)
    )


def _takes_all(recipient: Recipient | None) -> bool:
    return recipient is not None and recipient.filter is Filter.ALL


def _internal(question: Question, policy: AcceptancePolicy) -> Acceptance | None:
    """A refusal of mail between users and queues, or None."""
    if question.sender is None or question.sender.entity not in _OURSELVES:
        return None
    to_queue = any(recipient.reference.entity == "queue" for recipient in question.recipients)
    if policy.ignore_internal_from_queues and question.sender.entity == "queue" and question.opposite and not to_queue:
        return _refuse(ReasonCode.INTERNAL_EMAIL_REJECT, "email from a queue to users, stored already as the outgoing one")
    if not policy.ignore_internal:
        return None
    if to_queue and not policy.ignore_internal_to_queues:
        return None
    if policy.internal_enhancement and not question.opposite:
        return None
    return _refuse(ReasonCode.INTERNAL_EMAIL_REJECT, "email between users or queues of the organization is ignored")


def _filters(question: Question, policy: AcceptancePolicy) -> Acceptance:
    asked = list(question.recipients)
    if (
        policy.only_synchronizing_filter and question.synchronizing is not None
    ):  # where no mailbox is named, all are asked: ours
        asked = [question.synchronizing]
    elif question.synchronizing is not None and _takes_all(question.synchronizing):
        asked.append(question.synchronizing)
    for recipient in asked:
        reason = _accepts(recipient.filter, question)
        if reason is not None:
            entity, number = recipient.reference
            return Acceptance(Verdict(True, reason, f"{_WHY[reason]}: accepted by {entity} {number}"), recipient.reference)
    return _refuse(ReasonCode.NO_CORRELATION_MATCH, f"none of {len(asked)} filters accepts it")


_WHY = {
    ReasonCode.ACCEPT_ALL: "all messages are tracked",
    ReasonCode.SENDER_MATCH: "the sender is a known record",
    ReasonCode.CORRELATION_MATCH: "it answers a stored email",
}


def _accepts(filter_: Filter, question: Question) -> ReasonCode | None:
    """Why this filter accepts, or None. Filters 2 and 3 also accept correlated replies: suggested, reference 12.11."""
    if filter_ is Filter.ALL:
        return ReasonCode.ACCEPT_ALL
    if filter_ is Filter.NO_EMAIL_MESSAGES:
        return None
    sender = question.sender
    if sender is not None and (
        filter_ is Filter.FROM_EMAIL_ENABLED_RECORDS
        or (filter_ is Filter.FROM_LEADS_CONTACTS_ACCOUNTS and sender.entity in _CUSTOMERS)
    ):
        return ReasonCode.SENDER_MATCH
    return ReasonCode.CORRELATION_MATCH if question.correlation is not None else None


def _refuse(reason: ReasonCode, detail: str) -> Acceptance:
    return Acceptance(Verdict(False, reason, detail))
