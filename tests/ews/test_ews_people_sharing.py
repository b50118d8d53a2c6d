"""Invitations to what somebody shares: AcceptSharingInvitation (MS-OXWSMSHR)."""

from __future__ import annotations

import base64

import pytest
from people_scene import ANN, BOB, Answer, Office

from postroom_simulator.ews import permissions
from postroom_simulator.ews.people.adding import add_contact, contacts_of
from postroom_simulator.store.interface import Role

METADATA = (
    '<SharingMessage xmlns="http://schemas.microsoft.com/sharing/2008"><DataType>{}</DataType>'
    "<Initiator><Name>Bob</Name><SmtpAddress>{}</SmtpAddress></Initiator></SharingMessage>"
)


def invite(office: Office, content: str, name: str = "sharing_metadata.xml") -> None:
    data = base64.b64encode(content.encode()).decode()
    mail = (
        f"From: {BOB}\r\nTo: {ANN}\r\nSubject: look at this\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nplease\r\n"
        f'--b\r\nContent-Type: application/x-sharing-metadata-xml; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n{data}\r\n--b--\r\n'
    )
    office.world.deliver(BOB, [ANN], mail.encode())


def accept(office: Office) -> Answer:
    parent = '<m:ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds>'
    shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
    found = office.ask("FindItem", shape + parent, attributes='Traversal="Shallow"')
    reference = f'<t:ReferenceItemId Id="{found.one("ItemId@Id")}" ChangeKey="{found.one("ItemId@ChangeKey")}"/>'
    inner = f"<m:Items><t:AcceptSharingInvitation>{reference}</t:AcceptSharingInvitation></m:Items>"
    return office.ask("CreateItem", inner, attributes='MessageDisposition="SaveOnly"')


def test_an_invitation_becomes_a_folder(office: Office) -> None:
    store = office.world.store
    permissions.grant(store, store.folder(BOB, Role.CONTACTS), ANN, "Reviewer")
    add_contact(office.world, BOB, GivenName="Zoe", Surname="Yew")
    invite(office, METADATA.format("contacts", BOB))
    assert accept(office).codes == ["NoError"]
    (shown,) = [one for one in store.folders(ANN) if one.name == "Bob Birch: Contacts"]
    assert [one["Surname"] for one in contacts_of(office.world, ANN, shown.uid)] == ["Yew"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (METADATA.format("contacts", BOB), "ErrorAccessDenied"),
        (METADATA.format("contacts", "x@out.test"), "ErrorSharingNoExternalEwsAvailable"),
        (METADATA.format("secrets", BOB), "ErrorNotSupportedSharingMessage"),
        ("<x/>", "ErrorInvalidSharingData"),
        ("no xml", "ErrorInvalidSharingData"),
        (f'<!DOCTYPE x [<!ENTITY e "{BOB}">]>' + METADATA.format("contacts", "&e;"), "ErrorInvalidSharingData"),
        ("x" * 300_000, "ErrorInvalidSharingData"),
    ],
)
def test_invitations_that_lead_nowhere(office: Office, content: str, code: str) -> None:
    invite(office, content)
    assert accept(office).codes == [code]


def test_other_messages_are_no_invitation(office: Office) -> None:
    invite(office, "hello", "hello.txt")
    assert accept(office).codes == ["ErrorInvalidSharingMessage"]


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("FreeBusyTimeOnly", {"Busy", "Private"}),
        ("FreeBusyTimeAndSubjectAndLocation", {"plan", "Private"}),
        ("Reviewer", {"plan", "Private"}),
    ],
)
def test_no_more_is_seen_than_is_granted(office: Office, level: str, seen: set[str]) -> None:
    store = office.world.store
    calendar = store.folder(BOB, Role.CALENDAR)
    permissions.grant(store, calendar, ANN, level)
    for subject, sensitivity in (("plan", "Normal"), ("doctor", "Private")):
        inner = (
            f"<t:Subject>{subject}</t:Subject><t:Sensitivity>{sensitivity}</t:Sensitivity>"
            '<t:Body BodyType="Text">details</t:Body>'
            "<t:Start>2026-11-22T10:00:00Z</t:Start><t:End>2026-11-22T11:00:00Z</t:End>"
        )
        items = f"<m:Items><t:CalendarItem>{inner}</t:CalendarItem></m:Items>"
        made = office.ask("CreateItem", items, who=BOB, attributes='SendMeetingInvitations="SendToNone"')
        assert made.codes == ["NoError"]
    wanted = f"<m:SmtpAddress>{BOB}</m:SmtpAddress><m:DataType>Calendar</m:DataType>"
    shown = office.ask("GetSharingFolder", wanted).one("SharingFolderId@Id")
    assert office.ask("RefreshSharingFolder", f'<m:SharingFolderId Id="{shown}"/>').codes == ["NoError"]
    (folder,) = [one for one in store.folders(ANN) if one.name == "Bob Birch: Calendar"]
    items = [dict(item.properties or {}) for item in store.items(folder.uid)]
    assert {one["Subject"] for one in items} == seen
    assert all("Body" not in one for one in items) or level == "Reviewer"
    permissions.grant(store, store.folder_by_uid(calendar.uid), ANN, "FreeBusyTimeOnly")
    office.ask("RefreshSharingFolder", f'<m:SharingFolderId Id="{shown}"/>')
    assert {(item.properties or {})["Subject"] for item in store.items(folder.uid)} == {"Busy", "Private"}
