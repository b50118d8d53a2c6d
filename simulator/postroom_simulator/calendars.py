"""Appointments from .ics files: any number of events in a file, gzip'd or not; single dates of a series become its exceptions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from postroom_simulator.errors import ImportProblem
from postroom_simulator.store.interface import Item, Role

if TYPE_CHECKING:
    from postroom_simulator.world import World

__all__ = ["import_calendar", "is_calendar_file"]

_NAMED = 10
"""Problems that one error names."""


def is_calendar_file(path: str | os.PathLike[str]) -> bool:
    return Path(path).name.lower().endswith((".ics", ".ics.gz", ".ical", ".icalendar"))


def import_calendar(
    world: World,
    address: str,
    path: str | os.PathLike[str],
    *,
    folder: Role | int = Role.CALENDAR,
    complain: Callable[[ImportProblem], None] | None = None,
) -> list[Item]:
    """Put every event of a file into an account's calendar, in order, nobody told of any; times without a zone are UTC. An event that the calendar has
    already (by its UID) is replaced. Raises ImportProblem: for a file that is no calendar, and, unless there is somebody to `complain` to, for single
    events that cannot be read when all others are in; UnknownAccount, QuotaExceeded."""
    from postroom_simulator.ews.calendar.ical_read import merged, read_calendar
    from postroom_simulator.ews.errors import EwsError
    from postroom_simulator.imports import MESSAGE_LIMIT, file_octets

    where = Path(path)
    account = world.directory.account(address)
    problems: list[ImportProblem] = []

    def tell(text: str) -> None:
        problem = ImportProblem(f"{where}: {text}")
        problems.append(problem)
        if complain is not None:
            complain(problem)

    try:
        events = merged(read_calendar(file_octets(where, MESSAGE_LIMIT), skip=tell).events)
    except EwsError as wrong:
        raise ImportProblem(f"{where}: {wrong.text}") from None
    if not events and not problems:
        raise ImportProblem(f"{where}: there is no event in the file")
    items = []
    with world.lock:
        target = world.store.folder_by_uid(folder) if isinstance(folder, int) else world.store.folder(account.address, folder)
        known = {item.properties.get("UID"): item.uid for item in world.store.items(target.uid) if item.properties is not None}
        for event in events:
            if event.uid in known:
                world.store.delete([known.pop(event.uid)])
            items.append(world.store.create(target.uid, "IPM.Appointment", _kept(event.properties)))
    if problems and complain is None:
        raise ImportProblem("; ".join(map(str, problems[:_NAMED])))
    return items


def _kept(properties: dict[str, object]) -> dict[str, object]:
    """With what every appointment has."""
    return {"LegacyFreeBusyStatus": "Busy", "ReminderMinutesBeforeStart": "15"} | properties
