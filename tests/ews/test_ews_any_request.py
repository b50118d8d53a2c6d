"""Requests drawn from the schema, about what is there and what is not: whatever fits the schema is answered, and our own code stumbles over none."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from test_ews_codec_values import draw_child, draw_value

from postroom_simulator import World
from postroom_simulator.ews import codec
from postroom_simulator.ews.codec import NAMESPACES
from postroom_simulator.ews.folders import folder_id
from postroom_simulator.ews.http import Request
from postroom_simulator.ews.items.changing import READ_ONLY
from postroom_simulator.ews.items.hooks import hooks_of
from postroom_simulator.ews.items.kinds import kind_of
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.ews.operations import OPERATIONS
from postroom_simulator.ews.schema import element_type, type_named
from postroom_simulator.ews.versions import Version
from postroom_simulator.store.interface import Role

ANN, BOB = "ann@sim.test", "bob@sim.test"
HEADERS = {"authorization": "Basic " + base64.b64encode(f"{ANN}:pw".encode()).decode("ascii"), "host": "any.sim.test"}
SPACES = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in NAMESPACES.items())
MAIL = (
    b"From: Xenia <x@out.test>\r\nTo: ann@sim.test\r\nSubject: hello\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nbody\r\n--b\r\nContent-Type: application/octet-stream; name=a.bin\r\n"
    b"Content-Disposition: attachment; filename=a.bin\r\n\r\nabc\r\n--b--\r\n"
)
SERIES = (
    "<t:CalendarItem><t:Subject>series</t:Subject><t:Start>2027-03-01T08:00:00Z</t:Start><t:End>2027-03-01T09:00:00Z</t:End>"
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence><t:StartDate>2027-03-01</t:StartDate>"
    "<t:NumberOfOccurrences>5</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence></t:CalendarItem>"
)
OTHERS = "<t:Contact><t:DisplayName>Carl</t:DisplayName></t:Contact>", "<t:Task><t:Subject>task</t:Subject></t:Task>"
DRAFT = f"<t:Message><t:Subject>draft</t:Subject><t:ToRecipients><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:ToRecipients></t:Message>"
DONE = sorted(name for name, one in OPERATIONS.items() if one.module and name != "GetStreamingEvents")


def ask(world: World, body: str, version: str = "Exchange2016") -> bytes:
    header = f'<s:Header><t:RequestServerVersion Version="{version}"/></s:Header>'
    text = f"<s:Envelope {SPACES}>{header}<s:Body>{body}</s:Body></s:Envelope>"
    return world.ews.respond(Request("POST", "/EWS/Exchange.asmx", HEADERS, text.encode())).body


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    logging.getLogger("postroom_simulator.ews").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("postroom_simulator.ews").setLevel(logging.NOTSET)


class Scene:
    """A world with two people and some of each kind, and the ids of what is there."""

    def __init__(self) -> None:
        self.world = World(hostname="any.sim.test")
        for address in (ANN, BOB):
            self.world.add_account(address, "pw", name=address.partition("@")[0].title())
        self.world.deliver("x@out.test", [ANN], MAIL)
        self.world.ews.post_notification = lambda _url, _body: b""
        for inside in (SERIES, *OTHERS, DRAFT):
            how = 'SendMeetingInvitations="SendToNone"' if inside is SERIES else 'MessageDisposition="SaveOnly"'
            answer = ask(self.world, f"<m:CreateItem {how}><m:Items>{inside}</m:Items></m:CreateItem>")
            assert b"NoError" in answer
        store = self.world.store
        folders = store.folders(ANN)
        roles = (Role.INBOX, Role.CALENDAR, Role.CONTACTS, Role.TASKS, Role.DRAFTS)
        items = [item for role in roles for item in store.items(store.folder(ANN, role).uid)]
        self.items = [item_id(item) for item in items]
        self.by_element = {kind_of(item.item_class).element: item_id(item) for item in items}
        self.folders = [folder_id(folder) for folder in folders]
        self.folders.append(folder_id(store.folder(BOB, Role.INBOX)))
        self.more = self._seen()

    def _seen(self) -> list[str]:
        """Ids of attachments, dates, conversations and people."""
        shape = "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"
        ids = "".join(f'<t:ItemId Id="{one["@Id"]}"/>' for one in self.items)
        view = '<m:CalendarView StartDate="2027-03-01T00:00:00Z" EndDate="2027-03-08T00:00:00Z"/>'
        answers = [
            ask(self.world, f"<m:GetItem>{shape}<m:ItemIds>{ids}</m:ItemIds></m:GetItem>"),
            ask(
                self.world,
                f'<m:FindItem Traversal="Shallow">{shape}{view}<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds></m:FindItem>',
            ),
        ]
        known = {one["@Id"] for one in (*self.items, *self.folders)}
        found = {str(one) for octets in answers for one in etree.fromstring(octets).xpath("//@Id")}
        return sorted(one for one in found if one.startswith("AAMk") and one not in known)


OFTEN: dict[str, tuple[Any, ...]] = {
    "EmailAddress": (ANN, BOB, "x@out.test"),
    "PrimarySmtpAddress": (ANN, BOB),
    "Address": (ANN, ANN, BOB),
    "MailboxSmtpAddress": (ANN, ANN),
    "@MessageDisposition": ("SaveOnly", "SendAndSaveCopy"),
    "@SendMeetingInvitations": ("SendToNone", "SendToAllAndSaveCopy"),
    "@SendMeetingInvitationsOrCancellations": ("SendToNone", "SendToAllAndSaveCopy"),
    "@SendMeetingCancellations": ("SendToNone", "SendToAllAndSaveCopy"),
    "@AffectedTaskOccurrences": ("AllOccurrences",),
    "@ConflictResolution": ("AlwaysOverwrite",),
    "@FieldURI": (
        "item:Subject",
        "item:DateTimeReceived",
        "message:IsRead",
        "calendar:Start",
        "task:DueDate",
        "contacts:DisplayName",
        "folder:DisplayName",
    ),
    "@BasePoint": ("Beginning",),
    "@Offset": (0, 1),
    "@MaxEntriesReturned": (1, 10),
    "Exists": (True,),
}
SELDOM = frozenset(
    {
        "MimeContent",
        "SavedItemFolderId",
        "ExtendedProperty",
        "ReferenceItemId",
        "SendingAs",
        "ParentFolderId",
        "PolicyTag",
        "ItemId",
    }
)
"""What an item, a folder or a request seldom has here: most of it is refused at once."""
KINDS = frozenset(
    {
        "Item",
        "Message",
        "CalendarItem",
        "Contact",
        "Task",
        "DistributionList",
        "PostItem",
        "Folder",
        "CalendarFolder",
        "SearchFolder",
    }
)
FOLDERS = ("inbox", "drafts", "calendar", "contacts", "tasks", "deleteditems", "msgfolderroot", "root")


def real(data: st.DataObject, scene: Scene, value: Any, name: str = "") -> Any:
    """The value with ids, addresses, paths and numbers of what is there, mostly."""
    if isinstance(value, list):
        pairs = value and isinstance(value[0], tuple)
        return [(one[0], real(data, scene, one[1], one[0])) if pairs else real(data, scene, one, name) for one in value]
    if not isinstance(value, dict):
        return data.draw(st.sampled_from([*OFTEN[name], value])) if name in OFTEN else value
    made = {key: real(data, scene, one, key) for key, one in value.items()}
    if name in KINDS:
        made = {key: one for key, one in made.items() if key not in SELDOM or not data.draw(st.integers(0, 3))}
    if name == "DistinguishedFolderId":
        made["@Id"] = data.draw(st.sampled_from([*FOLDERS, made["@Id"]]))
        if data.draw(st.booleans()):
            made.pop("Mailbox", None)
    elif isinstance(made.get("@Id"), str):
        pool = scene.folders if "Folder" in name else scene.items
        chosen = data.draw(
            st.sampled_from([*pool, *pool, *({"@Id": one, "@ChangeKey": ""} for one in scene.more), {"@Id": made["@Id"]}])
        )
        made["@Id"] = chosen["@Id"]
        if "@ChangeKey" in chosen and (name == "ItemId" or "@ChangeKey" in made):
            made["@ChangeKey"] = chosen["@ChangeKey"]
    return made


def request_of(data: st.DataObject, scene: Scene) -> tuple[str, str]:
    """Name and text of a request for an operation that is done."""
    operation = data.draw(st.sampled_from(DONE))
    element = operation if element_type(operation) else f"{operation}Request"
    kind = element_type(element)
    assert kind is not None
    spec = type_named(kind)
    drawn = draw_value(data, kind) if spec.children or spec.attributes else {}
    if isinstance(drawn, dict):
        wanted = {f"@{name}": "" for name in spec.attributes if f"@{name}" in OFTEN and data.draw(st.integers(0, 3))}
        drawn = {name: OFTEN[name][0] for name in wanted} | drawn
        optional = {name for name, child in spec.children.items() if not child.required} & SELDOM
        drawn = {name: one for name, one in drawn.items() if name not in optional or data.draw(st.booleans())}
    value = real(data, scene, drawn)
    return operation, codec.write(element, kind, value, max(Version))


@pytest.mark.usefixtures("quiet")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_fits_the_schema_is_answered(
    answers_fit_the_schema: list[str], stumbles: list[Exception], data: st.DataObject
) -> None:
    scene = Scene()
    with scene.world:
        for _ in range(3):
            _, text = request_of(data, scene)
            octets = ask(scene.world, text)
            stumbles.clear()  # the world's end tells of them, and each example by itself
            assert etree.fromstring(octets).xpath("//*[local-name()='ResponseCode']"), octets
            found = answers_fit_the_schema.copy()
            answers_fit_the_schema.clear()
            assert found == []


TYPES = {
    "Message": "MessageType",
    "CalendarItem": "CalendarItemType",
    "Contact": "ContactItemType",
    "Task": "TaskType",
}
URIS = frozenset(type_named("UnindexedFieldURIType").values)
PREFIXES = ("item", "message", "calendar", "contacts", "task", "meeting", "distributionlist")
EVERYTHING = (
    "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape>"
)


def uri_of(name: str) -> str:
    return next((f"{prefix}:{name}" for prefix in PREFIXES if f"{prefix}:{name}" in URIS), "")


def updates_of(data: st.DataObject, scene: Scene, element: str) -> list[tuple[str, Any]]:
    """Some properties of an item of that kind, set to whatever fits the schema, or taken away."""
    fixed = READ_ONLY | hooks_of(element).read_only
    children = {
        name: child for name, child in type_named(TYPES[element]).children.items() if uri_of(name) and name not in fixed
    }
    chosen = data.draw(st.lists(st.sampled_from(sorted(children)), min_size=1, max_size=3, unique=True))
    found: list[tuple[str, Any]] = []
    for name in chosen:
        path = {"FieldURI": {"@FieldURI": uri_of(name)}}
        if not data.draw(st.integers(0, 5)):
            found.append(("DeleteItemField", path))
        else:
            value = real(data, scene, draw_child(data, children[name], 0), name)
            found.append(("SetItemField", path | {element: {name: [value] if children[name].many else value}}))
    return found


@pytest.mark.usefixtures("quiet")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_a_property_is_set_to(
    answers_fit_the_schema: list[str], stumbles: list[Exception], data: st.DataObject
) -> None:
    """The item can still be read whole, found, exported, copied and sent."""
    scene = Scene()
    with scene.world:
        element = data.draw(st.sampled_from(sorted(TYPES)))
        one = scene.by_element[element]
        for _ in range(2):
            for text in about(data, scene, element, one):
                octets = ask(scene.world, text)
                assert etree.fromstring(octets).xpath("//*[local-name()='ResponseCode']"), octets
                scene.world.inbox(ANN)
        stumbles.clear()
        found = answers_fit_the_schema.copy()
        answers_fit_the_schema.clear()
        assert found == []


def about(data: st.DataObject, scene: Scene, element: str, one: dict[str, Any]) -> Iterator[str]:
    how = {"@ConflictResolution": "AlwaysOverwrite", "@MessageDisposition": "SaveOnly", "@SuppressReadReceipts": False}
    how["@SendMeetingInvitationsOrCancellations"] = data.draw(st.sampled_from(["SendToNone", "SendToAllAndSaveCopy"]))
    change = {"ItemId": {"@Id": one["@Id"]}, "Updates": updates_of(data, scene, element)}
    yield codec.write("UpdateItem", "UpdateItemType", how | {"ItemChanges": {"ItemChange": [change]}}, max(Version))
    ids = f'<m:ItemIds><t:ItemId Id="{one["@Id"]}"/></m:ItemIds>'
    folder = {"Message": "drafts", "CalendarItem": "calendar", "Contact": "contacts", "Task": "tasks"}[element]
    where = f'<m:ParentFolderIds><t:DistinguishedFolderId Id="{folder}"/></m:ParentFolderIds>'
    shape = "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"
    yield f"<m:GetItem>{EVERYTHING}{ids}</m:GetItem>"
    yield f'<m:FindItem Traversal="Shallow">{shape}{where}</m:FindItem>'
    view = '<m:CalendarView StartDate="2027-02-01T00:00:00Z" EndDate="2027-04-01T00:00:00Z"/>'
    if element == "CalendarItem":
        yield f'<m:FindItem Traversal="Shallow">{shape}{view}{where}</m:FindItem>'
    yield f"<m:ExportItems>{ids}</m:ExportItems>"
    yield f'<m:CopyItem><m:ToFolderId><t:DistinguishedFolderId Id="{folder}"/></m:ToFolderId>{ids}</m:CopyItem>'


IDS_ONLY = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
FOUND = {
    f"<m:GetConversationItems>{IDS_ONLY}<m:Conversations/></m:GetConversationItems>": ["ErrorInvalidArgument"],
    f"<m:GetMailTips><m:SendingAs><t:EmailAddress>{ANN}</t:EmailAddress></m:SendingAs><m:Recipients><t:Mailbox/><t:Mailbox><t:EmailAddress/></t:Mailbox>"
    f"<t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></m:Recipients><m:MailTipsRequested>All</m:MailTipsRequested></m:GetMailTips>": [
        "NoError",
        "ErrorMissingInformationEmailAddress",
        "ErrorMissingInformationEmailAddress",
        "NoError",
    ],
}
"""What such requests have found once, and the codes of the answers."""


@pytest.mark.parametrize("text", FOUND, ids=range(len(FOUND)))
def test_what_was_found_once(text: str) -> None:
    scene = Scene()
    with scene.world:
        octets = ask(scene.world, text)
    assert etree.fromstring(octets).xpath("//*[local-name()='ResponseCode']/text()") == FOUND[text]


def changed(scene: Scene, path: str, value: str) -> str:
    """The code of setting one property of the series."""
    one = scene.by_element["CalendarItem"]["@Id"]
    update = f"<t:SetItemField>{path}<t:CalendarItem>{value}</t:CalendarItem></t:SetItemField>"
    how = 'ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"'
    change = f'<t:ItemChange><t:ItemId Id="{one}"/><t:Updates>{update}</t:Updates></t:ItemChange>'
    octets = ask(scene.world, f"<m:UpdateItem {how}><m:ItemChanges>{change}</m:ItemChanges></m:UpdateItem>")
    return str(etree.fromstring(octets).xpath("//*[local-name()='ResponseCode']/text()")[0])


DELTA = '<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertyId="34049" PropertyType="Integer"/>'


def test_minutes_before_an_appointment_are_a_number_of_some_size() -> None:
    scene = Scene()
    path = '<t:FieldURI FieldURI="item:ReminderMinutesBeforeStart"/>'
    whole = (
        f'<m:GetItem>{EVERYTHING}<m:ItemIds><t:ItemId Id="{scene.by_element["CalendarItem"]["@Id"]}"/></m:ItemIds></m:GetItem>'
    )
    with scene.world:
        for text, code in (
            ("soon", "ErrorSchemaValidation"),
            ("3000000", "ErrorSchemaValidation"),
            ("2999999", "NoError"),
            ("", "ErrorSchemaValidation"),
        ):
            assert changed(scene, path, f"<t:ReminderMinutesBeforeStart>{text}</t:ReminderMinutesBeforeStart>") == code, text
            assert b"NoError" in ask(scene.world, whole)
        for text, code in (
            ("2147483647", "ErrorInvalidExtendedPropertyValue"),
            ("-1", "ErrorInvalidExtendedPropertyValue"),
            ("1525252321", "NoError"),
        ):
            given_ = f"<t:ExtendedProperty>{DELTA}<t:Value>{text}</t:Value></t:ExtendedProperty>"
            assert changed(scene, DELTA, given_) == code, text
        assert b"<t:ReminderMinutesBeforeStart>15</t:ReminderMinutesBeforeStart>" in ask(scene.world, whole)
