"""Every example in a help text is a call that is understood, and every administrative command has one."""

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

from postroom.cli import ADMINISTRATION, app

ROOT: Any = typer.main.get_command(app)
_PLACEHOLDERS = {"ATTRIBUTE=VALUE": "name=x"}


def commands(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in getattr(node, "commands", {}).items():
        yield from commands(one, (*path, name))
    if not hasattr(node, "commands"):
        yield path, node


ALL = [(path, node) for path, node in commands(ROOT) if path[0] in ADMINISTRATION]


def examples(node: Any) -> list[str]:
    return [line for block in re.findall(r"```\n(.*?)```", node.help, re.DOTALL) for line in block.splitlines()]


EXAMPLES = list(dict.fromkeys(line for _, node in ALL for line in examples(node)))


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_understood(line: str) -> None:
    words = shlex.split(line)
    assert words.pop(0) == "postroom"
    path = tuple(words[:1] if words[0] == "sync" else words[:2])
    node = dict(ALL)[path]
    node.make_context(" ".join(path), [_PLACEHOLDERS.get(word, word) for word in words[len(path) :]])


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 40
    without = {" ".join(path) for path, node in ALL if not examples(node)}
    assert without <= {
        "org list", "org show", "org remove", "org upgrade", "org vacuum", "org retain", "org rotate-key", "user show", "record list", "record show",
        "record assign", "record activate", "record deactivate", "record delete", "mailbox approve", "mailbox reject", "mailbox apply-defaults",
        "mail show", "email show", "email cancel", "alerts show",
    }  # fmt: skip


def test_a_call_that_is_not_understood_is_answered_in_json_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postroom", "mailbox", "list", "--json", "--nonsense"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(done.stderr)["error"]["text"] == "No such option: --nonsense"


def test_nobody_who_reads_on_is_no_trouble(tmp_path: Path) -> None:
    command = f"{sys.executable} -m postroom settings list | head -n 1"
    subprocess.run([sys.executable, "-m", "postroom", "org", "create", "Alder"], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, text=True, capture_output=True, timeout=60, check=False)
    assert done.stdout.startswith("setting")
    assert done.stderr == ""


@pytest.mark.parametrize(("path", "node"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_says_what_it_does_and_answers_in_json(path: tuple[str, ...], node: Any) -> None:
    assert node.help
    assert {"json", "deployment", "org", "as_"} <= {one.name for one in node.params}
