"""The recurrence as MAPI has it, read by a parser of its own (ews reference 7: Appointment 0x8216; MS-OXOCAL 2.2.1.44); and meetings found by UID (11)."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from calendar_scene import BOB, Calendars, at, calendars, change, daily, numbered, recurrence, weekly

from postroom_simulator.ews.calendar.recurrence_blob import recurrence_blob
from postroom_simulator.store.interface import Role

__all__ = ["calendars"]

BLOB = '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="33302" PropertyType="Binary"/>'
BERLIN = {"@Id": "W. Europe Standard Time"}


class Blob:
    """Reads the structure field by field; everything has to be used up."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        versions = self.take("HH")
        assert versions == (0x3004, 0x3004)
        self.frequency, self.kind, calendar = self.take("HHH")
        assert calendar == 0
        self.first, self.period, sliding = self.take("III")
        assert sliding == 0
        count = {0: 0, 1: 1, 2: 1, 3: 2}[self.kind]
        self.specific = self.take("I" * count)
        self.ends, self.count, self.first_day = self.take("III")
        self.deleted = [self.day(one) for one in self.take("I" * self.take("I")[0])]
        self.modified = [self.day(one) for one in self.take("I" * self.take("I")[0])]
        self.start, self.end = self.take("II")
        assert self.take("II") == (0x3006, 0x3009)
        self.at, self.until, exceptions = self.take("IIH")
        self.exceptions = [self._exception() for _ in range(exceptions)]
        assert self.take("I") == (0,)
        for one in self.exceptions:
            self._extended(one)
        assert self.take("I") == (0,)
        assert self._octets == b""

    def take(self, layout: str) -> Any:
        size = struct.calcsize("<" + layout)
        head, self._octets = self._octets[:size], self._octets[size:]
        return struct.unpack("<" + layout, head)

    @staticmethod
    def moment(minutes: int) -> datetime:
        return datetime(1601, 1, 1) + timedelta(minutes=minutes)  # noqa: DTZ001 - local time

    def day(self, minutes: int) -> date:
        found = self.moment(minutes)
        assert (found.hour, found.minute) == (0, 0)
        return found.date()

    def _exception(self) -> dict[str, Any]:
        start, end, original, flags = self.take("IIIH")
        one: dict[str, Any] = {"start": self.moment(start), "end": self.moment(end), "original": self.moment(original)}
        for bit, name, text in (
            (1, "subject", True),
            (4, "delta", False),
            (8, "reminder", False),
            (0x10, "location", True),
            (0x20, "status", False),
            (0x40, "attached", False),
            (0x80, "whole", False),
        ):
            if flags & bit:
                one[name] = self._short() if text else self.take("I")[0]
        one["body"] = bool(flags & 0x200)
        return one

    def _short(self) -> str:
        larger, size = self.take("HH")
        assert larger == size + 1
        return bytes(self.take(f"{size}s")[0]).decode("cp1252")

    def _extended(self, one: dict[str, Any]) -> None:
        assert self.take("III") == (4, 0, 0)
        texts = [name for name in ("subject", "location") if name in one]
        if texts:
            assert [self.moment(number) for number in self.take("III")] == [one["start"], one["end"], one["original"]]
            for name in texts:
                (size,) = self.take("H")
                one[f"wide {name}"] = bytes(self.take(f"{2 * size}s")[0]).decode("utf-16-le")
            assert self.take("I") == (0,)


def blob_of(scene: Calendars, item: dict[str, Any]) -> Blob:
    found = scene.get(item, BLOB, "IdOnly")["ExtendedProperty"][0]["Value"]
    return Blob(base64.b64decode(found) if isinstance(found, str) else found)


def test_a_plain_series(calendars: Calendars) -> None:
    blob = blob_of(calendars, calendars.series(daily(2), numbered(5)))
    assert (blob.frequency, blob.kind, blob.period) == (0x200A, 0, 2880)
    assert (blob.ends, blob.count) == (0x2022, 5)
    assert (blob.day(blob.start), blob.day(blob.end)) == (date(2027, 3, 1), date(2027, 3, 9))
    assert (blob.at, blob.until) == (540, 600)
    assert blob.first == blob.start % 2880
    assert (blob.deleted, blob.modified, blob.exceptions) == ([], [], [])


