"""Bodies, extended properties and those that mirror first-class ones (ews reference 7)."""

from __future__ import annotations

import base64

import pytest
from folders_scene import uri
from hypothesis import given, settings
from hypothesis import strategies as st
from items_scene import ANN, Items, creating, drop_field, extended, prop, set_extended, set_field, tag

from postroom_simulator.ews.items.html import cleaned, html_of, preview, text_of, unique_text

HTML = '<t:Body BodyType="HTML">&lt;html>&lt;body>&lt;p>one &lt;b>two&lt;/b>&lt;/p>&lt;script>bad()&lt;/script>&lt;/body>&lt;/html></t:Body>'
TEXT = '<t:Body BodyType="Text">a &lt; b\n  c</t:Body>'


def kind(name: str) -> str:
    return f"<t:BodyType>{name}</t:BodyType>"


def test_bodies_in_the_kind_that_is_asked_for(items: Items) -> None:
    html, text = items.draft(HTML), items.draft(TEXT)
    assert items.get(html, extra=kind("Text"))["Body"] == {"@BodyType": "Text", "": "one two"}
    assert items.get(html, extra=kind("Best"))["Body"]["@BodyType"] == "HTML"
    assert items.get(text, extra=kind("Best"))["Body"] == {"@BodyType": "Text", "": "a < b\n  c"}
    shown = items.get(text, extra=kind("HTML"))["Body"]
    assert shown["@BodyType"] == "HTML"
    assert "a &lt; b<br>" in shown[""]


def test_text_body_unique_body_normalized_body_preview(items: Items) -> None:
    made = items.draft(HTML)
    asked = uri("item:TextBody") + uri("item:UniqueBody") + uri("item:NormalizedBody") + uri("item:Preview")
    shown = items.get(made, asked, "IdOnly")
    assert shown["TextBody"] == {"@BodyType": "Text", "": "one two"}
    assert shown["UniqueBody"]["@BodyType"] == "HTML"
    assert "bad()" not in shown["NormalizedBody"][""]
    assert shown["Preview"] == "one two"
    assert len(preview("x " * 1000)) == 256


def test_bodies_are_cut_and_cleaned(items: Items) -> None:
    made = items.draft(HTML)
    cut = items.get(made, extra="<t:MaximumBodySize>10</t:MaximumBodySize>")["Body"]
    assert (len(cut[""]), cut["@IsTruncated"]) == (10, True)
    assert "bad()" in items.get(made)["Body"][""]
    assert "bad()" not in items.get(made, extra="<t:FilterHtmlContent>true</t:FilterHtmlContent>")["Body"][""]


def test_what_cleaning_takes_away() -> None:
    markup = '<p onclick="x()">a<a href="java\nscript:x()">b</a><img src="http://x.test/i.png"><iframe src=y></iframe></p>'
    clean = cleaned(markup, blank_targets=True, block_images=True)
    for gone in ("onclick", "script", "x.test", "iframe"):
        assert gone not in clean
    assert 'target="_blank"' in clean


def test_a_replys_own_text() -> None:
    assert unique_text("mine\r\n\r\nOn Monday Ann wrote:\r\n> hers\r\n") == "mine"
    assert unique_text("mine\r\n-----Original Message-----\r\nFrom: x") == "mine"
    assert unique_text("nothing quoted") == "nothing quoted"


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=200))
@settings(max_examples=60, deadline=None)
def test_text_survives_html(text: str) -> None:
    """All but runs of spaces and exotic blanks, which HTML does not keep."""
    assert "".join(text_of(html_of(text)).split()) == "".join(text.replace("\xa0", " ").split())


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_markup_becomes_text(markup: str) -> None:
    assert isinstance(text_of(markup), str)
    assert isinstance(text_of(f"<div>{markup}<p>"), str)
    assert isinstance(cleaned(markup), str)


def test_markup_nested_without_end() -> None:
    assert text_of("<div>" * 20_000 + "deep") in ("deep", "")
    assert isinstance(cleaned("<b>" * 20_000), str)


