"""Coroutines that are moved by hand."""

import asyncio
import gc
import warnings

import pytest

from postroom_simulator.smtp.loop import NoLoop, Stepped, wait


async def two_waits(seen):
    seen.append("begun")
    try:
        await wait()
        seen.append("between")
        await wait()
        seen.append("done")
    finally:
        seen.append("left")


def test_a_coroutine_goes_to_its_next_wait_and_no_further():
    seen = []
    stepped = Stepped(two_waits(seen))
    assert seen == []
    stepped.step()
    assert seen == ["begun"]
    stepped.step()
    assert seen == ["begun", "between"]
    assert not stepped.done()
    stepped.step()
    assert seen == ["begun", "between", "done", "left"]
    assert stepped.done()
    stepped.step()
    assert len(seen) == 4


def test_inside_a_running_loop_that_loop_notices_nothing():
    async def outer():
        mine, seen = asyncio.current_task(), []
        stepped = Stepped(two_waits(seen))
        stepped.step()
        assert asyncio.current_task() is mine
        stepped.cancel()

    asyncio.run(outer())


def test_what_goes_wrong_inside_is_told_and_is_the_end():
    async def fails():
        await wait()
        raise KeyError("inside")

    stepped = Stepped(fails())
    stepped.step()
    with pytest.raises(KeyError, match="inside"):
        stepped.step()
    assert stepped.done()
    stepped.step()


def test_cancelling_leaves_the_coroutine_at_its_wait():
    seen = []
    stepped = Stepped(two_waits(seen))
    stepped.step()
    stepped.cancel()
    stepped.cancel()
    assert seen == ["begun", "left"]
    assert stepped.done()


def test_cancelling_from_inside_waits_for_the_next_wait():
    seen = []

    async def cancels_itself():
        stepped.cancel()
        seen.append("still here")
        await wait()
        seen.append("never")

    stepped = Stepped(cancels_itself())
    stepped.step()
    assert seen == ["still here"]
    assert stepped.done()


def test_to_wait_for_an_event_loop_is_a_mistake_that_is_told():
    async def waits_for_ever():
        await NoLoop().create_future()

    stepped = Stepped(waits_for_ever())
    with pytest.raises(RuntimeError, match="never come"):
        stepped.step()
    assert stepped.done()


def test_what_is_thrown_away_unfinished_goes_without_a_warning(caplog):
    stepped = Stepped(two_waits([]))
    stepped.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del stepped
        gc.collect()
    assert caplog.records == []