def test_exceptions_and_deleted_dates(calendars: Calendars) -> None:
    """Deleted dates are told with the originals of the changed ones, in order; exceptions say what they have of their own."""
    item = calendars.series(daily(), numbered(6))
    changes = (
        change("calendar:Start", "<t:Start>2027-03-03T10:00:00Z</t:Start>")
        + change("calendar:End", "<t:End>2027-03-03T10:30:00Z</t:End>")
        + change("item:Subject", "<t:Subject>žluťoučký</t:Subject>")
        + change("calendar:Location", "<t:Location>there</t:Location>")
        + change("calendar:LegacyFreeBusyStatus", "<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus>")
        + change("item:ReminderIsSet", "<t:ReminderIsSet>false</t:ReminderIsSet>")
        + change("item:ReminderMinutesBeforeStart", "<t:ReminderMinutesBeforeStart>5</t:ReminderMinutesBeforeStart>")
        + change("item:Body", '<t:Body BodyType="Text">other</t:Body>')
    )
    calendars.updated(at(item, 3), changes)
    calendars.updated(at(item, 2), change("calendar:Start", "<t:Start>2027-03-02T07:00:00Z</t:Start>"))
    calendars.delete(at(item, 5))
    blob = blob_of(calendars, item)
    assert blob.deleted == [date(2027, 3, 2), date(2027, 3, 3), date(2027, 3, 5)]
    assert blob.modified == [date(2027, 3, 2), date(2027, 3, 3)]
    plain, rich = blob.exceptions
    assert (plain["start"].hour, plain["original"].hour, "subject" in plain, plain["body"]) == (8, 9, False, False)
    assert rich["start"] == datetime(2027, 3, 3, 11)  # noqa: DTZ001 - local time
    assert rich["original"] == datetime(2027, 3, 3, 9)  # noqa: DTZ001 - local time
    assert (rich["wide subject"], rich["location"], rich["wide location"]) == ("žluťoučký", "there", "there")
    assert (rich["status"], rich["reminder"], rich["delta"], rich["body"]) == (3, 0, 5, True)


@pytest.mark.parametrize(
    ("pattern", "frequency", "kind", "specific"),
    [
        (weekly("Monday Friday", 2), 0x200B, 1, (0x22,)),
        (
            "<t:AbsoluteMonthlyRecurrence><t:Interval>3</t:Interval><t:DayOfMonth>1</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>",
            0x200C,
            2,
            (1,),
        ),
        (
            (
                "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek>"
                "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>"
            ),
            0x200C,
            3,
            (2, 5),
        ),
        (
            "<t:AbsoluteYearlyRecurrence><t:DayOfMonth>1</t:DayOfMonth><t:Month>March</t:Month></t:AbsoluteYearlyRecurrence>",
            0x200D,
            2,
            (1,),
        ),
    ],
)
def test_patterns(calendars: Calendars, pattern: str, frequency: int, kind: int, specific: tuple[int, ...]) -> None:
    until = "<t:EndDateRecurrence><t:StartDate>2027-03-01</t:StartDate><t:EndDate>2029-03-31</t:EndDate></t:EndDateRecurrence>"
    item = calendars.appointment(recurrence(pattern, until))
    blob = blob_of(calendars, item)
    assert (blob.frequency, blob.kind, blob.specific, blob.ends) == (frequency, kind, specific, 0x2021)
    shown = calendars.view("2027-01-01T00:00:00Z", "2028-12-31T00:00:00Z")
    assert blob.count >= len(shown)
    begun = blob.moment(blob.first)
    if kind == 1:
        assert (begun.weekday(), blob.first < 2 * 7 * 1440) == (6, True)
    else:
        assert (begun.day, blob.first < blob.period * 31 * 1440) == (1, True)


def test_a_series_without_end(calendars: Calendars) -> None:
    item = calendars.appointment(recurrence(daily()))
    blob = blob_of(calendars, item)
    assert (blob.ends, blob.count, blob.end) == (0x2023, 10, 0x5AE980DF)


def test_what_does_not_recur_has_none() -> None:
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)
    assert recurrence_blob({"Start": start, "End": start, "StartTimeZone": BERLIN}) is None


# -- by UID


def test_a_meeting_is_found_without_a_walk_through_the_calendar(calendars: Calendars, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 11: notices find their meeting by its UID, however full the calendar is."""
    store, index = calendars.world.store, calendars.world.ews.meetings
    folder = store.folder(BOB, Role.CALENDAR)
    start = datetime(2027, 3, 1, 8, tzinfo=UTC)

    def add(uid: str) -> int:
        return store.create(folder.uid, "IPM.Appointment", {"UID": uid, "Start": start, "End": start}).uid

    known = [add(f"uid-{number}") for number in range(50)]
    assert index.find(folder.uid, "uid-7") is not None  # it is read once

    def walk(*_: Any) -> Any:
        raise AssertionError("the whole calendar was walked through")

    monkeypatch.setattr(store, "items", walk)
    late = add("late")
    found = index.find(folder.uid, "late")
    assert found is not None
    assert found.uid == late
    twin = add("uid-3")
    first = index.find(folder.uid, "uid-3")
    assert first is not None
    assert first.uid == known[3] != twin
    store.delete([known[3]])
    second = index.find(folder.uid, "uid-3")
    assert second is not None
    assert second.uid == twin
    moved = store.move(late, store.folder(BOB, Role.DELETED).uid)
    assert index.find(folder.uid, "late") is None
    store.move(moved.uid, folder.uid)
    assert index.find(folder.uid, "late") is not None
    renamed = index.find(folder.uid, "uid-9")
    assert renamed is not None
    store.set_properties(renamed.uid, {"UID": "other", "Start": start, "End": start})
    assert index.find(folder.uid, "uid-9") is None
    assert index.find(folder.uid, "other") is not None
