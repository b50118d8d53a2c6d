"""exchangelib and mail: drafts, sending, answering, reading what came from outside."""

from __future__ import annotations

from datetime import timedelta

import pytest
from exchange_times import at
from exchangelib import (
    Body,
    ExtendedProperty,
    ForwardItem,
    HTMLBody,
    Mailbox,
    Message,
    PostItem,
    ReplyAllToItem,
    ReplyToItem,
)
from exchangelib.errors import (
    ErrorInvalidPropertySet,
    ErrorIrresolvableConflict,
    ErrorItemNotFound,
)
from exchangelib.items import ALWAYS_OVERWRITE, NEVER_OVERWRITE
from exchangelib.properties import MessageHeader
from exchangelib_scene import ANN, BOB

MIME = b"From: Xenia <xenia@out.test>\r\nTo: ann@sim.test\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nMessage-ID: <one@out.test>\r\nX-Colour: green\r\n\r\nline\r\n.\r\nend\r\n"


def draft(ann, **given):
    return Message(account=ann, folder=ann.drafts, subject="hello", body="text", to_recipients=[BOB], **given)


def test_a_draft_is_kept_read_and_changed(exchange):
    ann = exchange.account()
    item = draft(
        ann,
        cc_recipients=[Mailbox(name="Carl", email_address="carl@out.test")],
        importance="High",
        sensitivity="Private",
        categories=["red", "green"],
        is_read_receipt_requested=True,
        reminder_is_set=True,
        reminder_due_by=at(2026, 12, 1, 9),
    )
    item.save()
    assert item.id
    assert item.changekey
    found = ann.drafts.get(subject="hello")
    assert (found.importance, found.sensitivity, found.categories) == ("High", "Private", ["red", "green"])
    assert [one.email_address for one in found.to_recipients] == [BOB]
    assert [(one.name, one.email_address) for one in found.cc_recipients] == [("Carl", "carl@out.test")]
    assert found.is_draft
    assert found.is_read_receipt_requested
    assert str(found.body).strip() == "text"
    assert found.reminder_due_by == at(2026, 12, 1, 9)

    key = found.changekey
    found.subject, found.importance, found.categories = "goodbye", "Low", None
    found.body = HTMLBody("<p>more</p>")
    found.save()
    assert found.changekey != key
    found.refresh()
    assert (found.subject, found.importance, found.categories) == ("goodbye", "Low", None)
    assert "<p>more</p>" in found.body
    assert isinstance(found.body, HTMLBody)
    assert found.text_body.strip() == "more"


def test_only_named_fields_are_updated(exchange):
    ann = exchange.account()
    item = draft(ann).save()
    item.subject, item.importance = "kept back", "High"
    item.save(update_fields=["importance"])
    item.refresh()
    assert (item.subject, item.importance) == ("hello", "High")


def test_copies_moves_and_ways_to_delete(exchange):
    ann = exchange.account()
    item = draft(ann).save()
    identity = item.id
    copied, _ = item.copy(ann.junk)
    assert copied != identity
    item.move(ann.inbox)
    assert item.id != identity
    assert item.folder == ann.inbox
    item.move_to_trash()
    assert item.folder == ann.trash or item.id is None
    assert [ann.drafts.all().count(), ann.inbox.all().count(), ann.trash.all().count(), ann.junk.all().count()] == [0, 0, 1, 1]
    ann.trash.get(subject="hello").soft_delete()
    assert ann.recoverable_items_deletions.all().count() == 1
    left = ann.junk.get(subject="hello")
    gone = left.id
    left.delete()
    (error,) = ann.fetch([(gone, None)])
    assert isinstance(error, ErrorItemNotFound)


