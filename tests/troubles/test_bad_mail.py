"""Mail that nobody should write. Each kind ends as tracked, filtered with a reason, or parked with a reason; the mail around it comes in, and the
books balance."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom.organization import SYSTEM
from postroom.organization.deployment import DeploymentSettings
from postroom.testing.books import Incoming, balance
from postroom.testing.scene import Scene

ORDERS = "orders@alder.test"
SAMPLES = Path(__file__).parents[2] / "fixtures" / "messages"


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A queue that tracks everything and whose mail is deleted once it is stored: the more dangerous way."""
    settings = DeploymentSettings(
        allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True, maximum_message_size=2_000_000
    )
    with Scene(settings=settings) as scene:
        ports = {"incomingportnumber": 110, "outgoingportnumber": 587}
        scene.profile("open lines", default=True, **ports, incomingusessl=False, outgoingusessl=False)
        orders = scene.queue("Orders", ORDERS, ready=True)
        scene.filter(orders, 0)
        scene.organization.update(SYSTEM, "mailbox", orders.mailbox, processanddeleteemails=True)
        scene.run(after=timedelta(minutes=15))
        yield scene


def mail(
    head: str = "",
    body: bytes = b"Hello.\r\n",
    *,
    from_: str | None = "Carl <carl@birch.test>",
    number: int = 1,
    subject: str = "odd",
    to: str | None = ORDERS,
) -> bytes:
    fields = [f"From: {from_}"] if from_ is not None else []
    fields += [f"To: {to}"] if to is not None else []
    fields += [f"Message-ID: <odd.{number}@birch.test>", f"Subject: {subject}"] if subject is not None else []
    lines = "\r\n".join(fields) + "\r\n" + head
    return lines.encode("utf-8", "surrogateescape") + b"\r\n" + body


def taken_in(scene: Scene, *octets: bytes) -> list[Incoming]:
    """What became of these, delivered between two ordinary mails; those are tracked."""
    world = scene.world
    known = {item.uid for item in scene.inbox(ORDERS)}
    scene.mail("carl@birch.test", ORDERS, "Before")
    for one in octets:
        world.deliver("carl@birch.test", [ORDERS], one)
    scene.mail("carl@birch.test", ORDERS, "After")
    for _ in range(8):
        scene.run(after=timedelta(minutes=20))
    rows = [row for row in balance(world, scene.organization).incoming if row.uid > max(known, default=0)]
    assert rows[-len(octets) - 2].outcome == rows[-1].outcome == "tracked", "the mail around it"
    return rows[-len(octets) - 1 : -1]


def tracked(scene: Scene, *octets: bytes) -> list[Any]:
    rows = taken_in(scene, *octets)
    assert [row.outcome for row in rows] == ["tracked"] * len(octets), rows
    return [scene.organization.retrieve(SYSTEM, "email", row.email_id) for row in rows]


# -- who it is from -----------------------------------------------------------------------------------------------------

SENDERS = {
    "no From": (None, "filtered"),
    "an empty From": ("", "filtered"),
    "From without an address": ("Carl Birch", "filtered"),
    "From with half an address": ("carl@", "filtered"),
    "From with an empty group": ("undisclosed-recipients:;", "filtered"),
    "From of a thousand characters": ("x" * 1000 + "@birch.test", "filtered"),
    "an address in an encoded word": ("=?utf-8?q?carl=40birch.test?=", "filtered"),
    "three addresses in From": ("Carl <carl@birch.test>, dora@birch.test, eve@birch.test", "tracked"),
    "three From fields": ("carl@birch.test\r\nFrom: dora@birch.test\r\nFrom: eve@birch.test", "tracked"),
    "an address in the name": ('"ada@alder.test" <carl@birch.test>', "tracked"),
    "a line break in an encoded name": ("=?utf-8?q?Carl=0D=0ABcc:_eve@birch.test?= <carl@birch.test>", "tracked"),
    "a nul in the name": ("Ca\0rl <carl@birch.test>", "tracked"),
    "writing from right to left": ("\u202elraC\u202c <carl@birch.test>", "tracked"),
}


@pytest.mark.parametrize("name", SENDERS)
def test_odd_senders(scene: Scene, name: str) -> None:
    from_, outcome = SENDERS[name]
    (row,) = taken_in(scene, mail(from_=from_))
    assert row.outcome == outcome, row
    if outcome == "filtered":
        assert "InvalidSender" in row.reason or "sender" in row.reason
    else:
        email = scene.organization.retrieve(SYSTEM, "email", row.email_id)
        assert email.sender == "carl@birch.test"
        assert "\n" not in (email.torecipients or "")


# -- who it is for ------------------------------------------------------------------------------------------------------


def test_ten_thousand_recipients(scene: Scene) -> None:
    many = ",\r\n ".join(f"person{number}@elm.test" for number in range(10_000))
    (row,) = taken_in(scene, mail(to=f"{ORDERS},\r\n {many}"))
    assert row.outcome in {"tracked", "parked"}, row
    assert row.outcome == "tracked" or row.reason


