"""TLS on both transports: implicit, by STARTTLS and STLS, its failures and its faults."""

from __future__ import annotations

import poplib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from net_helpers import EchoSession

from postroom_simulator.faults import Cut, Delay, Drop, Effect, Stall, When
from postroom_simulator.journal import Kind
from postroom_simulator.net.memory import MemorySocket, TlsMemorySocket, connect, wrap_tls
from postroom_simulator.net.tls import Authority, TlsLayer
from postroom_simulator.world import World

TRUST = Authority("mail.sim.test")  # made once: the only slow thing here


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        made._authority = TRUST
        made.add_account("ann@sim.test")
        yield made


def secured(world: World, service: str = "pop3s", host: str = "mail.sim.test") -> TlsMemorySocket:
    return wrap_tls(connect(world, service, 30, sessions=EchoSession), TRUST.client_context(), host)


def journal(world: World) -> list[str]:
    world.settle(2)
    return [f"{e.kind.value} {e.detail}".strip() for e in world.journal if e.kind in (Kind.TLS, Kind.CLOSED, Kind.FAULT)]


def test_the_authority_is_made_once_and_written_for_others(tmp_path: Path) -> None:
    authority = Authority("here.test")
    path = authority.write(tmp_path / "ca.pem")
    assert path.read_bytes() == authority.pem() == Authority.pem(authority)
    assert b"BEGIN CERTIFICATE" in authority.pem()
    assert authority.server_context() is authority.server_context()
    context = ssl.create_default_context(cafile=str(path))
    assert context.cert_store_stats()["x509_ca"] >= 1


@pytest.mark.parametrize("host", ["mail.sim.test", "localhost", "127.0.0.1", "::1"])
def test_the_certificate_holds_for_each_name(world: World, host: str) -> None:
    with secured(world, host=host) as sock:
        assert sock.recv(100) == b"hello\r\n"
        assert sock.version() == "TLSv1.3"
        sock.sendall(b"QUIT\r\n")
        assert sock.makefile("rb").read() == b"+ QUIT\r\n"
    assert journal(world) == ["tls established", "closed server"]


def test_a_wrong_name_is_refused_by_the_client(world: World) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        secured(world, host="other.test")
    assert journal(world)[0].startswith("tls failed: ")
    assert journal(world)[-1] == "closed server"


def test_clear_text_on_a_port_for_tls(world: World) -> None:
    with connect(world, "pop3s", 30, sessions=EchoSession) as sock:
        sock.sendall(b"USER ann@sim.test\r\n")
        assert sock.makefile("rb").read()[:1] in (b"", b"\x15")  # nothing, or an alert
    assert journal(world) == ["tls failed: WRONG_VERSION_NUMBER", "closed server"]


def test_a_client_that_leaves_in_the_handshake(world: World) -> None:
    connect(world, "smtps", 30, sessions=EchoSession).close()
    assert journal(world) == ["tls failed: connection closed", "closed client"]


def test_a_handshake_has_a_limit(world: World) -> None:
    with connect(world, "smtps", sessions=EchoSession) as sock:
        assert sock.recv(10) == b""
    assert world.clock.monotonic() == 60
    assert journal(world) == ["tls failed: time-out", "closed timeout"]


def test_a_client_that_says_goodbye(world: World) -> None:
    sock = secured(world)
    sock.recv(100)
    sock.unwrap()
    assert journal_of_open(world) == ["tls established", "closed client"]
    sock.close()


def journal_of_open(world: World) -> list[str]:
    return [f"{e.kind.value} {e.detail}" for e in world.journal if e.kind in (Kind.TLS, Kind.CLOSED)]


def test_broken_records_end_the_connection(world: World) -> None:
    raw = connect(world, "pop3s", 30, sessions=EchoSession)
    sock = wrap_tls(raw, TRUST.client_context(), "localhost")
    raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert sock.recv(100) == b"hello\r\n"
    with pytest.raises(ssl.SSLError):
        sock.recv(100)
    sock.close()
    assert journal(world) == ["tls established", "closed server"]
    assert any(e.kind is Kind.NOTE and "TLS failed" in e.detail for e in world.journal)


