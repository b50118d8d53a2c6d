"""Sentences of the ews reference, sections 7 to 10, that no other test keeps: properties, searches, synchronisation states."""

from __future__ import annotations

import base64

import pytest
from folders_scene import uri
from items_scene import ANN, MAIL, Items, creating, extended, getting, tag

from postroom_simulator.ews.schema import type_named
from postroom_simulator.ews.service import EwsService
from postroom_simulator.ews.versions import Version

CALENDAR = "<t:CalendarItem><t:Subject>c</t:Subject><t:Start>2027-03-01T09:00:00Z</t:Start><t:End>2027-03-01T10:00:00Z</t:End>{}</t:CalendarItem>"
SERIES = (
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence><t:StartDate>2027-03-01"
    "</t:StartDate><t:NumberOfOccurrences>3</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>"
)


def appointment(items: Items, extra: str = "") -> dict[str, str]:
    message = items.messages(creating(CALENDAR.format(extra), "", attributes='SendMeetingInvitations="SendToNone"'))[0]
    assert message["ResponseCode"] == "NoError", message
    return dict(message["Items"][0][1]["ItemId"])


# -- section 7


def test_an_unknown_path_is_a_violation(items: Items) -> None:
    """Section 7: a schema fault."""
    made = items.draft()
    for path in (uri("item:Colour"), uri("Subject"), '<t:IndexedFieldURI FieldURI="item:Colour" FieldIndex="x"/>'):
        assert items.ask(getting(made, path)) == {"fault": "ErrorSchemaValidation"}


def test_every_path_of_the_schema_is_a_property(items: Items) -> None:
    """Section 7: about 510 names; each can be asked of any item, and what does not fit is left out."""
    paths = list(type_named("UnindexedFieldURIType").values)
    assert len(paths) > 450
    kinds = {path.split(":")[0] for path in paths}
    assert kinds >= {
        "item",
        "message",
        "meeting",
        "meetingRequest",
        "calendar",
        "task",
        "contacts",
        "distributionlist",
        "postitem",
    }
    assert kinds >= {"conversation", "persona", "folder"}
    made = [items.draft(), items.made("<t:Contact/>"), items.made("<t:Task/>"), appointment(items)]
    for one in made:
        for start in range(0, len(paths), 60):
            some = "".join(uri(path) for path in paths[start : start + 60])
            assert items.messages(getting(one, some, shape="IdOnly"))[0]["ResponseCode"] == "NoError"


ALWAYS = ("Importance", "Sensitivity", "HasAttachments", "Size", "IsDraft", "IsFromMe", "IsResend", "IsSubmitted", "IsUnmodified", "DateTimeCreated", "ReminderIsSet", "Culture", "ItemClass", "LastModifiedName", "LastModifiedTime", "EffectiveRights")  # fmt: skip
OF = {
    "Message": ("IsRead", "IsReadReceiptRequested", "IsDeliveryReceiptRequested", "InternetMessageId"),
    "Task": ("Status", "IsComplete", "PercentComplete", "IsRecurring", "IsTeamTask"),
    "CalendarItem": ("Start", "End", "CalendarItemType", "LegacyFreeBusyStatus", "IsAllDayEvent", "IsMeeting", "IsRecurring", "IsCancelled", "MyResponseType"),
    "Contact": ("FileAs", "DisplayName", "HasPicture"),
}  # fmt: skip


@pytest.mark.parametrize("version", ["Exchange2010_SP2", "Exchange2013_SP1", "Exchange2016"])
def test_everything_has_what_the_managed_api_asks(items: Items, version: str) -> None:
    """Section 7: under AllProperties simple properties are always sent."""
    made = {
        "Message": items.draft(),
        "Task": items.made("<t:Task/>"),
        "CalendarItem": appointment(items),
        "Contact": items.made("<t:Contact><t:GivenName>Zoe</t:GivenName></t:Contact>"),
    }
    for kind, one in made.items():
        element, value = items.shown(one, version=version)
        assert element == kind
        assert not {*ALWAYS, *OF[kind]} - set(value), kind
        assert int(value["Size"]) > 0
    _, delivered = items.shown(items.deliver(), version=version)
    assert not {*ALWAYS, *OF["Message"]} - set(delivered)


HTML = (
    "From: x@out.test\r\nTo: ann@sim.test\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n"
    '<html><head><meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"></head><body>Grüße</body></html>\r\n'
)


@pytest.mark.parametrize(("asked", "named"), [("", "utf-8"), ("true", "utf-8"), ("false", "iso-8859-1")])
def test_html_names_the_character_set_that_it_is_in(items: Items, asked: str, named: str) -> None:
    """Section 7: ConvertHtmlCodePageToUTF8; the message's octets stay as they are."""
    got = items.deliver(HTML.encode("iso-8859-1"))
    extra = f"<t:ConvertHtmlCodePageToUTF8>{asked}</t:ConvertHtmlCodePageToUTF8>" if asked else ""
    body = items.get(got, extra=extra)["Body"][""]
    assert f'content="text/html; charset={named}"' in body
    assert "Grüße" in body
    assert items.mime(got) == HTML.encode("iso-8859-1")


