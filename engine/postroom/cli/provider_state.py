"""`postroom provider state`: what the instances of a router remember, looked at, carried over, moved back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.desk import Desk, reporting
from postroom.cli.provider_state_files import export, import_
from postroom.cli.provider_state_moves import purge, resume, rewind
from postroom.cli.router_database import (
    AsJson,
    Database,
    Deployment,
    ProviderName,
    declared,
    desk_for,
    find_row,
    opened,
    short,
    state_of,
    stopped_notes,
    understood_state,
)
from postroom.cli.texts import counted

if TYPE_CHECKING:
    from postroom.channels.email_router.database import InstanceRow, RouterDatabase

__all__ = ["register", "row_document"]


def show(
    identity: Annotated[
        str,
        typer.Argument(metavar="[ID]", help="One instance, with what it remembers: identity, the beginning of it, or name."),
    ] = "",
    provider: ProviderName = "",
    database: Database = "",
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """The instances that a router's database knows; with ID one of them, its state as its provider declares it.

    ```
    postroom provider state show
    postroom provider state show 3f9a
    postroom provider state show "Sales inbox" --json
    postroom provider state show --database sqlite:////var/lib/postroom/router.sqlite3
    ```
    """
    with reporting(as_json), desk_for(deployment, as_json=as_json) as desk, opened(desk, database) as db:
        rows, notes = db.rows(), stopped_notes(db)
        if identity:
            _show_one(desk, db, find_row(rows, identity), notes, provider)
        elif as_json:
            desk.document({"items": [row_document(row, notes) for row in rows]})
        else:
            _show_all(rows, notes)


def row_document(row: InstanceRow, notes: dict[str, str]) -> dict[str, Any]:
    state, why = state_of(row, notes)
    return {
        "identity": row.identity,
        "short": short(row.identity),
        "name": row.name,
        "provider": row.provider,
        "direction": row.direction,
        "organization": row.organization,
        "mailbox": row.mailbox,
        "state": state,
        "why": why,
        "generation": row.generation,
        "state_version": row.state_version,
        "state_size": row.state_size,
        "committed_on": row.committed_on,
        "first_seen_on": row.first_seen_on,
        "started_on": row.started_on,
        "ended_on": row.ended_on,
        "holder": row.holder,
        "last_error": row.last_error,
        "last_error_on": row.last_error_on,
        "threshold": row.threshold,
        "held_on": row.held_on,
        "tombstoned_on": row.tombstoned_on,
        "expires_on": row.expires_on,
    }


def _show_all(rows: Sequence[InstanceRow], notes: dict[str, str]) -> None:
    from postroom.cli.show import table

    headings = ("id", "name", "provider", "organization", "mailbox", "commits", "version", "size", "state", "last run", "why")
    table(headings, [_columns(row, notes) for row in rows], nothing="no instances")


def _columns(row: InstanceRow, notes: dict[str, str]) -> tuple[Any, ...]:
    state, why = state_of(row, notes)
    return (
        short(row.identity),
        row.name,
        row.provider,
        row.organization,
        row.mailbox,
        row.generation,
        row.state_version,
        row.state_size,
        state,
        row.ended_on or row.started_on,
        why or row.last_error,
    )


def _show_one(desk: Desk, db: RouterDatabase, row: InstanceRow, notes: dict[str, str], provider: str) -> None:
    from postroom.cli.show import fields, table
    from postroom.providers.state import encode

    spec, trouble = declared(provider or row.provider)
    text = db.kept_text(row.identity)
    value, problem = understood_state(spec, row, text)
    alerts = db.alerts(row.identity)
    if desk.common.json:
        remembered = encode(value) if value is not None else _plain(text)
        more = {
            "seen": len(db.seen(row.identity)),
            "remembers": remembered,
            "not_understood": problem or trouble or None,
            "alerts": alerts,
        }
        desk.document(row_document(row, notes) | more)
        return
    known = row_document(row, notes)
    fields({name.replace("_", " "): one for name, one in known.items() if one not in (None, "") and name != "short"})
    fields({"seen": counted(len(db.seen(row.identity)), "key")})
    if not text:
        desk.say("remembers nothing yet: its next run is a first run")
    elif value is None:
        desk.say(f"remembers, as it is kept ({problem or trouble}):")
        desk.say(f"    {text}")
    else:
        desk.say(f"remembers ({type(value).__name__}):")
        _say_value(desk, value, "    ")
    if alerts:
        desk.say("alerts")
        table(("raised", "kind", "what"), [(one.raised_on, one.kind, one.detail) for one in alerts])


def _say_value(desk: Desk, value: Any, indent: str) -> None:
    """The fields of a state, one a line; fields of fields further in."""
    for one in fields_of(value):
        inner = getattr(value, one.name)
        if is_dataclass(inner) and not isinstance(inner, type):
            desk.say(f"{indent}{one.name}:")
            _say_value(desk, inner, indent + "    ")
        elif isinstance(inner, tuple | list | set | frozenset | dict) and len(inner) > 3:
            desk.say(f"{indent}{one.name}: {len(inner)} entries (all with --json)")
        else:
            from postroom.providers.state import encode

            desk.say(f"{indent}{one.name}: {json.dumps(encode(inner), ensure_ascii=False)}")


def _plain(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


def register(provider_group: typer.Typer) -> None:
    state = typer.Typer(
        help="What the instances of a router remember: look at it, carry it over, move it.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    for name, function in (
        ("show", show),
        ("export", export),
        ("import", import_),
        ("rewind", rewind),
        ("resume", resume),
        ("purge", purge),
    ):
        state.command(name)(function)
    provider_group.add_typer(state, name="state")
