"""exchangelib and the settings of a mailbox: absences, rules, delegates, stored configuration, tips, free and busy."""

from __future__ import annotations

import base64
import datetime

import pytest
from exchange_times import at
from exchangelib import CalendarItem, Folder, Mailbox, OofSettings
from exchangelib.errors import (
    ErrorAccessDenied,
    ErrorItemNotFound,
    ErrorItemSave,
    ErrorMailRecipientNotFound,
    ErrorNameResolutionNoResults,
)
from exchangelib.folders import Calendar, Inbox, SingleFolderQuerySet
from exchangelib.items import SEND_TO_ALL_AND_SAVE_COPY
from exchangelib.properties import (
    Actions,
    Conditions,
    CopyToFolder,
    DistinguishedFolderId,
    Exceptions,
    MoveToFolder,
    Rule,
    UserConfiguration,
)
from exchangelib_scene import ANN, BOB, PASSWORD, ROOM

from postroom_simulator.ews.http import Request


def test_absence(exchange):
    ann = exchange.account()
    assert ann.oof_settings.state == OofSettings.DISABLED
    ann.oof_settings = OofSettings(
        state=OofSettings.ENABLED, external_audience="Known", internal_reply="away", external_reply="gone"
    )
    found = ann.oof_settings
    assert (found.state, found.external_audience, found.internal_reply, found.external_reply) == (
        "Enabled",
        "Known",
        "away",
        "gone",
    )
    start, end = at(2099, 1, 1), at(2099, 2, 1)
    ann.oof_settings = OofSettings(state=OofSettings.SCHEDULED, start=start, end=end, internal_reply="a", external_reply="b")
    found = ann.oof_settings
    assert (found.state, found.start, found.end) == ("Scheduled", start, end)
    ann.oof_settings = OofSettings(state=OofSettings.DISABLED, internal_reply="", external_reply="")
    assert ann.oof_settings.state == "Disabled"


def test_who_is_away_answers(exchange):
    from exchangelib import Message

    ann, bob = exchange.account(), exchange.account(BOB)
    bob.oof_settings = OofSettings(state=OofSettings.ENABLED, internal_reply="I am away", external_reply="gone")
    Message(account=ann, subject="question", body="?", to_recipients=[BOB]).send()
    exchange.world.tick()
    (answer,) = ann.inbox.all()
    assert "I am away" in str(answer.body)


def test_rules(exchange):
    ann = exchange.account()
    assert ann.rules == []
    rule = Rule(
        account=ann,
        display_name="to junk",
        priority=1,
        is_enabled=True,
        conditions=Conditions(contains_subject_strings=["sale"]),
        actions=Actions(move_to_folder=MoveToFolder(distinguished_folder_id=ann.junk.to_id())),
    )
    ann.create_rule(rule)
    assert rule.id
    (found,) = ann.rules
    assert (found.display_name, found.conditions.contains_subject_strings) == ("to junk", ["sale"])
    exchange.deliver("big sale")
    exchange.deliver("small talk")
    assert (ann.inbox.all().count(), ann.junk.all().count()) == (1, 1)

    found.display_name = "renamed"
    found.conditions.contains_subject_strings = ["talk"]
    ann.set_rule(found)
    (changed,) = ann.rules
    assert (changed.display_name, changed.id) == ("renamed", rule.id)
    ann.delete_rule(changed)
    assert ann.rules == []
    kept = Rule(account=ann, display_name="again", priority=1, is_enabled=False, actions=Actions(delete=True)).save()
    kept.delete()
    assert ann.rules == []


def test_delegates(exchange):
    assert exchange.account().delegates == []


def add_delegate(exchange, inner: str) -> None:
    """As Ann, in words: exchangelib only reads them."""
    spaces = "http://schemas.microsoft.com/exchange/services/2006/"
    body = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{spaces}messages" xmlns:t="{spaces}types">'
        '<s:Header><t:RequestServerVersion Version="Exchange2016"/></s:Header><s:Body>'
        f"<m:AddDelegate><m:Mailbox><t:EmailAddress>{ANN}</t:EmailAddress></m:Mailbox><m:DelegateUsers><t:DelegateUser>"
        f"<t:UserId><t:PrimarySmtpAddress>{BOB}</t:PrimarySmtpAddress></t:UserId>{inner}</t:DelegateUser></m:DelegateUsers></m:AddDelegate>"
        "</s:Body></s:Envelope>"
    )
    login = base64.b64encode(f"{ANN}:{PASSWORD}".encode()).decode()
    answer = exchange.world.ews.respond(
        Request("POST", "/EWS/Exchange.asmx", {"authorization": f"Basic {login}", "host": "x"}, body.encode())
    )
    assert answer.body.count(b"<m:ResponseCode>NoError</m:ResponseCode>") == 2, answer  # of the answer, and of the delegate