@pytest.mark.parametrize(
    ("effect", "errors", "closed"),
    [
        (Drop(), (ssl.SSLEOFError, ConnectionResetError), "fault"),
        (Drop("rst"), ConnectionResetError, "fault"),
        (Stall(), TimeoutError, "client"),
        (Stall(40), TimeoutError, "client"),
        (Cut(0), ssl.SSLEOFError, "fault"),
        (Cut(100), ssl.SSLEOFError, "fault"),
        (Cut(100, "rst"), ConnectionResetError, "fault"),
    ],
    ids=str,
)
def test_faults_in_the_handshake(world: World, effect: Effect, errors: Any, closed: str) -> None:
    world.faults.add(When(at="tls"), effect, name="it")
    with pytest.raises(errors):
        secured(world)
    entries = journal(world)
    assert entries[0] == "fault it"
    assert entries[-1] == f"closed {closed}"


def test_a_cut_acts_at_exactly_its_octet(world: World) -> None:
    world.faults.add(When(at="tls"), Cut(137, "fin"))
    raw = connect(world, "pop3s", 30, sessions=EchoSession)
    with pytest.raises(ssl.SSLEOFError):
        wrap_tls(Counting(raw), TRUST.client_context(), "localhost")  # type: ignore[arg-type]
    assert Counting.octets == 137


class Counting:
    """Counts what a client receives."""

    octets = 0

    def __init__(self, sock: MemorySocket) -> None:
        self._sock = sock
        Counting.octets = 0

    def recv(self, size: int) -> bytes:
        piece = self._sock.recv(size)
        Counting.octets += len(piece)
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_a_cut_beyond_a_handshake_comes_at_its_end(world: World) -> None:
    world.faults.add(When(at="tls"), Cut(1_000_000))
    sock = secured(world)  # with TLS 1.3 the client's side is done first
    assert sock.recv(100) == b""
    sock.close()
    assert journal(world)[-1] == "closed fault"


@pytest.mark.parametrize("effect", [Delay(7), Stall(7)], ids=str)
def test_a_late_handshake(world: World, effect: Effect) -> None:
    world.faults.add(When(at="tls"), effect)
    with secured(world) as sock:
        assert world.clock.monotonic() == 7
        assert sock.recv(100) == b"hello\r\n"


def test_starttls_forgets_what_was_sent_too_early(world: World) -> None:
    raw = connect(world, "smtp", 30, sessions=EchoSession)
    assert raw.recv(100) == b"hello\r\n"
    raw.sendall(b"TLS\r\nINJECTED\r\n")
    assert raw.recv(100) == b"+ TLS\r\n"
    sock = wrap_tls(raw, TRUST.client_context(), "localhost")
    assert sock.recv(100) == b"secure\r\n"
    sock.sendall(b"NOOP\r\n")
    assert sock.recv(100) == b"+ NOOP\r\n"
    sock.close()
    assert "INJECTED" not in [e.verb for e in world.journal]


def test_starttls_after_a_delay_forgets_as_well(world: World) -> None:
    raw = connect(world, "smtp", 30)
    raw.recv(1000)
    raw.sendall(b"EHLO me\r\n")
    raw.recv(1000)
    world.faults.add(When("smtp", "STARTTLS"), Delay(5))
    raw.sendall(b"STARTTLS\r\n")
    raw.sendall(b"MAIL FROM:<evil@else.test>\r\n")
    assert raw.recv(100).startswith(b"220")
    sock = wrap_tls(raw, TRUST.client_context(), "localhost")
    sock.sendall(b"NOOP\r\n")
    assert sock.recv(100).startswith(b"250")
    sock.close()
    assert not world.journal.commands("MAIL")


class Pop3(poplib.POP3):
    """The standard client on a given socket."""

    def __init__(self, sock: Any) -> None:
        self.given = sock
        super().__init__("localhost", timeout=30)

    def _create_socket(self, timeout: float) -> Any:
        return self.given


def smtp_client(sock: Any) -> smtplib.SMTP:
    client = smtplib.SMTP(local_hostname="client.test")
    client.sock = sock
    assert client.getreply()[0] == 220
    return client


def sockets(world: World, transport: str, service: str, sni: str) -> Any:
    """A socket ready for the service: encrypted at once where the service is."""
    implicit = service in ("pop3s", "smtps")
    if transport == "memory":
        raw = world.connect(service, timeout=30)
        return wrap_tls(raw, TRUST.client_context(), sni) if implicit else raw
    servers = world.listen(ports={service: 0})
    plain = socket.create_connection(servers.addresses[service], timeout=30)
    return TRUST.client_context().wrap_socket(plain, server_hostname=sni) if implicit else plain


def upgrade(sock: Any) -> Any:
    if isinstance(sock, MemorySocket):
        return wrap_tls(sock, TRUST.client_context(), "localhost")
    return TRUST.client_context().wrap_socket(sock, server_hostname="localhost")


