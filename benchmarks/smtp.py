"""SMTP intake: ours with the journal on against a bare aiosmtpd handler that throws mail away.

Each server has a process of its own; the client is a plain socket in this one, one command at a time. A unit is one message.
"""

from __future__ import annotations

import socket
import time
from multiprocessing.connection import Connection as Pipe

from aiosmtpd.controller import Controller

from benchmarks.harness import Bench
from benchmarks.processes import ADDRESS, connect, free_port, letter, process, until_closed, world_server

CASES = (
    ("1 KiB, session kept", 1024, True, 600),
    ("1 KiB, new session each", 1024, False, 300),
    ("100 KiB, session kept", 100 * 1024, True, 150),
    ("100 KiB, new session each", 100 * 1024, False, 100),
)


def run(bench: Bench) -> None:
    with process(world_server, [(ADDRESS, 0, 0)]) as ports, process(bare_server) as bare:
        for what, size, kept, count in CASES:
            count = bench.pick(count, count // 5)
            bench.compare(
                what,
                lambda s=size, k=kept, n=count: send(ports["smtp"], n, s, kept=k),  # type: ignore[misc]
                lambda s=size, k=kept, n=count: send(bare, n, s, kept=k),  # type: ignore[misc]
                against="bare aiosmtpd",
                wanted=1.0,
                repeats=7,
            )


class Bare:
    """A handler that does the least."""

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 OK"


def bare_server(pipe: Pipe) -> None:
    controller = Controller(Bare(), hostname="127.0.0.1", port=free_port(), server_hostname="localhost")
    controller.start()
    try:
        pipe.send(controller.port)
        until_closed(pipe)
    finally:
        controller.stop()


def send(port: int, count: int, size: int, *, kept: bool) -> float:
    """Seconds for one message. `kept`: all in one session."""
    text = letter(1, size) + b".\r\n"
    commands = [b"MAIL FROM:<bob@far.test>\r\n", f"RCPT TO:<{ADDRESS}>\r\n".encode(), b"DATA\r\n", text]
    line = greeted(port)
    exchanges = [(command, b"354" if command == b"DATA\r\n" else b"250") for command in commands]
    room = bytearray(65536)
    began = time.perf_counter()
    for number in range(count):
        if number and not kept:
            say(line, b"QUIT\r\n", b"221")
            line.close()
            line = greeted(port)
        for command, expected in exchanges:
            line.sendall(command)
            size = line.recv_into(room)
            if not room.startswith(expected) or room[size - 1] != 10:  # a reply of one line, in one piece
                raise RuntimeError(f"expected {expected!r}, got {bytes(room[:size])!r}")
    took = time.perf_counter() - began
    say(line, b"QUIT\r\n", b"221")
    line.close()
    return took / count


def greeted(port: int) -> socket.socket:
    line = connect(port)
    say(line, b"", b"220")
    say(line, b"EHLO bench.test\r\n", b"250")
    return line


def say(line: socket.socket, octets: bytes, expected: bytes) -> None:
    if octets:
        line.sendall(octets)
    reply = b""
    while not reply.endswith(b"\r\n") or reply.split(b"\r\n")[-2][3:4] != b" ":
        piece = line.recv(65536)
        if not piece:
            raise ConnectionError(f"the server hung up after {reply!r}")
        reply += piece
    if not reply.startswith(expected):
        raise RuntimeError(f"expected {expected!r}, got {reply!r}")
