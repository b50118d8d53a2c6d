"""`postroom provider check`: the conformance kit, from the command line."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from postroom.cli.desk import Failed, UsageProblem
from postroom.clock import SystemClock
from postroom.errors import ConfigError

if TYPE_CHECKING:
    from postroom.testing.conformance import Subject
    from postroom.testing.conformance.results import CheckResult
    from postroom.testing.conformance.table import Check

__all__ = ["Asked", "compare", "examine", "explanation", "try_provider"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is tried. `reports`: the folder that all reports of the first seed are written to."""

    name: str = ""
    suite: str = ""
    scenario: Path | None = None
    only: tuple[str, ...] = ()
    seeds: Sequence[int] = (0,)
    waivers: Path | None = None
    reports: Path | None = None
    verbose: bool = False
    as_json: bool = False


def try_provider(asked: Asked) -> int:
    """Run the kit and write the reports. The worst exit code of all seeds. Raises UsageProblem."""
    from postroom.testing.conformance import run_kit
    from postroom.testing.conformance.reports import terminal, to_json, write_reports
    from postroom.testing.conformance.waivers import read_waivers

    try:
        subject = _subject(asked)
    except ConfigError as wrong:  # no verdict on a provider: not the exit code of one
        raise UsageProblem(str(wrong)) from None
    worst = 0
    for number, seed in enumerate(asked.seeds):
        progress = _Progress(len(_expected(subject, asked.only)))
        try:
            waivers = None if asked.waivers is None else read_waivers(asked.waivers)
            report = run_kit(subject, only=asked.only, seed=seed, waivers=waivers, progress=progress.step)
        except ValueError as wrong:
            raise UsageProblem(str(wrong)) from None
        finally:
            progress.end()
        worst = max(worst, int(report.exit))
        if number == 0 or report.exit:
            typer.echo(to_json(report) if asked.as_json else terminal(report, verbose=asked.verbose), nl=False)
        if number == 0:
            for path in write_reports(report, asked.reports) if asked.reports is not None else ():
                typer.echo(f"written: {path}", err=True)
    if len(asked.seeds) > 1 and not asked.as_json:
        typer.echo(
            f"{len(asked.seeds)} seeds, {asked.seeds[0]} to {asked.seeds[-1]}: " + ("not all good" if worst else "all good")
        )
    return worst


def _expected(subject: Subject, only: Iterable[str]) -> list[Check]:
    from postroom.testing.conformance.table import Profile, load, selected

    words = list(only)
    if words:
        try:
            return selected(words)
        except ValueError as wrong:
            raise UsageProblem(str(wrong)) from None
    wanted = {*subject.profiles, Profile.INFORMATIVE}
    return [one for one in load().values() if one.profile in wanted]


def _subject(asked: Asked) -> Subject:
    from postroom.cli.provider import registry_here
    from postroom.testing.conformance import subject_for

    if asked.suite and asked.scenario:
        raise UsageProblem("--suite and --scenario both say how the provider is tried: use one")
    if asked.suite:
        subject = _suite(asked.suite, asked.name)
        subject.named = f"--suite {shlex.quote(asked.suite)}"
    elif asked.scenario is not None:
        from postroom.testing.conformance.scenario import read_scenario

        try:
            subject = read_scenario(asked.scenario, asked.name, registry_here())
        except ValueError as wrong:
            raise UsageProblem(str(wrong)) from None
        subject.named = f"{shlex.quote(asked.name) if asked.name else ''} --scenario {shlex.quote(str(asked.scenario))}".strip()
    elif asked.name:
        subject = subject_for(registry_here().find(asked.name))
        subject.named = shlex.quote(asked.name)
    else:
        raise UsageProblem("say which provider: NAME, --suite FILE or --scenario FILE")
    return subject


def _suite(text: str, name: str) -> Subject:
    """The one ProviderSuite of a Python file, or FILE:CLASS. The file's folder and the one above it can be imported from, as in a package's
    `tests`."""
    from postroom.cli.provider import registry_here
    from postroom.testing.conformance import ProviderSuite

    registry_here()
    file, _, wanted = text.partition(":")
    path = Path(file).absolute()
    if not path.is_file():
        raise UsageProblem(f"--suite: {file} is no file")
    sys.path[:0] = [one for one in (str(path.parent.parent), str(path.parent)) if one not in sys.path]
    spec = importlib.util.spec_from_file_location(f"postroom_suite_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}", path)
    if spec is None or spec.loader is None:
        raise UsageProblem(f"--suite: {file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the author's code: whatever it does is told, with its place
        raise UsageProblem(
            f"--suite: {file} cannot be imported: {type(error).__name__}: {error}{_place(error, path)}"
        ) from None
    made = {
        key: kind()
        for key, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, ProviderSuite) and kind.__module__ == spec.name
        if not wanted or key == wanted
    }
    called = name.rpartition(":")[2]
    suites = {key: one for key, one in made.items() if not name or called in (one.spec.name, one.provider.__name__)}
    if len(suites) != 1:
        found = ", ".join(suites) or (f"none for {name}" if name else "none")
        raise UsageProblem(
            f"--suite: one class derived from ProviderSuite expected in {file}, found {found}; name it with FILE:CLASS"
        )
    subject: Subject = next(iter(suites.values()))
    return subject


def _place(error: BaseException, path: Path) -> str:
    trace, line = error.__traceback__, 0
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(path) else line
        trace = trace.tb_next
    return f" (line {line})" if line else ""


class _Progress:
    """One line that is written over, on a terminal only."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.bad = total, 0, 0
        self.shown = sys.stderr.isatty()

    def step(self, result: CheckResult) -> None:
        self.done += 1
        self.bad += result.result.bad
        if self.shown:
            failed = f", {self.bad} failed" if self.bad else ""
            sys.stderr.write(f"\r\x1b[K{self.done} of {self.total}{failed}  {result.id} {result.check.name}")
            sys.stderr.flush()

    def end(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def explanation(id_: str) -> str:
    """Raises UsageProblem."""
    from postroom.testing.conformance.reports import explain
    from postroom.testing.conformance.table import selected

    try:
        return "\n".join(explain(one) for one in selected([id_]))
    except ValueError as wrong:
        raise UsageProblem(str(wrong)) from None


def compare(old: Path, new: Path) -> None:
    """Raises Failed when something got worse."""
    from postroom.testing.conformance.reports import diff

    try:
        found = diff(_report(old), _report(new))
    except ValueError as wrong:
        raise UsageProblem(str(wrong)) from None
    typer.echo(found.text(), nl=False)
    if found.worse:
        raise Failed("something got worse")


def examine(file: Path) -> None:
    """Raises Failed when the certificate does not hold."""
    from postroom.testing.conformance.certificate import verify

    certificate = _loaded(file)
    if "checks" in certificate:
        raise UsageProblem(f"{file} is a report; its certificate is certificate.json beside it")
    found = verify(certificate, today=SystemClock().now().date())
    for problem in found.problems:
        typer.echo(f"{file}: {problem}", err=True)
    for note in found.notes:
        typer.echo(f"{file}: {note}")
    if not found.good:
        raise Failed("the certificate does not hold")
    typer.echo(f"{file}: whole, and the provider conforms")


def _report(path: Path) -> dict[str, Any]:
    found = _loaded(path)
    if "checks" not in found:
        raise UsageProblem(f"{path} is no report of the kit: conformance.json is one")
    return found


def _loaded(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, UnicodeDecodeError) as wrong:
        raise UsageProblem(f"{path} is no JSON: {wrong}") from None
    if not isinstance(found, dict):
        raise UsageProblem(f"{path} is no report and no certificate")
    return found
