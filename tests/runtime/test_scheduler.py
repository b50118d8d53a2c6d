"""The scheduler: order, fairness, one run an instance."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from postroom.runtime.scheduler import Scheduler


def test_due_time_then_least_recently_run_then_arrival() -> None:
    scheduler: Scheduler[str] = Scheduler()
    for key, due in (("late", 9.0), ("b", 5.0), ("a", 5.0), ("early", 1.0)):
        scheduler.put(key, key, due)
    assert scheduler.take(10, 9) == ["early", "b", "a", "late"]
    scheduler.finished("a", 10)
    scheduler.finished("b", 10, more=True)
    scheduler.put("a", "a", 10)
    assert scheduler.take(10, 9) == ["a", "b"]


def test_a_key_put_again_after_its_removal_waits_for_its_new_time() -> None:
    scheduler: Scheduler[str] = Scheduler()
    scheduler.put("a", "a", 0)
    scheduler.remove("a")
    scheduler.put("a", "a", 5)
    assert scheduler.take(0, 9) == []
    assert scheduler.take(5, 9) == ["a"]


def test_nothing_before_its_time() -> None:
    scheduler: Scheduler[str] = Scheduler()
    scheduler.put("a", "a", 5)
    assert scheduler.take(4.9, 9) == []
    assert scheduler.next_due() == 5
    assert scheduler.take(5, 9) == ["a"]
    assert scheduler.next_due() is None


def test_more_goes_behind_everything_that_is_due() -> None:
    scheduler: Scheduler[str] = Scheduler()
    for key in "abc":
        scheduler.put(key, key, 1)
    order = []
    for _ in range(6):
        key = scheduler.take(1, 1)[0]
        order.append(key)
        scheduler.finished(key, 1, more=True)
    assert order == list("abcabc")


def test_one_run_an_instance() -> None:
    scheduler: Scheduler[str] = Scheduler()
    scheduler.put("in", "box", 1)
    scheduler.put("out", "box", 1)
    assert scheduler.take(1, 9) == ["in"]
    assert scheduler.take(1, 9) == []
    assert scheduler.next_due() is None
    scheduler.finished("in", 2)
    assert scheduler.take(2, 9) == ["out"]


def test_moved_keys_are_taken_once() -> None:
    scheduler: Scheduler[str] = Scheduler()
    for due in (9, 3, 5):
        scheduler.put("a", "a", due)
    assert scheduler.next_due() == 5
    assert scheduler.take(10, 9) == ["a"]
    assert scheduler.take(10, 9) == []


def test_a_key_that_is_asked_for_while_it_runs_runs_again() -> None:
    scheduler: Scheduler[str] = Scheduler()
    scheduler.put("a", "a", 1)
    scheduler.take(1, 1)
    scheduler.put("a", "a", 7)
    scheduler.finished("a", 2)
    assert scheduler.next_due() == 7


def test_removed_while_running_is_gone_afterwards() -> None:
    scheduler: Scheduler[str] = Scheduler()
    scheduler.put("a", "a", 1)
    scheduler.take(1, 1)
    scheduler.remove("a")
    scheduler.finished("a", 2, more=True)
    assert len(scheduler) == 0
    assert scheduler.take(9, 9) == []


def test_a_tick_does_not_look_at_what_is_not_due(monkeypatch: object) -> None:
    scheduler: Scheduler[int] = Scheduler()
    looked = 0

    class Counting(int):
        def __hash__(self) -> int:
            nonlocal looked
            looked += 1
            return int(self)

    for number in range(5000):
        scheduler.put(Counting(number), str(number), 1000 + number)
    scheduler.put(Counting(9999), "due", 1)
    looked = 0
    assert scheduler.take(2, 10) == [9999]
    assert looked < 20


class Machine(RuleBasedStateMachine):
    """Against a model that is a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler: Scheduler[str] = Scheduler()
        self.now = 0.0
        self.due: dict[str, float] = {}
        self.running: dict[str, str] = {}

    keys = st.sampled_from(["a1", "a2", "b1", "c1"])

    @rule(key=keys, delay=st.integers(0, 5))
    def put(self, key: str, delay: int) -> None:
        due = self.now + delay
        if key in self.running.values() and key in self.due:
            due = min(due, self.due[key])
        self.due[key] = due
        self.scheduler.put(key, key[0], self.now + delay)

    @rule(key=keys)
    def remove(self, key: str) -> None:
        self.due.pop(key, None)
        self.scheduler.remove(key)

    @rule(limit=st.integers(0, 3))
    def take(self, limit: int) -> None:
        taken = self.scheduler.take(self.now, limit)
        assert len(taken) <= limit
        for key in taken:
            assert key[0] not in self.running
            assert self.due.pop(key) <= self.now
            self.running[key[0]] = key
        if len(taken) < limit:
            left = [key for key, due in self.due.items() if due <= self.now and key[0] not in self.running]
            assert left == []

    @precondition(lambda self: self.running)
    @rule(data=st.data(), more=st.booleans())
    def finish(self, data: st.DataObject, more: bool) -> None:
        instance = data.draw(st.sampled_from(sorted(self.running)))
        self.scheduler.finished(key := self.running.pop(instance), self.now, more=False)
        assert (key in self.scheduler) == (key in self.due)

    @rule(seconds=st.integers(1, 4))
    def advance(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def next_due_is_not_too_late(self) -> None:
        free = [due for key, due in self.due.items() if key[0] not in self.running]
        told = self.scheduler.next_due()
        if free:
            assert told is not None
            assert told <= min(free)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_all_come_in_order_of_due_time(dues: list[int]) -> None:
    scheduler: Scheduler[int] = Scheduler()
    for number, due in enumerate(dues):
        scheduler.put(number, str(number), due)
    taken = scheduler.take(20, len(dues))
    assert [dues[number] for number in taken] == sorted(dues)
