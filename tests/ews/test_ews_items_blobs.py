"""ExportItems and UploadItems (ews reference 8)."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from items_scene import ANN, MAIL, Items, extended, mime, set_field, tag

from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.folders import folder_id
from postroom_simulator.ews.items.blobs import unpacked
from postroom_simulator.store.interface import Role

RICH = (
    '<t:Subject>s</t:Subject><t:Body BodyType="HTML">&lt;b>x&lt;/b></t:Body><t:Attachments><t:FileAttachment><t:Name>a</t:Name><t:Content>aGk=</t:Content>'
    "</t:FileAttachment><t:ItemAttachment><t:Name>i</t:Name><t:Contact><t:DisplayName>Carl</t:DisplayName></t:Contact></t:ItemAttachment></t:Attachments>"
    "<t:ReminderDueBy>2026-02-03T10:00:00Z</t:ReminderDueBy>"
)


def export(items: Items, item: dict[str, str]) -> bytes:
    message = items.one(f'<ExportItems><ItemIds><t:ItemId Id="{item["@Id"]}"/></ItemIds></ExportItems>')
    assert message["ItemId"]["@Id"] == item["@Id"]
    data: bytes = message["Data"]
    return data


def upload(
    items: Items,
    data: bytes,
    action: str = "CreateNew",
    item: dict[str, str] | None = None,
    role: Role = Role.INBOX,
    more: str = "",
) -> dict[str, Any]:
    parent = folder_id(items.world.store.folder(ANN, role))["@Id"]
    there = f'<t:ItemId Id="{item["@Id"]}"/>' if item is not None else ""
    return items.messages(
        f'<UploadItems><Items><t:Item CreateAction="{action}" {more}><t:ParentFolderId Id="{parent}"/>{there}'
        f"<t:Data>{base64.b64encode(data).decode()}</t:Data></t:Item></Items></UploadItems>"
    )[0]


def without_ids(shown: dict[str, Any]) -> dict[str, Any]:
    gone = (
        "ItemId",
        "ParentFolderId",
        "InstanceKey",
        "LastModifiedTime",
        "WebClientReadFormQueryString",
        "WebClientEditFormQueryString",
        "ConversationId",
        "Attachments",
    )
    return {name: one for name, one in shown.items() if name not in gone}


@pytest.mark.parametrize("inside", [RICH, mime(MAIL) + extended(tag("0x6701", "String"), "<t:Value>x</t:Value>")])
def test_create_new_gives_the_same_item_again(items: Items, inside: str) -> None:
    made = items.draft(inside)
    before = items.get(made, tag("0x6701", "String"))
    items.world.clock.advance(1000)
    new = upload(items, export(items, made))["ItemId"]
    assert new["@Id"] != made["@Id"]
    assert items.listed("inbox") == [new]
    after = items.get(new, tag("0x6701", "String"))
    assert without_ids(after) == without_ids(before)
    assert [one["Name"] for _, one in after.get("Attachments", ())] == [one["Name"] for _, one in before.get("Attachments", ())]
    assert items.mime(new) == items.mime(made)


def test_update_keeps_the_id(items: Items) -> None:
    made = items.draft(RICH, folder="inbox") if False else items.made(f"<t:Message>{RICH}</t:Message>", folder="inbox")
    data = export(items, made)
    changed = items.updated(made, set_field("item:Subject", "<t:Subject>later</t:Subject>"))
    message = upload(items, data, "Update", changed)
    assert message["ItemId"]["@Id"] == made["@Id"]
    assert message["ItemId"]["@ChangeKey"] != changed["@ChangeKey"]
    assert items.get(made)["Subject"] == "s"


def test_octets_in_place_of_properties_and_back(items: Items) -> None:
    got = items.deliver()
    octets, data = items.mime(got), export(items, got)
    changed = items.updated(got, set_field("item:Subject", "<t:Subject>later</t:Subject>"))
    edited = export(items, changed)
    upload(items, data, "Update", changed)
    assert items.mime(got) == octets
    upload(items, edited, "Update", changed)
    assert items.get(got)["Subject"] == "later"


def test_update_needs_the_item_in_its_folder(items: Items) -> None:
    made = items.draft()
    data = export(items, made)
    assert upload(items, data, "Update", made, Role.INBOX)["ResponseCode"] == "ErrorItemNotFound"
    assert upload(items, data, "Update", None, Role.DRAFTS)["ResponseCode"] == "ErrorInvalidIdEmpty"


def test_update_or_create_does_either(items: Items) -> None:
    made = items.draft()
    data = export(items, made)
    assert upload(items, data, "UpdateOrCreate", made, Role.DRAFTS)["ItemId"]["@Id"] == made["@Id"]
    assert upload(items, data, "UpdateOrCreate", made, Role.INBOX)["ItemId"]["@Id"] != made["@Id"]
    assert upload(items, data, "UpdateOrCreate", None, Role.DRAFTS)["ResponseCode"] == "NoError"
    assert len(items.listed("drafts")) == 2


def test_associated_items(items: Items) -> None:
    new = upload(items, export(items, items.draft()), more='IsAssociated="true"')["ItemId"]
    assert items.get(new)["IsAssociated"] is True


def test_damaged_data(items: Items) -> None:
    data = export(items, items.draft(RICH))
    text = zlib.decompress(data[6:])
    for wrong in (
        b"",
        b"nonsense",
        data[:-3],
        data[:6] + zlib.compress(b"[]"),
        data[:6] + zlib.compress(b"[" * 100_000),
        data[:6] + zlib.compress(text.replace(b'"Subject"', b'"Nothing"')),
        data[:6] + zlib.compress(text.replace(b'"Content":{', b'"Content":{"x":1,')),
        data[:6] + zlib.compress(text.replace(b'"IPM.Note"', b"7")),
    ):
        assert upload(items, wrong)["ResponseCode"] == "ErrorCorruptData", wrong[:40]
    assert items.listed("inbox") == []


def test_one_that_grows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom_simulator.ews.items.blobs._LARGEST", 1_000_000)
    with pytest.raises(EwsError, match="ErrorCorruptData"):
        unpacked(b"PRXI1\n" + zlib.compress(b" " * 1_100_000, 9))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["class", "properties", "octets", "\0pair", "\0octets", "\0moment", "@Mime", "Attachments"]),
                inner,
                max_size=4,
            )
        ),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_json_is_refused_by_name(value: Any) -> None:
    import json

    with pytest.raises(EwsError, match="ErrorCorruptData"):
        unpacked(b"PRXI1\n" + zlib.compress(json.dumps(value).encode()))
