from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom_simulator import Kind, Role, Rule, World
from postroom_simulator.delivery import MAX_SENT_ON
from postroom_simulator.rules import MAX_HOPS, Letter, Verdict, judge

MAIL = (
    b"From: =?utf-8?b?SsO8cmdlbg==?= <j@out.test>\r\nTo: ann@sim.test,\r\n Sales <sales@sim.test>\r\nSubject: Your =?utf-8?q?Order_=E2=82=AC?=\r\n"
    b"\r\nbody\r\n"
)


def parsed(octets: bytes) -> EmailMessage:
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def world_with(*rules: Rule) -> World:
    world = World(seed=1)
    world.add_account("ann@sim.test", name='Ann "A" Ä', rules=rules)
    world.add_account("sink@sim.test")
    return world


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        (Rule(), True),
        (Rule(from_contains="JÜRGEN"), True),
        (Rule(from_contains="@out.test"), True),
        (Rule(from_contains="@in.test"), False),
        (Rule(subject_contains="order €"), True),
        (Rule(subject_contains="offer"), False),
        (Rule(sent_to="SALES@sim.test"), True),
        (Rule(sent_to="sales"), False),
        (Rule(subject_contains="order", sent_to="nobody@sim.test"), False),
        (Rule(enabled=False), False),
    ],
)
def test_conditions_must_all_hold(rule: Rule, applies: bool) -> None:
    marking = Rule(**{name: getattr(rule, name) for name in Rule.__slots__} | {"mark_read": True})
    assert judge([marking], Letter(MAIL)).read is applies


def test_stop_ends_processing_and_the_first_move_decides() -> None:
    rules = [
        Rule("one", move_to="A"),
        Rule("two", move_to="B", mark_read=True, stop=True),
        Rule("three", redirect_to=("x@y.test",)),
    ]
    assert judge(rules, Letter(MAIL)) == Verdict(move_to="A", read=True, moved_by="one")


class TestActions:
    def test_moving_by_role_and_by_name(self) -> None:
        world = world_with(Rule(subject_contains="order", move_to="Orders"), Rule(move_to="junkemail"))
        (first,) = world.deliver("j@out.test", ["ann@sim.test"], MAIL)
        (second,) = world.deliver("j@out.test", ["ann@sim.test"], b"Subject: x\r\n\r\n")
        assert (first.folder, second.folder) == ("Orders", "junkemail")
        assert world.inbox("ann@sim.test") == []

    def test_a_folder_that_cannot_be_leaves_it_in_the_inbox(self) -> None:
        world = world_with(Rule("bad", move_to="x" * 1000))
        (done,) = world.deliver("j@out.test", ["ann@sim.test"], MAIL)
        assert done.folder == "inbox"
        world.journal.expect(1, kind=Kind.NOTE, detail="'bad' moves nothing")

    def test_deleting_puts_it_with_the_deleted_and_says_so(self) -> None:
        world = world_with(Rule("bin", delete=True, mark_read=True))
        (done,) = world.deliver("j@out.test", ["ann@sim.test"], MAIL)
        assert done.uid is not None
        assert world.store.item(done.uid).folder == world.store.folder("ann@sim.test", Role.DELETED).uid
        assert world.store.item(done.uid).read
        (entry,) = world.journal.entries(kind=Kind.REMOVED)
        assert (entry.data["reason"], entry.data["to"], entry.detail) == ("rule", "deleteditems", "bin")

    @pytest.mark.parametrize("original", [MAIL, MAIL.replace(b"\r\n", b"\n"), MAIL + "ä€".encode(), b"no head at all", b""])
    def test_forwarding_as_attachment_keeps_the_originals_octets(self, original: bytes) -> None:
        world = world_with(Rule(forward_as_attachment_to=("sink@sim.test", "z@out.test")))
        world.deliver("j@out.test", ["ann@sim.test"], original)
        (octets,) = world.inbox("sink@sim.test")
        assert original in octets
        message = parsed(octets)
        assert message["From"].addresses[0].addr_spec == "ann@sim.test"
        assert message["From"].addresses[0].display_name == 'Ann "A" Ä'
        assert message["Message-ID"].startswith("<")
        text, attached = message.iter_parts()
        assert text.get_content_type() == "text/plain"
        assert attached.get_content_type() == "message/rfc822"
        assert attached["Content-Transfer-Encoding"] == ("7bit" if original.isascii() else "8bit")
        boundary = message.get_boundary()
        assert boundary is not None
        inner = octets.split(b"--" + boundary.encode())[2].partition(b"\r\n\r\n")[2]
        assert inner == original + b"\r\n"
        assert world.inbox("ann@sim.test") == [original]
        assert world.store.outbound()[0].recipients == ("z@out.test",)
        entry = world.journal.deliveries(account="sink@sim.test")[0]
        assert entry.data["sender"] == "ann@sim.test"

    def test_forwarding_quotes_the_original(self) -> None:
        world = world_with(Rule(forward_to=("sink@sim.test",)))
        world.deliver("j@out.test", ["ann@sim.test"], MAIL)
        message = parsed(world.inbox("sink@sim.test")[0])
        assert message["Subject"] == "FW: Your Order €"
        lines = message.get_content().splitlines()
        assert lines[1:3] == ["-----Original Message-----", "From: Jürgen <j@out.test>"]
        assert lines[-1] == "body"

    @pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
    def test_redirecting_puts_resent_fields_before_the_same_octets(self, newline: bytes) -> None:
        original = MAIL.replace(b"\r\n", newline)
        world = world_with(Rule(redirect_to=("sink@sim.test",)))
        world.deliver("j@out.test", ["ann@sim.test"], original)
        (octets,) = world.inbox("sink@sim.test")
        assert octets.endswith(newline + original)
        assert (b"\r" in octets) is (b"\r" in original)
        message = parsed(octets)
        assert message["Resent-To"] == "sink@sim.test"
        assert message["Subject"] == "Your Order €"
        assert world.journal.deliveries(account="sink@sim.test")[0].data["sender"] == "j@out.test"

    def test_a_full_mailbox_sends_nothing_on(self) -> None:
        world = world_with(Rule(redirect_to=("sink@sim.test",)))
        world.set_quota("ann@sim.test", 1)
        world.deliver("j@out.test", ["ann@sim.test"], MAIL)
        assert world.inbox("sink@sim.test") == []


