"""The `postroom` command. One module for each group of commands; each imports what it needs when it runs."""

from __future__ import annotations

import json
import sys

import typer

from postroom.cli import (
    alerts,
    demo,
    email,
    faults,
    features,
    mail,
    mailbox,
    org,
    people,
    profile,
    provider,
    record,
    router,
    serve,
    settings,
    sync,
)

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
provider.register(app)
router.register(app)
for administration in (org, profile, people, mailbox, record, sync, mail, email, alerts, settings):
    administration.register(app)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True)) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"postroom {installed('postroom')}")
        raise typer.Exit


ADMINISTRATION = frozenset(
    {"org", "profile", "user", "queue", "mailbox", "record", "sync", "mail", "email", "alerts", "settings"}
)

ANSWERS_IN_JSON = ADMINISTRATION | {"provider", "router"}


def main() -> None:
    """The console script. Known errors end with one clear line and exit code 2, not with a traceback."""
    from postroom.errors import PostroomError

    try:
        if "--json" in sys.argv and sys.argv[1] in ANSWERS_IN_JSON:
            sys.exit(_answered_in_json())
        app()
    except PostroomError as error:
        typer.echo(f"postroom: {error}", err=True)
        sys.exit(2)


def _answered_in_json() -> int:
    """Also a call that makes no sense is answered as JSON. Returns the exit code."""
    try:
        return app(standalone_mode=False) or 0
    except typer.Abort:
        kind, text, code = "Aborted", "aborted", 1
    except Exception as error:  # typer brings a click of its own, whose classes have no public name
        if not hasattr(error, "format_message"):
            raise
        kind, text, code = "UsageProblem", str(error.format_message()), int(getattr(error, "exit_code", 2))
    typer.echo(json.dumps({"error": {"kind": kind, "text": text, "problems": [text]}}, ensure_ascii=False), err=True)
    return code
