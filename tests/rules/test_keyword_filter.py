"""HashFilterKeywords in bounded time: the same result as `re`, whatever the pattern (server-side-sync reference 4.6)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.errors import InvalidValue
from postroom.model.organization_row import HASH_FILTER_KEYWORDS
from postroom.rules.keyword_filter import STEPS, compile_filter

PATTERNS = [
    r"^(re|fw|aw):\s*",
    r"(?i)\[ext(ernal)?\]",
    r"(a+)+$",
    r"a*?b|c{2,3}",
    r"\bfoo\b|\Boo",
    r"^[\s]*([\w]+\s?:[\s]*)+ ?",
    r"(x|)*y",
    r"[^a-z ]+",
    r"(?:ab?){1,3}?c",
    r"\Aa|b\Z",
    r"(?s).b",
    r"",
]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(st.text(alphabet="abcfoxyRE:[]T \n\u0130", max_size=24))
@settings(max_examples=40, deadline=None)
def test_the_same_as_the_library(pattern: str, subject: str) -> None:
    assert compile_filter(pattern).delete(subject) == re.sub(pattern, "", subject)


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        ("FW: RE: Test", "Test"),
        ("  re : fw:Test", "Test"),
        ("Out of office: Test", "Out of office: Test"),
        ("Test RE: Test", "Test RE: Test"),
        ("RE:", ""),
        ("Test", "Test"),
    ],
)
def test_the_published_default(subject: str, left: str) -> None:
    assert compile_filter(HASH_FILTER_KEYWORDS).delete(subject) == left


def test_no_pattern_takes_exponential_time() -> None:
    """With `re` each of these needs longer than anybody waits."""
    for pattern in (r"(a+)+$", r"(a|a)*b$", r"(a*)*(a*)*(a*)*c"):
        subject = "a" * 200 + "!"
        assert compile_filter(pattern).delete(subject) in (subject, "!")


def test_the_steps_are_counted() -> None:
    """Long and hopeless: when the budget is used up the rest stays."""
    subject = "a" * (STEPS // 2)
    assert compile_filter(r"a*a*a*b").delete(subject) == subject


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "no regular expression"),
        (r"(a)\1", "groupref"),
        ("(?=a)", "assert"),
        ("(?<!a)b", "assert not"),
        ("(?>a)", "atomic group"),
        ("a++", "possessive"),
        ("(?i:a)", "flags"),
        ("(?m)^a", "one line"),
        ("a{5000}", "too long"),
        ("((a{30}){30}){30}", "too long"),
        ("(" * 3000, "no regular expression"),
    ],
)
def test_what_is_not_supported_is_said(pattern: str, why: str) -> None:
    with pytest.raises(InvalidValue, match=why):
        compile_filter(pattern)
