"""Providers in processes pass the kit like any other: a few dear checks in each run, the whole table with --campaign."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from process_subjects import SUBJECTS, FolderInShell

from postroom.testing.conformance import table
from postroom.testing.conformance.results import Result
from postroom.testing.conformance.runner import Kit
from postroom.testing.conformance.world import KitWorld

EVERY = table.load()
PROGRAMS = {"shell": "sh", "node": "node"}
DEAR = {
    "shell": ("PKG-08", "INB-01", "INB-08", "INB-09", "STA-02", "CON-03", "ERR-09"),
    "node": (
        "PKG-08",
        "INB-01",
        "INB-08",
        "INB-09",
        "STA-02",
        "STA-06",
        "CON-03",
        "CON-04",
        "ERR-02",
        "ERR-04",
        "ERR-09",
        "SEC-04",
    ),
    "isolated": ("INB-01", "INB-08", "INB-11", "STA-02", "CON-03", "CON-04", "ERR-09"),
}
"""Where the host's side decides: what concerns one message, being asked to end, errors that come through, what is remembered."""
OURS = {"PKG-07"}
"""What is wrong with the distribution that all of them stand in is none of theirs."""


def kit(name: str, program: Callable[[str], str], seed: int) -> Kit:
    if name in PROGRAMS:
        program(PROGRAMS[name])
    return Kit(SUBJECTS[name](), seed)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_provider_in_a_process_passes_what_its_host_decides(name: str, program: Callable[[str], str]) -> None:
    made = kit(name, program, seed=1)
    found = made.judged([made.run(EVERY[one]) for one in DEAR[name]])
    wrong = [one.text() for one in found if one.result is not Result.PASS]
    assert not wrong, "\n".join(wrong)


class Blind(FolderInShell):
    """Says that nothing is there, and changes nothing: the self-test succeeds."""

    def missing(self, world: KitWorld) -> Mapping[str, str]:
        return {}


def test_a_self_test_without_a_network_is_found_out_too(program: Callable[[str], str]) -> None:
    program("sh")
    result = Kit(Blind(), 1).run(EVERY["PKG-08"])
    assert (result.result, result.observed) == (Result.FAIL, "check is declared and absent")


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_provider_in_a_process_passes_the_whole_table(name: str, program: Callable[[str], str]) -> None:
    made = kit(name, program, seed=2)
    wanted = {*made.subject.profiles, table.Profile.INFORMATIVE}
    found = made.judged([made.run(one) for one in EVERY.values() if one.profile in wanted])
    wrong = [one.text() for one in found if one.result.bad and one.id not in OURS]
    assert not wrong, "\n".join(wrong)
