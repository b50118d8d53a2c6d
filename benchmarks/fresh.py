"""What a test pays before it begins: a fresh world, its servers, an organization with its database, its engine; and their end.

Beside it one bare aiosmtpd Controller, started and stopped: one server with nothing behind it. A unit is one test.
"""

from __future__ import annotations

import time

from aiosmtpd.controller import Controller

from benchmarks.harness import Bench
from benchmarks.processes import free_port
from benchmarks.smtp import Bare
from postroom.testing.scene import Scene, Transport

ROUNDS = 20


def run(bench: Bench) -> None:
    rounds = bench.pick(ROUNDS, 5)
    for what, transport, seconds in (("in memory", "memory", 0.005), ("on sockets", "tcp", 0.015)):
        bench.compare(
            what,
            lambda t=transport: scenes(t, rounds),  # type: ignore[misc]
            lambda: controllers(rounds),
            against="one aiosmtpd Controller",
            wanted_seconds=seconds,
        )
    bench.measure("in memory, with a user whose mailbox is tested over TLS and enabled", lambda: scenes("memory", 5, users=1))
    bench.measure("on sockets, likewise", lambda: scenes("tcp", 5, users=1))


def scenes(transport: Transport, rounds: int, users: int = 0) -> float:
    began = time.perf_counter()
    for _ in range(rounds):
        with Scene(transport=transport) as scene:
            scene.mail_server()
            assert scene.engine is not None
            for number in range(users):
                scene.user(f"User {number}", f"user{number}@alder.test", ready=True)
    return (time.perf_counter() - began) / rounds


def controllers(rounds: int) -> float:
    """Ports are found beforehand: aiosmtpd asks for a fixed one."""
    ports = [free_port() for _ in range(rounds)]
    began = time.perf_counter()
    for port in ports:
        controller = Controller(Bare(), hostname="127.0.0.1", port=port)
        controller.start()
        controller.stop()
    return (time.perf_counter() - began) / rounds
