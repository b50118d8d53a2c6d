"""The books: each term counted, and each term broken once to see the check fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from postroom.organization import SYSTEM
from postroom.store.ledger import incoming_ledger, outgoing_ledger, outgoing_recipient
from postroom.testing.books import BooksDoNotBalance, balance, check_books
from postroom.testing.scene import Scene
from postroom_simulator.faults import Fault, LoseReply, Reply, When


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Ada, who tracks everything, and Carl outside. The books are not checked at the end: the tests break them."""
    with Scene(check=False) as scene:
        scene.mail_server()
        scene.filter(scene.user("Ada", "ada@alder.test", ready=True), 0)
        scene.contact("Carl", "carl@birch.test")
        scene.run()
        yield scene


def outcomes(scene: Scene, subject: str) -> list[tuple[str, str]]:
    return [(r.outcome, r.reason) for r in balance(scene.world, scene.organization).incoming if r.subject == subject]


def later(scene: Scene) -> None:
    scene.run(after=timedelta(minutes=15))


def problem(scene: Scene) -> str:
    with pytest.raises(BooksDoNotBalance) as info:
        check_books(scene.world, scene.organization)
    return str(info.value)


def change(scene: Scene, statement: sa.Update | sa.Delete) -> None:
    with scene.organization.store.transaction() as tx:
        tx.execute(statement)


def sent(scene: Scene, subject: str = "Order") -> None:
    scene.send("Ada", [scene.people["Carl"].lookup], subject)
    later(scene)


def again(scene: Scene, message_id: str, recipient: str, sender: str = "ada@alder.test") -> None:
    """One more copy, as if somebody had submitted it over SMTP."""
    octets = f"From: {sender}\r\nMessage-ID: {message_id}\r\nSubject: Order\r\n\r\nx\r\n".encode()
    scene.world.deliver(sender, [recipient], octets, protocol="smtp", connection="smtp-99")


def message_id(scene: Scene, subject: str = "Order") -> str:
    return next(row.message_id for row in scene.organization.books().outgoing if row.subject == subject)


# -- offered = tracked + filtered + parked + withdrawn + pending -------------------------------------------------------


def test_tracked_and_filtered(scene: Scene) -> None:
    scene.mail("carl@birch.test", "ada@alder.test", "One")
    scene.mail(None, "ada@alder.test", "Two")
    later(scene)
    assert outcomes(scene, "One") == [("tracked", "accept all")]
    assert outcomes(scene, "Two") == [("filtered", "invalid sender")]
    assert check_books(scene.world, scene.organization).balanced


def test_withdrawn(scene: Scene) -> None:
    (item,) = scene.mail("carl@birch.test", "ada@alder.test", "One")
    scene.world.withdraw(item.uid)
    later(scene)
    assert [outcome for outcome, _ in outcomes(scene, "One")] == ["withdrawn"]
    assert check_books(scene.world, scene.organization).balanced


def test_pending_not_yet_due(scene: Scene) -> None:
    scene.mail("carl@birch.test", "ada@alder.test", "One")
    assert outcomes(scene, "One") == [("pending", "not yet due: the mailbox was not looked through since it arrived")]
    assert check_books(scene.world, scene.organization).balanced


def test_pending_mailbox_skipped(scene: Scene) -> None:
    scene.organization.set_state(SYSTEM, "mailbox", scene.people["Ada"].mailbox, False)
    scene.mail("carl@birch.test", "ada@alder.test", "One")
    later(scene)
    ((outcome, reason),) = outcomes(scene, "One")
    assert outcome == "pending"
    assert "the mailbox is inactive" in reason
    assert check_books(scene.world, scene.organization).balanced


def test_pending_before_the_watermark(scene: Scene) -> None:
    after = scene.world.clock.now() + timedelta(days=1)
    scene.organization.update(SYSTEM, "mailbox", scene.people["Ada"].mailbox, processemailreceivedafter=after)
    scene.mail("carl@birch.test", "ada@alder.test", "One")
    later(scene)
    ((outcome, reason),) = outcomes(scene, "One")
    assert outcome == "pending"
    assert "before the watermark" in reason
    assert check_books(scene.world, scene.organization).balanced


