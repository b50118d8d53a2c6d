"""vCards by themselves: what is written is read again, and what is hostile ends soon."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator.ews.people.vcard import LIMIT, read_vcard, write_vcard

REVISED = datetime(2026, 11, 22, tzinfo=UTC)
LINE = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=60).map(
    lambda text: " ".join(text.split())
)
WORDS = LINE.filter(bool)
PHONES = [
    "BusinessPhone",
    "BusinessFax",
    "HomePhone",
    "HomeFax",
    "MobilePhone",
    "Pager",
    "CarPhone",
    "Isdn",
    "OtherFax",
    "Telex",
    "Callback",
]


def entries(keys: list[str]) -> st.SearchStrategy[dict[str, object]]:
    pairs = st.lists(WORDS, min_size=1, max_size=len(keys))
    return pairs.map(lambda texts: {"Entry": [{"@Key": key, "": text} for key, text in zip(keys, texts, strict=False)]})


CONTACTS = st.fixed_dictionaries(
    {"DisplayName": WORDS},
    optional={
        "GivenName": WORDS,
        "Surname": WORDS,
        "MiddleName": WORDS,
        "Generation": WORDS,
        "Nickname": WORDS,
        "JobTitle": WORDS,
        "CompanyName": WORDS,
        "Profession": WORDS,
        "Manager": WORDS,
        "EmailAddresses": entries(["EmailAddress1", "EmailAddress2", "EmailAddress3"]),
        "ImAddresses": entries(["ImAddress1", "ImAddress2"]),
        "Body": st.lists(WORDS, min_size=1, max_size=4).map(lambda lines: {"@BodyType": "Text", "": "\n".join(lines)}),
        "Sensitivity": st.sampled_from(["Private", "Confidential"]),
        "Birthday": st.dates(datetime(1900, 1, 1).date(), datetime(2100, 1, 1).date()).map(  # noqa: DTZ001
            lambda day: datetime(day.year, day.month, day.day, 11, 59, tzinfo=UTC)
        ),
    },
)


@settings(max_examples=80, deadline=None)
@given(CONTACTS)
def test_what_is_written_is_read_again(contact: dict[str, object]) -> None:
    octets = write_vcard(contact, uid="7", revised=REVISED)
    assert max(map(len, octets.split(b"\r\n"))) <= 75
    octets.decode()
    assert read_vcard(octets) == {"Sensitivity": "Normal"} | contact


@pytest.mark.parametrize("kind", PHONES)
def test_each_kind_of_number_has_its_place(kind: str) -> None:
    numbers = {"Entry": [{"@Key": kind, "": "079"}]}
    assert read_vcard(write_vcard({"PhoneNumbers": numbers}, uid="1", revised=REVISED))["PhoneNumbers"] == numbers


def test_all_kinds_of_address_and_the_photo() -> None:
    contact = {
        "PhysicalAddresses": {
            "Entry": [{"@Key": key, "Street": "A; 1\nB, 2", "City": key} for key in ("Business", "Home", "Other")]
        },
        "Attachments": [("FileAttachment", {"IsContactPhoto": True, "ContentType": "image/png", "Content": b"\x89PNG" * 99})],
        "Categories": {"String": ["a", "b c"]},
        "Children": {"String": ["Ada", "Bo"]},
    }
    found = read_vcard(write_vcard(contact, uid="1", revised=REVISED))
    assert found["PhysicalAddresses"] == contact["PhysicalAddresses"]
    assert (found["Categories"], found["Children"]) == (contact["Categories"], contact["Children"])
    ((element, photo),) = found["Attachments"]
    assert (element, photo["Content"], photo["Name"], photo["ContentType"]) == (
        "FileAttachment",
        b"\x89PNG" * 99,
        "ContactPicture.jpg",
        "image/png",
    )


@pytest.mark.parametrize(
    ("line", "element", "value"),
    [
        ("BDAY:19800517", "Birthday", datetime(1980, 5, 17, 11, 59, tzinfo=UTC)),
        ("ANNIVERSARY:2001-02-03", "WeddingAnniversary", datetime(2001, 2, 3, 11, 59, tzinfo=UTC)),
        ("item1.EMAIL;TYPE=HOME:a@b.test", "EmailAddresses", {"Entry": [{"@Key": "EmailAddress1", "": "a@b.test"}]}),
        ("TEL;VALUE=uri;TYPE=cell:tel:+41", "PhoneNumbers", {"Entry": [{"@Key": "MobilePhone", "": "+41"}]}),
        ("TEL;HOME;FAX:1", "PhoneNumbers", {"Entry": [{"@Key": "HomeFax", "": "1"}]}),
        ("IMPP:xmpp:a@b", "ImAddresses", {"Entry": [{"@Key": "ImAddress1", "": "xmpp:a@b"}]}),
        ("ORG:A;B", "Department", "B"),
    ],
)
def test_other_writers_spellings(line: str, element: str, value: object) -> None:
    assert read_vcard(f"BEGIN:VCARD\nVERSION:3.0\n{line}\nEND:VCARD\n".encode())[element] == value


@pytest.mark.parametrize(
    "line",
    ["BDAY:soon", "BDAY:99999-99-99", "PHOTO:http://x.test/a.jpg", "PHOTO:data:image/png;base64,@@", "PHOTO;ENCODING=B:***"],
)
def test_what_there_is_no_place_for_is_left_out(line: str) -> None:
    assert read_vcard(f"BEGIN:VCARD\nVERSION:3.0\n{line}\nEND:VCARD\n".encode()) == {}


HEAD, TAIL = b"BEGIN:VCARD\r\nVERSION:3.0\r\n", b"END:VCARD\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        b"BEGIN:VCARD\r\n" * 5000 + TAIL * 5000,
        b"BEGIN:VCARD\r\n" * 5000,
        HEAD + b"NOTE;CHARSET=nonsense;ENCODING=QUOTED-PRINTABLE:=41\r\n" + TAIL,
        HEAD + b"a\r\n" * 30_000 + TAIL,
        HEAD + b"x" * (LIMIT + 1) + TAIL,
        b"\0\xff" * 100,
        b"",
    ],
)
def test_nonsense_is_a_value_error(octets: bytes) -> None:
    with pytest.raises(ValueError):
        read_vcard(octets)


@pytest.mark.parametrize(
    "line",
    [
        b"N:" + b";" * 50_000,
        b"TEL" + b";TYPE=A" * 5_000 + b":1",
        b'TEL;X="' + b"a" * 50_000 + b":1",
        b"-" * 50_000 + b":x",
        b"a." * 50_000 + b"B:x",
    ],
)
def test_long_lines_end_soon(line: bytes) -> None:
    read_vcard(HEAD + line + b"\r\n" + TAIL)


def test_lines_that_cannot_be_read_are_not_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        read_vcard(HEAD + b"a secret line\r\n" + TAIL)
    assert "secret" not in caplog.text + capfd.readouterr().err
