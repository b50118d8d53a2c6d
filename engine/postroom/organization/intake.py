"""What one run does with the messages it is offered: judge, store, write down (server-side-sync reference 4.1, 5).

One offer holds one message; in a forward mailbox it may hold several, each of which is judged and stored for itself. The ledger has a row for each
offer, which the books count, and where there are several messages a row for each of them too, under the source's key with " part n" (a blank cannot
be part of a UIDL).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from postroom.errors import DuplicateRecord, MessageError, RecordError
from postroom.model import Email, Lookup, Mailbox, ReasonCode, ServerType, TraceLevel, Verdict
from postroom.model.deployment import DeploymentSettings
from postroom.model.text import one_line
from postroom.organization import alerts, item_monitoring, promotion
from postroom.organization.alerts import Alert
from postroom.organization.forwarding import INVALID_ITEM, unwrap
from postroom.organization.heads import head_of
from postroom.organization.incoming import Judgement, Place, judge, load_place, stored_copy
from postroom.organization.message_values import IncomingMessage, message_id_key
from postroom.organization.values import GatewayBinding
from postroom.providers.contract import Delivered, Disposition, IncomingOffer
from postroom.rules.watermark import advanced, lower_bound
from postroom.store import Transaction, ledger

__all__ = ["Intake"]

_ALERTS = {
    ReasonCode.NO_RECIPIENT_MATCH: "NoRecipientMatch",
    ReasonCode.NO_CORRELATION_MATCH: "NoCorrelationMatch",
    ReasonCode.INVALID_SENDER: "InvalidSender",
}
"""Refusals that are told to the mailbox's owner as an Information alert (reference 10)."""

_JUDGED_LIMIT = 1_000
"""How many judgements a run remembers between looking at messages and storing them."""

_DUPLICATE = Verdict(False, ReasonCode.DUPLICATE, "an email with this Message-ID is stored already")


@dataclass(frozen=True, slots=True)
class _Part:
    """A message as it was judged: where, what and how; and its octets, by which it is known to the ledger."""

    place: Place
    message: IncomingMessage
    octets: bytes
    digest: str
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict


@dataclass(frozen=True, slots=True)
class _Row:
    """Under which key, and what is shown of it."""

    source_key: str
    digest: str
    size: int
    message_id: str
    subject: str
    received_on: datetime

    @classmethod
    def of(cls, offer: IncomingOffer, part: _Part | None = None, number: int = 0) -> _Row:
        """Of the offer itself, or of one of several messages in it."""
        if part is None:
            parsed = offer.message
            message_id = message_id_key(parsed.message_id)
            return cls(offer.source_key, parsed.digest, len(offer.octets), message_id, parsed.subject, offer.received_on)
        key = f"{offer.source_key}{ledger.PART}{number}"
        message = part.message
        return cls(key, part.digest, len(part.octets), message.message_id, message.subject, offer.received_on)


