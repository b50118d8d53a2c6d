"""Composing: what is written reads back, and nothing can be injected."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.mime.compose import ComposeError, compose
from postroom.mime.filenames import safe_filename
from postroom.mime.parse import parse_message
from postroom.mime.values import Address, Attachment, OutgoingMessage

MESSAGE = OutgoingMessage(
    message_id="<1@alder.example>",
    date=datetime(2024, 3, 5, 9, 30, tzinfo=UTC),
    from_=Address("ada@alder.example", "Ada Alder"),
    to=(Address("ben@birch.example", "Birch, Ben"),),
    subject="Offer",
    text="Hello\n",
)

# What a header or body gives back as it was: no controls, no half characters, none of what XML forbids.
printable = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff\ufeff")
subjects = st.text(printable, max_size=120)
names = st.text(printable, max_size=60).map(str.strip)
locals_ = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\.[a-z0-9_-]{1,8}){0,2}", fullmatch=True)
domains = st.sampled_from(["alder.example", "birch.example", "a-very-long-name.of-a-department.cedar.example"])
addresses = st.builds(lambda local, domain, name: Address(f"{local}@{domain}", name), locals_, domains, names)
ids = st.builds(lambda left: f"<{left}@alder.example>", st.from_regex(r"[A-Za-z0-9.+$-]{1,60}", fullmatch=True))
bodies = st.text(st.one_of(printable, st.sampled_from(" \n\t.=F")), max_size=400)
filenames = st.from_regex(r"[A-Za-zäöü漢字 ();'%=-]{1,60}[a-zé]\.(pdf|txt)", fullmatch=True).map(str.strip)
attachments = st.builds(
    Attachment,
    filename=filenames,
    content_type=st.sampled_from(["application/pdf", "text/plain", "image/png", "application/octet-stream"]),
    octets=st.binary(max_size=200),
)
outgoing = st.builds(
    OutgoingMessage,
    message_id=ids,
    date=st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.just(timezone(timedelta(hours=-3, minutes=-30))),
    ),
    from_=addresses,
    to=st.lists(addresses, max_size=8).map(tuple),
    cc=st.lists(addresses, max_size=2).map(tuple),
    subject=subjects,
    text=st.none() | bodies,
    html=st.none() | bodies,
    attachments=st.lists(attachments, max_size=3).map(tuple),
    importance=st.sampled_from([0, 1, 2]),
    in_reply_to=st.just("") | ids,
    references=st.lists(ids, max_size=5, unique=True).map(tuple),
)


def same_text(one: str | None, other: str | None) -> bool:
    """A message ends with CRLF, so a single body may gain one line end."""
    return (one or "").removesuffix("\n") == (other or "").removesuffix("\n")


@settings(max_examples=40, deadline=None)
@given(outgoing, st.booleans(), st.booleans())
def test_what_is_composed_reads_back(message: OutgoingMessage, utf8: bool, eight_bit: bool) -> None:
    octets = compose(message, utf8=utf8, eight_bit=eight_bit)
    parsed = parse_message(octets)
    assert parsed.subject == message.subject
    assert parsed.message_id == message.message_id
    assert parsed.from_ == (message.from_,)
    assert parsed.to == message.to
    assert parsed.cc == message.cc
    assert parsed.date == message.date.replace(microsecond=0)
    assert parsed.in_reply_to == message.in_reply_to
    assert parsed.references == message.references
    assert parsed.importance == message.importance
    assert same_text(parsed.text, message.text)
    assert same_text(parsed.html, message.html)
    assert [one.octets for one in parsed.attachments] == [one.octets for one in message.attachments]
    assert [one.filename for one in parsed.attachments] == [safe_filename(one.filename) for one in message.attachments]
    assert [one.content_type for one in parsed.attachments] == [one.content_type for one in message.attachments]
    assert set(parsed.defects) <= {"raw 8-bit header"}


@settings(max_examples=40, deadline=None)
@given(outgoing)
def test_any_seven_bit_server_can_take_it(message: OutgoingMessage) -> None:
    octets = compose(message)
    assert octets.isascii()
    assert octets.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\x00", octets)
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    header = octets.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(line.strip(b" ") for line in header)


@settings(max_examples=40, deadline=None)
@given(outgoing)
def test_the_same_message_gives_the_same_octets(message: OutgoingMessage) -> None:
    assert compose(message) == compose(replace(message))


@settings(max_examples=40, deadline=None)
@given(outgoing)
def test_the_standard_library_reads_the_same(message: OutgoingMessage) -> None:
    """A second opinion, so that our composer and our parser cannot agree on a mistake."""
    read = email.message_from_bytes(compose(message), policy=email.policy.default)
    assert read["Message-ID"].strip() == message.message_id
    assert [one.addr_spec for one in read["From"].addresses] == [message.from_.address]
    assert (
        [one.addr_spec for one in read["To"].addresses] == [one.address for one in message.to]
        if message.to
        else read["To"] is None
    )
    if message.attachments:
        assert [part.get_payload(decode=True) for part in read.iter_attachments()][-len(message.attachments) :] == [
            one.octets for one in message.attachments
        ]


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@evil.example", "a\rb", "a\nb", "a\x00b", "a\x0bb", "a\ud800b"])
@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("Subject", lambda bad: {"subject": bad}),
        ("From", lambda bad: {"from_": Address("ada@alder.example", bad)}),
        ("To", lambda bad: {"to": (Address(f"{bad}@alder.example"),)}),
        ("Cc", lambda bad: {"cc": (Address("c@alder.example", bad),)}),
        ("Message-ID", lambda bad: {"message_id": f"<{bad}@alder.example>"}),
        ("In-Reply-To", lambda bad: {"in_reply_to": f"<{bad}@alder.example>"}),
        ("References", lambda bad: {"references": ("<1@a>", f"<{bad}@alder.example>")}),
        ("X-Mine", lambda bad: {"extra_headers": (("X-Mine", bad),)}),
        ("filename", lambda bad: {"attachments": (Attachment(bad, "text/plain", b""),)}),
        ("content_type", lambda bad: {"attachments": (Attachment("a", f"text/{bad}", b""),)}),
        ("content_id", lambda bad: {"attachments": (Attachment("a", "text/plain", b"", content_id=bad),)}),
    ],
)
def test_controls_are_refused_by_name(field: str, change: object, bad: str) -> None:
    with pytest.raises(ComposeError) as caught:
        compose(replace(MESSAGE, **change(bad)), utf8=True)  # type: ignore[operator]
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
    assert "\x00" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"from_": Address("no address")},
        {"to": (Address("a@b@c"),)},
        {"to": (Address("jürgen@alder.example"),)},
        {"message_id": "1@alder.example"},
        {"message_id": ""},
        {"date": datetime(2024, 1, 1)},  # noqa: DTZ001
        {"importance": 3},
        {"extra_headers": (("Subject", "again"),)},
        {"extra_headers": (("Content-Type", "text/html"),)},
        {"extra_headers": (("X Bad", "x"),)},
        {"extra_headers": (("X-Bad:", "x"),)},
        {"text": "a\x00b"},
        {"html": "half \udc80"},
        {"attachments": (Attachment("a", "nonsense", b""),)},
    ],
)
def test_unusable_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ComposeError):
        compose(replace(MESSAGE, **change))  # type: ignore[arg-type]


def test_an_address_beyond_ascii_needs_smtputf8() -> None:
    octets = compose(replace(MESSAGE, to=(Address("jürgen@bücher.example", "Jürgen"),)), utf8=True)
    assert parse_message(octets).to == (Address("jürgen@bücher.example", "Jürgen"),)


def test_a_long_list_of_names_beyond_ascii_keeps_its_commas() -> None:
    """CVE-2025-1795."""
    people = tuple(Address(f"person{n}@birch.example", f"Jürgen Müller-Łukaszewicz, der {n}te") for n in range(300))
    octets = compose(replace(MESSAGE, to=people))
    header = octets.partition(b"\r\n\r\n")[0]
    assert header.count(b">,") == 299
    assert b"=2C=" not in header.replace(b"=2C_", b"")  # only those inside names
    assert parse_message(octets).to == people


def test_bodies_are_encoded_only_when_they_must_be() -> None:
    assert b"Content-Transfer-Encoding: 7bit\r\n" in compose(MESSAGE)
    umlauts = replace(MESSAGE, text="Grüße aus Köln, bis später\n" * 3)
    assert b"Content-Transfer-Encoding: quoted-printable\r\n" in compose(umlauts)
    assert b"Content-Transfer-Encoding: 8bit\r\n" in compose(umlauts, eight_bit=True)
    assert b"Content-Transfer-Encoding: base64\r\n" in compose(replace(MESSAGE, text="漢字かな交じり文"))
    assert b"Content-Transfer-Encoding: 7bit\r\n" not in compose(replace(MESSAGE, text="x" * 999))
    assert b"\r\n=46rom " in compose(replace(MESSAGE, text="Hi\nFrom here on\n"))


def test_inline_images_stand_beside_the_html() -> None:
    logo = Attachment("logo.png", "image/png", b"\x89PNG", content_id="logo@alder", inline=True)
    offer = Attachment("offer.pdf", "application/pdf", b"%PDF")
    parsed = parse_message(compose(replace(MESSAGE, html='<img src="cid:logo@alder">', attachments=(logo, offer))))
    assert parsed.text == "Hello\n"
    assert parsed.html == '<img src="cid:logo@alder">'
    assert parsed.attachments == (logo, offer)


def test_an_attached_message_keeps_its_octets() -> None:
    inner = b"Subject: inner\r\n\r\nplain\r\n"
    whole = compose(replace(MESSAGE, attachments=(Attachment("m.eml", "message/rfc822", inner),)))
    assert b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n" in whole
    assert parse_message(whole).attachments[0].octets == inner
    bare = b"Subject: inner\n\nbare line feeds\n"
    kept = parse_message(compose(replace(MESSAGE, attachments=(Attachment("m.eml", "message/rfc822", bare),)))).attachments[0]
    assert (kept.content_type, kept.octets) == ("application/octet-stream", bare)


def test_a_boundary_inside_an_attached_message_is_avoided() -> None:
    first = compose(replace(MESSAGE, attachments=(Attachment("a.bin", "text/plain", b"x"),)))
    boundary = re.search(rb'boundary="([^"]+)"', first)
    assert boundary is not None
    nasty = b"Subject: x\r\n\r\n--" + boundary[1] + b"\r\n\r\nnot a part\r\n"
    parsed = parse_message(compose(replace(MESSAGE, attachments=(Attachment("m.eml", "message/rfc822", nasty),))))
    assert [one.octets for one in parsed.attachments] == [nasty]


def test_importance_and_receipts_are_fields() -> None:
    parsed = parse_message(compose(replace(MESSAGE, importance=2, read_receipt=True, delivery_receipt=True)))
    assert parsed.importance == 2
    assert parsed.header("X-Priority") == "1"
    assert parsed.header("Disposition-Notification-To") == "Ada Alder <ada@alder.example>"
    assert parsed.header("Return-Receipt-To") == "Ada Alder <ada@alder.example>"


def test_a_calendar_keeps_its_method() -> None:
    octets = compose(
        replace(MESSAGE, attachments=(Attachment("invite.ics", "text/calendar; method=REQUEST", b"BEGIN:VCALENDAR\r\n"),))
    )
    assert b"Content-Type: text/calendar; method=REQUEST\r\n" in octets
    assert parse_message(octets).attachments[0].content_type == "text/calendar"
