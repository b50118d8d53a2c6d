"""`postroom demo`: options, what is shown, and errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from postroom.cli import app
from postroom.testing.books import Balance

NO_ESCAPES = {"NO_COLOR": "1", "FORCE_COLOR": None, "TERM": "dumb"}


def demo(*arguments: str | Path) -> Result:
    return CliRunner(env=NO_ESCAPES).invoke(app, ["demo", *map(str, arguments)])


def test_the_samples_on_a_page() -> None:
    done = demo()
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "Postroom demo: 31 messages from our own samples, in memory, seed 0"
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)
    assert "\x1b" not in done.stdout
    for words in (
        "mail from contacts, leads and accounts (2)",
        "answers to email that is stored: the default (1)",
        "duplicate: its Message-ID is stored already",
        "34044 octets, at most 32768 are taken in",
        "to former.colleague@alder.example: refused, 550 5.2.1 mailbox disabled",
        '(the server says "450 4.2.0 greylisted, please try again later" once)',
        "The books balance",
    ):
        assert words in done.stdout
    assert "31 messages in" in done.stderr
    assert " messages in " not in done.stdout


def test_one_document() -> None:
    done = demo("--json", "--seed", "7", "--transport", "tcp")
    assert done.exit_code == 0
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert (document["seed"], document["transport"]) == (7, "tcp")
    assert document["books"]["balanced"] is True
    assert document["books"]["problems"] == []
    assert document["books"]["offered"] == sum(document["books"]["counts"]["incoming"].values())
    assert document["books"]["requested"] == sum(document["books"]["counts"]["outgoing"].values()) == len(document["outgoing"])
    assert {row["outcome"] for row in document["outgoing"]} == {"sent", "failed"}
    assert len(document["messages"]) == 31
    assert document["seconds"] > 0


def test_the_same_message_twice_is_told_as_one_activity(tmp_path: Path) -> None:
    copy = tmp_path / "order.eml"
    copy.write_text("From: carl@birch.test\nTo: ada@alder.test\nSubject: Order\nMessage-ID: <1@birch.test>\n\nTwo\n", "ascii")
    other = tmp_path / "more.eml"
    other.write_text("From: carl@birch.test\nTo: ada@alder.test\nSubject: More\nMessage-ID: <2@birch.test>\n\nThree\n", "ascii")
    done = demo(copy, copy, other)
    assert done.exit_code == 0, done.output
    rows = [line for line in done.stdout.splitlines() if line.startswith(("  order.eml", "  more.eml"))]
    assert [row.endswith("the same message again: one activity") for row in rows] == [False, True, False]


def test_keep_is_told(tmp_path: Path) -> None:
    done = demo("--keep", tmp_path / "here")
    assert done.exit_code == 0
    assert "organization.sqlite, messages, transcript.txt" in done.stdout
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"organization.sqlite", "messages", "transcript.txt"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "no .eml file in this folder or below it"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (os.mkfifo, "neither a file nor a folder"),
        (lambda path: [(path / name).mkdir(parents=True) for name in ("cur", "new")], "the Maildir is empty"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "given\x1b[31m"
    make(path)  # type: ignore[operator]
    done = demo(path)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("postroom demo: ")
    assert words in done.stderr
    assert "\x1b" not in done.stderr


def test_an_unreadable_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.eml"
    path.write_bytes(b"Subject: hi\r\n\r\n")
    real = Path.open

    def refuse(self: Path, *arguments: object, **named: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return real(self, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    done = demo(tmp_path)
    assert (done.exit_code, done.stderr) == (2, f"postroom demo: {path}: Permission denied\n")


def test_a_folder_in_use_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    done = demo("--keep", tmp_path)
    assert (done.exit_code, done.stderr) == (2, f"postroom demo: {tmp_path}: --keep needs a new or an empty folder\n")


def test_books_that_do_not_balance_are_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.demo.run.balance", lambda *_: Balance(problems=["lost: one"]))
    done = demo()
    assert done.exit_code == 1
    assert "The books do not balance" in done.stdout
    assert "lost: one" in done.stdout


def test_subjects_and_names_cannot_paint_the_terminal(tmp_path: Path) -> None:
    head = "From: s@fir.test\nTo: =?utf-8?B?G1szMW1BZGE=?= <ada@elm.test>\nMessage-ID: <1@x.test>\n"
    subject = "Subject: =?utf-8?B?G1szMW0gW2JvbGRdIOKArg==?= [red]x[/red]\n"  # ESC [31m, markup, a right-to-left override
    (tmp_path / "cur").mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "cur" / "1").write_text(f"{head}{subject}\nHello.\n")
    done = demo(tmp_path)
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "[red]x[/red]" in done.stdout
    assert "[31m [bold] \\u202e [red]" in done.stdout


def test_a_terminal_gets_colour_and_a_bar_and_a_file_gets_neither(program: object) -> None:
    script = program("script")  # type: ignore[operator]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    command = f"{sys.executable} -c 'from postroom.cli import main; main()' demo"
    done = subprocess.run(
        [script, "-qec", command, "/dev/null"], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert "\x1b[32mtracked" in done.stdout
    assert "starting" in done.stdout
    assert "starting" not in demo().stderr
    assert "The books balance" in done.stdout
