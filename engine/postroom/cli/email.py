"""`postroom email`: email activities, those to be sent above all."""

from __future__ import annotations

import mimetypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.desk import Desk, UsageProblem, command, group
from postroom.cli.finding import find, labels
from postroom.cli.records import Names, each
from postroom.cli.show import fields, lines, table
from postroom.cli.texts import counted
from postroom.errors import OrganizationError, RecordNotFound
from postroom.model import ActivityParty, Email, EmailStatus, Lookup, ParticipationType

if TYPE_CHECKING:
    from postroom.organization.callers import Caller

__all__ = ["register"]

BODY_LIMIT = 10 * 1024 * 1024
"""Octets of a body and of each file that are read; ours."""
_PEOPLE = ("systemuser", "queue", "contact", "account", "lead")
_KINDS: dict[ParticipationType | None, str] = {
    ParticipationType.SENDER: "from",
    ParticipationType.TO: "to",
    ParticipationType.CC: "cc",
    ParticipationType.BCC: "bcc",
}
Which = Annotated[str, typer.Argument(metavar="EMAIL", help="By subject, Message-ID, id or the beginning of an id.")]


def list_(
    desk: Desk,
    status: Annotated[
        str,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only draft, pending send, sending, sent, failed, received, completed, canceled; or uncertain.",
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
) -> None:
    """The emails of the organization, the newest first.

    postroom email list --status "pending send"
    postroom email list --status uncertain
    """
    found = _with_status(desk, status, limit)
    entries = desk.organization.outgoing_log(desk.caller, email_ids=[one.activityid for one in found], limit=None)
    marks = {one.email_id: one.mark for one in entries}
    if desk.common.json:
        desk.document({"items": [{**_head(one), "mark": marks.get(one.activityid)} for one in found]})
        return
    rows = [
        (
            one.activityid[:8],
            "out" if one.directioncode else "in",
            "uncertain" if marks.get(one.activityid) == "uncertain" else one.statuscode.name.lower().replace("_", " "),
            one.sender or "",
            one.torecipients or "",
            one.subject or "",
            one.createdon,
        )
        for one in found
    ]
    table(("email", "", "status", "from", "to", "subject", "made"), rows, nothing="no emails")


def _with_status(desk: Desk, status: str, limit: int) -> list[Email]:
    conditions: dict[str, Any] = {}
    if status == "uncertain":
        entries = desk.organization.outgoing_log(desk.caller, marks=("uncertain",), limit=limit)
        conditions["activityid"] = [entry.email_id for entry in entries]
    elif status:
        from postroom.cli.inputs import option

        try:
            conditions["statuscode"] = option(EmailStatus, status)
        except ValueError as wrong:
            raise UsageProblem(f"--status: {wrong}; or uncertain") from None
    return desk.organization.retrieve_multiple(desk.caller, "email", order_by=("-createdon",), limit=limit, **conditions)


def _head(email: Email) -> dict[str, Any]:
    names = ("activityid", "directioncode", "statecode", "statuscode", "sender", "torecipients", "subject", "messageid")
    more = ("regardingobjectid", "ownerid", "trackingtoken", "deliveryattempts", "senton", "createdon")
    return {name: getattr(email, name) for name in (*names, *more)}


def show(desk: Desk, which: Which) -> None:
    """One email: its parties, its state, and for one to be sent what the server said about each recipient."""
    reference = find(desk.organization, "email", which)
    email: Email = desk.organization.retrieve(desk.caller, "email", reference.id)
    parties: list[ActivityParty] = desk.organization.retrieve_multiple(desk.caller, "activityparty", activityid=reference)
    entry = next(iter(desk.organization.outgoing_log(desk.caller, email_ids=[reference.id])), None)
    if desk.common.json:
        document = {
            **_head(email),
            "description": email.description,
            "parties": [
                {"kind": kind, "party": one.partyid, "address": one.addressused}
                for one in parties
                if (kind := _KINDS.get(one.participationtypemask))
            ],
            "outgoing": entry,
        }
        desk.document(document)
        return
    names = labels(desk.organization, {one.partyid for one in parties if one.partyid is not None})
    values: dict[str, Any] = {name: value for name, value in _head(email).items() if value not in (None, "")}
    for mask, word in _KINDS.items():
        shown = [_party(one, names) for one in parties if one.participationtypemask is mask]
        if shown:
            values[word] = ", ".join(shown)
    fields(values, labels(desk.organization, {one for one in values.values() if isinstance(one, Lookup)}))
    if entry is not None:
        print(f"\nsending: {entry.mark}{f', {entry.reason}' if entry.reason else ''}, attempts so far: {entry.attempts}")
        words = {True: "accepted", False: "refused", None: "not known"}
        for one in entry.recipients:
            lines(f"{one.address}: {words[one.accepted]}{f', {one.reply}' if one.reply else ''}", indent="  ")
    if email.description:
        print()
        lines(email.description)


def _party(party: ActivityParty, names: dict[str, str]) -> str:
    if party.partyid is None:
        return party.addressused or ""
    return names.get(party.partyid.id, party.addressused or "")


def send(
    desk: Desk,
    from_: Annotated[
        str, typer.Option("--from", metavar="NAME", help="The user or queue that sends. Default: who --as names.")
    ] = "",
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="NAME", help="A record by name or address. Repeatable.")
    ] = None,
    cc: Annotated[list[str] | None, typer.Option("--cc", metavar="NAME", help="Likewise.")] = None,
    bcc: Annotated[list[str] | None, typer.Option("--bcc", metavar="NAME", help="Likewise.")] = None,
    subject: Annotated[str, typer.Option("--subject", "-s", metavar="TEXT")] = "",
    body: Annotated[str, typer.Option("--body", metavar="TEXT", help="The text; HTML when it begins with <.")] = "",
    body_file: Annotated[
        str, typer.Option("--body-file", metavar="PATH", help="The text from a file; - reads the input.")
    ] = "",
    attach: Annotated[
        list[Path] | None, typer.Option("--attach", metavar="PATH", help="A file to go with it. Repeatable.")
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Make it, but do not send it.")] = False,
    again: Annotated[str, typer.Option("--email", metavar="EMAIL", help="Send this draft, or this failed email again.")] = "",
) -> None:
    """Write an email and have it sent: it is Pending Send, and the next `postroom sync` sends it.

        postroom email send --from ada@alder.example --to betty@birch.example --subject "Your order" --body "It is on its way."
        postroom email send --email 7c9e6679

    Without --as it is sent as the user that --from names. Recipients are records; addresses that nobody has are taken only where the organization allows it
    (`postroom settings set allowunresolvedpartiesonemailsend=yes`).
    """
    if again:
        email_id = find(desk.organization, "email", again).id
        caller = _for(desk, _author_of(desk, email_id))
    else:
        if not from_ and not desk.common.as_:
            raise UsageProblem("who sends? give --from, or --as")
        sender = _sender(desk, from_) if from_ else None
        caller = _for(desk, sender)
        email_id = desk.organization.create_email(
            caller,
            from_=sender,
            to=[_recipient(desk, one) for one in to or ()],
            cc=[_recipient(desk, one) for one in cc or ()],
            bcc=[_recipient(desk, one) for one in bcc or ()],
            subject=subject,
            description=_body(body, body_file),
            attachments=[_attachment(path) for path in attach or ()],
        )
    if draft:
        desk.done(f"draft {email_id} made", done="drafted", entity="email", id=email_id)
        return
    try:
        sent = desk.organization.send_email(caller, email_id)
    except OrganizationError:
        if not again:  # what was refused leaves no draft behind
            desk.organization.delete(caller, "email", email_id)
        raise
    desk.done(f"email {email_id} waits to be sent: {sent}", done="requested", entity="email", id=email_id, subject=sent)


