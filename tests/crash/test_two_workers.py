"""Two workers on one mailbox: the first is held up at a step for longer than its lease lasts, a second one does everything that is due, then
the first goes on. Nothing is doubled, nothing is lost, and what the first one still wanted to write is refused."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_stage import LEASE, SCENARIOS, Ended, Stage, compare, furnish

from postroom.organization import outbox
from postroom.rules.outgoing_state import Mark
from postroom.testing.crash import Steps


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    shared = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="postroom-", dir=shared if shared.is_dir() else None))
    yield made
    shutil.rmtree(made)


class Interrupted(Steps):
    """At one step a second worker lives while this one stands still."""

    def __init__(self, stop: int, stage: Stage) -> None:
        super().__init__()
        self.at = stop
        self.stage = stage

    def reached(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) - 1 == self.at:
            self.stage.clock.advance(LEASE)
            self.stage.run(Steps())


def free(name: str) -> bool:
    """No transaction is open there: with one, the second worker would wait for the first."""
    return name.startswith(
        ("after commit", "before connect", "after connect", "before send", "after send", "before recv", "after recv")
    )


class Pair:
    def __init__(self, name: str, folder: Path) -> None:
        self.scenario = SCENARIOS[name]
        self.template, self.path = folder / "template.db", folder / "run.db"
        self.template.unlink(missing_ok=True)
        furnish(self.scenario, self.template)
        self.names: list[str] = []
        steps = Steps()
        self.expected = self.played(lambda _: steps)
        self.names = steps.names

    def played(self, steps: object) -> Ended:
        stage = Stage(self.scenario, self.template, self.path)
        try:
            stage.run(steps(stage))  # type: ignore[operator]
            stage.recover()
            return stage.verify()
        finally:
            stage.close()

    def failure(self, number: int) -> str:
        try:
            ended = self.played(lambda stage: Interrupted(number, stage))
            compare(self.scenario, self.expected, ended)
        except AssertionError as wrong:
            return f"{self.scenario.name}, held up at step {number} of {len(self.names)} ({self.names[number]}):\n  {wrong}"
        return ""

    def failures(self, chosen: list[int]) -> list[str]:
        return [failure for number in chosen if (failure := self.failure(number))]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fetch, delete and send", "forward"])
def test_a_second_worker_takes_over_from_one_that_stands_still(name: str, folder: Path) -> None:
    pair = Pair(name, folder)
    chosen = [number for number, step in enumerate(pair.names) if step.startswith(("after commit", "after send"))]
    assert len(chosen) > 10
    failures = pair.failures(chosen)
    assert not failures, f"{len(failures)} of {len(chosen)}\n" + "\n".join(failures)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_second_worker_at_every_step(name: str, folder: Path) -> None:
    pair = Pair(name, folder)
    chosen = [number for number, step in enumerate(pair.names) if free(step)]
    failures = pair.failures(chosen)
    print(f"\n{name}: held up at {len(chosen)} steps, {len(failures)} failures")
    assert not failures, f"{len(failures)} of {len(chosen)}\n" + "\n".join(failures)


def test_a_worker_that_takes_over_too_much_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check has teeth: where what the other one was submitting counts as not yet submitted, both send it."""
    known = outbox.after_loss
    monkeypatch.setattr(outbox, "after_loss", lambda mark, attempts: known(Mark.CLAIMED, attempts))
    pair = Pair("send to two", folder)
    found = pair.failure(pair.names.index("after send the final dot"))
    assert "delivered 2 times" in found
