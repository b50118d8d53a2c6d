"""`postroom org`: organizations and their databases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from postroom.cli.desk import Desk, UsageProblem, command, group
from postroom.cli.records import Values, finder
from postroom.cli.show import fields, table
from postroom.cli.texts import counted

__all__ = ["register"]


def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the organization is called.")],
    values: Values = None,
    database: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="sqlite:///PATH, or postgresql+psycopg://HOST/NAME (the password from PGPASSWORD or ~/.pgpass). "
            "Default: NAME.sqlite3 beside the deployment file.",
        ),
    ] = "",
    ca_file: Annotated[
        str, typer.Option(metavar="PATH", help="Trust these certificates too when mail servers are reached (PEM).")
    ] = "",
) -> None:
    """Make an organization: its database, and where there are none yet, the deployment file and the key file.

        postroom org create Alder

    makes `postroom.toml`, `postroom.key` (the key that stored passwords are encrypted with; only you can read it) and `Alder.sqlite3`.
    ATTRIBUTE=VALUE sets columns of the organization row, for example `requireapprovalforuseremail=no`.
    """
    from postroom.cli.deployment_file import DeploymentFile
    from postroom.cli.inputs import assignments
    from postroom.model import Organization as OrganizationRecord
    from postroom.store.secrets import KeyRing

    _check_name(name, database)
    (columns,) = assignments(values or (), finder(desk), OrganizationRecord)
    path = desk.common.path
    file = DeploymentFile.read(path) if path.exists() else None
    if file is not None and name in file.organizations:
        raise UsageProblem(f"{path} has an organization {name!r} already")
    database = database or f"sqlite:///{_file_name(name)}.sqlite3"
    made_key = file is None or not file.key_file.exists()
    file = file or DeploymentFile.create(path)
    KeyRing.from_file(file.key_file, create=True)
    if ca_file:
        file = file.with_ca_file(ca_file)
    before = file
    desk.file = file.with_organization(name, database)
    try:
        desk.deployment.create_organization(name, desk.file.organizations[name], **columns)
    except BaseException:
        desk.file = before.without_organization(name)
        raise
    _private(desk.file.organizations[name])
    shown = safe_address(desk.file.organizations[name])
    desk.done(
        f"organization {name} made: {shown}\ndeployment file {path}, key file {file.key_file}{' (new: keep it safe)' if made_key else ''}",
        done="created",
        name=name,
        database=shown,
        deployment=str(path),
        key_file=str(file.key_file),
    )


def _check_name(name: str, database: str) -> None:
    if not name.strip() or not name.isprintable() or len(name) > 160:
        raise UsageProblem("an organization's name is 1 to 160 printable characters")
    if re.match(r"[a-z+]+://[^/@]*:[^/@]+@", database):
        raise UsageProblem("--database: a password is no argument; use PGPASSWORD or ~/.pgpass")
    if database in ("sqlite://", "sqlite:///", "sqlite:///:memory:"):
        raise UsageProblem("--database: an organization in memory would be gone at once; give sqlite:///PATH")


def _private(url: str) -> None:
    """A database file holds mail: only its owner reads it. What SQLite puts beside it gets the same mode."""
    path = url.removeprefix("sqlite:///")
    if path != url:
        Path(path).chmod(0o600)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "organization"


def safe_address(url: str) -> str:
    """A database address without its password."""
    import sqlalchemy as sa

    return sa.make_url(url).render_as_string(hide_password=True)


def list_(desk: Desk) -> None:
    """The organizations of the deployment."""
    rows = [{"name": name, "database": safe_address(url)} for name, url in desk.file.organizations.items()]
    if desk.common.json:
        desk.document({"deployment": str(desk.file.path), "items": rows})
    else:
        table(("name", "database"), [tuple(row.values()) for row in rows], nothing="no organizations")


def show(desk: Desk) -> None:
    """The organization at a glance: what it has, what waits, what needs somebody."""
    found = desk.organization.summary(desk.caller)
    document = {
        "name": desk.name,
        "database": safe_address(desk.file.organizations[desk.name]),
        "key_file": str(desk.file.key_file),
        **found,
    }
    if desk.common.json:
        desk.document(document)
    else:
        fields({name.replace("_", " "): value for name, value in document.items()})


def remove(desk: Desk, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Take an organization out of the deployment file. Its database stays where it is."""
    if name not in desk.file.organizations:
        raise UsageProblem(f"{desk.file.path} has no organization {name!r}")
    database = safe_address(desk.file.organizations[name])
    desk.file.without_organization(name)
    desk.done(
        f"organization {name} is not in {desk.file.path} any more; its database stays: {database}", done="removed", name=name
    )


# -- upkeep -----------------------------------------------------------------------------------------------------------


def upgrade(desk: Desk) -> None:
    """Bring the database to the revision of this version of Postroom. Every command does so when it opens an older one; this one says what
    was done. Make a copy of the database first."""
    from postroom.cli.desk import check_address
    from postroom.organization.deployment import Deployment

    url = desk.file.organizations[desk.name]
    check_address(url, desk.name)
    before = Deployment.revision_of(url)
    _ = desk.organization
    after = Deployment.revision_of(url)
    text = f"upgraded from revision {before} to {after}" if before != after else f"has revision {after}: nothing to do"
    desk.done(
        f"{desk.name} {text}", done="upgraded" if before != after else "nothing", name=desk.name, before=before, after=after
    )


def vacuum(desk: Desk) -> None:
    """Give the room of removed rows back to the disk. A SQLite database needs as much free room as it takes, and nobody writes meanwhile."""
    done = desk.organization.vacuum(desk.caller)
    desk.done(
        f"{desk.name}: {done.before} octets before, {done.after} now",
        done="vacuumed",
        name=desk.name,
        before=done.before,
        after=done.after,
    )


def retain(desk: Desk) -> None:
    """Remove what was kept long enough: alerts, statistics, memory of messages that left their servers ... `postroom sync --watch` does it
    every day. How long is said by settings: `postroom settings list keep`."""
    removed = desk.organization.retain(desk.caller)
    desk.done(f"{desk.name}: {removed} removed", done="retained", name=desk.name, rows=removed.rows, octets=removed.octets)


def rotate_key(
    desk: Desk,
    keep: Annotated[
        bool, typer.Option("--keep-old", help="Leave the old keys in the key file, for copies of databases.")
    ] = False,
) -> None:
    """Make a new key, encrypt the stored passwords of every organization of the deployment with it, and let the old keys go. May be cut
    off anywhere and repeated."""
    from postroom.cli.desk import check_address

    for name, url in desk.file.organizations.items():
        check_address(url, name)
        if name not in desk.deployment.organizations:
            desk.deployment.open_organization(name, url)
    done = desk.deployment.rotate_keys(desk.caller, retire=not keep)
    total = sum(done.moved.values())
    desk.done(
        f"new key in {desk.file.key_file}: {counted(total, 'password')} encrypted with it, {counted(done.retired, 'old key')} gone",
        done="rotated",
        moved=done.moved,
        retired=done.retired,
    )


def register(app: typer.Typer) -> None:
    made = group(app, "org", "Organizations: make one, look at it, take care of its database.")
    for name, function in (
        ("create", create),
        ("list", list_),
        ("show", show),
        ("remove", remove),
        ("upgrade", upgrade),
        ("vacuum", vacuum),
        ("retain", retain),
        ("rotate-key", rotate_key),
    ):
        command(made, name)(function)
