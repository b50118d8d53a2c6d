"""Corners of incoming mail: what was judged before something else was stored, and what strangers may write."""

from __future__ import annotations

from datetime import timedelta

import pytest
from organization_house import House

from postroom.errors import InvalidValue
from postroom.model import Lookup, ReasonCode
from postroom.organization import SYSTEM
from postroom.rules.tracking_token import TokenLayout, find_tokens

SENDER, TO = 1, 2


def makes_contacts(house: House) -> Lookup:
    ada = house.user("ada")
    house.organization.update(SYSTEM, "usersettings", ada.id, autocreatecontactonpromote=True)
    return ada


def test_two_messages_of_a_stranger_judged_together_make_one_contact(house: House) -> None:
    gateway = house.gateway(makes_contacts(house))
    offers = [house.offer(1), house.offer(2)]
    verdicts = [gateway.check_incoming(offer) for offer in offers]
    with gateway.batch():
        emails = [gateway.deliver_incoming(*pair).email_id for pair in zip(offers, verdicts, strict=True)]
    [contact] = house.organization.retrieve_multiple(SYSTEM, "contact")
    senders = [party for one in emails for mask, party, _ in house.parties(one) if mask == SENDER]
    assert senders == [contact.reference, contact.reference]


def test_an_answer_judged_with_what_it_answers_is_correlated(house: House) -> None:
    gateway = house.gateway(house.user("ada"))
    offers = [house.offer(1), house.offer(2, In_Reply_To="<1@birch.test>")]
    verdicts = [gateway.check_incoming(offer) for offer in offers]
    with gateway.batch():
        first, second = (gateway.deliver_incoming(*pair).email_id for pair in zip(offers, verdicts, strict=True))
    assert house.email(second).correlatedactivityid == Lookup("email", first)


def test_no_contact_gets_half_an_address(house: House) -> None:
    ada = makes_contacts(house)
    house.take_in(ada, house.offer(1, From=f"{'x' * 60}@{'y' * 60}.test"))
    assert house.organization.retrieve_multiple(SYSTEM, "contact") == []


def test_of_several_records_the_oldest_is_the_sender(house: House) -> None:
    ada = house.user("ada")
    for number in range(6):
        name = f"twin{number}"
        old = house.contact(name)
        house.clock.advance(hours=1)
        house.contact(name)
        email_id = house.take_in(ada, house.offer(number, From=f"{name}@birch.test"))
        assert (SENDER, old, f"{name}@birch.test") in house.parties(email_id)


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("x INV:0001001", "INV:0001001"),
        ("x inv:0001001", "INV:0001001"),
        ("x \u0130NV:0001001", "INV:0001001"),  # a capital I with a dot is an i to a pattern that ignores case
        ("x \u0131nv:0001001", "INV:0001001"),
        ("INV:\u0660\u0660\u0660\u0661\u0660\u0660\u0661", None),  # digits, but not ours
        ("\ud800INV:0001001\x00", "INV:0001001"),
    ],
)
def test_tokens_in_strange_letters(subject: str, found: str | None) -> None:
    assert next(iter(find_tokens(subject, TokenLayout(prefixes=("INV:",)))), None) == found


def test_the_documented_messages_take_what_strangers_write(house: House) -> None:
    house.user("ada")
    bad = "\ud800\x00\r\n"
    values = {
        "message_id": f"<{bad}@birch.test>",
        "subject": bad + "s" * 10_000_000,
        "from_": "carl@birch.test",
        "to": f"ada@alder.test; {bad} <x@else.test>; {bad}",
        "in_reply_to": bad * 1000,
        "conversation_index": bad * 5000,
    }
    assert house.organization.check_incoming_email(SYSTEM, **values).reason is ReasonCode.ACCEPT_ALL
    email_id = house.organization.deliver_incoming_email(
        SYSTEM, **values, received_on=house.clock.now(), body=bad, submitted_by=bad * 200
    )
    email = house.email(email_id)
    assert len(email.subject or "") == 200
    assert house.organization.check_incoming_email(SYSTEM, **values).reason is ReasonCode.DUPLICATE


def test_importance_is_a_number(house: House) -> None:
    house.user("ada")
    with pytest.raises(InvalidValue, match="importance"):
        house.organization.deliver_incoming_email(
            SYSTEM,
            message_id="<1@x>",
            subject="",
            from_="carl@birch.test",
            to="ada@alder.test",
            received_on=house.clock.now() - timedelta(hours=1),
            importance="urgent",
        )
