"""exchangelib finds the server: by the domain of an address, and from what it remembers."""

from __future__ import annotations

import pytest
from exchangelib import BASIC, DELEGATE, Account, Configuration, Credentials, autodiscover, discover
from exchangelib.autodiscover import AutodiscoverProtocol, Autodiscovery, autodiscover_cache
from exchangelib.errors import AutoDiscoverFailed
from exchangelib.protocol import Protocol
from exchangelib_scene import ANN, PASSWORD, over_sockets

from postroom_simulator import World
from postroom_simulator.ews.mount import mounted


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """A world that is all of sim.test; DNS, which tests have not, knows every name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(autodiscover.cache, "shelve_filename", lambda: "postroom-test-cache")
    monkeypatch.setattr(Autodiscovery, "_ensure_valid_hostname", lambda *_: None)
    monkeypatch.setattr(Autodiscovery, "_get_srv_records", lambda *_: [])
    with World(hostname="sim.test") as world:
        world.add_account(ANN, PASSWORD, name="Ann Alder")
        autodiscover_cache.clear()
        yield world
        autodiscover_cache.clear()
        Protocol.clear_cache()


def test_it_finds_the_server_by_its_domain(world):
    with mounted(world):
        answer, protocol = discover(ANN, credentials=Credentials(ANN, PASSWORD))
        assert answer.autodiscover_smtp_address == ANN
        assert protocol.service_endpoint.lower() == "https://sim.test/ews/exchange.asmx"
        ann = Account(ANN, credentials=Credentials(ANN, PASSWORD), autodiscover=True, access_type=DELEGATE)
        assert ann.inbox.total_count == 0


def test_an_alias_leads_to_the_address(world):
    world.change_addresses(ANN, aliases=["ann.alder@sim.test"])
    with mounted(world):
        alias = Account("ann.alder@sim.test", credentials=Credentials(ANN, PASSWORD), autodiscover=True, access_type=DELEGATE)
        assert alias.primary_smtp_address == ANN


def test_a_domain_without_a_server(world):
    with mounted(world), pytest.raises(AutoDiscoverFailed):
        discover("somebody@elsewhere.test", credentials=Credentials(ANN, PASSWORD))


@over_sockets
def test_it_finds_the_server_by_its_certificate(exchange, monkeypatch, tmp_path):
    world = exchange.world
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.authority.write(tmp_path / "authority.pem")))
    port = world.listen(ports={"ewss": 0}).port("ewss")
    credentials = Credentials(ANN, PASSWORD)
    there = Configuration(
        service_endpoint=f"https://localhost:{port}/autodiscover/autodiscover.svc", credentials=credentials, auth_type=BASIC
    )
    finder = Autodiscovery(email=ANN, credentials=credentials)
    answer = finder._quick(protocol=AutodiscoverProtocol(config=there))
    assert answer.autodiscover_smtp_address == ANN
    assert answer.ews_url.lower() == f"https://localhost:{port}/ews/exchange.asmx"
    found = Configuration(service_endpoint=answer.ews_url, credentials=credentials, auth_type=BASIC)
    assert Account(ANN, config=found, autodiscover=False, access_type=DELEGATE).inbox.total_count == 0
