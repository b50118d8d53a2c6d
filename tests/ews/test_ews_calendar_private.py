"""Private appointments, as others see them (ews reference 6, 11, 15: ViewPrivateItems)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from calendar_scene import ANN, BOB, CAT, Calendars, at, attendees, calendars, change, daily, numbered, recurrence

from postroom_simulator.ews import permissions
from postroom_simulator.people import Delegate
from postroom_simulator.store.interface import Role

__all__ = ["calendars"]

SECRET = "<t:Location>the clinic</t:Location>"


def secret(scene: Calendars, sensitivity: str = "Private", extra: str = "") -> dict[str, Any]:
    body = f'<t:Body BodyType="Text">the clinic</t:Body><t:Sensitivity>{sensitivity}</t:Sensitivity>'
    return scene.appointment(SECRET + body + extra)


def delegate(scene: Calendars, *, private: bool = False, level: str = "Editor") -> None:
    """Bob is Ann's delegate."""
    scene.world.directory.account(ANN).delegation.delegates[BOB] = Delegate(BOB, private_items=private)
    permissions.grant(scene.world.store, scene.world.store.folder(ANN, Role.CALENDAR), BOB, level)


@pytest.mark.parametrize("sensitivity", ["Private", "Confidential"])
def test_who_does_not_see_private_items_sees_when_they_are(calendars: Calendars, sensitivity: str) -> None:
    item = secret(calendars, sensitivity)
    delegate(calendars)
    shown = calendars.get(item, user=BOB)
    own = calendars.get(item)
    assert (shown["Subject"], shown["Sensitivity"]) == ("Private Appointment", sensitivity)
    assert {"Location", "Body", "RequiredAttendees", "Organizer", "Categories"}.isdisjoint(shown)
    for name in ("ItemId", "Start", "End", "LegacyFreeBusyStatus", "UID", "StartTimeZone", "CalendarItemType"):
        assert shown[name] == own[name]
    assert own["Location"] == "the clinic"


@pytest.mark.parametrize("sensitivity", ["Normal", "Personal"])
def test_what_is_not_private_is_shown(calendars: Calendars, sensitivity: str) -> None:
    item = secret(calendars, sensitivity)
    delegate(calendars)
    assert calendars.get(item, user=BOB)["Location"] == "the clinic"


def test_a_delegate_who_sees_private_items(calendars: Calendars) -> None:
    item = secret(calendars)
    delegate(calendars, private=True)
    shown = calendars.get(item, user=BOB)
    assert (shown["Subject"], shown["Location"]) == ("plan", "the clinic")
    assert shown["EffectiveRights"]["ViewPrivateItems"] is True


def test_effective_rights_tell_it(calendars: Calendars) -> None:
    """Section 6, 16: of the item and of the folder."""
    item = secret(calendars)
    folder = f'<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{ANN}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>'
    for private in (False, True):
        delegate(calendars, private=private)
        assert calendars.get(item, user=BOB)["EffectiveRights"]["ViewPrivateItems"] is private
        assert calendars.folder(folder, user=BOB)[1]["EffectiveRights"]["ViewPrivateItems"] is private
    assert calendars.get(item)["EffectiveRights"]["ViewPrivateItems"] is True


def test_views_and_searches_hide_it_too(calendars: Calendars) -> None:
    """Section 9: neither the view nor a restriction gives away what is hidden."""
    secret(calendars)
    delegate(calendars)
    folder = f'<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{ANN}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>'

    def find(middle: str, user: str) -> list[str]:
        asked = (
            '<FindItem Traversal="Shallow"><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape>'
            f"{middle}<ParentFolderIds>{folder}</ParentFolderIds></FindItem>"
        )
        return [value["Subject"] for _, value in calendars.one(asked, user=user)["RootFolder"]["Items"]]

    view = '<CalendarView StartDate="2027-03-01T00:00:00Z" EndDate="2027-03-02T00:00:00Z"/>'
    assert find(view, BOB) == ["Private Appointment"]
    wanted = (
        '<Restriction><t:Contains ContainmentMode="Substring" ContainmentComparison="IgnoreCase"><t:FieldURI FieldURI="calendar:Location"/>'
        '<t:Constant Value="clinic"/></t:Contains></Restriction>'
    )
    assert (find(wanted, BOB), find(wanted, ANN)) == ([], ["plan"])


def test_mime_and_mapi_properties_hide_it_too(calendars: Calendars) -> None:
    item = secret(calendars)
    delegate(calendars)
    paths = (
        '<t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/>'
        '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="33288" PropertyType="String"/>'
    )
    shown = calendars.get(item, paths, "IdOnly", user=BOB)["ExtendedProperty"]
    assert [one["Value"] for one in shown] == ["Private Appointment"]
    assert b"clinic" not in calendars.mime(item, user=BOB)
    assert b"clinic" in calendars.mime(item)


