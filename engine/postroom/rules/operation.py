"""The kinds of work that are done for a mailbox."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["COLUMNS", "Columns", "Operation"]


class Operation(StrEnum):
    """INCOMING, OUTGOING and ACT (appointments, contacts, tasks) are the published operations of MailboxStatistics; TEST is Test & Enable,
    RETENTION the removal of what has been kept long enough."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    ACT = "act"
    TEST = "test"
    RETENTION = "retention"


class Columns(NamedTuple):
    """The mailbox's attributes of one direction (server-side-sync reference 1.2).

    status     result of the configuration test
    enabled    the gate for processing
    scheduled  the next cycle does not start earlier, says the schedule
    postponed  nor earlier than this, after a failure
    """

    status: str
    enabled: str
    scheduled: str
    postponed: str

    @property
    def waits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.scheduled, self.postponed)))


COLUMNS = {
    Operation.INCOMING: Columns(
        "incomingemailstatus", "enabledforincomingemail", "postponemailboxprocessinguntil", "receivingpostponeduntil"
    ),
    Operation.OUTGOING: Columns(
        "outgoingemailstatus", "enabledforoutgoingemail", "postponesendinguntil", "postponesendinguntil"
    ),
    Operation.ACT: Columns("actstatus", "enabledforact", "receivingpostponeduntilforact", "receivingpostponeduntilforact"),
}
"""The three directions of a mailbox, in the order in which they are tested."""
