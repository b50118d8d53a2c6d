"""The engine in a process of its own on a database file, killed with SIGKILL at every step; the servers live on over TCP.

The steps are counted in a run that nothing disturbed. For each of them, in a fresh world and on a fresh copy of the database, a child is
killed there and another one started later; then the books are checked, each message and each email is looked for, and the database is
compared with that of the undisturbed run.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import pytest
from crash_stage import (
    LEASE,
    LIVES,
    ROUND,
    SCENARIOS,
    Ended,
    Scenario,
    compare,
    furnish,
    open_organization,
    snapshot,
    verify,
    world_of,
)

from postroom_simulator import ManualClock, World

PATIENCE = 60.0
ROUNDS = 2
"""A second one, later: a server may not have seen the death of the first life when the next one begins, and say that it is busy."""
SIGKILL = 9


class Zygote:
    """See crash_zygote.py."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crash_zygote.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._buffer = b""
        assert self._answer() == {"ready": True}

    def live(self, **job: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            assert ready, f"no answer within {PATIENCE} seconds"
            octets = os.read(self.process.stdout.fileno(), 65536)
            assert octets, "the zygote ended"
            self._buffer += octets
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Place:
    """A zygote, and a folder for one database at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.zygote = Zygote()


class Places:
    """One for each core that a laptop surely has."""

    def __init__(self, folder: Path, number: int = 2) -> None:
        self.folder = folder
        self.places = []
        self.free: SimpleQueue[Place] = SimpleQueue()
        for one in range(number):
            (folder / str(one)).mkdir()
            self.places.append(Place(folder / str(one)))
            self.free.put(self.places[-1])

    def each(self, case: Case, kills: Iterable[Sequence[int]]) -> list[str]:
        """The failures of these cases, two at a time."""

        def one(stops: Sequence[int]) -> str:
            place = self.free.get()
            try:
                return case.failure(place, stops)
            finally:
                self.free.put(place)

        with ThreadPoolExecutor(len(self.places)) as pool:
            return [failure for failure in pool.map(one, kills) if failure]

    def close(self) -> None:
        for place in self.places:
            place.zygote.close()


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="postroom-", dir=shared if shared.is_dir() else None))
    made = Places(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


class Engine:
    """Lives of the engine, one after the other, on one database and one world."""

    def __init__(self, scenario: Scenario, template: Path, place: Place, *, tls: bool) -> None:
        self.scenario = scenario
        self.zygote = place.zygote
        self.path = place.folder / "run.db"
        self.tls = tls
        for old in place.folder.glob("run.db*"):
            old.unlink()
        shutil.copyfile(template, self.path)
        self.world: World = world_of(scenario)
        assert isinstance(self.world.clock, ManualClock)
        self.clock = self.world.clock
        known = {"pop3s": 995, "smtps": 465} if tls else {"pop3": 110, "submission": 587}
        servers = self.world.listen(ports=dict.fromkeys(known, 0))
        self.ports = {str(port): servers.addresses[service][1] for service, port in known.items()}
        self.authority = str(place.folder / "authority.pem") if tls else None
        if tls:
            Path(self.authority or "").write_bytes(self.world.authority.pem())

    def live(self, stop: int | None, *, rounds: int = 1) -> list[str]:
        """The steps of one life; of one that was killed, the last alone."""
        start = self.clock.monotonic()
        answer = self.zygote.live(
            scenario=self.scenario.name,
            path=str(self.path),
            ports=self.ports,
            start=start,
            rounds=rounds,
            stop=stop,
            authority=self.authority,
        )
        assert not answer["error"], answer["error"]
        names: list[str] = answer["names"]
        assert answer["signal"] == (SIGKILL if stop is not None and len(names) == 1 else 0)
        self.world.settle()
        self.clock.advance((rounds - 1) * ROUND + LEASE)
        return names

    def verify(self) -> Ended:
        resolved: dict[str, bool] = {}
        for _ in range(LIVES):
            self.live(None, rounds=ROUNDS)
            with open_organization(self.scenario, self.path, self.clock) as deployment:
                ended = verify(self.scenario, self.world, deployment.organizations["alder"])
            if not ended.resolved:
                return Ended(resolved, snapshot(self.path))
            resolved |= ended.resolved
        raise AssertionError("still uncertain after everything was resolved")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.world.close()


class Case:
    """One scenario: its steps, counted, and how it ends undisturbed."""

    def __init__(self, name: str, places: Places, *, tls: bool = False) -> None:
        self.scenario = SCENARIOS[name]
        self.tls = tls
        self.uncertain: list[str] = []
        """The steps after which an email was uncertain."""
        self.template = places.folder / "template.db"
        self.template.unlink(missing_ok=True)
        furnish(self.scenario, self.template, tls=tls)
        with Engine(self.scenario, self.template, places.places[0], tls=tls) as engine:
            self.names = engine.live(None)
            self.expected = engine.verify()

    def failure(self, place: Place, stops: Sequence[int]) -> str:
        """What is wrong after kills at these steps of lives that follow each other; empty when all is well."""
        killed: list[str] = []
        try:
            with Engine(self.scenario, self.template, place, tls=self.tls) as engine:
                for stop in stops:
                    names = engine.live(stop)
                    killed.append(names[0] if len(names) == 1 else "(it ended before)")
                assert killed[0] == self.names[stops[0]], "the steps of two runs differ"
                ended = engine.verify()
                compare(self.scenario, self.expected, ended)
                self.uncertain += killed if ended.resolved else []
        except AssertionError as wrong:
            where = ", then ".join(f"{stop} ({name})" for stop, name in zip(stops, killed, strict=False))
            return f"{self.scenario.name}, killed at step {where} of {len(self.names)}:\n  {wrong}"
        return ""


def report(case: Case, failures: list[str], total: int) -> str:
    return (
        f"{len(failures)} of {total} cases of {case.scenario.name!r}; steps are numbered from 0. Again: `again(name, [steps])` in {__file__}\n"
        + "\n".join(failures)
    )


def again(name: str, stops: Sequence[int], *, tls: bool = False) -> str:
    """For whoever looks into a failure: play it once more, alone."""
    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder), 1)
        try:
            return Case(name, places, tls=tls).failure(places.places[0], stops)
        finally:
            places.close()


def changes_something(name: str) -> bool:
    return name.startswith(("after commit", "after connect", "after send"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["fetch", "fetch and delete", "send"])
def test_killed_at_every_step(name: str, places: Places) -> None:
    case = Case(name, places)
    assert len(case.names) > 50
    failures = places.each(case, [[stop] for stop in range(len(case.names))])
    assert not failures, report(case, failures, len(case.names))
    if case.scenario.sends:  # between the durable mark and the durable outcome, and nowhere else
        first, last = case.names.index("before send the final dot"), case.names.index("after recv, the final dot")
        assert set(case.names[first : last + 1]) <= set(case.uncertain)
        assert len(case.uncertain) < 12


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "tls"), [("test and enable", False), ("send, one refused", True)])
def test_killed_after_every_change(name: str, tls: bool, places: Places) -> None:
    """Only commits, connections and sends change anything outside the process."""
    case = Case(name, places, tls=tls)
    stops = [[stop] for stop, step in enumerate(case.names) if changes_something(step)]
    assert len(stops) > 20
    failures = places.each(case, stops)
    assert not failures, report(case, failures, len(stops))


def two_in_a_row(case: Case, seed: int, number: int) -> list[list[int]]:
    """The second life recovers what the first left, and is killed in turn."""
    chance = random.Random(f"{case.scenario.name} {seed}")
    return [[chance.randrange(len(case.names)), chance.randrange(len(case.names))] for _ in range(number)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_twice_in_a_row(places: Places) -> None:
    case = Case("fetch, delete and send", places)
    stops = two_in_a_row(case, seed=1, number=16)
    failures = places.each(case, stops)
    assert not failures, report(case, failures, len(stops))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if not one.fetched_before])
def test_killed_at_every_step_of_all(name: str, places: Places, record_property: Callable[[str, object], None]) -> None:
    case = Case(name, places)
    failures = places.each(case, [[stop] for stop in range(len(case.names))])
    record_property("kills", len(case.names))
    print(f"\n{name}: {len(case.names)} kills, {len(case.uncertain)} left an email uncertain, {len(failures)} failures")
    assert not failures, report(case, failures, len(case.names))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_three_times_at_random(name: str, places: Places) -> None:
    if SCENARIOS[name].fetched_before:
        pytest.skip("has a history, which is made in memory only: see test_power_cuts")
    case = Case(name, places)
    chance = random.Random(f"campaign {name}")
    stops = [[chance.randrange(len(case.names)) for _ in range(3)] for _ in range(60)]
    failures = places.each(case, stops)
    assert not failures, report(case, failures, len(stops))
