"""CheckIncomingEmail and DeliverIncomingEmail: gather what the rules ask for, let them decide (server-side-sync reference 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import RuleViolated
from postroom.mime.values import Address
from postroom.model import (
    EmailServerProfile,
    IncomingFilteringMethod,
    Lookup,
    Mailbox,
    Queue,
    UserSettings,
    address_key,
)
from postroom.model import Organization as OrganizationRecord
from postroom.model.verdict import Verdict
from postroom.organization import promotion
from postroom.organization.callers import Caller
from postroom.organization.correlating import correlation_of, related_to
from postroom.organization.message_values import IncomingMessage, importance_of
from postroom.organization.policies import Policies, policies_of, settings_in
from postroom.rules.acceptance import Acceptance, Question, Recipient, check_incoming
from postroom.rules.correlation import Correlation
from postroom.rules.resolution import Match, Sender, resolve_recipient, resolve_sender
from postroom.store import TABLES, Transaction
from postroom.store.prepared import Prepared
from postroom.store.search import resolve

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "IncomingMessage",
    "Judgement",
    "Place",
    "check_filter",
    "check_incoming_email",
    "deliver_incoming_email",
    "importance_of",
    "judge",
    "load_place",
    "stored_copy",
]


@dataclass(slots=True)
class Place:
    """Where a message is being synchronized: one mailbox with what stays the same for a run. `filters` and the tables below it remember
    what was asked: of users and queues their filters, of queues their owners, of users what unknown senders become."""

    settings: OrganizationRecord
    policies: Policies
    mailbox: Mailbox | None = None
    profile: EmailServerProfile | None = None
    filters: dict[Lookup, IncomingFilteringMethod] = field(default_factory=dict)
    queue_owners: dict[str, Lookup | None] = field(default_factory=dict)
    makes_contacts: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> Lookup | None:
        """The user or queue whose mailbox this is."""
        return self.mailbox.regardingobjectid if self.mailbox is not None else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict with everything that was found on the way: what promotion needs."""

    acceptance: Acceptance
    sender: Sender
    matches: Mapping[str, Sequence[Match]]
    correlation: Correlation | None
    stored: str | None

    @property
    def verdict(self) -> Verdict:
        return self.acceptance.verdict


def load_place(tx: Transaction, mailbox_id: str | None) -> Place:
    """Raises RecordNotFound."""
    settings = settings_in(tx)
    place = Place(settings, policies_of(settings))
    if mailbox_id is not None:
        place.mailbox = tx.get(Mailbox, mailbox_id)
        if place.mailbox.emailserverprofile is not None:
            place.profile = tx.get(EmailServerProfile, place.mailbox.emailserverprofile)
    return place


def check_filter(tx: Transaction, values: Mapping[str, Any]) -> None:
    """The filter "No email messages" can be chosen only while DoNotAutoTrackEmail offers it (reference 1.5); who has it already keeps it when the switch
    goes off (ours: mail that nobody asked for is worse than mail that is missing in one place). Raises RuleViolated."""
    if values.get("incomingemailfilteringmethod") == IncomingFilteringMethod.NO_EMAIL_MESSAGES:
        settings = settings_in(tx)
        if not policies_of(settings).switches.donotautotrackemail:
            raise RuleViolated("the filter No email messages is not offered (DoNotAutoTrackEmail)")


# -- the two messages -------------------------------------------------------------------------------------------------


def check_incoming_email(
    organization: Organization, _caller: Caller, message: IncomingMessage, mailbox_id: str | None
) -> Verdict:
    with organization.store.reading() as tx:
        return judge(tx, load_place(tx, mailbox_id), message).verdict


def deliver_incoming_email(
    organization: Organization, _caller: Caller, message: IncomingMessage, mailbox_id: str | None, *, validate: bool
) -> str:
    with organization.store.transaction() as tx:
        place = load_place(tx, mailbox_id)
        judgement = judge(tx, place, message)
        if judgement.stored is not None:
            return judgement.stored
        if validate and not judgement.verdict.deliver:
            raise RuleViolated(judgement.verdict.detail, judgement.verdict.reason.name)
        return promotion.promote(tx, organization.deployment.settings, place, message, judgement)


# -- the decision -----------------------------------------------------------------------------------------------------


