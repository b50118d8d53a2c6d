"""`postroom user` and `postroom queue`: whose mail it is. Each has a mailbox, made with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from postroom.cli.desk import Desk, UsageProblem, command, group
from postroom.cli.finding import find
from postroom.cli.inputs import assignments, given, option, password
from postroom.cli.records import AskPassword, Name, PasswordFrom, Values, View, finder, show_record, update
from postroom.cli.records import register as register_records
from postroom.model import IncomingFilteringMethod, Queue, SystemUser, UserSettings
from postroom.model.attributes import Record
from postroom.model.secret import Secret

__all__ = ["register"]

SERVER_SIDE_SYNC = 2

USERS = View(
    "systemuser",
    {
        "name": "fullname",
        "address": "internalemailaddress",
        "incoming": "incomingemaildeliverymethod",
        "outgoing": "outgoingemaildeliverymethod",
        "address approval": "emailrouteraccessapproval",
        "disabled": "isdisabled",
    },
    ("fullname",),
    "ada@alder.example",
)
QUEUES = View(
    "queue",
    {
        "name": "name",
        "address": "emailaddress",
        "tracks": "incomingemailfilteringmethod",
        "incoming": "incomingemaildeliverymethod",
        "outgoing": "outgoingemaildeliverymethod",
        "address approval": "emailrouteraccessapproval",
        "state": "statecode",
    },
    ("name",),
    "Support",
)

Address = Annotated[str, typer.Option("--address", metavar="ADDRESS", help="The email address.")]
Username = Annotated[
    str, typer.Option("--username", metavar="NAME", help="What the mailbox logs in with. Default: its address.")
]
Track = Annotated[
    str,
    typer.Option(
        "--track",
        metavar="FILTER",
        help="Which mail becomes an activity: all, in response to crm email, from leads contacts accounts, "
        "from email enabled records, no email messages; or the numbers 0 to 4.",
    ),
]
Synced = Annotated[
    bool, typer.Option("--synced/--not-synced", help="Whether server-side synchronization serves the mailbox, both ways.")
]
Deletes = Annotated[
    bool, typer.Option("--delete-processed", help="Mail is deleted from the server once it was processed (queues only).")
]


def _track(text: str) -> IncomingFilteringMethod | None:
    if not text:
        return None
    try:
        return IncomingFilteringMethod(option(IncomingFilteringMethod, text))
    except ValueError as wrong:
        raise UsageProblem(f"--track: {wrong}") from None


def _create(
    desk: Desk, entity: str, values: dict[str, Any], username: str, secret: Secret | None, **mailbox: Any
) -> tuple[str, str]:
    """The owner's id and its mailbox's."""
    record_id = desk.organization.create(desk.caller, entity, **values)
    box = desk.organization.retrieve(desk.caller, entity, record_id).defaultmailbox
    if username or secret is not None:
        address = values.get("internalemailaddress") or values.get("emailaddress")
        mailbox |= {"allowemailconnectortousecredentials": True, "username": username or address}
        if secret is not None:
            mailbox["password"] = secret
    if mailbox:
        desk.organization.update(desk.caller, "mailbox", box.id, **mailbox)
    return record_id, box.id


def _methods(synced: bool) -> dict[str, Any]:
    method = SERVER_SIDE_SYNC if synced else None
    return given({"incomingemaildeliverymethod": method, "outgoingemaildeliverymethod": method})


def create_user(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    values: Values = None,
    address: Address = "",
    username: Username = "",
    ask: AskPassword = False,
    password_env: PasswordFrom = "",
    track: Track = "",
    synced: Synced = True,
) -> None:
    """Make a user and its mailbox.

        postroom user create "Ada Alder" --address ada@alder.example --password

    The password is what the mailbox logs in to its mail server with. The mailbox is then to be approved, tested and enabled:
    `postroom mailbox approve`, `postroom mailbox test-and-enable`.
    """
    typed, settings = assignments(values or (), finder(desk), SystemUser, UserSettings)
    settings |= given({"incomingemailfilteringmethod": _track(track)})
    found = _methods(synced) | given({"internalemailaddress": address or None}) | {"fullname": name} | typed
    record_id, box = _create(desk, "systemuser", found, username, password(ask, password_env, name))
    if settings:
        desk.organization.update(desk.caller, "usersettings", record_id, **settings)
    _made(desk, "user", "systemuser", name, record_id, box)


def create_queue(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    values: Values = None,
    address: Address = "",
    username: Username = "",
    ask: AskPassword = False,
    password_env: PasswordFrom = "",
    track: Track = "",
    synced: Synced = True,
    delete_processed: Deletes = False,
) -> None:
    """Make a queue and its mailbox. A queue tracks all mail unless --track says otherwise.

    postroom queue create Support --address support@alder.example --password
    """
    (typed,) = assignments(values or (), finder(desk), Queue)
    found = _methods(synced) | given({"emailaddress": address or None, "incomingemailfilteringmethod": _track(track)})
    found |= {"name": name} | typed
    more = {"processanddeleteemails": True} if delete_processed else {}
    record_id, box = _create(desk, "queue", found, username, password(ask, password_env, name), **more)
    _made(desk, "queue", "queue", name, record_id, box)


def _made(desk: Desk, noun: str, entity: str, name: str, record_id: str, box: str) -> None:
    mailbox = desk.organization.retrieve(desk.caller, "mailbox", box)
    profile = (
        ""
        if mailbox.emailserverprofile
        else "\nits mailbox has no profile: there is no default profile, or no direction is synced"
    )
    desk.done(
        f"{noun} {name} made, with a mailbox{profile}", done="created", entity=entity, id=record_id, name=name, mailbox=box
    )


def set_user(desk: Desk, name: Name, values: Values = None, track: Track = "") -> None:
    """Change a user, or what it wants tracked.

    postroom user set ada@alder.example --track all
    postroom user set ada@alder.example issendasallowed=yes
    """
    typed, settings = assignments(values or (), finder(desk), SystemUser, UserSettings)
    settings |= given({"incomingemailfilteringmethod": _track(track)})
    reference = find(desk.organization, "systemuser", name)
    if not typed and not settings:
        raise UsageProblem("nothing to set: give an option or ATTRIBUTE=VALUE")
    if typed:
        desk.organization.update(desk.caller, "systemuser", reference.id, **typed)
    if settings:
        desk.organization.update(desk.caller, "usersettings", reference.id, **settings)
    names = [*typed, *settings]
    desk.done(
        f"user {name}: {', '.join(names)} set", done="set", entity="systemuser", id=reference.id, attributes=sorted(names)
    )


def set_queue(desk: Desk, name: Name, values: Values = None, track: Track = "") -> None:
    """Change a queue, or what it wants tracked.

    postroom queue set Support --track "from leads contacts accounts"
    """
    (typed,) = assignments(values or (), finder(desk), Queue)
    found = typed | given({"incomingemailfilteringmethod": _track(track)})
    if not found:
        raise UsageProblem("nothing to set: give an option or ATTRIBUTE=VALUE")
    update(desk, "queue", name, found)


def show_user(
    desk: Desk,
    name: Name,
    everything: Annotated[bool, typer.Option("--all", help="Also the attributes that are empty or as they come.")] = False,
) -> None:
    """One user, with its personal settings."""
    reference = find(desk.organization, "systemuser", name)
    settings = desk.organization.retrieve(desk.caller, "usersettings", reference.id)
    names: Sequence[str] = ("incomingemailfilteringmethod", "issendasallowed", "autocreatecontactonpromote")
    more = {name: getattr(settings, name) for name in names}
    record: Record = desk.organization.retrieve(desk.caller, "systemuser", reference.id)
    show_record(desk, record, everything=everything, more=more)


def register(app: typer.Typer) -> None:
    users = group(app, "user", "Users: each has a mailbox, made with it.")
    command(users, "create")(create_user)
    command(users, "set")(set_user)
    command(users, "show")(show_user)
    register_records(users, USERS, without=("set", "show"))
    queues = group(app, "queue", "Queues: each has a mailbox, made with it.")
    command(queues, "create")(create_queue)
    command(queues, "set")(set_queue)
    register_records(queues, QUEUES, without=("set",))
