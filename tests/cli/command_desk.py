"""What the tests of administrative commands share: commands run in this process, in a folder of their own, against servers on sockets."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer.testing
from typer.testing import CliRunner

from postroom.cli import app
from postroom_simulator import SystemClock, World
from postroom_simulator.net.tcp import Servers

PASSWORD = "rosebud-and-more"
typer.testing._get_command = functools.cache(typer.testing._get_command)  # type: ignore[attr-defined]  # a tree of 80 commands, built once


class Desk:
    """A folder with commands. `run` expects an exit code and gives what was said on standard output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = CliRunner(env={"NO_COLOR": "1", "FORCE_COLOR": None, "POSTROOM_ORG": None})
        self.errors = ""

    def run(self, *arguments: str, code: int = 0, given: str = "", **env: str) -> str:
        call = [*arguments, "--deployment", str(self.folder / "postroom.toml")]
        done = self.runner.invoke(app, call, input=given, env={**self.runner.env, **env})
        self.errors = done.stderr
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.stdout}\n{done.stderr}"
        assert PASSWORD not in done.output
        return done.stdout

    def json(self, *arguments: str, code: int = 0, given: str = "") -> Any:
        """The document; of a call that fails, the error."""
        out = self.run(*arguments, "--json", code=code, given=given)
        if out:
            assert code == 0 or not self.errors or self.errors.startswith("{")
            return json.loads(out)
        return json.loads(self.errors)["error"]

    def refused(self, *arguments: str, code: int, given: str = "") -> str:
        """What a call that fails says, on standard error."""
        assert self.run(*arguments, code=code, given=given) == ""
        assert "Traceback" not in self.errors
        return self.errors


@contextmanager
def mail_server(folder: Path, *addresses: str) -> Iterator[tuple[World, Servers]]:
    """Servers on sockets, their certificate in ca.pem."""
    world = World(seed=0, clock=SystemClock())
    try:
        for address in addresses:
            world.add_account(address, PASSWORD)
        world.authority.write(folder / "ca.pem")
        yield world, world.listen()
    finally:
        world.close()


def set_up(desk: Desk, servers: Servers, *people: str) -> None:
    """An organization "Alder" whose users are ready to send and receive, and track all mail."""
    pop3, smtp = (f"localhost:{servers.addresses[name][1]}" for name in ("pop3s", "smtps"))
    desk.run("org", "create", "Alder", "--ca-file", "ca.pem")
    desk.run("profile", "create", "Mail", "--pop3", pop3, "--smtp", smtp, "--default")
    for address in people:
        desk.run(
            "user",
            "create",
            address.partition("@")[0].title(),
            "--address",
            address,
            "--password",
            "--track",
            "all",
            given=PASSWORD,
        )
    if people:
        desk.run("mailbox", "approve", *people)
        desk.run("mailbox", "test-and-enable", *people)
