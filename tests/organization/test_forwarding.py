"""Forward mailboxes: several messages in one, who forwarded them, what is refused (server-side-sync reference 5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from organization_house import House, message

from postroom.model import Lookup, ReasonCode
from postroom.organization import SYSTEM, GatewayBinding
from postroom.organization.forwarding import PARTS
from postroom.organization.gateway import OrganizationGateway
from postroom.providers.contract import Disposition, IncomingOffer

FORWARDED = 3


class Sink:
    """A house with a forward mailbox, and Ada, whose mail is forwarded to it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ada = house.user("ada", ready=False, incomingemaildeliverymethod=FORWARDED)
        profile = Lookup("emailserverprofile", house.profile)
        self.id = house.organization.create(
            SYSTEM, "mailbox", name="sink", emailaddress="sink@alder.test", emailserverprofile=profile
        )

    def gateway(self) -> OrganizationGateway:
        return self.house.organization.gateway(GatewayBinding(self.id, self.id, None, "incoming"))

    def offer(
        self, *inner: bytes, number: int = 1, sender: str = "ada@alder.test", when: Any = None, **head: str
    ) -> IncomingOffer:
        fields = {
            "From": sender,
            "To": "sink@alder.test",
            "Message-ID": f"<outer{number}@alder.test>",
            "Content-Type": 'multipart/mixed; boundary="outer"',
            **{name.replace("_", "-"): value for name, value in head.items()},
        }
        raw = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value).encode() + b"\r\n"
        for one in inner:
            raw += b"--outer\r\nContent-Type: message/rfc822\r\n\r\n" + one + b"\r\n"
        return self.house.offer(number, raw=raw + b"--outer--\r\n", when=when)

    def take(self, offer: IncomingOffer) -> str:
        """As a provider does. Returns the reason."""
        gateway = self.gateway()
        verdict = gateway.check_incoming(offer)
        with gateway.batch():
            if verdict.deliver:
                gateway.deliver_incoming(offer, verdict)
            else:
                gateway.settle(offer, Disposition.FILTERED, verdict)
        return f"{verdict.reason.name} {verdict.detail}"

    def subjects(self) -> list[str]:
        return sorted(one.subject or "" for one in self.house.organization.retrieve_multiple(SYSTEM, "email"))

    def rows(self) -> list[tuple[str, str, str]]:
        return [(row.source_key, row.disposition, row.reason) for row in self.house.organization.books().incoming]


@pytest.fixture
def sink(house: House) -> Sink:
    return Sink(house)


def test_several_messages_in_one_are_several_activities(sink: Sink) -> None:
    offer = sink.offer(message(1), message(2), message(3))
    assert sink.take(offer).startswith("ACCEPT_ALL")
    assert sink.subjects() == ["Message 1", "Message 2", "Message 3"]
    assert sink.rows() == [
        ("uidl-1 part 1", "tracked", "accept all"),
        ("uidl-1 part 2", "tracked", "accept all"),
        ("uidl-1 part 3", "tracked", "accept all"),
        ("uidl-1", "tracked", "accept all"),
    ]
    emails = {row.email_id for row in sink.house.organization.books().incoming}
    assert len(emails) == 3  # the item names the first of them
    sink.take(offer)
    assert len(sink.subjects()) == 3
    assert len(sink.rows()) == 4


def test_each_is_judged_for_itself(sink: Sink) -> None:
    sink.take(sink.offer(message(2), number=5))
    offer = sink.offer(message(1, From=""), message(2), message(3))
    assert sink.take(offer).startswith("ACCEPT_ALL")
    assert sink.rows()[1:] == [
        ("uidl-1 part 1", "filtered", "invalid sender"),
        ("uidl-1 part 2", "filtered", "duplicate"),
        ("uidl-1 part 3", "tracked", "accept all"),
        ("uidl-1", "tracked", "accept all"),
    ]
    assert sink.house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="InvalidSender")


def test_none_of_them_is_let_in(sink: Sink) -> None:
    sink.house.organization.update(SYSTEM, "usersettings", sink.ada.id, incomingemailfilteringmethod=1)
    assert sink.take(sink.offer(message(1, To="list@else.test"), message(2, From=""))).startswith("NO_CORRELATION_MATCH")
    assert sink.rows() == [
        ("uidl-1 part 1", "filtered", "no correlation match"),
        ("uidl-1 part 2", "filtered", "invalid sender"),
        ("uidl-1", "filtered", "no correlation match"),
    ]
    assert sink.subjects() == []


def test_one_may_answer_another_and_two_may_be_the_same(sink: Sink) -> None:
    sink.take(sink.offer(message(1), message(2, In_Reply_To="<1@birch.test>"), message(1, X_Copy="2")))
    emails = {one.subject: one for one in sink.house.organization.retrieve_multiple(SYSTEM, "email")}
    assert emails["Message 2"].correlatedactivityid == emails["Message 1"].reference
    assert ("uidl-1 part 3", "filtered", "duplicate") in sink.rows()


