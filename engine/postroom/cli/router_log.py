"""What a router at work tells, and what other commands ask of it through its database."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from postroom.cli.router_database import RESUME, STOPPED, short
from postroom.cli.texts import counted
from postroom.errors import Cancelled, ConfigError, PostroomError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from postroom.channels.email_router import EmailRouter, InstanceStatus, RouterEvent
    from postroom.channels.email_router.database import RouterDatabase
    from postroom.cli.desk import Desk
    from postroom.organization import Organization
    from postroom.runtime.outcome import JobReport

__all__ = ["RunLog", "Tending"]

_QUIET = ("run.", "provider.", "instance.added", "instance.closed", "router.started", "router.closed")
"""Events that are not shown: runs have a line of their own, and details belong to the LogFile."""
_COUNTS = {
    "mail_tracked": "tracked",
    "mail_filtered": "filtered",
    "mail_parked": "parked",
    "emails_sent": "sent",
    "emails_failed": "not sent",
    "emails_uncertain": "uncertain",
}


class RunLog:
    """Runs as they end, events as they are told, and the summary. `lines`: with --json a line each, else all of it in one document at the end."""

    def __init__(self, desk: Desk, organizations: Mapping[str, Organization], *, lines: bool) -> None:
        self._desk, self._organizations, self._lines = desk, organizations, lines
        self._lock = threading.Lock()
        self._before = self._counts()
        self.router: EmailRouter | None = None
        self.runs: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.total = self.failed = 0
        log = logging.getLogger("postroom.email_router")
        if not log.handlers:  # what it says is said here
            log.addHandler(logging.NullHandler())

    # -- while it runs

    def ended(self, report: JobReport) -> None:
        """In the router's thread."""
        assert self.router is not None
        try:
            status = self.router.instance(report.instance)
        except ConfigError:  # it left the configuration, and its run with it
            return
        run = _run(report, status)
        self.total += 1
        self.failed += run["error"] is not None
        with self._lock:
            if not self._desk.common.json:
                self._desk.say(_in_words(run))
            elif self._lines:
                self._desk.line({"run": run})
            else:
                self.runs.append(run)

    def told(self, event: RouterEvent) -> None:
        """From any thread. What the line of a run says is not said again."""
        skipped = event.event == "instance.not_served" and "mailbox" not in event.values
        if event.event.startswith(_QUIET) or "run" in event.values or skipped:
            return
        told = {
            "at": event.at,
            "event": event.event,
            "instance": event.instance,
            "name": event.name,
            "text": event.text,
            **event.values,
        }
        with self._lock:
            if not self._desk.common.json:
                who = event.name or short(event.instance)
                self._desk.say(f"{event.event}{f' {who}' if who else ''}{f': {event.text}' if event.text else _values(event)}")
            elif self._lines:
                self._desk.line({"event": told})
            else:
                self.events.append(told)

    # -- at the end

    def summary(self, *, stopped: bool) -> list[InstanceStatus]:
        """Says it, and gives the instances that somebody has to look at."""
        assert self.router is not None
        needing = [one for one in self.router.instances() if not one.state.runs_again]
        after = self._counts()
        changed = {name: after[name] - self._before[name] for name in _COUNTS.values()}
        if self._desk.common.json:
            document = {
                "runs": self.total,
                "failed_runs": self.failed,
                "stopped": stopped,
                **{name.replace(" ", "_"): number for name, number in changed.items()},
                "waiting": after["waiting"],
                "need_attention": [
                    {"identity": one.identity, "name": one.name, "state": one.state.value, "why": one.why} for one in needing
                ],
            }
            if self._lines:
                self._desk.line({"summary": document})
            else:
                self._desk.document({"runs": self.runs, "events": self.events, "summary": document})
            return needing
        for one in needing:
            self._desk.say(f"{one.state.value:9} {one.name}: {one.why}")
        told = ", ".join(f"{number} {name}" for name, number in changed.items() if number)
        failed = f", {self.failed} failed" if self.failed else ""
        waiting = f"; {counted(after['waiting'], 'email')} to be sent" if after["waiting"] else ""
        self._desk.say(
            f"{'stopped: ' if stopped else ''}{counted(self.total, 'run')}{failed}: {told or 'nothing new'}{waiting}"
        )
        return needing

    def _counts(self) -> dict[str, int]:
        from postroom.organization import SYSTEM

        found = dict.fromkeys([*_COUNTS.values(), "waiting"], 0)
        for organization in self._organizations.values():
            one = organization.summary(SYSTEM)
            for name, words in _COUNTS.items():
                found[words] += one[name]
            found["waiting"] += one["emails_waiting"]
        return found


