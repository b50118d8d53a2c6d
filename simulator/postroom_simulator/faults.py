"""Faults are data: when, and what happens.

A fault has a `When` (which protocol, which step, whose account, which occurrence, in which window of time, with which
probability) and one effect. Sessions name each step they take as a `Point` and ask the table; reply effects act in the
session, the others on the octets of the connection. The same value can be written in Python, in a scenario or in a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = [
    "AcceptThenReset",
    "Close",
    "Cut",
    "Delay",
    "Drip",
    "Drop",
    "Effect",
    "Fault",
    "Garble",
    "LoseReply",
    "Point",
    "Refuse",
    "Reply",
    "Stall",
    "When",
]

Close = Literal["fin", "rst"]
"""How a connection ends: in order, or by reset."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Say this instead of acting. `code`: "-ERR" or "+OK" for POP3, "451" for SMTP; `text` may begin with an enhanced or
    response code. The command is not carried out. An SMTP 421 also ends the connection."""

    code: str
    text: str = "simulated failure"


@dataclass(frozen=True, slots=True)
class Delay:
    """Act, then say the reply `seconds` later by the world's clock. Nothing else is read meanwhile."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Do not act and say nothing. After `seconds` (None: never) go on as if nothing had been."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Act, say the first `octets` of the reply, then end the connection.

    At the phase "text" (SMTP, a message being received) `octets` counts what was received, and nothing is acted on."""

    octets: int = 0
    how: Close = "fin"


@dataclass(frozen=True, slots=True)
class Drop:
    """End the connection without acting."""

    how: Close = "fin"


@dataclass(frozen=True, slots=True)
class LoseReply:
    """Act, and end the connection without a word: the client cannot know."""

    how: Close = "rst"


@dataclass(frozen=True, slots=True)
class Garble:
    """Act, and change `octets` octets of the reply by the world's seeded chance (line ends stay)."""

    octets: int = 3


@dataclass(frozen=True, slots=True)
class Drip:
    """Act, and say the reply `octets` at a time, `seconds` apart."""

    octets: int = 1
    seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class Refuse:
    """Phase "connect" only: the connection is refused (in memory and over TCP the client sees it refused or at once reset
    before any octet; over TCP a listening port cannot refuse one peer, so there it is a reset before the greeting)."""


@dataclass(frozen=True, slots=True)
class AcceptThenReset:
    """Phase "connect" only: accept, then reset after `octets` of the greeting."""

    octets: int = 0


Effect = Reply | Delay | Stall | Cut | Drop | LoseReply | Garble | Drip | Refuse | AcceptThenReset


@dataclass(frozen=True, slots=True)
class When:
    """Which steps a fault concerns. Everything left out matches everything.

    protocol     "pop3", "smtp" (more later), or "*"
    at           a command in upper case ("RETR", "RCPT", "QUIT", "AUTH") or a phase in lower case:
                 "connect", "tls" (handshake), "greeting", "auth" (each client answer in an exchange),
                 "text" (SMTP: the message text being received), "end-of-data" (SMTP: the final dot), or "*"
    account      address of the account of the connection; matches only once it is known
    nth          the nth matching step only, counted from 1 over the whole world
    first, last  the first and last matching step, counted likewise; both included
    after, until window of the world's clock; `until` excluded
    probability  drawn from the world's seeded chance for each step that matches all else
    """

    protocol: str = "*"
    at: str = "*"
    account: str | None = None
    nth: int | None = None
    first: int | None = None
    last: int | None = None
    after: datetime | None = None
    until: datetime | None = None
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """When, what, and a name for journals and error texts."""

    when: When
    effect: Effect
    name: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One step that a session is about to take."""

    protocol: str
    at: str
    account: str | None = None
