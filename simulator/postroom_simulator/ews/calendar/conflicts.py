"""What else is in the calendar at the time of a meeting, or just before and after (MS-OXWSMTGS 2.2.4.5: ConflictingMeetings, AdjacentMeetings)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from postroom_simulator.ews.calendar.expansion import overlapping
from postroom_simulator.ews.calendar.occurrences import zone_of
from postroom_simulator.ews.calendar.zone_values import meeting_zone
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.ews.call import Call

__all__ = ["LATE"]

Value = dict[str, Any]
_SHOWN = ("Subject", "Start", "End", "LegacyFreeBusyStatus", "Location")
_LIMIT = 50
"""Meetings that are listed (our choice)."""


def _others(call: Call, item: Item, value: Value, *, adjacent: bool) -> list[Item]:
    """Those of the same mailbox's calendar that are not free time: which overlap, or which touch."""
    if value.get("Recurrence") or "Start" not in value or "End" not in value:
        return []
    start, end = value["Start"], value["End"]
    folder = call.store.folder(item.account, Role.CALENDAR)
    second = timedelta(seconds=1)
    found = []
    for one in overlapping(call.store, folder, start - second, end + second):
        properties = one.properties or {}
        if properties.get("UID") == value.get("UID") or properties.get("LegacyFreeBusyStatus") == "Free":
            continue
        overlaps = properties["Start"] < end and properties["End"] > start
        touches = not overlaps and (properties["End"] == start or properties["Start"] == end)
        if touches if adjacent else overlaps:
            found.append(one)
    return found


def _count(adjacent: bool) -> Callable[[Call, Item, Value, Any], int | None]:
    def count(call: Call, item: Item, value: Value, shape: Any) -> int | None:
        return None if shape.light else len(_others(call, item, value, adjacent=adjacent))

    return count


def _list(adjacent: bool) -> Callable[[Call, Item, Value, Any], list[tuple[str, Value]] | None]:
    def listed(call: Call, item: Item, value: Value, shape: Any) -> list[tuple[str, Value]] | None:
        from postroom_simulator.ews.items.view import item_id

        if shape.light:
            return None
        found = _others(call, item, value, adjacent=adjacent)[:_LIMIT]
        rows: list[tuple[str, Value]] = []
        for one in found:
            properties = one.properties or {}
            rows.append(
                ("CalendarItem", {"ItemId": item_id(one)} | {name: properties[name] for name in _SHOWN if name in properties})
            )
        return rows or None

    return listed


def _meeting_time_zone(call: Call, _: Item, value: Value, __: Any) -> Value | None:
    """Of 2007: later versions have StartTimeZone, and this only where a client set it (ews reference 11)."""
    if call.version >= Version.EXCHANGE_2010 or "Start" not in value:
        given: Value | None = value.get("MeetingTimeZone")
        return given
    return meeting_zone(zone_of(value), value["Start"].year)


LATE: Mapping[str, Callable[[Call, Item, Value, Any], Any]] = MappingProxyType(
    {
        "MeetingTimeZone": _meeting_time_zone,
        "ConflictingMeetingCount": _count(False),
        "AdjacentMeetingCount": _count(True),
        "ConflictingMeetings": _list(False),
        "AdjacentMeetings": _list(True),
    }
)
"""Elements of an appointment or an invitation that depend on the rest of the calendar (never in FindItem), or on the version that is answered."""
