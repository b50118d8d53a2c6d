"""`postroom provider state`: what the instances of a router remember, looked at, carried over, moved back."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields as fields_of
from dataclasses import is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.desk import Desk, Failed, UsageProblem, reporting
from postroom.cli.router_database import (
    DATABASE,
    DEPLOYMENT,
    JSON,
    RESUME,
    STOPPED,
    desk_for,
    find_row,
    known_as,
    opened,
    provider_of,
    readable,
    short,
    state_of,
    stopped_notes,
)
from postroom.cli.texts import counted
from postroom.errors import ConfigError, PostroomError, StateError

if TYPE_CHECKING:
    from postroom.channels.email_router.database import InstanceRow, RouterDatabase
    from postroom.providers.contract import ProviderSpec

__all__ = ["register", "row_document"]

ID = Annotated[
    str,
    typer.Argument(metavar="ID", help="The instance: its identity, the beginning of it, or its name."),
]
Database = Annotated[str, DATABASE]
Deployment = Annotated[Path | None, DEPLOYMENT]
AsJson = Annotated[bool, JSON]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ProviderName = Annotated[
    str,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="The provider's class path, package.module:Class, where it is not installed under its name.",
    ),
]


class Layout(StrEnum):
    """How a state file looks."""

    XML = "xml"
    JSON = "json"


_LAYOUT = typer.Option(
    "--format", help="xml: the original's SystemState; json: whole states. Default: by the end of FILE's name."
)


# -- show


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

    spec, trouble = _declared(provider or row.provider)
    text = db.kept_text(row.identity)
    value, problem = _understood(spec, row, text)
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


def _declared(name: str) -> tuple[ProviderSpec[Any, Any] | None, str]:
    try:
        return provider_of(name), ""
    except ConfigError as error:
        return None, f"{error}; name its class with --provider"


def _spec(name: str) -> ProviderSpec[Any, Any]:
    """Raises UsageProblem."""
    spec, trouble = _declared(name)
    if spec is None:
        raise UsageProblem(trouble)
    return spec


def _understood(spec: ProviderSpec[Any, Any] | None, row: InstanceRow, text: str) -> tuple[Any, str]:
    """The typed state; None with the reason. Unexamined: `show` repairs and holds nothing."""
    from postroom.channels.email_router.memory import parsed, understood

    if spec is None or not text:
        return None, ""
    if (row.state_version or 0) > spec.state_version:
        return None, f"it has version {row.state_version}, {spec.name} knows up to {spec.state_version}"
    try:
        return understood(spec, parsed(text), row.state_version or 1), ""
    except Exception as wrong:  # a provider's migrate may fail in any way
        return None, str(wrong) if isinstance(wrong, StateError) else type(wrong).__name__


def _plain(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


# -- files


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


# -- decisions


def rewind(
    identity: ID,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="MOMENT", help="Mail since then is new again: 2026-03-01, 2026-03-01T09:30Z, or beginning."
        ),
    ] = "",
    value: Annotated[
        str, typer.Option("--value", metavar="JSON", help="The whole state, as `state show ID --json` has it.")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: it is kept with the state.")] = "",
    provider: ProviderName = "",
    yes: Yes = False,
    database: Database = "",
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """Move an instance back (or on) by decision: its next run begins there. A held one is let go.

    What it takes in again is compared with what the organization has: a message that was stored is not stored twice. Keys that were dealt with stay so.

    ```
    postroom provider state rewind 3f9a --to 2026-03-01 --reason "the server was restored from a backup"
    postroom provider state rewind "Orders feed" --value '{"done": 7}' --reason "asked for by Eve" --yes
    ```
    """
    with reporting(as_json), desk_for(deployment, as_json=as_json) as desk, opened(desk, database) as db:
        if bool(to) == bool(value):
            raise UsageProblem("say where to: --to MOMENT, or the whole state with --value JSON")
        if not reason.strip():
            raise UsageProblem("say why with --reason TEXT: a state is not moved without a reason")
        row = find_row(db.rows(), identity)
        if row.tombstoned_on is not None:
            raise PostroomError(f"{known_as(row)} is not in the configuration any more: nothing runs from where it is moved to")
        spec = _spec(provider or row.provider)
        if spec.name != row.provider:
            raise UsageProblem(f"{known_as(row)} is an instance of {row.provider}, not of {spec.name}")
        before, _ = _understood(spec, row, db.kept_text(row.identity))
        new = _given(spec, value) if value else _moved_to(spec, before, to)
        desk.say(f"{known_as(row)} ({short(row.identity)})")
        desk.say(f"  from {_in_short(before)}")
        desk.say(f"  to   {_in_short(new)}")
        _ask("Move it?", yes, as_json=as_json)
        _write(db, row, spec, new, reason)
        db.note(row.identity, RESUME, reason, quiet=True)
        desk.done("moved", done="rewound", identity=row.identity, name=row.name, generation=_generation(db, row), reason=reason)


def _generation(db: RouterDatabase, row: InstanceRow) -> int:
    now = db.row(row.identity)
    return 0 if now is None else now.generation


def _given(spec: ProviderSpec[Any, Any], value: str) -> Any:
    from postroom.channels.email_router.memory import understood

    try:
        thing = json.loads(value)
    except (ValueError, RecursionError):
        raise UsageProblem("--value is no JSON") from None
    try:
        return understood(spec, thing, spec.state_version)
    except StateError as wrong:
        raise UsageProblem(f"--value is no {spec.state.__name__} of {spec.name}: {wrong}") from None


def _moved_to(spec: ProviderSpec[Any, Any], before: Any, to: str) -> Any:
    from postroom.providers.state import initial

    point = None if to.casefold() == "beginning" else _moment("--to", to)
    new = _with_cursors(initial(spec.state) if before is None else before, point)
    if new is None:
        raise UsageProblem(
            f"the state of {spec.name} has no cursor, so no moment says where it stands; give the whole state with --value"
        )
    return new


def _with_cursors(state: Any, point: datetime | None) -> Any | None:
    """The state with each of its cursors at the moment; None when it has none."""
    from postroom.providers.cursor import Cursor

    if not is_dataclass(state) or isinstance(state, type):
        return None
    changed: dict[str, Any] = {}
    for one in fields_of(state):
        inner = getattr(state, one.name)
        moved = inner.rewind(point, "by decision") if isinstance(inner, Cursor) else _with_cursors(inner, point)
        if moved is not None:
            changed[one.name] = moved
    return replace(state, **changed) if changed else None


def _write(db: RouterDatabase, row: InstanceRow, spec: ProviderSpec[Any, Any], new: Any, reason: str) -> None:
    """With a run's fence, so that what was there is kept as the generation before; a state that cannot be used, or that is held, is replaced."""
    if row.held or row.generation == 0:
        db.restart(row.identity, spec, new, reason)
        return
    fence = db.begin(
        row.identity,
        spec,
        "postroom provider state rewind",
        name=row.name,
        organization=row.organization,
        mailbox=row.mailbox,
    )
    if fence is None:
        raise PostroomError(f"{known_as(row)} runs just now ({row.holder}): try again when its run has ended")
    try:
        cell = db.state(row.identity, spec, fence)
    except StateError:  # damaged: it is held now, and its fence is void
        db.restart(row.identity, spec, new, reason)
        return
    try:
        cell.rewind(new, reason)
        db.clear(row.identity, STOPPED)
    finally:
        db.revoke(row.identity)  # not `end`: no run took place, and its last error is still its last


