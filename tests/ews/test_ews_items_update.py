"""UpdateItem, sentence by sentence (ews reference 5, 8)."""

from __future__ import annotations

import pytest
from items_scene import BOB, MAIL, Items, drop_field, extended, getting, mime, prop, set_extended, set_field, tag, to

SUBJECT = set_field("item:Subject", "<t:Subject>new</t:Subject>")
RED = set_field("item:Categories", "<t:Categories><t:String>red</t:String></t:Categories>")


def test_set_append_and_delete(items: Items) -> None:
    made = items.draft(
        '<t:Subject>s</t:Subject><t:Body BodyType="Text">one</t:Body><t:Importance>High</t:Importance>' + to("a@out.test")
    )
    more = set_field("message:ToRecipients", to("b@out.test"), action="AppendToItemField")
    body = set_field("item:Body", '<t:Body BodyType="Text"> two</t:Body>', action="AppendToItemField")
    made = items.updated(made, SUBJECT + more + body)
    shown = items.get(made)
    assert shown["Subject"] == "new"
    assert shown["Body"][""] == "one two"
    assert [box["EmailAddress"] for box in shown["ToRecipients"]["Mailbox"]] == ["a@out.test", "b@out.test"]
    made = items.updated(made, drop_field("item:Subject") + drop_field("message:ToRecipients"))
    assert not {"Subject", "ToRecipients", "DisplayTo"} & set(items.get(made))


def test_the_answer_has_the_new_key_and_no_conflicts(items: Items) -> None:
    made = items.draft()
    message = items.update(made, SUBJECT)
    element, value = message["Items"][0]
    assert element == "Message"
    assert value["ItemId"]["@Id"] == made["@Id"]
    assert value["ItemId"]["@ChangeKey"] != made["@ChangeKey"]
    assert message["ConflictResults"] == {"Count": 0}
    assert items.get(made)["ItemId"] == value["ItemId"]


def test_read_state_gives_a_new_key(items: Items) -> None:
    made = items.deliver()
    read = items.updated(made, set_field("message:IsRead", "<t:IsRead>true</t:IsRead>"))
    assert read["@ChangeKey"] != made["@ChangeKey"]
    assert items.get(made)["IsRead"] is True


def test_a_plain_item_holds_the_property_too(items: Items) -> None:
    made = items.updated(items.draft(), set_field("item:Subject", "<t:Subject>plain</t:Subject>", "Item"))
    assert items.get(made)["Subject"] == "plain"


def test_two_properties_in_one_set(items: Items) -> None:
    both = set_field("item:Subject", "<t:Subject>a</t:Subject><t:Sensitivity>Private</t:Sensitivity>")
    assert items.update(items.draft(), both)["ResponseCode"] == "ErrorIncorrectUpdatePropertyCount"
    none = set_field("item:Subject", "")
    assert items.update(items.draft(), none)["ResponseCode"] == "ErrorIncorrectUpdatePropertyCount"


def test_a_path_that_names_another_property(items: Items) -> None:
    other = set_field("item:Subject", "<t:Sensitivity>Private</t:Sensitivity>")
    assert items.update(items.draft(), other)["ResponseCode"] == "ErrorUpdatePropertyMismatch"
    one, two = tag("0x6701", "String"), tag("0x6702", "String")
    wrong = f"<t:SetItemField>{one}<t:Message>{extended(two, '<t:Value>x</t:Value>')}</t:Message></t:SetItemField>"
    assert items.update(items.draft(), wrong)["ResponseCode"] == "ErrorUpdatePropertyMismatch"


def test_an_empty_list_clears(items: Items) -> None:
    made = items.updated(items.draft(), RED)
    assert items.get(made)["Categories"]["String"] == ["red"]
    made = items.updated(made, set_field("item:Categories", "<t:Categories/>"))
    assert "Categories" not in items.get(made)


