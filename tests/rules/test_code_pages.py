"""The code page for outgoing content (server-side-sync reference 1.1)."""

from __future__ import annotations

import pytest

from postroom.rules.code_pages import CODE_PAGES, charset_of


@pytest.mark.parametrize(
    ("code_page", "charset"),
    [
        ("1252", "windows-1252"),
        (" 28591 ", "iso-8859-1"),
        ("ISO-8859-15", "iso-8859-15"),
        ("50220", "iso-2022-jp"),
        ("65001", "utf-8"),
        ("1200", "utf-8"),  # UTF-16 is nothing for mail
        ("99999999999999999999", "utf-8"),
        ("klingon", "utf-8"),
        ("", "utf-8"),
        (None, "utf-8"),
    ],
)
def test_code_pages(code_page: str | None, charset: str) -> None:
    assert charset_of(code_page) == charset


@pytest.mark.parametrize("number", sorted(CODE_PAGES))
def test_each_is_known_and_keeps_ascii(number: int) -> None:
    assert "a-z 0".encode(charset_of(str(number))) == b"a-z 0"
