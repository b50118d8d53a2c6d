"""DavMail: a gateway in Java that speaks IMAP, SMTP, POP3, CalDAV and CardDAV to its clients and Exchange Web Services to us.

One gateway serves all tests of this module; each has a mailbox of its own. Its clients are those of Python."""

from __future__ import annotations

import base64
import contextlib
import http.client
import imaplib
import itertools
import poplib
import re
import smtplib
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from foreign import DEADLINE, MESSAGES, PASSWORD, letter

from postroom_simulator.net.tcp import Servers
from postroom_simulator.store.interface import Role
from postroom_simulator.world import World

PROTOCOLS = ("imap", "pop", "smtp", "caldav")
PROPERTIES = """
davmail.server=true
davmail.mode=EWS
davmail.url=http://127.0.0.1:{ews}/EWS/Exchange.asmx
davmail.bindAddress=127.0.0.1
davmail.allowRemote=false
davmail.disableUpdateCheck=true
davmail.enableKeepAlive=false
davmail.imapAutoExpunge=true
davmail.smtpSaveInSent=true
davmail.popMarkReadOnRetr=true
davmail.keepDelay=0
davmail.sentKeepDelay=0
davmail.caldavPastDelay=0
davmail.imapPort={imap}
davmail.popPort={pop}
davmail.smtpPort={smtp}
davmail.caldavPort={caldav}
davmail.logFilePath={home}/davmail.log
log4j.logger.davmail=DEBUG
log4j.rootLogger=INFO
"""


