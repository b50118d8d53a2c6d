"""docs/conformance.md: a verdict on every line, and every test that it names is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"

RFCS = {1939, 2449, 2595, 3206, 5034, 6856, 5321, 1870, 2920, 3030, 3207, 3461, 3464, 4954, 6152, 6409, 6531}
LEVELS = {"MUST", "SHOULD", "MAY"}
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@dataclass(frozen=True)
class Row:
    line: int
    rfc: int
    section: str
    level: str
    requirement: str
    verdict: str
    tests: str


def rows() -> list[Row]:
    found, rfc = [], 0
    for number, line in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), 1):
        if heading := re.match(r"## RFC (\d+)", line):
            rfc = int(heading[1])
        elif line.startswith("|") and not line.startswith(("| Section", "| ---")):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 5, f"line {number} has {len(cells)} cells"
            found.append(Row(number, rfc, *cells))
    return found


@cache
def names_in(path: str) -> frozenset[str]:
    file = ROOT / path
    return (
        frozenset(re.findall(r"^ *(?:async )?def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE))
        if file.is_file()
        else frozenset()
    )


ROWS = rows()


def test_every_rfc_has_its_lines() -> None:
    assert {row.rfc for row in ROWS} == RFCS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"RFC {row.rfc} line {row.line}")
def test_every_line_is_whole(row: Row) -> None:
    assert re.fullmatch(r"\d+(\.\d+)*", row.section)
    assert row.level in LEVELS
    assert row.requirement
    if row.verdict == "done":
        assert TEST.search(row.tests), "what is done is shown by a test"
        assert TEST.sub("", row.tests).replace("<br>", "") == "", "nothing but tests in the last cell"
    else:
        assert row.verdict == "planned" or re.fullmatch(r"not: .{10,}", row.verdict), "done, planned, or not with the reason"
        assert row.tests == ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"RFC {row.rfc} line {row.line}")
def test_every_named_test_is_there(row: Row) -> None:
    for path, name in TEST.findall(row.tests):
        assert name in names_in(path), f"{path} has no {name}"


def test_no_requirement_is_told_twice() -> None:
    told = [(row.rfc, row.section, row.requirement) for row in ROWS]
    assert len(told) == len(set(told))
