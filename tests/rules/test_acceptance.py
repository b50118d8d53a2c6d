"""CheckIncomingEmail by table (server-side-sync reference 4.1, 4.3, 4.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from postroom.model.attributes import Lookup
from postroom.model.options import CorrelationMethod
from postroom.model.options import IncomingFilteringMethod as Filter
from postroom.model.verdict import ReasonCode as R
from postroom.rules.acceptance import AcceptancePolicy, Question, Recipient, check_incoming, usable_address
from postroom.rules.correlation import Candidate, Correlation

ADA = Lookup("systemuser", "ada")
BEN = Lookup("systemuser", "ben")
SUPPORT = Lookup("queue", "support")
CARL = Lookup("contact", "carl")
REPLY = Correlation(CorrelationMethod.IN_REPLY_TO, Candidate("e1", datetime(2026, 1, 1, tzinfo=UTC)))


def question(filter_: Filter = Filter.ALL, **values: object) -> Question:
    base = Question("carl@birch.test", recipients=(Recipient(ADA, filter_),), synchronizing=Recipient(ADA, filter_))
    return replace(base, **values)  # type: ignore[arg-type]


FROM_CONTACT = {"sender": CARL}
FROM_QUEUE = {"sender": SUPPORT}
FROM_COLLEAGUE = {"sender": BEN}


@pytest.mark.parametrize(
    ("filter_", "values", "reason"),
    [
        (Filter.ALL, {}, R.ACCEPT_ALL),
        (Filter.IN_RESPONSE_TO_CRM_EMAIL, FROM_CONTACT, R.NO_CORRELATION_MATCH),
        (Filter.IN_RESPONSE_TO_CRM_EMAIL, {"correlation": REPLY}, R.CORRELATION_MATCH),
        (Filter.FROM_LEADS_CONTACTS_ACCOUNTS, FROM_CONTACT, R.SENDER_MATCH),
        (Filter.FROM_LEADS_CONTACTS_ACCOUNTS, {}, R.NO_CORRELATION_MATCH),
        (Filter.FROM_LEADS_CONTACTS_ACCOUNTS, FROM_COLLEAGUE, R.NO_CORRELATION_MATCH),
        (Filter.FROM_LEADS_CONTACTS_ACCOUNTS, {"correlation": REPLY}, R.CORRELATION_MATCH),
        (Filter.FROM_LEADS_CONTACTS_ACCOUNTS, {"correlation": REPLY, **FROM_CONTACT}, R.SENDER_MATCH),
        (Filter.FROM_EMAIL_ENABLED_RECORDS, FROM_COLLEAGUE, R.SENDER_MATCH),
        (Filter.FROM_EMAIL_ENABLED_RECORDS, {}, R.NO_CORRELATION_MATCH),
        (Filter.NO_EMAIL_MESSAGES, {"correlation": REPLY, **FROM_CONTACT}, R.NO_CORRELATION_MATCH),
    ],
)
def test_the_filter_decides(filter_: Filter, values: dict[str, object], reason: R) -> None:
    verdict = check_incoming(question(filter_, **values), AcceptancePolicy()).verdict
    assert verdict.reason is reason
    assert verdict.deliver is (reason in (R.ACCEPT_ALL, R.SENDER_MATCH, R.CORRELATION_MATCH))
    assert verdict.detail


def test_the_order_of_refusals() -> None:
    """Everything is wrong at once; mending the first uncovers the next."""
    policy = AcceptancePolicy(ignore_internal=True)
    wrong = question(Filter.NO_EMAIL_MESSAGES, sender_address="", stored=True, opposite=True, recipients=(), **FROM_COLLEAGUE)
    assert check_incoming(wrong, policy).verdict.reason is R.INVALID_SENDER
    wrong = replace(wrong, sender_address="ben@alder.test")
    assert check_incoming(wrong, policy).verdict.reason is R.DUPLICATE
    wrong = replace(wrong, stored=False)
    assert check_incoming(wrong, policy).verdict.reason is R.NO_RECIPIENT_MATCH
    wrong = replace(wrong, recipients=(Recipient(ADA, Filter.NO_EMAIL_MESSAGES),))
    assert check_incoming(wrong, policy).verdict.reason is R.INTERNAL_EMAIL_REJECT
    wrong = replace(wrong, sender=None)
    assert check_incoming(wrong, policy).verdict.reason is R.NO_CORRELATION_MATCH


def test_every_recipients_filter_is_asked_and_the_first_acceptance_wins() -> None:
    asked = question(
        recipients=(
            Recipient(ADA, Filter.NO_EMAIL_MESSAGES),
            Recipient(BEN, Filter.ALL),
            Recipient(SUPPORT, Filter.ALL),
        ),
        synchronizing=Recipient(ADA, Filter.NO_EMAIL_MESSAGES),
    )
    assert check_incoming(asked, AcceptancePolicy()).accepting == BEN


def test_the_switch_leaves_only_the_synchronizing_mailboxs_filter() -> None:
    asked = question(recipients=(Recipient(BEN, Filter.ALL),), synchronizing=Recipient(ADA, Filter.NO_EMAIL_MESSAGES))
    policy = AcceptancePolicy(only_synchronizing_filter=True)
    assert check_incoming(asked, policy).verdict.reason is R.NO_CORRELATION_MATCH
    assert check_incoming(asked, AcceptancePolicy()).verdict.reason is R.ACCEPT_ALL


@pytest.mark.parametrize(
    ("filter_", "recipients", "reason"),
    [
        (Filter.ALL, (), R.ACCEPT_ALL),
        (Filter.FROM_EMAIL_ENABLED_RECORDS, (), R.NO_RECIPIENT_MATCH),
        (Filter.FROM_EMAIL_ENABLED_RECORDS, (Recipient(ADA, Filter.ALL, visible=False),), R.NO_RECIPIENT_MATCH),
        (Filter.ALL, (Recipient(ADA, Filter.ALL, visible=False),), R.ACCEPT_ALL),
    ],
)
def test_blind_copies_and_lists_reach_only_who_takes_everything(
    filter_: Filter, recipients: tuple[Recipient, ...], reason: R
) -> None:
    asked = question(recipients=recipients, synchronizing=Recipient(ADA, filter_))
    assert check_incoming(asked, AcceptancePolicy()).verdict.reason is reason


@pytest.mark.parametrize(
    ("policy", "values", "refused"),
    [
        (AcceptancePolicy(), FROM_COLLEAGUE, False),
        (AcceptancePolicy(ignore_internal=True), {"opposite": True, **FROM_COLLEAGUE}, True),
        (AcceptancePolicy(ignore_internal=True), {"opposite": False, **FROM_COLLEAGUE}, False),
        (AcceptancePolicy(ignore_internal=True, internal_enhancement=False), FROM_COLLEAGUE, True),
        (AcceptancePolicy(ignore_internal=True, internal_enhancement=False), FROM_CONTACT, False),
        (
            AcceptancePolicy(ignore_internal=True),
            {"opposite": True, "recipients": (Recipient(SUPPORT, Filter.ALL),), **FROM_COLLEAGUE},
            False,
        ),
        (
            AcceptancePolicy(ignore_internal=True, ignore_internal_to_queues=True),
            {"opposite": True, "recipients": (Recipient(SUPPORT, Filter.ALL),), **FROM_COLLEAGUE},
            True,
        ),
        (AcceptancePolicy(ignore_internal_from_queues=True), {"opposite": True, **FROM_QUEUE}, True),
        (AcceptancePolicy(ignore_internal_from_queues=True), FROM_QUEUE, False),
    ],
)
def test_internal_mail(policy: AcceptancePolicy, values: dict[str, object], refused: bool) -> None:
    verdict = check_incoming(question(**values), policy).verdict
    assert (verdict.reason is R.INTERNAL_EMAIL_REJECT) is refused


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("a@b", True),
        ("carl@birch.test", True),
        ("", False),
        ("carl", False),
        ("@birch.test", False),
        ("carl@", False),
        ("carl birch@birch.test", False),
        ("carl@birch.test\x00", False),
        ("c" * 320 + "@b.test", False),
    ],
)
def test_usable_addresses(address: str, usable: bool) -> None:
    assert usable_address(address) is usable
