"""What messages tell beside their text: voting buttons (MS-OXOMSG 2.2.1.74, 4.5) and what they mention (EntityExtractionResult)."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from items_scene import Items, items

from postroom_simulator.ews.items.entities import entities
from postroom_simulator.ews.items.voting import options

__all__ = ["items"]

STREAM = bytes.fromhex(
    "020103000000"
    "04000000 03596573 0849504D2E4E6F7465 00 03596573 00000000 00 00000000 01000000 02000000 02000000 01000000 FFFFFFFF"
    "04000000 024E6F 0849504D2E4E6F7465 00 024E6F 00000000 00 00000000 01000000 02000000 02000000 02000000 FFFFFFFF"
    "04000000 054D61796265 0849504D2E4E6F7465 00 054D61796265 00000000 00 00000000 01000000 02000000 02000000 03000000 FFFFFFFF"
    "0401 03590065007300 03590065007300 024E006F00 024E006F00 054D0061007900620065 00 054D0061007900620065 00".replace(" ", "")
)
"""The published example: Yes, No, Maybe."""


def vote(number: int, kind: str, text: str) -> str:
    path = f'<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertyId="{number}" PropertyType="{kind}"/>'
    return f"<t:ExtendedProperty>{path}<t:Value>{text}</t:Value></t:ExtendedProperty>"


def test_the_published_stream() -> None:
    assert options(STREAM) == [{"DisplayName": name, "SendPrompt": "VotingOption"} for name in ("Yes", "No", "Maybe")]


def test_options_of_a_message(items: Items) -> None:
    buttons = vote(0x8520, "Binary", base64.b64encode(STREAM).decode())
    shown = items.get(items.draft(f"<t:Subject>lunch?</t:Subject>{buttons}"))
    assert [one["DisplayName"] for one in shown["VotingInformation"]["UserOptions"]["VotingOptionData"]] == [
        "Yes",
        "No",
        "Maybe",
    ]
    answered = items.get(items.draft(vote(0x8524, "String", "Maybe")))
    assert answered["VotingInformation"] == {"VotingResponse": "Maybe"}
    assert "VotingInformation" not in items.get(items.draft())
    assert "VotingInformation" not in items.get(items.draft(buttons), version="Exchange2010_SP2")


@pytest.mark.parametrize(
    "stream", [b"", b"\2\1", STREAM[:40], STREAM[:-1], b"\2\1\xff\xff\xff\xff" + STREAM[6:], b"\1" + STREAM[1:]]
)
def test_a_stream_that_cannot_be_read_has_no_options(stream: bytes) -> None:
    assert options(stream) == []


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(STREAM)))
def test_any_octets_are_read(octets: bytes, place: int) -> None:
    for name in options(STREAM[:place] + octets + STREAM[place:]):
        assert set(name) == {"DisplayName", "SendPrompt"}


# -- what a text mentions


def found(text: str, subject: str = "", kind: str = "Text") -> dict[str, Any]:
    return entities({"Subject": subject, "Body": {"@BodyType": kind, "": text}}) or {}


def texts(value: dict[str, Any], element: str) -> list[Any]:
    names = {"Urls": "Url", "EmailAddresses": "EmailAddress", "Addresses": "Address", "PhoneNumbers": "OriginalPhoneString"}
    return [one[names[element]] for (rows,) in [value.get(element, {"": []}).values()] for one in rows]


TEXT = (
    "Come to 1 Harbour Street, Portland, OR 97201 (see https://a.test/map?x=1, or www.b.test/y.).\r\n"
    "Call +1 (425) 555-0100 or 425-555-0101; write to kim.x+y@mail.sim.test. Order 12 of 2026-11-22 at 10:30."
)


def test_what_a_text_mentions() -> None:
    value = found(TEXT)
    assert texts(value, "Addresses") == ["1 Harbour Street, Portland, OR 97201"]
    assert texts(value, "Urls") == ["https://a.test/map?x=1", "www.b.test/y"]
    assert texts(value, "EmailAddresses") == ["kim.x+y@mail.sim.test"]
    assert texts(value, "PhoneNumbers") == ["+1 (425) 555-0100", "425-555-0101"]
    assert value["PhoneNumbers"]["Phone"][0] | {} == {
        "Position": ["LatestReply"],
        "OriginalPhoneString": "+1 (425) 555-0100",
        "PhoneString": "+14255550100",
        "Type": "Unspecified",
    }


def test_where_it_is_mentioned() -> None:
    text = "see http://a.test\r\n-- \r\nhttp://b.test\r\n\r\n-----Original Message-----\r\nFrom: x\r\n\r\nhttp://c.test and http://a.test\r\n"
    rows = found(text, subject="about http://a.test")["Urls"]["UrlEntity"]
    assert {one["Url"]: one["Position"] for one in rows} == {
        "http://a.test": ["LatestReply", "Subject"],
        "http://b.test": ["Signature"],
        "http://c.test": ["Other"],
    }


def test_a_text_with_markup_is_read_as_people_see_it() -> None:
    assert texts(found("<p>at <b>http://a.test</b></p>", kind="HTML"), "Urls") == ["http://a.test"]


def test_it_is_told_to_who_asks_for_it(items: Items) -> None:
    draft = items.draft('<t:Subject>s</t:Subject><t:Body BodyType="Text">see http://a.test</t:Body>')
    asked = items.get(draft, '<t:FieldURI FieldURI="item:EntityExtractionResult"/>', shape="IdOnly")
    assert texts(asked["EntityExtractionResult"], "Urls") == ["http://a.test"]
    assert "EntityExtractionResult" not in items.get(draft)
    plain = items.draft()
    path = '<t:FieldURI FieldURI="item:EntityExtractionResult"/>'
    assert "EntityExtractionResult" not in items.get(plain, path, shape="IdOnly")


@pytest.mark.parametrize("one", ["1 ", "a.", "A ", "1 A ", "@", "a@", "(1", "http://", "+", "1-", "www.", "a-"])
def test_no_text_takes_long(one: str) -> None:
    before = time.process_time()
    found(one * 100_000)
    assert time.process_time() - before < 3
