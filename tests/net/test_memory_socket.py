"""The client's end in memory: shaped like a socket, moving the clock instead of waiting."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from net_helpers import EchoSession

from postroom_simulator.clock import ManualClock
from postroom_simulator.errors import Deadlock, WorldError
from postroom_simulator.faults import Delay, Drop, LoseReply, Refuse, Stall, When
from postroom_simulator.net import memory
from postroom_simulator.net.connection import HELD_LIMIT
from postroom_simulator.net.memory import MemorySocket, connect
from postroom_simulator.net.registry import ClockTimers
from postroom_simulator.net.service import DISCARD_LIMIT
from postroom_simulator.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made


def echo(world: World, timeout: float | None = None) -> MemorySocket:
    sock = connect(world, "pop3", timeout, sessions=EchoSession)
    sock.recv(100)
    return sock


def test_saying_and_hearing(world: World) -> None:
    with echo(world) as sock:
        assert sock.send(b"NOOP\r\nSTAT\r\n") == 12
        assert sock.recv(3) == b"+ N"
        assert sock.recv(2, socket.MSG_PEEK) == b"OO"
        buffer = bytearray(4)
        assert sock.recv_into(buffer) == 4
        assert bytes(buffer) == b"OOP\r"
        assert sock.recv_into(buffer, 2) == 2
        assert bytes(buffer) == b"\n+P\r"
        assert sock.recv(0) == b""
        assert sock.recv(100) == b" STAT\r\n"


def test_the_shape_of_a_socket(world: World) -> None:
    sock = echo(world, 5)
    assert sock.gettimeout() == 5
    assert sock.getpeername() == ("127.0.0.1", 110)
    assert sock.getsockname()[0] == "127.0.0.1"
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)
    with pytest.raises(io.UnsupportedOperation):
        sock.fileno()
    with pytest.raises(ValueError):
        sock.settimeout(-1)
    assert "pop3-1" in repr(sock)
    sock.close()
    for use in (lambda: sock.recv(1), lambda: sock.sendall(b"x"), lambda: sock.shutdown(socket.SHUT_WR)):
        with pytest.raises(OSError, match="Bad file"):
            use()
    sock.close()


def test_unknown_services_are_named_with_the_nearest(world: World) -> None:
    with pytest.raises(WorldError, match='mean "pop3"'):
        world.connect("pop4")


def test_files_keep_the_line_open_until_they_are_closed(world: World) -> None:
    sock = echo(world)
    file = sock.makefile("rb")
    sock.sendall(b"NOOP\r\n")
    sock.close()
    assert file.readline() == b"+ NOOP\r\n"
    assert not sock.connection.client_gone
    file.close()
    assert sock.connection.client_gone
    world.settle(0.1)


def test_files_for_text_and_for_writing(world: World) -> None:
    with echo(world) as sock, sock.makefile("rw", encoding="ascii", newline="\r\n") as file:
        file.write("NOOP\r\n")
        file.flush()
        assert file.readline() == "+ NOOP\r\n"
    with echo(world) as sock, sock.makefile("wb") as out, sock.makefile("rb", 0) as raw:
        out.write(b"STAT\r\n")
        out.flush()
        assert raw.read(100) == b"+ STAT\r\n"
        with pytest.raises(ValueError):
            sock.makefile("x")
        with pytest.raises(ValueError, match="binary"):
            sock.makefile("r", 0)


def test_the_ends(world: World) -> None:
    with echo(world) as sock:
        sock.sendall(b"QUIT\r\n")
        assert sock.makefile("rb").read() == b"+ QUIT\r\n"
        sock.sendall(b"after the end: goes nowhere")
        assert sock.recv(10) == b""
    world.settle(0.1)


def test_writing_after_the_end_is_bounded(world: World) -> None:
    with echo(world) as sock:
        sock.sendall(b"QUIT\r\n")
        sock.sendall(b"x" * DISCARD_LIMIT)
        with pytest.raises(ConnectionResetError):
            sock.sendall(b"x")


def test_a_reset_comes_after_what_was_sent(world: World) -> None:
    world.faults.add(When("pop3", "STAT"), LoseReply("rst"))
    with echo(world) as sock:
        sock.sendall(b"NOOP\r\nSTAT\r\n")
        assert sock.recv(100) == b"+ NOOP\r\n"
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                sock.recv(100)
        with pytest.raises(ConnectionResetError):
            sock.sendall(b"NOOP\r\n")
        with pytest.raises(OSError, match="not connected"):
            sock.shutdown(socket.SHUT_RDWR)


def test_a_refusal(world: World) -> None:
    world.faults.add(When(at="connect"), Refuse())
    with pytest.raises(ConnectionRefusedError):
        world.connect("smtp")
    world.settle(0.1)
    assert [entry.kind.value for entry in world.journal] == ["connected", "fault", "closed"]


def test_half_closing(world: World) -> None:
    with echo(world) as sock:
        sock.sendall(b"STAT\r\n")
        sock.shutdown(socket.SHUT_WR)
        with pytest.raises(BrokenPipeError):
            sock.sendall(b"NOOP\r\n")
        assert sock.makefile("rb").read() == b"+ STAT\r\n"


# -- waiting


def test_a_read_moves_the_clock_to_the_reply(world: World) -> None:
    world.faults.add(When("pop3", "STAT"), Delay(42))
    with echo(world, 60) as sock:
        sock.sendall(b"STAT\r\n")
        assert sock.recv(100) == b"+ STAT\r\n"
    assert world.clock.monotonic() == 42


def test_a_time_out_comes_first(world: World) -> None:
    world.faults.add(When("pop3", "STAT"), Delay(42))
    with echo(world, 10) as sock:
        sock.sendall(b"STAT\r\n")
        with pytest.raises(TimeoutError, match="timed out"):
            sock.recv(100)
        assert world.clock.monotonic() == 10
        sock.settimeout(32)  # the reply is just in time
        assert sock.recv(100) == b"+ STAT\r\n"


def test_the_deadline_holds_over_several_reads(world: World) -> None:
    world.faults.add(When("pop3", "STAT"), Delay(6))
    with echo(world, 10) as sock:
        sock.deadline = world.clock.monotonic() + 10
        sock.sendall(b"STAT\r\n")
        assert sock.recv(100) == b"+ STAT\r\n"
        sock.sendall(b"STAT\r\n")
        with pytest.raises(TimeoutError):
            sock.recv(100)
        assert world.clock.monotonic() == 10
        with pytest.raises(TimeoutError):
            sock.recv(100)
        sock.deadline = None
        assert sock.recv(100) == b"+ STAT\r\n"
    assert world.clock.monotonic() == 12


def test_without_a_time_out_the_server_loses_patience(world: World) -> None:
    with echo(world) as sock:
        assert sock.makefile("rb").read() == b"bye\r\n"
    assert world.clock.monotonic() == 600


def test_a_time_out_of_zero_does_not_wait(world: World) -> None:
    with echo(world) as sock:
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        with sock.makefile("rb", 0) as raw:
            assert raw.read(1) is None
        sock.sendall(b"NOOP\r\n")
        assert sock.recv(100) == b"+ NOOP\r\n"


def test_after_a_time_out_a_file_gives_nothing_more(world: World) -> None:
    with echo(world, 1) as sock, sock.makefile("rb") as file:
        with pytest.raises(TimeoutError):
            file.readline()
        with pytest.raises(OSError, match="timed out object"):
            file.readline()


def test_a_deadlock_names_both_sides(world: World) -> None:
    world.faults.add(When("pop3", "STAT"), Stall())
    other = echo(world)  # its idle timer can never help
    with echo(world) as sock:
        sock.sendall(b"NOOP\r\nSTAT\r\n")
        sock.recv(100)
        with pytest.raises(Deadlock) as caught:
            sock.recv(100)
    text = str(caught.value)
    assert "pop3-2 (pop3): last command STAT, the server waits for nothing: it stalls for ever" in text
    assert "the client waits for octets" in text
    assert world.clock.monotonic() == 0
    other.close()


def test_a_deadlock_without_any_timer(world: World) -> None:
    with echo(world) as sock:
        sock.connection.session.idle_limit = None  # type: ignore[union-attr,misc]
        with pytest.raises(Deadlock, match="no timer will ever fire"):
            sock.recv(1)


def test_a_timer_may_use_the_connection_that_waits(world: World) -> None:
    clock = world.clock
    assert isinstance(clock, ManualClock)
    with echo(world) as sock:
        clock.call_later(5, lambda: sock.sendall(b"NOOP\r\n"))
        assert sock.recv(100) == b"+ NOOP\r\n"


def test_a_timer_may_open_and_read_another_connection(world: World) -> None:
    clock = world.clock
    assert isinstance(clock, ManualClock)
    world.faults.add(When("pop3", "LIST"), Delay(7))
    heard: list[bytes] = []

    def talk() -> None:
        with echo(world) as inner:
            inner.sendall(b"LIST\r\n")
            heard.append(inner.recv(100))

    with echo(world, 10) as sock:
        clock.call_later(5, talk)
        with pytest.raises(TimeoutError):
            sock.recv(100)
    assert heard == [b"+ LIST\r\n"]
    assert clock.monotonic() == 12


def test_a_client_that_asks_and_never_reads_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "UNREAD_LIMIT", 1_000_000)
    monkeypatch.setattr(memory, "UNTAKEN_LIMIT", 1_000)
    with echo(world, 5) as sock:
        sock.sendall(b"BIG\r\n" * 20)
        session = sock.connection.session
        assert isinstance(session, EchoSession)
        sock.sendall(b"NOOP\r\n" * (HELD_LIMIT // 6 + 1))
        sock.sendall(b"NOOP\r\n" * 200)
        with pytest.raises(TimeoutError):
            sock.sendall(b"NOOP\r\n")
        before = len(session.acted)
        noops = HELD_LIMIT // 6 + 1 + 200
        expected = 20 * 300_002 + noops * len(b"+ NOOP\r\n")
        got = 0
        while got < expected:
            got += len(sock.recv(1_000_000))
        assert got == expected
        assert len(session.acted) == before + noops == 1 + 20 + noops


# -- a clock that cannot be moved


class Sleeper:
    """A clock that only sleeps, and does it at once."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []
        self._manual = ManualClock()

    def now(self) -> Any:
        return self._manual.now()

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def test_another_clock_is_slept_on() -> None:
    clock = Sleeper()
    with World(clock=clock) as world:
        assert isinstance(world.connections.timers, ClockTimers)
        world.faults.add(When("pop3", "STAT"), Delay(4))
        with echo(world, 10) as sock:
            sock.sendall(b"STAT\r\n")
            assert sock.recv(100) == b"+ STAT\r\n"
            with pytest.raises(TimeoutError):
                sock.recv(100)
        assert clock.slept == [4, 10]


def test_another_clock_and_nothing_to_wait_for() -> None:
    with World(clock=Sleeper()) as world, echo(world) as sock:
        sock.connection.session.idle_limit = None  # type: ignore[union-attr,misc]
        sock.connection._idle.cancel()
        with pytest.raises(Deadlock):
            sock.recv(1)


def test_settling_sleeps_too() -> None:
    clock = Sleeper()
    with World(clock=clock) as world:
        world.faults.add(When("pop3", "STAT"), Stall(9))
        sock = echo(world)
        sock.sendall(b"STAT\r\n")
        sock.close()
        world.settle(0.1)
        assert clock.slept == [9]


def test_closing_the_world_resets_what_is_open() -> None:
    with World() as world:
        sock = echo(world)
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    sock.close()
    world.settle(0.1)


def test_a_drop_by_fin_is_an_orderly_end(world: World) -> None:
    world.faults.add(When("pop3", "STAT"), Drop())
    with echo(world) as sock:
        sock.sendall(b"STAT\r\n")
        assert sock.recv(100) == b""
