"""What may become of an outgoing email, and what becomes of one that a run tried to send (server-side-sync reference 7.1, 7.4).

Two things move together: the published status of the activity, and the durable mark of the outgoing ledger (ours). Only `claimed` may ever be
reclaimed; `submitting` without an outcome is uncertain and never resent without a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from postroom.model.options import EmailStatus

__all__ = [
    "TRANSITIONS",
    "Attempt",
    "Mark",
    "Outcome",
    "Report",
    "Step",
    "after_decision",
    "after_loss",
    "after_report",
    "cancellable",
    "follow",
]


class Mark(StrEnum):
    """The outgoing ledger's words."""

    PENDING = "pending"  # requested, waiting
    CLAIMED = "claimed"  # a run has it; nothing was said to the server that makes it responsible
    SUBMITTING = "submitting"  # the server may have become responsible
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELED = "canceled"


class Step(StrEnum):
    """What can happen to an outgoing email. CONFIRM and DENY are a person's word on an uncertain one."""

    EDIT = "edit"
    SEND = "send"  # SendEmail
    RECORD = "record"  # SendEmail with IssueSend false: somebody else has sent it
    PICK = "pick"  # a run claims it
    ACCEPT = "accept"  # the server took it over
    DEFER = "defer"  # refused for now, or given back untried
    REFUSE = "refuse"  # refused for good, attempts used up, or it cannot be made into a message
    LOSE = "lose"  # submitted, and the answer was lost
    CONFIRM = "confirm"
    DENY = "deny"
    CANCEL = "cancel"
    COMPLETE = "complete"


_DRAFT, _FAILED, _PENDING, _SENDING = EmailStatus.DRAFT, EmailStatus.FAILED, EmailStatus.PENDING_SEND, EmailStatus.SENDING

TRANSITIONS: Mapping[tuple[EmailStatus, Step], EmailStatus] = MappingProxyType(
    {
        (_DRAFT, Step.EDIT): _DRAFT,
        (_DRAFT, Step.SEND): _PENDING,
        (_DRAFT, Step.RECORD): EmailStatus.SENT,
        (_DRAFT, Step.CANCEL): EmailStatus.CANCELED,
        (_DRAFT, Step.COMPLETE): EmailStatus.COMPLETED,
        (_PENDING, Step.PICK): _SENDING,
        (_PENDING, Step.REFUSE): _FAILED,
        (_PENDING, Step.CANCEL): EmailStatus.CANCELED,
        (_SENDING, Step.ACCEPT): EmailStatus.SENT,
        (_SENDING, Step.DEFER): _PENDING,
        (_SENDING, Step.REFUSE): _FAILED,
        (_SENDING, Step.LOSE): _SENDING,
        (_SENDING, Step.CONFIRM): EmailStatus.SENT,
        (_SENDING, Step.DENY): _PENDING,
        (_FAILED, Step.EDIT): _DRAFT,
        (_FAILED, Step.SEND): _PENDING,
        (_FAILED, Step.RECORD): EmailStatus.SENT,
        (_FAILED, Step.CANCEL): EmailStatus.CANCELED,
    }
)
"""Reference 7.1, as data; what is not here is refused. Published are the codes and Draft, Pending Send, Sent; the use of Sending and Failed is
the suggested one. Ours: a waiting email may still be canceled, a failed one too; an uncertain email stays Sending, as it neither waits nor is sent."""


def follow(status: EmailStatus, step: Step) -> EmailStatus | None:
    """The status after this step; None: the step is refused."""
    return TRANSITIONS.get((status, step))


class Report(StrEnum):
    """The words of the provider contract's `SubmissionResult`."""

    SENT = "sent"
    FAILED = "failed"
    RETRY = "retry"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try.

    attempts  tries before this one
    limit     MaximumEmailDeliveryAttempts
    back_off  how long to wait when the server names no time
    reached   somebody has the email, by this try or an earlier one
    left      a recipient was refused for now and may still be reached
    """

    attempts: int
    limit: int
    back_off: timedelta
    now: datetime
    reached: bool = False
    left: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The activity's status, the mark, the attempts counted, when it may be tried again, and why in words."""

    status: EmailStatus
    mark: Mark
    attempts: int
    retry_at: datetime | None = None
    reason: str = ""


def after_report(report: Report, attempt: Attempt, *, reply: str = "", retry_after: timedelta | None = None) -> Outcome:
    """A provider's report on one try.

    A retry beyond the limit is a failure. Recipients refused for now when others were accepted get further tries, alone, within the same limit. An
    email that somebody has is never Failed, whatever becomes of the others: sent again from there it would be doubled for those who have it
    (ours; the alert names who was not reached).
    """
    tried = attempt.attempts + 1
    exhausted = tried >= attempt.limit
    used_up = f"{tried} attempts are used up: {reply}".rstrip(": ")
    if report is Report.UNCERTAIN:
        return _outcome(Step.LOSE, tried, reply or "the answer was lost")
    if report is Report.SENT and not (attempt.left and not exhausted):
        return _outcome(Step.ACCEPT, tried, reply)
    if report is Report.FAILED or exhausted:
        reason = used_up if report is Report.RETRY else reply or "refused"
        return _outcome(Step.ACCEPT if attempt.reached else Step.REFUSE, tried, reason)
    wait = attempt.back_off if retry_after is None else max(retry_after, timedelta(0))
    return _outcome(Step.DEFER, tried, reply, attempt.now + wait)


_MARKS = {
    EmailStatus.SENT: Mark.SENT,
    EmailStatus.PENDING_SEND: Mark.PENDING,
    EmailStatus.FAILED: Mark.FAILED,
    EmailStatus.SENDING: Mark.UNCERTAIN,
}


def _outcome(step: Step, attempts: int, reason: str, retry_at: datetime | None = None) -> Outcome:
    """For an email that is Sending."""
    status = TRANSITIONS[EmailStatus.SENDING, step]
    return Outcome(status, _MARKS[status], attempts, retry_at, reason)


def after_loss(mark: Mark, attempts: int) -> Outcome | None:
    """A run that lost its lease leaves these marks; None: nothing is to be done. A claim that was never submitted is no attempt."""
    if mark is Mark.CLAIMED:
        return _outcome(Step.DEFER, attempts, "the run that claimed it ended")
    if mark is Mark.SUBMITTING:
        return _outcome(Step.LOSE, attempts + 1, "the run that submitted it ended without an answer")
    return None


def after_decision(attempts: int, *, sent: bool, left: bool) -> Outcome:
    """A person's word on an uncertain email. When it was sent, those who had been refused for now before still get their try."""
    step = Step.CONFIRM if sent and not left else Step.DENY
    return _outcome(step, attempts, "a person said so")


def cancellable(status: EmailStatus, mark: Mark | None, *, reached: bool = False) -> bool:
    """A draft, a failed email, or one that waits, that nobody has claimed and that nobody has received yet."""
    if follow(status, Step.CANCEL) is None or reached:
        return False
    return status is not EmailStatus.PENDING_SEND or mark in (None, Mark.PENDING)
