"""docs/administration.md, run: every command in its order, and what it prints compared with what the page shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from command_desk import mail_server
from typer.testing import CliRunner

from postroom.cli import app
from postroom_simulator.imports import import_into

PAGE = Path(__file__).parents[2] / "docs" / "administration.md"
PASSWORD = "rosebud"


class Walk:
    """Runs the lines of the page in a folder, with the ports that the servers really have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[str, str] = {}
        self.stack = ExitStack()
        self.runner = CliRunner(env={"NO_COLOR": "1", "FORCE_COLOR": None})
        self.commands = 0

    def block(self, text: str) -> str:
        """Everything that the commands of a block print."""
        out = ""
        lines = iter(text.splitlines())
        for line in lines:
            if here := re.fullmatch(r"cat > (\S+) <<'END'", line):
                (self.folder / here[1]).write_text("\n".join(iter(lambda: next(lines), "END")) + "\n")
            elif line.startswith("postroom serve"):
                self.serve(shlex.split(line.rstrip(" &"))[2:])
            else:
                out += self.command(line)
        return out

    def serve(self, arguments: list[str]) -> None:
        """The same with servers in this process: on free ports."""
        options = list(zip(arguments[::2], arguments[1::2], strict=True))
        world, servers = self.stack.enter_context(mail_server(self.folder))
        for option, value in options:
            if option == "--account":
                world.add_account(*value.split(":", 1))
            elif option == "--import":
                address, path = value.split("=", 1)
                import_into(world, address, str(self.folder / path))
            elif option.endswith("-port"):
                service = option.removeprefix("--").removesuffix("-port")
                self.ports[value] = str(servers.addresses[service][1])
            else:
                assert (option, value) == ("--ca-file", "ca.pem")

    def command(self, line: str) -> str:
        piped = re.fullmatch(r"echo (\S+) \| (.*)", line)
        words = shlex.split(piped[2] if piped else line)
        env = {}
        while re.fullmatch(r"[A-Z]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            env[name] = value
        assert words.pop(0) == "postroom", line
        for shown, real in self.ports.items():
            words = [word.replace(f":{shown}", f":{real}") for word in words]
        done = self.runner.invoke(app, words, input=f"{piped[1]}\n" if piped else None, env=env)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        assert PASSWORD not in done.output
        self.commands += 1
        printed = done.stdout
        for shown, real in self.ports.items():
            printed = printed.replace(f":{real}", f":{shown}")
        return printed


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    monkeypatch.chdir(tmp_path)
    made = Walk(tmp_path)
    with made.stack:
        yield made


def matches(shown: str, printed: str) -> bool:
    """`...` alone on a line stands for lines, within a line for a part of it. Columns may be of other widths: ports are."""
    pattern = ""
    for line in shown.splitlines():
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.sub(r"(\\ ){2,}", r" {2,}", re.escape(part)) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, printed) is not None


@pytest.mark.slow
def test_the_page_can_be_walked_and_shows_what_is_printed(walk: Walk) -> None:
    blocks = re.findall(r"```(sh|text)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    printed = ""
    shown = 0
    for kind, text in blocks:
        if kind == "sh":
            printed = walk.block(text)
        else:
            assert matches(text, printed), f"the page shows\n{text}\nand this is printed\n{printed}"
            shown += 1
    assert walk.commands >= 20
    assert shown >= 10
    check_keys(walk)


def check_keys(walk: Walk) -> None:
    """The keys that the page lists are those of the answers."""
    rows = {
        cells[0]: [re.findall(r"`(\w+)`", part) for part in cells[1].split(";")]
        for line in PAGE.read_text("utf-8").splitlines()
        if len(cells := line.strip("| ").split(" | ")) == 2 and cells[0].startswith("`")
    }
    answers = {name: json.loads(walk.command(f"postroom {call} --json")) for name, call in CALLS.items()}
    found: dict[str, list[Any]] = {}
    for name, answer in answers.items():
        first = answer["items"][0] if "items" in answer else answer
        found[name] = [list(first)]
        if name == "`mail explain`":
            found[name] += [list(first["settings"][0])]
        if name == "`mailbox explain`":
            operation = first["operations"]["incoming"]
            found[name] += [list(operation), list(operation["reasons"][0])]
        if name == "`mailbox test-and-enable`":
            found[name] += [list(first["directions"][0])]
        if name == "`sync`":
            found[name] = [list(first["runs"][0]), list(first["summary"])]
    assert found == rows


CALLS = {
    "`mail list`, `mail show`": "mail list",
    "`mail explain`": 'mail explain "Ten pencils"',
    "`mailbox explain`": "mailbox explain ada@alder.example",
    "`mailbox test-and-enable`": "mailbox test-and-enable ada@alder.example",
    "`email list`": "email list",
    "`settings list`": "settings list",
    "`sync`": "sync --once --now",
}
