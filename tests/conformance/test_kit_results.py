"""Results, waivers and exit codes: nothing is skipped in silence, and running too little is no pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from kit_stage import KNOWN_SHOULDS, PROVIDERS, TODAY, made, whole

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance import Subject, run_kit, subject_for, table
from postroom.testing.conformance.mutants import load_mutants
from postroom.testing.conformance.mutants.packaging import Coy
from postroom.testing.conformance.results import Exit, Result, Waiver
from postroom.testing.conformance.table import Level, Profile
from postroom.testing.conformance.waivers import parse_waivers, read_waivers

REASON = "the vendor will mend it"
LATER = TODAY + timedelta(days=30)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVIDERS)
def test_built_in_providers_conform(name):
    report = whole(name)
    bad = [one.text() for one in report.results if one.result.bad and one.id not in KNOWN_SHOULDS]
    assert bad == []
    assert report.exit is Exit.CONFORMS
    assert report.conforms
    assert report.missing == []


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", PROVIDERS)
def test_no_false_alarm_over_two_hundred_seeds(name):
    for seed in range(1, 201):
        report = run_kit(subject_for(PROVIDERS[name]), seed=seed, today=TODAY)
        assert [one.text() for one in report.results if one.result.bad and one.id not in KNOWN_SHOULDS] == []


@pytest.mark.parametrize("name", PROVIDERS)
def test_another_seed_gives_the_same_results(name):
    """The light families; all of them over two hundred seeds with --campaign."""
    light = ["PKG", "LIF", "ERR", "LOG", "SEC"]
    report = run_kit(subject_for(PROVIDERS[name]), only=light, seed=20260301, today=TODAY)
    results = {one.id: one.result for one in report.results}
    assert results == {one.id: one.result for one in whole(name).results if one.id in results}


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_did_not_apply_says_why(name):
    for one in whole(name).results:
        assert one.result is not Result.NOT_APPLICABLE or len(one.reason) > 10, one.id


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ({}, Exit.CONFORMS),
        ({"LIF_01": Result.FAIL}, Exit.FAILED),
        ({"LIF_01": Result.MISDECLARED}, Exit.FAILED),
        ({"LIF_01": Result.UNEXPECTED_PASS}, Exit.FAILED),
        ({"LIF_11": Result.FAIL}, Exit.CONFORMS),  # a Should
        ({"LIF_11": Result.UNEXPECTED_PASS}, Exit.FAILED),
        ({"LIF_01": Result.ERROR}, Exit.BROKEN),
        ({"LIF_01": Result.ERROR, "LIF_02": Result.FAIL}, Exit.BROKEN),
        ({"LIF_01": Result.WAIVED}, Exit.CONFORMS),
        ({"SEC_01": Result.FAIL}, Exit.CONFORMS),  # secure is not claimed
    ],
)
def test_exit_codes(results, code):
    assert made(**results).exit is code


def test_nothing_ran():
    report = made()
    assert replace(report, results=()).exit is Exit.TOO_LITTLE
    nowhere = tuple(replace(one, result=Result.NOT_APPLICABLE) for one in report.results)
    assert replace(report, results=nowhere).exit is Exit.TOO_LITTLE


def test_less_ran_than_the_claims_demand():
    report = made()
    fewer = replace(report, results=tuple(one for one in report.results if one.id != "LIF-02"))
    assert fewer.exit is Exit.TOO_LITTLE
    assert fewer.missing == ["LIF-02"]
    more = replace(report, claims=(Profile.CORE, Profile.SECURE))
    assert more.exit is Exit.TOO_LITTLE


def test_a_selection_is_partial_and_proves_nothing():
    report = run_kit(subject_for(Pop3Provider), only=["LIF-02"], today=TODAY)
    assert (report.exit, report.verdict, report.conforms) == (Exit.CONFORMS, "partial", False)


def test_an_expired_waiver_has_its_own_code():
    waiver = Waiver("LIF-01", REASON, TODAY - timedelta(days=1))
    report = replace(made(LIF_01=Result.FAIL), waivers=(waiver,))
    assert report.exit is Exit.EXPIRED
    assert replace(report, waivers=(replace(waiver, expires=TODAY),)).exit is Exit.FAILED


def _with_waiver(check, **waiver):
    mutant = load_mutants()["LIF-06 CommitsEachTime"]
    given = Waiver(check, REASON, waiver.get("expires", LATER))
    return run_kit(mutant.subject(), only=["LIF-06", "LIF-02"], waivers=[given], today=TODAY)


def test_a_waived_check_runs_all_the_same():
    one = _with_waiver("LIF-06").of("LIF-06")
    assert one.result is Result.WAIVED
    assert "state.commit" in one.observed
    assert one.waiver.reason == REASON


def test_a_waived_check_that_passes_is_an_error():
    report = _with_waiver("LIF-02")
    assert report.of("LIF-02").result is Result.UNEXPECTED_PASS
    assert report.exit is Exit.FAILED


def test_a_waiver_past_its_date_waives_nothing():
    report = _with_waiver("LIF-06", expires=TODAY - timedelta(days=1))
    assert report.of("LIF-06").result is Result.FAIL
    assert report.exit is Exit.EXPIRED


def test_waivers_are_read_from_a_file(tmp_path):
    place = tmp_path / "waivers.toml"
    place.write_text('[[waiver]]\nid = "LIF-06"\nreason = "a sentence"\nowner = "ann"\nexpires = 2026-12-31\n')
    assert read_waivers(place) == (Waiver("LIF-06", "a sentence", date(2026, 12, 31), "ann"),)

    class Subjected(Subject):
        provider = load_mutants()["LIF-06 CommitsEachTime"].broken
        waivers = place

    assert run_kit(Subjected(), only=["LIF-06"], today=TODAY).of("LIF-06").result is Result.WAIVED


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "LIF-06", "expires": LATER}, "say in a sentence why"),
        ({"id": "LIF-06", "reason": REASON}, "a date"),
        ({"id": "LIF-06", "reason": REASON, "expires": "soon"}, "a date"),
        ({"id": "NO-1", "reason": REASON, "expires": LATER}, "no check is called 'NO-1'"),
        ({"id": "LIF-06", "reason": REASON, "expires": LATER, "because": "x"}, "unknown word 'because'"),
    ],
)
def test_waivers_that_are_none(row, said):
    with pytest.raises(ValueError, match=said):
        parse_waivers({"waiver": [row]})


def test_one_check_is_waived_once():
    row = {"id": "LIF-06", "reason": REASON, "expires": LATER}
    with pytest.raises(ValueError, match="waived twice"):
        parse_waivers({"waiver": [row, row]})


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    (tmp_path / "w.toml").write_text("[[waiver")
    with pytest.raises(ValueError, match=r"w\.toml"):
        read_waivers(tmp_path / "w.toml")


def test_what_is_done_and_not_declared_is_misdeclared():
    """Capabilities are verified in both directions: here one hides the checks that need it."""
    hides = [one for one in table.load().values() if "delete" in {need.value for need in one.needs}]
    report = run_kit(subject_for(Coy), only=["PKG-08", *(one.id for one in hides[:2])], today=TODAY)
    assert report.of("PKG-08").result is Result.FAIL
    assert [report.of(one.id).result for one in hides[:2]] == [Result.MISDECLARED] * len(hides[:2])
    assert report.exit is Exit.FAILED


def test_a_broken_hook_is_an_error_and_not_the_providers_fault():
    class Broken(Subject):
        provider = Pop3Provider

        def seed(self, world, messages):
            raise RuntimeError("the fixture is broken")

    report = run_kit(Broken(), only=["LIF-01"], today=TODAY)
    assert report.of("LIF-01").result is Result.ERROR
    assert "seed(world, messages) raised RuntimeError: the fixture is broken" in report.of("LIF-01").reason
    assert report.exit is Exit.BROKEN


def test_a_wrong_configuration_is_an_error():
    class Wrong(Subject):
        provider = Pop3Provider

        def config(self, world):
            return {**super().config(world), "EmailPort": "none"}

    one = run_kit(Wrong(), only=["LIF-01"], today=TODAY).of("LIF-01")
    assert one.result is Result.ERROR
    assert "EmailPort" in one.reason


def test_claims_choose_the_checks():
    class Claims(Subject):
        provider = Pop3Provider
        claims = ("secure",)

    report = run_kit(Claims(), today=TODAY)
    assert {one.check.profile for one in report.results} == {Profile.SECURE, Profile.INFORMATIVE}
    assert {one.id for one in report.mandatory} == {
        one.id for one in table.load().values() if one.profile is Profile.SECURE and one.level is Level.MUST
    }
    assert report.exit is Exit.CONFORMS
