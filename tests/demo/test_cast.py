"""Who is who in a pile of mail: the rules, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.demo.people import FILTERS, MAX_KNOWN, MAX_USERS, SAMPLE_CAST, Cast, Letter, cast_of


def letter(sender: str, *recipients: str) -> Letter:
    """Addresses, with a display name in front where there is one: "Ada ada@alder.test"."""
    pairs = [(text.rpartition(" ")[2], text.rpartition(" ")[0]) for text in (sender, *recipients)]
    return Letter(pairs[0], tuple(pairs[1:]))


def users(cast: Cast) -> list[str]:
    return [one.address for one in cast.users]


@pytest.mark.parametrize(
    ("letters", "domain", "expected_users", "queue"),
    [
        ([], "alder.example", ["owner@alder.example"], "support@alder.example"),
        ([letter("a@birch.test", "ada@alder.test")], "alder.test", ["ada@alder.test"], "support@alder.test"),
        ([letter("a@birch.test", "ADA@Alder.Test"), letter("b@birch.test", "ada@alder.test")], "alder.test", ["ada@alder.test"], "support@alder.test"),
        ([letter("a@birch.test", "info@alder.test")], "alder.test", ["owner@alder.test"], "info@alder.test"),
        ([letter("a@birch.test", "exmh-users@alder.test", "ada@alder.test")], "alder.test", ["ada@alder.test"], "exmh-users@alder.test"),
        # the more frequent shared address is the queue, the other one a user
        (
            [letter("a@birch.test", "help@alder.test", "info@alder.test"), letter("a@birch.test", "info@alder.test")],
            "alder.test", ["help@alder.test"], "info@alder.test",
        ),
        # the domain of most recipients, not of most addresses
        ([letter("a@x.test", "b@birch.test")] + [letter("a@x.test", "ada@alder.test")] * 2, "alder.test", ["ada@alder.test"], "support@alder.test"),
        # equal counts: the alphabet decides, whatever the order
        ([letter("a@x.test", "z@birch.test"), letter("a@x.test", "z@alder.test")], "alder.test", ["z@alder.test"], "support@alder.test"),
        # a made-up owner does not take an address that is there
        ([letter("a@x.test", "info@alder.test", "list@alder.test")], "alder.test", ["list@alder.test"], "info@alder.test"),
        # addresses that no mailbox can have
        ([letter("a@x.test", '"a b"@alder.test', "ada@alder.test", "x" * 200 + "@alder.test")], "alder.test", ["ada@alder.test"], "support@alder.test"),
    ],
)  # fmt: skip
def test_ours(letters: list[Letter], domain: str, expected_users: list[str], queue: str) -> None:
    cast = cast_of(letters)
    assert (cast.domain, users(cast), cast.queue.address) == (domain, expected_users, queue)
    assert cast.queue.kind == "queue"
    assert cast.queue.filter == 0


def test_at_most_five_users_most_frequent_first_with_different_filters() -> None:
    letters = [letter("a@x.test", f"u{n}@alder.test") for n in range(9) for _ in range(n + 1)]
    cast = cast_of(letters)
    assert users(cast) == [f"u{n}@alder.test" for n in (8, 7, 6, 5, 4)]
    assert len(cast.users) == MAX_USERS
    assert [one.filter for one in cast.users] == list(FILTERS)
    assert len(set(FILTERS)) == MAX_USERS


def test_who_writes_twice_is_known_and_of_the_others_about_every_second_one() -> None:
    often = [letter("often@birch.test", "ada@alder.test")] * 2
    once = [letter(f"once{n}@birch.test", "ada@alder.test") for n in range(100)]
    inside = [letter("ben@alder.test", "ada@alder.test")] * 3
    known = [one.address for one in cast_of(often + once + inside, seed=1).known]
    assert known[0] == "often@birch.test"
    assert "ben@alder.test" not in known
    assert 30 < len(known) < 70
    assert known == [one.address for one in cast_of(once + inside + often, seed=1).known]
    assert known != [one.address for one in cast_of(often + once + inside, seed=2).known]


def test_the_number_of_known_people_is_bounded_and_all_kinds_occur() -> None:
    letters = [letter(f"s{n}@birch.test", "ada@alder.test") for n in range(3 * MAX_KNOWN)]
    cast = cast_of(letters * 2)
    assert len(cast.known) == MAX_KNOWN
    assert {one.kind for one in cast.known} == {"contact", "lead", "account"}
    assert cast.strangers(letters) == 2 * MAX_KNOWN


def test_names_are_clean_and_no_two_alike() -> None:
    recipients = (("b@alder.test", "Ada\x1b[31m"), ("a@alder.test", "Ada\x1b[31m"), ("dora.ash@alder.test", ""))
    cast = cast_of([Letter(("x@x.test", ""), recipients)])
    assert [one.name for one in cast.users] == ["Ada [31m", "Ada [31m (b@alder.test)", "Dora Ash"]


@pytest.mark.parametrize(
    ("recipients", "accounts"),
    [
        (("ada@alder.example",), ("ada@alder.example",)),
        (("support@alder.example", "ADA@alder.example", "ada@alder.example"), ("support@alder.example", "ada@alder.example")),
        (("everyone@alder.example",), ("ada@alder.example", "ben@alder.example")),
        (("everyone@alder.example", "ben@alder.example"), ("ada@alder.example", "ben@alder.example")),
        (("sales-2019@alder.example",), ("ada@alder.example",)),
        (("nobody@alder.example",), ("ada@alder.example",)),
        (("carl@birch.example",), ("ada@alder.example",)),
        ((), ("ada@alder.example",)),
    ],
)
def test_where_a_message_landed(recipients: tuple[str, ...], accounts: tuple[str, ...]) -> None:
    assert SAMPLE_CAST.accounts_of(letter("x@y.test", *recipients)) == accounts


texts = st.text(max_size=12)
pairs = st.tuples(
    texts | st.builds(lambda a, b: f"{a}@{b}", texts, texts) | st.sampled_from(["a@x.test", "info@x.test", "b@y.test"]), texts
)


@settings(max_examples=50)
@given(st.lists(st.builds(Letter, pairs, st.lists(pairs, max_size=4).map(tuple)), max_size=8), st.integers(0, 9))
def test_any_pile_has_a_cast(letters: list[Letter], seed: int) -> None:
    cast = cast_of(letters, seed)
    assert cast == cast_of(list(letters), seed)
    everybody = [one.address.casefold() for one in (*cast.ours, *cast.known)]
    assert len(set(everybody)) == len(everybody)
    assert 1 <= len(cast.users) <= MAX_USERS
    assert all(one.address.rpartition("@")[2] == cast.domain for one in cast.ours)
    for one in letters:
        assert set(cast.accounts_of(one)) <= {person.address for person in cast.ours}
