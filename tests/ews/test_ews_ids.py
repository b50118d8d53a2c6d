"""Ids: what clients rely on, and what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import Id, Kind, parse_id, write_id

NUMBERS = st.integers(0, 2**64 - 1)
IDS = st.builds(Id, st.sampled_from(Kind), st.integers(0, 2**32 - 1), NUMBERS, st.integers(-(2**63), 2**63 - 1))


@given(IDS)
def test_an_id_is_read_back_and_looks_like_a_real_one(one: Id) -> None:
    text = write_id(one)
    assert parse_id(text) == one
    assert len(text) == 152
    assert re.fullmatch(r"AAMk[A-Za-z0-9+/]+", text)


@given(IDS, st.integers(0, 151), st.sampled_from("AZaz09+/=-"))
def test_an_id_with_another_sign_is_malformed(one: Id, place: int, sign: str) -> None:
    text = write_id(one)
    other = text[:place] + sign + text[place + 1 :]
    if other != text:
        with pytest.raises(EwsError) as refused:
            parse_id(other)
        assert refused.value.code == "ErrorInvalidIdMalformed"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "ErrorInvalidIdEmpty"),
        ("bm8=", "ErrorInvalidIdMalformed"),
        ("AAMk", "ErrorInvalidIdMalformed"),
        ("A" * 100_000, "ErrorInvalidIdMalformed"),
        ("caf\u00e9", "ErrorInvalidIdMalformed"),
    ],
)
def test_what_is_no_id(text: str, code: str) -> None:
    with pytest.raises(EwsError) as refused:
        parse_id(text)
    assert refused.value.code == code
