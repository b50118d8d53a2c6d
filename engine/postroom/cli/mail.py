"""`postroom mail`: what came in and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from postroom.cli.desk import Desk, UsageProblem, command, group
from postroom.cli.finding import find
from postroom.cli.show import fields, table
from postroom.cli.texts import listed
from postroom.errors import RecordNotFound

if TYPE_CHECKING:
    from postroom.organization.mail_log import MailRow

__all__ = ["register"]

Which = Annotated[str, typer.Argument(metavar="MAIL", help="By its number, its Message-ID or its subject.")]


def list_(
    desk: Desk,
    mailbox: Annotated[str, typer.Option("--mailbox", metavar="NAME", help="Only this mailbox.")] = "",
    what: Annotated[
        str, typer.Option("--what", metavar="OUTCOME", help="Only tracked, filtered, parked, pending or failing mail.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
) -> None:
    """The mail that came in, the newest first, and what became of it.

    postroom mail list --what filtered
    postroom mail list --mailbox ada@alder.example --limit 10 --json
    """
    from postroom.organization.mail_log import DISPOSITIONS

    if what and what not in DISPOSITIONS:
        raise UsageProblem(f"--what: {listed(DISPOSITIONS)}, not {what!r}")
    mailbox_id = find(desk.organization, "mailbox", mailbox).id if mailbox else None
    rows = desk.organization.mail(desk.caller, mailbox_id=mailbox_id, disposition=what or None, limit=limit)
    if desk.common.json:
        desk.document({"items": [_document(row) for row in rows]})
        return
    table(
        ("mail", "at", "mailbox", "from", "subject", "outcome", "why"),
        [
            (
                f"#{row.number}",
                row.at,
                row.address,
                row.sender,
                row.subject,
                row.disposition,
                row.detail if row.disposition in ("parked", "failing") else row.reason,
            )
            for row in rows
        ],
        nothing="no mail",
    )


def _document(row: MailRow) -> dict[str, object]:
    return {
        "number": row.number,
        "mailbox": row.mailbox_id,
        "address": row.address,
        "sender": row.sender,
        "subject": row.subject,
        "message_id": row.message_id,
        "disposition": row.disposition,
        "reason": row.reason,
        "detail": row.detail,
        "email": row.email_id,
        "attempts": row.attempts,
        "size": row.size,
        "source_key": row.source_key,
        "received_on": row.received_on,
        "at": row.at,
    }


def _found(desk: Desk, text: str) -> list[MailRow]:
    rows = desk.organization.find_mail(desk.caller, text)
    if not rows:
        raise RecordNotFound(f"no mail {text!r}; postroom mail list names them")
    return rows


def show(desk: Desk, which: Which) -> None:
    """One message: its row in the ledger, at each mailbox where it was offered."""
    rows = _found(desk, which)
    if desk.common.json:
        desk.document({"items": [_document(row) for row in rows]})
        return
    for number, row in enumerate(rows):
        if number:
            typer.echo()
        fields({name.replace("_", " "): value for name, value in _document(row).items() if value not in (None, "", 0)})


def explain(desk: Desk, which: Which) -> None:
    """Why a message was tracked, filtered or parked: the rule, what it saw, and the settings that would change it.

    postroom mail explain 17
    postroom mail explain "Re: your order"
    """
    from postroom.cli.explaining import shown_mail

    shown_mail(desk, [desk.organization.explain_mail(desk.caller, row.number) for row in _found(desk, which)])


def register(app: typer.Typer) -> None:
    made = group(app, "mail", "What came in, what became of it, and why.")
    for name, function in (("list", list_), ("show", show), ("explain", explain)):
        command(made, name)(function)
