"""The kill matrix: each deliberately wrong provider (or framework) fails its own check, for the reason that was meant, and no unrelated one."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from postroom.testing.conformance import table
from postroom.testing.conformance.kill import matrix, tried
from postroom.testing.conformance.mutants import load_mutants
from postroom.testing.conformance.table import Owner

MUTANTS = load_mutants()
EVERY = table.load()
MINE = {"PKG", "CFG", "LIF", "ERR", "LOG", "SEC", "PRF"}
ALWAYS = ("LIF-01", "LIF-06", "LIF-12", "CFG-09", "CFG-12", "ERR-02", "SEC-01")
"""Cheap checks that most mistakes would fail, if they failed unrelated ones."""


@pytest.mark.parametrize("name", [name for name, one in MUTANTS.items() if one.check.partition("-")[0] in MINE])
def test_the_mutant_is_killed_for_its_reason(name):
    row = tried(MUTANTS[name], ALWAYS)
    assert not row.text(), row.text()


def test_a_sample_of_the_whole_matrix():
    """Every seed of the calendar would do; another one is chosen when the table grows."""
    chosen = random.Random(len(EVERY)).sample(sorted(MUTANTS), 3)
    rows = [tried(MUTANTS[name], [one for one in EVERY if one not in SLOW]) for name in chosen]
    assert not any(row.text() for row in rows), "\n".join(row.text() for row in rows)


SLOW = {"INB-14", "STA-17", "CON-02", "CON-11", "PRF-01", "PRF-03"}


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_the_whole_matrix():
    rows = [tried(one, EVERY) for one in MUTANTS.values()]
    print(matrix(rows))
    assert not any(row.text() for row in rows), "\n".join(row.text() for row in rows)


def test_a_framework_s_duty_is_broken_by_a_framework():
    """A provider cannot fail these, so their mutants are frameworks."""
    for one in MUTANTS.values():
        broken_framework = not isinstance(one.broken, type)
        assert broken_framework == (EVERY[one.check].owner is Owner.FRAMEWORK), one.name


def test_a_mutant_that_lives_is_told():
    alive = replace(MUTANTS["LIF-06 CommitsEachTime"], says="something else")
    row = tried(alive)
    assert not row.killed
    assert "is not killed for its reason" in row.text()
    stray = replace(MUTANTS["LIF-06 CommitsEachTime"], also=frozenset())
    assert "fails unrelated checks: LIF-12" in tried(stray, ["LIF-12"]).text()
    assert "ALIVE" in matrix([row])
