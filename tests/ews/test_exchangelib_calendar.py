"""exchangelib and calendars: events, series with exceptions, views, meetings between two mailboxes; tasks."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from exchange_times import at
from exchangelib import AcceptItem, Attendee, CalendarItem, EWSDate, EWSTimeZone, Mailbox, Message, Task
from exchangelib.errors import (
    ErrorCalendarEndDateIsEarlierThanStartDate,
    ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange,
    ErrorCalendarOccurrenceIsDeletedFromRecurrence,
    ErrorItemNotFound,
)
from exchangelib.fields import FRIDAY, MONDAY, WEDNESDAY, WEEK_DAY
from exchangelib.items import (
    SAVE_ONLY,
    SEND_ONLY_TO_ALL,
    SEND_TO_ALL_AND_SAVE_COPY,
    SPECIFIED_OCCURRENCE_ONLY,
    MeetingCancellation,
    MeetingRequest,
    MeetingResponse,
)
from exchangelib.properties import ReferenceItemId
from exchangelib.recurrence import (
    AbsoluteMonthlyPattern,
    AbsoluteYearlyPattern,
    DailyPattern,
    DailyRegeneration,
    EndDatePattern,
    NoEndPattern,
    NumberedPattern,
    Recurrence,
    RelativeMonthlyPattern,
    RelativeYearlyPattern,
    TaskRecurrence,
    WeeklyPattern,
)
from exchangelib_scene import ANN, BOB

COPENHAGEN = EWSTimeZone("Europe/Copenhagen")


def day(value):
    """exchangelib reads the dates of a calendar item's recurrence as midnights."""
    return EWSDate(value.year, value.month, value.day) if value is not None else None


def event(ann, subject="plan", start=None, hours=1, **given):
    start = start or at(2027, 3, 1, 9, zone="Europe/Copenhagen")
    return CalendarItem(
        account=ann, folder=ann.calendar, subject=subject, start=start, end=start + datetime.timedelta(hours=hours), **given
    )


def series(ann, pattern, boundary=None, **given):
    start = given.pop("start", at(2027, 3, 1, 9, zone="Europe/Copenhagen"))
    first = EWSDate(start.year, start.month, start.day)
    recurrence = Recurrence(pattern=pattern, boundary=boundary or NumberedPattern(start=first, number=5))
    return event(ann, start=start, recurrence=recurrence, **given).save()


def test_an_event(exchange):
    ann = exchange.account()
    event(
        ann,
        location="here",
        body="agenda",
        legacy_free_busy_status="OOF",
        categories=["red"],
        sensitivity="Private",
        reminder_is_set=True,
        reminder_minutes_before_start=30,
    ).save()
    item = ann.calendar.get(subject="plan")
    assert (item.start, item.end) == (at(2027, 3, 1, 8), at(2027, 3, 1, 9))
    assert item._start_timezone == COPENHAGEN
    assert (item.location, str(item.body).strip(), item.legacy_free_busy_status, item.type) == (
        "here",
        "agenda",
        "OOF",
        "Single",
    )
    assert (item.reminder_is_set, item.reminder_minutes_before_start, item.categories) == (True, 30, ["red"])
    assert item.uid
    assert item.organizer.email_address == ANN
    assert not item.is_meeting
    item.start, item.end, item.location = at(2027, 3, 2, 8), at(2027, 3, 2, 10), None
    item.save()
    item.refresh()
    assert (item.start, item.end, item.location) == (at(2027, 3, 2, 8), at(2027, 3, 2, 10), None)
    item.delete()
    assert ann.calendar.all().count() == 0


def test_its_mime_content_is_a_calendar(exchange):
    ann = exchange.account()
    event(ann, location="here").save()
    text = ann.calendar.get(subject="plan").mime_content
    assert text.startswith(b"BEGIN:VCALENDAR")
    assert b"BEGIN:VTIMEZONE" in text
    assert b"SUMMARY:plan" in text
    assert b"LOCATION:here" in text


