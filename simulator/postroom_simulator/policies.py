"""What an SMTP service allows: limits, refusals, greylists and windows as values, judged by pure functions.

    world.smtp.policies.add(Greylist(delay=300))
    world.smtp.policies.add(RateLimit(100, window=3600, per="account"))
    world.smtp.policies.add(RefuseRecipient("ann@sim.test", "451", "4.3.0 try later", times=2))

A policy is a frozen value. `judge(history, request)` says why a step is refused and what is to be remembered of that, or None;
`accepted(request)` says what is to be remembered of a step that was taken. `Policies` holds them in order (the first refusal is said), with the one history; they may be added and removed at any
time, sessions that run see it at their next command. Everything is measured by the world's clock. TLS and AUTH are required by
`SmtpSettings.require_tls` and `require_auth`, relaying by `relay`, the limits that hold for everybody by `max_octets` and `max_recipients`.
"""
# ruff: noqa: ARG002 - all policies have the same two methods, whether or not they look at everything

from __future__ import annotations

import ipaddress
import math
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from postroom_simulator.directory import canonical

__all__ = [
    "ConnectionCap",
    "Greylist",
    "History",
    "Mark",
    "Policies",
    "Policy",
    "RateLimit",
    "RecipientLimit",
    "Refusal",
    "RefuseRecipient",
    "Request",
    "SenderMustMatch",
    "SizeLimit",
    "Tarpit",
]

Step = Literal["connect", "MAIL", "RCPT", "message"]
"""Where policies are asked. "message": the whole text is there, nothing is stored yet."""

KEPT_TIMES = 10_000
KEPT_KEYS = 100_000
"""What a history holds at most (our choice): times of one key, and keys; the oldest go."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A step that a client wants to take. Addresses are as the client gave them; what a step does not have is empty.

    owns_sender    whether the sender is an address of `account` (or empty)
    recipients     accepted so far in this transaction
    size           octets: as declared by MAIL (0: not), at "message" as received
    open, open_here  at "connect": SMTP sessions there already, in all and of this client address
    """

    step: Step
    now: datetime
    client: str = ""
    account: str | None = None
    sender: str = ""
    owns_sender: bool = True
    recipient: str = ""
    recipients: Sequence[str] = ()
    size: int = 0
    open: int = 0
    open_here: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment to remember. `fresh`: all earlier ones of the key are forgotten."""

    key: Key
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply. `text` begins with the enhanced code, where it is not the one that the code has by itself."""

    code: str
    text: str
    remember: tuple[Mark, ...] = ()

    @property
    def reply(self) -> str:
        return f"{self.code} {self.text}"


class History:
    """Moments by key, oldest first; bounded. Not safe by itself: sessions run under the world's lock."""

    def __init__(self) -> None:
        self._times: OrderedDict[Key, deque[datetime]] = OrderedDict()

    def times(self, key: Key) -> Sequence[datetime]:
        return self._times.get(key, ())

    def since(self, key: Key, moment: datetime) -> int:
        """How many lie after the moment."""
        count = 0
        for time in reversed(self.times(key)):
            if time <= moment:
                break
            count += 1
        return count

    def remember(self, marks: Iterable[Mark], now: datetime) -> None:
        for mark in marks:
            times = self._times.get(mark.key)
            if times is None or mark.fresh:
                times = self._times[mark.key] = deque(maxlen=KEPT_TIMES)
            times.append(now)
            self._times.move_to_end(mark.key)
        while len(self._times) > KEPT_KEYS:
            self._times.popitem(last=False)

    def clear(self) -> None:
        self._times.clear()

    def __len__(self) -> int:
        return len(self._times)


class Policy:
    """One rule. Both methods are pure."""

    __slots__ = ()

    def judge(self, history: History, request: Request) -> Refusal | None:
        raise NotImplementedError

    def accepted(self, request: Request) -> Iterable[Mark]:
        return ()


# -- the policies


@dataclass(frozen=True, slots=True)
class ConnectionCap(Policy):
    """At most so many SMTP sessions at once: in all, and of one client address (None: any number). 421 in place of the greeting.
    `World.connections` has the limits of all protocols together."""

    total: int | None = None
    per_client: int | None = None

    def __post_init__(self) -> None:
        _at_least(0, total=self.total, per_client=self.per_client)

    def judge(self, history: History, request: Request) -> Refusal | None:
        if request.step != "connect":
            return None
        full = self.total is not None and request.open >= self.total
        full = full or (self.per_client is not None and request.open_here >= self.per_client)
        return Refusal("421", "4.7.0 too many connections") if full else None


@dataclass(frozen=True, slots=True)
class Tarpit(Policy):
    """Each refusal of a session after the first `errors` ones is said `seconds` later. Refuses nothing itself."""

    errors: int = 3
    seconds: float = 5.0

    def __post_init__(self) -> None:
        _at_least(0, errors=self.errors, seconds=self.seconds)

    def judge(self, history: History, request: Request) -> Refusal | None:
        return None

    def delay(self, refusals: int) -> float:
        """Seconds before the refusal with this number, counted from 1."""
        return self.seconds if refusals > self.errors else 0.0


