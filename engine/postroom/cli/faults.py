"""`postroom faults`: which troubles can be had, whether a file of them is right, and what it will do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from postroom_simulator.fault_files import Checked

__all__ = ["register"]

File = Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file of faults, as `postroom serve --faults` takes it.")]


def list_() -> None:
    """Every effect, step and TLS trouble that a fault can name, and what goes with what."""
    from postroom_simulator.fault_text import reference

    for heading, rows in reference():
        typer.echo(heading)
        width = max(len(left) for left, _ in rows)
        for left, right in rows:
            typer.echo(f"    {left:<{width}}  {right}".rstrip())
        typer.echo()


def check(file: File) -> None:
    """Say everything that is wrong with a file, by line. Exit code 0 when nothing is, 1 when something is, 2 when it cannot be read."""
    checked = _read(file)
    if checked.mistakes:
        raise typer.Exit(_complain(file, checked))
    number = len(checked.faults)
    typer.echo(f"{file}: {number} fault{'' if number == 1 else 's'}, nothing wrong")


def explain(file: File) -> None:
    """Say in words what each fault of a file will do, and when. What is wrong with others is said too (exit code 1)."""
    from postroom_simulator.fault_text import in_words

    checked = _read(file)
    for line, fault in checked.faults:
        typer.echo(f"{file}:{line}: {fault.name}" if fault.name else f"{file}:{line}:")
        typer.echo(f"    {in_words(fault)}")
    if checked.mistakes:
        raise typer.Exit(_complain(file, checked))
    if not checked.faults:
        typer.echo(f"{file}: no faults: nothing will go wrong")


def _read(file: Path) -> Checked:
    from postroom.cli.texts import told
    from postroom_simulator.errors import FaultError
    from postroom_simulator.fault_files import check_faults, read_text

    try:
        return check_faults(read_text(file))
    except (FaultError, OSError) as error:
        typer.echo(f"postroom faults: {told(error)}", err=True)
        raise typer.Exit(2) from None


def _complain(file: Path, checked: Checked) -> int:
    for mistake in checked.mistakes:
        typer.echo(mistake.told(str(file)), err=True)
    return 1


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Faults: what can go wrong on cue, and files that say what does.", no_args_is_help=True)
    group.command("list")(list_)
    group.command()(check)
    group.command()(explain)
    app.add_typer(group, name="faults")
