"""Evolution's Exchange backends, without its windows: Camel's provider for mail, evolution-data-server for calendars, tasks and address books.

One D-Bus session with one data server serves all tests of this module, and one account: each test has folders, subjects or dates of its own.
`clients/evolution.py` plays the scenarios.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from exchangelib import BASIC, UTC, Account, CalendarItem, Configuration, Credentials, EWSDateTime, Task
from exchangelib.items import SEND_TO_ALL_AND_SAVE_COPY
from exchangelib.protocol import Protocol
from foreign import ANN, CLIENTS, DEADLINE, MESSAGES, PASSWORD, letter

from postroom_simulator.journal import Kind
from postroom_simulator.world import World

BOB = "bob@sim.test"
PYTHON = "/usr/bin/python3"
"""The system's: the typelibs are made for it."""

PROVIDER = Path("/usr/lib/evolution-data-server/camel-providers/libcamelews.so")
SERVICES = Path("/usr/share/dbus-1/services")

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:dir={home}</listen><servicedir>{services}</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""

SOURCES = {
    "ews": """[Data Source]
DisplayName=Ann
Enabled=true
Parent=

[Authentication]
Host=127.0.0.1
Method=PLAIN
User={user}

[Collection]
BackendName=ews
Identity={user}
CalendarEnabled=true
ContactsEnabled=true
MailEnabled=true

[Ews Backend]
Hosturl={url}
Email={user}
User={user}
""",
    "ews-mail": "[Data Source]\nDisplayName=mail\nParent=ews\n\n[Mail Account]\nBackendName=ews\nIdentityUid=ews-identity\n",
    "ews-transport": "[Data Source]\nDisplayName=transport\nParent=ews\n\n[Mail Transport]\nBackendName=ews\n",
    "ews-identity": "[Data Source]\nDisplayName=Ann\nParent=ews\n\n[Mail Identity]\nAddress={user}\nName=Ann\n\n[Mail Submission]\nTransportUid=ews-transport\n",
}


@dataclass(slots=True)
class Evolution:
    """The client, running in front of a world with Ann, who uses it, and Bob."""

    world: World
    process: subprocess.Popen[str]
    errors: Path
    url: str
    streams: threading.Event
    """Set once the client asks for events."""

    def account(self, address: str) -> Account:
        """Somebody's mailbox, as exchangelib sees it."""
        configuration = Configuration(service_endpoint=self.url, credentials=Credentials(address, PASSWORD), auth_type=BASIC)
        return Account(address, config=configuration, autodiscover=False, locale="en_US")

    def __call__(self, scenario: str, **job: object) -> dict[str, Any]:
        """What the scenario saw, by step. Fails when it broke off."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        late = threading.Timer(DEADLINE * 2, self.process.kill)
        late.start()
        try:
            self.process.stdin.write(json.dumps({"scenario": scenario, **job}, default=str) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            late.cancel()
        assert line, f"the client ended: {self.errors.read_text()[-3000:]}"
        seen: dict[str, Any] = json.loads(line)
        assert "FAILED" not in seen, seen["FAILED"] + self.errors.read_text()[-500:]
        return seen


def lacking() -> str:
    """What is not there of the client; "" when all is."""
    if not PROVIDER.exists():
        return "evolution-ews"
    typelibs = "import gi; [gi.require_version(*one) for one in (('Camel', '1.2'), ('EDataServer', '1.2'), ('ECal', '2.0'), ('EBook', '1.2'))]"
    found = subprocess.run([PYTHON, "-c", typelibs], capture_output=True, text=True, check=False, timeout=DEADLINE)
    return "" if found.returncode == 0 else found.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def session(program) -> str:
    """The program that runs others on a bus of their own."""
    found = program("dbus-run-session")
    if lack := lacking():
        if os.environ.get("CI"):
            pytest.fail(f"Evolution's Exchange backends are missing, and with CI set nothing is skipped for that: {lack}")
        pytest.skip(f"Evolution's Exchange backends are not installed: {lack}")
    return str(found)


@pytest.fixture(scope="module")
def evolution(session, tmp_path_factory) -> Iterator[Evolution]:
    with running(session, tmp_path_factory.mktemp("evolution")) as client:
        client("mail_listens")
        yield client


@contextlib.contextmanager
def running(session: str, home: Path, service: str = "ews", *, trusting: bool = False) -> Iterator[Evolution]:
    """The client in front of a new world. `trusting`: it trusts that world's authority."""
    with World() as world:
        world.add_account(ANN, PASSWORD, name="Ann")
        world.add_account(BOB, PASSWORD, name="Bob")
        scheme = "https" if service == "ewss" else "http"
        url = f"{scheme}://127.0.0.1:{world.listen(ports={service: 0}).port(service)}/EWS/Exchange.asmx"
        more = {"EWS_AUTHORITY": str(world.authority.write(home / "authority.pem"))} if trusting else {}
        with (home / "errors").open("w") as errors:
            process = subprocess.Popen(
                [session, f"--config-file={bus(home)}", "--", PYTHON, CLIENTS / "evolution.py"],
                cwd=home,
                env=environment(home, url) | more,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        sources(home, url)
        try:
            client = Evolution(world, process, home / "errors", url, threading.Event())
            world.journal.listen(lambda entry: client.streams.set() if entry.verb == "GetStreamingEvents" else None)
            yield client
        finally:
            Protocol.clear_cache()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=DEADLINE)
            process.kill()
            process.wait(DEADLINE)


