"""The router's memory cut off at every step, and killed at random: old or new state, never a mixture; nothing lost, nothing doubled."""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from router_life import Ledger, live
from router_state_values import ME, SPEC, MovableClock

from postroom.channels.email_router.database import RouterDatabase
from postroom.testing.crash import PowerCut, Steps

MESSAGES = 5
HERE = Path(__file__).parent


@pytest.fixture
def folder() -> Iterator[Path]:
    shared = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="postroom-", dir=shared if shared.is_dir() else None))
    yield made
    shutil.rmtree(made)


def settled(path: Path, ledger: Ledger, number: int, clock: MovableClock) -> None:
    """After whatever happened: a life that nothing disturbs, and one that finds nothing to do."""
    live(path, ledger, number, clock)
    delivered = ledger.keys()
    assert len(delivered) == number
    assert sorted(delivered) == sorted(f"message {n}" for n in range(number))
    assert live(path, ledger, number, clock) == 0
    with RouterDatabase(f"sqlite:///{path}", clock) as database:
        cell = database.state(ME, SPEC)
        # a message whose commit was cut off was told by the seen keys: the count may lag behind, and never runs ahead
        assert cell.generation <= number + 1
        assert cell.value.done == len(database.seen(ME)) or cell.value.done < number
        assert database.alerts() == []


def test_cut_at_every_step(folder: Path, clock: MovableClock) -> None:
    path, ledger = folder / "router.db", Ledger(folder / "ledger")
    template = folder / "template.db"
    RouterDatabase(f"sqlite:///{template}", clock).close()

    def fresh() -> None:
        for old in folder.glob("router.db*"):
            old.unlink()
        ledger.path.unlink(missing_ok=True)
        shutil.copyfile(template, path)

    counted = Steps()
    fresh()
    live(path, ledger, MESSAGES, clock, counted)
    assert len(counted.names) > 30
    assert {"before insert statevalue", "before update statevalue", "before insert seenentry"} <= set(counted.names)
    for stop in range(len(counted.names)):
        fresh()
        with pytest.raises(PowerCut):
            live(path, ledger, MESSAGES, clock, Steps(stop))
        settled(path, ledger, MESSAGES, clock)


def kills(folder: Path, number: int, seed: str, clock: MovableClock) -> int:
    """Lives of other processes, each killed at a random moment; gives how many died of it."""
    chance = random.Random(seed)
    path, ledger = folder / "router.db", Ledger(folder / "ledger")
    died = messages = 0
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, str(HERE / "router_life.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as zygote:
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        for _ in range(number):
            messages += 40
            zygote.stdin.write(json.dumps([str(path), str(ledger.path), messages]) + "\n")
            zygote.stdin.flush()
            pid = int(zygote.stdout.readline())
            if not select.select([zygote.stdout], [], [], chance.uniform(0.0, 0.15))[0]:
                with suppress(ProcessLookupError):  # it may just have ended by itself
                    os.kill(pid, signal.SIGKILL)
            ended = int(zygote.stdout.readline())
            assert ended in (0, -signal.SIGKILL)
            died += ended != 0
            delivered = Ledger(ledger.path).keys()
            assert len(set(delivered)) == len(delivered)
        zygote.stdin.close()
    settled(path, Ledger(ledger.path), messages, clock)
    return died


@pytest.mark.slow
def test_killed_a_few_times(folder: Path, clock: MovableClock) -> None:
    assert kills(folder, 6, "a few", clock) >= 1


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_killed_three_hundred_times(folder: Path, clock: MovableClock) -> None:
    died = sum(kills(folder / str(n), 50, f"campaign {n}", clock) for n in range(6) if (folder / str(n)).mkdir() is None)
    print(f"\n{died} of 300 died")
    assert died > 200
