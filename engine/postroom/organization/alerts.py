"""Alerts: TraceLog rows for mailboxes and profiles (server-side-sync reference 3.7, 10)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from postroom.model import Lookup, TraceLevel, TraceLog
from postroom.model import Organization as OrganizationRecord
from postroom.model.text import one_line
from postroom.store import Transaction

__all__ = ["TRACE_CODES", "Alert", "write"]

TRACE_CODES = {
    "NoRecipientMatch": 1101,
    "NoCorrelationMatch": 1102,
    "InvalidSender": 1103,
    "InvalidForwardMailItem": 1104,
    "MessageParked": 1105,
    "MailboxDisabled": 2101,
    "EmailNotSent": 2102,
    "EmailUncertain": 2103,
    "TestSucceeded": 4101,
}
"""`tracelog.tracecode` of alerts that no error raises: no numbers are published; ours, in the suggested ranges (1xxx incoming, 2xxx outgoing, 4xxx
test), above those of `rules.error_classes`."""


@dataclass(frozen=True, slots=True)
class Alert:
    """code     the "Email Server Error Code", or ours
    text     rendered; at most 2000 characters are kept
    number   the trace code; 0: that of `code` in TRACE_CODES
    """

    regarding: Lookup
    level: TraceLevel
    code: str
    text: str
    details: str = ""
    success: bool = False
    number: int = 0

    @property
    def trace_code(self) -> int:
        return self.number or TRACE_CODES[self.code]

    @property
    def hash(self) -> int:
        """Equal alerts have equal hashes: a signed 32-bit number."""
        number = zlib.crc32(f"{int(self.level)}\0{self.code}\0{self.text}".encode("utf-8", "replace"))
        return number - (1 << 32) if number >= 1 << 31 else number


_GATES = {
    TraceLevel.INFORMATION: "generatealertsforinformation",
    TraceLevel.WARNING: "generatealertsforwarnings",
    TraceLevel.ERROR: "generatealertsforerrors",
}


def write(tx: Transaction, settings: OrganizationRecord, alert: Alert) -> str | None:
    """The id of the trace, or None when the organization does not want this level. An equal alert of the same record only gets a new
    `modifiedon` (and counts in `collationlevel`, ours)."""
    if not getattr(settings, _GATES[alert.level]):
        return None
    text = one_line(alert.text, 2000)
    known = tx.first(TraceLog, regardingobjectid=alert.regarding, traceparameterhash=alert.hash, text=text)
    if known is not None:
        tx.update(TraceLog, known.tracelogid, collationlevel=(known.collationlevel or 1) + 1)
        return known.tracelogid
    made = tx.create(
        TraceLog(
            level=alert.level,
            tracecode=alert.trace_code,
            text=text,
            traceparameterhash=alert.hash,
            tracestatus=alert.success,
            regardingobjectid=alert.regarding,
            errortypedisplay=one_line(alert.code, 320),
            errordetails=one_line(alert.details, 2048) or None,
        )
    )
    return made.tracelogid
