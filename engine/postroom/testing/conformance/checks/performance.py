"""PRF: performance. Informative: figures for the report, and the storms that no server forgives."""

from __future__ import annotations

import fnmatch
import gc
import tracemalloc

from postroom.clock import SystemClock
from postroom.testing.conformance.bench import Bench, Instance
from postroom.testing.conformance.table import Level, Need, Profile, check

__all__: list[str] = []

MESSAGES = 100
FLOOR = 10.0
"""Messages a second against the fake servers that anything reaches (ours); the figure itself is in the report."""
POLLS = 20
GROWTH = 256 * 1024
OUR_OWN = (
    "*/postroom_simulator/*",
    *(
        f"*/conformance/{name}.py"
        for name in ("bench", "gateway", "journals", "messages", "network", "runner", "sources", "world")
    ),
    "*/testing/fake_gateway.py",
    "*/tracemalloc.py",
)
"""Files whose memory is not the provider's."""


@check(
    "PRF-01",
    "throughput_floor",
    Level.OPTIONAL,
    Profile.INFORMATIVE,
    rule=f"{MESSAGES} messages take a handful of connections, and more than {FLOOR:g} of them are handled in a second",
    mutant="connects anew for each message",
    seconds=60.0,
)
def throughput_floor(bench: Bench) -> None:
    """Compare the figure with that of the last release (`postroom provider diff OLD NEW`)."""
    seeded = bench.seed(MESSAGES)
    instance = bench.instance()
    clock = SystemClock()
    began = clock.monotonic()
    instance.run_all()
    took = max(clock.monotonic() - began, 1e-6)
    bench.expect_each_once(seeded)
    bench.measure("messages a second", round(MESSAGES / took, 1))
    dials = len(bench.world.network.dials)
    bench.measure("connections", dials)
    bench.expect(dials <= MESSAGES // 10, expected=f"at most {MESSAGES // 10} connections", observed=f"{dials} connections")
    bench.expect(MESSAGES / took >= FLOOR, expected=f"{FLOOR:g} messages a second", observed=f"{MESSAGES / took:.1f}")


@check(
    "PRF-02",
    "idle_cost",
    Level.OPTIONAL,
    Profile.INFORMATIVE,
    needs={Need.NETWORK},
    rule="an idle poll takes one connection",
    mutant="reconnects again and again",
)
def idle_cost(bench: Bench) -> None:
    """Most polls find nothing. Hundreds of mailboxes that open three connections each for it are locked out by their server."""
    instance = bench.instance()
    instance.run()
    instance.run()
    before = len(bench.world.network.dials)
    clock = SystemClock()
    began = clock.monotonic()
    for _ in range(POLLS):
        instance.run()
    took = clock.monotonic() - began
    dials = len(bench.world.network.dials) - before
    bench.measure("milliseconds an idle poll", round(1000 * took / POLLS, 3))
    bench.measure("connections an idle poll", dials / POLLS)
    bench.expect(dials <= POLLS, expected=f"at most {POLLS} connections in {POLLS} idle polls", observed=f"{dials}")


@check(
    "PRF-03",
    "memory_flat",
    Level.SHOULD,
    Profile.INFORMATIVE,
    rule="after 50 runs as much memory is held as after 5",
    mutant="keeps everything that it saw",
)
def memory_flat(bench: Bench) -> None:
    """A list that only grows ends a service in a month, at night."""
    instance = bench.instance()
    for number in range(5):
        _busy(bench, instance, number)
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        first = _held()
        for number in range(45):
            _busy(bench, instance, number)
        grown = _held() - first
    finally:
        if started:
            tracemalloc.stop()
    bench.measure("octets grown in 45 runs", grown)
    bench.expect(grown <= GROWTH, expected=f"at most {GROWTH >> 10} KiB more", observed=f"{grown >> 10} KiB more after 45 runs")


def _busy(bench: Bench, instance: Instance, number: int) -> None:
    """A run, every fifth with a message, and what the kit itself keeps of it thrown away."""
    if number % 5 == 0:
        bench.seed(1)
    instance.run_all()
    bench.seeded.clear()
    instance.seeded_at_last_run = 0
    for kept in (
        bench.gateway.offers,
        bench.gateway.ledger,
        bench.gateway.calls,
        bench.gateway.history,
        instance.outcomes,
        instance.log.lines,
    ):
        kept.clear()


def _held() -> int:
    """Octets, but those that the kit and its world keep."""
    gc.collect()
    found = tracemalloc.take_snapshot().statistics("filename")
    return sum(one.size for one in found if not _our_own(one.traceback[0].filename))


def _our_own(filename: str) -> bool:
    return any(fnmatch.fnmatch(filename, pattern) for pattern in OUR_OWN)