def test_mime_has_its_character_set(items: Items) -> None:
    """Section 7: base64, with the attribute, of messages, appointments and contacts."""
    contact = items.made("<t:Contact><t:GivenName>Zoe</t:GivenName></t:Contact>")
    for one, begins in ((items.deliver(), b"Received:"), (appointment(items), b"BEGIN:VCALENDAR"), (contact, b"BEGIN:VCARD")):
        found = items.get(one, shape="IdOnly", extra="<t:IncludeMimeContent>true</t:IncludeMimeContent>")["MimeContent"]
        assert found["@CharacterSet"] == "UTF-8"
        assert base64.b64decode(found[""], validate=True).startswith(begins)


@pytest.mark.parametrize(
    ("version", "code"), [("Exchange2007_SP1", "ErrorUnsupportedMimeConversion"), ("Exchange2016", "NoError")]
)
def test_mime_of_what_has_none(items: Items, version: str, code: str) -> None:
    """Section 7: not available for tasks and some others; old versions say so."""
    for inside in (
        "<t:Task><t:Subject>t</t:Subject></t:Task>",
        "<t:DistributionList><t:DisplayName>d</t:DisplayName></t:DistributionList>",
    ):
        asked = getting(items.made(inside), shape="IdOnly", extra="<t:IncludeMimeContent>true</t:IncludeMimeContent>")
        message = items.messages(asked, version=version)[0]
        assert message["ResponseCode"] == code
        assert all("MimeContent" not in value for _, value in message["Items"])


def test_the_state_and_start_of_a_series_by_mapi(items: Items) -> None:
    """Section 7: Appointment 0x8217 state flags, 0x8235 the start of the series."""
    path = '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="{}" PropertyType="{}"/>'
    asked = path.format(0x8217, "Integer") + path.format(0x8235, "SystemTime")
    shown = items.get(appointment(items, SERIES), asked, shape="IdOnly")["ExtendedProperty"]
    assert [one["Value"] for one in shown] == ["0", "2027-03-01T09:00:00Z"]
    message = items.messages(
        creating(
            CALENDAR.format(
                "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>bob@sim.test</t:EmailAddress></t:Mailbox></t:Attendee>"
                "</t:RequiredAttendees>"
            ),
            "",
            attributes='SendMeetingInvitations="SendOnlyToAll"',
        )
    )[0]
    meeting = items.get(message["Items"][0][1]["ItemId"], path.format(0x8217, "Integer"), shape="IdOnly")
    assert meeting["ExtendedProperty"][0]["Value"] == "1"
    got = items.listed("calendar", "bob@sim.test")[-1]
    received = items.shown(got, path.format(0x8217, "Integer"), shape="IdOnly", user="bob@sim.test")[1]
    assert received["ExtendedProperty"][0]["Value"] == "3"


def test_items_are_found_by_their_url_names(items: Items) -> None:
    """Section 7: 0x10f3 holds what DavMail stores there, and finds it again by equality; 0x670e is there too."""
    name = tag("0x10f3", "String")
    made = items.draft(extended(name, "<t:Value>0123-ab.EML</t:Value>"))
    items.draft(extended(name, "<t:Value>other.EML</t:Value>"))
    equal = (
        f'<Restriction><t:IsEqualTo>{name}<t:FieldURIOrConstant><t:Constant Value="0123-ab.EML"/></t:FieldURIOrConstant></t:IsEqualTo>'
        "</Restriction>"
    )
    ((_, found),) = items.one(find(more=equal, folder="drafts"))["RootFolder"]["Items"]
    assert found["ItemId"]["@Id"] == made["@Id"]
    (url,) = items.get(made, tag("0x670e", "String"), shape="IdOnly")["ExtendedProperty"]
    assert url["Value"].endswith(".EML")


# -- section 8


@pytest.mark.parametrize("kind", ["HardDelete", "SoftDelete"])
def test_what_is_deleted_twice_is_not_found(items: Items, kind: str) -> None:
    """Section 8: DeleteItem twice."""
    one = items.draft()
    ask = f'<DeleteItem DeleteType="{kind}"><ItemIds><t:ItemId Id="{one["@Id"]}"/></ItemIds></DeleteItem>'
    assert [items.code(ask) for _ in range(2)] == ["NoError", "ErrorItemNotFound"]


# -- section 9


def find(view: str = "", more: str = "", folder: str = "inbox", query: str = "") -> str:
    return (
        f'<FindItem Traversal="Shallow"><ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape>{view}{more}<ParentFolderIds>'
        f'<t:DistinguishedFolderId Id="{folder}"/></ParentFolderIds>{query}</FindItem>'
    )


