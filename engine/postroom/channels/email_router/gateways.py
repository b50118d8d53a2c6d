"""What a provider of the router sees of its organization: one mailbox, or the senders of one provider in turn."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from postroom.errors import StaleRun, StoreError
from postroom.model.deployment import DeploymentSettings
from postroom.model.verdict import ReasonCode, Verdict
from postroom.organization import GatewayBinding, Operation, Organization, router_service
from postroom.providers.configuration.settings import ProviderSettings
from postroom.providers.contract import (
    ClaimedEmail,
    Delivered,
    Disposition,
    EmailGateway,
    IncomingOffer,
    RecipientResult,
    Submission,
)
from postroom.rules.router_fairness import turns
from postroom.store import Fence

__all__ = ["BoundedGateway", "Senders", "SendersGateway", "deployment_for", "end_quietly"]

_MONTH = 86_400 * 30


def deployment_for(deployment: DeploymentSettings, settings: ProviderSettings) -> DeploymentSettings:
    """The deployment's settings, with what the router's file says instead: `MaximumDeliveryAttempts`, and `PendingStatusDelay` for the wait after a failed
    try (in whole seconds, rounded up; a month at most)."""
    wait = min(_MONTH, math.ceil(settings.pending_status_delay.seconds))
    return replace(
        deployment,
        maximum_email_delivery_attempts=settings.maximum_delivery_attempts,
        mailbox_backoff_on_transient_error=wait,
    )


def end_quietly(organization: Organization, fence: Fence) -> None:
    """Give a lease back, or take it from a run that does not end. One that cannot be given back expires by itself."""
    try:
        organization.end_run("", fence)
    except StoreError:
        return


class BoundedGateway:
    """A gateway that lets nothing in which is older than `MessageExpiry`, or received before the instance's threshold: such mail is ignored and stays
    at the source. Received times are told in whole seconds; a message of the threshold's own second is let in."""

    def __init__(
        self, inner: EmailGateway, expiry: timedelta | None, threshold: datetime | None, now: Callable[[], datetime]
    ) -> None:
        self._inner, self._expiry, self._now = inner, expiry, now
        self._threshold = None if threshold is None else threshold.replace(microsecond=0)

    def check_incoming(self, offer: IncomingOffer) -> Verdict:
        if self._threshold is not None and offer.received_on < self._threshold:
            detail = f"received before {self._threshold:%Y-%m-%d %H:%M:%S} UTC (the router's threshold)"
            return Verdict(False, ReasonCode.BEFORE_WATERMARK, detail)
        if self._expiry is not None and offer.received_on < self._now() - self._expiry:
            return Verdict(False, ReasonCode.BEFORE_WATERMARK, f"older than {self._expiry} (MessageExpiry)")
        return self._inner.check_incoming(offer)

    def batch(self) -> AbstractContextManager[None]:
        return self._inner.batch()

    def deliver_incoming(self, offer: IncomingOffer, verdict: Verdict) -> Delivered:
        return self._inner.deliver_incoming(offer, verdict)

    def settle(self, offer: IncomingOffer, disposition: Disposition, verdict: Verdict) -> None:
        self._inner.settle(offer, disposition, verdict)

    def failed(self, source_key: str, detail: str, subject: str = "") -> bool:
        return self._inner.failed(source_key, detail, subject)

    def settled(self, digests: Iterable[str]) -> Mapping[str, Disposition]:
        return self._inner.settled(digests)

    def claim_outgoing(self, limit: int) -> Sequence[ClaimedEmail]:
        return self._inner.claim_outgoing(limit)

    def mark_submitting(self, email: ClaimedEmail, refused: Sequence[RecipientResult] = ()) -> None:
        self._inner.mark_submitting(email, refused)

    def report_outgoing(self, email: ClaimedEmail, submission: Submission) -> None:
        self._inner.report_outgoing(email, submission)


