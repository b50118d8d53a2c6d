"""A folder with commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


@pytest.fixture
def alder(desk: Desk) -> Desk:
    """An organization, no servers."""
    desk.run("org", "create", "Alder")
    return desk
