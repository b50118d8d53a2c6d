"""Test & Enable Mailbox: the state machine of each direction, and the real message that a test sends (server-side-sync reference 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from postroom.errors import RuleViolated
from postroom.mime.values import Address, OutgoingMessage
from postroom.model import (
    EmailServerProfile,
    Mailbox,
    MailboxTestStatus,
    RecordState,
    TestExecutionStatus,
    TestOutcome,
    TraceLevel,
    address_key,
)
from postroom.model.text import one_line
from postroom.organization import alerts, outbox
from postroom.organization.alerts import Alert
from postroom.organization.callers import Caller
from postroom.organization.mailboxes import RESET, update_mailbox
from postroom.organization.policies import settings_in
from postroom.organization.values import GatewayBinding, Operation, RunFailure
from postroom.providers.contract import ClaimedEmail
from postroom.rules.eligibility import served
from postroom.rules.operation import COLUMNS
from postroom.rules.outgoing_state import Mark
from postroom.rules.retry import PLACES, Counters, after_success
from postroom.store import Fence, Transaction, ledger

if TYPE_CHECKING:
    from postroom.organization.organization import Organization

__all__ = [
    "TEST_ONLY",
    "TEST_SUBJECT",
    "TestWish",
    "claim_test_message",
    "directions_to_test",
    "record_test_result",
    "request_test_message",
    "schedule_profile_tests",
    "schedule_test",
]

TEST_SUBJECT = "Your mailbox is now connected to Dynamics 365"
TEST_BODY = "This message was sent to test the mailbox. Nothing needs to be done."
TEST_ONLY = 1
"""Bit of `mailbox.mailboxprocessingcontext` ("internal", values not published): the scheduled test enables nothing. Ours."""


@dataclass(frozen=True, slots=True)
class TestWish:
    """What a person asks of a test.

    enable        switch on what passes; False: only look (ours)
    process_from  "Select the incoming email processing start date": becomes `processemailreceivedafter`; later than the profile's own date
    primary       "Sync items with Exchange from this org only, even if Exchange was set to sync with a different org" (reference 8.9)
    take_over     yes to the question whether a mailbox that is mapped to another record is taken from it (reference 0)
    """

    __test__ = False  # no pytest class

    enable: bool = True
    process_from: datetime | None = None
    primary: bool = False
    take_over: bool = False


def schedule_test(organization: Organization, caller: Caller, mailbox_id: str, wish: TestWish) -> None:
    """Every direction that server-side synchronization serves starts over at Not Run. A test that only looks leaves alone what is enabled.

    A mailbox that is inactive, or has no active profile, fails the test at once. Raises RuleViolated when there is nothing to test, when the
    start date is not later than the profile's, and when the address is mapped to another enabled mailbox and nobody said to take it."""
    with organization.store.transaction() as tx:
        _schedule(tx, caller, tx.get(Mailbox, mailbox_id), wish)


def schedule_profile_tests(organization: Organization, caller: Caller, profile_id: str, wish: TestWish) -> list[str]:
    """The same for all mailboxes of a profile that have anything to test, queues first (reference 2.4: advised). Returns their ids."""
    with organization.store.transaction() as tx:
        boxes = tx.find(Mailbox, emailserverprofile=tx.get(EmailServerProfile, profile_id).reference)
        wanted = [box for box in boxes if any(served(direction.value, box) for direction in COLUMNS)]
        wanted.sort(key=lambda box: box.regardingobjectid is None or box.regardingobjectid.entity != "queue")
        for box in wanted:
            _schedule(tx, caller, box, wish)
        return [box.mailboxid for box in wanted]


