"""Single conditions of the keyword filter that no other test had seen, one for each mistake that had passed (tests/mutation)."""

from __future__ import annotations

import re

import pytest

from postroom.errors import InvalidValue
from postroom.rules import keyword_filter
from postroom.rules.keyword_filter import PROGRAM_LIMIT, compile_filter


@pytest.mark.parametrize("pattern", [r"\bfoo\b", r"\Boo", r"foo\B", r"\bo", r"o\b", r"o\B"])
@pytest.mark.parametrize("subject", ["foo", "xfoo", "foox", " foo ", "x foo x", "foo foo", "oo", "xoo", " oo", "foo!", "!foo"])
def test_words_begin_and_end_where_they_do_for_the_library(pattern: str, subject: str) -> None:
    assert compile_filter(pattern).delete(subject) == re.sub(pattern, "", subject)


@pytest.mark.parametrize(
    ("pattern", "subject", "left"),
    [
        ("a*", "bab", "bb"),
        ("^a{2,3}", "aaaaaaa", "aaaa"),
        ("^a{1,3}", "aaaa", "a"),
        ("^a{1,3}?", "aaaa", "aaa"),
    ],
)
def test_how_much_is_taken(pattern: str, subject: str, left: str) -> None:
    assert compile_filter(pattern).delete(subject) == left == re.sub(pattern, "", subject)


@pytest.mark.parametrize(("steps", "left"), [(2, "ab"), (3, "ab"), (4, "")])
def test_a_match_counts_when_steps_are_left(monkeypatch: pytest.MonkeyPatch, steps: int, left: str) -> None:
    """Two characters and the end: three steps."""
    monkeypatch.setattr(keyword_filter, "STEPS", steps)
    assert compile_filter("ab").delete("ab") == left


def test_steps_are_counted_one_by_one_and_never_overdrawn() -> None:
    assert compile_filter("ab")._match("ab", 0, 100) == (2, 97)
    assert compile_filter("ab")._match("x", 0, 100) == (-1, 99)
    assert compile_filter("a*a*b")._match("aaaa", 0, 5) == (-1, 0)


def test_a_pattern_may_be_as_long_as_the_limit() -> None:
    assert compile_filter("a" * PROGRAM_LIMIT).delete("a" * PROGRAM_LIMIT) == ""
    assert compile_filter(f"(){{{PROGRAM_LIMIT}}}b").delete("abc") == "ac"
    for pattern in ("a" * (PROGRAM_LIMIT + 1), f"(){{{PROGRAM_LIMIT + 1}}}", f"(){{{PROGRAM_LIMIT + 1},}}"):
        with pytest.raises(InvalidValue, match="too long"):
            compile_filter(pattern)


@pytest.mark.parametrize(("pattern", "why"), [(r"(a)(b)\2", "groupref"), ("(?i)(?-i:a)", "flags")])
def test_what_looks_like_something_supported(pattern: str, why: str) -> None:
    with pytest.raises(InvalidValue, match=why):
        compile_filter(pattern)