def test_a_delegate_and_what_he_may(exchange):
    permissions = "<t:DelegatePermissions><t:CalendarFolderPermissionLevel>Editor</t:CalendarFolderPermissionLevel></t:DelegatePermissions>"
    add_delegate(exchange, f"{permissions}<t:ReceiveCopiesOfMeetingMessages>true</t:ReceiveCopiesOfMeetingMessages>")
    (found,) = exchange.account().delegates
    assert (found.user_id.primary_smtp_address, found.user_id.display_name) == (BOB, "Bob Birch")
    assert found.delegate_permissions.calendar_folder_permission_level == "Editor"
    assert found.delegate_permissions.inbox_folder_permission_level == "None"
    assert (found.receive_copies_of_meeting_messages, found.view_private_items) == (True, False)
    bob = exchange.account(BOB)
    calendar = shared(bob, Calendar)
    start = at(2026, 3, 2, 9)
    event = CalendarItem(account=bob, folder=calendar, subject="by Bob", start=start, end=start + datetime.timedelta(hours=1))
    event.save()
    event.subject = "changed by Bob"
    event.save()
    assert [one.subject for one in exchange.account().calendar.all()] == ["changed by Bob"]
    assert [one.subject for one in calendar.view(start=start, end=start + datetime.timedelta(days=1))] == ["changed by Bob"]
    event.delete()
    assert exchange.account().calendar.all().count() == 0
    with pytest.raises(ErrorAccessDenied):
        shared(bob, Inbox)


def shared(account, kind: type[Folder]):
    """Ann's folder. It is all of hers that may be seen, so it hangs below the own root."""
    name = DistinguishedFolderId(id=kind.DISTINGUISHED_FOLDER_ID, mailbox=Mailbox(email_address=ANN))
    found = SingleFolderQuerySet(account=account, folder=kind(root=account.root, _distinguished_id=name)).resolve()
    if isinstance(found, Exception):
        raise found
    found._distinguished_id = None  # the name comes back without a mailbox, and would be taken for a folder of the own one
    return found


def test_a_rule_of_many_parts(exchange):
    ann = exchange.account()
    orders = Folder(parent=ann.inbox, name="Orders").save()
    rule = Rule(
        account=ann,
        display_name="orders",
        priority=2,
        is_enabled=True,
        conditions=Conditions(
            contains_sender_strings=["xenia"], contains_subject_or_body_strings=["order"], not_sent_to_me=False
        ),
        exceptions=Exceptions(contains_subject_strings=["urgent"]),
        actions=Actions(
            copy_to_folder=CopyToFolder(folder_id=orders.to_id()),
            mark_as_read=True,
            assign_categories=["red"],
            stop_processing_rules=True,
        ),
    ).save()
    (found,) = ann.rules
    assert found.conditions.contains_subject_or_body_strings == ["order"]
    assert found.exceptions.contains_subject_strings == ["urgent"]
    assert (found.actions.mark_as_read, found.actions.assign_categories, found.actions.stop_processing_rules) == (
        True,
        ["red"],
        True,
    )
    assert found.actions.copy_to_folder.folder_id.id == orders.id
    exchange.deliver("hello", "an order")
    exchange.deliver("urgent", "an order")
    assert [(one.subject, one.is_read, one.categories) for one in ann.inbox.all().order_by("subject")] == [
        ("hello", True, ["red"]),
        ("urgent", False, None),
    ]
    assert [one.subject for one in orders.all()] == ["hello"]
    rule.delete()


def test_a_list_of_categories(exchange):
    """Where Outlook keeps it."""
    folder = exchange.account().calendar
    octets = (
        b'<?xml version="1.0"?><categories default="Red" xmlns="CategoryList.xsd"><category name="Red" color="0"/></categories>'
    )
    folder.create_user_configuration(name="CategoryList", xml_data=octets)
    assert folder.get_user_configuration(name="CategoryList", properties="XmlData").xml_data == octets


