"""Calendars and tasks made up from a seed: appointments, series and meetings among colleagues who answer, or do not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from postroom_simulator.directory import Account
from postroom_simulator.store.interface import Item

if TYPE_CHECKING:
    from faker import Faker

    from postroom_simulator.world import World

__all__ = ["CalendarPopulation", "populate_calendar"]

ANSWERS = ("Accept", "Accept", "Accept", "Tentative", "Decline", "")
"""How colleagues answer; "" is not at all (our choice)."""
_LENGTHS = (30, 30, 60, 60, 90)
_WORDS = ("Review", "Planning", "Interview", "Lunch", "Call", "Workshop", "Retrospective", "Demo")


@dataclass(frozen=True, slots=True)
class CalendarPopulation:
    """What was made, in order: items of the organizers and owners."""

    appointments: tuple[Item, ...]
    series: tuple[Item, ...]
    meetings: tuple[Item, ...]
    tasks: tuple[Item, ...]


def populate_calendar(
    world: World,
    accounts: Sequence[Account] | None = None,
    *,
    appointments: int = 5,
    series: int = 1,
    meetings: int = 2,
    tasks: int = 3,
    seed: int | None = None,
    days: int = 30,
    zone: str = "W. Europe Standard Time",
) -> CalendarPopulation:
    """Give each account (default: all) so many appointments, series, meetings that it organizes, and tasks, within `days` before and after now, in
    working hours of `zone`. Meetings are sent as mail, and colleagues answer. `seed` None: the world's; equal seeds and an equal version of Faker give
    equal calendars. Raises ValueError for numbers below 0, EwsError for a zone that nobody knows."""
    if min(appointments, series, meetings, tasks, days) < 0:
        raise ValueError("populate_calendar needs numbers from 0 on")
    chosen = list(world.directory.accounts() if accounts is None else accounts)
    author = _Author(world, world.ids.seed if seed is None else seed, days, zone)
    made: dict[str, list[Item]] = {"appointments": [], "series": [], "meetings": [], "tasks": []}
    for account in chosen:
        made["appointments"] += [author.appointment(account) for _ in range(appointments)]
        made["series"] += [author.series(account) for _ in range(series)]
        made["tasks"] += [author.task(account) for _ in range(tasks)]
    for account in chosen:
        others = [one for one in chosen if one is not account]
        if others:
            made["meetings"] += [author.meeting(account, others) for _ in range(meetings)]
    return CalendarPopulation(*(tuple(made[name]) for name in ("appointments", "series", "meetings", "tasks")))


class _Author:
    """Owns all chance."""

    def __init__(self, world: World, seed: int, days: int, zone: str) -> None:
        from faker import Faker  # heavy: half a second that most tests need not pay

        self._world = world
        self._chance = random.Random(seed)
        self._faker: Faker = Faker("en_US")
        self._faker.seed_instance(seed)
        self._days = days
        self._zone = zone

    def _day(self) -> date:
        return self._world.clock.now().date() + timedelta(days=self._chance.randint(-self._days, self._days))

    def _times(self) -> tuple[datetime, datetime]:
        """Naive, in the zone."""
        start = datetime.combine(self._day(), time(self._chance.randint(8, 16), self._chance.choice((0, 30))))
        return start, start + timedelta(minutes=self._chance.choice(_LENGTHS))

    def _subject(self) -> str:
        return f"{self._chance.choice(_WORDS)}: {self._faker.bs()}"

    def _more(self) -> dict[str, Any]:
        """Not everything has everything."""
        more: dict[str, Any] = {"Body": {"@BodyType": "Text", "": self._faker.paragraph()}}
        if self._chance.random() < 0.6:
            more["Location"] = self._faker.street_name()
        if self._chance.random() < 0.3:
            more["Categories"] = {"String": [self._faker.color_name()]}
        return more

    def _add(self, account: Account, **more: Any) -> Item:
        from postroom_simulator.ews.calendar.adding import add_appointment

        start, end = self._times()
        return add_appointment(
            self._world, account.address, self._subject(), start, end, zone=self._zone, **self._more(), **more
        )

    def appointment(self, account: Account) -> Item:
        if self._chance.random() < 0.1:
            return self._add(account, IsAllDayEvent=True, LegacyFreeBusyStatus="Free")
        return self._add(account)

    def series(self, account: Account) -> Item:
        """Weekly mostly; some end."""
        day = self._day()
        kind, value = self._chance.choice(
            (
                ("WeeklyRecurrence", {"Interval": 1, "DaysOfWeek": day.strftime("%A"), "FirstDayOfWeek": "Monday"}),
                ("WeeklyRecurrence", {"Interval": 2, "DaysOfWeek": day.strftime("%A"), "FirstDayOfWeek": "Monday"}),
                ("AbsoluteMonthlyRecurrence", {"Interval": 1, "DayOfMonth": day.day}),
                ("RelativeMonthlyRecurrence", {"Interval": 1, "DaysOfWeek": "Weekday", "DayOfWeekIndex": "Last"}),
            )
        )
        bounds: dict[str, Any] = {"NoEndRecurrence": {"StartDate": day}}
        if self._chance.random() < 0.6:
            bounds = {"NumberedRecurrence": {"StartDate": day, "NumberOfOccurrences": self._chance.randint(3, 20)}}
        return self._add(account, Recurrence={kind: value, **bounds})

    def meeting(self, account: Account, others: Sequence[Account]) -> Item:
        from postroom_simulator.ews.calendar.adding import answer_meeting

        people = self._chance.sample(list(others), min(len(others), self._chance.choice((1, 2, 3))))
        item = self._add(account, attendees=[one.address for one in people])
        for one in people:
            answer = self._chance.choice(ANSWERS)
            if answer and not one.disabled:
                answer_meeting(self._world, one.address, str((item.properties or {})["UID"]), answer)
        return item

    def task(self, account: Account) -> Item:
        from postroom_simulator.ews.calendar.adding import add_task

        more: dict[str, Any] = {"DueDate": datetime.combine(self._day(), time())}
        percent = self._chance.choice((0.0, 0.0, 25.0, 50.0, 100.0))
        if percent:
            more["PercentComplete"] = percent
        return add_task(self._world, account.address, self._faker.sentence(4).rstrip("."), **more)
