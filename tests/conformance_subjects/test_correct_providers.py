"""Providers that are right pass every check: a false alarm is a fault of the kit. A few seeds in each run, 200 with --campaign."""

from __future__ import annotations

from itertools import islice

import pytest
from correct_subjects import SUBJECTS, Forward, Versioned

from postroom.providers.cursor import Cursor
from postroom.providers.state import walk
from postroom.testing.conformance import table
from postroom.testing.conformance.results import Result
from postroom.testing.conformance.runner import Kit
from postroom.testing.conformance.subject import Subject

EVERY = table.load()
MINE = ("INB", "OUT", "STA", "CON")
DEAR = {"INB-14", "STA-04", "STA-05", "STA-06", "CON-02", "CON-11", "PRF-01", "PRF-03", "ERR-03"}
"""Dear in time: with each seed of the campaign, and once in each run."""
OURS = {"PKG-07"}
"""What is wrong with the distribution that all of them stand in is none of theirs."""


def alarms(subject: Subject, seed: int, *, dear: bool, families: tuple[str, ...] = ()) -> list[str]:
    """Texts of all checks that did not pass."""
    kit = Kit(subject, seed)
    wanted = {*subject.profiles, table.Profile.INFORMATIVE}
    checks = [one for one in EVERY.values() if one.profile in wanted and (dear or one.id not in DEAR)]
    results = kit.judged([kit.run(one) for one in checks if not families or one.family in families])
    return [one.text() for one in results if one.result.bad and one.id not in OURS]


@pytest.mark.parametrize("name", SUBJECTS)
def test_no_false_alarm(name: str) -> None:
    found = alarms(SUBJECTS[name](), seed=1, dear=name in ("pop3", "json-inbox", "http-post"), families=MINE)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["rss", "http-post", "queue"])
def test_no_false_alarm_of_any_family(name: str) -> None:
    """Another seed; the dear ones are left to the campaign, the others to tests/conformance."""
    found = alarms(SUBJECTS[name](), seed=2, dear=False)
    assert not found, "\n".join(found)


@pytest.mark.campaign
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SUBJECTS)
def test_no_false_alarm_with_two_hundred_seeds(name: str) -> None:
    for seed in range(200):
        found = alarms(SUBJECTS[name](), seed, dear=True)
        assert not found, f"seed {seed}\n" + "\n".join(found)


@pytest.mark.parametrize(("subject", "check"), [(Forward, "INB-07"), (Versioned, "STA-14")])
def test_what_only_some_can_do_is_tried_with_one_that_can(subject: type[Subject], check: str) -> None:
    result = Kit(subject(), 3).run(EVERY[check])
    assert result.result is Result.PASS, result.text()


def test_every_check_of_ours_is_applicable_to_somebody() -> None:
    """A check that never runs proves nothing."""
    subjects = [*(one() for one in SUBJECTS.values()), Forward(), Versioned()]
    kits = [Kit(one, 4) for one in subjects]
    idle = [one for one in EVERY.values() if one.family in MINE and not any(kit._lacking(one) is None for kit in kits)]
    assert not idle, [one.id for one in idle]


def test_the_table_is_whole() -> None:
    """Numbers as the reference has them (provider-kit reference 6.3); INB-16 is ours."""
    counts = {family: sum(one.family == family for one in EVERY.values()) for family in MINE}
    assert counts == {"INB": 16, "OUT": 12, "STA": 18, "CON": 11}
    levels = {family: "".join(one.level.value for one in EVERY.values() if one.family == family) for family in MINE}
    assert levels["INB"] == "M" * 12 + "S" * 3 + "M"
    assert levels["OUT"] == "M" * 10 + "S" * 2
    assert levels["STA"] == "M" * 14 + "SMSM"
    assert levels["CON"] == "M" * 9 + "SS"


def test_subjects_share_no_class_but_what_the_contract_gives() -> None:
    """At least eight, and those that are only subjects derive from nothing built in."""
    assert len(SUBJECTS) >= 8
    own = [one.provider for one in SUBJECTS.values() if not one.provider.__module__.startswith("postroom.")]
    assert len(own) >= 4
    for kind in own:
        assert not [base for base in kind.__mro__ if base.__module__.startswith("postroom.providers.builtin")], kind


def test_one_of_them_has_a_cursor() -> None:
    """Or STA-08 and STA-12 would be tried with nobody."""
    states = [one.provider.spec.state() for one in SUBJECTS.values()]
    assert len(list(islice((1 for state in states if any(isinstance(value, Cursor) for _, value in walk(state))), 2))) == 2


def test_a_seed_gives_the_same_world_again() -> None:
    texts = [[kit.run(EVERY["INB-01"]).text() for kit in [Kit(SUBJECTS["pop3"](), seed)]] for seed in (5, 5)]
    assert texts[0] == texts[1]
