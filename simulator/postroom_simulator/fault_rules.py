"""Which faults can be: the words of each protocol and the combinations that mean something.

`problems` finds everything that is wrong with a fault at once, so that a person can mend a file in one go.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from postroom_simulator.ews.codes import CODES
from postroom_simulator.ews.operations import OPERATIONS
from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Garble,
    Lie,
    LoseReply,
    Refuse,
    Reply,
    Stall,
    TlsTrouble,
    When,
)
from postroom_simulator.web.values import METHODS

__all__ = [
    "ARGUED_PHASES",
    "BEFORE_THE_HANDSHAKE",
    "PHASES",
    "REPLY_TEXT_LIMIT",
    "TLS_TROUBLES",
    "UPGRADES_ONLY",
    "VERBS",
    "Problem",
    "effects_at",
    "find_problems",
    "find_when_problems",
    "nearest",
    "possible_at",
    "problems",
    "tls_trouble_problems",
]


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
    "ews": tuple(OPERATIONS),
    "http": METHODS,
}
"""The commands that a fault can name, by protocol; those of Exchange Web Services are its operations."""

PHASES: Mapping[str, tuple[str, ...]] = {
    "pop3": ("connect", "tls", "greeting", "auth"),
    "smtp": ("connect", "tls", "greeting", "auth", "text", "end-of-data"),
    "ews": ("connect", "tls", "request", "auth", "envelope", "item", "stream"),
    "http": ("connect", "tls", "request"),
}
"""The steps that are no commands, by protocol."""

ARGUED_PHASES = ("item",)
"""Phases that have an argument: the operation and the number of the item, "GetItem 3"."""

TLS_TROUBLES: Mapping[str, str] = {
    "expired": "the certificate was valid until the year 2001",
    "not-yet-valid": "the certificate will be valid from the year 2900 on",
    "wrong-name": "the certificate is for another host",
    "self-signed": "the certificate is signed by itself",
    "unknown-ca": "the certificate is signed by an authority that nobody trusts",
    "weak-key": "the certificate has an RSA key of 1,024 bits",
    "broken-chain": "the intermediate certificate is not sent along",
    "old-versions": "the server speaks TLS 1.0 and 1.1 only",
    "cut-after-client-hello": "the connection ends when the client has said its hello",
    "cut-in-server-hello": "the connection ends in the middle of the server's hello",
    "cut-after-server-hello": "the connection ends after the server's hello",
    "cut-before-finished": "the connection ends before the last record of the server's side",
    "cut-after-finished": "the connection ends when the server's side was said, before the client's is heard",
    "plain-text": "clear text where TLS is due: the greeting, or after STARTTLS and STLS a reply",
    "garbage": "octets that are no TLS where the server's hello is due, and the end",
    "refused": "STARTTLS and STLS are offered and refused for now (454, -ERR)",
    "stripped": "STARTTLS and STLS are neither offered nor there",
    "injected": "a reply in the clear between the go-ahead to STARTTLS or STLS and the handshake",
}
"""The troubles with TLS that can be had, and what each is."""

UPGRADES_ONLY = ("refused", "stripped", "injected")
"""Troubles of STARTTLS and STLS; where TLS is implicit they change nothing."""
BEFORE_THE_HANDSHAKE = ("refused", "stripped")
"""Troubles that are over when a handshake would begin: a fault at "tls" comes too late for them."""
_CUTS = tuple(name for name in TLS_TROUBLES if name.startswith("cut-"))

BEFORE_LOGIN = ("connect", "tls", "greeting", "request")
"""Phases where nobody can know yet whose connection it is."""

_EFFECTS: tuple[type, ...] = get_args(Effect)
_SPOKEN = (Reply, Delay, Stall, Cut, Drop, LoseReply, Lie, Garble, Drip)
_POSSIBLE: Mapping[str, tuple[type, ...]] = {
    "connect": (Refuse, AcceptThenReset, Delay, Stall, Cut, Drop, TlsTrouble),
    "tls": (Delay, Stall, Cut, Drop, TlsTrouble),
    "text": (Stall, Cut, Drop),
    "item": (Reply, Delay, Cut, Drop, LoseReply, Lie, Garble, Drip),
    "stream": (Delay, Stall, Cut, Drop, Garble, Drip),
}
"""What can happen at the phases where the server says nothing of its own; everywhere else: `_SPOKEN`. An item of a batch cannot wait by itself
(Stall): those before it were acted on; a stream has said its answer already."""

_CODES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "pop3": (re.compile(r"-ERR|\+OK"), '"-ERR" or "+OK"'),
    "smtp": (re.compile(r"[2-5][0-5][0-9]"), "three digits, 200 to 559 (RFC 5321 §4.2.1)"),
    "ews": (
        re.compile(r"[2-5][0-9][0-9]|Error[A-Za-z0-9]+"),
        'a status of HTTP ("503") or a response code ("ErrorServerBusy")',
    ),
    "http": (re.compile(r"[2-5][0-9][0-9]"), 'a status of HTTP ("503")'),
}

REPLY_TEXT_LIMIT = 400
"""Characters of a `Reply.text`: with code and CRLF it stays below the 512 octets of a reply line (RFC 5321 §4.5.3.1.5)."""


def nearest(word: str, words: Iterable[str]) -> str:
    """' Did you mean "RETR"?', or "" when nothing is near. For error texts."""
    folded = {w.lower(): w for w in words}
    found = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.5)
    return f' Did you mean "{folded[found[0]]}"?' if found else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a fault. `key` is the field of `When` that it is about, or "effect"."""

    key: str
    text: str


