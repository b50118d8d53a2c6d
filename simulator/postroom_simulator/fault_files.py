"""Faults in a file, or as plain data for any other carrier.

A TOML file holds a table `[[fault]]` for each, in the order in which they are to be asked:

    [[fault]]
    name = "the third message breaks off"      # optional
    protocol = "pop3"                          # "pop3", "smtp"; left out: any
    at = "RETR"                                # a command or a phase, see postroom_simulator.faults.When; left out: any step
    account = "ann@sim.test"
    nth = 3                                    # or first = 2, last = 4
    after = 2026-01-05T08:00:00Z               # and until = ..., moments with a time zone (text in ISO 8601 does too)
    probability = 0.5
    effect = { cut = 512, how = "rst" }

The effect is a table with one of these words; all are given here with all that can be said:

    { reply = "451 4.3.0 try later" }          # or "-ERR [SYS/TEMP] try later"
    { delay = 5 }                              # seconds
    { stall = 30 }                             # seconds; "forever"
    { cut = 10, how = "fin" }                  # octets; "fin" or "rst"
    { drop = "fin" }                           # or "rst"
    { lose_reply = "rst" }                     # or "fin"
    { garble = 3 }                             # octets
    { drip = 1, every = 0.1 }                  # octets, seconds
    { refuse = true }
    { accept_then_reset = 0 }                  # octets of the greeting

A word alone does for an effect without values to give: `effect = "drop"`. `from_data` and `to_data` have the same shape as dictionaries;
what `to_data` gives can go into JSON.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from postroom_simulator.errors import FaultError
from postroom_simulator.fault_rules import nearest, problems
from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Fault,
    Garble,
    LoseReply,
    Refuse,
    Reply,
    Stall,
    When,
)

__all__ = ["SIZE_LIMIT", "from_data", "load_faults", "parse_faults", "to_data"]

SIZE_LIMIT = 1024 * 1024
"""Octets of a file of faults (our choice)."""

_WHEN = tuple(field.name for field in fields(When))
_KEYS = ("name", "effect", *_WHEN)
_TEXTS = ("name", "protocol", "at", "account")


@dataclass(frozen=True, slots=True)
class _Word:
    """How an effect is written: its class, the field that the word's value is, further keys and their fields."""

    effect: type[Any]
    field: str = ""
    more: Mapping[str, str] | None = None

    @property
    def keys(self) -> Mapping[str, str]:
        return self.more or {}


_WORDS: Mapping[str, _Word] = {
    "reply": _Word(Reply, "code"),
    "delay": _Word(Delay, "seconds"),
    "stall": _Word(Stall, "seconds"),
    "cut": _Word(Cut, "octets", {"how": "how"}),
    "drop": _Word(Drop, "how"),
    "lose_reply": _Word(LoseReply, "how"),
    "garble": _Word(Garble, "octets"),
    "drip": _Word(Drip, "octets", {"every": "seconds"}),
    "refuse": _Word(Refuse),
    "accept_then_reset": _Word(AcceptThenReset, "octets"),
}
_ALONE = ("stall", "cut", "drop", "lose_reply", "garble", "drip", "refuse", "accept_then_reset")
"""Words that need no value."""

_FOREVER = "forever"


def load_faults(path: str | Path) -> list[Fault]:
    """The faults of a TOML file, in order. Raises FaultError naming the file, and in it everything that is wrong, by entry;
    OSError when it cannot be read."""
    source = Path(path)
    with source.open("rb") as file:
        octets = file.read(SIZE_LIMIT + 1)
    if len(octets) > SIZE_LIMIT:
        raise FaultError(f"{source}: a file of faults has at most {SIZE_LIMIT} octets")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FaultError(f"{source}: not UTF-8 at octet {error.start}") from None
    return parse_faults(text, str(source))


