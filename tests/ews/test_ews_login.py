"""Who may come in, and as whom (ews reference 16)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import requests_ntlm
import spnego
import wire
from wire import ANN, PASSWORD, Client, connected, direct, envelope, get_folder, http

from postroom_simulator import World
from postroom_simulator.ews.identity import LOCKED, sid_of
from postroom_simulator.ews.mount import mounted

GET_INBOX = envelope(get_folder())


def basic(name: str, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world


# -- Basic


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (ANN, PASSWORD),
        ("ANN@SIM.TEST", PASSWORD),
        ("ann", PASSWORD),
        ("SIM\\ann", PASSWORD),
        ("SIM\\ann@sim.test", PASSWORD),
        ("robert@sim.test", "hush"),
        ("SIM\\bob", "hush"),
    ],
)
def test_names_that_log_in(world: World, name: str, password: str) -> None:
    assert direct(world, GET_INBOX, auth=basic(name, password)).status == 200


@pytest.mark.parametrize(
    "auth",
    [
        basic(ANN, "wrong"),
        basic("nobody@sim.test"),
        basic("", ""),
        "Basic",
        "Basic !!!!",
        "Basic " + base64.b64encode(b"ann").decode(),
        "Digest x",
    ],
)
def test_what_does_not_log_in(world: World, auth: str) -> None:
    answer = direct(world, GET_INBOX, auth=auth)
    assert answer.status == 401
    assert ("WWW-Authenticate", 'Basic realm="mail.sim.test"') in answer.headers


def test_a_disabled_account_and_one_that_is_gone(world: World) -> None:
    world.directory.account(ANN).disabled = True
    assert direct(world, GET_INBOX).status == 401
    world.remove_account(ANN)
    assert direct(world, GET_INBOX).status == 401


def test_what_is_not_offered_is_refused(world: World) -> None:
    world.ews.challenges = ["NTLM", "Bearer"]
    answer = direct(world, GET_INBOX)
    assert answer.status == 401
    assert [value.partition(" ")[0] for name, value in answer.headers if name == "WWW-Authenticate"] == ["NTLM", "Bearer"]


def test_nobody_needs_to_log_in_where_that_is_said(world: World) -> None:
    world.ews.anonymous = "bob@sim.test"
    assert direct(world, GET_INBOX, auth="").status == 200
    assert world.journal.replies()[-1].account == "bob@sim.test"


def test_anyone_where_that_is_said(world: World) -> None:
    world.accept_anyone = True
    assert direct(world, GET_INBOX, auth=basic("new@sim.test", "whatever")).status == 200
    assert world.directory.get("new@sim.test") is not None


def test_logins_are_journalled_with_their_way(world: World) -> None:
    direct(world, GET_INBOX, auth=basic(ANN, "wrong"))
    direct(world, GET_INBOX)
    failed, done = world.journal.entries(kind="login")
    assert (failed.account, failed.data) == (ANN, {"ok": False, "way": "Basic", "why": "wrong credentials"})
    assert (done.account, done.data) == (ANN, {"ok": True, "way": "Basic"})


# -- lock-outs


def test_too_many_failures_lock_an_account_for_a_while(world: World) -> None:
    world.ews.lockouts.after = 3
    world.ews.lockouts.seconds = 600
    for _ in range(3):
        assert LOCKED.encode() not in direct(world, GET_INBOX, auth=basic(ANN, "wrong")).body
    locked = direct(world, GET_INBOX)
    assert (locked.status, LOCKED.encode() in locked.body) == (401, True)
    assert direct(world, GET_INBOX, auth=basic("bob@sim.test", "hush")).status == 200
    world.clock.sleep(600)
    assert direct(world, GET_INBOX).status == 200


def test_failures_that_are_far_apart_do_not(world: World) -> None:
    world.ews.lockouts.after = 2
    world.ews.lockouts.seconds = 60
    for _ in range(4):
        direct(world, GET_INBOX, auth=basic(ANN, "wrong"))
        world.clock.sleep(61)
    assert direct(world, GET_INBOX).status == 200


def test_an_account_is_locked_by_hand(world: World) -> None:
    world.ews.lockouts.lock(ANN)
    assert LOCKED.encode() in direct(world, GET_INBOX).body
    world.ews.lockouts.unlock(ANN)
    assert direct(world, GET_INBOX).status == 200


# -- NTLM


def ntlm_client(name: str, password: str) -> Any:
    return spnego.client(name, password, protocol="ntlm", hostname="mail.sim.test", service="http")


def ntlm(one: Client, name: str = ANN, password: str = PASSWORD) -> wire.Answer:
    """The three legs on one connection; the answer to the last."""
    client = ntlm_client(name, password)
    first = one.ask(http(b"", auth="NTLM " + base64.b64encode(client.step()).decode()))
    assert first.status == 401
    challenge = base64.b64decode((first.header("WWW-Authenticate") or "").removeprefix("NTLM "))
    return one.ask(http(GET_INBOX, auth="NTLM " + base64.b64encode(client.step(challenge)).decode()))


@pytest.fixture
def by_ntlm(world: World) -> World:
    world.ews.challenges = ["NTLM"]
    return world


@pytest.mark.parametrize(
    ("name", "password"), [(ANN, PASSWORD), ("ann", PASSWORD), ("SIM\\ann", PASSWORD), ("robert@sim.test", "hush")]
)
def test_the_handshake_logs_the_connection_in(by_ntlm: World, name: str, password: str) -> None:
    one = connected(by_ntlm)
    assert one.ask(http(GET_INBOX, auth="")).every("WWW-Authenticate") == ["NTLM"]
    assert ntlm(one, name, password).codes == ["NoError"]
    assert one.ask(http(GET_INBOX, auth="")).codes == ["NoError"]
    one.close()
    other = connected(by_ntlm)
    assert other.ask(http(GET_INBOX, auth="")).status == 401
    other.close()


@pytest.mark.parametrize(("name", "password"), [(ANN, "wrong"), ("nobody", PASSWORD), ("SIM\\nobody", "")])
def test_a_wrong_password_is_found_out(by_ntlm: World, name: str, password: str) -> None:
    one = connected(by_ntlm)
    assert ntlm(one, name, password).status == 401
    assert one.ask(http(GET_INBOX, auth="")).status == 401
    assert ntlm(one).codes == ["NoError"]
    one.close()


def test_messages_out_of_their_order(by_ntlm: World) -> None:
    one = connected(by_ntlm)
    client = ntlm_client(ANN, PASSWORD)
    first = one.ask(http(b"", auth="NTLM " + base64.b64encode(client.step()).decode()))
    challenge = base64.b64decode((first.header("WWW-Authenticate") or "").removeprefix("NTLM "))
    last = "NTLM " + base64.b64encode(client.step(challenge)).decode()
    other = connected(by_ntlm)
    assert other.ask(http(GET_INBOX, auth=last)).status == 401, "a handshake belongs to its connection"
    other.close()
    assert one.ask(http(GET_INBOX, auth=last)).status == 200
    assert one.ask(http(GET_INBOX, auth=last)).status == 401, "and is good once"
    assert one.ask(http(GET_INBOX, auth="NTLM " + "A" * 40_000)).status == 401
    one.close()


def test_a_message_that_was_tampered_with(by_ntlm: World) -> None:
    """Each octet of the last message that is not a name in clear counts."""
    refused = 0
    for at in range(0, 400, 7):
        one = connected(by_ntlm)
        client = ntlm_client(ANN, PASSWORD)
        first = one.ask(http(b"", auth="NTLM " + base64.b64encode(client.step()).decode()))
        message = bytearray(client.step(base64.b64decode((first.header("WWW-Authenticate") or "").removeprefix("NTLM "))))
        message[at % len(message)] ^= 0x55
        refused += one.ask(http(GET_INBOX, auth="NTLM " + base64.b64encode(bytes(message)).decode())).status == 401
        one.close()
    assert refused == len(range(0, 400, 7))


def test_requests_ntlm_through_the_mount_and_over_sockets(by_ntlm: World) -> None:
    by_ntlm.ews.challenges = ["NTLM", "Basic"]
    with mounted(by_ntlm) as url:
        for name, password in (("SIM\\ann", PASSWORD), ("bob@sim.test", "hush")):
            with requests.Session() as session:
                session.auth = requests_ntlm.HttpNtlmAuth(name, password, send_cbt=False)
                assert wire.codes(session.post(url, GET_INBOX).content) == ["NoError"]
                assert wire.codes(session.post(url, GET_INBOX).content) == ["NoError"]
    assert {e.account for e in by_ntlm.journal.entries(kind="login", data={"ok": True})} == {ANN, "bob@sim.test"}
    host, port = by_ntlm.listen(ports={"ews": 0}).addresses["ews"]
    with requests.Session() as session:
        session.auth = requests_ntlm.HttpNtlmAuth("SIM\\ann", PASSWORD, send_cbt=False)
        assert wire.codes(session.post(f"http://{host}:{port}{wire.PATH}", GET_INBOX, timeout=10).content) == ["NoError"]
    by_ntlm.settle()


# -- Bearer


@pytest.fixture
def by_token(world: World) -> World:
    world.ews.challenges = ["Bearer"]
    return world


def test_a_token_logs_in(by_token: World) -> None:
    token = by_token.tokens.issue(ANN).access
    assert direct(by_token, GET_INBOX, auth=f"Bearer {token}").status == 200
    assert by_token.journal.entries(kind="login")[0].data == {"ok": True, "way": "Bearer"}
    assert token not in by_token.journal.transcript()


def test_what_is_wrong_with_a_token_is_said(by_token: World) -> None:
    tokens = by_token.tokens
    expired, revoked = tokens.issue(ANN), tokens.issue(ANN)
    tokens.expire(expired.access)
    tokens.revoke(revoked.access)
    for token, category in (
        (expired.access, "token_expired"),
        (revoked.access, "invalid_token"),
        (tokens.issue(ANN, audience="https://elsewhere.test").access, "invalid_resource"),
        (tokens.issue(ANN, scope="SMTP.Send").access, "invalid_grant"),
        ("made-up", "invalid_token"),
        ("", "invalid_token"),
    ):
        answer = direct(by_token, GET_INBOX, auth=f"Bearer {token}")
        headers = dict(answer.headers)
        assert answer.status == 401
        assert 'error="invalid_token"' in headers["WWW-Authenticate"]
        assert f'error_category="{category}"' in headers["x-ms-diagnostics"]


def test_a_token_that_runs_out_between_two_requests(by_token: World) -> None:
    grant = by_token.tokens.issue(ANN, lifetime=60)
    one = connected(by_token)
    assert one.ask(http(GET_INBOX, auth=f"Bearer {grant.access}")).status == 200
    by_token.clock.sleep(61)
    assert one.ask(http(GET_INBOX, auth=f"Bearer {grant.access}")).status == 401
    assert grant.refresh is not None
    again = by_token.tokens.refresh(grant.refresh).access
    assert one.ask(http(GET_INBOX, auth=f"Bearer {again}")).status == 200
    one.close()


# -- as somebody else


def impersonation(kind: str, text: str) -> str:
    return f"<t:ExchangeImpersonation><t:ConnectingSID><t:{kind}>{text}</t:{kind}></t:ConnectingSID></t:ExchangeImpersonation>"


def act_as(world: World, kind: str, text: str, auth: str = wire.BASIC) -> Any:
    return direct(world, envelope(get_folder(), impersonation(kind, text)), auth=auth)


def test_a_service_account_acts_for_others(world: World) -> None:
    world.ews.impersonators = {ANN: {"bob@sim.test"}}
    bob = world.directory.account("bob@sim.test")
    for kind, text in (
        ("PrincipalName", "bob@sim.test"),
        ("PrimarySmtpAddress", "BOB@sim.test"),
        ("SmtpAddress", "robert@sim.test"),
        ("SID", sid_of(bob)),
    ):
        answer = act_as(world, kind, text)
        assert (answer.status, wire.codes(answer.body)) == (200, ["NoError"]), kind
        assert world.journal.replies()[-1].account == "bob@sim.test"


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("SmtpAddress", "bob@sim.test", "ErrorImpersonateUserDenied"),
        ("SmtpAddress", "nobody@sim.test", "ErrorNonExistentMailbox"),
        ("PrincipalName", "nobody", "ErrorNonExistentMailbox"),
        ("SID", "S-1-5-21-1-2-3-4", "ErrorNonExistentMailbox"),
        ("SID", "no sid", "ErrorInvalidExchangeImpersonationHeaderData"),
        ("SmtpAddress", "", "ErrorInvalidExchangeImpersonationHeaderData"),
        ("Nickname", "bob", "ErrorInvalidExchangeImpersonationHeaderData"),
        ("PrimarySmtpAddress", "robert@sim.test", "ErrorNonPrimarySmtpAddress"),
    ],
)
def test_what_is_refused_to_others(world: World, kind: str, text: str, code: str) -> None:
    answer = act_as(world, kind, text)
    assert (answer.status, wire.codes(answer.body)) == (500, [code])


def test_rights_are_for_whom_they_name(world: World) -> None:
    world.add_account("eve@sim.test")
    world.ews.impersonators = {ANN: {"*"}}
    assert act_as(world, "SmtpAddress", "eve@sim.test").status == 200
    assert wire.codes(act_as(world, "SmtpAddress", ANN, basic("bob@sim.test", "hush")).body) == ["ErrorImpersonateUserDenied"]
    assert act_as(world, "SmtpAddress", ANN).status == 200


def test_two_names_or_none_are_malformed(world: World) -> None:
    for inner in ("", "<t:SmtpAddress>a@b.test</t:SmtpAddress><t:SID>S-1</t:SID>"):
        header = f"<t:ExchangeImpersonation><t:ConnectingSID>{inner}</t:ConnectingSID></t:ExchangeImpersonation>"
        answer = direct(world, envelope(get_folder(), header))
        assert wire.codes(answer.body) == ["ErrorInvalidExchangeImpersonationHeaderData"]


def test_an_application_acts_for_whom_it_names(by_token: World) -> None:
    tokens = by_token.tokens
    tokens.register_client("app", "s3cret", accounts=[ANN])
    auth = f"Bearer {tokens.client_credentials('app', 's3cret').access}"
    assert wire.codes(act_as(by_token, "SmtpAddress", ANN, auth).body) == ["NoError"]
    assert by_token.journal.replies()[-1].account == ANN
    assert wire.codes(act_as(by_token, "SmtpAddress", "bob@sim.test", auth).body) == ["ErrorImpersonateUserDenied"]
    assert wire.codes(direct(by_token, GET_INBOX, auth=auth).body) == ["ErrorImpersonationFailed"]
    by_token.clock.sleep(86_400)
    assert act_as(by_token, "SmtpAddress", ANN, auth).status == 401


def test_where_only_tokens_are_taken_a_hint_says_so(world: World) -> None:
    """Section 16: ms-diagnostics-public, by which exchangelib knows that it needs OAuth."""
    world.ews.challenges = ["Bearer"]
    hints = [value for name, value in direct(world, GET_INBOX, auth="").headers if name == "ms-diagnostics-public"]
    assert ["Modern Auth" in one for one in hints] == [True]
    world.ews.challenges = ["Bearer", "Basic"]
    assert "ms-diagnostics-public" not in dict(direct(world, GET_INBOX, auth="").headers)
