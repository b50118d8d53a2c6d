"""Faults in a file, or as plain data for any other carrier.

A TOML file holds a table `[[fault]]` for each, in the order in which they are to be asked:

    [[fault]]
    name = "the third message breaks off"      # optional
    protocol = "pop3"                          # "pop3", "smtp"; left out: any
    at = "RETR"                                # a command or a phase, see postroom_simulator.faults.When; left out: any step
    account = "ann@sim.test"
    argument = "3"                             # what follows the command; "*" for anything, as in "*<bob@*"
    nth = 3                                    # or first = 2, last = 4
    after = 2026-01-05T08:00:00Z               # and until = ..., moments with a time zone (text in ISO 8601 does too)
    probability = 0.5
    effect = { cut = 512, how = "rst" }

The effect is a table with one of these words; all are given here with all that can be said:

    { reply = "451 4.3.0 try later" }          # or "-ERR [SYS/TEMP] try later"
    { delay = 5, jitter = 2 }                  # seconds
    { stall = 30 }                             # seconds; "forever"
    { cut = 10, how = "fin" }                  # octets; "fin" or "rst"
    { drop = "fin", seconds = 10 }             # or "rst"; after a silence
    { lose_reply = "rst" }                     # or "fin"
    { lie = "451 4.3.0 try later" }            # the step is taken all the same
    { garble = 3 }                             # octets
    { drip = 1, every = 0.1 }                  # octets, seconds
    { refuse = true }
    { accept_then_reset = 0 }                  # octets of the greeting
    { tls = "expired" }                        # a name of fault_rules.TLS_TROUBLES; those that cut take how = "rst"

Errors name the file, the line and the entry. A word alone does for an effect without values to give: `effect = "drop"`. `from_data` and `to_data` have the same shape as dictionaries;
what `to_data` gives can go into JSON.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from postroom_simulator.errors import FaultError
from postroom_simulator.fault_rules import find_problems, find_when_problems, nearest
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
from postroom_simulator.toml_lines import lines_of

__all__ = [
    "EFFECT_WORDS",
    "SIZE_LIMIT",
    "Checked",
    "Mistake",
    "check_faults",
    "from_data",
    "load_faults",
    "parse_faults",
    "read_text",
    "to_data",
]

SIZE_LIMIT = 1024 * 1024
"""Octets of a file of faults (our choice)."""

_WHEN = tuple(field.name for field in fields(When))
_KEYS = ("name", "effect", *_WHEN)
_TEXTS = ("name", "protocol", "at", "account", "argument")


@dataclass(frozen=True, slots=True)
class _Word:
    """How an effect is written: its class, the field that the word's value is, further keys and their fields."""

    effect: type[Any]
    field: str = ""
    more: Mapping[str, str] | None = None

    @property
    def keys(self) -> Mapping[str, str]:
        return self.more or {}


EFFECT_WORDS: Mapping[str, _Word] = {
    "reply": _Word(Reply, "code"),
    "delay": _Word(Delay, "seconds", {"jitter": "jitter"}),
    "stall": _Word(Stall, "seconds"),
    "cut": _Word(Cut, "octets", {"how": "how"}),
    "drop": _Word(Drop, "how", {"seconds": "seconds"}),
    "lose_reply": _Word(LoseReply, "how"),
    "lie": _Word(Lie, "code"),
    "garble": _Word(Garble, "octets"),
    "drip": _Word(Drip, "octets", {"every": "seconds"}),
    "refuse": _Word(Refuse),
    "accept_then_reset": _Word(AcceptThenReset, "octets"),
    "tls": _Word(TlsTrouble, "name", {"how": "how"}),
}
_ALONE = ("stall", "cut", "drop", "lose_reply", "garble", "drip", "refuse", "accept_then_reset")
"""Words that need no value."""