def test_sending(exchange):
    ann, bob = exchange.account(), exchange.account(BOB)
    Message(
        account=ann, folder=ann.sent, subject="hello", body="b", to_recipients=[BOB], bcc_recipients=["carl@out.test"]
    ).send_and_save()
    sent = ann.sent.get(subject="hello")
    assert (sent.is_draft, sent.is_from_me) == (False, True)
    assert [one.email_address for one in sent.bcc_recipients] == ["carl@out.test"]
    got = bob.inbox.get(subject="hello")
    assert (got.is_read, got.is_draft, got.author.email_address, got.sender.name) == (False, False, ANN, "Ann Alder")
    assert not got.bcc_recipients
    assert got.message_id
    assert got.message_id == sent.message_id

    Message(account=ann, subject="second", body="b", to_recipients=[BOB]).send(save_copy=False)
    assert bob.inbox.get(subject="second").to_recipients[0].email_address == BOB
    assert not ann.sent.filter(subject="second").exists()

    kept = draft(ann).save()
    kept.send()
    assert ann.drafts.all().count() == 0
    assert ann.sent.filter(subject="hello").count() == 2
    assert bob.inbox.filter(subject="hello").count() == 2


def test_a_copy_is_kept_where_it_was_asked(exchange):
    ann = exchange.account()
    Message(account=ann, subject="elsewhere", body="b", to_recipients=[BOB], folder=ann.junk).send_and_save()
    assert ann.junk.filter(subject="elsewhere").exists()


def test_replies_and_forwards(exchange):
    exchange.deliver("question", extra="Cc: bob@sim.test\r\n")
    ann, bob = exchange.account(), exchange.account(BOB)
    Message(account=bob, subject="plan", body="shall we?", to_recipients=[ANN], cc_recipients=["carl@out.test"]).send()
    item = ann.inbox.get(subject="plan")
    item.reply("RE: plan", "yes")
    assert bob.inbox.get(subject="RE: plan").author.email_address == ANN
    item.reply_all("RE: plan for all", Body("all of us"))
    assert {one.email_address for one in bob.inbox.get(subject="RE: plan for all").cc_recipients} == {"carl@out.test"}
    item.forward("FW: plan", HTMLBody("<b>see below</b>"), to_recipients=[BOB])
    forwarded = bob.inbox.get(subject="FW: plan")
    assert "shall we?" in forwarded.body
    assert forwarded.conversation_topic == "plan"

    kept = item.create_reply("RE: later", "a draft").save(ann.drafts)
    assert ann.drafts.get(subject="RE: later").id == kept.id
    assert isinstance(item.create_reply("s", "b"), ReplyToItem)
    assert isinstance(item.create_reply_all("s", "b"), ReplyAllToItem)
    assert isinstance(item.create_forward("s", "b", [BOB]), ForwardItem)
    original = ann.inbox.get(subject="plan")
    answer = bob.inbox.get(subject="RE: plan")
    assert original.message_id in (answer.references or "") + (answer.in_reply_to or "")


def test_mail_from_outside_octet_for_octet(exchange):
    exchange.world.place(ANN, MIME)
    ann = exchange.account()
    (item,) = ann.inbox.all()
    assert (item.subject, item.sender.name, item.message_id) == ("café", "Xenia", "<one@out.test>")
    assert item.mime_content == MIME
    assert {header.name: header.value for header in item.headers}["X-Colour"] == "green"
    assert all(isinstance(header, MessageHeader) for header in item.headers)
    assert item.datetime_received.tzinfo is not None
    assert item.size >= len(MIME)
    assert str(item.text_body).split() == ["line", ".", "end"]
    assert not item.is_draft


def test_a_message_made_of_mime(exchange):
    ann = exchange.account()
    Message(account=ann, folder=ann.inbox, mime_content=MIME).save()
    (item,) = ann.inbox.all()
    assert (item.subject, item.sender.email_address) == ("café", "xenia@out.test")
    assert b"X-Colour: green" in item.mime_content


def test_conflicts(exchange):
    ann = exchange.account()
    draft(ann).save()
    first, second = ann.drafts.get(subject="hello"), ann.drafts.get(subject="hello")
    first.subject = "first"
    first.save(update_fields=["subject"])
    second.subject = "second"
    with pytest.raises(ErrorIrresolvableConflict):
        second.save(update_fields=["subject"], conflict_resolution=NEVER_OVERWRITE)
    second.save(update_fields=["subject"], conflict_resolution=ALWAYS_OVERWRITE)
    first.refresh()
    assert first.subject == "second"


