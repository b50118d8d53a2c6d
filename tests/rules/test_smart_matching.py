"""Smart matching by table (server-side-sync reference 4.6)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.rules.smart_matching import HashPolicy, agree, driving_words, hash_of, hashed, rows_of, verified, words_of

ADA, CARL, BEN = "ada@alder.test", "carl@birch.test", "ben@alder.test"
PLAIN = HashPolicy()


def matches(stored: str, incoming: str, people: tuple[str, ...] = (CARL, ADA), policy: HashPolicy = PLAIN) -> bool:
    there = hashed(stored, (ADA, CARL), policy)
    return agree(hashed(incoming, people, policy), there.words.keys(), there.addresses.keys(), policy)


@pytest.mark.parametrize(
    ("stored", "incoming", "expected"),
    [
        ("The order", "RE: The order", True),
        ("The order", "FW: RE: the ORDER", True),
        ("The order", "The other order", False),
        ("The order of books", "The order", False),
        ("The order", "The invoice", False),  # equal counts: the words have to be equal too
        ("The order", "Out of office: The order", False),
        ("Order CRM:0001001", "RE: Order CRM:0001001", True),  # the token is a word like any other
        ("Order CRM:0001001", "RE: Order CRM:0001002", False),
        ("RE:", "RE:", False),  # nothing is left: no match
        ("", "", False),
    ],
)
def test_subjects(stored: str, incoming: str, expected: bool) -> None:
    assert matches(stored, incoming) is expected


@pytest.mark.parametrize(
    ("delta", "incoming", "expected"),
    [(0, "one two", False), (1, "one two", True), (1, "one", False), (2, "one", True), (1, "one two three four", True)],
)
def test_the_delta(delta: int, incoming: str, expected: bool) -> None:
    policy = HashPolicy(delta=delta)
    assert matches("one two three", incoming, policy=policy) is expected


@pytest.mark.parametrize(
    ("minimum", "people", "expected"),
    [
        (2, (CARL, ADA), True),
        (2, (CARL.upper(), ADA.title()), True),
        (2, (CARL, BEN), False),
        (2, (CARL, CARL), False),
        (1, (CARL, BEN), True),
        (0, (BEN,), True),
    ],
)
def test_common_people(minimum: int, people: tuple[str, ...], expected: bool) -> None:
    assert matches("The order", "RE: The order", people, HashPolicy(addresses=minimum)) is expected


def test_only_so_many_words_and_people_count() -> None:
    policy = HashPolicy(maximum=3)
    assert words_of("one two three four", policy) == ["one", "two", "three"]
    assert matches("one two three four", "one two three five", policy=policy)
    assert list(hashed("x", (f"{n}@x.test" for n in range(9)), policy).addresses.values()) == [
        "0@x.test",
        "1@x.test",
        "2@x.test",
    ]


def test_a_filter_that_cannot_be_used_deletes_nothing() -> None:
    assert words_of("RE: order", HashPolicy(keywords="(")) == ["re:", "order"]
    assert words_of("RE: order", HashPolicy(keywords="")) == ["re:", "order"]


def test_the_hash_is_stable() -> None:
    """Stored in databases: it must stay what it is. The check value of CRC-32, 0xCBF43926, as a signed number."""
    assert hash_of("123456789") == 0xCBF43926 - 2**32
    assert hash_of("order") == hash_of("ORDER") != hash_of("orders")
    assert hash_of("\ud800") == hash_of("\ud800")


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_hash_fits_the_column(text: str) -> None:
    assert -(2**31) <= hash_of(text) < 2**31


@given(st.lists(st.sampled_from("abcdefg"), max_size=6), st.lists(st.sampled_from("abcdefg"), max_size=6), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_what_agrees_shares_a_driving_word(stored: list[str], incoming: list[str], delta: int) -> None:
    """So a look-up by driving words misses nothing (unless so few words are wanted that anything would agree)."""
    policy = HashPolicy(keywords="", delta=delta, addresses=1)
    there, wanted = hashed(" ".join(stored), [ADA], policy), hashed(" ".join(incoming), [ADA], policy)
    driving = driving_words(wanted, policy, {number: number % 7 for number in wanted.words})
    if driving and agree(wanted, there.words.keys(), there.addresses.keys(), policy):
        assert set(driving) & there.words.keys()


def test_no_driving_words_no_look_up() -> None:
    assert driving_words(hashed("", [ADA, CARL], PLAIN), PLAIN, {}) == ()
    assert driving_words(hashed("order", [ADA], PLAIN), PLAIN, {}) == ()
    assert driving_words(hashed("one two", [ADA, CARL], HashPolicy(delta=2)), HashPolicy(delta=2), {}) == ()


def test_the_rarest_words_drive() -> None:
    stored = {hash_of("the"): 200, hash_of("order"): 30, hash_of("of"): 199, hash_of("lamps"): 2}
    wanted = hashed("The order of lamps", [ADA, CARL], PLAIN)
    assert driving_words(wanted, PLAIN, stored) == (hash_of("lamps"),)
    assert driving_words(wanted, HashPolicy(delta=1), stored) == (hash_of("lamps"), hash_of("order"))


@pytest.mark.parametrize(
    ("subject", "people", "expected"),
    [
        ("The order", (ADA, CARL), True),
        ("the ORDER and more", (ADA, CARL), True),
        ("The other", (ADA, CARL), False),  # equal hashes, other words
        ("The order", (ADA, BEN), False),  # equal hashes, other people
        ("The" + "x" * 197, (ADA, CARL), True),  # cut where it was stored
    ],
)
def test_texts_decide_in_the_end(subject: str, people: tuple[str, ...], expected: bool) -> None:
    assert verified(hashed("RE: The order", (CARL, ADA), PLAIN), subject, people, PLAIN, cut=200) is expected


def test_rows() -> None:
    assert list(rows_of(hashed("order", [ADA], PLAIN))) == [(True, hash_of("order")), (False, hash_of(ADA))]