_FOREVER = "forever"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a file. `line` counts from 1 (0: the file as a whole), `entry` from 1 (0: outside of any)."""

    text: str
    line: int = 0
    entry: int = 0
    name: str = ""

    def told(self, source: str) -> str:
        """As compilers say it: "faults.toml:12: fault 3 ("greylisting"): ..."."""
        place = f"{source}:{self.line}: " if self.line else f"{source}: "
        named = f' ("{self.name}")' if self.name else ""
        label = f"fault {self.entry}{named}: " if self.entry else ""
        return place + label + self.text


@dataclass(frozen=True, slots=True)
class Checked:
    """What is in a file: the faults that can be, each with the line where it begins, and everything that is wrong."""

    faults: tuple[tuple[int, Fault], ...]
    mistakes: tuple[Mistake, ...]


def load_faults(path: str | Path) -> list[Fault]:
    """The faults of a TOML file, in order. Raises FaultError naming the file, and in it everything that is wrong, by line and entry;
    OSError when it cannot be read."""
    return parse_faults(read_text(path), str(path))


def read_text(path: str | Path) -> str:
    """What is in a file of faults. Raises FaultError when it is too large or no text, OSError when it cannot be read."""
    source = Path(path)
    with source.open("rb") as file:
        octets = file.read(SIZE_LIMIT + 1)
    if len(octets) > SIZE_LIMIT:
        raise FaultError(f"{source}: a file of faults has at most {SIZE_LIMIT} octets")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise FaultError(f"{source}:{line}: not UTF-8 at octet {error.start}") from None


def parse_faults(text: str, source: str = "faults") -> list[Fault]:
    """As `load_faults`, from text; `source` is named in errors."""
    checked = check_faults(text)
    if checked.mistakes:
        raise FaultError("\n".join(mistake.told(source) for mistake in checked.mistakes))
    return [fault for _, fault in checked.faults]


def check_faults(text: str) -> Checked:
    """Everything that is in a text, right and wrong, in the order of its lines."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return Checked((), (_no_toml(text, error),))
    lines = lines_of(text)
    mistakes = [
        Mistake(f'"{key}" is unknown here: faults are [[fault]] tables.{nearest(key, ("fault",))}', lines.get((key,), 0))
        for key in document
        if key != "fault"
    ]
    entries = document.get("fault", [])
    if not isinstance(entries, list):
        mistakes.append(Mistake("faults are written as [[fault]], with two brackets.", lines.get(("fault",), 0)))
        entries = []
    found = []
    for number, entry in enumerate(entries):
        fault, wrong = _parse(entry)
        begin = lines.get(("fault", number), 0)
        given = entry.get("name") if isinstance(entry, dict) else None
        name = given if isinstance(given, str) else ""
        mistakes += [Mistake(mistake, lines.get(("fault", number, *way), begin), number + 1, name) for way, mistake in wrong]
        if fault is not None:
            found.append((begin, fault))
    return Checked(tuple(found), tuple(sorted(mistakes, key=lambda mistake: mistake.line)))


def _no_toml(text: str, error: Exception) -> Mistake:
    """The standard library says where, at the end of its text."""
    place = re.search(r" \((?:at line ([0-9]+), column [0-9]+|at end of document)\)$", str(error))
    line = 0 if place is None else int(place[1]) if place[1] else text.count("\n") + 1
    return Mistake(f"not TOML: {error}" if str(error) else "not TOML", line)


def from_data(data: Mapping[str, Any]) -> Fault:
    """One fault from a dictionary of the same shape. Raises FaultError with everything that is wrong."""
    fault, wrong = _parse(data)
    if fault is None:
        raise FaultError(" ".join(text for _, text in wrong))
    return fault


def to_data(fault: Fault) -> dict[str, Any]:
    """The dictionary that `from_data` turns into an equal fault; times as ISO 8601 text, nothing that is left out is named."""
    data: dict[str, Any] = {"name": fault.name} if fault.name else {}
    default = When()
    for name in _WHEN:
        value = getattr(fault.when, name)
        if value != getattr(default, name):
            data[name] = value.isoformat() if isinstance(value, datetime) else value
    data["effect"] = _effect_to_data(fault.effect)
    return data


def _effect_to_data(effect: Effect) -> dict[str, Any]:
    if isinstance(effect, Reply | Lie):
        return {"reply" if isinstance(effect, Reply) else "lie": f"{effect.code} {effect.text}"}
    word, spec = next((word, spec) for word, spec in EFFECT_WORDS.items() if spec.effect is type(effect))
    value = getattr(effect, spec.field) if spec.field else True
    data = {word: _FOREVER if value is None else value}
    defaults = {field.name: field.default for field in fields(spec.effect)}
    for key, name in spec.keys.items():
        if getattr(effect, name) != defaults[name] or key in _ALWAYS_SAID:
            data[key] = getattr(effect, name)
    return data


_ALWAYS_SAID = ("every",)

_Wrong = list[tuple[Sequence[str], str]]
"""What is wrong, each with the way to it inside the entry."""


