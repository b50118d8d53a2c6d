"""`postroom features`: what ships, where, and in which words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from postroom.cli import app
from postroom.cli.features import shipped_features, shipped_phrases


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["features", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_feature_and_scenario_is_listed() -> None:
    listed = said("list")
    files = list(shipped_features().rglob("*.feature"))
    assert files
    for path in files:
        for line in path.read_text("utf-8").splitlines():
            word, _, title = line.strip().partition(":")
            if word in {"Feature", "Scenario", "Scenario Outline"}:
                assert title.strip() in listed


def test_the_path_is_where_they_are() -> None:
    assert said("path").strip() == str(shipped_features())


@pytest.mark.parametrize(
    ("keyword", "phrase"),
    [
        ("Given", 'a mail from "{sender}" to "{to}" with the subject "{subject}"'),
        ("Given", 'the {user|queue} "{name}" with the address "{address}", {how}'),
        ("When", "the engine runs again after {minutes} minutes"),
        ("Then", 'the mailbox of "{name}" is [not ]enabled for {incoming|outgoing} email'),
        ("Then", 'the mail "{subject}" is still on the server[, untouched]'),
    ],
)
def test_phrases_are_shown_as_people_read_them(keyword: str, phrase: str) -> None:
    assert phrase in shipped_phrases()[keyword]
    assert phrase in said("phrases")


def test_no_phrase_shows_a_regular_expression() -> None:
    for phrases in shipped_phrases().values():
        for phrase in phrases:
            assert not set("?()\\^$+*") & set(phrase), phrase


def test_they_run_and_take_pytests_arguments() -> None:
    command = [sys.executable, "-m", "postroom", "features", "run", "-q", "-k", "inactive_mailbox_is_skipped"]
    done = subprocess.run(command, text=True, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
