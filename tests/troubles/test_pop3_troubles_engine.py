"""Server-side synchronization against POP3 servers in trouble: nothing is lost, nothing is doubled, and the books balance.

Where a server lies so that this cannot be, the test says what is expected instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from postroom.organization import SYSTEM
from postroom.organization.deployment import DeploymentSettings
from postroom.testing.books import balance
from postroom.testing.scene import Scene
from postroom_simulator import World
from postroom_simulator.faults import Fault, LoseReply, When
from postroom_simulator.pop3.policy import Policy
from postroom_simulator.pop3.troubles import Troubles

ORDERS = "orders@alder.test"


def plain_scene() -> Scene:
    return Scene(settings=DeploymentSettings(allow_non_ssl_email=True, allow_basic_authentication_on_non_secure_channel=True))


class Stage:
    """The mailbox of a queue, empty and tracking everything; and Carl, who writes to it. `deletes`: mail is removed once it is stored."""

    def __init__(self, scene: Scene, *, deletes: bool) -> None:
        self.scene = scene
        self.world: World = scene.world
        host = scene.world.hostname
        ports = {"incomingportnumber": 110, "outgoingportnumber": 587}
        scene.profile("open lines", default=True, **ports, incomingusessl=False, outgoingusessl=False)
        assert scene.endpoint("pop3") == (host, 110)
        self.orders = scene.queue("Orders", ORDERS, ready=True)
        scene.filter(self.orders, 0)
        scene.contact("Carl", "carl@birch.test")
        if deletes:
            scene.organization.update(SYSTEM, "mailbox", self.orders.mailbox, processanddeleteemails=True)
        scene.run(after=timedelta(minutes=15))
        for item in scene.inbox(ORDERS):
            scene.world.withdraw(item.uid, reason="the message of the test")
        scene.run(after=timedelta(minutes=15))

    def trouble(self, **values: object) -> None:
        self.world.pop3.troubles[ORDERS] = Troubles(**values)  # type: ignore[arg-type]

    def well(self) -> None:
        del self.world.pop3.troubles[ORDERS]

    def mail(self, *subjects: str) -> None:
        for subject in subjects:
            self.scene.mail("carl@birch.test", ORDERS, subject)

    def runs(self, count: int = 1, *, hours: float = 1.0) -> None:
        for _ in range(count):
            self.scene.run(after=timedelta(hours=hours))

    @property
    def tracked(self) -> Counter[str]:
        found = self.scene.organization.retrieve_multiple(SYSTEM, "email", directioncode=False)
        return Counter(email.subject for email in found if not (email.subject or "").startswith(("Test", "Your mailbox")))

    def all_there_once(self, *subjects: str) -> None:
        assert {subject: self.tracked[subject] for subject in subjects} == dict.fromkeys(subjects, 1)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The books are checked at the end."""
    with plain_scene() as scene:
        yield scene


@pytest.fixture(params=[False, True], ids=["mail stays", "mail is deleted"])
def stage(scene: Scene, request: pytest.FixtureRequest) -> Stage:
    return Stage(scene, deletes=request.param)


FIRST = ("One", "Two", "Three")
LATER = ("Four", "Five")


@pytest.mark.parametrize("trouble", ["reset", "doubled", "long", "illegal"])
def test_unique_ids_in_trouble(stage: Stage, trouble: str) -> None:
    stage.trouble(uidl=trouble)
    stage.mail(*FIRST)
    stage.runs(2)
    stage.mail(*LATER)
    stage.runs(2)
    stage.all_there_once(*FIRST, *LATER)


@pytest.mark.parametrize("trouble", ["reset", "doubled", "reused", "missing", "long", "illegal"])
def test_unique_ids_that_go_wrong_later_and_come_right(stage: Stage, trouble: str) -> None:
    stage.mail(*FIRST)
    stage.runs()
    stage.trouble(uidl=trouble)
    stage.runs(2)
    stage.well()
    stage.mail(*LATER)
    stage.runs(2)
    stage.all_there_once(*FIRST, *LATER)


def test_ids_reused_where_mail_is_deleted(scene: Scene) -> None:
    """Each new message has the id of one that was stored and removed."""
    stage = Stage(scene, deletes=True)
    stage.trouble(uidl="reused")
    for subject in (*FIRST, *LATER):
        stage.mail(subject)
        stage.runs()
    stage.all_there_once(*FIRST, *LATER)
    assert stage.world.inbox(ORDERS) == []


