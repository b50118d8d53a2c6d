"""What servers' answers mean to an email and its mailbox, row by row (server-side-sync reference 7.4)."""

from __future__ import annotations

import pytest

from postroom.rules.error_classes import TABLE, Nature, Scope
from postroom.rules.send_codes import EWS_CODES, EWS_HTTP, Judgement, SmtpStep, judge_ews, judge_smtp

E_T, E_P = Judgement.EMAIL_TRANSIENT, Judgement.EMAIL_PERMANENT
M_T, M_P = Judgement.MAILBOX_TRANSIENT, Judgement.MAILBOX_PERMANENT
G, H, T, A = SmtpStep.GREETING, SmtpStep.EHLO, SmtpStep.STARTTLS, SmtpStep.AUTH
M, R, D, X = SmtpStep.MAIL, SmtpStep.RCPT, SmtpStep.DATA, SmtpStep.TEXT


@pytest.mark.parametrize(
    ("code", "steps", "judgement"),
    [
        (220, (G, T), None),
        (250, (H, M, R, X), None),
        (354, (D,), None),
        (999, (M,), None),
        # 4yz is transient
        (450, (M, R, D, X), E_T),
        (451, (M, R, D, X), E_T),
        (452, (M, R, D, X), E_T),
        (454, (T, A), M_T),
        (432, (A,), M_T),
        (421, (G, H, T, A, M, R, D), M_T),
        (421, (X,), E_T),
        # 5yz on an email is permanent for it
        (550, (M, R, D, X), E_P),
        (551, (R,), E_P),
        (552, (M, R, D, X), E_P),
        (553, (M, R), E_P),
        (554, (M, R, D, X), E_P),
        # 530, 534, 535 are permanent for the mailbox
        (530, (G, H, T, A, M, R, D), M_P),
        (534, (A, M), M_P),
        (535, (A, M, R, D), M_P),
        (538, (A,), M_P),
        (535, (X,), E_P),
        # where classes of codes begin and end
        (399, (M,), None),
        (400, (M,), E_T),
        (499, (M, X), E_T),
        (499, (A, T), M_T),
        (500, (M, X), E_P),
        (599, (M,), E_P),
        (600, (M,), None),
        (537, (M,), E_P),
        (538, (M,), M_P),
        (539, (M,), E_P),
        # before an email
        (554, (G, H), M_T),
        (500, (A, T), M_P),
    ],
)
def test_smtp_answers(code: int, steps: tuple[SmtpStep, ...], judgement: Judgement | None) -> None:
    assert {step: judge_smtp(step, code) for step in steps} == dict.fromkeys(steps, judgement)


@pytest.mark.parametrize(
    ("response", "status", "judgement"),
    [
        ("ErrorServerBusy", 500, M_T),
        ("ErrorTimeoutExpired", 500, M_T),
        ("", 503, M_T),
        ("ErrorInternalServerTransientError", 500, M_T),
        ("ErrorQuotaExceeded", 403, M_T),
        ("ErrorSubmissionQuotaExceeded", 200, M_T),
        ("ErrorSendAsDenied", 200, E_P),
        ("ErrorMessageSizeExceeded", 200, E_P),
        ("", 401, M_P),
        ("", 403, M_P),
        ("ErrorSomethingNew", 200, M_T),
        ("", 500, M_T),
        ("", 399, None),
        ("", 400, M_T),
        ("NoError", 200, None),
        ("", 200, None),
    ],
)
def test_ews_answers(response: str, status: int, judgement: Judgement | None) -> None:
    assert judge_ews(response, status) is judgement


def test_the_http_answers_that_are_listed() -> None:
    assert dict(EWS_HTTP) == {401: M_P, 403: M_P, 503: M_T}
    assert judge_ews() is None


def test_a_judgement_says_nature_and_scope() -> None:
    assert (M_P.nature, M_P.scope) == (Nature.PERMANENT, Scope.MAILBOX)
    assert (E_T.nature, E_T.scope) == (Nature.TRANSIENT, Scope.EMAIL)
    assert len(set(Judgement)) == 4
    assert set(EWS_CODES.values()) <= set(Judgement)


def test_both_tables_read_a_code_alike() -> None:
    """Where an error carries a code of EWS, its class says what the code says: a full quota is waited for, an impersonation that is denied is not."""
    natures = {row.code: row.nature for row in TABLE if row.code in EWS_CODES}
    assert len(natures) >= 5
    assert natures == {code: EWS_CODES[code].nature for code in natures}
    assert natures["ErrorQuotaExceeded"] is natures["ErrorSubmissionQuotaExceeded"] is Nature.TRANSIENT
