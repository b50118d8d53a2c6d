"""The pages of a world, in memory and over TCP: validators, redirections, log-ins, what is posted, the journal."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from postroom_simulator import World
from postroom_simulator.errors import FaultError, WorldError
from postroom_simulator.faults import Reply, Stall, When
from postroom_simulator.web.feeds import Entry
from postroom_simulator.web.values import Request, Response

Opener = Callable[[World], http.client.HTTPConnection]


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        made.add_account("ada@sim.test", "s3cret")
        yield made


def in_memory(world: World) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("localhost")
    sock: Any = world.connect("http", timeout=20.0)
    connection.sock = sock
    return connection


def over_tcp(world: World) -> http.client.HTTPConnection:
    host, port = world.listen(ports={"http": 0}).addresses["http"]
    return http.client.HTTPConnection(host, port, timeout=10)


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None, **fields: str) -> Any:
    connection.request(method, path, body, {name.replace("_", "-"): text for name, text in fields.items()})
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


@pytest.mark.parametrize("opened", [in_memory, over_tcp])
def test_a_page_says_by_what_it_is_known_again(world: World, opened: Opener) -> None:
    world.http.publish("/a", b"some text", content_type="text/plain")
    connection = opened(world)
    status, headers, body = ask(connection, "GET", "/a?x=1")
    assert (status, headers["Content-Type"], body) == (200, "text/plain", b"some text")
    assert ask(connection, "GET", "/a", If_None_Match=headers["ETag"])[0] == 304
    assert ask(connection, "GET", "/a", If_None_Match='"other", ' + headers["ETag"])[0] == 304
    assert ask(connection, "GET", "/a", If_None_Match='"other"', If_Modified_Since=headers["Last-Modified"])[0] == 200
    assert ask(connection, "GET", "/a", If_Modified_Since=headers["Last-Modified"])[0] == 304
    assert ask(connection, "GET", "/a", If_Modified_Since="yesterday")[0] == 200
    status, headers, body = ask(connection, "HEAD", "/a")
    assert (status, headers["Content-Length"], body) == (200, "9", b"")
    assert ask(connection, "GET", "/A")[0] == 404
    assert ask(connection, "POST", "/a", b"x")[0] == 405
    world.clock.advance(60)  # type: ignore[attr-defined]
    assert world.http.publish("/a", b"some text", content_type="text/plain").etag == headers["ETag"]
    world.http.publish("/a", b"other text")
    assert ask(connection, "GET", "/a", If_None_Match=headers["ETag"])[2] == b"other text"
    world.http.remove("/a")
    assert ask(connection, "GET", "/a")[0] == 404
    connection.close()


def test_both_transports_write_the_same_journal() -> None:
    journals = []
    for opened in (in_memory, over_tcp):
        with World() as world:
            world.http.publish("/a", b"x")
            world.http.redirect("/b", "/a", 308)
            connection = opened(world)
            assert [ask(connection, "GET", path)[0] for path in ("/a", "/b", "/c")] == [200, 308, 404]
            connection.close()
            world.settle()
            journals.append(world.journal.fields())
    assert journals[0] == journals[1]


def test_what_is_posted_is_kept(world: World) -> None:
    world.http.collect("/in", 201)
    world.http.protect("/in", "ada@sim.test")
    connection = in_memory(world)
    assert ask(connection, "POST", "/in/1", b"hello")[0] == 401
    wrong = "Basic " + base64.b64encode(b"ada@sim.test:wrong").decode()
    right = "Basic " + base64.b64encode(b"ada@sim.test:s3cret").decode()
    assert ask(connection, "POST", "/in/1", b"hello", Authorization=wrong)[0] == 401
    assert ask(connection, "POST", "/in/1", b"hello", Authorization="Basic nonsense")[0] == 401
    assert ask(connection, "POST", "/in/1", b"hello", Authorization=right)[0] == 201
    assert ask(connection, "GET", "/in/1", Authorization=right)[0] == 405
    [kept] = world.http.received
    assert (kept.path, kept.body, kept.account) == ("/in/1", b"hello", "ada@sim.test")
    assert "s3cret" not in repr(world.http)
    assert "s3cret" not in world.journal.transcript()
    assert [entry.data["ok"] for entry in world.journal.entries(kind="login")] == [False, False, True]


def test_another_s_page_is_forbidden(world: World) -> None:
    world.add_account("bob@sim.test", "s3cret")
    world.http.publish("/mine", b"x")
    world.http.protect("/mine", "ada@sim.test")
    bob = "Basic " + base64.b64encode(b"bob@sim.test:s3cret").decode()
    assert ask(in_memory(world), "GET", "/mine", Authorization=bob)[0] == 403


def test_a_path_may_be_answered_by_a_function(world: World) -> None:
    def twice(request: Request) -> Response:
        return Response(200, [("X-Target", request.target)], request.body * 2)

    world.http.handle("/twice", twice)
    status, headers, body = ask(in_memory(world), "PUT", "/twice/as?much", b"ab")
    assert (status, headers["X-Target"], body) == (200, "/twice/as?much", b"abab")
    assert ask(in_memory(world), "GET", "/twicer")[0] == 404


def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    world.http.collect("/in")
    world.http.body_limit = 10
    assert ask(in_memory(world), "POST", "/in", b"x" * 11)[0] == 413
    assert not world.http.received


def test_over_tls_with_a_certificate_of_the_world(world: World) -> None:
    world.http.publish("/a", b"x")
    host, port = world.listen(ports={"https": 0}).addresses["https"]
    context: ssl.SSLContext = world.authority.client_context()
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    assert host == "127.0.0.1"
    assert ask(connection, "GET", "/a")[2] == b"x"
    connection.close()


def test_faults_name_the_method_and_the_path(world: World) -> None:
    world.http.publish("/a", b"x")
    world.http.publish("/b", b"x")
    world.faults.add(When("http", "GET", argument="/b*"), Reply("503", "[Retry-After=7] busy"))
    world.faults.add(When("http", "HEAD"), Stall())
    connection = in_memory(world)
    assert ask(connection, "GET", "/a")[0] == 200
    status, headers, _ = ask(connection, "GET", "/b?1")
    assert (status, headers["Retry-After"]) == (503, "7")
    with pytest.raises(TimeoutError):
        ask(connection, "HEAD", "/a")
    with pytest.raises(FaultError, match="no http reply"):
        world.faults.add(When("http", "GET"), Reply("ErrorServerBusy"))


def test_a_feed_grows_at_its_front(world: World) -> None:
    world.http.publish_feed("/feed", [Entry("1", "one"), Entry("2", "two")])
    page = world.http.publish_feed("/feed", [Entry("3", "three <&>")])
    text = page.octets.decode()
    assert text.index("three &lt;&amp;&gt;") < text.index("two") < text.index("one")


@pytest.mark.parametrize("path", ["a", "/a b", "/\u00e4", "/a\r\n"])
def test_what_is_no_path_is_refused(world: World, path: str) -> None:
    with pytest.raises(WorldError, match="no path"):
        world.http.publish(path, b"x")
