from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_simulator import ManualClock, SystemClock
from postroom_simulator.ids import Ids


class TestManualClock:
    def test_it_stands_still_until_it_is_moved(self) -> None:
        clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        assert clock.now() == clock.now()
        clock.advance(90)
        clock.advance(timedelta(hours=1), minutes=5)
        clock.sleep(0.5)
        assert clock.now() == datetime(2026, 1, 1, 1, 6, 30, 500_000, tzinfo=UTC)
        assert clock.monotonic() == 3990.5

    def test_it_does_not_go_back(self) -> None:
        clock = ManualClock()
        with pytest.raises(ValueError, match="back"):
            clock.advance(-1)
        with pytest.raises(ValueError, match="back"):
            clock.move_to(clock.now() - timedelta(seconds=1))
        clock.advance_to(-5)
        assert clock.monotonic() == 0

    def test_it_starts_at_an_aware_time(self) -> None:
        with pytest.raises(ValueError, match="tzinfo"):
            ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001

    def test_timers_fire_in_order_at_their_time(self) -> None:
        clock, fired = ManualClock(), []
        for name, due in (("c", 3.0), ("a", 1.0), ("b", 1.0), ("late", 9.0)):
            clock.call_later(due, lambda name=name: fired.append((name, clock.monotonic())))
        cancelled = clock.call_later(2, lambda: fired.append(("never", 0)))
        cancelled.cancel()
        clock.advance(5)
        assert fired == [("a", 1.0), ("b", 1.0), ("c", 3.0)]
        assert clock.monotonic() == 5
        assert clock.next_due() == 9

    def test_a_timer_may_set_another_on_the_way(self) -> None:
        clock, fired = ManualClock(), []

        def tick() -> None:
            fired.append(clock.monotonic())
            clock.call_later(1, tick)

        clock.call_later(1, tick)
        clock.advance(3.5)
        assert fired == [1, 2, 3]

    @given(st.lists(st.floats(0, 100), max_size=10), st.lists(st.floats(0, 30), max_size=6))
    def test_each_timer_fires_once_and_none_early(self, dues: list[float], moves: list[float]) -> None:
        clock, fired = ManualClock(), []
        for due in dues:
            clock.call_later(due, lambda due=due: fired.append((due, clock.monotonic())))
        for move in moves:
            clock.advance(move)
        assert all(due == at for due, at in fired)
        assert [due for due, _ in fired] == sorted(due for due in dues if due <= clock.monotonic() and moves)


def test_the_system_clock_is_aware_and_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


class TestIds:
    def test_equal_seeds_equal_ids(self) -> None:
        one, other = Ids(3), Ids(3)
        assert [one.token(), one.uuid(), one.number("a")] == [other.token(), other.uuid(), other.number("a")]
        assert one.token() != Ids(4).token()
        assert one.uuid().version == 4
        assert len(one.token(7)) == 7

    def test_each_kind_is_counted_for_itself(self) -> None:
        ids = Ids()
        assert [ids.number("a"), ids.number("b"), ids.number("a")] == [1, 1, 2]

    def test_no_number_is_given_twice(self) -> None:
        ids, given = Ids(), []

        def take() -> None:
            given.extend(ids.number(kind) for kind in "abcdefgh" * 50)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(given) == sorted(list(range(1, 201)) * 8)
