"""What becomes of an email that a run tried to send (server-side-sync reference 7.1, 7.4).

Two things move together: the published status of the activity, and the durable mark of the outgoing ledger (ours). Only `claimed` may ever be
reclaimed; `submitting` without an outcome is uncertain and never resent without a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from postroom.model.options import EmailStatus

__all__ = ["Attempt", "Mark", "Outcome", "Report", "after_loss", "after_report", "cancellable"]


class Mark(StrEnum):
    """The outgoing ledger's words."""

    PENDING = "pending"  # requested, waiting
    CLAIMED = "claimed"  # a run has it; nothing was said to the server that makes it responsible
    SUBMITTING = "submitting"  # the server may have become responsible
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELED = "canceled"


class Report(StrEnum):
    """The words of the provider contract's `SubmissionResult`."""

    SENT = "sent"
    FAILED = "failed"
    RETRY = "retry"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Attempt:
    """attempts: tries before this one; limit: MaximumEmailDeliveryAttempts; back_off: how long to wait when the server names no time."""

    attempts: int
    limit: int
    back_off: timedelta
    now: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """The activity's status, the mark, the attempts counted, when it may be tried again, and why in words."""

    status: EmailStatus
    mark: Mark
    attempts: int
    retry_at: datetime | None = None
    reason: str = ""


def after_report(report: Report, attempt: Attempt, *, reply: str = "", retry_after: timedelta | None = None) -> Outcome:
    """A provider's report on one try. A retry beyond the limit is a failure. An uncertain email stays Sending: it is neither sent nor
    waiting (suggested use of that status, reference 7.1)."""
    tried = attempt.attempts + 1
    if report is Report.SENT:
        return Outcome(EmailStatus.SENT, Mark.SENT, tried, reason=reply)
    if report is Report.UNCERTAIN:
        return Outcome(EmailStatus.SENDING, Mark.UNCERTAIN, tried, reason=reply or "the answer was lost")
    if report is Report.FAILED:
        return Outcome(EmailStatus.FAILED, Mark.FAILED, tried, reason=reply or "refused")
    if tried >= attempt.limit:
        return Outcome(EmailStatus.FAILED, Mark.FAILED, tried, reason=f"{tried} attempts are used up: {reply}".rstrip(": "))
    wait = attempt.back_off if retry_after is None else max(retry_after, timedelta(0))
    return Outcome(EmailStatus.PENDING_SEND, Mark.PENDING, tried, attempt.now + wait, reply)


def after_loss(mark: Mark, attempts: int) -> Outcome | None:
    """A run that lost its lease leaves these marks; None: nothing is to be done. A claim that was never submitted is no attempt."""
    if mark is Mark.CLAIMED:
        return Outcome(EmailStatus.PENDING_SEND, Mark.PENDING, attempts, reason="the run that claimed it ended")
    if mark is Mark.SUBMITTING:
        return Outcome(
            EmailStatus.SENDING, Mark.UNCERTAIN, attempts + 1, reason="the run that submitted it ended without an answer"
        )
    return None


def cancellable(status: EmailStatus, mark: Mark | None) -> bool:
    """A draft, a failed email, or one that waits and that nobody has claimed."""
    if status in (EmailStatus.DRAFT, EmailStatus.FAILED):
        return True
    return status is EmailStatus.PENDING_SEND and mark in (None, Mark.PENDING)
