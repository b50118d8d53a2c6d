"""A sample of the mutants in each run, always the same ones while the rules stay; all of them with `make mutants` or --campaign."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.mutation.run import ROOT


def run(*options: str, patience: float) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.mutation", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    print(found.stdout)
    assert found.returncode == 0, "mistakes in the rules that no test sees:\n" + found.stdout + found.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_sample_of_mistakes_is_seen() -> None:
    run("--sample", "24", "--quick", patience=290)


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_every_mistake_is_seen() -> None:
    run(patience=7100)


def test_a_mistake_that_no_test_sees_is_told() -> None:
    """The run itself: an untested function would be found."""
    from tests.mutation.mutants import mutants_of
    from tests.mutation.run import judge, tests_of

    mutant = mutants_of("postroom.rules.nobody_tests_this", "def f(a):\n    return a < 3\n")[0]
    assert tests_of(mutant, {}) == ([], [])
    assert judge(mutant, {}, {}).outcome == "survived"
    assert judge(mutant, {}, {mutant.name: "a reason"}).outcome == "equivalent"
