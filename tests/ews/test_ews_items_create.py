"""CreateItem and GetItem, sentence by sentence (ews reference 7, 8)."""

from __future__ import annotations

import base64

import pytest
from folders_scene import uri
from items_scene import ANN, BOB, MAIL, Items, creating, extended, getting, mime, prop, tag, to

from postroom_simulator.store.interface import Role


def test_save_only_saves_to_drafts_and_returns_the_id(items: Items) -> None:
    made = items.draft("<t:Subject>s</t:Subject>")
    assert items.listed("drafts") == [made]
    element, shown = items.shown(made)
    assert element == "Message"
    assert shown["IsDraft"] is True
    assert shown["IsRead"] is True
    assert shown["ItemClass"] == "IPM.Note"
    assert shown["InternetMessageId"].endswith("@items.sim.test>")
    assert "From" not in shown


def test_save_only_saves_where_it_is_told(items: Items) -> None:
    made = items.made("<t:Message><t:Subject>s</t:Subject></t:Message>", folder="inbox")
    assert items.listed("inbox") == [made]
    assert items.listed("drafts") == []


def test_send_only_keeps_nothing_and_returns_no_item(items: Items) -> None:
    message = items.create(f"<t:Message><t:Subject>s</t:Subject>{to(BOB)}</t:Message>", "SendOnly")
    assert message["Items"] == []
    assert items.listed("sentitems") == items.listed("drafts") == []
    assert len(items.listed("inbox", BOB)) == 1


def test_send_and_save_copy_files_a_copy(items: Items) -> None:
    message = items.create(f"<t:Message><t:Subject>s</t:Subject>{to(BOB)}</t:Message>", "SendAndSaveCopy")
    assert message["Items"] == []
    (copy,) = items.listed("sentitems")
    shown = items.get(copy)
    assert (shown["IsDraft"], shown["IsUnmodified"], shown["IsSubmitted"], shown["IsFromMe"]) == (False, True, True, True)
    assert shown["From"]["Mailbox"]["EmailAddress"] == shown["Sender"]["Mailbox"]["EmailAddress"] == ANN
    assert shown["DateTimeSent"] == items.world.clock.now()


def test_a_copy_lies_where_it_was_wanted(items: Items) -> None:
    items.create(f"<t:Message>{to(BOB)}</t:Message>", "SendAndSaveCopy", "inbox")
    assert len(items.listed("inbox")) == 1
    assert items.listed("sentitems") == []


def test_messages_need_a_disposition(items: Items) -> None:
    assert items.create("<t:Message/>", "")["ResponseCode"] == "ErrorMessageDispositionRequired"


def test_only_what_the_class_needs_is_asked_for(items: Items) -> None:
    assert items.create("<t:Contact><t:DisplayName>x</t:DisplayName></t:Contact>", "")["ResponseCode"] == "NoError"
    event = "<t:CalendarItem><t:Subject>x</t:Subject></t:CalendarItem>"
    assert items.create(event)["ResponseCode"] == "ErrorSendMeetingInvitationsRequired"


@pytest.mark.parametrize(
    ("item", "folder", "code"),
    [
        ("<t:Contact/>", "inbox", "ErrorCannotCreateContactInNonContactFolder"),
        ("<t:DistributionList/>", "inbox", "ErrorCannotCreateContactInNonContactFolder"),
        ("<t:Task/>", "inbox", "ErrorCannotCreateTaskInNonTaskFolder"),
        ("<t:PostItem/>", "calendar", "ErrorCannotCreatePostItemInNonMailFolder"),
    ],
)
def test_kinds_have_their_folders(items: Items, item: str, folder: str, code: str) -> None:
    assert items.create(item, folder=folder)["ResponseCode"] == code


def test_an_appointment_needs_a_calendar(items: Items) -> None:
    request = creating("<t:CalendarItem/>", folder="inbox", attributes='SendMeetingInvitations="SendToNone"')
    assert items.code(request) == "ErrorCannotCreateCalendarItemInNonCalendarFolder"


