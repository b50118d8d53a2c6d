"""TLS troubles by name: what each client says of each, that nobody goes on in the clear, and where a trouble can be set."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import tls_clients
from tls_clients import ANN, PASSWORD, Site

from postroom_simulator.errors import FaultError
from postroom_simulator.fault_rules import BEFORE_THE_HANDSHAKE, TLS_TROUBLES, UPGRADES_ONLY
from postroom_simulator.faults import Cut, Fault, TlsTrouble, When
from postroom_simulator.journal import Kind
from postroom_simulator.net.memory import wrap_tls
from postroom_simulator.world import World

SERVICES = ("pop3", "pop3s", "submission", "smtps")
UNTRUSTED = {"python": "certificate", "engine": "TlsError certificate", "curl": "60", "fetchmail": "2 certificate"}
NO_TLS = {"python": "tls", "engine": "TlsError tls", "curl": "35", "fetchmail": "2"}
LOST = {"python": "lost", "engine": "ConnectionFailed", "curl": "35", "fetchmail": "2"}

CLIENTS_SAY: Mapping[str, Mapping[str, str]] = {
    "expired": UNTRUSTED,
    "not-yet-valid": UNTRUSTED,
    "wrong-name": UNTRUSTED,
    "self-signed": UNTRUSTED,
    "unknown-ca": UNTRUSTED,
    "weak-key": UNTRUSTED,
    "broken-chain": UNTRUSTED,
    "old-versions": NO_TLS,
    "cut-after-client-hello": LOST,
    "cut-in-server-hello": LOST,
    "cut-after-server-hello": LOST,
    "cut-before-finished": LOST,
    "cut-after-finished": {**LOST, "curl": "56"},  # with TLS 1.3 the client's side was done
    "plain-text": NO_TLS,
    "garbage": NO_TLS,
    # It is refused for now, and says so: whoever tries later may have it.
    "refused": {"python": "refused", "engine": "TransientError SYS/TEMP", "curl": "64", "fetchmail": "2"},
    "stripped": {"python": "not-offered", "engine": "TlsError not-offered", "curl": "64", "fetchmail": "2"},
    # The standard library throws away what it had read; curl and the engine see that somebody was there.
    "injected": {"python": "ok", "engine": "TlsError plaintext", "curl": "8", "fetchmail": "2"},
}
"""Trouble, client, and what it says: exit codes of the programs, words of `tls_clients.in_a_word`, the engine's error and code."""


def expected(trouble: str, client: str, service: str) -> str:
    if trouble in UPGRADES_ONLY and service.endswith("s"):
        return "ok"
    if (trouble, client, service) == ("refused", "engine", "submission"):
        return "TransientError 454"
    return CLIENTS_SAY[trouble][client]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home: Path = tmp_path_factory.mktemp("tls")
    with World(seed=1) as world:
        world.add_account(ANN, PASSWORD)
        yield Site(world, world.listen(), world.authority.write(home / "ca.pem"), home)


@pytest.fixture
def troubled(site: Site) -> Iterator[Site]:
    """Whatever was set is taken away after the test."""
    yield site
    site.world.tls = None
    site.world.faults.clear()
    site.world.settle()


def test_the_table_has_every_trouble() -> None:
    assert set(CLIENTS_SAY) == set(TLS_TROUBLES)


def spoken(world: World, since: int) -> list[str]:
    """What clients said and proved, and where TLS began, of the entries that came since."""
    world.settle()
    entries = list(world.journal)[since:]
    return [e.verb or e.kind.value for e in entries if e.kind in (Kind.COMMAND, Kind.LOGIN) or e.detail == "established"]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("trouble", TLS_TROUBLES)
def test_what_a_client_says_and_that_it_does_not_go_on(troubled: Site, program: Any, trouble: str, service: str) -> None:
    world = troubled.world
    world.tls = TlsTrouble(trouble)
    clients = {
        "python": lambda: tls_clients.python(troubled, service),
        "engine": lambda: tls_clients.engine(troubled, service),
        "memory": lambda: tls_clients.memory(troubled, service),
        "curl": lambda: tls_clients.curl(troubled, service, program("curl")),
    }
    if service.startswith("pop3"):
        clients["fetchmail"] = lambda: tls_clients.fetchmail(troubled, service, program("fetchmail"))
    for name, call in clients.items():
        since = len(world.journal)
        wanted = expected(trouble, "engine" if name == "memory" else name, service)
        assert (name, call()) == (name, wanted)
        said = spoken(world, since)
        if wanted == "ok":
            assert "tls" in said
            assert "login" in said
        else:
            assert not {"USER", "PASS", "AUTH", "MAIL", "login"} & set(said), f"{name} goes on: {said}"


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_trouble_all_are_content(troubled: Site, program: Any, service: str) -> None:
    assert tls_clients.python(troubled, service) == "ok"
    assert tls_clients.engine(troubled, service) == "ok"
    assert tls_clients.memory(troubled, service) == "ok"
    assert tls_clients.curl(troubled, service, program("curl")) == "ok"
    if service.startswith("pop3"):
        assert tls_clients.fetchmail(troubled, service, program("fetchmail")) == "ok"