def test_what_was_sent_keeps_its_recipients(exchange):
    ann = exchange.account()
    draft(ann).send()
    sent = ann.sent.get(subject="hello")
    with pytest.raises(ErrorInvalidPropertySet):
        list(exchange_update(ann, sent))


def exchange_update(ann, sent):
    """Past exchangelib's own refusal."""
    from exchangelib.services import UpdateItem

    sent.is_draft = True
    sent.to_recipients = [Mailbox(email_address="other@out.test")]
    for result in UpdateItem(account=ann).call(
        items=[(sent, ["to_recipients"])],
        conflict_resolution="AutoResolve",
        message_disposition="SaveOnly",
        send_meeting_invitations_or_cancellations="SendToNone",
        suppress_read_receipts=True,
    ):
        if isinstance(result, Exception):
            raise result
        yield result


class Colour(ExtendedProperty):
    property_set_id = "0fdd4ea7-3b1a-4fb0-b6ad-2b6c6d9e7a01"
    property_name = "Colour"
    property_type = "String"


class Scores(ExtendedProperty):
    distinguished_property_set_id = "PublicStrings"
    property_name = "urn:scores"
    property_type = "IntegerArray"


class Flag(ExtendedProperty):
    property_tag = 0x1090
    property_type = "Integer"


class Due(ExtendedProperty):
    distinguished_property_set_id = "Task"
    property_id = 0x8105
    property_type = "SystemTime"


@pytest.fixture
def registered():
    names = {"colour": Colour, "scores": Scores, "flag_status": Flag, "due": Due}
    for name, kind in names.items():
        Message.register(name, kind)
    yield
    for name in names:
        Message.deregister(name)


@pytest.mark.usefixtures("registered")
def test_extended_properties(exchange):
    ann = exchange.account()
    when = at(2026, 12, 24, 18)
    draft(ann, colour="blue & <white>", scores=[3, 1, 2], flag_status=2, due=when).save()
    item = ann.drafts.get(colour__contains="white")
    assert (item.colour, item.scores, item.flag_status, item.due) == ("blue & <white>", [3, 1, 2], 2, when)
    item.colour, item.scores = "red", None
    item.save()
    item.refresh()
    assert (item.colour, item.scores) == ("red", None)
    assert ann.drafts.filter(flag_status=2, due__gt=when - timedelta(hours=1)).count() == 1
    assert ann.drafts.filter(colour="blue").count() == 0
    assert ann.drafts.filter(scores__exists=True).count() == 0


def test_text_of_every_kind_arrives(exchange):
    ann = exchange.account()
    text = 'tab\tamp & lt < quote " ’ 日本語 😀\r\nlast'
    Message(account=ann, folder=ann.drafts, subject="ünïcödé 😀 & <x>", body=text).save()
    item = ann.drafts.get(subject="ünïcödé 😀 & <x>")
    assert str(item.body).replace("\r\n", "\n").rstrip("\n") == text.replace("\r\n", "\n")


def test_posts(exchange):
    ann = exchange.account()
    PostItem(account=ann, folder=ann.inbox, subject="notice", body="read me").save()
    found = ann.inbox.get(subject="notice")
    assert isinstance(found, PostItem)
    assert str(found.body).strip() == "read me"
    found.delete()
    assert not ann.inbox.filter(subject="notice").exists()


def test_junk(exchange):
    exchange.deliver("cheap")
    ann = exchange.account()
    item = ann.inbox.get(subject="cheap")
    item.mark_as_junk(is_junk=True, move_item=True)
    moved = ann.junk.get(subject="cheap")
    moved.mark_as_junk(is_junk=False, move_item=True)
    assert ann.inbox.filter(subject="cheap").exists()


def test_sending_to_somebody_outside(exchange):
    ann = exchange.account()
    Message(account=ann, subject="out", body="b", to_recipients=["someone@out.test"]).send()
    assert ann.sent.filter(subject="out").exists()
    (drawn,) = exchange.world.store.outbound()
    assert drawn.recipients == ("someone@out.test",)