@pytest.mark.parametrize(
    "inside",
    [
        '<t:ItemId Id="x"/>',
        '<t:ParentFolderId Id="x"/>',
        "<t:Size>3</t:Size>",
        "<t:DateTimeReceived>2026-01-01T00:00:00Z</t:DateTimeReceived>",
        "<t:DateTimeSent>2026-01-01T00:00:00Z</t:DateTimeSent>",
        "<t:DateTimeCreated>2026-01-01T00:00:00Z</t:DateTimeCreated>",
        "<t:DisplayTo>x</t:DisplayTo>",
        "<t:LastModifiedName>x</t:LastModifiedName>",
        "<t:Preview>x</t:Preview>",
        '<t:TextBody BodyType="Text">x</t:TextBody>',
        "<t:IconIndex>MailRead</t:IconIndex>",
        "<t:HasAttachments>true</t:HasAttachments>",
        "<t:IsDraft>false</t:IsDraft>",
        "<t:ConversationTopic>x</t:ConversationTopic>",
    ],
)
def test_read_only_elements_are_refused(items: Items, inside: str) -> None:
    assert items.create(f"<t:Message>{inside}</t:Message>")["ResponseCode"] == "ErrorInvalidPropertySet"


def test_recipients_missing_when_sending(items: Items) -> None:
    for inside in ("", to("no address"), to("")):
        assert items.create(f"<t:Message>{inside}</t:Message>", "SendOnly")["ResponseCode"] == "ErrorInvalidRecipients"
    assert items.listed("sentitems") == []


def test_a_plain_item_becomes_a_message(items: Items) -> None:
    made = items.made("<t:Item><t:Subject>plain</t:Subject></t:Item>")
    assert items.shown(made)[0] == "Message"


@pytest.mark.parametrize(
    ("item_class", "element"),
    [
        ("IPM.Note.Foo", "Message"),
        ("IPM.StickyNote", "Message"),
        ("IPM.Activity", "Item"),
        ("REPORT.IPM.Note.NDR", "Message"),
        ("IPM.Unheard.Of", "Item"),
    ],
)
def test_classes_by_their_beginning(items: Items, item_class: str, element: str) -> None:
    made = items.made(f"<t:Item><t:ItemClass>{item_class}</t:ItemClass><t:Subject>x</t:Subject></t:Item>")
    shown, value = items.shown(made)
    assert (shown, value["ItemClass"]) == (element, item_class)


def test_a_class_of_another_element_is_refused(items: Items) -> None:
    assert (
        items.create("<t:Message><t:ItemClass>IPM.Contact</t:ItemClass></t:Message>")["ResponseCode"]
        == "ErrorObjectTypeChanged"
    )


def test_mime_builds_the_item_octet_for_octet(items: Items) -> None:
    made = items.draft(mime(MAIL))
    assert items.mime(made) == MAIL
    shown = items.get(made)
    assert (shown["Subject"], shown["Body"][""], shown["IsDraft"]) == ("hello", ".a line\r\nbody\r\n", True)


def test_other_elements_win_over_mime(items: Items) -> None:
    made = items.draft(mime(MAIL) + "<t:Subject>won</t:Subject>")
    shown = items.get(made)
    assert shown["Subject"] == "won"
    assert shown["InternetMessageId"] == "<1@out.test>"
    again = items.mime(made)
    assert b"Subject: won\r\n" in again
    assert b"X-Kept: as it is\r\n" in again
    assert b".a line\r\nbody\r\n" in again


def test_what_lies_beside_leaves_mime_alone(items: Items) -> None:
    made = items.draft(
        mime(MAIL) + "<t:Categories><t:String>red</t:String></t:Categories>" + to("c@out.test", field="BccRecipients")
    )
    assert items.mime(made) == MAIL
    shown = items.get(made)
    assert shown["Categories"]["String"] == ["red"]
    assert shown["BccRecipients"]["Mailbox"][0]["EmailAddress"] == "c@out.test"


@pytest.mark.parametrize(("content", "code"), [("!!!", "ErrorMimeContentInvalidBase64String"), ("", "ErrorMimeContentInvalid")])
def test_mime_that_is_none(items: Items, content: str, code: str) -> None:
    assert items.create(f"<t:Message><t:MimeContent>{content}</t:MimeContent></t:Message>")["ResponseCode"] == code


def test_a_task_is_not_made_from_mime(items: Items) -> None:
    assert items.create(f"<t:Task>{mime(MAIL)}</t:Task>")["ResponseCode"] == "ErrorUnsupportedMimeConversion"


