"""`postroom provider new` and `check`: what is written passes at once, what is wrong is said, reports can be compared and certificates verified."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postroom.cli import app

ONE_MUST = ("-k", "LIF-01")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def call(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["provider", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["inbound", "outbound", "pop3"])
def test_what_is_written_conforms_at_once(kind: str) -> None:
    assert call("new", f"acme_{kind}", "--kind", kind)[0] == 0
    code, told, _ = call("check", "--suite", f"acme_{kind}/tests/test_acme_{kind}.py")
    assert code == 0, told
    assert f"acme_{kind}: conformant" in told


def test_what_is_written_is_a_suite_for_pytest_too(here: Path) -> None:
    assert call("new", "acme_tested")[0] == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "LIF"]
    done = subprocess.run(command, cwd=here / "acme_tested", capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout or "11 passed" in done.stdout or "12 passed" in done.stdout


def test_its_entry_of_a_file_is_right(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("inbound", "outbound", "pop3"):
        name = f"acme_entry_{kind}"
        call("new", name, "--kind", kind)
        monkeypatch.chdir(here / name)
        monkeypatch.setattr(sys, "path", [str(here / name), *sys.path])
        code, told, complaint = call("config", "validate", "router.xml", "--strict")
        assert code == 0, complaint
        assert f"1 provider configuration of {name}; nothing wrong" in told
        monkeypatch.chdir(here)


@pytest.mark.parametrize("name", ["pop3", "1st", "a b/c", "import", "email", "é"])
def test_names_that_cannot_be(here: Path, name: str) -> None:
    code, _, complaint = call("new", name)
    assert code == 2
    assert "is taken" in complaint or "is no name" in complaint
    assert list(here.iterdir()) == []


def test_nothing_is_written_over(here: Path) -> None:
    call("new", "acme_twice")
    (here / "acme_twice" / "README.md").write_text("mine")
    code, _, complaint = call("new", "acme_twice")
    assert code == 2
    assert "exists already" in complaint
    assert (here / "acme_twice" / "README.md").read_text() == "mine"


WRONG = """
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance import ProviderSuite




class TestLeaky(ProviderSuite):
    provider = type("Leaky", (Pop3Provider,), {"on_close": lambda self: 1 / 0})
"""


def test_what_is_wrong_is_said_with_the_command_that_brings_it_back(here: Path) -> None:
    (here / "test_leaky_suite.py").write_text(WRONG)
    code, told, _ = call("check", "--suite", "test_leaky_suite.py", "-k", "LIF-08")
    assert code == 1
    assert "LIF-08 close_idempotent: fail" in told
    assert "expected:  " in told
    assert "again:     postroom provider check --suite test_leaky_suite.py -k LIF-08 --seed 0" in told


def test_reports_comparison_and_certificate(here: Path) -> None:
    code, told, complaint = call("check", "smtp", "--reports", "out")
    assert code == 0, told
    names = {path.name for path in (here / "out").iterdir()}
    assert {
        "conformance.html",
        "conformance.json",
        "conformance.xml",
        "conformance.md",
        "badge.json",
        "certificate.json",
    } <= names
    assert "written: out/certificate.json" in complaint
    assert call("verify", "out/certificate.json")[:2] == (0, "out/certificate.json: whole, and the provider conforms\n")
    assert call("diff", "out/conformance.json", "out/conformance.json")[:2] == (0, "nothing changed\n")

    report = json.loads((here / "out/conformance.json").read_text())
    report["checks"][3]["result"] = "fail"
    (here / "worse.json").write_text(json.dumps(report))
    code, told, _ = call("diff", "out/conformance.json", "worse.json")
    assert code == 1
    assert report["checks"][3]["id"] in told

    certificate = json.loads((here / "out/certificate.json").read_text())
    certificate["results"]["OUT-01"] = "fail"
    (here / "forged.json").write_text(json.dumps(certificate))
    code, _, complaint = call("verify", "forged.json")
    assert code == 1
    assert "it was changed" in complaint


def test_a_selection_is_no_proof(here: Path) -> None:
    code, told, _ = call("check", "pop3", *ONE_MUST, "--reports", "out")
    assert code == 0
    assert "partial" in told
    assert not (here / "out" / "certificate.json").exists()


def test_several_seeds() -> None:
    code, told, _ = call("check", "pop3", *ONE_MUST, "--seed", "5", "--seeds", "3")
    assert code == 0
    assert "3 seeds, 5 to 7: all good" in told


def test_a_check_explained() -> None:
    code, told, _ = call("check", "--explain", "sta-09")
    assert code == 0
    assert told.startswith("STA-09 equal_timestamps")
    assert "rule" in told


def test_as_json() -> None:
    document = json.loads(call("check", "pop3", *ONE_MUST, "--json")[1])
    assert document["provider"]["name"] == "pop3"
    assert [one["id"] for one in document["checks"]] == ["LIF-01"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say which provider"),
        (("pop33",), "did you mean 'pop3'"),
        (("pop3", "-k", "INB-99"), "no check is called 'INB-99'"),
        (("--suite", "nowhere.py"), "is no file"),
        (("--suite", "a.py", "--scenario", "b.toml"), "use one"),
        (("--suite", "empty_suite.py"), "found none"),
        (("--suite", "broken_suite.py"), "ZeroDivisionError: division by zero (line 2)"),
        (("pop3", "--waivers", "nowhere.toml"), "waivers in nowhere.toml"),
        (("--explain", "XYZ"), "no check is called 'XYZ'"),
    ],
)
def test_calls_that_make_no_sense(here: Path, arguments: tuple[str, ...], words: str) -> None:
    (here / "empty_suite.py").write_text("import json\n")
    (here / "broken_suite.py").write_text("\n1 / 0\n")
    code, _, complaint = call("check", *arguments)
    assert code == 2
    assert words in complaint
