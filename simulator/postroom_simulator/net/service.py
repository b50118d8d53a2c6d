"""The services of a world: which protocol each speaks, who makes its sessions, and what its connections ask of a transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from postroom_simulator.errors import FaultError
from postroom_simulator.fault_rules import nearest, tls_trouble_problems
from postroom_simulator.faults import Effect, Reply, TlsTrouble
from postroom_simulator.journal import Kind
from postroom_simulator.session import Session, SessionContext

__all__ = [
    "BUSY",
    "CLEAR",
    "DISCARD_LIMIT",
    "IMPLICIT_TLS",
    "NEVER_TLS",
    "PROTOCOLS",
    "ConnectionContext",
    "SessionFactory",
    "Transport",
    "make_session",
    "troubles_by_service",
]

PROTOCOLS = {
    "pop3": "pop3",
    "pop3s": "pop3",
    "smtp": "smtp",
    "submission": "smtp",
    "smtps": "smtp",
    "ews": "ews",
    "ewss": "ews",
    "http": "http",
    "https": "http",
}
"""The protocol of each service; connections are counted and journalled by it."""

IMPLICIT_TLS = frozenset({"pop3s", "smtps", "ewss", "https"})
NEVER_TLS = frozenset({"ews", "http"})
"""Services that have no TLS, and so no trouble with it."""
DISCARD_LIMIT = 1024 * 1024
"""Octets that a client may still send after the server's orderly end before it is reset (our choice)."""
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
BUSY = {
    "pop3": b"-ERR [SYS/TEMP] too many connections\r\n",
    "smtp": b"421 4.7.0 too many connections\r\n",
    "ews": _TOO_MANY,
    "http": _TOO_MANY,
}
"""Said instead of a greeting (HTTP: of an answer) when a limit on connections is reached (RFC 3206 §4, RFC 3463 §3.8, RFC 9110 §15.6.4)."""

CLEAR = {
    "pop3": b"+OK this is in the clear\r\n",
    "smtp": b"250 2.0.0 this is in the clear\r\n",
    "ews": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "http": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}
"""Replies in the clear where none may be: "plain-text" and "injected"."""
_REFUSED = {
    "STLS": Reply("-ERR", "[SYS/TEMP] TLS is not available now"),
    "STARTTLS": Reply("454", "4.7.0 TLS not available due to temporary reason"),
}
"""RFC 2595 §4, RFC 3207 §4."""


class Transport(Protocol):
    """What a connection asks of the line below it. After `close` or `abort` nothing more is written."""

    def write(self, octets: bytes) -> None: ...

    def close(self) -> None:
        """In order: what was written is sent, then the end."""
        ...

    def abort(self) -> None:
        """By reset, after what was written has been sent where that is possible."""
        ...

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the thread where the connection lives, whichever thread asks."""
        ...

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


@dataclass(slots=True)
class ConnectionContext(SessionContext):
    """A session's context that remembers the last command, for error texts, and has the connection's trouble with TLS."""

    service: str = ""
    last_command: str = ""
    trouble: TlsTrouble | None = None

    def fault(self, at: str, account: str | None = None, argument: str | None = None) -> Effect | None:
        if self.trouble is None and not self.world.faults:  # the usual case, asked at every step
            return None
        effect = SessionContext.fault(self, at, account, argument)  # no super(): a class with slots is made twice
        if effect is None and self.trouble is not None and self.trouble.name == "refused" and at in _REFUSED:
            self.note_trouble(self.trouble, at)
            return _REFUSED[at]
        return effect

    def note_trouble(self, trouble: TlsTrouble, at: str) -> None:
        """A trouble that was set for a service acts; one of a fault is journalled with that."""
        self.note(Kind.FAULT, verb=at, detail=f"TLS trouble: {trouble.name}", data={"effect": "TlsTrouble"})

    def heard(self, verb: str, argument: str) -> None:
        self.last_command = verb
        self.argument = argument

    def note(
        self, kind: Kind, *, verb: str = "", detail: str = "", account: str | None = None, data: dict[str, Any] | None = None
    ) -> None:
        if kind is Kind.COMMAND:
            self.last_command = verb
            self.argument = detail
        self.world.journal.write(kind, self.protocol, self.connection, account, verb, detail, data)


def troubles_by_service(troubles: TlsTrouble | Mapping[str, TlsTrouble] | None) -> dict[str, TlsTrouble]:
    """What `World.tls` is set to, by service; one for all means those that it can concern. Raises FaultError."""
    if troubles is None:
        return {}
    if isinstance(troubles, TlsTrouble):
        wrong = tls_trouble_problems(troubles)
        found = {name: troubles for name in PROTOCOLS if not _troubles(name, troubles)}
    else:
        wrong = [f'there is no service "{name}".{nearest(name, PROTOCOLS)}' for name in troubles if name not in PROTOCOLS]
        for name, trouble in troubles.items():
            wrong += [f"{name}: {text}" for text in _troubles(name, trouble)]
        found = dict(troubles)
    if wrong:
        raise FaultError(" ".join(wrong))
    return found


def _troubles(service: str, trouble: TlsTrouble) -> list[str]:
    if service in NEVER_TLS:
        return [f'"{service}" has no TLS; "{service}s" has.']
    return tls_trouble_problems(trouble, implicit=service in IMPLICIT_TLS)


SessionFactory = Callable[[str, SessionContext], Session]
"""Makes the session of a service."""


def make_session(service: str, context: SessionContext) -> Session:
    """The session that belongs to a service."""
    if PROTOCOLS[service] == "pop3":
        from postroom_simulator.pop3.session import Pop3Session

        return Pop3Session(context)
    if PROTOCOLS[service] == "ews":
        from postroom_simulator.ews.session import EwsSession

        return EwsSession(context)
    if PROTOCOLS[service] == "http":
        from postroom_simulator.web.serving import WebSession

        return WebSession(context)
    from postroom_simulator.smtp.session import SmtpSession

    return SmtpSession(context)
