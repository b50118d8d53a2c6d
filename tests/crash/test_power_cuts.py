"""Every step of every scenario cut off by an exception that nobody catches, in one process: the database is opened anew from its file.

Only a commit, a connect and a send change anything outside the process. After each of these every scenario is cut; those in `THOROUGH`, and
with --campaign all, are cut at each step that the counting run met: between the statements of a transaction and between the messages of a
batch, before and after each recv as well.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_stage import SCENARIOS, Ended, Stage, compare, furnish

from postroom.organization import outbox
from postroom.providers.mailbox_run import MailboxRun
from postroom.rules.outgoing_state import Mark
from postroom.testing.crash import Steps

THOROUGH = {"one parked"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory where the system has such a place: what is proved here does not depend on the disk."""
    shared = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="postroom-", dir=shared if shared.is_dir() else None))
    yield made
    shutil.rmtree(made)


class Enumerated:
    """One scenario: its steps, counted in a run that nothing disturbed, and how that ended."""

    def __init__(self, name: str, folder: Path) -> None:
        self.scenario = SCENARIOS[name]
        self.template, self.path = folder / "template.db", folder / "run.db"
        self.template.unlink(missing_ok=True)
        furnish(self.scenario, self.template)
        steps = Steps()
        _, self.expected = self.played(steps)
        self.names = steps.names

    def played(self, steps: Steps) -> tuple[str, Ended]:
        stage = Stage(self.scenario, self.template, self.path)
        try:
            cut = stage.run(steps)
            stage.recover()
            return cut, stage.verify()
        finally:
            stage.close()

    def failure(self, number: int) -> str:
        """What is wrong after a cut at this step; empty when all is well."""
        name = self.names[number]
        try:
            cut, ended = self.played(Steps(number))
            assert cut == name, f"the run was cut at {cut!r}"
            compare(self.scenario, self.expected, ended)
        except AssertionError as wrong:
            return (
                f"{self.scenario.name}, step {number} of {len(self.names)} ({name}):\n  {wrong}\n"
                f"  again: Enumerated({self.scenario.name!r}, folder).failure({number}) in {__file__}"
            )
        return ""


def changes_something(name: str) -> bool:
    return name.startswith(("after commit", "after connect", "after send"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_cut_after_every_change_loses_nothing_and_doubles_nothing(name: str, folder: Path) -> None:
    enumerated = Enumerated(name, folder)
    chosen = [n for n, step in enumerate(enumerated.names) if name in THOROUGH or changes_something(step)]
    assert len(chosen) > 10
    failures = [failure for number in chosen if (failure := enumerated.failure(number))]
    assert not failures, f"{len(failures)} of {len(chosen)} cuts\n" + "\n".join(failures)


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in THOROUGH])
def test_a_cut_at_every_step(name: str, folder: Path) -> None:
    enumerated = Enumerated(name, folder)
    failures = [failure for number in range(len(enumerated.names)) if (failure := enumerated.failure(number))]
    assert not failures, f"{len(failures)} of {len(enumerated.names)} cuts\n" + "\n".join(failures)


# -- the checks themselves --------------------------------------------------------------------------------------------


def failures_of(name: str, folder: Path) -> str:
    enumerated = Enumerated(name, folder)
    return "".join(enumerated.failure(number) for number, step in enumerate(enumerated.names) if changes_something(step))


def test_an_email_that_is_sent_again_blindly_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = outbox.after_loss
    monkeypatch.setattr(outbox, "after_loss", lambda mark, attempts: known(Mark.CLAIMED, attempts))
    assert "delivered 2 times" in failures_of("send", folder)


def test_a_message_that_is_remembered_before_it_is_stored_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = MailboxRun._flush

    def flush(run: MailboxRun) -> None:
        run.ctx.seen.add({candidate.listed.key: candidate.offer.message.digest for candidate in run.pending})
        known(run)

    monkeypatch.setattr(MailboxRun, "_flush", flush)
    assert "lost: " in failures_of("fetch", folder)