def parse_faults(text: str, source: str = "faults") -> list[Fault]:
    """As `load_faults`, from text; `source` is named in errors."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FaultError(f"{source}: not TOML: {error}") from None
    wrong = [
        f'"{key}" is unknown here: faults are [[fault]] tables.{nearest(key, ("fault",))}' for key in document if key != "fault"
    ]
    entries = document.get("fault", [])
    if not isinstance(entries, list):
        wrong.append("faults are written as [[fault]], with two brackets.")
        entries = []
    found = []
    for number, entry in enumerate(entries, 1):
        fault, mistakes = _parse(entry)
        label = f"fault {number}" + (f' ("{entry["name"]}")' if isinstance(entry, dict) and entry.get("name") else "")
        wrong += [f"{label}: {mistake}" for mistake in mistakes]
        if fault is not None:
            found.append(fault)
    if wrong:
        raise FaultError("\n".join(f"{source}: {line}" for line in wrong))
    return found


def from_data(data: Mapping[str, Any]) -> Fault:
    """One fault from a dictionary of the same shape. Raises FaultError with everything that is wrong."""
    fault, wrong = _parse(data)
    if fault is None:
        raise FaultError(" ".join(wrong))
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
    if isinstance(effect, Reply):
        return {"reply": f"{effect.code} {effect.text}"}
    word, spec = next((word, spec) for word, spec in _WORDS.items() if spec.effect is type(effect))
    value = getattr(effect, spec.field) if spec.field else True
    data = {word: _FOREVER if value is None else value}
    data.update({key: getattr(effect, name) for key, name in spec.keys.items()})
    return data


def _parse(data: object) -> tuple[Fault | None, list[str]]:
    """The fault, or None and what is wrong with it."""
    if not isinstance(data, Mapping):
        return None, [f"a fault is a table, not {data!r}."]
    wrong = [f'"{key}" is unknown.{nearest(str(key), _KEYS)}' for key in data if key not in _KEYS]
    values: dict[str, Any] = {}
    for name in _KEYS:
        if name != "effect" and name in data:
            _take(name, data[name], values, wrong)
    fault_name = values.pop("name", "")
    when = When(**values)
    if "effect" not in data:
        return None, [*wrong, "effect is missing: what happens then?"]
    effect = _effect(data["effect"], wrong)
    if effect is None:
        return None, wrong
    wrong += problems(when, effect)
    return (None if wrong else Fault(when, effect, fault_name)), wrong


def _take(name: str, value: object, values: dict[str, Any], wrong: list[str]) -> None:
    """Put a value of the right kind into `values`. Numbers are judged with the rest of the fault."""
    if name in _TEXTS and not isinstance(value, str):
        wrong.append(f"{name} must be text, not {value!r}.")
    elif name in ("after", "until") and isinstance(value, str):
        try:
            values[name] = datetime.fromisoformat(value)
        except ValueError:
            wrong.append(f'{name} must be a moment like "2026-01-05T08:00:00Z", not {value!r}.')
    else:
        values[name] = value


def _effect(data: object, wrong: list[str]) -> Effect | None:
    if isinstance(data, str):
        if data not in _ALONE:
            hint = f' "{data}" needs a value.' if data in _WORDS else f' No effect is called "{data}".{nearest(data, _WORDS)}'
            wrong.append(f"effect:{hint}")
            return None
        return _made(_WORDS[data].effect, {})
    if not isinstance(data, Mapping):
        wrong.append(f"effect must be a table like {{ delay = 5 }}, not {data!r}.")
        return None
    known = {key for spec in _WORDS.values() for key in spec.keys}
    words = [key for key in data if key in _WORDS]
    unknown = [str(key) for key in data if key not in _WORDS and key not in known]
    wrong += [f'effect: "{key}" is unknown.{nearest(key, [*_WORDS, *sorted(known)])}' for key in unknown]
    if len(words) != 1:
        if words or not unknown:
            wrong.append(f"effect must have one of {', '.join(_WORDS)}{', not ' + ' and '.join(words) if words else ''}.")
        return None
    return _worded(words[0], data, wrong)


def _worded(word: str, data: Mapping[str, Any], wrong: list[str]) -> Effect | None:
    spec = _WORDS[word]
    strange = [key for key in data if key != word and key not in spec.keys and key in ("how", "every")]
    wrong += [f'effect: "{key}" does not belong to {word}.' for key in strange]
    value = data[word]
    if word == "reply":
        return _reply(value, wrong)
    if word == "refuse":
        if value is not True:
            wrong.append(f"effect: refuse is true or left out, not {value!r}.")
            return None
        return Refuse()
    values = {spec.field: None if word == "stall" and value == _FOREVER else value}
    if word == "stall" and value is None:
        wrong.append('effect: stall is a number of seconds or "forever".')
        return None
    values.update({name: data[key] for key, name in spec.keys.items() if key in data})
    return _made(spec.effect, values)


def _reply(value: object, wrong: list[str]) -> Effect | None:
    if not isinstance(value, str):
        wrong.append(f'effect: reply is text like "451 4.3.0 try later", not {value!r}.')
        return None
    code, space, text = value.partition(" ")
    return Reply(code, text) if space else Reply(code)


def _made(make: Callable[..., Effect], values: Mapping[str, Any]) -> Effect:
    return make(**values)
