"""What every benchmark shares: interleaved repeats, medians with their spread, what is missing, and a table of it all.

A measurement is seconds for one unit of work, so less is better everywhere; a ratio says how many times as fast ours is.
"""

from __future__ import annotations

import gc
import shutil
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Bench", "Missing", "Row", "Series", "program", "shown"]

Run = Callable[[], float]
"""Does the work once and returns the seconds that one unit of it took."""


class Missing(Exception):
    """What a benchmark needs is not installed. The text names it."""


def program(name: str) -> str:
    """The path of a foreign program. Raises Missing."""
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


@dataclass(frozen=True, slots=True)
class Series:
    """Seconds for one unit of work, once for each repeat."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        low, high = min(self.seconds), max(self.seconds)
        return shown(self.median) if low == high else f"{shown(self.median)} ({shown(low)} .. {shown(high)})"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    wanted          the ratio that is aimed at
    wanted_seconds  the time that is aimed at; a rival is then only a measure of the machine
    """

    what: str
    ours: Series
    rival: Series | None = None
    wanted: float | None = None
    wanted_seconds: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as fast ours is."""
        return self.rival.median / self.ours.median if self.rival is not None else None

    @property
    def best(self) -> float | None:
        """The same of the fastest turns: what a busy machine disturbs least."""
        return min(self.rival.seconds) / min(self.ours.seconds) if self.rival is not None else None

    @property
    def met(self) -> bool | None:
        """None: nothing is aimed at."""
        if self.wanted_seconds is not None:
            return self.ours.median <= self.wanted_seconds
        return None if self.wanted is None or self.ratio is None else self.ratio >= self.wanted

    def target(self) -> str:
        if self.wanted_seconds is not None:
            return f"<= {shown(self.wanted_seconds)}"
        return "" if self.wanted is None else f"{self.wanted:g}x"


@dataclass(slots=True)
class Bench:
    """Where a benchmark puts what it finds. `quick` asks for less of everything, `full` for all of it."""

    name: str
    quick: bool = False
    full: bool = False
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def pick(self, normal: int, quick: int) -> int:
        """An amount of work."""
        return quick if self.quick else normal

    def compare(
        self,
        what: str,
        ours: Run,
        rival: Run,
        *,
        against: str,
        wanted: float | None = None,
        wanted_seconds: float | None = None,
        repeats: int = 5,
        warm: bool = True,
    ) -> Row:
        """Measure two side by side, taking turns so that a slow moment of the machine meets both. `warm`: with one unmeasured turn
        each first."""
        repeats = min(repeats, self.pick(repeats, 2))
        series: tuple[list[float], list[float]] = ([], [])
        for turn in range(0 if warm else 1, repeats + 1):
            self.progress(f"{what}: {turn}/{repeats}")
            for side in (0, 1) if turn % 2 else (1, 0):
                gc.collect()
                seconds = (ours, rival)[side]()
                if turn:
                    series[side].append(seconds)
        mine, other = Series("ours", tuple(series[0])), Series(against, tuple(series[1]))
        return self.add(Row(what, mine, other, wanted, wanted_seconds))

    def measure(self, what: str, ours: Run, *, wanted_seconds: float | None = None, repeats: int = 5, warm: bool = True) -> Row:
        """Measure ours alone. `warm`: with one unmeasured turn first."""
        repeats = self.pick(repeats, 2)
        seconds = []
        for turn in range(0 if warm else 1, repeats + 1):
            self.progress(f"{what}: {turn}/{repeats}")
            gc.collect()
            took = ours()
            if turn:
                seconds.append(took)
        return self.add(Row(what, Series("ours", tuple(seconds)), wanted_seconds=wanted_seconds))

    def add(self, row: Row) -> Row:
        self.rows.append(row)
        return row

    def note(self, text: str) -> None:
        self.notes.append(text)

    def missing(self, what: str, error: Missing) -> None:
        self.note(f"not measured: {what}: {error}")

    def progress(self, text: str) -> None:
        """For people who wait: one line that is written over, or where that cannot be, a line a turn."""
        line = f"{self.name}: {text}"
        if sys.stderr.isatty():
            print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def as_data(self) -> dict[str, Any]:
        """For --json: seconds throughout."""
        rows = [
            {**asdict(row), "median": row.ours.median, "ratio": row.ratio, "best": row.best, "met": row.met}
            for row in self.rows
        ]
        return {"name": self.name, "rows": rows, "notes": self.notes}


def shown(seconds: float) -> str:
    """For people: "12.3 ms"."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 1000 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 1e-9:.0f} ns"
