"""What is wrong in a configuration file: code, place, line, words and a remedy. Values are never repeated: any may be a password
that stands in the wrong element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

__all__ = ["Code", "Findings", "Problem", "nearest", "shown"]

MOST = 1000
"""Problems told of one file; a file of garbage would otherwise make a report larger than itself."""
MOST_GUESSES = 100
"""Near names looked for in one file: each costs about a millisecond."""


class Code(StrEnum):
    """The kinds of problem (provider-kit 5.3)."""

    XML = "XML"  # not well-formed, too large, too deep, not readable
    DTD = "DTD"  # a document type
    REQ = "REQ"  # required, and not there
    TYPE = "TYPE"  # not a value of its type
    RANGE = "RANGE"  # too small, too large, too long
    ENUM = "ENUM"  # none of the values that there are
    DUP = "DUP"  # more than once
    UNKNOWN = "UNKNOWN"  # no such element: an error when strict, else a warning
    CONFLICT = "CONFLICT"  # two things that exclude each other
    DEPRECATED = "DEPRECATED"  # works, and will not for ever: a warning


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    path    element names from the root, `Configuration/ProviderConfiguration[2]/EmailPort`; [n] counts from 1, elements of one name
    line    in the file, from 1; 0 where it is the file as a whole
    also    further lines that take part (the first of two that conflict)
    error   False: the file is used all the same
    """

    code: Code
    path: str
    line: int
    text: str
    remedy: str = ""
    also: tuple[int, ...] = ()
    error: bool = True

    def __str__(self) -> str:
        where = f"line {self.line}: {self.path}" if self.line else self.path
        return f"{where}: {self.code}{'' if self.error else ' (warning)'}: {self.text}" + (
            f"; {self.remedy}" if self.remedy else ""
        )


@dataclass(slots=True)
class Findings:
    """Collects the problems of one file: each once, at most `MOST`, in the order of their lines."""

    strict: bool = False
    guesses: int = 0
    left_out: int = 0
    failed: bool = False
    _found: dict[Problem, None] = field(default_factory=dict)

    def add(
        self, code: Code, path: str, line: int, text: str, remedy: str = "", *, also: tuple[int, ...] = (), error: bool = True
    ) -> None:
        """`error=False` makes a warning of it; an UNKNOWN is one by itself unless `strict`."""
        serious = error and (code is not Code.UNKNOWN or self.strict) and code is not Code.DEPRECATED
        self.failed = self.failed or serious
        problem = Problem(code, path, line, text, remedy, also, serious)
        if problem in self._found:
            return
        if len(self._found) >= MOST:
            self.left_out += 1
        else:
            self._found[problem] = None

    def guess(self, name: str, known: Sequence[str]) -> str:
        """A remedy for a name that nobody knows."""
        self.guesses += 1
        return nearest(name, known) if self.guesses <= MOST_GUESSES else ""

    def problems(self) -> list[Problem]:
        """Sorted by line. Those that found no room are told as one."""
        found = sorted(self._found, key=lambda problem: problem.line)
        if self.left_out:
            found.append(Problem(Code.XML, "", 0, f"{self.left_out} more problems are not listed", error=self.failed))
        return found


def nearest(name: str, known: Sequence[str]) -> str:
    """`did you mean X?`, or nothing. Letter case counts for nothing here."""
    if len(name) > 64:
        return ""
    folded = {other.casefold(): other for other in known}
    near = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.7)
    return f"did you mean {folded[near[0]]}?" if near else ""


def shown(name: str) -> str:
    """An element's name as it may be printed: short, no control characters."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in name[:60])
    return printable + ("..." if len(name) > 60 else "")