def bus(home: Path) -> Path:
    """A bus that starts the data server's programs and nothing else: no keyring, no portals."""
    services = home / "services"
    services.mkdir()
    for path in SERVICES.glob("org.gnome.evolution.dataserver.*.service"):
        (services / path.name).symlink_to(path)
    config = home / "bus.conf"
    config.write_text(BUS.format(home=home, services=services))
    return config


def environment(home: Path, url: str) -> dict[str, str]:
    run = home / "run"
    run.mkdir(mode=0o700)
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(run),
        "GSETTINGS_BACKEND": "memory",
        "GIO_USE_VFS": "local",
        "GIO_USE_NETWORK_MONITOR": "base",  # with a loop only it would believe to be offline
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "EWS_URL": url,
        "EWS_USER": ANN,
        "EWS_SECRET": PASSWORD,
    }


def sources(home: Path, url: str) -> None:
    """The account, as Evolution's assistant would have written it."""
    folder = home / ".config" / "evolution" / "sources"
    folder.mkdir(parents=True)
    for name, text in SOURCES.items():
        (folder / f"{name}.source").write_text(text.format(url=url, user=ANN))


# -- over TLS


def test_mail_over_tls(session, tmp_path):
    """The provider's own process trusts the world's authority; the data server's do not, and have nothing to do with mail."""
    with running(session, tmp_path, "ewss", trusting=True) as client:
        for octets in MESSAGES.values():
            client.world.place(ANN, octets)
        seen = client("mail_fetch")
        assert set(seen["octets"]) == set(MESSAGES)
        handshakes = client.world.journal.entries(kind=Kind.TLS, protocol="ews")
        assert "established" in [one.detail for one in handshakes]


def test_a_server_that_nobody_vouches_for_is_not_talked_to(session, tmp_path):
    with running(session, tmp_path, "ewss") as client:
        assert "certificate" in client("mail_login", user=BOB)["refused"].lower()
        assert client.world.journal.commands(protocol="ews") == []


# -- mail


def test_a_wrong_password_is_refused(evolution):
    """Bob's: the client keeps one connection for each user, and what Ann shows would be what it has."""
    assert evolution("mail_login", user=BOB)["refused"] == "rejected"


def test_folders_are_listed_made_renamed_moved_and_deleted(evolution):
    seen = evolution("mail_folders")
    assert {"Inbox", "Drafts", "Sent Items", "Deleted Items", "Junk Email", "Outbox"} <= set(seen["found"])
    assert "Calendar" not in seen["found"]
    assert seen["twice"] != "made"
    assert seen["made"] == ["Orders", "Orders/2026"]
    assert seen["renamed"] == ["Bills", "Bills/2026"]
    assert seen["moved"] == ["2026", "Bills"]
    assert seen["left"] == []


