"""Contacts and private lists: ews reference 12."""

from __future__ import annotations

import base64

import pytest
from people_scene import ANN, BOB, Answer, Office

NAMES = "<t:GivenName>Zoe</t:GivenName><t:MiddleName>Q</t:MiddleName><t:CompanyName>Yews</t:CompanyName><t:Generation>Jr</t:Generation><t:Surname>Yew</t:Surname>"
ORDER = (
    "FileAs",
    "FileAsMapping",
    "DisplayName",
    "GivenName",
    "MiddleName",
    "Nickname",
    "CompanyName",
    "Generation",
    "Surname",
)


def change(office: Office, item: str, updates: str, mode: str = "AlwaysOverwrite") -> Answer:
    return office.ask(
        "UpdateItem",
        f'<m:ItemChanges><t:ItemChange><t:ItemId Id="{item}"/><t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges>',
        attributes=f'ConflictResolution="{mode}"',
    )


def setting(path: str, inner: str, element: str = "Contact", action: str = "SetItemField") -> str:
    return f"<t:{action}>{path}<t:{element}>{inner}</t:{element}></t:{action}>"


def field(uri: str) -> str:
    return f'<t:FieldURI FieldURI="{uri}"/>'


def indexed(uri: str, index: str) -> str:
    return f'<t:IndexedFieldURI FieldURI="{uri}" FieldIndex="{index}"/>'


def entries(answer: Answer, collection: str) -> dict[str, str]:
    return dict(zip(answer.all(f"{collection}/Entry@Key"), answer.all(f"{collection}/Entry"), strict=True))


# -- collections

COLLECTIONS = (
    '<t:EmailAddresses><t:Entry Key="EmailAddress1">a@x.test</t:Entry><t:Entry Key="EmailAddress3">c@x.test</t:Entry></t:EmailAddresses>'
    '<t:PhysicalAddresses><t:Entry Key="Business"><t:Street>S 1</t:Street><t:City>Bern</t:City></t:Entry></t:PhysicalAddresses>'
    '<t:PhoneNumbers><t:Entry Key="MobilePhone">1</t:Entry><t:Entry Key="HomePhone">2</t:Entry></t:PhoneNumbers>'
    '<t:ImAddresses><t:Entry Key="ImAddress1">sip:a</t:Entry></t:ImAddresses>'
)


def test_collections_are_kept_by_key(office: Office) -> None:
    found = office.get(office.contact(COLLECTIONS)[0])
    assert entries(found, "EmailAddresses") == {"EmailAddress1": "a@x.test", "EmailAddress3": "c@x.test"}
    assert entries(found, "PhoneNumbers") == {"MobilePhone": "1", "HomePhone": "2"}
    assert entries(found, "ImAddresses") == {"ImAddress1": "sip:a"}
    assert (found.one("PhysicalAddresses/Entry@Key"), found.one("Street"), found.one("City")) == ("Business", "S 1", "Bern")


@pytest.mark.parametrize(
    ("collection", "uri", "key", "others"),
    [
        ("EmailAddresses", "contacts:EmailAddress", "EmailAddress1", {"EmailAddress3": "c@x.test"}),
        ("PhoneNumbers", "contacts:PhoneNumber", "HomePhone", {"MobilePhone": "1"}),
        ("PhoneNumbers", "contacts:PhoneNumber", "Pager", {"MobilePhone": "1", "HomePhone": "2"}),
        ("ImAddresses", "contacts:ImAddress", "ImAddress2", {"ImAddress1": "sip:a"}),
    ],
)
def test_updates_go_entry_by_entry(office: Office, collection: str, uri: str, key: str, others: dict[str, str]) -> None:
    item, _ = office.contact(COLLECTIONS)
    new = f'<t:{collection}><t:Entry Key="{key}">new</t:Entry></t:{collection}>'
    assert change(office, item, setting(indexed(uri, key), new)).codes == ["NoError"]
    assert entries(office.get(item), collection) == others | {key: "new"}
    assert change(office, item, f"<t:DeleteItemField>{indexed(uri, key)}</t:DeleteItemField>").codes == ["NoError"]
    assert entries(office.get(item), collection) == others


def test_addresses_are_updated_line_by_line(office: Office) -> None:
    item, _ = office.contact(COLLECTIONS)
    new = '<t:PhysicalAddresses><t:Entry Key="Business"><t:City>Basel</t:City></t:Entry></t:PhysicalAddresses>'
    assert change(office, item, setting(indexed("contacts:PhysicalAddress:City", "Business"), new)).codes == ["NoError"]
    found = office.get(item)
    assert (found.one("Street"), found.one("City")) == ("S 1", "Basel")
    for part in ("Street", "City"):
        change(
            office, item, f"<t:DeleteItemField>{indexed(f'contacts:PhysicalAddress:{part}', 'Business')}</t:DeleteItemField>"
        )
    assert office.get(item).all("PhysicalAddresses") == []


