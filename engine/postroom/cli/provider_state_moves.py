"""`postroom provider state rewind`, `resume`, `purge`: what somebody decides about an instance."""

from __future__ import annotations

import json
import sys
from dataclasses import fields as fields_of
from dataclasses import is_dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.desk import Failed, UsageProblem, reporting
from postroom.cli.router_database import (
    ID,
    RESUME,
    STOPPED,
    AsJson,
    Database,
    Deployment,
    ProviderName,
    Yes,
    desk_for,
    find_row,
    known_as,
    opened,
    short,
    spec_of,
    state_of,
    stopped_notes,
    understood_state,
)
from postroom.cli.texts import counted
from postroom.errors import PostroomError, StateError

if TYPE_CHECKING:
    from postroom.channels.email_router.database import InstanceRow, RouterDatabase
    from postroom.providers.contract import ProviderSpec

__all__ = ["purge", "resume", "rewind"]


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
        spec = spec_of(provider or row.provider)
        if spec.name != row.provider:
            raise UsageProblem(f"{known_as(row)} is an instance of {row.provider}, not of {spec.name}")
        before, _ = understood_state(spec, row, db.kept_text(row.identity))
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
            spec, point = spec_of(provider or row.provider), _moment("--since", since)
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