def test_mail_is_fetched(evolution):
    """Its texts octet for octet; the header the provider writes anew: LF for CR LF, an order of its own, MIME-Version added."""
    for octets in MESSAGES.values():
        evolution.world.place(ANN, octets)
    seen = evolution("mail_fetch")
    got = {name: text.encode("latin-1").partition(b"\n\n") for name, text in seen["octets"].items()}
    assert {name: text for name, (_, _, text) in got.items()} == {
        name: octets.partition(b"\r\n\r\n")[2] for name, octets in MESSAGES.items()
    }
    for name, octets in MESSAGES.items():
        written = set(got[name][0].split(b"\n"))
        assert written == {*octets.partition(b"\r\n\r\n")[0].split(b"\r\n"), b"MIME-Version: 1.0"}
    assert seen["counts"] == [len(MESSAGES), len(MESSAGES)]


def test_flags(evolution):
    evolution.world.place(ANN, letter(b"flags", b"text\r\n"))
    seen = evolution("mail_flags", subject="flags")
    assert (seen["from"], seen["to"], seen["before"]) == ("bob@far.test <bob@far.test>", "ann@sim.test <ann@sim.test>", 0)
    assert evolution("mail_flags_seen", subject="flags") == {"seen": True, "flagged": True, "red": True}


def test_moved_copied_appended_and_deleted(evolution):
    for name in (b"alder", b"birch", b"cedar"):
        evolution.world.place(ANN, letter(name, b"about " + name + b" wood\r\n"))
    octets = letter(b"appended", b"one\r\n.\r\ntwo\r\n")
    seen = evolution("mail_moved", octets=octets.decode("latin-1"))
    assert {"birch", "cedar"} <= set(seen["inbox"])
    assert "alder" not in seen["inbox"]
    assert seen["kept"] == ["alder", "birch"]
    assert seen["appended"] == ["alder", "appended", "birch"]
    assert seen["deleted"] == ["appended"]
    assert {"alder", "birch"} <= set(seen["trash"])


def test_searching(evolution):
    evolution.world.place(ANN, letter(b"cedar tree", b"unlike alder wood\r\n"))
    seen = evolution("mail_search")
    assert "cedar tree" in seen["subject"]
    assert "cedar tree" in seen["body"]
    assert "cedar tree" in seen["unread"]


def test_mail_is_sent(evolution):
    text = letter(b"sent", b"one\r\n.two\r\n").replace(b"bob@far.test", ANN.encode(), 1).replace(b"To: ann@", b"To: bob@")
    seen = evolution("mail_send", octets=text.decode("latin-1"), to=[BOB, "far@out.test"])
    assert seen["done"]
    (octets,) = evolution.world.inbox(BOB)
    got = message_from_bytes(octets)
    assert (got["Subject"], got.get_payload()) == ("sent", "one\r\n.two\r\n")
    assert all(one in got["To"] for one in (BOB, "far@out.test"))  # it names everybody beside the octets
    assert any("far@out.test" in drawn.recipients for drawn in evolution.world.store.outbound())


# -- the registry finds what is not mail


def test_the_folders_that_are_not_mail_are_found(evolution):
    names = evolution("sources")["names"]
    assert {"Calendar", "Contacts", "Tasks", "Notes", "Global Address List"} <= set(names)


# -- calendars


def ical(kind: str, *lines: str) -> str:
    return "\n".join((f"BEGIN:{kind}", "UID:?", "DTSTAMP:20260101T000000Z", *lines, f"END:{kind}", ""))


PLAN = ("LOCATION:here", "DESCRIPTION:the agenda", "CLASS:PRIVATE", "TRANSP:OPAQUE", "CATEGORIES:red,blue")
HOUR = ("DTSTART:20270301T090000Z", "DTEND:20270301T100000Z")
ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT10M", "DESCRIPTION:soon", "END:VALARM")


