"""`postroom mailbox`: approve, test and enable mailboxes, and ask why one is skipped."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.desk import Desk, Failed, UsageProblem, command, group
from postroom.cli.finding import find, labels
from postroom.cli.inputs import assignments, given, moment, password
from postroom.cli.records import AskPassword, Name, Names, PasswordFrom, Values, View, each, finder, show_list, update
from postroom.cli.records import register as register_records
from postroom.cli.running import engine, stoppable
from postroom.model import Lookup, Mailbox, MailboxTestStatus

if TYPE_CHECKING:
    from postroom.organization import Operation, RunFailure
    from postroom.organization.explain import Skipped

__all__ = ["ReceivedAfter", "ScheduleOnly", "TestOnly", "carry_out_tests", "date_of", "register"]

VIEW = View(
    "mailbox",
    {
        "address": lambda one: one.emailaddress or "",
        "of": lambda one: one.regardingobjectid or "forward mailbox",
        "profile": "emailserverprofile",
        "approval": lambda one: _word(one.emailrouteraccessapproval),
        "incoming": lambda one: _direction(one, "incoming"),
        "outgoing": lambda one: _direction(one, "outgoing"),
        "state": lambda one: _word(one.statecode),
    },
    ("emailaddress",),
    "ada@alder.example",
)


def _word(value: Any) -> str:
    return "" if value is None else str(value.name).lower().replace("_", " ")


def _direction(box: Mailbox, direction: str) -> str:
    """enabled, tested and so on, in one word."""
    if getattr(box, f"enabledfor{direction}email"):
        return "enabled"
    status: MailboxTestStatus = getattr(box, f"{direction}emailstatus")
    return {MailboxTestStatus.FAILURE: "test failed", MailboxTestStatus.SUCCESS: "off, test passed"}.get(status, "not tested")


def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    values: Values = None,
    address: Annotated[str, typer.Option("--address", metavar="ADDRESS", help="The email address.")] = "",
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="How its server is reached.")] = "",
    username: Annotated[str, typer.Option("--username", metavar="NAME", help="Default: its address.")] = "",
    ask: AskPassword = False,
    password_env: PasswordFrom = "",
) -> None:
    """Make a forward mailbox. Users and queues get their mailboxes when they are made.

    postroom mailbox create Catch-all --address all@alder.example --profile "Alder mail" --password
    """
    (typed,) = assignments(values or (), finder(desk), Mailbox)
    found = given({"emailaddress": address or None}) | {"name": name}
    if profile:
        found["emailserverprofile"] = find(desk.organization, "emailserverprofile", profile)
    found |= _credentials(username, address, ask, password_env, name) | typed
    made = desk.organization.create(desk.caller, "mailbox", **found)
    desk.done(f"forward mailbox {name} made", done="created", entity="mailbox", id=made, name=name)


def _credentials(username: str, address: str, ask: bool, password_env: str, what: str) -> dict[str, Any]:
    secret = password(ask, password_env, what)
    if not username and secret is None:
        return {}
    return given({"allowemailconnectortousecredentials": True, "username": username or address or None, "password": secret})


def set_(
    desk: Desk,
    name: Name,
    values: Values = None,
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="How its server is reached.")] = "",
    username: Annotated[str, typer.Option("--username", metavar="NAME", help="What it logs in with.")] = "",
    ask: AskPassword = False,
    password_env: PasswordFrom = "",
) -> None:
    """Change a mailbox. A new address has to be approved again, a new profile, login or password tested again.

    postroom mailbox set ada@alder.example --username ada --password
    postroom mailbox set ada@alder.example processemailreceivedafter=2026-03-01
    """
    (found,) = assignments(values or (), finder(desk), Mailbox)
    if profile:
        found["emailserverprofile"] = find(desk.organization, "emailserverprofile", profile)
    found |= _credentials(username, "", ask, password_env, name)
    if not found:
        raise UsageProblem("nothing to set: give an option or ATTRIBUTE=VALUE")
    if "password" in found and not username:
        reference = find(desk.organization, "mailbox", name)
        box = desk.organization.retrieve(desk.caller, "mailbox", reference.id)
        found |= {} if box.username else {"username": box.emailaddress}
    update(desk, "mailbox", name, found)


def approve(desk: Desk, names: Names) -> None:
    """Approve the addresses of mailboxes: mail is processed only for approved ones, unless the organization asks for no approval."""
    each(desk, "mailbox", names, lambda one: desk.organization.approve_email(desk.caller, one), "approved")


def reject(desk: Desk, names: Names) -> None:
    """Reject the addresses of mailboxes."""
    each(desk, "mailbox", names, lambda one: desk.organization.reject_email(desk.caller, one), "rejected")


def apply_defaults(
    desk: Desk,
    names: Names,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Also schedule their tests.")] = True,
) -> None:
    """Give mailboxes the default profile and the default delivery methods, and schedule their tests."""
    ids = [find(desk.organization, "mailbox", name).id for name in names]
    desk.organization.apply_default_email_settings(desk.caller, ids, test=test)
    called = labels(desk.organization, {Lookup("mailbox", one) for one in ids})
    done = "default settings applied" + (", test scheduled" if test else "")
    for one in ids:
        desk.say(f"mailbox {called[one]}: {done}")
    if desk.common.json:
        desk.document({"items": [{"done": done, "entity": "mailbox", "id": one, "name": called[one]} for one in ids]})


# -- test and enable --------------------------------------------------------------------------------------------------


ScheduleOnly = Annotated[bool, typer.Option("--schedule-only", help="Leave the testing to the next `postroom sync`.")]
TestOnly = Annotated[bool, typer.Option("--test-only", help="Look whether it works, but enable nothing.")]
ReceivedAfter = Annotated[
    str,
    typer.Option(
        "--received-after",
        metavar="DATE",
        help="Leave older mail alone: processemailreceivedafter; later than the profile's date.",
    ),
]


def enable_tested(
    desk: Desk,
    names: Names,
    schedule_only: ScheduleOnly = False,
    test_only: TestOnly = False,
    received_after: ReceivedAfter = "",
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Even where another enabled mailbox has the address: that one stops.")
    ] = False,
) -> None:
    """Log in to the servers of mailboxes, send each a test message, and enable what works.

        postroom mailbox test-and-enable ada@alder.example support@alder.example
        postroom mailbox test-and-enable ada@alder.example --received-after 2026-03-01

    Each direction is reported. Exit code 1 when one failed or could not be tested.
    """
    ids = [find(desk.organization, "mailbox", name).id for name in names]
    date = date_of(received_after)
    for one in ids:
        desk.organization.schedule_test(desk.caller, one, enable=not test_only, process_from=date, take_over=take_over)
    carry_out_tests(desk, ids, schedule_only=schedule_only)


def carry_out_tests(desk: Desk, ids: list[str], *, schedule_only: bool) -> None:
    """Tests that are scheduled: run now and reported, or left. Raises Failed unless every direction passed."""
    called = labels(desk.organization, {Lookup("mailbox", one) for one in ids})
    if schedule_only:
        for one in ids:
            desk.say(f"{called[one]}: test scheduled; it runs at the next `postroom sync`")
        if desk.common.json:
            desk.document(
                {"items": [{"done": "scheduled", "entity": "mailbox", "id": one, "name": called[one]} for one in ids]}
            )
        return
    failures = _run_tests(desk, ids)
    results = [_result(desk, one, called[one], failures) for one in ids]
    if desk.common.json:
        desk.document({"items": results})
    else:
        for result in results:
            _say_result(desk, result)
    if not all(result["passed"] for result in results):
        raise Failed("not every direction passed")


def date_of(text: str) -> datetime | None:
    try:
        return moment(text) if text else None
    except ValueError as wrong:
        raise UsageProblem(f"--received-after: {wrong}") from None


def _run_tests(desk: Desk, ids: list[str]) -> dict[tuple[str, str], RunFailure | None]:
    """(mailbox, direction) -> what went wrong, None: nothing."""
    from postroom.organization import Operation

    found: dict[tuple[str, str], RunFailure | None] = {}

    def tested(mailbox_id: str, direction: Operation, failure: RunFailure | None) -> None:
        found[mailbox_id, direction.value] = failure

    with engine(desk, tested=tested) as running:
        stoppable(lambda: running.run_due(operations={Operation.TEST}, mailboxes=ids), running.stop)
    return found


def _result(desk: Desk, mailbox_id: str, name: str, failures: dict[tuple[str, str], RunFailure | None]) -> dict[str, Any]:
    from postroom.rules.eligibility import served
    from postroom.rules.operation import COLUMNS

    box = desk.organization.retrieve(desk.caller, "mailbox", mailbox_id)
    directions = []
    for direction, columns in COLUMNS.items():
        if not served(direction.value, box):
            continue
        status: MailboxTestStatus = getattr(box, columns.status)
        failure = failures.get((mailbox_id, direction.value))
        directions.append(
            {
                "direction": direction.value,
                "status": int(status),
                "result": _word(status),
                "enabled": getattr(box, columns.enabled),
                "error": None if failure is None else {"code": failure.code, "text": failure.text},
                "again_after": box.postponetestemailconfigurationuntil if status is MailboxTestStatus.NOT_RUN else None,
            }
        )
    untested = not any(key[0] == mailbox_id for key in failures)
    reasons = [one.text for one in desk.organization.explain_mailbox(mailbox_id, "test")] if untested else []
    return {
        "mailbox": mailbox_id,
        "name": name,
        "passed": bool(directions) and all(one["status"] == MailboxTestStatus.SUCCESS for one in directions),
        "directions": directions,
        "not_tested_because": reasons,
    }


def _say_result(desk: Desk, result: dict[str, Any]) -> None:
    desk.say(f"{result['name']}")
    if result["not_tested_because"]:
        desk.say(f"  not tested: {'; '.join(result['not_tested_because'])}")
        return
    for one in result["directions"]:
        text = one["result"] + (", enabled" if one["enabled"] else "")
        if one["error"] is not None:
            text += f": {one['error']['text']} ({one['error']['code']})"
        if one["again_after"] is not None:
            text = text.replace("not run", "no answer yet") + f"; tried again after {one['again_after']:%H:%M:%S} UTC"
        desk.say(f"  {one['direction']:9} {text}")


# -- why --------------------------------------------------------------------------------------------------------------


def explain(desk: Desk, name: Name) -> None:
    """Why a mailbox is or is not processed: what speaks against it, the attributes that it comes from, what takes it away.

    postroom mailbox explain ada@alder.example
    """
    from postroom.channels.server_side_sync import this_host
    from postroom.cli.explaining import shown_skipped
    from postroom.organization import Operation

    reference = find(desk.organization, "mailbox", name)
    box = desk.organization.retrieve(desk.caller, "mailbox", reference.id)
    found: dict[str, list[Skipped]] = {}
    for operation in (Operation.INCOMING, Operation.OUTGOING):
        found[operation.value] = desk.organization.explain_skipped(desk.caller, reference.id, operation, holder=this_host())
    if box.testemailconfigurationscheduled:
        found["test"] = desk.organization.explain_skipped(desk.caller, reference.id, Operation.TEST, holder=this_host())
    shown_skipped(desk, box, found)


_FAILURES = View(
    "exchangesyncidmapping",
    {
        "of": "ownerid",
        "email": lambda one: one.itemsubject or "(no subject)",
        "way": lambda one: "outgoing" if one.objectid else "incoming",
        "why": "lastsyncerror",
        "tries": "retries",
        "last": "lastsyncerroroccurredon",
    },
)


def failures(desk: Desk) -> None:
    """Single emails that failed and have not come right yet, the newest first. Subjects are shown to the mailbox's owner only.

    postroom mailbox failures --as ada@example.test
    """
    order = ("-lastsyncerroroccurredon",)
    found = desk.organization.retrieve_multiple(desk.caller, _FAILURES.entity, order_by=order, limit=200)
    show_list(desk, _FAILURES, found)


def register(app: typer.Typer) -> None:
    made = group(app, "mailbox", "Mailboxes: approve them, test and enable them, ask why one is skipped.")
    for name, function in (
        ("create", create),
        ("set", set_),
        ("approve", approve),
        ("reject", reject),
        ("test-and-enable", enable_tested),
        ("apply-defaults", apply_defaults),
        ("explain", explain),
        ("failures", failures),
    ):
        command(made, name)(function)
    register_records(made, VIEW, without=("set",))
