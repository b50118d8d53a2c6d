"""The `postroom` command. One module for each group of commands; each imports what it needs when it runs."""

from __future__ import annotations

import sys

import typer

from postroom.cli import demo, faults, features, serve

__all__ = ["app", "main"]

app = typer.Typer(
    name="postroom",
    help="""Server-side synchronization and an email router in one hand, and the mail servers to test them against.

    New here? Run `postroom demo`. It starts a mail server in memory, puts our sample messages into it, lets the engine take them in and shows
    what became of each. Nothing leaves this machine.""",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
demo.register(app)
serve.register(app)
faults.register(app)
features.register(app)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True)) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"postroom {installed('postroom')}")
        raise typer.Exit


def main() -> None:
    """The console script. Known errors end with one clear line and exit code 2, not with a traceback."""
    from postroom.errors import PostroomError

    try:
        app()
    except PostroomError as error:
        typer.echo(f"postroom: {error}", err=True)
        sys.exit(2)
