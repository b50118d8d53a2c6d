"""The `EmailGateway` of one run: the organization as a provider sees it (providers.contract).

Each call is one transaction that compares the run's fence first; inside `batch()` all calls share one, with a savepoint each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from postroom.errors import DuplicateRecord, MessageError, RecordError, RuleViolated
from postroom.model import Email, Lookup, Mailbox, ReasonCode, ServerType, TraceLevel, Verdict
from postroom.model.text import one_line
from postroom.organization import alerts, outbox, promotion, testing_mail
from postroom.organization.alerts import Alert
from postroom.organization.forwarding import INVALID_ITEM, unwrap
from postroom.organization.heads import head_of
from postroom.organization.incoming import Judgement, Place, judge, load_place, stored_copy
from postroom.organization.message_values import IncomingMessage
from postroom.organization.values import GatewayBinding, Operation
from postroom.providers.contract import ClaimedEmail, Delivered, Disposition, IncomingOffer, RecipientResult, Submission
from postroom.store import Transaction, ledger

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["OrganizationGateway"]

_ALERTS = {
    ReasonCode.NO_RECIPIENT_MATCH: "NoRecipientMatch",
    ReasonCode.NO_CORRELATION_MATCH: "NoCorrelationMatch",
    ReasonCode.INVALID_SENDER: "InvalidSender",
}
"""Refusals that are told to the mailbox's owner as an Information alert (reference 10)."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A message as it was judged: where, what and how."""

    place: Place
    message: IncomingMessage
    judgement: Judgement


_JUDGED_LIMIT = 1_000
"""How many judgements a run remembers between looking at messages and storing them."""