def pop3_over(transport: str, service: str, effect: Effect | None) -> list[tuple[object, ...]]:
    with World(seed=2) as world:
        world._authority = TRUST
        world.add_account("ann@sim.test")
        world.place("ann@sim.test", b"Subject: one\r\n\r\n" + b"text\r\n" * 20_000)
        if effect is not None:
            world.faults.add(When("pop3", "RETR"), effect)
        client = Pop3(sockets(world, transport, service, "localhost"))
        try:
            if service == "pop3":
                client._shortcmd("STLS")
                client.file.close()
                client.sock = upgrade(client.sock)
                client.file = client.sock.makefile("rb")
            client.user("ann@sim.test")
            client.pass_("secret")
            assert len(client.retr(1)[1]) == 20_002
            client.quit()
        except (poplib.error_proto, ConnectionError, EOFError):
            assert effect is not None
        finally:
            client.close()
        world.settle(5)
        return list(world.journal.fields())


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
@pytest.mark.parametrize("effect", [None, Cut(70_000), Cut(10, "rst"), Drop()], ids=str)
def test_pop3_is_the_same_on_both_transports(service: str, effect: Effect | None) -> None:
    entries = pop3_over("memory", service, effect)
    assert entries == pop3_over("tcp", service, effect)
    assert ("tls", "established") in {(entry[0], entry[5]) for entry in entries}


def smtp_over(transport: str, service: str) -> list[tuple[object, ...]]:
    with World(seed=2) as world:
        world._authority = TRUST
        world.add_account("ann@sim.test")
        client = smtp_client(sockets(world, transport, service, "localhost"))
        if service != "smtps":
            client.ehlo()
            assert client.docmd("STARTTLS")[0] == 220
            client.file.close()
            client.file = None
            client.sock = upgrade(client.sock)
        client.ehlo()
        client.login("ann@sim.test", "secret")
        client.sendmail("ann@sim.test", ["ann@sim.test"], b"Subject: me\r\n\r\n" + b"x" * 900 + b"\r\n")
        client.quit()
        world.settle(5)
        assert len(world.inbox("ann@sim.test")) == 1
        return list(world.journal.fields())


@pytest.mark.parametrize("service", ["smtp", "submission", "smtps"])
def test_smtp_is_the_same_on_both_transports(service: str) -> None:
    entries = smtp_over("memory", service)
    assert entries == smtp_over("tcp", service)
    assert ("tls", "established") in {(entry[0], entry[5]) for entry in entries}


def handshake_over(transport: str, service: str, effect: Effect) -> list[tuple[object, ...]]:
    with World(seed=2) as world:
        world._authority = TRUST
        world.faults.add(When(at="tls"), effect, name="it")
        address = world.listen(ports={service: 0}).addresses[service] if transport == "tcp" else None
        with pytest.raises((ConnectionError, ssl.SSLError)):  # a reset may also be there before `create_connection` returns
            shake_hands(socket.create_connection(address, timeout=30) if address else world.connect(service, timeout=30))
        world.settle(5)
        return list(world.journal.fields())


def shake_hands(sock: Any) -> None:
    """Not by `wrap_socket`: that leaves the socket unclosed when the reset is there before it (CPython 3.11)."""
    layer = TlsLayer(TRUST.client_context(), server_side=False, server_hostname="localhost")
    with sock:
        while not layer.handshake():
            sock.sendall(layer.take())
            octets = sock.recv(65536)
            if octets:
                layer.feed(octets)
            else:
                layer.feed_eof()


@pytest.mark.parametrize("service", ["pop3s", "smtps"])
@pytest.mark.parametrize("effect", [Drop(), Drop("rst"), Cut(50), Cut(50, "rst")], ids=str)
def test_faults_in_the_handshake_are_the_same_on_both_transports(service: str, effect: Effect) -> None:
    entries = handshake_over("memory", service, effect)
    assert entries == handshake_over("tcp", service, effect)
    assert [entry[0] for entry in entries] == ["connected", "fault", "closed"]


@pytest.mark.parametrize("transport", ["memory", "tcp"])
def test_a_distrusting_client_is_journalled_alike(transport: str) -> None:
    with World(seed=2) as world:
        world._authority = TRUST
        with pytest.raises(ssl.SSLCertVerificationError):
            sockets(world, transport, "pop3s", "elsewhere.test")
        world.settle(5)
        assert journal(world) == ["tls failed: SSLV3_ALERT_BAD_CERTIFICATE", "closed server"]
