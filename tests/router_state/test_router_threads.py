"""Many instances at once on one database; two services that meet."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from router_state_values import ME, SPEC, MovableClock, Progress

from postroom.channels.email_router.database import RouterDatabase
from postroom.errors import StaleRun


@pytest.mark.parametrize("url", ["file", "postgresql"], indirect=True)
class TestThreads:
    def test_instances_do_not_disturb_each_other(self, url: str, clock: MovableClock) -> None:
        with RouterDatabase(url, clock) as database:

            def live(number: int) -> int:
                identity = f"{number:064x}"
                fence = database.begin(identity, SPEC, "service")
                assert fence is not None
                cell, seen = database.state(identity, SPEC, fence), database.seen(identity, fence)
                for done in range(1, 11):
                    seen.add({f"{number} {done}": "digest"})
                    cell.commit(Progress(done=done, names=(identity,)))
                assert database.end(fence)
                return len(seen)

            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(live, range(16))) == [10] * 16
            for row in database.rows():
                value = database.state(row.identity, SPEC).value
                assert (row.generation, value.done, value.names, row.holder) == (10, 10, (row.identity,), "")
            assert database.alerts() == []

    def test_two_services_never_both(self, url: str, clock: MovableClock) -> None:
        start = threading.Barrier(4)
        with RouterDatabase(url, clock) as one, RouterDatabase(url, clock) as two:

            def meet(number: int) -> bool:
                start.wait(30)
                return (one, two)[number % 2].begin(ME, SPEC, f"service {number}") is not None

            with ThreadPoolExecutor(4) as pool:
                assert sum(pool.map(meet, range(4))) == 1

    def test_a_service_that_was_taken_over_writes_nothing_more(self, url: str, clock: MovableClock) -> None:
        with RouterDatabase(url, clock) as one, RouterDatabase(url, clock) as two:
            fence = one.begin(ME, SPEC, "one")
            assert fence is not None
            cell = one.state(ME, SPEC, fence)
            cell.commit(Progress(done=1))
            clock.advance(1000)
            later = two.begin(ME, SPEC, "two")
            assert later is not None
            two.state(ME, SPEC, later).commit(Progress(done=2))
            with pytest.raises(StaleRun):
                cell.commit(Progress(done=3))
            assert not one.end(fence, "too late")
            assert two.state(ME, SPEC).value.done == 2
