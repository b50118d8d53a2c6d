"""HTTP as clients speak it: connections that are kept, bodies of all framings, the probes of DavMail (ews reference 1)."""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Iterator

import pytest
import wire
from wire import BASIC, PATH, Client, connected, envelope, get_folder, http

from postroom_simulator import World

GET_INBOX = envelope(get_folder())


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world


@pytest.fixture(params=["memory", "tcp"])
def client(request: pytest.FixtureRequest, world: World) -> Iterator[Client]:
    if request.param == "memory":
        one = connected(world)
    else:
        one = Client(socket.create_connection(world.listen(ports={"ews": 0}).addresses["ews"], timeout=10))
    yield one
    one.close()
    world.settle()


def test_many_requests_on_one_connection(client: Client, world: World) -> None:
    for _ in range(3):
        answer = client.ask(http(GET_INBOX))
        assert (answer.status, answer.codes) == (200, ["NoError"])
        assert answer.header("Content-Type") == "text/xml; charset=utf-8"
    assert world.journal.count(kind="connected") == 1
    assert world.journal.count(kind="login") == 1


def test_chunked_bodies(client: Client) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    pieces = b"".join(
        b"%x\r\n%s\r\n" % (len(GET_INBOX[at : at + 100]), GET_INBOX[at : at + 100]) for at in range(0, len(GET_INBOX), 100)
    )
    assert client.ask(head + pieces + b"0\r\n\r\n").codes == ["NoError"]
    assert client.ask(http(GET_INBOX)).codes == ["NoError"]


def test_requests_sent_at_once_are_answered_in_their_order(client: Client) -> None:
    client.say(http(envelope(get_folder("inbox", "drafts"))) + http(GET_INBOX, auth="") + http(GET_INBOX))
    assert [len(client.hear().codes), client.hear().status, len(client.hear().codes)] == [2, 401, 1]


def test_a_thousand_at_once_do_not_pile_up(world: World) -> None:
    """Answers wait while they are not taken; all come."""
    one = connected(world)
    one.say(http(GET_INBOX) * 1000)
    assert sum(one.hear().status == 200 for _ in range(1000)) == 1000
    one.close()


def test_the_probe_of_davmail(client: Client) -> None:
    """GET, 401 with a challenge; GET again on the same connection, 200; another spelling of the path."""
    refused = client.ask(http(method="GET", auth="", path="/ews/exchange.asmx"), "GET")
    assert (refused.status, refused.every("WWW-Authenticate")) == (401, ['Basic realm="mail.sim.test"'])
    assert client.ask(http(method="GET", path="/ews/exchange.asmx"), "GET").status == 200
    assert client.ask(http(GET_INBOX, path="/ews/EXCHANGE.ASMX")).codes == ["NoError"]


def test_a_refused_post_is_repeated_on_the_same_connection(client: Client) -> None:
    assert client.ask(http(GET_INBOX, auth="")).status == 401
    assert client.ask(http(GET_INBOX)).codes == ["NoError"]


def test_head_has_no_body(client: Client) -> None:
    assert client.ask(http(method="HEAD"), "HEAD").status == 200
    missing = client.ask(http(method="HEAD", path="/nowhere"), "HEAD")
    assert (missing.status, missing.body) == (404, b"")
    assert client.ask(http(GET_INBOX)).codes == ["NoError"]


@pytest.mark.parametrize(
    ("method", "status"), [("PUT", 405), ("OPTIONS", 405), ("DELETE", 405), ("PROPFIND", 405), ("BREW", 405)]
)
def test_other_methods(client: Client, method: str, status: int) -> None:
    answer = client.ask(http(b"x", method=method), method)
    assert (answer.status, answer.header("Allow")) == (status, "GET, HEAD, POST")
    assert client.ask(http(GET_INBOX)).codes == ["NoError"]


def test_other_paths(client: Client) -> None:
    assert client.ask(http(b"x", path="/EWS/Other.asmx")).status == 404
    assert client.ask(http(GET_INBOX, path=f"http://mail.sim.test{PATH}?a=b")).codes == ["NoError"]


def test_http_1_0(client: Client) -> None:
    """The connection ends behind the answer."""
    client.say(
        f"POST {PATH} HTTP/1.0\r\nAuthorization: {BASIC}\r\nContent-Length: {len(GET_INBOX)}\r\n\r\n".encode() + GET_INBOX
    )
    assert client.hear().codes == ["NoError"]
    assert client.ended()


def test_connection_close_is_meant(client: Client) -> None:
    assert client.ask(http(GET_INBOX, extra="Connection: close\r\n")).codes == ["NoError"]
    assert client.ended()


def test_expect_100_continue(client: Client) -> None:
    whole = http(GET_INBOX, extra="Expect: 100-continue\r\n")
    head, body = whole[: -len(GET_INBOX)], GET_INBOX
    client.say(head)
    assert client.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.say(body)
    assert client.hear().codes == ["NoError"]


def test_other_expectations_fail(client: Client) -> None:
    client.say(http(GET_INBOX, extra="Expect: miracles\r\n"))
    assert client.hear().status == 417
    assert client.ended()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bodies(client: Client, coding: str) -> None:
    body = gzip.compress(GET_INBOX) if coding == "gzip" else zlib.compress(GET_INBOX)
    assert client.ask(http(body, extra=f"Content-Encoding: {coding}\r\n")).codes == ["NoError"]


def test_unknown_codings(client: Client) -> None:
    assert client.ask(http(GET_INBOX, extra="Content-Encoding: br\r\n")).status == 415
    assert client.ended()


def test_the_clients_request_id_comes_back(client: Client) -> None:
    answer = client.ask(http(GET_INBOX, extra="client-request-id: 42-ab\r\nreturn-client-request-id: true\r\n"))
    assert (answer.header("request-id"), answer.header("client-request-id")) == ("42-ab", "42-ab")
    assert client.ask(http(GET_INBOX, extra="client-request-id: 42-ab\r\n")).header("request-id") is None


def test_a_fault_is_status_500_with_a_body_that_begins_as_xml(client: Client) -> None:
    answer = client.ask(http(envelope("<m:NoSuchThing/>")))
    assert (answer.status, answer.codes) == (500, ["ErrorInvalidOperation"])
    assert answer.body.startswith(b"<?xml")
    assert client.ask(http(GET_INBOX)).codes == ["NoError"]


def test_a_client_that_says_nothing_is_let_go(world: World) -> None:
    one = connected(world, timeout=600)
    assert one.ask(http(GET_INBOX)).status == 200
    before = world.clock.monotonic()
    assert one.ended()
    assert world.clock.monotonic() - before == world.ews.idle_limit
    assert world.journal.entries(kind="closed")[-1].detail == "timeout"


def test_more_connections_than_there_may_be(world: World) -> None:
    world.connections.per_address = 1
    one = connected(world)
    two = connected(world)
    answer = two.hear()
    assert (answer.status, answer.header("Retry-After")) == (503, "30")
    assert two.ended()
    assert one.ask(http(GET_INBOX)).status == 200
    one.close()


def test_tls_is_there_from_the_first_octet(world: World) -> None:
    import http.client

    with world.listen(ports={"ewss": 0}) as servers:
        line = http.client.HTTPSConnection(
            "localhost", servers.port("ewss"), context=world.authority.client_context(), timeout=10
        )
        line.request("POST", PATH, GET_INBOX, {"Authorization": BASIC})
        assert wire.codes(line.getresponse().read()) == ["NoError"]
        line.close()
        world.settle()
