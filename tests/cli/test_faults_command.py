"""`postroom faults`: the reference, the checker and the explanations."""

from __future__ import annotations

import json
import poplib
import signal
import smtplib
import ssl
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from postroom.cli import app
from postroom.cli.serve import set_troubles
from postroom_simulator.fault_files import EFFECT_WORDS, parse_faults
from postroom_simulator.fault_rules import PHASES, TLS_TROUBLES, VERBS
from postroom_simulator.fault_text import COMMAND_WORDS, EFFECT_LINES, PHASE_WORDS, in_words
from postroom_simulator.faults import Effect, Fault, Refuse, When
from postroom_simulator.world import World

BAD = """
[[fault]]
name = "greylisting"
protocol = "smtp"
at = "RCTP"
effect = { reply = "451 4.7.1 later" }

[[fault]]
at = "QUIT"
effect = "drop"

[[fault]]
at = "connect"
account = "a@b.test"
effect = { delay = -1 }
"""


def call(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["faults", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_every_effect_step_and_trouble_is_listed() -> None:
    code, told, _ = call("list")
    assert code == 0
    lines = told.splitlines()
    for words in (*VERBS.values(), *PHASES.values()):
        for word in words:
            assert any(line.split()[:1] == [f'"{word}"'] for line in lines), word
    for name, what in TLS_TROUBLES.items():
        assert any(line.split(None, 1) == [name, what] for line in lines), name
    for word in EFFECT_WORDS:
        assert any(f"{{ {word} = " in line for line in lines), word
    assert any(line.startswith('    "text"') and line.endswith("stall, cut, drop") for line in lines)


def test_nothing_is_without_a_line_in_words() -> None:
    assert set(EFFECT_LINES) == set(get_args(Effect)) == {spec.effect for spec in EFFECT_WORDS.values()}
    assert set(PHASE_WORDS) == {phase for phases in PHASES.values() for phase in phases}
    assert set(COMMAND_WORDS) >= {verb for verbs in VERBS.values() for verb in verbs}


def test_what_the_list_shows_can_be_written() -> None:
    for effect, (shown, _) in EFFECT_LINES.items():
        at = "connect" if effect.__name__ in ("Refuse", "AcceptThenReset", "TlsTrouble") else "RCPT"
        text = shown.replace(' or "forever"', "")
        (fault,) = parse_faults(f'[[fault]]\nprotocol = "smtp"\nat = "{at}"\neffect = {text}\n')
        assert type(fault.effect) is effect


def test_a_good_file(tmp_path: Path) -> None:
    path = written(tmp_path / "f.toml", "[[fault]]\neffect = 'drop'\n")
    assert call("check", path) == (0, f"{path}: 1 fault, nothing wrong\n", "")


def test_all_problems_of_a_bad_file_with_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "f.toml", BAD)
    code, told, errors = call("check", path)
    assert (code, told) == (1, "")
    lines = errors.splitlines()
    assert lines == [
        f'{path}:5: fault 1 ("greylisting"): no step is called "RCTP". Did you mean "RCPT"?',
        f'{path}:14: fault 3: at "connect" the account is not known yet.',
        f"{path}:15: fault 3: Delay.seconds must be a number of seconds, 0 or more, not -1.",
    ]


@pytest.mark.parametrize("command", ["check", "explain"])
def test_what_cannot_be_read(tmp_path: Path, command: str) -> None:
    code, told, errors = call(command, tmp_path / "none.toml")
    assert (code, told) == (2, "")
    assert errors == f"postroom faults: {tmp_path / 'none.toml'}: No such file or directory\n"
    assert call(command, tmp_path)[0] == 2
    (tmp_path / "bad.toml").write_bytes(b"\n\n\xff")
    code, _, errors = call(command, tmp_path / "bad.toml")
    assert code == 2
    assert "bad.toml:3: not UTF-8" in errors


def test_what_is_no_toml_has_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "f.toml", "\n[[fault]\n")
    code, _, errors = call("check", path)
    assert code == 1
    assert errors.startswith(f"{path}:2: not TOML: ")


def test_a_file_is_explained_and_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "f.toml", BAD)
    code, told, errors = call("explain", path)
    assert code == 1
    assert told == f"{path}:8:\n    At each QUIT: the server ends the connection in order and does nothing.\n"
    assert len(errors.splitlines()) == 3


