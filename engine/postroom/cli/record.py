"""`postroom record`: contacts, leads, accounts and every other record that mail is tracked for."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from postroom.cli.desk import Desk, UsageProblem, command, group
from postroom.cli.finding import find, label_of
from postroom.cli.inputs import assignments, free_assignments
from postroom.cli.records import Names, Values, each, finder, show_record, update
from postroom.cli.show import table, values_of
from postroom.model import DEFAULT_EMAIL_COLUMNS, ENTITIES, entity_class

__all__ = ["register"]

Entity = Annotated[str, typer.Argument(metavar="ENTITY", help="contact, lead, account, team ... : the logical name.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="By name, address, id or the beginning of an id.")]
_OWN = {"systemuser": "user", "queue": "queue", "mailbox": "mailbox", "emailserverprofile": "profile", "email": "email"}


def _values(desk: Desk, entity: str, texts: list[str] | None) -> dict[str, Any]:
    if entity in ENTITIES:
        (found,) = assignments(texts or (), finder(desk), entity_class(entity))
        return found
    return free_assignments(texts or (), finder(desk))


def create(desk: Desk, entity: Entity, values: Values = None) -> None:
    """Make a record.

        postroom record create contact fullname="Betty Birch" emailaddress1=betty@birch.example

    The addresses of contacts, leads and accounts are `emailaddress1` to `emailaddress3`: mail from them is mail from a known sender.
    `NAME:=JSON` gives a number, true or false.
    """
    if entity in _OWN:
        raise UsageProblem(f"make it with `postroom {_OWN[entity]} {'send' if entity == 'email' else 'create'}`")
    found = _values(desk, entity, values)
    if not found:
        raise UsageProblem("a record without any value: give ATTRIBUTE=VALUE")
    made = desk.organization.create(desk.caller, entity, **found)
    name = label_of(desk.organization.retrieve(desk.caller, entity, made))
    desk.done(f"{entity} {name} made", done="created", entity=entity, id=made, name=name)


def list_(desk: Desk, entity: Entity) -> None:
    """The records of an entity."""
    found = desk.organization.retrieve_multiple(desk.caller, entity)
    if desk.common.json:
        desk.document({"items": found})
        return
    columns = DEFAULT_EMAIL_COLUMNS.get(entity, ())
    rows = [(label_of(one), _address(one, columns), one.record_id) for one in found]
    table(("name", "addresses", "id"), rows, nothing=f"no {entity}s")


def _address(record: Any, columns: tuple[str, ...]) -> str:
    values = values_of(record)
    return " ".join(str(values[name]) for name in columns if values.get(name))


def show(desk: Desk, entity: Entity, name: Name) -> None:
    """One record."""
    reference = find(desk.organization, entity, name)
    show_record(desk, desk.organization.retrieve(desk.caller, entity, reference.id), everything=True)


def set_(desk: Desk, entity: Entity, name: Name, values: Values = None) -> None:
    """Change a record.

    postroom record set contact betty@birch.example emailaddress2=bb@home.example
    """
    found = _values(desk, entity, values)
    if not found:
        raise UsageProblem("nothing to set: give ATTRIBUTE=VALUE")
    update(desk, entity, name, found)


def delete(desk: Desk, entity: Entity, names: Names) -> None:
    """Delete records."""
    each(desk, entity, names, lambda one: desk.organization.delete(desk.caller, entity, one), "deleted")


def assign(
    desk: Desk,
    entity: Entity,
    name: Name,
    owner: Annotated[str, typer.Option("--to", metavar="USER", help="Whose it is from now on.")],
) -> None:
    """Give a record to another user."""
    reference = find(desk.organization, entity, name)
    user = find(desk.organization, "systemuser", owner)
    desk.organization.assign(desk.caller, entity, reference.id, user)
    desk.done(f"{entity} {name} is {owner}'s", done="assigned", entity=entity, id=reference.id, owner=user)


def email_columns(
    desk: Desk,
    entity: Entity,
    columns: Annotated[list[str], typer.Argument(metavar="COLUMN...", help="Attributes that hold email addresses.")],
) -> None:
    """Let a custom entity have email addresses: mail from its records is mail of known senders.

    postroom record email-columns new_partner new_email
    """
    desk.organization.register_email_columns(desk.caller, entity, *columns)
    desk.done(f"{entity}: {', '.join(columns)} hold email addresses", done="registered", entity=entity, columns=columns)


def activate(desk: Desk, entity: Entity, names: Names) -> None:
    """Make records active again."""
    each(desk, entity, names, lambda one: desk.organization.set_state(desk.caller, entity, one, True), "activated")


def deactivate(desk: Desk, entity: Entity, names: Names) -> None:
    """Make records inactive."""
    each(desk, entity, names, lambda one: desk.organization.set_state(desk.caller, entity, one, False), "deactivated")


def register(app: typer.Typer) -> None:
    made = group(app, "record", "Contacts, leads, accounts and other records: whom the organization knows.")
    for name, function in (
        ("create", create),
        ("list", list_),
        ("show", show),
        ("set", set_),
        ("assign", assign),
        ("email-columns", email_columns),
        ("activate", activate),
        ("deactivate", deactivate),
        ("delete", delete),
    ):
        command(made, name)(function)
