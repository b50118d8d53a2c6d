"""Text in the code page that was asked for, where it can be written in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from postroom.mime.compose import ComposeError, compose
from postroom.mime.parse import parse_message
from postroom.mime.values import Address, OutgoingMessage


def written(text: str, charset: str) -> bytes:
    date = datetime(2026, 1, 5, tzinfo=UTC)
    return compose(OutgoingMessage("<1@a.test>", date, Address("a@a.test"), subject="s", text=text, charset=charset))


@pytest.mark.parametrize(
    ("text", "charset", "label"),
    [
        ("Grüße", "windows-1252", b"charset=windows-1252"),
        ("Grüße", "utf-8", b"charset=utf-8"),
        ("Grüße 日本", "windows-1252", b"charset=utf-8"),
        ("日本", "iso-2022-jp", b"charset=iso-2022-jp"),
        ("plain", "windows-1252", b"charset=us-ascii"),
        ("Grüße", "no-such-set", b"charset=utf-8"),
    ],
)
def test_the_character_set(text: str, charset: str, label: bytes) -> None:
    octets = written(text, charset)
    assert label in octets
    assert (parse_message(octets).text or "").strip() == text


def test_half_a_character_is_refused_in_any_set() -> None:
    with pytest.raises(ComposeError, match="half a character"):
        written("\ud800", "windows-1252")
