"""Faults are data: when, and what happens.

A fault has a `When` (which protocol, which step, whose account, which occurrence, in which window of time, with which
probability) and one effect. Sessions name each step they take as a `Point` and ask the table; reply effects act in the
session, the others on the octets of the connection. The same value can be written in Python, in a scenario or in a file.
"""

from __future__ import annotations

import fnmatch
import random
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from postroom_simulator.errors import FaultError

if TYPE_CHECKING:
    from postroom_simulator.clock import Clock

__all__ = [
    "AcceptThenReset",
    "Close",
    "Cut",
    "Delay",
    "Drip",
    "Drop",
    "Effect",
    "Fault",
    "FaultTable",
    "Garble",
    "Lie",
    "LoseReply",
    "Point",
    "Refuse",
    "Reply",
    "Stall",
    "TlsTrouble",
    "When",
]

Close = Literal["fin", "rst"]
"""How a connection ends: in order, or by reset."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Say this instead of acting. `code`: "-ERR" or "+OK" for POP3, "451" for SMTP; `text` may begin with an enhanced or
    response code. The command is not carried out. An SMTP 421 also ends the connection.

    For EWS `code` is a status of HTTP ("503") or a response code ("ErrorServerBusy"): a SOAP fault, or at "item" the message of that item.
    `text` may begin with values in brackets, header fields of the one and values of MessageXml of the other:
    Reply("ErrorServerBusy", "[BackOffMilliseconds=5000]"), Reply("503", "[Retry-After=30]")."""

    code: str
    text: str = "simulated failure"


@dataclass(frozen=True, slots=True)
class Delay:
    """Act, then say the reply `seconds` later by the world's clock, give or take up to `jitter` by its seeded chance. Nothing else is
    read meanwhile."""

    seconds: float
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Stall:
    """Do not act and say nothing. After `seconds` (None: never) go on as if nothing had been."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Act, say the first `octets` of the reply, then end the connection.

    At the phase "text" (SMTP, a message being received) `octets` counts what was received, and nothing is acted on. At "connect" it
    counts all that the server ever says on the connection (what goes over the line, TLS included), at "tls" its side of the handshake."""

    octets: int = 0
    how: Close = "fin"


@dataclass(frozen=True, slots=True)
class Drop:
    """End the connection without acting, at once or after `seconds` of silence."""

    how: Close = "fin"
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LoseReply:
    """Act, and end the connection without a word: the client cannot know."""

    how: Close = "rst"


@dataclass(frozen=True, slots=True)
class Lie:
    """Act, and say this in the place of the true reply, to the letter: a message is stored and "451" is said. The connection goes on as
    the truth wants it. The journal has the true reply."""

    code: str
    text: str = "simulated failure"


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


@dataclass(frozen=True, slots=True)
class TlsTrouble:
    """A trouble with TLS by its name, one of `fault_rules.TLS_TROUBLES`: "expired", "wrong-name", "stripped", "injected" ...

    For all connections of a world or of a service it is set as `World.tls`. As the effect of a fault it is possible at "connect" (the
    whole connection has the trouble) and at "tls" (this handshake; not the two that come before one, "refused" and "stripped").
    `how` is the end of those that cut a handshake."""

    name: str
    how: Close = "fin"


Effect = Reply | Delay | Stall | Cut | Drop | LoseReply | Lie | Garble | Drip | Refuse | AcceptThenReset | TlsTrouble


