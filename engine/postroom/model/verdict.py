"""The organization's judgement of an incoming message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["ReasonCode", "Verdict"]


class ReasonCode(IntEnum):
    """`CheckIncomingEmailResponse.ReasonCode`, published numbers and names (server-side-sync reference 4.1).

    BEFORE_WATERMARK is ours and never an answer of CheckIncomingEmail, which is not asked about such a message: the organization's gateway
    says it of a message older than the received-after date. It stays at the source and is noted as pending.
    """

    BEFORE_WATERMARK = -2
    UNKNOWN = -1
    DUPLICATE = 0
    NO_CORRELATION_MATCH = 1
    CORRELATION_MATCH = 2
    NO_RECIPIENT_MATCH = 3
    INTERNAL_EMAIL_REJECT = 4
    SENDER_MATCH = 5
    ACCEPT_ALL = 6
    INVALID_SENDER = 7


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a message becomes an activity, why, and in `detail` the values that decided, in words."""

    deliver: bool
    reason: ReasonCode
    detail: str = ""
