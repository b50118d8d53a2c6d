"""Troubles with TLS on the HTTPS endpoint: nobody who insists on TLS gets an answer in the clear (docs/faults.md)."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator

import pytest
import wire
from wire import envelope, get_folder
from wire import http as http_request

from postroom_simulator import World
from postroom_simulator.errors import FaultError
from postroom_simulator.fault_rules import TLS_TROUBLES, UPGRADES_ONLY
from postroom_simulator.faults import TlsTrouble, When
from postroom_simulator.net.memory import wrap_tls

GET_INBOX = envelope(get_folder())
CERTIFICATE = {"expired", "not-yet-valid", "wrong-name", "self-signed", "unknown-ca", "weak-key", "broken-chain"}
TROUBLES = [name for name in TLS_TROUBLES if name not in UPGRADES_ONLY]


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world


def over_tcp(world: World, port: int) -> bytes:
    line = http.client.HTTPSConnection("localhost", port, context=world.authority.client_context(), timeout=10)
    try:
        line.request("POST", wire.PATH, GET_INBOX, {"Authorization": wire.BASIC})
        return line.getresponse().read()
    finally:
        line.close()


def in_memory(world: World) -> bytes:
    sock = world.connect("ewss", timeout=30)
    line = wire.Client(wrap_tls(sock, world.authority.client_context(), "localhost"))
    try:
        return line.ask(http_request(GET_INBOX)).body
    finally:
        line.close()


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_is_one(world: World, name: str) -> None:
    world.tls = {"ewss": TlsTrouble(name)}
    wanted = ssl.SSLCertVerificationError if name in CERTIFICATE else (ssl.SSLError, ConnectionError, EOFError)
    with pytest.raises(wanted):
        in_memory(world)
    with world.listen(ports={"ewss": 0}) as servers:
        with pytest.raises(wanted):
            over_tcp(world, servers.port("ewss"))
        world.tls = None
        assert wire.codes(over_tcp(world, servers.port("ewss"))) == ["NoError"]
        world.settle()
    assert wire.codes(in_memory(world)) == ["NoError"]


def test_a_trouble_with_one_handshake(world: World) -> None:
    world.faults.add(When("ews", "tls", nth=1), TlsTrouble("expired"))
    with pytest.raises(ssl.SSLCertVerificationError):
        in_memory(world)
    assert wire.codes(in_memory(world)) == ["NoError"]


def test_what_has_no_tls_has_no_trouble_with_it(world: World) -> None:
    world.tls = TlsTrouble("expired")
    assert "ews" not in world.tls
    assert "ewss" in world.tls
    one = wire.connected(world)
    assert one.ask(http_request(GET_INBOX)).codes == ["NoError"]
    one.close()
    with pytest.raises(FaultError, match='"ews" has no TLS; "ewss" has'):
        world.tls = {"ews": TlsTrouble("expired")}


def test_the_journal_tells_of_the_handshake(world: World) -> None:
    in_memory(world)
    told = [str(entry.kind) for entry in world.journal]
    assert told[:3] == ["connected", "tls", "login"]
    assert world.journal.entries(kind="connected")[0].data == {"service": "ewss"}


def test_urls_in_answers_say_https(world: World) -> None:
    sock = world.connect("ewss", timeout=30)
    line = wire.Client(wrap_tls(sock, world.authority.client_context(), "localhost"))
    answer = line.ask(http_request(method="GET", path="/EWS/Services.wsdl"), "GET")
    assert b'location="https://mail.sim.test/EWS/Exchange.asmx"' in answer.body
    line.close()
