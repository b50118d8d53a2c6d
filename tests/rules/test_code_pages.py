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


def test_every_number() -> None:
    """Microsoft's list of code page identifiers; the two families by their rule."""
    others = {number: name for number, name in CODE_PAGES.items() if not (1250 <= number <= 1258 or 28591 <= number <= 28606)}
    assert others == {
        437: "cp437",
        850: "cp850",
        852: "cp852",
        866: "cp866",
        874: "windows-874",
        932: "shift_jis",
        936: "gb2312",
        949: "euc-kr",
        950: "big5",
        20127: "us-ascii",
        20866: "koi8-r",
        21866: "koi8-u",
        50220: "iso-2022-jp",
        51932: "euc-jp",
        51949: "euc-kr",
        54936: "gb18030",
        65001: "utf-8",
    }
    assert all(CODE_PAGES[number] == f"windows-{number}" for number in range(1250, 1259))
    assert [part for part in range(1, 17) if CODE_PAGES.get(28590 + part) == f"iso-8859-{part}"] == [
        *range(1, 12),
        13,
        14,
        15,
        16,
    ]
