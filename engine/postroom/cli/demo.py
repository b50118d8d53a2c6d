"""`postroom demo`: the main job, and how it looks on a terminal."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroom.cli.texts import clean, told

if TYPE_CHECKING:
    from rich.console import Console

    from postroom.demo.report import MessageRow, OutgoingRow, Place, Report
    from postroom.demo.run import Progress

__all__ = ["register"]

WIDTH = 100
"""Columns where nobody says otherwise: output to a file or a pipe."""

FILTERS = {
    0: "all mail",
    1: "answers to email that is stored: the default",
    2: "mail from contacts, leads and accounts",
    3: "mail from email-enabled records",
    4: "no mail",
}
STYLES = {"tracked": "green", "sent": "green", "filtered": "yellow", "partly": "yellow"}
SHOWN_KNOWN = 6
WORDS = {
    "accept all": "accept all: a filter takes all mail",
    "sender match": "sender match: the sender is known",
    "correlation match": "correlation match: it answers stored email",
    "duplicate": "duplicate: its Message-ID is stored already",
    "no correlation match": "no correlation match: no filter takes it",
    "no recipient match": "no recipient match: nobody here is named",
    "internal email reject": "internal email reject: between colleagues",
    "invalid sender": "invalid sender: no usable From",
}
"""Reason codes of CheckIncomingEmail in a few words; the document has the organization's own."""


AGAIN = "the same message again: one activity"


class TransportChoice(StrEnum):
    MEMORY = "memory"
    TCP = "tcp"


