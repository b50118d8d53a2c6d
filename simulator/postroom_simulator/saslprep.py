"""User names and passwords as they are compared (RFC 4013), so that it does not matter how a keyboard or a program writes a letter."""

from __future__ import annotations

import stringprep
import unicodedata

__all__ = ["prepared"]

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
"""RFC 4013 §2.3."""


def prepared(text: str) -> str:
    """The form of RFC 4013 §2, for text that somebody asks with (code points that Unicode 3.2 does not know are let through). What it forbids
    is given back as it is: then it is like nothing but itself (ours; a login with it fails or works as it was set)."""
    if text.isascii():
        return text
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    normal = unicodedata.normalize("NFKC", mapped)
    if any(prohibited(c) for c in normal for prohibited in _PROHIBITED) or not _one_way(normal):
        return text
    return normal


def _one_way(text: str) -> bool:
    """RFC 3454 §6: letters of both directions do not mix, and right to left begins and ends with one."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))
