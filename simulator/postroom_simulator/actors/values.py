"""What an account does by itself with mail that comes: small values for `Account.actors`. All times are seconds of the world's clock."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["Actor", "Audience", "AutoReply", "Bounce", "Complaint", "DelayNotice", "OofReply", "OofState", "OutOfOffice"]

TEXT_LIMIT = 64 * 1024
"""Characters of an automatic reply (our choice)."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """Mail is accepted, not put into the mailbox, and comes back `after` seconds later as a failed delivery (RFC 3464).

    status  enhanced code 5.x.x (RFC 3463); `text` is the diagnostic behind it
    """

    after: float = 0.0
    status: str = "5.1.1"
    text: str = "no such user here"

    def __post_init__(self) -> None:
        _seconds(after=self.after)
        _status("5", self.status, self.text)


@dataclass(frozen=True, slots=True)
class DelayNotice:
    """Mail is accepted and waits: `after` seconds later its sender is told (RFC 3464, action "delayed"), and it is delivered
    `deliver_after` seconds after it came. With a `Bounce` beside it, mail is bounced in the end and never delivered."""

    after: float
    deliver_after: float
    status: str = "4.4.1"
    text: str = "no answer from the next host"

    def __post_init__(self) -> None:
        _seconds(after=self.after, deliver_after=self.deliver_after)
        if self.deliver_after < self.after:
            raise ValueError("mail is not delivered before its delay is told: deliver_after is at least after")
        _status("4", self.status, self.text)


@dataclass(frozen=True, slots=True)
class AutoReply:
    """An out-of-office reply (RFC 3834): to people only, once in `interval` for each.

    text            of the reply
    subject         None: "Auto: " and the subject that is answered
    interval        7 days is what RFC 5230 §4.1 takes
    after           how long the reply takes
    start, end      the time away; `end` excluded, None: open
    only_addressed  answer only what names one of the account's addresses in To or Cc (RFC 3834 §2)
    prefix          stands before the subject that is answered
    language        of the text (RFC 5646), "" where it is not said
    """

    text: str
    subject: str | None = None
    interval: float = 7 * 86_400.0
    after: float = 0.0
    start: datetime | None = None
    end: datetime | None = None
    only_addressed: bool = True
    prefix: str = "Auto: "
    language: str = ""

    def __post_init__(self) -> None:
        _seconds(interval=self.interval, after=self.after)
        if len(self.text) > TEXT_LIMIT:
            raise ValueError(f"an automatic reply has at most {TEXT_LIMIT} characters")
        for name in ("start", "end"):
            moment = getattr(self, name)
            if moment is not None and moment.utcoffset() is None:
                raise ValueError(f"{name} must be a moment with a time zone")


@dataclass(frozen=True, slots=True)
class Complaint:
    """The account calls mail unwanted: `after` seconds later a feedback report (RFC 5965) goes out about it.

    to               None: abuse@ the domain of the message's sender
    kind             Feedback-Type: "abuse", "fraud", "virus", "not-spam", "other"
    sender_contains, subject_contains  which mail; None: all
    """

    after: float = 0.0
    to: str | None = None
    kind: str = "abuse"
    sender_contains: str | None = None
    subject_contains: str | None = None

    def __post_init__(self) -> None:
        _seconds(after=self.after)
        if not re.fullmatch(r"[a-z][a-z-]{0,30}", self.kind):
            raise ValueError(f"a feedback type is a lower-case word, not {self.kind!r}")
        if self.to is not None and ("@" not in self.to or not self.to.isprintable()):
            raise ValueError(f"{self.to!r} is no mail address")


OofState = Literal["Disabled", "Enabled", "Scheduled"]
Audience = Literal["None", "Known", "All"]


@dataclass(frozen=True, slots=True)
class OofReply:
    """text: HTML where it has tags, else plain; language: RFC 5646, "" where it is not said."""

    text: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class OutOfOffice:
    """The out-of-office settings of a mailbox, as a user keeps them (MS-OXWOOF 2.2): replies to people inside and to those outside, each
    person once while it is on. A mailbox has one at most.

    state       Scheduled: from `start` to `end`, `end` excluded
    audience    who outside is answered: nobody, those in the account's contacts, everybody
    """

    state: OofState = "Disabled"
    audience: Audience = "All"
    internal: OofReply = OofReply()
    external: OofReply = OofReply()
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.state == "Scheduled" and (self.start is None or self.end is None or self.start >= self.end):
            raise ValueError("a scheduled absence has a start, and an end after it")
        if max(len(self.internal.text), len(self.external.text)) > TEXT_LIMIT:
            raise ValueError(f"an automatic reply has at most {TEXT_LIMIT} characters")

    def away(self, now: datetime) -> bool:
        if self.state == "Scheduled":
            return self.start is not None and self.end is not None and self.start <= now < self.end
        return self.state == "Enabled"

    def reply(self, *, inside: bool, known: bool) -> AutoReply | None:
        """What somebody is answered; None: nothing. `known`: is in the account's contacts."""
        if not inside and (self.audience == "None" or (self.audience == "Known" and not known)):
            return None
        chosen = self.internal if inside else self.external
        if not chosen.text.strip():
            return None
        return AutoReply(chosen.text, interval=_ONCE, prefix="Automatic reply: ", language=chosen.language)


_ONCE = 100 * 366 * 86_400.0
"""Seconds after which somebody would be answered a second time."""

Actor = Bounce | DelayNotice | AutoReply | Complaint | OutOfOffice


def _seconds(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is a number of seconds, 0 or more, not {value!r}")


def _status(first: str, status: str, text: str) -> None:
    if not re.fullmatch(rf"{first}\.[0-9]{{1,3}}\.[0-9]{{1,3}}", status):
        raise ValueError(f"a status here is {first}.x.x (RFC 3463), not {status!r}")
    if not text.isprintable() or len(text) > 400:
        raise ValueError("a diagnostic is one line without control characters, up to 400 characters")
