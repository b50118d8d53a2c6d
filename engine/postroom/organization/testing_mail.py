"""Test & Enable Mailbox: the state machine of each direction, and the real message that a test sends (server-side-sync reference 2.4)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from postroom.errors import RuleViolated
from postroom.mime.values import Address, OutgoingMessage
from postroom.model import Mailbox, MailboxTestStatus, TraceLevel
from postroom.organization import alerts, outbox
from postroom.organization.alerts import Alert
from postroom.organization.callers import Caller
from postroom.organization.policies import settings_in
from postroom.organization.values import GatewayBinding, Operation, RunFailure
from postroom.providers.contract import ClaimedEmail
from postroom.rules.eligibility import served
from postroom.rules.operation import COLUMNS
from postroom.rules.outgoing_state import Mark
from postroom.store import Fence, Transaction, ledger

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "TEST_ONLY",
    "TEST_SUBJECT",
    "claim_test_message",
    "directions_to_test",
    "record_test_result",
    "request_test_message",
    "schedule_test",
]

TEST_SUBJECT = "Your mailbox is now connected to Dynamics 365"
TEST_BODY = "This message was sent to test the mailbox. Nothing needs to be done."
TEST_ONLY = 1
"""Bit of `mailbox.mailboxprocessingcontext` ("internal", values not published): the scheduled test enables nothing. Ours."""


def schedule_test(organization: Organization, _caller: Caller, mailbox_id: str, *, enable: bool) -> None:
    """Every direction that server-side synchronization serves starts over at Not Run. A test that only looks leaves the statuses' flags
    alone. Raises RuleViolated when there is nothing to test."""
    with organization.store.transaction() as tx:
        mailbox = tx.get(Mailbox, mailbox_id)
        wanted = [direction for direction in COLUMNS if served(direction.value, mailbox)]
        if not wanted:
            raise RuleViolated("nothing of the mailbox is served by server-side synchronization: there is nothing to test")
        changes: dict[str, Any] = {COLUMNS[direction].status: MailboxTestStatus.NOT_RUN for direction in wanted}
        context = (mailbox.mailboxprocessingcontext or 0) & ~TEST_ONLY
        tx.update(
            Mailbox,
            mailbox_id,
            testemailconfigurationscheduled=True,
            testemailconfigurationretrycount=0,
            postponetestemailconfigurationuntil=None,
            mailboxprocessingcontext=context if enable else context | TEST_ONLY,
            **changes,
        )


def directions_to_test(mailbox: Mailbox) -> list[Operation]:
    """What a scheduled test has still to look at, incoming first."""
    if not mailbox.testemailconfigurationscheduled:
        return []
    return [
        direction
        for direction, columns in COLUMNS.items()
        if served(direction.value, mailbox) and getattr(mailbox, columns.status) is MailboxTestStatus.NOT_RUN
    ]


def record_test_result(
    organization: Organization,
    mailbox_id: str,
    direction: Operation,
    error: RunFailure | BaseException | None,
    fence: Fence | None = None,
) -> None:
    """One direction passed or failed. When every direction has its answer, the test is over."""
    failure = RunFailure.of(error, direction) if isinstance(error, BaseException) else error
    with organization.store.transaction(fence) as tx:
        mailbox = tx.get(Mailbox, mailbox_id)
        status, enabled = COLUMNS[direction].status, COLUMNS[direction].enabled
        retries = mailbox.testemailconfigurationretrycount or 0
        deployment = organization.deployment.settings
        changes: dict[str, Any]
        if failure is None:
            changes = {status: MailboxTestStatus.SUCCESS}
            if not (mailbox.mailboxprocessingcontext or 0) & TEST_ONLY:
                changes |= {enabled: True, **dict.fromkeys(COLUMNS[direction].waits)}  # due at once
        elif not failure.permanent and retries + 1 < deployment.test_attempts:
            wait = max(timedelta(seconds=deployment.test_retry), failure.retry_after or timedelta(0))
            changes = {
                "testemailconfigurationretrycount": retries + 1,
                "postponetestemailconfigurationuntil": tx.now() + wait,
            }
        else:
            changes = {status: MailboxTestStatus.FAILURE, enabled: False}
        if status in changes and set(directions_to_test(mailbox)) <= {direction}:
            changes |= {"testemailconfigurationscheduled": False, "testmailboxaccesscompletedon": tx.now()}
        tx.update(Mailbox, mailbox_id, **changes)
        if status in changes:
            _tell(tx, mailbox, direction, failure)


def _tell(tx: Transaction, mailbox: Mailbox, direction: Operation, failure: RunFailure | None) -> None:
    settings = settings_in(tx)
    if failure is None:
        text = f"The test of {direction.value} email succeeded"
        alert = Alert(mailbox.reference, TraceLevel.INFORMATION, "TestSucceeded", text, success=True)
        alerts.write(tx, settings, alert)
        return
    text = f"The test of {direction.value} email failed: {failure.code}"
    places = [mailbox.reference] + ([mailbox.emailserverprofile] if mailbox.emailserverprofile is not None else [])
    for regarding in places:
        number = failure.judgement(direction).tracecode
        alert = Alert(regarding, TraceLevel.ERROR, failure.code, text, details=failure.text, number=number)
        alerts.write(tx, settings, alert)


# -- the message ------------------------------------------------------------------------------------------------------


def request_test_message(organization: Organization, mailbox_id: str, *, fence: Fence | None, instance: str) -> ClaimedEmail:
    binding = GatewayBinding(mailbox_id, instance, fence, Operation.TEST)
    with organization.store.transaction(fence) as tx:
        return claim_test_message(tx, binding)


def claim_test_message(tx: Transaction, binding: GatewayBinding) -> ClaimedEmail:
    """A message from the mailbox to itself, in the books as requested and claimed. Raises RuleViolated without an address."""
    mailbox = tx.get(Mailbox, binding.mailbox_id)
    address = mailbox.emailaddress
    if not address:
        raise RuleViolated("the mailbox has no address to send a test message to")
    now, test_id = tx.now(), tx.new_id()
    message_id = f"<{test_id}@{address.rpartition('@')[2]}>"
    row = ledger.OutgoingRow(
        email_id=test_id,
        kind="test",
        mailbox_id=binding.mailbox_id,
        message_id=message_id,
        sender=address,
        subject=TEST_SUBJECT,
        date=now,
        mark=Mark.CLAIMED.value,
        instance=binding.instance,
        token=outbox.token_of(binding),
        attempts=0,
        reason="",
        requested_at=now,
        at=now,
        recipients=(ledger.RecipientRow(address, None, False, ""),),
    )
    ledger.add_outgoing(tx, row)
    me = Address(address, mailbox.name or "")
    message = OutgoingMessage(message_id=message_id, date=now, from_=me, to=(me,), subject=TEST_SUBJECT, text=TEST_BODY)
    return ClaimedEmail(test_id, 1, address, (address,), message)
