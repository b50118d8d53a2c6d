"""What every test shares: foreign programs by name, and the closing list of what ran and what was skipped."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable

import pytest

pytest_plugins: list[str] = []


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """`program("curl")`: the path of a foreign program. Missing, it skips with the reason; with `CI` set it fails."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is not None:
            return path
        if os.environ.get("CI"):
            pytest.fail(f"the foreign program {name!r} is missing, and with CI set nothing is skipped for that")
        pytest.skip(f"the foreign program {name!r} is not installed")

    return find


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("postroom's own suite")
    group.addoption("--campaign", action="store_true", help="also run the long campaigns (many seeds, many kills)")


LONG = ("crash", "storms", "house", "engines", "mutation", "peers", "store", "router_state", "cli")
"""Folders whose files wait for processes: they are begun first, so that no worker is left with them at the end."""


def _begun(item: pytest.Item) -> int:
    parts = item.nodeid.split("/", 2)
    return LONG.index(parts[1]) if parts[0] == "tests" and len(parts) > 1 and parts[1] in LONG else len(LONG)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_begun)
    if config.getoption("--campaign"):
        return
    chosen = [item for item in items if "campaign" not in item.keywords]
    left = [item for item in items if "campaign" in item.keywords]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = chosen


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """By folder: how many tests ran; then every skip with its reason, so that none looks like a pass."""
    ran: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if report.when == "call":
                ran["/".join(report.nodeid.split("::")[0].split("/")[:2])] += 1
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if hasattr(report, "nodeid")]
    terminalreporter.section("what ran, what was skipped")
    for folder, count in sorted(ran.items()):
        terminalreporter.write_line(f"{count:6d} ran      {folder}")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"   not run      {report.nodeid}: {reason}")
    if not skipped:
        terminalreporter.write_line("nothing was skipped")
    if not terminalreporter.config.getoption("--campaign", default=False):
        terminalreporter.write_line("long campaigns are left out unless asked for with --campaign")
