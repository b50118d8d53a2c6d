"""docs/providers.md keeps its promises: what is written passes, and each mistake is named."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postroom.cli import app
from postroom.testing.conformance.table import load

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
TEXT = PAGE.read_text("utf-8")
MISTAKES = re.findall(
    r"^### (.+?)\n\n```diff\n(.*?)```\n\n    ([A-Z]{3}-[0-9]{2}) (\w+): fail$", TEXT, re.MULTILINE | re.DOTALL
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert call("new", "acme_inbox")[0] == 0
    monkeypatch.chdir(tmp_path / "acme_inbox")
    yield tmp_path / "acme_inbox"
    forget()


def forget() -> None:
    for module in [one for one in sys.modules if one.startswith(("acme_inbox", "postroom_suite"))]:
        del sys.modules[module]


def call(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["provider", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_there_are_five_mistakes() -> None:
    assert len(MISTAKES) == 5


@pytest.mark.parametrize(("title", "change", "rule", "name"), MISTAKES, ids=[one[2] for one in MISTAKES])
def test_a_mistake_is_named(package: Path, title: str, change: str, rule: str, name: str) -> None:
    assert call("check", "--suite", "tests/test_acme_inbox.py", "-k", rule)[0] == 0
    forget()
    file = package / "acme_inbox" / "__init__.py"
    for hunk in change.split("@@\n"):
        old, new = ("\n".join(line[1:] for line in hunk.splitlines() if line.startswith(sign)) for sign in "-+")
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))
    code, told = call("check", "--suite", "tests/test_acme_inbox.py", "-k", rule)
    assert code == 1, told
    assert f"{rule} {name}: fail" in told
    assert load()[rule].rule in told


def test_commands_of_the_page_are_there() -> None:
    for line in re.findall(r"^    (postroom .+)$", TEXT, re.MULTILINE):
        words = line.split()
        done = CliRunner().invoke(app, [*words[1:3], "--help"])
        assert done.exit_code == 0, line
        for option in (word for word in words if word.startswith("--")):
            assert option in done.output, line


def test_the_elements_of_what_is_written_can_be_shown(package: Path) -> None:
    assert "InboxUrl" in call("config", "elements", "acme_inbox:AcmeInbox")[1]
