"""Who is due, why not, and what a run leaves behind (server-side-sync reference 2.4, 3)."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from organization_house import House

from postroom.errors import AuthError, ConnectionFailed, RuleViolated, ServerTimeout, StaleRun
from postroom.model import EmailServerProfile, Lookup, Mailbox, MailboxTestStatus
from postroom.model import Organization as OrganizationRecord
from postroom.model.secret import Secret
from postroom.organization import SYSTEM, Operation, RunFailure
from postroom.rules.eligibility import Obstacle, explain
from postroom.store import Fence
from postroom.store.database import observe

INCOMING, OUTGOING, TEST = Operation.INCOMING, Operation.OUTGOING, Operation.TEST


def directions(house: House) -> dict[str, tuple[Operation, ...]]:
    return {due.mailbox.name or "": due.directions for due in house.organization.due_mailboxes()}


def begin(house: House, owner: Lookup, operation: Operation = INCOMING) -> tuple[str, Fence]:
    box = house.mailbox(owner).mailboxid
    fence = house.organization.begin_run(box, operation, "me")
    assert fence is not None
    return box, fence


def run(house: House, owner: Lookup, operation: Operation = INCOMING, **values: Any) -> Mailbox:
    """One whole run that takes two seconds."""
    started = house.clock.now()
    box, fence = begin(house, owner, operation)
    house.clock.advance(2)
    due = values.pop("next_due", house.clock.now() + timedelta(minutes=5))
    house.organization.finish_run(box, operation, fence=fence, started_on=started, next_due=due, **values)
    return house.mailbox(owner)


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"statecode": 1}, Obstacle.MAILBOX_INACTIVE, "the mailbox is inactive"),
        ({"emailserverprofile": None}, Obstacle.NO_PROFILE, "the mailbox has no profile"),
        ({"incomingemaildeliverymethod": 0}, Obstacle.METHOD, "incoming email is not served by server-side synchronization"),
        ({"incomingemaildeliverymethod": 3}, Obstacle.METHOD, "incoming email is not served by server-side synchronization"),
        ({"enabledforincomingemail": False}, Obstacle.NOT_ENABLED, "the mailbox is not enabled for incoming email"),
        ({"emailrouteraccessapproval": 3}, Obstacle.NOT_APPROVED, "the address is not approved"),
        ({"postponed": True}, Obstacle.POSTPONED, "postponed until 2026-01-05 09:00:00 UTC"),
    ],
)
def test_what_keeps_a_mailbox_from_being_processed(house: House, values: dict[str, Any], code: Obstacle, words: str) -> None:
    ada = house.user("ada")
    assert house.organization.explain_mailbox(house.mailbox(ada).mailboxid, INCOMING) == []
    if values.pop("postponed", False):
        values["postponemailboxprocessinguntil"] = house.clock.now() + timedelta(hours=1)
    box = house.update_mailbox(ada, **values)
    reasons = house.organization.explain_mailbox(box.mailboxid, INCOMING)
    assert (code, words) in [(reason.code, reason.text) for reason in reasons]
    assert str(reasons[0]) == f"skipped: {reasons[0].text}"
    assert directions(house) == {}


def test_profile_channel_and_lock(house: House) -> None:
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid

    def codes() -> list[Obstacle]:
        return [reason.code for reason in house.organization.explain_mailbox(box, INCOMING)]

    house.organization.set_state(SYSTEM, "emailserverprofile", house.profile, False)
    assert (codes(), directions(house)) == ([Obstacle.PROFILE_INACTIVE], {})
    house.organization.set_state(SYSTEM, "emailserverprofile", house.profile, True)
    house.settings(emailconnectionchannel=1)
    assert (codes(), directions(house)) == ([Obstacle.CHANNEL], {})
    house.settings(emailconnectionchannel=0)
    begin(house, ada)
    assert (codes(), directions(house)) == ([Obstacle.LOCKED], {})
    assert house.mailbox(ada).processingstatecode == 1
    house.clock.advance(minutes=30)
    assert (codes(), directions(house)) == ([], {"Ada": (INCOMING,)})


def test_approval_counts_only_where_it_is_required(house: House) -> None:
    ada, support = house.user("ada"), house.queue("support")
    house.settings(requireapprovalforuseremail=False, requireapprovalforqueueemail=False)
    for owner in (ada, support):
        house.organization.reject_email(SYSTEM, house.mailbox(owner).mailboxid)
    assert directions(house) == {"Ada": (INCOMING,), "support": (INCOMING,)}
    house.settings(requireapprovalforqueueemail=True)
    assert directions(house) == {"Ada": (INCOMING,)}
    assert not house.mailbox(support).enabledforincomingemail
    house.settings(requireapprovalforuseremail=True)
    assert directions(house) == {}


_CHOICES: dict[str, list[Any]] = {
    "statecode": [0, 0, 0, 1],
    "emailserverprofile": ["active", "active", "inactive", "online", "exchange", None],
    "incomingemaildeliverymethod": [None, 0, 1, 2, 2, 2, 3],
    "outgoingemaildeliverymethod": [None, 0, 2],
    "actdeliverymethod": [0, 1, 2],
    "enabledforincomingemail": [True, True, False],
    "enabledforact": [True, False],
    "emailrouteraccessapproval": [None, 0, 1, 1, 2, 3],
    "isemailaddressapprovedbyo365admin": [True, False],
    "isforwardmailbox": [False, False, True],
    "testemailconfigurationscheduled": [False, True],
    "regardingobjectid": ["systemuser", "queue", None],
    "postponemailboxprocessinguntil": [None, 0, 1, -1],
    "receivingpostponeduntil": [None, 0, 1],
    "receivingpostponeduntilforact": [None, 0, 1],
    "postponetestemailconfigurationuntil": [None, 0, 1],
}


def _mailbox(house: House, drawn: dict[str, Any], profiles: dict[str, Lookup]) -> Mailbox:
    values: dict[str, Any] = {}
    for name, value in drawn.items():
        if name == "emailserverprofile":
            values[name] = profiles.get(value)
        elif name == "regardingobjectid":
            values[name] = Lookup(value, "00000000-0000-4000-8000-000000000001") if value else None
        elif name.startswith(("postpone", "receiving")):
            values[name] = None if value is None else house.clock.now() + timedelta(minutes=value)
        else:
            values[name] = value
    return Mailbox(**values)


@given(
    drawn=st.lists(
        st.fixed_dictionaries({name: st.sampled_from(found) for name, found in _CHOICES.items()}), min_size=1, max_size=8
    ),
    required=st.tuples(st.booleans(), st.booleans()),
)
@settings(max_examples=25, deadline=None)
def test_the_query_says_what_the_rule_says(drawn: list[dict[str, Any]], required: tuple[bool, bool]) -> None:
    house = House(requireapprovalforuseremail=required[0], requireapprovalforqueueemail=required[1])
    organization = house.organization
    try:
        profiles = {"active": Lookup("emailserverprofile", house.profile)}
        with organization.store.transaction() as tx:
            for name, kind, state in (("inactive", 1, 1), ("online", 3, 0), ("exchange", 0, 0)):
                profiles[name] = tx.create(EmailServerProfile(name=name, servertype=kind, statecode=state)).reference  # type: ignore[arg-type]
            boxes = [tx.create(_mailbox(house, one, profiles)) for one in drawn]
            boxes = [tx.get(Mailbox, box.mailboxid) for box in boxes]
            row = tx.first(OrganizationRecord)
            assert row is not None
            found = {profile.reference: profile for profile in tx.find(EmailServerProfile)}
        expected = {
            box.mailboxid: operations
            for box in boxes
            if (
                operations := {
                    operation
                    for operation in (INCOMING, Operation.ACT, TEST)
                    if not explain(
                        operation.value,
                        box,
                        found.get(box.emailserverprofile) if box.emailserverprofile else None,
                        row,
                        now=house.clock.now(),
                    )
                }
            )
        }
        due = {one.mailbox.mailboxid: set(one.directions) for one in organization.due_mailboxes()}
        assert due == expected
        assert all(one.profile.reference == one.mailbox.emailserverprofile for one in organization.due_mailboxes())
    finally:
        house.deployment.close()


def test_sending_is_due_only_with_something_to_send(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    assert directions(house) == {"Ada": (INCOMING,)}
    email = house.organization.create_email(
        SYSTEM, from_=ada, to=[carl], delayedemailsendtime=house.clock.now() + timedelta(hours=1)
    )
    house.organization.send_email(SYSTEM, email)
    run(house, ada)
    assert directions(house) == {}
    assert house.organization.next_due() == house.mailbox(ada).postponemailboxprocessinguntil
    run_again = house.clock.now() + timedelta(hours=3)
    house.update_mailbox(ada, postponemailboxprocessinguntil=run_again)
    due = house.organization.next_due()
    assert due == house.email(email).delayedemailsendtime
    house.clock.move_to(due)
    assert directions(house) == {"Ada": (OUTGOING,)}
    assert house.organization.next_due() == run_again


def test_nothing_is_ever_due_in_an_empty_organization(house: House) -> None:
    assert house.organization.due_mailboxes() == []
    assert house.organization.next_due() is None


def test_a_run_that_went_well(house: House) -> None:
    ada = house.user("ada")
    started = house.clock.now()
    box = run(house, ada, processed=3, failed=1)
    assert (box.processingstatecode, box.hostid, box.noemailcount, box.transientfailurecount) == (0, None, 0, 0)
    assert (box.lastsyncstartedon, box.lastsuccessfulsynccompletedon) == (started, house.clock.now())
    assert (box.lastduration, box.averagetotalduration, box.processedtimes) == (2000, 2000, 1)
    assert (box.itemsprocessedforlastsync, box.itemsfailedforlastsync, box.mailboxstatus) == (3, 1, MailboxTestStatus.SUCCESS)
    assert box.postponemailboxprocessinguntil == house.clock.now() + timedelta(minutes=5)
    assert run(house, ada).noemailcount == 1
    rows = house.organization.retrieve_multiple(SYSTEM, "mailboxstatistics")
    assert [(row.operationtypeid, row.processresult, row.itemsprocessed, row.crmitemsbacklog) for row in rows] == [
        (0, True, 3, -1),
        (0, True, 0, -1),
    ]


def test_a_lost_run_reports_nothing(house: House) -> None:
    ada = house.user("ada")
    started = house.clock.now()
    box, lost = begin(house, ada)
    house.clock.advance(hours=1)
    _, held = begin(house, ada)
    with pytest.raises(StaleRun):
        house.organization.finish_run(box, INCOMING, fence=lost, started_on=started, processed=9)
    assert not house.organization.renew_run(box, lost)
    house.organization.end_run(box, lost)
    assert house.mailbox(ada).processingstatecode == 1
    assert house.mailbox(ada).forcedunlockcount == 1
    house.organization.end_run(box, held)
    house.organization.end_run(box, held)
    assert house.mailbox(ada).processingstatecode == 0
    assert house.organization.retrieve_multiple(SYSTEM, "mailboxstatistics") == []


def test_a_lost_run_tells_no_test_result(house: House) -> None:
    ada = house.user("ada")
    box, lost = begin(house, ada)
    house.clock.advance(hours=1)
    begin(house, ada)
    with pytest.raises(StaleRun):
        house.organization.record_test_result(box, INCOMING, AuthError("refused"), fence=lost)
    assert house.mailbox(ada).incomingemailstatus is MailboxTestStatus.SUCCESS


@pytest.mark.parametrize("operation", [INCOMING, OUTGOING, TEST])
def test_what_a_server_says_may_hold_anything(house: House, operation: Operation) -> None:
    ada = house.user("ada")
    box = run(house, ada, operation, failure=RunFailure.of(AuthError("refused \x00 \udce9\r\nmore" + "x" * 5000), operation))
    assert box.lastsyncerror is not None
    assert box.lastsyncerror.startswith("refused � � more")
    assert len(box.lastsyncerror) == 2048
    [alert] = house.organization.retrieve_multiple(SYSTEM, "tracelog", level=3)
    assert alert.errordetails.startswith("refused � �")


def test_transient_failures_postpone_and_at_last_disable(house: House) -> None:
    ada = house.user("ada")
    failure = RunFailure.of(ConnectionFailed("refused", code="refused"), INCOMING)
    limit = house.deployment.settings.max_mailbox_transient_failures
    for count in range(1, limit + 1):
        box = run(house, ada, failure=failure, next_due=None)
        assert (box.transientfailurecount, box.enabledforincomingemail) == (count * 1_000_000, True)
        assert box.receivingpostponeduntil == house.clock.now() + timedelta(minutes=5)
        assert directions(house) == {}
        house.clock.advance(minutes=5)
        assert directions(house) == {"Ada": (INCOMING,)}
    box = run(house, ada, failure=failure)
    assert (box.enabledforincomingemail, box.enabledforoutgoingemail) == (False, True)
    assert (box.incomingemailstatus, box.outgoingemailstatus) == (MailboxTestStatus.FAILURE, MailboxTestStatus.SUCCESS)
    assert (box.lastsyncerrorcount, box.lastsyncerrorcode) == (limit + 1, failure.tracecode)
    alerts = house.organization.retrieve_multiple(SYSTEM, "tracelog", tracecode=failure.tracecode)
    assert [alert.level for alert in alerts] == [3]  # warnings are off
    house.settings(generatealertsforwarnings=True)
    run(house, ada, OUTGOING, failure=RunFailure.of(ServerTimeout("slow"), OUTGOING))
    assert house.mailbox(ada).postponesendinguntil == house.clock.now() + timedelta(minutes=5)
    assert any(alert.level == 2 for alert in house.organization.retrieve_multiple(SYSTEM, "tracelog"))


def test_a_good_run_forgets_the_failures(house: House) -> None:
    ada = house.user("ada")
    run(house, ada, failure=RunFailure.of(ConnectionFailed("refused")))
    run(house, ada, OUTGOING, failure=RunFailure.of(ConnectionFailed("refused"), OUTGOING))
    assert house.mailbox(ada).transientfailurecount == 1_001_000
    box = run(house, ada)
    assert (box.transientfailurecount, box.receivingpostponeduntil, box.lastsyncerrorcount) == (1_000, None, 0)


def test_a_permanent_failure_disables_at_once_and_is_told(house: House) -> None:
    ada = house.user("ada")
    box = run(house, ada, failure=RunFailure.of(AuthError("refused", reply="-ERR [AUTH] no")))
    assert not box.enabledforincomingemail
    assert box.transientfailurecount == 0
    [alert] = house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="IncomingEmailAuthenticationError")
    assert (alert.level, alert.regardingobjectid, "[AUTH]" in alert.errordetails) == (3, box.reference, True)


def test_texts_of_foreign_errors_are_not_shown() -> None:
    failure = RunFailure.of(ValueError("password=sesame"))
    assert (failure.text, failure.permanent) == ("ValueError", False)
    assert dataclasses.replace(failure, tracecode=0).judgement(OUTGOING).tracecode == 2090


def test_test_and_enable(house: House) -> None:
    ben = house.user("ben", ready=False)
    box = house.mailbox(ben).mailboxid
    house.organization.schedule_test(SYSTEM, box)
    assert directions(house) == {}  # not approved yet
    house.organization.approve_email(SYSTEM, box)
    assert directions(house) == {"Ben": (TEST,)}
    house.organization.record_test_result(box, "incoming")
    assert (house.mailbox(ben).enabledforincomingemail, house.mailbox(ben).testemailconfigurationscheduled) == (True, True)
    house.organization.record_test_result(box, "outgoing", AuthError("no"))
    done = house.mailbox(ben)
    assert (done.enabledforoutgoingemail, done.outgoingemailstatus) == (False, MailboxTestStatus.FAILURE)
    assert (done.testemailconfigurationscheduled, done.testmailboxaccesscompletedon) == (False, house.clock.now())
    assert directions(house) == {"Ben": (INCOMING,)}
    regarding = {alert.regardingobjectid for alert in house.organization.retrieve_multiple(SYSTEM, "tracelog", level=3)}
    assert regarding == {done.reference, Lookup("emailserverprofile", house.profile)}


def test_a_transient_test_is_tried_ten_times(house: House) -> None:
    ben = house.user("ben", ready=False, outgoingemaildeliverymethod=0)
    box = house.mailbox(ben).mailboxid
    house.organization.approve_email(SYSTEM, box)
    house.organization.schedule_test(SYSTEM, box)
    for _ in range(9):
        house.organization.record_test_result(box, "incoming", ConnectionFailed("refused"))
        assert directions(house) == {}
        house.clock.advance(minutes=5)
        assert directions(house) == {"Ben": (TEST,)}
    house.organization.record_test_result(box, "incoming", ConnectionFailed("refused"))
    assert house.mailbox(ben).incomingemailstatus is MailboxTestStatus.FAILURE
    assert directions(house) == {}


def test_a_test_that_only_looks_enables_nothing(house: House) -> None:
    ben = house.user("ben", ready=False, outgoingemaildeliverymethod=0)
    box = house.mailbox(ben).mailboxid
    house.organization.schedule_test(SYSTEM, box, enable=False)
    house.organization.record_test_result(box, "incoming")
    assert (house.mailbox(ben).incomingemailstatus, house.mailbox(ben).enabledforincomingemail) == (1, False)
    nobody = house.user("cid", ready=False, incomingemaildeliverymethod=0, outgoingemaildeliverymethod=0)
    with pytest.raises(RuleViolated):
        house.organization.schedule_test(SYSTEM, house.mailbox(nobody).mailboxid)


def test_apply_default_email_settings(house: House) -> None:
    ada = house.user("ada")
    other = house.organization.create(SYSTEM, "emailserverprofile", name="other", servertype=1)
    house.settings(
        defaultemailserverprofileid=Lookup("emailserverprofile", other),
        defaultemailsettings='<EmailSettings><systemuser incoming="2" outgoing="0"/></EmailSettings>',
    )
    box = house.mailbox(ada)
    assert box.emailserverprofile == Lookup("emailserverprofile", house.profile)
    house.organization.apply_default_email_settings(SYSTEM, [box.mailboxid])
    after = house.mailbox(ada)
    assert (after.emailserverprofile, after.outgoingemaildeliverymethod) == (Lookup("emailserverprofile", other), 0)
    assert (after.enabledforincomingemail, after.testemailconfigurationscheduled) == (False, True)


def test_an_idle_poll_takes_few_statements(house: House) -> None:
    """Not counted: BEGIN and COMMIT, and PostgreSQL's lock that makes writers take turns. More mailboxes add nothing to the question who is due."""
    ada = house.user("ada")
    for number in range(20):
        house.user(f"other{number}", incomingemaildeliverymethod=0, outgoingemaildeliverymethod=0, ready=False)
    statements: list[str] = []
    observe(
        house.organization.store._database,
        lambda told: None if told in ("COMMIT", "ROLLBACK") or "pg_advisory" in told else statements.append(told),
    )
    assert len(house.organization.due_mailboxes()) == 1
    assert len(statements) == 1
    run_started = house.clock.now()
    house.update_mailbox(
        ada, username="u", password="p", allowemailconnectortousecredentials=True, enabledforincomingemail=True
    )
    due = house.organization.due_mailboxes()[0]
    statements.clear()
    assert house.organization.connection(due, INCOMING).password == Secret("p")
    assert len(statements) == 1
    assert house.organization.connection(due, INCOMING) == house.organization.connection(due.mailbox.mailboxid, INCOMING)
    statements.clear()
    box = due.mailbox.mailboxid
    fence = house.organization.begin_run(box, INCOMING, "me")
    assert len(statements) <= 4  # the first time; then the lease is a row already
    statements.clear()
    house.organization.finish_run(box, INCOMING, fence=fence, started_on=run_started)
    assert len(statements) <= 5
