"""Recipients refused for now when others were accepted; tries that are none; a person's word (server-side-sync reference 7.4)."""

from __future__ import annotations

import pytest
from organization_house import House

from postroom.errors import RuleViolated
from postroom.model import EmailStatus as S
from postroom.model import Lookup
from postroom.organization import SYSTEM, Caller, GatewayBinding
from postroom.providers.contract import ClaimedEmail, RecipientResult, Submission, SubmissionResult

CARL, DORA, EVE = "carl@birch.test", "dora@birch.test", "eve@birch.test"
SENT, FAILED, RETRY, UNCERTAIN = SubmissionResult


def told(result: SubmissionResult, reply: str = "", **fates: str) -> Submission:
    """`carl="250"`: what the server said to each recipient."""
    fate = tuple(
        RecipientResult(f"{name}@birch.test", code.startswith("2"), code, not code.startswith("4"))
        for name, code in fates.items()
    )
    return Submission(result, fate, reply or "said")


class Case:
    """One email of Ada to Carl, Dora and Eve."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ada = house.user("ada")
        people = [house.contact(name) for name in ("carl", "dora", "eve")]
        me = Caller.user(self.ada.id)
        self.email = house.organization.create_email(me, to=people, subject="Order")
        house.organization.send_email(me, self.email, tracking_token="")
        self.box = house.mailbox(self.ada).mailboxid

    def attempt(self, submission: Submission, *, submitting: bool = True, wait: int = 5) -> ClaimedEmail:
        organization = self.house.organization
        fence = organization.begin_run(self.box, "outgoing", "run")
        gateway = organization.gateway(GatewayBinding(self.box, self.box, fence, "outgoing"))
        [email] = gateway.claim_outgoing(10)
        if submitting:
            gateway.mark_submitting(email, [one for one in submission.recipients if not one.accepted])
        gateway.report_outgoing(email, submission)
        organization.end_run(self.box, fence)
        self.house.clock.advance(minutes=wait)
        return email

    @property
    def state(self) -> tuple[S, str, int | None]:
        [row] = [row for row in self.house.organization.books().outgoing if row.email_id == self.email]
        record = self.house.email(self.email)
        return record.statuscode, row.mark, record.deliveryattempts

    @property
    def alerts(self) -> list[str]:
        rows = self.house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="EmailNotSent")
        return [row.errordetails or "" for row in rows]


@pytest.fixture
def mail(house: House) -> Case:
    return Case(house)


def test_those_refused_for_now_are_tried_again_alone(mail: Case) -> None:
    first = mail.attempt(told(SENT, carl="250", dora="451 later", eve="550 gone"))
    assert mail.state == (S.PENDING_SEND, "pending", 1)
    second = mail.attempt(told(SENT, dora="250"))
    assert (first.recipients, second.recipients) == ((CARL, DORA, EVE), (DORA,))
    assert (second.message.message_id, second.message.date) == (first.message.message_id, first.message.date)
    assert mail.state == (S.SENT, "sent", 2)
    assert mail.alerts == [f"{EVE}: 550 gone"]


def test_not_before_the_back_off_has_passed(mail: Case) -> None:
    mail.attempt(told(SENT, carl="250", dora="451", eve="451"), wait=4)
    postponed = mail.house.email(mail.email).postponeemailprocessinguntil
    assert postponed is not None
    assert postponed > mail.house.clock.now()
    assert mail.house.organization.due_mailboxes()[0].directions == ("incoming",)


def test_refused_for_good_after_others_have_it(mail: Case) -> None:
    mail.attempt(told(SENT, carl="250", dora="451", eve="250"))
    mail.attempt(told(FAILED, dora="550 gone"), submitting=False)
    assert mail.state == (S.SENT, "sent", 2)
    assert mail.alerts == [f"{DORA}: 550 gone"]


def test_attempts_run_out_after_others_have_it(mail: Case) -> None:
    mail.attempt(told(SENT, carl="250", dora="451", eve="250"))
    for _ in range(mail.house.deployment.settings.maximum_email_delivery_attempts - 1):
        mail.attempt(told(RETRY, dora="451 never"), submitting=False)
    assert mail.state == (S.SENT, "sent", 10)
    assert mail.alerts == [f"{DORA}: 451 never"]


def test_what_has_reached_somebody_is_not_canceled(mail: Case) -> None:
    mail.attempt(told(SENT, carl="250", dora="451", eve="250"))
    with pytest.raises(RuleViolated, match="has reached some of its recipients"):
        mail.house.organization.cancel_email(SYSTEM, mail.email)


@pytest.mark.parametrize("sent", [True, False])
def test_uncertain_with_some_left(mail: Case, sent: bool) -> None:
    """Carl may have it, Dora was refused for now before: whatever a person says of Carl, Dora gets her try, and Carl no second copy."""
    mail.attempt(told(UNCERTAIN, carl="250", dora="451", eve="550"))
    assert mail.state[:2] == (S.SENDING, "uncertain")
    mail.house.organization.resolve_uncertain(SYSTEM, mail.email, sent)
    assert mail.state[:2] == (S.PENDING_SEND, "pending")
    again = mail.attempt(told(SENT, **({"dora": "250"} if sent else {"carl": "250", "dora": "250"})))
    assert again.recipients == ((DORA,) if sent else (CARL, DORA))
    assert mail.state[:2] == (S.SENT, "sent")


def test_a_try_that_was_none_is_not_counted(mail: Case) -> None:
    """No connection, credentials refused: the mailbox's trouble is not the email's."""
    for _ in range(12):
        mail.attempt(Submission(RETRY, reply="connection refused", attempted=False), submitting=False)
    assert mail.state == (S.PENDING_SEND, "pending", 0)


def test_our_header_and_the_receipts(mail: Case) -> None:
    mail.house.organization.cancel_email(SYSTEM, mail.email)
    me = Caller.user(mail.ada.id)
    carl = Lookup("contact", mail.house.organization.retrieve_multiple(SYSTEM, "contact", fullname="Carl")[0].id)
    email = mail.house.organization.create_email(
        me, to=[carl], subject="x", readreceiptrequested=True, deliveryreceiptrequested=True
    )
    mail.house.organization.send_email(me, email)
    message = mail.attempt(told(SENT, carl="250")).message
    assert message.extra_headers == (("X-Postroom-Email-Id", email),)
    assert (message.read_receipt, message.delivery_receipt) == (True, True)


@pytest.mark.parametrize(("code_page", "charset"), [("1252", "windows-1252"), (None, "utf-8"), ("klingon", "utf-8")])
def test_the_profiles_code_page(mail: Case, code_page: str | None, charset: str) -> None:
    mail.house.organization.update(SYSTEM, "emailserverprofile", mail.house.profile, encodingcodepage=code_page)
    assert mail.attempt(told(SENT, carl="250", dora="250", eve="250")).message.charset == charset
