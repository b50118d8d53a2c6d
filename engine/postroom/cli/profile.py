"""`postroom profile`: email server profiles, how mail servers are reached."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from postroom.cli.desk import Desk, UsageProblem, command, group
from postroom.cli.inputs import assignments, given, password, server
from postroom.cli.mailbox import ReceivedAfter, ScheduleOnly, TestOnly, carry_out_tests, date_of
from postroom.cli.records import AskPassword, PasswordFrom, Values, View, finder, update
from postroom.cli.records import register as register_records
from postroom.errors import RuleViolated
from postroom.model import EmailServerProfile, Lookup

__all__ = ["register"]

VIEW = View(
    "emailserverprofile",
    {
        "name": "name",
        "server type": "servertype",
        "incoming": lambda one: _place(one, "incoming"),
        "outgoing": lambda one: _place(one, "outgoing"),
        "credentials": lambda one: one.incomingcredentialretrieval,
        "state": "statecode",
    },
    ("name",),
    '"Alder mail"',
)

Pop3 = Annotated[str, typer.Option("--pop3", metavar="HOST[:PORT]", help="Where mail is read. Port 995, or 110 without TLS.")]
Smtp = Annotated[str, typer.Option("--smtp", metavar="HOST[:PORT]", help="Where mail is sent. Port 587, or 25 without TLS.")]
Tls = Annotated[
    bool | None,
    typer.Option("--tls/--no-tls", help="Ports 110, 25 and 587 begin in the clear and turn to TLS (STLS, STARTTLS)."),
]
Username = Annotated[
    str,
    typer.Option("--username", metavar="NAME", help="One login for all its mailboxes; without, each mailbox has its own."),
]
Default = Annotated[bool, typer.Option("--default", help="New mailboxes get this profile.")]


def _place(profile: EmailServerProfile, direction: str) -> str:
    host = getattr(profile, f"{direction}serverlocation") or profile.defaultserverlocation or ""
    tls = "TLS" if getattr(profile, f"{direction}usessl") else "no TLS"
    return f"{host}:{getattr(profile, f'{direction}portnumber')} {tls}" if host else ""


def _values(pop3: str, smtp: str, tls: bool | None, username: str) -> dict[str, Any]:
    """What the options say, as attributes."""
    found: dict[str, Any] = {}
    for direction, text, option in (("incoming", pop3, "--pop3"), ("outgoing", smtp, "--smtp")):
        if text:
            host, port = server(text, option)
            found |= given({f"{direction}serverlocation": host, f"{direction}portnumber": port})
        if tls is not None:
            found[f"{direction}usessl"] = tls
    if username:
        found |= {"incomingcredentialretrieval": 1, "outgoingcredentialretrieval": 1, "incomingusername": username}
    return found


def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    values: Values = None,
    pop3: Pop3 = "",
    smtp: Smtp = "",
    tls: Tls = None,
    username: Username = "",
    ask: AskPassword = False,
    password_env: PasswordFrom = "",
    default: Default = False,
) -> None:
    """Make a profile for a POP3 and an SMTP server.

        postroom profile create "Alder mail" --pop3 mail.alder.example --smtp mail.alder.example --default

    Further attributes of EmailServerProfile are set by their published names, for example `minpollingintervalinminutes=5` or
    `processemailsreceivedafter=2026-03-01`.
    """
    (typed,) = assignments(values or (), finder(desk), EmailServerProfile)
    found: dict[str, Any] = {"servertype": 1, "incomingcredentialretrieval": 0, "outgoingcredentialretrieval": 0}
    found |= _values(pop3, smtp, tls, username) | typed
    secret = password(ask, password_env, name)
    if secret is not None:
        _need_username(found)
        found["incomingpassword"] = secret
    made = desk.organization.create(desk.caller, "emailserverprofile", name=name, **found)
    if default:
        desk.organization.update_settings(desk.caller, defaultemailserverprofileid=Lookup("emailserverprofile", made))
    desk.done(
        f"profile {name} made{', the default of new mailboxes' if default else ''}",
        done="created",
        entity="emailserverprofile",
        id=made,
        name=name,
        default=default,
    )


def _need_username(found: dict[str, Any]) -> None:
    if not found.get("incomingusername"):
        raise UsageProblem("a password of the profile goes with --username; mailboxes have their own: postroom mailbox set")


def set_(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="By name, id or the beginning of an id.")],
    values: Values = None,
    pop3: Pop3 = "",
    smtp: Smtp = "",
    tls: Tls = None,
    username: Username = "",
    ask: AskPassword = False,
    password_env: PasswordFrom = "",
    outgoing: Annotated[bool, typer.Option("--outgoing", help="The password is that of outgoing mail.")] = False,
    default: Default = False,
) -> None:
    """Change a profile.

    postroom profile set "Alder mail" --smtp relay.alder.example:587 maxconcurrentconnections=20
    """
    (typed,) = assignments(values or (), finder(desk), EmailServerProfile)
    found = _values(pop3, smtp, tls, username) | typed
    secret = password(ask, password_env, name)
    if secret is not None:
        found["outgoingpassword" if outgoing else "incomingpassword"] = secret
    if default:
        reference = finder(desk)("emailserverprofile", name)
        desk.organization.update_settings(desk.caller, defaultemailserverprofileid=reference)
    if found:
        update(desk, "emailserverprofile", name, found)
    elif default:
        desk.done(f"profile {name}: the default of new mailboxes", done="set", entity="emailserverprofile", default=True)
    else:
        raise UsageProblem("nothing to set: give an option or ATTRIBUTE=VALUE")


def enable_tested(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="By name, id or the beginning of an id.")],
    schedule_only: ScheduleOnly = False,
    test_only: TestOnly = False,
    received_after: ReceivedAfter = "",
) -> None:
    """Test and enable all mailboxes of a profile, queues first.

    postroom profile test-and-enable "Alder mail"
    """
    profile = finder(desk)("emailserverprofile", name)
    date = date_of(received_after)
    ids = desk.organization.schedule_profile_tests(desk.caller, profile.id, enable=not test_only, process_from=date)
    if not ids:
        raise RuleViolated(f"the profile {name!r} has no mailbox that server-side synchronization serves")
    carry_out_tests(desk, ids, schedule_only=schedule_only)


def register(app: typer.Typer) -> None:
    made = group(app, "profile", "Email server profiles: how mail servers are reached.")
    command(made, "test-and-enable")(enable_tested)
    command(made, "create")(create)
    command(made, "set")(set_)
    register_records(made, VIEW, without=("set",))
