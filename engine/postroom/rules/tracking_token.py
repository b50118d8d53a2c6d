"""Tracking tokens: made, appended to a subject, found in one (server-side-sync reference 4.5).

`CRM:0001001`: prefix, one digit for online/offline (fixed), the user's number, the user's message counter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = [
    "COLUMN_LIMIT",
    "DESIGNATOR",
    "PREFIX_LIMIT",
    "TOKEN_LIMIT",
    "TokenLayout",
    "append_token",
    "find_tokens",
    "make_token",
    "prefixes_of",
    "with_history",
]

DESIGNATOR = "0"
HISTORY_SEPARATOR = ";"
"""Between the current prefix and earlier ones in organization.trackingprefix; suggested by the reference."""
PREFIX_LIMIT = 20
"""Characters of one prefix: 1 to 20."""
COLUMN_LIMIT = 256
"""Characters of organization.trackingprefix."""
TOKEN_LIMIT = 50
"""Characters of email.trackingtoken."""


@dataclass(frozen=True, slots=True)
class TokenLayout:
    """prefixes: the current one first, then the history. Digits 1..10 and 1..9."""

    prefixes: tuple[str, ...] = ("CRM:",)
    base: int = 0
    user_digits: int = 3
    counter_digits: int = 3
    counter_limit: int = 999


def prefixes_of(history: str | None) -> tuple[str, ...]:
    """The prefixes in `organization.trackingprefix`, current one first. Empty: tokens are off."""
    return tuple(prefix for part in (history or "").split(HISTORY_SEPARATOR) if (prefix := part.strip()))


def with_history(wanted: str | None, before: str | None) -> str | None:
    """What `trackingprefix` holds after a change: the new prefix (or history) first, then the earlier ones, so that replies to older mail still match; those
    that do not fit the column are lost, oldest first. Without any wanted prefix tokens are switched off, and nothing is kept (ours).

    Raises ValueError for a prefix that is longer than 20 characters.
    """
    given = prefixes_of(wanted)
    for one in given:
        if len(one) > PREFIX_LIMIT:
            raise ValueError(f"a tracking prefix has 1 to {PREFIX_LIMIT} characters, not {len(one)}")
    if not given:
        return None
    kept = ""
    for one in dict.fromkeys((*given, *prefixes_of(before))):
        longer = f"{kept}{HISTORY_SEPARATOR}{one}" if kept else one
        if len(longer) > COLUMN_LIMIT:
            break
        kept = longer
    return kept


def make_token(layout: TokenLayout, user_number: int, counter: int) -> str:
    """`user_number` counts from 1 within the deployment, `counter` from 0; both wrap to their digits."""
    number = (layout.base + user_number) % 10**layout.user_digits
    turns = min(layout.counter_limit, 10**layout.counter_digits - 1) + 1
    return f"{layout.prefixes[0]}{DESIGNATOR}{number:0{layout.user_digits}d}{counter % turns:0{layout.counter_digits}d}"


def append_token(subject: str, token: str, limit: int = 255) -> str:
    """The token at the end of the subject, one space before it; the subject is cut to fit. A token longer than `limit` is dropped and
    the subject cut (MaximumSubjectLengthOnMailServer)."""
    if not token:
        return subject[:limit]
    if len(token) >= limit:
        return subject[:limit]
    room = limit - len(token) - 1
    kept = subject[:room].rstrip()
    return f"{kept} {token}" if kept else token


_TOKENS = 10
"""Of more places in a subject that look like tokens only the last ones are looked up. Ours."""
_DIGITS = "{3,20}"
"""Designator, user number and counter: one digit each at least, 1 + 10 + 9 at most."""


@lru_cache(maxsize=64)
def _pattern(prefixes: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = "|".join(re.escape(prefix) for prefix in sorted(prefixes, key=len, reverse=True))
    return re.compile(rf"({longest_first})([0-9]{_DIGITS})(?![0-9])", re.IGNORECASE)


def find_tokens(subject: str, layout: TokenLayout) -> tuple[str, ...]:
    """What looks like tokens in a subject, the last one first, prefixes spelled as configured. The last that is a stored email's counts.

    Any number of digits is taken: tokens made before the digits were changed go on working, as the stored token decides (ours). A prefix that was
    configured in several spellings gives one token for each.
    """
    if not layout.prefixes:
        return ()
    found: dict[str, None] = {}
    for match in list(_pattern(layout.prefixes).finditer(subject))[: -_TOKENS - 1 : -1]:
        # asked of the pattern again: it takes more letters for equal than casefold does (a capital I with a dot for an i)
        spelled = [one for one in layout.prefixes if re.fullmatch(re.escape(one), match[1], re.IGNORECASE)]
        found |= {prefix + match[2]: None for prefix in spelled if len(prefix + match[2]) <= TOKEN_LIMIT}
    return tuple(found)
