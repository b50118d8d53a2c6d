"""What goes out: sent once, or somebody decides (server-side-sync reference 7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from organization_house import House

from postroom.errors import PrivilegeMissing, RuleViolated, SendRefused, StaleRun
from postroom.mime.values import Attachment
from postroom.model import EmailState, Lookup
from postroom.model import EmailStatus as S
from postroom.organization import SYSTEM, Caller, GatewayBinding, Operation
from postroom.organization.callers import READ_ACTIVITY, SEND_AS_USER, WRITE_ACTIVITY
from postroom.organization.gateway import OrganizationGateway
from postroom.providers.contract import ClaimedEmail, RecipientResult, Submission, SubmissionResult
from postroom.store import Fence

SENT = Submission(SubmissionResult.SENT, (RecipientResult("carl@birch.test", True, "250 OK"),), "250 OK")
LATER = Submission(SubmissionResult.RETRY, (RecipientResult("carl@birch.test", False, "451 later", False),), "451 later")
NEVER = Submission(SubmissionResult.FAILED, (RecipientResult("carl@birch.test", False, "550 no"),), "550 no")
LOST = Submission(SubmissionResult.UNCERTAIN)


class Outbox:
    """Ada writes to Carl; runs claim and report."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ada = house.user("ada")
        self.carl = house.contact("carl")
        self.box = house.mailbox(self.ada).mailboxid

    def send(self, subject: str = "Order", **values: Any) -> str:
        me = Caller.user(self.ada.id)
        email = self.house.organization.create_email(me, **{"to": [self.carl], "subject": subject, **values})
        self.house.organization.send_email(me, email, tracking_token="")
        return email

    def run(self, holder: str = "run") -> tuple[OrganizationGateway, Fence]:
        fence = self.house.organization.begin_run(self.box, "outgoing", holder)
        assert fence is not None
        return self.house.organization.gateway(GatewayBinding(self.box, self.box, fence, "outgoing")), fence

    def attempt(self, *submissions: Submission, submitting: bool = True) -> list[ClaimedEmail]:
        gateway, fence = self.run()
        claimed = list(gateway.claim_outgoing(10))
        for email, submission in zip(claimed, submissions, strict=True):
            if submitting:
                gateway.mark_submitting(email)
            gateway.report_outgoing(email, submission)
        self.house.organization.end_run(self.box, fence)
        return claimed

    def state(self, email: str) -> tuple[S, str, int | None]:
        [row] = [row for row in self.house.organization.books().outgoing if row.email_id == email]
        record = self.house.email(email)
        assert record.statecode is record.statuscode.state
        return record.statuscode, row.mark, record.deliveryattempts


@pytest.fixture
def outbox(house: House) -> Outbox:
    return Outbox(house)


def test_a_sent_email(outbox: Outbox, house: House) -> None:
    files = [Attachment("a.txt", "text/plain", b"a")]
    email = outbox.send(description="<p>hi</p>", bcc=[outbox.ada], prioritycode=2, attachments=files)
    assert outbox.state(email) == (S.PENDING_SEND, "pending", 0)
    [claimed] = outbox.attempt(
        Submission(SubmissionResult.SENT, (*SENT.recipients, RecipientResult("ada@alder.test", True)), "250 OK")
    )
    message = claimed.message
    assert (claimed.envelope_from, claimed.recipients) == ("ada@alder.test", ("carl@birch.test", "ada@alder.test"))
    assert (message.from_.address, message.from_.name) == ("ada@alder.test", "Ada")
    assert [(one.address, one.name) for one in message.to] == [("carl@birch.test", "Carl")]
    assert (message.html, message.text, message.importance, message.subject) == ("<p>hi</p>", None, 2, "Order")
    assert [one.octets for one in message.attachments] == [b"a"]
    assert outbox.state(email) == (S.SENT, "sent", 1)
    record = house.email(email)
    assert (record.messageid, record.senton) == (message.message_id, house.clock.now())
    assert message.message_id.endswith("@alder.test>")
    [row] = house.organization.books().outgoing[-1:]
    assert [(one.address, one.accepted) for one in row.recipients] == [("carl@birch.test", True), ("ada@alder.test", True)]
    assert outbox.attempt() == []


def test_the_same_message_on_every_try_and_a_postponement_between(outbox: Outbox, house: House) -> None:
    email = outbox.send()
    [first] = outbox.attempt(LATER)
    assert outbox.state(email) == (S.PENDING_SEND, "pending", 1)
    assert outbox.attempt() == []
    house.clock.advance(minutes=5)
    [second] = outbox.attempt(SENT)
    assert (second.message, second.attempt) == (first.message, 2)
    assert outbox.state(email) == (S.SENT, "sent", 2)


