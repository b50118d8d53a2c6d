"""`postroom features`: the executable specification, from wherever Postroom is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import typer

__all__ = ["register", "shipped_features"]


def shipped_features() -> Path:
    """The folder of `.feature` files: inside the installed package, or at the top of the source tree."""
    package = Path(__file__).parents[1]
    inside = package / "features"
    return inside if inside.is_dir() else package.parents[1] / "features"


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
