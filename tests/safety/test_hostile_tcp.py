"""Peers that mean harm or know no better, over TCP: each is answered or dropped in bounded time with bounded memory, and the next client is
served. Time is the world's: where a limit has to pass, the clock is moved."""

from __future__ import annotations

import contextlib
import gc
import select
import socket
import struct
import tracemalloc
import weakref
from pathlib import Path

import pytest
from safety_peers import ANN, DEADLINE, PASSWORD, Peer, Site, site

from postroom_simulator.journal import Kind
from postroom_simulator.net.connection import HELD_LIMIT
from postroom_simulator.net.handshake import HANDSHAKE_LIMIT
from postroom_simulator.net.tcp import HIGH_WATER

MIB = 1024 * 1024
ALL = ("smtp", "submission", "smtps", "pop3", "pop3s")
CLEAR = ("smtp", "submission", "pop3")
LOGIN = f"USER {ANN}\r\nPASS {PASSWORD}\r\n".encode()


def handles() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def seen(where: Site) -> None:
    """Everything that clients did so far has reached the server."""
    where.world.connections.wait_until(lambda live: True)


def push(sock: socket.socket, octets: bytes) -> bool:
    """Send while the server takes it. False: it does not any more."""
    try:
        sock.sendall(octets)
    except OSError:
        return False
    return True


def ends(peer: Peer) -> bytes:
    """What is still said; fails by time-out where the connection does not end."""
    said = peer.rest()
    peer.close()
    return said


# -- lines, octets, numbers


@pytest.mark.parametrize("service", ALL)
@pytest.mark.parametrize(
    "octets", [b"x" * 65536, b"\0" * 65536, b"\r" * 65536, b"\n" * 65536, b"\xff" * 65536], ids=lambda octets: octets[:1].hex()
)
def test_a_line_without_end(service, octets):
    """In the clear and encrypted: at most a little of it is kept, and after 1 MiB the connection ends."""
    with site() as where:
        peer = where.peer(service)
        gc.collect()
        tracemalloc.start()
        sent = 0
        while sent < 16 * MIB and push(peer.sock, octets):
            sent += len(octets)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        ends(peer)
        assert sent < 16 * MIB
        assert most < 4 * MIB
        where.next_client_is_served()


@pytest.mark.parametrize("service", ALL)
def test_a_million_empty_lines(service):
    with site() as where:
        peer = where.peer(service)
        push(peer.sock, b"\r\n" * 500_000)
        said = ends(peer)
        assert said.count(b"\r\n") <= 20
        where.next_client_is_served()


HUGE = b"9" * 30


@pytest.mark.parametrize(
    ("service", "before", "line"),
    [
        ("pop3", LOGIN, b"RETR " + HUGE),
        ("pop3", LOGIN, b"DELE -1"),
        ("pop3", LOGIN, b"LIST 4294967297"),
        ("pop3", LOGIN, b"LIST 0"),
        ("pop3", LOGIN, b"TOP 1 " + HUGE),
        ("pop3", LOGIN, b"TOP 1 1e9"),
        ("pop3", LOGIN, b"UIDL \xc2\xb2"),
        ("pop3", b"", b"US\xc3\x89R ann"),
        ("pop3", b"", b"\xff\xfb\x01"),
        ("smtp", b"EHLO c\r\n", b"MAIL FROM:<a@b.test> SIZE=" + HUGE),
        ("smtp", b"EHLO c\r\n", b"MAIL FROM:<a@b.test> SIZE=-1"),
        ("smtp", b"EHLO c\r\n", b"MAIL FROM:<a@b.test> SIZE=\xd9\xa1"),
        ("smtp", b"EHLO c\r\n", b"M\xc4\xb0IL FROM:<a@b.test>"),
        ("smtp", b"EHLO c\r\n", b"\xff\xfb\x01"),
        ("smtp", b"EHLO c\r\n", b"EHLO \xff\xfe"),
        ("smtp", b"EHLO c\r\n", b"MAIL FROM:<" + b"\xc3\xa9" * 1000 + b"@b.test>"),
        ("smtp", b"EHLO c\r\n", b"MAIL FROM:<a@b.test>" + b" X=1" * 900),
    ],
)
def test_what_no_command_has(service, before, line):
    with site() as where:
        where.world.place(ANN, b"Subject: x\r\n\r\ny\r\n")
        peer = where.peer(service)
        for said in before.splitlines(keepends=True):
            peer.say(said)
        assert peer.say(line + b"\r\n").startswith((b"-ERR", b"50", b"55"))
        peer.send(b"QUIT\r\n")
        assert ends(peer).startswith((b"+OK", b"221"))
        where.next_client_is_served()


