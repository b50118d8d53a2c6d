"""What the router tells: events with stable ids, on this process's logging, in the trace file, and to whoever listens. Secrets never.

`EVENTS` is the whole list; docs/email-router.md shows it, and a test holds the two together.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from postroom.clock import Clock
from postroom.model.secret import Secret
from postroom.model.text import one_line
from postroom.providers.configuration.settings import LogDetail

__all__ = ["EVENTS", "EventLog", "Redactor", "RouterEvent", "secrets_of"]

log = logging.getLogger("postroom.email_router")

EVENTS: Mapping[str, tuple[LogDetail, int, str]] = {
    "router.started": (LogDetail.MAILBOX, logging.INFO, "the file was read and its instances are scheduled"),
    "router.closed": (LogDetail.MAILBOX, logging.INFO, "every instance was closed"),
    "router.reloaded": (LogDetail.MAILBOX, logging.INFO, "another file is in force"),
    "router.reload_refused": (LogDetail.ERRORS, logging.ERROR, "the file has errors: the old one stays in force"),
    "router.file_warning": (LogDetail.ERRORS, logging.WARNING, "something in the file is doubtful, or cannot be applied"),
    "router.log_file": (LogDetail.ERRORS, logging.ERROR, "the trace file cannot be written"),
    "organization.left": (
        LogDetail.ERRORS,
        logging.WARNING,
        "the organization does not use the router: its instances are stopped",
    ),
    "organization.returned": (LogDetail.MAILBOX, logging.INFO, "the organization uses the router again"),
    "organization.alert_failed": (LogDetail.ERRORS, logging.ERROR, "an alert could not be written to the organization"),
    "instance.added": (LogDetail.MAILBOX, logging.INFO, "an instance is scheduled"),
    "instance.changed": (LogDetail.MAILBOX, logging.INFO, "its configuration changed: it starts anew, with its state"),
    "instance.removed": (LogDetail.MAILBOX, logging.INFO, "it is not in the file any more: its state is kept as a tombstone"),
    "instance.forgotten": (LogDetail.MAILBOX, logging.INFO, "the time of its tombstone is over: what it remembered is gone"),
    "instance.stopped": (
        LogDetail.ERRORS,
        logging.ERROR,
        "a permanent error: it waits for another configuration, or to be resumed",
    ),
    "instance.held": (LogDetail.ERRORS, logging.ERROR, "its state cannot be used: somebody has to decide"),
    "instance.broken": (LogDetail.ERRORS, logging.ERROR, "its provider cannot be used, or nobody is served by it"),
    "instance.not_served": (LogDetail.MAILBOX, logging.INFO, "its mailbox is not for the router at the moment"),
    "instance.overlap": (LogDetail.ERRORS, logging.WARNING, "another router, or another process, has the mailbox"),
    "instance.resumed": (LogDetail.MAILBOX, logging.INFO, "somebody let it go on"),
    "instance.closed": (LogDetail.MAILBOX, logging.DEBUG, "its provider was closed"),
    "instance.close_failed": (LogDetail.ERRORS, logging.ERROR, "closing its provider raised an error"),
    "instance.not_closed": (LogDetail.ERRORS, logging.ERROR, "its run never ended: the provider could not be closed"),
    "state.alert": (
        LogDetail.ERRORS,
        logging.WARNING,
        "the router's database found something about a state that somebody should know",
    ),
    "run.ended": (LogDetail.MAILBOX, logging.DEBUG, "a run went well"),
    "run.cancelled": (LogDetail.MAILBOX, logging.INFO, "a run was asked to end, its progress is kept"),
    "run.fenced": (LogDetail.ERRORS, logging.WARNING, "a run lost its lease: nothing more of it counts"),
    "run.failed": (LogDetail.ERRORS, logging.WARNING, "a run failed and is tried again later"),
    "run.overrun": (LogDetail.ERRORS, logging.ERROR, "a run did not end in its grace time: its lease was taken away"),
    "provider.bug": (
        LogDetail.ERRORS,
        logging.ERROR,
        "the provider made a mistake: what it raised is none of the errors there are",
    ),
    "provider.left_behind": (
        LogDetail.ERRORS,
        logging.WARNING,
        "the provider changed what belongs to the whole process, or left threads",
    ),
    "provider.event": (LogDetail.MESSAGE, logging.DEBUG, "what a provider tells of its own"),
}
"""id -> (from which LogLevel on it is traced, the level on Python's logging, what it means)."""


class Redactor:
    """Takes the secrets of a configuration out of any text: as they are, as base64 (AUTH PLAIN and LOGIN too), and as in a URL."""

    def __init__(self, secrets: Iterable[str], plain_login: Iterable[str] = ()) -> None:
        found: set[str] = set()
        for secret in secrets:
            if len(secret) < 3:  # would tear every text apart
                continue
            found |= {secret, base64.b64encode(secret.encode()).decode(), quote(secret, safe="")}
            for user in plain_login:
                found.add(base64.b64encode(f"\0{user}\0{secret}".encode()).decode())
        self._hidden = sorted(found, key=len, reverse=True)

    @classmethod
    def of(cls, config: Any) -> Redactor:
        """Every `Secret` among the fields of a dataclass."""
        texts = [value for value in _values(config) if isinstance(value, str) and value]
        return cls([secret.reveal() for secret in secrets_of(config)], texts)

    def __call__(self, text: str) -> str:
        for hidden in self._hidden:
            text = text.replace(hidden, "***")
        return text


def _values(config: Any) -> list[Any]:
    return [getattr(config, one.name, None) for one in dataclasses.fields(config)] if dataclasses.is_dataclass(config) else []


def secrets_of(config: Any) -> list[Secret]:
    """Every `Secret` among the fields of a dataclass, repeated ones too."""
    values = [one for value in _values(config) for one in (value if isinstance(value, tuple) else (value,))]
    return [value for value in values if isinstance(value, Secret) and value]


@dataclass(frozen=True, slots=True)
class RouterEvent:
    """`event`: an id of EVENTS. `instance`: its identity, "" for the router's own. `values` hold nothing but short plain values."""

    at: datetime
    event: str
    instance: str = ""
    name: str = ""
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        head = f"{self.event} {self.name or self.instance[:12]}".rstrip()
        more = " ".join(f"{key}={value}" for key, value in self.values.items())
        return " ".join(part for part in (head, self.text, more) if part)


class EventLog:
    """Thread-safe. Keeps the latest `kept` events."""

    def __init__(self, clock: Clock, told: Callable[[RouterEvent], None] | None = None, kept: int = 1000) -> None:
        self._clock, self._told = clock, told
        self._latest: deque[RouterEvent] = deque(maxlen=kept)
        self._detail, self._path = LogDetail.NONE, ""
        self._file: TextIO | None = None
        self._lock = threading.Lock()

    def configure(self, detail: LogDetail, path: str) -> str:
        """`LogLevel` and `LogFile`. A file that cannot be opened is told, and nothing is traced; gives what is wrong with it, "" where nothing is."""
        problem = ""
        with self._lock:
            self._detail = detail
            if path != self._path:
                self._close_file()
                self._path = path
            if path and self._file is None:
                try:
                    self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - as long as the router
                except (OSError, ValueError) as error:
                    problem = getattr(error, "strerror", None) or "not a path"
        if problem:
            self.tell("router.log_file", text=problem, file=path)
        return f"{path}: {problem}" if problem else ""

    @property
    def latest(self) -> list[RouterEvent]:
        """The oldest first."""
        with self._lock:
            return list(self._latest)

    def tell(self, event: str, instance: str = "", name: str = "", text: str = "", **values: Any) -> None:
        detail, level, _ = EVENTS[event]
        told = RouterEvent(self._clock.now(), event, instance, name, one_line(text, 2000), values)
        if log.isEnabledFor(level):
            log.log(level, "%s", told)
        with self._lock:
            self._latest.append(told)
            if self._file is not None and detail <= self._detail:
                self._write(self._file, told)
        if self._told is not None:
            self._told(told)

    @staticmethod
    def _write(file: TextIO, told: RouterEvent) -> None:
        """One JSON object a line. A full disk costs the trace, not the router."""
        row = {"at": told.at.isoformat(), "event": told.event, "instance": told.instance, "name": told.name, "text": told.text}
        with suppress(OSError, ValueError):
            file.write(json.dumps({**row, **told.values}, default=str, ensure_ascii=False) + "\n")
            file.flush()

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def close(self) -> None:
        with self._lock:
            self._close_file()
            self._path = ""
