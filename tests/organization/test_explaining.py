"""Why a message was refused and a mailbox is skipped: for each reason the rule, the values, and a setting that really changes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from organization_house import House

from postroom.errors import AuthError, RecordNotFound
from postroom.mime.parse import parse_message
from postroom.model import IncomingFilteringMethod, Lookup
from postroom.organization import SYSTEM, Operation
from postroom.organization.explain import MailExplanation, SettingNow
from postroom.organization.heads import head_of, message_of_head
from postroom.organization.mail_log import DISPOSITIONS
from postroom.organization.message_values import IncomingMessage
from postroom.providers.contract import Disposition, IncomingOffer
from postroom.rules.eligibility import Obstacle


def judged(house: House, owner: Lookup, offer: IncomingOffer) -> MailExplanation:
    """The offer as a provider brings it, and the explanation of what became of it."""
    gateway = house.gateway(owner)
    verdict = gateway.check_incoming(offer)
    if verdict.deliver:
        with gateway.batch():
            gateway.deliver_incoming(offer, verdict)
    else:
        gateway.settle(offer, Disposition.FILTERED, verdict)
    (row, *_) = house.organization.mail(SYSTEM)
    return house.organization.explain_mail(SYSTEM, row.number)


def obeyed(house: House, settings: list[SettingNow]) -> None:
    """Set everything that the explanation says would change the outcome."""
    for one in settings:
        if one.wanted is None:
            continue
        if one.entity == "organization":
            house.settings(**{one.name: one.wanted})
        else:
            house.organization.update(SYSTEM, one.entity, one.record, **{one.name: one.wanted})


def stranger(house: House) -> tuple[Lookup, IncomingOffer]:
    return house.user("ada", filter_=1), house.offer()


def nobody_named(house: House) -> tuple[Lookup, IncomingOffer]:
    return house.user("ada", filter_=1), house.offer(To="everyone@cedar.test")


def colleague(house: House) -> tuple[Lookup, IncomingOffer]:
    house.user("ben")
    house.settings(ignoreinternalemail=True, orgdborgsettings=_switch("IgnoreInternalEmailDetectionEnhancement", "false"))
    return house.user("ada", filter_=0), house.offer(From="ben@alder.test")


def too_old(house: House) -> tuple[Lookup, IncomingOffer]:
    ada = house.user("ada")
    later = house.clock.now() + timedelta(days=1)
    house.update_mailbox(ada, processemailreceivedafter=later)
    house.organization.update(SYSTEM, "emailserverprofile", house.profile, processemailsreceivedafter=later)
    return ada, house.offer()


def _switch(name: str, value: str) -> str:
    return f"<OrgSettings><{name}>{value}</{name}></OrgSettings>"


@pytest.mark.parametrize(
    ("scene", "reason", "rule"),
    [
        (stranger, "no correlation match", "filter methods"),
        (nobody_named, "no recipient match", "recipients"),
        (colleague, "internal email reject", "internal email"),
        (too_old, "before watermark", "received-after"),
    ],
)
def test_the_settings_that_are_named_change_the_outcome(
    house: House, scene: Callable[[House], tuple[Lookup, IncomingOffer]], reason: str, rule: str
) -> None:
    owner, offer = scene(house)
    told = judged(house, owner, offer)
    assert told.row.reason == reason
    assert rule in told.rule
    assert any(one.wanted is not None for one in told.settings)
    obeyed(house, list(told.settings))
    again = IncomingOffer("again", offer.octets, parse_message(offer.octets), offer.received_on, "")
    assert judged(house, owner, again).row.disposition == "tracked"


def test_what_a_filter_saw(house: House) -> None:
    told = judged(house, *stranger(house))
    assert told.text.startswith("filtered: no filter")
    assert told.saw["sender"] == "carl@birch.test: no record has the address"
    assert told.saw["recipient 1"] == "ada@alder.test: systemuser Ada, filter 1 in response to crm email"
    assert told.saw["answers"] == "no stored email"
    assert told.now == "it would still be refused: no correlation match"
    (method,) = [one for one in told.settings if one.name == "incomingemailfilteringmethod"]
    assert (method.value, method.wanted) == (IncomingFilteringMethod(1), IncomingFilteringMethod.ALL)


def test_it_says_when_the_records_of_today_would_let_it_in(house: House) -> None:
    ada = house.user("ada", filter_=2)
    assert judged(house, ada, house.offer()).now.startswith("it would still be refused")
    house.contact("carl")
    (row,) = house.organization.mail(SYSTEM)
    told = house.organization.explain_mail(SYSTEM, row.number)
    assert told.now.startswith("it would be tracked: sender match; what was filtered is not offered again")
    assert told.saw["sender"] == "carl@birch.test: contact Carl"


def test_a_duplicate_and_a_missing_sender(house: House) -> None:
    ada = house.user("ada")
    assert judged(house, ada, house.offer(1)).text == "tracked: a recipient's filter takes all mail"
    assert "Message-ID is stored already" in judged(house, ada, house.offer(1, key="other")).text
    told = judged(house, ada, house.offer(2, From=""))
    assert "no usable From" in told.text
    assert told.saw["sender"] == "none"
    assert told.settings == []


def test_what_was_parked_and_what_fails(house: House) -> None:
    ada = house.user("ada")
    gateway = house.gateway(ada)
    offer = house.offer()
    gateway.settle(offer, Disposition.PARKED, gateway.check_incoming(offer))
    gateway.failed("uidl-9", "cut off")
    failing, parked = (house.organization.explain_mail(SYSTEM, row.number) for row in house.organization.mail(SYSTEM))
    assert ("could not be stored" in parked.text, parked.settings[0].name) == (True, "maximum_message_size")
    assert ("tried again" in failing.text, failing.settings[0].name, failing.saw["said then"]) == (
        True,
        "item_attempts",
        "cut off",
    )


def test_what_is_left_to_say_when_the_mailbox_is_gone(house: House) -> None:
    told = judged(house, *stranger(house))
    house.organization.delete(SYSTEM, "systemuser", house.organization.retrieve_multiple(SYSTEM, "systemuser")[0].systemuserid)
    after = house.organization.explain_mail(SYSTEM, told.row.number)
    assert (after.text, after.now, after.row.address) == (told.text, "", "")
    with pytest.raises(RecordNotFound):
        house.organization.explain_mail(SYSTEM, 999)


def test_the_head_of_a_message_is_bounded_and_reads_back() -> None:
    message = IncomingMessage.of(
        message_id="<1@x.test>",
        subject="Añ" * 400,
        from_="Carl <carl@x.test>",
        to=";".join(f"p{number}@x.test" for number in range(60)),
        in_reply_to="<0@x.test>",
        references=[f"<{number}@x.test>" for number in range(30)],
        conversation_index="AbC",
    )
    again = message_of_head(head_of(message))
    assert (again.from_, again.in_reply_to, again.conversation_index) == (message.from_, "<0@x.test>", "AbC")
    assert (again.to, again.references) == (message.to[:50], message.references[-20:])
    assert again.subject == message.subject[:320]
    assert message_of_head(head_of(IncomingMessage("<2@x.test>"))) == IncomingMessage("<2@x.test>")


def test_mail_is_listed_newest_first_by_mailbox_and_outcome(house: House) -> None:
    ada, ben = house.user("ada"), house.user("ben", filter_=4)
    judged(house, ada, house.offer(1))
    judged(house, ben, house.offer(2, To="ben@alder.test"))
    organization = house.organization
    assert [(row.subject, row.sender, row.disposition) for row in organization.mail(SYSTEM)] == [
        ("Message 2", "carl@birch.test", "filtered"),
        ("Message 1", "carl@birch.test", "tracked"),
    ]
    assert [row.subject for row in organization.mail(SYSTEM, disposition="tracked")] == ["Message 1"]
    assert [row.subject for row in organization.mail(SYSTEM, mailbox_id=house.mailbox(ben).mailboxid)] == ["Message 2"]
    assert [row.subject for row in organization.mail(SYSTEM, limit=1)] == ["Message 2"]
    for text in ("message 2", "<2@birch.test>", "2@birch.test", "2", "#2"):
        assert [row.number for row in organization.find_mail(SYSTEM, text)] == [2]
    found = organization.summary(SYSTEM)
    assert {name: found[f"mail_{name}"] for name in DISPOSITIONS if found[f"mail_{name}"]} == {"tracked": 1, "filtered": 1}


# -- mailboxes --------------------------------------------------------------------------------------------------------


def skipped(house: House, owner: Lookup, operation: Operation = Operation.INCOMING) -> dict[str, Any]:
    return {
        one.code: {setting.name: setting.value for setting in one.settings}
        for one in house.organization.explain_skipped(SYSTEM, house.mailbox(owner).mailboxid, operation)
    }


def test_each_obstacle_comes_with_the_attributes_it_is_read_from(house: House) -> None:
    ada = house.user("ada", ready=False, incomingemaildeliverymethod=0)
    house.organization.set_state(SYSTEM, "mailbox", house.mailbox(ada).mailboxid, False)
    found = skipped(house, ada)
    assert found["mailbox-inactive"] == {"statecode": 1}
    assert found["method"] == {"incomingemaildeliverymethod": 0}
    assert found["not-enabled"] == {"enabledforincomingemail": False, "incomingemailstatus": 0}
    assert found["not-approved"] == {"emailrouteraccessapproval": 2, "requireapprovalforuseremail": True}
    assert skipped(house, ada, Operation.OUTGOING)["not-enabled"] == {
        "enabledforoutgoingemail": False,
        "outgoingemailstatus": 0,
    }
    assert "not-scheduled" in skipped(house, ada, Operation.TEST)


def test_a_queue_is_told_of_the_queues_approval(house: House) -> None:
    found = skipped(house, house.queue("support", ready=False))
    assert found["not-approved"].keys() == {"emailrouteraccessapproval", "requireapprovalforqueueemail"}


def test_a_mailbox_that_nothing_speaks_against(house: House) -> None:
    assert skipped(house, house.user("ada")) == {}


def test_every_obstacle_has_a_remedy() -> None:
    from postroom.organization.explain import _REMEDIES

    assert set(_REMEDIES) == {one.value for one in Obstacle}
    assert all(remedy for remedy, _ in _REMEDIES.values())


def test_a_direction_that_was_switched_off_says_what_went_wrong(house: House) -> None:
    ada = house.user("ada")
    box = house.mailbox(ada).mailboxid
    house.organization.record_test_result(box, Operation.INCOMING, AuthError("PASS was refused"))
    told = {
        operation: [one.text for one in house.organization.explain_skipped(SYSTEM, box, operation)]
        for operation in (Operation.INCOMING, Operation.OUTGOING)
    }
    wrong = "the mailbox is not enabled for incoming email, since IncomingEmailAuthenticationError: PASS was refused"
    assert told == {Operation.INCOMING: [wrong], Operation.OUTGOING: []}


def test_nothing_that_was_looked_at_is_said_twice(house: House) -> None:
    ada = house.user("ada")
    house.update_mailbox(ada, postponesendinguntil=house.clock.now() + timedelta(hours=1))
    [found] = house.organization.explain_skipped(SYSTEM, house.mailbox(ada).mailboxid, Operation.OUTGOING)
    assert [one.name for one in found.settings] == ["postponesendinguntil"]