def _in_short(state: Any) -> str:
    from postroom.providers.state import canonical

    if state is None:
        return "(nothing that can be read)"
    text = canonical(state)
    return text if len(text) <= 400 else f"{text[:400]}... ({len(text)} characters)"


def resume(
    identity: ID,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="MOMENT",
            help="Mail received earlier stays at the source, from now on: 2026-03-01, or 2026-03-01T09:30Z.",
        ),
    ] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why: it is kept with the instance's alerts.")] = "",
    provider: ProviderName = "",
    database: Database = "",
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """Let an instance go on that is held or stopped, from the state that there is. A router that runs hears of it within five seconds.

    What was wrong with a state is still wrong: then `postroom provider state rewind` says where it begins. An instance whose memory was lost is held too; say
    --since where old mail must not be taken in again.

    ```
    postroom provider state resume 3f9a
    postroom provider state resume "Sales inbox" --reason "the account has its new password"
    postroom provider state resume "Sales inbox" --since 2026-03-01
    ```
    """
    with reporting(as_json), desk_for(deployment, as_json=as_json) as desk, opened(desk, database) as db:
        row = find_row(db.rows(), identity)
        state, why = state_of(row, stopped_notes(db))
        if state == "tombstone":
            raise PostroomError(f"{known_as(row)} is not in the router's configuration any more; put it back there")
        if state == "running":
            raise PostroomError(f"{known_as(row)} is not held or stopped: it runs just now ({row.holder})")
        if since:
            spec, point = _spec(provider or row.provider), _moment("--since", since)
            db.adopt(row.identity, spec, threshold=point, last_error=row.last_error, name=row.name)
        if state == "held":
            db.release(row.identity)
        db.clear(row.identity, STOPPED)
        db.note(row.identity, RESUME, reason or "asked for by hand", quiet=True)
        was = f"was {state}: {why}" if why else f"was {state}"
        desk.done(f"{known_as(row)} goes on ({was})", done="resumed", identity=row.identity, name=row.name, was=state, why=why)