def demo(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="A folder of .eml files, an mbox, a Maildir, or single messages. Default: our own samples.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as one JSON document.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed, the same run.")] = 0,
    transport: Annotated[
        TransportChoice, typer.Option(help="How the engine reaches the mail server.")
    ] = TransportChoice.MEMORY,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep the organization's database, the messages and a transcript there: a new or empty folder."
        ),
    ] = None,
) -> None:
    """Take real mail in, track it, send some, and show what became of every message. Nothing leaves this machine.

    A mail server is started, the messages lie in its mailboxes, and an organization is made around the people in them. The engine fetches
    the mail over POP3 and TLS and sends over SMTP, until nothing is left to do. Exit code 0: the books balance.
    """
    from rich.console import Console

    from postroom.demo.report import as_document
    from postroom.demo.run import DemoProblem, run_demo
    from postroom_simulator.errors import SimulatorError

    try:
        with _progress(Console(stderr=True)) as progress:
            report = run_demo(paths or (), seed=seed, transport=transport.value, keep=keep, progress=progress)
    except (DemoProblem, SimulatorError, OSError) as error:
        typer.echo(f"postroom demo: {clean(told(error))}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(as_document(report), indent=2))
    else:
        _show(report)
        rate = len(report.messages) / max(report.seconds, 0.001)
        typer.echo(f"{_messages(report)} in {report.seconds:.1f} s, {rate:.{0 if rate >= 10 else 1}f} a second", err=True)
    if not report.good:
        raise typer.Exit(1)


@contextmanager
def _progress(console: Console) -> Iterator[Progress | None]:
    """A bar on a terminal while work is long, nothing otherwise."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total or None)


# -- what is shown ----------------------------------------------------------------------------------------------------


def _show(report: Report) -> None:
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    page = _Page(console)
    how = "in memory" if report.transport == "memory" else "over TCP on this machine"
    page.line(f"Postroom demo: {_messages(report)} from {report.source}, {how}, seed {report.seed}", style="bold")
    _show_people(page, report)
    page.heading("What became of each message")
    page.messages(report.messages)
    if report.written_here:
        page.heading("What was written here, where it came in")
        page.messages(report.written_here)
    page.heading("What was sent")
    for row in report.outgoing:
        if row.kind == "email":
            _show_outgoing(page, row)
    tests = [row for row in report.outgoing if row.kind == "test"]
    if tests:
        passed = sum(row.outcome == "sent" for row in tests)
        page.line(f"  and {len(tests)} messages by which the mailboxes were tested before they were enabled, {passed} sent")
    _show_books(page, report)


def _show_people(page: _Page, report: Report) -> None:
    page.heading(f"The organization at {report.domain}, which takes messages of at most {_size(report.limit)}")
    staff = [one for one in report.people if one.filter is not None]
    names, addresses = _widest((one.name for one in staff), 24), _widest((one.address for one in staff), 32)
    for one in staff:
        what = "queue" if one.kind == "queue" else "user"
        page.row((what, 5), (one.name, names), (one.address, addresses), (f"{FILTERS[one.filter or 0]} ({one.filter})", 0))
    known = [f"{one.name} ({one.kind})" for one in report.people if one.kind in {"contact", "lead", "account"}]
    more = f" and {len(known) - SHOWN_KNOWN} more" if len(known) > SHOWN_KNOWN else ""
    strangers = f"{report.strangers} stranger{'' if report.strangers == 1 else 's'} wrote too"
    page.text(f"It knows {', '.join(known[:SHOWN_KNOWN])}{more}; {strangers}.")
    described = {"group": "a group", "alias": "another address of {}", "disabled": "a disabled account"}
    others = [f"{one.address} ({described[one.kind].format(one.name)})" for one in report.people if one.kind in described]
    page.text(f"The mail server also has {', '.join(others)}.")


def _show_outgoing(page: _Page, row: OutgoingRow) -> None:
    outcome = "partly" if row.partly else row.outcome
    tries = "1 try" if row.attempts == 1 else f"{row.attempts} tries"
    page.row((outcome, 8), (f"{row.sender}: {row.subject}", 74), (tries, 0), styled=outcome)
    words = {True: "accepted", False: "refused", None: "not known"}
    for one in row.recipients:
        page.line(f"{'':12}to {one.address}: {words[one.accepted]}{f', {one.reply}' if one.reply else ''}")
    if row.note:
        page.line(f"{'':12}({row.note})")


def _show_books(page: _Page, report: Report) -> None:
    books = report.books
    page.heading("The books balance" if books.balanced else "The books do not balance")
    page.line(f"  offered   {books.offered:>5} = {_sum(books.counts['incoming'])}")
    page.line(f"  requested {books.requested:>5} = {_sum(books.counts['outgoing'])}")
    why: dict[str, list[str]] = {}
    for (outcome, reason), count in sorted(report.reasons().items(), key=lambda item: (-item[1], item[0])):
        why.setdefault(outcome, []).append(f"{count} {reason}")
    for outcome in ("tracked", "filtered", "pending"):
        if outcome in why:
            page.line(f"  {outcome:9} {', '.join(why[outcome])}")
    for problem in books.problems:
        page.line(f"  {problem}", style="red")
    if not report.complete:
        page.line("  Some mailboxes were still busy when the demo stopped waiting.", style="red")
    if report.kept:
        from postroom.demo.run import KEPT

        page.line(f"  Kept in {report.kept}: {', '.join(KEPT)}")


class _Page:
    """Lines in columns. Whatever is printed was made printable first, and is no markup."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = max(console.width, 80)

    def line(self, text: str, style: str = "") -> None:
        from rich.text import Text

        self._console.print(Text(clean(text), style), soft_wrap=True)

    def text(self, text: str) -> None:
        """A sentence, broken into lines."""
        for line in textwrap.wrap(clean(text), self._width, initial_indent="  ", subsequent_indent="  "):
            self.line(line)

    def heading(self, text: str) -> None:
        self.line("")
        self.line(text, style="bold")

    def row(self, *cells: tuple[str, int], styled: str = "") -> None:
        """Cells of (text, width), width 0: what is left of the line. The cell that says `styled` gets its colour."""
        from rich.text import Text

        line = Text("  ")
        for text, width in cells:
            room = width or self._width - line.cell_len
            style = STYLES.get(text, "red") if styled and text == styled else ""
            line.append(_fitted(clean(text), room) + ("  " if width else ""), style)
        line.rstrip()
        self._console.print(line, soft_wrap=True)

    def messages(self, rows: Iterable[MessageRow]) -> None:
        """A line for each place; the message is named on its first."""
        rows, seen = list(rows), set[tuple[str, str]]()
        boxes = _widest((_box(place) for row in rows for place in row.places), 12)

        def again(place: Place) -> bool:
            """Whether this copy became nothing new: the activity was shown before."""
            if place.outcome != "tracked" or not place.email_id:
                return False
            key = place.mailbox, place.email_id
            known = key in seen
            seen.add(key)
            return known

        named = self._width - 2 - boxes - 2 - 8 - 2 - max(map(len, WORDS.values())) - 2
        for row in rows:
            label = _label(row)
            for place in row.places:
                cells = ((label, named), (_box(place), boxes), (place.outcome, 8), (AGAIN if again(place) else _why(place), 0))
                self.row(*cells, styled=place.outcome)
                label = ""


def _messages(report: Report) -> str:
    return "1 message" if len(report.messages) == 1 else f"{len(report.messages)} messages"


def _label(row: MessageRow) -> str:
    """A file's name where it tells something, else the message's number in its mbox, and its subject."""
    name = row.name.rpartition("/")[2]
    if name.lower().endswith(".eml"):
        return row.name
    number = f"#{name.rpartition('#')[2]} " if "#" in name else ""
    return number + (row.subject or "(no subject)")


def _box(place: Place) -> str:
    return place.mailbox.partition("@")[0]


def _why(place: Place) -> str:
    """Why, in a few words; what was parked says what was wrong."""
    if place.outcome == "parked":
        return place.detail
    return WORDS.get(place.reason) or (f"{place.reason}: {place.detail}" if place.detail else place.reason)


def _widest(texts: Iterable[str], limit: int) -> int:
    """Columns for all of these texts, at most `limit`."""
    from rich.cells import cell_len

    return min(limit, max((cell_len(clean(text)) for text in texts), default=1))


def _sum(counts: object) -> str:
    assert isinstance(counts, dict)
    order = ("tracked", "filtered", "parked", "withdrawn", "pending", "lost", "sent", "failed", "uncertain", "canceled")
    return " + ".join(f"{counts[name]} {name}" for name in order if counts.get(name)) or "0"


def _size(octets: int) -> str:
    unit, word = (2**20, "MiB") if octets >= 2**20 else (2**10, "KiB")
    return f"{octets / unit:g} {word}" if octets % unit == 0 else f"{octets} octets"


def _fitted(text: str, width: int) -> str:
    """Exactly `width` columns; what is too long ends in an ellipsis."""
    from rich.cells import cell_len, set_cell_size

    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def register(app: typer.Typer) -> None:
    app.command()(demo)
