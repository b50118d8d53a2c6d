"""The schema as data: whole, and what it makes of values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from lxml import etree

from postroom_simulator.ews import codec, schema
from postroom_simulator.ews.versions import Version

NEWEST = max(Version)


def test_every_type_that_is_named_is_there() -> None:
    known = set(schema.names())
    missing = {
        (name, child.type)
        for name in known
        for child in (*schema.type_named(name).children.values(), *schema.type_named(name).attributes.values())
        if child.type not in known and child.type not in schema.SIMPLE
    }
    assert not missing


def test_children_are_written_in_the_schemas_order_whatever_the_values_order() -> None:
    text = codec.write("Message", "MessageType", {"IsRead": True, "Subject": "s", "ItemId": {"@Id": "i"}}, NEWEST, "t")
    assert text == '<t:Message><t:ItemId Id="i"/><t:Subject>s</t:Subject><t:IsRead>true</t:IsRead></t:Message>'


def test_what_a_version_does_not_know_is_left_out() -> None:
    value = {"Subject": "s", "Flag": {"FlagStatus": "Flagged"}}
    assert "Flag" not in codec.write("Item", "ItemType", value, Version.EXCHANGE_2010, "t")
    assert "Flag" in codec.write("Item", "ItemType", value, Version.EXCHANGE_2013, "t")


def test_an_element_that_the_type_does_not_have_is_a_mistake_of_the_program() -> None:
    with pytest.raises(KeyError):
        codec.write("Item", "ItemType", {"Subjekt": "s"}, NEWEST, "t")


def test_moments_are_in_utc_with_whole_seconds_and_z() -> None:
    at = datetime(2026, 11, 21, 21, 53, 45, 999_999, timezone(timedelta(hours=1)))
    assert ">2026-11-21T20:53:45Z<" in codec.write("Item", "ItemType", {"DateTimeSent": at}, NEWEST, "t")


@pytest.mark.parametrize("text", ["a\x00b", "a\x0bb", "a\ufffeb", "a\ud800b"])
def test_characters_that_xml_cannot_have_are_replaced(text: str) -> None:
    written = codec.write("Item", "ItemType", {"Subject": text}, NEWEST, "t")
    assert etree.fromstring(written.replace("t:", "").encode()).findtext("Subject") == "a\ufffdb"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T20:53:45Z", datetime(2026, 11, 21, 20, 53, 45, tzinfo=UTC)),
        ("2026-11-21T20:53:45.123Z", datetime(2026, 11, 21, 20, 53, 45, tzinfo=UTC)),
        ("2026-11-21T20:53:45.000+00:00", datetime(2026, 11, 21, 20, 53, 45, tzinfo=UTC)),
        ("2026-11-21T21:53:45+01:00", datetime(2026, 11, 21, 20, 53, 45, tzinfo=UTC)),
        ("2026-11-21T20:53:45", datetime(2026, 11, 21, 20, 53, 45)),  # noqa: DTZ001
        ("2026-11-21", datetime(2026, 11, 21)),  # noqa: DTZ001
    ],
)
def test_moments_are_read_with_fractions_offsets_and_without_a_zone(text: str, moment: datetime) -> None:
    assert codec.moment(text) == moment
