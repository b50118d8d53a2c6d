"""What comes in: judged, stored once, settled, counted (server-side-sync reference 4)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from organization_house import House, message

from postroom.errors import InvalidValue, MessageError, RuleViolated, StaleRun
from postroom.model import EmailColumns, EmailNotification, EmailStatus, Lookup, ReasonCode, Verdict
from postroom.organization import SYSTEM, GatewayBinding
from postroom.providers.contract import Disposition
from postroom.store import ledger

SENDER, TO, CC = 1, 2, 3


def dispositions(house: House) -> list[tuple[str, str, str]]:
    return [(row.source_key, row.disposition, row.reason) for row in house.organization.books().incoming]


def test_a_message_becomes_an_activity(house: House) -> None:
    ada, carl = house.user("ada"), house.contact("carl")
    when = house.clock.now() - timedelta(minutes=3)
    offer = house.offer(1, when=when, Cc="nobody@else.test", Importance="high")
    email_id = house.take_in(ada, offer)
    email = house.email(email_id)
    assert (email.statuscode, email.directioncode, email.subject) == (EmailStatus.RECEIVED, False, "Message 1")
    assert (email.messageid, email.sender, email.torecipients) == ("<1@birch.test>", "carl@birch.test", "ada@alder.test")
    assert (email.senton, email.actualend, email.prioritycode) == (when, when, 2)
    assert (email.ownerid, email.emailsender, email.acceptingentityid) == (ada, carl, ada)
    assert email.receivingmailboxid == house.mailbox(ada).reference
    assert (email.mimetype, email.description, email.submittedby) == ("text/plain", "hello\n", "ada@alder.test")
    assert sorted(house.parties(email_id), key=str) == [
        (SENDER, carl, "carl@birch.test"),
        (TO, ada, "ada@alder.test"),
        (CC, None, "nobody@else.test"),
    ]
    assert dispositions(house) == [("uidl-1", "tracked", "accept all")]
    with house.organization.store.reading() as tx:
        assert ledger.read_content(tx, offer.message.digest) == offer.octets


def test_a_recipient_shared_by_several_records_becomes_all_of_them(house: House) -> None:
    ada = house.user("ada")
    one, two = house.contact("dora"), house.contact("dora")
    offer = house.offer(1, To="ada@alder.test, dora@birch.test")
    found = [party for mask, party, _ in house.parties(house.take_in(ada, offer)) if mask == TO]
    assert set(found) == {ada, one, two}
    house.settings(unresolveemailaddressifmultiplematch=True)
    offer = house.offer(2, To="ada@alder.test, dora@birch.test")
    found = [party for mask, party, _ in house.parties(house.take_in(ada, offer)) if mask == TO]
    assert set(found) == {ada, None}


def test_delivering_again_changes_nothing(house: House) -> None:
    ada, offer = house.user("ada"), house.offer(1)
    first = house.take_in(ada, offer)
    gateway = house.gateway(ada)
    with gateway.batch():
        again = gateway.deliver_incoming(offer, Verdict(True, ReasonCode.ACCEPT_ALL))
    assert (again.email_id, again.created) == (first, False)
    assert len(house.organization.retrieve_multiple(SYSTEM, "email")) == 1
    assert len(house.organization.books().incoming) == 1


def test_another_copy_is_a_duplicate_whoever_sees_it(house: House) -> None:
    ada, ben = house.user("ada"), house.user("ben")
    offer = house.offer(1, To="ada@alder.test, ben@alder.test")
    first = house.take_in(ada, offer)
    gateway = house.gateway(ben)
    verdict = gateway.check_incoming(offer)
    assert verdict.reason is ReasonCode.DUPLICATE
    with gateway.batch():
        gateway.settle(offer, Disposition.FILTERED, verdict)
        gateway.settle(offer, Disposition.FILTERED, verdict)
    rows = house.organization.books().incoming
    assert [(row.address, row.disposition, row.email_id) for row in rows] == [
        ("ada@alder.test", "tracked", first),
        ("ben@alder.test", "filtered", first),
    ]


def test_two_copies_in_one_batch_become_one_activity(house: House) -> None:
    """Both were judged before either was stored."""
    ada, gateway = house.user("ada"), None
    gateway = house.gateway(ada)
    one, two = house.offer(1, key="a"), house.offer(1, key="b", X_Copy="2")
    verdicts = [gateway.check_incoming(one), gateway.check_incoming(two)]
    with gateway.batch():
        delivered = [gateway.deliver_incoming(offer, verdict) for offer, verdict in zip((one, two), verdicts, strict=True)]
    assert [one.created for one in delivered] == [True, False]
    assert dispositions(house) == [("a", "tracked", "accept all"), ("b", "filtered", "duplicate")]


def test_one_bad_message_takes_no_other_along(house: House) -> None:
    ada = house.user("ada")
    gateway = house.gateway(ada)
    good, bad, last = house.offer(1), house.offer(2), house.offer(3)
    verdict = Verdict(True, ReasonCode.ACCEPT_ALL)
    with gateway.batch():
        gateway.deliver_incoming(good, verdict)
        with pytest.raises(RuntimeError), gateway._writing() as tx:  # noqa: PT012
            gateway._intake.deliver(tx, bad, verdict)
            raise RuntimeError("after everything was written")
        gateway.deliver_incoming(last, verdict)
    assert [key for key, _, _ in dispositions(house)] == ["uidl-1", "uidl-3"]
    assert {email.subject for email in house.organization.retrieve_multiple(SYSTEM, "email")} == {"Message 1", "Message 3"}


def test_a_batch_that_fails_leaves_nothing(house: House) -> None:
    ada = house.user("ada")
    gateway = house.gateway(ada)
    with pytest.raises(RuntimeError), gateway.batch():  # noqa: PT012
        gateway.deliver_incoming(house.offer(1), Verdict(True, ReasonCode.ACCEPT_ALL))
        raise RuntimeError
    assert house.organization.books().incoming == ()
    assert house.organization.retrieve_multiple(SYSTEM, "activityparty") == []
    with pytest.raises(RuleViolated), gateway.batch(), gateway.batch():
        pass


def test_failures_are_counted_and_a_parked_message_is_kept(house: House) -> None:
    ada = house.user("ada")
    gateway, offer = house.gateway(ada), house.offer(1)
    assert [gateway.failed("uidl-1", f"try {n}") for n in range(1, 6)] == [False] * 4 + [True]
    assert [(row.disposition, row.attempts) for row in house.organization.books().incoming] == [("failing", 5)]
    with gateway.batch():
        gateway.settle(offer, Disposition.PARKED, Verdict(False, ReasonCode.UNKNOWN, "try 5"))
    rows = house.organization.books().incoming
    assert [(row.disposition, row.detail) for row in rows] == [("parked", "try 5")]
    assert gateway.settled([offer.message.digest, "other"]) == {offer.message.digest: Disposition.PARKED}
    alerts = house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="MessageParked")
    assert len(alerts) == 0  # a warning, and warnings are off


def test_too_large_a_message_is_refused_for_good(house: House) -> None:
    ada = house.user("ada")
    size = house.deployment.settings.maximum_message_size
    offer = house.offer(1, raw=message(1, body="x" * size))
    with pytest.raises(MessageError) as caught:
        house.gateway(ada).deliver_incoming(offer, Verdict(True, ReasonCode.ACCEPT_ALL))
    assert caught.value.permanent
    assert caught.value.source_key == "uidl-1"


def test_what_no_database_holds_is_cleaned(house: House) -> None:
    ada = house.user("ada")
    raw = message(1, body="a\x00b", Subject="=?utf-8?q?nul=00here?=")
    email = house.email(house.take_in(ada, house.offer(1, raw=raw)))
    assert "\x00" not in (email.description or "") + (email.subject or "")


def test_long_message_ids_stay_apart(house: House) -> None:
    ada = house.user("ada")
    long = "x" * 400
    one = house.take_in(ada, house.offer(1, Message_ID=f"<{long}1@birch.test>"))
    two = house.take_in(ada, house.offer(2, Message_ID=f"<{long}2@birch.test>"))
    assert one != two
    assert len(house.email(one).messageid or "") <= 320


def test_mail_before_the_watermark_waits_until_the_date_is_lowered(house: House) -> None:
    ada = house.user("ada")
    now = house.clock.now()
    house.organization.update(SYSTEM, "emailserverprofile", house.profile, processemailsreceivedafter=now - timedelta(days=2))
    house.update_mailbox(ada, processemailreceivedafter=now - timedelta(days=1))
    box = house.mailbox(ada).mailboxid
    early, later = house.offer(1, when=now - timedelta(hours=30)), house.offer(2, when=now - timedelta(hours=20))
    gateway = house.gateway(ada)
    verdict = gateway.check_incoming(early)
    assert verdict.reason is ReasonCode.BEFORE_WATERMARK
    with gateway.batch():
        gateway.settle(early, Disposition.FILTERED, verdict)
    from postroom.store.memory import SqlSeenSet

    seen = SqlSeenSet(house.organization.store, box)
    seen.add({"uidl-1": "", "uidl-2": "d"})
    house.take_in(ada, later)
    assert [(key, word) for key, word, _ in dispositions(house)] == [("uidl-1", "pending"), ("uidl-2", "tracked")]
    assert gateway.settled([early.message.digest]) == {}
    assert house.mailbox(ada).processemailreceivedafter == now - timedelta(days=1)  # POP3: the administrator's only
    house.update_mailbox(ada, processemailreceivedafter=None)
    assert seen.new_among(["uidl-1", "uidl-2"]) == ["uidl-1"]
    assert house.gateway(ada).check_incoming(early).deliver
    house.take_in(ada, early)
    assert [(key, word) for key, word, _ in dispositions(house)] == [("uidl-2", "tracked"), ("uidl-1", "tracked")]


def test_the_profiles_date_stays_in_force(house: House) -> None:
    ada, now = house.user("ada"), house.clock.now()
    house.organization.update(SYSTEM, "emailserverprofile", house.profile, processemailsreceivedafter=now)
    assert house.gateway(ada).check_incoming(house.offer(1, when=now)).deliver
    assert not house.gateway(ada).check_incoming(house.offer(1, when=now - timedelta(seconds=1))).deliver


def test_an_exchange_profile_advances_the_watermark(house: House) -> None:
    ada, now = house.user("ada"), house.clock.now()
    house.organization.update(SYSTEM, "emailserverprofile", house.profile, servertype=0)
    house.take_in(ada, house.offer(1, when=now))
    house.take_in(ada, house.offer(2, when=now + timedelta(days=9)))  # a wrong clock does not close the mailbox
    assert house.mailbox(ada).processemailreceivedafter == now
    house.clock.advance(minutes=1)
    house.take_in(ada, house.offer(3, when=now + timedelta(minutes=1)))
    assert house.mailbox(ada).processemailreceivedafter == now + timedelta(minutes=1)


def test_replies_are_correlated_by_header_and_by_token(house: House) -> None:
    ada, carl = house.user("ada", filter_=1), house.contact("carl")
    incident = Lookup("incident", house.organization.create(SYSTEM, "incident", title="Broken"))
    sent = house.organization.create_email(SYSTEM, from_=ada, to=[carl], subject="Order", regardingobjectid=incident)
    house.organization.send_email(SYSTEM, sent)
    original = house.email(sent)
    assert house.gateway(ada).check_incoming(house.offer(9)).reason is ReasonCode.NO_CORRELATION_MATCH
    reply = house.email(house.take_in(ada, house.offer(1, In_Reply_To=original.messageid or "")))
    assert (reply.correlationmethod, reply.parentactivityid, reply.regardingobjectid) == (3, original.reference, incident)
    by_token = house.email(house.take_in(ada, house.offer(2, Subject=f"AW: {original.subject}")))
    assert (by_token.correlationmethod, by_token.parentactivityid) == (4, None)
    assert by_token.correlatedactivityid == original.reference
    house.settings(emailcorrelationenabled=False)
    assert not house.gateway(ada).check_incoming(house.offer(3, In_Reply_To=original.messageid or "")).deliver


def test_internal_mail_is_stored_a_second_time_unless_ignored(house: House) -> None:
    ada, ben = house.user("ada"), house.user("ben")
    sent = house.organization.create_email(SYSTEM, from_=ben, to=[ada], subject="Lunch")
    house.organization.send_email(SYSTEM, sent, tracking_token="")
    copy: dict[str, Any] = {"From": "ben@alder.test", "Message_ID": house.email(sent).messageid}
    assert house.gateway(ada).check_incoming(house.offer(1, **copy)).deliver
    house.settings(ignoreinternalemail=True)
    assert house.gateway(ada).check_incoming(house.offer(1, **copy)).reason is ReasonCode.INTERNAL_EMAIL_REJECT
    house.settings(ignoreinternalemail=False)
    assert house.email(house.take_in(ada, house.offer(1, **copy))).emailsender == ben


def test_a_queues_mail_enters_the_queue_and_belongs_to_its_owner(house: House) -> None:
    ada = house.user("ada")
    support = house.queue("support", ownerid=ada)
    email = house.take_in(support, house.offer(1, To="support@alder.test"))
    items = house.organization.retrieve_multiple(SYSTEM, "queueitem")
    assert [(item.queueid, item.objectid) for item in items] == [(support, Lookup("email", email))]
    assert house.email(email).ownerid == ada


def test_a_queue_that_sees_it_later_gets_an_item_only_by_the_switch(house: House) -> None:
    ada, support = house.user("ada"), house.queue("support")
    offer = house.offer(1)
    house.take_in(ada, offer)
    for switch, expected in (("false", 0), ("true", 1), ("true", 1)):
        name = "SSSCreateAdditionalQueueItemsForAlreadyTrackedEmail"
        house.settings(orgdborgsettings=f"<OrgSettings><{name}>{switch}</{name}></OrgSettings>")
        gateway = house.gateway(support)
        with gateway.batch():
            gateway.settle(offer, Disposition.FILTERED, gateway.check_incoming(offer))
        assert len(house.organization.retrieve_multiple(SYSTEM, "queueitem")) == expected


def test_blocked_and_large_attachments_are_left_out(house: House) -> None:
    ada = house.user("ada")
    house.settings(maxuploadfilesize=10)
    parts = [("good.txt", b"0123456789"), ("bad.EXE", b"x"), ("sly.exe. ", b"x"), ("large.txt", b"01234567890"), ("none", b"y")]
    raw = (
        b'From: c@birch.test\r\nTo: ada@alder.test\r\nMessage-ID: <m@b>\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    )
    for name, octets in parts:
        head = f'--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
        raw += head.encode() + octets + b"\r\n"
    email = house.email(house.take_in(ada, house.offer(1, raw=raw + b"--b--\r\n")))
    kept = house.organization.retrieve_multiple(SYSTEM, "activitymimeattachment", objectid=email.reference)
    assert [one.filename for one in kept] == ["good.txt", "none"]
    assert (email.attachmentcount, email.notifications) == (2, EmailNotification.ATTACHMENT_BLOCKED)


def test_an_unknown_sender_becomes_a_contact_where_the_user_wants_it(house: House) -> None:
    ada = house.user("ada")
    assert house.email(house.take_in(ada, house.offer(1))).emailsender is None
    house.organization.update(SYSTEM, "usersettings", ada.id, autocreatecontactonpromote=True)
    made = house.email(house.take_in(ada, house.offer(2, From="Eve Fir <eve@fir.test>"))).emailsender
    assert made is not None
    contact = house.organization.retrieve(SYSTEM, "contact", made.id)
    assert (contact.get("lastname"), contact.get("emailaddress1"), contact.get("ownerid")) == ("Fir", "eve@fir.test", ada)
    assert house.email(house.take_in(ada, house.offer(3, From="eve@fir.test"))).emailsender == made


def test_a_lost_lease_stops_everything(house: House) -> None:
    house.settings(ismailboxforcedunlockingenabled=True)
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid
    old = house.organization.begin_run(box, "incoming", "one")
    assert old is not None
    house.clock.advance(hours=1)
    assert house.organization.begin_run(box, "incoming", "two") is not None
    gateway = house.organization.gateway(GatewayBinding(box, box, old, "incoming"))
    offer = house.offer(1)
    with pytest.raises(StaleRun), gateway.batch():
        gateway.deliver_incoming(offer, Verdict(True, ReasonCode.ACCEPT_ALL))
    with pytest.raises(StaleRun):
        gateway.failed("uidl-1", "x")
    with pytest.raises(StaleRun):
        gateway.claim_outgoing(1)
    assert house.organization.books().incoming == ()


def test_the_documented_messages(house: House) -> None:
    house.user("ada")
    values: dict[str, Any] = {
        "message_id": "<7@b>",
        "subject": None,
        "from_": "carl@birch.test",
        "to": "ada@alder.test; x@else.test",
        "received_on": house.clock.now(),
        "importance": "2",
        "body": "<p>hi</p>",
    }
    verdict = house.organization.check_incoming_email(SYSTEM, message_id="<7@b>", from_="carl@birch.test", to="ada@alder.test")
    assert verdict.reason is ReasonCode.ACCEPT_ALL
    email_id = house.organization.deliver_incoming_email(SYSTEM, **values)
    email = house.email(email_id)
    assert (email.subject, email.mimetype, email.prioritycode) == ("", "text/html", 2)
    assert house.organization.deliver_incoming_email(SYSTEM, **values) == email_id
    refused = {**values, "message_id": "<8@b>", "to": "x@else.test", "validate_before_create": True}
    with pytest.raises(RuleViolated) as caught:
        house.organization.deliver_incoming_email(SYSTEM, **refused)
    assert caught.value.code == "NO_RECIPIENT_MATCH"
    assert house.organization.check_incoming_email(SYSTEM, message_id="<9@b>").reason is ReasonCode.INVALID_SENDER


def test_refusals_are_told_once_and_renewed(house: House) -> None:
    ada = house.user("ada", filter_=4)
    for number in (1, 2):
        gateway = house.gateway(ada)
        offer = house.offer(number, Subject="Same")
        with gateway.batch():
            gateway.settle(offer, Disposition.FILTERED, gateway.check_incoming(offer))
        house.clock.advance(minutes=5)
    [alert] = house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="NoCorrelationMatch")
    assert (alert.level, alert.collationlevel, alert.modifiedon - alert.createdon) == (1, 2, timedelta(minutes=5))
    assert alert.regardingobjectid == house.mailbox(ada).reference


def test_contents_are_kept_once(house: House) -> None:
    ada = house.user("ada")
    offer = house.offer(1)
    assert hashlib.sha256(offer.octets).hexdigest() == offer.message.digest
    house.take_in(ada, offer)
    email = house.organization.retrieve_multiple(SYSTEM, "email")[0]
    house.organization.delete(SYSTEM, "email", email.activityid)
    house.take_in(ada, house.offer(1, key="other"))
    with house.organization.store.reading() as tx:
        assert tx.execute(__import__("sqlalchemy").select(ledger.content.c.digest)).scalars().all() == [offer.message.digest]


def forwarded(house: House, sender: str, inner: bytes) -> Any:
    head = f'From: {sender}\r\nTo: sink@alder.test\r\nMessage-ID: <outer@alder.test>\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    raw = head.encode() + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--b--\r\n"
    return house.offer(1, raw=raw)


def test_a_forward_mailbox_takes_the_inner_message(house: House) -> None:
    ada = house.user("ada", ready=False, incomingemaildeliverymethod=3)
    house.user("ben", ready=False)
    carl = house.contact("carl")
    profile = Lookup("emailserverprofile", house.profile)
    sink = house.organization.create(SYSTEM, "mailbox", name="sink", emailaddress="sink@alder.test", emailserverprofile=profile)
    gateway = house.organization.gateway(GatewayBinding(sink, sink, None, "incoming"))
    offer = forwarded(house, "ada@alder.test", message(5, To="list@else.test"))
    verdict = gateway.check_incoming(offer)
    assert verdict.reason is ReasonCode.ACCEPT_ALL
    with gateway.batch():
        email = house.email(gateway.deliver_incoming(offer, verdict).email_id)
    assert (email.subject, email.messageid, email.emailsender) == ("Message 5", "<5@birch.test>", carl)
    assert (email.acceptingentityid, email.receivingmailboxid, email.ownerid) == (ada, house.mailbox(ada).reference, ada)
    again = forwarded(house, "ada@alder.test", message(5, To="list@else.test", X_Copy="2"))
    assert gateway.check_incoming(again).reason is ReasonCode.DUPLICATE
    for wrong in (forwarded(house, "ben@alder.test", message(6)), house.offer(7, From="ada@alder.test")):
        refused = gateway.check_incoming(wrong)
        assert (refused.deliver, refused.detail.split(":")[0]) == (False, "InvalidForwardMailItem")
        with gateway.batch():
            gateway.settle(wrong, Disposition.FILTERED, refused)
    assert house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="InvalidForwardMailItem")


def test_a_batch_that_was_rolled_back_moves_no_watermark(house: House) -> None:
    ada, now = house.user("ada"), house.clock.now()
    house.organization.update(SYSTEM, "emailserverprofile", house.profile, servertype=0)
    gateway = house.gateway(ada)
    with pytest.raises(RuntimeError), gateway.batch():  # noqa: PT012
        gateway.deliver_incoming(house.offer(1, when=now + timedelta(hours=1)), Verdict(True, ReasonCode.ACCEPT_ALL))
        raise RuntimeError
    with gateway.batch():
        gateway.deliver_incoming(house.offer(2, when=now), Verdict(True, ReasonCode.ACCEPT_ALL))
    assert house.mailbox(ada).processemailreceivedafter == now


def test_custom_records_have_addresses_too(house: House) -> None:
    columns = EmailColumns()
    columns.register("new_member", "new_email")
    other = house.deployment.create_organization("fir", email_columns=columns)
    member = Lookup("new_member", other.create(SYSTEM, "new_member", new_email="m@fir.test"))
    ada = other.create(SYSTEM, "systemuser", internalemailaddress="ada@fir.test")
    other.update(SYSTEM, "usersettings", ada, incomingemailfilteringmethod=3)
    found = other.check_incoming_email(SYSTEM, message_id="<1@m>", from_="M@fir.test", to="ada@fir.test")
    assert found.reason is ReasonCode.SENDER_MATCH
    email = other.deliver_incoming_email(
        SYSTEM, message_id="<1@m>", subject="s", from_="M@fir.test", to="ada@fir.test", received_on=house.clock.now()
    )
    assert other.retrieve(SYSTEM, "email", email).emailsender == member


@pytest.mark.parametrize(
    "text", ["<a", "<!DOCTYPE a><OrgSettings/>", "<O><IgnoreInternalEmailFromQueues>maybe</IgnoreInternalEmailFromQueues></O>"]
)
def test_switches_that_cannot_be_read_are_refused(house: House, text: str) -> None:
    with pytest.raises(InvalidValue):
        house.settings(orgdborgsettings=text)
    with pytest.raises(InvalidValue):
        house.settings(defaultemailsettings='<EmailSettings><queue incoming="9"/></EmailSettings>')


def test_a_lowered_date_brings_back_what_was_deleted(house: House) -> None:
    ada, now = house.user("ada"), house.clock.now()
    house.update_mailbox(ada, processemailreceivedafter=now - timedelta(days=1))
    kept, deleted = house.offer(1), house.offer(2)
    house.take_in(ada, kept)
    house.organization.delete(SYSTEM, "email", house.take_in(ada, deleted))
    house.update_mailbox(ada, processemailreceivedafter=now - timedelta(hours=1))  # raised: nothing comes back
    assert [word for _, word, _ in dispositions(house)] == ["tracked", "tracked"]
    house.update_mailbox(ada, processemailreceivedafter=now - timedelta(days=2))
    assert [word for _, word, _ in dispositions(house)] == ["tracked", "pending"]
    assert house.gateway(ada).settled([kept.message.digest, deleted.message.digest]).keys() == {kept.message.digest}
    house.take_in(ada, deleted)
    assert [word for _, word, _ in dispositions(house)] == ["tracked", "tracked"]
    assert len(house.organization.retrieve_multiple(SYSTEM, "email")) == 2
