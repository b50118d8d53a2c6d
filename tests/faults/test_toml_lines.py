"""Where things are in a TOML document."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.errors import FaultError
from postroom_simulator.fault_files import check_faults, parse_faults
from postroom_simulator.toml_lines import Path, lines_of

DOCUMENT = '''# nothing here
top = 1

[[fault]]
name = """
two
lines"""   # a comment = "x"
effect = { delay = 1, "jit.ter" = 2 }

[[fault]]
at.deep.'er' = [
  1, [2,
  "],",  # ]
  ], { a = 3 }, {},
]
  [fault.more]
  x = \'\'\'
'\'\'\'

[[fault.sub]]
y = 1979-05-27T07:32:00Z
[[fault.sub]]
z = "\\"]"
'''

EXPECTED = {
    ("top",): 2,
    ("fault",): 4,
    ("fault", 0): 4,
    ("fault", 0, "name"): 5,
    ("fault", 0, "effect"): 8,
    ("fault", 0, "effect", "delay"): 8,
    ("fault", 0, "effect", "jit.ter"): 8,
    ("fault", 1): 10,
    ("fault", 1, "at"): 11,
    ("fault", 1, "at", "deep"): 11,
    ("fault", 1, "at", "deep", "er"): 11,
    ("fault", 1, "at", "deep", "er", 0): 12,
    ("fault", 1, "at", "deep", "er", 1): 12,
    ("fault", 1, "at", "deep", "er", 1, 0): 12,
    ("fault", 1, "at", "deep", "er", 1, 1): 13,
    ("fault", 1, "at", "deep", "er", 2): 14,
    ("fault", 1, "at", "deep", "er", 2, "a"): 14,
    ("fault", 1, "at", "deep", "er", 3): 14,
    ("fault", 1, "more"): 16,
    ("fault", 1, "more", "x"): 17,
    ("fault", 1, "sub"): 20,
    ("fault", 1, "sub", 0): 20,
    ("fault", 1, "sub", 0, "y"): 21,
    ("fault", 1, "sub", 1): 22,
    ("fault", 1, "sub", 1, "z"): 23,
}


def test_each_key_has_its_line() -> None:
    assert lines_of(DOCUMENT) == EXPECTED


def ways(value: Any, way: Path = ()) -> set[Path]:
    """Every way into a document."""
    found = {way} if way else set()
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        found |= ways(below, (*way, key))
    return found


def test_nothing_is_left_out() -> None:
    assert ways(tomllib.loads(DOCUMENT)) == set(EXPECTED)


PIECES = [
    "[[fault]]\n",
    "[fault.a]\n",
    "[[fault.b]]\n",
    "[t]\n",
    "x = 1\n",
    "y = [1, [2]] # z\n",
    "w.v = '[['\n",
    'u = "\\\\"\n',
    "s = '''\n]'''\n",
    "r = [\n\n{q = []}, {}\n]\n",
    "\n",
    "# [[\n",
    "p = {}\n",
    "o = -1.5e3\r\n",
    '"k 1" = """"a""""\n',
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_whatever_tomllib_takes_is_found(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = lines_of(text)
    assert set(lines) == ways(document)
    for way, number in lines.items():
        if isinstance(way[-1], str):
            assert way[-1] in text.split("\n")[number - 1]


def test_depth_costs_no_stack() -> None:
    depth = 400  # tomllib itself takes no more than a thousand or so
    text = "x = " + "[" * depth + "]" * depth
    assert len(lines_of(text)) == depth


@pytest.mark.parametrize(
    ("text", "line", "entry"),
    [
        ("\n[[fault]]\nat = 'QUIT'\n", 2, 1),
        ("[[fault]]\neffect = 'drop'\n\n[[fault]]\neffect = 'drop'\nnhth = 1\n", 6, 2),
        ("[[fault]]\neffect = 'drop'\nat = 'RETRE'\n", 3, 1),
        ("[[fault]]\n[fault.effect]\nhow = 'rst'\ncut = 1.5\n", 2, 1),
        ("[[fault]]\n[fault.effect]\ncut = 1\nhwo = 'rst'\n", 4, 1),
        ("fault = [\n{ effect = 'drop' },\n{ effect = 'dorp' },\n]\n", 3, 2),
        ("# x\n\nfaults = 1\n", 3, 0),
        ("a = 1\nb = = 2\n", 2, 0),
        ("a = 1\n\nb = [", 3, 0),
        ("[[fault]]\neffect = 'drop'\nfirst = 3\nlast = 2\n", 3, 1),
        ("[[fault]]\neffect = 'drop'\nat = 'connect'\naccount = 'a@b'\n", 4, 1),
    ],
)
def test_mistakes_have_the_line_of_their_key(text: str, line: int, entry: int) -> None:
    checked = check_faults(text)
    assert [(mistake.line, mistake.entry) for mistake in checked.mistakes] == [(line, entry)]
    with pytest.raises(FaultError, match=rf"^my\.toml:{line}: "):
        parse_faults(text, "my.toml")


def test_good_entries_of_a_bad_file_are_found_with_their_lines() -> None:
    checked = check_faults("[[fault]]\neffect = 'drop'\n[[fault]]\neffect = 5\n[[fault]]\neffect = 'stall'\n")
    assert [line for line, _ in checked.faults] == [1, 5]
    assert len(checked.mistakes) == 1