def test_always_overwrite_ignores_the_key(items: Items) -> None:
    old = items.draft()
    items.updated(old, SUBJECT)
    message = items.update(old, set_field("item:Subject", "<t:Subject>over</t:Subject>"), "AlwaysOverwrite")
    assert message["ResponseCode"] == "NoError"
    assert message["ConflictResults"]["Count"] == 1
    assert items.get(old)["Subject"] == "over"
    assert items.update({"@Id": old["@Id"]}, RED, "AlwaysOverwrite")["ResponseCode"] == "NoError"


def test_never_overwrite_refuses_an_old_key(items: Items) -> None:
    old = items.draft()
    items.updated(old, SUBJECT)
    assert items.update(old, RED, "NeverOverwrite")["ResponseCode"] == "ErrorIrresolvableConflict"
    assert "Categories" not in items.get(old)


def test_auto_resolve_merges_other_properties(items: Items) -> None:
    old = items.draft()
    items.updated(old, SUBJECT)
    items.updated(old, RED)
    assert items.update(old, set_field("item:Importance", "<t:Importance>High</t:Importance>"))["ResponseCode"] == "NoError"
    assert (
        items.update(old, set_field("item:Subject", "<t:Subject>lost</t:Subject>"))["ResponseCode"]
        == "ErrorIrresolvableConflict"
    )
    shown = items.get(old)
    assert (shown["Subject"], shown["Importance"], shown["Categories"]["String"]) == ("new", "High", ["red"])


def test_auto_resolve_merges_extended_properties_one_by_one(items: Items) -> None:
    one, two = tag("0x6701", "String"), tag("0x6702", "String")
    old = items.draft()
    items.updated(old, set_extended(one, "<t:Value>1</t:Value>"))
    assert items.update(old, set_extended(two, "<t:Value>2</t:Value>"))["ResponseCode"] == "NoError"
    assert items.update(old, set_extended(one, "<t:Value>3</t:Value>"))["ResponseCode"] == "ErrorIrresolvableConflict"
    shown = items.get(old, one + two)
    assert (prop(shown, 0), prop(shown, 1)) == ("1", "2")


@pytest.mark.parametrize("mode", ["AutoResolve", "NeverOverwrite"])
def test_a_key_is_needed(items: Items, mode: str) -> None:
    made = {"@Id": items.draft()["@Id"]}
    assert items.update(made, SUBJECT, mode)["ResponseCode"] == "ErrorChangeKeyRequiredForWriteOperations"


def test_a_key_that_is_none(items: Items) -> None:
    made = items.draft() | {"@ChangeKey": "AAAA"}
    assert items.update(made, SUBJECT)["ResponseCode"] == "ErrorInvalidChangeKey"


def test_messages_need_a_disposition(items: Items) -> None:
    assert items.update(items.draft(), SUBJECT, attributes="")["ResponseCode"] == "ErrorMessageDispositionRequired"


@pytest.mark.parametrize(
    ("uri", "inside"),
    [
        ("message:ToRecipients", to("b@out.test")),
        ("message:CcRecipients", to("b@out.test", field="CcRecipients")),
        ("message:BccRecipients", to("b@out.test", field="BccRecipients")),
        ("message:ReplyTo", to("b@out.test", field="ReplyTo")),
        ("message:From", "<t:From><t:Mailbox><t:EmailAddress>b@out.test</t:EmailAddress></t:Mailbox></t:From>"),
        ("message:Sender", "<t:Sender><t:Mailbox><t:EmailAddress>b@out.test</t:EmailAddress></t:Mailbox></t:Sender>"),
        ("message:IsReadReceiptRequested", "<t:IsReadReceiptRequested>true</t:IsReadReceiptRequested>"),
        ("message:IsDeliveryReceiptRequested", "<t:IsDeliveryReceiptRequested>true</t:IsDeliveryReceiptRequested>"),
        ("message:InternetMessageId", "<t:InternetMessageId>&lt;x@y&gt;</t:InternetMessageId>"),
        ("message:References", "<t:References>&lt;x@y&gt;</t:References>"),
    ],
)
def test_what_transport_set_stays_once_a_message_is_no_draft(items: Items, uri: str, inside: str) -> None:
    assert items.update(items.deliver(), set_field(uri, inside))["ResponseCode"] == "ErrorInvalidPropertySet"
    assert items.update(items.draft(), set_field(uri, inside))["ResponseCode"] == "NoError"


