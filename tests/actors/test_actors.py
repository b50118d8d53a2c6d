"""Actors of the directory on a clock that is moved: who is told what, when, and how often."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postroom_simulator import Account, Kind, Outcome, Rule, SystemClock, World
from postroom_simulator.actors import AutoReply, Bounce, Complaint, DelayNotice, Notify, Wish, Wishes
from postroom_simulator.actors.replies import why_not
from postroom_simulator.rules import Letter

ANN, BOB, EVE = "ann@sim.test", "bob@sim.test", "eve@far.test"
LETTER = f"From: {BOB}\r\nTo: {ANN}\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@sim.test>\r\n\r\nHow are you?\r\n".encode()


@pytest.fixture
def world() -> World:
    world = World(seed=7)
    world.add_account(ANN, name="Ann")
    world.add_account(BOB)
    return world


def act(world: World, *actors: object, who: str = ANN) -> None:
    world.directory.account(who).actors[:] = actors


def mails(world: World, address: str = BOB) -> list[Message]:
    return [message_from_bytes(octets) for octets in world.inbox(address)]


def status_of(report: Message) -> list[dict[str, str]]:
    """The blocks of a message/delivery-status."""
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    return [dict(block.items()) for block in report.get_payload()[1].get_payload()]


def notes(world: World) -> list[str]:
    return [entry.detail for entry in world.journal.entries(kind=Kind.NOTE)]


class TestBounces:
    def test_accepted_and_back_later(self, world: World) -> None:
        act(world, Bounce(60, "5.7.1", "not today"))
        (done,) = world.deliver(BOB, [ANN], LETTER)
        assert (done.outcome, done.outcome.taken) == (Outcome.HELD, True)
        assert world.desk.waiting == [f"bounce to <{BOB}>"]
        world.clock.advance(59.9)
        assert mails(world) == []
        world.clock.advance(0.1)
        (report,) = mails(world)
        assert world.inbox(ANN) == []
        assert (report["From"], report["To"]) == ("Mail Delivery System <MAILER-DAEMON@mail.sim.test>", BOB)
        assert (report["Auto-Submitted"], report["In-Reply-To"]) == ("auto-replied", "<1@sim.test>")
        message, recipient = status_of(report)
        assert message == {"Reporting-MTA": "dns; mail.sim.test", "Arrival-Date": "Mon, 05 Jan 2026 08:00:00 +0000"}
        assert recipient == {
            "Final-Recipient": f"rfc822; {ANN}",
            "Action": "failed",
            "Status": "5.7.1",
            "Diagnostic-Code": "smtp; 550 5.7.1 not today",
            "Last-Attempt-Date": "Mon, 05 Jan 2026 08:01:00 +0000",
        }
        text, _, original = report.get_payload()
        assert f"<{ANN}> could not be delivered" in text.get_payload()
        assert original.get_content_type() == "message/rfc822"
        assert world.inbox(BOB)[0].count(LETTER) == 1
        (entry,) = world.journal.deliveries(account=BOB)
        assert (entry.data["sender"], entry.data["actor"]) == ("", "report of failure")

    def test_a_bounce_is_never_bounced(self, world: World) -> None:
        act(world, Bounce(1))
        act(world, Bounce(1), who=BOB)
        world.deliver(BOB, [ANN], LETTER)
        world.clock.advance(hours=1)
        assert world.inbox(ANN) == world.inbox(BOB) == []
        assert notes(world)[-1] == "not bounced: it comes from nobody"
        assert world.desk.waiting == []

    def test_who_wants_to_know_nothing_is_told_nothing(self, world: World) -> None:
        act(world, Bounce(1))
        world.deliver(BOB, [ANN], LETTER, wishes=Wishes(each={ANN: Wish(frozenset())}))
        world.clock.advance(10)
        assert mails(world) == []
        assert notes(world)[-1] == "not bounced: its sender does not want to know"

    @pytest.mark.parametrize(
        ("returns", "kind"), [("FULL", "message/rfc822"), ("HDRS", "text/rfc822-headers"), ("", "message/rfc822")]
    )
    def test_what_comes_back(self, world: World, returns: str, kind: str) -> None:
        act(world, Bounce())
        wish = Wish(frozenset([Notify.FAILURE]), "rfc822;Ann@Old.test")
        world.deliver(BOB, [ANN], LETTER, wishes=Wishes(returns, "order 7", {ANN: wish}))  # type: ignore[arg-type]
        world.clock.advance(0)
        (report,) = mails(world)
        message, recipient = status_of(report)
        assert message["Original-Envelope-Id"] == "order 7"
        assert recipient["Original-Recipient"] == "rfc822;Ann@Old.test"
        assert report.get_payload()[2].get_content_type() == kind
        assert (b"How are you" in world.inbox(BOB)[0]) is (kind == "message/rfc822")

    def test_addresses_beyond_ascii(self, world: World) -> None:
        world.add_account("jörg@bücher.test")
        act(world, Bounce(), who="jörg@bücher.test")
        world.deliver(BOB, ["jörg@xn--bcher-kva.test"], LETTER)
        world.clock.advance(0)
        report = world.inbox(BOB)[0].decode()
        assert "Content-Type: message/global-delivery-status\r\n" in report
        assert "Final-Recipient: utf-8; jörg@bücher.test\r\n" in report
        assert "Content-Type: message/global\r\n" in report


class TestDelays:
    def test_told_and_delivered_later(self, world: World) -> None:
        act(world, DelayNotice(3600, 7200))
        success = Wish(frozenset([Notify.SUCCESS, Notify.DELAY]))
        world.deliver(BOB, [ANN], LETTER, wishes=Wishes(each={ANN: success}))
        world.clock.advance(3600)
        assert world.inbox(ANN) == []
        (report,) = mails(world)
        _, recipient = status_of(report)
        assert (recipient["Action"], recipient["Status"]) == ("delayed", "4.4.1")
        assert recipient["Will-Retry-Until"] == "Mon, 05 Jan 2026 10:00:00 +0000"
        assert report.get_payload()[2].get_content_type() == "text/rfc822-headers"
        world.clock.advance(3600)
        assert world.inbox(ANN) == [LETTER]
        assert status_of(mails(world)[1])[1]["Action"] == "delivered"

    def test_a_delay_that_ends_in_a_bounce(self, world: World) -> None:
        act(world, DelayNotice(10, 20), Bounce(30))
        world.deliver(BOB, [ANN], LETTER)
        world.clock.advance(100)
        assert [status_of(report)[1]["Action"] for report in mails(world)] == ["delayed", "failed"]
        assert world.inbox(ANN) == []

    def test_a_mailbox_that_closed_meanwhile(self, world: World) -> None:
        act(world, DelayNotice(10, 20))
        world.deliver(BOB, [ANN], LETTER, wishes=Wishes(each={ANN: Wish(frozenset([Notify.FAILURE]))}))
        world.directory.account(ANN).disabled = True
        world.clock.advance(20)
        (report,) = mails(world)
        assert status_of(report)[1]["Status"] == "5.2.1"


class TestReports:
    def test_each_fate_as_asked(self, world: World) -> None:
        world.add_account("dan@sim.test", disabled=True)
        world.add_account("full@sim.test", quota=1)
        world.add_group("all@sim.test", [ANN, "dan@sim.test"])
        everything, nothing = Wish(frozenset(Notify)), Wish(frozenset())
        names = [ANN, EVE, "all@sim.test", "dan@sim.test", "full@sim.test"]
        wishes = Wishes(each=dict.fromkeys(names, everything) | {"dan@sim.test": nothing})
        world.deliver(BOB, names, LETTER, wishes=wishes)
        fates = [
            {block["Final-Recipient"]: (block["Action"], block["Status"]) for block in status_of(report)[1:]}
            for report in mails(world)
        ]
        assert fates == [
            {
                f"rfc822; {ANN}": ("delivered", "2.0.0"),
                "rfc822; all@sim.test": ("expanded", "2.0.0"),
                f"rfc822; {EVE}": ("relayed", "2.0.0"),
            },
            {"rfc822; all@sim.test": ("failed", "5.2.1"), "rfc822; full@sim.test": ("failed", "5.2.2")},
        ]

    def test_without_wishes_nobody_is_told(self, world: World) -> None:
        world.add_account("dan@sim.test", disabled=True)
        world.deliver(BOB, [ANN, "dan@sim.test"], LETTER)
        assert mails(world) == []

    def test_the_null_sender_is_never_told(self, world: World) -> None:
        world.deliver("", [ANN], LETTER, wishes=Wishes(other=Wish(frozenset(Notify))))
        assert world.store.outbound() == []
        assert mails(world) == []

    def test_a_report_does_not_leave_through_a_rule_with_a_sender(self, world: World) -> None:
        """ann forwards all to an account that bounces: the bounce is forwarded too, and ends there."""
        world.directory.account(ANN).rules.append(Rule(forward_as_attachment_to=(BOB,)))
        act(world, Bounce(5), who=BOB)
        world.deliver(EVE, [ANN], LETTER)
        world.clock.advance(hours=5)
        assert len(world.inbox(ANN)) == 2
        assert world.inbox(BOB) == []
        assert world.desk.waiting == []


class TestAutomaticReplies:
    def test_once_in_a_while(self, world: World) -> None:
        act(world, AutoReply("Away.\nBack on Monday: Grüße", interval=3600))
        for _ in range(3):
            world.deliver(BOB, [ANN], LETTER)
        (reply,) = mails(world)
        assert (reply["From"], reply["To"], reply["Auto-Submitted"]) == ('"Ann" <ann@sim.test>', BOB, "auto-replied")
        assert (reply["In-Reply-To"], reply["References"]) == ("<1@sim.test>", "<1@sim.test>")
        assert reply.get_payload(decode=True).decode() == "Away.\nBack on Monday: Grüße"
        assert Letter(world.inbox(BOB)[0]).header("Subject") == "Auto: Grüße"
        world.clock.advance(3600)
        world.deliver(BOB.upper(), [ANN], LETTER)
        assert len(mails(world)) == 2
        assert len(world.inbox(ANN)) == 4

    def test_later_and_only_while_away(self, world: World) -> None:
        now = world.clock.now()
        act(world, AutoReply("x", after=30, start=now + timedelta(seconds=10), end=now + timedelta(seconds=20)))
        world.deliver(BOB, [ANN], LETTER)
        world.clock.advance(10)
        world.deliver(BOB, [ANN], LETTER)
        assert mails(world) == []
        world.clock.advance(30)
        assert len(mails(world)) == 1

    def test_two_that_are_away_do_not_talk_for_ever(self, world: World) -> None:
        for who in (ANN, BOB):
            act(world, AutoReply("x", interval=0, only_addressed=False), Complaint(to=ANN), who=who)
        world.deliver(BOB, [ANN], LETTER)
        world.clock.advance(days=30)
        assert len(world.inbox(BOB)) == 1
        assert len(world.inbox(ANN)) == 2  # the letter, and the complaint about it
        assert world.desk.waiting == []


NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
REPLY = AutoReply("x", interval=60)
REFUSED = {
    "": (BOB, "", ""),
    "it comes from nobody": ("", "", ""),
    "it comes from the account itself": ("INFO@sim.test", "", ""),
    "nobody reads mail for its sender": ("no-reply@far.test", "", ""),
    "it is automatic itself": (BOB, "Auto-Submitted: auto-generated; x=y\r\n", ""),
    "it is bulk mail": (BOB, "Precedence: Bulk\r\n", ""),
    "it comes from a list": (BOB, "List-Id: <x.far.test>\r\n", ""),
    "a rule has sent it on": (BOB, "X-Loop: x@far.test\r\n", ""),
    "its sender wants no automatic reply": (BOB, "X-Auto-Response-Suppress: DR, OOF\r\n", ""),
    "it does not name the account": (BOB, "", "someone@sim.test"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_why_there_is_no_reply(why: str) -> None:
    sender, field, to = REFUSED[why]
    account = Account(ANN, "x", aliases=("info@sim.test",))
    letter = Letter(f"To: {to or 'Info@SIM.test'}\r\n{field}\r\n".encode())
    assert why_not(REPLY, account, letter, sender, None, NOW) == why


@pytest.mark.parametrize(
    "local",
    ["mailer-daemon", "MAILERDAEMON", "noreply", "no-reply", "do-not-reply", "donotreply", "owner-x", "x-owner", "x-request", "x-bounces",
     "bounces+bob=far.test", "listserv", "majordomo", "root", "postmaster"],
)  # fmt: skip
def test_senders_behind_whom_nobody_reads(local: str) -> None:
    letter = Letter(f"To: {ANN}\r\n\r\n".encode())
    assert why_not(REPLY, Account(ANN, "x"), letter, f"{local}@far.test", None, NOW) == "nobody reads mail for its sender"
    assert why_not(REPLY, Account(ANN, "x"), letter, f"x{local}y@far.test", None, NOW) == ""


@pytest.mark.parametrize(("ago", "why"), [(59, "its sender has been answered already"), (60, "")])
def test_the_interval(ago: float, why: str) -> None:
    letter = Letter(f"To: {ANN}\r\nAuto-Submitted: no\r\n\r\n".encode())
    assert why_not(REPLY, Account(ANN, "x"), letter, BOB, NOW - timedelta(seconds=ago), NOW) == why


class TestComplaints:
    def test_a_feedback_report(self, world: World) -> None:
        act(world, Complaint(5, to=BOB, kind="fraud", subject_contains="grüß"))
        world.deliver(EVE, [ANN], LETTER)
        world.deliver(EVE, [ANN], b"Subject: other\r\n\r\n")
        assert mails(world) == []
        world.clock.advance(5)
        (report,) = mails(world)
        assert report.get_param("report-type") == "feedback-report"
        text, machine, _ = report.get_payload()
        assert machine.get_content_type() == "message/feedback-report"
        fields = message_from_bytes(
            machine.get_payload()[0].as_bytes() if machine.is_multipart() else machine.get_payload(decode=True)
        )
        assert (fields["Feedback-Type"], fields["Version"], fields["Original-Mail-From"]) == ("fraud", "1", f"<{EVE}>")
        assert (fields["Original-Rcpt-To"], fields["Reported-Domain"]) == (f"<{ANN}>", "far.test")
        assert EVE in text.get_payload()
        assert LETTER in world.inbox(BOB)[0]

    def test_it_goes_to_abuse_at_the_sender_s(self, world: World) -> None:
        act(world, Complaint())
        world.deliver(EVE, [ANN], LETTER)
        assert world.store.outbound()[0].recipients == ("abuse@far.test",)


class TestTheDesk:
    def test_a_clock_that_cannot_be_moved_is_ticked(self) -> None:
        with World(clock=SystemClock()) as world:
            world.add_account(ANN)
            world.add_account(BOB)
            act(world, Bounce(0.0))
            world.deliver(BOB, [ANN], LETTER)
            assert world.tick() == 1
            assert world.tick() == 0
            assert len(mails(world)) == 1

    def test_the_servers_loop_keeps_the_time(self) -> None:
        with World(clock=SystemClock()) as world:
            world.add_account(ANN)
            world.add_account(BOB)
            act(world, Bounce(0.02))
            with world.listen(ports={"smtp": 0}):
                done = threading.Event()
                world.deliver(BOB, [ANN], LETTER)
                with world.lock:
                    world.desk.later(0.03, "tell the test", done.set)
                assert done.wait(10)
            assert len(mails(world)) == 1

    def test_what_is_too_much_is_given_up(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("postroom_simulator.actors.desk.KEPT", 2)
        act(world, Bounce(1))
        for _ in range(3):
            world.deliver(BOB, [ANN], LETTER)
        world.clock.advance(1)
        assert len(mails(world)) == 2
        assert "given up" in notes(world)[-2]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Bounce(-1),
        lambda: Bounce(float("inf")),
        lambda: Bounce(status="4.1.1"),
        lambda: Bounce(text="a\r\nb"),
        lambda: DelayNotice(5, 4),
        lambda: AutoReply("x", start=datetime(2026, 1, 1)),  # noqa: DTZ001
        lambda: AutoReply("x" * 100_000),
        lambda: Complaint(kind="A\r\nB"),
        lambda: Complaint(to="nobody"),
    ],
)
def test_actors_that_cannot_be(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"."):
        make()


ACTORS = [
    Bounce(5),
    DelayNotice(1, 3),
    AutoReply("x", interval=0, only_addressed=False),
    AutoReply("y", interval=0, after=2, only_addressed=False),
    Complaint(to=ANN),
    Complaint(1, to=BOB),
]
RULES = [
    Rule(forward_to=(BOB,)),
    Rule(forward_as_attachment_to=(ANN,)),
    Rule(redirect_to=("cid@sim.test",)),
    Rule(redirect_to=("all@sim.test",)),
]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(ACTORS), max_size=4), st.lists(st.sampled_from(RULES), max_size=2)),
        min_size=3,
        max_size=3,
    )
)
@example([([DelayNotice(1, 3)], [RULES[3]] * 2), ([DelayNotice(1, 3)], [RULES[3]] * 2), ([], [RULES[0], RULES[3]])])
def test_whatever_they_do_it_ends(people: list[tuple[list[object], list[Rule]]]) -> None:
    """Any actors and rules of any three accounts: no loop, neither in one delivery nor over time."""
    world = World()
    for address, (actors, rules) in zip((ANN, BOB, "cid@sim.test"), people, strict=True):
        account = world.add_account(address, rules=rules)
        account.actors[:] = actors  # type: ignore[list-item]
    world.add_group("all@sim.test", [ANN, BOB, "cid@sim.test"])
    world.deliver(BOB, ["all@sim.test"], LETTER, wishes=Wishes(other=Wish(frozenset(Notify))))
    world.clock.advance(days=1)
    assert world.desk.waiting == []
    assert len(world.journal) < 3000
