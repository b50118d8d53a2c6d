"""DeleteItem, MoveItem, CopyItem, SendItem, MarkAllItemsAsRead, MarkAsJunk, sentence by sentence (ews reference 8)."""

from __future__ import annotations

import pytest
from folders_scene import named
from items_scene import ANN, BOB, MAIL, Items, getting, mime, prop, set_field, tag, to

from postroom_simulator.store.interface import Role


def ref(item: dict[str, str], *, key: bool = False) -> str:
    return f'<t:ItemId Id="{item["@Id"]}"' + (f' ChangeKey="{item["@ChangeKey"]}"' if key else "") + "/>"


def deleting(item: dict[str, str], how: str, more: str = "") -> str:
    return f'<DeleteItem DeleteType="{how}" {more}><ItemIds>{ref(item)}</ItemIds></DeleteItem>'


def carrying(operation: str, item: dict[str, str], folder: str, more: str = "", mailbox: str = "") -> str:
    return f"<{operation}><ToFolderId>{named(folder, mailbox)}</ToFolderId><ItemIds>{ref(item)}</ItemIds>{more}</{operation}>"


def sending(item: dict[str, str], *, save: str = "true", folder: str = "", key: bool = True) -> str:
    saved = f"<SavedItemFolderId>{named(folder)}</SavedItemFolderId>" if folder else ""
    return f'<SendItem SaveItemToFolder="{save}"><ItemIds>{ref(item, key=key)}</ItemIds>{saved}</SendItem>'


def count(items: Items, role: Role, user: str = ANN) -> int:
    return len(items.world.store.items(items.world.store.folder(user, role).uid))


@pytest.mark.parametrize(
    ("how", "role"), [("HardDelete", None), ("SoftDelete", Role.DELETIONS), ("MoveToDeletedItems", Role.DELETED)]
)
def test_three_ways_to_delete(items: Items, how: str, role: Role | None) -> None:
    made = items.draft()
    assert items.code(deleting(made, how)) == "NoError"
    assert items.listed("drafts") == []
    if role is not None:
        assert count(items, role) == 1
    assert items.code(deleting(made, how)) == "ErrorItemNotFound"
    assert items.code(getting(made)) == "ErrorItemNotFound"


def test_from_deleted_items_to_recoverable_ones_to_nowhere(items: Items) -> None:
    items.code(deleting(items.draft(), "MoveToDeletedItems"))
    (there,) = items.listed("deleteditems")
    items.code(deleting(there, "MoveToDeletedItems"))
    assert count(items, Role.DELETED) == 0
    (there,) = items.listed("recoverableitemsdeletions")
    items.code(deleting(there, "SoftDelete"))
    assert count(items, Role.DELETIONS) == 0


def test_what_kinds_need_to_be_deleted(items: Items) -> None:
    task = items.made("<t:Task><t:Subject>t</t:Subject></t:Task>")
    assert items.code(deleting(task, "HardDelete")) == "ErrorAffectedTaskOccurrencesRequired"
    assert items.code(deleting(task, "HardDelete", 'AffectedTaskOccurrences="AllOccurrences"')) == "NoError"
    contact = items.made("<t:Contact><t:DisplayName>x</t:DisplayName></t:Contact>")
    assert items.code(deleting(contact, "MoveToDeletedItems")) == "NoError"


def test_an_appointment_says_whether_cancellations_go_out(items: Items) -> None:
    event = "<t:CalendarItem><t:Subject>x</t:Subject><t:Start>2026-01-06T10:00:00Z</t:Start><t:End>2026-01-06T11:00:00Z</t:End></t:CalendarItem>"
    (message,) = items.messages(f'<CreateItem SendMeetingInvitations="SendToNone"><Items>{event}</Items></CreateItem>')
    made = message["Items"][0][1]["ItemId"]
    assert items.code(deleting(made, "HardDelete")) == "ErrorSendMeetingCancellationsRequired"
    assert items.code(deleting(made, "HardDelete", 'SendMeetingCancellations="SendToNone"')) == "NoError"


def test_moving_gives_a_new_id(items: Items) -> None:
    made = items.deliver()
    (element, value) = items.one(carrying("MoveItem", made, "junkemail"))["Items"][0]
    assert element == "Message"
    assert value["ItemId"]["@Id"] != made["@Id"]
    assert items.listed("junkemail") == [value["ItemId"]]
    assert items.code(getting(made)) == "ErrorItemNotFound"
    assert items.get(value["ItemId"])["Subject"] == "hello"