@pytest.mark.parametrize(
    "count", [b"9" * 19, b"9" * 20, b"9" * 21, b"9" * 4000, b"-1", b"0x10", b"1e3", b"\xc2\xb2", b"+5", b"5 5"]
)
def test_a_chunk_of_any_size(count):
    """A count that can be read is waited for, and the wait ends; of any other nobody knows what is text and what is not."""
    with site() as where:
        peer = where.peer("smtp")
        for line in (b"EHLO c\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<ann@sim.test>\r\n"):
            assert peer.say(line).startswith(b"250")
        peer.send(b"BDAT " + count + b" LAST\r\n" + b"RSET\r\n" * 100)
        seen(where)
        where.world.clock.advance(300)
        said = ends(peer)
        assert said.startswith((b"421", b"501"))
        assert said.count(b"\r\n") == 1
        assert where.world.journal.commands("RSET") == []
        where.next_client_is_served()


def test_a_message_far_over_the_limit_in_tiny_pieces():
    with site() as where:
        where.world.smtp.settings.max_octets = 100_000
        peer = where.peer("smtp")
        for line in (b"EHLO c\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<ann@sim.test>\r\n", b"DATA\r\n"):
            peer.say(line)
        tracemalloc.start()
        for _ in range(300):
            peer.send(b"." * 100_001)
        peer.send(b"\r\n.\r\n")
        assert peer.reply().startswith(b"552")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 4 * MIB
        peer.close()
        where.next_client_is_served()


# -- those who are many, and those who say nothing


def test_thousands_of_silent_connections():
    """Beyond the limit they are told so and let go; when the silent ones are gone, a client is served and every handle is back."""
    with site() as where:
        where.next_client_is_served()
        where.world.settle()
        before = handles()
        limit = where.world.connections.per_address
        crowd = []
        for number in range(1200):
            crowd.append(where.raw(ALL[number % len(ALL)]))
            if number % 100 == 0:
                seen(where)  # or the backlog overflows, and the kernel lets a client wait a second
        seen(where)
        refused = where.world.journal.entries(detail="too many connections", kind=Kind.NOTE)
        assert len(refused) == 1200 - limit
        greeted = told = 0
        for sock in crowd:  # which of the services came first is the kernel's affair
            sock.settimeout(0)
            with contextlib.suppress(OSError):
                said = sock.recv(100)
                greeted += said.startswith((b"220 ", b"+OK "))
                told += said.startswith((b"421 ", b"-ERR [SYS/TEMP] "))
        assert greeted <= limit
        assert told > 500
        for sock in crowd:
            sock.close()
        where.world.settle()
        where.next_client_is_served()
        where.world.settle()
        assert handles() == before
        assert where.world.connections.live() == []


def test_those_turned_away_keep_nobody_out():
    """Somebody who is told that there are too many, and stays, is not one of the many."""
    with site() as where:
        limit = where.world.connections.per_address
        crowd = [where.peer("smtp") for _ in range(limit)]
        stay = [where.raw("smtp") for _ in range(3)]
        for sock in stay:
            assert sock.recv(100).startswith(b"421 ")
        for peer in crowd[:2]:
            peer.send(b"QUIT\r\n")
            ends(peer)
        seen(where)
        assert where.world.connections.wait_until(lambda live: sum(not one.ended for one in live) == limit - 2)
        late = where.raw("smtp")
        assert late.recv(100).startswith(b"220 ")
        for sock in (late, *stay, *crowd):
            sock.close()