def test_the_servers_own_time_is_kept(outbox: Outbox, house: House) -> None:
    outbox.send()
    outbox.attempt(Submission(SubmissionResult.RETRY, reply="421", retry_after=timedelta(hours=1)))
    house.clock.advance(minutes=59)
    assert outbox.attempt() == []
    house.clock.advance(minutes=1)
    assert len(outbox.attempt(SENT)) == 1


def test_attempts_run_out(outbox: Outbox, house: House) -> None:
    email = outbox.send()
    for _ in range(house.deployment.settings.maximum_email_delivery_attempts):
        outbox.attempt(LATER)
        house.clock.advance(minutes=5)
    assert outbox.state(email) == (S.FAILED, "failed", 10)
    assert house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="EmailNotSent")
    house.organization.send_email(Caller.user(outbox.ada.id), email, tracking_token="")
    assert outbox.state(email) == (S.PENDING_SEND, "pending", 0)
    outbox.attempt(SENT)
    assert outbox.state(email)[0] is S.SENT


def test_what_the_server_never_heard_of_is_no_attempt(outbox: Outbox) -> None:
    email = outbox.send()
    outbox.attempt(Submission(SubmissionResult.RETRY), submitting=False)
    assert outbox.state(email) == (S.PENDING_SEND, "pending", 0)


def test_refused_for_good(outbox: Outbox, house: House) -> None:
    email = outbox.send()
    outbox.attempt(NEVER, submitting=False)
    assert outbox.state(email) == (S.FAILED, "failed", 1)
    assert house.organization.books().outgoing[-1].reason == "550 no"


def test_an_uncertain_email_waits_for_a_person(outbox: Outbox, house: House) -> None:
    email, other = outbox.send("one"), outbox.send("two")
    outbox.attempt(LOST, LOST)
    assert outbox.state(email) == (S.SENDING, "uncertain", 1)
    house.clock.advance(days=9)
    assert outbox.attempt() == []
    assert house.organization.due_mailboxes()[0].directions == (Operation.INCOMING,)
    with pytest.raises(PrivilegeMissing):
        house.organization.resolve_uncertain(Caller.user(outbox.ada.id), email, True)
    with pytest.raises(RuleViolated, match="cannot be deleted"):
        house.organization.delete(SYSTEM, "email", email)
    house.organization.resolve_uncertain(SYSTEM, email, True)
    assert outbox.state(email)[:2] == (S.SENT, "sent")
    house.organization.resolve_uncertain(SYSTEM, other, False)
    [again] = outbox.attempt(SENT)
    assert (again.email_id, outbox.state(other)[:2]) == (other, (S.SENT, "sent"))
    with pytest.raises(RuleViolated, match="not uncertain"):
        house.organization.resolve_uncertain(SYSTEM, email, False)


def test_a_lost_run_leaves_claimed_to_be_claimed_again_and_submitting_uncertain(outbox: Outbox, house: House) -> None:
    house.settings(ismailboxforcedunlockingenabled=True)
    waiting, doubtful = outbox.send("one"), outbox.send("two")
    gateway, _ = outbox.run("lost")
    claimed = {email.email_id: email for email in gateway.claim_outgoing(10)}
    gateway.mark_submitting(claimed[doubtful])
    assert outbox.state(waiting)[:2] == (S.SENDING, "claimed")
    assert house.organization.begin_run(outbox.box, "outgoing", "early") is None
    house.clock.advance(hours=1)
    assert Operation.OUTGOING in house.organization.due_mailboxes()[0].directions
    second, fence = outbox.run("second")
    assert [email.email_id for email in second.claim_outgoing(10)] == [waiting]
    assert outbox.state(doubtful)[:2] == (S.SENDING, "uncertain")
    assert house.organization.renew_run(outbox.box, fence)
    with pytest.raises(StaleRun):
        gateway.report_outgoing(claimed[doubtful], SENT)
    with pytest.raises(StaleRun):
        gateway.mark_submitting(claimed[waiting])


def test_take_over_by_instance(outbox: Outbox, house: House) -> None:
    house.settings(ismailboxforcedunlockingenabled=True)
    email = outbox.send()
    gateway, fence = outbox.run()
    [claimed] = gateway.claim_outgoing(1)
    gateway.mark_submitting(claimed)
    assert house.organization.take_over(outbox.box, fence) == 0
    house.clock.advance(hours=1)
    newer = house.organization.begin_run(outbox.box, "incoming", "other")
    assert newer is not None
    assert outbox.state(email)[1] == "uncertain"  # taking the lease from a lost run did it
    assert house.organization.take_over(outbox.box, newer) == 0


