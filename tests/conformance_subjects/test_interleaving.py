"""Several tasks, one step at a time: the seed decides, errors are told, nothing is left over."""

from __future__ import annotations

import threading

from postroom.testing.conformance.interleave import Interleaving
from postroom.testing.conformance.world import KitWorld


def order_of(seed: str, tasks: int = 3, steps: int = 4) -> list[str]:
    line = Interleaving(seed)
    seen: list[str] = []

    def work(name: str) -> None:
        for step in range(steps):
            seen.append(f"{name}{step}")
            line.pause()

    errors = line.run([lambda name=name: work(name) for name in "abcdefgh"[:tasks]])
    assert errors == [None] * tasks
    return seen


def test_a_seed_gives_the_same_order_again() -> None:
    assert order_of("1") == order_of("1")


def test_seeds_give_different_orders_and_each_task_keeps_its_own() -> None:
    orders = {tuple(order_of(str(seed))) for seed in range(20)}
    assert len(orders) > 15
    for order in orders:
        for name in "abc":
            assert [step for step in order if step[0] == name] == [f"{name}{n}" for n in range(4)]


def test_only_one_runs_at_a_time() -> None:
    line = Interleaving("3")
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            inside += 1
            most = max(most, inside)
            inside -= 1
            line.pause()

    line.run([work] * 8)
    assert most == 1
    assert line.steps > 20


def test_errors_are_told_and_the_others_end() -> None:
    line = Interleaving("4")

    def bad() -> None:
        line.pause()
        raise KeyError("mine")

    def good() -> None:
        for _ in range(5):
            line.pause()

    first, second = line.run([bad, good])
    assert isinstance(first, KeyError)
    assert second is None


def test_nothing_is_left_over() -> None:
    before = set(threading.enumerate())
    order_of("5", tasks=8)
    assert set(threading.enumerate()) == before
    assert Interleaving("6").run([]) == []


def test_every_note_of_a_world_is_a_step_and_no_more_afterwards() -> None:
    world = KitWorld(1)
    try:
        line = Interleaving("7")
        with line.over(world):
            line.run([lambda: world.note("kit", "one"), lambda: world.note("kit", "two")])
        steps = line.steps
        world.note("kit", "three")
        assert line.steps == steps
        assert {entry.detail for entry in world.journal} == {"one", "two", "three"}
    finally:
        world.close()


def test_a_failure_under_an_order_comes_back_with_its_seed() -> None:
    """A counter that is read, then written a step later, loses counts under some orders and under the same ones each time."""

    def lost(seed: str) -> int:
        line = Interleaving(seed)
        count = [0]

        def work() -> None:
            for _ in range(5):
                read = count[0]
                line.pause()
                count[0] = read + 1

        line.run([work, work])
        return 10 - count[0]

    found = [lost(str(seed)) for seed in range(12)]
    assert any(found)
    assert found == [lost(str(seed)) for seed in range(12)]
