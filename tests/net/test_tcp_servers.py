"""The servers on sockets: where they listen, what they leave behind, and peers that behave badly."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from net_helpers import EchoSession

from postroom_simulator.clock import ManualClock, SystemClock
from postroom_simulator.errors import WorldError
from postroom_simulator.faults import Cut, Delay, When
from postroom_simulator.net import tcp
from postroom_simulator.net.registry import NotSettled
from postroom_simulator.net.tcp import Servers
from postroom_simulator.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made


@pytest.fixture
def servers(world: World) -> Iterator[Servers]:
    with Servers(world, ports={"pop3": 0, "smtp": 0}, sessions=EchoSession) as made:
        yield made


def call(servers: Servers, service: str = "pop3") -> socket.socket:
    sock = socket.create_connection(servers.addresses[service], timeout=5)
    assert sock.recv(100) == b"hello\r\n"
    return sock


def read_to_the_end(sock: socket.socket) -> tuple[bytes, OSError | None]:
    got = bytearray()
    try:
        while piece := sock.recv(1 << 16):
            got += piece
    except OSError as error:
        return bytes(got), error
    return bytes(got), None


def files() -> set[str]:
    return {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


def test_all_services_listen_on_free_ports_by_default(world: World) -> None:
    servers = world.listen()
    assert set(servers.addresses) == {"smtp", "submission", "smtps", "pop3", "pop3s", "ews", "ewss", "http", "https"}
    assert len({port for _, port in servers.addresses.values()}) == 9
    assert servers.addresses["pop3"] == ("127.0.0.1", servers.port("pop3"))
    with pytest.raises(WorldError, match='mean "pop3"'):
        servers.port("pop")


def test_nothing_is_left_behind(world: World) -> None:
    gc.collect()
    threads, before = threading.active_count(), files()
    servers = Servers(world, sessions=EchoSession)
    open_ones = [call(servers, service) for service in ("pop3", "smtp", "submission")]
    socket.create_connection(servers.addresses["pop3s"]).close()
    port = servers.port("pop3")
    servers.close()
    servers.close()
    for sock in open_ones:
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        sock.close()
    assert threading.active_count() == threads
    assert files() == before
    assert servers._loop.is_closed()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    world.settle(1)


def test_closing_the_world_closes_its_servers() -> None:
    threads = threading.active_count()
    with World() as world:
        world.listen(ports={"pop3": 0})
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads


def test_remote_hosts_need_permission(world: World) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "mail.example.test"):
        with pytest.raises(WorldError, match="loopback"):
            Servers(world, host)
    with Servers(world, "0.0.0.0", {"pop3": 0}, allow_remote=True, sessions=EchoSession) as servers:
        socket.create_connection(("127.0.0.1", servers.port("pop3"))).close()


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_ipv6_loopback(world: World) -> None:
    try:
        servers = Servers(world, "::1", {"pop3": 0}, sessions=EchoSession)
    except OSError:
        pytest.skip("no ::1 on this machine")
    with servers, call(servers):
        pass


def test_a_port_in_use_leaves_nothing_open(world: World, servers: Servers) -> None:
    before = files()
    with pytest.raises(OSError, match="in use"):
        Servers(world, ports={"smtp": 0, "pop3": servers.port("pop3")})
    assert files() == before
    with pytest.raises(WorldError, match='mean "smtp"'):
        Servers(world, ports={"smpt": 0})


def test_settling_sees_a_client_that_came_and_went(world: World, servers: Servers) -> None:
    for number in range(1, 21):
        sock = socket.create_connection(servers.addresses["pop3"])
        sock.sendall(b"NOOP\r\n")
        sock.close()
        world.settle(5)
        assert len(world.journal.entries(connection=f"pop3-{number}", detail="client")) == 1


def test_settling_names_clients_that_stay(world: World, servers: Servers) -> None:
    with call(servers), pytest.raises(NotSettled, match="pop3-1"):
        world.settle(0.05)


def test_the_last_reply_survives_input_that_came_too_late(world: World, servers: Servers) -> None:
    with call(servers) as sock:
        sock.sendall(b"QUIT\r\n" + b"NOOP\r\n" * 10_000)
        assert sock.makefile("rb").read() == b"+ QUIT\r\n"
    world.settle(5)


def test_a_client_that_stays_after_the_end_is_given_up(world: World, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "LINGER", 0.01)
    with call(servers) as sock:
        sock.sendall(b"QUIT\r\n")
        world.settle(5)
        assert sock.makefile("rb").read() == b"+ QUIT\r\n"


def test_a_client_that_talks_on_after_the_end_is_reset(world: World, servers: Servers) -> None:
    with call(servers) as sock:
        sock.sendall(b"QUIT\r\n")
        with pytest.raises(ConnectionError):
            sock.sendall(b"x" * 100_000_000)
        world.settle(5)


def test_a_client_that_asks_and_never_reads_is_bounded(world: World, servers: Servers) -> None:
    asked = 400
    with call(servers) as sock:
        sock.sendall(b"BIG\r\n" * asked)
        for _ in range(3):  # what is acted on at once is one piece of input
            world.connections.wait_until(lambda live: True)
        assert sum(len(sock.recv(1 << 20)) for _ in range(3)) > 0
    world.settle(5)
    assert world.journal.entries(connection="pop3-1", detail="client")


def test_a_large_reply_arrives_whole_before_a_reset(world: World, servers: Servers) -> None:
    world.faults.add(When("pop3", "STAT"), Cut(3, "rst"))
    with call(servers) as sock:
        sock.sendall(b"BIG\r\n" * 20 + b"STAT\r\n")
        got, end = read_to_the_end(sock)
        assert isinstance(end, ConnectionResetError)
        assert got == (b"x" * 300_000 + b"\r\n") * 20 + b"+ S"
    world.settle(5)


def test_a_reset_is_given_up_when_nobody_reads(world: World, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "LINGER", 0.01)
    world.faults.add(When("pop3", "STAT"), Cut(3, "rst"))
    with call(servers) as sock:
        sock.sendall(b"BIG\r\n" * 40 + b"STAT\r\n")
        world.settle(5)
        assert world.journal.entries(detail="fault")


def test_real_time_serves_a_real_clock() -> None:
    with World(clock=SystemClock()) as world, Servers(world, ports={"pop3": 0}, sessions=EchoSession) as servers:
        world.faults.add(When("pop3", "STAT"), Delay(0.02))
        with call(servers) as sock:
            sock.sendall(b"STAT\r\n")
            assert sock.recv(100) == b"+ STAT\r\n"
        world.settle(5)


def test_the_idle_limit_follows_the_worlds_clock(world: World, servers: Servers) -> None:
    clock = world.clock
    assert isinstance(clock, ManualClock)
    with call(servers) as sock:
        clock.advance(600)
        assert sock.makefile("rb").read() == b"bye\r\n"
    world.settle(5)
    assert world.journal.entries(detail="timeout")


def test_a_timer_that_fires_after_the_servers_were_closed_is_harmless(world: World, servers: Servers) -> None:
    clock = world.clock
    assert isinstance(clock, ManualClock)
    with call(servers):
        due = clock._timers[0][2]
        servers.close()
        due.callback()
    clock.advance(1000)


def test_a_mistake_of_ours_shows_when_settling(world: World, servers: Servers) -> None:
    with call(servers) as sock:
        sock.sendall(b"BOOM\r\n")
        with pytest.raises(ConnectionResetError):
            sock.recv(10)
    with pytest.raises(RuntimeError, match="boom"):
        world.settle(5)
    world.settle(5)


def test_many_clients_at_once(world: World, servers: Servers) -> None:
    heard: list[bytes] = []

    def talk() -> None:
        with call(servers, "smtp") as sock:
            for _ in range(20):
                sock.sendall(b"NOOP\r\n")
                heard.append(sock.recv(100))

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    world.settle(5)
    assert heard == [b"+ NOOP\r\n"] * 160
    names = {entry.connection for entry in world.journal if entry.connection}
    assert names == {f"smtp-{number}" for number in range(1, 9)}


def test_more_clients_than_allowed_are_told_so(world: World, servers: Servers) -> None:
    world.connections.per_address = 3
    open_ones = [call(servers) for _ in range(3)]
    with socket.create_connection(servers.addresses["smtp"], timeout=5) as late:
        assert late.makefile("rb").read() == b"421 4.7.0 too many connections\r\n"
    for sock in open_ones:
        sock.close()
    world.settle(5)
    call(servers).close()


def test_listening_inside_a_running_loop(world: World) -> None:
    async def inside() -> bytes:
        with Servers(world, ports={"pop3": 0}, sessions=EchoSession) as servers:
            reader, writer = await asyncio.open_connection(*servers.addresses["pop3"])
            line: Any = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return bytes(line)

    assert asyncio.run(inside()) == b"hello\r\n"
