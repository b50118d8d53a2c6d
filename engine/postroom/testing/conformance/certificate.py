"""The certificate: what was proved, as a digest that a second machine reproduces."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any


def describe_machine() -> dict[str, str]:
    return {"python": platform.python_version(), "system": platform.system()}


def distribution(provider: type) -> dict[str, Any]:
    return {"module": provider.__module__}


def plain_config(make: Callable[[], Any]) -> dict[str, Any]:
    bench = make()
    try:
        return dict(bench.config())
    finally:
        bench.close()


def table_digest() -> str:
    return ""
