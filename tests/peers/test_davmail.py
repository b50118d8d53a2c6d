"""DavMail in front of our Exchange: IMAP, SMTP and POP3, used by Python's clients."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import re
import smtplib
from collections.abc import Iterator

import pytest
from davmail import Gateway
from foreign import DEADLINE, MESSAGES, PASSWORD, letter

from postroom_simulator.store.interface import Role

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


def test_idling(gateway):
    """It looks at the server once a minute at the most; what came meanwhile is there afterwards."""
    person = gateway.person()
    with imap(gateway, person) as client:
        done(client.select("INBOX"))
        client.send(b"a1 IDLE\r\n")
        assert client.readline().startswith(b"+")
        gateway.world.place(person, letter(b"new", b"text\r\n"))
        client.send(b"DONE\r\n")
        while not (line := client.readline()).startswith(b"a1 "):
            assert line.startswith(b"* ")
        assert line.startswith(b"a1 OK")
        done(client.select("INBOX"))
        assert done(client.search(None, "ALL")) == [b"1"]


def test_keywords(gateway):
    person = gateway.person()
    gateway.world.place(person, letter(b"keywords", b"text\r\n"))
    with imap(gateway, person) as client:
        done(client.select("INBOX"))
        done(client.store("1", "+FLAGS", "(Pending $Forwarded)"))
        (line,) = done(client.fetch("1", "(FLAGS)"))
        assert {b"Pending", b"$Forwarded"} <= set(line.partition(b"FLAGS (")[2].rstrip(b")").split())
        assert done(client.search(None, "KEYWORD", "Pending")) == [b"1"]
        done(client.store("1", "-FLAGS", "(Pending)"))
        (line,) = done(client.fetch("1", "(FLAGS)"))
        assert b"Pending" not in line


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        (("ALL",), b"1 2 3"),
        (("BODY", "about birch"), b"2"),
        (("TEXT", "cedar"), b"3"),
        (("TO", "ann@sim.test"), b"1 2 3"),
        (("OR", "SUBJECT", "alder", "SUBJECT", "cedar"), b"1 3"),
        (("FLAGGED",), b"1"),
        (("UNFLAGGED",), b"2 3"),
        (("SEEN",), b""),
        (("SENTSINCE", "1-Jan-2024"), b"1 2 3"),
        (("SENTBEFORE", "1-Jan-2024"), b""),
        (("LARGER", "100000"), b""),
        (("UID", "1:*"), b"1 2 3"),
        (("DELETED",), b""),
    ],
)
def test_search_terms(gateway, searchable, criteria, found):
    with imap(gateway, searchable) as client:
        done(client.select("INBOX", readonly=True))
        assert done(client.search(None, *[f'"{one}"' if " " in one else one for one in criteria])) == [found]


@pytest.fixture(scope="module")
def searchable(gateway):
    person = gateway.person()
    for name in (b"alder", b"birch", b"cedar"):
        gateway.world.place(person, letter(name, b"about " + name + b"\r\n"))
    with imap(gateway, person) as client:
        done(client.select("INBOX"))
        done(client.store("1", "+FLAGS", r"(\Flagged)"))
    return person


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