VALUES = [
    ("Binary", "AAEC", "AAEC"),
    ("Boolean", "1", "true"),
    ("CLSID", "{0006F03A-0000-0000-C000-000000000046}", "0006f03a-0000-0000-c000-000000000046"),
    ("Double", "1.50", "1.5"),
    ("Float", "2", "2"),
    ("Currency", "-3.25", "-3.25"),
    ("ApplicationTime", "42000.5", "42000.5"),
    ("Integer", "+0012", "12"),
    ("Long", "-9223372036854775808", "-9223372036854775808"),
    ("Short", "-5", "-5"),
    ("String", " kept as it is ", " kept as it is "),
    ("SystemTime", "2026-01-02T03:04:05.678+02:00", "2026-01-02T01:04:05Z"),
]


@pytest.mark.parametrize(("type_", "given_", "kept"), VALUES)
def test_every_type_and_its_array(items: Items, type_: str, given_: str, kept: str) -> None:
    single = f'<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="one" PropertyType="{type_}"/>'
    array = f'<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="all" PropertyType="{type_}Array"/>'
    values = f"<t:Values><t:Value>{given_}</t:Value><t:Value>{given_}</t:Value></t:Values>"
    inside = extended(single, f"<t:Value>{given_}</t:Value>")
    if type_ != "Boolean":
        inside += extended(array, values)
    made = items.draft(inside)
    shown = items.get(made, single + (array if type_ != "Boolean" else ""))
    assert prop(shown) == kept
    if type_ != "Boolean":
        assert prop(shown, 1) == [kept, kept]


@pytest.mark.parametrize(
    ("type_", "wrong"),
    [
        ("Binary", "!"),
        ("Boolean", "maybe"),
        ("CLSID", "x"),
        ("Integer", "2147483648"),
        ("Short", "40000"),
        ("Double", "x"),
        ("SystemTime", "today"),
        ("Long", "1" * 50),
    ],
)
def test_values_that_are_none(items: Items, type_: str, wrong: str) -> None:
    one = extended(tag("0x6701", type_), f"<t:Value>{wrong}</t:Value>")
    assert items.create(f"<t:Message>{one}</t:Message>")["ResponseCode"] == "ErrorInvalidExtendedPropertyValue"


def test_arrays_have_values_and_others_have_one(items: Items) -> None:
    one = extended(tag("0x6701", "StringArray"), "<t:Value>x</t:Value>")
    many = extended(tag("0x6701", "String"), "<t:Values><t:Value>x</t:Value></t:Values>")
    for wrong in (one, many):
        assert items.create(f"<t:Message>{wrong}</t:Message>")["ResponseCode"] == "ErrorInvalidExtendedPropertyValue"


@pytest.mark.parametrize("spelling", ["0x6701", "0x06701", "26369", "0X6701"])
def test_tags_compare_as_numbers_and_come_back_as_written(items: Items, spelling: str) -> None:
    made = items.draft(extended(tag("0x6701", "String"), "<t:Value>x</t:Value>"))
    shown = items.get(made, tag(spelling, "String"))
    assert prop(shown) == "x"
    assert shown["ExtendedProperty"][0]["ExtendedFieldURI"] == {"@PropertyTag": spelling, "@PropertyType": "String"}


def test_sets_by_name_and_by_id_are_one(items: Items) -> None:
    by_name = '<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertyId="34144" PropertyType="Integer"/>'
    by_id = (
        '<t:ExtendedFieldURI PropertySetId="00062008-0000-0000-C000-000000000046" PropertyId="34144" PropertyType="Integer"/>'
    )
    made = items.draft(extended(by_name, "<t:Value>7</t:Value>"))
    assert prop(items.get(made, by_id)) == "7"


def test_tags_that_need_a_name(items: Items) -> None:
    one = extended(tag("0x8123", "String"), "<t:Value>x</t:Value>")
    assert items.code(creating(f"<t:Message>{one}</t:Message>")) == "ErrorInvalidExtendedProperty"


def test_only_asked_ones_come_back(items: Items) -> None:
    made = items.draft(extended(tag("0x6701", "String"), "<t:Value>x</t:Value>"))
    assert "ExtendedProperty" not in items.get(made)
    made = items.updated(made, f"<t:DeleteItemField>{tag('0x6701', 'String')}</t:DeleteItemField>")
    assert "ExtendedProperty" not in items.get(made, tag("0x6701", "String"))


