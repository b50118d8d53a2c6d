"""The kinds of work that are done for a mailbox."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Operation"]


class Operation(StrEnum):
    """INCOMING, OUTGOING and ACT (appointments, contacts, tasks) are the published operations of MailboxStatistics; TEST is Test & Enable,
    RETENTION the removal of what has been kept long enough."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    ACT = "act"
    TEST = "test"
    RETENTION = "retention"
