"""A month of polls in virtual time: 100 mailboxes, every 15 minutes, 30 days: 288,000 of them; wanted: 300 s on one core.

In-memory database, in-memory transport, no TLS. Ten messages lie in each mailbox, taken in before. A unit is one poll: a connection, a login, UIDL,
the question which are new, QUIT, the mailbox's statistics. By default every fiftieth part is run; all with --full.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.harness import Bench
from postroom.organization import DeploymentSettings, Operation
from postroom.testing.scene import Scene
from postroom_simulator.journal import Journal

MAILBOXES, DAYS, MINUTES, MESSAGES = 100, 30, 15, 10
POLLS = MAILBOXES * DAYS * 24 * 60 // MINUTES
TARGET = 300.0
TOP = 12


def run(bench: Bench) -> None:
    steps = POLLS // MAILBOXES if bench.full else bench.pick(58, 12)
    with month() as scene:
        row = bench.measure(
            f"{'all' if bench.full else 'a sample of'} {steps * MAILBOXES} polls",
            lambda: advance(scene, steps),
            wanted_seconds=TARGET / POLLS,
            repeats=1 if bench.full else 3,
            warm=not bench.full,
        )
        bench.note(f"288,000 polls at this rate: {row.ours.median * POLLS:.0f} s (wanted: {TARGET:.0f} s)")
        profile(bench, scene)


def month() -> Scene:
    scene = Scene(
        check=False,
        settings=DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True),
    )
    world = scene.world
    world.journal = Journal(world.clock, capacity=10_000)  # a month of conversations would fill the memory
    host, port = scene.endpoint("pop3")
    scene.profile(
        "mail",
        default=True,
        incomingserverlocation=host,
        incomingportnumber=port,
        incomingusessl=False,
        outgoingusessl=False,
        minpollingintervalinminutes=MINUTES,
    )
    for number in range(MAILBOXES):
        address = f"user{number}@alder.test"
        scene.user(f"User {number}", address, ready=True, outgoingemaildeliverymethod=0)
        for _ in range(MESSAGES):
            world.deliver("carl@birch.test", [address], b"From: carl@birch.test\r\nSubject: hello\r\n\r\nHello.\r\n")
    for _ in range(3):
        scene.run(after=timedelta(minutes=MINUTES))
    return scene


def advance(scene: Scene, steps: int) -> float:
    """Seconds for one poll. Raises RuntimeError when there were not as many as there should be."""
    polls = 0
    began = time.perf_counter()
    for _ in range(steps):
        scene.world.clock.advance(timedelta(minutes=MINUTES))  # type: ignore[attr-defined]
        polls += len(scene.engine.run_due(operations={Operation.INCOMING}))
    took = time.perf_counter() - began
    if polls != steps * MAILBOXES:
        raise RuntimeError(f"{polls} polls instead of {steps * MAILBOXES}")
    return took / polls


def profile(bench: Bench, scene: Scene) -> None:
    """Where the time goes: by function, own time."""
    profiler = cProfile.Profile()
    profiler.enable()
    advance(scene, 5)
    profiler.disable()
    stats = pstats.Stats(profiler)
    total = stats.total_tt  # type: ignore[attr-defined]
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:TOP]  # type: ignore[attr-defined]
    for (file, line, name), (_, calls, own, cumulative, _) in rows:
        place = "/".join(Path(file).parts[-2:])
        bench.note(
            f"{own / total:6.1%} own, {cumulative / total:6.1%} with callees, {calls / 5 / MAILBOXES:6.1f} calls a poll: {place}:{line} {name}"
        )
