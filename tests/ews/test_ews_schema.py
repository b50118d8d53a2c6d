"""The schema as data: whole, and what it makes of values."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from lxml import etree

from postroom_simulator.ews import codec, schema
from postroom_simulator.ews.errors import EwsError
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


# -- forms of the notation


def written(kind: str, value: object, version: Version = NEWEST) -> str:
    return codec.write("X", kind, value, version, "t").removeprefix("<t:X").removesuffix("</t:X>")


def read(kind: str, text: str) -> object:
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in codec.NAMESPACES.items())
    return codec.read_as(etree.fromstring(f"<x {spaces}>{text}</x>")[0], kind)


def test_a_choice_with_attributes_has_its_pairs_under_the_empty_name() -> None:
    pairs = [("Transition", {"To": {"@Kind": "Group", "": "0"}}), ("Transition", {"To": {"@Kind": "Period", "": "std"}})]
    value = {"@Id": "0", "": pairs}
    text = codec.write("TransitionsGroup", "ArrayOfTransitionsType", value, NEWEST, "t")
    assert text.startswith('<t:TransitionsGroup Id="0"><t:Transition><t:To Kind="Group">0</t:To></t:Transition><t:Transition>')
    assert read("ArrayOfTransitionsType", text) == value


def test_events_mix_behind_the_other_children() -> None:
    status = ("StatusEvent", {"Watermark": "w"})
    created = (
        "CreatedEvent",
        {"TimeStamp": datetime(2026, 11, 22, tzinfo=UTC), "ItemId": {"@Id": "i"}, "ParentFolderId": {"@Id": "f"}},
    )
    value = {"": [created, status, created], "MoreEvents": False, "SubscriptionId": "s"}
    text = codec.write("Notification", "NotificationType", value, NEWEST, "t")
    names = [etree.QName(child).localname for child in etree.fromstring(text.replace("t:", ""))]
    assert names == ["SubscriptionId", "MoreEvents", "CreatedEvent", "StatusEvent", "CreatedEvent"]
    assert read("NotificationType", text) == value


def test_children_of_the_other_namespace() -> None:
    settings = {"OofState": "Disabled", "ExternalAudience": "None"}
    value = {"ResponseMessage": {"@ResponseClass": "Success"}, "OofSettings": settings, "AllowExternalOof": "All"}
    text = codec.write("GetUserOofSettingsResponse", "GetUserOofSettingsResponse", value, NEWEST)
    assert "<t:OofSettings>" in text
    assert "<m:AllowExternalOof>All<" in text


def test_a_language_is_an_attribute_of_xml() -> None:
    value = {"@xml:lang": "de-DE", "Message": "bin weg"}
    assert written("ReplyBody", value) == ' xml:lang="de-DE"><t:Message>bin weg</t:Message>'
    assert read("ReplyBody", f"<t:X{written('ReplyBody', value)}</t:X>") == value


@pytest.mark.parametrize("kinds", [[], ["FolderId", "DistinguishedFolderId"]])
def test_one_of_several_alternatives_is_read(kinds: list[str]) -> None:
    children = "".join(f'<t:{kind} Id="inbox"/>' for kind in kinds)
    with pytest.raises(codec.SchemaViolation):
        read("TargetFolderIdType", f"<t:X>{children}</t:X>")


def test_what_came_later_is_no_violation_but_newer() -> None:
    element = etree.fromstring(
        '<m:FindItem xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" Traversal="Shallow"><m:QueryString>x</m:QueryString></m:FindItem>'
    )
    with pytest.raises(codec.NewerThanVersion):
        codec.read(element, Version.EXCHANGE_2007)


def test_values_that_a_version_does_not_know_are_left_out() -> None:
    value = {"Name": "n", "MailboxType": "GroupMailbox"}
    assert "MailboxType" not in written("EmailAddressType", value, Version.EXCHANGE_2010)
    assert "MailboxType" in written("EmailAddressType", value)
    with pytest.raises(TypeError):
        written("EmailAddressType", {"MailboxType": "Letterbox"})


def test_what_is_nested_too_deep_is_refused() -> None:
    deep = 2000
    text = "<t:X>" + "<t:Not>" * deep + "</t:Not>" * deep + "</t:X>"
    spaces = f'xmlns:t="{codec.NAMESPACES["t"]}"'
    element = etree.fromstring(text.replace("<t:X>", f"<t:X {spaces}>"), etree.XMLParser(huge_tree=True))
    with pytest.raises(codec.SchemaViolation, match="nested"):
        codec.read_as(element, "RestrictionType")


def test_messages_name_the_property_and_the_values_of_an_error() -> None:
    error = EwsError("ErrorInvalidPropertySet", path=("FieldURI", {"@FieldURI": "item:Size"}), values={"Reason": "read-only"})
    text = codec.write("MessageXml", "MessageXmlType", error.message_xml(), NEWEST)
    assert text == '<m:MessageXml><t:FieldURI FieldURI="item:Size"/><t:Value Name="Reason">read-only</t:Value></m:MessageXml>'
    assert EwsError("ErrorItemNotFound").message_xml() is None


def test_an_element_that_is_nil_has_no_value() -> None:
    key = "<t:DictionaryKey><t:Type>String</t:Type><t:Value>k</t:Value></t:DictionaryKey>"
    entry = read("UserConfigurationDictionaryEntryType", f'<t:X>{key}<t:DictionaryValue xsi:nil="true"/></t:X>')
    assert entry == {"DictionaryKey": {"Type": "String", "Value": ["k"]}, "DictionaryValue": None}


def test_dates_have_a_zone_that_is_not_read() -> None:
    assert written("NoEndRecurrenceRangeType", {"StartDate": date(2027, 3, 1)}) == "><t:StartDate>2027-03-01Z</t:StartDate>"
    for text in ("2027-03-01", "2027-03-01Z", "2027-03-01-08:00", "2027-03-01+13:00"):
        assert read("NoEndRecurrenceRangeType", f"<t:X><t:StartDate>{text}</t:StartDate></t:X>") == {
            "StartDate": date(2027, 3, 1)
        }


def test_an_attribute_that_has_to_be_there_is_missed() -> None:
    with pytest.raises(codec.SchemaViolation, match="Traversal"):
        codec.read(etree.fromstring('<m:FindFolder xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"/>'))
