"""Which method correlates, and what follows (server-side-sync reference 4.7)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.model.options import CorrelationMethod as M
from postroom.rules.conversation_index import BASE_OCTETS, base_hash, base_of
from postroom.rules.correlation import Candidate, Candidates, CorrelationPolicy, correlate, method_without_match
from postroom.rules.tracking_header import email_id_of

DAY = datetime(2026, 1, 5, tzinfo=UTC)
ALL = CorrelationPolicy(headers=True, token=True, smart=True, x_header=True, references=True)
ORDER = ["x_header", "in_reply_to", "references", "token", "conversation_index", "smart"]
METHODS = [M.X_HEADER, M.IN_REPLY_TO, M.IN_REPLY_TO, M.TRACKING_TOKEN, M.CONVERSATION_INDEX, M.SMART_MATCHING]


def found(*names: str, asked: list[str] | None = None) -> Candidates:
    def look(name: str) -> Any:
        def answer() -> list[Candidate]:
            if asked is not None:
                asked.append(name)
            return [Candidate(name, DAY)] if name in names else []

        return answer

    return Candidates(**{name: look(name) for name in ORDER})


@pytest.mark.parametrize("place", range(6))
def test_the_first_hit_wins(place: int) -> None:
    asked: list[str] = []
    correlation = correlate(found(*ORDER[place:], asked=asked), ALL)
    assert correlation is not None
    assert (correlation.email.email_id, correlation.method) == (ORDER[place], METHODS[place])
    assert asked == ORDER[: place + 1]  # the others are not even looked for
    assert (correlation.parent is not None) is (METHODS[place] in (M.IN_REPLY_TO, M.CONVERSATION_INDEX))


@pytest.mark.parametrize(
    ("policy", "looked_for"),
    [
        (CorrelationPolicy(), ["in_reply_to", "token", "conversation_index"]),
        (CorrelationPolicy(headers=False), ["token"]),
        (CorrelationPolicy(headers=False, references=True), ["token"]),
        (CorrelationPolicy(token=False), ["in_reply_to", "conversation_index"]),
        (CorrelationPolicy(smart=True), ["in_reply_to", "token", "conversation_index", "smart"]),
        (CorrelationPolicy(x_header=True), ["x_header", "in_reply_to", "token", "conversation_index"]),
        (CorrelationPolicy(references=True), ["in_reply_to", "references", "token", "conversation_index"]),
        (CorrelationPolicy(headers=False, token=False), []),
        (ALL, ORDER),
    ],
)
def test_the_switches(policy: CorrelationPolicy, looked_for: list[str]) -> None:
    asked: list[str] = []
    assert correlate(found(asked=asked), policy) is None
    assert asked == looked_for


def test_of_several_the_most_recent() -> None:
    several = [Candidate("old", DAY), Candidate("new", DAY + timedelta(days=1)), Candidate("older", DAY - timedelta(days=1))]
    correlation = correlate(Candidates(token=lambda: several), CorrelationPolicy())
    assert correlation is not None
    assert correlation.email.email_id == "new"


def test_none_or_skipped() -> None:
    assert method_without_match(CorrelationPolicy()) is M.NONE
    assert method_without_match(CorrelationPolicy(headers=False, token=False)) is M.SKIPPED
    for one in ("smart", "x_header", "token", "headers"):
        assert method_without_match(CorrelationPolicy(**{"headers": False, "token": False, one: True})) is M.NONE


def index(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


BASE = bytes(range(1, 23))


@pytest.mark.parametrize(
    ("text", "base"),
    [
        (index(BASE), BASE),
        (index(BASE + b"12345"), BASE),
        (index(BASE + b"12345" * 300), BASE),
        (index(BASE).rstrip("="), BASE),
        (" " + index(BASE)[:10] + "\r\n " + index(BASE)[10:], BASE),
        (index(BASE[:-1]), None),
        ("", None),
        (None, None),
        ("not base64!", None),
        ("\u0130" * 40, None),
    ],
)
def test_the_base_of_a_conversation(text: str | None, base: bytes | None) -> None:
    assert base_of(text) == base


def test_the_hash_of_a_base() -> None:
    assert len(BASE) == BASE_OCTETS
    assert base_hash(b"123456789") == 0xCBF43926 - 2**32  # the check value of CRC-32, signed
    assert base_hash(BASE) != base_hash(BASE[::-1])


@pytest.mark.parametrize(
    ("value", "email_id"),
    [
        ("5d0f4cb5-8b33-4e2f-9a34-1f6f2a0d7c11", "5d0f4cb5-8b33-4e2f-9a34-1f6f2a0d7c11"),
        (" 5D0F4CB5-8b33-4e2f-9a34-1f6f2a0d7c11 ", "5d0f4cb5-8b33-4e2f-9a34-1f6f2a0d7c11"),
        ("5d0f4cb5", ""),
        ("' or 1=1", ""),
        (None, ""),
    ],
)
def test_our_header_names_an_email_or_nothing(value: str | None, email_id: str) -> None:
    assert email_id_of(value) == email_id