KEYWORDS = '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="Keywords" PropertyType="StringArray"/>'
HEADER = '<t:ExtendedFieldURI DistinguishedPropertySetId="InternetHeaders" PropertyName="X-Mine" PropertyType="String"/>'


def test_keywords_are_categories(items: Items) -> None:
    made = items.draft(extended(KEYWORDS, "<t:Values><t:Value>red</t:Value><t:Value>blue</t:Value></t:Values>"))
    assert items.get(made)["Categories"]["String"] == ["red", "blue"]
    made = items.updated(made, set_field("item:Categories", "<t:Categories><t:String>green</t:String></t:Categories>"))
    assert prop(items.get(made, KEYWORDS)) == ["green"]


def test_headers_by_name(items: Items) -> None:
    made = items.draft(extended(HEADER, "<t:Value>mine</t:Value>"))
    assert b"X-Mine: mine\r\n" in items.mime(made)
    got = items.deliver(b"From: x@out.test\r\nx-mine: there\r\n\r\n")
    shown = items.get(got, HEADER + '<t:IndexedFieldURI FieldURI="item:InternetMessageHeader" FieldIndex="X-Mine"/>', "IdOnly")
    assert prop(shown) == "there"
    assert shown["InternetMessageHeaders"]["InternetMessageHeader"] == [{"@HeaderName": "x-mine", "": "there"}]


@pytest.mark.parametrize(("number", "status"), [("2", "Flagged"), ("1", "Complete"), ("0", "NotFlagged")])
def test_flags_both_ways(items: Items, number: str, status: str) -> None:
    flag = tag("0x1090", "Integer")
    made = items.draft(extended(flag, f"<t:Value>{number}</t:Value>"))
    assert items.get(made)["Flag"]["FlagStatus"] == status
    other = items.updated(items.draft(), set_field("item:Flag", f"<t:Flag><t:FlagStatus>{status}</t:FlagStatus></t:Flag>"))
    shown = items.get(other, flag)
    assert (prop(shown) if "ExtendedProperty" in shown else "0") == number


MIRRORS = [
    ("0x1a", "String", "ItemClass", "IPM.Note"),
    ("0x37", "String", "Subject", "RE: about"),
    ("0xe1d", "String", None, "about"),
    ("0x3d", "String", None, "RE: "),
    ("0x70", "String", "ConversationTopic", "about"),
    ("0x17", "Integer", None, "2"),
    ("0x36", "Integer", None, "3"),
    ("0xe08", "Integer", "Size", None),
    ("0xe06", "SystemTime", "DateTimeReceived", None),
    ("0x39", "SystemTime", "DateTimeSent", None),
    ("0x3007", "SystemTime", "DateTimeCreated", None),
    ("0x3008", "SystemTime", "LastModifiedTime", None),
    ("0x1035", "String", "InternetMessageId", None),
    ("0x3ffa", "String", "LastModifiedName", "Ann Alder"),
    ("0xe1b", "Boolean", "HasAttachments", "false"),
    ("0x1000", "String", None, "a < b\n  c"),
]


@pytest.mark.parametrize(("number", "type_", "element", "text"), MIRRORS)
def test_mirrors(items: Items, number: str, type_: str, element: str | None, text: str | None) -> None:
    from postroom_simulator.ews.items.extended import text_of as as_text

    made = items.draft(
        f"<t:Subject>RE: about</t:Subject><t:Sensitivity>Confidential</t:Sensitivity>{TEXT}<t:Importance>High</t:Importance>"
    )
    shown = items.get(made, tag(number, type_))
    if element is not None:
        assert prop(shown) == as_text(shown[element])
    if text is not None:
        assert prop(shown) == text


def test_the_address_of_a_message(items: Items) -> None:
    got = items.deliver()
    shown = items.get(got, tag("0xc1f", "String") + tag("0xc1a", "String") + tag("0x42", "String") + tag("0x7d", "String"))
    assert [prop(shown, index) for index in range(3)] == ["x@out.test", "Xenia", "Xenia"]
    assert "X-Kept: as it is\r\n" in prop(shown, 3)


