"""`postroom sync`: server-side synchronization at work, against real servers."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.desk import Desk, Failed, UsageProblem, command
from postroom.cli.running import THREADS, engine, stoppable
from postroom.cli.texts import counted

if TYPE_CHECKING:
    from postroom.model import Mailbox
    from postroom.runtime.outcome import JobReport

__all__ = ["register"]

LOOK_EVERY = 5.0
"""Seconds at most between two looks for work that others asked for meanwhile."""
_COUNTS = {
    "mail_tracked": "tracked",
    "mail_filtered": "filtered",
    "mail_parked": "parked",
    "emails_sent": "sent",
    "emails_failed": "not sent",
    "emails_uncertain": "uncertain",
}


def sync(
    desk: Desk,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now, then end.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C or SIGTERM.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for the schedule: mailboxes are processed at once.")] = False,
    mailbox: Annotated[
        list[str] | None, typer.Option("--mailbox", metavar="NAME", help="Only this mailbox. Repeatable.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Mailboxes processed side by side.")] = THREADS,
) -> None:
    """Fetch mail and send what waits, over POP3 and SMTP.

        postroom sync --once
        postroom sync --watch --json

    Ctrl-C (or SIGTERM) ends it in order: each mailbox stops after the message that it is at, and nothing is left half done. Exit code 1
    when a run failed, or when --once was stopped before everything was done. With --json, --once gives one document, --watch a line for
    each run and one for the summary.
    """
    if once == watch:
        raise UsageProblem("say --once or --watch")
    from postroom.cli.finding import find

    boxes = {find(desk.organization, "mailbox", name).id for name in mailbox or ()} or None
    if now:
        _due_at_once(desk, boxes)
    log = _Log(desk, watch=watch)
    before = desk.organization.summary(desk.caller)
    with engine(desk, threads=threads, reported=log.ended) as running:
        log.names = {one.mailboxid: _name(one) for one in desk.organization.retrieve_multiple(desk.caller, "mailbox")}
        if watch:
            desk.say(f"watching {counted(len(boxes or log.names), 'mailbox')}; Ctrl-C ends it")
        stop = threading.Event()

        def halt() -> None:
            stop.set()
            running.stop()

        def work() -> None:
            running.run_due(mailboxes=boxes)
            while watch and not stop.wait(_pause(desk)):
                running.run_due(mailboxes=boxes)

        _, stopped = stoppable(work, halt)
    log.summary(before, boxes, stopped=stopped)
    if log.failed or (once and stopped):
        raise Failed("a run failed")


def _pause(desk: Desk) -> float:
    """Seconds until something is due; others may ask for something meanwhile."""
    due = desk.organization.next_due()
    if due is None:
        return LOOK_EVERY
    return min(LOOK_EVERY, max(0.1, (due - desk.organization.clock.now()).total_seconds()))


def _due_at_once(desk: Desk, boxes: set[str] | None) -> None:
    """Take the schedule's dates off, as an administrator may; what a server asked for (`receivingpostponeduntil`) stays."""
    for box in desk.organization.retrieve_multiple(desk.caller, "mailbox"):
        names = ("postponemailboxprocessinguntil", "postponesendinguntil")
        waits = {name: None for name in names if getattr(box, name) is not None}
        if waits and (boxes is None or box.mailboxid in boxes):
            desk.organization.update(desk.caller, "mailbox", box.mailboxid, **waits)


def _name(box: Mailbox) -> str:
    return box.emailaddress or box.name or box.mailboxid


