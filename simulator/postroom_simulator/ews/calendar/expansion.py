"""What is in a calendar between two moments: series as their dates (ews reference 9, CalendarView)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from postroom_simulator.ews.calendar.dates import dates_of, occurrence
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from postroom_simulator.store.interface import Folder, MailStore

__all__ = ["overlapping"]

_HIDDEN = "associated"


def overlapping(store: MailStore, folder: Folder, start: datetime, end: datetime) -> list[Item]:
    """Single appointments, and the dates of series, that overlap a window, by start and then in order of arrival: an item that ends just at `start` does, one
    that begins at `end` does not."""
    found: list[tuple[datetime, int, Item]] = []
    for item in store.items(folder.uid):
        properties = item.properties
        if properties is None or _HIDDEN in item.flags or "Start" not in properties:
            continue
        if properties.get("Recurrence"):
            dates = dates_of(item)
            found += [(one.start, item.uid, occurrence(item, one)) for one in dates.between(start, end)]
        elif properties["Start"] < end and properties.get("End", properties["Start"]) >= start:
            found.append((properties["Start"], item.uid, item))
    found.sort(key=lambda row: row[:2])
    return [item for _, _, item in found]