def test_an_event(evolution):
    seen = evolution("event", event=ical("VEVENT", "SUMMARY:plan", *HOUR, *PLAN, *ALARM))
    made = seen["made"]
    assert (made["SUMMARY"], made["LOCATION"], made["CLASS"], made["TRANSP"]) == (["plan"], ["here"], ["PRIVATE"], ["OPAQUE"])
    assert "the agenda" in made["DESCRIPTION"][0]
    assert made["CATEGORIES"] == [r"red\,blue"]  # it joins what it reads to one
    assert [made[name][0][:15] for name in ("DTSTART", "DTEND")] == ["20270301T090000", "20270301T100000"]
    assert seen["alarm"] is True
    assert (seen["changed"], seen["query"], seen["left"]) == (["changed", "there"], ["changed"], [])


def test_a_series_with_an_exception_and_a_gap(evolution):
    window = {"begin": "20270601T000000Z", "end": "20270801T000000Z"}
    lines = ("DTSTART:20270607T090000Z", "DTEND:20270607T100000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4")
    changed = ("RECURRENCE-ID:20270614T090000Z", "SUMMARY:weekly, moved", "DTSTART:20270615T110000Z", "DTEND:20270615T120000Z")
    seen = evolution(
        "series",
        event=ical("VEVENT", "SUMMARY:weekly", *lines),
        exception=changed,
        removed="20270621T090000Z",
        **window,
    )
    weeks = [[f"202706{day}T090000", "weekly"] for day in ("07", "14", "21", "28")]
    assert seen["made"] == weeks
    assert {"FREQ=WEEKLY", "COUNT=4"} <= set(seen["rule"][0].split(";"))
    moved = ["20270615T110000", "weekly, moved"]
    assert seen["moved"] == [weeks[0], moved, *weeks[2:]]
    assert seen["removed"] == [weeks[0], moved, weeks[3]]
    assert evolution("series_gone", **window)["left"] == []


def test_a_whole_day(evolution):
    seen = evolution(
        "whole_day", event=ical("VEVENT", "SUMMARY:fair", "DTSTART;VALUE=DATE:20270303", "DTEND;VALUE=DATE:20270304")
    )
    assert seen == {"begin": ["20270303"], "end": ["20270304"]}


def test_a_meeting(evolution):
    who = (f"ORGANIZER:mailto:{ANN}", f"ATTENDEE;ROLE=REQ-PARTICIPANT;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}")
    seen = evolution(
        "meeting", event=ical("VEVENT", "SUMMARY:review", "DTSTART:20270401T090000Z", "DTEND:20270401T100000Z", *who)
    )
    assert seen["organizer"] == [f"mailto:{ANN}"] or seen["organizer"] == [f"MAILTO:{ANN}"]
    assert any(BOB in one for one in seen["attendees"])
    requests = [octets for octets in evolution.world.inbox(BOB) if b"review" in octets]
    assert requests
    evolution("meeting_cancelled", summary="review")


def test_an_invitation_is_accepted(evolution):
    bob = evolution.account(BOB)
    begin, end = (EWSDateTime(2027, 5, 3, hour, tzinfo=UTC) for hour in (9, 10))
    plan = CalendarItem(account=bob, folder=bob.calendar, subject="together", start=begin, end=end, required_attendees=[ANN])
    plan.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    seen = evolution("invitation", subject="together")
    assert seen["method"] == ["METHOD:REQUEST"]
    plan.refresh()
    assert [one.response_type for one in plan.required_attendees] == ["Accept"]
    assert evolution.account(ANN).calendar.get(subject="together").my_response_type == "Accept"


def test_what_others_change_is_seen(evolution):
    ann = evolution.account(ANN)
    begin, end = (EWSDateTime(2027, 5, 4, hour, tzinfo=UTC) for hour in (9, 10))
    elsewhere = CalendarItem(account=ann, folder=ann.calendar, subject="elsewhere", start=begin, end=end).save()
    assert "elsewhere" in evolution("refreshed", where="Calendar", summary="elsewhere", there=True)["seen"]
    elsewhere.subject = "renamed"
    elsewhere.save()
    assert "renamed" in evolution("refreshed", where="Calendar", summary="renamed", there=True)["seen"]
    elsewhere.delete()
    assert "renamed" not in evolution("refreshed", where="Calendar", summary="renamed", there=False)["seen"]
    Task(account=ann, folder=ann.tasks, subject="plant").save()
    assert "plant" in evolution("refreshed", where="Tasks", summary="plant", there=True)["seen"]


