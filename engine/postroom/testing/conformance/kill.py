"""The kill matrix: which mutant fails which check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from postroom.testing.conformance import table
from postroom.testing.conformance.mutants import Mutant
from postroom.testing.conformance.results import CheckResult, Result
from postroom.testing.conformance.runner import Kit

__all__ = ["Kill", "matrix", "tried"]


@dataclass(frozen=True, slots=True)
class Kill:
    """One mutant's row: `own` is the result of its check, `failed` the ids of all checks that failed among those that ran."""

    mutant: Mutant
    own: CheckResult
    failed: tuple[str, ...]
    ran: tuple[str, ...]

    @property
    def killed(self) -> bool:
        """Its own check failed, for the reason that was meant."""
        return self.own.result in (Result.FAIL, Result.MISDECLARED) and self.mutant.says in self.own.text()

    @property
    def unrelated(self) -> list[str]:
        return [one for one in self.failed if not self.mutant.may_fail(one)]

    def text(self) -> str:
        """What is wrong with this row; "" when nothing is."""
        told = []
        if not self.killed:
            told.append(
                f"{self.mutant.name} ({self.mutant.what}) is not killed for its reason ({self.mutant.says!r}):\n{self.own.text()}"
            )
        if self.unrelated:
            told.append(f"{self.mutant.name} fails unrelated checks: {', '.join(self.unrelated)}")
        return "\n".join(told)


def tried(mutant: Mutant, checks: Iterable[str] = (), seed: int = 0) -> Kill:
    """Run a mutant against its own check and these (default: no other)."""
    every = table.load()
    kit = Kit(mutant.subject(), seed, mutant.framework())
    ids = list(dict.fromkeys([mutant.check, *checks]))
    results = kit.judged([kit.run(every[one]) for one in ids])
    own = next(one for one in results if one.id == mutant.check)
    return Kill(
        mutant, own, tuple(one.id for one in results if one.result.bad), tuple(one.id for one in results if one.counted)
    )


def matrix(kills: Iterable[Kill]) -> str:
    """As a table: a row a mutant, the failed checks, a mark for its own."""
    rows = [(one.mutant.check, one.mutant.what, "killed" if one.killed else "ALIVE", " ".join(one.failed)) for one in kills]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in rows
    )
