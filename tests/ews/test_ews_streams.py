"""Answers that go on (ews reference 14): how they are framed, what time and faults do to them, and what becomes of the connection."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import wire
from wire import ANN, Client, connected, direct, envelope, get_folder, http

from postroom_simulator import World
from postroom_simulator.ews.mount import mounted
from postroom_simulator.faults import Cut, Delay, Drip, Drop, Effect, Fault, Garble, Lie, Reply, Stall, When

MAIL = b"Subject: hello\r\n\r\nbody\r\n"
BEAT = 45.0


@pytest.fixture
def world() -> Iterator[World]:
    with wire.make_world() as world:
        yield world


def subscribed(world: World) -> str:
    inner = '<t:FolderIds><t:DistinguishedFolderId Id="inbox"/></t:FolderIds><t:EventTypes><t:EventType>NewMailEvent</t:EventType></t:EventTypes>'
    answer = direct(
        world, f"<m:Subscribe><m:StreamingSubscriptionRequest>{inner}</m:StreamingSubscriptionRequest></m:Subscribe>"
    )
    found = re.search(rb"SubscriptionId>([^<]+)<", answer.body)
    assert found is not None
    return found[1].decode()


def stream(*ids: str, minutes: int = 2) -> bytes:
    named = "".join(f"<t:SubscriptionId>{one}</t:SubscriptionId>" for one in ids)
    inner = f"<m:SubscriptionIds>{named}</m:SubscriptionIds><m:ConnectionTimeout>{minutes}</m:ConnectionTimeout>"
    return envelope(f"<m:GetStreamingEvents>{inner}</m:GetStreamingEvents>")


class Chunks:
    """Reads a chunked answer a chunk at a time, by hand: how it is cut is what is looked at."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.kept = b""

    def until(self, mark: bytes) -> bytes:
        while mark not in self.kept:
            piece = self.sock.recv(65536)
            if not piece:
                raise EOFError
            self.kept += piece
        found, _, self.kept = self.kept.partition(mark)
        return found

    def head(self) -> bytes:
        return self.until(b"\r\n\r\n")

    def chunk(self) -> bytes:
        size = int(self.until(b"\r\n"), 16)
        while len(self.kept) < size + 2:
            piece = self.sock.recv(65536)
            if not piece:
                raise EOFError
            self.kept += piece
        found, self.kept = self.kept[:size], self.kept[size + 2 :]
        return found


def begun(world: World, *, timeout: float = 600, minutes: int = 2) -> Chunks:
    """A connection with a stream on it; its head and first envelope were read."""
    one = Chunks(world.connect("ews", timeout=timeout))
    one.sock.sendall(http(stream(subscribed(world), minutes=minutes)))
    assert b"Transfer-Encoding: chunked" in one.head()
    assert status(one.chunk()) == "OK"
    return one


def status(chunk: bytes) -> str:
    assert chunk.startswith(b"<Envelope xmlns=")
    assert chunk.endswith(b"</Envelope>")
    found = re.search(rb"<m:ConnectionStatus>(\w+)<", chunk)
    return found[1].decode() if found else ""


def test_an_envelope_a_chunk_a_heartbeat_and_an_end(world: World) -> None:
    one = begun(world)
    began = world.clock.monotonic()
    assert [status(one.chunk()), world.clock.monotonic() - began] == ["OK", BEAT]
    assert [status(one.chunk()), world.clock.monotonic() - began] == ["OK", 2 * BEAT]
    assert [status(one.chunk()), world.clock.monotonic() - began] == ["Closed", 120.0]
    assert one.chunk() == b""
    client = Client(one.sock)
    assert client.ask(http(envelope(get_folder()))).codes == ["NoError"], "the connection is kept"
    client.close()


def test_what_happens_is_told_at_once(world: World) -> None:
    """By a delivery from elsewhere, while other connections are served."""
    one, other = begun(world), connected(world)
    assert other.ask(http(envelope(get_folder()))).codes == ["NoError"]
    before = world.clock.monotonic()
    world.deliver("x@out.test", [ANN], MAIL)
    assert b"<t:NewMailEvent>" in one.chunk()
    assert world.clock.monotonic() == before
    one.sock.close()
    other.close()


def test_over_tcp_from_another_thread(world: World) -> None:
    with world.listen(ports={"ews": 0}) as servers:
        sock = socket.create_connection(servers.addresses["ews"], timeout=10)
        one = Chunks(sock)
        sock.sendall(http(stream(subscribed(world))))
        one.head()
        assert status(one.chunk()) == "OK"
        world.deliver("x@out.test", [ANN], MAIL)
        assert b"<t:NewMailEvent>" in one.chunk()
        world.connections.wait_until(lambda live: True)
        world.clock.sleep(BEAT)
        assert status(one.chunk()) == "OK"
        world.clock.sleep(120 - BEAT)
        assert [status(one.chunk()) for _ in range(2)][-1] == "Closed"
        assert one.chunk() == b""
        sock.close()
        world.settle()


def test_silence_of_the_client_is_no_idleness(world: World) -> None:
    world.ews.idle_limit = 10
    one = begun(world)
    while status(one.chunk()) != "Closed":
        pass
    assert one.chunk() == b""
    before = world.clock.monotonic()
    assert one.sock.recv(1) == b"", "now it is"
    assert world.clock.monotonic() - before == 10


@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_a_client_that_leaves_ends_its_stream(world: World, how: str) -> None:
    world.ews.throttling.streams = 1
    one = begun(world)
    if how == "close":
        one.sock.close()
    else:
        one.sock.shutdown(socket.SHUT_WR)
    world.deliver("x@out.test", [ANN], MAIL)
    two = begun(world)  # there is room again, and no timer is left that would write to nobody
    two.sock.close()
    assert not world.connections.failures
    assert world.clock.next_due() is None or world.clock.next_due() > world.clock.monotonic()  # type: ignore[attr-defined]


