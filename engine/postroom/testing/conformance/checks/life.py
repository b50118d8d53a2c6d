"""LIF: the life cycle. A provider is constructed, checked, run again and again, and closed, and is the same at the end as at the beginning."""

from __future__ import annotations

from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.table import Level, Profile, check

__all__: list[str] = []


@check(
    "LIF-01",
    "full_cycle",
    Level.MUST,
    Profile.CORE,
    rule="construct, check, run and close succeed in a healthy world",
    mutant="fails at the first run",
)
def full_cycle(bench: Bench) -> None:
    """The least that a provider does. When this fails, look at it first: most other failures come from the same place."""
    seeded = bench.seed(3)
    instance = bench.instance()
    instance.check()
    instance.run_all()
    bench.expect_each_once(seeded)
    instance.close()


@check(
    "LIF-06",
    "empty_source",
    Level.MUST,
    Profile.CORE,
    rule="with nothing to do a run counts zero, commits nothing and changes nothing",
    mutant="commits each time",
)
def empty_source(bench: Bench) -> None:
    """An idle poll is by far the most frequent run. Each commit of it costs a write to a disk, for nothing."""
    instance = bench.instance()
    instance.run()
    mark = len(bench.gateway.calls)
    outcome = instance.run()
    counts = (outcome.processed, outcome.delivered, outcome.rejected, outcome.failed, outcome.more)
    bench.expect_equal(counts, (0, 0, 0, 0, False), "processed, delivered, rejected, failed, more")
    bench.expect_no_effects(bench.gateway.made(since=mark), expected="a run over an empty source that changes nothing")


@check(
    "LIF-12",
    "second_run_idle",
    Level.MUST,
    Profile.CORE,
    rule="after every scenario one more run has nothing to do",
    mutant="forgets what it delivered",
    standing=True,
)
def second_run_idle(bench: Bench) -> None:
    """The kit runs the provider once more after every scenario of every check, and expects no call that changes anything. Here it does so
    after the simplest one."""
    bench.seed(3)
    instance = bench.instance()
    instance.run_all()
    bench.expect_rest(instance)