class TestCircles:
    def test_two_accounts_do_not_play_ping_pong(self) -> None:
        for how in ("forward_as_attachment_to", "forward_to", "redirect_to"):
            world = World()
            world.add_account("a@sim.test", rules=[Rule(**{how: ("b@sim.test",)})])
            world.add_account("b@sim.test", rules=[Rule(**{how: ("a@sim.test",)})])
            world.deliver("", ["a@sim.test"], MAIL)
            assert (len(world.inbox("a@sim.test")), len(world.inbox("b@sim.test"))) == (2, 1)
            assert world.journal.count(kind=Kind.NOTE, detail="circle") == 1

    def test_many_hops_are_a_circle(self) -> None:
        world = world_with(Rule(redirect_to=("sink@sim.test",)))
        hops = b"Received: from a by b; now\r\n"
        world.deliver("", ["ann@sim.test"], hops * (MAX_HOPS - 1) + MAIL)
        world.deliver("", ["ann@sim.test"], hops * MAX_HOPS + MAIL)
        assert len(world.inbox("ann@sim.test")) == 2
        assert len(world.inbox("sink@sim.test")) == 1

    def test_everybody_to_everybody_ends(self) -> None:
        world = World()
        names = [f"p{number}@sim.test" for number in range(8)]
        for name in names:
            world.add_account(name, rules=[Rule(redirect_to=tuple(names))])
        world.deliver("", [names[0]], MAIL)
        assert world.journal.count(kind=Kind.NOTE, detail="no more are sent on") >= 1
        assert world.journal.count(kind=Kind.DELIVERY) <= 1 + MAX_SENT_ON * len(names)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"From: ", b"To: ", b"Subject: ", b"Cc: ", b"((((", b'"', b"=?utf-8?q?=ff?=", b"=?a?b?/////?=", b"=?unknown-8bit?b?/w==?=", b"=?utf-16?q?=d8=00?=", b"charset*0*=a''%ff;", b"Content-Transfer-Encoding: x-uuencode\r\n", b"Content-Transfer-Encoding: base64\r\n\r\n/////", b"=?x?b?!?=", b"\r\n", b"\n", b" ", b"\r\n\r\n",
             b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n", b"Content-Type: text/plain; charset=nonsense\r\n", b"\xff", b"\0", b","]
        ),
        max_size=30,
    ).map(b"".join)
)  # fmt: skip
def test_no_octets_break_the_rules(octets: bytes) -> None:
    rule = Rule(from_contains="x", subject_contains="", sent_to="a@b.test")
    every = Rule(forward_as_attachment_to=("z@out.test",), forward_to=("z@out.test",), redirect_to=("z@out.test",))
    world = world_with(rule, every)
    world.deliver("", ["ann@sim.test"], octets)
    assert world.inbox("ann@sim.test") == [octets]
    assert len(world.store.outbound()) == 3


def test_deep_comments_and_parts_are_survived() -> None:
    deep = b"To: " + b"(" * 50_000 + b"\r\n\r\n"
    assert Letter(deep).recipients() == set()
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000))
    world = world_with(Rule(forward_to=("sink@sim.test",)))
    world.deliver("", ["ann@sim.test"], nested)
    assert len(world.inbox("sink@sim.test")) == 1
