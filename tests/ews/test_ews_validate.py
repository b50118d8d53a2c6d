"""The checker of answers finds what it is there to find."""

from __future__ import annotations

import pytest
from lxml import etree

from postroom_simulator.ews.codec import NAMESPACES
from postroom_simulator.ews.envelope import fault, wrap
from postroom_simulator.ews.errors import Fault
from postroom_simulator.ews.validate import problems, problems_of_envelope
from postroom_simulator.ews.versions import SERVERS, Version

NEWEST = max(Version)
SPACES = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in NAMESPACES.items())
GOOD = (
    '<m:GetItemResponse {spaces}><m:ResponseMessages><m:GetItemResponseMessage ResponseClass="Success">'
    "<m:ResponseCode>NoError</m:ResponseCode><m:Items><t:Message>"
    '<t:ItemId Id="i" ChangeKey="k"/><t:Subject>s</t:Subject><t:Body BodyType="Text">b</t:Body><t:Size>7</t:Size>'
    "<t:IsDraft>false</t:IsDraft><t:DateTimeSent>2026-11-21T20:53:45Z</t:DateTimeSent>"
    "<t:ConversationIndex>AQI=</t:ConversationIndex>"
    "</t:Message></m:Items></m:GetItemResponseMessage></m:ResponseMessages></m:GetItemResponse>"
)
RECURRENCE = (
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
    "<t:NoEndRecurrence><t:StartDate>2026-11-21</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
)


def found(old: str = "", new: str = "", version: Version = NEWEST) -> list[str]:
    assert old in GOOD
    return problems(etree.fromstring(GOOD.replace(old, new, 1).replace("{spaces}", SPACES)), version)


def test_a_good_answer_has_no_problems() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<t:Subject>s</t:Subject>", "<t:Subjekt>s</t:Subjekt>", "no child Subjekt"),
        ("<t:Subject>s</t:Subject>", "<m:Subject>s</m:Subject>", "wrong namespace"),
        ("<t:Subject>s</t:Subject>", "<t:Subject><b/></t:Subject>", "elements in string"),
        ("<t:Subject>s</t:Subject>", "<t:Subject>s</t:Subject><t:Subject>s</t:Subject>", "2 times"),
        ("<t:Size>7</t:Size>", "<t:Size>7</t:Size>beside", "text beside elements"),
        ("<t:Size>7</t:Size>", "<t:Size>seven</t:Size>", "is no int"),
        ("<t:Size>7</t:Size>", "<t:Size/>", "is no int"),
        ("<t:Size>7</t:Size>", "<t:Sensitivity>Normal</t:Sensitivity>", "out of order"),
        ("<t:Size>7</t:Size>", "<t:Importance>Highest</t:Importance>", "not in ImportanceChoicesType"),
        ("<t:Size>7</t:Size>", "<t:Attachments/>", "at least one"),
        ("<t:IsDraft>false<", "<t:IsDraft>0<", "is no boolean"),
        ("20:53:45Z", "20:53:45.5Z", "is no dateTime"),
        ("2026-11-21T", "2026-13-21T", "is no dateTime"),
        ("AQI=", "AQI", "no base64"),
        (' Id="i"', "", "@Id: missing"),
        (' ChangeKey="k"', ' Key="k"', "@Key: unknown"),
        (' BodyType="Text"', ' BodyType="Morse"', "not in BodyTypeType"),
        (' BodyType="Text"', "", "@BodyType: missing"),
        ("NoError", "NoTrouble", "no response code"),
        ("NoError", "ErrorItemNotFound", "Success with ErrorItemNotFound"),
        ('"Success"', '"Error"', "Error with NoError"),
        ('"Success"', '"Error"', "an error without a text"),
        ("<m:ResponseCode>NoError</m:ResponseCode>", "", "no ResponseCode"),
        (GOOD[GOOD.index("<m:Items>") : GOOD.index("</m:GetItemResponseMessage>")], "", "Items: missing"),
        ("<t:Size>7</t:Size>", "<t:ReplyTo><t:Mailbox><t:Name>n</t:Name></t:Mailbox></t:ReplyTo>", "out of order"),
    ],
)
def test_what_does_not_fit_is_said(old: str, new: str, said: str) -> None:
    assert any(said in problem for problem in found(old, new)), found(old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<t:NoEndRecurrence>", "<t:NoEndRecurrence/><t:NumberedRecurrence/><t:NoEndRecurrence>", "of NoEndRecurrence"),
        ("<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>", "", "0 of RelativeYearlyRecurrence"),
        ("2026-11-21", "2026-11-21T00:00:00Z", "is no date"),
        ("<t:Interval>1</t:Interval>", "", "Interval: missing"),
    ],
)
def test_one_of_several_is_one(old: str, new: str, said: str) -> None:
    item = f"<t:CalendarItem>{RECURRENCE}</t:CalendarItem>"
    whole = GOOD[GOOD.index("<t:Message>") : GOOD.index("</m:Items>")]
    assert found(whole, item) == []
    assert any(said in problem for problem in found(whole, item.replace(old, new)))


def test_what_is_newer_than_the_version_is_said() -> None:
    flagged = ("<t:ConversationIndex>", "<t:Flag><t:FlagStatus>Flagged</t:FlagStatus></t:Flag><t:ConversationIndex>")
    assert found(*flagged) == []
    assert any("newer" in problem for problem in found(*flagged, version=Version.EXCHANGE_2010_SP2))


def test_a_name_that_is_no_answer_is_said() -> None:
    assert problems(etree.fromstring(f"<m:GetTea {SPACES}/>"), max(Version))
    assert problems(etree.fromstring(f"<t:GetItemResponse {SPACES}/>"), max(Version))


# -- whole answers

WRAPPED = wrap(GOOD.replace(" {spaces}", ""), SERVERS["2016"])
FAULT = fault(Fault("ErrorServerBusy", values={"BackOffMilliseconds": "5000"}))


def test_good_envelopes_have_no_problems() -> None:
    assert problems_of_envelope(WRAPPED, max(Version)) == []
    assert problems_of_envelope(wrap(GOOD.replace(" {spaces}", ""), SERVERS["2016"], bare=True), max(Version)) == []
    assert problems_of_envelope(FAULT, max(Version)) == []


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"<", "no XML"),
        (b"<Envelope/>", "the root"),
        (WRAPPED.replace(b"ServerVersionInfo", b"ServerVersion"), "no ServerVersionInfo"),
        (WRAPPED.replace(b"</s:Body>", b"<x/></s:Body>"), "exactly one"),
        (FAULT.replace(b"<s:Body>", b"<s:Header/><s:Body>"), "with a header"),
        (FAULT.replace(b"faultcode", b"s:faultcode"), "without namespace"),
        (FAULT.replace(b">ErrorServerBusy<", b">ErrorTeaBreak<"), "no response code"),
        (FAULT.replace(b"a:ErrorServerBusy", b"a:ErrorServerIdle"), "is not ErrorServerBusy"),
        (FAULT.replace(b"Try again later.</e:", b"Try again.</e:"), "is not faultstring"),
        (FAULT.replace(b" Name=", b" Nome="), "Nome"),
    ],
)
def test_what_is_wrong_with_an_envelope_is_said(octets: bytes, said: str) -> None:
    assert any(said in problem for problem in problems_of_envelope(octets, max(Version)))
