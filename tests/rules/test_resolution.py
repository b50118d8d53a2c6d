"""Addresses to records, owners, and correlation (server-side-sync reference 4.7 to 4.9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.model.attributes import Lookup
from postroom.model.options import CorrelationMethod
from postroom.rules.correlation import Candidate, Candidates, CorrelationPolicy, correlate
from postroom.rules.ownership import choose_owner
from postroom.rules.resolution import Match, ResolutionPolicy, resolve_recipient, resolve_sender

ADA, BEN, CID = (Lookup("systemuser", name) for name in ("ada", "ben", "cid"))
DAY = datetime(2026, 1, 5, tzinfo=UTC)
ORDER = ["systemuser", "contact", "account", "lead", "equipment", "team", "businessunit", "queue"]
PLAIN = ResolutionPolicy()


def match(entity: str, name: str = "1", **values: object) -> Match:
    return Match(Lookup(entity, name), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("index", range(len(ORDER) - 1))
def test_senders_resolve_in_the_published_order(index: int) -> None:
    found = [match(entity) for entity in reversed(ORDER[index:])]
    record = resolve_sender(found, PLAIN).record
    assert record is not None
    assert record.entity == ORDER[index]


@pytest.mark.parametrize(
    ("matches", "policy", "expected"),
    [
        ([], PLAIN, None),
        ([match("contact", active=False)], PLAIN, "contact"),
        ([match("contact", active=False)], ResolutionPolicy(ignore_inactive=True), None),
        ([match("systemuser", active=False)], PLAIN, None),
        ([match("contact", active=False), match("lead")], PLAIN, "lead"),
        ([match("contact", active=False), match("lead", active=False)], PLAIN, None),
        ([match("contact"), match("lead")], ResolutionPolicy(unresolve_sender_on_multiple=True), None),
        ([match("contact", str(n)) for n in range(101)], PLAIN, None),
        ([match("contact", str(n)) for n in range(100)], PLAIN, "contact"),
        ([match("contact"), match("contact")], ResolutionPolicy(unresolve_sender_on_multiple=True), "contact"),
    ],
)
def test_states_and_switches(matches: list[Match], policy: ResolutionPolicy, expected: str | None) -> None:
    found = resolve_sender(matches, policy)
    assert (found.record.entity if found.record else None) == expected
    assert found.reason


def test_the_mailbox_owners_record_comes_first_then_the_oldest() -> None:
    old, own = (
        match("contact", "old", owner=BEN, place=0),
        match("contact", "own", owner=ADA, place=1),
    )
    new = match("contact", "new", owner=BEN, place=2)
    assert resolve_sender([new, own, old], PLAIN, mailbox_owner=ADA).record == own
    assert resolve_sender([new, old], PLAIN, mailbox_owner=ADA).record == old


@pytest.mark.parametrize(
    ("matches", "policy", "count"),
    [
        ([match("contact"), match("lead"), match("contact")], PLAIN, 2),
        ([match("contact"), match("lead")], ResolutionPolicy(unresolve_recipients_on_multiple=True), 0),
        ([match("contact")], ResolutionPolicy(unresolve_recipients_on_multiple=True), 1),
        ([match("systemuser", active=False), match("lead")], ResolutionPolicy(unresolve_recipients_on_multiple=True), 1),
    ],
)
def test_recipients_become_every_record(matches: list[Match], policy: ResolutionPolicy, count: int) -> None:
    assert len(resolve_recipient(matches, policy)) == count


@given(st.lists(st.tuples(st.sampled_from(ORDER), st.integers(0, 9).map(str), st.booleans()), max_size=12), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_in_which_matches_are_found_does_not_matter(found: list[tuple[str, str, bool]], chance: object) -> None:
    unique = {(entity, name): Match(Lookup(entity, name), active) for entity, name, active in found}
    matches = list(unique.values())
    shuffled = matches.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve_sender(matches, PLAIN) == resolve_sender(shuffled, PLAIN)
    assert resolve_recipient(matches, PLAIN) == resolve_recipient(shuffled, PLAIN)


@pytest.mark.parametrize(
    ("lists", "values", "owner"),
    [
        ([[ADA, BEN], [CID], []], {}, ADA),
        ([[], [CID, BEN], [ADA]], {}, CID),
        ([[ADA, BEN], [CID]], {"correlated": BEN, "sender_record": ADA}, BEN),
        ([[ADA, BEN], [CID]], {"correlated": CID, "sender_record": BEN}, BEN),
        ([[ADA, BEN], [CID]], {"correlated": CID}, ADA),
        ([[], [], []], {"fallback": CID, "correlated": BEN}, CID),
        ([[], [], []], {}, None),
    ],
)
def test_owner(lists: list[list[Lookup]], values: dict[str, Lookup], owner: Lookup | None) -> None:
    assert choose_owner(lists, **values) == owner


def test_correlation_takes_the_first_method_that_hits_and_its_newest_email() -> None:
    old, new = Candidate("old", DAY), Candidate("new", DAY + timedelta(hours=1))
    both = Candidates(in_reply_to=lambda: [old, new], token=lambda: [Candidate("other", DAY + timedelta(days=9))])
    found = correlate(both, CorrelationPolicy())
    assert found is not None
    assert (found.method, found.email, found.parent) == (CorrelationMethod.IN_REPLY_TO, new, "new")
    by_token = correlate(both, CorrelationPolicy(headers=False))
    assert by_token is not None
    assert (by_token.method, by_token.parent) == (CorrelationMethod.TRACKING_TOKEN, None)
    assert correlate(both, CorrelationPolicy(headers=False, token=False)) is None
    assert correlate(Candidates(smart=lambda: [old]), CorrelationPolicy()) is None