@pytest.mark.parametrize(
    ("uri", "inside"),
    [
        ("item:Size", "<t:Size>1</t:Size>"),
        ("item:DateTimeReceived", "<t:DateTimeReceived>2026-01-01T00:00:00Z</t:DateTimeReceived>"),
        ("item:HasAttachments", "<t:HasAttachments>true</t:HasAttachments>"),
        ("item:LastModifiedName", "<t:LastModifiedName>x</t:LastModifiedName>"),
        ("message:ConversationTopic", "<t:ConversationTopic>x</t:ConversationTopic>"),
    ],
)
def test_read_only_paths_are_refused(items: Items, uri: str, inside: str) -> None:
    made = items.draft()
    assert items.update(made, set_field(uri, inside))["ResponseCode"] == "ErrorInvalidPropertySet"
    assert items.update(made, drop_field(uri))["ResponseCode"] == "ErrorInvalidPropertyDelete"


def test_required_ones_are_not_deleted(items: Items) -> None:
    for uri in ("item:ItemClass", "item:Importance", "item:Sensitivity", "message:IsRead"):
        assert items.update(items.draft(), drop_field(uri))["ResponseCode"] == "ErrorInvalidPropertyDelete"


def test_append_is_for_lists_and_bodies(items: Items) -> None:
    more = set_field("item:Subject", "<t:Subject>x</t:Subject>", action="AppendToItemField")
    assert items.update(items.draft(), more)["ResponseCode"] == "ErrorInvalidPropertyAppend"


def test_a_property_of_another_kind(items: Items) -> None:
    change = set_field("task:PercentComplete", "<t:PercentComplete>5</t:PercentComplete>", "Task")
    assert items.update(items.draft(), change)["ResponseCode"] == "ErrorInvalidPropertySet"


def test_an_item_class_of_the_same_kind(items: Items) -> None:
    made = items.updated(items.draft(), set_field("item:ItemClass", "<t:ItemClass>IPM.Note.Mine</t:ItemClass>"))
    assert items.get(made)["ItemClass"] == "IPM.Note.Mine"
    other = set_field("item:ItemClass", "<t:ItemClass>IPM.Task</t:ItemClass>")
    assert items.update(made, other)["ResponseCode"] == "ErrorObjectTypeChanged"


def test_a_failed_change_changes_nothing(items: Items) -> None:
    made = items.draft()
    assert (
        items.update(made, SUBJECT + set_field("item:Size", "<t:Size>1</t:Size>"))["ResponseCode"] == "ErrorInvalidPropertySet"
    )
    assert items.get(made)["ItemId"] == made
    assert items.get(made)["Subject"] == "s"


def test_a_delivered_message_keeps_its_octets_beside_categories_and_flags(items: Items) -> None:
    made = items.deliver()
    octets = items.mime(made)
    flag = set_field("item:Flag", "<t:Flag><t:FlagStatus>Flagged</t:FlagStatus></t:Flag>")
    made = items.updated(made, RED + flag + set_extended(tag("0x6701", "String"), "<t:Value>1</t:Value>"))
    assert items.mime(made) == octets
    shown = items.get(made)
    assert (shown["Categories"]["String"], shown["Flag"]["FlagStatus"]) == (["red"], "Flagged")
    made = items.updated(made, drop_field("item:Categories"))
    assert "Categories" not in items.get(made)
    assert items.mime(made) == octets