def test_a_message_in_no_ledger_is_lost(scene: Scene) -> None:
    scene.mail("carl@birch.test", "ada@alder.test", "One")
    later(scene)
    change(scene, sa.delete(incoming_ledger))
    assert "lost: ada@alder.test" in problem(scene)


def test_a_message_deleted_before_it_was_saved(scene: Scene) -> None:
    scene.mail("carl@birch.test", "ada@alder.test", "One")
    with scene.world.connect("pop3") as line:
        reader = line.makefile("rb")
        for command in (b"USER ada@alder.test", b"PASS Ada-secret", b"DELE 1", b"DELE 2", b"QUIT"):
            line.sendall(command + b"\r\n")
        assert reader.readlines()[-1].startswith(b"+OK")
    assert "deleted at the source before it was saved: ada@alder.test" in problem(scene)


# -- requested = sent + failed + pending + uncertain -------------------------------------------------------------------


def test_each_outcome_is_counted(scene: Scene) -> None:
    before = balance(scene.world, scene.organization).outgoing["sent"]  # the message of Test & Enable
    sent(scene, "Sent")
    scene.world.faults.add(Fault(When("smtp", at="RCPT", nth=1), Reply("550", "5.1.1 no such user")))
    sent(scene, "Failed")
    scene.world.faults.clear()
    scene.world.faults.add(Fault(When("smtp", at="end-of-data", nth=1), LoseReply()))
    sent(scene, "Uncertain")
    scene.send("Ada", [scene.people["Carl"].lookup], "Pending")
    found = check_books(scene.world, scene.organization)
    assert found.outgoing == {"sent": before + 1, "failed": 1, "uncertain": 1, "pending": 1}


def test_sent_but_never_delivered(scene: Scene) -> None:
    scene.send("Ada", [scene.people["Carl"].lookup], "Order")
    change(scene, sa.update(outgoing_ledger).where(outgoing_ledger.c.subject == "Order").values(mark="sent"))
    change(scene, sa.update(outgoing_recipient).values(accepted=True))
    assert "sent, but delivered 0 times" in problem(scene)


def test_sent_but_delivered_twice(scene: Scene) -> None:
    sent(scene)
    again(scene, message_id(scene), "carl@birch.test")
    assert "sent, but delivered 2 times" in problem(scene)


def test_uncertain_but_delivered_twice(scene: Scene) -> None:
    scene.world.faults.add(Fault(When("smtp", at="end-of-data", nth=1), LoseReply()))
    sent(scene)
    assert check_books(scene.world, scene.organization).outgoing["uncertain"] == 1
    again(scene, message_id(scene), "carl@birch.test")
    assert "uncertain, but delivered 2 times" in problem(scene)


def test_pending_but_delivered(scene: Scene) -> None:
    scene.send("Ada", [scene.people["Carl"].lookup], "Order")
    again(scene, message_id(scene), "carl@birch.test")
    assert "pending, but delivered 1 times" in problem(scene)


def test_failed_but_delivered(scene: Scene) -> None:
    scene.world.faults.add(Fault(When("smtp", at="RCPT"), Reply("550", "5.1.1 no such user")))
    sent(scene)
    again(scene, message_id(scene), "carl@birch.test")
    assert "but delivered 1 times" in problem(scene)


def test_nobody_asked_for_it(scene: Scene) -> None:
    again(scene, "<made-up@alder.test>", "carl@birch.test")
    assert "nobody asked for: <made-up@alder.test> to carl@birch.test" in problem(scene)


def test_somebody_else_got_it(scene: Scene) -> None:
    sent(scene)
    again(scene, message_id(scene), "eve@else.test")
    assert "nobody asked for" in problem(scene)
