"""exchangelib and the settings of a mailbox: absences, rules, delegates, stored configuration, tips, free and busy."""

from __future__ import annotations

import datetime

import pytest
from exchange_times import at
from exchangelib import CalendarItem, OofSettings
from exchangelib.errors import (
    ErrorAccessDenied,
    ErrorItemNotFound,
    ErrorItemSave,
    ErrorMailRecipientNotFound,
    ErrorNameResolutionNoResults,
)
from exchangelib.properties import Actions, Conditions, MoveToFolder, Rule, UserConfiguration
from exchangelib_scene import ANN, BOB


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


def test_searchable_mailboxes_are_for_others(exchange):
    with pytest.raises(ErrorAccessDenied):
        exchange.account().protocol.get_searchable_mailboxes()


def test_unique_ids_of_meetings(exchange):
    ann = exchange.account()
    start = at(2027, 3, 1, 9)
    CalendarItem(account=ann, folder=ann.calendar, subject="x", start=start, end=start, uid="known-uid@test").save()
    assert ann.calendar.get(subject="x").uid == "known-uid@test"