def test_ids_reused_where_mail_stays() -> None:
    """Somebody else removes a message, and a new one takes over an id that was seen. The sizes tell; where they do not, it is overlooked until the
    ids are right again, and the books name it until then."""
    with plain_scene() as scene:
        stage = Stage(scene, deletes=False)
        stage.trouble(uidl="reused")
        stage.mail(*FIRST)
        stage.runs()
        stage.world.withdraw(scene.inbox(ORDERS)[0].uid)
        stage.mail("Four")
        stage.runs()
        stage.all_there_once(*FIRST, "Four")
        stage.trouble(uidl="reused", sizes=77)  # the server is wrong about sizes too
        stage.runs(2)
        stage.world.withdraw(scene.inbox(ORDERS)[0].uid)
        stage.mail("Five")
        stage.runs()
        assert [row.outcome for row in balance(scene.world, scene.organization).incoming if row.subject == "Five"] == ["lost"]
        stage.well()
        stage.runs(2)
        stage.all_there_once(*FIRST, "Four", "Five")


def test_messages_without_an_id(stage: Stage) -> None:
    """They are seen as soon as another one behind them has an id: until then no line of the listing tells of them."""
    stage.trouble(uidl="missing")
    stage.mail(*FIRST)
    stage.runs(3)
    stage.all_there_once(*FIRST)
    stage.well()
    stage.runs(2)
    stage.all_there_once(*FIRST)


def test_no_unique_ids_at_all(stage: Stage) -> None:
    stage.trouble(no_uidl=True)
    stage.mail(*FIRST)
    stage.runs(2)
    stage.mail(*LATER)
    stage.runs(2)
    stage.well()
    stage.runs(2)
    stage.all_there_once(*FIRST, *LATER)


@pytest.mark.parametrize("sizes", [1, -20, 10**9, "zero"])
def test_wrong_sizes(stage: Stage, sizes: object) -> None:
    stage.trouble(sizes=sizes)
    stage.mail(*FIRST)
    stage.runs(2)
    stage.all_there_once(*FIRST)


def test_a_message_that_vanished_takes_no_other_along(stage: Stage) -> None:
    stage.trouble(vanished={2})
    stage.mail(*FIRST)
    stage.runs()
    assert stage.tracked["One"] == stage.tracked["Three"] == 1
    assert stage.tracked["Two"] == 0
    stage.well()
    stage.runs()
    stage.all_there_once(*FIRST)


def test_a_message_that_never_comes_back_is_parked(stage: Stage) -> None:
    stage.mail("One")
    stage.trouble(vanished={1})
    stage.runs(8)
    assert stage.tracked["One"] == 0
    rows = balance(stage.world, stage.scene.organization).incoming
    assert [row.outcome for row in rows if row.subject == "One"] == ["parked"]
    asked = len(stage.world.journal.commands("RETR", account=ORDERS))
    stage.runs(2)
    assert len(stage.world.journal.commands("RETR", account=ORDERS)) == asked, "parked is parked"


def test_altered_messages_where_mail_stays(scene: Scene) -> None:
    stage = Stage(scene, deletes=False)
    stage.trouble(altered={1, 2})
    stage.mail(*FIRST)
    stage.runs(3)
    stage.all_there_once(*FIRST)


def test_a_message_altered_after_its_removal_was_lost() -> None:
    """Stored, and the connection lost before the removal; then it has other octets under the same id. It is another message by all that
    the provider can know (mail-protocol-pitfalls 2.4), so it is not removed unread; the organization knows its Message-ID."""
    with plain_scene() as scene:
        stage = Stage(scene, deletes=True)
        stage.trouble(altered={1})
        scene.world.faults.add(Fault(When("pop3", "DELE", account=ORDERS, nth=1), LoseReply()))
        stage.mail("One")
        stage.runs(4)
        stage.all_there_once("One")
        assert [row.disposition for row in scene.organization.books().incoming if row.subject == "One"] == [
            "tracked",
            "filtered",
        ]
        assert scene.world.inbox(ORDERS) == []


@pytest.mark.parametrize("lie", ["more", "fewer", "twice", "reversed", "stat"])
def test_listings_that_lie(stage: Stage, lie: str) -> None:
    stage.trouble(listing_lies=lie)
    stage.mail(*FIRST)
    stage.runs(2)
    stage.mail(*LATER)
    stage.well()
    stage.runs(2)
    stage.all_there_once(*FIRST, *LATER)