# -- the certificates themselves


def handshake(world: World, context: ssl.SSLContext, name: str = "mail.sim.test") -> Any:
    return wrap_tls(world.connect("pop3s", timeout=30), context, name)


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        ("wrong-name", "Hostname mismatch"),
        ("self-signed", "self-signed certificate"),
        ("unknown-ca", "unable to get local issuer certificate"),
        ("weak-key", "EE certificate key too weak"),
        ("broken-chain", "unable to get local issuer certificate"),
    ],
)
def test_openssl_names_the_trouble(troubled: Site, trouble: str, text: str) -> None:
    troubled.world.tls = TlsTrouble(trouble)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        handshake(troubled.world, troubled.trust())
    assert text.replace("-", " ") in caught.value.verify_message.replace("-", " ")


@pytest.mark.parametrize("trouble", ["wrong-name", "self-signed", "unknown-ca", "weak-key", "broken-chain", "expired"])
def test_who_does_not_care_gets_in(troubled: Site, trouble: str) -> None:
    """So it is this one thing that is wrong."""
    troubled.world.tls = TlsTrouble(trouble)
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    careless.set_ciphers("DEFAULT:@SECLEVEL=0")
    with handshake(troubled.world, careless) as sock:
        assert sock.recv(100).startswith(b"+OK")


def test_a_weak_key_is_all_that_is_wrong(troubled: Site) -> None:
    troubled.world.tls = TlsTrouble("weak-key")
    context = troubled.trust()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with handshake(troubled.world, context) as sock:
        assert sock.recv(100).startswith(b"+OK")


def test_old_versions_can_be_spoken(troubled: Site) -> None:
    troubled.world.tls = TlsTrouble("old-versions")
    context = troubled.trust()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    with handshake(troubled.world, context) as sock:
        assert sock.version() == "TLSv1.1"


def test_contexts_are_made_once_for_each_trouble(troubled: Site) -> None:
    assert troubled.world.authority.server_context("broken-chain") is troubled.world.authority.server_context("broken-chain")
    assert troubled.world.authority.server_context("expired") is not troubled.world.authority.server_context()
    assert troubled.world.authority.server_context("stripped") is troubled.world.authority.server_context()


# -- the steps of a handshake


