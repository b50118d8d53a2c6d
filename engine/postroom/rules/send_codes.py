"""What an answer of an SMTP or EWS server means to the email that is being sent and to its mailbox (server-side-sync reference 7.4).

Two tables. A judgement has a nature and a scope: an email-level refusal concerns this email (or recipient) only and the others go on; a mailbox-level
one stops the mailbox's sending and leaves the email pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from types import MappingProxyType

from postroom.rules.error_classes import Nature, Scope

__all__ = ["CREDENTIAL_CODES", "EWS_CODES", "EWS_HTTP", "Judgement", "SmtpStep", "judge_ews", "judge_smtp"]


class Judgement(Enum):
    """(nature, scope)."""

    EMAIL_TRANSIENT = (Nature.TRANSIENT, Scope.EMAIL)
    EMAIL_PERMANENT = (Nature.PERMANENT, Scope.EMAIL)
    MAILBOX_TRANSIENT = (Nature.TRANSIENT, Scope.MAILBOX)
    MAILBOX_PERMANENT = (Nature.PERMANENT, Scope.MAILBOX)

    @property
    def nature(self) -> Nature:
        return self.value[0]

    @property
    def scope(self) -> Scope:
        return self.value[1]


class SmtpStep(StrEnum):
    """Where in the conversation. MAIL, RCPT, DATA and TEXT (the final dot) speak of one email, the others of the connection."""

    GREETING = "greeting"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    TEXT = "text"


CREDENTIAL_CODES = frozenset({530, 534, 535, 538})
"""Authentication required, mechanism too weak, credentials invalid, encryption required (RFC 4954 §6). 538 is obsolete and means the same; ours."""
_ABOUT_THE_EMAIL = frozenset({SmtpStep.MAIL, SmtpStep.RCPT, SmtpStep.DATA, SmtpStep.TEXT})
SERVICE_CLOSING = 421


def judge_smtp(step: SmtpStep, code: int) -> Judgement | None:
    """None: the answer is no refusal, or none that the protocol knows at this step.

    4yz is transient, 5yz on the email permanent for it, 530, 534, 535 permanent for the mailbox wherever they come. Ours: 421 is the
    connection's end at any step; other 5yz before an email (a server that greets with 554 refuses everybody) are borne as transient until the mailbox's
    failures are used up; a 5yz answer to AUTH refuses the credentials and one to STARTTLS the line.
    """
    if not 400 <= code < 600:
        return None
    if code in CREDENTIAL_CODES and step is not SmtpStep.TEXT:
        return Judgement.MAILBOX_PERMANENT
    if code == SERVICE_CLOSING and step is not SmtpStep.TEXT:
        return Judgement.MAILBOX_TRANSIENT
    if step in _ABOUT_THE_EMAIL:
        return Judgement.EMAIL_TRANSIENT if code < 500 else Judgement.EMAIL_PERMANENT
    if step in (SmtpStep.AUTH, SmtpStep.STARTTLS) and code >= 500:
        return Judgement.MAILBOX_PERMANENT
    return Judgement.MAILBOX_TRANSIENT


EWS_CODES: Mapping[str, Judgement] = MappingProxyType(
    {
        "ErrorServerBusy": Judgement.MAILBOX_TRANSIENT,
        "ErrorTimeoutExpired": Judgement.MAILBOX_TRANSIENT,
        "ErrorInternalServerTransientError": Judgement.MAILBOX_TRANSIENT,
        # sending is blocked until quota frees: tried again, bounded by the mailbox's failures
        "ErrorQuotaExceeded": Judgement.MAILBOX_TRANSIENT,
        "ErrorSubmissionQuotaExceeded": Judgement.MAILBOX_TRANSIENT,
        "ErrorSendAsDenied": Judgement.EMAIL_PERMANENT,
        "ErrorMessageSizeExceeded": Judgement.EMAIL_PERMANENT,
        # ours: not listed by the reference
        "ErrorInvalidRecipients": Judgement.EMAIL_PERMANENT,
        "ErrorMissingRecipients": Judgement.EMAIL_PERMANENT,
        "ErrorAccessDenied": Judgement.MAILBOX_PERMANENT,
        "ErrorImpersonateUserDenied": Judgement.MAILBOX_PERMANENT,
        "ErrorNonExistentMailbox": Judgement.MAILBOX_PERMANENT,
    }
)
"""EWS ResponseCode values."""

EWS_HTTP: Mapping[int, Judgement] = MappingProxyType(
    {
        401: Judgement.MAILBOX_PERMANENT,
        403: Judgement.MAILBOX_PERMANENT,
        503: Judgement.MAILBOX_TRANSIENT,
    }
)
"""HTTP status of an EWS answer without a ResponseCode that is known."""


def judge_ews(response_code: str = "", http_status: int = 200) -> Judgement | None:
    """The ResponseCode decides where it is known (ErrorQuotaExceeded comes with 403), then the HTTP status. None: no error. What nobody knows is
    transient for the mailbox (ours): bounded by its failures, and no email is lost to it."""
    if response_code in EWS_CODES:
        return EWS_CODES[response_code]
    if http_status in EWS_HTTP:
        return EWS_HTTP[http_status]
    if response_code in ("", "NoError") and http_status < 400:
        return None
    return Judgement.MAILBOX_TRANSIENT
