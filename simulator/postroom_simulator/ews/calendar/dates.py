"""Single dates of a series as if they were items: found by the ids that requests name, written as exceptions, deleted (ews reference 5, 11)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.calendar import organizing
from postroom_simulator.ews.calendar.appointments import date_properties
from postroom_simulator.ews.calendar.occurrences import CHANGED_AT, DELETED, EXCEPTIONS, PATTERN_CHANGE, Date, Dates
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.ids import Id, Kind, change_key, mailbox_number, parse_id, write_id
from postroom_simulator.ews.items.hooks import Occurrence
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["dates_of", "drop", "find", "in_ranges", "keep", "occurrence", "occurrence_id"]

Value = dict[str, Any]
_FIELDS = tuple(one.name for one in dataclasses.fields(Item))
RANGE_LIMIT = 1000
"""Dates of one list of ranges (our choice)."""


def dates_of(master: Item) -> Dates:
    """Of a recurring item of the store. Raises EwsError ErrorCalendarCannotUseIdForRecurringMasterId for one that does not recur."""
    if master.properties is None or not master.properties.get("Recurrence") or "Start" not in master.properties:
        raise EwsError("ErrorCalendarCannotUseIdForRecurringMasterId")
    return Dates(master.properties)


def occurrence(master: Item, one: Date) -> Occurrence:
    """A date, as an item."""
    values = {name: getattr(master, name) for name in _FIELDS}
    properties = date_properties(master.properties or {}, one)
    exception = one.changed is not None
    properties["@exception"] = exception
    values |= {
        "item_class": "IPM.Appointment.Exception" if exception else "IPM.Appointment.Occurrence",
        "properties": properties,
        "change": _version(master, one),
    }
    return Occurrence(**values, start=one.key)


def _version(master: Item, one: Date) -> int:
    properties = master.properties or {}
    own = (one.changed or {}).get(CHANGED_AT)
    return int(own or properties.get(PATTERN_CHANGE) or master.change)


def occurrence_id(master: Item, one: Date) -> Value:
    """An ItemIdType: the same as `view.item_id` makes of the date as an item."""
    text = write_id(Id(Kind.OCCURRENCE, mailbox_number(master.account), master.uid, one.key))
    return {"@Id": text, "@ChangeKey": change_key(Kind.ITEM, _version(master, one))}


# -- found


def find(call: Call, name: str, value: Value) -> Item:
    """By an ItemId of a date, an OccurrenceItemId, a RecurringMasterItemId or RecurringMasterItemIdRanges. Raises EwsError."""
    if name == "OccurrenceItemId":
        master = _master(call, value.get("@RecurringMasterId", ""))
        return occurrence(master, dates_of(master).by_index(int(value["@InstanceIndex"])))
    if name == "RecurringMasterItemId":
        parsed = parse_id(value.get("@OccurrenceId", ""))
        if parsed.kind is not Kind.OCCURRENCE:
            raise EwsError("ErrorCalendarCannotUseIdForOccurrenceId")
        return _item(call, parsed)
    if name == "RecurringMasterItemIdRanges":
        return _master(call, value.get("@Id", ""))
    parsed = parse_id(value.get("@Id", ""))
    master = _item(call, parsed)
    return occurrence(master, dates_of(master).by_key(parsed.part))


def _master(call: Call, text: str) -> Item:
    parsed = parse_id(text)
    if parsed.kind is not Kind.ITEM:
        raise EwsError("ErrorCalendarCannotUseIdForRecurringMasterId")
    master = _item(call, parsed)
    dates_of(master)
    return master


def _item(call: Call, parsed: Id) -> Item:
    from postroom_simulator.ews.items.finding import find_item

    whole = dataclasses.replace(parsed, kind=Kind.ITEM, part=0)
    return find_item(call, {"@Id": write_id(whole)})


def in_ranges(call: Call, value: Value) -> list[Item]:
    """The dates that RecurringMasterItemIdRanges name, by start. Raises EwsError."""
    master = _master(call, value.get("@Id", ""))
    dates = dates_of(master)
    found: dict[int, Date] = {}
    for one in (value.get("Ranges") or {}).get("Range", ()):
        for date in _in_range(dates, one):
            found[date.key] = date
            if len(found) >= RANGE_LIMIT:
                break
    return [occurrence(master, date) for date in sorted(found.values(), key=lambda date: (date.start, date.original))]


def _in_range(dates: Dates, one: Value) -> Iterator[Date]:
    most = one.get("@Count") or RANGE_LIMIT
    begin = _aware(one.get("@Start")) or datetime(1601, 1, 2, tzinfo=UTC)
    end = _aware(one.get("@End")) or datetime(4500, 1, 1, tzinfo=UTC)
    by_original = bool(one.get("@CompareOriginalStartTime"))
    given = 0
    for date in dates.between(begin, end) if not dates.series.endless or "@End" in one else _some(dates, begin, most):
        at = date.original if by_original else date.start
        if begin <= at <= end:
            yield date
            given += 1
            if given >= most:
                return


def _some(dates: Dates, begin: datetime, most: int) -> Iterable[Date]:
    """The first dates from a moment on, of a series without end."""
    day = dates.zone.local(max(begin, dates.plain(dates.series.start).start)).date()
    found: list[Date] = []
    at = dates.series.after(day.fromordinal(max(1, day.toordinal() - 1)))
    while at is not None and len(found) < min(most, RANGE_LIMIT) + len(dates.deleted):
        plain = dates.plain(at)
        if plain.key not in dates.deleted:
            found.append(dates.by_key(plain.key))
        at = dates.series.after(at)
    return found


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


# -- written


def keep(call: Call, one: Occurrence, properties: Value) -> Occurrence:
    """Make a date an exception with these properties. Raises EwsError."""
    master = call.store.item(one.uid)
    dates = dates_of(master)
    day = dates.day_of(one.start)
    if day is None or master.properties is None:
        raise EwsError("ErrorItemNotFound")
    plain = date_properties(master.properties, dates.plain(day))
    own = {
        name: value
        for name, value in properties.items()
        if name not in _NOT_OWN and value is not None and plain.get(name) != value
    }
    own |= {"Start": properties["Start"], "End": properties["End"], CHANGED_AT: master.change + 1}
    removed = sorted(name for name in plain if name not in properties and name[0] != "@" and name not in _NOT_OWN)
    if removed:
        own["@removed"] = tuple(removed)
    whole = dict(master.properties)
    whole[EXCEPTIONS] = dict(whole.get(EXCEPTIONS) or {}) | {one.start: own}
    whole.setdefault(PATTERN_CHANGE, master.change)
    saved = call.store.set_properties(master.uid, whole)
    return occurrence(saved, dates_of(saved).by_key(one.start))


_NOT_OWN = frozenset({"OriginalStart", "RecurrenceId", "@exception", "IsRead", "ItemClass", "LastModifiedName"})


def drop(call: Call, one: Occurrence, request: Value) -> None:
    """Delete a date; its attendees are told where the request says so."""
    organizing.withdraw(call, one, request.get("@SendMeetingCancellations", "SendToNone"))
    master = call.store.item(one.uid)
    whole = dict(master.properties or {})
    whole[EXCEPTIONS] = {key: value for key, value in (whole.get(EXCEPTIONS) or {}).items() if key != one.start}
    whole[DELETED] = sorted({*(whole.get(DELETED) or ()), one.start})
    whole.setdefault(PATTERN_CHANGE, master.change)
    call.store.set_properties(master.uid, whole)