@dataclass(slots=True)
class Gateway:
    """DavMail, running in front of a world."""

    world: World
    servers: Servers
    ports: dict[str, int]
    log: Path
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def person(self) -> str:
        """A new mailbox's address."""
        address = f"person{next(self.numbers)}@sim.test"
        self.world.add_account(address, PASSWORD, name=address.partition("@")[0].title())
        return address


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def gateway(program, tmp_path_factory) -> Iterator[Gateway]:
    path = program("davmail-server")
    home = tmp_path_factory.mktemp("davmail")
    with World() as world:
        servers = world.listen(ports={"ews": 0})
        ports = dict(zip(PROTOCOLS, free_ports(len(PROTOCOLS)), strict=True))
        (home / "davmail.properties").write_text(PROPERTIES.format(ews=servers.port("ews"), home=home, **ports))
        process = subprocess.Popen(
            [path, home / "davmail.properties"], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            wait_for_ports(process)
            yield Gateway(world, servers, ports, home / "davmail.log")
        finally:
            process.terminate()
            process.communicate(timeout=DEADLINE)


def wait_for_ports(process: subprocess.Popen[str]) -> None:
    """DavMail says which ports it has. Afterwards somebody has to go on reading what it says."""
    late = threading.Timer(DEADLINE * 3, process.kill)
    late.start()
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "listening on" in line:
            break
    late.cancel()
    assert "listening on" in said[-1], "".join(said)
    threading.Thread(target=lambda out: [None for _ in out], args=(process.stdout,), daemon=True).start()


# -- IMAP


@contextlib.contextmanager
def imap(gateway: Gateway, user: str, password: str = PASSWORD) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", gateway.ports["imap"], timeout=DEADLINE)
    try:
        client.login(user, password)
        yield client
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            client.logout()


def done(answer: tuple[str, list[object]]) -> list[object]:
    assert answer[0] == "OK", answer
    return answer[1]


def whole(client: imaplib.IMAP4, number: int | str) -> bytes:
    ((_, octets), _) = done(client.fetch(str(number), "(BODY.PEEK[])"))
    return octets


def test_a_wrong_password_is_refused(gateway):
    with pytest.raises(imaplib.IMAP4.error), imap(gateway, gateway.person(), "guess"):
        pass


def test_folders_are_listed_made_renamed_and_removed(gateway):
    with imap(gateway, gateway.person()) as client:
        names = [line.decode().rpartition(' "/" ')[2].strip('"') for line in done(client.list())]
        assert {"INBOX", "Drafts", "Sent", "Trash"} <= set(names), names
        done(client.create("Orders"))
        done(client.create("Orders/2026"))
        done(client.rename("Orders", "Bills"))
        names = [line.decode().rpartition(' "/" ')[2].strip('"') for line in done(client.list())]
        assert {"Bills", "Bills/2026"} <= set(names)
        assert "Orders" not in names
        done(client.delete("Bills/2026"))
        done(client.delete("Bills"))
        assert client.select("Bills")[0] == "NO"


def test_delivered_mail_is_fetched_octet_for_octet(gateway):
    person = gateway.person()
    for octets in MESSAGES.values():
        gateway.world.place(person, octets)
    with imap(gateway, person) as client:
        assert done(client.select("INBOX")) == [str(len(MESSAGES)).encode()]
        fetched = [whole(client, number) for number in range(1, len(MESSAGES) + 1)]
    assert fetched == list(MESSAGES.values())


def test_uids_grow_and_sizes_are_there(gateway):
    person = gateway.person()
    for number in range(5):
        gateway.world.place(person, letter(b"mail-%d" % number, b"text\r\n"))
    with imap(gateway, person) as client:
        done(client.select("INBOX"))
        lines = [line.decode() for line in done(client.fetch("1:*", "(UID RFC822.SIZE FLAGS INTERNALDATE)"))]
        uids = [int(re.search(r"UID (\d+)", line)[1]) for line in lines]
        assert uids == sorted(set(uids))
        assert len(uids) == 5
        assert all(int(re.search(r"RFC822.SIZE (\d+)", line)[1]) > 0 for line in lines)


@pytest.mark.parametrize(("flags", "read"), [("", False), (r"(\Seen)", True)])
def test_a_message_is_appended(gateway, flags, read):
    person = gateway.person()
    octets = letter(b"appended", b"one\r\n.\r\ntwo\r\n")
    with imap(gateway, person) as client:
        done(client.append("INBOX", flags or None, None, octets))
        done(client.select("INBOX"))
        assert whole(client, 1) == octets
        (line,) = done(client.fetch("1", "(FLAGS)"))
        assert (rb"\Seen" in line, rb"\Draft" in line) == (read, False)
    assert gateway.world.inbox(person) == [octets]


def test_a_draft_is_appended(gateway):
    person = gateway.person()
    with imap(gateway, person) as client:
        done(client.append("Drafts", r"(\Seen \Draft)", None, letter(b"draft", b"text\r\n")))
        done(client.select("Drafts"))
        (line,) = done(client.fetch("1", "(FLAGS)"))
        assert rb"\Draft" in line


def test_flags(gateway):
    person = gateway.person()
    gateway.world.place(person, letter(b"flags", b"text\r\n"))
    with imap(gateway, person) as client:
        done(client.select("INBOX"))
        for flag in (rb"\Seen", rb"\Flagged", rb"\Answered"):
            done(client.store("1", "+FLAGS", f"({flag.decode()})"))
            (line,) = done(client.fetch("1", "(FLAGS)"))
            assert flag in line
        for flag in (rb"\Seen", rb"\Flagged"):
            done(client.store("1", "-FLAGS", f"({flag.decode()})"))
            (line,) = done(client.fetch("1", "(FLAGS)"))
            assert flag not in line
        done(client.store("1", "+FLAGS", r"(\Seen)"))
    with imap(gateway, person) as client:
        done(client.select("INBOX"))
        assert rb"\Seen" in done(client.fetch("1", "(FLAGS)"))[0]


def test_searching(gateway):
    person = gateway.person()
    for name in (b"alder", b"birch", b"cedar"):
        gateway.world.place(person, letter(name, b"about " + name + b"\r\n"))
    with imap(gateway, person) as client:
        done(client.select("INBOX"))
        done(client.store("2", "+FLAGS", r"(\Seen)"))
        assert done(client.search(None, "UNSEEN")) == [b"1 3"]
        assert done(client.search(None, "SUBJECT", "cedar")) == [b"3"]
        assert done(client.search(None, "FROM", "bob@far.test")) == [b"1 2 3"]
        assert done(client.search(None, "HEADER", "Message-ID", "<birch@far.test>")) == [b"2"]


def test_copied_moved_and_expunged(gateway):
    person = gateway.person()
    for name in (b"alder", b"birch", b"cedar"):
        gateway.world.place(person, letter(name, b"text\r\n"))
    with imap(gateway, person) as client:
        done(client.create("Kept"))
        done(client.select("INBOX"))
        done(client.copy("1", "Kept"))
        (uid,) = done(client.uid("SEARCH", "SUBJECT", "birch"))
        done(client.uid("MOVE", uid.decode(), "Kept"))
        done(client.select("Kept"))
        kept = sorted(re.search(rb"Subject: (\w+)", whole(client, number))[1] for number in (1, 2))
        assert kept == [b"alder", b"birch"]
        done(client.select("INBOX"))
        (number,) = done(client.search(None, "SUBJECT", "alder"))
        done(client.store(number.decode(), "+FLAGS", r"(\Deleted)"))
        client.expunge()
        done(client.select("INBOX"))
        assert done(client.search(None, "ALL")) == [b"1"]
        assert b"Subject: cedar" in whole(client, 1)


def test_parts_are_fetched(gateway):
    person = gateway.person()
    gateway.world.place(person, letter(b"parts", b"line one\r\nline two\r\n"))
    with imap(gateway, person) as client:
        done(client.select("INBOX"))
        ((_, header), _) = done(client.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])"))
        assert b"Subject: parts" in header
        ((_, text), _) = done(client.fetch("1", "(BODY.PEEK[TEXT])"))
        assert text.rstrip() == b"line one\r\nline two"
        (envelope,) = done(client.fetch("1", "(ENVELOPE BODYSTRUCTURE)"))
        assert b'"parts"' in envelope
        assert b'"TEXT" "PLAIN"' in envelope.upper()


