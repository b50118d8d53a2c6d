"""The `EmailGateway` of one run: the organization as a provider sees it (providers.contract).

Each call is one transaction that compares the run's fence first; inside `batch()` all calls share one, with a savepoint each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from postroom.errors import DuplicateRecord, MessageError, RecordError, RuleViolated
from postroom.model import Verdict
from postroom.model.deployment import DeploymentSettings
from postroom.model.text import one_line
from postroom.organization import outbox, testing_mail
from postroom.organization.intake import Intake
from postroom.organization.values import GatewayBinding, Operation
from postroom.providers.contract import ClaimedEmail, Delivered, Disposition, IncomingOffer, RecipientResult, Submission
from postroom.rules.item_tries import ItemEnd, after_failed_email
from postroom.store import Transaction, ledger

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = ["OrganizationGateway"]


class OrganizationGateway:
    """Implements `providers.contract.EmailGateway`. Not shared between threads."""

    def __init__(self, organization: Organization, binding: GatewayBinding, settings: DeploymentSettings | None = None) -> None:
        """`settings`: of this run alone, instead of the deployment's."""
        self._organization = organization
        self._binding = binding
        self._settings = settings
        self._tx: Transaction | None = None
        self._intake = Intake(self._deployment, binding)

    @property
    def _deployment(self) -> DeploymentSettings:
        return self._settings or self._organization.deployment.settings

    # -- transactions -------------------------------------------------------------------------------------------------

    @contextmanager
    def batch(self) -> Iterator[None]:
        """See the contract."""
        if self._tx is not None:
            raise RuleViolated("a batch is open already: batches do not nest")
        before = self._intake.mark()
        try:
            with self._organization.store.transaction(self._binding.fence) as tx:
                self._tx = tx
                yield
                self._intake.remember_last(tx)
        except BaseException:
            self._intake.forget(before)
            raise
        finally:
            self._tx = None
            self._intake.end_batch()

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        if self._tx is not None:
            with self._tx.savepoint():
                yield self._tx
            return
        with self._organization.store.transaction(self._binding.fence) as tx:
            yield tx
            self._intake.remember_last(tx)

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        if self._tx is not None:
            yield self._tx
            return
        with self._organization.store.reading() as tx:
            yield tx

    # -- incoming -----------------------------------------------------------------------------------------------------

    def check_incoming(self, offer: IncomingOffer) -> Verdict:
        """See the contract. A message older than the received-after date is refused as BEFORE_WATERMARK."""
        with self._reading() as tx:
            return self._intake.check(tx, offer)

    def deliver_incoming(self, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        """See the contract. MessageError is permanent when the message is too large or holds what cannot be stored. Of several messages that were
        forwarded in one the activity of the first is told."""
        if not verdict.deliver:
            raise RuleViolated(f"the verdict does not let the message in: {verdict.reason.name}")
        limit = self._deployment.maximum_message_size
        if len(offer.octets) > limit:
            text = f"{len(offer.octets)} octets, at most {limit} are taken in"
            raise MessageError(text, source_key=offer.source_key, permanent=True, code="MessageTooLarge")
        try:
            with self._writing() as tx:
                return self._intake.deliver(tx, offer, verdict)
        except RecordError as problem:
            raise MessageError(str(problem), source_key=offer.source_key, permanent=True, code="CannotBeStored") from problem
        except DuplicateRecord as problem:  # another run stored its copy between our look and our write
            raise MessageError(str(problem), source_key=offer.source_key, code="Duplicate") from problem

    def settle(self, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> None:
        """See the contract. FILTERED for being before the watermark is noted as pending: a lowered date offers the message anew."""
        with self._writing() as tx:
            self._intake.settle(tx, offer, disposition, verdict)

    def failed(self, source_key: str, detail: str, subject: str = "") -> bool:
        """See the contract."""
        with self._writing() as tx:
            attempts = ledger.count_failure(
                tx, self._binding.instance, source_key, self._binding.mailbox_id, one_line(detail, 2000), tx.now()
            )
            self._intake.failed(tx, source_key, subject, detail, attempts)
        limit = self._deployment.item_attempts
        return after_failed_email(attempts, limit, exchange=False) is not ItemEnd.TRY_AGAIN

    def settled(self, digests: Iterable[str]) -> Mapping[str, Disposition]:
        """See the contract."""
        with self._reading() as tx:
            found = ledger.settled_among(tx, self._binding.instance, digests)
        return {digest: Disposition(word) for digest, word in found.items()}

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
            outbox.report(tx, self._deployment, self._binding, email, submission)
