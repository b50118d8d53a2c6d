"""Which stored email an incoming one belongs to (server-side-sync reference 4.7).

The caller looks the candidates up, each method in its own way, and hands them in; the order and the switches are decided here. The looking up may be
put off: a method's candidates are asked for only when all before it found nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from postroom.model.attributes import Lookup
from postroom.model.options import CorrelationMethod

__all__ = ["Candidate", "Candidates", "Correlation", "CorrelationPolicy", "correlate", "method_without_match"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored email that may be the one answered."""

    email_id: str
    created_on: datetime
    owner: Lookup | None = None
    regarding: Lookup | None = None


Found = Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Candidates:
    """How to look for each method's candidates.

    x_header            the email that our own header names
    in_reply_to         stored under the Message-ID of In-Reply-To
    references          stored under the last id of References
    token               with a tracking token of the subject; the caller has chosen which of several tokens
    conversation_index  of the same conversation
    smart               by smart matching
    """

    x_header: Callable[[], Found] = tuple
    in_reply_to: Callable[[], Found] = tuple
    references: Callable[[], Found] = tuple
    token: Callable[[], Found] = tuple
    conversation_index: Callable[[], Found] = tuple
    smart: Callable[[], Found] = tuple


@dataclass(frozen=True, slots=True)
class CorrelationPolicy:
    """Which methods are used.

    headers     InReplyTo and ConversationIndex: EmailCorrelationEnabled and not IgnoreConversationIndexAndInReplyToForCorrelation
    token       a prefix is configured (suggested)
    smart       EnableSmartMatching
    x_header    our own header: EmailCorrelationEnabled and a switch of ours
    references  the last id of References where In-Reply-To finds nothing: `headers` and a switch of ours, off
    """

    headers: bool = True
    token: bool = True
    smart: bool = False
    x_header: bool = False
    references: bool = False

    @property
    def any(self) -> bool:
        return self.headers or self.token or self.smart or self.x_header


@dataclass(frozen=True, slots=True)
class Correlation:
    """The matched email and how. `parent` only for InReplyTo and ConversationIndex."""

    method: CorrelationMethod
    email: Candidate

    @property
    def parent(self) -> str | None:
        return self.email.email_id if self.method in _WITH_PARENT else None


_WITH_PARENT = frozenset({CorrelationMethod.IN_REPLY_TO, CorrelationMethod.CONVERSATION_INDEX})


def correlate(candidates: Candidates, policy: CorrelationPolicy) -> Correlation | None:
    """First hit wins: InReplyTo, TrackingToken, ConversationIndex, SmartMatching; among several the most recent email.

    Before them all our own header, which names one email and no other; and a References fallback goes with InReplyTo and counts as it (both
    ours: the methods' numbers are in this order, and nothing is published about either).
    """
    for method, enabled, look in (
        (CorrelationMethod.X_HEADER, policy.x_header, candidates.x_header),
        (CorrelationMethod.IN_REPLY_TO, policy.headers, candidates.in_reply_to),
        (CorrelationMethod.IN_REPLY_TO, policy.headers and policy.references, candidates.references),
        (CorrelationMethod.TRACKING_TOKEN, policy.token, candidates.token),
        (CorrelationMethod.CONVERSATION_INDEX, policy.headers, candidates.conversation_index),
        (CorrelationMethod.SMART_MATCHING, policy.smart, candidates.smart),
    ):
        if enabled and (found := look()):
            return Correlation(method, max(found, key=lambda one: (one.created_on, one.email_id)))
    return None


def method_without_match(policy: CorrelationPolicy) -> CorrelationMethod:
    """`correlationmethod` of an email that a filter accepted and nothing correlated: None, or Skipped where no method is switched on (suggested)."""
    return CorrelationMethod.NONE if policy.any else CorrelationMethod.SKIPPED
