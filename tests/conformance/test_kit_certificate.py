"""The certificate: a second machine reproduces it, and a checker verifies it without the provider."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from kit_stage import TODAY, made, small

from postroom.testing.conformance.certificate import canonical, certify, distribution, verify
from postroom.testing.conformance.results import Result, Waiver
from postroom.testing.conformance.world import PASSWORD

SCRIPT = """
import json, sys
from datetime import date
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance import Subject, run_kit
from postroom.testing.conformance.certificate import certify
class Some(Subject):
    provider = Pop3Provider
    claims = ("secure",)
    def config(self, world):
        world.folder
        return super().config(world)
print(json.dumps(certify(run_kit(Some(), seed=7, today=date(2026, 3, int(sys.argv[1]))))))
"""


def _elsewhere(folder: Path, hashes: str, day: str) -> dict:
    """Another process, folder, order of hashes, home and day."""
    root = Path(__file__).parents[2]
    environment = {
        "PYTHONHASHSEED": hashes,
        "PYTHONPATH": f"{root / 'engine'}{os.pathsep}{root / 'simulator'}",
        "PATH": os.environ["PATH"],
    }
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "TZ": "Asia/Tokyo" if hashes == "1" else "UTC"}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, day],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.slow
def test_two_machines_get_the_same_digest(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = _elsewhere(tmp_path / "a", "1", "1"), _elsewhere(tmp_path / "b", "2", "9")
    assert one["digest"] == other["digest"]
    assert one == other
    assert PASSWORD not in json.dumps(one)
    assert str(tmp_path) not in json.dumps(one)
    assert verify(one, today=TODAY).good


def test_a_certificate_is_verified_without_the_provider():
    found = verify(json.loads(json.dumps(certify(small()))), today=TODAY)
    assert found.problems == []
    assert found.good


def test_durations_machine_and_figures_are_not_in_it():
    report = small()
    other = replace(
        report,
        seconds=9.0,
        machine={"python": "9"},
        results=tuple(replace(one, seconds=1.0, measures={"x": 1.0}) for one in report.results),
    )
    assert certify(other) == certify(report)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"kit": "2.0"},
        {"claims": ["core"]},
        {"config": {}},
        {"verdict": "conformant "},
        {"results": {"LIF-01": "pass"}},
    ],
)
def test_every_change_is_noticed(change):
    found = verify({**certify(small()), **change}, today=TODAY)
    assert not found.good
    assert any("digest" in one for one in found.problems)


def _signed(**change):
    """A forger also computes the digest anew."""
    import hashlib

    content = copy.deepcopy(certify(small()))
    content.pop("digest")
    content |= change
    return {**content, "digest": hashlib.sha256(canonical(content)).hexdigest()}


def test_a_whole_digest_over_too_little_is_refused():
    results = {name: result for name, result in certify(small())["results"].items() if name != "LIF-01"}
    assert verify(_signed(), today=TODAY).good
    assert "LIF-01" in verify(_signed(results=results), today=TODAY).problems[0]
    assert "did not pass: LIF-01" in verify(_signed(results={**results, "LIF-01": "fail"}), today=TODAY).problems[0]
    assert "without a waiver" in verify(_signed(results={**results, "LIF-01": "waived"}), today=TODAY).problems[0]
    assert "nothing passed" in verify(_signed(results={}, claims=[]), today=TODAY).problems
    assert verify(_signed(table="0" * 64), today=TODAY).notes


def test_a_waiver_counts_until_its_date():
    waiver = Waiver("LIF-06", "it will be mended", TODAY + timedelta(days=3))
    report = replace(made(LIF_06=Result.WAIVED), waivers=(waiver,))
    given = certify(report)
    assert given["verdict"] == "conformant-with-waivers"
    assert verify(given, today=TODAY).good
    assert any("LIF-06" in one for one in verify(given, today=TODAY).notes)
    assert "expired" in verify(given, today=TODAY + timedelta(days=4)).problems[0]


def test_files_at_hand_are_compared():
    given = certify(small())
    assert verify(given, today=TODAY, sources=given["provider"]["sources"]).good
    assert "files" in verify(given, today=TODAY, sources="0" * 64).problems[0]


@pytest.mark.parametrize(
    "rubbish", [{}, {"certificate": 1}, {"certificate": 2}, {"certificate": 1, "digest": 3, "table": None}]
)
def test_rubbish_is_no_certificate(rubbish):
    assert not verify(rubbish, today=TODAY).good


def test_a_failed_run_has_a_certificate_that_says_so():
    given = certify(made(LIF_01=Result.FAIL))
    assert "its verdict is not-conformant" in verify(given, today=TODAY).problems


def test_some_checks_prove_nothing():
    with pytest.raises(ValueError, match="some of the checks"):
        certify(replace(small(), partial=True))


def test_the_sources_of_a_provider_are_hashed(tmp_path, monkeypatch):
    place = tmp_path / "kit_author_package"
    place.mkdir()
    (place / "__init__.py").write_text("class Mine: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    first = distribution(importlib.import_module("kit_author_package").Mine)
    assert (first["files"], first["version"]) == (1, "")
    (place / "__init__.py").write_bytes(b"class Mine: ...\r\n")
    assert distribution(sys.modules["kit_author_package"].Mine)["sources"] == first["sources"], "line ends do not count"
    (place / "more.py").write_text("x = 1\n")
    assert distribution(sys.modules["kit_author_package"].Mine)["sources"] != first["sources"]
    sys.modules.pop("kit_author_package")
