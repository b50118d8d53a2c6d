"""Sentences of the ews reference, sections 3 to 6 and 19, that no other test keeps: how answers, faults, ids and texts look on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import wire
from lxml import etree
from wire import ANN, NS, codes, direct, envelope, find_item, get_folder

from postroom_simulator import World
from postroom_simulator.ews.operations import OPERATIONS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "ews.md"
ID_SHAPE = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"


@pytest.fixture
def office() -> Iterator[World]:
    with wire.make_world() as office:
        office.deliver("x@out.test", [ANN], b"From: x@out.test\r\nTo: ann@sim.test\r\nSubject: hello\r\n\r\nbody\r\n")
        yield office


def names(element: etree._Element) -> list[str]:
    return [etree.QName(child).localname for child in element]


def answered(office: World, body: str) -> etree._Element:
    """The element of the answer in the Body."""
    found = etree.fromstring(direct(office, body).body).find(f"{{{NS['s']}}}Body")
    assert found is not None
    return found[0]


def test_booleans_are_words(office: World) -> None:
    """Section 3: never 1 or 0, in attributes of paging neither; requests may write what they like."""
    octets = direct(office, find_item().replace("IdOnly", "AllProperties")).body
    assert b'IncludesLastItemInRange="true"' in octets
    for name in (b"IsRead", b"IsDraft", b"HasAttachments", b"IsFromMe"):
        assert re.search(rb"<t:%b>(true|false)</t:%b>" % (name, name), octets), name


@pytest.mark.parametrize("name", ["a & b", 'say "x"', "<t:Fake/>", "it's", "tab\there", "&amp;"])
def test_attributes_are_escaped(office: World, name: str) -> None:
    """Section 3: attribute values are escaped fully; here the name of a property, which is told as it was asked for."""
    from xml.sax.saxutils import quoteattr

    path = (
        f'<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName={quoteattr(name)} PropertyType="String"/>'
    )
    made = (
        f'<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:ExtendedProperty>{path}<t:Value>v</t:Value>'
        "</t:ExtendedProperty></t:Message></m:Items></m:CreateItem>"
    )
    item = answered(office, made).find(".//{*}ItemId")
    assert item is not None
    shape = (
        f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{path}</t:AdditionalProperties></m:ItemShape>"
    )
    got = answered(office, f'<m:GetItem>{shape}<m:ItemIds><t:ItemId Id="{item.get("Id")}"/></m:ItemIds></m:GetItem>')
    (told,) = got.iter("{*}ExtendedFieldURI")
    assert told.get("PropertyName") == name


WINDOW = (
    "<t:TimeZone><t:Bias>0</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder><t:Month>0</t:Month>"
    "<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder>"
    "<t:Month>0</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone><m:MailboxDataArray><t:MailboxData><t:Email>"
    "<t:Address>bob@sim.test</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData></m:MailboxDataArray>"
    "<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>2027-03-01T00:00:00</t:StartTime><t:EndTime>2027-03-02T00:00:00</t:EndTime>"
    "</t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>30</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>MergedOnly</t:RequestedView>"
    "</t:FreeBusyViewOptions>"
)
MAILBOX = "<m:Mailbox><t:EmailAddress>ann@sim.test</t:EmailAddress></m:Mailbox>"
OOF = (
    "<t:UserOofSettings><t:OofState>Disabled</t:OofState><t:ExternalAudience>All</t:ExternalAudience><t:InternalReply><t:Message>a</t:Message>"
    "</t:InternalReply><t:ExternalReply><t:Message>b</t:Message></t:ExternalReply></t:UserOofSettings>"
)
TIPS = (
    "<m:GetMailTips><m:SendingAs><t:EmailAddress>ann@sim.test</t:EmailAddress></m:SendingAs><m:Recipients><t:Mailbox>"
    "<t:EmailAddress>bob@sim.test</t:EmailAddress></t:Mailbox></m:Recipients><m:MailTipsRequested>All</m:MailTipsRequested></m:GetMailTips>"
)
DIRECT = ["ResponseCode"]
OWN_SHAPES = [
    (f"<m:GetUserAvailabilityRequest>{WINDOW}</m:GetUserAvailabilityRequest>", "GetUserAvailabilityResponse",
     "FreeBusyResponseArray/FreeBusyResponse", ["ResponseMessage", "FreeBusyView"]),
    ("<m:GetUserOofSettingsRequest><t:Mailbox><t:Address>ann@sim.test</t:Address></t:Mailbox></m:GetUserOofSettingsRequest>",
     "GetUserOofSettingsResponse", "", ["ResponseMessage", "OofSettings", "AllowExternalOof"]),
    (f"<m:SetUserOofSettingsRequest><t:Mailbox><t:Address>ann@sim.test</t:Address></t:Mailbox>{OOF}</m:SetUserOofSettingsRequest>",
     "SetUserOofSettingsResponse", "", ["ResponseMessage"]),
    ("<m:GetRoomLists/>", "GetRoomListsResponse", "", [*DIRECT, "RoomLists"]),
    ("<m:GetInboxRules/>", "GetInboxRulesResponse", "", [*DIRECT, "OutlookRuleBlobExists"]),
    ("<m:GetPasswordExpirationDate><m:MailboxSmtpAddress>ann@sim.test</m:MailboxSmtpAddress></m:GetPasswordExpirationDate>",
     "GetPasswordExpirationDateResponse", "", [*DIRECT, "PasswordExpirationDate"]),
    ('<m:FindConversation><m:ParentFolderId><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderId></m:FindConversation>',
     "FindConversationResponse", "", [*DIRECT, "Conversations"]),
    (('<m:FindPeople><m:IndexedPageItemView MaxEntriesReturned="5" Offset="0" BasePoint="Beginning"/><m:ParentFolderId>'
     '<t:DistinguishedFolderId Id="directory"/></m:ParentFolderId></m:FindPeople>'), "FindPeopleResponse", "",
     [*DIRECT, "People", "TotalNumberOfPeopleInView", "FirstMatchingRowIndex", "FirstLoadedRowIndex"]),
    (("<m:GetServiceConfiguration><m:RequestedConfiguration><m:ConfigurationName>MailTips</m:ConfigurationName></m:RequestedConfiguration>"
     "</m:GetServiceConfiguration>"), "GetServiceConfigurationResponse", "", [*DIRECT, "ResponseMessages"]),
    ("<m:GetPersona><m:EmailAddress><t:EmailAddress>bob@sim.test</t:EmailAddress></m:EmailAddress></m:GetPersona>",
     "GetPersonaResponseMessage", "", [*DIRECT, "Persona"]),
    (TIPS, "GetMailTipsResponse", "", [*DIRECT, "ResponseMessages"]),
    (TIPS, "GetMailTipsResponse", "ResponseMessages/MailTipsResponseMessageType", [*DIRECT, "MailTips"]),
    (f'<m:GetDelegate IncludePermissions="false">{MAILBOX}</m:GetDelegate>', "GetDelegateResponse", "", [*DIRECT, "DeliverMeetingRequests"]),
    ("<m:GetServerTimeZones/>", "GetServerTimeZonesResponse", "ResponseMessages/GetServerTimeZonesResponseMessage",
     [*DIRECT, "TimeZoneDefinitions"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "element", "path", "children"), OWN_SHAPES)
def test_answers_of_their_own_shape(office: World, body: str, element: str, path: str, children: list[str]) -> None:
    """Section 3: operations whose answer is not built as most are; the names matter."""
    found: etree._Element | None = answered(office, body)
    assert found is not None
    assert etree.QName(found).localname == element
    for name in filter(None, path.split("/")):
        found = found.find(f"{{{NS['m']}}}{name}")
        assert found is not None, name
    shown = [name for name in names(found) if not (name == "ResponseMessages" and name not in children)]
    assert shown[: len(children)] == children
    if children[0] == "ResponseCode":
        assert found.get("ResponseClass") == "Success"


def test_an_error_in_an_answer_of_its_own_shape(office: World) -> None:
    """Section 3: class, text and code directly on the response, in an error too."""
    found = answered(office, "<m:GetSearchableMailboxes/>")
    assert (etree.QName(found).localname, found.get("ResponseClass")) == ("GetSearchableMailboxesResponse", "Error")
    assert names(found)[:3] == ["MessageText", "ResponseCode", "DescriptiveLinkKey"]


def test_the_body_of_a_fault(office: World) -> None:
    """Section 3: what is in a fault, in which namespaces; values beside the code."""
    from postroom_simulator.faults import Reply, When

    office.faults.add(When("ews", "GetFolder", nth=1), Reply("ErrorServerBusy", "[BackOffMilliseconds=5000]"))
    answer = direct(office, get_folder())
    assert answer.status == 500
    (fault,) = etree.fromstring(answer.body).iter(f"{{{NS['s']}}}Fault")
    assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
    code, text, detail = fault
    prefix, _, local = (code.text or "").partition(":")
    assert (code.nsmap[prefix], local) == (NS["t"], "ErrorServerBusy")
    assert text.get("{http://www.w3.org/XML/1998/namespace}lang") == "en-US"
    said = "The server cannot service this request right now. Try again later."
    assert text.text == said
    assert [(etree.QName(child).namespace, etree.QName(child).localname) for child in detail] == [
        (NS["e"], "ResponseCode"),
        (NS["e"], "Message"),
        (NS["t"], "MessageXml"),
    ]
    assert (detail[0].text, detail[1].text, wire.values(answer.body)) == (
        "ErrorServerBusy",
        said,
        {"BackOffMilliseconds": "5000"},
    )


# -- section 4


def tiers() -> dict[int, set[str]]:
    """The operations that section 4 names, of the tiers whose names stand there whole."""
    section = REFERENCE.read_text().split("## 4.")[1].split("## 5.")[0]
    found = {}
    for tier, text in re.findall(r"\*\*Tier ([0-3]) - [^*]*\*\*(.*?)(?=\n\n|\Z)", section, re.DOTALL):
        words = re.sub(r"\([^)]*\)", "", " ".join(text.split("Opening moves")[0].split())).rstrip(". ")
        found[int(tier)] = {name for part in words.split(",") for name in spelled(part.strip(" .")) if name}
    return found


def spelled(part: str) -> list[str]:
    """ "Add/Update/RemoveDelegate" is three operations."""
    first, *rest = part.split("/")
    if not rest:
        return [part]
    noun = re.sub(r"^(Get|Set|Add|Create|Update|Remove|Delete)", "", rest[-1])
    return [one if one.endswith(noun) else one + noun for one in (first, *rest)]


def test_the_tiers_of_the_reference_are_those_of_the_table() -> None:
    """Section 4: what is named there is done here, and nothing of it is an error only."""
    named = tiers()
    named[2].remove("push")  # the callback is the client's operation
    assert {tier: len(found) for tier, found in named.items()} == {0: 7, 1: 20, 2: 24, 3: 17}
    for tier, found in named.items():
        for name in found:
            assert OPERATIONS[name].module, name
            assert OPERATIONS[name].tier == tier, name


def test_the_opening_moves_of_the_other_clients(office: World) -> None:
    """Section 4: those of DavMail and of Evolution; exchangelib's own are made by itself elsewhere."""
    root = get_folder("root")
    assert direct(office, b"", method="GET").status == 200
    found = answered(office, root).find(".//{*}FolderId")
    assert found is not None
    convert = '<m:ConvertId DestinationFormat="EwsId"><m:SourceIds><t:AlternateId Format="EwsId" Mailbox="ann" Id="{}"/></m:SourceIds></m:ConvertId>'
    (told,) = answered(office, convert.format(found.get("Id"))).iter(f"{{{NS['m']}}}AlternateId")
    assert (told.get("Mailbox"), told.get("{http://www.w3.org/2001/XMLSchema-instance}type")) == (ANN, "t:AlternateIdType")
    eight = ("inbox", "deleteditems", "sentitems", "sentitems", "contacts", "calendar", "tasks", "drafts")
    assert codes(direct(office, get_folder(*eight)).body) == ["NoError"] * 8
    old = "Exchange2007_SP1"
    for body in (
        get_folder().replace("IdOnly", "Default"),
        get_folder("deleteditems"),
        "<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape></m:SyncFolderHierarchy>",
    ):
        assert codes(direct(office, envelope(body, version=old)).body) == ["NoError"]


