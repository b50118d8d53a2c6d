"""Clients that talk alike in memory and over TCP, and a small session to test connections with."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from typing import Any

from postroom_simulator.clock import ManualClock
from postroom_simulator.faults import AcceptThenReset, Cut, Delay, Drip, Drop, Effect, LoseReply, Reply, Stall
from postroom_simulator.journal import Kind
from postroom_simulator.net.memory import connect
from postroom_simulator.net.tcp import Servers
from postroom_simulator.session import Outgoing, SessionContext
from postroom_simulator.world import World

CLIENT_TIMEOUT = 30.0


class EchoSession:
    """Answers each line with "+ LINE". Knows QUIT, TLS (asks for a handshake), BOOM (a mistake of ours) and BIG (a large reply)."""

    def __init__(self, service: str, context: SessionContext) -> None:
        self.context = context
        self.service = service
        self.closed = False
        self.wants_tls = False
        self.idle_limit: float | None = 600.0
        self.account: str | None = None
        self.eof = 0
        self.resumed = 0
        self.acted: list[str] = []
        self._suspended = False
        self._stalled: str | None = None
        self._in = b""
        self._out: list[Outgoing] = []

    def start(self) -> None:
        self._take_step("greeting", b"hello\r\n")

    def receive_data(self, octets: bytes) -> None:
        if not self.wants_tls:
            self._in += octets
            self._run()

    def _run(self) -> None:
        while b"\n" in self._in and not (self.closed or self._suspended or self.wants_tls):
            line, _, self._in = self._in.partition(b"\n")
            word = line.strip().decode()
            self.context.note(Kind.COMMAND, verb=word)
            if word == "BOOM":
                raise RuntimeError("boom")
            reply = b"x" * 300_000 + b"\r\n" if word == "BIG" else b"+ " + word.encode() + b"\r\n"
            self._take_step(word, reply)

    def _take_step(self, word: str, reply: bytes) -> None:
        effect = self.context.fault(word)
        if isinstance(effect, Reply):
            self._out.append(Outgoing(effect.code.encode() + b"\r\n"))
            return
        self._out.append(Outgoing(b"" if isinstance(effect, Stall | Drop) else reply, effect))
        if isinstance(effect, Stall):
            self._stalled = word
        elif not isinstance(effect, Drop):
            self._act(word)
        self._suspended = isinstance(effect, Delay | Stall | Drip)
        self.closed = self.closed or isinstance(effect, Cut | Drop | LoseReply | AcceptThenReset)

    def _act(self, word: str) -> None:
        self.acted.append(word)
        self.closed = word == "QUIT"
        if word == "TLS":
            self.wants_tls = True
            self._in = b""

    def receive_eof(self) -> None:
        self.eof += 1
        self.closed = True

    def take(self) -> list[Outgoing]:
        taken, self._out = self._out, []
        return taken

    def resume(self) -> None:
        self.resumed += 1
        self._suspended = False
        if self._stalled is not None:
            word, self._stalled = self._stalled, None
            self._act(word)
            self._out.append(Outgoing(b"+ " + word.encode() + b"\r\n"))
        self._run()

    def tls_established(self) -> None:
        self.wants_tls = False
        self._out.append(Outgoing(b"secure\r\n"))

    def timeout(self) -> None:
        self._out.append(Outgoing(b"bye\r\n"))
        self.closed = True


class HelpedSocket:
    """A socket over TCP whose reads move the world's clock when the server waits for it, as reads in memory do."""

    def __init__(self, world: World, sock: socket.socket) -> None:
        self.world = world
        self.sock = sock

    def sendall(self, data: bytes) -> None:
        self.sock.sendall(data)

    def recv(self, size: int) -> bytes:
        clock = self.world.clock
        assert isinstance(clock, ManualClock)
        until = clock.monotonic() + CLIENT_TIMEOUT
        quiet = 0
        while quiet < 6:
            if select.select([self.sock], [], [], 0.002 * quiet)[0]:
                return self.sock.recv(size)
            self.world.connections.wait_until(lambda live: True)
            if select.select([self.sock], [], [], 0)[0]:
                continue
            due = clock.next_due()
            live = self.world.connections.live()
            if any(c.waits_for_timer for c in live) and due is not None and due <= until:
                clock.advance_to(due)
            else:
                quiet += 1
        clock.advance_to(until)
        raise TimeoutError

    def close(self) -> None:
        self.sock.close()


def open_in_memory(world: World, service: str, **options: Any) -> Any:
    return connect(world, service, CLIENT_TIMEOUT, **options)


def open_over_tcp(world: World, servers: Servers, service: str) -> HelpedSocket:
    sock = socket.create_connection(servers.addresses[service])
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or the dot waits 40 ms for the text's acknowledgement
    return HelpedSocket(world, sock)


def read_reply(sock: Any, ends: Iterable[bytes]) -> bytes:
    """Octets up to one of the ends, or to the end of the line."""
    got = b""
    while not any(got.endswith(end) for end in ends):
        piece = sock.recv(65536)
        if not piece:
            return got + b"<fin>"
        got += piece
    return got


LINE = (b"\n",)
DOT = (b"\r\n.\r\n", b"ERR no\r\n")


def converse(sock: Any, script: list[tuple[bytes, tuple[bytes, ...]]]) -> list[str]:
    """Say and hear in turn until the script or the connection ends; then close. What was heard, and how it ended."""
    heard: list[str] = []
    try:
        for said, ends in script:
            if said.startswith(b"Subject") and "354" not in heard[-1]:
                break  # each line of the text would be answered, and how many answers one read finds is TCP's affair
            if said:
                sock.sendall(said)
            if ends:
                heard.append(read_reply(sock, ends).decode("latin-1"))
                if heard[-1].endswith("<fin>"):
                    break
    except (TimeoutError, ConnectionError) as error:
        heard.append("<timeout>" if isinstance(error, TimeoutError) else "<reset>")
    finally:
        sock.close()
    return heard


def effects_of(*without: type) -> list[Effect]:
    """One of each effect on octets, or more."""
    everything: list[Effect] = [
        Delay(5),
        Delay(0),
        Stall(5),
        Stall(),
        Stall(60),
        Cut(0),
        Cut(4),
        Cut(4, "rst"),
        Cut(10_000),
        Drop(),
        Drop("rst"),
        LoseReply(),
        LoseReply("fin"),
        Drip(3, 0.5),
        Drip(1, 0),
    ]
    return [effect for effect in everything if not isinstance(effect, without)]
