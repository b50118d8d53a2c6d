"""What a received email becomes, column by column, and what is made beside it (server-side-sync reference 4.3, 4.4, 4.8 to 4.11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from organization_house import House, message

from postroom.errors import RuleViolated
from postroom.model import EmailNotification, EmailState, EmailStatus, Lookup, Priority, ReasonCode
from postroom.organization import SYSTEM
from postroom.organization.message_values import IncomingMessage
from postroom.providers.contract import Disposition

SENDER, TO, CC, BCC = 1, 2, 3, 4


def switches(**values: bool) -> str:
    inner = "".join(f"<{name}>{str(value).lower()}</{name}>" for name, value in values.items())
    return f"<OrgSettings>{inner}</OrgSettings>"


def multipart(*parts: tuple[str, bytes], **headers: str) -> bytes:
    head = message(1, **{"Content_Type": 'multipart/mixed; boundary="b"', **headers}).partition(b"\r\n\r\n")[0]
    body = b"".join(b"--b\r\n" + field.encode() + b"\r\n\r\n" + octets + b"\r\n" for field, octets in parts)
    return head + b"\r\n\r\n" + body + b"--b--\r\n"


# -- 4.10 -------------------------------------------------------------------------------------------------------------


def test_every_column_of_a_received_email(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    when = house.clock.now() - timedelta(minutes=3)
    raw = message(
        1,
        body="<p>hello</p>",
        To="Ada <ada@alder.test>, x@else.test",
        Cc="y@else.test",
        Bcc="z@else.test",
        Subject="s" * 250,
        Importance="low",
        In_Reply_To="<0@birch.test>",
        Thread_Index="AQHXk0V3",
        Content_Type="text/html",
    )
    email_id = house.take_in(ada, house.offer(1, raw=raw, when=when))
    email = house.email(email_id)
    assert email.directioncode is False
    assert (email.statecode, email.statuscode) == (EmailState.COMPLETED, EmailStatus.RECEIVED)
    assert (email.messageid, email.inreplyto, email.conversationindex) == ("<1@birch.test>", "<0@birch.test>", "AQHXk0V3")
    assert email.baseconversationindexhash is None  # too short for a base
    assert email.subject == "s" * 200
    assert (email.description, email.mimetype) == ("<p>hello</p>\n", "text/html")
    assert email.notifications is EmailNotification.NONE
    assert (email.sender, email.torecipients) == ("carl@birch.test", "ada@alder.test;x@else.test")
    assert email.submittedby == "ada@alder.test"
    assert email.prioritycode is Priority.LOW
    assert (email.actualend, email.senton) == (when, when)
    assert sorted(house.parties(email_id), key=str) == [
        (SENDER, carl, "carl@birch.test"),
        (TO, ada, "ada@alder.test"),
        (TO, None, "x@else.test"),
        (CC, None, "y@else.test"),
        (BCC, None, "z@else.test"),
    ]
    assert (email.ownerid, email.regardingobjectid, email.acceptingentityid) == (ada, None, ada)
    assert email.receivingmailboxid == house.mailbox(ada).reference
    assert email.attachmentcount == 0


def test_html_goes_before_text(house: House) -> None:
    ada = house.user("ada")
    parts = (("Content-Type: text/plain", b"plain"), ("Content-Type: text/html", b"<b>rich</b>"))
    raw = multipart(*parts, Content_Type='multipart/alternative; boundary="b"')
    email = house.email(house.take_in(ada, house.offer(1, raw=raw)))
    assert ((email.description or "").strip(), email.mimetype) == ("<b>rich</b>", "text/html")


def test_a_body_that_was_cut_is_told(house: House) -> None:
    ada = house.user("ada")
    object.__setattr__(house.deployment.settings, "maximum_body_characters", 10)
    email = house.email(house.take_in(ada, house.offer(1, raw=message(1, body="0123456789abc"))))
    assert (email.description, email.notifications) == ("0123456789", EmailNotification.TRUNCATED_BODY)


@pytest.mark.parametrize(("importance", "code"), [("low", 0), ("normal", 1), ("high", 2)])
def test_importance(house: House, importance: str, code: int) -> None:
    email = house.email(house.take_in(house.user("ada"), house.offer(1, Importance=importance)))
    assert email.prioritycode == code


def test_the_sender_and_its_account(house: House) -> None:
    ada = house.user("ada")
    fir = Lookup("account", house.organization.create(SYSTEM, "account", name="Fir", emailaddress1="office@fir.test"))
    house.contact("carl", parentcustomerid=fir)
    carl = house.email(house.take_in(ada, house.offer(1)))
    office = house.email(house.take_in(ada, house.offer(2, From="office@fir.test")))
    assert (carl.emailsenderobjecttypecode, carl.sendersaccount) == ("contact", fir)
    assert (office.emailsender, office.sendersaccount) == (fir, fir)
    assert house.email(house.take_in(ada, house.offer(3, From="x@else.test"))).sendersaccount is None


# -- 4.8 --------------------------------------------------------------------------------------------------------------


def wants_records(house: House, **more: Any) -> Lookup:
    ada = house.user("ada")
    house.organization.update(SYSTEM, "usersettings", ada.id, autocreatecontactonpromote=True, **more)
    return ada


def test_an_unknown_sender_becomes_a_lead_where_the_user_says_so(house: House) -> None:
    ada = wants_records(house, createleadonpromote=True)
    email = house.email(house.take_in(ada, house.offer(1, From="Eve Fir <eve@fir.test>", Subject="Offer")))
    assert email.emailsender is not None
    assert email.emailsender.entity == "lead"
    lead = house.organization.retrieve(SYSTEM, "lead", email.emailsender.id)
    assert (lead.get("fullname"), lead.get("subject"), lead.get("ownerid")) == ("Eve Fir", "Offer", ada)


def test_no_record_unless_the_organization_allows_it(house: House) -> None:
    ada = wants_records(house)
    house.settings(orgdborgsettings=switches(AutoCreateContactOnPromote=False))
    house.take_in(ada, house.offer(1))
    assert house.organization.retrieve_multiple(SYSTEM, "contact") == []


def test_no_record_for_a_sender_that_several_share(house: House) -> None:
    ada = wants_records(house)
    house.contact("carl")
    house.contact("carl")
    house.settings(orgdborgsettings=switches(UnresolveSenderInCaseOfMultipleMatch=True))
    assert house.email(house.take_in(ada, house.offer(1))).emailsender is None
    assert len(house.organization.retrieve_multiple(SYSTEM, "contact")) == 2


def test_a_shared_recipient_is_nobody_where_the_setting_says_so(house: House) -> None:
    """And when it was the only one of ours, the mail has no recipient of ours."""
    ada = house.user("ada", filter_=3)
    house.contact("twin", emailaddress1="ada@alder.test")
    house.contact("carl")
    assert house.gateway(ada).check_incoming(house.offer(1)).reason is ReasonCode.SENDER_MATCH
    house.settings(unresolveemailaddressifmultiplematch=True)
    assert house.gateway(ada).check_incoming(house.offer(1)).reason is ReasonCode.NO_RECIPIENT_MATCH
    house.organization.update(SYSTEM, "usersettings", ada.id, incomingemailfilteringmethod=0)
    assert house.gateway(ada).check_incoming(house.offer(1)).reason is ReasonCode.ACCEPT_ALL


def test_further_addresses_of_a_user_count(house: House) -> None:
    ada = house.user("ada", filter_=3, personalemailaddress="home@else.test")
    carl = house.contact("carl", emailaddress1=None, emailaddress3="CARL@birch.test")
    offer = house.offer(1, To="", Cc="Home@Else.test")
    assert house.gateway(ada).check_incoming(offer).reason is ReasonCode.SENDER_MATCH
    assert (CC, ada, "Home@Else.test") in house.parties(house.take_in(ada, offer))
    assert house.email(house.organization.books().incoming[0].email_id or "").emailsender == carl


# -- 4.3, 4.4 ---------------------------------------------------------------------------------------------------------


def test_who_accepted_need_not_be_whose_mailbox_it_is(house: House) -> None:
    ada, ben = house.user("ada", filter_=4), house.user("ben", filter_=0)
    offer = house.offer(1, To="ada@alder.test", Cc="ben@alder.test")
    email = house.email(house.take_in(ada, offer))
    assert (email.acceptingentityid, email.receivingmailboxid) == (ben, house.mailbox(ada).reference)
    for name in ("UseFilteringMethodOfSyncingMailboxOnlyForCorrelation", "SSSForceFilteringMethodForUserMailboxes"):
        house.settings(orgdborgsettings=switches(**{name: True}))
        assert house.gateway(ada).check_incoming(house.offer(2, Cc="ben@alder.test")).reason is ReasonCode.NO_CORRELATION_MATCH
        assert house.gateway(ben).check_incoming(house.offer(2, Cc="ben@alder.test")).deliver


def test_the_value_no_email_messages_is_chosen_where_it_is_offered(house: House) -> None:
    ada, support = house.user("ada", filter_=4), house.queue("support")
    house.settings(orgdborgsettings=switches(DoNotAutoTrackEmail=False))
    for entity, record in (("usersettings", ada.id), ("queue", support.id)):
        with pytest.raises(RuleViolated, match="DoNotAutoTrackEmail"):
            house.organization.update(SYSTEM, entity, record, incomingemailfilteringmethod=4)
        house.organization.update(SYSTEM, entity, record, incomingemailfilteringmethod=3)
    with pytest.raises(RuleViolated, match="DoNotAutoTrackEmail"):
        house.queue("other", incomingemailfilteringmethod=4)
    house.settings(orgdborgsettings="")
    house.organization.update(SYSTEM, "queue", support.id, incomingemailfilteringmethod=4)


def test_mail_without_a_message_id_is_known_again(house: House) -> None:
    ada = house.user("ada")
    offer = house.offer(1, Message_ID="")
    email = house.email(house.take_in(ada, offer))
    assert (email.messageid or "").endswith("@synthetic.postroom.invalid>")
    assert (
        house.gateway(ada).check_incoming(house.offer(1, key="other", Message_ID="", X_Copy="2")).reason is ReasonCode.DUPLICATE
    )
    assert house.gateway(ada).check_incoming(house.offer(1, Message_ID="", Subject="Other")).deliver


def test_so_is_what_is_delivered_by_message(house: House) -> None:
    house.user("ada")
    values: dict[str, Any] = {"message_id": "", "from_": "carl@birch.test", "to": "ada@alder.test", "body": "x"}
    now = house.clock.now()
    first = house.organization.deliver_incoming_email(SYSTEM, subject="s", received_on=now, **values)
    assert house.organization.deliver_incoming_email(SYSTEM, subject="s", received_on=now, **values) == first
    assert house.organization.deliver_incoming_email(SYSTEM, subject="t", received_on=now, **values) != first
    assert IncomingMessage.of(message_id="").message_id == ""


def test_one_message_each_way(house: House) -> None:
    """Unique is the Message-ID together with the direction."""
    ada, ben = house.user("ada"), house.user("ben")
    sent = house.organization.create_email(SYSTEM, from_=ben, to=[ada], subject="Lunch")
    house.organization.send_email(SYSTEM, sent, tracking_token="")
    copy = {"From": "ben@alder.test", "Message_ID": house.email(sent).messageid or ""}
    received = house.take_in(ada, house.offer(1, **copy))
    assert received != sent
    assert house.gateway(ada).check_incoming(house.offer(2, **copy)).reason is ReasonCode.DUPLICATE


# -- 4.11 -------------------------------------------------------------------------------------------------------------


def test_files_by_the_organizations_list(house: House) -> None:
    ada = house.user("ada")
    parts = [
        (f'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="{name}"', b"x")
        for name in ("a.txt", "b.exe", "c.tnef")
    ]
    raw = multipart(*parts)

    def names(number: int) -> list[str]:
        offer = house.offer(1, key=str(number), raw=raw.replace(b"<1@", b"<%d@" % number))
        email = Lookup("email", house.take_in(ada, offer))
        kept = house.organization.retrieve_multiple(SYSTEM, "activitymimeattachment", objectid=email)
        return [one.filename for one in kept]

    assert names(1) == ["a.txt", "c.tnef"]
    house.settings(blockedattachments="tnef; .TXT")
    assert names(2) == ["b.exe"]
    house.settings(blockedattachments="")
    assert names(3) == ["a.txt", "b.exe", "c.tnef"]


def queues_of(house: House, email_id: str) -> set[str]:
    items = house.organization.retrieve_multiple(SYSTEM, "queueitem", objectid=Lookup("email", email_id))
    return {house.organization.retrieve(SYSTEM, "queue", item.queueid.id).name for item in items}


@pytest.mark.parametrize(
    ("recipients", "synchronizing", "expected"),
    [
        (True, False, {"support", "sales"}),
        (False, False, set()),
        (False, True, {"sink"}),
        (True, True, {"support", "sales", "sink"}),
    ],
)
def test_queue_items_by_the_switches(house: House, recipients: bool, synchronizing: bool, expected: set[str]) -> None:
    house.queue("support")
    house.queue("sales")
    sink = house.queue("sink")
    house.settings(
        orgdborgsettings=switches(
            CreateQueueItemsForAcceptingQueueRecipients=recipients, CreateQueueItemForSynchronizingMailbox=synchronizing
        )
    )
    offer = house.offer(1, To="support@alder.test", Cc="sales@alder.test")
    email_id = house.take_in(sink, offer)
    assert queues_of(house, email_id) == expected


def test_a_users_default_queue_gets_one_too(house: House) -> None:
    mine = house.queue("mine")
    ada = house.user("ada", queueid=mine)
    assert queues_of(house, house.take_in(ada, house.offer(1))) == set()
    house.settings(orgdborgsettings=switches(CreateQueueItemForSynchronizingMailbox=True))
    email_id = house.take_in(ada, house.offer(2))
    assert queues_of(house, email_id) == {"mine"}
    [item] = house.organization.retrieve_multiple(SYSTEM, "queueitem")
    assert (item.title, item.sender, item.torecipients) == ("Message 2", "carl@birch.test", "ada@alder.test")


def test_a_queue_item_for_a_later_queue_also_when_both_looked_at_once(house: House) -> None:
    """Judged as new by both; the second to store it finds it stored."""
    house.settings(orgdborgsettings=switches(SSSCreateAdditionalQueueItemsForAlreadyTrackedEmail=True))
    ada, support = house.user("ada"), house.queue("support")
    offer = house.offer(1)
    later = house.gateway(support)
    verdict = later.check_incoming(offer)
    assert verdict.deliver
    email_id = house.take_in(ada, offer)
    with later.batch():
        assert not later.deliver_incoming(offer, verdict).created
    assert queues_of(house, email_id) == {"support"}


def test_a_deleted_activity_stays_deleted(house: House) -> None:
    """Deleting one side does not touch the other, and does not bring it back."""
    ada, offer = house.user("ada"), house.offer(1)
    house.organization.delete(SYSTEM, "email", house.take_in(ada, offer))
    assert house.gateway(ada).settled([offer.message.digest]) == {offer.message.digest: Disposition.TRACKED}