def _parse(data: object) -> tuple[Fault | None, _Wrong]:
    """The fault, or None and what is wrong with it."""
    if not isinstance(data, Mapping):
        return None, [((), f"a fault is a table, not {data!r}.")]
    wrong: _Wrong = [((str(key),), f'"{key}" is unknown.{nearest(str(key), _KEYS)}') for key in data if key not in _KEYS]
    values: dict[str, Any] = {}
    for name in _KEYS:
        if name != "effect" and name in data:
            _take(name, data[name], values, wrong)
    fault_name = values.pop("name", "")
    when = When(**values)
    if "effect" not in data:
        wrong.append(((), "effect is missing: what happens then?"))
    effect = _effect(data["effect"], wrong) if "effect" in data else None
    if effect is None:
        return None, [*wrong, *(((problem.key,), problem.text) for problem in find_when_problems(when))]
    wrong += [((problem.key,), problem.text) for problem in find_problems(when, effect)]
    return (None if wrong else Fault(when, effect, fault_name)), wrong


def _take(name: str, value: object, values: dict[str, Any], wrong: _Wrong) -> None:
    """Put a value of the right kind into `values`. Numbers are judged with the rest of the fault."""
    if name in _TEXTS and not isinstance(value, str):
        wrong.append(((name,), f"{name} must be text, not {value!r}."))
    elif name in ("after", "until") and isinstance(value, str):
        try:
            values[name] = datetime.fromisoformat(value)
        except ValueError:
            wrong.append(((name,), f'{name} must be a moment like "2026-01-05T08:00:00Z", not {value!r}.'))
    else:
        values[name] = value


def _effect(data: object, wrong: _Wrong) -> Effect | None:
    way = ("effect",)
    if isinstance(data, str):
        if data not in _ALONE:
            hint = (
                f' "{data}" needs a value.'
                if data in EFFECT_WORDS
                else f' No effect is called "{data}".{nearest(data, EFFECT_WORDS)}'
            )
            wrong.append((way, f"effect:{hint}"))
            return None
        return _made(EFFECT_WORDS[data].effect, {})
    if not isinstance(data, Mapping):
        wrong.append((way, f"effect must be a table like {{ delay = 5 }}, not {data!r}."))
        return None
    words = [key for key in data if key in EFFECT_WORDS]
    unknown = [str(key) for key in data if key not in EFFECT_WORDS and key not in _MORE_KEYS]
    every = [*EFFECT_WORDS, *sorted(_MORE_KEYS)]
    wrong += [(("effect", key), f'effect: "{key}" is unknown.{nearest(key, every)}') for key in unknown]
    if len(words) != 1:
        if words or not unknown:
            said = ", not " + " and ".join(words) if words else ""
            wrong.append((way, f"effect must have one of {', '.join(EFFECT_WORDS)}{said}."))
        return None
    return _worded(words[0], data, wrong)


_MORE_KEYS = frozenset(key for spec in EFFECT_WORDS.values() for key in spec.keys)


def _worded(word: str, data: Mapping[str, Any], wrong: _Wrong) -> Effect | None:
    spec = EFFECT_WORDS[word]
    strange = [key for key in data if key != word and key not in spec.keys and key in _MORE_KEYS]
    wrong += [(("effect", key), f'effect: "{key}" does not belong to {word}.') for key in strange]
    value = data[word]
    way = ("effect", word)
    if word in ("reply", "lie"):
        return _reply(word, value, wrong)
    if word == "refuse":
        if value is not True:
            wrong.append((way, f"effect: refuse is true or left out, not {value!r}."))
            return None
        return Refuse()
    values = {spec.field: None if word == "stall" and value == _FOREVER else value}
    if word == "stall" and value is None:
        wrong.append((way, 'effect: stall is a number of seconds or "forever".'))
        return None
    values.update({name: data[key] for key, name in spec.keys.items() if key in data})
    return _made(spec.effect, values)


def _reply(word: str, value: object, wrong: _Wrong) -> Effect | None:
    if not isinstance(value, str):
        wrong.append((("effect", word), f'effect: {word} is text like "451 4.3.0 try later", not {value!r}.'))
        return None
    code, space, text = value.partition(" ")
    make = EFFECT_WORDS[word].effect
    return _made(make, {"code": code, "text": text} if space else {"code": code})


def _made(make: Callable[..., Effect], values: Mapping[str, Any]) -> Effect:
    return make(**values)
