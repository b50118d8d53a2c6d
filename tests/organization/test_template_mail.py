"""Email from templates: one activity for each recipient, each pending (server-side-sync reference 7.2)."""

from __future__ import annotations

from typing import Any

import pytest
from organization_house import House

from postroom.errors import InvalidValue, PrivilegeMissing, RecordNotFound, SendRefused
from postroom.model import EmailStatus as S
from postroom.model import Lookup
from postroom.organization import SYSTEM, Caller


def template(house: House, **values: Any) -> str:
    fields = {
        "title": "News",
        "subject": "News for {!contact:fullname;you}",
        "body": "<p>Dear {!contact:fullname;customer}</p>",
    }
    return house.organization.create(SYSTEM, "template", **{**fields, **values})


def emails(house: House) -> list[Any]:
    return house.organization.retrieve_multiple(SYSTEM, "email", order_by=("subject",))


def test_bulk_mail_makes_one_activity_for_each_recipient(house: House) -> None:
    ada = house.user("ada")
    people = [house.contact(name, city="Ulm") for name in ("carl", "dora")]
    house.contact("elsewhere", city="Bonn")
    house.contact("silent", city="Ulm", donotbulkemail=True)
    house.contact("homeless", city="Ulm", emailaddress1="")
    account = Lookup("account", house.organization.create(SYSTEM, "account", name="Birch"))
    made = house.organization.send_bulk_mail(Caller.user(ada.id), ada, template(house), "contact", account, city="Ulm")
    found = emails(house)
    assert {one.activityid for one in found} == set(made)
    assert [one.subject for one in found] == ["News for Carl CRM:0001000", "News for Dora CRM:0001001"]
    assert {(one.statuscode, one.regardingobjectid) for one in found} == {(S.PENDING_SEND, account)}
    assert [house.parties(one.activityid)[1][1] for one in found] == people
    assert len({one.messageid for one in found}) == 2


def test_a_template_to_chosen_recipients_with_a_priority(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl", fullname="<Carl>")
    chosen = template(house)
    [made] = house.organization.send_template(Caller.user(ada.id), chosen, ada, [carl, carl], delivery_priority=2)
    email = house.email(made)
    assert (email.description, email.deliveryprioritycode) == ("<p>Dear &lt;Carl&gt;</p>", 2)
    assert email.templateid == Lookup("template", chosen)


def test_one_email_from_a_template(house: House) -> None:
    ada, carl, dora = house.user("ada"), house.contact("carl"), house.contact("dora")
    chosen = template(house, body="Dear {!contact:fullname;}, yours {!systemuser:fullname;}")
    made = house.organization.send_email_from_template(
        Caller.user(ada.id), chosen, {"from": ada, "to": [carl], "cc": [dora]}, regarding=dora
    )
    email = house.email(made)
    assert (email.description, email.regardingobjectid, email.statuscode) == ("Dear Carl, yours Ada", dora, S.PENDING_SEND)


def test_nothing_is_left_behind_when_it_is_refused(house: House) -> None:
    ada, ben, carl = house.user("ada"), house.user("ben"), house.contact("carl")
    chosen = template(house)
    with pytest.raises(PrivilegeMissing):
        house.organization.send_template(Caller.user(ada.id), chosen, ben, [carl])
    with pytest.raises(RecordNotFound, match="no template"):
        house.organization.send_template(Caller.user(ada.id), "missing", ada, [carl])
    with pytest.raises(InvalidValue, match="no email goes to"):
        house.organization.send_bulk_mail(SYSTEM, ada, chosen, "team")
    with pytest.raises(SendRefused):
        house.organization.send_email_from_template(SYSTEM, chosen, {"from": ada})
    assert emails(house) == []
