"""The certificate: what was proved, as a digest that a second machine reproduces and anybody can check without the provider.

In it: kit and table of checks, provider with the hashes of its files, seed, configuration without secrets, results, waivers. Not in it: durations,
figures, machine, paths, journals.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postroom.providers.configuration import declaration
from postroom.testing.conformance import table
from postroom.testing.conformance.failures import FixtureError
from postroom.testing.conformance.results import Report, Result
from postroom.testing.conformance.table import Level, Profile

if TYPE_CHECKING:
    from postroom.testing.conformance.bench import Bench

__all__ = ["Verification", "canonical", "certify", "describe_machine", "distribution", "plain_config", "table_digest", "verify"]

VERSION = 1
GOOD = {Result.PASS, Result.WAIVED, Result.NOT_APPLICABLE}
MOST_FILES = 2000


def canonical(data: Any) -> bytes:
    """JSON that is the same everywhere: sorted names, no blanks, ASCII."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _digest(data: Any) -> str:
    return hashlib.sha256(canonical(data)).hexdigest()


def table_digest() -> str:
    """Of the table and of the code of the checks: two kits of one digest ask the same."""
    rows = [
        [one.id, one.name, one.level, one.profile, one.owner, one.rule, sorted(need.value for need in one.needs)]
        for one in table.load().values()
    ]
    files = sorted((Path(__file__).parent / "checks").glob("*.py"))
    return _digest([rows, [[file.name, _file_digest(file)] for file in files]])


def _file_digest(file: Path) -> str:
    """Line ends do not count: a checkout on another system is the same file."""
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def distribution(provider: type) -> dict[str, Any]:
    """Name and version of the distribution that a provider belongs to, and one digest over the source files of its package."""
    top = provider.__module__.partition(".")[0]
    owner = next(iter(packages_distributions().get(top, [top])), top)
    try:
        released = version(owner)
    except PackageNotFoundError:
        owner, released = "", ""
    files = _sources(provider.__module__)
    return {
        "class": f"{provider.__module__}:{provider.__qualname__}",
        "distribution": owner,
        "version": released,
        "files": len(files),
        "sources": _digest([[name, _file_digest(file)] for name, file in files]),
    }


def _sources(module: str) -> list[tuple[str, Path]]:
    """Relative names and places of a package's Python files; of Postroom's own providers, those of `postroom.providers`."""
    top = "postroom.providers" if module.startswith("postroom.providers.") else module.partition(".")[0]
    if module.startswith("postroom.") and top == "postroom":
        top = module
    known = sys.modules.get(top)
    place = getattr(known, "__file__", None)
    if place is None:
        try:
            found = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            found = None
        place = found.origin if found is not None else None
    if place is None or not Path(place).is_file():
        return []
    file = Path(place)
    if file.name != "__init__.py":
        return [(file.name, file)]
    found_files = sorted(file.parent.rglob("*.py"))[:MOST_FILES]
    return [(one.relative_to(file.parent).as_posix(), one) for one in found_files]


def plain_config(make: Callable[[], Bench]) -> dict[str, Any]:
    """The author's configuration without secrets, and without paths of this machine. Empty when there is none."""
    bench = make()
    try:
        texts = bench.config()
        secret = {one.name for one in declaration(bench.spec.config) if one.secret}
        folder = str(bench.world.folder) if bench.world.has_folder else "\0"
        shown = {name: text for name, text in sorted(texts.items()) if name not in secret}
        return {name: text.replace(folder, "{folder}") if isinstance(text, str) else list(text) for name, text in shown.items()}
    except FixtureError:
        return {}
    finally:
        bench.close()


def describe_machine() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def certify(report: Report) -> dict[str, Any]:
    """The certificate of a whole run. Raises ValueError for a report of selected checks: it proves nothing."""
    if report.partial:
        raise ValueError("there is no certificate for some of the checks: run all of them")
    waivers = [
        {"id": one.id, "reason": one.reason, "expires": one.expires.isoformat(), "owner": one.owner} for one in report.waivers
    ]
    content = {
        "certificate": VERSION,
        "kit": report.kit,
        "table": report.table,
        "provider": {"name": report.provider, "api": report.api, "capabilities": list(report.capabilities), **report.identity},
        "seed": report.seed,
        "claims": [str(one) for one in report.claims],
        "config": dict(report.config),
        "results": {one.id: str(one.result) for one in sorted(report.results, key=lambda one: one.id)},
        "waivers": sorted(waivers, key=lambda one: one["id"]),
        "verdict": report.verdict,
    }
    return {**content, "digest": _digest(content)}


@dataclass(frozen=True, slots=True)
class Verification:
    """What a checker found. `good`: the certificate is whole and says that the provider conforms. `notes`: worth knowing, no problem."""

    good: bool
    problems: Sequence[str]
    notes: Sequence[str] = ()


def verify(certificate: Mapping[str, Any], *, today: date, sources: str | None = None) -> Verification:
    """Check a certificate, without the provider: its digest, its completeness and its verdict by this kit's table. `sources`: the digest of the
    files that are about to be installed, when they are at hand. Never raises for what the certificate holds."""
    try:
        problems, notes = _examined(certificate, today, sources)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Verification(good=False, problems=[f"is no certificate: {type(error).__name__} {error}"])
    return Verification(not problems, problems, notes)


def _examined(certificate: Mapping[str, Any], today: date, sources: str | None) -> tuple[list[str], list[str]]:
    content = {name: value for name, value in certificate.items() if name != "digest"}
    if certificate["certificate"] != VERSION:
        return [f"version {certificate['certificate']!r} is not {VERSION}"], []
    problems = [] if certificate["digest"] == _digest(content) else ["the digest is not that of the content: it was changed"]
    notes = []
    if certificate["table"] != table_digest():
        notes.append(f"made by another kit ({certificate['kit']}): whether its table demanded the same cannot be seen here")
    if sources is not None and certificate["provider"]["sources"] != sources:
        problems.append("the provider's files are not those that were tried")
    claims = {Profile(one) for one in certificate["claims"]}
    results = {name: Result(result) for name, result in certificate["results"].items()}
    demanded = [one for one in table.CHECKS.values() if one.level is Level.MUST and one.profile in claims]
    if missing := [one.id for one in demanded if one.id not in results]:
        problems.append(f"checks that its claims demand did not run: {', '.join(missing)}")
    if bad := [one.id for one in demanded if one.id in results and results[one.id] not in GOOD]:
        problems.append(f"Must checks that did not pass: {', '.join(bad)}")
    waived = {one["id"]: date.fromisoformat(one["expires"]) for one in certificate["waivers"]}
    if unbacked := [name for name, result in results.items() if result is Result.WAIVED and name not in waived]:
        problems.append(f"waived without a waiver: {', '.join(unbacked)}")
    if expired := [f"{name} ({day})" for name, day in waived.items() if day < today]:
        problems.append(f"expired waivers: {', '.join(expired)}")
    if not any(result is Result.PASS for result in results.values()):
        problems.append("nothing passed")
    if not str(certificate["verdict"]).startswith("conformant"):
        problems.append(f"its verdict is {certificate['verdict']}")
    return problems, notes + [f"waived until {day}: {name}" for name, day in waived.items() if day >= today]