def judge(tx: Transaction, place: Place, message: IncomingMessage, *, forwarded_by: Lookup | None = None) -> Judgement:
    """Everything about one message. Changes nothing. `forwarded_by`: the user or queue that had it and
    forwarded it; its filter is asked first."""
    related = related_to(tx, message.message_id, message.in_reply_to)
    stored = [row for row in related if row.message_id == message.message_id]
    matches = _matches(tx, [*message.from_[:1], *message.to, *message.cc, *message.bcc])
    sender_matches = matches.get(address_key(message.sender.address), ()) if message.sender is not None else ()
    sender = resolve_sender(sender_matches, place.policies.resolution, mailbox_owner=_owning_user(place))
    correlation = correlation_of(tx, place.policies, message, related)
    recipients = _recipients(tx, place, message, matches)
    if forwarded_by is not None:
        _learn_filters(tx, place, [forwarded_by])
        others = [one for one in recipients if one.reference != forwarded_by]
        recipients = [Recipient(forwarded_by, place.filters[forwarded_by]), *others]
    question = Question(
        sender_address=message.sender.address if message.sender is not None else "",
        sender=sender.record.reference if sender.record is not None else None,
        stored=any(row.incoming for row in stored),
        opposite=any(not row.incoming for row in stored),
        recipients=recipients,
        synchronizing=_synchronizing(tx, place),
        correlation=correlation,
    )
    copy = next((row.candidate.email_id for row in stored if row.incoming), None)
    return Judgement(check_incoming(question, place.policies.acceptance), sender, matches, correlation, copy)


_email = TABLES["email"]
_COPY = Prepared(sa.select(_email.c.activityid).where(_email.c.messageiddupcheck == sa.bindparam("p_key")))


def stored_copy(tx: Transaction, message_id: str) -> str | None:
    """The incoming activity with this Message-ID, if there is one."""
    if not message_id:
        return None
    found = tx.execute(_COPY, {"p_key": promotion.duplicate_key(message_id, outgoing=False)}).scalar()
    return None if found is None else str(found)


def _matches(tx: Transaction, addresses: Sequence[Address]) -> dict[str, list[Match]]:
    """Every record with one of these addresses, by address key."""
    found: dict[str, list[Match]] = {}
    for key, rows in resolve(tx, (one.address for one in addresses)).items():
        if rows:
            found[key] = [Match(row.reference, row.active, row.ownerid, place) for place, row in enumerate(rows)]
    return found


def _recipients(
    tx: Transaction, place: Place, message: IncomingMessage, matches: Mapping[str, Sequence[Match]]
) -> list[Recipient]:
    """Users and queues among the recipients, To before Cc before Bcc, each once."""
    found: dict[Lookup, bool] = {}
    for visible, addresses in ((True, (*message.to, *message.cc)), (False, message.bcc)):
        for address in addresses:
            for match in resolve_recipient(matches.get(address_key(address.address), ()), place.policies.resolution):
                if match.entity in ("systemuser", "queue") and match.active:
                    found.setdefault(match.reference, visible)
    _learn_filters(tx, place, found)
    return [Recipient(reference, place.filters[reference], visible) for reference, visible in found.items()]


def _synchronizing(tx: Transaction, place: Place) -> Recipient | None:
    if place.owner is None:
        return None
    _learn_filters(tx, place, [place.owner])
    return Recipient(place.owner, place.filters[place.owner], visible=False)


def _learn_filters(tx: Transaction, place: Place, references: Iterable[Lookup]) -> None:
    """Fill `place.filters` (and the owners of queues) with what is not known yet."""
    unknown = [reference for reference in references if reference not in place.filters]
    users = [reference.id for reference in unknown if reference.entity == "systemuser"]
    queues = [reference.id for reference in unknown if reference.entity == "queue"]
    if users:
        for row in tx.find(UserSettings, systemuserid=users):
            place.filters[Lookup("systemuser", row.systemuserid)] = row.incomingemailfilteringmethod
            place.makes_contacts[row.systemuserid] = promotion.record_for_strangers(row)
    if queues:
        for queue in tx.find(Queue, queueid=queues):
            place.filters[queue.reference] = queue.incomingemailfilteringmethod
            place.queue_owners[queue.queueid] = queue.ownerid
    for reference in unknown:  # a user without settings has the published default
        place.filters.setdefault(reference, IncomingFilteringMethod.IN_RESPONSE_TO_CRM_EMAIL)


def _owning_user(place: Place) -> Lookup | None:
    """The owner of the user's or queue's mailbox, whose records come first."""
    if place.mailbox is None:
        return None
    return place.owner if place.owner is not None and place.owner.entity == "systemuser" else place.mailbox.ownerid
