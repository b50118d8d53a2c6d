"""Faults in files and as plain data."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator import fault_files
from postroom_simulator.errors import FaultError
from postroom_simulator.fault_files import from_data, load_faults, parse_faults, to_data
from postroom_simulator.fault_rules import PHASES, TLS_TROUBLES, VERBS, problems
from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Effect,
    Fault,
    Garble,
    Lie,
    LoseReply,
    Refuse,
    Reply,
    Stall,
    TlsTrouble,
    When,
)


@pytest.mark.parametrize(
    ("written", "effect"),
    [
        ('at = "RCPT"\neffect = { reply = "451 4.3.0 try later" }', Reply("451", "4.3.0 try later")),
        ('at = "RCPT"\neffect = { reply = "451" }', Reply("451")),
        ('at = "RETR"\neffect = { reply = "-ERR [SYS/TEMP] later" }', Reply("-ERR", "[SYS/TEMP] later")),
        ('at = "RCPT"\neffect = { lie = "451 4.3.0 try later" }', Lie("451", "4.3.0 try later")),
        ("effect = { delay = 5 }", Delay(5)),
        ("effect = { delay = 5, jitter = 2.5 }", Delay(5, 2.5)),
        ('effect = { drop = "rst", seconds = 10 }', Drop("rst", 10)),
        ('at = "connect"\neffect = { tls = "expired" }', TlsTrouble("expired")),
        ('at = "tls"\neffect = { tls = "cut-in-server-hello", how = "rst" }', TlsTrouble("cut-in-server-hello", "rst")),
        ('at = "connect"\neffect = { cut = 100 }', Cut(100)),
        ("effect = { stall = 2.5 }", Stall(2.5)),
        ('effect = { stall = "forever" }', Stall()),
        ('effect = "stall"', Stall()),
        ('effect = { cut = 10, how = "rst" }', Cut(10, "rst")),
        ("effect = { cut = 10 }", Cut(10)),
        ('effect = { drop = "rst" }', Drop("rst")),
        ('effect = "drop"', Drop()),
        ('effect = { lose_reply = "fin" }', LoseReply("fin")),
        ('effect = "lose_reply"', LoseReply()),
        ("effect = { garble = 7 }", Garble(7)),
        ("effect = { drip = 2, every = 0.5 }", Drip(2, 0.5)),
        ('at = "connect"\neffect = "refuse"', Refuse()),
        ('at = "connect"\neffect = { refuse = true }', Refuse()),
        ('at = "connect"\neffect = { accept_then_reset = 4 }', AcceptThenReset(4)),
    ],
)
def test_each_effect_can_be_written(written: str, effect: Effect) -> None:
    assert [fault.effect for fault in parse_faults(f"[[fault]]\n{written}\n")] == [effect]


def test_a_whole_entry() -> None:
    text = """
        [[fault]]
        name = "third"
        protocol = "pop3"
        at = "RETR"
        account = "ann@sim.test"
        nth = 3
        after = 2026-01-05T08:00:00Z
        until = "2026-01-06T08:00:00+00:00"
        probability = 0.5
        effect = "drop"
        [[fault]]
        effect.delay = 1
    """
    when = When(
        "pop3",
        "RETR",
        "ann@sim.test",
        nth=3,
        after=datetime(2026, 1, 5, 8, tzinfo=UTC),
        until=datetime(2026, 1, 6, 8, tzinfo=UTC),
        probability=0.5,
    )
    assert parse_faults(text) == [Fault(when, Drop(), "third"), Fault(When(), Delay(1))]
    assert parse_faults("") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[fault]]\nefect = 'drop'", '"efect" is unknown. Did you mean "effect"?'),
        ("[[fault]]\nat = 'QUIT'", "effect is missing"),
        ("[[fault]]\neffect = 'dorp'", 'Did you mean "drop"?'),
        ("[[fault]]\neffect = 'delay'", '"delay" needs a value'),
        ("[[fault]]\neffect = { dely = 5 }", 'Did you mean "delay"?'),
        ("[[fault]]\neffect = { delay = 5, cut = 3 }", "not delay and cut"),
        ("[[fault]]\neffect = {}", "must have one of reply, delay"),
        ("[[fault]]\neffect = { delay = 5, how = 'rst' }", '"how" does not belong to delay'),
        ("[[fault]]\neffect = { delay = 'long' }", "number of seconds"),
        ("[[fault]]\neffect = { cut = 1.5 }", "whole number"),
        ("[[fault]]\neffect = { refuse = false }", "refuse is true"),
        ("[[fault]]\nat = 'tls'\neffect = { tls = 'exipred' }", 'Did you mean "expired"?'),
        ("[[fault]]\nat = 'tls'\neffect = { tls = 'stripped' }", 'at "connect", not at "tls"'),
        ("[[fault]]\nat = 'QUIT'\neffect = { tls = 'expired' }", '"connect" and "tls" only'),
        ("[[fault]]\nat = 'tls'\neffect = { tls = 'expired', how = 'rst' }", "cuts no handshake"),
        ("[[fault]]\neffect = { delay = 1, jitter = 2 }", "no more than the delay"),
        ("[[fault]]\nargument = 5\neffect = 'drop'", "argument must be text"),
        ("[[fault]]\neffect = { reply = 451 }", "reply is text"),
        ("[[fault]]\neffect = { lie = 451 }", "lie is text"),
        ("[[fault]]\nprotocol = 'smtp'\neffect = { lie = '-ERR' }", "Lie.code '-ERR' is no smtp reply"),
        ("[[fault]]\neffect = 5", "must be a table"),
        ("[[fault]]\nat = 5\neffect = 'drop'", "at must be text"),
        ("[[fault]]\nat = 'RETRE'\neffect = 'drop'", 'Did you mean "RETR"?'),
        ("[[fault]]\nnth = 'two'\neffect = 'drop'", "counts from 1"),
        ("[[fault]]\nafter = 'soon'\neffect = 'drop'", "a moment like"),
        ("[[fault]]\nafter = 2026-01-05T08:00:00\neffect = 'drop'", "time zone"),
        ("[[fault]]\nafter = 2026-01-05\neffect = 'drop'", "time zone"),
        ("[fault]\neffect = 'drop'", "two brackets"),
        ("[[faults]]\neffect = 'drop'", 'Did you mean "fault"?'),
        ("fault = [1]", "a fault is a table"),
        ("fault = ", "not TOML"),
    ],
)
def test_mistakes_are_explained(text: str, reason: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_faults(text, "my.toml")
    assert reason in str(caught.value)
    assert re.match(r"my\.toml:[1-3]: ", str(caught.value))


def test_all_mistakes_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        "[[fault]]\neffect = 'dorp'\n[[fault]]\neffect = 'drop'\n[[fault]]\nname = 'x'\nat = 'RETRE'\neffect.cut = -1\n"
    )
    with pytest.raises(FaultError) as caught:
        load_faults(path)
    lines = str(caught.value).split("\n")
    assert [line.startswith(f"{path}:{number}: ") for line, number in zip(lines, (2, 7, 8), strict=True)] == [True] * 3
    assert ["fault 1:" in lines[0], 'fault 3 ("x"):' in lines[1], "0 or more" in lines[2]] == [True] * 3


def test_files_are_bounded_and_must_be_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "faults.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(FaultError, match="not UTF-8"):
        load_faults(path)
    monkeypatch.setattr(fault_files, "SIZE_LIMIT", 10)
    path.write_bytes(b"#" * 11)
    with pytest.raises(FaultError, match="at most 10"):
        load_faults(path)


def test_a_deeply_nested_file_is_no_trouble() -> None:
    with pytest.raises(FaultError, match="not TOML"):
        parse_faults("x = " + "[" * 100_000)


SECONDS = st.floats(0, 1e6, allow_nan=False)
OCTETS = st.integers(0, 10**6)
HOW = st.sampled_from(["fin", "rst"])
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
EFFECTS: st.SearchStrategy[Effect] = st.one_of(
    st.builds(Reply, st.sampled_from(["451", "250", "-ERR", "+OK"]), TEXT),
    st.builds(Lie, st.sampled_from(["451", "250", "-ERR", "+OK"]), TEXT),
    st.builds(Delay, SECONDS),
    st.builds(Delay, SECONDS, SECONDS),
    st.builds(TlsTrouble, st.sampled_from(sorted(TLS_TROUBLES)), HOW),
    st.builds(Stall, st.one_of(st.none(), SECONDS)),
    st.builds(Cut, OCTETS, HOW),
    st.builds(Drop, HOW),
    st.builds(Drop, HOW, SECONDS),
    st.builds(LoseReply, HOW),
    st.builds(Garble, st.integers(1, 100)),
    st.builds(Drip, st.integers(1, 100), SECONDS),
    st.just(Refuse()),
    st.builds(AcceptThenReset, OCTETS),
)
MOMENTS = st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))
STEPS = sorted({word for words in (*VERBS.values(), *PHASES.values()) for word in words} | {"*"})
WHENS = st.builds(
    When,
    st.sampled_from(["*", "pop3", "smtp"]),
    st.sampled_from(STEPS),
    st.one_of(st.none(), TEXT),
    st.one_of(st.none(), st.integers(1, 9)),
    after=MOMENTS,
    until=MOMENTS,
    probability=st.one_of(st.none(), st.floats(0, 1)),
    argument=st.one_of(st.none(), TEXT),
)


@settings(max_examples=150, deadline=None)
@given(WHENS, EFFECTS, TEXT)
def test_data_and_back(when: When, effect: Effect, name: str) -> None:
    fault = Fault(when, effect, name)
    data = json.loads(json.dumps(to_data(fault)))
    if problems(when, effect):
        with pytest.raises(FaultError):
            from_data(data)
    else:
        assert from_data(data) == fault


@pytest.mark.parametrize("effect", ["", "effect = 3\n", 'effect = "forever"\n'])
def test_a_missing_or_wrong_effect_hides_no_other_problem(effect: str) -> None:
    with pytest.raises(FaultError) as wrong:
        parse_faults('[[fault]]\nat = "RCTP"\nnth = 0\n' + effect, "faults.toml")
    told = str(wrong.value)
    assert "effect" in told
    assert 'no step is called "RCTP"' in told
    assert "nth counts from 1" in told