def test_high_priority_first_then_the_oldest(outbox: Outbox, house: House) -> None:
    made = []
    for subject, priority in (("low", 0), ("first", 1), ("second", 1), ("high", 2)):
        made.append(outbox.send(subject, deliveryprioritycode=priority))
        house.clock.advance(1)
    outbox.send("later", delayedemailsendtime=house.clock.now() + timedelta(hours=1))
    reader = Caller.user(outbox.ada.id, READ_ACTIVITY, WRITE_ACTIVITY)
    waiting = [one.subject for one in house.organization.background_send_email(reader, outbox.box)]
    assert waiting == ["high", "first", "second", "low"]
    gateway, _ = outbox.run()
    assert [one.message.subject for one in gateway.claim_outgoing(2)] == ["high", "first"]
    assert gateway.claim_outgoing(0) == []
    with pytest.raises(PrivilegeMissing):
        house.organization.background_send_email(Caller.user(outbox.ada.id), outbox.box)


def test_only_unreached_recipients_are_tried_again(outbox: Outbox, house: House) -> None:
    dora, eve = house.contact("dora"), house.contact("eve")
    outbox.send(to=[outbox.carl, dora, eve])
    results = (
        RecipientResult("carl@birch.test", False, "451", False),
        RecipientResult("dora@birch.test", False, "550", True),
        RecipientResult("eve@birch.test", False, "452", False),
    )
    outbox.attempt(Submission(SubmissionResult.RETRY, results, "451"))
    house.clock.advance(minutes=5)
    gateway, _ = outbox.run()
    assert gateway.claim_outgoing(1)[0].recipients == ("carl@birch.test", "eve@birch.test")


def test_canceling(outbox: Outbox, house: House) -> None:
    waiting, sent = outbox.send("waiting"), outbox.send("sent")
    house.organization.cancel_email(SYSTEM, waiting)
    assert outbox.state(waiting)[:2] == (S.CANCELED, "canceled")
    gateway, _ = outbox.run()
    [claimed] = gateway.claim_outgoing(5)
    with pytest.raises(RuleViolated):
        house.organization.cancel_email(SYSTEM, sent)
    gateway.mark_submitting(claimed)
    gateway.report_outgoing(claimed, SENT)
    with pytest.raises(StaleRun):
        gateway.report_outgoing(claimed, LATER)
    with pytest.raises(RuleViolated):
        house.organization.cancel_email(SYSTEM, sent)


def test_who_may_send_as_whom(house: House) -> None:
    ada, ben, support = house.user("ada"), house.user("ben"), house.queue("support")
    carl = house.contact("carl")

    def send(caller: Caller, sender: Lookup) -> str:
        return house.organization.send_email(caller, house.organization.create_email(caller, from_=sender, to=[carl]))

    send(Caller.user(ada.id), ada)
    send(Caller.user(ada.id), support)
    with pytest.raises(PrivilegeMissing, match="User does not have send-as privilege"):
        send(Caller.user(ada.id), ben)
    with pytest.raises(PrivilegeMissing):
        send(Caller.user(ada.id, SEND_AS_USER), ben)
    house.organization.update(SYSTEM, "usersettings", ben.id, issendasallowed=True)
    send(Caller.user(ada.id, SEND_AS_USER), ben)


def test_unresolved_recipients_need_the_setting(outbox: Outbox, house: House) -> None:
    email = house.organization.create_email(SYSTEM, from_=outbox.ada, to="x@else.test; y@else.test", subject="Hi")
    with pytest.raises(SendRefused) as caught:
        house.organization.send_email(SYSTEM, email)
    assert caught.value.code == "UnresolvedParties"
    assert house.email(email).statuscode is S.DRAFT
    house.settings(allowunresolvedpartiesonemailsend=True)
    house.organization.send_email(SYSTEM, email)
    assert [one.recipients for one in outbox.attempt(SENT)] == [("x@else.test", "y@else.test")]


def test_mail_of_a_mailbox_that_may_not_send_stays_pending(house: House) -> None:
    ben, carl = house.user("ben", ready=False), house.contact("carl")
    email = house.organization.create_email(SYSTEM, from_=ben, to=[carl])
    house.organization.send_email(SYSTEM, email)
    assert house.organization.due_mailboxes() == []
    assert house.email(email).statuscode is S.PENDING_SEND


