"""Track in CRM: CheckPromoteEmail and DeliverPromoteEmail (server-side-sync reference 4.1, 4.3)."""

from __future__ import annotations

from typing import Any

import pytest
from organization_house import House

from postroom.errors import RuleViolated
from postroom.mime.values import Attachment
from postroom.model import EmailStatus as S
from postroom.model import Lookup, ReasonCode
from postroom.organization import SYSTEM, Caller


def track(house: House, caller: Caller = SYSTEM, **values: Any) -> str:
    return house.organization.deliver_promote_email(
        caller,
        **{
            "message_id": "<1@birch.test>",
            "subject": "Order",
            "from_": "carl@birch.test",
            "to": "ada@alder.test",
            "received_on": house.clock.now(),
            "submitted_by": "ada@alder.test",
            "body": "<p>hi</p>",
            **values,
        },
    )


def check(house: House, **values: Any) -> tuple[bool, ReasonCode]:
    verdict = house.organization.check_promote_email(SYSTEM, **{"message_id": "<1@birch.test>", **values})
    return verdict.deliver, verdict.reason


def test_the_filter_is_not_asked(house: House) -> None:
    ada, carl = house.user("ada", filter_=4), house.contact("carl")
    gateway = house.gateway(ada)
    assert not gateway.check_incoming(house.offer(1)).deliver
    assert check(house) == (True, ReasonCode.ACCEPT_ALL)
    email = house.email(track(house, Caller.user(ada.id), attachments=[Attachment("a.txt", "text/plain", b"a")]))
    assert (email.statuscode, email.directioncode, email.attachmentcount) == (S.RECEIVED, False, 1)
    assert (email.ownerid, email.acceptingentityid, email.submittedby) == (ada, ada, "ada@alder.test")
    assert house.parties(email.activityid) == [(1, carl, "carl@birch.test"), (2, ada, "ada@alder.test")]
    assert check(house) == (False, ReasonCode.DUPLICATE)
    assert track(house) == email.activityid
    assert gateway.check_incoming(house.offer(1, message_id="<1@birch.test>")).reason is ReasonCode.DUPLICATE


def test_the_id_that_was_asked_for(house: House) -> None:
    house.user("ada")
    wanted = "00000000-0000-4000-8000-000000000001"
    assert track(house, email_id=wanted) == wanted
    assert house.email(wanted).messageid == "<1@birch.test>"


def test_a_draft_is_replaced_and_its_regarding_kept(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    account = Lookup("account", house.organization.create(SYSTEM, "account", name="Birch"))
    draft = house.organization.create_email(Caller.user(ada.id), to=[carl], subject="Order", regardingobjectid=account)
    assert track(house, Caller.user(ada.id), email_id=draft) == draft
    email = house.email(draft)
    assert (email.statuscode, email.regardingobjectid, email.directioncode) == (S.RECEIVED, account, False)
    assert [kind for kind, _, _ in house.parties(draft)] == [1, 2]
    with pytest.raises(RuleViolated, match="only a draft is tracked"):
        track(house, email_id=draft, message_id="<2@birch.test>")


def test_the_regarding_that_is_given_wins(house: House) -> None:
    house.user("ada")
    carl = house.contact("carl")
    assert house.email(track(house, regarding=carl)).regardingobjectid == carl


def test_a_sent_mail_becomes_a_sent_email(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    values = {"from_": "Ada <ADA@alder.test>", "to": "carl@birch.test"}
    email = house.email(track(house, **values))
    assert (email.statuscode, email.directioncode, email.sendermailboxid) == (S.SENT, True, house.mailbox(ada).reference)
    assert house.parties(email.activityid)[0][:2] == (1, ada)
    assert house.parties(email.activityid)[1][:2] == (2, carl)
    assert track(house, **values) == email.activityid
    assert check(house, direction_code=True) == (False, ReasonCode.DUPLICATE)
    assert check(house, direction_code=False) == (True, ReasonCode.ACCEPT_ALL)  # unique for (Message-ID, direction)
    assert check(house) == (False, ReasonCode.DUPLICATE)


def test_a_token_in_the_subject_is_told(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    me = Caller.user(ada.id)
    sent = house.organization.create_email(me, to=[carl], subject="Order", regardingobjectid=carl)
    subject = house.organization.send_email(me, sent)
    assert check(house, subject=f"RE: {subject}") == (True, ReasonCode.CORRELATION_MATCH)
    email = house.email(track(house, subject=f"RE: {subject}"))
    assert (email.regardingobjectid, email.correlatedactivityid) == (carl, Lookup("email", sent))


def test_without_a_sender_nothing_is_tracked(house: House) -> None:
    house.user("ada")
    with pytest.raises(RuleViolated, match="no sender"):
        track(house, from_="")