def test_an_empty_file_is_explained(tmp_path: Path) -> None:
    path = written(tmp_path / "f.toml", "")
    assert call("explain", path) == (0, f"{path}: no faults: nothing will go wrong\n", "")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            'protocol = "smtp"\nat = "RCPT"\nnth = 1\neffect = { reply = "451 4.7.1 later" }',
            'At the 1st RCPT of SMTP: the server says "451 4.7.1 later" and does nothing.',
        ),
        (
            'protocol = "smtp"\nat = "NOOP"\neffect = { reply = "421 bye" }',
            'At each NOOP of SMTP: the server says "421 bye" and does nothing; then the connection ends.',
        ),
        (
            'at = "RETR"\nfirst = 2\nlast = 3\nargument = "1?"\naccount = "a@b.test"\neffect = { cut = 1000, how = "rst" }',
            (
                'At the 2nd to the 3rd RETR, followed by something like "1?", in a session of a@b.test: the server does what was asked, '
                "says 1,000 octets of its answer and ends the connection by reset."
            ),
        ),
        (
            'at = "text"\nprobability = 0.5\neffect = { cut = 1 }',
            (
                "Each time that the text of a message is received, with a chance of 50 in 100: after 1 octet of the text the connection "
                "ends in order; nothing is stored."
            ),
        ),
        (
            "after = 2026-01-05T08:00:00Z\nuntil = 2026-01-06T08:00:00Z\neffect = { delay = 5, jitter = 1 }",
            (
                "At each step where it is possible, from 2026-01-05 08:00:00+00:00 on, until just before 2026-01-06 08:00:00+00:00: "
                "the server does what was asked and answers 5 seconds later, give or take 1 second."
            ),
        ),
        ('at = "tls"\nlast = 1\neffect = { tls = "expired" }', f"TLS has a trouble: {TLS_TROUBLES['expired']}."),
        ('at = "connect"\neffect = { cut = 10 }', "when the server has said 10 octets in all"),
        ('at = "tls"\neffect = { cut = 10 }', "10 octets of the server's side of the handshake"),
        (
            'at = "connect"\neffect = { drop = "rst", seconds = 3 }',
            "falls silent for 3 seconds, then ends the connection by reset",
        ),
        (
            "first = 11\neffect = 'stall'",
            "At the 11th and each later step where it is possible: the server falls silent for ever",
        ),
        (
            "last = 4\neffect = { stall = 2 }",
            "possible, the first 4 times only: the server says nothing for 2 seconds, then goes on",
        ),
        ("effect = 'garble'", "its answer has 3 octets changed"),
        ("effect = 'drip'", "answers 1 octet at a time, 0.1 seconds apart"),
        ("effect = 'lose_reply'", "the client cannot know"),
        ('at = "connect"\neffect = { accept_then_reset = 4 }', "reset after 4 octets of the greeting"),
    ],
)
def test_each_fault_in_words(entry: str, words: str) -> None:
    (fault,) = parse_faults(f"[[fault]]\n{entry}\n")
    told = in_words(fault)
    assert words in told
    assert told[0].isupper()
    assert told.endswith(".")


def test_a_refusal_in_words() -> None:
    assert in_words(Fault(When(at="connect", last=2), Refuse())) == (
        "Each time that a client connects, the first 2 times only: the connection is refused."
    )


# -- TLS troubles of `postroom serve`


@pytest.mark.parametrize(
    ("options", "troubles"),
    [
        ([], {}),
        (["pop3s=expired"], {"pop3s": "expired"}),
        (["stripped"], {"pop3": "stripped", "smtp": "stripped", "submission": "stripped"}),
        (
            ["smtps=garbage", "expired"],
            dict.fromkeys(("pop3", "pop3s", "smtp", "submission", "ewss", "https"), "expired") | {"smtps": "garbage"},
        ),
    ],
)
def test_what_is_said_for_one_service_goes_before_what_is_said_for_all(options: list[str], troubles: dict[str, str]) -> None:
    with World() as world:
        set_troubles(world, options)
        assert {service: trouble.name for service, trouble in world.tls.items()} == troubles


@pytest.mark.parametrize(
    ("option", "says"),
    [("exipred", "expired"), ("pop=expired", "pop3"), ("pop3s=stripped", "TLS is implicit"), ("", "no TLS trouble")],
)
def test_a_wrong_trouble_is_told(option: str, says: str) -> None:
    done = CliRunner().invoke(app, ["serve", "--json", "--tls-trouble", option])
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_served_trouble_is_met(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postroom", "serve", "--json", "--account", "ada@alder.test:secret"]
    command += ["--tls-trouble", "pop3s=expired", "--ca-file", str(tmp_path / "ca.pem")]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
            with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
                poplib.POP3_SSL("localhost", ready["pop3s"]["port"], context=context, timeout=10)
            with smtplib.SMTP_SSL("localhost", ready["smtps"]["port"], context=context, timeout=10) as smtp:
                assert smtp.noop()[0] == 250
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    assert process.returncode == 0