def test_all_day(exchange):
    ann = exchange.account()
    CalendarItem(
        account=ann, folder=ann.calendar, subject="fair", start=EWSDate(2027, 3, 3), end=EWSDate(2027, 3, 4), is_all_day=True
    ).save()
    item = ann.calendar.get(subject="fair")
    assert (item.is_all_day, item.start, item.end) == (True, EWSDate(2027, 3, 3), EWSDate(2027, 3, 4))


def test_the_end_is_behind_the_start(exchange):
    ann = exchange.account()
    with pytest.raises((ErrorCalendarEndDateIsEarlierThanStartDate, ValueError)):
        event(ann, hours=-1).save()


PATTERNS = {
    "daily": (DailyPattern(interval=2), [1, 3, 5, 7, 9]),
    "weekly": (WeeklyPattern(interval=1, weekdays=[MONDAY, WEDNESDAY], first_day_of_week=MONDAY), [1, 3, 8, 10, 15]),
    "absolute monthly": (AbsoluteMonthlyPattern(interval=1, day_of_month=1), [1, 32, 62, 93, 123]),
    "relative monthly": (RelativeMonthlyPattern(interval=1, weekday=MONDAY, week_number=1), [1, 36, 64, 99, 127]),
    "absolute yearly": (AbsoluteYearlyPattern(day_of_month=1, month=3), None),
    "relative yearly": (RelativeYearlyPattern(weekday=MONDAY, week_number=1, month=3), None),
    "weekdays": (RelativeMonthlyPattern(interval=1, weekday=WEEK_DAY, week_number=1), None),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns(exchange, name):
    pattern, days = PATTERNS[name]
    ann = exchange.account()
    series(ann, pattern)
    master = ann.calendar.get(subject="plan")
    assert master.recurrence.pattern == pattern
    assert (day(master.recurrence.boundary.start), master.recurrence.boundary.number) == (EWSDate(2027, 3, 1), 5)
    assert master.type == "RecurringMaster"
    assert master.first_occurrence.start == at(2027, 3, 1, 8)
    if days is not None:
        found = sorted(item.start for item in ann.calendar.view(start=at(2027, 1, 1), end=at(2028, 12, 1)))
        first = datetime.date(2027, 3, 1)
        assert [(moment.astimezone(COPENHAGEN).date() - first).days + 1 for moment in found] == days
        assert {moment.astimezone(COPENHAGEN).hour for moment in found} == {9}


@pytest.mark.parametrize(
    "boundary",
    [EndDatePattern(start=EWSDate(2027, 3, 1), end=EWSDate(2027, 3, 4)), NoEndPattern(start=EWSDate(2027, 3, 1))],
    ids=str,
)
def test_boundaries(exchange, boundary):
    ann = exchange.account()
    series(ann, DailyPattern(interval=1), boundary)
    master = ann.calendar.get(subject="plan")
    assert type(master.recurrence.boundary) is type(boundary)
    assert day(master.recurrence.boundary.start) == boundary.start
    assert day(getattr(master.recurrence.boundary, "end", None)) == getattr(boundary, "end", None)
    found = list(ann.calendar.view(start=at(2027, 3, 1), end=at(2027, 3, 11)))
    assert len(found) == (4 if isinstance(boundary, EndDatePattern) else 10)
    assert (master.last_occurrence is None) == isinstance(boundary, NoEndPattern)


def test_views(exchange):
    ann = exchange.account()
    series(ann, DailyPattern(interval=1))
    event(ann, "once", at(2027, 3, 2, 12)).save()
    view = ann.calendar.view(start=at(2027, 3, 2), end=at(2027, 3, 4))
    assert [(item.subject, item.type) for item in view] == [("plan", "Occurrence"), ("once", "Single"), ("plan", "Occurrence")]
    assert ann.calendar.view(start=at(2027, 3, 1), end=at(2027, 3, 10), max_items=2).count() == 2
    assert [item.subject for item in ann.calendar.view(start=at(2027, 3, 2), end=at(2027, 3, 4)).only("subject")] == [
        "plan",
        "once",
        "plan",
    ]
    assert ann.calendar.all().count() == 2
    assert [
        item.subject for item in ann.calendar.filter(start__lt=at(2027, 3, 3), end__gt=at(2027, 3, 2, 11)).order_by("start")
    ] == ["once"]


def test_exceptions_and_deleted_occurrences(exchange):
    ann = exchange.account()
    series(ann, DailyPattern(interval=1))
    master = ann.calendar.get(subject="plan")
    second = master.occurrence(2)
    second.refresh()
    assert (second.type, second.start) == ("Occurrence", at(2027, 3, 2, 8))
    second.subject = "moved"
    second.start, second.end = at(2027, 3, 2, 14), at(2027, 3, 2, 15)
    second.save(update_fields=["subject", "start", "end"])
    third = master.occurrence(3)
    third.refresh()
    third.delete(affected_task_occurrences=SPECIFIED_OCCURRENCE_ONLY)

    master.refresh()
    (changed,) = master.modified_occurrences
    assert (changed.original_start, changed.start) == (at(2027, 3, 2, 8), at(2027, 3, 2, 14))
    (gone,) = master.deleted_occurrences
    assert gone.start == at(2027, 3, 3, 8)
    found = [(item.subject, item.type, item.start) for item in ann.calendar.view(start=at(2027, 3, 1), end=at(2027, 3, 5))]
    assert found == [
        ("plan", "Occurrence", at(2027, 3, 1, 8)),
        ("moved", "Exception", at(2027, 3, 2, 14)),
        ("plan", "Occurrence", at(2027, 3, 4, 8)),
    ]
    again = master.occurrence(2)
    again.refresh()
    assert (again.subject, again.type, again.original_start) == ("moved", "Exception", at(2027, 3, 2, 8))
    whole = again.recurring_master()
    whole.refresh()
    assert (whole.type, whole.subject) == ("RecurringMaster", "plan")
    with pytest.raises(ErrorCalendarOccurrenceIsDeletedFromRecurrence):
        master.occurrence(3).refresh()
    with pytest.raises(ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange):
        master.occurrence(9).refresh()
    master.delete()
    assert ann.calendar.view(start=at(2027, 3, 1), end=at(2027, 3, 5)).count() == 0


def test_summer_time(exchange):
    ann = exchange.account()
    series(ann, WeeklyPattern(interval=1, weekdays=[FRIDAY]), start=at(2027, 3, 19, 9, zone="Europe/Copenhagen"))
    found = [item.start for item in ann.calendar.view(start=at(2027, 3, 1), end=at(2027, 4, 10))]
    assert found == [at(2027, 3, 19, 8), at(2027, 3, 26, 8), at(2027, 4, 2, 7), at(2027, 4, 9, 7)]


@pytest.fixture
def meeting(exchange):
    """Ann invites Bob. Gives both accounts."""
    ann, bob = exchange.account(), exchange.account(BOB)
    event(
        ann,
        "review",
        required_attendees=[Attendee(mailbox=Mailbox(email_address=BOB))],
        body="come",
    ).save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    return ann, bob


def test_an_invitation(meeting):
    ann, bob = meeting
    (request,) = bob.inbox.all()
    assert isinstance(request, MeetingRequest)
    assert (request.subject, request.start, request.organizer.email_address) == ("review", at(2027, 3, 1, 8), ANN)
    tentative = bob.calendar.get(subject="review")
    assert (tentative.legacy_free_busy_status, tentative.my_response_type, tentative.is_meeting) == (
        "Tentative",
        "NoResponseReceived",
        True,
    )
    assert request.associated_calendar_item_id.id == tentative.id
    own = ann.calendar.get(subject="review")
    assert (own.is_meeting, own.meeting_request_was_sent, own.my_response_type) == (True, True, "Organizer")
    assert own.uid == tentative.uid
    assert ann.sent.all().count() == 1


@pytest.mark.parametrize(
    ("way", "wanted", "busy"),
    [("accept", "Accept", "Busy"), ("tentatively_accept", "Tentative", "Tentative"), ("decline", "Decline", None)],
)
def test_answers(meeting, way, wanted, busy):
    ann, bob = meeting
    (request,) = bob.inbox.all()
    getattr(request, way)(body="my answer")
    assert bob.inbox.all().count() == 0
    if busy is None:
        assert bob.calendar.all().count() == 0
    else:
        item = bob.calendar.get(subject="review")
        assert (item.my_response_type, item.legacy_free_busy_status) == (wanted, busy)
    (answer,) = ann.inbox.all()
    assert isinstance(answer, MeetingResponse)
    assert (answer.author or answer.sender).email_address == BOB
    own = ann.calendar.get(subject="review")
    assert [(one.mailbox.email_address, one.response_type) for one in own.required_attendees] == [(BOB, wanted)]
    assert own.required_attendees[0].last_response_time


def reference(item):
    return ReferenceItemId(id=item.id, changekey=item.changekey)


def test_an_answer_that_is_not_sent(meeting):
    ann, bob = meeting
    AcceptItem(account=bob, folder=bob.calendar, reference_item_id=reference(bob.calendar.get(subject="review"))).send(
        message_disposition=SAVE_ONLY
    )
    assert ann.inbox.all().count() == 0


def test_a_change_and_a_cancellation(meeting):
    ann, bob = meeting
    own = ann.calendar.get(subject="review")
    own.start, own.end = at(2027, 3, 1, 12), at(2027, 3, 1, 13)
    own.save(update_fields=["start", "end"], send_meeting_invitations=SEND_ONLY_TO_ALL)
    assert bob.inbox.all().count() == 2
    assert bob.calendar.get(subject="review").start == at(2027, 3, 1, 12)
    own = ann.calendar.get(subject="review")
    own.cancel(new_body="never mind")
    kinds = [type(item) for item in bob.inbox.all()]
    assert kinds.count(MeetingCancellation) == 1
    assert bob.calendar.filter(subject__contains="review").get().is_cancelled
    with pytest.raises(ErrorItemNotFound):
        own.cancel()


def test_deleted_with_a_cancellation(meeting):
    ann, bob = meeting
    ann.calendar.get(subject="review").delete(send_meeting_cancellations=SEND_ONLY_TO_ALL)
    assert [type(item) for item in bob.inbox.all()].count(MeetingCancellation) == 1


# -- tasks


def test_a_task(exchange):
    ann = exchange.account()
    Task(
        account=ann, folder=ann.tasks, subject="dig", due_date=EWSDate(2027, 3, 5), start_date=EWSDate(2027, 3, 1), body="deep"
    ).save()
    item = ann.tasks.get(subject="dig")
    assert (item.status, item.percent_complete, item.is_complete, item.due_date) == (
        "NotStarted",
        0,
        False,
        EWSDate(2027, 3, 5),
    )
    item.status, item.percent_complete = "InProgress", Decimal(50)
    item.save()
    item.refresh()
    assert (item.status, item.percent_complete) == ("InProgress", 50)
    item.complete()
    item.refresh()
    assert (item.status, item.percent_complete, item.is_complete) == ("Completed", 100, True)
    assert item.complete_date
    item.delete()
    assert ann.tasks.all().count() == 0


def test_a_task_that_comes_again(exchange):
    ann = exchange.account()
    Task(
        account=ann,
        folder=ann.tasks,
        subject="water",
        due_date=EWSDate(2027, 3, 1),
        start_date=EWSDate(2027, 3, 1),
        recurrence=TaskRecurrence(pattern=DailyRegeneration(interval=3), boundary=NoEndPattern(start=EWSDate(2027, 3, 1))),
    ).save()
    item = ann.tasks.get(subject="water")
    assert isinstance(item.recurrence.pattern, DailyRegeneration)
    assert item.is_recurring
    item.complete()
    assert sorted(one.is_complete for one in ann.tasks.all()) == [False, True]


def test_a_message_about_it_stays_a_message(exchange):
    ann = exchange.account()
    Message(account=ann, folder=ann.inbox, subject="plan").save()
    assert isinstance(ann.inbox.get(subject="plan"), Message)