RECIPIENTS = {
    "no To": None,
    "an empty To": "",
    "an empty group": "undisclosed-recipients:;",
    "nonsense": ";;;,,,<<>>@@",
    "brackets never closed": "Orders <orders@alder.test",
    "a comment never closed": "(orders@alder.test",
    "a thousand commas": "," * 1000,
    "a group in a group": "a: b: orders@alder.test;;",
}


@pytest.mark.parametrize("name", RECIPIENTS)
def test_odd_recipients(scene: Scene, name: str) -> None:
    """The queue tracks everything that reaches its mailbox (reference 4.3)."""
    tracked(scene, mail(to=RECIPIENTS[name]))


# -- what it is about ---------------------------------------------------------------------------------------------------


def test_a_subject_of_a_hundred_kibibytes(scene: Scene) -> None:
    (email,) = tracked(scene, mail(subject="long " * 20_480))
    assert len(email.subject) == 200
    assert email.subject.startswith("long long")


SUBJECTS = {
    "an encoded word of a mebibyte": "=?utf-8?b?" + base64.b64encode(b"x" * 700_000).decode() + "?=",
    "a line break inside": "=?utf-8?q?one=0D=0ATo:_eve@birch.test?=",
    "an unknown charset": "=?x-nobody-knows?q?one?=",
    "a charset that is code": "=?rot13?q?one?=",
    "a word in a word": "=?utf-8?q?=3D=3Futf-8=3Fq=3Fone=3F=3D?=",
    "bad base64": "=?utf-8?b?!!!!?=",
    "bad quoted-printable": "=?utf-8?q?=GG=1?=",
    "ten thousand words": "=?utf-8?q?a?= " * 10_000,
    "never closed": "=?utf-8?q?" + "a" * 1000,
    "a nul": "one\0two",
    "a lone surrogate": "=?utf-8?q?=ED=A0=80?=",
    "utf-16 with nothing behind": "=?utf-16?b?AA==?=",
    "a million blanks": " " * 1_000_000 + "end",
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_odd_subjects(scene: Scene, name: str) -> None:
    (email,) = tracked(scene, mail(subject=SUBJECTS[name]))
    assert len(email.subject or "") <= 200
    assert not {"\r", "\n", "\0"} & set(email.subject or "")


# -- when it was --------------------------------------------------------------------------------------------------------

DATES = ["", "yesterday", "Mon, 32 Foo 2026 25:61:61 +9999", "Thu, 1 Jan 1970 00:00:00 +0000", "Fri, 31 Dec 9999 23:59:59 +0000",
         "Mon, 1 Jan 0000 00:00:00 +0000", "Mon, 1 Jan 99999 00:00:00 +0000", "Mon, 5 Jan 2026 09:00:00 -2500", "5 Jan 26 9:00",
         "Mon, 05 Jan 2026 09:00:00 +0100\r\nDate: Tue, 06 Jan 2026 09:00:00 +0100", "1" * 5000]  # fmt: skip


@pytest.mark.parametrize("date", DATES, ids=range(len(DATES)))
def test_odd_dates(scene: Scene, date: str) -> None:
    """Where nothing usable stands in Received the Date counts, else the moment of the look (reference 4.2); a mail may so be older than the
    mailbox looks back, and nothing worse."""
    (row,) = taken_in(scene, mail(f"Date: {date}\r\n"))
    assert row.outcome == "tracked", row


def test_odd_dates_in_received(scene: Scene) -> None:
    tracked(scene, b"Received: from x by y; never\r\nReceived: ;;;\r\n" + mail("Date: Mon, 5 Jan 2026 09:00:00 +0000\r\n"))


# -- what it answers ----------------------------------------------------------------------------------------------------


def test_references_in_a_circle(scene: Scene) -> None:
    one = mail("In-Reply-To: <odd.2@birch.test>\r\nReferences: <odd.2@birch.test> <odd.1@birch.test>\r\n", number=1)
    two = mail("In-Reply-To: <odd.1@birch.test>\r\nReferences: <odd.1@birch.test> <odd.2@birch.test>\r\n", number=2)
    itself = mail("In-Reply-To: <odd.3@birch.test>\r\nReferences: <odd.3@birch.test>\r\n", number=3)
    first, second, third = tracked(scene, one, two, itself)
    assert first.parentactivityid is None
    assert second.parentactivityid is not None
    assert second.parentactivityid.id == first.activityid
    assert third.parentactivityid is None


def test_ten_thousand_references(scene: Scene) -> None:
    many = "\r\n ".join(f"<{number}@elm.test>" for number in range(10_000))
    tracked(scene, mail(f"References: {many}\r\nIn-Reply-To: {many}\r\n"))


IDS = {"no Message-ID": "", "an empty one": "Message-ID:\r\n", "one of ten kibibytes": f"Message-ID: <{'x' * 10_240}@birch.test>\r\n",
       "one of blanks": "Message-ID: <  >\r\n", "two": "Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n", "not ASCII": "Message-ID: <ü@birch.test>\r\n"}  # fmt: skip


@pytest.mark.parametrize("name", IDS)
def test_odd_message_ids(scene: Scene, name: str) -> None:
    octets = f"From: carl@birch.test\r\nTo: {ORDERS}\r\n{IDS[name]}Subject: odd\r\n\r\nHello.\r\n".encode()
    tracked(scene, octets)


def test_the_same_message_id_with_another_text(scene: Scene) -> None:
    """It is the same message by its id (reference 4.4): filtered as a duplicate, and not lost silently."""
    first, second = taken_in(scene, mail(), mail(body=b"Another text.\r\n"))
    assert (first.outcome, second.outcome) == ("tracked", "filtered")
    assert "DUPLICATE" in second.reason.upper()


# -- what is in it ------------------------------------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    opened = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth))
    return opened + b"Content-Type: text/plain\r\n\r\nHello.\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))


def inside(depth: int) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: innermost\r\n\r\nHello.\r\n"


def headed(extra: bytes) -> bytes:
    return mail().split(b"\r\n\r\n", 1)[0] + b"\r\nMIME-Version: 1.0\r\n" + extra


BODIES = {
    "nothing behind the head": headed(b"\r\n"),
    "no empty line": headed(b""),
    "a thousand parts in each other": headed(nested(1000)),
    "five hundred messages in each other": headed(inside(500)),
    "twenty thousand parts": headed(
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 20_000 + b"--b--\r\n"
    ),
    "a multipart without parts": headed(b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'),
    "an empty boundary": headed(b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\nx\r\n----\r\n'),
    "a boundary of a thousand": headed(b'Content-Type: multipart/mixed; boundary="' + b"b" * 1000 + b'"\r\n\r\nx\r\n'),
    "a hundred thousand fields": headed(b"X-A: b\r\n" * 100_000 + b"\r\nHello.\r\n"),
    "one line of a mebibyte": headed(b"\r\n" + b"x" * 1_000_000 + b"\r\n"),
    "all octets": headed(
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"
    ),
    "an unknown charset": headed(b"Content-Type: text/plain; charset=x-nobody-knows\r\n\r\nHello.\r\n"),
    "an unknown transfer encoding": headed(b"Content-Transfer-Encoding: x-nobody-knows\r\n\r\nHello.\r\n"),
    "base64 that is none": headed(b"Content-Transfer-Encoding: base64\r\n\r\n!!!! ???? ====\r\n"),
    "a thousand parameters": headed(
        b"Content-Type: text/plain" + b"".join(b"; p%d=x" % n for n in range(1000)) + b"\r\n\r\nHello.\r\n"
    ),
    "a file name that climbs": headed(
        b'Content-Type: application/x; name="../../../etc/passwd"\r\nContent-Disposition: attachment\r\n\r\nx\r\n'
    ),
    "a file name of a kibibyte": headed(b'Content-Disposition: attachment; filename="' + b"x" * 1024 + b'.txt"\r\n\r\nx\r\n'),
}


@pytest.mark.parametrize("name", BODIES)
def test_odd_contents(scene: Scene, name: str) -> None:
    (row,) = taken_in(scene, BODIES[name])
    assert row.outcome == "tracked", row


def test_an_empty_message(scene: Scene) -> None:
    for octets in (b"", b"\r\n", b"\r\n\r\n"):
        (row,) = taken_in(scene, octets)
        assert row.outcome == "filtered", row
        assert "sender" in row.reason.lower() or "InvalidSender" in row.reason


def test_no_message_at_all(scene: Scene) -> None:
    """Octets of something else: no head, no sender."""
    for octets in (b"\x89PNG\r\n\x1a\n" + bytes(2000), b"<html><body>Hello</body></html>\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        (row,) = taken_in(scene, octets)
        assert row.outcome == "filtered", row


def test_winmail(scene: Scene) -> None:
    """Outlook's own wrapping stays a file: it is kept, and what is readable beside it is the text."""
    octets = (SAMPLES / "outlook-winmail.eml").read_bytes()
    (email,) = tracked(scene, octets)
    files = scene.organization.retrieve_multiple(SYSTEM, "activitymimeattachment", objectid=email.reference)
    assert [one.filename for one in files] == ["winmail.dat"]


def test_a_message_that_is_too_large_is_parked(scene: Scene) -> None:
    (row,) = taken_in(scene, mail(body=b"x" * 70 + b"\r\n" + b"Hello, hello, hello.\r\n" * 100_000))
    assert row.outcome == "parked", row
    assert "large" in row.reason or "size" in row.reason or "octets" in row.reason
    assert any(item.uid == row.uid for item in scene.inbox(ORDERS)), "what is parked stays at the server"


def test_mail_from_the_mailbox_to_itself(scene: Scene) -> None:
    tracked(scene, mail(from_=ORDERS))
