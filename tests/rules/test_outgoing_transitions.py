"""The state machine of an outgoing email, every pair of status and step (server-side-sync reference 7.1, 7.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from postroom.model.options import EmailState
from postroom.model.options import EmailStatus as S
from postroom.rules.outgoing_state import (
    TRANSITIONS,
    Attempt,
    Mark,
    Report,
    Step,
    after_decision,
    after_report,
    cancellable,
    follow,
)

ALLOWED = {
    S.DRAFT: {
        Step.EDIT: S.DRAFT,
        Step.SEND: S.PENDING_SEND,
        Step.RECORD: S.SENT,
        Step.CANCEL: S.CANCELED,
        Step.COMPLETE: S.COMPLETED,
    },
    S.PENDING_SEND: {Step.PICK: S.SENDING, Step.REFUSE: S.FAILED, Step.CANCEL: S.CANCELED},
    S.SENDING: {
        Step.ACCEPT: S.SENT,
        Step.DEFER: S.PENDING_SEND,
        Step.REFUSE: S.FAILED,
        Step.LOSE: S.SENDING,
        Step.CONFIRM: S.SENT,
        Step.DENY: S.PENDING_SEND,
    },
    S.FAILED: {Step.EDIT: S.DRAFT, Step.SEND: S.PENDING_SEND, Step.RECORD: S.SENT, Step.CANCEL: S.CANCELED},
    S.SENT: {},
    S.RECEIVED: {},
    S.COMPLETED: {},
    S.CANCELED: {},
}


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("step", list(Step))
def test_every_pair_is_allowed_or_refused(status: S, step: Step) -> None:
    assert follow(status, step) is ALLOWED[status].get(step)


def test_the_table_holds_nothing_else() -> None:
    assert len(TRANSITIONS) == sum(len(steps) for steps in ALLOWED.values())


@pytest.mark.parametrize(
    ("status", "number", "state"),
    [
        (S.DRAFT, 1, EmailState.OPEN),
        (S.FAILED, 8, EmailState.OPEN),
        (S.COMPLETED, 2, EmailState.COMPLETED),
        (S.SENT, 3, EmailState.COMPLETED),
        (S.RECEIVED, 4, EmailState.COMPLETED),
        (S.PENDING_SEND, 6, EmailState.COMPLETED),
        (S.SENDING, 7, EmailState.COMPLETED),
        (S.CANCELED, 5, EmailState.CANCELED),
    ],
)
def test_the_published_codes(status: S, number: int, state: EmailState) -> None:
    assert (int(status), status.state) == (number, state)
    assert [int(one) for one in EmailState] == [0, 1, 2]


NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
TRY = Attempt(attempts=0, limit=3, back_off=timedelta(minutes=5), now=NOW)


@pytest.mark.parametrize(
    ("report", "attempts", "reached", "left", "mark"),
    [
        (Report.SENT, 0, True, False, Mark.SENT),
        (Report.SENT, 0, True, True, Mark.PENDING),  # others were refused for now: they alone are tried again
        (Report.SENT, 2, True, True, Mark.SENT),  # the last try: those who have it have it
        (Report.RETRY, 0, False, True, Mark.PENDING),
        (Report.RETRY, 2, False, True, Mark.FAILED),
        (Report.RETRY, 2, True, True, Mark.SENT),  # never Failed once somebody has it: sent again it would be doubled
        (Report.FAILED, 1, False, False, Mark.FAILED),
        (Report.FAILED, 1, True, False, Mark.SENT),
        (Report.UNCERTAIN, 1, True, True, Mark.UNCERTAIN),
    ],
)
def test_partial_refusal(report: Report, attempts: int, reached: bool, left: bool, mark: Mark) -> None:
    outcome = after_report(report, replace(TRY, attempts=attempts, reached=reached, left=left), reply="said")
    assert (outcome.mark, outcome.attempts) == (mark, attempts + 1)
    assert outcome.retry_at == (NOW + timedelta(minutes=5) if mark is Mark.PENDING else None)
    assert outcome.reason.endswith("said")


@pytest.mark.parametrize(
    ("report", "attempts", "reply", "reason"),
    [
        (Report.UNCERTAIN, 0, "", "the answer was lost"),
        (Report.UNCERTAIN, 0, "timed out", "timed out"),
        (Report.FAILED, 0, "", "refused"),
        (Report.FAILED, 2, "550 no", "550 no"),
        (Report.RETRY, 2, "451 later", "3 attempts are used up: 451 later"),
        (Report.RETRY, 2, "", "3 attempts are used up"),
        (Report.RETRY, 1, "451 later", "451 later"),
        (Report.SENT, 2, "250 OK", "250 OK"),
    ],
)
def test_why_in_words(report: Report, attempts: int, reply: str, reason: str) -> None:
    assert after_report(report, replace(TRY, attempts=attempts), reply=reply).reason == reason


@pytest.mark.parametrize(
    ("sent", "left", "status"),
    [(True, False, S.SENT), (True, True, S.PENDING_SEND), (False, False, S.PENDING_SEND), (False, True, S.PENDING_SEND)],
)
def test_a_persons_word(sent: bool, left: bool, status: S) -> None:
    outcome = after_decision(4, sent=sent, left=left)
    assert (outcome.status, outcome.attempts, outcome.retry_at) == (status, 4, None)


def test_what_has_reached_somebody_is_not_canceled() -> None:
    assert cancellable(S.PENDING_SEND, Mark.PENDING)
    assert not cancellable(S.PENDING_SEND, Mark.PENDING, reached=True)