def test_copying_leaves_the_first_where_it_is(items: Items) -> None:
    made = items.draft()
    (_, value) = items.one(carrying("CopyItem", made, "inbox"))["Items"][0]
    assert items.listed("inbox") == [value["ItemId"]]
    assert items.listed("drafts") == [made]
    items.updated(value["ItemId"], set_field("item:Subject", "<t:Subject>of the copy</t:Subject>"))
    assert items.get(made)["Subject"] == "s"


@pytest.mark.parametrize("operation", ["MoveItem", "CopyItem"])
def test_new_ids_are_left_out_where_they_are_not_wanted(items: Items, operation: str) -> None:
    made = items.draft()
    assert items.one(carrying(operation, made, "inbox", "<ReturnNewItemIds>false</ReturnNewItemIds>"))["Items"] == []
    assert len(items.listed("inbox")) == 1


@pytest.mark.parametrize("operation", ["MoveItem", "CopyItem"])
def test_another_mailbox_gives_no_new_ids(items: Items, operation: str) -> None:
    from postroom_simulator.ews.permissions import grant

    made = items.draft()
    assert items.code(carrying(operation, made, "inbox", mailbox=BOB)) == "ErrorAccessDenied"
    grant(items.world.store, items.world.store.folder(BOB, Role.INBOX), ANN, "Editor")
    assert items.one(carrying(operation, made, "inbox", mailbox=BOB))["Items"] == []
    assert count(items, Role.INBOX, BOB) == 1
    assert len(items.listed("drafts")) == (operation == "CopyItem")


def test_send_item_sends_the_draft_away(items: Items) -> None:
    made = items.draft("<t:Subject>s</t:Subject>" + to(BOB))
    assert items.code(sending(made)) == "NoError"
    assert items.listed("drafts") == []
    (copy,) = items.listed("sentitems")
    assert items.get(copy)["IsDraft"] is False
    assert len(items.world.inbox(BOB)) == 1
    assert items.code(sending(made)) == "ErrorItemNotFound"


def test_send_item_needs_a_current_key(items: Items) -> None:
    made = items.draft(to(BOB))
    assert items.code(sending(made, key=False)) == "ErrorChangeKeyRequired"
    items.updated(made, set_field("item:Subject", "<t:Subject>newer</t:Subject>"))
    assert items.code(sending(made)) == "ErrorStaleObject"
    assert items.world.inbox(BOB) == []


def test_where_the_copy_of_send_item_goes(items: Items) -> None:
    assert items.code(sending(items.draft(to(BOB)), save="false")) == "NoError"
    assert items.listed("sentitems") == []
    assert items.code(sending(items.draft(to(BOB)), folder="inbox")) == "NoError"
    assert len(items.listed("inbox")) == 1
    made = items.draft(to(BOB))
    assert items.code(sending(made, save="false", folder="inbox")) == "ErrorInvalidSendItemSaveSettings"
    assert items.listed("drafts") == [made]


def test_what_cannot_be_sent(items: Items) -> None:
    assert items.code(sending(items.deliver())) == "ErrorInvalidItemForOperationSendItem"
    assert (
        items.code(sending(items.made("<t:Contact><t:DisplayName>x</t:DisplayName></t:Contact>")))
        == "ErrorInvalidItemForOperationSendItem"
    )
    made = items.draft()
    assert items.code(sending(made)) == "ErrorInvalidRecipients"
    assert items.listed("drafts") == [made]


def test_sending_delivers_in_the_same_store(items: Items) -> None:
    items.create(
        "<t:Message><t:Subject>all</t:Subject>"
        + to(BOB)
        + to("carl@out.test", field="CcRecipients")
        + to("secret@out.test", ANN, field="BccRecipients")
        + "</t:Message>",
        "SendAndSaveCopy",
    )
    (got,) = items.listed("inbox", BOB)
    shown = items.get(got, user=BOB)
    assert (shown["IsRead"], shown["IsDraft"], shown["Subject"]) == (False, False, "all")
    assert "BccRecipients" not in shown
    assert b"secret" not in items.world.inbox(BOB)[0]
    assert shown["DateTimeReceived"] == items.world.clock.now()
    (drawn,) = items.world.store.outbound()
    assert drawn.recipients == ("carl@out.test", "secret@out.test")
    (copy,) = items.listed("sentitems")
    assert len(items.get(copy)["BccRecipients"]["Mailbox"]) == 2
    assert len(items.world.inbox(ANN)) == 1
    assert items.get(copy)["InternetMessageId"] == shown["InternetMessageId"]