def test_record_keys_are_unique_and_stay(items: Items) -> None:
    key = tag("0xff9", "Binary")
    one, two = items.deliver(), items.deliver()
    keys = [prop(items.get(item, key)) for item in (one, two)]
    assert len(set(keys)) == 2
    assert all(base64.b64decode(each) for each in keys)
    one = items.updated(one, set_field("item:Subject", "<t:Subject>new</t:Subject>"))
    assert prop(items.get(one, key)) == keys[0]


def test_url_names(items: Items) -> None:
    name = tag("0x10f3", "String")
    made = items.draft(extended(name, "<t:Value>0123.EML</t:Value>"))
    assert prop(items.get(made, name)) == "0123.EML"
    assert prop(items.get(items.draft(), name)).endswith(".EML")


def test_properties_that_only_the_server_sets(items: Items) -> None:
    made = items.draft()
    for number, type_, value in (
        ("0xe08", "Integer", "5"),
        ("0xe23", "Integer", "5"),
        ("0xff9", "Binary", "AAAA"),
        ("0x3008", "SystemTime", "2026-01-01T00:00:00Z"),
    ):
        assert (
            items.update(made, set_extended(tag(number, type_), f"<t:Value>{value}</t:Value>"))["ResponseCode"]
            == "ErrorInvalidPropertySet"
        )


def test_read_by_flags(items: Items) -> None:
    got = items.deliver()
    got = items.updated(got, set_extended(tag("0xe07", "Integer"), "<t:Value>1</t:Value>"))
    assert items.get(got)["IsRead"] is True
    draft = items.updated(items.draft(), set_extended(tag("0xe07", "Integer"), "<t:Value>1</t:Value>"))
    assert items.get(draft)["IsDraft"] is True


def test_conversations_by_topic(items: Items) -> None:
    one = items.deliver(b"From: x@out.test\r\nSubject: talk\r\n\r\n")
    two = items.deliver(b"From: y@out.test\r\nSubject: Re: AW: Talk\r\n\r\n")
    other = items.deliver(b"From: y@out.test\r\nSubject: else\r\n\r\n")
    ids = [items.get(item)["ConversationId"]["@Id"] for item in (one, two, other)]
    assert ids[0] == ids[1] != ids[2]


def test_rights_and_keys(items: Items) -> None:
    shown = items.get(items.draft(), uri("item:StoreEntryId"))
    assert shown["EffectiveRights"]["Modify"] is True
    assert shown["EffectiveRights"]["CreateContents"] is False
    for name in ("InstanceKey", "StoreEntryId"):
        assert shown[name]
    assert shown["LastModifiedName"] == "Ann Alder"


def test_reminders(items: Items) -> None:
    inside = "<t:ReminderDueBy>2026-02-03T10:00:00Z</t:ReminderDueBy><t:ReminderIsSet>true</t:ReminderIsSet>"
    made = items.draft(inside)
    named_ = '<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertyId="34051" PropertyType="Boolean"/>'
    shown = items.get(made, named_)
    assert (shown["ReminderIsSet"], prop(shown)) == (True, "true")
    made = items.updated(made, drop_field("item:ReminderDueBy"))
    assert "ReminderDueBy" not in items.get(made)


def test_times_without_a_zone_are_in_utc(items: Items) -> None:
    made = items.draft(extended(tag("0xe06", "SystemTime"), "<t:Value>2026-02-03T10:00:00</t:Value>"))
    assert items.get(made)["DateTimeReceived"].isoformat() == "2026-02-03T10:00:00+00:00"


def test_control_characters_become_legal(items: Items) -> None:
    got = items.deliver(b"From: x@out.test\r\nSubject: a\x01b\r\n\r\nc\x02d\r\n")
    shown = items.get(got)
    assert (shown["Subject"], shown["Body"][""]) == ("a\ufffdb", "c\ufffdd\r\n")
    assert items.mime(got) == items.world.inbox(ANN)[0]


