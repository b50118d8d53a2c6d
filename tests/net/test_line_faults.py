"""What faults do to a whole line: a cut of all that is said, a silence before the end, jitter, and which argument is meant."""

from __future__ import annotations

from typing import Any

import pytest
from net_helpers import DOT, LINE, converse, open_in_memory, open_over_tcp

from postroom_simulator.faults import Cut, Delay, Drop, Effect, Fault, Reply, When
from postroom_simulator.journal import Kind
from postroom_simulator.net.memory import connect, wrap_tls
from postroom_simulator.world import World

POP3 = [
    (b"", LINE),
    (b"USER ann@sim.test\r\n", LINE),
    (b"PASS secret\r\n", LINE),
    (b"RETR 1\r\n", DOT),
    (b"QUIT\r\n", LINE),
    (b"", LINE),
]


def make_world(*faults: Fault) -> World:
    world = World(seed=5)
    world.add_account("ann@sim.test")
    world.add_account("bob@sim.test")
    world.place("ann@sim.test", b"Subject: one\r\n\r\n" + b"some text\r\n" * 30)
    for fault in faults:
        world.faults.add(fault)
    return world


def both(*faults: Fault, script: list[Any] = POP3, service: str = "pop3") -> tuple[list[str], float]:
    """What was heard, alike on both transports with equal journals, and when it was over."""
    seen = []
    for transport in ("memory", "tcp"):
        with make_world(*faults) as world:
            try:
                if transport == "memory":
                    heard = converse(open_in_memory(world, service), script)
                else:
                    heard = converse(open_over_tcp(world, world.listen(ports={service: 0}), service), script)
            except ConnectionResetError:
                heard = ["<reset>"]
            took = world.clock.monotonic()
            world.settle(5)
            seen.append((heard, took, list(world.journal.fields())))
    assert seen[0] == seen[1]
    return seen[0][0], seen[0][1]


def whole() -> str:
    return "".join(both()[0]).removesuffix("<fin>")


@pytest.mark.parametrize("octets", [1, 10, 30, 60, 61, 150, 370])
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_line_is_cut_at_exactly_its_octet(octets: int, how: Any) -> None:
    heard, _ = both(Fault(When("pop3", "connect"), Cut(octets, how)))
    said = "".join(piece for piece in heard if piece != "<reset>").removesuffix("<fin>")
    assert said == whole()[: len(said)]
    # The converser drops what it had of a reply when a reset comes; up to the last whole reply it has all.
    assert len(said) == octets if how == "fin" else len(said) <= octets


def test_a_cut_of_nothing_is_the_end_at_once() -> None:
    assert both(Fault(When("pop3", "connect"), Cut(0)))[0] == ["<fin>"]


def test_a_cut_behind_the_end_changes_nothing() -> None:
    assert both(Fault(When("pop3", "connect"), Cut(100_000)))[0] == both()[0]


def test_what_a_cut_reply_asked_for_was_done() -> None:
    with make_world(Fault(When("smtp", "connect"), Cut(len("220 mail.sim.test ESMTP Postroom simulator\r\n") + 3))) as world:
        with connect(world, "smtp", 30) as sock:
            sock.sendall(b"HELO me\r\n")
            sock.sendall(b"MAIL FROM:<>\r\n")
            assert sock.makefile("rb").read().endswith(b"\r\n250")
        world.settle()
        assert [e.verb for e in world.journal.commands()] == ["HELO"]
        assert [e.detail for e in world.journal if e.kind is Kind.CLOSED] == ["fault"]


@pytest.mark.parametrize("octets", [1, 100, 1500, 2500])
def test_with_tls_the_octets_are_those_of_the_line(octets: int) -> None:
    with make_world(Fault(When("pop3", "connect"), Cut(octets))) as world:
        counted = Counting(connect(world, "pop3s", 30))
        try:
            with wrap_tls(counted, world.authority.client_context(), "localhost") as sock:  # type: ignore[arg-type]
                while sock.recv(1000):
                    sock.sendall(b"CAPA\r\n")
        except OSError:
            pass
        counted.close()
        assert counted.octets == octets


class Counting:
    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.octets = 0

    def recv(self, size: int) -> bytes:
        piece: bytes = self._sock.recv(size)
        self.octets += len(piece)
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


@pytest.mark.parametrize("at", ["connect", "greeting", "PASS", "RETR"])
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_silence_before_the_end(at: str, how: Any) -> None:
    heard, took = both(Fault(When("pop3", at), Drop(how, 12)))
    assert heard[-1] == {"fin": "<fin>", "rst": "<reset>"}[how]
    assert took == 12


def test_a_silence_in_the_handshake() -> None:
    with make_world(Fault(When("pop3", "tls"), Drop("rst", 12))) as world:
        with pytest.raises(ConnectionResetError):
            wrap_tls(connect(world, "pop3s", 30), world.authority.client_context(), "localhost")
        assert world.clock.monotonic() == 12


def test_who_leaves_during_the_silence_is_not_waited_for() -> None:
    with make_world(Fault(When("pop3", "greeting"), Drop("rst", 1000))) as world:
        connect(world, "pop3", 30).close()
        world.settle(2)
        assert [e.detail for e in world.journal if e.kind is Kind.CLOSED] == ["fault"]


def test_jitter_is_seeded_and_within_its_bounds() -> None:
    script = [(b"", LINE), *[(b"NOOP\r\n", LINE)] * 20]
    fault = Fault(When("smtp", "NOOP"), Delay(5, 2))
    first, took = both(fault, script=script, service="smtp")
    assert len(first) == 21
    assert 20 * 3 < took < 20 * 7
    assert took != pytest.approx(100)
    assert both(fault, script=script, service="smtp") == (first, took)


SEND = [
    (b"", LINE),
    (b"HELO client.test\r\n", LINE),
    (b"MAIL FROM:<carl@else.test>\r\n", LINE),
    (b"RCPT TO:<ann@sim.test>\r\n", LINE),
    (b"RCPT TO:<bob@sim.test>\r\n", LINE),
    (b"RCPT TO:<Bob.Smith@sim.test>\r\n", LINE),
]


@pytest.mark.parametrize(
    ("argument", "refused"),
    [
        ("*<bob@*", [False, True, False]),
        ("*BOB*", [False, True, True]),
        ("*", [True, True, True]),
        ("TO:<ann@sim.test>", [True, False, False]),
        ("ann", [False, False, False]),
        ("*<???@sim.test>", [True, True, False]),
        ("*[ab]*", [False, False, False]),
    ],
)
def test_the_argument_decides(argument: str, refused: list[bool]) -> None:
    heard, _ = both(Fault(When("smtp", "RCPT", argument=argument), Reply("550", "5.1.1 no")), script=SEND, service="smtp")
    assert [reply.startswith("550 5.1.1 no") for reply in heard[3:]] == refused


def test_a_password_cannot_be_fished_for() -> None:
    heard, _ = both(Fault(When("pop3", "PASS", argument="*secret*"), Reply("-ERR", "found")))
    assert not any("found" in reply for reply in heard)


def test_nothing_follows_a_phase() -> None:
    fault: Effect = Reply("451", "no")
    heard, _ = both(Fault(When("smtp", argument="*"), fault), script=SEND[:2], service="smtp")
    assert heard == ["220 mail.sim.test ESMTP Postroom simulator\r\n", "451 no\r\n"]