@dataclass(frozen=True, slots=True)
class When:
    """Which steps a fault concerns. Everything left out matches everything.

    protocol     "pop3", "smtp", "ews", "http", or "*"
    at           a command in upper case ("RETR", "RCPT", "QUIT", "AUTH"), an operation of EWS ("GetItem") or a phase in lower case:
                 "connect", "tls" (handshake), "greeting", "auth" (each client answer in an exchange; EWS: credentials are shown),
                 "text" (SMTP: the message text being received), "end-of-data" (SMTP: the final dot),
                 HTTP: "request" (the head was read); EWS: "request", "envelope" (the body is there), "item" (one of a batch), "stream" (an envelope of a
                 stream), or "*"
    account      address of the account of the connection; matches only once it is known
    argument     what follows the command, as the journal shows it (passwords are not there); "*" stands for anything, "?" for any
                 one character, upper and lower case are alike: "*<bob@*", "1". No phase has one but "item" ("GetItem 3")
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
    argument: str | None = None


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
    argument: str | None = None


# -- the table


class _Row:
    """One fault of a table, with what it has counted."""

    __slots__ = ("account", "acted", "argument", "fault", "given", "matched", "possible_at")

    def __init__(self, given: Fault, fault: Fault, possible_at: Callable[[Effect, str], bool]) -> None:
        self.given = given
        self.fault = fault
        self.account = None if fault.when.account is None else _fold(fault.when.account)
        self.argument = None if fault.when.argument is None else _wildcard(fault.when.argument)
        self.possible_at = possible_at
        self.matched = 0
        self.acted = 0

    def matches(self, point: Point, clock: Clock) -> bool:
        """Whether the step is one of those that this fault counts."""
        when = self.fault.when
        if when.at not in ("*", point.at) or when.protocol not in ("*", point.protocol):
            return False
        if self.account is not None and (point.account is None or _fold(point.account) != self.account):
            return False
        if self.argument is not None and (point.argument is None or not self.argument(point.argument)):
            return False
        if when.at == "*" and not self.possible_at(self.fault.effect, point.at):
            return False
        if when.after is None and when.until is None:
            return True
        now = clock.now()
        return (when.after is None or when.after <= now) and (when.until is None or now < when.until)

    def is_due(self) -> bool:
        """Whether the step just counted lies in the range asked for."""
        when = self.fault.when
        if when.nth is not None:
            return self.matched == when.nth
        return (when.first is None or self.matched >= when.first) and (when.last is None or self.matched <= when.last)


def _fold(address: str) -> str:
    """ASCII case only, as the directory folds addresses."""
    return address.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def _wildcard(pattern: str) -> Callable[[str], object]:
    """Whether a text is like the pattern; brackets have no meaning. What the standard library makes of it does not backtrack."""
    matches = re.compile(fnmatch.translate(_fold(pattern).replace("[", "[[]"))).match
    return lambda text: matches(_fold(text))


class FaultTable:
    """The faults of a world, in the order in which they were added. Safe to use from several threads.

    Each fault counts the steps that match its protocol, step, account and window, also those at which another fault acted or
    its own chance said no; `nth`, `first` and `last` refer to this count. Of the faults that apply to a step the first added
    acts. Chance is drawn only for a fault that would otherwise act now, so that adding an unrelated fault changes no run.
    """

    def __init__(self, clock: Clock, random: random.Random) -> None:
        self._clock = clock
        self._random = random
        self._rows: list[_Row] = []
        self._lock = threading.Lock()
        self._numbers = 0

    def add(self, fault: Fault | When, effect: Effect | None = None, *, name: str = "") -> Fault:
        """Add a fault, or a `When` with its effect, and return it as the table holds it: a fault without a name gets one
        ("fault 3: Cut at RETR"). Raises FaultError naming everything that is impossible about it."""
        from postroom_simulator.fault_rules import possible_at, problems  # it needs the values above

        given = _as_fault(fault, effect, name)
        wrong = problems(given.when, given.effect)
        if wrong:
            raise FaultError(f"{given.name or describe(given)}: {' '.join(wrong)}")
        with self._lock:
            self._numbers += 1
            held = given if given.name else replace(given, name=f"fault {self._numbers}: {describe(given)}")
            self._rows = [*self._rows, _Row(given, held, possible_at)]
        return held

    def remove(self, fault: Fault) -> None:
        """Take one out, as given to or returned by `add`. Raises FaultError when it is not there."""
        with self._lock:
            for index, row in enumerate(self._rows):
                if fault in (row.fault, row.given):
                    self._rows = self._rows[:index] + self._rows[index + 1 :]
                    return
        raise FaultError(f"{fault.name or describe(fault)}: no such fault is in the table")

    def clear(self) -> None:
        """Take all out, with their counts."""
        with self._lock:
            self._rows = []

    def pick(self, point: Point) -> Fault | None:
        """Count the step and return the fault that acts at it, if any."""
        if not self._rows:
            return None
        picked: Fault | None = None
        with self._lock:
            for row in self._rows:
                if not row.matches(point, self._clock):
                    continue
                row.matched += 1
                if picked is None and row.is_due() and self._chance(row.fault.when.probability):
                    row.acted += 1
                    picked = row.fault
        return picked

    def _chance(self, probability: float | None) -> bool:
        return probability is None or self._random.random() < probability

    @property
    def counts(self) -> dict[str, int]:
        """How often each fault acted, by name; faults of one name are counted together."""
        with self._lock:
            found: dict[str, int] = {}
            for row in self._rows:
                found[row.fault.name] = found.get(row.fault.name, 0) + row.acted
            return found

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Fault]:
        """In the order in which they were added."""
        return iter([row.fault for row in self._rows])


def _as_fault(fault: Fault | When, effect: Effect | None, name: str) -> Fault:
    if isinstance(fault, Fault):
        if effect is not None:
            raise FaultError("a Fault has its effect already: give a When with an effect, or a Fault alone")
        return replace(fault, name=name) if name else fault
    if effect is None:
        raise FaultError("a When needs an effect: what happens then?")
    return Fault(fault, effect, name)


def describe(fault: Fault) -> str:
    """A short name: "Cut at RETR", "Delay at any step of smtp"."""
    when = fault.when
    place = "any step" if when.at == "*" else when.at
    of = "" if when.protocol == "*" else f" of {when.protocol}"
    return f"{type(fault.effect).__name__} at {place}{of}"
