"""`emailserverprofile.encodingcodepage`: the code page for outgoing content (server-side-sync reference 1.1). Pure.

The column is text; what it may hold is not published. Taken are the numbers of Windows code pages and the names of character sets; what nobody knows, and what
mail cannot carry in a text part (UTF-16, EBCDIC), falls back to UTF-8 (ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["CODE_PAGES", "FALLBACK", "charset_of"]

FALLBACK = "utf-8"

CODE_PAGES: Mapping[int, str] = MappingProxyType(
    {
        **{number: f"windows-{number}" for number in range(1250, 1259)},
        **{28590 + part: f"iso-8859-{part}" for part in (*range(1, 12), 13, 14, 15, 16)},
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
)
"""Number of the code page -> name in MIME."""

_CODECS = {"windows-874": "cp874"}
"""Names that Python knows otherwise."""


def charset_of(code_page: str | None) -> str:
    """The MIME name of a code page, "utf-8" where it says nothing usable. Every name given back is one that `str.encode` knows."""
    text = (code_page or "").strip().lower()
    if text.isascii() and text.isdigit():
        name = CODE_PAGES.get(int(text[:9]), FALLBACK)
    else:
        name = text if text in _NAMES else FALLBACK
    return _CODECS.get(name, name)


_NAMES = frozenset(CODE_PAGES.values())
