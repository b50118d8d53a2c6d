"""The pytest plugin: a scene for each test, the steps of the features, and the books checked at the end.

    def test_it(postroom_scene): ...            # a world, an organization, its engine

    class TestRss(ProviderSuite):               # from postroom.testing.conformance: one test for each check of the kit
        provider = RssProvider

With `postroom_collect_features = true` in the ini file, `.feature` files are collected as they are, with no Python file beside them. Nothing is
automatic otherwise, and nothing heavy is imported until a fixture or a feature asks for it.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from postroom.testing.step_modules import names

if TYPE_CHECKING:
    from pathlib import Path

    from postroom.testing.scene import Scene
    from postroom.testing.steps_router import Stage
    from postroom.testing.steps_router_migration import Migration

pytest.register_assert_rewrite(*names(), "postroom.testing.scene")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("postroom", "Postroom: scenes and features")
    group.addoption("--postroom-seed", type=int, default=0, help="seed of every scene's world (default: 0)")
    group.addoption(
        "--postroom-transport",
        choices=("memory", "tcp"),
        default="memory",
        help="how the engine reaches the servers (default: memory)",
    )
    group.addoption(
        "--postroom-database",
        choices=("memory", "file", "postgresql"),
        default=None,
        help="where organizations keep their records: SQLite in memory (default), a SQLite file, or a PostgreSQL server that is started "
        "for the session from this machine's binaries",
    )
    group.addoption(
        "--postroom-kit-report",
        default=None,
        metavar="FOLDER",
        help="where each suite of the conformance kit leaves its reports (JSON, HTML, JUnit, Markdown, badge, certificate)",
    )
    parser.addini(
        "postroom_databases", "run each feature on each of these databases (default: memory)", type="args", default=[]
    )
    parser.addini("postroom_collect_features", "collect .feature files with the shipped steps", type="bool", default=False)


class FeatureModule(pytest.Module):
    """A `.feature` file as a test module: its scenarios, with the shipped steps."""

    def _getobj(self) -> types.ModuleType:
        from pytest_bdd import scenarios

        from postroom.testing.step_modules import step_modules

        module = types.ModuleType(self.path.stem.replace("-", "_"))
        module.__file__ = str(self.path)
        for steps in step_modules():
            for name, value in vars(steps).items():
                if name.startswith("pytestbdd_"):
                    setattr(module, name, value)
        source = "scenarios(name, features_base_dir=folder)"
        namespace = vars(module)
        namespace.update(scenarios=scenarios, name=self.path.name, folder=str(self.path.parent))
        exec(compile(source, str(self.path.with_suffix(".py")), "exec"), namespace)  # noqa: S102 - pytest-bdd reads its caller's module
        return module


def pytest_collect_file(file_path: Any, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".feature" and parent.config.getini("postroom_collect_features"):
        return FeatureModule.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> pytest.Collector | None:
    """A class that inherits from `ProviderSuite`. Whoever has one has imported the kit; nobody else does for this question."""
    if not isinstance(obj, type) or "postroom.testing.conformance.subject" not in sys.modules:
        return None
    from postroom.testing.conformance.suite import collected

    return collected(collector, name, obj)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Features run on every database that the ini file names; one that is asked for on the command line is the only one."""
    wanted: list[str] = metafunc.config.getini("postroom_databases")
    asked = metafunc.config.getoption("--postroom-database")
    if wanted and not asked and isinstance(metafunc.definition.parent, FeatureModule):
        metafunc.fixturenames.append("postroom_database")  # pytest-bdd asks for a step's fixtures when it runs
        metafunc.parametrize("postroom_database", wanted, indirect=True, scope="function")


def pytest_bdd_before_step(step: Any, step_func: Any) -> None:
    """pytest-bdd would let a coroutine step pass without running it."""
    if inspect.iscoroutinefunction(step_func):
        pytest.fail(f"the step {step.name!r} is a coroutine function, which would never run: write it as a plain function")


@pytest.fixture(scope="session")
def postroom_postgres(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a PostgreSQL server started for this session. Where there is none to start it skips with the reason; with `CI` set,
    or when it was asked for by `--postroom-database`, it fails."""
    from postroom.testing import postgres

    missing = None if postgres.binaries() is not None else "no PostgreSQL server is installed (initdb, pg_ctl)"
    if missing is None and importlib.util.find_spec("psycopg") is None:
        missing = "psycopg is not installed: pip install postroom[postgres]"
    if missing is not None:
        if os.environ.get("CI") or request.config.getoption("--postroom-database") == "postgresql":
            pytest.fail(f"{missing}, and nothing is skipped for that with CI set or when it is asked for")
        pytest.skip(missing)
    with postgres.running() as url:
        yield url


@pytest.fixture(scope="session")
def postroom_postgres_database(postroom_postgres: str) -> str:
    """The address of the one database that scenes use in turn."""
    from postroom.testing import postgres

    return postgres.database(postroom_postgres, "scenes")


@pytest.fixture
def postroom_database(request: pytest.FixtureRequest) -> str:
    """The address of a database without records: in memory, or as `--postroom-database` or the ini file says."""
    kind = getattr(request, "param", None) or request.config.getoption("--postroom-database") or "memory"
    if kind == "memory":
        return "sqlite://"
    if kind == "file":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/organization.db"
    if kind != "postgresql":
        raise pytest.UsageError(f"postroom_databases: {kind!r} is none of memory, file, postgresql")
    from postroom.testing import postgres

    url: str = request.getfixturevalue("postroom_postgres_database")
    postgres.clear(url)
    return url


@pytest.fixture
def postroom_router(postroom_scene: Scene, tmp_path: Path) -> Iterator[Stage]:
    """An Email Router for the scene's organization: its file in the test's folder, its database in memory."""
    from postroom.testing.router_stage import RouterStage
    from postroom.testing.steps_router import Stage

    with RouterStage(postroom_scene, tmp_path) as base:
        yield Stage(base)


@pytest.fixture
def postroom_migration(postroom_router: Stage) -> Migration:
    """The files of an original's router beside it, and what becomes of them."""
    from postroom.testing.steps_router_migration import Migration

    return Migration(postroom_router)


@pytest.fixture
def postroom_scene(request: pytest.FixtureRequest, postroom_database: str) -> Iterator[Scene]:
    """A world, an organization "Alder" and its engine. The books are checked when the test ends."""
    from postroom.testing.scene import Scene

    option = request.config.getoption
    scene = Scene(seed=option("--postroom-seed"), transport=option("--postroom-transport"), url=postroom_database)
    try:
        yield scene
    except BaseException:
        scene.close(check=False)
        raise
    scene.close()