def test_an_entry_without_anything_is_none(office: Office) -> None:
    item, _ = office.contact('<t:PhoneNumbers><t:Entry Key="Pager"></t:Entry></t:PhoneNumbers>')
    assert office.get(item).all("PhoneNumbers") == []


def test_entries_may_be_asked_for_one_by_one(office: Office) -> None:
    item, _ = office.contact(COLLECTIONS)
    paths = indexed("contacts:PhoneNumber", "HomePhone") + indexed("contacts:PhysicalAddress:City", "Business")
    found = office.get(item, shape="IdOnly", more=f"<t:AdditionalProperties>{paths}</t:AdditionalProperties>")
    assert entries(found, "PhoneNumbers") == {"HomePhone": "2"}
    assert (found.one("City"), found.all("Street")) == ("Bern", [])


# -- names


@pytest.mark.parametrize(
    ("mapping", "filed"),
    [
        ("LastCommaFirst", "Yew, Zoe Q"),
        ("FirstSpaceLast", "Zoe Q Yew Jr"),
        ("Company", "Yews"),
        ("LastCommaFirstCompany", "Yew, Zoe Q\r\nYews"),
        ("CompanyLastFirst", "Yews\r\nYewZoe Q"),
        ("LastFirst", "YewZoe Q"),
        ("LastFirstCompany", "YewZoe Q\r\nYews"),
        ("CompanyLastCommaFirst", "Yews\r\nYew, Zoe Q"),
        ("LastFirstSuffix", "YewZoe Q Jr"),
        ("LastSpaceFirstCompany", "Yew Zoe Q\r\nYews"),
        ("CompanyLastSpaceFirst", "Yews\r\nYew Zoe Q"),
        ("LastSpaceFirst", "Yew Zoe Q"),
        ("DisplayName", "Zoe Q Yew Jr"),
        ("FirstName", "Zoe"),
        ("LastFirstMiddleSuffix", "Yew Zoe Q Jr"),
        ("LastName", "Yew"),
        ("None", "Yew, Zoe Q"),
    ],
)
def test_a_mapping_makes_file_as(office: Office, mapping: str, filed: str) -> None:
    item, _ = office.contact(f"<t:FileAsMapping>{mapping}</t:FileAsMapping>{NAMES}")
    found = office.get(item)
    assert (found.one("FileAs").replace("\r\n", "\n"), found.one("FileAsMapping")) == (filed.replace("\r\n", "\n"), mapping)


def test_an_empty_mapping_files_nowhere(office: Office) -> None:
    assert office.get(office.contact(f"<t:FileAsMapping>Empty</t:FileAsMapping>{NAMES}")[0]).all("FileAs") == []


def test_file_as_follows_names_until_somebody_writes_one(office: Office) -> None:
    item, _ = office.contact(f"<t:FileAsMapping>LastCommaFirst</t:FileAsMapping>{NAMES}")
    change(office, item, setting(field("contacts:Surname"), "<t:Surname>Oak</t:Surname>"))
    assert office.get(item).one("FileAs") == "Oak, Zoe Q"
    change(office, item, setting(field("contacts:FileAs"), "<t:FileAs>by hand</t:FileAs>"))
    found = office.get(item)
    assert (found.one("FileAs"), found.one("FileAsMapping")) == ("by hand", "None")
    change(office, item, setting(field("contacts:FileAsMapping"), "<t:FileAsMapping>FirstName</t:FileAsMapping>"))
    assert office.get(item).one("FileAs") == "Zoe"


def test_the_complete_name_follows_its_parts(office: Office) -> None:
    title = '<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x3a45" PropertyType="String"/><t:Value>Dr.</t:Value></t:ExtendedProperty>'
    item, _ = office.contact(
        f"{title}<t:DisplayName>Dr. Zoe</t:DisplayName><t:GivenName>Zoe</t:GivenName><t:Initials>Z.Y.</t:Initials>"
        "<t:Nickname>Zo</t:Nickname><t:Generation>Jr</t:Generation><t:Surname>Yew</t:Surname>"
    )
    found = office.get(item)
    parts = ("Title", "FirstName", "LastName", "Suffix", "Initials", "FullName", "Nickname")
    assert [found.one(f"CompleteName/{part}") for part in parts] == ["Dr.", "Zoe", "Yew", "Jr", "Z.Y.", "Dr. Zoe", "Zo"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("<t:DisplayName>As given</t:DisplayName><t:GivenName>Zoe</t:GivenName>", "As given"),
        (NAMES, "Zoe Q Yew Jr"),
        ("<t:FileAs>Filed</t:FileAs>", "Filed"),
        ("<t:CompanyName>Yews</t:CompanyName>", "Yews"),
        ('<t:EmailAddresses><t:Entry Key="EmailAddress1">a@x.test</t:Entry></t:EmailAddresses>', "a@x.test"),
    ],
)
def test_there_is_always_a_name_to_show(office: Office, given: str, shown: str) -> None:
    found = office.get(office.contact(given)[0])
    assert (found.one("Contact/DisplayName"), found.one("Subject")) == (shown, shown)