def _for(desk: Desk, sender: Lookup | None) -> Caller:
    """Who sends: with --as that user. An administrator sends for the user whose email it is, as that user."""
    from postroom.organization.callers import READ_ACTIVITY, WRITE_ACTIVITY, Caller

    if desk.common.as_ or sender is None or sender.entity != "systemuser":
        return desk.caller
    return Caller.user(sender.id, READ_ACTIVITY, WRITE_ACTIVITY)


def _author_of(desk: Desk, email_id: str) -> Lookup | None:
    kind = ParticipationType.SENDER
    parties = desk.organization.retrieve_multiple(
        desk.caller, "activityparty", activityid=Lookup("email", email_id), participationtypemask=kind
    )
    return parties[0].partyid if parties else None


def _sender(desk: Desk, text: str) -> Lookup:
    return _first(desk, text, ("systemuser", "queue")) or _nobody(text, "user or queue")


def _nobody(text: str, what: str) -> Lookup:
    raise RecordNotFound(f"no {what} {text!r}")


def _first(desk: Desk, text: str, entities: tuple[str, ...]) -> Lookup | None:
    """The first entity that has such a record. Raises Ambiguous."""
    from postroom.cli.finding import Ambiguous

    for entity in entities:
        try:
            return find(desk.organization, entity, text)
        except Ambiguous:
            raise
        except RecordNotFound:
            continue
    return None


