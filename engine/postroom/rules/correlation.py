"""Which stored email an incoming one belongs to (server-side-sync reference 4.7).

The caller looks the candidates up (by Message-ID, by token) and hands them in; the order and the switches are decided here.
ConversationIndex and smart matching are further candidate lists of the same shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from postroom.model.attributes import Lookup
from postroom.model.options import CorrelationMethod

__all__ = ["Candidate", "Candidates", "Correlation", "CorrelationPolicy", "correlate"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored email that may be the one answered."""

    email_id: str
    created_on: datetime
    owner: Lookup | None = None
    regarding: Lookup | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was found, for each method in turn."""

    in_reply_to: Sequence[Candidate] = ()
    token: Sequence[Candidate] = ()
    conversation_index: Sequence[Candidate] = ()
    smart: Sequence[Candidate] = ()


@dataclass(frozen=True, slots=True)
class CorrelationPolicy:
    """headers: EmailCorrelationEnabled and not IgnoreConversationIndexAndInReplyToForCorrelation; token: a prefix is configured; smart:
    EnableSmartMatching."""

    headers: bool = True
    token: bool = True
    smart: bool = False


@dataclass(frozen=True, slots=True)
class Correlation:
    """The matched email and how. `parent` only for InReplyTo and ConversationIndex."""

    method: CorrelationMethod
    email: Candidate

    @property
    def parent(self) -> str | None:
        headers = (CorrelationMethod.IN_REPLY_TO, CorrelationMethod.CONVERSATION_INDEX)
        return self.email.email_id if self.method in headers else None


def correlate(candidates: Candidates, policy: CorrelationPolicy) -> Correlation | None:
    """First hit wins: InReplyTo, TrackingToken, ConversationIndex, SmartMatching. Among several the most recent email."""
    for method, enabled, found in (
        (CorrelationMethod.IN_REPLY_TO, policy.headers, candidates.in_reply_to),
        (CorrelationMethod.TRACKING_TOKEN, policy.token, candidates.token),
        (CorrelationMethod.CONVERSATION_INDEX, policy.headers, candidates.conversation_index),
        (CorrelationMethod.SMART_MATCHING, policy.smart, candidates.smart),
    ):
        if enabled and found:
            return Correlation(method, max(found, key=lambda one: (one.created_on, one.email_id)))
    return None