def test_tokens_are_numbered_by_user(outbox: Outbox, house: House) -> None:
    ben = house.user("ben")
    ada = Caller.user(outbox.ada.id)
    assert [house.organization.get_tracking_token_email(ada) for _ in range(2)] == ["CRM:0001000", "CRM:0001001"]
    assert house.organization.get_tracking_token_email(Caller.user(ben.id)) == "CRM:0002000"
    email = house.organization.create_email(ada, to=[outbox.carl], subject="x" * 200)
    sent = house.organization.send_email(ada, email)
    assert sent == "x" * 200 + " CRM:0001002"
    record = house.email(email)
    assert (record.trackingtoken, len(record.subject or "")) == ("CRM:0001002", 200)
    assert outbox.attempt(SENT)[0].message.subject == sent
    house.settings(trackingprefix=None, trackingtokenidbase=7)
    house.settings(trackingprefix="T;CRM:")
    assert house.organization.get_tracking_token_email(ada) == "T0008003"


def test_only_recording_a_send(outbox: Outbox, house: House) -> None:
    email = house.organization.create_email(Caller.user(outbox.ada.id), to=[outbox.carl])
    house.organization.send_email(SYSTEM, email, issue_send=False)
    assert house.email(email).statuscode is S.SENT
    assert house.organization.books().outgoing[1:] == ()
    assert outbox.attempt() == []


def test_a_sent_email_is_read_only(outbox: Outbox, house: House) -> None:
    email = outbox.send()
    with pytest.raises(RuleViolated, match="read-only"):
        house.organization.update(SYSTEM, "email", email, subject="Other")
    house.organization.update(SYSTEM, "email", email, regardingobjectid=outbox.carl)
    draft = house.organization.create(SYSTEM, "email", subject="d", from_=outbox.ada, to=[outbox.carl])
    house.organization.update(SYSTEM, "email", draft, subject="Other")
    with pytest.raises(RuleViolated):
        house.organization.update(SYSTEM, "email", draft, statuscode=3)
    house.organization.set_state(SYSTEM, "email", draft, False)
    assert (house.email(draft).statecode, house.email(draft).statuscode) == (EmailState.COMPLETED, S.COMPLETED)


def test_the_test_message(outbox: Outbox, house: House) -> None:
    fence = house.organization.begin_run(outbox.box, "test", "me")
    gateway = house.organization.gateway(GatewayBinding(outbox.box, outbox.box, fence, "test"))
    outbox.send("not this one")
    [claimed] = gateway.claim_outgoing(10)
    assert claimed.message.subject == "Your mailbox is now connected to Dynamics 365"
    assert (claimed.envelope_from, claimed.recipients) == ("ada@alder.test", ("ada@alder.test",))
    gateway.mark_submitting(claimed)
    gateway.report_outgoing(claimed, Submission(SubmissionResult.SENT, (RecipientResult("ada@alder.test", True),)))
    assert [(row.kind, row.mark) for row in house.organization.books().outgoing] == [("email", "pending"), ("test", "sent")]
    again = house.organization.request_test_message(outbox.box, fence=fence, instance=outbox.box)
    assert again.message.message_id != claimed.message.message_id


def test_an_email_that_cannot_be_built_fails_alone(outbox: Outbox, house: House) -> None:
    broken, fine = outbox.send("broken", attachments=[Attachment("a", "text/plain", b"a")]), outbox.send("fine")
    [file] = house.organization.retrieve_multiple(SYSTEM, "activitymimeattachment")
    house.organization.update(SYSTEM, "activitymimeattachment", file.activitymimeattachmentid, body="not base64!")
    house.organization.delete(SYSTEM, "contact", outbox.carl.id)
    [claimed] = outbox.attempt(SENT)
    assert (claimed.email_id, [one.name for one in claimed.message.to]) == (fine, [""])
    assert outbox.state(broken)[:2] == (S.FAILED, "failed")


def test_a_recipient_accepted_before_the_answer_was_lost_is_not_known_to_have_it(outbox: Outbox, house: House) -> None:
    email = outbox.send()
    outbox.attempt(Submission(SubmissionResult.UNCERTAIN, (RecipientResult("carl@birch.test", True, "250"),)))
    assert [one.accepted for one in house.organization.books().outgoing[0].recipients] == [None]
    assert house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="EmailUncertain")
    house.organization.resolve_uncertain(SYSTEM, email, False)
    [again] = outbox.attempt(LOST)
    assert again.recipients == ("carl@birch.test",)
    house.organization.resolve_uncertain(SYSTEM, email, True)
    assert [one.accepted for one in house.organization.books().outgoing[0].recipients] == [True]


def test_a_refused_recipient_among_others_is_told(outbox: Outbox, house: House) -> None:
    dora = house.contact("dora")
    email = outbox.send(to=[outbox.carl, dora])
    outbox.attempt(Submission(SubmissionResult.SENT, (*SENT.recipients, RecipientResult("dora@birch.test", False, "550 gone"))))
    assert outbox.state(email)[0] is S.SENT
    [alert] = house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="EmailNotSent")
    assert "550 gone" in alert.errordetails