class Intake:
    """The incoming half of a run. Each call is within a transaction of the gateway's."""

    def __init__(self, deployment: DeploymentSettings, binding: GatewayBinding) -> None:
        self._deployment = deployment
        self._binding = binding
        self._known_place: Place | None = None
        self._judged: dict[str, tuple[_Part, ...]] = {}
        self._newest: datetime | None = None
        self._last_message_id = ""

    def place(self, tx: Transaction) -> Place:
        if self._known_place is None:
            self._known_place = load_place(tx, self._binding.mailbox_id)
        return self._known_place

    # -- judging ------------------------------------------------------------------------------------------------------

    def check(self, tx: Transaction, offer: IncomingOffer) -> Verdict:
        """Of several messages the first that is let in speaks for all, else the first. By the offer's own received time: in a forward mailbox the outer
        one (suggested)."""
        place = self.place(tx)
        profile, mailbox = place.profile, place.mailbox
        bound = lower_bound(
            profile.processemailsreceivedafter if profile is not None else None,
            mailbox.processemailreceivedafter if mailbox is not None else None,
        )
        if bound is not None and offer.received_on < bound:
            moment = f"{offer.received_on:%Y-%m-%d %H:%M} is before {bound:%Y-%m-%d %H:%M}"
            return Verdict(False, ReasonCode.BEFORE_WATERMARK, f"before the watermark: {moment} UTC")
        parts = self._judge(tx, offer)
        if isinstance(parts, str):
            return Verdict(False, ReasonCode.INVALID_SENDER, f"{INVALID_ITEM}: {parts}")
        if len(self._judged) >= _JUDGED_LIMIT:
            self._judged.clear()
        self._judged[offer.message.digest] = parts
        return _chosen(parts).verdict

    def _judge(self, tx: Transaction, offer: IncomingOffer) -> tuple[_Part, ...] | str:
        """What counts with its judgement: the message, or for a forward mailbox the inner ones; or why there is none."""
        place = self.place(tx)
        if place.mailbox is None or not place.mailbox.isforwardmailbox:
            message = _message(offer)
            return (_Part(place, message, offer.octets, offer.message.digest, judge(tx, place, message)),)
        found = unwrap(tx, offer.message, offer.received_on, offer.submitted_by)
        if isinstance(found, str):
            return found
        behind = replace(place, mailbox=found.mailbox)
        owner = found.mailbox.regardingobjectid
        return tuple(
            _Part(behind, one.message, one.octets, one.digest, judge(tx, behind, one.message, forwarded_by=owner))
            for one in found.inner
        )

    # -- storing ------------------------------------------------------------------------------------------------------

    def deliver(self, tx: Transaction, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        """Raises RecordError and DuplicateRecord, which leave nothing behind."""
        known = ledger.known_offer(tx, self._binding.instance, offer.source_key, offer.message.digest)
        if known.email_id is not None:
            return Delivered(known.email_id, created=False)
        parts = self._judged.pop(offer.message.digest, None)
        if parts is None:
            fresh = self._judge(tx, offer)
            if isinstance(fresh, str):
                raise MessageError(f"{INVALID_ITEM}: {fresh}", source_key=offer.source_key, permanent=True, code=INVALID_ITEM)
            parts = fresh
        delivered = self._promote(tx, parts[0]) if len(parts) == 1 else self._deliver_parts(tx, offer, parts)
        if delivered.created:
            ledger.store_content(tx, offer.message.digest, offer.octets)
            self._record(tx, _Row.of(offer), Disposition.TRACKED.value, verdict, delivered.email_id, known)
            self._judged.clear()  # what was judged before may answer this one, or come from a sender that is a contact now
        else:
            head = head_of(parts[0].message)
            self._record(tx, _Row.of(offer), Disposition.FILTERED.value, _DUPLICATE, delivered.email_id, known, head)
        return delivered

    def _promote(self, tx: Transaction, part: _Part) -> Delivered:
        """Judged a moment ago; only what others may have stored since is asked again."""
        stored = stored_copy(tx, part.message.message_id)
        if stored is not None:
            self._second_copy(tx, part)
            return Delivered(stored, created=False)
        return Delivered(promotion.promote(tx, self._deployment, part.place, part.message, part.judgement), created=True)

    def _deliver_parts(self, tx: Transaction, offer: IncomingOffer, parts: Sequence[_Part]) -> Delivered:
        """Each message for itself: one that cannot be stored is parked and takes no other along. Raises the first one's error when nothing was
        stored."""
        found: list[Delivered] = []
        trouble: RecordError | DuplicateRecord | None = None
        for number, part in enumerate(parts, start=1):
            owner = part.place.mailbox.regardingobjectid if part.place.mailbox is not None else None
            part = replace(part, judgement=judge(tx, part.place, part.message, forwarded_by=owner))  # one may answer another
            row = _Row.of(offer, part, number)
            known = ledger.known_offer(tx, self._binding.instance, row.source_key, row.digest)
            if not part.verdict.deliver:
                email_id = self._refused(tx, row, part, known)
                if email_id is not None:
                    found.append(Delivered(email_id, created=False))
                continue
            try:
                with tx.savepoint():
                    delivered = self._promote(tx, part)
                    done, why = (Disposition.TRACKED, part.verdict) if delivered.created else (Disposition.FILTERED, _DUPLICATE)
                    head = head_of(part.message)  # its octets are kept as part of the item's
                    self._record(tx, row, done.value, why, delivered.email_id, known, head)
                found.append(delivered)
            except (RecordError, DuplicateRecord) as problem:
                trouble = trouble or problem
                unstored = replace(part.verdict, deliver=False, detail=str(problem))
                ledger.store_content(tx, part.digest, part.octets)
                self.failed(tx, row.source_key, row.subject, str(problem), 1)
                self._record(tx, row, Disposition.PARKED.value, unstored, None, known, head_of(part.message))
                self._alert(tx, "MessageParked", TraceLevel.WARNING, part.message.subject, str(problem))
        if not found and trouble is not None:
            raise trouble
        if not found:
            raise MessageError("nothing in it is let in any more", source_key=offer.source_key, code="Changed")
        return next((one for one in found if one.created), found[0])

    def _refused(self, tx: Transaction, row: _Row, part: _Part, known: ledger.Known) -> str | None:
        """One of several messages that is not let in. Returns the activity that it is another copy of."""
        email_id = self._second_copy(tx, part) if part.verdict.reason is ReasonCode.DUPLICATE else None
        self._record(tx, row, Disposition.FILTERED.value, part.verdict, email_id, known, head_of(part.message))
        if part.verdict.reason in _ALERTS:
            self._alert(tx, _ALERTS[part.verdict.reason], TraceLevel.INFORMATION, part.message.subject, part.verdict.detail)
        return email_id

    def settle(self, tx: Transaction, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> None:
        known = ledger.known_offer(tx, self._binding.instance, offer.source_key, offer.message.digest)
        if known.disposition == Disposition.TRACKED.value:
            return
        parts = self._judged.get(offer.message.digest, ())
        early = disposition is Disposition.FILTERED and verdict.reason is ReasonCode.BEFORE_WATERMARK
        email_id = None
        if verdict.reason is ReasonCode.DUPLICATE:
            email_id = self._second_copy(tx, parts[0]) if parts else stored_copy(tx, _message(offer).message_id)
        if disposition is Disposition.FILTERED and len(parts) > 1:
            for number, part in enumerate(parts, start=1):
                row = _Row.of(offer, part, number)
                self._refused(tx, row, part, ledger.known_offer(tx, self._binding.instance, row.source_key, row.digest))
        head = head_of(parts[0].message if parts else _message(offer))
        self._record(tx, _Row.of(offer), ledger.PENDING if early else disposition.value, verdict, email_id, known, head)
        if disposition is Disposition.PARKED:
            ledger.store_content(tx, offer.message.digest, offer.octets)
            self._alert(tx, "MessageParked", TraceLevel.WARNING, offer.message.subject, verdict.detail)
        elif not early and len(parts) <= 1 and verdict.reason in _ALERTS:
            code = INVALID_ITEM if verdict.detail.startswith(INVALID_ITEM) else _ALERTS[verdict.reason]
            self._alert(tx, code, TraceLevel.INFORMATION, offer.message.subject, verdict.detail)

    def _second_copy(self, tx: Transaction, part: _Part) -> str | None:
        """The activity of an earlier copy; where the switch says so it also enters the queue that sees it now (reference 4.4)."""
        email_id = stored_copy(tx, part.message.message_id)
        place = part.place
        wanted = place.policies.switches.ssscreateadditionalqueueitemsforalreadytrackedemail
        if email_id is not None and wanted and place.owner is not None and place.owner.entity == "queue":
            promotion.add_queue_items(tx, tx.get(Email, email_id), [place.owner])
        return email_id

    # -- writing down -------------------------------------------------------------------------------------------------

    def _record(
        self,
        tx: Transaction,
        row: _Row,
        disposition: str,
        verdict: Verdict,
        email_id: str | None,
        known: ledger.Known,
        head: str | None = None,
    ) -> None:
        written = ledger.IncomingRow(
            instance=self._binding.instance,
            source_key=row.source_key,
            digest=row.digest,
            size=row.size,
            mailbox_id=self._binding.mailbox_id,
            message_id=row.message_id,
            subject=one_line(row.subject, 200),
            disposition=disposition,
            reason=verdict.reason.name.lower().replace("_", " "),
            detail=one_line(verdict.detail, 2000),
            email_id=email_id,
            attempts=0,
            received_on=row.received_on,
            at=tx.now(),
            head=head,
        )
        ledger.record_incoming(tx, written, known)
        if known.failing and disposition != Disposition.PARKED.value:
            item_monitoring.forget(tx, self._binding.mailbox_id, source_key=row.source_key)
        if disposition != ledger.PENDING:
            self._last_message_id = row.message_id
            if self._newest is None or row.received_on > self._newest:
                self._newest = row.received_on

    def failed(self, tx: Transaction, source_key: str, subject: str, detail: str, tries: int) -> None:
        """The failure of one message is kept for its owner."""
        item_monitoring.note(
            tx,
            self._binding.mailbox_id,
            source_key=source_key,
            subject=subject,
            error=detail,
            number=alerts.TRACE_CODES["MessageParked"],
            tries=tries,
        )

    def _alert(self, tx: Transaction, code: str, level: TraceLevel, subject: str, detail: str) -> None:
        text = f"The email {one_line(subject, 200)!r} was not tracked: {code}"
        regarding = Lookup("mailbox", self._binding.mailbox_id)
        alerts.write(tx, self.place(tx).settings, Alert(regarding, level, code, text, details=detail))

    def remember_last(self, tx: Transaction) -> None:
        """Before a commit: `lastmessageid`, and the mailbox's received-after date where the engine advances it (`rules.watermark`)."""
        if not self._last_message_id:
            return
        place = self.place(tx)
        changes: dict[str, object] = {"lastmessageid": self._last_message_id}
        before = place.mailbox.processemailreceivedafter if place.mailbox is not None else None
        tells = place.profile is not None and place.profile.servertype is not ServerType.OTHER
        after = advanced(before, self._newest, tx.now(), has_received_time=tells)
        if after != before:
            changes["processemailreceivedafter"] = after
        tx.update(Mailbox, self._binding.mailbox_id, **changes)
        self._last_message_id = ""

    def mark(self) -> tuple[datetime | None, str]:
        """Where a batch begins: for `forget`."""
        return self._newest, self._last_message_id

    def forget(self, mark: tuple[datetime | None, str]) -> None:
        """A batch was rolled back: nothing of it was stored."""
        self._newest, self._last_message_id = mark

    def end_batch(self) -> None:
        self._judged.clear()


def _chosen(parts: Sequence[_Part]) -> _Part:
    return next((one for one in parts if one.verdict.deliver), parts[0])


def _message(offer: IncomingOffer) -> IncomingMessage:
    return IncomingMessage.of_parsed(offer.message, offer.received_on, offer.submitted_by)