# -- section 5


def get_item(one: str) -> str:
    return f'<m:GetItem>{ID_SHAPE}<m:ItemIds><t:ItemId Id="{one}"/></m:ItemIds></m:GetItem>'


def test_ids_are_compared_by_octet(office: World) -> None:
    """Section 5: case matters."""
    (found,) = answered(office, find_item()).iter("{*}ItemId")
    one = found.get("Id", "")
    assert codes(direct(office, get_item(one)).body) == ["NoError"]
    for at in (next(at for at, c in enumerate(one) if c.isalpha() and c != "A"), len(one) - 2):
        other = one[:at] + one[at].swapcase() + one[at + 1 :]
        assert codes(direct(office, get_item(other)).body) != ["NoError"] or other == one


def test_every_id_is_short(office: World) -> None:
    """Section 5: below about 512 characters, of items, folders, dates of a series and attachments."""
    series = (
        "<t:CalendarItem><t:Subject>s</t:Subject><t:Start>2027-03-01T09:00:00Z</t:Start><t:End>2027-03-01T10:00:00Z</t:End><t:Recurrence>"
        "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>2027-03-01</t:StartDate>"
        "</t:NoEndRecurrence></t:Recurrence></t:CalendarItem>"
    )
    made = answered(office, f'<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>{series}</m:Items></m:CreateItem>')
    (master,) = made.iter("{*}ItemId")
    attach = (
        f'<m:CreateAttachment><m:ParentItemId Id="{master.get("Id")}"/><m:Attachments><t:FileAttachment><t:Name>a</t:Name>'
        "<t:Content>YQ==</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>"
    )
    texts = [
        *answered(office, attach).iter("{*}AttachmentId"),
        *answered(office, get_folder("inbox", "calendar")).iter("{*}FolderId"),
        *answered(office, find_item()).iter("{*}ItemId"),
        *answered(office, get_item(master.get("Id", "")).replace("IdOnly", "AllProperties")).iter("{*}ItemId"),
    ]
    assert len(texts) >= 6
    for one in texts:
        assert 0 < len(one.get("Id", "")) < 512
        assert re.fullmatch(r"[A-Za-z0-9+/=]+", one.get("Id", ""))


