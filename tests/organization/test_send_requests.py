"""SendEmail: what is written, what is refused, by whom and through which mailbox (server-side-sync reference 4.5, 7.1, 7.2, 7.5)."""

from __future__ import annotations

from typing import Any

import pytest
from organization_house import House

from postroom.errors import InvalidValue, PrivilegeMissing, RuleViolated, SendRefused
from postroom.mime.values import Attachment
from postroom.model import EmailHash, Lookup
from postroom.model import EmailStatus as S
from postroom.organization import SYSTEM, Caller
from postroom.organization.callers import READ_QUEUE, SEND_AS_USER
from postroom.rules.sending import Depth


def draft(house: House, sender: Lookup | None = None, caller: Caller = SYSTEM, **values: Any) -> str:
    return house.organization.create_email(caller, **{"from_": sender, "subject": "Order", **values})


def test_a_sender_is_one_user_or_queue(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    with pytest.raises(RuleViolated, match="one sender, not 2"):
        house.organization.create(SYSTEM, "email", subject="x", **{"from": [ada, carl]})
    with pytest.raises(SendRefused) as caught:
        house.organization.send_email(SYSTEM, draft(house, carl, to=[ada]))
    assert caught.value.code == "InvalidSender"


@pytest.mark.parametrize("entity", ["account", "contact", "equipment", "lead", "queue", "systemuser"])
def test_who_may_be_written_to(house: House, entity: str) -> None:
    ada = house.user("ada")
    if entity in ("queue", "systemuser"):
        party = house.queue("q") if entity == "queue" else house.user("u")
    else:
        column = "emailaddress" if entity == "equipment" else "emailaddress1"
        party = Lookup(entity, house.organization.create(SYSTEM, entity, name="x", **{column: f"{entity}@birch.test"}))
    house.organization.send_email(SYSTEM, draft(house, ada, to=[party]))


def test_teams_are_not_written_to(house: House) -> None:
    ada = house.user("ada")
    team = Lookup("team", house.organization.create(SYSTEM, "team", name="x", emailaddress="team@birch.test"))
    with pytest.raises(SendRefused, match="no email goes to records of team"):
        house.organization.send_email(SYSTEM, draft(house, ada, to=[team]))


@pytest.mark.parametrize("address", ["not an address", "a@b@c", "fine@x.test; broken", "x" * 200 + "@long.test"])
def test_what_is_no_address_is_refused_at_once(house: House, address: str) -> None:
    with pytest.raises(InvalidValue):
        draft(house, house.user("ada"), to=address)


def test_attachments_are_counted_when_they_are_sent(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    email = draft(house, ada, to=[carl])
    house.organization.create(
        SYSTEM, "activitymimeattachment", objectid=Lookup("email", email), filename="a.txt", mimetype="text/plain", body="YQ=="
    )
    house.organization.send_email(SYSTEM, email)
    assert house.email(email).attachmentcount == 1
    fence = house.organization.begin_run(house.mailbox(ada).mailboxid, "outgoing", "run")
    [claimed] = house.gateway(ada, "outgoing", fence=fence).claim_outgoing(1)
    assert [(one.filename, one.octets) for one in claimed.message.attachments] == [("a.txt", b"a")]


def test_files_may_share_one_blob(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    blob = Lookup("attachment", house.organization.create(SYSTEM, "attachment", body="Yg=="))
    lost = Lookup("attachment", "00000000-0000-4000-8000-000000000009")
    made = []
    for reference in (blob, lost):
        email = draft(house, ada, to=[carl])
        house.organization.create(
            SYSTEM, "activitymimeattachment", objectid=Lookup("email", email), filename="b.txt", attachmentid=reference
        )
        house.organization.send_email(SYSTEM, email)
        made.append(email)
    fence = house.organization.begin_run(house.mailbox(ada).mailboxid, "outgoing", "run")
    [claimed] = house.gateway(ada, "outgoing", fence=fence).claim_outgoing(5)
    assert (claimed.email_id, claimed.message.attachments[0].octets) == (made[0], b"b")
    assert house.email(made[1]).statuscode is S.FAILED


@pytest.mark.parametrize("file", [Attachment("virus.exe", "x/y", b"a"), Attachment("big.txt", "text/plain", b"x" * 11)])
def test_files_that_the_organization_does_not_take(house: House, file: Attachment) -> None:
    house.settings(maxuploadfilesize=10)
    ada = house.user("ada")
    with pytest.raises(RuleViolated, match=r"too large or of a blocked kind"):
        draft(house, ada, attachments=[file])
    assert house.organization.retrieve_multiple(SYSTEM, "email") == []


# -- states -----------------------------------------------------------------------------------------------------------


def test_a_failed_email_that_is_edited_is_a_draft_again(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    email = draft(house, ada, to=[carl])
    house.organization.send_email(SYSTEM, email)
    with house.organization.store.transaction() as tx:
        from postroom.model import Email

        tx.update(Email, email, statuscode=S.FAILED, statecode=S.FAILED.state)
    house.organization.update(SYSTEM, "email", email, regardingobjectid=carl)
    assert house.email(email).statuscode is S.FAILED  # what it is about may change in any state
    before = house.email(email).messageid
    house.organization.update(SYSTEM, "email", email, subject="Another order")
    assert (house.email(email).statuscode, house.email(email).statecode) == (S.DRAFT, S.DRAFT.state)
    house.organization.send_email(SYSTEM, email)
    assert (house.email(email).statuscode, house.email(email).messageid) == (S.PENDING_SEND, before)


def test_only_a_draft_or_a_failed_email_is_sent(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    email = draft(house, ada, to=[carl])
    house.organization.send_email(SYSTEM, email)
    for issue in (True, False):
        with pytest.raises(SendRefused) as caught:
            house.organization.send_email(SYSTEM, email, issue_send=issue)
        assert caught.value.code == "NotADraft"
    house.organization.cancel_email(SYSTEM, email)
    assert house.email(email).statuscode is S.CANCELED


def test_the_owner_of_a_mailbox_that_cannot_send_is_told(house: House) -> None:
    ada, carl = house.user("ada", ready=False), house.contact("carl")
    house.organization.send_email(SYSTEM, draft(house, ada, to=[carl]))
    [alert] = house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="MailboxDisabled")
    assert alert.regardingobjectid == house.mailbox(ada).reference
    assert "not enabled for outgoing email" in alert.text


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_changing_the_prefix_keeps_the_earlier_ones(house: House) -> None:
    assert house.organization.settings.trackingprefix == "CRM:"
    house.settings(trackingprefix="Case ")
    assert house.organization.settings.trackingprefix == "Case;CRM:"
    with pytest.raises(InvalidValue, match="trackingprefix"):
        house.settings(trackingprefix="x" * 21)
    house.settings(trackingprefix="")
    assert house.organization.settings.trackingprefix is None
    ada, carl = house.user("ada"), house.contact("carl")
    email = draft(house, ada, to=[carl])
    assert house.organization.send_email(SYSTEM, email) == "Order"
    with pytest.raises(RuleViolated, match="no tracking prefix"):
        house.organization.get_tracking_token_email(SYSTEM)


def test_a_token_got_in_advance_is_the_one_that_is_sent(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    me = Caller.user(ada.id)
    token = house.organization.get_tracking_token_email(me)
    email = draft(house, caller=me, to=[carl])
    assert house.organization.send_email(me, email, tracking_token=token) == f"Order {token}"
    assert (house.email(email).trackingtoken, house.email(email).subject) == (token, f"Order {token}")
    other = draft(house, caller=me, to=[carl])
    assert house.organization.send_email(me, other) == "Order CRM:0001001"


@pytest.mark.parametrize("token", ["x" * 51, "CRM:\n1"])
def test_a_token_is_one_short_line(house: House, token: str) -> None:
    email = draft(house, house.user("ada"), to=[house.contact("carl")])
    with pytest.raises(InvalidValue, match="tracking token"):
        house.organization.send_email(SYSTEM, email, tracking_token=token)


def test_a_token_that_does_not_fit_is_not_kept(house: House) -> None:
    house.settings(
        orgdborgsettings="<OrgSettings><MaximumSubjectLengthOnMailServer>10</MaximumSubjectLengthOnMailServer></OrgSettings>"
    )
    email = draft(house, house.user("ada"), to=[house.contact("carl")], subject="A long subject")
    assert house.organization.send_email(SYSTEM, email) == "A long sub"
    assert house.email(email).trackingtoken is None


def test_users_are_numbered_when_they_first_send(house: House) -> None:
    ada, ben, carl = house.user("ada"), house.user("ben"), house.contact("carl")
    house.settings(trackingtokenidbase=40)
    sent = [house.organization.send_email(Caller.user(one.id), draft(house, one, to=[carl])) for one in (ben, ada, ben)]
    assert sent == ["Order CRM:0041000", "Order CRM:0042000", "Order CRM:0041001"]
    assert house.organization.send_email(SYSTEM, draft(house, ada, to=[carl])) == "Order CRM:0042001"  # the system, for her


def test_an_organization_that_takes_over_begins_above_the_numbers_in_use(house: House) -> None:
    ada, ben, carl = house.user("ada"), house.user("ben"), house.contact("carl")
    send = house.organization.send_email
    assert send(Caller.user(ada.id), draft(house, ada, to=[carl])) == "Order CRM:0001000"
    house.settings(nexttrackingnumber=500)
    assert send(Caller.user(ben.id), draft(house, ben, to=[carl])) == "Order CRM:0002500"
    assert send(Caller.user(ada.id), draft(house, ada, to=[carl])) == "Order CRM:0001001"


def test_the_resolved_sender_is_on_the_email(house: House) -> None:
    support = house.queue("support")
    email = draft(house, support, to=[house.contact("carl")])
    house.organization.send_email(SYSTEM, email)
    record = house.email(email)
    assert (record.emailsender, record.emailsenderobjecttypecode, record.sender) == (support, "queue", "support@alder.test")
    assert record.torecipients == "carl@birch.test"


# -- who as whom ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "unit", "allowed"),
    [
        ("", "south", True),
        (":global", "south", True),
        (":basic", "north", False),
        (":local", "north", True),
        (":local", "branch", False),
        (":deep", "branch", True),
        (":deep", "south", False),
    ],
)
def test_the_privilege_must_reach_the_other_user(house: House, depth: str, unit: str, allowed: bool) -> None:
    units: dict[str, Lookup] = {}
    for name, above in (("north", None), ("south", None), ("branch", "north")):
        parent = {"parentbusinessunitid": units[above]} if above else {}
        units[name] = Lookup("businessunit", house.organization.create(SYSTEM, "businessunit", name=name, **parent))
    ada = house.user("ada", businessunitid=units["north"])
    ben = house.user("ben", businessunitid=units[unit])
    house.organization.update(SYSTEM, "usersettings", ben.id, issendasallowed=True)
    email = draft(house, ben, to=[house.contact("carl")])
    caller = Caller.user(ada.id, SEND_AS_USER + depth)
    if allowed:
        house.organization.send_email(caller, email)
        assert house.email(email).sendermailboxid == house.mailbox(ben).reference  # nothing shows the real author
    else:
        with pytest.raises(PrivilegeMissing, match="User does not have send-as privilege"):
            house.organization.send_email(caller, email)


def test_depths() -> None:
    assert Caller.user("a", "p:local", "p:basic").depth("p") is Depth.LOCAL
    assert SYSTEM.depth("p") is Depth.GLOBAL
    assert Caller.user("a").depth("p") is None


def test_sending_as_a_queue_needs_to_read_it(house: House) -> None:
    ada, support = house.user("ada"), house.queue("support")
    email = draft(house, support, to=[house.contact("carl")])
    with pytest.raises(PrivilegeMissing):
        house.organization.send_email(Caller.user(ada.id).without(READ_QUEUE), email)
    house.organization.send_email(Caller.user(ada.id), email)
    assert house.email(email).sendermailboxid == house.mailbox(support).reference


@pytest.mark.parametrize(("servertype", "through"), [(1, "ben"), (0, "ada")])
def test_delegation_sends_through_the_submitters_exchange_mailbox(house: House, servertype: int, through: str) -> None:
    house.settings(
        orgdborgsettings="<OrgSettings><EnableMailboxDelegationForOutgoingEmail>true</EnableMailboxDelegationForOutgoingEmail></OrgSettings>"
    )
    ada, ben = house.user("ada"), house.user("ben")
    with house.organization.store.transaction() as tx:
        from postroom.model import EmailServerProfile, ServerType

        tx.update(EmailServerProfile, house.profile, servertype=ServerType(servertype))
    house.organization.update(SYSTEM, "usersettings", ben.id, issendasallowed=True)
    email = draft(house, ben, to=[house.contact("carl")])
    house.organization.send_email(Caller.user(ada.id, SEND_AS_USER), email)
    box = {"ada": ada, "ben": ben}[through]
    assert house.email(email).sendermailboxid == house.mailbox(box).reference
    fence = house.organization.begin_run(house.mailbox(box).mailboxid, "outgoing", "run")
    [claimed] = house.gateway(box, "outgoing", fence=fence).claim_outgoing(1)
    assert (claimed.message.from_.address, claimed.message.from_.name) == ("ben@alder.test", "Ben")
    assert claimed.envelope_from == f"{through}@alder.test"


# -- what is kept for answers -----------------------------------------------------------------------------------------


def test_hashes_and_the_message_id_are_kept_for_answers(house: House) -> None:
    house.settings(enablesmartmatching=True)
    ada, carl = house.user("ada"), house.contact("carl")
    email = draft(house, ada, to=[carl], subject="RE: Your order")
    house.organization.send_email(SYSTEM, email, tracking_token="")
    with house.organization.store.reading() as tx:
        rows = tx.find(EmailHash, activityid=Lookup("email", email))
    assert sorted(int(row.hashtype) for row in rows) == [0, 0, 1, 1]  # your, order; ada and carl
    assert house.email(email).messageid is not None


def test_a_bounce_correlates_and_changes_nothing(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    email = draft(house, ada, to=[carl], subject="Order", regardingobjectid=carl)
    house.organization.send_email(SYSTEM, email)
    before = house.email(email)
    bounce = house.offer(
        9, from_="Mailer <postmaster@birch.test>", subject="Undelivered: Order", in_reply_to=before.messageid or ""
    )
    received = house.email(house.take_in(ada, bounce))
    assert (received.correlatedactivityid, received.regardingobjectid) == (Lookup("email", email), carl)
    assert house.email(email) == before
