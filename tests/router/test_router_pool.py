"""Runs side by side in threads: deadlines, runs that never end, late writers, shares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postroom.clock import SystemClock
from postroom.errors import StaleRun
from postroom.mime.parse import parse_message
from postroom.providers.contract import Disposition, IncomingOffer, RunOutcome
from postroom.runtime.executors import PoolExecutor
from postroom.testing.router_stage import FeedState, RouterStage, mail
from postroom.testing.scene import Scene

DEADLINE = 20.0
CLOCK = SystemClock()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[RouterStage]:
    with (
        Scene(url=f"sqlite:///{tmp_path}/organization.db", transport="tcp") as scene,
        RouterStage(scene, tmp_path, f"sqlite:///{tmp_path}/router.db") as made,
    ):
        yield made


def until(condition: Callable[[], bool], step: Callable[[], Any] = lambda: None) -> None:
    end = CLOCK.monotonic() + DEADLINE
    while not condition():
        assert CLOCK.monotonic() < end, "it did not happen in time"
        step()
        threading.Event().wait(0.002)


def test_a_pool_of_its_own_where_the_databases_admit_it(pool: RouterStage) -> None:
    ada = pool.user("Ada")
    pool.source.items["feed"] = [mail("one", ada.address)]
    where: list[str] = []
    pool.source.before["feed"] = lambda _: where.append(threading.current_thread().name)
    router = pool.router(pool.feed(ada), system={"MaxThreads": 4}, executor=None)
    router.run_due()
    assert pool.subjects() == ["one"]
    assert where[0].startswith("postroom-")


def test_an_instance_runs_once_at_a_time_and_others_beside_it(pool: RouterStage) -> None:
    parties = [pool.user(name) for name in ("Ada", "Ben", "Cay")]
    together = threading.Barrier(3, timeout=DEADLINE)
    for name in "abc":
        pool.source.before[name] = lambda _: (together.wait(), None)[1]
    router = pool.router(
        *(pool.feed(party, name) for party, name in zip(parties, "abc", strict=True)), executor=PoolExecutor(4)
    )
    router.run_due()
    assert sorted(pool.source.ran) == ["a", "b", "c"]


def test_a_run_that_never_ends_is_fenced_and_the_others_go_on(pool: RouterStage) -> None:
    ada, ben = pool.user("Ada"), pool.user("Ben")
    entered, let_go, refused = threading.Event(), threading.Event(), []

    def block(ctx: Any) -> RunOutcome:
        entered.set()
        let_go.wait(DEADLINE)
        octets = mail("late", ada.address)
        offer = IncomingOffer("late", octets, parse_message(octets, monotonic=ctx.clock.monotonic), ctx.clock.now())
        for act in (
            lambda: ctx.gateway.settle(offer, Disposition.FILTERED, ctx.gateway.check_incoming(offer)),
            lambda: ctx.state.commit(FeedState(7)),
            lambda: ctx.seen.add({"late": "x"}),
        ):
            try:
                act()
            except StaleRun:
                refused.append(True)
        return RunOutcome()

    pool.source.before["a"] = block
    pool.source.items["b"] = [mail("two", ben.address)]
    router = pool.router(
        pool.feed(ada, "a"), pool.feed(ben, "b"), system={"MaxThreadExecution": 60_000}, executor=PoolExecutor(2), grace=5.0
    )
    router.tick()
    until(lambda: entered.is_set() and router.instances()[1].counters["runs"] == 1, router.runtime.tick)
    assert pool.subjects() == ["two"]
    pool.pass_time(61)
    router.runtime.tick()  # asked to end
    pool.pass_time(6)
    router.runtime.tick()
    assert router.instances()[0].state == "overrun"
    pool.pass_time(600)
    router.tick()
    until(lambda: router.instances()[1].counters["runs"] >= 2, router.runtime.tick)
    assert pool.source.ran.count("a") == 1
    let_go.set()
    until(lambda: len(refused) == 3)
    del pool.source.before["a"]
    until(lambda: pool.source.ran.count("a") == 2 and router.instances()[0].state == "waiting", router.runtime.tick)
    assert pool.subjects() == ["two"]


def test_somebody_may_give_an_overrun_instance_another_run(pool: RouterStage) -> None:
    ada = pool.user("Ada")
    pool.source.items["a"] = [mail("one", ada.address)]
    entered, let_go = threading.Event(), threading.Event()

    def block(_: Any) -> None:
        entered.set()
        let_go.wait(DEADLINE)

    pool.source.before["a"] = block
    router = pool.router(pool.feed(ada, "a"), system={"MaxThreadExecution": 60_000}, executor=PoolExecutor(2), grace=1.0)
    router.tick()
    until(entered.is_set)
    pool.pass_time(61)
    router.runtime.tick()
    pool.pass_time(2)
    router.runtime.tick()
    del pool.source.before["a"]
    identity = router.instances()[0].identity
    router.resume(identity)
    until(lambda: pool.subjects() == ["one"], router.runtime.tick)
    let_go.set()
    until(lambda: not router.runtime.running(), router.runtime.tick)
    assert router.instances()[0].state == "waiting"
    assert pool.subjects() == ["one"]
    assert pool.source.made == ["a", "a"]


def test_closing_asks_what_runs_to_end_and_closes_each_once(pool: RouterStage) -> None:
    ada, ben = pool.user("Ada"), pool.user("Ben")
    pool.source.items["a"] = [mail(f"m{number}", ada.address) for number in range(50)]
    entered = threading.Event()

    def slow(ctx: Any) -> None:
        entered.set()
        until(ctx.cancelled)

    pool.source.before["a"] = slow
    router = pool.router(pool.feed(ada, "a"), pool.feed(ben, "b"), executor=PoolExecutor(2))
    router.tick()
    until(lambda: entered.is_set() and "b" in pool.source.ran)
    router.close()
    assert sorted(pool.source.closed) == ["a", "b"]
    assert router.tick() == router.run_due() == []


def test_a_provider_that_blocks_when_it_is_closed_is_left(pool: RouterStage) -> None:
    let_go = threading.Event()
    pool.source.at_close["a"] = lambda _: let_go.wait(DEADLINE)
    router = pool.router(pool.feed(pool.user("Ada"), "a"), executor=PoolExecutor(1), grace=0.05)
    router.run_due()
    router.close()
    assert "instance.not_closed" in [one.event for one in router.events.latest]
    let_go.set()


def test_stop_from_another_thread_ends_the_loop(pool: RouterStage) -> None:
    router = pool.router(pool.feed(pool.user("Ada")), system={"SchedulingPeriod": 10}, executor=PoolExecutor(1))
    thread = threading.Thread(target=lambda: (until(lambda: bool(pool.source.ran)), router.stop()))
    thread.start()
    router.run()
    thread.join()
    assert pool.source.ran == ["feed"]


def test_a_slow_server_leaves_threads_for_the_others(pool: RouterStage) -> None:
    """Six instances of a server that says nothing, four threads: the seventh, of another server, is not kept waiting."""
    let_go, lock, inside, most = threading.Event(), threading.Lock(), [0], [0]

    def block(_: Any) -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        let_go.wait(DEADLINE)
        with lock:
            inside[0] -= 1

    users = [pool.user(f"User{number}") for number in range(7)]
    entries = [pool.feed(user, f"slow{number}", EmailServer="slow.test") for number, user in enumerate(users[:6])]
    for number in range(6):
        pool.source.before[f"slow{number}"] = block
    router = pool.router(*entries, pool.feed(users[6], "light", EmailServer="light.test"), executor=PoolExecutor(4))
    router.tick()
    until(lambda: "light" in pool.source.ran and inside[0] == 2, router.runtime.tick)
    let_go.set()
    until(lambda: len(pool.source.ran) == 7 and not router.runtime.running(), router.runtime.tick)
    assert most[0] == 2


def test_a_removed_instance_is_closed_after_its_run(pool: RouterStage) -> None:
    ada, ben = pool.user("Ada"), pool.user("Ben")
    entered, order = threading.Event(), []

    def slow(ctx: Any) -> RunOutcome:
        entered.set()
        until(ctx.cancelled)
        order.append("ended")
        return RunOutcome()

    pool.source.before["a"] = slow
    pool.source.at_close["a"] = lambda _: order.append("closed")
    router = pool.router(pool.feed(ada, "a"), pool.feed(ben, "b"), executor=PoolExecutor(2))
    router.tick()
    until(entered.is_set)
    pool.write(pool.feed(ben, "b"))
    report = router.reload()
    assert len(report.removed) == 1
    until(lambda: order == ["ended", "closed"], router.runtime.tick)
    until(lambda: len(router.instances()) == 1, router.runtime.tick)