READ_ONLY = {
    "CompleteName": "<t:FirstName>x</t:FirstName>",
    "ContactSource": "Store",
    "HasPicture": "true",
    "PhoneticFullName": "x",
    "Alias": "x",
    "Notes": "x",
    "Photo": "eA==",
    "DirectoryId": "x",
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_what_the_server_sets_is_refused(office: Office, name: str) -> None:
    inner = f"<t:{name}>{READ_ONLY[name]}</t:{name}>"
    assert office.ask("CreateItem", f"<m:Items><t:Contact>{inner}</t:Contact></m:Items>").codes == ["ErrorInvalidPropertySet"]
    item, _ = office.contact("<t:DisplayName>Z</t:DisplayName>")
    assert change(office, item, setting(field(f"contacts:{name}"), inner)).codes == ["ErrorInvalidPropertySet"]


@pytest.mark.parametrize("name", ["GivenName", "JobTitle", "Surname"])
def test_lines_have_a_limit(office: Office, name: str) -> None:
    made = office.ask("CreateItem", f"<m:Items><t:Contact><t:{name}>{'x' * 2000}</t:{name}></t:Contact></m:Items>")
    assert made.codes == ["ErrorPropertyUpdate"]
    item, _ = office.contact("<t:DisplayName>Z</t:DisplayName>")
    assert change(office, item, setting(field(f"contacts:{name}"), f"<t:{name}>{'x' * 2000}</t:{name}>")).codes == [
        "ErrorPropertyUpdate"
    ]


def test_contacts_live_in_folders_of_contacts(office: Office) -> None:
    saved = '<m:SavedItemFolderId><t:DistinguishedFolderId Id="inbox"/></m:SavedItemFolderId>'
    made = office.ask("CreateItem", f"{saved}<m:Items><t:Contact><t:DisplayName>Z</t:DisplayName></t:Contact></m:Items>")
    assert made.codes == ["ErrorCannotCreateContactInNonContactFolder"]


# -- photos


def attach(office: Office, item: str, name: str = "ContactPicture.jpg", photo: str = "true") -> str:
    made = office.ask(
        "CreateAttachment",
        f'<m:ParentItemId Id="{item}"/><m:Attachments><t:FileAttachment><t:Name>{name}</t:Name><t:IsContactPhoto>{photo}</t:IsContactPhoto>'
        "<t:Content>/9j/</t:Content></t:FileAttachment></m:Attachments>",
    )
    assert made.codes == ["NoError"]
    return made.one("AttachmentId@Id")


def test_a_photo_is_an_attachment(office: Office) -> None:
    item, _ = office.contact("<t:DisplayName>Z</t:DisplayName>")
    assert office.get(item).one("HasPicture") == "false"
    picture = attach(office, item)
    found = office.get(item)
    assert (found.one("HasPicture"), found.one("IsContactPhoto"), found.one("FileAttachment/Name")) == (
        "true",
        "true",
        "ContactPicture.jpg",
    )
    got = office.ask("GetAttachment", f'<m:AttachmentIds><t:AttachmentId Id="{picture}"/></m:AttachmentIds>')
    assert got.one("Content") == "/9j/"
    office.ask("DeleteAttachment", f'<m:AttachmentIds><t:AttachmentId Id="{picture}"/></m:AttachmentIds>')
    assert office.get(item).one("HasPicture") == "false"


def test_other_attachments_are_no_photo(office: Office) -> None:
    item, _ = office.contact("<t:DisplayName>Z</t:DisplayName>")
    attach(office, item, "letter.txt", "false")
    assert office.get(item).one("HasPicture") == "false"


def test_old_versions_know_no_picture(office: Office) -> None:
    item, _ = office.contact("<t:DisplayName>Z</t:DisplayName>")
    assert office.get(item, version="Exchange2007_SP1").all("HasPicture") == []


# -- MAPI properties


@pytest.mark.parametrize(
    ("path", "inner", "element", "value"),
    [
        ('PropertyTag="0x3a06"', "", "GivenName", "Zoe"),
        ('PropertyTag="14865"', "", "Surname", "Yew"),
        ('PropertyTag="0x3a1c"', "", "PhoneNumbers/Entry", "079"),
        ('PropertyTag="0x3a59"', "", "PhysicalAddresses/Entry/City", "Zug"),
        ('DistinguishedPropertySetId="Address" PropertyId="32899"', "", "EmailAddresses/Entry", "z@x.test"),
        ('DistinguishedPropertySetId="Address" PropertyId="32773"', "", "FileAs", "filed"),
        ('DistinguishedPropertySetId="Address" PropertyId="32866"', "", "ImAddresses/Entry", "sip:z"),
        ('PropertySetId="00062004-0000-0000-C000-000000000046" PropertyId="32838"', "", "PhysicalAddresses/Entry/City", "Bern"),
    ],
)
def test_mapi_properties_and_elements_are_in_step(office: Office, path: str, inner: str, element: str, value: str) -> None:
    uri = f'<t:ExtendedFieldURI {path} PropertyType="String"/>'
    item, _ = office.contact(f"<t:ExtendedProperty>{uri}<t:Value>{value}</t:Value></t:ExtendedProperty>")
    found = office.get(item, more=f"<t:AdditionalProperties>{uri}</t:AdditionalProperties>")
    assert found.one(element) == value
    assert found.all("ExtendedProperty/Value") == [value]
    assert change(office, item, f"<t:DeleteItemField>{uri}</t:DeleteItemField>").codes == ["NoError"]
    assert value not in office.get(item).all(element)


# -- vCards


def mime(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoe Yew\r\nN:Yew;Zoe;Q;Dr.;Jr\r\nEMAIL;TYPE=INTERNET:z@x.test\r\nTEL;TYPE=CELL:079\r\n"
    "ADR;TYPE=HOME:;;Lane 1;Zug;ZG;6300;CH\r\nORG:Yews;Trees\r\nBDAY:1980-05-17\r\nNOTE:line 1\\nline 2\r\nCATEGORIES:a,b\r\n"
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/\r\nEND:VCARD\r\n"
)


def test_a_vcard_makes_a_contact(office: Office) -> None:
    item, _ = office.contact(f'<t:MimeContent CharacterSet="UTF-8">{mime(CARD)}</t:MimeContent>')
    found = office.get(item)
    shown = {
        name: found.one(f"Contact/{name}")
        for name in ("DisplayName", "GivenName", "Surname", "CompanyName", "Department", "Birthday")
    }
    assert shown == {
        "DisplayName": "Zoe Yew", "GivenName": "Zoe", "Surname": "Yew", "CompanyName": "Yews", "Department": "Trees",
        "Birthday": "1980-05-17T11:59:00Z",
    }  # fmt: skip
    assert entries(found, "EmailAddresses") == {"EmailAddress1": "z@x.test"}
    assert (found.one("City"), found.one("CompleteName/Title"), found.one("HasPicture")) == ("Zug", "Dr.", "true")
    assert (found.one("Body"), found.all("Categories/String")) == ("line 1\nline 2", ["a", "b"])


def test_elements_win_over_the_vcard(office: Office) -> None:
    item, _ = office.contact(f"<t:MimeContent>{mime(CARD)}</t:MimeContent><t:GivenName>Zed</t:GivenName>")
    found = office.get(item)
    assert (found.one("GivenName"), found.one("Surname")) == ("Zed", "Yew")


def test_a_contact_is_shown_as_a_vcard_that_follows_it(office: Office) -> None:
    item, _ = office.contact(f"<t:MimeContent>{mime(CARD)}</t:MimeContent>")
    change(office, item, setting(field("contacts:JobTitle"), "<t:JobTitle>Gardener</t:JobTitle>"))
    found = office.get(item, shape="IdOnly", more="<t:IncludeMimeContent>true</t:IncludeMimeContent>")
    text = base64.b64decode(found.one("MimeContent")).decode()
    assert found.one("MimeContent@CharacterSet") == "UTF-8"
    assert text.startswith("BEGIN:VCARD\r\n")
    for line in (
        "FN:Zoe Yew",
        "N:Yew;Zoe;Q;Dr.;Jr",
        "TITLE:Gardener",
        "TEL;TYPE=CELL:079",
        "ORG:Yews;Trees",
        "BDAY:1980-05-17",
        "END:VCARD",
    ):
        assert f"\r\n{line}\r\n" in text


@pytest.mark.parametrize("text", ["", "nonsense", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "BEGIN:VCARD\r\n" * 50])
def test_what_is_no_vcard_is_refused(office: Office, text: str) -> None:
    made = office.ask("CreateItem", f"<m:Items><t:Contact><t:MimeContent>{mime(text)}</t:MimeContent></t:Contact></m:Items>")
    assert made.codes == ["ErrorMimeContentInvalid"]


# -- lists


def member(inner: str) -> str:
    return f"<t:Member><t:Mailbox>{inner}</t:Mailbox></t:Member>"


def group(office: Office, *members: str) -> str:
    inner = f"<t:Members>{''.join(members)}</t:Members>" if members else ""
    return office.contact(f"<t:DisplayName>Club</t:DisplayName>{inner}", element="DistributionList")[0]


def address(text: str, more: str = "") -> str:
    return member(f"<t:EmailAddress>{text}</t:EmailAddress>{more}")


def test_members_have_names_kinds_keys_and_a_status(office: Office) -> None:
    office.world.add_group("team@sim.test", [ANN], name="Team")
    friend, _ = office.contact(COLLECTIONS + "<t:DisplayName>Friend</t:DisplayName>".replace("t:DisplayName", "t:JobTitle"))
    other = group(office)
    item = group(
        office,
        address(BOB),
        address("team@sim.test"),
        member("<t:Name>X</t:Name><t:EmailAddress>x@out.test</t:EmailAddress><t:MailboxType>OneOff</t:MailboxType>"),
        address("gone@sim.test", "<t:MailboxType>Mailbox</t:MailboxType>"),
        address("nonsense"),
        member(f'<t:MailboxType>Contact</t:MailboxType><t:ItemId Id="{friend}"/>'),
        member(f'<t:MailboxType>PrivateDL</t:MailboxType><t:ItemId Id="{other}"/>'),
    )
    found = office.get(item)
    assert found.all("Member/Mailbox/MailboxType") == [
        "Mailbox",
        "PublicDL",
        "OneOff",
        "OneOff",
        "OneOff",
        "Contact",
        "PrivateDL",
    ]
    assert found.all("Member/Status") == ["Normal", "Normal", "Normal", "Demoted", "Unrecognized", "Normal", "Normal"]
    assert found.all("Member/Mailbox/Name")[:3] == ["Bob Birch", "Team", "X"]
    keys = found.all("Member@Key")
    assert len(set(keys)) == 7
    assert found.all("Member/Mailbox/EmailAddress")[5] == "a@x.test"


def test_the_same_member_is_there_once(office: Office) -> None:
    assert len(office.get(group(office, address(BOB), address(BOB.upper()))).all("Member")) == 1


def test_a_list_shows_its_name_everywhere(office: Office) -> None:
    found = office.get(group(office))
    assert [found.one(name) for name in ("DisplayName", "FileAs", "Subject")] == ["Club"] * 3
    assert found.all("Members") == []
    refused = office.ask("CreateItem", "<m:Items><t:DistributionList><t:FileAs>x</t:FileAs></t:DistributionList></m:Items>")
    assert refused.codes == ["ErrorInvalidPropertySet"]


def test_members_are_set_added_and_removed(office: Office) -> None:
    item = group(office, address(BOB), address("x@out.test"))
    path = field("distributionlist:Members")

    def members(*given: str) -> str:
        return f"<t:Members>{''.join(map(address, given))}</t:Members>"

    def present() -> list[str]:
        return office.get(item).all("Member/Mailbox/EmailAddress")

    more = setting(path, members("y@out.test"), "DistributionList", "AppendToItemField")
    assert change(office, item, more).codes == ["NoError"]
    assert present() == [BOB, "x@out.test", "y@out.test"]
    key = office.get(item).all("Member@Key")[1]
    gone = f"<t:DeleteItemField>{indexed('distributionlist:Members:Member', key)}</t:DeleteItemField>"
    assert change(office, item, gone).codes == ["NoError"]
    assert present() == [BOB, "y@out.test"]
    assert change(office, item, gone).codes == ["ErrorDistributionListMemberNotExist"]
    assert change(office, item, setting(path, members(ANN), "DistributionList")).codes == ["NoError"]
    assert present() == [ANN]
    assert change(office, item, f"<t:DeleteItemField>{path}</t:DeleteItemField>").codes == ["NoError"]
    assert present() == []


def test_a_member_is_somebody(office: Office) -> None:
    made = office.ask(
        "CreateItem",
        f"<m:Items><t:DistributionList><t:Members>{member('<t:Name>x</t:Name>')}</t:Members></t:DistributionList></m:Items>",
    )
    assert made.codes == ["ErrorInvalidRecipients"]