@pytest.mark.parametrize(("flags", "read"), [("1", True), ("0", False)])
def test_flags_make_a_message_that_is_no_draft(items: Items, flags: str, read: bool) -> None:
    made = items.draft(mime(MAIL) + extended(tag("0xe07", "Integer"), f"<t:Value>{flags}</t:Value>"))
    shown = items.get(made, tag("0x0E07", "Integer"))
    assert (shown["IsDraft"], shown["IsRead"]) == (False, read)
    assert int(prop(shown)) & 9 == int(flags)
    assert items.mime(made) == MAIL


def test_the_bits_of_the_flags(items: Items) -> None:
    made = items.draft()
    assert int(prop(items.get(made, tag("3591", "Integer")))) == 1 | 8 | 0  # read, unsent
    delivered = items.deliver()
    assert int(prop(items.get(delivered, tag("0xe07", "Integer")))) == 2  # unmodified


def test_received_times_can_be_given(items: Items) -> None:
    made = items.draft(mime(MAIL) + extended(tag("0x0e06", "SystemTime"), "<t:Value>2020-02-03T04:05:06Z</t:Value>"))
    assert items.get(made)["DateTimeReceived"].isoformat() == "2020-02-03T04:05:06+00:00"


def test_one_message_for_each_item(items: Items) -> None:
    answers = items.messages(creating("<t:Message/><t:Message><t:Size>1</t:Size></t:Message><t:Message/>"))
    assert [one["ResponseCode"] for one in answers] == ["NoError", "ErrorInvalidPropertySet", "NoError"]
    assert answers[1]["Items"] == []


def test_quota_and_size(items: Items) -> None:
    items.world.set_quota(ANN, 2000)
    assert items.create(f"<t:Message><t:Subject>{'x' * 3000}</t:Subject></t:Message>")["ResponseCode"] == "ErrorQuotaExceeded"
    assert items.listed("drafts") == []
    items.world.set_quota(ANN, None)
    items.world.smtp.settings.max_octets = 10_000
    body = f'<t:Body BodyType="Text">{"x" * 11_000}</t:Body>'
    assert items.create(f"<t:Message>{body}</t:Message>")["ResponseCode"] == "ErrorMessageSizeExceeded"


def test_nothing_is_sent_when_the_copy_does_not_fit(items: Items) -> None:
    items.world.set_quota(ANN, 50)
    body = f'<t:Body BodyType="Text">{"x" * 100}</t:Body>'
    assert items.create(f"<t:Message>{body}{to(BOB)}</t:Message>", "SendAndSaveCopy")["ResponseCode"] == "ErrorQuotaExceeded"
    assert items.listed("inbox", BOB) == []


def test_large_texts_are_accepted_whole(items: Items) -> None:
    subject, body = "s" * 100_000, "b" * 2_000_000
    made = items.draft(f'<t:Subject>{subject}</t:Subject><t:Body BodyType="Text">{body}</t:Body>')
    shown = items.get(made)
    assert (shown["Subject"], shown["Body"][""]) == (subject, body)
    assert len(items.mime(made)) > 2_000_000


def test_two_thousand_recipients(items: Items) -> None:
    many = to(*(f"r{number}@out.test" for number in range(2000)))
    items.create(f"<t:Message>{many}</t:Message>", "SendAndSaveCopy")
    (copy,) = items.listed("sentitems")
    assert len(items.get(copy)["ToRecipients"]["Mailbox"]) == 2000
    (drawn,) = items.world.store.outbound()
    assert len(drawn.recipients) == 2000


def test_posts_lie_in_a_folder_and_say_from_whom(items: Items) -> None:
    made = items.made('<t:PostItem><t:Subject>p</t:Subject><t:Body BodyType="Text">b</t:Body></t:PostItem>', "")
    assert items.listed("inbox") == [made]
    element, shown = items.shown(made)
    assert element == "PostItem"
    assert (shown["ItemClass"], shown["IsDraft"], shown["From"]["Mailbox"]["EmailAddress"]) == ("IPM.Post", False, ANN)
    assert shown["PostedTime"] == shown["DateTimeCreated"]
    assert {name for name, _ in shown["ResponseObjects"]} == {"ReplyToItem", "ReplyAllToItem", "ForwardItem", "PostReplyItem"}


