"""The published messages: each is done or refused by name, and docs/messages.md says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from organization_house import House

from postroom.errors import InvalidValue, UnsupportedMessage
from postroom.organization import SYSTEM, Organization
from postroom.organization.messages import MESSAGES

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
SHARED = {"Assign", "Create", "Delete", "Retrieve", "RetrieveMultiple", "SetState", "Update"}
ACCESS = {"GrantAccess", "ModifyAccess", "RevokeAccess", "RetrievePrincipalAccess", "RetrieveSharedPrincipalsAndAccess"}
PUBLISHED = {
    "email": SHARED
    | ACCESS
    | {
        "Associate",
        "BackgroundSendEmail",
        "CheckIncomingEmail",
        "CheckPromoteEmail",
        "DeliverIncomingEmail",
        "DeliverPromoteEmail",
        "Disassociate",
        "GetTrackingTokenEmail",
        "ProcessInboundEmail",
        "PropagateByExpression",
        "SendBulkMail",
        "SendEmail",
        "SendEmailFromTemplate",
        "SendFax",
        "SendTemplate",
    },
    "mailbox": SHARED | ACCESS,
    "emailserverprofile": SHARED | ACCESS,
    "tracelog": {"Create", "Delete", "Retrieve", "RetrieveMultiple"},
}
"""Entity references (Email, Mailbox: on-premises 9.x; EmailServerProfile, TraceLog: server-side-sync reference 1.1, 1.9)."""


@pytest.mark.parametrize("entity", list(PUBLISHED))
def test_every_published_message_has_a_row(entity: str) -> None:
    assert {name for name, message in MESSAGES.items() if entity in message.entities} == PUBLISHED[entity]


def test_the_page_says_the_same() -> None:
    rows = re.findall(r"^\| (\w+) \| ([\w, ]+) \| (?:`(\w+)`|-) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    said = {name: (entities, method, "" if why == "-" else why) for name, entities, method, why in rows if name != "Message"}
    assert said == {name: (", ".join(one.entities), one.method, one.why) for name, one in MESSAGES.items()}


@pytest.mark.parametrize("name", [name for name, one in MESSAGES.items() if one.method])
def test_what_is_done_has_its_method(name: str) -> None:
    assert callable(getattr(Organization, MESSAGES[name].method))


@pytest.mark.parametrize("name", [name for name, one in MESSAGES.items() if not one.method])
def test_what_is_not_done_says_why(house: House, name: str) -> None:
    with pytest.raises(UnsupportedMessage, match=f"{name} is not supported: \\w") as caught:
        house.organization.execute(SYSTEM, name)
    assert caught.value.code == name


def test_by_name(house: House) -> None:
    ada = house.user("ada")
    organization = house.organization
    email = organization.execute(SYSTEM, "Create", entity="email", subject="x", from_=ada, to=[house.contact("carl")])
    assert organization.execute(SYSTEM, "SendEmail", email_id=email, tracking_token="T1") == "x T1"
    assert organization.execute(SYSTEM, "Retrieve", entity="email", record_id=email).trackingtoken == "T1"
    [waiting] = organization.execute(SYSTEM, "BackgroundSendEmail", mailbox_id=house.mailbox(ada).mailboxid)
    assert waiting.activityid == email
    with pytest.raises(UnsupportedMessage, match="did you mean 'SendEmail'"):
        organization.execute(SYSTEM, "SendMail")
    with pytest.raises(InvalidValue, match="SendEmail: "):
        organization.execute(SYSTEM, "SendEmail", id=email)