def test_mail_that_arrives_is_seen_by_noop(gateway):
    person = gateway.person()
    with imap(gateway, person) as client:
        assert done(client.select("INBOX")) == [b"0"]
        gateway.world.place(person, letter(b"new", b"text\r\n"))
        done(client.noop())
        done(client.select("INBOX"))
        assert done(client.search(None, "ALL")) == [b"1"]


# -- SMTP


def test_it_submits(gateway):
    ann, bob = gateway.person(), gateway.person()
    text = letter(b"sent", b"one\r\n.two\r\n").replace(b"bob@far.test", ann.encode()).replace(b"ann@sim.test", bob.encode())
    with smtplib.SMTP("127.0.0.1", gateway.ports["smtp"], timeout=DEADLINE) as client:
        client.login(ann, PASSWORD)
        assert client.sendmail(ann, [bob, "far@out.test"], text) == {}
    (octets,) = gateway.world.inbox(bob)
    assert b"Subject: sent" in octets
    assert octets.endswith(b"\r\n\r\none\r\n.two")  # the last line's end goes with the dot
    store = gateway.world.store
    (copy,) = store.items(store.folder(ann, Role.SENT).uid)
    assert b"Subject: sent" in store.octets(copy.uid)
    assert any("far@out.test" in drawn.recipients for drawn in store.outbound())


def test_submitting_needs_the_right_password(gateway):
    person = gateway.person()
    with smtplib.SMTP("127.0.0.1", gateway.ports["smtp"], timeout=DEADLINE) as client, pytest.raises(smtplib.SMTPException):
        client.login(person, "guess")


# -- POP3


