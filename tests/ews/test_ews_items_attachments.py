"""CreateAttachment, GetAttachment, DeleteAttachment, and attachments of items (ews reference 13)."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy
from urllib.parse import quote

import pytest
from folders_scene import named
from items_scene import BOB, Items, getting, to

FILE = "<t:FileAttachment><t:Name>a.txt</t:Name><t:ContentType>text/plain</t:ContentType><t:Content>aGVsbG8=</t:Content></t:FileAttachment>"
INNER = '<t:Message><t:Subject>inner</t:Subject><t:Body BodyType="Text">within</t:Body></t:Message>'


def item_attachment(inside: str = INNER) -> str:
    return f"<t:ItemAttachment><t:Name>attached</t:Name>{inside}</t:ItemAttachment>"


def attach(items: Items, parent: dict[str, str], *attachments: str) -> list[dict]:
    ids = f'<ParentItemId Id="{parent["@Id"]}" ChangeKey="{parent["@ChangeKey"]}"/>'
    return items.messages(f"<CreateAttachment>{ids}<Attachments>{''.join(attachments)}</Attachments></CreateAttachment>")


def fetch(items: Items, *ids: str, shape: str = "") -> list[dict]:
    asked = "".join(f'<t:AttachmentId Id="{one}"/>' for one in ids)
    return items.messages(
        f"<GetAttachment><AttachmentShape>{shape}</AttachmentShape><AttachmentIds>{asked}</AttachmentIds></GetAttachment>"
    )


def detach(items: Items, one: str) -> dict:
    return items.messages(f'<DeleteAttachment><AttachmentIds><t:AttachmentId Id="{one}"/></AttachmentIds></DeleteAttachment>')[
        0
    ]


def made_id(message: dict) -> dict:
    assert message["ResponseCode"] == "NoError", message
    return message["Attachments"][0][1]["AttachmentId"]


def test_the_answer_has_the_parents_new_key(items: Items) -> None:
    made = items.draft()
    one = made_id(attach(items, made, FILE)[0])
    assert one["@RootItemId"] == made["@Id"]
    assert one["@RootItemChangeKey"] != made["@ChangeKey"]
    assert items.get(made)["ItemId"]["@ChangeKey"] == one["@RootItemChangeKey"]
    two = made_id(attach(items, {"@Id": made["@Id"], "@ChangeKey": one["@RootItemChangeKey"]}, FILE)[0])
    assert two["@Id"] != one["@Id"]


def test_several_at_once(items: Items) -> None:
    made = items.draft()
    ids = [made_id(message) for message in attach(items, made, FILE, FILE, item_attachment())]
    assert len({one["@Id"] for one in ids}) == len({one["@RootItemChangeKey"] for one in ids}) == 3
    assert len(items.get(made)["Attachments"]) == 3


def test_an_old_key_of_the_parent(items: Items) -> None:
    made = items.draft()
    attach(items, made, FILE)
    assert attach(items, made, FILE)[0]["ResponseCode"] == "ErrorIrresolvableConflict"


def test_get_item_lists_without_content(items: Items) -> None:
    made = items.draft()
    attach(items, made, FILE, item_attachment())
    shown = items.get(made)
    (_, file), (element, item) = shown["Attachments"]
    assert element == "ItemAttachment"
    assert (file["Name"], file["ContentType"], file["Size"], file["IsInline"], file["IsContactPhoto"]) == (
        "a.txt",
        "text/plain",
        5,
        False,
        False,
    )
    assert "Content" not in file
    assert "Message" not in item
    assert item["Name"] == "attached"
    assert shown["HasAttachments"] is True


def test_inline_ones_do_not_count(items: Items) -> None:
    made = items.draft()
    attach(items, made, FILE.replace("<t:Content>", "<t:ContentId>c1</t:ContentId><t:IsInline>true</t:IsInline><t:Content>"))
    shown = items.get(made)
    assert shown["HasAttachments"] is False
    assert (shown["Attachments"][0][1]["ContentId"], shown["Attachments"][0][1]["IsInline"]) == ("c1", True)


def test_get_attachment_gives_the_content(items: Items) -> None:
    one = made_id(attach(items, items.draft(), FILE)[0])["@Id"]
    element, value = fetch(items, one)[0]["Attachments"][0]
    assert (element, value["Name"], value["Content"]) == ("FileAttachment", "a.txt", b"hello")
    assert value["AttachmentId"]["@Id"] == one


def test_an_attached_item_has_no_id_of_its_own(items: Items) -> None:
    one = made_id(attach(items, items.draft(), item_attachment())[0])["@Id"]
    _, value = fetch(items, one)[0]["Attachments"][0]
    inner = value["Message"]
    assert (inner["Subject"], inner["Body"][""], inner["ItemClass"]) == ("inner", "within", "IPM.Note")
    assert "ItemId" not in inner
    assert "MimeContent" not in inner
    _, value = fetch(items, one, shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>")[0]["Attachments"][0]
    assert b"Subject: inner\r\n" in base64.b64decode(value["Message"]["MimeContent"][""])


@pytest.mark.parametrize(
    ("inside", "element", "name", "text"),
    [
        ("<t:Contact><t:DisplayName>Carl</t:DisplayName></t:Contact>", "Contact", "DisplayName", "Carl"),
        ("<t:Task><t:Subject>do</t:Subject></t:Task>", "Task", "Subject", "do"),
        ("<t:PostItem><t:Subject>said</t:Subject></t:PostItem>", "PostItem", "Subject", "said"),
    ],
)
def test_items_of_other_kinds_are_attached(items: Items, inside: str, element: str, name: str, text: str) -> None:
    one = made_id(attach(items, items.draft(), item_attachment(inside))[0])["@Id"]
    _, value = fetch(items, one)[0]["Attachments"][0]
    assert value[element][name] == text


def test_item_attachments_need_an_item(items: Items) -> None:
    made = items.draft()
    assert attach(items, made, item_attachment(""))[0]["ResponseCode"] == "ErrorMissingItemForCreateItemAttachment"
    meeting = item_attachment("<t:MeetingRequest><t:Subject>m</t:Subject></t:MeetingRequest>")
    assert attach(items, made, meeting)[0]["ResponseCode"] == "ErrorInvalidItemForOperationCreateItemAttachment"
    assert "Attachments" not in items.get(made)


def nested(levels: int) -> str:
    inner = FILE
    for number in range(levels):
        inner = item_attachment(
            f"<t:Message><t:Subject>level {number}</t:Subject><t:Attachments>{inner}</t:Attachments></t:Message>"
        )
    return inner


def test_nested_attachments_have_ids(items: Items) -> None:
    one = made_id(attach(items, items.draft(), nested(4))[0])["@Id"]
    for number in (3, 2, 1, 0):
        element, value = fetch(items, one)[0]["Attachments"][0]
        assert (element, value["Message"]["Subject"]) == ("ItemAttachment", f"level {number}")
        one = value["Message"]["Attachments"][0][1]["AttachmentId"]["@Id"]
    assert fetch(items, one)[0]["Attachments"][0][1]["Content"] == b"hello"


def test_nested_too_deep(items: Items) -> None:
    assert attach(items, items.draft(), nested(5))[0]["ResponseCode"] == "ErrorAttachmentNestLevelLimitExceeded"


def test_unknown_and_gone(items: Items) -> None:
    made = items.draft()
    assert fetch(items, "nonsense")[0]["ResponseCode"] == "ErrorInvalidAttachmentId"
    assert fetch(items, made["@Id"])[0]["ResponseCode"] == "ErrorInvalidAttachmentId"
    one = made_id(attach(items, made, FILE)[0])["@Id"]
    detach(items, one)
    assert fetch(items, one)[0]["ResponseCode"] == "ErrorItemNotFound"
    assert detach(items, one)["ResponseCode"] == "ErrorItemNotFound"
    assert [message["ResponseCode"] for message in fetch(items, one, "nonsense")] == [
        "ErrorItemNotFound",
        "ErrorInvalidAttachmentId",
    ]


def test_delete_answers_with_the_parent(items: Items) -> None:
    made = items.draft()
    one, two = (made_id(message) for message in attach(items, made, FILE, FILE.replace("a.txt", "b.txt")))
    root = detach(items, one["@Id"])["RootItemId"]
    assert root["@RootItemId"] == made["@Id"]
    shown = items.get(made)
    assert root["@RootItemChangeKey"] == shown["ItemId"]["@ChangeKey"]
    assert [value["Name"] for _, value in shown["Attachments"]] == ["b.txt"]
    three = made_id(attach(items, shown["ItemId"], FILE)[0])
    assert len({one["@Id"], two["@Id"], three["@Id"]}) == 3  # numbers are not used again


def test_a_delivered_message_takes_one_more(items: Items) -> None:
    mail = b'From: x@out.test\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\ntext\r\n'
    mail += b'--b\r\nContent-Type: image/png; name="p.png"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\ncG5n\r\n--b--\r\n'
    got = items.deliver(mail)
    first = items.get(got)["Attachments"][0][1]
    assert fetch(items, first["AttachmentId"]["@Id"])[0]["Attachments"][0][1]["Content"] == b"png"
    attach(items, got, FILE)
    assert [value["Name"] for _, value in items.get(got)["Attachments"]] == ["p.png", "a.txt"]
    assert fetch(items, first["AttachmentId"]["@Id"])[0]["Attachments"][0][1]["Content"] == b"png"
    parsed = message_from_bytes(items.mime(got), policy=policy.default)
    assert [part.get_filename() for part in parsed.iter_attachments()] == ["p.png", "a.txt"]


def test_mail_within_mail(items: Items) -> None:
    inner = b"From: y@out.test\r\nSubject: =?utf-8?q?=C3=A4?=\r\nX-Long: " + b"x" * 90 + b"\r\n\r\nin there\r\n"
    mail = b'From: x@out.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n'
    got = items.deliver(mail + inner + b"\r\n--b--\r\n")
    element, listed = items.get(got)["Attachments"][0]
    assert (element, listed["Name"]) == ("ItemAttachment", "ä")
    one = listed["AttachmentId"]["@Id"]
    shown = fetch(items, one, shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>")[0]["Attachments"][0][1]["Message"]
    assert (shown["Subject"], shown["From"]["Mailbox"]["EmailAddress"]) == ("ä", "y@out.test")
    assert base64.b64decode(shown["MimeContent"][""]) == inner


def test_in_create_item_and_sent(items: Items) -> None:
    inline = FILE.replace("a.txt", "i.png").replace(
        "<t:Content>", "<t:ContentId>c1</t:ContentId><t:IsInline>true</t:IsInline><t:Content>"
    )
    body = '<t:Body BodyType="HTML">&lt;img src="cid:c1"></t:Body>'
    message = f"<t:Message>{body}<t:Attachments>{inline}{FILE}{item_attachment()}</t:Attachments>{to(BOB)}</t:Message>"
    items.create(message, "SendAndSaveCopy")
    parsed = message_from_bytes(items.world.inbox(BOB)[0], policy=policy.default)
    assert parsed.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in parsed.walk()][1:6] == [
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/plain",
    ]
    related = list(parsed.walk())[5]
    assert (related["Content-ID"], related.get_content_disposition()) == ("<c1>", "inline")
    got = items.get(items.listed("inbox", BOB)[0], user=BOB)
    assert [value["Name"] for _, value in got["Attachments"]] == ["i.png", "a.txt", "inner"]


def test_large_ones_come_back_whole(items: Items) -> None:
    octets = bytes(range(256)) * 12_000
    file = FILE.replace("aGVsbG8=", base64.b64encode(octets).decode())
    one = made_id(attach(items, items.draft(), file)[0])["@Id"]
    assert fetch(items, one)[0]["Attachments"][0][1]["Content"] == octets


def test_names_beyond_ascii(items: Items) -> None:
    made = items.draft()
    attach(items, made, FILE.replace("a.txt", "ä &quot;ö&quot;.txt"))
    parsed = message_from_bytes(items.mime(made), policy=policy.default)
    assert [part.get_filename() for part in parsed.iter_attachments()] == ['ä "ö".txt']


def test_parts_nested_without_end(items: Items) -> None:
    mail = b"From: x@out.test\r\nSubject: deep\r\nMIME-Version: 1.0\r\n"
    for number in range(300):
        mail += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (number, number)
    got = items.deliver(mail + b"\r\nend\r\n")
    assert items.get(got)["Subject"] == "deep"
    assert items.mime(got) == items.world.inbox("ann@sim.test")[0]


def test_nobody_elses(items: Items) -> None:
    one = made_id(attach(items, items.draft(), FILE)[0])["@Id"]
    request = f'<GetAttachment><AttachmentIds><t:AttachmentId Id="{one}"/></AttachmentIds></GetAttachment>'
    assert items.code(request, user=BOB) == "ErrorAccessDenied"
    assert items.code(getting({"@Id": one})) == "ErrorInvalidId"


# -- by reference (ews reference 13; Exchange 2016)

REFERENCE = (
    "<t:ReferenceAttachment><t:Name>plan.docx</t:Name><t:ContentType>application/msword</t:ContentType>"
    "<t:AttachLongPathName>https://drive.test/päths/plan.docx?a=1;b=2</t:AttachLongPathName><t:ProviderType>OneDrivePro</t:ProviderType>"
    "<t:ProviderEndpointUrl>https://drive.test/api</t:ProviderEndpointUrl><t:PermissionType>2</t:PermissionType>"
    "<t:OriginalPermissionType>0</t:OriginalPermissionType><t:AttachmentIsFolder>false</t:AttachmentIsFolder></t:ReferenceAttachment>"
)
SAID = {
    "Name": "plan.docx",
    "ContentType": "application/msword",
    "Size": 0,
    "AttachLongPathName": "https://drive.test/päths/plan.docx?a=1;b=2",
    "ProviderType": "OneDrivePro",
    "ProviderEndpointUrl": "https://drive.test/api",
    "PermissionType": 2,
    "OriginalPermissionType": 0,
    "AttachmentIsFolder": False,
}


def test_by_reference(items: Items) -> None:
    """Reference 13: created, listed and fetched; there is no content, and only since Exchange 2016 such an element."""
    made = items.draft()
    one = made_id(attach(items, made, REFERENCE)[0])["@Id"]
    element, value = fetch(items, one)[0]["Attachments"][0]
    assert element == "ReferenceAttachment"
    assert {name: value[name] for name in SAID} == SAID
    shown = items.get(made)
    assert shown["HasAttachments"] is True
    ((element, listed),) = shown["Attachments"]
    assert (element, listed["AttachLongPathName"]) == ("ReferenceAttachment", SAID["AttachLongPathName"])
    old = items.get(made, version="Exchange2013")
    assert (old["HasAttachments"], old.get("Attachments")) == (True, None)
    assert detach(items, one)["ResponseCode"] == "NoError"
    assert items.get(made)["HasAttachments"] is False


def test_a_reference_says_where(items: Items) -> None:
    bare = "<t:ReferenceAttachment><t:Name>x</t:Name></t:ReferenceAttachment>"
    assert attach(items, items.draft(), bare)[0]["ResponseCode"] == "ErrorRequiredPropertyMissing"
    assert items.code(
        f"<CreateAttachment><ParentItemId Id='{items.draft()['@Id']}'/><Attachments>{REFERENCE}</Attachments></CreateAttachment>",
        version="Exchange2013",
    ) in ("ErrorSchemaValidation", "ErrorIncorrectSchemaVersion")


# -- attachments and MIME (ews reference 7, 13)

KINDS = (
    FILE
    + '<t:FileAttachment><t:Name>größe, "x";.pdf</t:Name><t:ContentType>application/pdf</t:ContentType><t:Content>AAEC/w==</t:Content></t:FileAttachment>'
    + "<t:FileAttachment><t:Name>dot.png</t:Name><t:ContentType>image/png</t:ContentType><t:ContentId>dot@x</t:ContentId>"
    "<t:ContentLocation>http://x.test/dot.png</t:ContentLocation><t:IsInline>true</t:IsInline><t:Content>iVBO</t:Content></t:FileAttachment>"
    + item_attachment()
    + REFERENCE
)


def test_attachments_survive_mime(items: Items) -> None:
    """What the MIME content of an item says of its attachments makes the same ones."""
    body = '<t:Body BodyType="HTML">&lt;p&gt;see &lt;img src="cid:dot@x"&gt;&lt;/p&gt;</t:Body>'
    first = items.draft(f"<t:Subject>s</t:Subject>{body}<t:Attachments>{KINDS}</t:Attachments>")
    mime = base64.b64encode(items.mime(first)).decode()
    second = items.draft(f'<t:MimeContent CharacterSet="UTF-8">{mime}</t:MimeContent>')
    found = []
    for made in (first, second):
        rows = []
        for _, one in items.get(made)["Attachments"]:
            ((element, whole),) = fetch(items, one["AttachmentId"]["@Id"])[0]["Attachments"]
            inner = whole.pop("Message", {})
            kept = {name: part for name, part in whole.items() if name not in ("AttachmentId", "LastModifiedTime", "Size")}
            rows.append((element, kept, inner.get("Subject"), (inner.get("Body") or {}).get("")))
        found.append(sorted(rows, key=str))
    names = {row[1]["Name"] for row in found[1]}
    assert names == {"a.txt", 'größe, "x";.pdf', "dot.png", "inner", "plan.docx"}  # an attached message is named by its subject
    differ = [(one, other) for one, other in zip(*found, strict=True) if one != other]
    assert [(one[0], one[1] | {"Name": ""}, one[2]) for one, _ in differ] == [
        (other[0], other[1] | {"Name": ""}, other[2]) for _, other in differ
    ]
    assert {one[0] for one, _ in differ} <= {"ItemAttachment"}


def test_a_large_attachment(items: Items) -> None:
    content = bytes(range(256)) * 12_000  # 3 MB
    text = base64.b64encode(content).decode()
    made = items.draft()
    large = f"<t:FileAttachment><t:Name>big.bin</t:Name><t:Content>{text}</t:Content></t:FileAttachment>"
    one = made_id(attach(items, made, large)[0])["@Id"]
    assert fetch(items, one)[0]["Attachments"][0][1]["Content"] == content
    parsed = message_from_bytes(items.mime(made), policy=policy.default)
    assert next(parsed.iter_attachments()).get_content() == content


def test_pictures_inside_the_text_at_an_url(items: Items) -> None:
    """InlineImageUrlTemplate (MS-OXWSCDATA 2.2.4.38): {id} is the attachment's id; that it is named so is our reading."""
    body = '<t:Body BodyType="HTML">&lt;img src="cid:DOT@x"&gt;&lt;img src=\'cid:none\'&gt;&lt;img src="http://x.test/y"&gt;</t:Body>'
    made = items.draft(f"{body}<t:Attachments>{KINDS}</t:Attachments>")
    one = next(one["AttachmentId"]["@Id"] for _, one in items.get(made)["Attachments"] if one["Name"] == "dot.png")
    template = "<t:InlineImageUrlTemplate>https://x.test/get?id={id}&amp;a=1</t:InlineImageUrlTemplate>"
    text = items.get(made, extra=template)["Body"][""]
    assert f'<img src="https://x.test/get?id={quote(one, safe="")}&amp;a=1">' in text
    assert "cid:none" in text
    assert "http://x.test/y" in text
    assert "cid:DOT@x" in items.get(made)["Body"][""]