def _values(event: RouterEvent) -> str:
    more = ", ".join(f"{value} {name}" for name, value in event.values.items())
    return f": {more}" if more else ""


def _run(report: JobReport, status: InstanceStatus) -> dict[str, Any]:
    """What an error says is taken from the instance: there the configuration's secrets were taken out."""
    from postroom.channels.email_router.work import NotServed

    error = None
    skipped = status.why if isinstance(report.error, NotServed) or report.ending.value == "busy" else None
    if skipped is None and report.error is not None and not isinstance(report.error, Cancelled):
        error = {"kind": type(report.error).__name__, "text": status.last_error or status.why, "state": status.state.value}
    outcome = report.outcome
    return {
        "instance": report.instance,
        "name": status.name,
        "provider": status.provider,
        "organization": status.organization,
        "mailbox": status.mailbox,
        "operation": report.operation.value,
        "ending": report.ending.value,
        "started": report.started,
        "seconds": round((report.ended - report.started).total_seconds(), 3),
        "processed": outcome.processed if outcome is not None else 0,
        "delivered": outcome.delivered if outcome is not None else 0,
        "rejected": outcome.rejected if outcome is not None else 0,
        "failed": outcome.failed if outcome is not None else 0,
        "skipped": skipped,
        "error": error,
        "next_due": status.next_due,
    }


def _in_words(run: dict[str, Any]) -> str:
    head = f"{run['started']:%H:%M:%S} {run['operation']:9} {run['name']}: "
    if run["skipped"] is not None:
        return f"{head}skipped: {run['skipped']}"
    if run["error"] is not None:
        then = f"again at {run['next_due']:%H:%M:%S} UTC" if run["next_due"] is not None else run["error"]["state"]
        return f"{head}failed: {run['error']['text']} ({then})"
    failed = f", {run['failed']} failed" if run["failed"] else ""
    return f"{head}{counted(run['processed'], 'message')}{failed}, {run['seconds']:.1f} s"


class Tending:
    """Between a router and the commands that look at its database: why instances stand still is written there, and who asked for one to go on is heard.
    In the router's thread."""

    def __init__(self, router: EmailRouter, db: RouterDatabase, *, every: float) -> None:
        self._router, self._db, self._every = router, db, every
        self._next = 0.0
        self._noted = {one.identity: one.detail for one in db.alerts() if one.kind == STOPPED}

    def __call__(self) -> bool:
        """For `router.run(until=...)`: never the end."""
        now = self._router.clock.monotonic()
        if now >= self._next:
            self._next = now + self._every
            self.look()
        return False

    def look(self) -> None:
        """A database that is away is asked again the next time."""
        with suppress(StoreError):
            asked = [one.identity for one in self._db.alerts() if one.kind == RESUME]
            for identity in dict.fromkeys(asked):
                self._resume(identity)
            for status in self._router.instances():
                self._note(status)

    def _resume(self, identity: str) -> None:
        with suppress(PostroomError):  # it left the file: there is nothing to let go on
            if identity in {one.identity for one in self._router.instances()}:
                self._router.resume(identity)
        self._db.clear(identity, RESUME)

    def _note(self, status: InstanceStatus) -> None:
        identity = status.identity
        if status.state.value in ("stopped", "overrun", "broken"):
            why = status.why or status.last_error
            if self._noted.get(identity) != why and self._db.row(identity) is not None:
                self._db.clear(identity, STOPPED)
                self._db.note(identity, STOPPED, why, quiet=True)
                self._noted[identity] = why
        elif identity in self._noted and status.state.runs_again and status.counters["runs"]:
            self._db.clear(identity, STOPPED)
            del self._noted[identity]