def test_a_maildrop_locked_by_a_dead_session(stage: Stage) -> None:
    """It is tried again by itself, and nobody has to enter a password."""
    stage.mail(*FIRST)
    assert stage.world.lock_maildrop(ORDERS, 2 * 3600)
    stage.runs(1, hours=0.5)
    assert stage.tracked["One"] == 0
    stage.runs(4)
    stage.all_there_once(*FIRST)
    assert stage.scene.mailbox(stage.orders).incomingemailstatus == 1


def test_locked_by_its_own_dead_session(stage: Stage) -> None:
    stage.trouble(lock=1800)
    stage.world.faults.add(Fault(When("pop3", "RETR", account=ORDERS, nth=2), LoseReply()))
    stage.mail(*FIRST)
    stage.runs(4)
    stage.all_there_once(*FIRST)


def test_a_message_without_end(stage: Stage) -> None:
    """The run is cut off by its time-out; the mail comes as soon as the server is well."""
    stage.trouble(endless=200_000)
    stage.mail(*FIRST)
    stage.runs(2)
    assert not set(stage.tracked) & set(FIRST)
    stage.well()
    stage.runs(6)
    stage.all_there_once(*FIRST)


def test_a_mailbox_restored_from_an_old_copy(stage: Stage) -> None:
    """Removed mail is back under its old ids, newer mail is gone: what was stored is not stored again."""
    stage.mail(*FIRST)
    copy = stage.world.copy_inbox(ORDERS)
    stage.runs()
    stage.mail(*LATER)
    stage.runs()
    stage.trouble(restored_from=copy)
    stage.runs(2)
    stage.mail("Six")
    stage.runs(2)
    stage.all_there_once(*FIRST, *LATER, "Six")


def test_restored_under_new_ids_while_mail_stays(scene: Scene) -> None:
    stage = Stage(scene, deletes=False)
    stage.mail(*FIRST)
    stage.runs()
    copy = stage.world.copy_inbox(ORDERS)
    stage.mail(*LATER)
    stage.runs()
    stage.world.restore_inbox(copy)
    stage.world.reset_uidls(ORDERS)
    stage.mail("Six")
    stage.runs(2)
    stage.all_there_once(*FIRST, *LATER, "Six")


def test_a_login_delay_is_kept(stage: Stage) -> None:
    """The engine comes too early once, is told how long to wait, and waits."""
    stage.world.pop3.policies[ORDERS] = Policy(login_delay=3 * 3600)
    stage.runs()
    stage.mail(*FIRST)
    stage.runs(5)
    stage.all_there_once(*FIRST)
    assert stage.scene.mailbox(stage.orders).incomingemailstatus == 1


def test_a_server_that_keeps_nothing(scene: Scene) -> None:
    """EXPIRE 0: what was retrieved is gone with QUIT, and it was stored before."""
    stage = Stage(scene, deletes=False)
    stage.world.pop3.policies[ORDERS] = Policy(expire=0)
    stage.mail(*FIRST)
    stage.runs(2)
    stage.all_there_once(*FIRST)
    assert stage.world.inbox(ORDERS) == []


def test_mail_that_expires_before_it_was_looked_at(scene: Scene) -> None:
    """The books call it withdrawn: the server took it away."""
    stage = Stage(scene, deletes=False)
    stage.world.pop3.policies[ORDERS] = Policy(expire=1)
    stage.mail("One")
    scene.advance(timedelta(days=1))
    stage.runs()
    rows = balance(scene.world, scene.organization).incoming
    assert [(row.outcome, row.reason[:5]) for row in rows if row.subject == "One"] == [("withdrawn", "inbox")]


def test_heads_in_utf8_from_either_kind_of_server(stage: Stage) -> None:
    for heads, subject in (("downgrade", "Grüße, eins"), ("raw", "Grüße, zwei")):
        stage.world.pop3.settings.utf8_heads = heads  # type: ignore[assignment]
        octets = f"From: Carl <carl@birch.test>\r\nTo: {ORDERS}\r\nMessage-ID: <{heads}@birch.test>\r\nSubject: {subject}\r\n\r\nx\r\n"
        stage.world.deliver("carl@birch.test", [ORDERS], octets.encode())
        stage.runs()
    stage.all_there_once("Grüße, eins", "Grüße, zwei")
