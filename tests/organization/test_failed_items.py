"""Failures of single emails: who sees which row, and what it is told by (server-side-sync reference 1.4)."""

from __future__ import annotations

from typing import Any

import pytest
from organization_house import House

from postroom.errors import MessageError, RecordNotFound, RuleViolated
from postroom.model import Lookup
from postroom.organization import SYSTEM, Caller
from postroom.organization.callers import ADMINISTRATOR
from postroom.providers.contract import Disposition

FAILURES = "exchangesyncidmapping"


def rows(house: House, caller: Caller, **conditions: Any) -> list[str | None]:
    found = house.organization.retrieve_multiple(caller, FAILURES, order_by=("createdon",), **conditions)
    return [row.itemsubject for row in found]


def fails(house: House, owner: Lookup, number: int) -> None:
    house.gateway(owner).failed(f"uidl-{number}", "no", f"Message {number}")


def test_the_owner_an_administrator_and_others(house: House) -> None:
    ada, ben = house.user("ada"), house.user("ben")
    fails(house, ada, 1)
    fails(house, ben, 2)
    assert rows(house, Caller.user(ada.id)) == ["Message 1"]
    assert rows(house, Caller.user(ben.id, ADMINISTRATOR)) == ["***", "Message 2"]
    assert rows(house, SYSTEM) == ["***", "***"]
    assert rows(house, Caller.user(house.user("carl").id)) == rows(house, Caller()) == []
    assert rows(house, Caller.user(ada.id), ownerid=ben) == []
    one = house.organization.retrieve_multiple(SYSTEM, FAILURES, ownerid=ben)[0].exchangesyncidmappingid
    assert house.organization.retrieve(Caller.user(ben.id), FAILURES, one).itemsubject == "Message 2"
    assert house.organization.retrieve(SYSTEM, FAILURES, one).itemsubject == "***"
    with pytest.raises(RecordNotFound):
        house.organization.retrieve(Caller.user(ada.id), FAILURES, one)


def test_what_is_masked_cannot_be_guessed(house: House) -> None:
    fails(house, house.user("ada"), 1)
    with pytest.raises(RuleViolated, match="masked"):
        house.organization.retrieve_multiple(SYSTEM, FAILURES, itemsubject="Message 1")
    with pytest.raises(RuleViolated, match="masked"):
        house.organization.retrieve_multiple(SYSTEM, FAILURES, order_by=("-itemsubject",))


def test_one_row_a_message_and_mailbox_until_it_is_settled(house: House) -> None:
    """Two servers may use the same key."""
    ada = house.user("ada")
    orders = house.queue("orders", ownerid=ada)
    for owner in (ada, ada, orders):
        fails(house, owner, 1)
    found = house.organization.retrieve_multiple(Caller.user(ada.id), FAILURES)
    assert sorted(row.retries for row in found) == [1, 2]
    house.take_in(ada, house.offer(1))
    [left] = house.organization.retrieve_multiple(Caller.user(ada.id), FAILURES)
    assert (left.retries, left.objecttypecode, left.objectid) == (1, 4202, None)


def test_what_is_given_up_stays(house: House) -> None:
    ada = house.user("ada")
    gateway, offer = house.gateway(ada), house.offer(1)
    verdict = gateway.check_incoming(offer)
    with gateway.batch():
        assert not gateway.failed(offer.source_key, str(MessageError("no")), "Message 1")
        gateway.settle(offer, Disposition.PARKED, verdict)
    assert rows(house, Caller.user(ada.id)) == ["Message 1"]