def test_adding_to_a_sent_item(items: Items) -> None:
    """Reference 13: adding one to a sent item is allowed."""
    items.create(f"<t:Message><t:Subject>s</t:Subject>{to(BOB)}</t:Message>", "SendAndSaveCopy")
    (sent,) = items.listed("sentitems")
    assert made_id(attach(items, sent, FILE)[0])
    assert items.get(sent)["HasAttachments"] is True


def test_references_are_exported_and_forwarded(items: Items) -> None:
    made = items.draft(f"<t:Subject>s</t:Subject><t:Attachments>{REFERENCE}{FILE}</t:Attachments>")
    (exported,) = items.messages(f'<ExportItems><ItemIds><t:ItemId Id="{made["@Id"]}"/></ItemIds></ExportItems>')
    folder = items.folder(named("drafts"))[1]["FolderId"]["@Id"]
    data = base64.b64encode(exported["Data"]).decode()
    given = f'<t:Item CreateAction="CreateNew"><t:ParentFolderId Id="{folder}"/><t:Data>{data}</t:Data></t:Item>'
    (uploaded,) = items.messages(f"<UploadItems><Items>{given}</Items></UploadItems>")
    assert [element for element, _ in items.get(uploaded["ItemId"])["Attachments"]] == ["ReferenceAttachment", "FileAttachment"]
    about = f'<t:ReferenceItemId Id="{made["@Id"]}" ChangeKey="{made["@ChangeKey"]}"/>'
    assert items.create(f"<t:ForwardItem>{to(BOB)}{about}</t:ForwardItem>", "SendOnly")["ResponseCode"] == "NoError"
    (got,) = items.listed("inbox", BOB)
    shown = Items(items.world, BOB).get(got)["Attachments"]
    assert sorted(element for element, _ in shown) == ["FileAttachment", "ReferenceAttachment"]
    assert (
        next(one["AttachLongPathName"] for element, one in shown if element == "ReferenceAttachment")
        == SAID["AttachLongPathName"]
    )