def _schedule(tx: Transaction, caller: Caller, mailbox: Mailbox, wish: TestWish) -> None:
    wanted = [direction for direction in COLUMNS if served(direction.value, mailbox)]
    if not wanted:
        raise RuleViolated("nothing of the mailbox is served by server-side synchronization: there is nothing to test")
    profile = (
        tx.first(EmailServerProfile, emailserverprofileid=mailbox.emailserverprofile.id) if mailbox.emailserverprofile else None
    )
    changes = _start_date(mailbox, profile, wish)
    if wish.enable:
        _take_over(tx, mailbox, wish)
    if wish.primary:
        changes |= {"orgmarkedasprimaryforexchangesync": True, "isactsyncorgflagset": True}
    if changes:
        update_mailbox(tx, caller, mailbox.mailboxid, changes, False)
    obstacle = _impossible(mailbox, profile)
    context = (mailbox.mailboxprocessingcontext or 0) & ~TEST_ONLY
    if obstacle:
        off = {} if not wish.enable else {COLUMNS[direction].enabled: False for direction in wanted}
        failed = {COLUMNS[direction].status: MailboxTestStatus.FAILURE for direction in wanted}
        done = {"testemailconfigurationscheduled": False, "testmailboxaccesscompletedon": tx.now()}
        tx.update(Mailbox, mailbox.mailboxid, **failed, **off, **done)
        name = mailbox.emailaddress or mailbox.name or "the mailbox"
        for code in obstacle:
            alerts.write(tx, settings_in(tx), alerts.about(code, mailbox.reference, mailbox=name, actions=("TestAndEnable",)))
        return
    tx.update(
        Mailbox,
        mailbox.mailboxid,
        testemailconfigurationscheduled=True,
        testemailconfigurationretrycount=0,
        postponetestemailconfigurationuntil=None,
        mailboxprocessingcontext=context if wish.enable else context | TEST_ONLY,
        **{COLUMNS[direction].status: MailboxTestStatus.NOT_RUN for direction in wanted},
    )
    if profile is not None:
        tx.update(EmailServerProfile, profile.emailserverprofileid, lastteststarttime=tx.now())


def _start_date(mailbox: Mailbox, profile: EmailServerProfile | None, wish: TestWish) -> dict[str, Any]:
    if wish.process_from is None:
        return {}
    if not served("incoming", mailbox):
        raise RuleViolated("a start date is for incoming email, which is not served by server-side synchronization here")
    floor = profile.processemailsreceivedafter if profile is not None else None
    if floor is not None and wish.process_from <= floor:
        raise RuleViolated(f"the start date must be later than the profile's ({floor:%Y-%m-%d %H:%M} UTC)")
    return {"processemailreceivedafter": wish.process_from}


def _take_over(tx: Transaction, mailbox: Mailbox, wish: TestWish) -> None:
    """One user has one mailbox on the server, and it has one user (reference 0). Which attribute shows it is ours: the address."""
    if not mailbox.emailaddress:
        return
    key = address_key(mailbox.emailaddress)
    spellings = sorted({mailbox.emailaddress, key})
    for other in tx.find(Mailbox, emailaddress=spellings):
        on = any(getattr(other, columns.enabled) for columns in COLUMNS.values())
        if other.mailboxid == mailbox.mailboxid or not on or address_key(other.emailaddress or "") != key:
            continue
        if not wish.take_over:
            raise RuleViolated(
                f"the mailbox {mailbox.emailaddress!r} is mapped to another record already: it has to be taken over expressly"
            )
        tx.update(Mailbox, other.mailboxid, **RESET)
        alerts.write(
            tx, settings_in(tx), alerts.about("MailboxTakenByAnother", other.reference, mailbox=other.emailaddress or "")
        )


def _impossible(mailbox: Mailbox, profile: EmailServerProfile | None) -> list[str]:
    """Codes of what makes a test fail before any server is asked (reference 2.5)."""
    if mailbox.statecode is not RecordState.ACTIVE:
        return ["MailboxInactive"]
    if profile is not None and profile.statecode is RecordState.ACTIVE:
        return []
    codes = {"incoming": "InvalidIncomingEmailServerProfile", "outgoing": "InvalidOutgoingEmailServerProfile"}
    return [code for direction, code in codes.items() if served(direction, mailbox)] or [codes["incoming"]]


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
        looks_only = bool((mailbox.mailboxprocessingcontext or 0) & TEST_ONLY)
        changes: dict[str, Any]
        if failure is None:
            changes = {status: MailboxTestStatus.SUCCESS}
            if not looks_only:
                changes |= {enabled: True, **dict.fromkeys(COLUMNS[direction].waits)}  # due at once
                if direction in PLACES:
                    changes["transientfailurecount"] = after_success(
                        Counters.unpack(mailbox.transientfailurecount), direction
                    ).pack()
        elif (again := _another_try(tx, organization, mailbox, failure)) is not None:
            changes = again
        else:
            changes = {status: MailboxTestStatus.FAILURE, **({} if looks_only else {enabled: False})}
        if status in changes and set(directions_to_test(mailbox)) <= {direction}:
            changes |= {"testemailconfigurationscheduled": False, "testmailboxaccesscompletedon": tx.now()}
        tx.update(Mailbox, mailbox_id, **changes)
        if status in changes:
            _tell(tx, mailbox, direction, failure)
            _note_on_profile(tx, mailbox_id, failure)