@dataclass(frozen=True, slots=True)
class SenderMustMatch(Policy):
    """Who is authenticated sends by an address of his own, or by none."""

    def judge(self, history: History, request: Request) -> Refusal | None:
        if request.step != "MAIL" or request.account is None or request.owns_sender:
            return None
        return Refusal("553", "5.7.1 the sender's address does not belong to who is authenticated")


@dataclass(frozen=True, slots=True)
class RecipientLimit(Policy):
    """Recipients of one message, for everybody or for one authenticated account. 452: the rest may come in a message of their own
    (RFC 5321 §4.5.3.1.10)."""

    maximum: int
    account: str | None = None

    def __post_init__(self) -> None:
        _at_least(0, maximum=self.maximum)

    def judge(self, history: History, request: Request) -> Refusal | None:
        if request.step != "RCPT" or not _concerns(self.account, request.account) or len(request.recipients) < self.maximum:
            return None
        return Refusal("452", "4.5.3 too many recipients")


@dataclass(frozen=True, slots=True)
class SizeLimit(Policy):
    """Octets of a message that `account` submits or gets (None: that anybody submits). Judged by the declared size, and again by the
    real one; a message too big for one recipient is then refused for all (our choice: the reply to the text is one)."""

    maximum: int
    account: str | None = None

    def __post_init__(self) -> None:
        _at_least(0, maximum=self.maximum)

    def judge(self, history: History, request: Request) -> Refusal | None:
        if request.step == "connect" or request.size <= self.maximum:
            return None
        if request.step in ("MAIL", "message") and _concerns(self.account, request.account):
            return Refusal("552", f"5.3.4 a message of yours has at most {self.maximum} octets")
        recipients = (request.recipient,) if request.step == "RCPT" else request.recipients
        if self.account is not None and any(_same(self.account, recipient) for recipient in recipients):
            return Refusal("552", f"5.2.3 a message for this mailbox has at most {self.maximum} octets")
        return None


@dataclass(frozen=True, slots=True)
class RefuseRecipient(Policy):
    """One address, all of a domain ("@sim.test") or everybody ("*") is refused at RCPT.

    code, text  the reply; without an enhanced code in the text the code's usual one is said
    times       how often for each address (None: always); 1 is "once"
    until       by the world's clock, None: for ever
    """

    recipient: str
    code: str = "550"
    text: str = "5.1.1 no such mailbox"
    times: int | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        _is_refusal(self.code, self.text)
        if self.times is not None:
            _at_least(1, times=self.times)
        if self.until is not None and self.until.utcoffset() is None:
            raise ValueError("until must be a moment with a time zone")

    def judge(self, history: History, request: Request) -> Refusal | None:
        if request.step != "RCPT" or not self.names(request.recipient):
            return None
        if self.until is not None and request.now >= self.until:
            return None
        key = "refused", self.recipient, self.code, self.text, canonical(request.recipient)
        if self.times is not None and len(history.times(key)) >= self.times:
            return None
        return Refusal(self.code, self.text, (Mark(key),))

    def names(self, recipient: str) -> bool:
        address = canonical(recipient)
        if self.recipient.startswith("@"):
            return address.endswith(canonical("x" + self.recipient)[1:])
        return self.recipient == "*" or address == canonical(self.recipient)


@dataclass(frozen=True, slots=True)
class Greylist(Policy):
    """Who is not known has to come again (RFC 6647): the first try of client network, sender and recipient is refused with 450, and so are
    others within `delay` seconds of it. A triplet that was not seen for `lifetime` seconds is unknown again. Authenticated clients pass.

    ipv4, ipv6  bits of the client's address that count
    """

    delay: float = 300.0
    lifetime: float = 36 * 86_400.0
    ipv4: int = 24
    ipv6: int = 64

    def __post_init__(self) -> None:
        _at_least(0, delay=self.delay, lifetime=self.lifetime)
        if not (0 <= self.ipv4 <= 32 and 0 <= self.ipv6 <= 128):
            raise ValueError("a network has 0 to 32 bits (IPv4) or 0 to 128 (IPv6)")

    def judge(self, history: History, request: Request) -> Refusal | None:
        if request.step != "RCPT" or request.account is not None:
            return None
        key = self._key(request)
        times = history.times(key)
        if not times or (request.now - times[-1]).total_seconds() > self.lifetime:
            return self._later(self.delay, Mark(key, fresh=True)) if self.delay else None
        wait = self.delay - (request.now - times[0]).total_seconds()
        if len(times) > 1 or wait <= 0:  # it has passed before, or passes now
            return None
        return self._later(wait)

    @staticmethod
    def _later(wait: float, *remember: Mark) -> Refusal:
        return Refusal("450", f"4.7.1 greylisted, come again in {math.ceil(wait)} seconds", remember)

    def accepted(self, request: Request) -> Iterable[Mark]:
        if request.step != "RCPT" or request.account is not None:
            return ()
        return (Mark(self._key(request)),)

    def _key(self, request: Request) -> Key:
        return (
            "triplet",
            _network(request.client, self.ipv4, self.ipv6),
            canonical(request.sender),
            canonical(request.recipient),
        )


