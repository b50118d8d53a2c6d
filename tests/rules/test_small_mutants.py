"""Single conditions that no other test of the rules had seen, one for each mistake that had passed (tests/mutation)."""

from __future__ import annotations

import base64
import zlib

import pytest

from postroom.rules.conversation_index import base_hash, base_of
from postroom.rules.outgoing_state import Report
from postroom.rules.smart_matching import HashPolicy, agree, hashed
from postroom.rules.tracking_token import (
    _TOKENS,
    COLUMN_LIMIT,
    TOKEN_LIMIT,
    TokenLayout,
    append_token,
    find_tokens,
    make_token,
    with_history,
)


def test_a_subject_of_which_nothing_is_left_matches_nothing() -> None:
    """Also where the allowed difference is as large as the other one's words (reference 4.6)."""
    people = ("ada@alder.test", "carl@birch.test")
    wide = HashPolicy(delta=5)
    nothing, something = hashed("RE:", people, wide), hashed("The order", people, wide)
    assert not agree(nothing, something.words.keys(), something.addresses.keys(), wide)
    assert not agree(something, (), something.addresses.keys(), wide)
    assert agree(something, something.words.keys(), something.addresses.keys(), wide)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_tokens_are_found_last_first(number: int) -> None:
    tokens = [f"CRM:000{one}00{one}" for one in range(1, number + 1)]
    assert find_tokens("RE: " + " ".join(tokens), TokenLayout()) == tuple(reversed(tokens))


def test_the_reports_are_those_of_the_provider_contract() -> None:
    from postroom.providers.contract import SubmissionResult

    assert {one.value for one in Report} == {one.value for one in SubmissionResult}


@pytest.mark.parametrize("base", [b"", b"a", bytes(22), bytes(range(22)), bytes.fromhex("4e85ec36")])
def test_the_hash_of_a_base_is_a_signed_number(base: bytes) -> None:
    """The last one has just the highest bit."""
    number = zlib.crc32(base)
    assert base_hash(base) == (number if number < 2**31 else number - 2**32)
    assert -(2**31) <= base_hash(base) < 2**31


def test_of_a_long_index_only_the_beginning_is_looked_at() -> None:
    """Sixty-four characters, blanks of folding included: whatever is behind them cannot help."""
    whole = base64.b64encode(bytes(range(22))).decode()
    assert base_of(" " * 32 + whole) == bytes(range(22))
    assert base_of(" " * 40 + whole) is None
    assert base_of("ü" * 32) is None


def test_so_many_tokens_and_no_more_are_taken_from_a_subject() -> None:
    """The last ones: a subject may be full of them (ours)."""
    many = [f"CRM:{number:07d}" for number in range(_TOKENS + 3)]
    assert find_tokens(" ".join(many), TokenLayout()) == tuple(reversed(many[-_TOKENS:]))


@pytest.mark.parametrize(
    ("limit", "digits", "counter", "ending"),
    [
        (999, 3, 999, "999"),
        (999, 3, 1000, "000"),
        (99, 3, 99, "099"),
        (99, 3, 100, "000"),
        (5000, 3, 1000, "000"),
        (5000, 3, 999, "999"),
    ],
)
def test_the_counter_begins_anew_behind_its_last_number(limit: int, digits: int, counter: int, ending: str) -> None:
    """Reference 4.5: after 999 comes 000, or after what MaximumTrackingNumber says."""
    layout = TokenLayout(counter_limit=limit, counter_digits=digits)
    assert make_token(layout, 1, counter) == f"CRM:0001{ending}"


def test_the_longest_subject_by_default() -> None:
    """MaximumSubjectLengthOnMailServer is 255."""
    assert len(append_token("x" * 300, "CRM:0001001")) == 255
    assert len(append_token("x" * 300, "")) == 255


def test_a_prefix_that_begins_another() -> None:
    """The longer one is found first."""
    layout = TokenLayout(prefixes=("CRM:", "CRM:0"))
    assert find_tokens("RE: CRM:00001001", layout)[0].startswith("CRM:0")


def test_without_prefixes_no_token_is_found() -> None:
    assert find_tokens("RE: 0001001", TokenLayout(prefixes=())) == ()


def test_a_token_that_fills_its_column_is_found_and_a_longer_one_is_not() -> None:
    """email.trackingtoken holds fifty characters (reference 1.8)."""
    assert TOKEN_LIMIT == 50
    for prefix, found in (("p" * 43, 1), ("p" * 44, 0)):
        assert len(find_tokens(f"RE: {prefix}0001001", TokenLayout(prefixes=(prefix,)))) == found


def test_a_history_that_just_fits_its_column() -> None:
    """organization.trackingprefix holds 256 characters."""
    assert COLUMN_LIMIT == 256
    prefixes = [f"{number:019d}" for number in range(12)]  # with their separators 239 characters
    assert with_history("x" * 16, ";".join(prefixes)) == ";".join(["x" * 16, *prefixes])
    assert len(with_history("x" * 16, ";".join(prefixes)) or "") == 256
    assert with_history("x" * 17, ";".join(prefixes)) == ";".join(["x" * 17, *prefixes[:-1]])
