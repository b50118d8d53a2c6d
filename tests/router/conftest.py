"""A laboratory for each test: an organization on the router channel, and a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.testing.scene import Scene
from router.router_bench import Laboratory, Source, fresh_source


@pytest.fixture
def source() -> Source:
    return fresh_source()


@pytest.fixture
def lab(tmp_path: Path, source: Source) -> Iterator[Laboratory]:
    with Scene() as scene:
        made = Laboratory(scene, tmp_path)
        try:
            yield made
        finally:
            made.close()
