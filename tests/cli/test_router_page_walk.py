"""docs/email-router.md, "From the command line": every command in its order, and what it prints compared with what the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_administration_page import Walk, matches

PAGE = Path(__file__).parents[2] / "docs" / "email-router.md"


class RouterWalk(Walk):
    """Ports stand in the router's file too."""

    def block(self, text: str) -> str:
        for shown, real in self.ports.items():
            text = text.replace(f"<EmailPort>{shown}<", f"<EmailPort>{real}<")
        return super().block(text)


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RouterWalk]:
    monkeypatch.chdir(tmp_path)
    made = RouterWalk(tmp_path)
    with made.stack:
        yield made


def section() -> str:
    return PAGE.read_text("utf-8").split("## From the command line\n")[1].split("\n## ")[0]


def test_the_section_can_be_walked_and_shows_what_is_printed(walk: RouterWalk) -> None:
    printed, shown = "", 0
    for kind, text in re.findall(r"```(sh|text)\n(.*?)```", section(), re.DOTALL):
        if kind == "sh":
            printed = walk.block(text)
        else:
            assert matches(text, printed), f"the page shows\n{text}\nand this is printed\n{printed}"
            shown += 1
    assert walk.commands >= 12
    assert shown >= 4


def test_every_command_of_the_router_is_in_the_table() -> None:
    import typer.main

    from postroom.cli import app

    root = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    table = section()
    for name in root["router"].commands:
        assert f"`postroom router {name} " in table
    for name in root["provider"].commands["state"].commands:
        assert re.search(rf"`(postroom provider state )?{name}\b", table), name
