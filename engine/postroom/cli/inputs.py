"""What people type becomes values: ATTRIBUTE=VALUE under the published names, addresses of servers, passwords.

A password is asked for on a terminal, else it is the first line of standard input, or it is in an environment variable that an option names.
It is never an argument: those are seen by everybody on the machine.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from postroom.cli.desk import UsageProblem
from postroom.model.attributes import Attribute, Kind, Lookup, Record, attributes_of, nearest
from postroom.model.secret import Secret

__all__ = ["BadValues", "Finder", "assignments", "free_assignments", "moment", "option", "password", "server", "value_for"]

Finder = Callable[[str, str], Lookup]
"""(entity, what was typed) -> the record."""
_TRUTH = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_LINE_LIMIT = 4_000


class BadValues(UsageProblem):
    """Values that do not fit; `problems` lists all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def assignments(texts: Sequence[str], finder: Finder, *classes: type[Record]) -> list[dict[str, Any]]:
    """ATTRIBUTE=VALUE as values of these entities, each attribute to the first that has it. An empty VALUE empties the attribute.
    Raises BadValues with everything that is wrong. Whether an attribute may be written is the organization's to say."""
    found: list[dict[str, Any]] = [{} for _ in classes]
    problems: list[str] = []
    for text in texts:
        name, given, value = text.partition("=")
        name = name.strip().lower()
        if not given:
            problems.append(f"{text!r} is no ATTRIBUTE=VALUE")
            continue
        if any(name in cls.__secrets__ for cls in classes):
            problems.append(f"{name}: a password is no argument, others could read it; use --password or --password-env")
            continue
        place = next((number for number, cls in enumerate(classes) if name in attributes_of(cls)), None)
        if place is None:
            known = [one for cls in classes for one in attributes_of(cls)]
            problems.append(f"{classes[0].__entity__}: no such attribute {name!r}{nearest(name, known)}")
            continue
        try:
            found[place][name] = value_for(attributes_of(classes[place])[name], value, finder)
        except ValueError as wrong:
            problems.append(f"{name}: {wrong}")
    if problems:
        raise BadValues(problems)
    return found


def free_assignments(texts: Sequence[str], finder: Finder) -> dict[str, Any]:
    """For entities without published attributes here: NAME=TEXT, or NAME:=JSON for numbers, yes and no. `ownerid` is a user."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    for text in texts:
        name, given, value = text.partition("=")
        literal = name.endswith(":")
        name = name.removesuffix(":").strip().lower()
        if not given or not re.fullmatch(r"[a-z][a-z0-9_]{0,127}", name):
            problems.append(f"{text!r} is no ATTRIBUTE=VALUE")
        elif "password" in name:
            problems.append(f"{name}: a record like this keeps no passwords")
        elif literal:
            try:
                found[name] = json.loads(value)
            except ValueError:
                problems.append(f"{name}: not JSON: {value[:40]!r}")
        elif name == "ownerid" and value:
            found[name] = finder("systemuser", value)
        else:
            found[name] = value or None
    if problems:
        raise BadValues(problems)
    return found


def value_for(spec: Attribute, text: str, finder: Finder) -> Any:
    """Raises ValueError that says what would be right."""
    if text == "":
        return None
    if spec.kind is Kind.BOOLEAN:
        if text.casefold() not in _TRUTH:
            raise ValueError(f"yes or no expected, not {text[:40]!r}")
        return _TRUTH[text.casefold()]
    if spec.kind in (Kind.INTEGER, Kind.BIG_INTEGER):
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", text):
            raise ValueError(f"a whole number expected, not {text[:40]!r}")
        return int(text)
    if spec.kind is Kind.NUMBER:
        return float(text)
    if spec.kind is Kind.PICKLIST:
        assert spec.options is not None
        return option(spec.options, text)
    if spec.kind is Kind.MOMENT:
        return moment(text)
    if spec.kind is Kind.LOOKUP:
        return _lookup(spec, text, finder)
    return text


def option(options: type[IntEnum], text: str) -> IntEnum:
    """By number or name: 2, "server side sync or router", SERVER_SIDE_SYNC_OR_ROUTER. Raises ValueError naming all."""
    wanted = re.sub(r"[\s_-]+", "_", text.strip()).upper()
    for one in options:
        if wanted in (one.name, str(int(one))):
            return one
    known = ", ".join(f"{int(one)} {one.name.lower().replace('_', ' ')}" for one in options)
    raise ValueError(f"{text[:40]!r} is not an option; there are {known}")


def moment(text: str) -> datetime:
    """2026-03-01, 2026-03-01T09:30, with or without an offset; without: UTC. Raises ValueError."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"a moment expected, like 2026-03-01 or 2026-03-01T09:30Z, not {text[:40]!r}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _lookup(spec: Attribute, text: str, finder: Finder) -> Lookup:
    entity, colon, rest = text.partition(":")
    if colon and re.fullmatch(r"[a-z][a-z0-9_]*", entity) and (not spec.targets or entity in spec.targets):
        return finder(entity, rest)
    if not spec.targets:
        raise ValueError("ENTITY:NAME expected, for example contact:carl@birch.example")
    return finder(spec.targets[0], text)


def server(text: str, option_name: str) -> tuple[str, int | None]:
    """HOST or HOST:PORT; an IPv6 address with a port in brackets. Raises UsageProblem."""
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]/@]+))(?::(?P<port>[0-9]{1,5}))?", text.strip())
    if found is None or not 0 <= int(found["port"] or 1) <= 65535 or found["port"] == "0":
        raise UsageProblem(f"{option_name}: HOST or HOST:PORT expected, for example mail.alder.example:995, not {text[:80]!r}")
    return found["v6"] or found["host"], int(found["port"]) if found["port"] else None


def password(ask: bool, variable: str, what: str) -> Secret | None:
    """The password that an option asks for; None when none does. Raises UsageProblem."""
    if variable:
        value = os.environ.get(variable)
        if not value:
            raise UsageProblem(f"--password-env: the environment has no {variable}")
        return Secret(value)
    if not ask:
        return None
    if sys.stdin.isatty():
        try:
            value = getpass.getpass(f"Password of {what}: ")
        except (EOFError, KeyboardInterrupt):
            raise UsageProblem("no password was given") from None
    else:
        value = sys.stdin.readline(_LINE_LIMIT).rstrip("\r\n")
    if not value:
        raise UsageProblem("no password was given: type it, pipe it in as one line, or use --password-env")
    return Secret(value)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was not said."""
    return {name: value for name, value in values.items() if value is not None}