def problems(when: When, effect: Effect) -> list[str]:
    """Everything that is wrong with a fault, one sentence each; empty when it can be."""
    return [problem.text for problem in find_problems(when, effect)]


def find_problems(when: When, effect: Effect) -> list[Problem]:
    """As `problems`, each with what it is about."""
    if not isinstance(effect, _EFFECTS):
        return [Problem("effect", f"{effect!r} is no effect")]
    protocols, _ = _protocols(when)
    found = find_when_problems(when) + _place(when, effect)
    texts = (*_values(effect), *_reply(effect, protocols), *_code(when, effect, protocols), *_trouble(effect))
    return found + [Problem("effect", text) for text in texts]


def find_when_problems(when: When) -> list[Problem]:
    """What is wrong with it whatever the effect is."""
    return _protocols(when)[1] + _occurrence(when) + _window(when)


def _protocols(when: When) -> tuple[list[str], list[Problem]]:
    """The protocols that know the step, and what is wrong with its words."""
    if when.protocol != "*" and when.protocol not in VERBS:
        return [], [Problem("protocol", f'protocol "{when.protocol}" is not known.{nearest(when.protocol, VERBS)}')]
    asked = list(VERBS) if when.protocol == "*" else [when.protocol]
    if when.at == "*":
        return asked, []
    knowing = [p for p in asked if when.at in VERBS[p] or when.at in PHASES[p]]
    if knowing:
        return knowing, []
    elsewhere = [p for p in VERBS if when.at in VERBS[p] or when.at in PHASES[p]]
    if elsewhere:
        return [], [Problem("at", f'"{when.at}" is a step of {elsewhere[0]} only, not of {when.protocol}.')]
    words = tuple(w for p in asked for w in (*VERBS[p], *PHASES[p]))
    return [], [Problem("at", f'no step is called "{when.at}".{nearest(when.at, words)}')]


def _occurrence(when: When) -> list[Problem]:
    found = []
    for name in ("nth", "first", "last"):
        value = getattr(when, name)
        if value is not None and (type(value) is not int or value < 1):
            found.append(Problem(name, f"{name} counts from 1, it cannot be {value!r}."))
    if found:
        return found
    if when.nth is not None and (when.first is not None or when.last is not None):
        found.append(Problem("nth", "nth names one step, first and last a range of steps: give one or the other."))
    if when.first is not None and when.last is not None and when.first > when.last:
        found.append(Problem("first", f"first ({when.first}) comes after last ({when.last})."))
    chance = when.probability
    if chance is not None and (isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1):
        found.append(Problem("probability", f"probability lies between 0 and 1, it cannot be {chance!r}."))
    return found


def _window(when: When) -> list[Problem]:
    found = []
    for name in ("after", "until"):
        value = getattr(when, name)
        if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None):
            found.append(Problem(name, f"{name} must be a moment with a time zone, not {value!r}: add tzinfo=UTC."))
    if not found and when.after is not None and when.until is not None and when.after >= when.until:
        text = f"the window is empty: after ({when.after.isoformat()}) is not before until ({when.until.isoformat()})."
        found.append(Problem("until", text))
    return found


