"""Alerts: one table, gates, roll-up, closing (server-side-sync reference 3.7, 10)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from organization_house import House

from postroom.errors import AuthError, ConfigError, ConnectionFailed
from postroom.model import Lookup, TraceLevel, TraceLog
from postroom.organization import SYSTEM, Operation, RunFailure
from postroom.organization.alerts import TRACE_CODES, Alert, about
from postroom.rules.alert_table import ALERTS, platform_number
from postroom.rules.error_classes import ERROR_NUMBERS, TABLE, THOUSANDS, AlertLevel, Scope, classify

INCOMING, OUTGOING = Operation.INCOMING, Operation.OUTGOING


def traces(house: House, **conditions: object) -> list[TraceLog]:
    found: list[TraceLog] = house.organization.retrieve_multiple(SYSTEM, "tracelog", **conditions)
    return found


def fail(house: House, owner: Lookup, failure: RunFailure | None, operation: Operation = INCOMING) -> None:
    box = house.mailbox(owner).mailboxid
    fence = house.organization.begin_run(box, operation, "host/1")
    assert fence is not None
    house.organization.finish_run(box, operation, fence=fence, started_on=house.clock.now(), failure=failure, machine="host/1")
    house.clock.advance(minutes=6)


def test_numbers_are_in_their_ranges_and_apart() -> None:
    assert len({kind.number for kind in ALERTS}) == len(ALERTS) == len(TRACE_CODES)
    for kind in ALERTS:
        assert kind.number % 1000 >= ERROR_NUMBERS
        assert kind.number // 1000 in (1, 2, 3, 4)
    assert all(row.number < ERROR_NUMBERS for row in TABLE)
    assert sorted({number // 1000 for number in THOUSANDS.values()}) == [1, 2, 3, 4]


PUBLISHED = [
    "NoRecipientMatch",
    "NoCorrelationMatch",
    "InvalidSender",
    "InvalidForwardMailItem",
    "InvalidIncomingEmailServerProfile",
    "MailboxDisabled",
    "Crm.80040216",
    "8005E259",
    "8005E272",
    "8005E273",
    "8005E274",
    "8005E276",
    "UnknownIncomingEmailIntegrationError",
    "Crm.80040265",
    "Http server returned ServiceUnavailable exception",
    "IncomingMailboxInternalCrmError",
    "ErrorInternalServerTransientError",
    "Socket returned exception TimedOut",
    "ErrorQuotaExceeded",
    "ErrorSubmissionQuotaExceeded",
    "Forbidden",
    "OutgoingEmailAuthenticationError",
    "ErrorNonExistentMailbox",
    "ErrorImpersonateUserDenied",
]


@pytest.mark.parametrize("code", PUBLISHED)
def test_every_published_string_has_a_row(code: str) -> None:
    names = {kind.code for kind in ALERTS} | {name for row in TABLE for name in row.names.values()}
    assert code in names


def test_platform_numbers() -> None:
    assert platform_number("NoRecipientMatch") == -2147218683
    assert platform_number("UnknownIncomingEmailIntegrationError") == -2147220891
    assert platform_number("MailboxDisabled") is None


def test_scopes_and_levels_of_rows() -> None:
    kinds = {kind.code: kind for kind in ALERTS}
    assert (kinds["InvalidSender"].level, kinds["InvalidSender"].scope) == (AlertLevel.INFORMATION, Scope.EMAIL)
    assert kinds["NoRecipientMatch"].scope is Scope.EMAIL
    assert kinds["MailboxDisabled"].scope is Scope.MAILBOX
    assert kinds["8005E272"].scope is Scope.PROFILE
    assert kinds["TestSucceeded"].level is AlertLevel.INFORMATION


def test_an_alert_has_all_its_columns(house: House) -> None:
    ada = house.user("ada")
    regarding = house.mailbox(ada).reference
    house.organization.alert(about("NoRecipientMatch", regarding, item="<The & item>", actions=("Track",)))
    [row] = traces(house, errortypedisplay="NoRecipientMatch")
    assert row.text == "<The & item> was not tracked: no user or queue is among the recipients"
    assert row.traceparameterxml == '<Parameters><Parameter name="item">&lt;The &amp; item&gt;</Parameter></Parameters>'
    assert row.tracedetailxml is not None
    assert (
        "<EmailServerErrorCode>NoRecipientMatch</EmailServerErrorCode><ErrorNumber>-2147218683</ErrorNumber>"
        in row.tracedetailxml
    )
    assert row.traceactionxml == '<Actions><Action name="Track"/></Actions>'
    assert (row.tracecode, row.tracestatus, row.isunique, row.canbedeleted, row.collationlevel) == (1101, False, True, True, 1)


@pytest.mark.parametrize(
    ("level", "gate"),
    [
        (TraceLevel.ERROR, "generatealertsforerrors"),
        (TraceLevel.WARNING, "generatealertsforwarnings"),
        (TraceLevel.INFORMATION, "generatealertsforinformation"),
    ],
)
def test_each_level_has_its_gate(house: House, level: TraceLevel, gate: str) -> None:
    regarding = Lookup("emailserverprofile", house.profile)
    for wanted in (False, True):
        house.settings(**{gate: wanted})
        house.organization.alert(Alert(regarding, level, "MessageParked", f"text {wanted}"))
        assert len(traces(house, text=f"text {wanted}")) == int(wanted)


def test_equal_alerts_are_one_row(house: House) -> None:
    regarding = Lookup("emailserverprofile", house.profile)
    for _ in range(3):
        house.organization.alert(Alert(regarding, TraceLevel.ERROR, "MessageParked", "the same"))
        house.clock.advance(minutes=1)
    house.organization.alert(Alert(regarding, TraceLevel.ERROR, "MessageParked", "another"))
    same, other = traces(house)
    assert (same.collationlevel, other.collationlevel) == (3, 1)
    assert same.createdon is not None
    assert same.modifiedon == same.createdon + timedelta(minutes=2)


def test_an_error_belongs_to_the_warning_before_it(house: House) -> None:
    house.settings(generatealertsforwarnings=True)
    house.deploy(max_mailbox_transient_failures=1)
    ada = house.user("ada")
    failure = RunFailure.of(ConnectionFailed("gone"))
    fail(house, ada, failure)
    fail(house, ada, failure)
    warning, error = traces(house, tracecode=failure.tracecode)
    assert (warning.level, error.level) == (TraceLevel.WARNING, TraceLevel.ERROR)
    assert error.parenttracelogid == warning.reference
    assert error.machinename == "host/1"
    assert house.mailbox(ada).lastsyncerrormachinename == "host/1"


def test_success_closes_and_trouble_opens_again(house: House) -> None:
    house.settings(generatealertsforwarnings=True)
    ada = house.user("ada")
    failure = RunFailure.of(ConnectionFailed("gone"))
    fail(house, ada, failure)
    sending = RunFailure.of(ConnectionFailed("gone"), OUTGOING)
    fail(house, ada, sending, OUTGOING)
    fail(house, ada, None)
    assert [one.tracestatus for one in traces(house, tracecode=failure.tracecode)] == [True]
    assert [one.tracestatus for one in traces(house, tracecode=sending.tracecode)] == [False]
    fail(house, ada, failure)
    assert [(one.tracestatus, one.collationlevel) for one in traces(house, tracecode=failure.tracecode)] == [(False, 2)]


@pytest.mark.parametrize("told", [True, False])
def test_a_profiles_trouble_is_told_to_its_owner_always(house: House, told: bool) -> None:
    house.settings(notifymailboxownerofemailserverlevelalerts=told)
    ada = house.user("ada")
    fail(house, ada, RunFailure.of(ConfigError("no server")))
    rows = traces(house, level=TraceLevel.ERROR)
    assert [one.regardingobjectid.entity for one in rows] == ["emailserverprofile", "mailbox"][: 1 + told]
    if told:
        assert rows[1].parenttracelogid == rows[0].reference


def test_refused_credentials_of_the_profile_are_its_trouble() -> None:
    assert classify(AuthError("no")).scope is Scope.MAILBOX
    assert classify(AuthError("no"), profile_credentials=True).scope is Scope.PROFILE
    assert classify(ConnectionFailed("no"), profile_credentials=True).scope is Scope.MAILBOX


def test_required_approval_switches_off_and_tells_once(house: House) -> None:
    ada = house.user("ada")
    house.organization.reject_email(SYSTEM, house.mailbox(ada).mailboxid)
    box = house.mailbox(ada)
    assert (box.enabledforincomingemail, box.enabledforoutgoingemail) == (False, False)
    places = [one.regardingobjectid.entity for one in traces(house, errortypedisplay="AddressNotApproved")]
    assert places == ["emailserverprofile", "mailbox"]
    house.organization.approve_email(SYSTEM, box.mailboxid)
    assert {one.tracestatus for one in traces(house, errortypedisplay="AddressNotApproved")} == {True}


def test_without_an_active_profile_each_direction_says_so(house: House) -> None:
    ada = house.user("ada")
    house.organization.set_state(SYSTEM, "emailserverprofile", house.profile, False)
    codes = [one.errortypedisplay for one in traces(house, regardingobjectid=house.mailbox(ada).reference, level=3)]
    assert codes == ["InvalidIncomingEmailServerProfile", "InvalidOutgoingEmailServerProfile"]
    house.organization.set_state(SYSTEM, "emailserverprofile", house.profile, True)
    assert {one.tracestatus for one in traces(house, regardingobjectid=house.mailbox(ada).reference, level=3)} == {True}
