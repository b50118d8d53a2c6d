"""What goes together although it looks as if it did not, one for each mistake that had passed (tests/mutation)."""

from __future__ import annotations

from typing import Any

import pytest

from postroom.model import EmailServerProfile, Lookup, Mailbox, Organization
from postroom.model.deployment import DeploymentSettings
from postroom.model.options import (
    CredentialRetrieval,
    ExchangeVersion,
    IncomingDeliveryMethod,
    OutgoingDeliveryMethod,
    ServerType,
)
from postroom.rules import mailbox_combination, organization_combination, profile_combination

SECURE = {"incomingusessl": True, "outgoingusessl": True}
EXCHANGE, ONLINE, OTHER = ServerType.EXCHANGE_SERVER, ServerType.EXCHANGE_ONLINE_HYBRID, ServerType.OTHER
INTEGRATED = CredentialRetrieval.WINDOWS_INTEGRATED


def mailbox(**values: Any) -> list[str]:
    return mailbox_combination.problems(Mailbox(**{"isforwardmailbox": False, **values}))


def test_mailboxes() -> None:
    queue = Lookup("queue", "q")
    sends = OutgoingDeliveryMethod.SERVER_SIDE_SYNC_OR_ROUTER
    assert mailbox(outgoingemaildeliverymethod=sends, incomingemaildeliverymethod=IncomingDeliveryMethod.FORWARD_MAILBOX) == []
    assert len(mailbox(outgoingemaildeliverymethod=sends, isforwardmailbox=True)) == 1
    assert mailbox(processanddeleteemails=True, isforwardmailbox=True) == []
    assert mailbox(outgoingemaildeliverymethod=OutgoingDeliveryMethod.OUTLOOK) == []
    for direction, value in (
        ("outgoingemaildeliverymethod", OutgoingDeliveryMethod.OUTLOOK),
        ("incomingemaildeliverymethod", IncomingDeliveryMethod.OUTLOOK),
    ):
        assert mailbox(regardingobjectid=queue, **{direction: value}) == ["a queue is not delivered to through Outlook"]


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"trackingtokenidbase": 999, "trackingtokeniddigits": 3}, False),
        ({"trackingtokenidbase": 1000, "trackingtokeniddigits": 3}, True),
        ({"nexttrackingnumber": 50, "maximumtrackingnumber": 50}, False),
        ({"nexttrackingnumber": 51, "maximumtrackingnumber": 50}, True),
        ({"mailboxintermittentissueminrange": 5, "mailboxpermanentissueminrange": 5}, False),
        ({"mailboxintermittentissueminrange": 6, "mailboxpermanentissueminrange": 5}, True),
        ({"mailboxintermittentissueminrange": 6, "mailboxpermanentissueminrange": None}, False),
        ({"mailboxintermittentissueminrange": None, "mailboxpermanentissueminrange": 5}, False),
        ({"tracelogmaximumageindays": 0}, False),
        ({"tracelogmaximumageindays": 30}, False),
        ({"tracelogmaximumageindays": -1}, True),
        ({"tracelogmaximumageindays": None}, False),
    ],
)
def test_organizations_at_their_limits(values: dict[str, Any], wrong: bool) -> None:
    assert bool(organization_combination.problems(Organization(**values))) is wrong


@pytest.mark.parametrize(
    "values",
    [
        {"servertype": EXCHANGE, "incomingserverlocation": "mail.test", "outgoingserverlocation": "mail.test"},
        {"servertype": OTHER, "exchangeversion": ExchangeVersion.EXCHANGE_2007},
        {"servertype": EXCHANGE, "useautodiscover": True},
        {"servertype": EXCHANGE, "incomingcredentialretrieval": INTEGRATED},
        {"servertype": ONLINE, "exchangeonlinetenantid": "t"},
        {"servertype": ONLINE},
    ],
)
def test_profiles_that_can_be_saved(values: dict[str, Any]) -> None:
    assert profile_combination.problems(EmailServerProfile(name="p", **SECURE, **values), DeploymentSettings()) == []


def test_active_directory_is_only_what_needs_it() -> None:
    closed = DeploymentSettings(allow_ad_based_authentication_protocols=False)
    plain, integrated = (
        EmailServerProfile(name="p", servertype=EXCHANGE, **SECURE, **values)
        for values in ({}, {"outgoingcredentialretrieval": INTEGRATED, "usesamesettingsforoutgoingconnections": False})
    )
    assert profile_combination.forbidden(plain, "outgoing", closed) == []
    assert len(profile_combination.forbidden(integrated, "outgoing", closed)) == 1
    assert profile_combination.forbidden(integrated, "outgoing", DeploymentSettings()) == []
