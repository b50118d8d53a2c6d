"""Switches and settings: defaults as published, XML both ways, hostile XML refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from postroom.errors import InvalidValue, SettingsError
from postroom.model import ActDeliveryMethod, IncomingDeliveryMethod, OutgoingDeliveryMethod
from postroom.model.deployment import DeploymentSettings
from postroom.model.settings import (
    XML_LIMIT,
    DefaultEmailSettings,
    DeliveryMethods,
    OrgDbOrgSettings,
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


def test_every_deployment_setting_with_its_suggested_number() -> None:
    """A row may name several settings ("A / B") with as many numbers, or one for all; those for ACT have "ForACT" in their names."""
    text = REFERENCE.read_text(encoding="utf-8").split("### 1.6")[1].split("Sources:")[0]
    known = {str(one["published"]).lower(): str(one["default"]).lower() for one in describe(DeploymentSettings)}
    checked = set()
    for names, numbers in re.findall(r"^\| (?:\w+)?\.([A-Za-z /]+?) (?:\(s\) )?\| .*?\| ([\w /]+) \|$", text, re.MULTILINE):
        values = numbers.split(" / ")
        for position, name in enumerate(names.split(" / ")):
            published = next((one for one in known if one.endswith(name.lower())), None)
            if published is not None and values[-1].strip("-"):
                assert known[published] == values[min(position, len(values) - 1)], name
                checked.add(published)
    assert len(checked) >= 15
    assert known["maximumsynchronizationattemptsforact"] == "5"
    assert sum("foract" in one for one in known) == 8


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
    with pytest.raises(SettingsError, match=r"max_mailbox_transient_failures.*; allow_non_ssl_email") as raised:
        DeploymentSettings(max_mailbox_transient_failures=0, allow_non_ssl_email=1)  # type: ignore[arg-type]
    assert len(raised.value.problems) == 2
    with pytest.raises(SettingsError):
        dataclasses.replace(DeploymentSettings(), mailbox_backoff_on_timeout_for_act=True)
    with pytest.raises(SettingsError, match="idle_mailbox_minimum_backoff is larger"):
        DeploymentSettings(idle_mailbox_minimum_backoff=800)
    with pytest.raises(InvalidValue, match="trackcategorizeditems"):
        OrgDbOrgSettings(trackcategorizeditems=1)  # type: ignore[arg-type]
    assert DeploymentSettings(mailbox_backoff_on_timeout=0).allow_non_ssl_email is False