def test_large_messages_are_shown_like_small_ones(items: Items) -> None:
    got = items.deliver(b"From: x@out.test\r\nSubject: big\r\n\r\n" + b"0123456789\r\n" * 10_000)
    asked = uri("item:Preview") + uri("item:TextBody")
    for _ in range(2):
        shown = items.get(got, asked, "Default")
        assert len(shown["Body"][""]) == len(shown["TextBody"][""]) == 120_000
        assert shown["Preview"].startswith("0123456789 0123456789")
        assert set(items.get(got, uri("item:Preview"), "IdOnly")) == {"ItemId", "Preview"}
        assert len(prop(items.get(got, tag("0x1000", "String"), "IdOnly"))) == 120_000


@pytest.mark.parametrize(("item_class", "folder"), [("IPM.StickyNote", "notes"), ("IPM.Activity", "journal")])
def test_items_of_other_classes_have_their_folders(items: Items, item_class: str, folder: str) -> None:
    made = items.made(f"<t:Item><t:ItemClass>{item_class}</t:ItemClass><t:Subject>x</t:Subject></t:Item>")
    assert items.listed(folder) == [made]
    assert items.get(made)["IsDraft"] is (item_class == "IPM.StickyNote")  # a message, and nobody sent it


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (tag("0x37", "StringArray"), "<t:Values><t:Value>x</t:Value></t:Values>", "ErrorInvalidExtendedPropertyValue"),
        (KEYWORDS.replace("StringArray", "String"), "<t:Value>x</t:Value>", "ErrorInvalidExtendedPropertyValue"),
        (tag("0xe06", "String"), "<t:Value>some day</t:Value>", "ErrorInvalidExtendedPropertyValue"),
        (tag("0xe07", "String"), "<t:Value>x</t:Value>", "ErrorInvalidExtendedPropertyValue"),
        (tag("0x17", "Integer"), "<t:Value>9</t:Value>", "ErrorInvalidExtendedPropertyValue"),
        (tag("0x1a", "String"), "<t:Value>IPM.Appointment</t:Value>", "ErrorObjectTypeChanged"),
    ],
)
def test_mirrors_take_only_what_their_elements_can_be(items: Items, path: str, value: str, code: str) -> None:
    assert items.create(f"<t:Message>{extended(path, value)}</t:Message>")["ResponseCode"] == code
    made = items.draft()
    assert items.update(made, set_extended(path, value))["ResponseCode"] == code
    assert items.get(made)["ItemId"] == made


def test_a_class_by_its_property(items: Items) -> None:
    made = items.draft(extended(tag("0x1a", "String"), "<t:Value>IPM.Note.Mine</t:Value>"))
    assert items.get(made)["ItemClass"] == "IPM.Note.Mine"


def test_a_sender_without_an_address_cannot_send(items: Items) -> None:
    nameless = extended(tag("0x42", "String"), "<t:Value>Nobody</t:Value>")
    to_bob = "<t:ToRecipients><t:Mailbox><t:EmailAddress>bob@sim.test</t:EmailAddress></t:Mailbox></t:ToRecipients>"
    assert items.create(f"<t:Message>{nameless}{to_bob}</t:Message>", "SendOnly")["ResponseCode"] == "ErrorSendAsDenied"


def test_pictures_from_elsewhere_are_blocked_and_that_is_told(items: Items) -> None:
    """BlockExternalImages, HasBlockedImages, BlockStatus (MS-OXWSCORE 2.2.4.24; since 2013)."""
    made = items.draft('<t:Body BodyType="HTML">&lt;p&gt;a&lt;img src="https://x.test/y.png"&gt;&lt;/p&gt;</t:Body>')
    plain = items.draft('<t:Body BodyType="HTML">&lt;p&gt;a&lt;/p&gt;</t:Body>')
    blocking = "<t:BlockExternalImages>true</t:BlockExternalImages>"
    for item, extra, blocked in ((made, blocking, True), (made, "", False), (plain, blocking, False)):
        found = items.get(item, extra=extra)
        assert (found["HasBlockedImages"], found["BlockStatus"]) == (blocked, blocked)
        assert ("https://x.test/y.png" in found["Body"][""]) is (item is made and not blocked)
    assert "HasBlockedImages" not in items.get(made, version="Exchange2010_SP2")
