"""Negotiate (SPNEGO around NTLM) with a real client, logins bound to their TLS connection, and requests in somebody's name (ews reference 2, 16)."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_ntlm
import spnego
import spnego.channel_bindings
import wire
from spnego._spnego import NegState, NegTokenInit, NegTokenResp, unpack_token
from wire import ANN, BASIC, PASSWORD, connected, direct, envelope, get_folder, http

from postroom_simulator import World
from postroom_simulator.ews.identity import LOCKED, sid_of
from postroom_simulator.ews.ntlm import Acceptor, bindings_of

__all__ = ["world"]

GET_INBOX = envelope(get_folder())


@pytest.fixture
def world() -> Iterator[World]:
    with World(hostname="mail.sim.test") as made:
        made.add_account(ANN, PASSWORD)
        made.add_account("bob@sim.test", "hush")
        made.ews.challenges = ["Negotiate"]
        yield made


def said(answer: wire.Answer, mechanism: str = "Negotiate") -> bytes:
    return base64.b64decode((answer.header("WWW-Authenticate") or "").removeprefix(mechanism).strip())


def ask(one: Any, token: bytes, mechanism: str = "Negotiate") -> wire.Answer:
    return one.ask(http(GET_INBOX, auth=f"{mechanism} {base64.b64encode(token).decode()}"))  # type: ignore[no-any-return]


def client_of(name: str = ANN, password: str = PASSWORD, **how: Any) -> Any:
    how.setdefault("protocol", "negotiate")
    return spnego.client(name, password, hostname="mail.sim.test", service="http", **how)


def test_the_handshake_in_its_wrapping(world: World) -> None:
    """Section 16: several legs on one connection; the last token comes with the answer, and proves that the list of mechanisms is the client's."""
    one = connected(world)
    assert one.ask(http(GET_INBOX, auth="")).every("WWW-Authenticate") == ["Negotiate"]
    client = client_of()
    answer, token = None, client.step()
    assert isinstance(unpack_token(token), NegTokenInit)
    for _ in range(4):
        answer = ask(one, token)
        if answer.status != 401:
            break
        token = client.step(said(answer))
    assert answer is not None
    assert answer.codes == ["NoError"]
    client.step(said(answer))
    assert client.complete
    assert one.ask(http(GET_INBOX, auth="")).codes == ["NoError"]
    one.close()
    (login,) = world.journal.entries(kind="login", data={"ok": True})
    assert (login.account, "Negotiate" in str(login.data)) == (ANN, True)


@pytest.mark.parametrize(("name", "password"), [(ANN, "wrong"), ("nobody", PASSWORD)])
def test_wrong_credentials(world: World, name: str, password: str) -> None:
    one = connected(world)
    client = client_of(name, password)
    token = client.step()
    for _ in range(3):
        answer = ask(one, token)
        if not said(answer):
            break
        token = client.step(said(answer))
    assert answer.status == 401
    assert answer.every("WWW-Authenticate") == ["Negotiate"]
    one.close()


def test_a_locked_account(world: World) -> None:
    """Section 16: the text of a locked account in the body."""
    world.ews.lockouts.lock(ANN)
    one = connected(world)
    client = client_of(protocol="ntlm")
    answer = ask(one, client.step(said(ask(one, client.step()))))
    assert (answer.status, LOCKED.encode() in answer.body) == (401, True)
    one.close()


def test_bare_ntlm_is_taken(world: World) -> None:
    one = connected(world)
    client = spnego.client(ANN, PASSWORD, protocol="ntlm", hostname="mail.sim.test", service="http")
    assert ask(one, client.step(said(ask(one, client.step())))).codes == ["NoError"]
    one.close()


def test_kerberos_alone_is_rejected_and_kerberos_first_goes_on_with_ntlm(world: World) -> None:
    """RFC 4178 §4.2.2, §5: reject, or request-mic with the mechanism that both have."""
    kerberos, ntlm = "1.2.840.113554.1.2.2", "1.3.6.1.4.1.311.2.2.10"
    one = connected(world)
    refused = unpack_token(said(ask(one, NegTokenInit([kerberos], mech_token=b"ticket").pack())))
    assert isinstance(refused, NegTokenResp)
    assert refused.neg_state is NegState.reject
    chosen = unpack_token(said(ask(one, NegTokenInit([kerberos, ntlm], mech_token=b"ticket").pack())))
    assert isinstance(chosen, NegTokenResp)
    assert (chosen.neg_state, chosen.supported_mech, chosen.response_token) == (NegState.request_mic, ntlm, None)
    client = spnego.client(ANN, PASSWORD, protocol="ntlm", hostname="mail.sim.test", service="http")
    challenge = unpack_token(said(ask(one, NegTokenResp(response_token=client.step()).pack())))
    assert isinstance(challenge, NegTokenResp)
    assert challenge.supported_mech is None
    last = NegTokenResp(response_token=client.step(challenge.response_token)).pack()
    assert ask(one, last).status == 401, "without a check of the list, which was not the client's first choice"
    one.close()


def test_a_list_of_mechanisms_that_was_changed(world: World) -> None:
    one = connected(world)
    client = client_of()
    token = unpack_token(client.step())
    assert isinstance(token, NegTokenInit)
    token.mech_types = [*token.mech_types, "1.2.3.4"]
    answer, octets = None, token.pack()
    for _ in range(4):
        answer = ask(one, octets)
        found = unpack_token(said(answer)) if said(answer) else None
        if answer.status != 401 or not isinstance(found, NegTokenResp) or found.neg_state is NegState.reject:
            break
        octets = client.step(said(answer))
    assert answer is not None
    assert answer.status == 401
    one.close()


