"""The Email Router: a hundred instances in one process against one, ten thousand with nothing due, and who waits for whom.

The first unit is one run of an instance that finds nothing: fences, state, an empty source, the leases back; in memory, inline. The second is one look of the
scheduler at 10,000 instances of which none is due, against one of an empty router. The third is a wait in real time: twenty light instances beside a sender
that always has more and six instances of a server that answers after a fifth of a second, in a pool of four threads; against the same twenty alone.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import Bench
from postroom.channels.email_router import EmailRouter
from postroom.channels.email_router.database import RouterDatabase
from postroom.clock import SystemClock
from postroom.organization import SYSTEM, Deployment, Organization
from postroom.providers.contract import RunOutcome
from postroom.providers.registry import Registry
from postroom.runtime.executors import InlineExecutor, PoolExecutor
from postroom.testing.router_stage import Source, feed_provider, provider, words
from postroom_simulator import ManualClock

MANY, CROWD, LIGHT, SLOW = 100, 10_000, 20, 6
ROUNDS = 20
ANSWER = 0.2
"""Seconds that the slow server takes."""
WATCHED = 8.0
"""Seconds that the pool is watched."""


class Estate:
    """One organization without a world; a router on a file of feeds."""

    def __init__(self, feeds: int, clock: Any, *, url: str = "sqlite://", users: int | None = None) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock, self.source = clock, Source()
        self.deployment = Deployment(clock)
        where = Path(self.folder.name)
        place = (lambda name: f"{url}/{where}/{name}.db") if url != "sqlite://" else (lambda _: url)
        self.organization: Organization = self.deployment.create_organization(
            "org", place("organization"), emailconnectionchannel=1, requireapprovalforuseremail=False
        )
        self.registry = Registry()
        self.registry.register(feed_provider(self.source))
        self.database = RouterDatabase(place("router"), clock)
        self.users = [self._user(number) for number in range(feeds if users is None else users)]
        self.path = where / "EmailAgent.xml"
        self.feeds = feeds

    def _user(self, number: int) -> str:
        address = f"user{number}@org.test"
        return self.organization.create(
            SYSTEM, "systemuser", fullname=address, internalemailaddress=address, incomingemaildeliverymethod=2
        )

    def router(self, entries: list[str], executor: Any) -> EmailRouter:
        self.path.write_text(words(*entries, SchedulingPeriod=10))
        return EmailRouter(
            self.path,
            {"org": self.organization},
            connector=None,  # type: ignore[arg-type] - nobody connects
            clock=self.clock,
            database=self.database,
            executor=executor,
            registry=self.registry,
            random=random.Random(1),
            grace=5.0,
        )

    def close(self) -> None:
        self.database.close()
        self.deployment.close()
        self.folder.cleanup()


@contextmanager
def estate(feeds: int, clock: Any, **given: Any) -> Iterator[Estate]:
    made = Estate(feeds, clock, **given)
    try:
        yield made
    finally:
        made.close()


def run(bench: Bench) -> None:
    with runs_of(MANY) as many, runs_of(1) as one:
        bench.compare(f"a run, {MANY} instances in one process", many, one, against="one instance", wanted=0.9)
    looks(bench)
    fairness(bench)


@contextmanager
def runs_of(count: int) -> Iterator[Callable[[], float]]:
    """Seconds for one run among so many instances."""
    clock = ManualClock()
    with estate(count, clock) as here:
        router = here.router(
            [provider("feed", FeedUrl=f"f{n}", UserId=user) for n, user in enumerate(here.users)], InlineExecutor()
        )
        rounds = max(1, ROUNDS * MANY // count // 4)

        def work() -> float:
            done = 0
            began = time.perf_counter()
            for _ in range(rounds):
                done += sum(report.succeeded for report in router.run_due())
                clock.sleep(60)
            took = time.perf_counter() - began
            if done != rounds * count:
                raise RuntimeError(f"{done} runs instead of {rounds * count}")
            return took / done

        yield work
        router.close()


def looks(bench: Bench) -> None:
    count = bench.pick(CROWD, 1000)
    clock = ManualClock()
    with estate(count, clock, users=1) as crowd, estate(0, clock) as nobody:
        user = crowd.users[0]
        began = time.perf_counter()
        entries = [provider("feed", FeedUrl=f"f{n}", Target=f"t{n}@org.test") for n in range(count)]
        full = crowd.router([provider("feed", FeedUrl="own", UserId=user), *entries], InlineExecutor())
        bench.note(f"a file of {count} providers is read and scheduled in {time.perf_counter() - began:.1f} s")
        empty = nobody.router([], InlineExecutor())
        full.run_due()  # everybody once: now nothing is due for a minute

        def look(router: EmailRouter) -> float:
            began = time.perf_counter()
            for _ in range(1000):
                if router.runtime.tick():
                    raise RuntimeError("something was due")
            return (time.perf_counter() - began) / 1000

        bench.compare(
            f"a look at {count} instances, nothing due",
            lambda: look(full),
            lambda: look(empty),
            against="no instance",
            wanted=0.5,
        )
        full.close()
        empty.close()


def fairness(bench: Bench) -> None:
    """The longest that a light instance waited between being due and being run."""
    alone = waits(bench, heavy=False)
    beside = waits(bench, heavy=True)
    bench.note(
        f"longest wait of {LIGHT} light instances in four threads: {beside * 1000:.0f} ms beside a heavy sender and {SLOW} instances of a "
        f"slow server ({ANSWER:g} s an answer), {alone * 1000:.0f} ms alone"
    )


def waits(bench: Bench, *, heavy: bool) -> float:
    clock = SystemClock()
    with estate(LIGHT + SLOW + 1, clock, url="sqlite:///") as here:
        light = [
            provider("feed", FeedUrl=f"light{n}", EmailServer="quick.test", UserId=user, PollingPeriod=1000)
            for n, user in enumerate(here.users[:LIGHT])
        ]
        entries = list(light)
        if heavy:
            for n, user in enumerate(here.users[LIGHT:-1]):
                here.source.before[f"slow{n}"] = lambda _: threading.Event().wait(ANSWER) or RunOutcome(processed=1, more=True)
                entries.append(provider("feed", FeedUrl=f"slow{n}", EmailServer="slow.test", UserId=user, PollingPeriod=1000))
            here.source.before["heavy"] = lambda _: RunOutcome(processed=1, more=True)
            entries.append(
                provider("feed", FeedUrl="heavy", EmailServer="heavy.test", UserId=here.users[-1], PollingPeriod=1000)
            )
        router = here.router(entries, PoolExecutor(4))
        lights = {one.identity for one, entry in zip(router.instances(), entries, strict=True) if "light" in entry}
        longest, end = 0.0, clock.monotonic() + (WATCHED / 2 if bench.quick else WATCHED)
        first = True
        while clock.monotonic() < end:
            for report in router.tick():
                if report.instance in lights and not first:
                    longest = max(longest, (report.started - report.scheduled).total_seconds())
            if first and all(one.counters["runs"] for one in router.instances() if one.identity in lights):
                first = False  # at the start all are due at one moment
            router.runtime.wait(0.005)
        router.stop()
        router.runtime.run_until_idle()
        router.close()
        return longest
