"""GetSearchableMailboxes (ews reference 4): nobody here has the role that may search the mailboxes of others."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, failure
from postroom_simulator.ews.errors import EwsError


def handle(_: Call, __: Value) -> Value:
    return failure(EwsError("ErrorAccessDenied"), SearchableMailboxes={}, FailedMailboxes={})