# -- sections 5, 6, 19


def test_texts_that_clients_compare(office: World) -> None:
    """Section 19: the texts that clients compare or show."""
    (item,) = answered(office, find_item()).iter("{*}ItemId")
    one = item.get("Id", "")
    folder = (
        '<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderId><m:Folders><t:Folder>'
        "<t:DisplayName>{}</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>"
    )
    (made,) = answered(office, folder.format("one")).iter("{*}FolderId")
    direct(office, folder.format("two").replace('DistinguishedFolderId Id="inbox"', 'DistinguishedFolderId Id="drafts"'))
    drop = '<m:DeleteFolder DeleteType="HardDelete"><m:FolderIds><t:DistinguishedFolderId Id="inbox"/></m:FolderIds></m:DeleteFolder>'
    gone = f'<m:DeleteItem DeleteType="HardDelete"><m:ItemIds><t:ItemId Id="{one}"/></m:ItemIds></m:DeleteItem>'
    into = (
        f'<m:MoveFolder><m:ToFolderId><t:FolderId Id="{made.get("Id")}"/></m:ToFolderId><m:FolderIds><t:FolderId Id="{made.get("Id")}"/>'
        "</m:FolderIds></m:MoveFolder>"
    )
    direct(office, gone)
    for body, code, text in (
        (get_item(one), "ErrorItemNotFound", "The specified object was not found in the store."),
        (get_item("AAAA"), "ErrorInvalidIdMalformed", "Id is malformed."),
        (folder.format("ONE"), "ErrorFolderExists", "A folder with the specified name already exists."),
        (drop, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted."),
        (into, "ErrorMoveCopyFailed", "The move or copy operation failed."),
    ):
        (message,) = answered(office, body)[0]
        assert names(message)[:2] == ["MessageText", "ResponseCode"]
        assert (message[1].text, message[0].text) == (code, text)
    broken = etree.fromstring(direct(office, get_folder("attic")).body)
    assert broken.findtext(".//faultstring", "").startswith("The request failed schema validation")


def test_the_children_of_a_folder_in_their_order(office: World) -> None:
    """Section 6: order of children; permissions and the number of unread items come last."""
    paths = '<t:AdditionalProperties><t:ExtendedFieldURI PropertyTag="0x3613" PropertyType="String"/></t:AdditionalProperties>'
    body = get_folder().replace("<t:BaseShape>IdOnly</t:BaseShape>", f"<t:BaseShape>AllProperties</t:BaseShape>{paths}")
    (shown,) = answered(office, body).iter(f"{{{NS['t']}}}Folder")
    order = [
        "FolderId", "ParentFolderId", "FolderClass", "DisplayName", "TotalCount", "ChildFolderCount", "ExtendedProperty",
        "ManagedFolderInformation", "EffectiveRights", "DistinguishedFolderId", "PolicyTag", "ArchiveTag", "ReplicaList", "PermissionSet",
        "UnreadCount",
    ]  # fmt: skip
    assert names(shown) == [name for name in order if name in names(shown)]
    assert len(names(shown)) >= 11