class _Log:
    """Runs as they end, and the summary."""

    def __init__(self, desk: Desk, *, watch: bool) -> None:
        self.desk = desk
        self.watch = watch
        self.names: dict[str, str] = {}
        self.runs: list[dict[str, Any]] = []
        self.total = 0
        self.failed = 0

    def ended(self, report: JobReport) -> None:
        run = self._run(report)
        self.total += 1
        self.failed += run["error"] is not None
        if not self.watch:
            self.runs.append(run)
        if self.desk.common.json:
            if self.watch:
                self.desk.line({"run": run})
        elif run["error"] is not None or run["processed"] or run["failed"] or not self.watch:
            self.desk.say(_in_words(run))

    def _run(self, report: JobReport) -> dict[str, Any]:
        from postroom.errors import Cancelled
        from postroom.organization import RunFailure

        error = None
        if report.error is not None and not isinstance(report.error, Cancelled):
            failure = RunFailure.of(report.error, report.operation)
            error = {"code": failure.code, "text": failure.text, "permanent": failure.permanent}
        return {
            "mailbox": report.instance,
            "name": self._named(report.instance),
            "operation": report.operation.value,
            "ending": report.ending.value,
            "started": report.started,
            "seconds": round((report.ended - report.started).total_seconds(), 3),
            "processed": report.outcome.processed if report.outcome is not None else 0,
            "failed": report.outcome.failed if report.outcome is not None else 0,
            "error": error,
        }

    def _named(self, mailbox_id: str) -> str:
        if mailbox_id not in self.names:
            self.names |= {
                one.mailboxid: _name(one) for one in self.desk.organization.retrieve_multiple(self.desk.caller, "mailbox")
            }
        return self.names.get(mailbox_id, mailbox_id)

    def summary(self, before: dict[str, Any], boxes: set[str] | None, *, stopped: bool) -> None:
        organization, caller = self.desk.organization, self.desk.caller
        after = organization.summary(caller)
        changed = {words: after[name] - before[name] for name, words in _COUNTS.items()}
        skipped, later = self._not_processed(boxes)
        document = {
            "runs": self.total,
            "failed_runs": self.failed,
            "stopped": stopped,
            **{words.replace(" ", "_"): number for words, number in changed.items()},
            "waiting": after["emails_waiting"],
            "skipped": skipped,
            "next_due": organization.next_due(),
        }
        if self.desk.common.json:
            if self.watch:
                self.desk.line({"summary": document})
            else:
                self.desk.document({"runs": self.runs, "summary": document})
            return
        for one in skipped:
            self.desk.say(f"skipped   {one['name']}: {'; '.join(one['reasons'])}")
        if later is not None and not self.watch:
            self.desk.say(f"not due   {later[0]} before {later[1]:%H:%M:%S} UTC (--now does not wait)")
        told = ", ".join(f"{number} {words}" for words, number in changed.items() if number)
        ended = "stopped: " if stopped else ""
        failed = f", {self.failed} failed" if self.failed else ""
        waiting = f"; {counted(after['emails_waiting'], 'email')} to be sent" if after["emails_waiting"] else ""
        self.desk.say(f"{ended}{counted(self.total, 'run')}{failed}: {told or 'nothing new'}{waiting}")

    def _not_processed(self, boxes: Iterable[str] | None) -> tuple[list[dict[str, Any]], tuple[str, datetime] | None]:
        """Mailboxes that no waiting helps, with the reasons; how many are not due yet, and the first moment of those."""
        from postroom.channels.server_side_sync import this_host

        skipped, waits = [], []
        for box in self.desk.organization.retrieve_multiple(self.desk.caller, "mailbox", statecode=0):
            if boxes is not None and box.mailboxid not in boxes:
                continue
            found = self.desk.organization.explain_mailbox(box.mailboxid, "incoming", holder=this_host())
            if all(reason.until is not None for reason in found):
                waits += [reason.until for reason in found if reason.until is not None]
                continue
            skipped.append({"mailbox": box.mailboxid, "name": _name(box), "reasons": [reason.text for reason in found]})
        return skipped, (counted(len(waits), "mailbox"), min(waits)) if waits else None


def _in_words(run: dict[str, Any]) -> str:
    if run["operation"] == "retention" and run["error"] is None:
        return f"retention {counted(run['processed'], 'row')} removed"
    head = f"{run['operation']:9} {run['name']}: "
    if run["error"] is not None:
        return f"{head}failed: {run['error']['text']} ({run['error']['code']})"
    if run["ending"] == "busy":
        return f"{head}another process is at it"
    failed = f", {run['failed']} failed" if run["failed"] else ""
    return f"{head}{counted(run['processed'], 'message')}{failed}, {run['seconds']:.1f} s"


def register(app: typer.Typer) -> None:
    command(app, "sync", panel="Administration")(sync)
