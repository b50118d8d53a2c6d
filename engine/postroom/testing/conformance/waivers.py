"""Waivers: a file of failures that somebody answers for.

    [[waiver]]
    id = "INB-14"
    reason = "the vendor's interface gives no streams; ticket 4711"
    owner = "ann@example.test"
    expires = 2026-12-31

A waived check still runs. It passes: an error, take the waiver out. It is past its date: exit code 4, whatever else is good.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from postroom.testing.conformance.results import Waiver
from postroom.testing.conformance.table import load

__all__ = ["parse_waivers", "read_waivers"]

WORDS = {"id", "reason", "owner", "expires"}
SHORTEST = 8
"""Characters of a reason that can be one (ours)."""


def read_waivers(path: Path | str) -> tuple[Waiver, ...]:
    """Raises ValueError with everything that is wrong in the file."""
    place = Path(path)
    try:
        values = tomllib.loads(place.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"waivers in {place.name}: {error}") from error
    return parse_waivers(values, place.name)


def parse_waivers(values: Mapping[str, Any], where: str = "waivers") -> tuple[Waiver, ...]:
    """Of what the file holds. Raises ValueError with everything that is wrong."""
    table = load()
    problems = [f"unknown table {name!r}" for name in values.keys() - {"waiver"}]
    rows = values.get("waiver", [])
    if not isinstance(rows, list):
        raise ValueError(f"{where}: write [[waiver]], with two brackets")
    found: list[Waiver] = []
    for number, row in enumerate(rows, 1):
        wrong = _problems(row, table)
        if isinstance(row, dict) and row.get("id") in {one.id for one in found}:
            wrong.append(f"{row['id']} is waived twice")
        problems += [f"waiver {number}: {one}" for one in wrong]
        if not wrong:
            expires = row["expires"]
            day = expires.date() if isinstance(expires, datetime) else expires
            found.append(Waiver(row["id"], row["reason"].strip(), day, str(row.get("owner", ""))))
    if problems:
        raise ValueError(f"{where}: " + "; ".join(problems))
    return tuple(found)


def _problems(row: Any, table: Mapping[str, Any]) -> list[str]:
    if not isinstance(row, dict):
        return ["is no table"]
    wrong = [f"unknown word {name!r}" for name in sorted(row.keys() - WORDS)]
    if row.get("id") not in table:
        wrong.append(f"id: no check is called {row.get('id')!r}")
    reason = row.get("reason")
    if not isinstance(reason, str) or len(reason.strip()) < SHORTEST:
        wrong.append("reason: say in a sentence why")
    if not isinstance(row.get("expires"), date):
        wrong.append("expires: a date such as 2026-12-31 is required")
    return wrong