def _another_try(tx: Transaction, organization: Organization, mailbox: Mailbox, failure: RunFailure) -> dict[str, Any] | None:
    """A transient failure asks for another try in five minutes, up to ten. All directions that are still open are tried in each round: a round
    counts once, however many of them fail in it."""
    deployment, now = organization.deployment.settings, tx.now()
    until, retries = mailbox.postponetestemailconfigurationuntil, mailbox.testemailconfigurationretrycount or 0
    counted = until is not None and until > now
    tries = retries if counted else retries + 1
    if failure.permanent or tries >= deployment.test_attempts:
        return None
    wait = now + max(timedelta(seconds=deployment.test_retry), failure.retry_after or timedelta(0))
    return {
        "testemailconfigurationretrycount": tries,
        "postponetestemailconfigurationuntil": max(wait, until) if counted and until is not None else wait,
    }


def _note_on_profile(tx: Transaction, mailbox_id: str, failure: RunFailure | None) -> None:
    """The profile remembers its last test: Success, Failure, or Warning where some directions of the mailbox failed (ours)."""
    mailbox = tx.get(Mailbox, mailbox_id)
    profile = (
        tx.first(EmailServerProfile, emailserverprofileid=mailbox.emailserverprofile.id) if mailbox.emailserverprofile else None
    )
    if profile is None:
        return
    answers = [getattr(mailbox, columns.status) for direction, columns in COLUMNS.items() if served(direction.value, mailbox)]
    passed, failed = MailboxTestStatus.SUCCESS in answers, MailboxTestStatus.FAILURE in answers
    outcome = (
        TestExecutionStatus.WARNING
        if passed and failed
        else TestExecutionStatus.FAILURE
        if failed
        else TestExecutionStatus.SUCCESS
    )
    refused = failure is not None and (failure.permanent and "AuthenticationError" in failure.code)
    started = profile.lastteststarttime or tx.now()
    tx.update(
        EmailServerProfile,
        profile.emailserverprofileid,
        lasttestexecutionstatus=outcome,
        lastauthorizationstatus=TestOutcome.FAILURE if refused else TestOutcome.SUCCESS,
        lasttestvalidationstatus=TestOutcome.FAILURE if failed else TestOutcome.SUCCESS,
        lasttesttotalexecutiontime=max(0, round((tx.now() - started).total_seconds() * 1000)),
        lasttestresponse=one_line(failure.text, 2000) if failure is not None else None,
        lastcrmmessage=failure.code if failure is not None else None,
    )


def _tell(tx: Transaction, mailbox: Mailbox, direction: Operation, failure: RunFailure | None) -> None:
    """Success is told to the mailbox's owner; failure to the owners of mailbox and profile (reference 2.4). Success closes what was open."""
    settings = settings_in(tx)
    name, what = mailbox.emailaddress or mailbox.name or "the mailbox", f"{direction.value} email"
    if failure is None:
        alerts.close_errors(tx, mailbox.reference, direction)
        alerts.close_errors(tx, mailbox.reference, Operation.TEST)
        alerts.close(tx, mailbox.reference, ["MailboxInactive"])
        if mailbox.emailserverprofile is not None:
            alerts.close_errors(tx, mailbox.emailserverprofile, direction)
        alerts.write(tx, settings, alerts.about("TestSucceeded", mailbox.reference, what=what, mailbox=name))
        return
    text = f"The test of {what} failed: {failure.code}"
    parent = None
    places = [mailbox.emailserverprofile] if mailbox.emailserverprofile is not None else []
    for regarding in [*places, mailbox.reference]:
        alert = Alert(
            regarding,
            TraceLevel.ERROR,
            failure.code,
            text,
            details=failure.text,
            number=failure.judgement(direction).tracecode,
            parameters={"mailbox": name, "what": what},
            actions=("TestAndEnable",),
            parent=parent,
        )
        parent = alerts.write(tx, settings, alert)


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
