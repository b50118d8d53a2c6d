"""Sentences of the ews reference, sections 1 to 3, that no other test keeps: header fields, what an error carries, what came with which version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import wire
from folders_scene import Asker, named, world  # noqa: F401
from lxml import etree
from wire import NS, codes, connected, direct, envelope, find_item, get_folder, http

from postroom_simulator import World

ID = '<t:ItemId Id="AAAA"/>'
ITEMS = f"<m:ItemIds>{ID}</m:ItemIds>"
SHAPE = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
TO = '<m:ToFolderId><t:DistinguishedFolderId Id="inbox"/></m:ToFolderId>'
FOLDER_IDS = '<m:FolderIds><t:FolderId Id="AAAA"/></m:FolderIds>'


@pytest.fixture
def office() -> Iterator[World]:
    with wire.make_world() as office:
        yield office


SUBSCRIBE = (
    '<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes><t:EventType>NewMailEvent'
    "</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>"
)


def test_header_fields_are_recorded(office: World) -> None:
    """Section 1: request headers worth recording."""
    client = connected(office)
    fields = "X-AnchorMailbox: ann@sim.test\r\nX-PreferServerAffinity: True\r\nclient-request-id: 42\r\nUser-Agent: probe/1\r\n"
    client.ask(http(envelope(get_folder()), extra=fields + "Cookie: a=b; X-BackEndOverrideCookie=one~1\r\n"))
    client.ask(http(envelope(get_folder())))
    client.close()
    first, second = office.journal.entries(kind="command")
    assert first.data == {
        "x-anchormailbox": "ann@sim.test",
        "x-preferserveraffinity": "True",
        "client-request-id": "42",
        "user-agent": "probe/1",
        "x-backendoverridecookie": "one~1",
    }
    assert second.data == {}


@pytest.mark.parametrize(
    ("body", "field", "cookie"),
    [
        (SUBSCRIBE, "X-PreferServerAffinity: True\r\n", True),
        (SUBSCRIBE, "", False),
        (get_folder(), "X-PreferServerAffinity: True\r\n", False),
    ],
)
def test_affinity_has_a_cookie(office: World, body: str, field: str, cookie: bool) -> None:
    """Section 1: after a Subscribe sent with X-PreferServerAffinity."""
    client = connected(office)
    answer = client.ask(http(envelope(body), extra=field))
    client.close()
    assert answer.codes == ["NoError"]
    assert (answer.header("Set-Cookie") or "").startswith("X-BackEndOverrideCookie=") is cookie


def test_answers_are_not_compressed(office: World) -> None:
    """Section 1: compressing is optional, but then Content-Encoding must be right; here neither."""
    client = connected(office)
    answer = client.ask(http(envelope(get_folder()), extra="Accept-Encoding: gzip, deflate\r\n"))
    client.close()
    assert answer.header("Content-Encoding") is None
    assert codes(answer.body) == ["NoError"]


def test_elements_of_the_header_in_any_order_and_none(office: World) -> None:
    """Section 2: all are optional, their order is free."""
    office.ews.impersonators[wire.ANN] = {"*"}
    office.ews.serializers.add(wire.ANN)
    parts = [
        '<t:RequestServerVersion Version="Exchange2013"/>',
        '<t:TimeZoneContext><t:TimeZoneDefinition Id="UTC"/></t:TimeZoneContext>',
        "<t:MailboxCulture>de-DE</t:MailboxCulture>",
        "<t:DateTimePrecision>Seconds</t:DateTimePrecision>",
        (
            "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>bob@sim.test</t:PrimarySmtpAddress></t:ConnectingSID>"
            "</t:ExchangeImpersonation>"
        ),
    ]
    for order in (parts, parts[::-1], parts[2:] + parts[:2], []):
        header = f"<s:Header>{''.join(order)}</s:Header>" if order else ""
        body = f"<s:Envelope {wire.SPACES}>{header}<s:Body>{get_folder()}</s:Body></s:Envelope>".encode()
        assert codes(direct(office, body).body) == ["NoError"]
        (*_, entry) = office.journal.entries(kind="command")
        assert entry.account == ("bob@sim.test" if order else wire.ANN)


@pytest.mark.parametrize("name", ["Exchange2015", "Exchange2016", "V2015_10_05", "V2016_01_06", "V2016_10_10", "V2017_07_11"])
def test_names_of_newer_schemas(office: World, name: str) -> None:
    """Section 2: accepted from Exchange 2016 on, and by no older one."""
    for server, code in (("2016", "NoError"), ("2019", "NoError"), ("2013_SP1", "ErrorInvalidServerVersion")):
        office.ews.server_name = server
        assert codes(direct(office, envelope(get_folder(), version=name)).body) == [code]


OPERATIONS = [
    ("GetItem", f"{SHAPE}{ITEMS}", "Items"),
    ("UpdateItem", "", "Items"),
    ("MoveItem", f"{TO}{ITEMS}", "Items"),
    ("CopyItem", f"{TO}{ITEMS}", "Items"),
    ("DeleteItem", ITEMS, None),
    ("SendItem", ITEMS, None),
    ("GetFolder", f"{wire.SHAPE}{FOLDER_IDS}", "Folders"),
    ("MoveFolder", f"{TO}{FOLDER_IDS}", "Folders"),
    ("CopyFolder", f"{TO}{FOLDER_IDS}", "Folders"),
    ("DeleteFolder", FOLDER_IDS, None),
    ("EmptyFolder", FOLDER_IDS, None),
    ("GetAttachment", '<m:AttachmentIds><t:AttachmentId Id="AAAA"/></m:AttachmentIds>', "Attachments"),
    ("ExportItems", ITEMS, None),
    ("MarkAsJunk", ITEMS, None),
]
ATTRIBUTES = {
    "DeleteItem": 'DeleteType="HardDelete"',
    "SendItem": 'SaveItemToFolder="true"',
    "DeleteFolder": 'DeleteType="HardDelete"',
    "EmptyFolder": 'DeleteType="HardDelete" DeleteSubFolders="true"',
    "UpdateItem": 'ConflictResolution="AutoResolve" MessageDisposition="SaveOnly"',
    "MarkAsJunk": 'IsJunk="true" MoveItem="false"',
}


@pytest.mark.parametrize(("operation", "inside", "payload"), OPERATIONS)
def test_an_error_carries_text_code_key_and_the_empty_payload(
    office: World, operation: str, inside: str, payload: str | None
) -> None:
    """Section 3: MessageText, ResponseCode, DescriptiveLinkKey 0, and the payload's element with nothing in it."""
    if operation == "UpdateItem":
        change = '<t:DeleteItemField><t:FieldURI FieldURI="item:Categories"/></t:DeleteItemField>'
        inside = f"<m:ItemChanges><t:ItemChange>{ID}<t:Updates>{change}</t:Updates></t:ItemChange></m:ItemChanges>"
    answer = direct(office, f"<m:{operation} {ATTRIBUTES.get(operation, '')}>{inside}</m:{operation}>")
    assert answer.status == 200
    (message,) = etree.fromstring(answer.body).iter(f"{{{NS['m']}}}{operation}ResponseMessage")
    assert message.get("ResponseClass") == "Error"
    names = [etree.QName(child).localname for child in message]
    assert names == ["MessageText", "ResponseCode", "DescriptiveLinkKey", *([payload] if payload else [])]
    assert message[0].text
    assert message[1].text in ("ErrorInvalidIdMalformed", "ErrorInvalidAttachmentId")
    assert message[2].text == "0"
    assert not payload or len(message[3]) == 0


