"""What the commands of the Email Router have in common: which database, which instance."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.desk import Common, Desk, UsageProblem
from postroom.errors import ConfigError, PostroomError, StateError, StoreError

if TYPE_CHECKING:
    from postroom.channels.email_router.database import InstanceRow, RouterDatabase
    from postroom.providers.contract import ProviderSpec

__all__ = [
    "DATABASE",
    "DEPLOYMENT",
    "ID",
    "JSON",
    "RESUME",
    "STOPPED",
    "AsJson",
    "Database",
    "Deployment",
    "NoInstance",
    "ProviderName",
    "Yes",
    "declared",
    "desk_for",
    "file_path",
    "find_row",
    "known_as",
    "opened",
    "provider_of",
    "readable",
    "short",
    "spec_of",
    "state_of",
    "stopped_notes",
    "understood_state",
]

DATABASE = typer.Option(
    "--database",
    metavar="ADDRESS",
    help="The router's database, as sqlite:///PATH. Default: router_database of the deployment file, router.sqlite3 beside it.",
)
DEPLOYMENT = typer.Option(
    "--deployment",
    "-d",
    envvar="POSTROOM_DEPLOYMENT",
    metavar="PATH",
    help="The deployment file, or its folder. Default: postroom.toml here.",
)
JSON = typer.Option("--json", help="The answer as JSON, errors too.")
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
_SHOWN = 5
_DIGEST, _OWNER = 12, 8
"""Characters that are shown of an identity, and of the id of a user or queue behind it."""


class NoInstance(PostroomError):
    """None, or several, are called that. `problems` names them."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


@contextmanager
def desk_for(deployment: Path | None, *, as_json: bool) -> Iterator[Desk]:
    desk = Desk(Common(deployment=deployment, json=as_json))
    try:
        yield desk
    finally:
        desk.close()


def _address(desk: Desk, database: str) -> str:
    """Raises UsageProblem, DeploymentFileError."""
    if re.match(r"[a-z0-9+]+://[^/@]*:[^/@]+@", database):
        raise UsageProblem("--database: a password is no argument; use PGPASSWORD or ~/.pgpass")
    if database and "://" not in database:
        raise UsageProblem("--database: an address is expected, for example sqlite:///router.sqlite3")
    if not database and not desk.common.path.exists():
        raise UsageProblem(
            f"{desk.common.path}: no deployment file, so it is not known which database is meant; name one with --deployment or --database"
        )
    url = database or desk.file.router_database
    if url in ("sqlite://", "sqlite:///", "sqlite:///:memory:"):
        raise UsageProblem("a router's memory would be gone when the command ends: give it a file, sqlite:///PATH")
    return url


def file_path(url: str) -> Path | None:
    """Where a SQLite database lies; None for others."""
    rest = url.removeprefix("sqlite:///")
    return None if rest == url else Path(rest)


@contextmanager
def opened(desk: Desk, database: str, *, make: bool = False) -> Iterator[RouterDatabase]:
    """The router's database; `make`: a new one where there is none, readable by its owner only. Raises StoreError."""
    from postroom.channels.email_router.database import RouterDatabase
    from postroom.clock import SystemClock

    url = _address(desk, database)
    path = file_path(url)
    if path is not None and not path.exists():
        if not make:
            raise StoreError(f"{path}: no such database: no router has run with it yet; `postroom router run FILE` makes it")
        made = RouterDatabase(url, SystemClock())
        path.chmod(0o600)  # what providers remember is nobody else's
    else:
        made = RouterDatabase(url, SystemClock())
    try:
        yield made
    finally:
        made.close()


# -- instances


def short(identity: str) -> str:
    """The beginning of an identity, and of the user's or queue's id behind it. `find_row` takes it back."""
    digest, dot, owner = identity.partition(".")
    return f"{digest[:_DIGEST]}{dot}{owner[:_OWNER]}"


def known_as(row: InstanceRow) -> str:
    return row.name or f"{row.provider} {short(row.identity)}".strip()


def _begins(identity: str, text: str) -> bool:
    parts, wanted = identity.split("."), text.split(".")
    return len(wanted) <= len(parts) and all(part.startswith(one) for part, one in zip(parts, wanted, strict=False))


def find_row(rows: Sequence[InstanceRow], text: str) -> InstanceRow:
    """By identity, its beginning, or name. Raises NoInstance."""
    wanted = text.strip()
    if not wanted:
        raise NoInstance("an instance is named by its identity, the beginning of it, or its name")
    exact = [row for row in rows if row.identity == wanted]
    named = [row for row in rows if wanted.casefold() in (row.name.casefold(), row.mailbox.casefold())]
    begun = [row for row in rows if _begins(row.identity, wanted.lower())]
    found = exact or named or begun
    if len(found) == 1:
        return found[0]
    if not found:
        from postroom.model.attributes import nearest

        raise NoInstance(
            f"no instance {text!r}{nearest(text, [row.name for row in rows])}; `postroom provider state show` lists them"
        )
    shown = [f"{short(row.identity)}  {known_as(row)}  {row.mailbox}".rstrip() for row in found[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    raise NoInstance(f"{len(found)} instances are called {text!r}; name one by its identity", *shown, *more)


def state_of(row: InstanceRow, notes: dict[str, str]) -> tuple[str, str]:
    """State and why, in words. `notes`: identity -> what a router said when it stopped it."""
    if row.tombstoned_on is not None:
        return "tombstone", "" if row.expires_on is None else f"not in the file any more; kept until {row.expires_on:%Y-%m-%d}"
    if row.held:
        return "held", row.held
    if row.holder:
        return "running", ""
    if row.identity in notes:
        return "stopped", notes[row.identity]
    return "waiting", ""


def stopped_notes(db: RouterDatabase) -> dict[str, str]:
    return {one.identity: one.detail for one in db.alerts() if one.kind == STOPPED}


STOPPED = "stopped"
"""The kind of alert that says why a router does not run an instance by itself any more."""
RESUME = "resume"
"""The kind of alert that asks a router, in whatever process, to let an instance go on."""


def provider_of(name: str, prefer: list[str] | None = None) -> Any:
    """The provider's declaration. Raises ConfigError."""
    from postroom.cli.provider import registry_here

    return registry_here(prefer).find(name).spec


def readable(path: Path) -> Path:
    """Raises UsageProblem."""
    if not path.is_file() or not os.access(path, os.R_OK):
        raise UsageProblem(f"{path}: no such file, or not readable")
    return path


def declared(name: str) -> tuple[ProviderSpec[Any, Any] | None, str]:
    try:
        return provider_of(name), ""
    except ConfigError as error:
        return None, f"{error}; name its class with --provider"


def spec_of(name: str) -> ProviderSpec[Any, Any]:
    """Raises UsageProblem."""
    spec, trouble = declared(name)
    if spec is None:
        raise UsageProblem(trouble)
    return spec


def understood_state(spec: ProviderSpec[Any, Any] | None, row: InstanceRow, text: str) -> tuple[Any, str]:
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
