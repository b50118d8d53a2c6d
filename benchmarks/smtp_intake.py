"""SMTP intake: our server, journal on, against a bare aiosmtpd handler that throws mail away. Both in one run, over loopback sockets.

    python benchmarks/smtp_intake.py [MESSAGES]

Prints for each the messages a second and the server's own CPU time for a message, and the ratios. The client is a plain socket in another
process; the two servers take turns, the best of three counts. On a machine that is busy otherwise the CPU time is the figure to trust.
What is aimed at: more than 1 for messages of 1 KiB in a session kept open, several times as many for 100 KiB.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
import time
from multiprocessing.connection import Connection

from aiosmtpd.controller import Controller

from postroom_simulator.world import World

ADDRESS = "ann@sim.test"


class Bare:
    """A handler that does the least."""

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 OK"


def client(port: int, count: int, size: int, reused: bool, answer: Connection) -> None:
    """Send `count` messages of `size` octets, one command at a time; answer with the seconds it took."""
    line = b"x" * 70 + b"\r\n"
    text = b"Subject: bench\r\n\r\n" + line * (size // len(line)) + b".\r\n"
    commands = [b"MAIL FROM:<bob@far.test>\r\n", f"RCPT TO:<{ADDRESS}>\r\n".encode(), b"DATA\r\n", text]
    line_of_talk = connect(port)
    answer.send("ready")
    answer.recv()
    began = time.perf_counter()
    for number in range(count):
        if number and not reused:
            say(line_of_talk, b"QUIT\r\n", b"221")
            line_of_talk.close()
            line_of_talk = connect(port)
        for command in commands:
            say(line_of_talk, command, b"354" if command == b"DATA\r\n" else b"250")
    answer.send(time.perf_counter() - began)
    line_of_talk.close()


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    say(connection, b"", b"220")
    say(connection, b"EHLO bench\r\n", b"250")
    return connection


def say(connection: socket.socket, octets: bytes, expected: bytes) -> None:
    connection.sendall(octets)
    reply = b""
    while not reply.endswith(b"\r\n") or reply.split(b"\r\n")[-2][3:4] != b" ":
        octets = connection.recv(65536)
        if not octets:
            raise ConnectionError(f"the server hung up after {reply!r}")
        reply += octets
    if not reply.startswith(expected):
        raise RuntimeError(f"expected {expected!r}, got {reply!r}")


def measure(port: int, count: int, size: int, reused: bool) -> tuple[float, float]:
    """Messages a second, and milliseconds of this process's CPU for each."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=client, args=(port, count, size, reused, theirs))
    process.start()
    mine.recv()  # it is ready
    before = time.process_time()
    mine.send("go")
    taken = mine.recv()
    cpu = time.process_time() - before
    process.join()
    return count / taken, cpu / count * 1000


def compare(bare: int, ours: int, count: int, size: int, reused: bool) -> list[tuple[float, float]]:
    """The best of three turns each."""
    turns = [(measure(bare, count, size, reused), measure(ours, count, size, reused)) for _ in range(3)]
    return [(max(turn[who][0] for turn in turns), min(turn[who][1] for turn in turns)) for who in (0, 1)]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    bare = Controller(Bare(), hostname="127.0.0.1", port=0)
    bare.server_hostname = "localhost"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        bare.port = free.getsockname()[1]
    bare.start()
    with World() as world:
        world.add_account(ADDRESS)
        servers = world.listen(ports={"smtp": 0})
        print(f"{'':<26}{'bare':>20}{'ours':>20}{'ratio':>8}{'of CPU':>8}")
        for name, size, reused, share in (
            ("1 KiB, session kept", 1024, True, 1.0),
            ("1 KiB, new session each", 1024, False, 0.5),
            ("100 KiB, session kept", 100 * 1024, True, 0.2),
        ):
            messages = max(10, int(count * share))
            theirs, ours = compare(bare.port, servers.port("smtp"), messages, size, reused)
            shown = "".join(f"{rate:>9.0f}/s {cpu:>6.2f} ms" for rate, cpu in (theirs, ours))
            print(f"{name:<26}{shown}{ours[0] / theirs[0]:>8.2f}{theirs[1] / ours[1]:>8.2f}")
    bare.stop()


if __name__ == "__main__":
    main()
