"""Alerts: TraceLog rows for mailboxes and profiles (server-side-sync reference 3.7, 10): written, rolled up, gated, closed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import sqlalchemy as sa

from postroom.model import Lookup, TraceLevel, TraceLog
from postroom.model import Organization as OrganizationRecord
from postroom.model.text import one_line
from postroom.rules.alert_table import BY_CODE, platform_number
from postroom.rules.error_classes import ERROR_NUMBERS, THOUSANDS
from postroom.rules.operation import Operation
from postroom.store import TABLES, Transaction
from postroom.store.prepared import Prepared

__all__ = ["TRACE_CODES", "Alert", "about", "close", "close_errors", "write"]

TRACE_CODES = {kind.code: kind.number for kind in BY_CODE.values()}
"""`tracelog.tracecode` of alerts that no error raises: `rules.alert_table`, above those of `rules.error_classes`."""

_VALUE_LIMIT = 400
"""Characters of one parameter that are kept; ours."""


@dataclass(frozen=True, slots=True)
class Alert:
    """code        the "Email Server Error Code", or ours
    text        rendered; at most 2000 characters are kept
    number      the trace code; 0: that of `code` in TRACE_CODES
    parameters  what the text speaks of, by name: kept apart for programs
    actions     what the reader can do about it, by name
    parent      the alert that this one belongs to
    """

    regarding: Lookup
    level: TraceLevel
    code: str
    text: str
    details: str = ""
    success: bool = False
    number: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    machine: str = ""
    parent: str | None = None

    @property
    def trace_code(self) -> int:
        return self.number or TRACE_CODES[self.code]

    @property
    def hash(self) -> int:
        """Equal alerts have equal hashes: a signed 32-bit number."""
        number = zlib.crc32(f"{int(self.level)}\0{self.code}\0{self.text}".encode("utf-8", "replace"))
        return number - (1 << 32) if number >= 1 << 31 else number


def about(
    code: str, regarding: Lookup, *, actions: tuple[str, ...] = (), parent: str | None = None, **parameters: str
) -> Alert:
    """An alert of `rules.alert_table` with its own level and text; `parameters` fill the places of the text."""
    kind = BY_CODE[code]
    shown = {name: one_line(value, _VALUE_LIMIT) for name, value in parameters.items()}
    return Alert(
        regarding,
        TraceLevel(int(kind.level)),
        code,
        kind.text.format(**shown),
        success=code == "TestSucceeded",
        parameters=shown,
        actions=actions,
        parent=parent,
    )


_GATES = {
    TraceLevel.INFORMATION: "generatealertsforinformation",
    TraceLevel.WARNING: "generatealertsforwarnings",
    TraceLevel.ERROR: "generatealertsforerrors",
}


def write(tx: Transaction, settings: OrganizationRecord, alert: Alert) -> str | None:
    """The id of the trace, or None when the organization does not want this level.

    Roll-up (ours where only the columns are published): an equal alert of the same record, by `traceparameterhash`, only gets a new `modifiedon`,
    is counted in `collationlevel` and is open again; `isunique` says that the row is the only one of its kind. An Error that follows a Warning of
    the same code on the same record, and an alert of a mailbox that repeats its profile's, name that one in `parenttracelogid`."""
    if not getattr(settings, _GATES[alert.level]):
        return None
    text = one_line(alert.text, 2000)
    known = tx.first(TraceLog, regardingobjectid=alert.regarding, traceparameterhash=alert.hash, text=text)
    if known is not None:
        tx.update(TraceLog, known.tracelogid, collationlevel=(known.collationlevel or 1) + 1, tracestatus=alert.success)
        return known.tracelogid
    parent = alert.parent or (_warning_before(tx, alert) if alert.level is TraceLevel.ERROR else None)
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
            machinename=one_line(alert.machine, 320) or None,
            traceparameterxml=_parameters(alert),
            tracedetailxml=_details(alert),
            traceactionxml=_actions(alert),
            parenttracelogid=Lookup("tracelog", parent) if parent else None,
            collationlevel=1,
            isunique=True,
        )
    )
    return made.tracelogid


def _warning_before(tx: Transaction, alert: Alert) -> str | None:
    code, level = alert.trace_code, TraceLevel.WARNING
    found = tx.first(TraceLog, regardingobjectid=alert.regarding, tracecode=code, level=level, order_by=("-modifiedon",))
    return found.tracelogid if found is not None else None


def _parameters(alert: Alert) -> str | None:
    if not alert.parameters:
        return None
    rows = (
        f"<Parameter name={quoteattr(name)}>{escape(value)}</Parameter>" for name, value in sorted(alert.parameters.items())
    )
    return f"<Parameters>{''.join(rows)}</Parameters>"


def _details(alert: Alert) -> str:
    """The "Email Server Error Code" is a string inside the details (reference 10)."""
    number = platform_number(alert.code)
    rows = f"<EmailServerErrorCode>{escape(one_line(alert.code, 320))}</EmailServerErrorCode>"
    if number is not None:
        rows += f"<ErrorNumber>{number}</ErrorNumber>"
    return f"<Details>{rows}</Details>"


def _actions(alert: Alert) -> str | None:
    if not alert.actions:
        return None
    return f"<Actions>{''.join(f'<Action name={quoteattr(name)}/>' for name in alert.actions)}</Actions>"


# -- when the trouble ends --------------------------------------------------------------------------------------------

_t = TABLES["tracelog"]
_ABOUT_IT = sa.select(_t.c.tracelogid).where(
    _t.c.regardingobjectid == sa.bindparam("p_id"),
    _t.c.regardingobjectid_entity == sa.bindparam("p_entity"),
    _t.c.tracestatus.is_(False),
)
_OPEN = Prepared(_ABOUT_IT.where(_t.c.tracecode == sa.bindparam("p_code")))
_OPEN_BETWEEN = Prepared(_ABOUT_IT.where(_t.c.tracecode >= sa.bindparam("p_low"), _t.c.tracecode <= sa.bindparam("p_high")))


def close_errors(tx: Transaction, regarding: Lookup, operation: Operation) -> int:
    """The operation works again: its open alerts about this record are Success now (`tracestatus`). Ours: nothing published says how an alert
    ends. Returns how many were open."""
    start = THOUSANDS[operation]
    span = {"p_low": start, "p_high": start + ERROR_NUMBERS - 1}
    return _close(tx, tx.execute(_OPEN_BETWEEN, {"p_id": regarding.id, "p_entity": regarding.entity, **span}))


def close(tx: Transaction, regarding: Lookup, codes: Iterable[str]) -> int:
    """The same for alerts of `rules.alert_table` by their codes."""
    known = {"p_id": regarding.id, "p_entity": regarding.entity}
    return sum(_close(tx, tx.execute(_OPEN, {**known, "p_code": TRACE_CODES[code]})) for code in codes)


def _close(tx: Transaction, found: Iterable[Sequence[Any]]) -> int:
    ids = [row[0] for row in found]
    for one in ids:
        tx.update(TraceLog, one, tracestatus=True)
    return len(ids)
