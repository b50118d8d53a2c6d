"""exchangelib's ways in: the opening moves, logins, acting for others, versions, ids, zones, finding the server."""

from __future__ import annotations

import pytest
from exchangelib import (
    BASIC,
    DELEGATE,
    IMPERSONATION,
    NTLM,
    OAUTH2,
    Account,
    Configuration,
    FailFast,
    FaultTolerance,
    Identity,
    OAuth2AuthorizationCodeCredentials,
    util,
)
from exchangelib.errors import (
    ErrorAccessDenied,
    ErrorFolderNotFound,
    ErrorImpersonateUserDenied,
    ErrorItemNotFound,
    ErrorNonExistentMailbox,
    ErrorServerBusy,
    UnauthorizedError,
)
from exchangelib.properties import EWS_ID, HEX_ENTRY_ID, OWA_ID, AlternateId
from exchangelib.version import EXCHANGE_2010, EXCHANGE_2013, EXCHANGE_2016
from exchangelib_scene import ANN, BOB


def test_the_opening_moves(exchange):
    ann = exchange.account()
    assert ann.root.name
    assert exchange.operations()[:2] == ["ConvertId", "GetFolder"]
    assert ann.version.build >= EXCHANGE_2016
    assert ann.primary_smtp_address == ANN
    assert ann.domain == "sim.test"
    assert ann.protocol.version.api_version.startswith("Exchange2016")


def test_the_login_is_guessed(exchange):
    exchange.deliver("hello")
    ann = exchange.account(auth=None)
    assert ann.inbox.total_count == 1
    assert ann.protocol.get_auth_type() == BASIC


@pytest.mark.parametrize("user", ["ann", "SIM\\ann", ANN])
def test_names_that_log_in(exchange, user):
    if user != ANN:
        exchange.world.change_addresses(ANN, logins=["ann"])
    assert exchange.account(user=user).inbox.total_count == 0


def test_a_wrong_password(exchange):
    with pytest.raises(UnauthorizedError):
        _ = exchange.account(password="wrong").inbox.total_count


@pytest.mark.parametrize("build", [EXCHANGE_2010, EXCHANGE_2013, EXCHANGE_2016], ids=str)
def test_older_versions_are_spoken(exchange, build):
    exchange.deliver("hello")
    ann = exchange.account(build=build)
    assert [item.subject for item in ann.inbox.all()] == ["hello"]


def test_acting_for_another(exchange):
    exchange.world.ews.impersonators[ANN] = {BOB}
    exchange.deliver("for bob", to=BOB)
    bob = exchange.account(BOB, user=ANN, access=IMPERSONATION)
    assert [item.subject for item in bob.inbox.all()] == ["for bob"]
    assert bob.identity.primary_smtp_address == BOB
    for identity in (Identity(smtp_address=BOB), Identity(upn=BOB)):
        bob.identity = identity
        assert bob.inbox.all().count() == 1


def test_acting_for_another_without_the_right(exchange):
    with pytest.raises(ErrorImpersonateUserDenied):
        _ = exchange.account(BOB, user=ANN, access=IMPERSONATION).inbox.total_count
    exchange.world.ews.impersonators[ANN] = {"*"}
    with pytest.raises(ErrorNonExistentMailbox):
        _ = exchange.account("nobody@sim.test", user=ANN, access=IMPERSONATION).inbox.total_count


def test_anothers_mailbox_without_the_right(exchange):
    with pytest.raises((ErrorAccessDenied, ErrorFolderNotFound, ErrorItemNotFound)):
        _ = exchange.account(BOB, user=ANN, access=DELEGATE).inbox.total_count


def test_ids_in_other_formats(exchange):
    exchange.deliver("hello")
    ann = exchange.account()
    item = ann.inbox.get(subject="hello")
    for there in (HEX_ENTRY_ID, OWA_ID):
        (other,) = ann.protocol.convert_ids([AlternateId(id=item.id, format=EWS_ID, mailbox=ANN)], destination_format=there)
        assert (other.format, other.mailbox) == (there, ANN)
        (back,) = ann.protocol.convert_ids([AlternateId(id=other.id, format=there, mailbox=ANN)], destination_format=EWS_ID)
        assert back.id == item.id


def test_time_zones(exchange):
    from exchangelib import EWSTimeZone

    protocol = exchange.account().protocol
    zones = list(protocol.get_timezones())
    assert len(zones) > 100
    assert all(zone.id for zone in zones)
    (romance,) = protocol.get_timezones(timezones=[EWSTimeZone("Europe/Copenhagen")], return_full_timezone_data=True)
    assert romance.id == "Romance Standard Time"
    assert {period.name for period in romance.periods} == {"Standard", "Daylight"}
    standard, daylight, base = romance.get_std_and_dst(for_year=2027)
    assert (standard.bias, daylight.bias) == (0, -60)
    assert base.name == "Standard"


def test_a_busy_server(exchange):
    from postroom_simulator.faults import Fault, Reply, When

    exchange.world.faults.add(Fault(When("ews", "FindItem", nth=1), Reply("ErrorServerBusy")))
    ann = exchange.account(policy=FailFast())
    with pytest.raises(ErrorServerBusy):
        ann.inbox.all().count()
    assert ann.inbox.all().count() == 0


def test_a_patient_client_waits(exchange, monkeypatch):
    from postroom_simulator.faults import Fault, Reply, When

    exchange.world.faults.add(Fault(When("ews", "FindItem", nth=1), Reply("ErrorServerBusy")))
    waited: list[float] = []
    monkeypatch.setattr(util.time, "sleep", waited.append)
    assert exchange.account(policy=FaultTolerance(max_wait=600)).inbox.all().count() == 0
    assert exchange.operations().count("FindItem") == 2
    assert sum(waited) > 0


def test_ntlm(exchange):
    exchange.world.ews.challenges = ["NTLM"]
    exchange.deliver("hello")
    assert exchange.account(auth=NTLM, user=ANN).inbox.total_count == 1
    with pytest.raises(UnauthorizedError):
        _ = exchange.account(auth=NTLM, password="wrong").inbox.total_count


def test_a_token(exchange, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the socket in the clear is on this machine
    exchange.world.ews.challenges = ["Bearer"]
    token = exchange.world.tokens.issue(ANN)
    credentials = OAuth2AuthorizationCodeCredentials(
        access_token={"access_token": token.access, "token_type": "Bearer", "expires_in": 3600}
    )
    configuration = Configuration(service_endpoint=exchange.url, credentials=credentials, auth_type=OAUTH2)
    exchange.deliver("hello")
    assert Account(ANN, config=configuration, autodiscover=False, access_type=DELEGATE).inbox.total_count == 1


def test_no_other_login_is_taken(exchange):
    exchange.world.ews.challenges = ["NTLM"]
    with pytest.raises(UnauthorizedError):
        _ = exchange.account(auth=BASIC).inbox.total_count
