"""How a check ends when it does not pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

__all__ = ["CheckFailed", "FixtureError", "Hang", "NotApplicable", "one_line"]


class CheckFailed(Exception):
    """The rule does not hold. `evidence`: numbers of journal entries, or texts (a trace)."""

    def __init__(self, expected: str, observed: str, evidence: Sequence[int | str] = ()) -> None:
        super().__init__(f"expected {expected}; observed {observed}")
        self.expected = expected
        self.observed = observed
        self.evidence = tuple(evidence)


class FixtureError(Exception):
    """What the author wrote for the kit (or the kit itself) broke: says nothing about the provider, and counts as a failure. The text
    says what to write."""


class NotApplicable(Exception):
    """The check says nothing about this provider, for this reason. Listed, never silent."""


class Hang(BaseException):
    """Raised into a check that takes longer than it may. No Exception, so that a provider does not take it for its own."""


def one_line(error: BaseException) -> str:
    """An error as one line: its class and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def refuse(expected: str, error: BaseException, evidence: Sequence[int | str] = ()) -> NoReturn:
    """The provider raised where it should not have."""
    raise CheckFailed(expected, one_line(error), evidence) from error
