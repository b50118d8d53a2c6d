"""Tests of mailboxes, locks, schedules, statistics and the mail to a failing profile's owner (server-side-sync reference 2.4, 2.5, 3)."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from organization_house import House

from postroom.channels.server_side_sync import ServerSideSync
from postroom.errors import ConfigError, ConnectionFailed, PrivilegeMissing, RuleViolated
from postroom.model import EmailServerProfile, Lookup, Mailbox, MailboxTestStatus, TraceLevel
from postroom.model.secret import Secret
from postroom.organization import SYSTEM, Caller, Operation, RunFailure
from postroom.organization.profile_alert import too_many
from postroom.organization.run_results import back_off_of, interval_of
from postroom.rules.schedule import Cycle, next_poll
from postroom.store.database import observe
from postroom.store.tables import seen_entry
from postroom.testing.scene import Scene

INCOMING, OUTGOING, TEST = Operation.INCOMING, Operation.OUTGOING, Operation.TEST


# -- Test & Enable ----------------------------------------------------------------------------------------------------


def answered(house: House, owner: Lookup, direction: Operation, error: Exception | None = None) -> Mailbox:
    house.organization.record_test_result(house.mailbox(owner).mailboxid, direction, error)
    return house.mailbox(owner)


def test_both_directions_have_ten_tries(house: House) -> None:
    ben = house.user("ben", ready=False)
    house.organization.schedule_test(SYSTEM, house.mailbox(ben).mailboxid)
    for tries in range(1, 10):
        answered(house, ben, INCOMING, ConnectionFailed("gone"))
        box = answered(house, ben, OUTGOING, ConnectionFailed("gone"))
        assert (box.testemailconfigurationretrycount, box.testemailconfigurationscheduled) == (tries, True)
        assert box.postponetestemailconfigurationuntil == house.clock.now() + timedelta(minutes=5)
        house.clock.advance(minutes=5)
    assert answered(house, ben, INCOMING, ConnectionFailed("gone")).incomingemailstatus is MailboxTestStatus.FAILURE
    box = answered(house, ben, OUTGOING, ConnectionFailed("gone"))
    assert (box.outgoingemailstatus, box.testemailconfigurationscheduled) == (MailboxTestStatus.FAILURE, False)


def test_a_look_disables_nothing(house: House) -> None:
    ada = house.user("ada")
    house.organization.schedule_test(SYSTEM, house.mailbox(ada).mailboxid, enable=False)
    box = answered(house, ada, INCOMING, ConfigError("no server"))
    assert (box.incomingemailstatus, box.enabledforincomingemail) == (MailboxTestStatus.FAILURE, True)


@pytest.mark.parametrize(("state", "code"), [("mailbox", "MailboxInactive"), ("profile", "InvalidIncomingEmailServerProfile")])
def test_a_test_that_cannot_be_fails_at_once(house: House, state: str, code: str) -> None:
    ada = house.user("ada")
    box = house.mailbox(ada)
    if state == "mailbox":
        house.organization.set_state(SYSTEM, "mailbox", box.mailboxid, False)
    else:
        house.update_mailbox(ada, emailserverprofile=None)
    house.organization.schedule_test(SYSTEM, box.mailboxid)
    box = house.mailbox(ada)
    assert (box.incomingemailstatus, box.enabledforincomingemail) == (MailboxTestStatus.FAILURE, False)
    assert not box.testemailconfigurationscheduled
    assert house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay=code)


def test_the_start_date_lies_behind_the_profiles(house: House) -> None:
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid
    floor = datetime(2026, 1, 2, tzinfo=UTC)
    house.organization.update(SYSTEM, "emailserverprofile", house.profile, processemailsreceivedafter=floor)
    for wrong in (floor, floor - timedelta(days=1)):
        with pytest.raises(RuleViolated, match="later than the profile's"):
            house.organization.schedule_test(SYSTEM, box, process_from=wrong)
    house.organization.schedule_test(SYSTEM, box, process_from=floor + timedelta(days=1))
    assert house.mailbox(ada).processemailreceivedafter == floor + timedelta(days=1)


def test_the_primary_organization_is_marked_only_when_asked(house: House) -> None:
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid
    house.organization.schedule_test(SYSTEM, box)
    assert not house.mailbox(ada).orgmarkedasprimaryforexchangesync
    house.organization.schedule_test(SYSTEM, box, primary=True)
    assert (house.mailbox(ada).orgmarkedasprimaryforexchangesync, house.mailbox(ada).isactsyncorgflagset) == (True, True)


def test_a_profiles_mailboxes_are_tested_queues_first(house: House) -> None:
    ada, support = house.user("ada"), house.queue("support")
    house.user("nobody", ready=False, incomingemaildeliverymethod=0, outgoingemaildeliverymethod=0)
    found = house.organization.schedule_profile_tests(SYSTEM, house.profile)
    assert found == [house.mailbox(support).mailboxid, house.mailbox(ada).mailboxid]
    assert house.mailbox(ada).testemailconfigurationscheduled


def test_the_profile_remembers_its_last_test(house: House) -> None:
    def last() -> EmailServerProfile:
        found: EmailServerProfile = house.organization.retrieve(SYSTEM, "emailserverprofile", house.profile)
        return found

    ben = house.user("ben", ready=False)
    house.organization.schedule_test(SYSTEM, house.mailbox(ben).mailboxid)
    house.clock.advance(seconds=3)
    answered(house, ben, INCOMING)
    assert (last().lasttestexecutionstatus, last().lasttesttotalexecutiontime) == (1, 3000)
    answered(house, ben, OUTGOING, ConfigError("no server"))
    assert (last().lasttestexecutionstatus, last().lasttestvalidationstatus) == (2, 0)


def test_an_address_is_taken_over_expressly(house: House) -> None:
    ada = house.user("ada")
    other = house.queue("other", ready=False, emailaddress="ADA@alder.test")
    box = house.mailbox(other).mailboxid
    with pytest.raises(RuleViolated, match="mapped to another record"):
        house.organization.schedule_test(SYSTEM, box)
    assert house.mailbox(ada).enabledforincomingemail
    house.organization.schedule_test(SYSTEM, box, take_over=True)
    assert not house.mailbox(ada).enabledforincomingemail


# -- addresses, approval, credentials ---------------------------------------------------------------------------------


def test_the_administrators_approval_needs_the_privilege(house: House) -> None:
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid
    with pytest.raises(PrivilegeMissing):
        house.organization.update(Caller.user(ada.id), "mailbox", box, isemailaddressapprovedbyo365admin=True)
    house.update_mailbox(ada, isemailaddressapprovedbyo365admin=True)
    assert not house.update_mailbox(ada, emailaddress="new@alder.test").isemailaddressapprovedbyo365admin


@pytest.mark.parametrize(
    ("entity", "values", "forgotten"),
    [
        ("mailbox", {"username": "other"}, True),
        ("mailbox", {"emailaddress": "other@alder.test"}, True),
        ("mailbox", {"name": "Other"}, False),
        ("emailserverprofile", {"incomingserverlocation": "other.test"}, True),
        ("emailserverprofile", {"outgoingserverlocation": "other.test"}, False),
    ],
)
def test_another_maildrop_is_looked_at_anew(house: House, entity: str, values: dict[str, Any], forgotten: bool) -> None:
    box = house.mailbox(house.user("ada")).mailboxid
    from postroom.store.memory import SqlSeenSet

    SqlSeenSet(house.organization.store, box).add({"1": "digest"})
    house.organization.update(SYSTEM, entity, box if entity == "mailbox" else house.profile, **values)
    with house.organization.store.reading() as tx:
        left = tx.execute(sa.select(sa.func.count()).select_from(seen_entry)).scalar_one()
    assert left == (0 if forgotten else 1)


@pytest.mark.parametrize("allowed", [False, True])
def test_credentials_over_plain_http(house: House, allowed: bool) -> None:
    house.deploy(allow_credentials_entry_via_non_secure_channels=allowed)
    ada = house.user("ada")
    caller = Caller(ada.id, system=True, secure_channel=False)
    box = house.mailbox(ada).mailboxid
    house.organization.update(caller, "mailbox", box, name="Ada again")
    if allowed:
        house.organization.update(caller, "mailbox", box, username="ada", password="sesame")
        assert house.mailbox(ada).ispasswordset
        return
    for values in ({"username": "ada"}, {"password": "sesame"}):
        with pytest.raises(RuleViolated, match="not secure"):
            house.organization.update(caller, "mailbox", box, **values)
    with pytest.raises(RuleViolated, match="not secure"):
        house.organization.create(caller, "emailserverprofile", name="p", servertype=1, incomingpassword="x")


@pytest.mark.parametrize(
    ("retrieval", "user", "words"), [(0, "box", ""), (1, "engine", ""), (3, "", "Windows"), (2, "", "server to server")]
)
def test_credentials_by_retrieval(house: House, retrieval: int, user: str, words: str) -> None:
    ada = house.user("ada")
    box = house.update_mailbox(ada, username="box", password="b", allowemailconnectortousecredentials=True)
    with house.organization.store.transaction() as tx:
        tx.update(EmailServerProfile, house.profile, incomingcredentialretrieval=retrieval, incomingusername="engine")
    house.organization.update(SYSTEM, "emailserverprofile", house.profile, incomingpassword="e")
    if words:
        with pytest.raises(ConfigError, match=words):
            house.organization.connection(box.mailboxid, "incoming")
        return
    connection = house.organization.connection(box.mailboxid, "incoming")
    assert (connection.username, connection.password) == (user, Secret(user[0]))


# -- locks, schedules, statistics -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("forced", "holder", "taken"), [(False, "b/1", False), (True, "b/1", True), (False, "a/2", True)])
def test_a_stale_lock(house: House, forced: bool, holder: str, taken: bool) -> None:
    house.settings(ismailboxforcedunlockingenabled=forced)
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid
    assert house.organization.begin_run(box, INCOMING, "a/1") is not None
    assert house.organization.begin_run(box, INCOMING, holder) is None
    house.clock.advance(minutes=30)
    due = [one.mailbox.mailboxid for one in house.organization.due_mailboxes(holder=holder)]
    speaks_against = [reason.code for reason in house.organization.explain_mailbox(box, INCOMING, holder=holder)]
    assert (due, speaks_against) == (([box], []) if taken else ([], ["stale-lock"]))
    assert [one.mailbox.mailboxid for one in house.organization.due_mailboxes()] == [box], "whoever may break it"
    assert (house.organization.begin_run(box, INCOMING, holder) is not None) is taken
    after = house.mailbox(ada)
    assert (after.forcedunlockcount, after.hostid) == ((1, holder) if taken else (0, "a/1"))
    assert (after.lastmailboxforcedunlockoccurredon == house.clock.now()) is taken


def test_every_column_of_the_statistics(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    for _ in range(2):
        house.organization.send_email(SYSTEM, house.organization.create_email(SYSTEM, from_=ada, to=[carl]))
    box = house.mailbox(ada)
    began = house.clock.now()
    asked = house.organization.due_since(box, OUTGOING)
    assert asked == began
    house.clock.advance(minutes=4)
    fence = house.organization.begin_run(box.mailboxid, OUTGOING, "a/1")
    started = house.clock.now()
    house.clock.advance(minutes=2)
    house.organization.finish_run(
        box.mailboxid,
        OUTGOING,
        fence=fence,
        started_on=started,
        processed=3,
        failed=1,
        scheduled_on=asked,
        steps={"prepare": 0.25, "run": 119.75},
        machine="a/1",
        run_id="run-7",
    )
    [row] = house.organization.retrieve_multiple(SYSTEM, "mailboxstatistics")
    assert (row.mailboxid, row.operationtypeid, row.processresult) == (box.reference, 1, True)
    assert (row.mailboxprocessscheduledon, row.mailboxprocessstartedon, row.mailboxprocesscompletedon) == (
        began,
        started,
        house.clock.now(),
    )
    assert (row.scheduledtimeintervalinminutes, row.processtimeintervalinminutes) == (4, 2)
    assert (row.itemsprocessed, row.itemsfailed, row.crmitemsbacklog) == (3, 1, 2)
    assert (row.individualstepdurations, row.machinename) == ("prepare=0.250;run=119.750", "a/1")
    assert row.asynceventid is not None
    assert row.organizationid == Lookup("organization", house.organization.settings.organizationid)
    assert row.createdon == house.clock.now()


def test_the_short_way_writes_what_the_long_way_writes(house: House) -> None:
    """A run that went well on a mailbox without trouble takes one statement; with a counter of another operation set it still does."""
    ada, ben = house.user("ada"), house.user("ben")
    house.update_mailbox(ben, lastsyncerrorcount=1)  # the long way
    for processed in (0, 0, 3):
        for owner in (ada, ben):
            box = house.mailbox(owner).mailboxid
            fence = house.organization.begin_run(box, INCOMING, "a/1")
            house.organization.finish_run(
                box,
                INCOMING,
                fence=fence,
                started_on=house.clock.now() - timedelta(seconds=5),
                next_due=house.clock.now() + timedelta(minutes=5),
                processed=processed,
                interval=420,
            )
        house.update_mailbox(ben, lastsyncerrorcount=1)
        house.clock.advance(minutes=6)
    short, long = house.mailbox(ada), house.mailbox(ben)
    own = {"mailboxid", "name", "emailaddress", "regardingobjectid", "ownerid", "lastsyncerrorcount", "modifiedon"}
    names = {field.name for field in dataclasses.fields(Mailbox)} - own
    assert {name: getattr(short, name) for name in names} == {name: getattr(long, name) for name in names}
    assert (short.processedtimes, short.averagetotalduration, interval_of(short)) == (3, 5000, 420)


def test_act_has_settings_of_its_own(house: House) -> None:
    house.deploy(
        mailbox_backoff_on_transient_error=1,
        mailbox_backoff_on_transient_error_for_act=2,
        mailbox_backoff_on_timeout_for_act=3,
        maximum_mailbox_transient_failures_for_act=4,
    )
    settings = house.deployment.settings
    assert back_off_of(settings, INCOMING).on_transient_error == 1
    act = back_off_of(settings, Operation.ACT)
    assert (act.on_transient_error, act.on_timeout, act.maximum_failures) == (2, 3, 4)


def test_inactive_back_off_goes_to_the_idle_maximum_at_once() -> None:
    assert next_poll(Cycle(0), 0).seconds == 360
    assert next_poll(Cycle(0), 0, inactive_back_off=True).seconds == 720
    assert next_poll(Cycle(1), 5, inactive_back_off=True).seconds == 300


def test_ten_thousand_mailboxes_with_nothing_due_cost_one_query(house: House) -> None:
    later = house.clock.now() + timedelta(hours=1)
    with house.organization.store.transaction() as tx:
        tx.create_many(
            Mailbox(
                name=f"box {number}",
                isforwardmailbox=False,
                emailserverprofile=Lookup("emailserverprofile", house.profile),
                incomingemaildeliverymethod=2,  # type: ignore[arg-type]
                emailrouteraccessapproval=1,  # type: ignore[arg-type]
                postponemailboxprocessinguntil=later,
            )
            for number in range(10_000)
        )
    sync = ServerSideSync(house.organization, None)  # type: ignore[arg-type]
    asked: list[str] = []
    forget = observe(
        house.organization.store._database, lambda text: None if text in ("COMMIT", "ROLLBACK") else asked.append(text)
    )
    assert sync.run_due(operations={INCOMING}) == []
    forget()
    assert len(asked) == 1
    sync.close()


# -- the mail to the owner --------------------------------------------------------------------------------------------


def test_more_than_half() -> None:
    assert [too_many(failed, 4) for failed in range(5)] == [False, False, False, True, True]


@pytest.mark.parametrize("wanted", [True, False])
def test_the_owner_is_written_to_through_a_mailbox_that_works(wanted: bool) -> None:
    with Scene() as scene:
        scene.mail_server()
        boss, ada = scene.user("Boss", "boss@alder.test", ready=True), scene.user("Ada", "ada@alder.test", ready=True)
        bad = scene.profile("bad", sendemailalert=wanted, owneremailaddress="boss@alder.test")
        scene.organization.assign(SYSTEM, "emailserverprofile", bad, boss.lookup)
        scene.organization.update(SYSTEM, "mailbox", ada.mailbox, emailserverprofile=Lookup("emailserverprofile", bad))
        scene.organization.update(SYSTEM, "mailbox", ada.mailbox, enabledforincomingemail=True)
        box = ada.mailbox
        fence = scene.organization.begin_run(box, INCOMING, "a/1")
        failure = RunFailure.of(ConnectionFailed("gone"))
        scene.organization.finish_run(box, INCOMING, fence=fence, started_on=scene.world.clock.now(), failure=failure)
        scene.run()
        mails = [octets for octets in scene.received("boss@alder.test") if b"1 of the 1 mailboxes" in octets]
        assert len(mails) == int(wanted)
        alerts = scene.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="ProfileMailboxesFailing")
        assert [one.level for one in alerts] == [TraceLevel.ERROR] * wanted


def test_the_owner_is_written_to_once_an_hour() -> None:
    with Scene() as scene:
        scene.mail_server()
        boss, ada = scene.user("Boss", "boss@alder.test", ready=True), scene.user("Ada", "ada@alder.test", ready=True)
        bad = scene.profile("bad", sendemailalert=True, owneremailaddress="boss@alder.test")
        scene.organization.assign(SYSTEM, "emailserverprofile", bad, boss.lookup)
        scene.organization.update(SYSTEM, "mailbox", ada.mailbox, emailserverprofile=Lookup("emailserverprofile", bad))
        sent = []
        for minutes in (0, 59, 1, 59, 61):
            scene.advance(timedelta(minutes=minutes))
            fence = scene.organization.begin_run(ada.mailbox, INCOMING, "a/1")
            failure = RunFailure.of(ConnectionFailed("gone"))
            scene.organization.finish_run(
                ada.mailbox, INCOMING, fence=fence, started_on=scene.world.clock.now(), failure=failure
            )
            sent.append(len(scene.organization.retrieve_multiple(SYSTEM, "email", directioncode=True)))
        assert sent == [1, 1, 2, 2, 3]
        scene.run()


@pytest.mark.parametrize(("alike", "count"), [(False, 1), (True, 2)])
def test_resolving_one_address_or_all_alike(house: House, alike: bool, count: int) -> None:
    house.settings(resolvesimilarunresolvedemailaddress=alike)
    ada = house.user("ada")
    emails = [house.organization.create_email(SYSTEM, from_=ada, to=[to]) for to in ("x@b.test", "X@b.test", "y@b.test")]
    carl = house.contact("carl")
    find = house.organization.retrieve_multiple
    [party] = find(SYSTEM, "activityparty", activityid=Lookup("email", emails[0]), partyid=None)
    assert house.organization.resolve_party(SYSTEM, party.activitypartyid, carl) == count
    assert len(find(SYSTEM, "activityparty", partyid=carl)) == count
    with pytest.raises(RuleViolated, match="unresolved"):
        house.organization.resolve_party(SYSTEM, party.activitypartyid, carl)


@pytest.mark.parametrize(("limit", "rounds"), [(100, [3]), (2, [2, 1])])
def test_a_cycle_takes_so_many_messages(limit: int, rounds: list[int]) -> None:
    """IncomingMaximumEmailsPerCycle; a full batch goes on at once."""
    with Scene() as scene:
        scene.mail_server()
        ada = scene.user("Ada", "ada@alder.test", ready=True)
        scene.filter(ada, 0)
        scene.run()
        scene.deployment.settings = dataclasses.replace(scene.deployment.settings, incoming_maximum_emails_per_cycle=limit)
        for number in range(3):
            scene.mail("carl@birch.test", "ada@alder.test", f"Number {number}")
        scene.advance(timedelta(minutes=15))
        reports = scene.engine.run_due(operations={INCOMING})
        assert [report.outcome.processed for report in reports if report.outcome] == rounds
        assert [report.scheduled < report.started for report in reports] == [True, False][: len(rounds)]
