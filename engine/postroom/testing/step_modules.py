"""The modules of steps: `steps` and every `steps_<area>` beside it."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

__all__ = ["names", "step_modules"]


def names() -> list[str]:
    """Full module names, `steps` first, the others by name."""
    import postroom.testing as package

    found = sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.name.startswith("steps_"))
    return [f"{package.__name__}.{name}" for name in ("steps", *found)]


def step_modules() -> list[ModuleType]:
    return [importlib.import_module(name) for name in names()]
