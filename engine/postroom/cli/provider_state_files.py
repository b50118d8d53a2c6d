"""`postroom provider state export` and `import`: what the instances remember, from one database to another."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from postroom.cli.desk import UsageProblem, reporting
from postroom.cli.router_database import AsJson, Database, Deployment, desk_for, known_as, opened, provider_of, readable, short
from postroom.cli.texts import counted

__all__ = ["export", "import_"]


class Layout(StrEnum):
    """How a state file looks."""

    XML = "xml"
    JSON = "json"


_LAYOUT = typer.Option(
    "--format", help="xml: the original's SystemState; json: whole states. Default: by the end of FILE's name."
)


def _layout(file: Path, chosen: Layout | None) -> Layout:
    if chosen is not None:
        return chosen
    if file.suffix.lower() in (".xml", ".json"):
        return Layout(file.suffix.lower()[1:])
    raise UsageProblem(f"{file}: is it xml or json? Say so with --format")


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write, as SystemState.xml or state.json.")],
    layout: Annotated[Layout | None, _LAYOUT] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    database: Database = "",
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """Write what the instances remember to a file.

    XML is the single-file layout of the original, SystemState: address, last error and threshold of each instance, and no more. JSON holds whole states and
    the keys that were dealt with: with it a router goes on elsewhere as if nothing had happened. Export when no router runs, or what it did meanwhile is
    looked at again. Tombstones are left out.

    ```
    postroom provider state export state.json
    postroom provider state export SystemState.xml
    ```
    """
    with reporting(as_json), desk_for(deployment, as_json=as_json) as desk, opened(desk, database) as db:
        from postroom.channels.email_router.json_files import export_json
        from postroom.channels.email_router.state_files import export_system_state

        wanted = _layout(file, layout)
        if file.exists() and not force:
            raise UsageProblem(f"{file} is there already; --force replaces it")
        written = (export_json if wanted is Layout.JSON else export_system_state)(db, file)
        file.chmod(0o600)  # addresses, and what providers remember
        running = [known_as(row) for row in db.rows() if row.holder]
        desk.done(
            f"{file}: {counted(written, 'instance')}"
            + (f"; {', '.join(running)} ran meanwhile: export again when no router runs" if running else ""),
            done="exported",
            file=str(file),
            format=wanted.value,
            instances=written,
            running=running,
        )


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="SystemState.xml of a router, or a file of `state export`.")],
    router_file: Annotated[
        Path | None,
        typer.Option(
            "--router", metavar="FILE", help="The router's configuration file: whose instances they are. Needed for XML."
        ),
    ] = None,
    layout: Annotated[Layout | None, _LAYOUT] = None,
    database: Database = "",
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """Take over where a router stood. An instance that has a state of its own already is left alone.

    Of a SystemState.xml each address is looked for in the configuration file; its threshold becomes the instance's, so that no older mail is taken in. A
    threshold that cannot be used (the beginning of time) holds the instance: `postroom provider state rewind` says where it begins.

    ```
    postroom provider state import SystemState.xml --router EmailAgent.xml
    postroom provider state import state.json
    ```
    """
    with reporting(as_json), desk_for(deployment, as_json=as_json) as desk:
        from postroom.channels.email_router.json_files import import_json
        from postroom.channels.email_router.state_files import import_system_state

        wanted = _layout(readable(file), layout)
        if wanted is Layout.XML and router_file is None:
            raise UsageProblem("a SystemState.xml names addresses only: say whose they are with --router EmailAgent.xml")
        entries = _entries(router_file) if router_file is not None else []
        specs = {entry.provider.name: entry.provider for entry in entries}
        with opened(desk, database, make=True) as db:
            if wanted is Layout.XML:
                found = import_system_state(db, file, entries)
            else:
                found = import_json(db, file, lambda name: specs.get(name) or provider_of(name))
        if as_json:
            desk.document({"done": "imported", "items": found})
        else:
            from postroom.cli.show import table

            rows = [(one.address, short(one.identity), one.result, one.detail) for one in found]
            table(("instance", "id", "result", "why"), rows, nothing=f"{file} has no instances")


def _entries(file: Path) -> list[Any]:
    """Raises ConfigError."""
    from postroom.cli.router_places import read_file

    return list(read_file(file).providers)
