"""POP3 retrieval served: ours against Dovecot, the same messages, the same client.

In one session, and of small messages in ten at once, RETR of every message: in lockstep (the next is asked for when the last has come) and pipelined (all are asked for at once, RFC 2449
§6.6). The client is a plain socket in this process, the servers run in their own; its own time is in both figures. A unit is one message.
"""

from __future__ import annotations

import select
import socket
import time

from benchmarks.harness import Bench
from benchmarks.processes import PASSWORD, connect, dovecot, process, world_server

CROWD = [(f"crowd{number}@sim.test", 400, 1024) for number in range(10)]
"""Ten mailboxes, for ten sessions at once."""

ROOM = 256 * 1024
"""Octets that the client reads at most at once."""

SIZES = (("1 KiB", "small@sim.test", 1024, 2000), ("100 KiB", "large@sim.test", 100 * 1024, 200))


def run(bench: Bench) -> None:
    stock = [(address, bench.pick(count, count // 5), size) for _, address, size, count in SIZES]
    crowd = [(address, bench.pick(count, count // 5), size) for address, count, size in CROWD]
    with process(world_server, stock + crowd) as ports, dovecot(stock + crowd) as theirs:
        for (name, address, _, _), (_, count, _) in zip(SIZES, stock, strict=True):
            for how, retrieve in (("lockstep", lockstep), ("pipelined", pipelined)):
                bench.compare(
                    f"{name}, {how}",
                    lambda a=address, n=count, r=retrieve: timed(ports["pop3"], a, n, r),  # type: ignore[misc]
                    lambda a=address, n=count, r=retrieve: timed(theirs, a, n, r),  # type: ignore[misc]
                    against="dovecot",
                    wanted=1.0,
                    repeats=7,
                )
        for how, at_once in (("lockstep", 1), ("pipelined", crowd[0][1])):
            bench.compare(
                f"1 KiB, {how}, ten sessions",
                lambda n=at_once: timed_crowd(ports["pop3"], crowd, n),  # type: ignore[misc]
                lambda n=at_once: timed_crowd(theirs, crowd, n),  # type: ignore[misc]
                against="dovecot",
                wanted=1.0,
                repeats=7,
            )


def logged_in(port: int, address: str) -> socket.socket:
    line = connect(port)
    line.recv(512)
    for command in (f"USER {address}", f"PASS {PASSWORD}"):
        line.sendall(command.encode() + b"\r\n")
        reply = line.recv(512)
        if not reply.startswith(b"+OK"):
            line.close()
            raise RuntimeError(f"{command.split()[0]}: {reply!r}")
    return line


def timed_crowd(port: int, crowd: list[tuple[str, int, int]], at_once: int) -> float:
    """Seconds for one message, with all of the crowd at work at the same time. `at_once`: RETRs that a session asks for before it reads."""
    sessions = {line.fileno(): _Session(line) for line in (logged_in(port, address) for address, _, _ in crowd)}
    count, busy = crowd[0][1], len(sessions)
    reader = _Reader()
    with select.epoll() as waiting:  # itself, without `selectors` around it: what the client takes is in every figure
        began = time.perf_counter()
        for number, session in sessions.items():
            session.ask(at_once)
            waiting.register(number, select.EPOLLIN)
        while busy:
            for number, _ in waiting.poll():
                session = sessions[number]
                ended, session.before = reader.read(session.line, session.before)
                session.seen += ended
                if session.seen == count:
                    waiting.unregister(number)
                    busy -= 1
                elif session.seen == session.asked:
                    session.ask(1)
        took = time.perf_counter() - began
    for session in sessions.values():
        session.line.sendall(b"QUIT\r\n")
        session.line.recv(512)
        session.line.close()
    return took / (count * len(sessions))


class _Session:
    """One of a crowd. `before`: see `_Reader.read`."""

    __slots__ = ("asked", "before", "line", "seen")

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.asked = self.seen = 0
        self.before = b""

    def ask(self, more: int) -> None:
        """For so many messages at once."""
        first, self.asked = self.asked + 1, self.asked + more
        self.line.sendall(b"".join([b"RETR %d\r\n" % number for number in range(first, self.asked + 1)]))


def timed(port: int, address: str, count: int, retrieve) -> float:  # type: ignore[no-untyped-def]
    """Seconds for one message."""
    line = logged_in(port, address)
    try:
        began = time.perf_counter()
        retrieve(line, count)
        took = time.perf_counter() - began
        line.sendall(b"QUIT\r\n")
        line.recv(512)
        return took / count
    finally:
        line.close()


END = b"\r\n.\r\n"


class _Reader:
    """Reads without a new piece of memory for each read, and looks for no more than the ends of messages: what a client of this kind takes is in
    every figure."""

    def __init__(self) -> None:
        self._room = bytearray(ROOM)
        self._view = memoryview(self._room)

    def read(self, line: socket.socket, before: bytes) -> tuple[int, bytes]:
        """How many messages ended, and the last octets, which may be the beginning of an end: `before` of the next read."""
        kept = len(before)
        self._room[:kept] = before
        size = line.recv_into(self._view[kept:])
        if not size:
            raise RuntimeError("the server hung up")
        end = kept + size
        return self._room.count(END, 0, end), bytes(self._view[max(0, end - len(END) + 1) : end])


def lockstep(line: socket.socket, count: int) -> None:
    room = bytearray(ROOM)
    view = memoryview(room)
    for number in range(1, count + 1):
        line.sendall(b"RETR %d\r\n" % number)
        size = line.recv_into(view)
        if not room.startswith(b"+OK"):
            raise RuntimeError(repr(bytes(room[:80])))
        while not room.endswith(END, 0, size):
            more = line.recv_into(view[size:])
            if not more:
                raise RuntimeError(f"the server hung up in message {number}")
            size += more


def pipelined(line: socket.socket, count: int) -> None:
    line.sendall(b"".join(b"RETR %d\r\n" % number for number in range(1, count + 1)))
    reader, seen, before = _Reader(), 0, b""
    while seen < count:
        ended, before = reader.read(line, before)
        seen += ended