def _recipient(desk: Desk, text: str) -> Lookup | str:
    """ "contact:Betty" names the entity; else users before queues, contacts, accounts, leads; else the address as it is."""
    entity, colon, rest = text.partition(":")
    if colon and entity.isidentifier():
        return find(desk.organization, entity, rest)
    found = _first(desk, text, _PEOPLE)
    if found is None and "@" not in text:
        return _nobody(text, "recipient")
    return found or text


def _body(body: str, body_file: str) -> str:
    if body and body_file:
        raise UsageProblem("--body and --body-file: only one of them")
    if not body_file:
        return body
    octets = sys.stdin.buffer.read(BODY_LIMIT + 1) if body_file == "-" else _read(Path(body_file))
    if len(octets) > BODY_LIMIT:
        raise UsageProblem(f"--body-file: at most {BODY_LIMIT} octets")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageProblem("--body-file: text in UTF-8 expected") from None


def _read(path: Path) -> bytes:
    if path.is_dir() or path.stat().st_size > BODY_LIMIT:
        raise UsageProblem(f"{path}: a file of at most {BODY_LIMIT} octets expected")
    return path.read_bytes()


def _attachment(path: Path) -> Any:
    from postroom.mime.values import Attachment

    return Attachment(path.name, mimetypes.guess_type(path.name)[0] or "application/octet-stream", _read(path))


def link(
    desk: Desk,
    which: Which,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An address of the email that no record has.")],
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="Whose address it is: a record by name or address.")],
) -> None:
    """Say whose an unresolved address of an email is.

        postroom email link "Ten pencils" betty@home.example --to contact:Betty

    Where the organization wants it (`resolvesimilarunresolvedemailaddress`), the same address in other emails too.
    """
    reference = find(desk.organization, "email", which)
    parties = desk.organization.retrieve_multiple(desk.caller, "activityparty", activityid=reference, partyid=None)
    wanted = [one for one in parties if (one.addressused or "").casefold() == address.casefold()]
    if not wanted:
        raise RecordNotFound(f"the email has no unresolved address {address!r}")
    record = _recipient(desk, to)
    if isinstance(record, str):
        record = _nobody(to, "record")
    number = desk.organization.resolve_party(desk.caller, wanted[0].activitypartyid, record)
    desk.done(
        f"{address} is {to}, in {counted(number, 'place')}",
        done="linked",
        entity="email",
        id=reference.id,
        to=record,
        count=number,
    )


def cancel(desk: Desk, names: Names) -> None:
    """Cancel drafts, failed emails, and those that wait and that no run has begun to send."""
    each(desk, "email", names, lambda one: desk.organization.cancel_email(desk.caller, one), "canceled")


def resolve(
    desk: Desk,
    names: Names,
    sent: Annotated[
        bool | None, typer.Option("--sent/--not-sent", help="It arrived; or it did not, and is to be sent again.")
    ] = None,
) -> None:
    """Say what became of uncertain emails: nobody knows whether the server took them, and they are not sent again by themselves.

    postroom email list --status uncertain
    postroom email resolve 7c9e6679 --sent
    """
    if sent is None:
        raise UsageProblem("say --sent or --not-sent")
    done = "sent, as somebody said" if sent else "to be sent again"
    each(desk, "email", names, lambda one: desk.organization.resolve_uncertain(desk.caller, one, sent), done)


def register(app: typer.Typer) -> None:
    made = group(app, "email", "Email activities: write one and have it sent, look what became of it.")
    for name, function in (
        ("list", list_),
        ("show", show),
        ("send", send),
        ("link", link),
        ("cancel", cancel),
        ("resolve", resolve),
    ):
        command(made, name)(function)
