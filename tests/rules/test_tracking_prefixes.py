"""Prefixes, their history, and tokens with other numbers of digits (server-side-sync reference 4.5, the writing half)."""

from __future__ import annotations

import pytest

from postroom.rules.tracking_token import TokenLayout, append_token, find_tokens, make_token, prefixes_of, with_history


@pytest.mark.parametrize(
    ("wanted", "before", "kept"),
    [
        ("CRM:", None, "CRM:"),
        ("Case ", "CRM:", "Case;CRM:"),
        ("CRM:", "Case ;CRM:", "CRM:;Case"),
        ("T;CRM:", "CRM:", "T;CRM:"),
        (None, "CRM:", None),
        ("", "CRM:", None),
        ("x" * 20, "CRM:", "x" * 20 + ";CRM:"),
    ],
)
def test_earlier_prefixes_are_kept(wanted: str | None, before: str | None, kept: str | None) -> None:
    assert with_history(wanted, before) == kept


def test_what_does_not_fit_is_lost_oldest_first() -> None:
    history = None
    for number in range(40):
        history = with_history(f"prefix{number:02d}:", history)
    assert history is not None
    assert len(history) <= 256
    kept = prefixes_of(history)
    assert kept[0] == "prefix39:"
    assert list(kept) == [f"prefix{number:02d}:" for number in range(39, 39 - len(kept), -1)]
    assert 20 < len(kept) < 40


def test_a_prefix_has_at_most_twenty_characters() -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        with_history("x" * 21, None)


@pytest.mark.parametrize(
    ("layout", "user", "counter", "token"),
    [
        (TokenLayout(), 1, 1, "CRM:0001001"),
        (TokenLayout(base=0), 1, 0, "CRM:0001000"),
        (TokenLayout(base=100), 1, 0, "CRM:0101000"),
        (TokenLayout(user_digits=1), 7, 0, "CRM:07000"),
        (TokenLayout(user_digits=10), 7, 0, "CRM:00000000007000"),
        (TokenLayout(counter_digits=1, counter_limit=9), 1, 10, "CRM:00010"),
        (TokenLayout(counter_digits=9, counter_limit=999_999_999), 1, 42, "CRM:0001000000042"),
        (TokenLayout(), 1, 999, "CRM:0001999"),
        (TokenLayout(), 1, 1000, "CRM:0001000"),
        (TokenLayout(counter_limit=499), 1, 500, "CRM:0001000"),
        (TokenLayout(prefixes=("Case ", "CRM:")), 2, 3, "Case 0002003"),
    ],
)
def test_layouts(layout: TokenLayout, user: int, counter: int, token: str) -> None:
    assert make_token(layout, user, counter) == token
    assert find_tokens(f"Order {token}", layout)[0] == token


@pytest.mark.parametrize(
    ("length", "limit", "result"),
    [
        (5, 255, "x" * 5 + " CRM:0001001"),
        (300, 255, "x" * 243 + " CRM:0001001"),
        (243, 255, "x" * 243 + " CRM:0001001"),
        (244, 255, "x" * 243 + " CRM:0001001"),
        (20, 12, "CRM:0001001"),
        (20, 11, "x" * 11),
        (20, 5, "x" * 5),
    ],
)
def test_the_subject_is_cut_and_then_the_token_dropped(length: int, limit: int, result: str) -> None:
    assert append_token("x" * length, "CRM:0001001", limit) == result