def _place(when: When, effect: Effect) -> list[Problem]:
    found = []
    kind = type(effect).__name__
    if when.account is not None and when.at in BEFORE_LOGIN:
        found.append(Problem("account", f'at "{when.at}" the account is not known yet.'))
    argument: object = when.argument
    if argument is not None and not isinstance(argument, str):
        found.append(Problem("argument", f"argument must be text, not {argument!r}."))
    elif argument is not None and when.at not in ARGUED_PHASES and any(when.at in phases for phases in PHASES.values()):
        found.append(Problem("argument", f'"{when.at}" is no command: nothing follows it that could be compared.'))
    if isinstance(effect, Refuse | AcceptThenReset) and when.at != "connect":
        found.append(Problem("effect", f'{kind} is possible at "connect" only.'))
    elif isinstance(effect, TlsTrouble) and when.at not in ("connect", "tls"):
        found.append(Problem("effect", f'{kind} is possible at "connect" and "tls" only.'))
    elif when.at in _POSSIBLE and not isinstance(effect, _POSSIBLE[when.at]):
        able = ", ".join(t.__name__ for t in _POSSIBLE[when.at])
        text = f'{kind} is not possible at "{when.at}", where the server says no reply; possible are {able}.'
        found.append(Problem("effect", text))
    elif isinstance(effect, TlsTrouble) and when.at == "tls" and effect.name in BEFORE_THE_HANDSHAKE:
        found.append(Problem("effect", f'"{effect.name}" comes before a handshake: at "connect", not at "tls".'))
    return found


def _values(effect: Effect) -> list[str]:
    kind = type(effect).__name__
    found = []
    seconds = getattr(effect, "seconds", 0)
    endless = seconds is None and isinstance(effect, Stall)
    if not endless and not _is_duration(seconds):
        found.append(f"{kind}.seconds must be a number of seconds, 0 or more, not {seconds!r}.")
    jitter = getattr(effect, "jitter", 0)
    if not _is_duration(jitter) or (
        _is_duration(seconds) and seconds is not None and hasattr(effect, "jitter") and jitter > seconds
    ):
        found.append(f"{kind}.jitter must be a number of seconds, 0 or more and no more than the delay, not {jitter!r}.")
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
    if not isinstance(effect, Reply | Lie):
        return []
    kind = type(effect).__name__
    found = []
    for protocol in protocols:
        pattern, shape = _CODES[protocol]
        if not isinstance(effect.code, str) or not pattern.fullmatch(effect.code):
            hint = " Name the protocol that is meant." if len(protocols) > 1 else ""
            found.append(f"{kind}.code {effect.code!r} is no {protocol} reply: {shape}.{hint}")
            break
    if not isinstance(effect.text, str) or any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in effect.text):
        found.append(f"{kind}.text must be one line without control characters.")
    elif len(effect.text) > REPLY_TEXT_LIMIT:
        found.append(f"{kind}.text has {len(effect.text)} characters, more than the {REPLY_TEXT_LIMIT} of a reply line.")
    return found


def _code(when: When, effect: Effect, protocols: list[str]) -> list[str]:
    """A response code that no client knows; a status of HTTP for one item of a batch."""
    if "ews" not in protocols or not isinstance(effect, Reply | Lie) or not isinstance(effect.code, str):
        return []
    if effect.code.isdigit():
        kind = type(effect).__name__
        text = f'{kind}.code {effect.code!r} is a status of HTTP; at "item" the answer to one item has a response code ("ErrorItemNotFound").'
        return [text] if when.at == "item" else []
    if effect.code.startswith("Error") and effect.code not in CODES:
        return [f"no response code is called {effect.code!r}.{nearest(effect.code, CODES)}"]
    return []


def _trouble(effect: Effect) -> list[str]:
    if not isinstance(effect, TlsTrouble):
        return []
    if effect.name not in TLS_TROUBLES:
        hint = nearest(effect.name, TLS_TROUBLES) if isinstance(effect.name, str) else ""
        return [f"no TLS trouble is called {effect.name!r}.{hint}"]
    if effect.how == "rst" and effect.name not in _CUTS:
        return [f'"{effect.name}" cuts no handshake: "rst" is no end of it.']
    return []


def tls_trouble_problems(trouble: TlsTrouble, *, implicit: bool | None = None) -> list[str]:
    """What is wrong with a trouble set for all services (`implicit` None) or for one whose TLS is implicit or not."""
    found = _trouble(trouble) + _values(trouble)
    if implicit and trouble.name in UPGRADES_ONLY:
        found.append(f'"{trouble.name}" is a trouble of STARTTLS and STLS; here TLS is implicit.')
    return found


def effects_at(at: str) -> tuple[type, ...]:
    """The effects that are possible at a command or phase."""
    return _POSSIBLE.get(at, _SPOKEN)


def possible_at(effect: Effect, at: str) -> bool:
    """For faults at "*": whether the effect can happen at this step. What counts a whole connection is for "connect" by name."""
    if at == "connect" and isinstance(effect, Cut):
        return False
    if at == "item" and isinstance(effect, Reply | Lie) and effect.code.isdigit():
        return False
    return isinstance(effect, effects_at(at))
