"""Raw clients on either transport, with and without TLS, that know nothing of any protocol but where a reply ends."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from postroom_simulator.net.memory import wrap_tls
from postroom_simulator.net.tcp import Servers
from postroom_simulator.net.tls import Authority
from postroom_simulator.world import World

ANN, BOB, PASSWORD = "ann@sim.test", "bob@sim.test", "open sesame"
HOST = "localhost"
DEADLINE = 20.0
"""Seconds after which an answer that does not come is a failure; nobody waits for it in the good case."""
TRUST = Authority("mail.sim.test")
"""One for all worlds of these tests: certificates take time to make."""


@contextlib.contextmanager
def site(*, listen: bool = True) -> Iterator[Site]:
    """A world with two accounts, that listens or does not. Settling at the end finds mistakes of our own and what is left open."""
    with World() as world:
        world._authority = TRUST
        world.add_account(ANN, PASSWORD)
        world.add_account(BOB, PASSWORD)
        world.smtp.settings.trace = False
        yield Site(world, world.listen() if listen else None)
        assert list(world.connections.failures) == []
        assert world.journal.count(detail="internal error") == 0


@dataclass
class Site:
    world: World
    servers: Servers | None

    def raw(self, service: str) -> Any:
        """A connected socket, of the kernel's where the world listens."""
        if self.servers is None:
            return self.world.connect(service, timeout=DEADLINE)
        sock = socket.create_connection(self.servers.addresses[service], timeout=DEADLINE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def secured(self, sock: Any) -> Any:
        """The client's side of TLS over it."""
        context = TRUST.client_context()
        if self.servers is None:
            return wrap_tls(sock, context, HOST)
        return context.wrap_socket(sock, server_hostname=HOST)

    def peer(self, service: str) -> Peer:
        """Greeted; over TLS where the service begins with that."""
        sock = self.raw(service)
        peer = Peer(self, self.secured(sock) if service.endswith("s") else sock)
        peer.reply()
        return peer

    def next_client_is_served(self) -> None:
        """A real one, on both servers."""
        for service, said, good in (
            ("smtp", b"EHLO c.test\r\n", b"250"),
            ("pop3", f"USER {BOB}\r\nPASS {PASSWORD}\r\n".encode(), b"+OK"),
        ):
            peer = self.peer(service)
            peer.send(said + b"QUIT\r\n")
            replies = peer.rest().split(b"\r\n")[:-1]
            assert all(reply.startswith((good, b"221")) for reply in replies), replies
            assert len(replies) >= 3
            peer.close()


class Peer:
    """Says octets and reads replies: of POP3 the first line, of SMTP up to the line with a blank behind the code."""

    def __init__(self, where: Site, sock: Any) -> None:
        self.site = where
        self.sock = sock
        self._got = b""

    def send(self, octets: bytes, cut: int = 0) -> None:
        """`cut`: so many octets in each segment."""
        for start in range(0, len(octets), cut or max(1, len(octets))):
            self.sock.sendall(octets[start : start + cut] if cut else octets)

    def reply(self) -> bytes:
        """The next one, whole. What is left at the end of the connection is given as it is."""
        reply = b""
        while True:
            line, found, rest = self._got.partition(b"\r\n")
            if not found:
                piece = self.sock.recv(65536)
                if not piece:
                    left, self._got = reply + self._got, b""
                    return left
                self._got += piece
                continue
            self._got = rest
            reply += line + found
            if line[3:4] != b"-" or line.startswith(b"-"):
                return reply

    def say(self, octets: bytes, cut: int = 0) -> bytes:
        self.send(octets, cut)
        return self.reply()

    def rest(self) -> bytes:
        """Everything up to the end, however it comes."""
        got, self._got = self._got, b""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while piece := self.sock.recv(65536):
                got += piece
        return got

    def start_tls(self, command: bytes) -> None:
        """STARTTLS or STLS, done properly."""
        assert self.say(command + b"\r\n")[:3] in (b"220", b"+OK")
        assert self._got == b""
        self.sock = self.site.secured(self.sock)

    def close(self) -> None:
        self.sock.close()
