"""`postroom features`: the executable specification, from wherever Postroom is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import typer

__all__ = ["register", "shipped_features", "shipped_phrases"]

STEP = "pytestbdd_stepdef_"
"""How pytest-bdd names what `given`, `when` and `then` leave in a module."""


def shipped_features() -> Path:
    """The folder of `.feature` files: inside the installed package, or at the top of the source tree."""
    package = Path(__file__).parents[1]
    inside = package / "features"
    return inside if inside.is_dir() else package.parents[1] / "features"


def shipped_phrases() -> dict[str, list[str]]:
    """The phrases of the shipped steps by keyword (Given, When, Then), in the order of the module that defines them."""
    from postroom.testing.step_modules import step_modules

    found: dict[str, list[str]] = {"Given": [], "When": [], "Then": []}
    for name in (name for steps in step_modules() for name in vars(steps)):
        if name.startswith(STEP):
            keyword, _, pattern = name.removeprefix(STEP).partition("_")
            phrase = _readable(pattern)
            if phrase not in found[keyword.capitalize()]:
                found[keyword.capitalize()].append(phrase)
    return found


def _readable(pattern: str) -> str:
    """A step's pattern as people read it: named groups become {name} or {one|other}, optional ones [such]."""
    pattern = re.sub(r"\(\?P<\w+>([^()\\\[]+)\)\?", r"[\1]", pattern)
    pattern = re.sub(r"\(\?P<\w+>([\w ]+(?:\|[\w ]+)+)\)", r"{\1}", pattern)
    pattern = re.sub(r"\(\?P<(\w+)>[^()]*\)", r"{\1}", pattern)
    pattern = re.sub(r"\(\?:([^()]*)\)\?", r"[\1]", pattern)
    pattern = re.sub(r"\(\?:([^()]*)\)", r"\1", pattern)
    return re.sub(r"(\w)\?", r"\1", re.sub(r"\{(\w+):d\}", r"{\1}", pattern))


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="The specification: how mailboxes, profiles and mail behave, as scenarios that run.", no_args_is_help=True
    )

    @group.command("list")
    def list_() -> None:
        """Each feature and its scenarios."""
        for path in sorted(shipped_features().rglob("*.feature")):
            for line in path.read_text("utf-8").splitlines():
                word, _, title = line.strip().partition(":")
                if word == "Feature":
                    typer.echo(f"{title.strip()}   ({path.relative_to(shipped_features())})")
                elif word in {"Scenario", "Scenario Outline"}:
                    typer.echo(f"    {title.strip()}")

    @group.command()
    def phrases() -> None:
        """Every phrase that features can be written in, ours and yours: {name} stands for a value, [..] may be left out."""
        for keyword, found in shipped_phrases().items():
            typer.echo(keyword)
            for phrase in found:
                typer.echo(f"    {phrase}")

    @group.command()
    def path() -> None:
        """Where the .feature files are."""
        typer.echo(shipped_features())

    @group.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def run(context: typer.Context) -> None:
        """Run them all with pytest. Further arguments go to pytest, for example `-k inactive`."""
        folder = shipped_features()
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--rootdir",
            str(folder),
            "-c",
            "/dev/null",
            "-o",
            "postroom_collect_features=true",
        ]
        command += ["-p", "no:cacheprovider", str(folder), *context.args]
        raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - pytest, as the caller asked

    app.add_typer(group, name="features")
