"""HTTP as nobody should speak it: each answered with the right status or ended, in bounded time and memory, and the next client served."""

from __future__ import annotations

import gzip
import socket
import tracemalloc
from collections.abc import Iterator

import pytest
import wire
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import BASIC, PATH, Client, connected, envelope, get_folder, http

from postroom_simulator import World
from postroom_simulator.ews.envelope import BODY_LIMIT
from postroom_simulator.ews.session import HEAD_LIMIT, REQUEST_LIMIT

GET_INBOX = envelope(get_folder())
CREATE = envelope(wire.create_item("smuggled"))
START = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {BASIC}\r\n".encode()


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world
        assert served(world), "the next client is served"


def served(world: World) -> bool:
    one = connected(world)
    try:
        return one.ask(http(GET_INBOX)).codes == ["NoError"]
    finally:
        one.close()


def everything(world: World, octets: bytes) -> bytes:
    """What the server says to this, until it has no more to say or ends."""
    one = connected(world)
    got = b""
    try:
        one.say(octets)
        one.sock.settimeout(0)
        while piece := one.sock.recv(65536):
            got += piece
    except (BlockingIOError, ConnectionResetError):
        pass
    finally:
        one.close()
    return got


BAD = {
    "two lengths": START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length and chunks": START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": START + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a length of no number": START + b"Content-Length: five\r\n\r\nhello",
    "a negative length": START + b"Content-Length: -5\r\n\r\nhello",
    "a length with a sign": START + b"Content-Length: +5\r\n\r\nhello",
    "a chunk of no number": START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "a chunk too long": START + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!!!\r\n0\r\n\r\n",
    "chunks that are not the last coding": START + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an obscured coding": START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks over HTTP/1.0": START.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": START + b"Content-Length : 5\r\n\r\nhello",
    "no host": f"POST {PATH} HTTP/1.1\r\nAuthorization: {BASIC}\r\nContent-Length: 0\r\n\r\n".encode(),
    "two hosts": START + b"Host: y\r\nContent-Length: 0\r\n\r\n",
    "no version": f"GET {PATH}\r\n\r\n".encode(),
    "another version": f"GET {PATH} HTTP/2.0\r\nHost: x\r\n\r\n".encode(),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a control character in a name": START + b"X-\x01: y\r\n\r\n",
    "a control character in a value": START + b"X-Y: a\x00b\r\n\r\n",
    "a target with a space": f"GET {PATH} x HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "SMTP": b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_request_is_refused_once_and_the_connection_ends(world: World, name: str) -> None:
    """And what comes behind it is never taken for a request of its own."""
    said = everything(world, BAD[name] + http(CREATE))
    assert wire.count_answers(said) <= 1
    assert not said or said[9:12] in (b"400", b"501", b"505", b"405"), said
    assert world.journal.count(verb="CreateItem") == 0


def test_a_length_that_is_too_small_leaves_no_request_behind(world: World) -> None:
    """What is behind the body begins no request line."""
    whole = http(GET_INBOX).replace(b"Content-Length: %d" % len(GET_INBOX), b"Content-Length: %d" % (len(GET_INBOX) - 9))
    said = everything(world, whole + http(CREATE))
    assert [said[at + 9 : at + 12] for at in range(len(said)) if said.startswith(b"HTTP/1.1 ", at)] == [b"500", b"400"]
    assert world.journal.count(verb="CreateItem") == 0


def test_a_length_that_is_too_large_waits_and_is_told_so(world: World) -> None:
    one = connected(world, timeout=1000)
    one.say(http(GET_INBOX).replace(b"Content-Length: %d" % len(GET_INBOX), b"Content-Length: %d" % (len(GET_INBOX) + 1)))
    before = world.clock.monotonic()
    assert one.hear().status == 408
    assert one.ended()
    assert world.clock.monotonic() - before == world.ews.idle_limit


def test_a_request_inside_a_body_is_a_body(world: World) -> None:
    """Whatever it looks like: shapes of request smuggling."""
    for inside in (http(CREATE), b"0\r\n\r\n" + http(CREATE), b"\r\n\r\n" + http(CREATE)):
        said = everything(world, http(inside))
        assert wire.count_answers(said) == 1
        assert b"ErrorSchemaValidation" in said
    assert world.journal.count(verb="CreateItem") == 0


def test_a_head_without_end(world: World) -> None:
    one = connected(world)
    one.say(START + b"X-Long: " + b"a" * (HEAD_LIMIT + 1))
    assert one.hear().status == 431
    assert one.ended()
    one.close()


def test_a_target_without_measure(world: World) -> None:
    one = connected(world)
    assert one.ask(http(method="GET", path="/" + "a" * (HEAD_LIMIT // 3)), "GET").status == 414
    one.close()


def test_many_headers(world: World) -> None:
    one = connected(world)
    one.say(START + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + b"\r\n")
    assert one.hear().status == 431
    one.close()


def test_a_body_beyond_the_limit_is_refused_before_it_has_come(world: World) -> None:
    one = connected(world)
    one.say(START + b"Content-Length: %d\r\n\r\n" % (10 * BODY_LIMIT))
    assert one.hear().status == 413
    assert one.ended()
    one.close()


def test_chunks_without_end_are_refused_at_the_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom_simulator.ews.session.BODY_LIMIT", 1 << 20)
    one = connected(world)
    one.say(START + b"Transfer-Encoding: chunked\r\n\r\n")
    said = 0
    while not one.sock.connection.ended:
        one.say(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        said += 1
        assert said < 20
    assert one.hear().status == 413
    one.close()


def test_a_body_that_nobody_will_look_at_is_not_kept(world: World) -> None:
    """Without credentials: it is read to its end, for the answer is 401 on the same connection, but not held."""
    one = connected(world)
    size = 32 << 20
    one.say(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
    piece = b"a" * (1 << 20)
    tracemalloc.start()
    try:
        for _ in range(size // len(piece)):
            one.say(piece)
        assert tracemalloc.get_traced_memory()[1] < size // 4
    finally:
        tracemalloc.stop()
    assert one.hear().status == 401
    assert one.ask(http(GET_INBOX)).codes == ["NoError"]
    one.close()


def test_a_bomb_of_gzip_is_not_unpacked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom_simulator.ews.session.BODY_LIMIT", 1 << 20)
    bomb = gzip.compress(b"a" * (100 << 20), mtime=0)
    one = connected(world)
    tracemalloc.start()
    try:
        assert one.ask(http(bomb, extra="Content-Encoding: gzip\r\n")).status == 413
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    one.close()


@pytest.mark.parametrize(
    "body", [b"no gzip at all", gzip.compress(GET_INBOX, mtime=0)[:-9], gzip.compress(GET_INBOX, mtime=0)[:20]]
)
def test_broken_gzip(world: World, body: bytes) -> None:
    one = connected(world)
    assert one.ask(http(body, extra="Content-Encoding: gzip\r\n")).status == 400
    one.close()


def test_stacked_codings(world: World) -> None:
    one = connected(world)
    assert (
        one.ask(http(gzip.compress(gzip.compress(GET_INBOX), mtime=0), extra="Content-Encoding: gzip, gzip\r\n")).status == 415
    )
    one.close()


def test_a_slow_body_has_its_time(world: World) -> None:
    """A kilobyte now and then counts as activity; a request may still not take for ever."""
    one = connected(world, timeout=1000)
    one.say(START + b"Content-Length: 1000000\r\n\r\n")
    before = world.clock.monotonic()
    while not one.sock.can_receive():
        world.clock.sleep(60)
        one.say(b"a" * 2048)
    assert one.hear().status == 408
    assert REQUEST_LIMIT <= world.clock.monotonic() - before <= REQUEST_LIMIT + 120
    one.close()


def test_octet_by_octet_in_a_minute_each_is_too_slow(world: World) -> None:
    one = connected(world, timeout=1000)
    for number in range(200):
        if one.sock.can_receive():
            break
        one.say(http(GET_INBOX)[number : number + 1])
        world.clock.sleep(60)
    assert one.ended()
    assert world.clock.monotonic() < 600
    one.close()


def test_a_client_that_asks_and_never_reads(world: World) -> None:
    """Nothing more of it is acted on, and it is let go."""
    one = connected(world)
    many = http(envelope(get_folder(*["inbox"] * 200)))
    for _ in range(200):
        if one.sock.connection.ended:
            break
        one.say(many)
    world.clock.sleep(world.ews.idle_limit * 3)
    assert one.sock.connection.ended
    one.close()


def test_a_client_that_resets_in_the_middle(world: World) -> None:
    with world.listen(ports={"ews": 0}) as servers:
        for end in (10, 200, len(http(GET_INBOX)) - 1, len(http(GET_INBOX))):
            sock = socket.create_connection(servers.addresses["ews"])
            sock.sendall(http(GET_INBOX)[:end])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.close()
        world.settle()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from(
                [
                    START,
                    b"\r\n",
                    b"Content-Length: 3\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"3\r\nabc\r\n",
                    b"0\r\n\r\n",
                    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"Expect: 100-continue\r\n",
                    http(GET_INBOX),
                    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
                    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
                ]
            ),
        ),
        max_size=12,
    )
)
def test_no_octets_break_it(pieces: list[bytes]) -> None:
    with wire.make_world() as world:
        one: Client = connected(world)
        try:
            for piece in pieces:
                one.say(piece)
        except (ConnectionResetError, BrokenPipeError):
            pass
        one.close()
        world.settle(2)
        assert not [entry for entry in world.journal if "internal error" in entry.detail]
        assert served(world)
