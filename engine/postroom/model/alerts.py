"""TraceLog: the alerts (server-side-sync reference 1.9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from postroom.model.attributes import Lookup, Record, boolean, integer, key, lookup, memo, moment, picklist, string
from postroom.model.options import TraceLevel

__all__ = ["TraceLog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLog(Record):
    """Organization-owned. `tracestatus` True: success. `createdon` first seen, `modifiedon` last seen for the same record."""

    __entity__: ClassVar[str] = "tracelog"
    __key__: ClassVar[str] = "tracelogid"
    __primary__: ClassVar[str] = "text"

    tracelogid: str = key()
    level: TraceLevel = picklist(TraceLevel, required=True)
    tracecode: int = integer(0, 1_000_000_000, required=True)
    text: str | None = string(2000)
    traceparameterxml: str | None = memo()
    tracedetailxml: str | None = memo()
    traceactionxml: str | None = memo()
    traceparameterhash: int | None = integer(read_only=True)
    tracestatus: bool = boolean()
    regardingobjectid: Lookup = lookup("mailbox", "emailserverprofile", required=True)
    parenttracelogid: Lookup | None = lookup("tracelog")
    collationlevel: int | None = integer()
    isunique: bool = boolean()
    canbedeleted: bool = boolean(default=True)
    errordetails: str | None = string(2048)
    errortypedisplay: str | None = string(320)
    machinename: str | None = string(320)
    createdon: datetime | None = moment(read_only=True)
    modifiedon: datetime | None = moment(read_only=True)
