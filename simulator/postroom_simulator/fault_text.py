"""Faults in words: what can be had, for a person who writes a file, and what one fault will do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from postroom_simulator.fault_files import EFFECT_WORDS
from postroom_simulator.fault_rules import PHASES, TLS_TROUBLES, VERBS, effects_at
from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Fault,
    Garble,
    Lie,
    LoseReply,
    Refuse,
    Reply,
    Stall,
    TlsTrouble,
    When,
)

__all__ = ["COMMAND_WORDS", "EFFECT_LINES", "PHASE_WORDS", "in_words", "reference"]

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")

PHASE_WORDS: Mapping[str, str] = {
    "connect": "a client connects",
    "tls": "a TLS handshake begins",
    "greeting": "the greeting is due",
    "auth": "the client answers inside an AUTH exchange, or shows its credentials",
    "text": "the text of a message is received",
    "end-of-data": "the final dot of a message was received",
    "request": "the head of an HTTP request was read",
    "envelope": "the envelope of a request is there and its login is good",
    "item": "one item of a batch is next",
    "stream": "an envelope of a stream is due",
}
"""Each phase as the moment that it is."""

COMMAND_WORDS: Mapping[str, str] = {
    "USER": "name the mailbox",
    "PASS": "the password",
    "APOP": "log in by digest",
    "AUTH": "log in by a mechanism",
    "CAPA": "what the server can do",
    "STLS": "begin TLS",
    "STAT": "how many messages",
    "LIST": "sizes",
    "UIDL": "unique ids",
    "RETR": "a message",
    "TOP": "the head of a message",
    "DELE": "mark as deleted",
    "NOOP": "nothing",
    "RSET": "start over",
    "QUIT": "leave (POP3: what is marked is deleted now)",
    "UTF8": "UTF-8 from here on",
    "LANG": "language of the texts",
    "EHLO": "hello, and what the server can do",
    "HELO": "hello, the old way",
    "MAIL": "the sender",
    "RCPT": "one recipient",
    "DATA": "a message follows (its text and end are phases)",
    "BDAT": "a piece of a message follows",
    "VRFY": "is there such an address",
    "EXPN": "who is on a list",
    "HELP": "help",
    "STARTTLS": "begin TLS",
    "GET": "a page",
    "HEAD": "the head of a page",
    "POST": "something is handed over",
    "PUT": "something is put under a name",
    "DELETE": "a page is taken away",
    **{name: _CAPITAL.sub(" ", name).lower() for name in VERBS["ews"]},
}

EFFECT_LINES: Mapping[type[Effect], tuple[str, str]] = {
    Reply: ('{ reply = "451 4.3.0 text" }', "say this; the step is not taken"),
    Delay: ("{ delay = 5, jitter = 2 }", "take the step, answer so many seconds later"),
    Stall: ('{ stall = 30 } or "forever"', "say nothing; then take the step, or never"),
    Cut: ('{ cut = 10, how = "rst" }', "take the step, say so many octets of the answer, end"),
    Drop: ('{ drop = "fin", seconds = 10 }', "end without taking the step, at once or after a silence"),
    LoseReply: ('{ lose_reply = "rst" }', "take the step and end without a word"),
    Lie: ('{ lie = "451 4.3.0 text" }', "take the step, and say this instead of the true answer"),
    Garble: ("{ garble = 3 }", "take the step, change so many octets of the answer"),
    Drip: ("{ drip = 1, every = 0.1 }", "take the step, answer so many octets at a time"),
    Refuse: ("{ refuse = true }", "the connection is refused"),
    AcceptThenReset: ("{ accept_then_reset = 0 }", "reset after so many octets of the greeting"),
    TlsTrouble: ('{ tls = "expired" }', "a trouble with TLS, below"),
}
"""How each effect is written, and what it does, in short."""


def reference() -> list[tuple[str, list[tuple[str, str]]]]:
    """What can be said in a file: headings with rows of two columns. Made from the rules themselves."""
    found = [("Effects (effect = ...)", list(EFFECT_LINES.values()))]
    for protocol in VERBS:
        phases = [(f'"{phase}"', f"{PHASE_WORDS[phase]}: {_possible(phase)}") for phase in PHASES[protocol]]
        commands = [(f'"{verb}"', COMMAND_WORDS.get(verb, "")) for verb in VERBS[protocol]]
        found.append((f'Phases of protocol = "{protocol}" (at = ...), and the effects that are possible there', phases))
        found.append((f'Commands of protocol = "{protocol}" (at = ...): {_possible("")}', commands))
    found.append(('TLS troubles (effect = { tls = ... } at "connect" or "tls")', [*TLS_TROUBLES.items()]))
    return found


def _possible(at: str) -> str:
    words = {spec.effect: word for word, spec in EFFECT_WORDS.items()}
    return ", ".join(words[effect] for effect in effects_at(at))


# -- one fault


def in_words(fault: Fault) -> str:
    """One sentence or two: when, and what happens then."""
    when = _when(fault.when)
    return f"{when[0].upper()}{when[1:]}: {_effect(fault.effect, fault.when)}."


def _when(when: When) -> str:
    parts = [_moment(when)]
    if when.argument is not None:
        parts.append(f'followed by something like "{when.argument}"')
    if when.account is not None:
        parts.append(f"in a session of {when.account}")
    if when.last is not None and when.first is None:
        parts.append("the first time only" if when.last == 1 else f"the first {when.last} times only")
    if when.after is not None:
        parts.append(f"from {_time(when.after)} on")
    if when.until is not None:
        parts.append(f"until just before {_time(when.until)}")
    if when.probability is not None:
        parts.append(f"with a chance of {when.probability * 100:g} in 100")
    return ", ".join(parts)


def _moment(when: When) -> str:
    which = _which(when)
    of = {"*": "", "pop3": " of POP3", "smtp": " of SMTP", "ews": " of EWS", "http": " of HTTP"}.get(
        when.protocol, f" of {when.protocol}"
    )
    if when.at == "*":
        return f"at {which} step{of} where it is possible"
    if when.at in PHASE_WORDS:
        inside = "" if when.protocol == "*" else f" ({when.protocol.upper()})"
        return f"{which} time that {PHASE_WORDS[when.at]}{inside}"
    return f"at {which} {when.at}{of}"


def _which(when: When) -> str:
    if when.nth is not None:
        return f"the {_ordinal(when.nth)}"
    if when.first is not None and when.last is not None:
        return f"the {_ordinal(when.first)} to the {_ordinal(when.last)}"
    if when.first is not None:
        return f"the {_ordinal(when.first)} and each later"
    return "each"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")


def _effect(effect: Effect, when: When) -> str:
    match effect:
        case Reply() | Lie():
            return _reply(effect, when.at)
        case Delay():
            spread = f", give or take {_seconds(effect.jitter)}" if effect.jitter else ""
            return f"the server does what was asked and answers {_seconds(effect.seconds)} later{spread}"
        case Stall(None):
            return "the server falls silent for ever and does nothing"
        case Stall():
            return f"the server says nothing for {_seconds(effect.seconds or 0)}, then goes on as if nothing had been"
        case Cut():
            return _cut(effect, when.at)
        case Drop():
            later = f"falls silent for {_seconds(effect.seconds)}, then " if effect.seconds else ""
            return f"the server {later}ends the connection {_how(effect.how)} and does nothing"
        case LoseReply():
            return f"the server does what was asked and ends the connection {_how(effect.how)} without a word: the client cannot know"
        case Garble():
            return f"the server does what was asked and its answer has {_octets(effect.octets)} changed"
        case Drip():
            return f"the server does what was asked and answers {_octets(effect.octets)} at a time, {_seconds(effect.seconds)} apart"
        case Refuse() | AcceptThenReset() | TlsTrouble():
            return _of_the_line(effect)


def _of_the_line(effect: Refuse | AcceptThenReset | TlsTrouble) -> str:
    match effect:
        case Refuse():
            return "the connection is refused"
        case AcceptThenReset():
            return f"the connection is reset after {_octets(effect.octets)} of the greeting"
        case TlsTrouble():
            return f"TLS has a trouble: {TLS_TROUBLES[effect.name]}"


def _reply(reply: Reply | Lie, at: str) -> str:
    if isinstance(reply, Lie):
        return f'the server does what was asked and says "{reply.code} {reply.text}" all the same'
    ends = reply.code == "421" or (at == "greeting" and reply.code == "-ERR")
    end = "; then the connection ends" if ends else ""
    return f'the server says "{reply.code} {reply.text}" and does nothing{end}'


def _cut(cut: Cut, at: str) -> str:
    match at:
        case "text":
            return f"after {_octets(cut.octets)} of the text the connection ends {_how(cut.how)}; nothing is stored"
        case "connect":
            return f"the connection ends {_how(cut.how)} when the server has said {_octets(cut.octets)} in all"
        case "tls":
            return f"the connection ends {_how(cut.how)} after {_octets(cut.octets)} of the server's side of the handshake"
    return f"the server does what was asked, says {_octets(cut.octets)} of its answer and ends the connection {_how(cut.how)}"


def _how(how: str) -> str:
    return "by reset" if how == "rst" else "in order"


def _seconds(seconds: float) -> str:
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"


def _octets(count: int) -> str:
    return f"{count:,} octet{'' if count == 1 else 's'}"