def test_items_are_there_even_when_there_are_none(items: Items) -> None:
    """Section 9: t:Items, the whole number and the flag, of an empty folder and of a page behind the end."""
    for view in ("", '<IndexedPageItemView MaxEntriesReturned="5" Offset="50" BasePoint="Beginning"/>'):
        octets = items.respond(find(view)).body
        assert b"<t:Items/>" in octets
        assert b'TotalItemsInView="0"' in octets
        assert b'IncludesLastItemInRange="true"' in octets


@pytest.mark.parametrize("path", ["item:EffectiveRights", "item:MimeContent", "item:ResponseObjects"])
def test_paths_that_cannot_be_searched_or_sorted_by(items: Items, path: str) -> None:
    """Section 9: each has its own error."""
    exists = f"<Restriction><t:Exists>{uri(path)}</t:Exists></Restriction>"
    order = f'<SortOrder><t:FieldOrder Order="Ascending">{uri(path)}</t:FieldOrder></SortOrder>'
    assert items.code(find(more=exists)) == "ErrorUnsupportedPathForQuery"
    assert items.code(find(more=order)) == "ErrorUnsupportedPathForSortGroup"


def test_words_that_nobody_understands(items: Items) -> None:
    """Section 9: an empty result with success, of a query string; beside a restriction it is no request."""
    items.deliver(MAIL)
    for text in ("colour:blue", "received:someday", "(((", "from:", "hasattachment:perhaps"):
        message = items.one(find(query=f"<QueryString>{text}</QueryString>"))
        assert message["RootFolder"]["@IncludesLastItemInRange"] is True
    exists = f"<Restriction><t:Exists>{uri('item:Subject')}</t:Exists></Restriction>"
    assert items.code(find(more=exists, query="<QueryString>x</QueryString>")) == "ErrorInvalidOperation"


# -- section 10


def test_a_state_that_was_cut_or_altered(items: Items) -> None:
    """Section 10: garbage is ErrorInvalidSyncStateData, however near it is to a state that was given."""
    ask = (
        "<SyncFolderItems><ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape><SyncFolderId>"
        '<t:DistinguishedFolderId Id="inbox"/></SyncFolderId><SyncState>{}</SyncState><MaxChangesReturned>10</MaxChangesReturned>'
        "</SyncFolderItems>"
    )
    tree = "<SyncFolderHierarchy><FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape><SyncState>{}</SyncState></SyncFolderHierarchy>"
    items.deliver()
    for body in (ask, tree):
        state = str(items.one(body.format(""))["SyncState"])
        assert items.code(body.format(state)) == "NoError"
        middle = len(state) // 2
        for bad in (state[:-1], state[:-4], state[:middle], state[1:], state[4:], state + "AAAA", state.swapcase(), state[:middle] + "////" + state[middle + 4 :]):  # fmt: skip
            assert items.code(body.format(bad)) == "ErrorInvalidSyncStateData", bad


def test_a_state_outlives_the_service(items: Items) -> None:
    """Section 10: whatever the server needs is in the state; another service over the same store goes on with it, for items and folders."""

    def sync(state: str = "") -> dict[str, object]:
        given = f"<SyncState>{state}</SyncState>" if state else ""
        return items.one(
            "<SyncFolderItems><ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape><SyncFolderId>"
            f'<t:DistinguishedFolderId Id="inbox"/></SyncFolderId>{given}<MaxChangesReturned>10</MaxChangesReturned></SyncFolderItems>'
        )

    def tree(state: str = "") -> dict[str, object]:
        given = f"<SyncState>{state}</SyncState>" if state else ""
        return items.one(
            f"<SyncFolderHierarchy><FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape>{given}</SyncFolderHierarchy>"
        )

    items.deliver()
    first, folders = sync(), tree()
    items.world._ews = EwsService(items.world)  # as after a restart that keeps the store
    items.deliver()
    later = sync(str(first["SyncState"]))["Changes"]
    assert isinstance(later, list)
    assert [kind for kind, _ in later] == ["Create"]
    assert tree(str(folders["SyncState"]))["Changes"] == []


def test_versions_are_whole(items: Items) -> None:
    """Section 2: each schema reads a message, an appointment and a contact in every shape; the answers fit it (every answer is looked at)."""
    made = [items.deliver(), appointment(items, SERIES), items.made("<t:Contact/>"), items.made("<t:Task/>")]
    for version in Version:
        for one in made:
            for shape in ("IdOnly", "Default", "AllProperties"):
                assert items.messages(getting(one, shape=shape), version=version.named)[0]["ResponseCode"] == "NoError"
    assert items.get(items.draft(), tag("0xe08", "Integer"), user=ANN)["ExtendedProperty"]
