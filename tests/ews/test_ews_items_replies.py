"""Response objects about messages (ews reference 8)."""

from __future__ import annotations

import pytest
from items_scene import BOB, Items, prop, set_field, tag, to

MAIL = (
    b"From: Bob Birch <bob@sim.test>\r\nTo: ann@sim.test, Carl <c@out.test>\r\nCc: d@out.test\r\nSubject: RE: talk\r\nMessage-ID: <1@out.test>\r\n"
    b"References: <0@out.test>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\nwhat was said\r\n"
)
NEW = '<t:NewBodyContent BodyType="Text">my answer</t:NewBodyContent>'


def answering(element: str, item: dict[str, str], inside: str = NEW, *, key: bool = True) -> str:
    given = f' ChangeKey="{item["@ChangeKey"]}"' if key else ""
    return f'<t:{element}><t:ReferenceItemId Id="{item["@Id"]}"{given}/>{inside}</t:{element}>'


def addresses(shown: dict, field: str) -> list[str]:
    return [box["EmailAddress"] for box in (shown.get(field) or {}).get("Mailbox", ())]


def test_a_reply_goes_to_the_author(items: Items) -> None:
    got = items.deliver(MAIL)
    made = items.made(answering("ReplyToItem", got))
    shown = items.get(made)
    assert items.listed("drafts") == [made]
    assert shown["Subject"] == "RE: talk"
    assert (addresses(shown, "ToRecipients"), addresses(shown, "CcRecipients")) == ([BOB], [])
    assert shown["InReplyTo"] == "<1@out.test>"
    assert shown["References"] == "<0@out.test> <1@out.test>"
    assert shown["ConversationTopic"] == "talk"
    assert shown["ConversationId"] == items.get(got)["ConversationId"]
    body = shown["Body"][""]
    assert body.startswith("my answer")
    assert "From: Bob Birch <bob@sim.test>" in body
    assert "what was said" in body


def test_a_reply_to_all_leaves_out_the_one_who_answers(items: Items) -> None:
    shown = items.get(items.made(answering("ReplyAllToItem", items.deliver(MAIL))))
    assert (addresses(shown, "ToRecipients"), addresses(shown, "CcRecipients")) == ([BOB, "c@out.test"], ["d@out.test"])


def test_reply_to_is_where_answers_go(items: Items) -> None:
    got = items.deliver(b"Reply-To: list@out.test\r\n" + MAIL)
    assert addresses(items.get(items.made(answering("ReplyToItem", got))), "ToRecipients") == ["list@out.test"]


def test_forwarding_takes_the_attachments_along(items: Items) -> None:
    head, body = MAIL.split(b"\r\n\r\n", 1)
    parts = b"--b\r\n\r\n" + body + b'--b\r\nContent-Disposition: attachment; filename="a.txt"\r\n\r\nfile\r\n--b--\r\n'
    got = items.deliver(head + b'\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' + parts)
    shown = items.get(items.made(answering("ForwardItem", got, NEW)))
    assert (shown["Subject"], addresses(shown, "ToRecipients")) == ("FW: talk", [])
    assert [one["Name"] for _, one in shown["Attachments"]] == ["a.txt"]
    assert "Attachments" not in items.get(items.made(answering("ReplyToItem", got)))


def test_what_the_request_says_wins(items: Items) -> None:
    inside = "<t:Subject>other</t:Subject>" + to("e@out.test") + NEW
    shown = items.get(items.made(answering("ReplyToItem", items.deliver(MAIL), inside)))
    assert (shown["Subject"], addresses(shown, "ToRecipients")) == ("other", ["e@out.test"])


def test_html_is_answered_in_html(items: Items) -> None:
    got = items.deliver(
        MAIL.replace(b"Date:", b"Content-Type: text/html\r\nDate:").replace(
            b"what was said", b"<html><body class=x><b>said</b></body></html>"
        )
    )
    shown = items.get(items.made(answering("ReplyToItem", got)))
    body = shown["Body"]
    assert body["@BodyType"] == "HTML"
    assert body[""].index("<body class=x>") < body[""].index("my answer") < body[""].index("<b>said</b>")
    unique = items.get(items.listed("drafts")[0], '<t:FieldURI FieldURI="item:UniqueBody"/>')["UniqueBody"][""]
    assert "my answer" in unique
    assert "said" not in unique


@pytest.mark.parametrize(("element", "verb"), [("ReplyToItem", 102), ("ReplyAllToItem", 103), ("ForwardItem", 104)])
def test_sent_answers_are_marked_at_what_they_answer(items: Items, element: str, verb: int) -> None:
    got = items.deliver(MAIL)
    octets = items.mime(got)
    assert items.create(answering(element, got, to(BOB) + NEW), "SendAndSaveCopy")["Items"] == []
    assert len(items.listed("sentitems")) == len(items.world.inbox(BOB)) == 1
    shown = items.get(got, tag("0x1081", "Integer"))
    assert int(prop(shown)) == verb
    assert shown["IconIndex"] == ("MailForwarded" if verb == 104 else "MailReplied")
    assert items.mime(got) == octets
    assert items.create(answering(element, got, to(BOB) + NEW), "SendOnly")["ResponseCode"] == "NoError"  # the same key still


def test_errors_of_references(items: Items) -> None:
    got = items.deliver(MAIL)
    assert items.create(f"<t:ReplyToItem>{NEW}</t:ReplyToItem>")["ResponseCode"] == "ErrorMissingInformationReferenceItemId"
    assert items.create(answering("ReplyToItem", got, key=False))["ResponseCode"] == "ErrorChangeKeyRequired"
    assert items.create(answering("ReplyToItem", got), "")["ResponseCode"] == "ErrorMessageDispositionRequired"
    items.updated(got, set_field("item:Subject", "<t:Subject>x</t:Subject>"))
    assert items.create(answering("ReplyToItem", got))["ResponseCode"] == "ErrorStaleObject"


def test_drafts_are_not_answered(items: Items) -> None:
    assert items.create(answering("ReplyToItem", items.draft()))["ResponseCode"] == "ErrorInvalidOperation"


def test_a_suppressed_receipt_never_goes_out(items: Items) -> None:
    got = items.deliver(b"Disposition-Notification-To: bob@sim.test\r\n" + MAIL)
    message = items.create(answering("SuppressReadReceipt", got, ""))
    assert (message["ResponseCode"], message["Items"]) == ("NoError", [])
    items.update(got, set_field("message:IsRead", "<t:IsRead>true</t:IsRead>"))
    assert items.world.inbox(BOB) == []


def test_a_post_is_answered_in_its_folder(items: Items) -> None:
    post = items.made('<t:PostItem><t:Subject>p</t:Subject><t:Body BodyType="Text">b</t:Body></t:PostItem>', folder="inbox")
    message = items.create(answering("PostReplyItem", post))
    element, value = message["Items"][0]
    assert element == "PostItem"
    shown = items.get(value["ItemId"])
    assert (shown["Subject"], shown["ParentFolderId"]) == ("RE: p", items.get(post)["ParentFolderId"])


def test_only_what_belongs_to_a_meeting_is_removed(items: Items) -> None:
    assert items.create(answering("RemoveItem", items.deliver(MAIL), ""))["ResponseCode"] == "ErrorInvalidOperation"
