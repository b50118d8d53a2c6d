"""DavMail in front of our Exchange: CalDAV."""

from __future__ import annotations

import re

import pytest
from davmail import Gateway, dav

from postroom_simulator.store.interface import Role

ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Copenhagen
BEGIN:STANDARD
DTSTART:16010101T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""


def calendar(*lines: str, uid: str) -> str:
    event = "\n".join(lines)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{ZONE}BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
    return text.replace("\n", "\r\n")


PLAN = (
    "SUMMARY:plan",
    "LOCATION:here",
    "DESCRIPTION:the agenda",
    "DTSTART;TZID=Europe/Copenhagen:20270301T090000",
    "DTEND;TZID=Europe/Copenhagen:20270301T100000",
    "CLASS:PRIVATE",
    "TRANSP:OPAQUE",
    "CATEGORIES:red",
)


def put(gateway: Gateway, person: str, name: str, text: str) -> tuple[int, dict[str, str], str]:
    return dav(
        gateway, person, "PUT", f"/users/{person}/calendar/{name}.ics", text, **{"Content-Type": "text/calendar; charset=utf-8"}
    )


def test_an_event_is_put_and_got(gateway):
    person = gateway.person()
    status, headers, said = put(gateway, person, "one", calendar(*PLAN, uid="one"))
    assert status == 201, said
    status, headers, text = dav(gateway, person, "GET", f"/users/{person}/calendar/one.ics")
    assert status == 200, text
    assert headers["etag"]
    lines = text.splitlines()
    for line in ("SUMMARY:plan", "LOCATION:here", "UID:one", "CLASS:PRIVATE"):
        assert line in lines, text
    assert re.search(r"^DTSTART;TZID=.*:20270301T090000\r?$", text, re.MULTILINE), text
    assert re.search(r"^DTEND;TZID=.*:20270301T100000\r?$", text, re.MULTILINE), text
    assert "BEGIN:VTIMEZONE" in text
    assert "agenda" in text


def test_an_event_is_changed_and_deleted(gateway):
    person = gateway.person()
    assert put(gateway, person, "one", calendar(*PLAN, uid="one"))[0] == 201
    before = dav(gateway, person, "GET", f"/users/{person}/calendar/one.ics")[1]["etag"]
    gateway.world.clock.advance(5)  # the tag is the time of the last change
    status, _, said = put(gateway, person, "one", calendar("SUMMARY:changed", *PLAN[1:], uid="one"))
    assert status in (200, 204), said
    _, headers, text = dav(gateway, person, "GET", f"/users/{person}/calendar/one.ics")
    assert "SUMMARY:changed" in text
    assert headers["etag"] != before
    assert dav(gateway, person, "DELETE", f"/users/{person}/calendar/one.ics")[0] in (200, 204)
    assert dav(gateway, person, "GET", f"/users/{person}/calendar/one.ics")[0] == 404


def test_a_series(gateway):
    person = gateway.person()
    text = calendar(*PLAN, "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4", "EXDATE;TZID=Europe/Copenhagen:20270308T090000", uid="series")
    status, _, said = put(gateway, person, "series", text)
    assert status == 201, said
    _, _, got = dav(gateway, person, "GET", f"/users/{person}/calendar/series.ics")
    got = got.partition("BEGIN:VEVENT")[2]
    rule = re.search(r"^RRULE:(.*)$", got, re.MULTILINE)
    assert rule is not None, got
    assert {"FREQ=WEEKLY", "BYDAY=MO", "COUNT=4"} <= set(rule[1].strip().split(";"))
    assert "EXDATE" in got


def test_a_whole_day(gateway):
    person = gateway.person()
    text = calendar("SUMMARY:fair", "DTSTART;VALUE=DATE:20270303", "DTEND;VALUE=DATE:20270304", uid="fair")
    assert put(gateway, person, "fair", text)[0] == 201
    _, _, got = dav(gateway, person, "GET", f"/users/{person}/calendar/fair.ics")
    assert re.search(r"^DTSTART;.*VALUE=DATE.*:20270303", got, re.MULTILINE) or "DTSTART;VALUE=DATE:20270303" in got, got


