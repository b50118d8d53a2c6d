"""The table of checks, and the pages that come from it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from postroom.testing.conformance import table
from postroom.testing.conformance.mutants import load_mutants
from postroom.testing.conformance.pages import checks_page
from postroom.testing.conformance.reports import SCHEMA, explain
from postroom.testing.conformance.table import Level, Profile

DOCS = Path(__file__).parents[2] / "docs"
EVERY = table.load()


@pytest.mark.parametrize("check", EVERY.values(), ids=list(EVERY))
def test_every_check_is_whole(check):
    assert re.fullmatch(r"[A-Z]{3}-[0-9]{2}", check.id)
    assert re.fullmatch(r"[a-z][a-z0-9_]+", check.name)
    assert check.run.__name__ == check.name, "a check is found by its name"
    assert check.rule
    assert not check.rule.endswith("."), "a rule is one sentence without a full stop"
    assert len(check.text) > 30, "the docstring says why, and what to do"
    assert check.mutant, "what is the wrong provider that fails it?"


def test_names_are_given_once():
    names = [one.name for one in EVERY.values()]
    assert len(names) == len(set(names))


def test_every_check_has_a_mutant():
    assert sorted({one.check for one in load_mutants().values()}) == sorted(EVERY)


def test_every_family_has_checks():
    """What the reference lists, and nothing less (provider-kit reference 6.3)."""
    counts = {family: sum(one.family == family for one in EVERY.values()) for family in table.FAMILIES}
    at_least = {
        "PKG": 8,
        "CFG": 15,
        "LIF": 11,
        "INB": 15,
        "OUT": 12,
        "STA": 18,
        "CON": 11,
        "ERR": 9,
        "SEC": 4,
        "LOG": 3,
        "PRF": 3,
    }
    assert {family: count for family, count in counts.items() if count < at_least[family]} == {}


def test_the_page_is_the_table():
    assert (DOCS / "checks.md").read_text(encoding="utf-8") == checks_page(), (
        "python -m postroom.testing.conformance > docs/checks.md"
    )


def test_the_published_schema_is_the_shipped_one():
    published = (DOCS / "conformance-report.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == json.loads(SCHEMA.read_text(encoding="utf-8")), (
        "--schema > docs/conformance-report.schema.json"
    )


def test_a_check_is_explained():
    text = explain(EVERY["LIF-04"])
    for word in ("LIF-04", EVERY["LIF-04"].rule, "Must", "core", "tries again for ever", "well again tomorrow"):
        assert word in text


def test_the_module_explains_and_refuses():
    def call(*words):
        command = [sys.executable, "-m", "postroom.testing.conformance", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    good = call("--explain", "LIF-04", "ERR")
    assert good.returncode == 0
    assert "LIF-04" in good.stdout
    assert "ERR-09" in good.stdout
    bad = call("--explain", "XYZ-01")
    assert bad.returncode == 2
    assert "XYZ-01" in bad.stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [(["lif-01"], ["LIF-01"]), (["full_cycle"], ["LIF-01"]), (["SEC"], ["SEC-01", "SEC-02", "SEC-03", "SEC-04"])],
)
def test_checks_are_chosen_by_words(words, found):
    assert [one.id for one in table.selected(words)] == found
    assert {one.profile for one in table.selected(["secure"])} == {Profile.SECURE}


def test_an_unknown_word_is_refused():
    with pytest.raises(ValueError, match="no check is called 'INB-99'"):
        table.selected(["INB-99"])


def test_ids_and_names_cannot_be_taken_twice():
    with pytest.raises(ValueError, match="taken"):
        table.check("LIF-01", "other", Level.MUST, Profile.CORE, rule="x")(lambda bench: None)
    with pytest.raises(ValueError, match="taken"):
        table.check("LIF-99", "full_cycle", Level.MUST, Profile.CORE, rule="x")(lambda bench: None)
    with pytest.raises(ValueError, match="family"):
        table.check("ABC-01", "other", Level.MUST, Profile.CORE, rule="x")(lambda bench: None)
    assert "LIF-99" not in table.CHECKS


def test_every_public_name_is_there():
    import postroom.testing.conformance as kit

    assert all(getattr(kit, name) is not None for name in kit.__all__)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = kit.nothing_of_the_kind
