"""`postroom router`: the Email Router at work, for the organizations of a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.desk import Desk, Failed, UsageProblem, reporting
from postroom.cli.router_database import AsJson, Database, Deployment, desk_for, opened, short, state_of, stopped_notes
from postroom.cli.texts import counted

if TYPE_CHECKING:
    from postroom.channels.email_router import EmailRouter
    from postroom.channels.email_router.database import Alert, InstanceRow
    from postroom.channels.email_router.placing import Place
    from postroom.cli.router_log import RunLog, Tending

__all__ = ["register"]

FILE = typer.Argument(metavar="FILE", help="The router's configuration file, as EmailAgent.xml.")
File = Annotated[Path, FILE]


# -- at work


@contextmanager
def _router(desk: Desk, file: Path, database: str, *, lines: bool) -> Iterator[tuple[EmailRouter, RunLog, Tending]]:
    from postroom.channels.email_router import EmailRouter
    from postroom.cli.provider import registry_here
    from postroom.cli.router_log import RunLog, Tending
    from postroom.cli.router_places import open_organizations, read_file
    from postroom.cli.running import trust
    from postroom.clock import SystemClock
    from postroom.providers.connectors import SocketConnector

    read = read_file(file)  # what is wrong with it is said line by line
    organizations = open_organizations(desk)
    with opened(desk, database, make=True) as db:
        log = RunLog(desk, organizations, lines=lines)
        router = EmailRouter(
            file,
            organizations,
            connector=SocketConnector(trust(desk.file.ca_file)),
            clock=SystemClock(),
            database=db,
            registry=registry_here(),
            reported=log.ended,
            told=log.told,
        )
        log.router = router
        try:
            yield router, log, Tending(router, db, every=min(5.0, read.system.scheduling_period.seconds))
        finally:
            router.close()


def run(file: File, database: Database = "", deployment: Deployment = None, as_json: AsJson = False) -> None:
    """Serve the providers of a file until Ctrl-C or SIGTERM.

    Each entry serves the organization of the deployment that its CrmServerUrl names (its whole text, or the last part of its path); with one organization it
    may be left out. The organization has to use the router: `postroom settings set emailconnectionchannel=1`. MaxThreads, periods and limits are the file's;
    the file is read again each ConfigRefreshPeriod. Each run has a line; --json makes it {"run": ...}, an event {"event": ...}, the end {"summary": ...}.

    Ctrl-C (or SIGTERM) ends it in order: what runs stops after the message that it is at, and nothing is left half done.

    ```
    postroom router run EmailAgent.xml
    postroom router run EmailAgent.xml --json
    postroom router run EmailAgent.xml --database sqlite:////var/lib/postroom/router.sqlite3
    ```
    """
    with (
        reporting(as_json),
        desk_for(deployment, as_json=as_json) as desk,
        _router(desk, file, database, lines=True) as (router, log, tending),
    ):
        from postroom.cli.running import stoppable

        desk.say(f"serving {counted(len(router.instances()), 'instance')} of {file}; Ctrl-C ends it")
        _, stopped = stoppable(lambda: router.run(until=tending), router.stop)
        tending.look()
        log.summary(stopped=stopped)


def once(file: File, database: Database = "", deployment: Deployment = None, as_json: AsJson = False) -> None:
    """Run each provider of a file once, and again while it has more to do; then end.

    Exit code 1 when a run failed, when an instance is held, stopped by an error or broken, or when it was stopped before everything was done.

    ```
    postroom router once EmailAgent.xml
    postroom router once EmailAgent.xml --json
    ```
    """
    with (
        reporting(as_json),
        desk_for(deployment, as_json=as_json) as desk,
        _router(desk, file, database, lines=False) as (router, log, tending),
    ):
        from postroom.cli.running import stoppable

        def work() -> None:
            tending.look()
            router.run_due()
            tending.look()

        _, stopped = stoppable(work, router.stop)
        log.summary(stopped=stopped)
        if log.failed or stopped or any(one.state.value in ("held", "broken", "overrun") for one in router.instances()):
            raise Failed("a run failed")


# -- looking


def status(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The router's configuration file: what it means to have run.")
    ] = None,
    database: Database = "",
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """How each instance is, why, and when it is due: as the router's database knows it, whether a router runs or not.

    With FILE also instances that have not run yet, what keeps a mailbox from being served, and when each is due: not before that time, for after failures a
    router waits longer.

    ```
    postroom router status
    postroom router status EmailAgent.xml
    postroom router status EmailAgent.xml --json
    ```
    """
    with reporting(as_json), desk_for(deployment, as_json=as_json) as desk:
        items, problems = _of_file(desk, file, database) if file is not None else _of_database(desk, database)
        if as_json:
            desk.document({"items": items, "problems": problems})
            return
        from postroom.cli.show import table

        headings = ("id", "name", "provider", "organization", "mailbox", "state", "last run", "due from", "why")
        table(headings, [_status_columns(one) for one in items], nothing="no instances")
        for one in problems:
            desk.say(f"the router itself: {one.kind.replace('_', ' ')} ({one.raised_on:%Y-%m-%d %H:%M:%S} UTC): {one.detail}")


def _status_columns(one: dict[str, Any]) -> tuple[Any, ...]:
    due = "now" if one["due_now"] else one["next_due"]
    why = one["why"] or (f"failed: {one['last_error']}" if one["last_error"] else "")
    ran = one["ended_on"] or one["started_on"]
    return one["short"], one["name"], one["provider"], one["organization"], one["mailbox"], one["state"], ran, due, why


def _of_database(desk: Desk, database: str) -> tuple[list[dict[str, Any]], list[Alert]]:
    with opened(desk, database) as db:
        notes = stopped_notes(db)
        return [_item(row, *state_of(row, notes)) for row in db.rows()], db.alerts("")


def _item(row: InstanceRow, state: str, why: str, next_due: Any = None) -> dict[str, Any]:
    from postroom.clock import SystemClock

    return {
        "identity": row.identity,
        "short": short(row.identity),
        "name": row.name,
        "provider": row.provider,
        "organization": row.organization,
        "mailbox": row.mailbox,
        "state": state,
        "why": why,
        "last_error": row.last_error,
        "started_on": row.started_on,
        "ended_on": row.ended_on,
        "next_due": next_due,
        "due_now": next_due is not None and next_due <= SystemClock().now(),
    }


def _of_file(desk: Desk, file: Path, database: str) -> tuple[list[dict[str, Any]], list[Alert]]:
    from postroom.channels.email_router.placing import places
    from postroom.cli.router_database import file_path
    from postroom.cli.router_places import obstacles, open_organizations, read_file

    read, organizations = read_file(file), open_organizations(desk)
    url = database or desk.file.router_database
    path = file_path(url)
    rows: dict[str, InstanceRow] = {}
    notes: dict[str, str] = {}
    problems: list[Alert] = []
    if path is None or path.exists():
        with opened(desk, database) as db:
            rows, notes = {row.identity: row for row in db.rows()}, stopped_notes(db)
            problems = db.alerts("")
    items = []
    for place in places(read, list(organizations)):
        row = rows.pop(place.key, None)
        items.append(_placed(place, row, notes, obstacles(place, organizations)))
    return items + [_item(row, *state_of(row, notes)) for row in rows.values()], problems


def _placed(place: Place, row: InstanceRow | None, notes: dict[str, str], obstacle: str) -> dict[str, Any]:
    if row is None:
        state, why = ("broken", place.trouble) if place.trouble else ("stopped", obstacle) if obstacle else ("waiting", "")
        return {
            "identity": place.key,
            "short": short(place.key),
            "name": place.name,
            "provider": place.provider,
            "organization": place.organization,
            "mailbox": place.address,
            "state": state,
            "why": why or "has not run yet",
            "last_error": "",
            "started_on": None,
            "ended_on": None,
            "next_due": None,
            "due_now": not why,
        }
    state, why = state_of(row, notes)
    if state in ("waiting", "stopped", "tombstone") and (place.trouble or obstacle):
        return _item(row, "broken" if place.trouble else "stopped", place.trouble or obstacle)
    if state in ("waiting", "tombstone") and row.ended_on is not None and place.entry is not None:
        period = place.entry.settings.polling_period.delta
        return _item(row, "waiting", "", row.ended_on + (2 * period if row.last_error else period))
    return _item(row, state, why)


def check(
    file: File,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", metavar="PEM", help="Trust these certificates too. Default: the deployment's.")
    ] = None,
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """Let every provider of a file test itself at its real server: name, port, certificate, log-in. Nothing is fetched or sent.

    Where there is a deployment file, also whom each entry serves, and what keeps the router from serving them. Exit code 1 when a test failed or an entry
    cannot be used. What is wrong with the file itself is said with its lines: `postroom provider config validate FILE` says more.

    ```
    postroom router check EmailAgent.xml
    postroom router check EmailAgent.xml --ca-file ca.pem --json
    ```
    """
    with reporting(as_json), desk_for(deployment, as_json=as_json) as desk:
        from postroom.cli.router_check import check_file

        items = check_file(desk, file, ca_file)
        failed = [one for one in items if one["result"] == "failed"]
        if as_json:
            desk.document({"failed": len(failed), "items": items})
        else:
            from postroom.cli.show import table

            rows = [
                (one["line"], one["name"], one["provider"], one["organization"], one["result"], one["detail"]) for one in items
            ]
            table(("line", "name", "provider", "organization", "result", "what"), rows, nothing=f"{file} has no providers")
            if failed:
                print(f"{len(failed)} of {len(items)} failed: {', '.join(one['name'] for one in failed)}")
        if failed:
            raise Failed("a provider failed")


# -- away from the router


def migrate(
    file: File,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="FILE", help="SystemState.xml: where each mailbox stands, so that no old mail comes again."
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="EncryptionKey.xml. It is not decrypted with: the plan names whose password to give."
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the plan to the organization. Repeating it changes nothing.")
    ] = False,
    switch: Annotated[
        bool,
        typer.Option("--switch", help="With --apply: and choose server-side synchronization, which ends the router for it."),
    ] = False,
    org: Annotated[
        str,
        typer.Option(
            "--org", envvar="POSTROOM_ORG", metavar="NAME", help="The organization, where the deployment has several."
        ),
    ] = "",
    crm_url: Annotated[
        str,
        typer.Option(
            "--crm-url",
            metavar="URL",
            help="The CrmServerUrl of the organization, where its last part is not the organization's name.",
        ),
    ] = "",
    deployment: Deployment = None,
    as_json: AsJson = False,
) -> None:
    """From a router's files to server-side synchronization: show the plan, and write it with --apply.

    Every provider of the file is in the plan: what becomes of it, or why nothing does and what to do; custom ones by name, first. Mailboxes then have to be
    approved, tested and enabled (`postroom mailbox test-and-enable`).

    ```
    postroom router migrate EmailAgent.xml --state SystemState.xml
    postroom router migrate EmailAgent.xml --state SystemState.xml --key EncryptionKey.xml --apply
    postroom router migrate EmailAgent.xml --org Alder --crm-url https://crm.example.com/Alder --json
    ```
    """
    with reporting(as_json):
        from postroom.cli.router_migrate import migrate_files

        if switch and not apply:
            raise UsageProblem("--switch goes with --apply")
        desk = Desk(_common(deployment, org, as_json=as_json))
        try:
            refused = migrate_files(desk, (file, state, key), crm_url, apply=apply, switch=switch)
        finally:
            desk.close()
        if refused:
            raise Failed("the organization refused a part of the plan")


def _common(deployment: Path | None, org: str, *, as_json: bool) -> Any:
    from postroom.cli.desk import Common

    return Common(deployment=deployment, org=org, json=as_json)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="The Email Router: serve the providers of a file, look at them, leave it.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    for name, function in (
        ("run", run),
        ("once", once),
        ("status", status),
        ("check", check),
        ("migrate", migrate),
    ):
        group.command(name)(function)
    app.add_typer(group, name="router", rich_help_panel="Custom providers")
