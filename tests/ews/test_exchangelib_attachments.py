"""exchangelib and attachments: files, items, pictures inside the text, streamed."""

from __future__ import annotations

import io

import pytest
from exchangelib import Contact, FileAttachment, HTMLBody, ItemAttachment, Message
from exchangelib.errors import ErrorItemNotFound
from exchangelib_scene import ANN, BOB

MIXED = (
    b"From: x@out.test\r\nTo: ann@sim.test\r\nSubject: with file\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee file\r\n'
    b'--b\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n--b--\r\n"
)


def draft(ann, *attachments, **given):
    return Message(
        account=ann, folder=ann.drafts, subject="hello", attachments=list(attachments), to_recipients=[BOB], **given
    ).save()


def test_files(exchange):
    ann = exchange.account()
    content = bytes(range(256)) * 40
    item = draft(ann, FileAttachment(name="a.bin", content=content, content_type="application/x-test"))
    found = ann.drafts.get(subject="hello")
    (one,) = found.attachments
    assert (one.name, one.content_type, one.content, one.is_inline) == ("a.bin", "application/x-test", content, False)
    assert one.size > 0
    assert found.has_attachments
    key = found.changekey
    found.attach(FileAttachment(name="b.txt", content=b"text"))
    assert found.changekey != key
    found.refresh()
    assert [one.name for one in found.attachments] == ["a.bin", "b.txt"]
    found.detach(found.attachments[0])
    found.refresh()
    assert [(one.name, one.content) for one in found.attachments] == [("b.txt", b"text")]
    found.subject = "the key of the last change is good"
    found.save()
    assert item.id == found.id


def test_streamed(exchange):
    ann = exchange.account()
    content = bytes(range(256)) * 400
    draft(ann, FileAttachment(name="a.bin", content=content))
    (one,) = ann.drafts.get(subject="hello").attachments
    with one.fp as stream:
        taken = stream.read(1000)
        assert taken == content[:1000]
    (one,) = ann.drafts.get(subject="hello").attachments
    with one.fp as stream:
        whole = io.BytesIO()
        while piece := stream.read(4096):
            whole.write(piece)
    assert whole.getvalue() == content


def test_pictures_in_the_text(exchange):
    ann = exchange.account()
    picture = FileAttachment(name="p.png", content=b"\x89PNG", is_inline=True, content_id="p@1")
    draft(ann, picture, body=HTMLBody('<img src="cid:p@1">'))
    item = ann.drafts.get(subject="hello")
    (one,) = item.attachments
    assert (one.is_inline, one.content_id) == (True, "p@1")
    assert not item.has_attachments


def test_items_in_items(exchange):
    ann = exchange.account()
    inner = Message(account=ann, subject="inner", body="inside", to_recipients=["deep@out.test"])
    card = Contact(account=ann, display_name="Carl Cedar", given_name="Carl", surname="Cedar")
    draft(ann, ItemAttachment(name="inner", item=inner), ItemAttachment(name="card", item=card))
    first, second = ann.drafts.get(subject="hello").attachments
    assert (first.item.subject, str(first.item.body).strip()) == ("inner", "inside")
    assert isinstance(second.item, Contact)
    assert second.item.surname == "Cedar"


def test_a_sent_message_carries_them(exchange):
    ann, bob = exchange.account(), exchange.account(BOB)
    item = draft(
        ann,
        FileAttachment(name="ü a.txt", content=b"text"),
        ItemAttachment(name="inner", item=Message(account=ann, subject="inner", body="x")),
    )
    item.send()
    got = bob.inbox.get(subject="hello")
    names = {one.name: one for one in got.attachments}
    assert names["ü a.txt"].content == b"text"
    (inner,) = [one for one in got.attachments if isinstance(one, ItemAttachment)]
    assert inner.item.subject == "inner"


def test_those_of_mail_from_outside(exchange):
    exchange.world.place(ANN, MIXED)
    ann = exchange.account()
    item = ann.inbox.get(subject="with file")
    (one,) = item.attachments
    assert (one.name, one.content_type, one.content) == ("a.pdf", "application/pdf", b"%PDF-1.4\n")
    assert item.has_attachments
    assert "see file" in item.body


def test_gone(exchange):
    ann = exchange.account()
    draft(ann, FileAttachment(name="a.bin", content=b"x"))
    item = ann.drafts.get(subject="hello")
    (one,) = item.attachments
    again = ann.drafts.get(subject="hello").attachments[0]
    one.detach()
    with pytest.raises(ErrorItemNotFound):
        _ = again.content