@pytest.mark.parametrize("service", ALL)
def test_silence(service):
    """After the connection, and in the middle of a word."""
    with site() as where:
        silent = Peer(where, where.raw(service))
        halfway = Peer(where, where.raw(service))
        halfway.send(b"\x16\x03" if service.endswith("s") else b"EHL")
        if service in CLEAR:
            silent.reply()
            halfway.reply()
        seen(where)
        where.world.clock.advance(HANDSHAKE_LIMIT if service.endswith("s") else 600)
        expected = b"421 4.4.2 idle for too long\r\n" if service in ("smtp", "submission") else b""
        assert [ends(silent), ends(halfway)] == [expected, expected]
        where.next_client_is_served()


@pytest.mark.parametrize("service", ALL)
def test_an_end_without_reading(service):
    """FIN at once; RST at once; FIN behind commands whose answers nobody reads."""
    with site() as where:
        where.raw(service).close()
        reset = where.raw(service)
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reset.close()
        unread = where.peer(service)
        push(unread.sock, b"CAPA\r\n" * 10 if service.startswith("pop3") else b"EHLO c\r\n" * 100)
        unread.close()
        half = where.raw(service)
        half.shutdown(socket.SHUT_WR)
        where.world.settle()
        half.close()
        where.world.settle()
        where.next_client_is_served()


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
def test_answers_that_nobody_reads(service):
    """Little is made in store for a client that does not read, nothing more is acted on, and it is let go in the end."""
    with site() as where:
        where.world.place(ANN, b"x" * 998 + (b"\r\n" + b"y" * 998) * 300)
        peer = where.peer(service)
        for line in LOGIN.splitlines(keepends=True):
            peer.say(line)
        gc.collect()
        tracemalloc.start()
        peer.sock.settimeout(0.05)
        for _ in range(100):
            if not push(peer.sock, b"RETR 1\r\n" * 1000):
                break
        seen(where)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < HIGH_WATER + 3 * 4 * MIB + 8 * HELD_LIMIT  # in the session, joined, in the transport
        assert len(where.world.journal.entries(kind=Kind.OFFERED)) < 60
        where.world.clock.advance(600)
        where.world.connections.wait_until(lambda live: all(one.ended for one in live))
        assert where.world.pop3.locks.holder(ANN) is None
        peer.sock.settimeout(DEADLINE)
        ends(peer)
        where.world.settle()
        where.next_client_is_served()


def test_answers_of_smtp_that_nobody_reads():
    with site() as where:
        where.world.smtp.settings.verify = "real"
        where.world.add_group("all@sim.test", [f"member-{number}.{'x' * 40}@sim.test" for number in range(900)])
        peer = where.peer("smtp")
        peer.sock.settimeout(0.05)
        gc.collect()
        tracemalloc.start()
        for _ in range(20):
            if not push(peer.sock, b"EXPN all@sim.test\r\n" * 2000):
                break
        seen(where)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < HIGH_WATER + 12 * MIB
        where.world.clock.advance(300)
        peer.sock.settimeout(DEADLINE)
        ends(peer)
        where.world.settle()
        where.next_client_is_served()


# -- other protocols


@pytest.mark.parametrize("service", CLEAR)
@pytest.mark.parametrize(
    "request_line", [b"GET / HTTP/1.1", b"POST /" + b"a" * 9000 + b" HTTP/1.1", b"CONNECT mail:25 HTTP/1.1", b"PRI * HTTP/2.0"]
)
def test_http_on_a_mail_port(service, request_line):
    with site() as where:
        peer = where.peer(service)
        body = b"EHLO e\r\nMAIL FROM:<>\r\nRCPT TO:<ann@sim.test>\r\nDATA\r\nx\r\n.\r\n" + LOGIN + b"QUIT\r\n"
        peer.send(request_line + b"\r\nHost: mail\r\nContent-Length: 99\r\n\r\n" + body)
        assert ends(peer) == b""
        assert where.world.inbox(ANN) == []
        assert where.world.journal.commands() == []
        where.next_client_is_served()


