"""Groups: so many of one organization or server at once, and nobody is forgotten."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.runtime.scheduler import Scheduler


def made(**caps: int) -> Scheduler[str]:
    return Scheduler(caps.get)


def test_those_behind_a_full_group_go_on() -> None:
    scheduler = made(slow=1)
    for key in ("a", "b", "c"):
        scheduler.put(key, key, 0.0, ("slow",))
    scheduler.put("d", "d", 1.0, ("quick",))
    assert scheduler.take(5.0, 9) == ["a", "d"]
    scheduler.finished("a", 5.0)
    assert scheduler.take(5.0, 9) == ["b"]
    scheduler.finished("d", 5.0)
    scheduler.finished("b", 5.0)
    assert scheduler.take(5.0, 9) == ["c"]


def test_a_run_that_was_let_go_makes_room() -> None:
    scheduler = made(slow=1)
    scheduler.put("a", "a", 0.0, ("slow",))
    scheduler.put("b", "b", 0.0, ("slow",))
    assert scheduler.take(0.0, 9) == ["a"]
    scheduler.put("a", "a", 3.0, ("slow",))
    scheduler.let_go("a")
    assert scheduler.take(0.0, 9) == ["b"]
    assert "a" not in scheduler


GROUPS = st.sets(st.sampled_from("xyz"), max_size=2).map(lambda one: tuple(sorted(one)))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), GROUPS), min_size=1, max_size=14),
    st.fixed_dictionaries({"x": st.integers(1, 3), "y": st.integers(1, 3), "z": st.integers(1, 3)}),
    st.integers(1, 5),
    st.data(),
)
def test_no_cap_is_passed_and_everybody_runs(
    jobs: list[tuple[int, tuple[str, ...]]], caps: dict[str, int], slots: int, data: st.DataObject
) -> None:
    """Keys share instances and groups in any way; they end in any order."""
    scheduler: Scheduler[str] = Scheduler(caps.get)
    groups, instances = {}, {}
    for number, (instance, mine) in enumerate(jobs):
        key = f"k{number}"
        groups[key], instances[key] = mine, str(instance)
        scheduler.put(key, str(instance), 0.0, mine)
    running: list[str] = []
    ended: list[str] = []
    while len(ended) < len(jobs):
        running += scheduler.take(1.0, slots - len(running))
        assert running, "somebody waits, nobody runs"
        at_once = Counter(group for key in running for group in groups[key])
        assert all(count <= caps[group] for group, count in at_once.items())
        assert len({instances[key] for key in running}) == len(running)
        one = data.draw(st.sampled_from(running))
        running.remove(one)
        scheduler.finished(one, 1.0)
        ended.append(one)
    assert sorted(ended) == sorted(groups)
