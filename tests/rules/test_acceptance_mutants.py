"""What the other tests of acceptance would let pass: found by putting mistakes into the rule (tests/mutation)."""

from __future__ import annotations

import pytest

from postroom.model.attributes import Lookup
from postroom.model.options import IncomingFilteringMethod as Filter
from postroom.model.verdict import ReasonCode
from postroom.rules.acceptance import AcceptancePolicy, Question, Recipient, check_incoming, usable_address

ADA, BEN, SALES, CARL = (
    Lookup("systemuser", "ada"),
    Lookup("systemuser", "ben"),
    Lookup("queue", "sales"),
    Lookup("contact", "carl"),
)


def reason(question: Question, **policy: bool) -> ReasonCode:
    return check_incoming(question, AcceptancePolicy(**policy)).verdict.reason


def test_the_published_defaults() -> None:
    assert AcceptancePolicy() == AcceptancePolicy(
        ignore_internal=False,
        ignore_internal_to_queues=False,
        internal_enhancement=True,
        ignore_internal_from_queues=False,
        only_synchronizing_filter=False,
    )


def test_the_longest_address() -> None:
    host = "@birch.test"
    assert usable_address("x" * (320 - len(host)) + host)
    assert not usable_address("x" * (321 - len(host)) + host)


def test_no_recipient_and_no_synchronizing_mailbox() -> None:
    assert reason(Question("carl@birch.test")) is ReasonCode.NO_RECIPIENT_MATCH
    assert reason(Question("carl@birch.test"), only_synchronizing_filter=True) is ReasonCode.NO_RECIPIENT_MATCH


def test_only_the_synchronizing_filter_and_no_mailbox_is_named() -> None:
    """Then all recipients are asked (ours)."""
    question = Question("carl@birch.test", recipients=[Recipient(ADA, Filter.ALL)])
    assert reason(question, only_synchronizing_filter=True) is ReasonCode.ACCEPT_ALL


def test_an_owner_who_is_no_recipient_is_asked_only_where_all_is_tracked() -> None:
    """Reference 4.3: the filter "All email messages" covers Bcc and distribution lists; a sender that others would track does not."""
    question = Question(
        "carl@birch.test",
        sender=CARL,
        recipients=[Recipient(ADA, Filter.NO_EMAIL_MESSAGES)],
        synchronizing=Recipient(BEN, Filter.FROM_LEADS_CONTACTS_ACCOUNTS, visible=False),
    )
    assert reason(question) is ReasonCode.NO_CORRELATION_MATCH


INTERNAL = Question("ben@alder.test", sender=BEN, opposite=True, recipients=[Recipient(ADA, Filter.ALL)])
FROM_QUEUE = Question("sales@alder.test", sender=SALES, opposite=True, recipients=[Recipient(ADA, Filter.ALL)])
TO_BOTH = Question(
    "ben@alder.test", sender=BEN, opposite=True, recipients=[Recipient(ADA, Filter.ALL), Recipient(SALES, Filter.ALL)]
)


@pytest.mark.parametrize(
    ("question", "policy", "rejected"),
    [
        (INTERNAL, {}, False),
        (INTERNAL, {"ignore_internal": True}, True),
        (INTERNAL, {"ignore_internal_from_queues": True}, False),
        (FROM_QUEUE, {}, False),
        (FROM_QUEUE, {"ignore_internal_from_queues": True}, True),
        (
            Question("sales@alder.test", sender=SALES, recipients=[Recipient(ADA, Filter.ALL)]),
            {"ignore_internal_from_queues": True},
            False,
        ),
        (
            Question("s@alder.test", sender=SALES, opposite=True, recipients=[Recipient(Lookup("queue", "other"), Filter.ALL)]),
            {"ignore_internal_from_queues": True},
            False,
        ),
        (TO_BOTH, {"ignore_internal": True}, False),
        (TO_BOTH, {"ignore_internal": True, "ignore_internal_to_queues": True}, True),
    ],
)
def test_internal_mail(question: Question, policy: dict[str, bool], rejected: bool) -> None:
    """Reference 4.4 and the switches of 1.5, each condition by itself."""
    assert (reason(question, **policy) is ReasonCode.INTERNAL_EMAIL_REJECT) is rejected