def test_success_carries_the_code_alone_before_its_payload(office: World) -> None:
    """Section 3: neither text nor key."""
    for body, name in ((get_folder(), "GetFolder"), (find_item(), "FindItem")):
        (message,) = etree.fromstring(direct(office, body).body).iter(f"{{{NS['m']}}}{name}ResponseMessage")
        assert message.get("ResponseClass") == "Success"
        assert next(etree.QName(child).localname for child in message) == "ResponseCode"
        assert message[0].text == "NoError"


CALENDAR = (
    "<t:CalendarItem><t:Subject>s</t:Subject><t:Start>2027-03-01T09:00:00Z</t:Start><t:End>2027-03-01T10:00:00Z</t:End>"
    '<t:StartTimeZone Id="UTC"/></t:CalendarItem>'
)
INBOX = '<t:DistinguishedFolderId Id="inbox"/>'
PARENTS = f"<m:ParentFolderIds>{INBOX}</m:ParentFolderIds>"
CAME = [
    ("EmptyFolder", '<m:EmptyFolder DeleteType="HardDelete" DeleteSubFolders="false"><m:FolderIds>{inbox}</m:FolderIds></m:EmptyFolder>', "2007_SP1", "2010"),
    ("zones of items", '<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>{calendar}</m:Items></m:CreateItem>', "2007_SP1", "2010"),
    ("query strings", '<m:FindItem Traversal="Shallow">{shape}{parents}<m:QueryString>x</m:QueryString></m:FindItem>', "2007_SP1", "2010"),
    ("streaming", SUBSCRIBE, "2010", "2010_SP1"),
    ("rules", "<m:GetInboxRules/>", "2010", "2010_SP1"),
    ("conversations", '<m:FindConversation><m:ParentFolderId>{inbox}</m:ParentFolderId></m:FindConversation>', "2010", "2010_SP1"),
    ("password expiry", "<m:GetPasswordExpirationDate><m:MailboxSmtpAddress>ann@sim.test</m:MailboxSmtpAddress></m:GetPasswordExpirationDate>", "2010", "2010_SP1"),
    ("people", '<m:FindPeople><m:IndexedPageItemView MaxEntriesReturned="5" Offset="0" BasePoint="Beginning"/></m:FindPeople>', "2010_SP2", "2013"),
    ("personas", "<m:GetPersona><m:EmailAddress><t:EmailAddress>bob@sim.test</t:EmailAddress></m:EmailAddress></m:GetPersona>", "2010_SP2", "2013"),
    ("archiving", '<m:ArchiveItem><m:ArchiveSourceFolderId>{inbox}</m:ArchiveSourceFolderId><m:ItemIds><t:ItemId Id="AAAA"/></m:ItemIds></m:ArchiveItem>', "2010_SP2", "2013"),
    ("reading all", "<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts><m:FolderIds>{inbox}</m:FolderIds></m:MarkAllItemsAsRead>", "2010_SP2", "2013"),
    ("junk", '<m:MarkAsJunk IsJunk="true" MoveItem="false"><m:ItemIds><t:ItemId Id="AAAA"/></m:ItemIds></m:MarkAsJunk>', "2010_SP2", "2013"),
    ("photos", "<m:GetUserPhoto><m:Email>ann@sim.test</m:Email><m:SizeRequested>HR48x48</m:SizeRequested></m:GetUserPhoto>", "2010_SP2", "2013"),
    ("texts", '<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:TextBody"/></t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id="AAAA"/></m:ItemIds></m:GetItem>', "2010_SP2", "2013"),
    ("flags", '<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Flag"/></t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id="AAAA"/></m:ItemIds></m:GetItem>', "2010_SP2", "2013"),
    ("organizers", '<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="calendar:IsOrganizer"/></t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id="AAAA"/></m:ItemIds></m:GetItem>', "2010_SP2", "2013"),
    ("proposals", '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:ProposeNewTime><t:ReferenceItemId Id="AAAA"/></t:ProposeNewTime></m:Items></m:CreateItem>', "2013", "2013_SP1"),
    ("receipts", '<m:DeleteItem DeleteType="HardDelete" SuppressReadReceipts="true"><m:ItemIds><t:ItemId Id="AAAA"/></m:ItemIds></m:DeleteItem>', "2013", "2013_SP1"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "body", "before", "since"), CAME, ids=[one[0] for one in CAME])
