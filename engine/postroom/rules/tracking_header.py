"""Our own header by which a sent email is known again: correlation method 2, XHeader (server-side-sync reference 4.7).

Nothing is published about it; the suggestion is followed: outgoing mail carries the id of its activity, and mail that comes in with one belongs
to that email.
"""

from __future__ import annotations

import re

__all__ = ["TRACKING_HEADER", "email_id_of"]

TRACKING_HEADER = "X-Postroom-Email-Id"
"""Written into outgoing mail; the value is the `activityid`."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def email_id_of(value: str | None) -> str:
    """The id that a field names; "" when it is none."""
    text = (value or "").strip().lower()
    return text if _ID.fullmatch(text) else ""
