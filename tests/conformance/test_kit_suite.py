"""The kit in an author's own repository: three lines of pytest, or a file."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from kit_stage import TODAY

from postroom.testing.conformance import run_kit, verify
from postroom.testing.conformance.results import Exit, Result
from postroom.testing.conformance.scenario import read_scenario
from postroom.testing.conformance.table import Profile

SUITE = """
from postroom.testing.conformance import ProviderSuite
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance.mutants.life import CommitsEachTime

class TestGood(ProviderSuite):
    provider = Pop3Provider
    claims = ["core", "secure"]

class TestWrong(ProviderSuite):
    provider = CommitsEachTime
    claims = ["core"]
"""


def _pytest(folder: Path, suite: str, *words: str) -> str:
    (folder / "test_mine.py").write_text(textwrap.dedent(suite))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-rA", *words]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def author(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("author")


@pytest.fixture(scope="module")
def output(author) -> str:
    return _pytest(author, SUITE, "--postroom-kit-report=reports")


@pytest.mark.slow
def test_each_check_is_a_test_with_a_readable_name(output):
    assert "PASSED test_mine.py::TestGood::LIF-01-full_cycle" in output
    assert "PASSED test_mine.py::TestGood::claims-were-tried" in output
    assert "TestGood::INB" not in output, "not claimed"


@pytest.mark.slow
def test_reports_are_left_where_they_are_asked_for(output, author):
    names = {one.name for one in (author / "reports" / "TestGood").iterdir()}
    assert {
        "conformance.json",
        "conformance.html",
        "conformance.xml",
        "conformance.md",
        "badge.json",
        "certificate.json",
    } <= names
    assert verify(json.loads((author / "reports" / "TestGood" / "certificate.json").read_text()), today=TODAY).good


@pytest.mark.slow
def test_a_failure_is_the_kit_s_text_and_no_traceback(output):
    assert "FAILED test_mine.py::TestWrong::LIF-06-empty_source" in output
    assert "rule:      with nothing to do a run counts zero" in output
    assert "again:     postroom provider check --suite test_mine.py:TestWrong -k LIF-06 --seed 0" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_what_does_not_apply_is_skipped_with_its_reason(output):
    assert "it parses no XML" in output


@pytest.mark.slow
def test_what_a_scenario_saw_against_another_rule_fails_once(output):
    failed = [line for line in output.splitlines() if line.startswith("FAILED")]
    assert sum("LIF-12 second_run_idle" in line for line in failed) <= 2


@pytest.mark.slow
def test_waivers_and_expiry(tmp_path):
    waiver = '[[waiver]]\nid = "LIF-06"\nreason = "{}"\nexpires = {}\n'
    (tmp_path / "good.toml").write_text(waiver.format("will be mended", "2999-01-01"))
    (tmp_path / "old.toml").write_text(waiver.format("was to be mended", "2001-01-01"))
    suite = SUITE.partition("class TestGood")[0] + "".join(
        f"class Test{name}(ProviderSuite):\n    provider = CommitsEachTime\n    claims = ['core']\n    waivers = '{name.lower()}.toml'\n"
        for name in ("Good", "Old")
    )
    output = _pytest(tmp_path, suite, "-k", "LIF-06 or claims")
    assert "waived until 2999-01-01: will be mended" in output
    assert "PASSED test_mine.py::TestGood::claims-were-tried" in output
    assert "waivers past their date: LIF-06 (2001-01-01)" in output
    assert "FAILED test_mine.py::TestOld::LIF-06-empty_source" in output


SCENARIO = """
provider = "pop3"
claims = ["core"]
[config]
EmailServer = "{host}"
EmailPort = "{port:pop3}"
EmailUser = "{user}"
EmailPassword = "{password}"
EmailTls = "none"
[wrong_credentials]
EmailPassword = "{wrong_password}"
[source]
kind = "pop3"
"""


def test_a_scenario_file_is_enough(tmp_path):
    (tmp_path / "scenario.toml").write_text(SCENARIO)
    subject = read_scenario(tmp_path / "scenario.toml")
    assert subject.profiles == {Profile.CORE}
    report = run_kit(subject, only=["LIF", "CFG-12", "ERR-01"], today=TODAY)
    assert report.exit is Exit.CONFORMS
    assert report.of("LIF-03").result is Result.PASS


def test_messages_can_lie_in_a_folder(tmp_path):
    """For a provider that reads files: no hook to write."""
    (tmp_path / "spool_provider.py").write_text(textwrap.dedent(SPOOL))
    (tmp_path / "scenario.toml").write_text(
        'provider = "spool_provider:Spool"\n[config]\nFolder = "{folder}"\n[source]\nkind = "folder"\n'
    )
    sys.path.insert(0, str(tmp_path))
    try:
        report = run_kit(read_scenario(tmp_path / "scenario.toml"), only=["LIF", "CFG", "SEC", "LOG"], today=TODAY)
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("spool_provider", None)
    assert [one.text() for one in report.results if one.result.bad] == []
    assert report.config == {"Folder": "{folder}/mailbox0"}, "no path of this machine in a certificate"
    assert report.of("LIF-04").result is Result.NOT_APPLICABLE
    assert report.of("LIF-10").result is Result.PASS


SPOOL = '''
from dataclasses import dataclass
from pathlib import Path
from postroom.mime.parse import parse_message
from postroom.providers.base import EmailProvider
from postroom.providers.configuration import element
from postroom.providers.contract import *
from postroom.providers.contract import Disposition

@dataclass(frozen=True)
class Config:
    folder: str = element("Folder", identity=True)

@dataclass(frozen=True)
class State:
    pass

class Spool(EmailProvider):
    """Reads a folder of files."""
    spec = ProviderSpec("kit-spool", Direction.INBOUND, Config, State, capabilities=frozenset({Capability.STATEFUL}))

    def on_check(self, ctx):
        return CheckReport()

    def on_run(self, ctx):
        files = {one.name: one for one in sorted(Path(self.config.folder).glob("*.eml"))}
        fresh = ctx.seen.new_among(list(files))[:ctx.items]
        if not fresh:
            return self.tally.outcome()
        with ctx.gateway.batch():
            for name in fresh:
                octets = files[name].read_bytes()
                message = parse_message(octets, monotonic=ctx.clock.monotonic)
                offer = IncomingOffer(name, octets, message, message.date or ctx.clock.now())
                verdict = ctx.gateway.check_incoming(offer)
                self.tally.processed += 1
                if verdict.deliver:
                    self.tally.delivered += ctx.gateway.deliver_incoming(offer, verdict).created
                else:
                    ctx.gateway.settle(offer, Disposition.FILTERED, verdict)
                    self.tally.rejected += 1
        ctx.seen.add(dict.fromkeys(fresh, "seen"))
        return self.tally.outcome()
'''


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("provider = 3\nspeed = 9", "unknown word 'speed'"),
        ("claims = ['fast']", "'fast' is none of"),
        ("claims = []", "provider: name one"),
        ("provider = 'pop3'\n[config]\nA = '{nonsense}'", "{nonsense} is unknown"),
        ("provider = 'pop3'\n[source]\nkind = 'imap'", "'imap' is none of"),
        ("provider = 'pop3'\n[source]\nsort = 'imap'", "source: unknown word 'sort'"),
        ("provider =", "scenario"),
    ],
)
def test_a_wrong_file_is_told(tmp_path, text, said):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_scenario(tmp_path / "s.toml")
