"""The benchmarks can be asked for; what they measure is never asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def benchmarks(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


def test_the_list_names_each_with_what_it_measures():
    done = benchmarks("--list")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [name for name, _ in lines][:8] == ["fresh", "smtp", "pop3", "ews", "intake", "polls", "idle", "growth"]
    assert {"conformance", "router_state"} <= {name for name, _ in lines}
    assert all(len(about) > 20 for _, about in lines)
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert all(f"`{name}`" in page for name, _ in lines)


def test_an_unknown_name_is_refused():
    done = benchmarks("fresher")
    assert done.returncode == 2
    assert "there are fresh" in done.stderr


def test_a_quick_one_gives_figures_as_data():
    done = benchmarks("idle", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    (bench,) = json.loads(done.stdout)["benchmarks"]
    assert bench["name"] == "idle"
    assert [len(row["ours"]["seconds"]) for row in bench["rows"]] == [2, 2]
