"""One mailbox, two protocols: what EWS wrote and changed, as POP3 hands it out."""

from __future__ import annotations

import poplib
from hashlib import sha256

from items_scene import ANN, BOB, MAIL, Items, set_field, to

from postroom_simulator.pop3.maildrop import Maildrop


def opened(items: Items, user: str = ANN) -> Maildrop:
    return Maildrop.open(items.world.store, user)


def unstuffed(octets: bytes) -> bytes:
    return (
        octets.replace(b"\r\n..", b"\r\n.").removeprefix(b".")
        if octets.startswith(b"..")
        else octets.replace(b"\r\n..", b"\r\n.")
    )


RED = set_field("item:Categories", "<t:Categories><t:String>red</t:String></t:Categories>")
SUBJECT = set_field("item:Subject", "<t:Subject>new</t:Subject>")


def test_what_ews_sends_pop3_has(items: Items) -> None:
    items.create(
        f'<t:Message><t:Subject>from ews</t:Subject><t:Body BodyType="Text">.dot\nline</t:Body>{to(BOB)}</t:Message>',
        "SendOnly",
    )
    drop = opened(items, BOB)
    assert drop.count == 1
    octets = unstuffed(drop.retrieve(1).octets)
    assert b"Subject: from ews\r\n" in octets
    assert octets.endswith(b"\r\n\r\n.dot\r\nline\r\n")
    assert len(octets) == drop.size(1)


def test_what_lies_beside_changes_nothing_for_pop3(items: Items) -> None:
    got = items.deliver()
    before = opened(items)
    items.updated(got, RED)
    after = opened(items)
    assert (before.unique_id(1), before.size(1)) == (after.unique_id(1), after.size(1))
    assert before.retrieve(1).octets == after.retrieve(1).octets
    before.mark(1)
    assert len(before.update().removed) == 1


def test_an_edited_message_is_another_one_with_the_right_size(items: Items) -> None:
    got = items.deliver()
    before = opened(items).unique_id(1)
    items.updated(got, SUBJECT)
    drop = opened(items)
    octets = unstuffed(drop.retrieve(1).octets)
    assert b"Subject: new\r\n" in octets
    assert octets == items.mime(got)
    assert len(octets) == drop.size(1) == drop.figures[1]
    assert drop.unique_id(1) != before
    assert drop.unique_id(1).endswith(sha256(octets).hexdigest()[:16])
    assert opened(items).unique_id(1) == drop.unique_id(1)


def test_a_rendering_is_frozen_at_login(items: Items) -> None:
    got = items.updated(items.deliver(), SUBJECT)
    drop = opened(items)
    size, octets = drop.size(1), drop.retrieve(1).octets
    items.updated(got, set_field("item:Subject", "<t:Subject>much newer</t:Subject>"))
    assert (drop.size(1), drop.retrieve(1).octets) == (size, octets)
    drop.mark(1)
    assert drop.update().failed == 1  # nobody has seen what it is now
    again = opened(items)
    again.mark(1)
    assert len(again.update().removed) == 1
    assert items.listed("inbox") == []


def test_read_state_is_no_change_for_pop3(items: Items) -> None:
    got = items.updated(items.deliver(), SUBJECT)
    drop = opened(items)
    items.updated(got, set_field("message:IsRead", "<t:IsRead>true</t:IsRead>"))
    drop.mark(1)
    assert len(drop.update().removed) == 1


def test_what_is_no_message_is_not_in_the_maildrop(items: Items) -> None:
    items.world.store.create(items.world.store.folder(ANN, next(iter(_inbox()))).uid, "IPM.Contact", {"DisplayName": "x"})
    items.deliver()
    assert opened(items).count == 1


def _inbox():
    from postroom_simulator.store.interface import Role

    return [Role.INBOX]


def test_a_draft_in_the_inbox_is_handed_out_without_bcc(items: Items) -> None:
    items.made(f"<t:Message><t:Subject>d</t:Subject>{to('secret@out.test', field='BccRecipients')}</t:Message>", folder="inbox")
    drop = opened(items)
    assert b"secret" not in drop.retrieve(1).octets
    assert b"Date: " in drop.retrieve(1).octets


def test_over_the_wire(items: Items) -> None:
    items.updated(items.deliver(), SUBJECT)

    class Client(poplib.POP3):
        def _create_socket(self, timeout: float | None):
            return items.world.connect("pop3")

    client = Client("items.sim.test")
    client.user(ANN)
    client.pass_("pw")
    number, size = client.stat()
    assert number == 1
    _, lines, octets = client.retr(1)
    assert b"Subject: new" in lines
    assert octets == size
    assert b".a line" in lines
    client.dele(1)
    client.quit()
    assert items.listed("inbox") == []


def test_deleted_by_pop3_is_gone_for_ews(items: Items) -> None:
    got = items.deliver(MAIL)
    drop = opened(items)
    drop.mark(1)
    drop.update()
    assert items.update(got, RED)["ResponseCode"] == "ErrorItemNotFound"


def test_the_service_renders_for_the_store(items: Items) -> None:
    from postroom_simulator.ews.items.keeping import rendered

    assert items.world.ews.world.store.renderer is rendered
