"""The pytest plugin: a scene for each test, the steps of the features, and the books checked at the end.

    def test_it(postroom_scene): ...            # a world, an organization, its engine

With `postroom_collect_features = true` in the ini file, `.feature` files are collected as they are, with no Python file beside them. Nothing is
automatic otherwise, and nothing heavy is imported until a fixture or a feature asks for it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from postroom.testing.scene import Scene

pytest.register_assert_rewrite("postroom.testing.steps", "postroom.testing.scene")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("postroom", "Postroom: scenes and features")
    group.addoption("--postroom-seed", type=int, default=0, help="seed of every scene's world (default: 0)")
    group.addoption(
        "--postroom-transport",
        choices=("memory", "tcp"),
        default="memory",
        help="how the engine reaches the servers (default: memory)",
    )
    parser.addini("postroom_collect_features", "collect .feature files with the shipped steps", type="bool", default=False)


class FeatureModule(pytest.Module):
    """A `.feature` file as a test module: its scenarios, with the shipped steps."""

    def _getobj(self) -> types.ModuleType:
        from pytest_bdd import scenarios

        from postroom.testing import steps

        module = types.ModuleType(self.path.stem.replace("-", "_"))
        module.__file__ = str(self.path)
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


def pytest_bdd_before_step(step: Any, step_func: Any) -> None:
    """pytest-bdd would let a coroutine step pass without running it."""
    if inspect.iscoroutinefunction(step_func):
        pytest.fail(f"the step {step.name!r} is a coroutine function, which would never run: write it as a plain function")


@pytest.fixture
def postroom_scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A world, an organization "Alder" and its engine. The books are checked when the test ends."""
    from postroom.testing.scene import Scene

    scene = Scene(seed=request.config.getoption("--postroom-seed"), transport=request.config.getoption("--postroom-transport"))
    try:
        yield scene
    except BaseException:
        scene.close(check=False)
        raise
    scene.close()
