from __future__ import annotations

from hashlib import sha256

import pytest

from postroom_simulator import Kind, Outcome, RecipientStatus, Role, Rule, World
from postroom_simulator.errors import NoSuchItem, QuotaExceeded, UnknownAccount

MAIL = b"From: x@out.test\r\nMessage-ID: <1@out.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nbody\n.lone\r\n"


@pytest.fixture
def world() -> World:
    world = World(seed=5)
    world.add_account("ann@sim.test", aliases=["info@sim.test"])
    world.add_account("bob@sim.test")
    return world


def outcomes(deliveries: list) -> list[tuple[str | None, Outcome]]:
    return [(delivery.account, delivery.outcome) for delivery in deliveries]


class TestWhoGetsIt:
    def test_octets_arrive_exactly(self, world: World) -> None:
        (done,) = world.deliver("x@out.test", ["Ann@SIM.test"], MAIL, protocol="smtp", connection="smtp-1")
        assert world.inbox("ann@sim.test") == [MAIL]
        assert (done.recipient, done.account, done.folder, done.outcome.taken) == (
            "Ann@SIM.test",
            "ann@sim.test",
            "inbox",
            True,
        )

    def test_each_delivery_is_journalled(self, world: World) -> None:
        (done,) = world.deliver("x@out.test", ["info+tag@sim.test"], MAIL, protocol="smtp", connection="smtp-1")
        (entry,) = world.journal.deliveries()
        assert (entry.protocol, entry.connection, entry.account) == ("smtp", "smtp-1", "ann@sim.test")
        assert entry.data == {
            "uid": done.uid,
            "sender": "x@out.test",
            "recipient": "info+tag@sim.test",
            "folder": "inbox",
            "subject": "Grüße",
            "message_id": "<1@out.test>",
            "digest": sha256(MAIL).hexdigest(),
            "wire_digest": sha256(MAIL.replace(b"body\n", b"body\r\n")).hexdigest(),
        }

    def test_an_account_gets_one_copy_however_often_it_is_named(self, world: World) -> None:
        world.add_group("all@sim.test", ["bob@sim.test", "ann@sim.test", "ANN@sim.test"])
        names = ["ann@sim.test", "info@sim.test", "ann+x@sim.test", "all@sim.test", "ann@sim.test"]
        done = world.deliver("", names, MAIL)
        assert outcomes(done) == [("ann@sim.test", Outcome.DELIVERED), ("bob@sim.test", Outcome.DELIVERED)]
        assert done[0].recipients == ("ann@sim.test", "info@sim.test", "ann+x@sim.test", "all@sim.test")
        assert len(world.inbox("ann@sim.test")) == len(world.inbox("bob@sim.test")) == 1
        assert world.journal.deliveries(account="ann@sim.test")[0].data["recipients"] == done[0].recipients

    def test_groups_nest_and_may_run_in_circles(self, world: World) -> None:
        world.add_group("outer@sim.test", ["inner@sim.test", "outer@sim.test", "z@out.test"])
        world.add_group("inner@sim.test", ["outer+x@sim.test", "ann@sim.test", "inner@sim.test"])
        done = world.deliver("", ["outer@sim.test"], MAIL)
        assert outcomes(done) == [("ann@sim.test", Outcome.DELIVERED), (None, Outcome.DRAWER)]
        assert {delivery.recipient for delivery in done} == {"outer@sim.test"}
        assert world.store.outbound()[0].recipients == ("z@out.test",)

    def test_an_empty_group_is_nobody(self, world: World) -> None:
        world.add_group("none@sim.test")
        assert world.deliver("", ["none@sim.test"], MAIL) == []

    def test_strangers_share_one_message_in_the_drawer(self, world: World) -> None:
        done = world.deliver("ann@sim.test", ["y@out.test", "bob@sim.test", "Z@out.test", "z@OUT.test"], MAIL)
        assert outcomes(done) == [("bob@sim.test", Outcome.DELIVERED), (None, Outcome.DRAWER), (None, Outcome.DRAWER)]
        (posted,) = world.store.outbound()
        assert posted.recipients == ("y@out.test", "Z@out.test")
        assert world.store.outbound_octets(posted.uid) == MAIL
        entries = [entry for entry in world.journal.deliveries() if entry.account is None]
        assert [(e.data["recipient"], e.data["folder"], e.data["uid"]) for e in entries] == [
            ("y@out.test", "drawer", posted.uid),
            ("Z@out.test", "drawer", posted.uid),
        ]

    def test_a_disabled_account_refuses_for_itself_only(self, world: World) -> None:
        world.directory.account("ann@sim.test").disabled = True
        done = world.deliver("", ["ann@sim.test", "bob@sim.test"], MAIL)
        assert outcomes(done) == [("ann@sim.test", Outcome.DISABLED), ("bob@sim.test", Outcome.DELIVERED)]
        assert not done[0].outcome.taken
        assert world.inbox("ann@sim.test") == []
        assert world.journal.count(kind=Kind.DELIVERY) == 1

    def test_a_full_mailbox_refuses_for_itself_only(self, world: World) -> None:
        world.set_quota("ann@sim.test", len(MAIL) - 1)
        done = world.deliver("", ["ann@sim.test", "bob@sim.test"], MAIL)
        assert outcomes(done) == [("ann@sim.test", Outcome.OVER_QUOTA), ("bob@sim.test", Outcome.DELIVERED)]
        assert world.inbox("ann@sim.test") == []


