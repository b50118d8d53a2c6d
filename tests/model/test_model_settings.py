"""Switches and settings: defaults as published, XML both ways, hostile XML refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from postroom.errors import InvalidValue
from postroom.model import ActDeliveryMethod, IncomingDeliveryMethod, OutgoingDeliveryMethod
from postroom.model.settings import (
    XML_LIMIT,
    DefaultEmailSettings,
    DeliveryMethods,
    OrgDbOrgSettings,
    ServerSideSyncACTSettings,
    ServerSideSyncEmailSettings,
    describe,
)

REFERENCE = Path(__file__).parents[2] / "docs/reference/server-side-sync.md"


def test_every_published_switch_with_its_default() -> None:
    text = REFERENCE.read_text(encoding="utf-8").split("OrgDbOrgSettings switches that change")[1].split("Sources:")[0]
    published = re.findall(r"^\| ([A-Za-z/ ]+?)(?: \(.*?\))? \| ([^|]+) \|", text, re.MULTILINE)[1:]
    assert len(published) > 25
    switches = {one["published"]: one["default"] for one in describe(OrgDbOrgSettings)}
    for names, defaults in published:
        for name, default in zip(names.split(" / "), defaults.split(" / "), strict=True):
            word = default.strip().split(" ")[0]
            assert name in switches
            if word != "not":
                assert str(switches[name]).lower() == word, name


def test_every_deployment_setting() -> None:
    text = REFERENCE.read_text(encoding="utf-8").split("### 1.6")[1].split("Sources:")[0]
    email = {one["published"]: one["default"] for one in describe(ServerSideSyncEmailSettings)}
    for name, number in re.findall(r"^\| \.(\w+) (?:\(s\) )?\| .*\| (\w+) \|$", text, re.MULTILINE):
        if not name.startswith(("OnTimeout", "Mailbox")) or name in email:
            known = email.get(name)
            if known is not None:
                assert str(known).lower() == number, name
    assert email["IncomingMaximumEmailsPerCycle"] == 100
    act = {one["published"]: one["default"] for one in describe(ServerSideSyncACTSettings)}
    assert act["MaximumSynchronizationAttemptsForACT"] == 5


def test_switches_travel_through_xml() -> None:
    changed = OrgDbOrgSettings(trackcategorizeditems=False, maximumsubjectlengthonmailserver=200)
    before = "<OrgSettings><SomethingElse>7</SomethingElse><TrackCategorizedItems>true</TrackCategorizedItems></OrgSettings>"
    text = changed.to_xml(before)
    assert "<SomethingElse>7</SomethingElse>" in text
    assert "<TrackCategorizedItems>false</TrackCategorizedItems>" in text
    assert OrgDbOrgSettings.from_xml(text) == changed
    assert OrgDbOrgSettings.from_xml(None) == OrgDbOrgSettings.from_xml(" ") == OrgDbOrgSettings()
    assert OrgDbOrgSettings().to_xml() == "<OrgSettings/>"
    assert not OrgDbOrgSettings.from_xml(
        "<OrgSettings><trackcategorizedITEMS>0</trackcategorizedITEMS></OrgSettings>"
    ).trackcategorizeditems


@pytest.mark.parametrize(
    "text",
    [
        "<OrgSettings>",
        "no xml",
        '<!DOCTYPE x [<!ENTITY e "x">]><OrgSettings><TrackCategorizedItems>&e;</TrackCategorizedItems></OrgSettings>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><OrgSettings/>',
        "<OrgSettings>" + " " * XML_LIMIT + "</OrgSettings>",
        "<a>" * 5000,
        "<OrgSettings><TrackCategorizedItems>perhaps</TrackCategorizedItems></OrgSettings>",
        "<OrgSettings><MaximumSubjectLengthOnMailServer>0</MaximumSubjectLengthOnMailServer></OrgSettings>",
        "<OrgSettings><MaximumSubjectLengthOnMailServer>" + "9" * 5000 + "</MaximumSubjectLengthOnMailServer></OrgSettings>",
        "<OrgSettings><MaximumSubjectLengthOnMailServer>٣</MaximumSubjectLengthOnMailServer></OrgSettings>",
        "\ud800",
    ],
)
def test_switches_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        OrgDbOrgSettings.from_xml(text)


def test_default_email_settings() -> None:
    settings = DefaultEmailSettings(
        systemuser=DeliveryMethods(
            IncomingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER,
            OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER,
            ActDeliveryMethod.SERVER_SIDE_SYNC,
        )
    )
    assert DefaultEmailSettings.from_xml(settings.to_xml()) == settings
    assert DefaultEmailSettings.from_xml('<EmailSettings><queue incoming="3"/></EmailSettings>').queue == DeliveryMethods(
        incoming=IncomingDeliveryMethod.FORWARD_MAILBOX
    )
    assert DefaultEmailSettings.from_xml("") == DefaultEmailSettings()
    for wrong in ('<a><queue incoming="9"/></a>', '<a><queue incoming="x"/></a>', "<a><contact/></a>"):
        with pytest.raises(InvalidValue, match=r"defaultemailsettings|incoming"):
            DefaultEmailSettings.from_xml(wrong)


def test_settings_check_themselves() -> None:
    with pytest.raises(InvalidValue, match=r"maxmailboxtransientfailures.*; allownonsslemail"):
        ServerSideSyncEmailSettings(maxmailboxtransientfailures=0, allownonsslemail=1)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue):
        dataclasses.replace(ServerSideSyncACTSettings(), mailboxbackoffontimeoutforact=True)