def test_mime_is_sent_as_it_is(items: Items) -> None:
    octets = MAIL.replace(b"x@out.test", b"ann@sim.test").replace(b"To: ann@sim.test, Bob", b"Bcc: c@out.test\r\nTo: Bob")
    items.create(f"<t:Message>{mime(octets)}</t:Message>", "SendAndSaveCopy")
    (got,) = items.world.inbox(BOB)
    assert got.endswith(octets.replace(b"Bcc: c@out.test\r\n", b""))
    assert items.world.store.outbound()[0].recipients == ("c@out.test",)
    (copy,) = items.listed("sentitems")
    assert items.get(copy)["BccRecipients"]["Mailbox"][0]["EmailAddress"] == "c@out.test"
    made = items.draft(mime(octets))
    assert items.code(sending(made)) == "NoError"
    assert items.world.inbox(BOB)[1].endswith(octets.replace(b"Bcc: c@out.test\r\n", b""))


def test_mime_gets_the_fields_that_every_message_has(items: Items) -> None:
    items.create(f"<t:Message>{mime(b'To: bob@sim.test' + bytes([13, 10, 13, 10]) + b'x')}</t:Message>", "SendOnly")
    (got,) = items.world.inbox(BOB)
    for field in (b"From: ", b"Date: ", b"Message-ID: <"):
        assert field in got


def test_nobody_sends_as_somebody_else(items: Items) -> None:
    other = f"<t:From><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:From>"
    assert items.create(f"<t:Message>{to(BOB)}{other}</t:Message>", "SendOnly")["ResponseCode"] == "ErrorSendAsDenied"


def test_who_cannot_be_reached_is_reported(items: Items) -> None:
    items.world.set_quota(BOB, 10)
    items.create(f"<t:Message>{to(BOB, 'x@out.test')}</t:Message>", "SendOnly")
    assert b"Action: failed" in items.world.inbox(ANN)[0]


def test_a_delivery_receipt_that_was_asked_for(items: Items) -> None:
    asked = "<t:IsDeliveryReceiptRequested>true</t:IsDeliveryReceiptRequested>"
    items.create(f"<t:Message>{to(BOB)}{asked}</t:Message>", "SendOnly")
    assert b"Action: delivered" in items.world.inbox(ANN)[0]


RECEIPT = "<t:IsReadReceiptRequested>true</t:IsReadReceiptRequested>"
READ = set_field("message:IsRead", "<t:IsRead>true</t:IsRead>")


def test_a_read_receipt_goes_out_once(items: Items) -> None:
    items.create(f"<t:Message><t:Subject>asked</t:Subject>{to(BOB)}{RECEIPT}</t:Message>", "SendOnly")
    bob = Items(items.world, BOB)
    (got,) = items.listed("inbox", BOB)
    assert ("SuppressReadReceipt", {}) in [(name, {}) for name, _ in bob.get(got)["ResponseObjects"]]
    octets = bob.mime(got)
    got = bob.updated(got, READ)
    (receipt,) = items.world.inbox(ANN)
    assert b"disposition-notification" in receipt
    assert b"Final-Recipient: rfc822;bob@sim.test" in receipt
    assert bob.mime(got) == octets
    got = bob.get(got)["ItemId"]
    got = bob.updated(got, set_field("message:IsRead", "<t:IsRead>false</t:IsRead>"))
    bob.updated(got, READ)
    assert len(items.world.inbox(ANN)) == 1


def test_a_read_receipt_is_suppressed(items: Items) -> None:
    items.create(f"<t:Message>{to(BOB)}{RECEIPT}</t:Message>", "SendOnly")
    bob = Items(items.world, BOB)
    (got,) = items.listed("inbox", BOB)
    bob.update(got, READ, attributes='MessageDisposition="SaveOnly" SuppressReadReceipts="true"')
    assert items.world.inbox(ANN) == []


def test_mail_that_is_deleted_unseen_says_so(items: Items) -> None:
    items.create(f"<t:Message>{to(BOB)}{RECEIPT}</t:Message>", "SendOnly")
    (got,) = items.listed("inbox", BOB)
    assert items.code(deleting(got, "MoveToDeletedItems"), user=BOB) == "NoError"
    assert b"; deleted" in items.world.inbox(ANN)[0]


