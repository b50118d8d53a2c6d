"""Addresses and the records they resolve to, against fixtures/threads/resolution.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from postroom.mime.addresses import parse_list
from postroom.model import Lookup
from postroom.organization import SYSTEM
from postroom.testing.scene import Scene

CASES = tomllib.loads((Path(__file__).parents[2] / "fixtures" / "threads" / "resolution.toml").read_text())["case"]
WHO = "who@cedar.test"
COLUMN = {
    "businessunit": "emailaddress",
    "systemuser": "internalemailaddress",
    "queue": "emailaddress",
    "team": "emailaddress",
    "equipment": "emailaddress",
}
LABEL = {"systemuser": "fullname", "contact": "fullname", "lead": "fullname"}


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene(check=False) as scene:
        scene.mail_server()
        scene.filter(scene.user("Ada", "ada@alder.test"), 0)
        scene.user("Ben", "ben@alder.test")
        yield scene


def make(scene: Scene, described: str) -> tuple[Lookup, str]:
    """`kind name [of owner] [inactive]`."""
    kind, name, *rest = described.split()
    values: dict[str, Any] = {LABEL.get(kind, "name"): name, COLUMN.get(kind, "emailaddress1"): WHO}
    if "of" in rest:
        values["ownerid"] = scene.people[rest[rest.index("of") + 1]].lookup
    record = scene.organization.create(SYSTEM, kind, **values)
    if "inactive" in rest:
        scene.organization.set_state(SYSTEM, kind, record, False)
    return Lookup(kind, record), name


def resolved(scene: Scene, address: str) -> tuple[Lookup | None, set[Lookup]]:
    """What From and To of a mail from and to this address became."""
    (parsed,) = parse_list(address).addresses
    email = scene.organization.deliver_incoming_email(
        SYSTEM,
        message_id="<one@cedar.test>",
        subject="Who is it",
        from_=[parsed],
        to=[parsed, *parse_list("ada@alder.test").addresses],
        received_on=datetime(2026, 1, 5, 9, tzinfo=UTC),
        mailbox_id=scene.people["Ada"].mailbox,
    )
    record = scene.organization.retrieve(SYSTEM, "email", email)
    parties = scene.organization.retrieve_multiple(
        SYSTEM, "activityparty", activityid=Lookup("email", email), participationtypemask=2
    )
    return record.emailsender, {
        party.partyid for party in parties if party.partyid and party.partyid != scene.people["Ada"].lookup
    }


@pytest.mark.parametrize("name", CASES)
def test_an_address_resolves_as_labelled(scene: Scene, name: str) -> None:
    case = CASES[name]
    if "settings" in case:
        scene.organization.update_settings(SYSTEM, **case["settings"])
    if "switch" in case:
        bag = f"<OrgSettings><{case['switch']}>true</{case['switch']}></OrgSettings>"
        scene.organization.update_settings(SYSTEM, orgdborgsettings=bag)
    names = dict(make(scene, described) for described in case.get("records", ()))
    for number in range(case.get("many", 0)):
        lookup = Lookup("contact", scene.organization.create(SYSTEM, "contact", fullname=f"Number {number}", emailaddress1=WHO))
        names[lookup] = f"Number {number}"
    sender, recipients = resolved(scene, case.get("address", WHO))
    assert (names[sender] if sender else "") == case["sender"]
    if "recipients" in case:
        assert {names[one] for one in recipients} == set(case["recipients"])
