"""Text from strangers, made fit for the store: the one place that says what that means.

`store.rows` and `model.validate` refuse what no database can hold; these make it harmless where refusing would stop mail.
"""

from __future__ import annotations

import re

__all__ = ["clean_text", "one_line"]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LINE_BREAKS = re.compile(r"[\r\n\t]+")
_MARGIN = 4
"""Runs of line breaks shrink: a little more than `limit` is looked at, never all of a text of any length."""


def clean_text(text: str) -> str:
    """Without what no database can hold: NUL and lone surrogates become the replacement character."""
    return _UNSTORABLE.sub("\ufffd", text)


def one_line(text: str, limit: int) -> str:
    """Clean, on one line, at most `limit` characters. Only the beginning of a long text is looked at."""
    return _LINE_BREAKS.sub(" ", clean_text(text[: limit * _MARGIN]))[:limit]
