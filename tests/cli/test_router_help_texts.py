"""`postroom provider` and `postroom router` in the help: every example is a call that is understood, every command has one or needs none."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from postroom.cli import app

ROOT: Any = typer.main.get_command(app)
GROUPS = ("provider", "router")


def commands(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(node, "commands"):
        for name, one in node.commands.items():
            yield from commands(one, (*path, name))
    else:
        yield path, node


ALL = {path: node for name in GROUPS for path, node in commands(ROOT.commands[name], (name,))}
EXAMPLES = list(
    dict.fromkeys(
        line
        for node in ALL.values()
        for block in re.findall(r"```\n(.*?)```", node.help, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("postroom ")
    )
)


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    path = next(tuple(words[:number]) for number in (3, 2) if tuple(words[:number]) in ALL)
    ALL[path].make_context(" ".join(path), words[len(path) :])


def test_commands_that_do_something_have_examples() -> None:
    shown = {tuple(shlex.split(line)[1:4]) for line in EXAMPLES} | {tuple(shlex.split(line)[1:3]) for line in EXAMPLES}
    without = {" ".join(path) for path in ALL if path not in shown}
    assert without <= {
        "provider list",
        "provider diff",
        "provider verify",
        "provider config validate",
        "provider config elements",
        "provider config schema",
    }


@pytest.mark.parametrize("path", [path for path in ALL if path[0] == "router" or path[1] == "state"], ids=" ".join)
def test_a_command_of_the_router_answers_in_json_and_knows_its_deployment(path: tuple[str, ...]) -> None:
    assert ALL[path].help
    assert {"as_json", "deployment"} <= {one.name for one in ALL[path].params}


def test_the_help_has_them_under_custom_providers() -> None:
    told = CliRunner(env={"NO_COLOR": "1", "FORCE_COLOR": None, "COLUMNS": "100"}).invoke(app, ["--help"]).stdout
    panel = told.split("Custom providers")[1].split("╰")[0]
    assert re.findall(r"│ (\w+)  ", panel) == ["provider", "router"]


def test_a_call_that_is_not_understood_is_answered_in_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postroom", "router", "once", "--json"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(done.stderr)["error"]["text"] == "Missing argument 'FILE'."