def _moment(option: str, text: str) -> datetime:
    """Raises UsageProblem."""
    from postroom.cli.inputs import moment

    try:
        return moment(text)
    except ValueError as wrong:
        raise UsageProblem(f"{option}: {wrong}") from None


def purge(
    identity: Annotated[str, typer.Argument(metavar="[ID]", help="Only this tombstone, whether its time is over or not.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All tombstones, whether their time is over or not.")] = False,
    yes: Yes = False,
    database: Database = "",
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """Forget instances that left the configuration: without ID those whose time is over (90 days). Others are never touched.

    An instance that comes back afterwards begins anew, and what is still at its source is looked at again.

    ```
    postroom provider state purge
    postroom provider state purge 3f9a --yes
    postroom provider state purge --all
    ```
    """
    with reporting(as_json), desk_for(deployment, as_json=as_json) as desk, opened(desk, database) as db:
        if identity and everything:
            raise UsageProblem("say ID or --all")
        gone = _to_be_purged(db, identity, everything=everything)
        if not gone:
            desk.done("no tombstones" if everything else "no tombstone whose time is over", done="purged", items=[])
            return
        for row in gone:
            desk.say(f"{short(row.identity)}  {known_as(row)}  {row.mailbox}".rstrip())
        _ask(f"Forget {counted(len(gone), 'instance')}?", yes, as_json=as_json)
        for row in gone:
            db.purge(row.identity)
        desk.done(f"{counted(len(gone), 'instance')} forgotten", done="purged", items=[row.identity for row in gone])


def _to_be_purged(db: RouterDatabase, identity: str, *, everything: bool) -> list[InstanceRow]:
    rows = db.rows()
    if identity:
        row = find_row(rows, identity)
        if row.tombstoned_on is None:
            raise PostroomError(f"{known_as(row)} is in the configuration: only an instance that left it is forgotten")
        return [row]
    now = db.clock.now()
    return [
        row
        for row in rows
        if row.tombstoned_on is not None and (everything or (row.expires_on is not None and row.expires_on <= now))
    ]


def _ask(question: str, yes: bool, *, as_json: bool) -> None:
    """Raises UsageProblem where nobody can be asked, Failed when the answer is no."""
    if yes:
        return
    if as_json:
        raise UsageProblem("with --json nobody is asked: say --yes")
    try:
        agreed = typer.confirm(question)
    except typer.Abort:
        raise UsageProblem("nobody answered; --yes does not ask") from None
    if not agreed:
        print("nothing was done", file=sys.stderr)
        raise Failed("nothing was done")


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
