"""Which faults can be: the words of each protocol and the combinations that mean something.

`problems` finds everything that is wrong with a fault at once, so that a person can mend a file in one go.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Garble,
    LoseReply,
    Refuse,
    Reply,
    Stall,
    When,
)

__all__ = ["PHASES", "REPLY_TEXT_LIMIT", "VERBS", "nearest", "possible_at", "problems"]


VERBS: Mapping[str, tuple[str, ...]] = {
    "pop3": (
        "USER",
        "PASS",
        "APOP",
        "AUTH",
        "CAPA",
        "STLS",
        "STAT",
        "LIST",
        "UIDL",
        "RETR",
        "TOP",
        "DELE",
        "NOOP",
        "RSET",
        "QUIT",
        "UTF8",
        "LANG",
    ),
    "smtp": (
        "EHLO",
        "HELO",
        "MAIL",
        "RCPT",
        "DATA",
        "BDAT",
        "RSET",
        "NOOP",
        "QUIT",
        "VRFY",
        "EXPN",
        "HELP",
        "AUTH",
        "STARTTLS",
    ),
}
"""The commands that a fault can name, by protocol."""

PHASES: Mapping[str, tuple[str, ...]] = {
    "pop3": ("connect", "tls", "greeting", "auth"),
    "smtp": ("connect", "tls", "greeting", "auth", "text", "end-of-data"),
}
"""The steps that are no commands, by protocol."""

BEFORE_LOGIN = ("connect", "tls", "greeting")
"""Phases where nobody can know yet whose connection it is."""

_SPOKEN = (Reply, Delay, Stall, Cut, Drop, LoseReply, Garble, Drip)
_POSSIBLE: Mapping[str, tuple[type, ...]] = {
    "connect": (Refuse, AcceptThenReset, Delay, Stall, Drop),
    "tls": (Delay, Stall, Cut, Drop),
    "text": (Stall, Cut, Drop),
}
"""What can happen at the phases where the server says nothing of its own; everywhere else: `_SPOKEN`."""

_CODES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "pop3": (re.compile(r"-ERR|\+OK"), '"-ERR" or "+OK"'),
    "smtp": (re.compile(r"[2-5][0-5][0-9]"), "three digits, 200 to 559 (RFC 5321 §4.2.1)"),
}

REPLY_TEXT_LIMIT = 400
"""Characters of a `Reply.text`: with code and CRLF it stays below the 512 octets of a reply line (RFC 5321 §4.5.3.1.5)."""


def nearest(word: str, words: Iterable[str]) -> str:
    """' Did you mean "RETR"?', or "" when nothing is near. For error texts."""
    folded = {w.lower(): w for w in words}
    found = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.5)
    return f' Did you mean "{folded[found[0]]}"?' if found else ""


def problems(when: When, effect: Effect) -> list[str]:
    """Everything that is wrong with a fault, one sentence each; empty when it can be."""
    if not isinstance(effect, _SPOKEN + _POSSIBLE["connect"]):
        return [f"{effect!r} is no effect"]
    protocols, found = _protocols(when)
    return found + _occurrence(when) + _window(when) + _place(when, effect) + _values(effect) + _reply(effect, protocols)


def _protocols(when: When) -> tuple[list[str], list[str]]:
    """The protocols that know the step, and what is wrong with its words."""
    if when.protocol != "*" and when.protocol not in VERBS:
        return [], [f'protocol "{when.protocol}" is not known.{nearest(when.protocol, VERBS)}']
    asked = list(VERBS) if when.protocol == "*" else [when.protocol]
    if when.at == "*":
        return asked, []
    knowing = [p for p in asked if when.at in VERBS[p] or when.at in PHASES[p]]
    if knowing:
        return knowing, []
    elsewhere = [p for p in VERBS if when.at in VERBS[p] or when.at in PHASES[p]]
    if elsewhere:
        return [], [f'"{when.at}" is a step of {elsewhere[0]} only, not of {when.protocol}.']
    words = tuple(w for p in asked for w in (*VERBS[p], *PHASES[p]))
    return [], [f'no step is called "{when.at}".{nearest(when.at, words)}']


def _occurrence(when: When) -> list[str]:
    found = []
    for name in ("nth", "first", "last"):
        value = getattr(when, name)
        if value is not None and (type(value) is not int or value < 1):
            found.append(f"{name} counts from 1, it cannot be {value!r}.")
    if found:
        return found
    if when.nth is not None and (when.first is not None or when.last is not None):
        found.append("nth names one step, first and last a range of steps: give one or the other.")
    if when.first is not None and when.last is not None and when.first > when.last:
        found.append(f"first ({when.first}) comes after last ({when.last}).")
    chance = when.probability
    if chance is not None and (isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1):
        found.append(f"probability lies between 0 and 1, it cannot be {chance!r}.")
    return found


def _window(when: When) -> list[str]:
    found = []
    for name in ("after", "until"):
        value = getattr(when, name)
        if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None):
            found.append(f"{name} must be a moment with a time zone, not {value!r}: add tzinfo=UTC.")
    if not found and when.after is not None and when.until is not None and when.after >= when.until:
        found.append(f"the window is empty: after ({when.after.isoformat()}) is not before until ({when.until.isoformat()}).")
    return found


def _place(when: When, effect: Effect) -> list[str]:
    found = []
    kind = type(effect).__name__
    if when.account is not None and when.at in BEFORE_LOGIN:
        found.append(f'at "{when.at}" the account is not known yet.')
    if isinstance(effect, Refuse | AcceptThenReset) and when.at != "connect":
        found.append(f'{kind} is possible at "connect" only.')
    elif when.at in _POSSIBLE and not isinstance(effect, _POSSIBLE[when.at]):
        able = ", ".join(t.__name__ for t in _POSSIBLE[when.at])
        found.append(f'{kind} is not possible at "{when.at}", where the server says no reply; possible are {able}.')
    return found


def _values(effect: Effect) -> list[str]:
    kind = type(effect).__name__
    found = []
    seconds = getattr(effect, "seconds", 0)
    endless = seconds is None and isinstance(effect, Stall)
    if not endless and not _is_duration(seconds):
        found.append(f"{kind}.seconds must be a number of seconds, 0 or more, not {seconds!r}.")
    octets = getattr(effect, "octets", 0)
    least = 1 if isinstance(effect, Drip | Garble) else 0
    if hasattr(effect, "octets") and (type(octets) is not int or octets < least):
        found.append(f"{kind}.octets must be a whole number, {least} or more, not {octets!r}.")
    how = getattr(effect, "how", "fin")
    if how not in ("fin", "rst"):
        found.append(f'{kind}.how must be "fin" or "rst", not {how!r}.')
    return found


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _reply(effect: Effect, protocols: list[str]) -> list[str]:
    if not isinstance(effect, Reply):
        return []
    found = []
    for protocol in protocols:
        pattern, shape = _CODES[protocol]
        if not isinstance(effect.code, str) or not pattern.fullmatch(effect.code):
            hint = " Name the protocol that is meant." if len(protocols) > 1 else ""
            found.append(f"Reply.code {effect.code!r} is no {protocol} reply: {shape}.{hint}")
            break
    if not isinstance(effect.text, str) or any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in effect.text):
        found.append("Reply.text must be one line without control characters.")
    elif len(effect.text) > REPLY_TEXT_LIMIT:
        found.append(f"Reply.text has {len(effect.text)} characters, more than the {REPLY_TEXT_LIMIT} of a reply line.")
    return found


def possible_at(effect: Effect, at: str) -> bool:
    """For faults at "*": whether the effect can happen at this step."""
    return isinstance(effect, _POSSIBLE.get(at, _SPOKEN))
