"""A connection without any transport: effects on octets, order, suspension, limits, ends."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from net_helpers import EchoSession

from postroom_simulator.clock import ManualClock
from postroom_simulator.faults import AcceptThenReset, Cut, Delay, Drip, Drop, Effect, Garble, LoseReply, Refuse, Stall, When
from postroom_simulator.journal import Kind
from postroom_simulator.net.connection import HELD_LIMIT, Connection
from postroom_simulator.net.effects import garbled
from postroom_simulator.net.registry import NotSettled
from postroom_simulator.session import Outgoing, SessionContext
from postroom_simulator.world import World


class Wire:
    """Writes down what a connection does to its transport."""

    def __init__(self) -> None:
        self.log: list[object] = []

    @property
    def said(self) -> bytes:
        return b"".join(item for item in self.log if isinstance(item, bytes))

    def write(self, octets: bytes) -> None:
        self.log.append(octets)

    def close(self) -> None:
        self.log.append("close")

    def abort(self) -> None:
        self.log.append("abort")

    def pause_reading(self) -> None:
        self.log.append("pause")

    def resume_reading(self) -> None:
        self.log.append("resume")


class Bench:
    """A world with one connection to an echo session."""

    def __init__(self, service: str = "pop3", when: When | None = None, effect: Effect | None = None) -> None:
        self.clock = ManualClock()
        self.world = World(seed=3, clock=self.clock)
        if when is not None and effect is not None:
            self.world.faults.add(when, effect, name="it")
        self.session: EchoSession
        self.wire = Wire()
        self.connection = Connection(self.world, service, self.wire, timers=self.clock, sessions=self.make_session)

    def make_session(self, service: str, context: SessionContext) -> EchoSession:
        self.session = EchoSession(service, context)
        return self.session

    def open(self) -> Bench:
        self.connection.open()
        return self

    def kinds(self) -> list[str]:
        return [f"{entry.kind.value} {entry.detail}".strip() for entry in self.world.journal if entry.kind is not Kind.COMMAND]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made.open()
    made.world.close()


def test_a_conversation_and_its_journal(bench: Bench) -> None:
    bench.connection.data_received(b"NO")
    bench.connection.data_received(b"OP\r\nSTAT\r\nQUIT\r\n")
    assert bench.wire.said == b"hello\r\n+ NOOP\r\n+ STAT\r\n+ QUIT\r\n"
    assert bench.wire.log[-1] == "close"
    assert bench.kinds() == ["connected", "closed server"]
    assert bench.connection.name == "pop3-1"


def test_names_count_by_protocol() -> None:
    world = World()
    names = []
    for service in ("pop3", "smtp", "pop3", "submission"):
        connection = Connection(world, service, Wire(), timers=ManualClock(), sessions=EchoSession)
        connection.open()
        names.append(connection.name)
    assert names == ["pop3-1", "smtp-1", "pop3-2", "smtp-2"]


@pytest.mark.parametrize(
    ("effect", "said", "end"),
    [
        (Cut(0), b"", "close"),
        (Cut(3), b"+ N", "close"),
        (Cut(3, "rst"), b"+ N", "abort"),
        (Cut(99), b"+ NOOP\r\n", "close"),
        (Drop(), b"", "close"),
        (Drop("rst"), b"", "abort"),
        (LoseReply(), b"", "abort"),
        (LoseReply("fin"), b"", "close"),
    ],
)
def test_effects_that_end(effect: Effect, said: bytes, end: str) -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), effect).open()
    bench.connection.data_received(b"NOOP\r\nSTAT\r\n")
    assert bench.wire.said == b"hello\r\n" + said
    assert bench.wire.log[-1] == end
    assert bench.kinds()[-1] == "closed fault"
    assert ("NOOP" in bench.session.acted) == (not isinstance(effect, Drop))
    bench.connection.data_received(b"STAT\r\n")
    bench.connection.eof_received()
    bench.connection.connection_lost()
    bench.connection.connection_lost()
    assert bench.wire.said == b"hello\r\n" + said
    assert bench.kinds().count("closed fault") == 1
    bench.world.settle(0.1)


def test_a_delay_keeps_the_reply_back_and_the_input() -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), Delay(5)).open()
    bench.connection.data_received(b"NOOP\r\nSTAT\r\n")
    assert bench.session.acted == ["greeting", "NOOP"]
    bench.clock.advance(4.9)
    assert bench.wire.said == b"hello\r\n"
    bench.clock.advance(0.1)
    assert bench.wire.said == b"hello\r\n+ NOOP\r\n+ STAT\r\n"


def test_a_stall_with_an_end_acts_after_it() -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), Stall(5)).open()
    bench.connection.data_received(b"NOOP\r\nSTAT\r\n")
    assert bench.session.acted == ["greeting"]
    bench.connection.eof_received()
    bench.clock.advance(5)
    assert bench.session.acted == ["greeting", "NOOP", "STAT"]
    assert bench.wire.said == b"hello\r\n+ NOOP\r\n+ STAT\r\n"
    assert bench.kinds()[-1] == "closed client"


def test_a_stall_for_ever_ends_when_the_client_leaves() -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), Stall()).open()
    bench.connection.data_received(b"NOOP\r\n")
    bench.clock.advance(days=30)
    assert bench.wire.said == b"hello\r\n"
    assert bench.connection.stalled_for_ever
    assert "stalls for ever" in bench.connection.describe()
    bench.connection.eof_received()
    assert bench.session.acted == ["greeting"]
    assert bench.session.eof == 1
    assert bench.kinds()[-1] == "closed client"


def test_a_drip_comes_in_pieces() -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), Drip(3, 2)).open()
    bench.connection.data_received(b"NOOP\r\nSTAT\r\n")
    pieces = [len(bench.wire.said) - len(b"hello\r\n")]
    for _ in range(3):
        bench.clock.advance(2)
        pieces.append(len(bench.wire.said) - len(b"hello\r\n"))
    assert pieces == [3, 6, 16, 16]
    assert bench.wire.said.endswith(b"+ NOOP\r\n+ STAT\r\n")


def test_garbled_replies_are_the_same_for_the_same_seed() -> None:
    def reply() -> bytes:
        bench = Bench("pop3", When("pop3", "NOOP"), Garble(2)).open()
        bench.connection.data_received(b"NOOP\r\n")
        return bench.wire.said.removeprefix(b"hello\r\n")

    assert reply() == reply() != b"+ NOOP\r\n"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 80), st.integers())
def test_garbling_changes_exactly_so_many_octets_and_no_line_end(octets: bytes, count: int, seed: int) -> None:
    changed = garbled(octets, count, random.Random(seed))
    ends = [(place, octet) for place, octet in enumerate(octets) if octet in b"\r\n"]
    assert [(place, octet) for place, octet in enumerate(changed) if octet in b"\r\n"] == ends
    assert sum(a != b for a, b in zip(octets, changed, strict=True)) == min(count, len(octets) - len(ends))


@pytest.mark.parametrize(
    ("effect", "log", "kinds"),
    [
        (Refuse(), ["abort"], ["connected", "fault it", "closed fault"]),
        (AcceptThenReset(), ["abort"], ["connected", "fault it", "closed fault"]),
        (AcceptThenReset(3), [b"hel", "abort"], ["connected", "fault it", "closed fault"]),
        (Drop(), ["close"], ["connected", "fault it", "closed fault"]),
        (Stall(), [], ["connected", "fault it"]),
    ],
)
def test_faults_at_connect(effect: Effect, log: list[object], kinds: list[str]) -> None:
    bench = Bench("pop3", When(at="connect"), effect).open()
    assert bench.wire.log == log
    assert bench.kinds() == kinds
    assert bench.connection.refused == isinstance(effect, Refuse)


def test_a_delayed_greeting() -> None:
    bench = Bench("pop3", When(at="connect"), Delay(3)).open()
    bench.connection.data_received(b"NOOP\r\n")
    assert bench.wire.said == b""
    bench.clock.advance(3)
    assert bench.wire.said == b"hello\r\n+ NOOP\r\n"


def test_input_is_bounded_while_nothing_may_be_acted_on() -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), Delay(5)).open()
    bench.connection.data_received(b"NOOP\r\n")
    bench.connection.data_received(b"STAT\r\n" * (HELD_LIMIT // 6))
    assert "pause" not in bench.wire.log
    bench.connection.data_received(b"STAT\r\nSTAT\r\n")
    assert bench.wire.log[-1] == "pause"
    bench.clock.advance(5)
    assert bench.wire.log.count("resume") == 1
    assert bench.session.acted.count("STAT") == HELD_LIMIT // 6 + 2


def test_input_that_nobody_will_ever_read_is_not_kept() -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), Stall()).open()
    bench.connection.data_received(b"NOOP\r\n")
    for _ in range(10):
        bench.connection.data_received(b"x" * HELD_LIMIT)
    assert "pause" not in bench.wire.log  # or the client's end would not be seen
    assert len(bench.connection._held) == 0


def test_a_large_reply_can_drip() -> None:
    bench = Bench("pop3", When("pop3", "*"), Drip(1_000, 0)).open()
    bench.connection.data_received(b"NOOP\r\n")
    reply = bytes(2_000_000)
    bench.session._out.append(Outgoing(reply, Drip(100, 0.001)))
    bench.session._suspended = True
    bench.connection.data_received(b"")
    bench.clock.advance(60)
    assert bench.wire.said.endswith(reply)


def test_a_client_that_does_not_read_is_not_served_on(bench: Bench) -> None:
    bench.connection.pause_writing()
    bench.connection.data_received(b"STAT\r\n")
    assert bench.session.acted == ["greeting"]
    bench.connection.resume_writing()
    assert bench.session.acted == ["greeting", "STAT"]
    bench.connection.pause_writing()
    bench.clock.advance(600)
    assert bench.wire.log[-1] == "abort"
    assert bench.kinds()[-1] == "closed timeout"


def test_the_idle_limit_counts_from_the_last_input(bench: Bench) -> None:
    for _ in range(5):
        bench.clock.advance(599)
        bench.connection.data_received(b"NOOP\r\n")
    bench.clock.advance(599)
    assert bench.kinds() == ["connected"]
    bench.clock.advance(1)
    assert bench.wire.said.endswith(b"bye\r\n")
    assert bench.kinds()[-1] == "closed timeout"


def test_much_input_costs_one_timer(bench: Bench) -> None:
    for _ in range(1000):
        bench.connection.data_received(b"NOOP\r\n")
    assert len(bench.clock._timers) == 1


def test_a_shorter_limit_is_noticed(bench: Bench) -> None:
    bench.session.idle_limit = 10
    bench.connection.data_received(b"NOOP\r\n")
    bench.clock.advance(10)
    assert bench.kinds()[-1] == "closed timeout"


def test_waiting_for_the_server_is_not_idle() -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), Delay(1000)).open()
    bench.connection.data_received(b"NOOP\r\n")
    bench.clock.advance(1000)
    assert bench.wire.said.endswith(b"+ NOOP\r\n")
    bench.clock.advance(599)
    assert bench.kinds()[-1] != "closed timeout"
    bench.clock.advance(1)
    assert bench.kinds()[-1] == "closed timeout"


def test_a_client_that_leaves(bench: Bench) -> None:
    bench.connection.data_received(b"NOOP\r\nSTA")
    bench.connection.eof_received()
    bench.connection.eof_received()
    assert bench.session.eof == 1
    assert bench.wire.log[-1] == "close"
    assert bench.kinds()[-1] == "closed client"


def test_what_was_asked_before_the_end_of_input_is_answered(bench: Bench) -> None:
    bench.connection.pause_writing()
    bench.connection.data_received(b"STAT\r\nQUIT\r\n")
    bench.connection.eof_received()
    assert bench.wire.said == b"hello\r\n+ STAT\r\n+ QUIT\r\n"
    assert bench.kinds()[-1] == "closed server"


def test_too_many_connections_are_told_so() -> None:
    world = World()
    world.connections.limit = 2
    wires = [Wire() for _ in range(3)]
    opened = [Connection(world, "smtp", wire, timers=ManualClock(), sessions=EchoSession) for wire in wires]
    for connection in opened:
        connection.open()
    assert wires[1].said == b"hello\r\n"
    assert wires[2].log == [b"421 4.7.0 too many connections\r\n", "close"]
    for connection in opened:
        connection.connection_lost()
    again = Wire()
    Connection(world, "smtp", again, timers=ManualClock(), sessions=EchoSession).open()
    assert again.said == b"hello\r\n"


def test_connections_are_counted_for_each_address() -> None:
    world = World()
    world.connections.per_address = 1
    wires = []
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        wires.append(Wire())
        Connection(world, "pop3", wires[-1], timers=ManualClock(), client_address=address, sessions=EchoSession).open()
    assert [wire.said for wire in wires] == [b"hello\r\n", b"hello\r\n", b"-ERR [SYS/TEMP] too many connections\r\n"]


def test_a_mistake_of_ours_ends_the_connection_and_shows(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="boom"):
        bench.connection.data_received(b"BOOM\r\n")
    assert bench.wire.log[-1] == "abort"
    assert bench.kinds() == ["connected", "note internal error: RuntimeError", "closed server"]


def test_settling_names_what_is_still_open(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)  # a runner of tests may have threads of its own
    bench.connection.data_received(b"NOOP\r\n")
    with pytest.raises(NotSettled, match=r"pop3-1 \(pop3\): last command NOOP, the server waits for a command"):
        bench.world.settle(60)  # at once: there is no other thread that could close it


def test_settling_moves_the_clock_for_a_server_that_only_waits() -> None:
    bench = Bench("pop3", When("pop3", "NOOP"), Stall(3600)).open()
    bench.connection.data_received(b"NOOP\r\n")
    bench.connection.connection_lost()
    bench.world.settle(0.1)
    assert bench.clock.monotonic() == 3600
    assert bench.session.acted == ["greeting", "NOOP"]
    assert bench.kinds()[-1] == "closed client"


PIECES = st.lists(st.integers(1, 9), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(PIECES, st.sampled_from([None, Delay(1), Stall(1), Drip(2, 1), Cut(3), Drop(), LoseReply(), Garble(1)]))
def test_the_cutting_of_the_input_changes_nothing(pieces: list[int], effect: Effect | None) -> None:
    def run(sizes: list[int]) -> tuple[bytes, list[tuple[object, ...]]]:
        bench = Bench("pop3", When("pop3", "STAT", nth=2), effect).open()
        script = b"NOOP\r\nSTAT\r\nLIST\r\nSTAT\r\nNOOP\r\nQUIT\r\n"
        for size in [*sizes, len(script)]:
            bench.connection.data_received(script[:size])
            script = script[size:]
        bench.clock.advance(60)
        bench.connection.connection_lost()
        return bench.wire.said, list(bench.world.journal.fields())

    assert run(pieces) == run([])
