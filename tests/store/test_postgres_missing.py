"""Where there is no PostgreSQL to start, tests on it are skipped by name, and with CI set or when it is asked for they fail: never do they pass in silence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FEATURE = """
Feature: One
  Scenario: One
    Given an organization "Alder"
"""


@pytest.mark.parametrize(
    ("ci", "words", "outcome"),
    [
        ("", (), "1 passed, 1 skipped"),
        ("true", (), "1 failed, 1 passed"),
        ("", ("--postroom-database", "postgresql"), "1 failed"),
        ("true", ("--postroom-database", "memory"), "1 passed"),
    ],
)
def test_without_its_binaries(tmp_path: Path, ci: str, words: tuple[str, ...], outcome: str) -> None:
    (tmp_path / "one.feature").write_text(FEATURE)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\npostroom_collect_features = true\npostroom_databases = memory postgresql\naddopts = -ra -p no:cacheprovider\n"
    )
    (tmp_path / "no_postgres.py").write_text("from postroom.testing import postgres\npostgres.binaries = lambda: None\n")
    environment = {**os.environ, "CI": ci, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no_postgres", str(tmp_path), *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert re.search(rf"{outcome}(?:, \d+ warnings?)? in", done.stdout), done.stdout[-3000:]
    if outcome != "1 passed":
        assert "no PostgreSQL server is installed (initdb, pg_ctl)" in done.stdout


def test_ci_installs_it() -> None:
    assert "postgresql" in (ROOT / ".ci" / "run").read_text()
