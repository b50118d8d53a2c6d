"""`postroom alerts`: what the engine told about mailboxes and profiles."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from postroom.cli.desk import Desk, UsageProblem, command, group
from postroom.cli.finding import find
from postroom.cli.inputs import option
from postroom.cli.records import View, each, show_list, show_record
from postroom.cli.texts import counted
from postroom.model import TraceLevel, TraceLog

__all__ = ["register"]

VIEW = View(
    "tracelog",
    {
        "alert": lambda one: one.tracelogid[:8],
        "level": lambda one: one.level.name.lower(),
        "regarding": "regardingobjectid",
        "code": "errortypedisplay",
        "what": "text",
        "details": "errordetails",
        "times": lambda one: one.collationlevel or 1,
        "state": lambda one: "" if one.level is TraceLevel.INFORMATION else "over" if one.tracestatus else "open",
        "last": lambda one: one.modifiedon or one.createdon,
    },
)
Regarding = Annotated[str, typer.Option("--mailbox", metavar="NAME", help="Only those of this mailbox.")]
OfProfile = Annotated[str, typer.Option("--profile", metavar="NAME", help="Only those of this profile.")]
Level = Annotated[str, typer.Option("--level", metavar="LEVEL", help="Only information, warning or error.")]


def _conditions(desk: Desk, mailbox: str, profile: str, level: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if mailbox and profile:
        raise UsageProblem("--mailbox and --profile: only one of them")
    for entity, name in (("mailbox", mailbox), ("emailserverprofile", profile)):
        if name:
            found["regardingobjectid"] = find(desk.organization, entity, name)
    if level:
        try:
            found["level"] = option(TraceLevel, level)
        except ValueError as wrong:
            raise UsageProblem(f"--level: {wrong}") from None
    return found


def list_(
    desk: Desk,
    mailbox: Regarding = "",
    profile: OfProfile = "",
    level: Level = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
) -> None:
    """The alerts, the newest first. An alert that came again is listed once, with how often.

    postroom alerts list --level error
    """
    conditions = _conditions(desk, mailbox, profile, level)
    found = desk.organization.retrieve_multiple(
        desk.caller, "tracelog", order_by=("-modifiedon", "-createdon"), limit=limit, **conditions
    )
    show_list(desk, VIEW, found)


def show(desk: Desk, name: Annotated[str, typer.Argument(metavar="ALERT", help="The id or its beginning.")]) -> None:
    """One alert, whole."""
    reference = find(desk.organization, "tracelog", name)
    show_record(desk, desk.organization.retrieve(desk.caller, "tracelog", reference.id), everything=False)


def clear(
    desk: Desk,
    names: Annotated[list[str] | None, typer.Argument(metavar="ALERT...", help="These; ids or their beginnings.")] = None,
    mailbox: Regarding = "",
    profile: OfProfile = "",
    level: Level = "",
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Delete alerts that were seen to.

    postroom alerts clear --mailbox ada@alder.example
    """
    if names:
        each(desk, "tracelog", names, lambda one: desk.organization.delete(desk.caller, "tracelog", one), "cleared")
        return
    conditions = _conditions(desk, mailbox, profile, level)
    if not conditions and not everything:
        raise UsageProblem("which? name alerts, give --mailbox, --profile or --level, or --all")
    found: list[TraceLog] = desk.organization.retrieve_multiple(desk.caller, "tracelog", **conditions)
    for one in found:
        desk.organization.delete(desk.caller, "tracelog", one.tracelogid)
    desk.done(f"{counted(len(found), 'alert')} cleared", done="cleared", count=len(found))


def register(app: typer.Typer) -> None:
    made = group(app, "alerts", "Alerts: what the engine told about mailboxes and profiles.")
    for name, function in (("list", list_), ("show", show), ("clear", clear)):
        command(made, name)(function)