def test_a_new_subject_shows_in_the_next_mime(items: Items) -> None:
    made = items.deliver()
    assert items.get(made)["IsUnmodified"] is True
    made = items.updated(made, SUBJECT)
    octets = items.mime(made)
    assert b"Subject: new\r\n" in octets
    assert b"Received: from somewhere\r\n" in octets
    assert b"X-Kept: as it is\r\n" in octets
    assert b"Message-ID: <1@out.test>\r\n" in octets
    assert octets.endswith(b"\r\n\r\n.a line\r\nbody\r\n")
    assert items.get(made)["IsUnmodified"] is False
    assert items.mime(made) == octets  # the same again


def test_mime_content_replaces_what_it_says(items: Items) -> None:
    made = items.draft("<t:Subject>old</t:Subject>" + to("gone@out.test", field="CcRecipients"))
    made = items.updated(made, RED)
    made = items.updated(made, set_field("item:MimeContent", mime(MAIL)))
    shown = items.get(made)
    assert (shown["Subject"], shown["Categories"]["String"]) == ("hello", ["red"])
    assert "CcRecipients" not in shown


@pytest.mark.parametrize(("disposition", "copies"), [("SendOnly", 0), ("SendAndSaveCopy", 1)])
def test_an_update_sends_when_it_is_told_to(items: Items, disposition: str, copies: int) -> None:
    made = items.draft(to(BOB))
    message = items.update(made, SUBJECT, attributes=f'MessageDisposition="{disposition}"')
    assert (message["ResponseCode"], message["Items"]) == ("NoError", [])
    assert items.listed("drafts") == []
    assert len(items.listed("sentitems")) == copies
    assert b"Subject: new\r\n" in items.world.inbox(BOB)[0]


def test_an_item_that_is_gone(items: Items) -> None:
    made = items.draft()
    items.messages(f'<DeleteItem DeleteType="HardDelete"><ItemIds><t:ItemId Id="{made["@Id"]}"/></ItemIds></DeleteItem>')
    assert items.update(made, SUBJECT)["ResponseCode"] == "ErrorItemNotFound"
    assert items.code(getting(made)) == "ErrorItemNotFound"


def test_the_quota_holds_for_changes(items: Items) -> None:
    made = items.draft()
    items.world.set_quota("ann@sim.test", 1000)
    change = set_field("item:Subject", f"<t:Subject>{'x' * 2000}</t:Subject>")
    assert items.update(made, change)["ResponseCode"] == "ErrorQuotaExceeded"
    assert items.get(made)["Subject"] == "s"


def test_indexed_entries_one_by_one(items: Items) -> None:
    def entry(key: str, inside: str, action: str = "SetItemField") -> str:
        return (
            f'<t:{action}><t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="{key}"/>'
            + (f"<t:Contact>{inside}</t:Contact>" if inside else "")
            + f"</t:{action}>"
        )

    made = items.made(
        '<t:Contact><t:DisplayName>c</t:DisplayName><t:EmailAddresses><t:Entry Key="EmailAddress1">a@x.test</t:Entry></t:EmailAddresses></t:Contact>'
    )
    two = '<t:EmailAddresses><t:Entry Key="EmailAddress2">b@x.test</t:Entry></t:EmailAddresses>'
    made = items.updated(made, entry("EmailAddress2", two))
    assert [(one["@Key"], one[""]) for one in items.get(made)["EmailAddresses"]["Entry"]] == [
        ("EmailAddress1", "a@x.test"),
        ("EmailAddress2", "b@x.test"),
    ]
    assert items.update(made, entry("EmailAddress1", two))["ResponseCode"] == "ErrorUpdatePropertyMismatch"
    made = items.updated(made, entry("EmailAddress1", "", "DeleteItemField"))
    assert [one["@Key"] for one in items.get(made)["EmailAddresses"]["Entry"]] == ["EmailAddress2"]