@pytest.mark.parametrize("token", [b"", b"nonsense", b"\x60\x03abc", b"\xa1\x00", b"\xa1\x82\xff\xff", b"NTLMSSP\0\x03\0\0\0"])
def test_tokens_that_are_none(world: World, token: bytes) -> None:
    one = connected(world)
    assert ask(one, token).status == 401
    assert ask(one, client_of(protocol="ntlm").step()).status == 401
    one.close()


# -- bound to TLS


@pytest.mark.parametrize(
    ("setting", "sends", "status"),
    [
        ("off", False, 200),
        ("off", True, 200),
        ("allow", False, 200),
        ("allow", True, 200),
        ("require", False, 401),
        ("require", True, 200),
    ],
)
def test_logins_are_bound_to_their_connection(world: World, setting: Any, sends: bool, status: int, tmp_path: Path) -> None:
    """A real client over TLS: what it says of the channel is looked at as the setting has it (RFC 5929 §4)."""
    world.ews.challenges, world.ews.extended_protection = ["NTLM"], setting
    host, port = world.listen(ports={"ewss": 0}).addresses["ewss"]
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(world.authority.write(tmp_path / "authority.pem"))
        session.auth = requests_ntlm.HttpNtlmAuth(ANN, PASSWORD, send_cbt=sends)
        answer = session.post(f"https://localhost:{port}{wire.PATH}", GET_INBOX, timeout=10)
        answer.close()
    assert (host, answer.status_code) == ("127.0.0.1", status)


def test_a_login_bound_to_another_connection(world: World) -> None:
    """Somebody in the middle shows another certificate: the client's binding is of that one."""
    account = world.directory.account(ANN)
    right = world.authority.certificate()
    assert ssl.DER_cert_to_PEM_cert(right).startswith("-----BEGIN CERTIFICATE-----")
    for shown, good in ((right, True), (b"another certificate", False)):
        data = b"tls-server-end-point:" + hashlib.sha256(shown).digest()
        bound = spnego.channel_bindings.GssChannelBindings(application_data=data)
        client = spnego.client(ANN, PASSWORD, protocol="ntlm", hostname="mail.sim.test", service="http", channel_bindings=bound)
        acceptor = Acceptor(world, bindings_of(right))
        assert acceptor.check(client.step(acceptor.challenge(client.step())), account) is good


def test_where_bindings_are_required_there_is_no_login_without_tls(world: World) -> None:
    world.ews.extended_protection = "require"
    one = connected(world)
    client = client_of(protocol="ntlm")
    assert ask(one, client.step(said(ask(one, client.step())))).status == 401
    one.close()


# -- headers that change who asks


def context(sid: str = "", address: str = "") -> str:
    inner = f"<t:UserSid>{sid}</t:UserSid><t:GroupSids/>" + (
        f"<t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress>" if address else ""
    )
    return f"<t:SerializedSecurityContext>{inner}</t:SerializedSecurityContext>"


def as_told(world: World, header: str) -> Any:
    world.ews.challenges = ["Basic"]
    return direct(world, envelope(get_folder(), header), auth=BASIC)


def test_a_trusted_server_hands_in_a_security_context(world: World) -> None:
    """Section 2, 16; MS-OXWSCDATA 2.2.3.17."""
    bob = world.directory.account("bob@sim.test")
    assert wire.codes(as_told(world, context(sid_of(bob))).body) == ["ErrorTokenSerializationDenied"]
    world.ews.serializers.add(ANN)
    for header in (context(sid_of(bob)), context(sid_of(bob), "bob@sim.test")):
        assert wire.codes(as_told(world, header).body) == ["NoError"]
        assert world.journal.replies()[-1].account == "bob@sim.test"


def test_contexts_that_are_none(world: World) -> None:
    world.ews.serializers.add(ANN)
    bob = sid_of(world.directory.account("bob@sim.test"))
    both = "<t:ExchangeImpersonation><t:ConnectingSID><t:SmtpAddress>bob@sim.test</t:SmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>"
    for header, code in (
        (context("nonsense"), "ErrorInvalidSerializedAccessToken"),
        (context("S-1-5-21-9-9-9-9"), "ErrorNonExistentMailbox"),
        (context(bob, ANN), "ErrorInvalidSerializedAccessToken"),
        (context(bob) + both, "ErrorMoreThanOneAccessModeSpecified"),
    ):
        assert wire.codes(as_told(world, header).body) == [code]


def test_roles_are_held_by_whom_they_were_given(world: World) -> None:
    """Section 2: ManagementRole."""

    def role(name: str) -> str:
        inner = f"<t:UserRoles><t:Role>{name}</t:Role></t:UserRoles>" if name else ""
        return f"<t:ManagementRole>{inner}</t:ManagementRole>"

    assert wire.codes(as_told(world, role("MailboxSearch")).body) == ["ErrorAccessDenied"]
    world.ews.roles[ANN.upper()] = {"MailboxSearch"}
    assert wire.codes(as_told(world, role("MailboxSearch")).body) == ["NoError"]
    for broken in ("", "Emperor"):
        assert wire.codes(as_told(world, role(broken)).body) == ["ErrorInvalidManagementRoleHeader"]