@contextlib.contextmanager
def pop(gateway: Gateway, user: str) -> Iterator[poplib.POP3]:
    client = poplib.POP3("127.0.0.1", gateway.ports["pop"], timeout=DEADLINE)
    try:
        client.user(user)
        client.pass_(PASSWORD)
        yield client
    finally:
        with contextlib.suppress(OSError, poplib.error_proto):
            client.quit()


def test_it_fetches_and_deletes(gateway):
    person = gateway.person()
    names = (b"alder", b"birch")
    for name in names:
        gateway.world.place(person, letter(name, b"text of " + name + b"\r\n.dot\r\n"))
    with pop(gateway, person) as client:
        count, size = client.stat()
        assert count == 2
        assert size > 0
        uids = [line.split()[1] for line in client.uidl()[1]]
        assert len(set(uids)) == 2
        got = [b"\r\n".join(client.retr(number)[1]) for number in (1, 2)]
        assert sorted(re.search(rb"Subject: (\w+)", one)[1] for one in got) == sorted(names)
        assert all(b"\r\n.dot" in one for one in got)
        assert any(b"Subject: " in line for line in client.top(1, 0)[1])
        client.dele(1)
    with pop(gateway, person) as client:
        assert client.stat()[0] == 1
        assert [line.split()[1] for line in client.uidl()[1]] == uids[1:]


# -- CalDAV and CardDAV


def dav(gateway: Gateway, user: str, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
    client = http.client.HTTPConnection("127.0.0.1", gateway.ports["caldav"], timeout=DEADLINE)
    login = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    try:
        client.request(method, path, body.encode(), {"Authorization": f"Basic {login}", **headers})
        answer = client.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    finally:
        client.close()


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


CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:carl\r\nFN:Carl Cedar\r\nN:Cedar;Carl;;;\r\nORG:Cedar & Sons\r\nTITLE:Carpenter\r\n"
    "EMAIL;TYPE=work:carl@cedar.test\r\nTEL;TYPE=cell:+45 1234\r\nADR;TYPE=work:;;Main St 1;Aarhus;;8000;DK\r\nBDAY:1980-05-17\r\n"
    "NOTE:knows wood\r\nEND:VCARD\r\n"
)


def test_a_contact_is_put_got_and_deleted(gateway):
    person = gateway.person()
    path = f"/users/{person}/contacts/carl.vcf"
    status, _, said = dav(gateway, person, "PUT", path, CARD, **{"Content-Type": "text/vcard; charset=utf-8"})
    assert status == 201, said
    status, headers, text = dav(gateway, person, "GET", path)
    assert status == 200, text
    assert headers["etag"]
    for piece in ("FN:Carl Cedar", "carl@cedar.test", "+45 1234", "Main St 1", "Carpenter", "knows wood"):
        assert piece in text, text
    changed = CARD.replace("Carpenter", "Joiner").replace("carl@cedar.test", "new@cedar.test")
    status, _, said = dav(gateway, person, "PUT", path, changed, **{"Content-Type": "text/vcard; charset=utf-8"})
    assert status in (200, 201, 204), said
    text = dav(gateway, person, "GET", path)[2]
    assert "Joiner" in text
    assert "new@cedar.test" in text
    assert "carl@cedar.test" not in text
    assert dav(gateway, person, "DELETE", path)[0] in (200, 204)
    assert dav(gateway, person, "GET", path)[0] == 404


def test_contacts_are_listed(gateway):
    person = gateway.person()
    path = f"/users/{person}/contacts/carl.vcf"
    assert dav(gateway, person, "PUT", path, CARD, **{"Content-Type": "text/vcard; charset=utf-8"})[0] == 201
    wanted = '<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
    status, _, text = dav(gateway, person, "PROPFIND", f"/users/{person}/contacts/", wanted, Depth="1")
    assert status == 207
    (name,) = [one for one in re.findall(r"<D:href>([^<]*)</D:href>", text) if not one.endswith("/")]
    assert "FN:Carl Cedar" in dav(gateway, person, "GET", name)[2]
