"""What came of checks, and of a whole run of the kit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any

from postroom.testing.conformance.table import Check, Level, Profile, Untested

__all__ = ["CheckResult", "Exit", "JournalLine", "Observation", "Report", "Result", "Waiver"]


class Result(StrEnum):
    """What came of one check."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    ERROR = "error"  # the kit or the author's fixture broke
    NOT_APPLICABLE = "not-applicable"  # what it needs is not there, and the negative probe agrees
    MISDECLARED = "misdeclared"  # a capability is declared and absent, or not declared and there
    WAIVED = "waived"  # failed, with a written reason and an expiry date
    UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 - waived, and passed

    @property
    def bad(self) -> bool:
        return self in (Result.FAIL, Result.ERROR, Result.MISDECLARED, Result.UNEXPECTED_PASS)


class Exit(IntEnum):
    """Exit codes of a run of the kit."""

    CONFORMS = 0  # all Must of the claimed profiles pass (or are waived)
    FAILED = 1
    BROKEN = 2  # an error of the kit or of a fixture
    TOO_LITTLE = 3  # nothing ran, or less than the claimed profiles demand
    EXPIRED = 4  # a waiver is past its date


@dataclass(frozen=True, slots=True)
class Waiver:
    """A failure that somebody answers for until a date."""

    id: str
    reason: str
    expires: date
    owner: str = ""

    def expired(self, today: date) -> bool:
        return today > self.expires


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of the journal around a failure. `at`: seconds since the check began, by its clock."""

    number: int
    at: float
    source: str
    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that a scenario saw against a rule that is another check's. `rule`: that check's id."""

    rule: str
    during: str
    text: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check that ran (or that could not, with the reason)."""

    check: Check
    result: Result
    reason: str = ""
    expected: str = ""
    observed: str = ""
    evidence: Sequence[int | str] = ()
    journal: Sequence[JournalLine] = ()
    seconds: float = 0.0
    measures: Mapping[str, float] = field(default_factory=dict)
    observations: Sequence[Observation] = ()
    waiver: Waiver | None = None
    reproduce: str = ""

    @property
    def id(self) -> str:
        return self.check.id

    @property
    def counted(self) -> bool:
        """Whether it was tried and says something."""
        return self.result is not Result.NOT_APPLICABLE

    def text(self) -> str:
        """The failure in full: rule, expected, observed, the journal around it, and the command that brings it back."""
        lines = [f"{self.id} {self.check.name}: {self.result}", f"  rule:      {self.check.rule}"]
        if self.expected:
            lines += [f"  expected:  {self.expected}", f"  observed:  {self.observed}"]
        if self.reason:
            lines.append(f"  reason:    {self.reason}")
        lines += [f"  seen:      {one}" for one in self.evidence if isinstance(one, str)]
        if self.journal:
            lines.append("  journal:")
            lines += [
                f"  {'>' if one.marked else ' '} {one.number:>4} {one.at:>9.3f} s  {one.source:<8} {one.text}"
                for one in self.journal
            ]
        if self.reproduce:
            lines.append(f"  again:     {self.reproduce}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. `identity`: the provider's distribution and file hashes (see `certificate`). `config`: without secrets."""

    provider: str
    version: str
    api: str
    kit: str
    seed: int
    claims: Sequence[Profile]
    results: Sequence[CheckResult]
    today: date
    identity: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    table: str = ""
    capabilities: Sequence[str] = ()
    untested: Sequence[Untested] = ()
    waivers: Sequence[Waiver] = ()
    partial: bool = False
    machine: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def named(self) -> str:
        """The provider, with its version where its distribution has one."""
        return f"{self.provider} {self.version}".strip()

    def count(self, level: Level | None = None, profile: Profile | None = None) -> Counter[Result]:
        return Counter(
            one.result
            for one in self.results
            if (level is None or one.check.level is level) and (profile is None or one.check.profile is profile)
        )

    def of(self, id: str) -> CheckResult | None:  # noqa: A002
        return next((one for one in self.results if one.id == id), None)

    @property
    def mandatory(self) -> list[CheckResult]:
        """Must checks of claimed profiles."""
        return [one for one in self.results if one.check.level is Level.MUST and one.check.profile in self.claims]

    @property
    def missing(self) -> list[str]:
        """Must checks of claimed profiles that have no result at all."""
        from postroom.testing.conformance.table import CHECKS

        there = {one.id for one in self.results}
        return [
            one.id for one in CHECKS.values() if one.level is Level.MUST and one.profile in self.claims and one.id not in there
        ]

    @property
    def stray_waivers(self) -> list[Waiver]:
        """Waivers of checks that did not run here: kept and shown, so that they do not outlive their check."""
        there = {one.id for one in self.results}
        return [waiver for waiver in self.waivers if waiver.id not in there]

    @property
    def exit(self) -> Exit:
        """The worst thing that can be said, in this order: expired waiver, broken fixture, failure, too little."""
        if any(waiver.expired(self.today) for waiver in self.waivers):
            return Exit.EXPIRED
        results = [one for one in self.results if one.check.profile in self.claims or one.check.profile is Profile.INFORMATIVE]
        if any(one.result is Result.ERROR for one in results):
            return Exit.BROKEN
        if any(one.result.bad and (one.check.level is Level.MUST or one.result is not Result.FAIL) for one in results):
            return Exit.FAILED
        ran = [one for one in results if one.counted]
        if not ran or (self.missing and not self.partial) or any(not self._ran(profile) for profile in self.claims_tried):
            return Exit.TOO_LITTLE
        return Exit.CONFORMS

    @property
    def claims_tried(self) -> list[Profile]:
        """Claimed profiles of which anything must have run: all, or with a selection those that it touches."""
        if not self.partial:
            return list(self.claims)
        return [profile for profile in self.claims if any(one.check.profile is profile for one in self.results)]

    def _ran(self, profile: Profile) -> bool:
        return any(one.counted for one in self.results if one.check.profile is profile)

    @property
    def conforms(self) -> bool:
        return self.exit is Exit.CONFORMS and not self.partial

    @property
    def verdict(self) -> str:
        if self.exit is Exit.CONFORMS:
            if self.partial:
                return "partial"
            return "conformant-with-waivers" if any(one.result is Result.WAIVED for one in self.mandatory) else "conformant"
        return {
            Exit.FAILED: "not-conformant",
            Exit.BROKEN: "error",
            Exit.TOO_LITTLE: "too-little-ran",
            Exit.EXPIRED: "expired-waiver",
        }[self.exit]
