"""PKG: packaging and discovery. A provider is found by its name, imported without side effects, and is what its spec says."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint

from postroom.errors import ConfigError
from postroom.providers.contract import Capability, ProviderSpec
from postroom.providers.registry import GROUP, SDK_API
from postroom.testing.conformance.bench import Bench
from postroom.testing.conformance.failures import CheckFailed, NotApplicable, one_line
from postroom.testing.conformance.guard import Guard, Snapshot
from postroom.testing.conformance.table import Level, Profile, check

__all__: list[str] = []

ARGUMENTS = {"__init__": ("self", "config", "env"), "check": ("self", "ctx"), "run": ("self", "ctx"), "close": ("self",)}


def _mine(bench: Bench) -> list[EntryPoint]:
    """The entry points that announce the provider under test, by its class or, from outside Postroom, by its name."""
    kind = bench.subject.provider
    value = f"{kind.__module__}:{kind.__qualname__}"
    found = bench.subject.entry_points()
    return [one for one in found if one.value == value or (one.name == bench.spec.name and _distribution(one) != "postroom")]


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""


@check(
    "PKG-01",
    "entry_point_resolves",
    Level.MUST,
    Profile.CORE,
    rule="the entry point loads to a class that has a spec of its name",
    mutant="points at a module",
)
def entry_point_resolves(bench: Bench) -> None:
    """In pyproject.toml: [project.entry-points."postroom.providers"] then name = "package.module:Class", and the distribution installed."""
    points = _mine(bench)
    if not points:
        raise NotApplicable(f"no installed distribution announces it in the group {GROUP}: pip install -e . in its repository")
    for point in points:
        try:
            loaded = point.load()
        except Exception as error:
            raise CheckFailed(f"{point.value} loads", one_line(error)) from error
        spec = getattr(loaded, "spec", None)
        bench.expect(
            isinstance(loaded, type) and isinstance(spec, ProviderSpec),
            expected=f"{point.value} is a class with a ProviderSpec",
            observed=f"it is a {type(loaded).__name__}",
        )
        bench.expect_equal(getattr(spec, "name", ""), point.name, "name of the spec and of the entry point")


@check(
    "PKG-02",
    "entry_point_unique",
    Level.MUST,
    Profile.CORE,
    rule="no other installed distribution uses the name",
    mutant="shares its name with a second distribution",
)
def entry_point_unique(bench: Bench) -> None:
    """Two packages under one name: which one runs is chance. Postroom refuses both; choose a name with a prefix of your own."""
    points = [one for one in bench.subject.entry_points() if one.name == bench.spec.name]
    places = sorted({f"{_distribution(one) or 'unknown'} ({one.value})" for one in points})
    bench.expect(len(places) < 2, expected=f"{bench.spec.name!r} announced once", observed=" and ".join(places))


@check(
    "PKG-03",
    "import_is_quiet",
    Level.MUST,
    Profile.CORE,
    rule="importing opens no socket and no file for writing, and starts no thread or process",
    mutant="writes a file at import",
)
def import_is_quiet(bench: Bench) -> None:
    """Every provider that is installed may be imported to be listed. The module is executed once more, under observation."""
    name = bench.subject.provider.__module__
    found = importlib.util.find_spec(name) if name in sys.modules and name != "__main__" else None
    if found is None or found.loader is None:
        raise NotApplicable(f"the module {name} cannot be found again to be imported")
    before, guard = Snapshot.take(), Guard()
    original = sys.modules[name]
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        with guard.watching(), guard.calling(), bench.captured():
            found.loader.exec_module(module)
    except Exception as error:
        raise CheckFailed(f"{name} can be imported", one_line(error)) from error
    finally:
        sys.modules[name] = original
    done = [f"{one.what} {one.where}" for one in guard.violations]
    done += [f"a thread: {thread.name}" for thread in threading.enumerate() if thread.ident not in before.threads]
    done += [f"changed {what}" for what in Snapshot.take().settings_changed(before)]
    bench.expect(not done, expected=f"importing {name} does nothing but define", observed="; ".join(done[:4]))


@check(
    "PKG-04",
    "signatures_match",
    Level.MUST,
    Profile.CORE,
    rule="the methods take exactly the arguments of the contract",
    mutant="takes another argument",
)
def signatures_match(bench: Bench) -> None:
    """(config, env), check(ctx), run(ctx), close(). An optional argument more is a call that nobody makes, so it never has another value."""
    for name, wanted in ARGUMENTS.items():
        method = getattr(bench.subject.provider, name, None)
        bench.expect(callable(method), expected=f"a method {name}", observed="there is none")
        assert method is not None
        found = inspect.signature(method).parameters.values()
        names = [str(one) for one in found]
        plain = all(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) and one.default is one.empty for one in found)
        bench.expect(
            plain and len(names) == len(wanted),
            expected=f"{name}({', '.join(wanted)})",
            observed=f"{name}({', '.join(one.partition(':')[0] for one in names)})",
        )
        bench.expect(
            not inspect.iscoroutinefunction(method), expected=f"{name} is a plain function", observed="it is a coroutine"
        )


@check(
    "PKG-05",
    "sdk_api_supported",
    Level.MUST,
    Profile.CORE,
    rule="the interface version that the spec asks for is supported",
    mutant="asks for 99.0",
)
def sdk_api_supported(bench: Bench) -> None:
    """sdk_api is the version of the contract that the provider was written for."""
    major, minor = bench.spec.sdk_api
    here = f"{SDK_API[0]}.{SDK_API[1]}"
    bench.expect(
        major == SDK_API[0] and minor <= SDK_API[1], expected=f"at most {here}, of the same major", observed=f"{major}.{minor}"
    )


@check(
    "PKG-06",
    "missing_dependency_named",
    Level.SHOULD,
    Profile.CORE,
    rule="an absent optional dependency gives one clear error",
    mutant="lets an ImportError out of a run",
)
def missing_dependency_named(bench: Bench) -> None:
    """`optional = ("feedparser",)` on the suite names what the kit should hide. Raise ConfigError that names the package to install."""
    modules = tuple(bench.subject.optional)
    if not modules:
        raise NotApplicable("no optional dependency is named: optional = ('package',)")
    for name in modules:
        error = _without(bench, name)
        if error is None:
            continue
        bench.expect(
            isinstance(error, ConfigError) and name.partition(".")[0] in str(error),
            expected=f"it works without {name}, or a ConfigError names it",
            observed=one_line(error),
        )


def _without(bench: Bench, module: str) -> BaseException | None:
    """What comes of a run while a module cannot be imported."""
    with _hidden(module):
        try:
            instance = bench.instance()
        except CheckFailed as failed:
            return failed.__cause__
        return instance.try_run().failure


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    kept = {name: sys.modules[name] for name in list(sys.modules) if name == module or name.startswith(f"{module}.")}
    for name in kept:
        del sys.modules[name]
    sys.modules[module] = None  # type: ignore[assignment] # the import system's own way to say that there is none
    try:
        yield
    finally:
        del sys.modules[module]
        sys.modules.update(kept)


@check(
    "PKG-07",
    "metadata_complete",
    Level.SHOULD,
    Profile.CORE,
    rule="the distribution tells name, version, what it is, its licence and whom to ask",
    mutant="has no metadata",
)
def metadata_complete(bench: Bench) -> None:
    """In pyproject.toml: name, version, description, license, and authors, maintainers or urls."""
    told = bench.subject.metadata()
    if told is None:
        raise NotApplicable("it belongs to no installed distribution")
    wanted: dict[str, Sequence[str]] = {
        "name": ("Name",),
        "version": ("Version",),
        "description": ("Summary",),
        "licence": ("License-Expression", "License", "License-File"),
        "contact": ("Author", "Author-email", "Maintainer", "Maintainer-email", "Project-URL", "Home-page"),
    }
    lacking = [what for what, names in wanted.items() if not any(str(told.get(name) or "").strip() for name in names)]
    bench.expect(
        not lacking, expected="name, version, description, licence and contact", observed=f"lacking: {', '.join(lacking)}"
    )


@check(
    "PKG-08",
    "capability_truth",
    Level.MUST,
    Profile.CORE,
    rule="every declared capability works, and what is not declared is not done",
    mutant="declares unwrap_forwarded and ignores it",
)
def capability_truth(bench: Bench) -> None:
    """Capabilities select checks: one that is not declared hides its checks, one that is declared and absent promises too much."""
    from postroom.testing.conformance.facts import PROBES, Facts

    facts = Facts(lambda: contextlib.closing(bench.fresh()))
    declared = bench.spec.capabilities
    wrong = []
    for capability in PROBES:
        does = facts.does(capability)
        if does is None or does == (capability in declared):
            continue
        wrong.append(f"{capability.value} is {'declared and absent' if capability in declared else 'done and not declared'}")
    unknown = [repr(one) for one in declared if not isinstance(one, Capability)]
    bench.expect(not wrong and not unknown, expected="capabilities that are what they say", observed="; ".join(wrong + unknown))