@pytest.mark.parametrize("suppress", ["true", "false"])
def test_mark_all_items_as_read(items: Items, suppress: str) -> None:
    bob = Items(items.world, BOB)
    items.deliver(to=BOB)
    items.create(f"<t:Message>{to(BOB)}{RECEIPT}</t:Message>", "SendOnly")

    def mark(read: str) -> str:
        folders = f"<FolderIds>{named('inbox')}</FolderIds>"
        return bob.code(
            f"<MarkAllItemsAsRead><ReadFlag>{read}</ReadFlag><SuppressReadReceipts>{suppress}</SuppressReadReceipts>{folders}</MarkAllItemsAsRead>"
        )

    assert mark("true") == "NoError"
    assert [bob.get(one)["IsRead"] for one in items.listed("inbox", BOB)] == [True, True]
    assert len(items.world.inbox(ANN)) == (suppress == "false")
    assert mark("false") == "NoError"
    assert [bob.get(one)["IsRead"] for one in items.listed("inbox", BOB)] == [False, False]


def junk(item: dict[str, str], is_junk: str, move: str) -> str:
    return f'<MarkAsJunk IsJunk="{is_junk}" MoveItem="{move}"><ItemIds>{ref(item)}</ItemIds></MarkAsJunk>'


def test_mark_as_junk_in_four_combinations(items: Items) -> None:
    from postroom_simulator.junk import blocked

    made = items.deliver()
    message = items.one(junk(made, "true", "false"))
    assert "MovedItemId" not in message
    assert blocked(items.world.store, ANN) == ["x@out.test"]
    assert items.listed("inbox") == [made]
    moved = items.one(junk(made, "true", "true"))["MovedItemId"]
    assert items.listed("junkemail") == [moved]
    assert "MovedItemId" not in items.one(junk(moved, "false", "false"))
    assert blocked(items.world.store, ANN) == []
    back = items.one(junk(moved, "false", "true"))["MovedItemId"]
    assert items.listed("inbox") == [back]
    assert items.code(junk(moved, "true", "true")) == "ErrorItemNotFound"


def test_numbers_grow_in_each_folder(items: Items) -> None:
    number = tag("0xe23", "Integer")
    first, second = items.deliver(), items.deliver()
    read = items.updated(first, READ)
    assert int(prop(items.get(read, number))) < int(prop(items.get(second, number)))
    (_, value) = items.one(carrying("MoveItem", first, "junkemail"))["Items"][0]
    (_, back) = items.one(carrying("MoveItem", value["ItemId"], "inbox"))["Items"][0]
    assert int(prop(items.get(back["ItemId"], number))) > int(prop(items.get(second, number)))


def test_mail_of_blocked_senders_is_junk(items: Items) -> None:
    made = items.deliver()
    items.one(junk(made, "true", "false"))
    items.world.deliver("list@out.test", [ANN], MAIL)
    items.world.deliver("other@out.test", [ANN], MAIL.replace(b"x@out.test", b"other@out.test"))
    assert len(items.listed("junkemail")) == 1
    assert len(items.listed("inbox")) == 2
    items.one(junk(made, "false", "false"))
    items.deliver()
    assert len(items.listed("inbox")) == 3


@pytest.mark.parametrize("operation", ["MoveItem", "CopyItem"])
def test_where_nothing_can_go(items: Items, operation: str) -> None:
    """Each item has its message, whatever is wrong with the target (reference 3)."""
    first, second = items.deliver(), items.deliver()
    refs = ref(first) + ref(second)
    gone = "<t:DistinguishedFolderId Id='archiveinbox'/>"
    for target, code in (
        (gone, "ErrorToFolderNotFound"),
        ("<t:DistinguishedFolderId Id='todosearch'/>", "ErrorInvalidFolderTypeForOperation"),
    ):
        messages = items.messages(f"<{operation}><ToFolderId>{target}</ToFolderId><ItemIds>{refs}</ItemIds></{operation}>")
        assert [one["ResponseCode"] for one in messages] == [code, code]
    message = items.create("<t:Message><t:Subject>s</t:Subject></t:Message>", folder="todosearch")
    assert message["ResponseCode"] == "ErrorInvalidFolderTypeForOperation"


def test_everything_that_a_search_folder_finds_is_read(items: Items) -> None:
    made = items.deliver()
    flag = "<t:SetItemField><t:FieldURI FieldURI='item:Flag'/><t:Message><t:Flag><t:FlagStatus>Flagged</t:FlagStatus></t:Flag></t:Message></t:SetItemField>"
    items.updated(made, flag)
    other = items.deliver()
    request = "<MarkAllItemsAsRead><ReadFlag>true</ReadFlag><SuppressReadReceipts>true</SuppressReadReceipts>"
    items.one(f"{request}<FolderIds>{named('todosearch')}</FolderIds></MarkAllItemsAsRead>")
    assert [items.get(one)["IsRead"] for one in (made, other)] == [True, False]
