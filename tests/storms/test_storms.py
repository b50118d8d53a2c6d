"""Hundreds of storms drawn from seeds; a failing one is shrunk to the events that it takes, and printed with the seed that brings it back."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from storm import Event, Schedule, draw, play, shrink, written

from postroom.errors import StoreError
from postroom.organization.gateway import OrganizationGateway
from postroom.providers.contract import ClaimedEmail, Submission, SubmissionResult
from postroom.providers.mailbox_run import MailboxRun
from postroom_simulator.fault_files import parse_faults

CHUNKS = 20
EACH = 10
CAMPAIGN = 1000


def told(seed: int, schedule: Schedule) -> str:
    """What a person needs who looks into it."""
    shortest = shrink(schedule)
    return (
        f"storm {seed}; again: play(draw({seed})) in {__file__}\n"
        + "\n".join(play(shortest))
        + f"\n\nthe {len(shortest)} of its {len(schedule)} events that it takes:\n\n{written(shortest)}"
    )


def failures(seeds: range) -> list[str]:
    found = []
    for seed in seeds:
        schedule = draw(seed)
        if play(schedule):
            found.append(told(seed, schedule))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_after_a_storm_everything_is_there_once(chunk: int) -> None:
    found = failures(range(chunk * EACH, (chunk + 1) * EACH))
    assert not found, "\n\n".join(found)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("chunk", range(10))
def test_many_more_storms(chunk: int) -> None:
    first = CHUNKS * EACH + chunk * CAMPAIGN // 10
    found = failures(range(first, first + CAMPAIGN // 10))
    assert not found, "\n\n".join(found)


# -- that storms find something -------------------------------------------------------------------------------------------


def first_failure(seeds: range) -> tuple[int, Schedule]:
    for seed in seeds:
        if play(schedule := draw(seed)):
            return seed, schedule
    raise AssertionError(f"none of the storms {seeds} found it")


def test_an_engine_that_sends_again_blindly_is_found_and_the_storm_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway is told "perhaps it was sent", and makes "try again" of it."""
    known = OrganizationGateway.report_outgoing

    def report(gateway: OrganizationGateway, email: ClaimedEmail, submission: Submission) -> None:
        if submission.result is SubmissionResult.UNCERTAIN:
            submission = Submission(SubmissionResult.RETRY, reply=submission.reply)
        known(gateway, email, submission)

    monkeypatch.setattr(OrganizationGateway, "report_outgoing", report)
    seed, schedule = first_failure(range(34, 234))  # the first one that finds it is the first of these
    shortest = shrink(schedule)
    assert any("delivered" in problem or "nobody asked" in problem for problem in play(shortest)), play(shortest)
    assert len(shortest) <= 3 < len(schedule), told(seed, schedule)
    assert any(event.what == "fault" for event in shortest)
    assert [fault.effect for fault in parse_faults(written(shortest))] == [
        event.value.effect for event in shortest if event.what == "fault"
    ]


def test_an_engine_that_remembers_before_it_stores_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends a run between the two loses a message: here each third commit finds the database locked."""
    flush, batch, numbers = MailboxRun._flush, OrganizationGateway.batch, itertools.count(1)

    def forgetful(run: MailboxRun) -> None:
        run.ctx.seen.add({candidate.listed.key: candidate.offer.message.digest for candidate in run.pending})
        flush(run)

    @contextmanager
    def locked(gateway: OrganizationGateway) -> Iterator[None]:
        if next(numbers) % 3 == 0:
            raise StoreError("the database is locked")
        with batch(gateway):
            yield

    monkeypatch.setattr(OrganizationGateway, "batch", locked)
    assert not play(draw(0)), "a locked database alone loses nothing"
    monkeypatch.setattr(MailboxRun, "_flush", forgetful)
    _, schedule = first_failure(range(10))
    assert any(problem.startswith("lost: ") for problem in play(schedule))


def test_every_storm_can_be_had_again() -> None:
    assert draw(7) == draw(7)
    assert len({repr(draw(seed)) for seed in range(50)}) == 50


def test_what_happens_in_storms() -> None:
    """Every kind of event is drawn sooner or later."""
    from storm import HAPPENS

    drawn = {event.what for seed in range(200) for event in draw(seed)}
    assert drawn == set(HAPPENS)


@pytest.mark.parametrize("guilty", [1, 2, 5])
def test_shrinking_leaves_what_it_takes_and_nothing_else(guilty: int) -> None:
    chance = random.Random(guilty)
    schedule = tuple(Event(number, "test", "Ada") for number in range(24))
    wanted = set(chance.sample(range(24), guilty))
    asked = 0

    def fails(one: Schedule) -> bool:
        nonlocal asked
        asked += 1
        return wanted <= {event.at for event in one}

    assert {event.at for event in shrink(schedule, fails)} == wanted
    assert asked < 200
