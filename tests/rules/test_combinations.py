"""What goes together on profiles, mailboxes and organizations (server-side-sync reference 0, 1.1, 1.5, 1.6, 2.6, 9)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from postroom.model import EmailServerProfile, Lookup, Mailbox, Organization
from postroom.model.attributes import attributes_of
from postroom.model.deployment import DeploymentSettings
from postroom.model.options import AuthenticationProtocol, CredentialRetrieval, ServerType
from postroom.rules import mailbox_combination, organization_combination, profile_combination
from postroom.rules.locking import host_of, may_break

OPEN = DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True)
EWS = "https://mail.alder.test/EWS/Exchange.asmx"
ONLINE = "https://outlook.office365.com/EWS/Exchange.asmx"


def typed(cls: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """Option numbers as the record has them."""
    specs = attributes_of(cls)
    return {
        name: options(value) if (options := specs[name].options) is not None and value is not None else value
        for name, value in values.items()
    }


def profile(**values: Any) -> EmailServerProfile:
    ports = {"incomingportnumber": 995, "outgoingportnumber": 587} if values.get("servertype", 1) == 1 else {}
    return EmailServerProfile(**typed(EmailServerProfile, {"name": "p", "servertype": ServerType.OTHER, **ports, **values}))


def problems(settings: DeploymentSettings | None = None, **values: Any) -> str:
    return "; ".join(profile_combination.problems(profile(**values), settings or DeploymentSettings()))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ""),
        ({"servertype": 0, "incomingserverlocation": EWS, "outgoingserverlocation": EWS}, ""),
        ({"servertype": 3, "defaultserverlocation": ONLINE, "incomingcredentialretrieval": 2}, ""),
        ({"servertype": 0, "incomingserverlocation": EWS, "outgoingportnumber": 587}, "its outgoing server cannot be SMTP"),
        ({"servertype": 0, "incomingportnumber": 995}, "its incoming server cannot be POP3"),
        ({"servertype": 0, "outgoingserverlocation": "smtp://mail.alder.test"}, "its outgoing server cannot be SMTP"),
        ({"outgoingserverlocation": EWS}, "its outgoing server cannot be Exchange"),
        ({"incomingserverlocation": EWS}, "its incoming server cannot be Exchange"),
        ({"incomingserverlocation": "imaps://mail.alder.test"}, "IMAP is not supported (incoming)"),
        ({"incomingportnumber": 143}, "IMAP is not supported (incoming)"),
        ({"incomingserverlocation": "pop3://mail.alder.test"}, "is a host name"),
        ({"servertype": 0, "exchangeversion": 1}, "2003 and 2007 are not supported"),
        ({"useautodiscover": True}, "autodiscover"),
        ({"incomingcredentialretrieval": 3}, "integrated Windows authentication is for Exchange and SMTP only"),
        ({"incomingcredentialretrieval": 4}, "not read without credentials"),
        ({"outgoingcredentialretrieval": 4}, "not sent without credentials"),
        ({"servertype": 0, "outgoingcredentialretrieval": 4}, "an Exchange profile needs credentials"),
        ({"incomingcredentialretrieval": 2}, "for Exchange Online only"),
        ({"servertype": 0, "outgoingcredentialretrieval": 2}, "for Exchange Online only"),
        ({"exchangeonlinetenantid": "t"}, "a tenant is named"),
        ({"servertype": 3, "incomingserverlocation": EWS}, "cannot point to another server (incoming)"),
        ({"servertype": 3, "defaultserverlocation": "evil-office365.com"}, "cannot point to another server"),
    ],
)
def test_profiles(values: dict[str, Any], words: str) -> None:
    found = problems(**values)
    assert words in found
    assert bool(found) is bool(words)


@pytest.mark.parametrize("host", ["outlook.office365.com", "outlook.com", "outlook.office365.us", "partner.outlook.cn"])
def test_servers_of_exchange_online(host: str) -> None:
    """A deployment may name others."""
    values = {"servertype": 3, "defaultserverlocation": f"https://{host}/EWS/Exchange.asmx"}
    assert problems(**values) == ""
    assert "cannot point" in problems(DeploymentSettings(exchange_online_domains=frozenset({"birch.test"})), **values)


def test_windows_integrated_is_for_smtp() -> None:
    assert problems(outgoingcredentialretrieval=CredentialRetrieval.WINDOWS_INTEGRATED) == ""


def test_all_problems_at_once() -> None:
    found = profile_combination.problems(
        profile(incomingportnumber=143, incomingcredentialretrieval=3, useautodiscover=True, outgoingusessl=False),
        DeploymentSettings(),
    )
    assert len(found) == 4
    assert [
        word for word in ("IMAP", "Windows", "autodiscover", "AllowNonSSLEmail") if not any(word in one for one in found)
    ] == []


@pytest.mark.parametrize(
    ("setting", "values", "direction", "words"),
    [
        ("allow_non_ssl_email", {"incomingusessl": False}, "incoming", "AllowNonSSLEmail"),
        (
            "allow_basic_authentication_on_non_secure_channel",
            {"outgoingusessl": False},
            "outgoing",
            "AllowBasicAuthenticationOnNonSecureChannel",
        ),
        (
            "allow_ad_based_authentication_protocols",
            {"incomingauthenticationprotocol": AuthenticationProtocol.NTLM},
            "incoming",
            "AllowADBasedAuthenticationProtocols",
        ),
    ],
)
def test_what_the_deployment_forbids(setting: str, values: dict[str, Any], direction: str, words: str) -> None:
    allowed = dataclasses.replace(OPEN, allow_ad_based_authentication_protocols=True)
    forbidden = dataclasses.replace(allowed, **{setting: False})
    assert profile_combination.forbidden(profile(**values), direction, allowed) == []
    [found] = profile_combination.forbidden(profile(**values), direction, forbidden)
    assert words in found
    assert found in profile_combination.problems(profile(**values), forbidden)


def test_without_tls_only_what_shows_the_password_is_basic() -> None:
    strict = dataclasses.replace(OPEN, allow_basic_authentication_on_non_secure_channel=False)
    for protocol, basic in ((None, True), (0, True), (3, True), (1, False), (2, False)):
        found = profile_combination.forbidden(
            profile(incomingusessl=False, incomingauthenticationprotocol=protocol), "incoming", strict
        )
        assert bool(found) is basic


def test_anonymous_smtp_is_for_simulated_servers() -> None:
    assert problems(DeploymentSettings(allow_anonymous_smtp=True), outgoingcredentialretrieval=4) == ""


USER, QUEUE = Lookup("systemuser", "u"), Lookup("queue", "q")


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"regardingobjectid": USER, "isforwardmailbox": False, "actdeliverymethod": 1}, 0),
        ({"regardingobjectid": QUEUE, "isforwardmailbox": False, "processanddeleteemails": True}, 0),
        ({"isforwardmailbox": True, "outgoingemaildeliverymethod": 2}, 1),
        ({"isforwardmailbox": True, "incomingemaildeliverymethod": 3}, 1),
        ({"regardingobjectid": USER, "isforwardmailbox": False, "processanddeleteemails": True}, 1),
        ({"regardingobjectid": QUEUE, "isforwardmailbox": False, "incomingemaildeliverymethod": 1}, 1),
        ({"regardingobjectid": QUEUE, "isforwardmailbox": False, "actdeliverymethod": 1}, 1),
        (
            {
                "isforwardmailbox": True,
                "outgoingemaildeliverymethod": 2,
                "incomingemaildeliverymethod": 3,
                "actdeliverymethod": 1,
            },
            3,
        ),
    ],
)
def test_mailboxes(values: dict[str, Any], count: int) -> None:
    assert len(mailbox_combination.problems(Mailbox(**typed(Mailbox, values)))) == count


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, []),
        ({"trackingtokenidbase": 1000, "trackingtokeniddigits": 3}, ["trackingtokenidbase"]),
        ({"nexttrackingnumber": 1000, "maximumtrackingnumber": 999}, ["nexttrackingnumber"]),
        ({"hashfilterkeywords": "("}, ["hashfilterkeywords"]),
        ({"mailboxintermittentissueminrange": 5, "mailboxpermanentissueminrange": 3}, ["mailboxintermittentissueminrange"]),
        ({"tracelogmaximumageindays": -1}, ["tracelogmaximumageindays"]),
        ({"nexttrackingnumber": 1000, "hashfilterkeywords": "["}, ["nexttrackingnumber", "hashfilterkeywords"]),
    ],
)
def test_organizations(values: dict[str, Any], names: list[str]) -> None:
    found = organization_combination.problems(Organization(**values))
    assert [one.split(":")[0].removeprefix("organization.") for one in found] == names


def test_who_may_break_a_lock() -> None:
    assert host_of("Alder/1234") == "alder"
    assert may_break("alder/2", "ALDER/1", forced_unlocking=False)
    assert not may_break("birch/1", "alder/1", forced_unlocking=False)
    assert may_break("birch/1", "alder/1", forced_unlocking=True)
