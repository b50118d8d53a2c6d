"""What a router remembers: state commits a second against a bare fsynced file write of the same octets.

Side by side, on the same disk: a file that is replaced (temporary file, fsync, rename, fsync of the folder: what a store of one file per instance would
do), and a plain overwrite with one fsync, which a crash would tear.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.harness import Bench
from postroom.channels.email_router.database import RouterDatabase
from postroom.clock import SystemClock
from postroom.providers.contract import Direction, ProviderSpec
from postroom.providers.cursor import Cursor
from postroom.providers.state import canonical

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Config:
    pass


@dataclass(frozen=True)
class State:
    cursor: Cursor = field(default_factory=Cursor)
    done: int = 0


SPEC: ProviderSpec[Config, State] = ProviderSpec("bench", Direction.INBOUND, Config, State)


def run(bench: Bench) -> None:
    number = bench.pick(500, 50)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        place = Path(folder)
        with RouterDatabase(f"sqlite:///{place / 'router.db'}", SystemClock()) as database:
            ours = commits(database, number)
            bench.compare("a commit", ours, files(place, number, replaced), against="a file replaced")
            row = bench.compare("a commit", ours, files(place, number, overwritten), against="a file overwritten")
            bench.note(f"{1 / row.ours.median:,.0f} commits a second: one instance, one after the other")
            bench.measure("a run without progress", idle(database, number))
        with RouterDatabase("sqlite://", SystemClock()) as database:
            bench.measure("a commit, in memory", commits(database, number))


def commits(database: RouterDatabase, number: int) -> Callable[[], float]:
    def turn() -> float:
        fence = database.begin("a" * 64, SPEC, "bench")
        assert fence is not None
        cell = database.state("a" * 64, SPEC, fence)
        state = cell.value
        began = time.perf_counter()
        for _ in range(number):
            state = advanced(state)
            cell.commit(state)
        took = time.perf_counter() - began
        database.end(fence)
        return took / number

    return turn


def advanced(state: State) -> State:
    return State(state.cursor.advance(BEGIN + timedelta(seconds=state.done), f"message {state.done}"), state.done + 1)


def idle(database: RouterDatabase, number: int) -> Callable[[], float]:
    """Fence, state, seen keys, end: what a poll with nothing to do costs here."""

    def turn() -> float:
        began = time.perf_counter()
        for _ in range(number):
            fence = database.begin("a" * 64, SPEC, "bench")
            assert fence is not None
            database.state("a" * 64, SPEC, fence)
            database.seen("a" * 64, fence).new_among(["k"])
            database.end(fence)
        return (time.perf_counter() - began) / number

    return turn


def files(place: Path, number: int, write: Callable[[Path, bytes], None]) -> Callable[[], float]:
    def turn() -> float:
        state = State()
        began = time.perf_counter()
        for _ in range(number):
            state = advanced(state)
            write(place / "state.json", canonical(state).encode())
        return (time.perf_counter() - began) / number

    return turn


def replaced(path: Path, octets: bytes) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def overwritten(path: Path, octets: bytes) -> None:
    with path.open("wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
