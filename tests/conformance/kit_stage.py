"""What the tests of the kit share: one run over the built-in providers, made once a session, and a small judge of JSON Schema."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from datetime import date
from typing import Any

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.smtp import SmtpProvider
from postroom.testing.conformance import Subject, run_kit, subject_for, table
from postroom.testing.conformance.mutants import load_mutants
from postroom.testing.conformance.results import CheckResult, Report, Result
from postroom.testing.conformance.table import Profile

TODAY = date(2026, 3, 1)
PROVIDERS = {"pop3": Pop3Provider, "smtp": SmtpProvider}
KNOWN_SHOULDS = {"PKG-07"}
"""Postroom's own distribution names no contact."""


@functools.cache
def whole(name: str) -> Report:
    """The kit on a built-in provider."""
    return run_kit(subject_for(PROVIDERS[name]), today=TODAY)


class CoreAndSecure(Subject):
    """Two profiles of the built-in POP3 provider: a whole run that takes a second."""

    provider = Pop3Provider
    claims = ("core", "secure")


@functools.cache
def small() -> Report:
    """A whole run, of a small claim."""
    return run_kit(CoreAndSecure(), today=TODAY)


@functools.cache
def broken() -> Report:
    """The life cycle's checks on a provider that commits each time."""
    return run_kit(load_mutants()["LIF-06 CommitsEachTime"].subject(), only=["LIF"], today=TODAY)


def made(**results: Result) -> Report:
    """A report in which everything that core demands passed, but what is given by id (with "_" for "-")."""
    every = table.load()
    named = {key.replace("_", "-"): value for key, value in results.items()}
    core = [one for one in every.values() if one.profile is Profile.CORE or one.id in named]
    found = tuple(CheckResult(one, named.get(one.id, Result.PASS)) for one in core)
    return replace(small(), results=found, claims=(Profile.CORE,), waivers=(), partial=False)


def violations(schema: Any, value: Any, root: Any = None, path: str = "$") -> list[str]:
    """What of the value the schema forbids; the keywords that the published schema uses."""
    root = root if root is not None else schema
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return violations(target, value, root, path)
    if "anyOf" in schema:
        options = [violations(one, value, root, path) for one in schema["anyOf"]]
        return [] if any(not option for option in options) else options[-1]
    unknown = set(schema) - KEYWORDS
    assert not unknown, unknown
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is none of {schema['enum']}")
    if "type" in schema and not TYPES[schema["type"]](value):
        return [*found, f"{path}: {value!r} is no {schema['type']}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match")
    if value < schema.get("minimum", value) if isinstance(value, int | float) else False:
        found.append(f"{path}: {value} is too small")
    if value > schema.get("maximum", value) if isinstance(value, int | float) else False:
        found.append(f"{path}: {value} is too large")
    if isinstance(value, list):
        for number, one in enumerate(value):
            found += violations(schema.get("items", {}), one, root, f"{path}[{number}]")
    if isinstance(value, dict):
        found += [f"{path}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, one in value.items():
            if "propertyNames" in schema:
                found += violations(schema["propertyNames"], name, root, f"{path} name {name}")
            if name in schema.get("properties", {}):
                found += violations(schema["properties"][name], one, root, f"{path}.{name}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{path}: {name} is not foreseen")
            elif isinstance(schema.get("additionalProperties"), dict):
                found += violations(schema["additionalProperties"], one, root, f"{path}.{name}")
    return found


KEYWORDS = {
    *("$schema", "$id", "title", "description", "$defs", "type", "required", "additionalProperties", "properties", "items"),
    *("uniqueItems", "const", "enum", "pattern", "format", "minimum", "maximum", "propertyNames"),
}
TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
