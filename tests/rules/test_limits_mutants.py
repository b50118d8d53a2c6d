"""Numbers at their limits, one for each mistake that had passed (tests/mutation)."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

import pytest

from postroom import errors
from postroom.model import EmailStatus, Lookup
from postroom.rules import smart_matching
from postroom.rules.code_pages import charset_of
from postroom.rules.conversation_index import base_hash
from postroom.rules.error_classes import classify
from postroom.rules.operation import Operation
from postroom.rules.outgoing_state import Attempt, Report, after_report
from postroom.rules.resolution import Match, ResolutionPolicy, resolve_sender
from postroom.rules.retry import BackOff, Counters, after_failure
from postroom.rules.schedule import Cycle, Windows, first_interval, next_poll
from postroom.rules.smart_matching import HashPolicy, driving_words, hash_of, hashed
from postroom.rules.templates import fill
from postroom.rules.tracking_token import TokenLayout, find_tokens, make_token

# -- retries ------------------------------------------------------------------------------------------------------------


def test_what_is_suggested_when_nothing_is_set() -> None:
    assert BackOff() == BackOff(on_transient_error=300.0, on_timeout=300.0, maximum_failures=10)
    assert Counters() == Counters(incoming=0, outgoing=0, act=0)


@pytest.mark.parametrize(
    ("packed", "counters"),
    [(-1, Counters()), (1_234_005_006, Counters(234, 5, 6)), (999_999_999, Counters(999, 999, 999))],
)
def test_unpacking(packed: int, counters: Counters) -> None:
    assert Counters.unpack(packed) == counters


def test_packing_and_counting_what_is_out_of_range() -> None:
    assert Counters(incoming=-5, outgoing=1, act=5000).pack() == 1_999
    assert Counters().put(Operation.INCOMING, -5) == Counters()
    assert Counters(1, 2, 3).of(Operation.TEST) == 0


def test_a_test_is_never_switched_off() -> None:
    error = classify(errors.ConnectionFailed("x"), Operation.TEST)
    assert not after_failure(Counters(), Operation.TEST, error, BackOff(maximum_failures=0)).disable
    assert after_failure(Counters(), Operation.INCOMING, error, BackOff(maximum_failures=0)).disable


# -- when to look again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high", "good"), [(1, 1, True), (1, 2, True), (0.5, 2, False), (0, 2, False), (3, 2, False)])
def test_windows(low: float, high: float, good: bool) -> None:
    for names in (("active_minimum", "active_maximum"), ("idle_minimum", "idle_maximum")):
        values = dict(zip(names, (low, high), strict=True))
        if good:
            Windows(**values)
        else:
            with pytest.raises(ValueError, match="polling window"):
                Windows(**values)


def test_the_first_interval() -> None:
    narrow = Windows(120, 200, 400, 720)
    assert [first_interval(count, narrow) for count in (-1, 0, 1, 2, 9)] == [200, 200, 460, 520, 720]
    assert first_interval(0, Windows(120, 1000, 400, 720)) == 300


def test_the_next_poll() -> None:
    assert next_poll(Cycle(0), -5).noemailcount == 1
    assert next_poll(Cycle(0), 0, windows=Windows(1, 1, 1, 1)).seconds == 1
    assert next_poll(Cycle(1), 3).interval == next_poll(Cycle(1), 3).seconds


# -- sending ------------------------------------------------------------------------------------------------------------


def test_sent_to_some_when_the_attempts_are_used_up() -> None:
    attempt = Attempt(
        attempts=9, limit=10, back_off=timedelta(minutes=5), now=datetime(2026, 1, 5, tzinfo=UTC), reached=True, left=True
    )
    outcome = after_report(Report.SENT, attempt)
    assert (outcome.status, outcome.reason, outcome.retry_at) == (EmailStatus.SENT, "", None)


def test_counters_of_tokens_wrap_at_their_digits() -> None:
    layout = TokenLayout(counter_digits=1, counter_limit=999)
    assert [make_token(layout, 1, counter) for counter in (8, 9, 10)] == ["CRM:00018", "CRM:00019", "CRM:00010"]


def test_numbers_of_users_wrap_at_theirs() -> None:
    layout = TokenLayout(user_digits=1)
    assert [make_token(layout, user, 0) for user in (8, 9, 10, 11)] == ["CRM:08000", "CRM:09000", "CRM:00000", "CRM:01000"]


def test_the_longest_prefix_is_the_one_that_is_meant() -> None:
    assert find_tokens("Hello CRM0001", TokenLayout(("CRM", "crm0"))) == ("crm0001",)


def test_text_is_text_unless_it_is_html() -> None:
    values = {"contact": {"fullname": "Alder & Birch"}}
    assert fill("{!contact:fullname;nobody}", values) == "Alder & Birch"
    assert fill("{!contact:fullname;nobody}", values, html=True) == "Alder &amp; Birch"


# -- people and threads -------------------------------------------------------------------------------------------------


def test_nobody_and_why() -> None:
    assert resolve_sender((), ResolutionPolicy(unresolve_sender_on_multiple=True)).reason == "no record has the address"


def match(entity: str, name: str, place: int, owner: Lookup | None = None) -> Match:
    return Match(Lookup(entity, name), active=True, owner=owner, place=place)


def test_entities_that_the_order_does_not_name_go_by_their_names() -> None:
    found = resolve_sender([match("new_b", "1", 0), match("new_a", "2", 1)], ResolutionPolicy())
    assert found.record is not None
    assert found.record.reference.entity == "new_a"


def test_without_a_mailbox_owner_nobody_is_preferred() -> None:
    matches = [match("contact", "1", 0, Lookup("systemuser", "u")), match("contact", "2", 1)]
    found = resolve_sender(matches, ResolutionPolicy())
    assert found.record is not None
    assert found.record.reference.id == "1"


def test_hashes_are_signed_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(64):
        base = bytes([number]) * 22
        assert base_hash(base) % (1 << 32) == zlib.crc32(base)
        assert -(1 << 31) <= base_hash(base) < 1 << 31
    monkeypatch.setattr(smart_matching.zlib, "crc32", lambda octets: 1 << 31)
    assert hash_of("x") == -(1 << 31)


def test_the_rarest_words_drive() -> None:
    """A word that no stored email has is as rare as one whose count is nought, and rarer than one that one has; then the number decides."""
    wanted = hashed("lamp bowl", ("a@b.test", "c@d.test"), HashPolicy())
    low, high = sorted(wanted.words)
    assert driving_words(wanted, HashPolicy(), {low: 1}) == (high,)
    assert driving_words(wanted, HashPolicy(), {low: 0}) == (low,)


@pytest.mark.parametrize(
    ("text", "charset"), [("000001252", "windows-1252"), ("0000001252", "utf-8"), ("\uff11\uff12\uff15\uff12", "utf-8")]
)
def test_numbers_of_code_pages(text: str, charset: str) -> None:
    assert charset_of(text) == charset