class OrganizationGateway:
    """Implements `providers.contract.EmailGateway`. Not shared between threads."""

    def __init__(self, organization: Organization, binding: GatewayBinding) -> None:
        self._organization = organization
        self._binding = binding
        self._tx: Transaction | None = None
        self._known_place: Place | None = None
        self._judged: dict[str, _Case] = {}
        self._newest: datetime | None = None
        self._last_message_id = ""

    # -- transactions -------------------------------------------------------------------------------------------------

    @contextmanager
    def batch(self) -> Iterator[None]:
        """See the contract."""
        if self._tx is not None:
            raise RuleViolated("a batch is open already: batches do not nest")
        before = self._newest, self._last_message_id
        try:
            with self._organization.store.transaction(self._binding.fence) as tx:
                self._tx = tx
                yield
                self._remember_last(tx)
        except BaseException:
            self._newest, self._last_message_id = before  # nothing of it was stored
            raise
        finally:
            self._tx = None
            self._judged.clear()

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        if self._tx is not None:
            with self._tx.savepoint():
                yield self._tx
            return
        with self._organization.store.transaction(self._binding.fence) as tx:
            yield tx
            self._remember_last(tx)

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        if self._tx is not None:
            yield self._tx
            return
        with self._organization.store.reading() as tx:
            yield tx

    def _place(self, tx: Transaction) -> Place:
        if self._known_place is None:
            self._known_place = load_place(tx, self._binding.mailbox_id)
        return self._known_place

    # -- incoming -----------------------------------------------------------------------------------------------------

    def check_incoming(self, offer: IncomingOffer) -> Verdict:
        """See the contract. A message older than the received-after date is refused as BEFORE_WATERMARK."""
        with self._reading() as tx:
            place = self._place(tx)
            bound = _lower_bound(place)
            if bound is not None and offer.received_on < bound:
                moment = f"{offer.received_on:%Y-%m-%d %H:%M} is before {bound:%Y-%m-%d %H:%M}"
                return Verdict(False, ReasonCode.BEFORE_WATERMARK, f"before the watermark: {moment} UTC")
            case = self._judge(tx, offer)
        if isinstance(case, str):
            return Verdict(False, ReasonCode.INVALID_SENDER, f"{INVALID_ITEM}: {case}")
        if len(self._judged) >= _JUDGED_LIMIT:
            self._judged.clear()
        self._judged[offer.message.digest] = case
        return case.judgement.verdict

    def _judge(self, tx: Transaction, offer: IncomingOffer) -> _Case | str:
        """The message that counts with its judgement; for a forward mailbox the inner one, or why there is none."""
        place = self._place(tx)
        if place.mailbox is None or not place.mailbox.isforwardmailbox:
            message = _message(offer)
            return _Case(place, message, judge(tx, place, message))
        found = unwrap(tx, offer.message, offer.received_on, offer.submitted_by)
        if isinstance(found, str):
            return found
        behind = replace(place, mailbox=found.mailbox)
        return _Case(behind, found.message, judge(tx, behind, found.message, forwarded_by=found.mailbox.regardingobjectid))

    def deliver_incoming(self, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        """See the contract. MessageError is permanent when the message is too large or holds what cannot be stored."""
        if not verdict.deliver:
            raise RuleViolated(f"the verdict does not let the message in: {verdict.reason.name}")
        limit = self._organization.deployment.settings.maximum_message_size
        if len(offer.octets) > limit:
            text = f"{len(offer.octets)} octets, at most {limit} are taken in"
            raise MessageError(text, source_key=offer.source_key, permanent=True, code="MessageTooLarge")
        try:
            with self._writing() as tx:
                return self._deliver(tx, offer, verdict)
        except RecordError as problem:
            raise MessageError(str(problem), source_key=offer.source_key, permanent=True, code="CannotBeStored") from problem
        except DuplicateRecord as problem:  # another run stored its copy between our look and our write
            raise MessageError(str(problem), source_key=offer.source_key, code="Duplicate") from problem

    def _deliver(self, tx: Transaction, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        known = ledger.known_offer(tx, self._binding.instance, offer.source_key, offer.message.digest)
        if known.email_id is not None:
            return Delivered(known.email_id, created=False)
        case = self._judged.pop(offer.message.digest, None)
        if case is not None:  # judged a moment ago; only what others may have stored since is asked again
            judgement = replace(case.judgement, stored=stored_copy(tx, case.message.message_id))
        else:
            fresh = self._judge(tx, offer)
            if isinstance(fresh, str):
                raise MessageError(f"{INVALID_ITEM}: {fresh}", source_key=offer.source_key, permanent=True, code=INVALID_ITEM)
            case, judgement = fresh, fresh.judgement
        if judgement.stored is not None:
            duplicate = Verdict(False, ReasonCode.DUPLICATE, "an email with this Message-ID is stored already")
            self._record(tx, offer, Disposition.FILTERED.value, duplicate, judgement.stored, known)
            return Delivered(judgement.stored, created=False)
        email_id = promotion.promote(tx, self._organization.deployment.settings, case.place, case.message, judgement)
        ledger.store_content(tx, offer.message.digest, offer.octets)
        self._record(tx, offer, Disposition.TRACKED.value, verdict, email_id, known)
        self._judged.clear()  # what was judged before may answer this one, or come from a sender that is a contact now
        return Delivered(email_id, created=True)

    def settle(self, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> None:
        """See the contract. FILTERED for being before the watermark is noted as pending: a lowered date offers the message anew."""
        with self._writing() as tx:
            known = ledger.known_offer(tx, self._binding.instance, offer.source_key, offer.message.digest)
            if known.disposition == Disposition.TRACKED.value:
                return
            early = disposition is Disposition.FILTERED and verdict.reason is ReasonCode.BEFORE_WATERMARK
            word = ledger.PENDING if early else disposition.value
            email_id = None
            if verdict.reason is ReasonCode.DUPLICATE:
                email_id = self._second_copy(tx, offer)
            self._record(tx, offer, word, verdict, email_id, known)
            if disposition is Disposition.PARKED:
                ledger.store_content(tx, offer.message.digest, offer.octets)
                self._alert(tx, "MessageParked", TraceLevel.WARNING, offer, verdict.detail)
            elif not early and verdict.reason in _ALERTS:
                code = INVALID_ITEM if verdict.detail.startswith(INVALID_ITEM) else _ALERTS[verdict.reason]
                self._alert(tx, code, TraceLevel.INFORMATION, offer, verdict.detail)

    def failed(self, source_key: str, detail: str) -> bool:
        """See the contract."""
        with self._writing() as tx:
            attempts = ledger.count_failure(
                tx, self._binding.instance, source_key, self._binding.mailbox_id, one_line(detail, 2000), tx.now()
            )
        return attempts >= self._organization.deployment.settings.item_attempts

    def settled(self, digests: Iterable[str]) -> Mapping[str, Disposition]:
        """See the contract."""
        with self._reading() as tx:
            found = ledger.settled_among(tx, self._binding.instance, digests)
        return {digest: Disposition(word) for digest, word in found.items()}

    def _second_copy(self, tx: Transaction, offer: IncomingOffer) -> str | None:
        """The activity of an earlier copy; where the switch says so it also enters the queue that sees it now (reference 4.4)."""
        place = self._place(tx)
        case = self._judged.get(offer.message.digest)
        message = case.message if case is not None else _message(offer)
        email_id = stored_copy(tx, message.message_id)
        wanted = place.policies.switches.ssscreateadditionalqueueitemsforalreadytrackedemail
        if email_id is not None and wanted and place.owner is not None and place.owner.entity == "queue":
            promotion.add_queue_items(tx, tx.get(Email, email_id), [place.owner])
        return email_id

    def _record(
        self,
        tx: Transaction,
        offer: IncomingOffer,
        disposition: str,
        verdict: Verdict,
        email_id: str | None,
        known: ledger.Known,
    ) -> None:
        parsed = offer.message
        row = ledger.IncomingRow(
            instance=self._binding.instance,
            source_key=offer.source_key,
            digest=parsed.digest,
            size=len(offer.octets),
            mailbox_id=self._binding.mailbox_id,
            message_id=_message(offer).message_id,
            subject=one_line(parsed.subject, 200),
            disposition=disposition,
            reason=verdict.reason.name.lower().replace("_", " "),
            detail=one_line(verdict.detail, 2000),
            email_id=email_id,
            attempts=0,
            received_on=offer.received_on,
            at=tx.now(),
            head=None if disposition == Disposition.TRACKED.value else self._head(offer),
        )
        ledger.record_incoming(tx, row, known)
        if disposition != ledger.PENDING:
            self._last_message_id = row.message_id
            if self._newest is None or offer.received_on > self._newest:
                self._newest = offer.received_on

    def _head(self, offer: IncomingOffer) -> str:
        """What was judged: in a forward mailbox the inner message."""
        case = self._judged.get(offer.message.digest)
        return head_of(case.message if case is not None else _message(offer))

    def _remember_last(self, tx: Transaction) -> None:
        """`lastmessageid`; and the mailbox's received-after date, which the engine advances (reference 4.2), but never for POP3: there a
        message may turn up late with an old date, so what was seen decides and the date is the administrator's lower bound only."""
        if not self._last_message_id:
            return
        place = self._place(tx)
        changes: dict[str, object] = {"lastmessageid": self._last_message_id}
        if place.profile is not None and place.profile.servertype is not ServerType.OTHER and self._newest is not None:
            bound = place.mailbox.processemailreceivedafter if place.mailbox is not None else None
            if bound is None or self._newest > bound:
                changes["processemailreceivedafter"] = self._newest
        tx.update(Mailbox, self._binding.mailbox_id, **changes)
        self._last_message_id = ""

    def _alert(self, tx: Transaction, code: str, level: TraceLevel, offer: IncomingOffer, detail: str) -> None:
        subject = one_line(offer.message.subject, 200)
        text = f"The email {subject!r} was not tracked: {code}"
        regarding = Lookup("mailbox", self._binding.mailbox_id)
        alerts.write(tx, self._place(tx).settings, Alert(regarding, level, code, text, details=detail))

    # -- outgoing -----------------------------------------------------------------------------------------------------

    def claim_outgoing(self, limit: int) -> Sequence[ClaimedEmail]:
        """See the contract. A run of Operation.TEST is given one message to the mailbox itself."""
        with self._writing() as tx:
            if self._binding.operation == Operation.TEST:
                return [testing_mail.claim_test_message(tx, self._binding)] if limit > 0 else []
            return outbox.claim(tx, self._binding, limit)

    def mark_submitting(self, email: ClaimedEmail, refused: Sequence[RecipientResult] = ()) -> None:
        """See the contract."""
        with self._writing() as tx:
            outbox.mark_submitting(tx, self._binding, email, refused)

    def report_outgoing(self, email: ClaimedEmail, submission: Submission) -> None:
        """See the contract."""
        with self._writing() as tx:
            outbox.report(tx, self._organization.deployment.settings, self._binding, email, submission)


def _lower_bound(place: Place) -> datetime | None:
    """The later of the profile's and the mailbox's received-after dates (reference 4.2)."""
    dates = [
        date
        for date in (
            place.profile.processemailsreceivedafter if place.profile is not None else None,
            place.mailbox.processemailreceivedafter if place.mailbox is not None else None,
        )
        if date is not None
    ]
    return max(dates, default=None)


def _message(offer: IncomingOffer) -> IncomingMessage:
    return IncomingMessage.of_parsed(offer.message, offer.received_on, offer.submitted_by)