def test_get_item_by_wrong_ids(items: Items) -> None:
    folder = items.world.store.folder(ANN, Role.INBOX)
    from postroom_simulator.ews.folders import folder_id

    assert items.code(getting({"@Id": "nonsense"})) == "ErrorInvalidIdMalformed"
    assert items.code(getting({"@Id": ""})) == "ErrorInvalidIdEmpty"
    assert items.code(getting(folder_id(folder))) == "ErrorCannotUseFolderIdForItemId"
    made = items.draft()
    items.world.store.delete([items.world.store.items(items.world.store.folder(ANN, Role.DRAFTS).uid)[0].uid])
    assert items.code(getting(made)) == "ErrorItemNotFound"


def test_ids_of_mailboxes_that_are_gone(items: Items) -> None:
    items.world.add_account("carl@sim.test", "pw")
    made = items.draft(user="carl@sim.test")
    items.world.remove_account("carl@sim.test")
    assert items.code(getting(made)) == "ErrorNonExistentMailbox"


def test_others_mail_is_not_shown(items: Items) -> None:
    made = items.draft()
    assert items.code(getting(made), user=BOB) == "ErrorAccessDenied"


def test_mime_as_an_additional_property(items: Items) -> None:
    made = items.deliver()
    shown = items.get(made, uri("item:MimeContent"), "IdOnly", "<t:IncludeMimeContent>false</t:IncludeMimeContent>")
    assert base64.b64decode(shown["MimeContent"][""]) == items.world.inbox(ANN)[0]
    assert shown["MimeContent"]["@CharacterSet"] == "UTF-8"


def test_shapes(items: Items) -> None:
    made = items.deliver()
    assert set(items.get(made, shape="IdOnly")) == {"ItemId"}
    default = items.get(made, shape="Default")
    assert {"Subject", "Body", "From", "ToRecipients", "IsRead", "InternetMessageId"} <= set(default)
    assert "LastModifiedTime" not in default
    everything = items.get(made)
    assert set(default) <= set(everything)
    assert "MimeContent" not in everything
    for name in (
        "Importance",
        "Sensitivity",
        "IsRead",
        "HasAttachments",
        "Size",
        "IsDraft",
        "IsFromMe",
        "IsResend",
        "ReminderIsSet",
        "Flag",
        "Culture",
    ):
        assert name in everything, name
    assert everything["Flag"]["FlagStatus"] == "NotFlagged"


def test_old_versions_have_fewer_elements(items: Items) -> None:
    made = items.deliver()
    old = items.get(made, version="Exchange2007")
    assert not {"Flag", "InstanceKey", "ConversationId", "IsAssociated", "IconIndex"} & set(old)
    assert "Importance" in old


def test_a_property_that_does_not_fit_the_class_is_left_out(items: Items) -> None:
    assert set(items.get(items.draft(), uri("calendar:Start") + uri("task:DueDate"), "IdOnly")) == {"ItemId"}


def test_what_nobody_set_is_absent(items: Items) -> None:
    shown = items.get(items.made("<t:Message/>"))
    assert not {"Subject", "ToRecipients", "Categories", "References", "Attachments", "DisplayTo"} & set(shown)


def test_response_objects(items: Items) -> None:
    assert [name for name, _ in items.get(items.draft())["ResponseObjects"]] == ["ForwardItem"]
    assert [name for name, _ in items.get(items.deliver())["ResponseObjects"]] == [
        "ReplyToItem",
        "ReplyAllToItem",
        "ForwardItem",
    ]


def test_a_full_mailbox_ends_a_batch(items: Items) -> None:
    """Reference 3: after some failures in one batch the rest are answered with the Warning ErrorBatchProcessingStopped."""
    items.world.set_quota(ANN, items.world.store.used(ANN) + 1500)
    small, large = (
        "<t:Message><t:Subject>s</t:Subject></t:Message>",
        f"<t:Message><t:Subject>{'x' * 3000}</t:Subject></t:Message>",
    )
    request = f'<CreateItem MessageDisposition="SaveOnly"><Items>{small}{large}{small}{small}</Items></CreateItem>'
    messages = items.messages(request)
    assert [(one["ResponseCode"], one["@ResponseClass"]) for one in messages] == [
        ("NoError", "Success"),
        ("ErrorQuotaExceeded", "Error"),
        ("ErrorBatchProcessingStopped", "Warning"),
        ("ErrorBatchProcessingStopped", "Warning"),
    ]
    assert len(items.listed("drafts")) == 1
