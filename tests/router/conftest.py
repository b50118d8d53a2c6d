"""A stage for each test: an organization on the router channel, and a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.testing.router_stage import RouterStage
from postroom.testing.scene import Scene


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[RouterStage]:
    with Scene() as scene, RouterStage(scene, tmp_path) as made:
        yield made
