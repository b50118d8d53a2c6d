"""POP3 retrieval served: ours against Dovecot, the same messages, the same client.

One session, RETR of every message: in lockstep (the next is asked for when the last has come) and pipelined (all are asked for at once, RFC 2449
§6.6). The client is a plain socket in this process, the servers run in their own; its own time is in both figures. A unit is one message.
"""

from __future__ import annotations

import socket
import time

from benchmarks.harness import Bench
from benchmarks.processes import PASSWORD, connect, dovecot, process, world_server

SIZES = (("1 KiB", "small@sim.test", 1024, 2000), ("100 KiB", "large@sim.test", 100 * 1024, 200))


def run(bench: Bench) -> None:
    stock = [(address, bench.pick(count, count // 5), size) for _, address, size, count in SIZES]
    with process(world_server, stock) as ports, dovecot(stock) as theirs:
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


def timed(port: int, address: str, count: int, retrieve) -> float:  # type: ignore[no-untyped-def]
    """Seconds for one message."""
    line = connect(port)
    try:
        line.recv(512)
        for command in (f"USER {address}", f"PASS {PASSWORD}"):
            line.sendall(command.encode() + b"\r\n")
            reply = line.recv(512)
            if not reply.startswith(b"+OK"):
                raise RuntimeError(f"{command.split()[0]}: {reply!r}")
        began = time.perf_counter()
        retrieve(line, count)
        took = time.perf_counter() - began
        line.sendall(b"QUIT\r\n")
        line.recv(512)
        return took / count
    finally:
        line.close()


def lockstep(line: socket.socket, count: int) -> None:
    for number in range(1, count + 1):
        line.sendall(b"RETR %d\r\n" % number)
        piece = line.recv(262144)
        if not piece.startswith(b"+OK"):
            raise RuntimeError(repr(piece[:80]))
        while not piece.endswith(b"\r\n.\r\n"):
            piece = piece[-4:] + line.recv(262144)


def pipelined(line: socket.socket, count: int) -> None:
    line.sendall(b"".join(b"RETR %d\r\n" % number for number in range(1, count + 1)))
    seen, tail = 0, b""
    while seen < count:
        piece = line.recv(262144)
        if not piece:
            raise RuntimeError(f"the server hung up after {seen} messages")
        seen += (tail + piece).count(b"\r\n.\r\n")
        tail = piece[-4:]
