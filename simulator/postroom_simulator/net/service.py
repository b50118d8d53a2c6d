"""The services of a world: which protocol each speaks, who makes its sessions, and what its connections ask of a transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from postroom_simulator.journal import Kind
from postroom_simulator.session import Session, SessionContext

__all__ = [
    "BUSY",
    "DISCARD_LIMIT",
    "IMPLICIT_TLS",
    "PROTOCOLS",
    "ConnectionContext",
    "SessionFactory",
    "Transport",
    "make_session",
]

PROTOCOLS = {"pop3": "pop3", "pop3s": "pop3", "smtp": "smtp", "submission": "smtp", "smtps": "smtp"}
"""The protocol of each service; connections are counted and journalled by it."""

IMPLICIT_TLS = frozenset({"pop3s", "smtps"})
DISCARD_LIMIT = 1024 * 1024
"""Octets that a client may still send after the server's orderly end before it is reset (our choice)."""
BUSY = {"pop3": b"-ERR [SYS/TEMP] too many connections\r\n", "smtp": b"421 4.7.0 too many connections\r\n"}
"""Said instead of a greeting when a limit on connections is reached (RFC 3206 §4, RFC 3463 §3.8)."""


class Transport(Protocol):
    """What a connection asks of the line below it. After `close` or `abort` nothing more is written."""

    def write(self, octets: bytes) -> None: ...

    def close(self) -> None:
        """In order: what was written is sent, then the end."""
        ...

    def abort(self) -> None:
        """By reset, after what was written has been sent where that is possible."""
        ...

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


@dataclass(slots=True)
class ConnectionContext(SessionContext):
    """A session's context that remembers the last command, for error texts."""

    service: str = ""
    last_command: str = ""

    def note(
        self, kind: Kind, *, verb: str = "", detail: str = "", account: str | None = None, data: dict[str, Any] | None = None
    ) -> None:
        if kind is Kind.COMMAND:
            self.last_command = verb
        self.world.journal.add(
            kind, protocol=self.protocol, connection=self.connection, account=account, verb=verb, detail=detail, data=data
        )


SessionFactory = Callable[[str, SessionContext], Session]
"""Makes the session of a service."""


def make_session(service: str, context: SessionContext) -> Session:
    """The session that belongs to a service."""
    if PROTOCOLS[service] == "pop3":
        from postroom_simulator.pop3.session import Pop3Session

        return Pop3Session(context)
    from postroom_simulator.smtp.session import SmtpSession

    return SmtpSession(context)
