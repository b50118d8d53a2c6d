"""Runs mutants: a process with all libraries imported forks for each, the module is imported with its mistake, and the tests must fail.

The tests of a mutant: those that the lines of docs/coverage name for its function (else for its module), then those files of tests/rules
that speak of its module.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import select
import signal
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutation.mutants import Mutant, mutants_of, mutated, source_of

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "engine"
KNOWN = Path(__file__).with_name("equivalent.md")
PATIENCE = 60.0
"""Seconds after which a mutant that runs on and on counts as killed."""
_OWN = ("postroom.", "test_", "conftest")


@dataclass(frozen=True, slots=True)
class Result:
    """`outcome`: killed (by the tests named for it), killed elsewhere (only other tests failed), survived, equivalent (listed with a reason)."""

    mutant: Mutant
    outcome: str

    def __str__(self) -> str:
        return f"{self.outcome:17} {self.mutant.name} (line {self.mutant.line})"


def rule_modules() -> list[str]:
    return sorted(
        f"postroom.rules.{path.stem}" for path in (ENGINE / "postroom" / "rules").glob("*.py") if path.stem != "__init__"
    )


def all_mutants(modules: Iterable[str]) -> list[Mutant]:
    return [mutant for module in modules for mutant in mutants_of(module, source_of(module, ENGINE)[1])]


def equivalents() -> dict[str, str]:
    """Mutants that change nothing anybody could see, by name, with the reason."""
    found = {}
    for line in KNOWN.read_text().splitlines():
        entry = re.fullmatch(r"- (?P<name>.+?) -- (?P<reason>.+)", line)
        if entry:
            found[entry["name"]] = entry["reason"]
    return found


# -- which tests --------------------------------------------------------------------------------------------------------


def named_tests() -> dict[str, set[str]]:
    """By the dotted place of a rule: the tests that the coverage lines name for it."""
    sys.path.insert(0, str(ROOT / "tests" / "house"))
    try:
        import coverage_lines
    finally:
        sys.path.pop(0)
    found: dict[str, set[str]] = {}
    for line in coverage_lines.coverage_lines()[0]:
        tests = {test.split("[")[0] for test in coverage_lines.parts(line.test) if not coverage_lines.test_problem(test)}
        for place in coverage_lines.parts(line.rule.removeprefix("waits for Exchange:")):
            found.setdefault(place, set()).update(tests)
    return found


def tests_of(mutant: Mutant, named: dict[str, set[str]]) -> tuple[list[str], list[str]]:
    """The named ones of its function, else of its module; and the files of tests/rules that speak of the module."""
    own = named.get(f"{mutant.module}.{mutant.function}", set())
    if not own:
        own = {test for place, tests in named.items() if place.startswith(mutant.module) for test in tests}
    short = mutant.module.rpartition(".")[2]
    pattern = re.compile(rf"{re.escape(mutant.module)}\b|from postroom\.rules import .*\b{short}\b")
    files = [path for path in sorted((ROOT / "tests" / "rules").glob("test_*.py")) if pattern.search(path.read_text())]
    others = [str(path.relative_to(ROOT)) for path in files]
    return sorted(own), [name for name in others if name not in own]


# -- one mutant ---------------------------------------------------------------------------------------------------------


class _Mutating(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, with its mistake in it."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.path, source = source_of(mutant.module, ENGINE)
        self.tree: ast.Module = mutated(mutant, source)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.mutant.module:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(self.path))

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self.tree, str(self.path), "exec"), vars(module))


class Bench:
    """Tests collected once, and run in a child for each mutant whose mistake lies inside of a function: its code is exchanged there. What lies
    outside (defaults, tables, classes) needs the module imported anew: see `failing`."""

    def __init__(self, tests: Sequence[str]) -> None:
        from _pytest.config import _prepareconfig
        from _pytest.main import Session

        self.config = _prepareconfig([*_OPTIONS, *tests])
        self.session = Session.from_config(self.config)
        self.config._do_configure()
        self.config.hook.pytest_sessionstart(session=self.session)
        self.config.hook.pytest_collection(session=self.session)
        self.by_test: dict[str, list[Any]] = {}
        for item in self.session.items:
            file, *names = item.nodeid.split("[")[0].split("::")
            for name in (file, "::".join([file, *names])):
                self.by_test.setdefault(name, []).append(item)

    def failing(self, mutant: Mutant, tests: Sequence[str]) -> bool | None:
        """None: not here."""
        place = exchanged(mutant)
        if place is None or not all(test in self.by_test for test in tests):
            return None
        items = [item for test in tests for item in self.by_test[test]]

        def run() -> int:
            function, code = place
            function.__code__ = code
            return int(any(self._fails(item, following) for item, following in zip(items, [*items[1:], None], strict=True)))

        return in_a_child(lambda: _quietly(run)) != 0

    def _fails(self, item: Any, following: Any) -> bool:
        from _pytest.runner import runtestprotocol

        return any(report.failed for report in runtestprotocol(item, nextitem=following, log=False))


def exchanged(mutant: Mutant) -> tuple[types.FunctionType, types.CodeType] | None:
    """The function in which the mistake lies, and its code with it."""
    path, source = source_of(mutant.module, ENGINE)
    value: Any = sys.modules.get(mutant.module) or importlib.import_module(mutant.module)
    was: types.CodeType | None = compile(ast.parse(source), str(path), "exec")
    now: types.CodeType | None = compile(mutated(mutant, source), str(path), "exec")
    for name in mutant.function.split(".") if mutant.function else ():
        if was is None or now is None:
            return None
        value = vars(value).get(name) if isinstance(value, types.ModuleType | type) else None
        was, now = _inner(was, name), _inner(now, name)
        value = getattr(value, "__func__", getattr(value, "fget", value))
        value = getattr(value, "__wrapped__", value)
        if isinstance(value, types.FunctionType):
            return None if was is None or now is None or _alike(was, now) else (value, now)
    return None


def _inner(code: types.CodeType, name: str) -> types.CodeType | None:
    return next((one for one in code.co_consts if isinstance(one, types.CodeType) and one.co_name == name), None)


def _alike(one: types.CodeType, other: types.CodeType) -> bool:
    return one.co_code == other.co_code and repr(_constants(one)) == repr(_constants(other))


def _constants(code: types.CodeType) -> list[object]:
    return [(one.co_code, _constants(one)) if isinstance(one, types.CodeType) else one for one in code.co_consts]


def warm() -> None:
    """Import what the tests need, and forget what is ours: a child only has to import that."""
    import hypothesis
    import pytest

    hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    _quietly(lambda: pytest.main([*_OPTIONS, "--collect-only", "tests/rules"]))
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name == "postroom" or name.startswith(_OWN)]:
        del sys.modules[name]


_OPTIONS = [
    *("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=0"),
    *("--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml")),
]


def _quietly(run: object) -> int:
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout.flush()
        known = os.dup(1), os.dup(2)
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            return int(run())  # type: ignore[operator]
        finally:
            sys.stdout.flush()
            for number, old in zip((1, 2), known, strict=True):
                os.dup2(old, number)
                os.close(old)


def in_a_child(run: Callable[[], int]) -> int:
    """The exit code of a fork that does this; it is killed when it does not end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.close(reading)
            os.chdir(ROOT)
            code = run()
        finally:
            os._exit(code)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], PATIENCE)
    if not ready:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def failing(mutant: Mutant | None, tests: Sequence[str]) -> bool:
    """Whether any of these tests fails where the module is imported with its mistake. None: nothing is changed."""

    def run() -> int:
        import pytest

        forget()
        if mutant is not None:
            sys.meta_path.insert(0, _Mutating(mutant))
        return _quietly(lambda: pytest.main([*_OPTIONS, *tests]))

    code = in_a_child(run)
    if code in {4, 5}:
        raise RuntimeError(f"pytest could not run {' '.join(tests)} (exit code {code}); are these tests there?")
    return code != 0


def judge(
    mutant: Mutant, named: dict[str, set[str]], known: dict[str, str], bench: Bench | None = None, *, quick: bool = False
) -> Result:
    """`quick`: the tests of the rules first, and the named ones only of what they let pass; then nothing is said to be killed elsewhere."""
    if mutant.name in known:
        return Result(mutant, "equivalent")

    def fails(tests: Sequence[str]) -> bool:
        soon = bench.failing(mutant, tests) if bench is not None else None
        return failing(mutant, tests) if soon is None else soon

    own, others = tests_of(mutant, named)
    first, second = (others, own) if quick else (own, others)
    if first and fails(first):
        return Result(mutant, "killed")
    if second and fails(second):
        return Result(mutant, "killed elsewhere" if own and not quick else "killed")
    return Result(mutant, "survived")
