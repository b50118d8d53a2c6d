"""HTTP for providers over a connection that is kept: one for many requests, replaced when the server ended it, never repeating what may not be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postroom.errors import ConnectionFailed, ProtocolError
from postroom.providers.web import Client, Url, request
from postroom.testing.memory import WorldConnector
from postroom_simulator import World
from postroom_simulator.faults import Drop, When
from postroom_simulator.journal import Kind
from postroom_simulator.web.values import Request, Response


@pytest.fixture
def world() -> Iterator[World]:
    with World(hostname="web.sim.test") as world:
        world.http.publish("/a", b"one")
        world.http.publish("/b", b"x" * 1000)
        yield world


def asked(client: Client, world: World, path: str, method: str = "GET", limit: int = 2000, body: bytes | None = None) -> bytes:
    return request(client, Url.parse(world.http.url(path)), timeout=30.0, limit=limit, method=method, body=body).body


def connections(world: World) -> int:
    return sum(entry.kind is Kind.CONNECTED for entry in world.journal)


def test_many_requests_share_a_connection(world: World) -> None:
    client = Client(WorldConnector(world))
    assert [asked(client, world, path) for path in ("/a", "/b", "/nothing", "/a")][::3] == [b"one", b"one"]
    assert connections(world) == 1
    assert client.connected
    client.close()
    client.close()
    assert not client.connected


def test_without_a_client_each_has_its_own(world: World) -> None:
    for _ in range(2):
        assert request(WorldConnector(world), Url.parse(world.http.url("/a")), timeout=30.0, limit=100).body == b"one"
    assert connections(world) == 2


def test_what_a_server_ended_is_replaced(world: World) -> None:
    client = Client(WorldConnector(world))
    asked(client, world, "/a")
    world.clock.advance(world.http.idle_limit + 1)
    assert asked(client, world, "/a") == b"one"
    assert connections(world) == 2


def test_a_request_that_may_not_be_repeated_is_not(world: World) -> None:
    world.http.collect("/in")
    client = Client(WorldConnector(world))
    asked(client, world, "/a")
    world.faults.add(When("http", "POST"), Drop("rst"))
    with pytest.raises(ConnectionFailed):
        asked(client, world, "/in", "POST", body=b"mail")
    assert connections(world) == 1
    assert not client.connected


def test_a_server_that_always_hangs_up_is_asked_twice_and_no_more(world: World) -> None:
    client = Client(WorldConnector(world))
    asked(client, world, "/a")
    world.faults.add(When("http", "GET"), Drop("rst"))
    with pytest.raises(ConnectionFailed):
        asked(client, world, "/a")
    assert connections(world) == 2


def test_each_answer_is_bounded_by_itself(world: World) -> None:
    client = Client(WorldConnector(world))
    for _ in range(5):
        assert len(asked(client, world, "/b", limit=1000)) == 1000
    with pytest.raises(ProtocolError, match="more than 999 octets"):
        asked(client, world, "/b", limit=999)
    assert not client.connected


def test_a_server_that_says_close_is_believed(world: World) -> None:
    world.http.handle("/last", lambda _: Response(200, [("Connection", "close")], b"last"))
    client = Client(WorldConnector(world))
    assert asked(client, world, "/last") == b"last"
    assert not client.connected
    assert asked(client, world, "/a") == b"one"


def test_another_server_is_another_connection(world: World) -> None:
    client = Client(WorldConnector(world))
    asked(client, world, "/a")
    url = Url.parse(world.http.url("/a", tls=True))
    assert request(client, url, timeout=30.0, limit=100).body == b"one"
    assert connections(world) == 2


def test_an_empty_answer_and_one_without_a_body(world: World) -> None:
    def answer(asked: Request) -> Response:
        return Response(204) if asked.method == "DELETE" else Response(200, [], b"")

    world.http.handle("/none", answer)
    client = Client(WorldConnector(world))
    assert [asked(client, world, "/none", method) for method in ("DELETE", "GET", "HEAD")] == [b"", b"", b""]
    assert connections(world) == 1