def test_what_is_asked_behind_a_stream_is_answered_behind_it(world: World) -> None:
    one = begun(world)
    one.sock.sendall(http(envelope(get_folder())))
    while status(one.chunk()) != "Closed":
        pass
    assert one.chunk() == b""
    assert b"200 OK" in one.head()
    one.sock.close()


def test_floods_behind_a_stream_are_not_kept(world: World) -> None:
    one = begun(world)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):  # noqa: PT012 - one of many
        for _ in range(200):
            one.sock.sendall(b"a" * (1 << 20))
    one.sock.close()


def test_a_client_that_does_not_read_its_stream_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom_simulator.net.memory.UNREAD_LIMIT", 10_000)
    monkeypatch.setattr("postroom_simulator.ews.stream.BACKLOG_LIMIT", 20_000)
    one = begun(world)
    for _ in range(100):
        world.deliver("x@out.test", [ANN], MAIL)
    assert one.sock.connection.ended
    one.sock.close()


def test_http_1_0_ends_with_the_connection(world: World) -> None:
    body = stream(subscribed(world))
    sock = world.connect("ews", timeout=600)
    sock.sendall(
        f"POST {wire.PATH} HTTP/1.0\r\nAuthorization: {wire.BASIC}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )
    got = b""
    while piece := sock.recv(65536):
        got += piece
    assert b"chunked" not in got
    assert got.count(b"</Envelope>") == 4
    sock.close()


def test_bad_ids_are_an_error_that_ends(world: World) -> None:
    one = connected(world)
    answer = one.ask(http(stream("made-up")))
    assert answer.codes == ["ErrorInvalidSubscription"]
    assert answer.body.startswith(b"<Envelope")
    assert one.ask(http(envelope(get_folder()))).codes == ["NoError"]
    one.close()


def test_the_direct_call_and_the_mount_read_it_to_its_end(world: World) -> None:
    answer = direct(world, stream(subscribed(world)))
    before = world.clock.monotonic()
    assert [status(piece) for piece in answer.stream.pieces()] == ["OK", "OK", "OK", "Closed"]
    assert world.clock.monotonic() - before == 120
    assert world.journal.entries(kind="closed")
    with mounted(world) as url:
        whole = requests.post(url, stream(subscribed(world)), auth=(ANN, wire.PASSWORD), timeout=600)
    assert re.findall(r"ConnectionStatus>(\w+)<", whole.text) == ["OK", "OK", "OK", "Closed"]


# -- faults


def ended_with(one: Chunks) -> str:
    try:
        return "fin" if one.sock.recv(1) == b"" else "more"
    except ConnectionResetError:
        return "rst"
    except TimeoutError:
        return "silence"


def at_second(effect: Effect) -> Fault:
    """The first envelope went with the head; the first step of its own is the first heartbeat."""
    return Fault(When("ews", "stream", nth=1), effect)


def test_delay_and_stall_hold_an_envelope_back(world: World) -> None:
    for effect in (Delay(5), Stall(5)):
        world.faults.clear()
        world.faults.add(at_second(effect))
        one = begun(world)
        before = world.clock.monotonic()
        assert [status(one.chunk()), world.clock.monotonic() - before] == ["OK", BEAT + 5], effect
        assert [status(one.chunk()), world.clock.monotonic() - before] == ["OK", 2 * BEAT], effect
        assert status(one.chunk()) == "Closed"
        one.sock.close()


def test_stall_for_ever(world: World) -> None:
    world.faults.add(at_second(Stall()))
    one = begun(world, timeout=1000)
    assert ended_with(one) == "silence"
    one.sock.close()


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_drop_and_cut(world: World, how: Any) -> None:
    world.faults.add(at_second(Drop(how)))
    one = begun(world)
    assert ended_with(one) == how
    world.faults.clear()
    world.faults.add(at_second(Cut(10, how)))
    two = begun(world)
    assert len(two.sock.recv(10)) == 10
    assert ended_with(two) == how
    one.sock.close()
    two.sock.close()


def test_garble_and_drip(world: World) -> None:
    world.faults.add(at_second(Garble(2)))
    one = begun(world)
    before = world.clock.monotonic()
    garbled = one.sock.recv(65536)
    assert world.clock.monotonic() - before == BEAT
    one.sock.close()
    world.faults.clear()
    world.faults.add(at_second(Drip(100, 1)))
    two = begun(world)
    before = world.clock.monotonic()
    assert status(two.chunk()) == "OK"
    assert world.clock.monotonic() - before > BEAT + 3
    beat = two.chunk()
    true = b"%x\r\n%s\r\n" % (len(beat), beat)
    assert sum(a != b for a, b in zip(garbled, true, strict=True)) == 2
    two.sock.close()


def test_what_a_stream_cannot_have(world: World) -> None:
    from postroom_simulator.errors import FaultError

    for effect in (Reply("503"), Lie("503")):
        with pytest.raises(FaultError, match="not possible"):
            world.faults.add(When("ews", "stream"), effect)


def test_a_fault_at_the_operation_hits_the_beginning(world: World) -> None:
    one = subscribed(world)
    world.faults.add(When("ews", "GetStreamingEvents", nth=1), Reply("ErrorServerBusy"))
    client = connected(world)
    assert client.ask(http(stream(one))).codes == ["ErrorServerBusy"]
    world.faults.add(When("ews", "GetStreamingEvents", nth=1), Cut(30))
    client.say(http(stream(one)))
    assert len(client.sock.recv(65536)) == 30
    assert client.ended()
    client.close()
    assert not world.connections.failures