@dataclass(frozen=True, slots=True)
class RateLimit(Policy):
    """At most `maximum` messages (or recipients) that were taken within the last `window` seconds, for each account, client address, sender
    or recipient, or ("all") together. Messages are judged at MAIL (for a recipient at RCPT), recipients at RCPT.

    code, text  450 or 451: later; 452; 421 ends the connection too
    """

    maximum: int
    window: float
    per: Literal["account", "client", "sender", "recipient", "all"] = "account"
    unit: Literal["messages", "recipients"] = "messages"
    code: str = "450"
    text: str = "4.7.28 too much mail, try again later"

    def __post_init__(self) -> None:
        _at_least(0, maximum=self.maximum, window=self.window)
        if self.maximum > KEPT_TIMES:
            raise ValueError(f"a rate limit counts up to {KEPT_TIMES}")
        if self.per not in ("account", "client", "sender", "recipient", "all") or self.unit not in ("messages", "recipients"):
            raise ValueError("a rate limit counts messages or recipients per account, client, sender, recipient or all")
        _is_refusal(self.code, self.text)

    def judge(self, history: History, request: Request) -> Refusal | None:
        early = self.unit == "messages" and self.per != "recipient"
        subject = self._subject(request, request.recipient)
        if request.step != ("MAIL" if early else "RCPT") or subject is None:
            return None
        since = request.now - timedelta(seconds=self.window)
        return Refusal(self.code, self.text) if history.since(self._key(subject), since) >= self.maximum else None

    def accepted(self, request: Request) -> Iterable[Mark]:
        if request.step != ("message" if self.unit == "messages" else "RCPT"):
            return ()
        recipients = request.recipients if request.step == "message" and self.per == "recipient" else (request.recipient,)
        subjects = (self._subject(request, recipient) for recipient in recipients)
        return [Mark(self._key(subject)) for subject in subjects if subject is not None]

    def _subject(self, request: Request, recipient: str) -> str | None:
        if self.per == "account":
            return canonical(request.account) if request.account is not None else None
        if self.per == "recipient":
            return canonical(recipient)
        return {"client": request.client, "sender": canonical(request.sender)}.get(self.per, "")

    def _key(self, subject: str) -> Key:
        """Not of `maximum`: a limit that is changed goes on with what was counted."""
        return "rate", self.unit, self.per, subject


# -- all together


class Policies:
    """The policies of a service, in the order in which they were added, and what they remember. Safe to change while sessions run."""

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self._policies: tuple[Policy, ...] = tuple(policies)
        self._lock = threading.Lock()
        self.history = History()

    def add(self, policy: Policy) -> Policy:
        with self._lock:
            self._policies = (*self._policies, policy)
        return policy

    def remove(self, policy: Policy) -> None:
        """One that equals it. Raises ValueError when there is none."""
        with self._lock:
            policies = list(self._policies)
            policies.remove(policy)
            self._policies = tuple(policies)

    def clear(self) -> None:
        """Forget all policies and what they remembered."""
        with self._lock:
            self._policies = ()
            self.history.clear()

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)

    def judge(self, request: Request, among: Iterable[Policy] | None = None) -> Refusal | None:
        """The first refusal of all policies (or of some); what it wants remembered is."""
        for policy in self._policies if among is None else among:
            refusal = policy.judge(self.history, request)
            if refusal is not None:
                self.history.remember(refusal.remember, request.now)
                return refusal
        return None

    def accepted(self, request: Request) -> None:
        """The step was taken. Policies that count the same thing count it once."""
        marks = [mark for policy in self._policies for mark in dict.fromkeys(policy.accepted(request))]
        self.history.remember(dict.fromkeys(marks), request.now)

    def naming(self, address: str) -> list[Policy]:
        """Those that refuse this very address."""
        refusals = (policy for policy in self._policies if isinstance(policy, RefuseRecipient))
        return [policy for policy in refusals if policy.recipient[:1] not in ("*", "@") and policy.names(address)]

    def delay(self, refusals: int) -> float:
        """Seconds before the refusal with this number of a session is said."""
        return max((policy.delay(refusals) for policy in self._policies if isinstance(policy, Tarpit)), default=0.0)


def _at_least(least: int, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None and value < least:
            raise ValueError(f"{name} is at least {least}, not {value}")


def _is_refusal(code: str, text: str) -> None:
    if not re.fullmatch(r"[45][0-5][0-9]", code):
        raise ValueError(f"a refusal's code is 400 to 559, not {code!r}")
    if not text.isprintable() or len(text) > 400:
        raise ValueError("a refusal's text is one line without control characters, up to 400 characters")


def _same(one: str, other: str) -> bool:
    return canonical(one) == canonical(other)


def _concerns(wanted: str | None, account: str | None) -> bool:
    return wanted is None or (account is not None and _same(wanted, account))


def _network(client: str, ipv4: int, ipv6: int) -> str:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    return str(ipaddress.ip_network((address, ipv4 if address.version == 4 else ipv6), strict=False))
