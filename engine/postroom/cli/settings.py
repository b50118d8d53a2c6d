"""`postroom settings`: columns of the organization row, the switches of OrgDbOrgSettings, and the settings of the deployment, by one name each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from postroom.cli.desk import Desk, UsageProblem, command, group
from postroom.cli.inputs import BadValues, value_for
from postroom.cli.records import finder
from postroom.cli.show import fields, in_words, table
from postroom.errors import RecordError, SettingsError
from postroom.model import Lookup
from postroom.model import Organization as OrganizationRecord
from postroom.model.attributes import Attribute, Kind, attributes_of, nearest
from postroom.model.deployment import DeploymentSettings
from postroom.model.settings import OrgDbOrgSettings

__all__ = ["Setting", "known_settings", "register"]

_HIDDEN = frozenset({"organizationid", "createdon", "modifiedon", "orgdborgsettings"})


@dataclass(frozen=True, slots=True)
class Setting:
    """where   "organization", "orgdborgsettings" or "deployment"
    published  the name as published; that of the attribute where none is
    source     "published", or "ours" where the reference states no such setting or no default
    """

    name: str
    where: str
    published: str
    default: Any
    source: str
    meaning: str
    spec: Attribute
    read_only: bool = False

    @property
    def reference(self) -> str:
        return "1.6" if self.where == "deployment" else "1.5"


def known_settings() -> dict[str, Setting]:
    """By name, in the order of the reference."""
    from postroom.cli.meanings import COLUMNS, DEPLOYMENT, SWITCHES

    found: dict[str, Setting] = {}
    for name, spec in attributes_of(OrganizationRecord).items():
        if name not in _HIDDEN:
            meaning = COLUMNS.get(name, "")
            found[name] = Setting(name, "organization", name, spec.default, "published", meaning, spec, spec.read_only)
    for cls, where, meanings in (
        (OrgDbOrgSettings, "orgdborgsettings", SWITCHES),
        (DeploymentSettings, "deployment", DEPLOYMENT),
    ):
        for one in dataclasses.fields(cls):
            found[one.name] = Setting(
                one.name,
                where,
                one.metadata.get("published") or one.name,
                one.default,
                one.metadata.get("source", "ours") if one.metadata.get("published") else "ours",
                meanings.get(one.name, ""),
                _spec(one),
            )
    return found


def _spec(one: dataclasses.Field[Any]) -> Attribute:
    """What may be said: from the field's metadata."""
    if isinstance(one.default, bool):
        return Attribute(one.name, Kind.BOOLEAN)
    if "low" in one.metadata:
        return Attribute(one.name, Kind.INTEGER, low=one.metadata["low"], high=one.metadata["high"])
    return Attribute(one.name, Kind.MEMO)


def _find(name: str) -> Setting:
    """By attribute or published name, in any case. Raises UsageProblem."""
    everything = known_settings()
    wanted = name.strip().casefold().replace("-", "_")
    for one in everything.values():
        if wanted in (one.name, one.published.casefold(), f"{one.where}.{one.name}"):
            return one
    names = [*everything, *(one.published for one in everything.values())]
    raise UsageProblem(f"no setting {name!r}{nearest(name, names)}")


def _values(desk: Desk) -> dict[str, Any]:
    from postroom.organization.policies import switches_of

    row = desk.organization.settings
    switches = switches_of(row.orgdborgsettings)
    sources = {"organization": row, "orgdborgsettings": switches, "deployment": desk.file.settings}
    return {name: getattr(sources[one.where], name) for name, one in known_settings().items()}


def _document(one: Setting, value: Any) -> dict[str, Any]:
    return {
        "name": one.published,
        "attribute": one.name,
        "where": one.where,
        "value": value,
        "default": one.default,
        "source": one.source,
        "reference": one.reference,
        "read_only": one.read_only,
        "meaning": one.meaning,
    }