def test_events_are_reported(gateway):
    person = gateway.person()
    for name, start in (("one", "20270301T090000"), ("two", "20270401T090000")):
        lines = [
            line.replace("20270301T090000", start).replace("20270301T100000", start.replace("T09", "T10")) for line in PLAN
        ]
        assert put(gateway, person, name, calendar(*lines, uid=name))[0] == 201
    query = (
        '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>'
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>'
    )
    status, _, all_of_them = dav(gateway, person, "REPORT", f"/users/{person}/calendar/", query.format(""), Depth="1")
    assert status == 207
    assert all_of_them.count("BEGIN:VEVENT") == 2
    names = re.findall(r"<D:href>([^<]*)</D:href>", all_of_them)
    assert len(names) == 2
    assert all(dav(gateway, person, "GET", name)[0] == 200 for name in names)
    window = '<C:time-range start="20270315T000000Z" end="20270415T000000Z"/>'
    status, _, some = dav(gateway, person, "REPORT", f"/users/{person}/calendar/", query.format(window), Depth="1")
    assert status == 207
    assert some.count("BEGIN:VEVENT") == 1
    several = (
        '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/><C:calendar-data/></D:prop>'
        f"<D:href>{names[0]}</D:href></C:calendar-multiget>"
    )
    status, _, got = dav(gateway, person, "REPORT", f"/users/{person}/calendar/", several, Depth="1")
    assert status == 207
    assert got.count("BEGIN:VEVENT") == 1


def test_the_principal_and_its_collections(gateway):
    person = gateway.person()
    wanted = (
        '<D:propfind xmlns:D="DAV:"><D:prop><D:current-user-principal/><D:displayname/><D:resourcetype/></D:prop></D:propfind>'
    )
    status, _, text = dav(gateway, person, "PROPFIND", "/", wanted, Depth="0")
    assert status == 207
    assert person in text
    status, _, text = dav(gateway, person, "PROPFIND", f"/users/{person}/", wanted, Depth="1")
    assert status == 207
    assert "calendar" in text


# -- tasks

TASK = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTODO\r\nUID:dig\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:dig\r\n"
    "DESCRIPTION:a hole\r\nDTSTART;VALUE=DATE:20270301\r\nDUE;VALUE=DATE:20270305\r\nPRIORITY:1\r\nPERCENT-COMPLETE:50\r\n"
    "STATUS:IN-PROCESS\r\nCATEGORIES:red\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)
OF_TEXT = {"Content-Type": "text/calendar; charset=utf-8"}


def test_a_task(gateway):
    person = gateway.person()
    path = f"/users/{person}/calendar/dig.ics"
    status, _, said = dav(gateway, person, "PUT", path, TASK, **OF_TEXT)
    assert status == 201, said
    status, _, text = dav(gateway, person, "GET", path)
    assert status == 200
    lines = text.splitlines()
    for line in (
        "SUMMARY:dig",
        "DESCRIPTION:a hole",
        "PRIORITY:1",
        "PERCENT-COMPLETE:50",
        "STATUS:IN-PROCESS",
        "CATEGORIES:red",
    ):
        assert line in lines, text
    done = TASK.replace("PERCENT-COMPLETE:50", "PERCENT-COMPLETE:100").replace("IN-PROCESS", "COMPLETED")
    status, _, said = dav(gateway, person, "PUT", path, done.replace("CATEGORIES:red", "COMPLETED:20270302T090000Z"), **OF_TEXT)
    assert status in (200, 201, 204), said
    text = dav(gateway, person, "GET", path)[2]
    assert {"PERCENT-COMPLETE:100", "STATUS:COMPLETED"} <= set(text.splitlines()), text
    name = path.replace(".ics", ".EML")  # what it keeps; under another name it deletes no task
    assert dav(gateway, person, "DELETE", name)[0] in (200, 204)
    assert dav(gateway, person, "GET", path)[0] == 404


# -- exceptions


def events(text: str) -> dict[str, str]:
    """The events of a calendar by RECURRENCE-ID, "" for the series."""
    found = {}
    for one in text.split("BEGIN:VEVENT")[1:]:
        at = re.search(r"^RECURRENCE-ID[^:]*:(\w+)", one, re.MULTILINE)
        found[at[1] if at else ""] = one
    return found


def test_an_occurrence_is_changed(gateway):
    person = gateway.person()
    series = calendar(*PLAN, "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4", uid="series")
    assert put(gateway, person, "series", series)[0] == 201
    override = (
        "BEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID;TZID=Europe/Copenhagen:20270308T090000\r\n"
        "SUMMARY:moved\r\nDTSTART;TZID=Europe/Copenhagen:20270309T110000\r\nDTEND;TZID=Europe/Copenhagen:20270309T120000\r\nEND:VEVENT\r\n"
    )
    status, _, said = put(gateway, person, "series", series.replace("END:VCALENDAR", override + "END:VCALENDAR"))
    assert status in (200, 201, 204), said
    text = dav(gateway, person, "GET", f"/users/{person}/calendar/series.ics")[2]
    series, moved = (events(text)[key] for key in ("", "20270308T080000Z"))
    assert ("SUMMARY:plan" in series, "RRULE" in series) == (True, True)
    assert "SUMMARY:moved" in moved
    assert re.search(r"^DTSTART;.*:20270309T110000", moved, re.MULTILINE), moved


