"""What the commands of every kind of record have in common: list, show, set, delete, activate, deactivate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from postroom.cli.desk import Desk, UsageProblem, command
from postroom.cli.finding import NOUNS, find, label_of, labels
from postroom.cli.inputs import assignments
from postroom.cli.show import fields, table, values_of
from postroom.model import Lookup, entity_class
from postroom.model.attributes import attributes_of

__all__ = ["AskPassword", "Names", "PasswordFrom", "Values", "View", "finder", "register", "show_record", "update"]

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="By name, address, id or the beginning of an id.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="By name, address, id or the beginning of an id.")]
Values = Annotated[
    list[str] | None,
    typer.Argument(metavar="ATTRIBUTE=VALUE...", help="Attributes under their published names; nothing after = empties one."),
]
AskPassword = Annotated[
    bool,
    typer.Option("--password", help="Ask for the password; where there is no terminal, it is the first line of the input."),
]
PasswordFrom = Annotated[
    str, typer.Option("--password-env", metavar="VARIABLE", help="Take the password from this environment variable.")
]


@dataclass(frozen=True, slots=True)
class View:
    """How an entity's records are listed: heading -> attribute, or a function of the record. `example`: one of them, for help texts."""

    entity: str
    columns: Mapping[str, str | Callable[[Any], Any]]
    order_by: tuple[str, ...] = ()
    example: str = ""

    @property
    def noun(self) -> str:
        return NOUNS.get(self.entity, self.entity)


def finder(desk: Desk) -> Callable[[str, str], Lookup]:
    return lambda entity, text: find(desk.organization, entity, text)


def show_list(desk: Desk, view: View, records: Sequence[Any]) -> None:
    """Records as a table, or {"items": [...]}."""
    if desk.common.json:
        desk.document({"items": list(records)})
        return
    names = labels(desk.organization, {value for one in records for value in _lookups(view, one)})
    rows = [[_named(_cell(one, how), names) for how in view.columns.values()] for one in records]
    table(list(view.columns), rows, nothing=f"no {view.noun}" if view.noun.endswith("s") else f"no {view.noun}s")


def _cell(record: Any, how: str | Callable[[Any], Any]) -> Any:
    return getattr(record, how) if isinstance(how, str) else how(record)


def _lookups(view: View, record: Any) -> list[Lookup]:
    return [value for how in view.columns.values() if isinstance(value := _cell(record, how), Lookup)]


def _named(value: Any, names: Mapping[str, str]) -> Any:
    return names.get(value.id, value.id) if isinstance(value, Lookup) else value


def show_record(desk: Desk, record: Any, *, everything: bool, more: Mapping[str, Any] | None = None) -> None:
    """Attributes that say something; with `everything` also the empty ones. JSON has all of them."""
    values = {**values_of(record), **(more or {})}
    if desk.common.json:
        desk.document(values)
        return
    if not everything:
        defaults = {name: spec.default for name, spec in attributes_of(type(record)).items()} if _typed(record) else {}
        values = {
            name: value
            for name, value in values.items()
            if value is not None and value != "" and (value != defaults.get(name) or not isinstance(value, bool | int))
        }
    fields(values, labels(desk.organization, {value for value in values.values() if isinstance(value, Lookup)}))


def _typed(record: Any) -> bool:
    from postroom.model.attributes import Record

    return isinstance(record, Record)


def update(desk: Desk, entity: str, name: str, values: Mapping[str, Any]) -> None:
    """One record, and what to say about it."""
    reference = find(desk.organization, entity, name)
    desk.organization.update(desk.caller, entity, reference.id, **values)
    after = desk.organization.retrieve(desk.caller, entity, reference.id)
    noun = NOUNS.get(entity, entity)
    desk.done(
        f"{noun} {label_of(after)}: {', '.join(values)} set",
        done="set",
        entity=entity,
        id=reference.id,
        attributes=sorted(values),
    )


def each(desk: Desk, entity: str, names: Sequence[str], act: Callable[[str], Any], done: str) -> None:
    """Do one thing to several records. Names are looked up before anything is done."""
    found = [find(desk.organization, entity, name) for name in names]
    called = labels(desk.organization, set(found))
    items = []
    for reference in found:
        act(reference.id)
        desk.say(f"{NOUNS.get(entity, entity)} {called[reference.id]}: {done}")
        items.append({"done": done, "entity": entity, "id": reference.id, "name": called[reference.id]})
    if desk.common.json:
        desk.document({"items": items})


def register(group: typer.Typer, view: View, *, without: Sequence[str] = ()) -> None:
    """list, show, delete, activate and deactivate of one entity, as far as not made otherwise."""
    noun, entity = view.noun, view.entity

    def list_(
        desk: Desk,
        where: Annotated[
            list[str] | None, typer.Argument(metavar="ATTRIBUTE=VALUE...", help="Only those with these values.")
        ] = None,
    ) -> None:
        (conditions,) = assignments(where or (), finder(desk), entity_class(entity))
        show_list(desk, view, desk.organization.retrieve_multiple(desk.caller, entity, order_by=view.order_by, **conditions))

    def show(
        desk: Desk,
        name: Name,
        everything: Annotated[bool, typer.Option("--all", help="Also the attributes that are empty or as they come.")] = False,
    ) -> None:
        reference = find(desk.organization, entity, name)
        show_record(desk, desk.organization.retrieve(desk.caller, entity, reference.id), everything=everything)

    def set_(desk: Desk, name: Name, values: Values = None) -> None:
        (found,) = assignments(values or (), finder(desk), entity_class(entity))
        if not found:
            raise UsageProblem("nothing to set: give ATTRIBUTE=VALUE")
        update(desk, entity, name, found)

    def delete(desk: Desk, names: Names) -> None:
        each(desk, entity, names, lambda one: desk.organization.delete(desk.caller, entity, one), "deleted")

    def activate(desk: Desk, names: Names) -> None:
        each(desk, entity, names, lambda one: desk.organization.set_state(desk.caller, entity, one, True), "activated")

    def deactivate(desk: Desk, names: Names) -> None:
        each(desk, entity, names, lambda one: desk.organization.set_state(desk.caller, entity, one, False), "deactivated")

    words: dict[str, tuple[Callable[..., None], str]] = {
        "list": (list_, f"The {noun}s of the organization, or those with certain values."),
        "show": (show, f"One {noun}: what it says and what became of it."),
        "set": (set_, f"Change attributes of a {noun}."),
        "delete": (delete, f"Delete {noun}s."),
        "activate": (activate, f"Make {noun}s active again."),
        "deactivate": (deactivate, f"Make {noun}s inactive."),
    }
    for name, (function, text) in words.items():
        if name not in without:
            shown = {"list": "", "set": f"{view.example} ATTRIBUTE=VALUE"}.get(name, view.example)
            example = f"\n\n    postroom {noun} {name} {shown}".rstrip()
            function.__doc__ = text.replace("mailboxs", "mailboxes") + example
            command(group, name)(function)
