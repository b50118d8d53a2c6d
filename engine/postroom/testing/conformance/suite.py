"""The pytest side: a `ProviderSuite` becomes one test for each check. Used by `testing.plugin`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from postroom.testing.conformance import table
from postroom.testing.conformance.results import CheckResult, Observation, Result
from postroom.testing.conformance.runner import Kit
from postroom.testing.conformance.subject import ProviderSuite
from postroom.testing.conformance.table import Check, Level, Profile
from postroom.testing.conformance.waivers import read_waivers

__all__ = ["CheckFailure", "SuiteCollector", "collected"]


def collected(collector: pytest.Collector, name: str, candidate: Any) -> pytest.Collector | None:
    """The collector of a suite of an author; None for anything else."""
    if not (isinstance(candidate, type) and issubclass(candidate, ProviderSuite)) or candidate is ProviderSuite:
        return None
    if getattr(candidate, "provider", None) is None:
        return None
    made: pytest.Collector = SuiteCollector.from_parent(collector, name=name, suite=candidate)
    return made


class CheckFailure(Exception):
    """Carries a result to its report."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(result.text())
        self.result = result


class SuiteCollector(pytest.Collector):
    """One class of an author: a test for each check of the claimed profiles and the informative ones, and a last one that looks whether
    all that was claimed was tried."""

    def __init__(self, *, suite: type[ProviderSuite], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.suite = suite
        self.results: list[CheckResult] = []
        self.told: set[str] = set()
        self._kit: Kit | None = None

    @property
    def kit(self) -> Kit:
        if self._kit is None:
            subject = self.suite()
            subject.named = f"--suite {_from_here(self.path)}:{self.suite.__name__}"
            waivers = read_waivers(subject.waivers) if subject.waivers else ()
            self._kit = Kit(subject, self.config.getoption("--postroom-seed"), waivers=waivers)
        return self._kit

    def collect(self) -> Iterator[pytest.Item]:
        profiles = {*self.suite().profiles, Profile.INFORMATIVE}
        checks = [one for one in table.load().values() if one.profile in profiles]
        for check in checks:
            yield CheckItem.from_parent(self, name=f"{check.id}-{check.name}", check=check)
        yield ClaimsItem.from_parent(self, name="claims-were-tried", expected=[one.id for one in checks])


class CheckItem(pytest.Item):
    """One check of one provider."""

    def __init__(self, *, check: Check, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.check = check
        self.user_properties += [
            ("id", check.id),
            ("level", check.level.word),
            ("profile", str(check.profile)),
            ("rule", check.rule),
        ]

    def runtest(self) -> None:
        collector: Any = self.parent
        result = collector.kit.run(self.check)
        collector.results.append(result)
        for figure in result.measures.items():
            self.user_properties.append(figure)
        if result.result is Result.NOT_APPLICABLE:
            pytest.skip(result.reason)
        if result.result is Result.WAIVED:
            assert result.waiver is not None
            pytest.xfail(f"waived until {result.waiver.expires}: {result.waiver.reason}")
        if result.result.bad:
            if result.result is Result.FAIL and self.check.level is not Level.MUST and not collector.suite.strict:
                pytest.xfail(f"{self.check.level.word}, and it is not: {result.observed}")
            collector.told.add(self.check.id)
            raise CheckFailure(result)
        others = [
            one for one in result.observations if one.rule not in {self.check.id, *collector.told, *_waived(collector.kit)}
        ]
        if others:
            collector.told.add(others[0].rule)
            raise CheckFailure(_observed(result, others))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CheckFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, f"{self.parent.name if self.parent else ''} {self.check.id}: {self.check.rule}"


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _waived(kit: Kit) -> set[str]:
    return {one.id for one in kit.waivers if kit.today and not one.expired(kit.today)}


def _observed(result: CheckResult, seen: list[Observation]) -> CheckResult:
    """A check that held, during which another rule was broken."""
    other = table.CHECKS[seen[0].rule]
    told = "; ".join(one.text for one in seen if one.rule == other.id)
    return replace(
        result,
        check=other,
        result=Result.FAIL,
        reason=f"seen during {result.id} {result.check.name}",
        expected=other.rule,
        observed=told,
    )


class ClaimsItem(pytest.Item):
    """Nothing was left out: every check that was collected ran, unless the command line asked for some of them only."""

    def __init__(self, *, expected: list[str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.expected = expected

    def runtest(self) -> None:
        collector: Any = self.parent
        report = collector.kit.report(collector.results)
        folder = self.config.getoption("--postroom-kit-report")
        if folder:
            from postroom.testing.conformance.reports import write_reports

            write_reports(replace(report, partial=self._selected()), Path(folder) / collector.name)
        expired = [f"{one.id} ({one.expires})" for one in report.waivers if one.expired(report.today)]
        if expired:
            pytest.fail(f"waivers past their date: {', '.join(expired)}", pytrace=False)
        if report.stray_waivers:
            pytest.fail(
                f"waivers of checks that do not run: {', '.join(one.id for one in report.stray_waivers)}", pytrace=False
            )
        ran = {one.id for one in collector.results}
        if not any(one.result is not Result.NOT_APPLICABLE for one in collector.results):
            pytest.fail("nothing ran", pytrace=False)
        missing = [one for one in self.expected if one not in ran]
        if missing and len(missing) < len(self.expected) and not self._selected():
            pytest.fail(f"did not run: {', '.join(missing[:10])}", pytrace=False)

    def _selected(self) -> bool:
        """Whether the command line asked for some tests only, or several workers share them."""
        option = self.config.getoption
        workers = hasattr(self.config, "workerinput") or bool(option("numprocesses", default=None))
        stops = bool(option("maxfail", default=0))
        return bool(option("keyword") or option("markexpr") or option("lf", default=False)) or workers or stops

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, f"{self.parent.name if self.parent else ''}: what was claimed was tried"
