"""Reading bounded lines and texts; connections over real sockets; the bounds of one run."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.errors import Cancelled, ConnectionFailed, ProtocolError, ServerTimeout, TlsError
from postroom.providers.builtin.pop3 import Pop3Config, Pop3Provider
from postroom.providers.builtin.smtp import SmtpConfig, SmtpProvider, SmtpState
from postroom.providers.connectors import SocketConnector
from postroom.providers.contract import ProviderEnv, RunOutcome, SubmissionResult
from postroom.providers.lines import LineReader, Overlong, printable
from postroom.providers.mailbox import MailboxState
from postroom.providers.secret import Secret
from postroom.rules.operation import Operation
from postroom.runtime.connections import RunConnector
from postroom.runtime.executors import PoolExecutor
from postroom.runtime.jobs import Job, JobRun
from postroom.runtime.runtime import Runtime
from postroom.testing.fake_gateway import FakeGateway, make_context
from postroom.testing.memory import WorldConnector
from postroom_simulator.clock import ManualClock, SystemClock
from postroom_simulator.faults import Drip, Fault, Stall, When
from postroom_simulator.world import World
from providers.test_smtp_provider import email

ME = "me@sim.test"
PATIENCE = 10.0


class Pieces:
    """A source that gives what it has in pieces of `size` octets, then the end."""

    def __init__(self, octets: bytes, size: int) -> None:
        self.octets = octets
        self.size = size

    def recv(self, limit: int, /) -> bytes:
        piece, self.octets = self.octets[: min(self.size, limit)], self.octets[min(self.size, limit) :]
        return piece


def dotted(text: bytes) -> bytes:
    """What a server sends for a text (whose lines end with CR LF)."""
    lines = text.split(b"\r\n")[:-1]
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines) + b".\r\n"


lines = st.lists(st.binary(max_size=12).filter(lambda line: b"\r\n" not in line and not line.endswith(b"\r")), max_size=8)
pieces = st.lists(st.sampled_from([b".", b"..", b"\n.", b"\n.\n", b"a", b"", b"\n", b"x\ry", b".\r."]), max_size=8)


@given(st.one_of(lines, pieces), st.integers(1, 9))
def test_a_text_comes_out_as_it_was_however_it_is_cut(parts: list[bytes], size: int) -> None:
    text = b"".join(part + b"\r\n" for part in parts if not part.endswith(b"\r"))
    reader = LineReader(Pieces(b"+OK\r\n" + dotted(text) + b"+OK next\r\n", size))
    assert reader.readline() == b"+OK\r\n"
    assert reader.read_text(10_000) == text
    assert reader.readline(100) == b"+OK next\r\n"
    assert reader.pending == 0


@given(st.integers(0, 60), st.integers(1, 7))
def test_a_cut_text_is_no_text(length: int, size: int) -> None:
    whole = dotted(b"Subject: x\r\n\r\n.dot\r\nline\r\n")
    if length >= len(whole):
        return
    with pytest.raises(ConnectionFailed):
        LineReader(Pieces(whole[:length], size)).read_text(1000)


def test_an_overlong_text_is_read_to_its_end() -> None:
    reader = LineReader(Pieces(dotted(b"x" * 300_000 + b"\r\n") + b"+OK\r\n", 5000))
    with pytest.raises(Overlong) as caught:
        reader.read_text(100_000)
    assert 0 < len(caught.value.head) <= 70_000
    assert reader.readline() == b"+OK\r\n"


def test_an_endless_text_ends() -> None:
    class Endless:
        given = 0

        def recv(self, limit: int, /) -> bytes:
            self.given += limit
            return b"x" * limit

    source = Endless()
    with pytest.raises(ProtocolError):
        LineReader(source).read_text(100_000)
    assert source.given < 1_000_000
    assert len(LineReader(source).readline(512)) == 512


@given(st.binary(max_size=500))
def test_what_a_server_said_is_safe_to_show(said: bytes) -> None:
    shown = printable(said)
    assert shown.isprintable()
    assert len(shown) <= 300


# -- one run's connections


def test_waits_are_bounded_by_the_deadline() -> None:
    with World() as world:
        world.add_account(ME, "secret")
        world.faults.add(Fault(When("pop3", "PASS"), Stall()))
        net = RunConnector(WorldConnector(world), world.clock, world.clock.monotonic() + 30)
        provider = Pop3Provider(Pop3Config(world.hostname, 995, ME, Secret("secret")), ProviderEnv("i"))
        with pytest.raises(ServerTimeout):
            provider.run(make_context(MailboxState(), net=net, clock=world.clock, timeout=100))
        assert world.clock.monotonic() == 30
        with pytest.raises(ServerTimeout):
            net.connect(world.hostname, 110, timeout=100)


def test_a_dripping_server_does_not_outlive_the_deadline() -> None:
    with World() as world:
        world.add_account(ME, "secret")
        world.place(ME, b"Subject: x\r\n\r\n" + b"y" * 10_000)
        world.faults.add(Fault(When("pop3", "RETR"), Drip(1, 1.0)))
        net = RunConnector(WorldConnector(world), world.clock, world.clock.monotonic() + 60)
        provider = Pop3Provider(Pop3Config(world.hostname, 110, ME, Secret("secret"), tls="none"), ProviderEnv("i"))
        with pytest.raises(ServerTimeout):
            provider.run(make_context(MailboxState(), net=net, clock=world.clock, timeout=100))
        assert world.clock.monotonic() <= 61


def test_after_the_end_nothing_connects() -> None:
    with World() as world:
        net = RunConnector(WorldConnector(world), world.clock, 100)
        connection = net.connect(world.hostname, 110, timeout=10)
        net.shutdown()
        with pytest.raises(Cancelled):
            connection.recv(10)
        with pytest.raises(Cancelled):
            net.connect(world.hostname, 110, timeout=10)
        net.close()


# -- real sockets


def test_providers_over_tcp() -> None:
    with World(clock=SystemClock()) as world:
        world.add_account(ME, "secret")
        servers = world.listen()
        context = world.authority.client_context()
        net = SocketConnector(lambda: context)
        for tls, pop3, smtp in (("none", "pop3", "smtp"), ("starttls", "pop3", "submission"), ("implicit", "pop3s", "smtps")):
            gateway = FakeGateway()
            gateway.outgoing.append(email(1, ME))
            host, port = servers.addresses[smtp]
            user = "" if tls == "none" else ME
            out: Any = SmtpProvider(SmtpConfig(host, port, user, Secret("secret"), tls=tls), ProviderEnv("o"))  # type: ignore[arg-type]
            out.run(make_context(SmtpState(), net=net, clock=world.clock, gateway=gateway, timeout=PATIENCE))
            assert gateway.reports["e1"].result is SubmissionResult.SENT
            host, port = servers.addresses[pop3]
            incoming = Pop3Provider(Pop3Config(host, port, ME, Secret("secret"), tls=tls, delete=True), ProviderEnv("i"))  # type: ignore[arg-type]
            outcome = incoming.run(make_context(MailboxState(), net=net, clock=world.clock, gateway=gateway, timeout=PATIENCE))
            assert outcome.delivered == 1
            assert gateway.offers[0].message.subject == "mail 1"
        world.settle()
        assert world.inbox(ME) == []


def test_certificates_are_checked() -> None:
    with World(clock=SystemClock()) as world:
        servers = world.listen(ports={"pop3s": 0, "pop3": 0})
        host, port = servers.addresses["pop3s"]
        with pytest.raises(TlsError):
            SocketConnector().connect(host, port, timeout=PATIENCE, tls=True)

        other = world.listen(host="127.0.0.2", ports={"pop3s": 0})
        host, port = other.addresses["pop3s"]
        with pytest.raises(TlsError) as caught:
            SocketConnector(world.authority.client_context).connect(host, port, timeout=PATIENCE, tls=True)
        assert caught.value.code == "certificate"
        host, port = servers.addresses["pop3"]
        with pytest.raises(TlsError):
            SocketConnector(world.authority.client_context).connect(host, port, timeout=PATIENCE, tls=True)


def test_errors_of_sockets_are_ours() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ConnectionFailed) as caught:
            SocketConnector().connect("127.0.0.1", port, timeout=PATIENCE)
        assert caught.value.code == "refused"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = SocketConnector().connect("127.0.0.1", silent.getsockname()[1], timeout=PATIENCE)
        connection.settimeout(0.01)
        with pytest.raises(ServerTimeout):
            connection.recv(1)
        connection.close()
        connection.close()
        with pytest.raises(ConnectionFailed):
            connection.sendall(b"x")


def test_a_thread_that_waits_on_a_silent_server_is_woken_at_the_deadline() -> None:
    clock = ManualClock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        waiting = threading.Event()

        def run(jobrun: JobRun) -> RunOutcome:
            net = jobrun.connector(SocketConnector())
            provider = Pop3Provider(Pop3Config("127.0.0.1", port, ME, Secret("x"), tls="none"), ProviderEnv("i"))
            waiting.set()
            context = make_context(MailboxState(), net=net, clock=clock, timeout=PATIENCE * 6, cancelled=jobrun.cancelled)
            return provider.run(context)

        executor = PoolExecutor(1)
        runtime = Runtime(clock, executor, grace=5)
        runtime.submit(Job("box", Operation.INCOMING, run, seconds=30))
        runtime.tick()
        assert waiting.wait(PATIENCE)
        peer, _ = silent.accept()
        clock.advance(30)
        (report,) = runtime.run_until_idle(PATIENCE)
        assert report.late
        assert isinstance(report.error, ServerTimeout)
        assert executor.close(PATIENCE)
        peer.close()