def server_octets(world: World, trouble: TlsTrouble | None) -> bytes:
    """What the server says until it ends or waits, to a client hello that is the same each time in shape."""
    world.tls = trouble
    sock = world.connect("pop3s", timeout=1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = world.authority.client_context().wrap_bio(incoming, outgoing, server_hostname="mail.sim.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    sock.sendall(outgoing.read())
    said = b""
    try:
        while piece := sock.recv(65536):
            said += piece
    except TimeoutError:
        pass
    sock.close()
    world.settle()
    return said


def records(octets: bytes) -> list[bytes]:
    found = []
    while octets:
        size = 5 + int.from_bytes(octets[3:5], "big")
        found.append(octets[:size])
        octets = octets[size:]
    return found


def test_cuts_lie_between_records(troubled: Site) -> None:
    world = troubled.world
    whole = [len(record) for record in records(server_octets(world, None))]
    assert len(whole) > 2
    says = {name: server_octets(world, TlsTrouble(name)) for name in TLS_TROUBLES if name.startswith("cut-")}
    assert says["cut-after-client-hello"] == b""
    assert len(says["cut-in-server-hello"]) == whole[0] // 2
    assert [len(record) for record in records(says["cut-after-server-hello"])] == whole[:1]
    assert len(records(says["cut-before-finished"])) == len(whole) - 1
    assert len(records(says["cut-after-finished"])) == len(whole)


@pytest.mark.parametrize("trouble", [name for name in TLS_TROUBLES if name.startswith("cut-")])
def test_cuts_of_an_older_handshake(troubled: Site, trouble: str) -> None:
    """With TLS 1.2 the server's first flight ends earlier, so the client is never done."""
    troubled.world.tls = TlsTrouble(trouble)
    context = troubled.trust()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLEOFError):
        handshake(troubled.world, context)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_cut_ends_as_wanted(troubled: Site, how: Any) -> None:
    troubled.world.tls = TlsTrouble("cut-before-finished", how)
    with pytest.raises(ConnectionResetError if how == "rst" else ssl.SSLEOFError):
        handshake(troubled.world, troubled.trust())


# -- where a trouble can be set


def test_one_service_only(troubled: Site) -> None:
    troubled.world.tls = {"pop3s": TlsTrouble("expired"), "submission": TlsTrouble("stripped")}
    assert [tls_clients.memory(troubled, service) for service in SERVICES] == [
        "ok",
        "TlsError certificate",
        "TlsError not-offered",
        "ok",
    ]
    troubled.world.tls = None
    assert tls_clients.memory(troubled, "pop3s") == "ok"


def test_a_trouble_of_upgrades_leaves_implicit_services_out(troubled: Site) -> None:
    troubled.world.tls = TlsTrouble("stripped")
    assert set(troubled.world.tls) == {"pop3", "smtp", "submission"}


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (TlsTrouble("exipred"), 'Did you mean "expired"?'),
        ({"pop": TlsTrouble("expired")}, 'Did you mean "pop3"?'),
        ({"pop3s": TlsTrouble("stripped")}, "here TLS is implicit"),
        ({"pop3": TlsTrouble("expired", "rst")}, "cuts no handshake"),
        (TlsTrouble("cut-after-finished", "now"), '"fin" or "rst"'),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_set(site: Site, setting: Any, reason: str) -> None:
    with pytest.raises(FaultError) as caught:
        site.world.tls = setting
    assert reason in str(caught.value)
    assert site.world.tls == {}


@pytest.mark.parametrize("at", ["connect", "tls"])
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("trouble", TLS_TROUBLES)
def test_as_a_fault_for_the_first_time_only(troubled: Site, at: str, service: str, trouble: str) -> None:
    world = troubled.world
    if at == "tls" and trouble in BEFORE_THE_HANDSHAKE:
        with pytest.raises(FaultError):
            world.faults.add(Fault(When(at=at), TlsTrouble(trouble)))
        return
    fault = world.faults.add(Fault(When(at=at, nth=1), TlsTrouble(trouble)))
    since = len(world.journal)
    assert tls_clients.memory(troubled, service) == expected(trouble, "engine", service)
    assert tls_clients.memory(troubled, service) == "ok"
    world.settle()
    assert world.faults.counts == {fault.name: 1}
    assert next(e.detail for e in list(world.journal)[since:] if e.kind is Kind.FAULT) == fault.name


def test_a_fault_goes_before_what_is_set(troubled: Site) -> None:
    troubled.world.tls = TlsTrouble("expired")
    troubled.world.faults.add(When(at="tls", nth=1), TlsTrouble("old-versions"))
    assert tls_clients.memory(troubled, "pop3s") == "TlsError tls"
    assert tls_clients.memory(troubled, "pop3s") == "TlsError certificate"
    troubled.world.faults.clear()
    troubled.world.faults.add(When(at="tls"), Cut(10))
    assert tls_clients.memory(troubled, "pop3s") == "ConnectionFailed"


@pytest.mark.parametrize("service", ["pop3", "submission"])
def test_what_is_injected_is_never_taken_for_an_answer(troubled: Site, service: str) -> None:
    """A client that does not look goes on, and hears the server's own answers only."""
    troubled.world.tls = TlsTrouble("injected")
    assert tls_clients.python(troubled, service) == "ok"


@pytest.mark.parametrize("service", ["pop3s", "smtps"])
def test_a_service_in_the_clear_can_be_used_in_the_clear(troubled: Site, service: str) -> None:
    troubled.world.tls = TlsTrouble("plain-text")
    with troubled.world.connect(service, timeout=5) as sock:
        assert sock.recv(100)[:3] in (b"+OK", b"220")
        sock.sendall(b"QUIT\r\n")
        assert sock.recv(100)[:3] in (b"+OK", b"221")


def test_troubles_are_journalled_alike_on_both_transports(troubled: Site) -> None:
    world = troubled.world
    for trouble in TLS_TROUBLES:
        for service in SERVICES:
            seen = []
            for call in (tls_clients.memory, tls_clients.engine):
                world.tls = TlsTrouble(trouble)
                since = len(world.journal)
                call(troubled, service)
                world.settle()
                entries = list(world.journal)[since:]
                seen.append([(e.kind, e.verb, e.detail) for e in entries if e.kind not in (Kind.COMMAND, Kind.REPLY)])
            assert seen[0] == seen[1], (trouble, service)
            assert (trouble in UPGRADES_ONLY and service.endswith("s")) or any(kind is Kind.FAULT for kind, _, _ in seen[0])