@pytest.mark.parametrize("service", CLEAR)
def test_tls_on_a_plain_port(service):
    """The client finds out by the greeting; one that waits is let go."""
    with site() as where:
        sock = where.raw(service)
        with pytest.raises(OSError):
            where.secured(sock)
        sock.close()
        peer = where.peer(service)
        peer.send(b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03" + bytes(range(200)))
        seen(where)
        where.world.clock.advance(600)
        ends(peer)
        where.next_client_is_served()


@pytest.mark.parametrize("service", ["smtps", "pop3s"])
@pytest.mark.parametrize("octets", [b"EHLO c\r\n", LOGIN, b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", b"\0" * 50_000])
def test_plain_text_on_a_tls_port(service, octets):
    with site() as where:
        peer = Peer(where, where.raw(service))
        push(peer.sock, octets)
        assert b"220" not in ends(peer)
        assert where.world.journal.commands() == []
        where.next_client_is_served()


# -- those who take their time


SLOWLY = [(service, state) for service in CLEAR for state in ("command", "login")]
SLOWLY += [(service, state) for service in CLEAR if service != "pop3" for state in ("text", "chunk")]  # POP3 takes no mail


@pytest.mark.parametrize(("service", "state"), SLOWLY)
def test_an_octet_now_and_then(service, state):
    """What never becomes a command, or brings next to nothing, is no activity: it does not keep a connection for ever."""
    with site() as where:
        peer = where.peer(service)
        before = {
            "command": [b"NOOP\r\n"],
            "text": [b"EHLO c\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<ann@sim.test>\r\n", b"DATA\r\n"],
            "chunk": [b"EHLO c\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<ann@sim.test>\r\n"],
            "login": [b"EHLO c\r\n" if service != "pop3" else b"CAPA\r\n", b"AUTH PLAIN\r\n"],
        }[state]
        for line in before:
            peer.send(line)
        if state == "chunk":
            peer.send(b"BDAT 100000\r\n")
        seen(where)
        limit = 600 if service == "pop3" else 300
        for _ in range(5):
            if not push(peer.sock, b"."):
                break
            seen(where)
            where.world.clock.advance(limit / 4)
        seen(where)
        assert not select.select([peer.sock], [], [], 0)[0] or ends(peer) is not None
        assert all(one.ended for one in where.world.connections.live())
        peer.close()
        where.next_client_is_served()


def test_who_is_slow_but_gets_on_is_served():
    """A kibibyte in each time of grace, or a command."""
    with site() as where:
        peer = where.peer("smtp")
        for line in (b"EHLO c\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<ann@sim.test>\r\n", b"DATA\r\n"):
            peer.say(line)
            where.world.clock.advance(200)
        for _ in range(10):
            peer.send(b"x" * 1024)
            seen(where)
            where.world.clock.advance(200)
        peer.send(b"\r\n.\r\n")
        assert peer.reply().startswith(b"250")
        for _ in range(5):
            where.world.clock.advance(200)
            assert peer.say(b"NOOP\r\n").startswith(b"250")
        peer.close()


def test_ended_connections_are_forgotten_before_the_clock_moves():
    """A timer that was cancelled waits on a manual clock for its time, and must not keep a connection and all that it knew."""
    with site(listen=False) as where:
        ended = []
        for _ in range(3):
            peer = where.peer("pop3")
            ended.append(weakref.ref(peer.sock.connection))
            peer.send(b"QUIT\r\n")
            peer.rest()
            peer.close()
        del peer
        gc.collect()
        assert [one() for one in ended] == [None] * 3
