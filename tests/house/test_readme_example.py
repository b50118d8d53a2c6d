"""The README's example tests are run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_examples_pass_in_a_project_of_their_own(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    for number, code in enumerate(examples):
        (tmp_path / f"test_example_{number}.py").write_text(code, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_feature_files_of_others_are_collected_when_asked(tmp_path: Path) -> None:
    feature = """Feature: Ours
  Scenario: A mail arrives
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And "Ada" tracks all email messages
    And a mail from "carl@birch.test" to "ada@alder.test" with the subject "Hello"
    When the engine runs
    Then the mail "Hello" became an email activity
"""
    (tmp_path / "ours.feature").write_text(feature, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\npostroom_collect_features = true\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_coroutine_step_fails_instead_of_passing_unrun(tmp_path: Path) -> None:
    (tmp_path / "ours.feature").write_text("Feature: Ours\n  Scenario: Async\n    Given something slow\n", "utf-8")
    test = 'from pytest_bdd import given, scenarios\nscenarios("ours.feature")\n@given("something slow")\nasync def slow():\n    pass\n'
    (tmp_path / "test_ours.py").write_text(test, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nbdd_features_base_dir = .\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=100, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "coroutine" in done.stdout
