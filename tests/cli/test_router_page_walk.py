"""docs/email-router.md, "From the command line": every command in its order, and what it prints compared with what the page shows."""

from __future__ import annotations

import json
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
    check_keys(walk)


def check_keys(walk: RouterWalk) -> None:
    """The keys that the page lists are those of the answers."""
    rows = {
        cells[0]: re.findall(r"`(\w+)`", cells[1].partition(": ")[2] or cells[1])
        for line in section().splitlines()
        if len(cells := line.strip("| ").split(" | ")) == 2 and re.fullmatch(r"(its )?`(?!postroom)[a-z ]+`", cells[0])
    }
    once = json.loads(walk.command("postroom router once router.xml --json"))
    found = {"`router once`": list(once["runs"][0]), "its `summary`": list(once["summary"])}
    for name, call in (
        ("router status", "router status"),
        ("router check", "router check router.xml"),
        ("provider state show", "provider state show"),
    ):
        found[f"`{name}`"] = list(json.loads(walk.command(f"postroom {call} --json"))["items"][0])
    assert found == rows


def test_every_command_of_the_router_is_in_the_table() -> None:
    import typer.main

    from postroom.cli import app

    root = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    table = section()
    for name in root["router"].commands:
        assert f"`postroom router {name} " in table
    for name in root["provider"].commands["state"].commands:
        assert re.search(rf"`(postroom provider state )?{name}\b", table), name