def list_(
    desk: Desk,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD...", help="Only those with such a word in name or meaning.")
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that are not as they come.")] = False,
) -> None:
    """Every setting: what it is now, what it is by default, what it means. A default marked ~ is ours: the product publishes none.

    postroom settings list approval
    postroom settings list --changed
    """
    values = _values(desk)
    found = [
        one
        for one in known_settings().values()
        if all(word.casefold() in f"{one.name} {one.published} {one.meaning}".casefold() for word in words or ())
        and not (changed and values[one.name] == one.default)
    ]
    if desk.common.json:
        desk.document({"items": [_document(one, values[one.name]) for one in found]})
        return
    rows = [
        (
            one.published,
            _short(values[one.name]) + ("" if values[one.name] == one.default else " *"),
            ("~" if one.source == "ours" else "") + _short(one.default),
            one.where,
            one.meaning,
        )
        for one in found
    ]
    table(("setting", "now", "default", "of", "meaning"), rows, nothing="no such setting")


def _short(value: Any) -> str:
    text = in_words(value) or "empty"
    if isinstance(value, Lookup):
        text = value.id[:8]
    return text if len(text) <= 24 else text[:23] + "…"


def show(desk: Desk, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """One setting, whole.

    postroom settings show trackingprefix
    """
    one = _find(name)
    document = _document(one, _values(desk)[one.name])
    if desk.common.json:
        desk.document(document)
    else:
        fields({key.replace("_", " "): value for key, value in document.items()})


def set_(
    desk: Desk,
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Nothing after = sets the default again.")],
) -> None:
    """Change settings. Everything that is wrong is said at once, and then nothing is changed.

    postroom settings set requireapprovalforuseremail=no MaximumSubjectLengthOnMailServer=120
    postroom settings set AllowNonSSLEmail=yes
    """
    wanted, problems = _read(desk, values)
    columns = {name: value for (where, name), value in wanted.items() if where == "organization"}
    switches = {name: value for (where, name), value in wanted.items() if where == "orgdborgsettings"}
    deployment = {name: value for (where, name), value in wanted.items() if where == "deployment"}
    problems += _problems(desk, columns, switches, deployment)
    if problems:
        raise BadValues(problems)
    if switches:
        columns["orgdborgsettings"] = _bag(desk, switches)
    if columns:
        desk.organization.update_settings(desk.caller, **columns)
    if deployment:
        desk.file.with_settings(deployment)
    names = [name for _, name in wanted]
    desk.done(f"set: {', '.join(names)}", done="set", attributes=sorted(names))


def _read(desk: Desk, texts: Sequence[str]) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """(where, name) -> value; None: the default. And what cannot be read."""
    found: dict[tuple[str, str], Any] = {}
    problems: list[str] = []
    for text in texts:
        name, given, value = text.partition("=")
        try:
            if not given:
                raise UsageProblem(f"{text!r} is no NAME=VALUE")
            one = _find(name)
            if one.read_only:
                raise UsageProblem(f"{one.published} is written by the engine only")
            found[one.where, one.name] = _value(one, value, desk)
        except UsageProblem as wrong:
            problems.append(str(wrong))
        except ValueError as wrong:
            problems.append(f"{name}: {wrong}")
    return found, problems


def _value(one: Setting, text: str, desk: Desk) -> Any:
    if text == "":
        return None
    if isinstance(one.default, frozenset):
        return frozenset(text.replace(",", " ").replace(";", " ").lower().split())
    return value_for(one.spec, text, finder(desk))


def _bag(desk: Desk, switches: dict[str, Any]) -> str:
    from postroom.organization.policies import switches_of

    before = desk.organization.settings.orgdborgsettings
    return dataclasses.replace(switches_of(before), **_or_default(OrgDbOrgSettings, switches)).to_xml(before)


def _or_default(cls: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    defaults = {one.name: one.default for one in dataclasses.fields(cls)}
    return {name: defaults[name] if value is None else value for name, value in values.items()}


def _problems(desk: Desk, columns: dict[str, Any], switches: dict[str, Any], deployment: dict[str, Any]) -> list[str]:
    """All that is wrong with them, asked before anything is written."""
    problems = desk.organization.settings_problems(columns)
    try:
        if switches:
            _bag(desk, switches)
    except RecordError as wrong:
        problems += str(wrong).split("; ")
    try:
        dataclasses.replace(desk.file.settings, **_or_default(DeploymentSettings, deployment))
    except SettingsError as wrong:
        problems += wrong.problems
    return problems


def register(app: typer.Typer) -> None:
    made = group(app, "settings", "Settings of the organization and of the deployment.")
    for name, function in (("list", list_), ("show", show), ("set", set_)):
        command(made, name)(function)