def test_dates_of_a_private_series(calendars: Calendars) -> None:
    item = secret(calendars, extra=recurrence(daily(), numbered(3)))
    calendars.updated(at(item, 2), change("item:Subject", "<t:Subject>the other clinic</t:Subject>"))
    delegate(calendars)
    assert [calendars.get(at(item, n), user=BOB)["Subject"] for n in (1, 2)] == ["Private Appointment"] * 2
    blob = '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="33302" PropertyType="Binary"/>'
    value = calendars.get(item, blob, "IdOnly", user=BOB)["ExtendedProperty"][0]["Value"]
    octets = base64.b64decode(value) if isinstance(value, str) else value
    assert "other".encode("utf-16-le") not in octets
    assert b"other" not in calendars.mime(item, user=BOB)


def test_what_is_hidden_is_not_changed(calendars: Calendars) -> None:
    item = secret(calendars)
    delegate(calendars)
    changed = calendars.update(item, change("calendar:Location", "<t:Location>here</t:Location>"), user=BOB)
    assert changed["ResponseCode"] == "ErrorAccessDenied"
    assert calendars.get(item)["Location"] == "the clinic"


def test_availability_says_that_it_is_private(calendars: Calendars) -> None:
    """Section 11, GetUserAvailability: Detailed has no subject of a private item but for whom ViewPrivateItems is given."""
    secret(calendars)
    asked = (
        "<GetUserAvailabilityRequest><t:TimeZone><t:Bias>0</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder>"
        "<t:Month>0</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime><t:DaylightTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time>"
        "<t:DayOrder>0</t:DayOrder><t:Month>0</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"
        f"<MailboxDataArray><t:MailboxData><t:Email><t:Address>{ANN}</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType>"
        "</t:MailboxData></MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>2027-03-01T00:00:00</t:StartTime>"
        "<t:EndTime>2027-03-02T00:00:00</t:EndTime></t:TimeWindow><t:RequestedView>Detailed</t:RequestedView></t:FreeBusyViewOptions>"
        "</GetUserAvailabilityRequest>"
    )

    def details(user: str) -> dict[str, Any]:
        view = calendars.ask(asked, user=user)["FreeBusyResponseArray"]["FreeBusyResponse"][0]["FreeBusyView"]
        found: dict[str, Any] = view["CalendarEventArray"]["CalendarEvent"][0]["CalendarEventDetails"]
        return found

    for private, known in ((False, None), (True, "plan")):
        delegate(calendars, private=private)
        assert (details(BOB)["IsPrivate"], details(BOB).get("Subject")) == (True, known)
    assert details(ANN)["Subject"] == "plan"


def test_a_private_invitation_is_copied_to_whom_it_concerns(calendars: Calendars) -> None:
    """MS-OXODLGT: the rule that sends meeting notices to delegates leaves private ones out."""
    delegation = calendars.world.directory.account(BOB).delegation
    delegation.meeting_requests = "DelegatesAndMe"
    for private, count in ((False, 0), (True, 1)):
        delegation.delegates[CAT] = Delegate(CAT, meeting_copies=True, private_items=private)
        calendars.appointment(attendees(BOB) + "<t:Sensitivity>Private</t:Sensitivity>", send="SendOnlyToAll")
        assert len(calendars.notices(CAT)) == count


def test_what_is_hidden_is_not_copied_exported_or_opened(calendars: Calendars) -> None:
    item = secret(calendars)
    file = "<t:FileAttachment><t:Name>a.txt</t:Name><t:Content>YQ==</t:Content></t:FileAttachment>"
    made = calendars.one(
        f'<CreateAttachment><ParentItemId Id="{item["@Id"]}"/><Attachments>{file}</Attachments></CreateAttachment>'
    )
    attachment = made["Attachments"][0][1]["AttachmentId"]["@Id"]
    ids = f'<ItemIds><t:ItemId Id="{item["@Id"]}"/></ItemIds>'
    acts = (
        f'<CopyItem><ToFolderId><t:DistinguishedFolderId Id="calendar"/></ToFolderId>{ids}</CopyItem>',
        f"<ExportItems>{ids}</ExportItems>",
        f'<GetAttachment><AttachmentIds><t:AttachmentId Id="{attachment}"/></AttachmentIds></GetAttachment>',
    )
    delegate(calendars)
    assert [calendars.code(one, user=BOB) for one in acts] == ["ErrorAccessDenied"] * 3
    delegate(calendars, private=True)
    assert [calendars.code(one, user=BOB) for one in acts] == ["NoError"] * 3
