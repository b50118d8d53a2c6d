"""Calendars made without a client: from a seed, from files, from Python; and who was told what."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from calendar_scene import ANN, BOB, Calendars, calendars

from postroom_simulator import World
from postroom_simulator.errors import ImportProblem
from postroom_simulator.ews.calendar.adding import Told, add_appointment, add_task, answer_meeting, assert_told, told
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.imports import import_into
from postroom_simulator.populate import populate
from postroom_simulator.populate_calendars import populate_calendar
from postroom_simulator.store.interface import Role

__all__ = ["calendars"]

START = datetime(2027, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_meetings_from_python_and_who_was_told(calendars: Calendars) -> None:
    world = calendars.world
    item = add_appointment(world, ANN, "plan", START, START + HOUR, attendees=[BOB, "x@out.test"])
    uid = (item.properties or {})["UID"]
    answer_meeting(world, BOB, uid, "Decline", text="no")
    assert told(world) == [
        Told(ANN, "REPLY", "plan", uid, answer="Decline"),
        Told(BOB, "REQUEST", "plan", uid),
        Told("x@out.test", "REQUEST", "plan", uid),
    ]
    assert told(world, "X@out.test") == [Told("x@out.test", "REQUEST", "plan", uid)]
    assert calendars.get(calendars.listed()[0])["RequiredAttendees"]["Attendee"][0]["ResponseType"] == "Decline"
    with pytest.raises(EwsError):
        answer_meeting(world, BOB, uid, "Accept")


def test_what_was_told_is_asserted(calendars: Calendars) -> None:
    add_appointment(calendars.world, ANN, "plan", START, START + HOUR, attendees=[BOB])
    assert len(assert_told(calendars.world, BOB, "REQUEST", subject="plan", times=1)) == 1
    assert_told(calendars.world, BOB, "CANCEL", times=0)
    with pytest.raises(AssertionError, match="REQUEST 'plan' sequence=0"):
        assert_told(calendars.world, BOB, "CANCEL")


def test_tasks_from_python(calendars: Calendars) -> None:
    add_task(calendars.world, ANN, "do", PercentComplete=100.0)
    assert calendars.get(calendars.listed("tasks")[0])["IsComplete"] is True


def state(seed: int) -> list[object]:
    with World(seed=1) as world:
        populate(world, people=3, messages=0, seed=seed)
        made = populate_calendar(world, seed=seed)
        assert (len(made.appointments), len(made.series), len(made.meetings), len(made.tasks)) == (15, 3, 6, 9)
        accounts = world.directory.accounts()
        items = [item for one in accounts for item in world.store.items(world.store.folder(one.address, Role.CALENDAR).uid)]
        replies = [(one.recipient, one.method, one.answer, one.subject) for one in told(world)]
        return [
            (item.account, (item.properties or {})["Subject"], (item.properties or {})["Start"]) for item in items
        ] + replies


def test_equal_seeds_make_equal_calendars() -> None:
    first = state(5)
    assert first == state(5)
    assert first != state(6)


def test_numbers_that_make_no_sense() -> None:
    with World() as world, pytest.raises(ValueError, match="from 0 on"):
        populate_calendar(world, tasks=-1)


EVENT = (
    "BEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:{uid}\r\nDTSTART:20270301T080000Z\r\nDTEND:20270301T090000Z\r\n{more}END:VEVENT\r\n"
)


def ics(*events: str) -> bytes:
    return ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + "".join(events) + "END:VCALENDAR\r\n").encode()


@pytest.mark.parametrize("packed", [False, True])
def test_files_are_imported(calendars: Calendars, tmp_path: Path, packed: bool) -> None:
    octets = ics(EVENT.format(uid="one", more=""), EVENT.format(uid="two", more="RRULE:FREQ=DAILY;COUNT=3\r\n"))
    path = tmp_path / ("plan.ics.gz" if packed else "plan.ics")
    path.write_bytes(gzip.compress(octets) if packed else octets)
    for _ in range(2):  # the second time everything is there already
        import_into(calendars.world, ANN, path)
    assert len(calendars.listed()) == 2
    assert [one["Subject"] for one in calendars.view("2027-03-01T00:00:00Z", "2027-03-10T00:00:00Z")] == [
        "one",
        "two",
        "two",
        "two",
    ]


def test_events_that_cannot_be_read_are_told(calendars: Calendars, tmp_path: Path) -> None:
    path = tmp_path / "plan.ics"
    path.write_bytes(ics(EVENT.format(uid="bad", more="RRULE:FREQ=HOURLY\r\n"), EVENT.format(uid="good", more="")))
    with pytest.raises(ImportProblem, match="bad"):
        import_into(calendars.world, ANN, path)
    assert len(calendars.listed()) == 1
    problems: list[ImportProblem] = []
    import_into(calendars.world, ANN, path, complain=problems.append)
    assert len(problems) == 1


@pytest.mark.parametrize("octets", [b"", b"nothing", ics()])
def test_files_that_are_no_calendars(calendars: Calendars, tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "plan.ics"
    path.write_bytes(octets)
    with pytest.raises(ImportProblem):
        import_into(calendars.world, ANN, path)