def test_a_file_at_an_event(evolution):
    hour = ("DTSTART:20270505T090000Z", "DTEND:20270505T100000Z")
    seen = evolution("attached", event=ical("VEVENT", "SUMMARY:with a file", *hour, "ATTACH:?file"), text="text of it")
    assert list(seen["files"].values()) == ["text of it"]


def test_free_and_busy(evolution):
    begin, end = (EWSDateTime(2027, 6, 1, hour, tzinfo=UTC) for hour in (9, 10))
    bob = evolution.account(BOB)
    CalendarItem(account=bob, folder=bob.calendar, subject="taken", start=begin, end=end).save()
    seen = evolution("free_busy", who=[BOB], begin="20270601T000000Z", end="20270602T000000Z")
    assert seen["busy"] == [["20270601T090000Z/20270601T100000Z"]]


# -- tasks and contacts


def test_a_task(evolution):
    seen = evolution(
        "task", task=ical("VTODO", "SUMMARY:dig", "DTSTART;VALUE=DATE:20270301", "DUE;VALUE=DATE:20270305", "PRIORITY:1")
    )
    made = seen["made"]
    assert (made["SUMMARY"], made["DUE"][0][:8], made["PRIORITY"]) == (["dig"], "20270305", ["3"])  # high, in its scale
    assert (seen["done"]["STATUS"], seen["done"]["PERCENT-COMPLETE"]) == (["COMPLETED"], ["100"])
    assert seen["done"]["COMPLETED"]
    assert evolution("task_gone", summary="dig")["left"] == 0


CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:carl\r\nFN:Carl Cedar\r\nN:Cedar;Carl;;;\r\nORG:Cedar & Sons\r\nTITLE:Carpenter\r\n"
    "EMAIL;TYPE=WORK:carl@cedar.test\r\nTEL;TYPE=CELL:+45 1234\r\nTEL;TYPE=WORK,VOICE:+45 5678\r\n"
    "ADR;TYPE=WORK:;;Main St 1;Aarhus;;8000;DK\r\nBDAY:1980-05-17\r\nNOTE:knows wood\r\nEND:VCARD\r\n"
)


def test_a_contact(evolution):
    seen = evolution("contact", card=CARD)
    assert seen["made"] == {
        "full-name": "Carl Cedar",
        "given-name": "Carl",
        "family-name": "Cedar",
        "org": "Cedar & Sons",
        "title": "Carpenter",
        "email-1": "carl@cedar.test",
        "mobile-phone": "+45 1234",
        "business-phone": "+45 5678",
        "note": "knows wood",
    }
    assert "Main St 1" in seen["card"]
    assert "1980-05-17" in seen["card"]
    assert seen["changed"] == ["Joiner", "new@cedar.test"]
    assert seen["query"] == [["Carl Cedar"], ["Carl Cedar"], []]
    assert evolution("contact_gone")["left"] == []


def test_a_list_of_contacts(evolution):
    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Team\r\nN:Team;;;;\r\nX-EVOLUTION-LIST:TRUE\r\nEMAIL:bob@sim.test\r\nEMAIL:carl@cedar.test\r\nEND:VCARD\r\n"
    assert evolution("contact_list", card=card) == {
        "list": True,
        "name": "Team",
        "members": ["Bob <bob@sim.test>", "carl@cedar.test"],
    }


def test_a_memo(evolution):
    seen = evolution("memo", memo=ical("VJOURNAL", "SUMMARY:note", "DESCRIPTION:remember"))
    assert seen["made"][0] == "note"
    assert "remember" in seen["made"][1]
    assert seen["left"] == 0


def test_the_address_list(evolution):
    assert evolution("address_list", who="bob")["found"] == [BOB]


def test_mail_that_arrives_is_heard_of(evolution):
    """Listening began with the first test: the client takes five seconds before it asks for events, which pass beside the others."""
    assert evolution.streams.wait(DEADLINE)
    before = evolution("mail_count")["now"]
    evolution.world.place(ANN, letter(b"heard", b"text\r\n"))
    assert evolution("mail_heard", before=before)["now"] == before + 1