def test_what_came_with_which_version(office: World, what: str, body: str, before: str, since: str) -> None:
    """Section 2: a version selects what may appear; what is newer than the version that is named is ErrorIncorrectSchemaVersion."""
    asked = body.format(inbox=INBOX, calendar=CALENDAR, shape=SHAPE, parents=PARENTS)
    assert codes(direct(office, envelope(asked, version=f"Exchange{before}")).body) == ["ErrorIncorrectSchemaVersion"]
    found = codes(direct(office, envelope(asked, version=f"Exchange{since}")).body)
    assert found
    assert not {"ErrorIncorrectSchemaVersion", "ErrorSchemaValidation", "ErrorInvalidOperation"} & set(found)


def test_well_known_names_are_told_since_2013(world: World) -> None:  # noqa: F811
    """Section 6: in the shapes Default and AllProperties and by FindFolder; to nobody who asked in an older schema (section 2)."""
    ann = Asker(world)
    find = (
        '<FindFolder Traversal="Shallow"><FolderShape><t:BaseShape>{}</t:BaseShape></FolderShape><ParentFolderIds>'
        f"{named('msgfolderroot')}</ParentFolderIds></FindFolder>"
    )
    for shape, version, said in (
        ("Default", "Exchange2013", True),
        ("AllProperties", "Exchange2013", True),
        ("IdOnly", "Exchange2013", False),
        ("Default", "Exchange2010_SP2", False),
        ("AllProperties", "Exchange2010_SP2", False),
    ):
        assert ("DistinguishedFolderId" in ann.folder(named("inbox"), shape, version=version)[1]) is said
        found = ann.one(find.format(shape), version=version)["RootFolder"]["Folders"]
        assert ("inbox" in [value.get("DistinguishedFolderId") for _, value in found]) is said