def test_stored_configuration(exchange):
    ann = exchange.account()
    folder = ann.inbox
    with pytest.raises(ErrorItemNotFound):
        folder.get_user_configuration(name="settings")
    values = {"text": "t", "number": 7, "flag": True, "when": at(2027, 1, 1), "list": ("a", "b"), 3: b"octets"}
    folder.create_user_configuration(name="settings", dictionary=values, xml_data=b"<x/>", binary_data=b"\x00\x01")
    with pytest.raises(ErrorItemSave):
        folder.create_user_configuration(name="settings")
    found = folder.get_user_configuration(name="settings")
    assert isinstance(found, UserConfiguration)
    assert (found.dictionary, found.xml_data, found.binary_data) == (values, b"<x/>", b"\x00\x01")
    assert folder.get_user_configuration(name="settings", properties="Dictionary").binary_data is None
    folder.update_user_configuration(name="settings", dictionary={"text": "u"})
    assert folder.get_user_configuration(name="settings").dictionary == {"text": "u"}
    folder.delete_user_configuration(name="settings")
    with pytest.raises(ErrorItemNotFound):
        folder.get_user_configuration(name="settings")


def test_mail_tips(exchange):
    tips = exchange.account().mail_tips
    assert tips.recipient_address.email_address == ANN
    assert not tips.mailbox_full
    assert not tips.invalid_recipient


def test_free_and_busy(exchange):
    ann = exchange.account()
    start = at(2027, 3, 1, 9, zone="Europe/Copenhagen")
    CalendarItem(
        account=ann, folder=ann.calendar, subject="plan", start=start, end=start + datetime.timedelta(hours=1), location="here"
    ).save()
    day = at(2027, 3, 1, 8, zone="Europe/Copenhagen"), at(2027, 3, 1, 12, zone="Europe/Copenhagen")
    own, bob = ann.protocol.get_free_busy_info(
        [(ann, "Organizer", False), (BOB, "Required", False)], *day, merged_free_busy_interval=60
    )
    assert own.merged == "0200"
    assert bob.merged == "0000"
    (busy,) = own.calendar_events
    assert (busy.busy_type, busy.start, busy.end) == ("Busy", start, start + datetime.timedelta(hours=1))
    assert own.working_hours_timezone
    assert own.working_hours
    (error,) = ann.protocol.get_free_busy_info([("nobody@sim.test", "Required", False)], *day)
    assert isinstance(error, ErrorMailRecipientNotFound)


def test_rooms(exchange):
    ann = exchange.account()
    assert list(ann.protocol.get_roomlists()) == []
    with pytest.raises(ErrorNameResolutionNoResults):
        list(ann.protocol.get_rooms("nobody@sim.test"))


def test_a_list_of_rooms(exchange):
    ann = exchange.account()
    exchange.world.directory.account(ROOM).is_room = True
    exchange.world.add_group("rooms@sim.test", [ROOM, "outside@far.test"], name="All rooms").is_room_list = True
    exchange.world.add_group("people@sim.test", [ANN, BOB], name="People")
    (rooms,) = ann.protocol.get_roomlists()
    assert (rooms.name, rooms.email_address) == ("All rooms", "rooms@sim.test")
    found = list(ann.protocol.get_rooms(rooms.email_address))
    assert [(room.name, room.email_address) for room in found] == [("Atlas", ROOM)]
    start = at(2026, 3, 2, 9)
    plan = CalendarItem(
        account=ann, folder=ann.calendar, subject="meet", start=start, end=start + datetime.timedelta(hours=1), resources=[ROOM]
    )
    plan.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    exchange.world.tick()
    plan.refresh()
    assert [one.response_type for one in plan.resources] == ["Accept"]
    (booked,) = exchange.account(ROOM).calendar.all()
    assert (booked.start, booked.subject) == (start, "Ann Alder")


def test_searchable_mailboxes_are_for_others(exchange):
    with pytest.raises(ErrorAccessDenied):
        exchange.account().protocol.get_searchable_mailboxes()


def test_unique_ids_of_meetings(exchange):
    ann = exchange.account()
    start = at(2027, 3, 1, 9)
    CalendarItem(account=ann, folder=ann.calendar, subject="x", start=start, end=start, uid="known-uid@test").save()
    assert ann.calendar.get(subject="x").uid == "known-uid@test"