# -- meetings


def meeting(organizer: str, *attendees: str) -> str:
    return calendar(
        "SUMMARY:together",
        *PLAN[3:5],
        f"ORGANIZER:mailto:{organizer}",
        *(f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{one}" for one in attendees),
        uid="meet",
    )


def members(gateway: Gateway, person: str, folder: str) -> list[str]:
    """The paths of what is in a collection."""
    wanted = '<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
    status, _, text = dav(gateway, person, "PROPFIND", f"/users/{person}/{folder}/", wanted, Depth="1")
    assert status == 207
    return [one for one in re.findall(r"<D:href>([^<]*)</D:href>", text) if not one.endswith("/")]


def statuses(text: str) -> set[str]:
    """PARTSTAT of all attendees."""
    return set(re.findall(r"^ATTENDEE.*PARTSTAT=([A-Z-]+)", text.replace("\r\n ", ""), re.MULTILINE))


@pytest.mark.parametrize(
    ("answer", "told"), [("ACCEPTED", b"Resp.Pos"), ("DECLINED", b"Resp.Neg"), ("TENTATIVE", b"Resp.Tent")]
)
def test_an_invitation_is_answered(gateway, answer, told):
    ann, bob = gateway.person(), gateway.person()
    status, _, said = put(gateway, ann, "meet", meeting(ann, bob))
    assert status == 201, said
    (request,) = members(gateway, bob, "inbox")
    got = dav(gateway, bob, "GET", request)[2]
    assert {"METHOD:REQUEST", "SUMMARY:together", "UID:meet"} <= set(got.splitlines())
    (event,) = members(gateway, bob, "calendar")
    got = dav(gateway, bob, "GET", event)[2]
    assert statuses(got) == {"NEEDS-ACTION"}
    status, _, said = dav(gateway, bob, "PUT", event, got.replace("PARTSTAT=NEEDS-ACTION", f"PARTSTAT={answer}"), **OF_TEXT)
    assert status in (200, 201, 204), said
    (reply,) = gateway.world.store.items(gateway.world.store.folder(ann, Role.INBOX).uid)
    assert reply.item_class.encode() == b"IPM.Schedule.Meeting." + told
    assert statuses(dav(gateway, ann, "GET", f"/users/{ann}/calendar/meet.ics")[2]) == {answer}


def test_a_meeting_is_changed_and_cancelled(gateway):
    ann, bob = gateway.person(), gateway.person()
    assert put(gateway, ann, "meet", meeting(ann, bob))[0] == 201
    changed = meeting(ann, bob).replace("20270301T09", "20270302T09").replace("20270301T10", "20270302T10")
    assert put(gateway, ann, "meet", changed)[0] in (200, 201, 204)
    (event,) = members(gateway, bob, "calendar")
    assert ":20270302T090000" in dav(gateway, bob, "GET", event)[2]
    assert dav(gateway, ann, "DELETE", f"/users/{ann}/calendar/meet.ics")[0] in (200, 204)
    assert members(gateway, ann, "calendar") == []


def test_free_and_busy(gateway):
    ann, bob = gateway.person(), gateway.person()
    assert put(gateway, bob, "one", calendar(*PLAN, uid="busy"))[0] == 201
    asked = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nPRODID:-//test//EN\r\nBEGIN:VFREEBUSY\r\nUID:fb\r\nDTSTAMP:20260101T000000Z\r\n"
        f"DTSTART:20270301T000000Z\r\nDTEND:20270302T000000Z\r\nORGANIZER:mailto:{ann}\r\nATTENDEE:mailto:{bob}\r\n"
        "END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    )
    who = {"Originator": f"mailto:{ann}", "Recipient": f"mailto:{bob}"}
    status, _, text = dav(gateway, ann, "POST", f"/users/{ann}/outbox/", asked, **OF_TEXT, **who)
    assert (status, "2.0;Success" in text) == (200, True), text
    assert "FREEBUSY;FBTYPE=BUSY:20270301T080000Z/20270301T090000Z" in text
