"""Many messages through both servers of one process for hours: resident memory and open files stay what they are.

Only on demand: `python -m benchmarks soak --messages 1000000`. Each round sends a batch by SMTP, then fetches and deletes it by POP3, over TCP,
with a bounded journal. The client is in a process of its own, so that the figures are the servers'. A unit is one message, sent, fetched and deleted.
"""

from __future__ import annotations

import os
import socket
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from benchmarks.harness import Bench, Row, Series
from benchmarks.processes import ADDRESS, DEADLINE, PASSWORD, connect, letter, process

BATCH = 500
LOOKS = 10
"""How often memory and files are looked at after the first batch."""
JOURNAL = 10_000
SIZE = 1024
ALLOWED = 1.05
"""How much more memory the end may have than a look once it has settled: what the allocator does not give back at once."""
SETTLED = 50_000
"""Messages after which journal and the store's horizon are full, and the allocator has what it needs."""


def run(bench: Bench, messages: int = 20_000) -> None:
    batches = max(2, bench.pick(messages, min(messages, 2_000)) // BATCH)
    looks: list[tuple[int, int, int]] = []
    began = time.perf_counter()
    with process(served) as (pid, ports):
        for batch in range(batches):
            send(ports["smtp"], batch)
            fetch(ports["pop3"])
            if batch == 0 or batch == batches - 1 or (batch + 1) % max(1, batches // LOOKS) == 0:
                looks.append(((batch + 1) * BATCH, resident(pid), files(pid)))
                bench.progress("{:,} messages: {:,} KiB resident, {} files".format(*looks[-1]))
    seconds = (time.perf_counter() - began) / (batches * BATCH)
    bench.add(Row(f"{batches * BATCH:,} messages of {SIZE} octets", Series("ours", (seconds,))))
    for count, memory, handles in looks:
        bench.note(f"{count:>9,} messages: {memory:,} KiB resident, {handles} files open")
    settled = next((look for look in looks[:-1] if look[0] >= SETTLED), looks[min(1, len(looks) - 2)])
    grown, handles = looks[-1][1] / settled[1], looks[-1][2] - settled[2]
    flat = grown <= ALLOWED and handles <= 0
    bench.note(
        f"{'flat' if flat else 'NOT FLAT'}: {grown:.3f} times the memory of the look at {settled[0]:,}, {handles:+d} files"
    )


def served(pipe: Pipe) -> None:
    from postroom_simulator import SystemClock, World

    with World(clock=SystemClock(), journal_capacity=JOURNAL) as world:
        world.add_account(ADDRESS, PASSWORD)
        servers = world.listen()
        pipe.send((os.getpid(), {service: port for service, (_, port) in servers.addresses.items()}))
        try:
            pipe.recv()
        except (EOFError, OSError):
            pass


def send(port: int, batch: int) -> None:
    """Over one connection, each message's commands in one segment (RFC 2920)."""
    line = Line(port)
    line.expect(b"220")
    line.ask(b"EHLO soak.test\r\n", b"250")
    envelope = f"MAIL FROM:<bob@far.test>\r\nRCPT TO:<{ADDRESS}>\r\nDATA\r\n".encode()
    for number in range(BATCH):
        line.sock.sendall(envelope)
        for code in (b"250", b"250", b"354"):
            line.expect(code)
        line.ask(letter(batch * BATCH + number, SIZE) + b".\r\n", b"250")
    line.end()


def fetch(port: int) -> None:
    """Everything, and delete it."""
    line = Line(port)
    line.expect(b"+OK")
    line.ask(f"USER {ADDRESS}\r\n".encode(), b"+OK")
    line.ask(f"PASS {PASSWORD}\r\n".encode(), b"+OK")
    for number in range(1, BATCH + 1):
        line.ask(b"RETR %d\r\n" % number, b"+OK")
        while line.line() != b".\r\n":
            pass
        line.ask(b"DELE %d\r\n" % number, b"+OK")
    line.end()


class Line:
    """A client's connection that reads replies."""

    def __init__(self, port: int) -> None:
        self.sock: socket.socket = connect(port)
        self.sock.settimeout(DEADLINE)
        self._file: Any = self.sock.makefile("rb")

    def line(self) -> bytes:
        got: bytes = self._file.readline()
        if not got:
            raise ConnectionError("the server hung up")
        return got

    def ask(self, octets: bytes, code: bytes) -> None:
        self.sock.sendall(octets)
        self.expect(code)

    def expect(self, code: bytes) -> None:
        got = self.line()
        while got[3:4] == b"-" and not got.startswith(b"-"):
            got = self.line()
        if not got.startswith(code):
            raise RuntimeError(f"expected {code!r}, got {got!r}")

    def end(self) -> None:
        self.sock.sendall(b"QUIT\r\n")
        self.line()
        self._file.close()
        self.sock.close()


def resident(pid: int) -> int:
    """KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("the system does not tell how much memory a process has")


def files(pid: int) -> int:
    """The least of some looks in a quarter of a second: a connection that has just been left is not given back at once."""
    looks = []
    for _ in range(10):
        looks.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
        time.sleep(0.025)
    return min(looks)