class Senders:
    """The leases of a sending run: one a mailbox, taken as its turn comes, given back together. From any thread."""

    def __init__(self, organization: Organization, holder: str, delay: timedelta) -> None:
        self.organization, self.holder, self.delay = organization, holder, delay
        self._fences: dict[str, Fence] = {}
        self._over = False
        self._lock = threading.Lock()

    def begin(self, mailbox_id: str) -> router_service.Begun:
        """Raises StaleRun when the run was ended from outside."""
        with self._lock:
            if self._over:
                raise StaleRun("the run was ended")
            if mailbox_id in self._fences:
                return router_service.Begun(self._fences[mailbox_id])
        begun = router_service.begin(self.organization, mailbox_id, Operation.OUTGOING, self.holder, sending_delay=self.delay)
        if begun.fence is None:
            return begun
        if not self._keep(mailbox_id, begun.fence):
            end_quietly(self.organization, begun.fence)
            raise StaleRun("the run was ended")
        return begun

    def _keep(self, mailbox_id: str, fence: Fence) -> bool:
        with self._lock:
            if not self._over:
                self._fences[mailbox_id] = fence
            return not self._over

    def renew(self) -> bool:
        """All of them, or False."""
        with self._lock:
            fences = list(self._fences.values())
        kept = [self.organization.renew_run("", fence) for fence in fences]
        return all(kept)

    def end(self) -> None:
        with self._lock:
            self._over = True
            fences, self._fences = list(self._fences.values()), {}
        for fence in fences:
            end_quietly(self.organization, fence)

    @property
    def served(self) -> tuple[str, ...]:
        """Mailboxes whose lease was taken."""
        with self._lock:
            return tuple(self._fences)


class SendersGateway:
    """The outgoing half for a provider that sends for many: each claim goes on with those whose turn is next, `BatchSize` of them, `RequestBatchSize`
    emails each.

    more      somebody still waits whose turn did not come
    last      who had the last turn
    met       mailbox -> why it could not be served
    """

    def __init__(self, senders: Senders, mailboxes: Sequence[str], settings: ProviderSettings, last: str) -> None:
        self._senders = senders
        self._mailboxes = frozenset(mailboxes)
        self._settings = settings
        self._deployment = deployment_for(senders.organization.deployment.settings, settings)
        self._owner: dict[str, EmailGateway] = {}
        self.last = last
        self.more = False
        self.met: dict[str, str] = {}

    def claim_outgoing(self, limit: int) -> Sequence[ClaimedEmail]:
        settings, organization = self._settings, self._senders.organization
        waiting = router_service.waiting(organization, self._mailboxes, self._senders.delay)
        claimed: list[ClaimedEmail] = []
        full = False
        turn = turns(waiting, self.last, settings.batch_size)
        for mailbox_id in turn:
            room = min(settings.request_batch_size, limit - len(claimed))
            if room <= 0:
                full = True
                break
            self.last = mailbox_id
            mine = self._claim(mailbox_id, room)
            full = full or len(mine) >= room
            claimed += mine
        self.more = bool(claimed) and (full or len(waiting) > len(turn))
        return claimed

    def _claim(self, mailbox_id: str, room: int) -> Sequence[ClaimedEmail]:
        begun = self._senders.begin(mailbox_id)
        if begun.fence is None:
            by = f" by {begun.held_by}" if begun.held_by else ""
            self.met[mailbox_id] = "; ".join(reason.text for reason in begun.reasons) + by
            return []
        binding = GatewayBinding(mailbox_id, begun.fence.instance, begun.fence, Operation.OUTGOING)
        gateway = self._senders.organization.gateway(binding, self._deployment)
        found = gateway.claim_outgoing(room)
        self._owner.update((email.email_id, gateway) for email in found)
        return found

    def _of(self, email: ClaimedEmail) -> EmailGateway:
        gateway = self._owner.get(email.email_id)
        if gateway is None:
            raise StaleRun(f"the email {email.email_id} is not claimed by this run")
        return gateway

    def mark_submitting(self, email: ClaimedEmail, refused: Sequence[RecipientResult] = ()) -> None:
        self._of(email).mark_submitting(email, refused)

    def report_outgoing(self, email: ClaimedEmail, submission: Submission) -> None:
        self._of(email).report_outgoing(email, submission)

    def __getattr__(self, name: str) -> Any:
        if name in ("batch", "check_incoming", "deliver_incoming", "settle", "failed", "settled"):
            raise TypeError(f"an outbound provider takes nothing in: {name} is for inbound ones")
        raise AttributeError(name)
