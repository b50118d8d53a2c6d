"""The stepped event loop."""

import asyncio
import gc
import warnings

import pytest

from postroom_simulator.smtp.loop import SteppedLoop


async def _two_waits(seen, first, second):
    seen.append("begun")
    await first
    seen.append("between")
    await second
    seen.append("done")


def test_a_coroutine_goes_to_its_next_wait_and_no_further():
    loop, seen = SteppedLoop(), []
    first, second = loop.create_future(), loop.create_future()
    task = loop.create_task(_two_waits(seen, first, second))
    assert seen == []
    loop.settle()
    assert seen == ["begun"]
    first.set_result(None)
    loop.settle()
    assert seen == ["begun", "between"]
    loop.settle()
    assert seen == ["begun", "between"]
    second.set_result(None)
    loop.settle()
    assert seen[-1] == "done"
    assert task.done()


def test_inside_a_running_loop_that_loop_stays_the_running_one():
    async def outer():
        running = asyncio.get_running_loop()
        inner, seen = SteppedLoop(), []

        async def coroutine():
            seen.append(asyncio.get_running_loop())

        inner.create_task(coroutine())
        inner.settle()
        assert seen == [inner]
        assert asyncio.get_running_loop() is running
        assert asyncio.current_task() is not None

    asyncio.run(outer())


def test_the_running_loop_is_restored_after_an_interrupt_too():
    loop = SteppedLoop()

    def interrupt():
        raise KeyboardInterrupt

    loop.call_soon(interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.settle()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_a_cancelled_callback_is_not_called():
    loop, seen = SteppedLoop(), []
    loop.call_soon(seen.append, 1).cancel()
    loop.call_soon(seen.append, 2)
    loop.settle()
    assert seen == [2]


def test_cancelling_ends_a_task_at_the_next_step():
    loop = SteppedLoop()
    task = loop.create_task(_two_waits([], loop.create_future(), loop.create_future()))
    loop.settle()
    task.cancel()
    loop.settle()
    assert task.cancelled()


def test_there_are_no_timers():
    with pytest.raises(NotImplementedError, match="idle_limit"):
        SteppedLoop().call_later(1, print)


def test_what_is_thrown_away_unfinished_goes_without_a_warning(caplog):
    loop = SteppedLoop()
    loop.create_task(_two_waits([], loop.create_future(), loop.create_future()))
    loop.settle()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del loop
        gc.collect()
    assert caplog.records == []
