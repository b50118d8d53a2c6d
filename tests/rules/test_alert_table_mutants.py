"""The table of alerts, number by number: who filters alerts by their number relies on it, so a number that changes is a mistake."""

from __future__ import annotations

import re
from pathlib import Path

from postroom.rules.alert_table import ALERTS, BY_CODE, AlertKind, platform_number
from postroom.rules.error_classes import AlertLevel, Scope

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "server-side-sync.md").read_text()
NUMBERS = {
    "NoRecipientMatch": 1101,
    "NoCorrelationMatch": 1102,
    "InvalidSender": 1103,
    "InvalidForwardMailItem": 1104,
    "MessageParked": 1105,
    "InvalidIncomingEmailServerProfile": 1106,
    "MailboxDisabled": 2101,
    "EmailNotSent": 2102,
    "EmailUncertain": 2103,
    "InvalidOutgoingEmailServerProfile": 2104,
    "Crm.80040216": 3101,
    "OrganizerMissing": 3102,
    "ConfiguredWithAnotherOrganization": 3103,
    "SchedulingConflict": 3104,
    "DuplicateFound": 3105,
    "LinkedItemsFound": 3106,
    "TestSucceeded": 4101,
    "AddressNotApproved": 4102,
    "AddressNotApprovedByAdministrator": 4103,
    "MailboxLocationUnknown": 4104,
    "MailboxInactive": 4105,
    "ProfileMailboxesFailing": 4106,
    "MailboxTakenByAnother": 4107,
    "8005E259": 4111,
    "8005E272": 4112,
    "8005E273": 4113,
    "8005E274": 4114,
    "8005E276": 4115,
}
EXCHANGE = {code for code, number in NUMBERS.items() if number // 1000 == 3 or number > 4110} | {"MailboxLocationUnknown"}


def test_numbers() -> None:
    assert {kind.code: kind.number for kind in ALERTS} == NUMBERS
    assert len(BY_CODE) == len(ALERTS)


def test_what_waits_for_exchange() -> None:
    assert {kind.code for kind in ALERTS if kind.exchange} == EXCHANGE
    assert not AlertKind("x", 1, AlertLevel.ERROR, Scope.EMAIL, "x").exchange


def test_platform_numbers_are_those_of_the_reference() -> None:
    """Reference 10 prints some of them as numbers, some in hexadecimal behind "Crm."."""
    published = {text: int(text) for text in re.findall(r"-\d{10}", REFERENCE)}
    found = {
        code: platform_number(code)
        for code in [*BY_CODE, "UnknownIncomingEmailIntegrationError", "Crm.80040265", "Crm.80042f0a"]
    }
    assert {code: number for code, number in found.items() if number is not None} == {
        "NoRecipientMatch": published["-2147218683"],
        "Crm.80040216": 0x80040216 - 2**32,
        "UnknownIncomingEmailIntegrationError": published["-2147220891"],
        "Crm.80040265": 0x80040265 - 2**32,
        "Crm.80042f0a": published["-2147209462"],
    }
    assert platform_number("InvalidSender") is None