class TestRecipientStatus:
    def test_it_says_what_would_become_of_mail(self, world: World) -> None:
        world.add_account("off@sim.test", disabled=True)
        world.add_account("full@sim.test", quota=0)
        world.add_group("all@sim.test", ["off@sim.test"])
        asked = ["ann+x@sim.test", "INFO@sim.test", "all@sim.test", "off@sim.test", "full@sim.test", "y@out.test"]
        assert [world.recipient_status(address) for address in asked] == [
            RecipientStatus.OK,
            RecipientStatus.OK,
            RecipientStatus.OK,
            RecipientStatus.DISABLED,
            RecipientStatus.OVER_QUOTA,
            RecipientStatus.OUTSIDE,
        ]
        assert len(world.journal) == 0

    def test_a_declared_size_counts(self, world: World) -> None:
        world.set_quota("ann@sim.test", 100)
        assert world.recipient_status("ann@sim.test", 100) is RecipientStatus.OK
        assert world.recipient_status("ann@sim.test", 101) is RecipientStatus.OVER_QUOTA


class TestPlacingAndWithdrawing:
    def test_placed_mail_passes_no_rules(self, world: World) -> None:
        world.directory.account("ann@sim.test").rules.append(Rule(delete=True))
        item = world.place("info@sim.test", MAIL, folder="Projects", read=True)
        folder = world.store.folder_by_uid(item.folder)
        assert (folder.name, item.read) == ("Projects", True)
        assert world.journal.deliveries()[0].data["folder"] == "Projects"
        assert world.place("ann@sim.test", MAIL, folder="PROJECTS").folder == item.folder
        with pytest.raises(UnknownAccount):
            world.place("nobody@sim.test", MAIL)

    def test_what_a_test_takes_away_is_journalled(self, world: World) -> None:
        (done,) = world.deliver("", ["ann@sim.test"], MAIL)
        assert done.uid is not None
        world.withdraw(done.uid)
        assert world.inbox("ann@sim.test") == []
        (entry,) = world.journal.entries(kind=Kind.REMOVED)
        digest = sha256(MAIL).hexdigest()
        assert entry.account == "ann@sim.test"
        assert entry.data == {"uid": done.uid, "folder": "inbox", "digest": digest, "reason": "test"}
        with pytest.raises(NoSuchItem):
            world.withdraw(done.uid)

    def test_moving_away_is_taking_away(self, world: World) -> None:
        (done,) = world.deliver("", ["ann@sim.test"], MAIL)
        assert done.uid is not None
        now = world.withdraw(done.uid, to=Role.JUNK)
        assert now is not None
        assert world.withdraw(now, to="junkemail") == now
        assert world.journal.expect(1, kind=Kind.REMOVED)[0].data["to"] == "junkemail"
        assert world.store.item(now).folder == world.store.folder("ann@sim.test", Role.JUNK).uid
        assert [entry.data for entry in world.journal.entries(kind=Kind.NOTE)] == [{"uid": now, "before": done.uid}]
        with pytest.raises(NoSuchItem):
            world.withdraw(done.uid)

    def test_a_full_mailbox_takes_nothing_placed(self, world: World) -> None:
        world.set_quota("ann@sim.test", 1)
        with pytest.raises(QuotaExceeded):
            world.place("ann@sim.test", MAIL)
        assert len(world.journal) == 0

    def test_new_unique_ids_are_new_uids_in_the_same_order(self, world: World) -> None:
        for number in range(3):
            world.deliver("", ["ann@sim.test"], MAIL + b"%d" % number)
        inbox = world.store.folder("ann@sim.test", Role.INBOX).uid
        before = world.store.items(inbox)
        token = world.store.changes(inbox).token
        world.reset_uidls()
        after = world.store.items(inbox)
        assert not {item.uid for item in before} & {item.uid for item in after}
        assert [item.digest for item in after] == [item.digest for item in before]
        changes = world.store.changes(inbox, token)
        assert changes.removed == tuple(item.uid for item in before)
        assert changes.changed == tuple(after)
        renamed = [(entry.data["before"], entry.data["uid"]) for entry in world.journal.entries(kind=Kind.NOTE)]
        assert renamed == [(old.uid, new.uid) for old, new in zip(before, after, strict=True)]
