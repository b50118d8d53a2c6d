"""exchangelib's operations on many items, and export and upload."""

from __future__ import annotations

import pytest
from exchangelib import ItemId, Message
from exchangelib.errors import ErrorInvalidIdMalformed, ErrorInvalidOperation, ErrorItemNotFound
from exchangelib.items import HARD_DELETE, MOVE_TO_DELETED_ITEMS, SEND_AND_SAVE_COPY, SEND_ONLY
from exchangelib_scene import BOB


def drafts(ann, count=5):
    return [Message(account=ann, subject=f"item {number}", body="b", to_recipients=[BOB]) for number in range(count)]


def test_create_fetch_update_and_delete(exchange):
    ann = exchange.account()
    made = ann.bulk_create(folder=ann.drafts, items=drafts(ann), chunk_size=2)
    assert len({item.id for item in made}) == 5
    assert exchange.operations().count("CreateItem") == 3
    full = list(ann.fetch(made, chunk_size=3))
    assert [item.subject for item in full] == [f"item {number}" for number in range(5)]
    assert [item.subject for item in ann.fetch(made, only_fields=["subject"])] == [f"item {number}" for number in range(5)]

    for item in full:
        item.subject += " changed"
    changed = ann.bulk_update([(item, ["subject"]) for item in full], chunk_size=2)
    assert [identity for identity, _ in changed] == [item.id for item in made]
    assert all(key != item.changekey for (_, key), item in zip(changed, made, strict=True))
    assert ann.drafts.filter(subject__contains="changed").count() == 5

    assert ann.bulk_delete(changed[:2], delete_type=MOVE_TO_DELETED_ITEMS) == [True, True]
    assert ann.trash.all().count() == 2
    assert ann.bulk_delete(changed[2:], delete_type=HARD_DELETE, chunk_size=1) == [True] * 3
    assert ann.drafts.all().count() == 0


def test_one_bad_item_does_not_spoil_the_others(exchange):
    ann = exchange.account()
    first, second, third = ann.bulk_create(folder=ann.drafts, items=drafts(ann, 3))
    second_id = second.id
    ann.bulk_delete([second])
    found = list(ann.fetch([first, (second_id, None), ("bm8=", None), third]))
    assert [type(one) for one in found] == [Message, ErrorItemNotFound, ErrorInvalidIdMalformed, Message]
    assert [type(one) for one in ann.bulk_delete([(second_id, None), first])] == [ErrorItemNotFound, bool]


def test_send(exchange):
    ann, bob = exchange.account(), exchange.account(BOB)
    made = ann.bulk_create(folder=ann.drafts, items=drafts(ann, 3))
    assert ann.bulk_send(made[:2]) == [True, True]
    assert ann.bulk_send(made[2:], save_copy=False) == [True]
    assert (bob.inbox.all().count(), ann.sent.all().count(), ann.drafts.all().count()) == (3, 2, 0)
    ann.bulk_create(folder=ann.sent, items=drafts(ann, 2), message_disposition=SEND_AND_SAVE_COPY)
    ann.bulk_create(folder=None, items=drafts(ann, 1), message_disposition=SEND_ONLY)
    assert (bob.inbox.all().count(), ann.sent.all().count()) == (6, 4)


def test_copy_and_move(exchange):
    ann = exchange.account()
    made = ann.bulk_create(folder=ann.drafts, items=drafts(ann, 3))
    copied = ann.bulk_copy(made, to_folder=ann.junk, chunk_size=2)
    assert len(copied) == 3
    moved = ann.bulk_move(made, to_folder=ann.inbox)
    assert {identity for identity, _ in moved}.isdisjoint({item.id for item in made})
    assert [item.subject for item in ann.fetch(moved)] == [item.subject for item in drafts(ann, 3)]
    assert (ann.drafts.all().count(), ann.junk.all().count(), ann.inbox.all().count()) == (0, 3, 3)


def test_junk(exchange):
    for number in range(2):
        exchange.deliver(f"spam {number}")
    ann = exchange.account()
    moved = ann.bulk_mark_as_junk(ann.inbox.all(), is_junk=True, move_item=True)
    assert len(moved) == 2
    assert ann.junk.all().count() == 2
    ann.bulk_mark_as_junk(ann.junk.all(), is_junk=False, move_item=True)
    assert ann.inbox.all().count() == 2


def test_archive(exchange):
    ann = exchange.account()
    made = ann.bulk_create(folder=ann.inbox, items=drafts(ann, 4))
    with pytest.raises(ErrorInvalidOperation, match="Archive mailbox is not enabled"):
        ann.inbox.get(subject="item 0").archive(to_folder=ann.trash)
    exchange.world.store.open_archive(ann.primary_smtp_address)
    ann.bulk_archive(made[:2], to_folder=ann.trash)
    assert ann.archive_deleted_items.all().count() == 2
    ann.inbox.all().archive(to_folder=ann.inbox)
    assert (ann.inbox.all().count(), ann.archive_inbox.all().count()) == (0, 2)
    assert ann.archive_msg_folder_root.name == "Top of Information Store"


def test_export_and_upload(exchange):
    exchange.deliver("from outside", "text of it")
    ann = exchange.account()
    (item,) = ann.inbox.all()
    kept = Message(account=ann, folder=ann.drafts, subject="a draft", body="text", categories=["red"]).save()
    blobs = ann.export([item, kept])
    assert all(isinstance(blob, str) for blob in blobs)
    assert len(ann.upload([(ann.junk, blobs[0]), (ann.junk, blobs[1])])) == 2
    assert ann.junk.all().count() == 2
    assert ann.junk.get(subject="from outside").mime_content == item.mime_content
    assert ann.junk.get(subject="a draft").categories == ["red"]
    kept = ann.drafts.get(subject="a draft")
    kept.subject = "something else"
    kept.save()
    ((identity, key),) = ann.upload([(ann.drafts, (ItemId(kept.id, kept.changekey), False, blobs[1]))])
    assert identity == kept.id
    assert key != kept.changekey
    kept.refresh()
    assert kept.subject == "a draft"
    (error,) = ann.export([("bm8=", None)])
    assert isinstance(error, ErrorInvalidIdMalformed)


def test_a_folders_own_bulk_create(exchange):
    ann = exchange.account()
    made = ann.inbox.bulk_create([Message(subject="x"), Message(subject="y")])
    assert len(made) == 2
    assert sorted(item.subject for item in ann.inbox.all()) == ["x", "y"]
