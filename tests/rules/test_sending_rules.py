"""SendEmail's checks, the states of an outgoing email, tokens (server-side-sync reference 4.5, 7.1 to 7.5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.model.attributes import Lookup
from postroom.model.options import EmailStatus as S
from postroom.rules.outgoing_state import Attempt, Mark, Report, after_loss, after_report, cancellable
from postroom.rules.sending import Author, Party, SendProblem, SendRequest, check_send
from postroom.rules.tracking_token import TokenLayout, append_token, find_tokens, make_token, prefixes_of

ADA = Party(Lookup("systemuser", "ada"), "ada@alder.test")
CARL = Party(Lookup("contact", "carl"), "carl@birch.test")
STRANGER = Party(None, "x@else.test")
BASE = SendRequest(True, S.DRAFT, (ADA,), (CARL,), Author("ada"))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, None),
        ({"status": S.FAILED}, None),
        ({"outgoing": False}, SendProblem.NOT_OUTGOING),
        ({"status": S.SENT}, SendProblem.NOT_A_DRAFT),
        ({"status": S.PENDING_SEND}, SendProblem.NOT_A_DRAFT),
        ({"senders": ()}, SendProblem.SENDER),
        ({"senders": (ADA, ADA)}, SendProblem.SENDER),
        ({"senders": (CARL,)}, SendProblem.SENDER),
        ({"senders": (STRANGER,)}, SendProblem.SENDER),
        ({"senders": (replace(ADA, address=""),)}, SendProblem.SENDER_ADDRESS),
        ({"recipients": ()}, SendProblem.NO_RECIPIENTS),
        ({"recipients": (replace(CARL, address=""),)}, SendProblem.NO_RECIPIENTS),
        ({"recipients": (replace(CARL, address=""), CARL)}, None),
        ({"recipients": (STRANGER,)}, SendProblem.UNRESOLVED),
        ({"recipients": (STRANGER,), "allow_unresolved": True}, None),
        ({"recipients": (CARL, Party(None)), "allow_unresolved": True}, SendProblem.RECIPIENT_ADDRESS),
        ({"author": Author("ben")}, SendProblem.SEND_AS),
        ({"author": Author("ben", privileged=True)}, SendProblem.SEND_AS),
        ({"author": Author("ben", sender_allows=True)}, SendProblem.SEND_AS),
        ({"author": Author("ben", privileged=True, sender_allows=True)}, None),
        ({"author": Author(None, system=True)}, None),
        ({"senders": (Party(Lookup("queue", "q"), "q@alder.test"),)}, None),
        (
            {"senders": (Party(Lookup("queue", "q"), "q@alder.test"),), "author": Author("ada", reads_queue=False)},
            SendProblem.SEND_AS,
        ),
    ],
)
def test_what_may_be_sent(values: dict[str, object], problem: SendProblem | None) -> None:
    verdict = check_send(replace(BASE, **values))  # type: ignore[arg-type]
    assert verdict.problem == problem
    assert verdict.allowed is (problem is None)
    assert bool(verdict.detail) is (problem is not None)


NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
TRY = Attempt(attempts=0, limit=3, back_off=timedelta(minutes=5), now=NOW)


@pytest.mark.parametrize(
    ("report", "attempts", "status", "mark", "retry_at"),
    [
        (Report.SENT, 0, S.SENT, Mark.SENT, None),
        (Report.FAILED, 0, S.FAILED, Mark.FAILED, None),
        (Report.UNCERTAIN, 0, S.SENDING, Mark.UNCERTAIN, None),
        (Report.RETRY, 0, S.PENDING_SEND, Mark.PENDING, NOW + timedelta(minutes=5)),
        (Report.RETRY, 1, S.PENDING_SEND, Mark.PENDING, NOW + timedelta(minutes=5)),
        (Report.RETRY, 2, S.FAILED, Mark.FAILED, None),
    ],
)
def test_reports(report: Report, attempts: int, status: S, mark: Mark, retry_at: datetime | None) -> None:
    outcome = after_report(report, replace(TRY, attempts=attempts), reply="said")
    assert (outcome.status, outcome.mark, outcome.attempts, outcome.retry_at) == (status, mark, attempts + 1, retry_at)


def test_the_servers_own_time_is_kept() -> None:
    assert after_report(Report.RETRY, TRY, retry_after=timedelta(hours=1)).retry_at == NOW + timedelta(hours=1)
    assert after_report(Report.RETRY, TRY, retry_after=timedelta(hours=-1)).retry_at == NOW


@pytest.mark.parametrize("mark", list(Mark))
def test_only_claimed_is_ever_reclaimed(mark: Mark) -> None:
    outcome = after_loss(mark, 1)
    expected = {Mark.CLAIMED: (Mark.PENDING, 1), Mark.SUBMITTING: (Mark.UNCERTAIN, 2)}.get(mark)
    assert (None if outcome is None else (outcome.mark, outcome.attempts)) == expected


@pytest.mark.parametrize(
    ("status", "mark", "expected"),
    [
        (S.DRAFT, None, True),
        (S.FAILED, Mark.FAILED, True),
        (S.PENDING_SEND, Mark.PENDING, True),
        (S.SENDING, Mark.CLAIMED, False),
        (S.SENDING, Mark.UNCERTAIN, False),
        (S.SENT, Mark.SENT, False),
        (S.CANCELED, Mark.CANCELED, False),
    ],
)
def test_cancelling(status: S, mark: Mark | None, expected: bool) -> None:
    assert cancellable(status, mark) is expected


def test_the_published_token() -> None:
    assert make_token(TokenLayout(), 1, 1) == "CRM:0001001"
    assert make_token(TokenLayout(base=41), 1, 1000) == "CRM:0042000"
    assert make_token(TokenLayout(counter_limit=4), 1, 5) == "CRM:0001000"


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("Order CRM:0001001", "CRM:0001001"),
        ("RE: order crm:0001001", "CRM:0001001"),
        ("CRM:0001001 and CRM:0002002", "CRM:0002002"),
        (
            "Order CRM:00010011",
            "CRM:00010011",
        ),  # more digits or fewer: from before a change of the settings, or no token at all
        ("Order CRM:000100", "CRM:000100"),
        ("Order CRM:00", None),
        ("Order CRM:" + 21 * "0", None),
        ("Old ticket #0001001", "ticket #0001001"),
        ("Order", None),
    ],
)
def test_tokens_are_found_also_under_earlier_prefixes(subject: str, found: str | None) -> None:
    assert next(iter(find_tokens(subject, TokenLayout(prefixes=prefixes_of("CRM:;ticket #;")))), None) == found


@pytest.mark.parametrize(
    ("subject", "token", "limit", "result"),
    [
        ("Order", "CRM:0001001", 255, "Order CRM:0001001"),
        ("", "CRM:0001001", 255, "CRM:0001001"),
        ("Order", "", 255, "Order"),
        ("Order of many things", "CRM:0001001", 17, "Order CRM:0001001"),
        ("Order of many things", "CRM:0001001", 11, "Order of ma"),
    ],
)
def test_the_token_goes_to_the_end(subject: str, token: str, limit: int, result: str) -> None:
    assert append_token(subject, token, limit) == result


@given(st.text(max_size=60), st.integers(0, 5000), st.integers(0, 5000))
@settings(max_examples=80, deadline=None)
def test_what_is_appended_is_found(subject: str, user: int, counter: int) -> None:
    layout = TokenLayout()
    token = make_token(layout, user, counter)
    assert find_tokens(append_token(subject, token, 100), layout)[0] == token
    assert len(append_token(subject, token, 40)) <= 40


def test_no_prefix_no_token() -> None:
    assert prefixes_of(None) == ()
    assert find_tokens("CRM:0001001", TokenLayout(prefixes=())) == ()