def test_one_that_cannot_be_stored_takes_no_other_along(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    from postroom.errors import InvalidValue
    from postroom.organization import promotion

    real = promotion.promote

    def promote(tx: Any, settings: Any, place: Any, one: Any, judgement: Any) -> str:
        email_id = real(tx, settings, place, one, judgement)
        if one.subject == "Message 2":
            raise InvalidValue("no room")
        return email_id

    monkeypatch.setattr(promotion, "promote", promote)
    sink.take(sink.offer(message(1), message(2), message(3)))
    assert sink.subjects() == ["Message 1", "Message 3"]
    assert [row for row in sink.rows() if "part 2" in row[0]] == [("uidl-1 part 2", "parked", "accept all")]


def test_a_deleted_part_comes_back_with_its_item_when_the_date_is_lowered(sink: Sink) -> None:
    now = sink.house.clock.now()
    sink.house.organization.update(SYSTEM, "mailbox", sink.id, processemailreceivedafter=now - timedelta(days=1))
    offer = sink.offer(message(1), message(2))
    sink.take(offer)
    second = next(row.email_id for row in sink.house.organization.books().incoming if row.source_key == "uidl-1 part 2")
    sink.house.organization.delete(SYSTEM, "email", second or "")
    sink.house.organization.update(SYSTEM, "mailbox", sink.id, processemailreceivedafter=now - timedelta(days=2))
    assert ("uidl-1", "pending", "reopened") in sink.rows()
    sink.take(offer)
    assert sink.subjects() == ["Message 1", "Message 2"]
    assert [row for row in sink.rows() if row[0] == "uidl-1"] == [("uidl-1", "tracked", "accept all")]


def test_the_outer_received_time_decides(sink: Sink) -> None:
    now = sink.house.clock.now()
    sink.house.organization.update(SYSTEM, "mailbox", sink.id, processemailreceivedafter=now)
    inner = message(1, Date="Mon, 01 Jan 2001 00:00:00 +0000")
    assert sink.take(sink.offer(inner, when=now)).startswith("ACCEPT_ALL")
    assert sink.take(sink.offer(message(2), number=2, when=now - timedelta(hours=1))).startswith("BEFORE_WATERMARK")
    [email] = sink.house.organization.retrieve_multiple(SYSTEM, "email")
    assert email.senton.year == 2001


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({}, "ACCEPT_ALL"),
        ({"sender": "rules@server.test", "Sender": "ada@alder.test"}, "ACCEPT_ALL"),
        ({"sender": "rules@server.test", "Resent_From": "ada@alder.test"}, "ACCEPT_ALL"),
        ({"sender": "ben@alder.test"}, "INVALID_SENDER InvalidForwardMailItem"),
        ({"sender": "stranger@else.test"}, "INVALID_SENDER InvalidForwardMailItem"),
        ({"sender": ""}, "INVALID_SENDER InvalidForwardMailItem"),
    ],
)
def test_who_forwarded_it(sink: Sink, head: dict[str, str], expected: str) -> None:
    sink.house.user("ben", ready=False)
    assert sink.take(sink.offer(message(1), **head)).startswith(expected)


def test_what_is_no_forwarded_item_is_told(sink: Sink) -> None:
    assert "not an attachment" in sink.take(sink.house.offer(1, From="ada@alder.test"))
    assert "at most" in sink.take(sink.offer(*(message(n) for n in range(PARTS + 1)), number=2))
    sink.house.organization.set_state(SYSTEM, "mailbox", sink.house.mailbox(sink.ada).mailboxid, False)
    assert "no user or queue" in sink.take(sink.offer(message(1), number=3))
    assert sink.house.organization.retrieve_multiple(SYSTEM, "tracelog", errortypedisplay="InvalidForwardMailItem")
    assert sink.subjects() == []


def test_the_forwarders_filter_is_asked_first_then_the_inner_recipients(sink: Sink) -> None:
    house = sink.house
    ben = house.user("ben", ready=False, filter_=0)
    house.organization.update(SYSTEM, "usersettings", sink.ada.id, incomingemailfilteringmethod=4)
    sink.take(sink.offer(message(1, To="ben@alder.test")))
    house.organization.update(SYSTEM, "usersettings", sink.ada.id, incomingemailfilteringmethod=0)
    sink.take(sink.offer(message(2, To="ben@alder.test"), number=2))
    accepting = {one.subject: one.acceptingentityid for one in house.organization.retrieve_multiple(SYSTEM, "email")}
    assert accepting == {"Message 1": ben, "Message 2": sink.ada}


def test_two_who_forward_the_same_mail_make_one_activity(sink: Sink) -> None:
    sink.house.user("ben", ready=False, incomingemaildeliverymethod=FORWARDED)
    sink.take(sink.offer(message(1)))
    assert sink.take(sink.offer(message(1), number=2, sender="ben@alder.test")).startswith("DUPLICATE")
    assert sink.subjects() == ["Message 1"]


def test_a_queue_that_forwards_gets_its_queue_item(sink: Sink) -> None:
    support = sink.house.queue("support", ready=False, incomingemaildeliverymethod=FORWARDED)
    sink.take(sink.offer(message(1), sender="support@alder.test"))
    [item] = sink.house.organization.retrieve_multiple(SYSTEM, "queueitem")
    assert item.queueid == support


def test_messages_are_not_dug_out_of_messages(sink: Sink) -> None:
    """A thousand forwards of forwards: the outermost inner one is taken, the rest is its attachment."""
    inner = message(1)
    for number in range(2, 1000):
        head = (
            f"From: carl@birch.test\r\nTo: ada@alder.test\r\nSubject: Message {number}\r\nMessage-ID: <{number}@birch.test>\r\n"
        )
        head += (
            f'Content-Type: multipart/mixed; boundary="b{number}"\r\n\r\n--b{number}\r\nContent-Type: message/rfc822\r\n\r\n'
        )
        inner = head.encode() + inner + f"\r\n--b{number}--\r\n".encode()
    assert sink.take(sink.offer(inner)).startswith("ACCEPT_ALL")
    [email] = sink.house.organization.retrieve_multiple(SYSTEM, "email")
    assert (email.subject, email.attachmentcount) == ("Message 999", 1)


def test_nothing_to_judge_is_a_duplicate_of_nothing(sink: Sink) -> None:
    """An attached message without anything in it."""
    assert sink.take(sink.offer(b"\r\n")).startswith(ReasonCode.INVALID_SENDER.name)
    assert sink.subjects() == []
