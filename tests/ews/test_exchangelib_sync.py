"""exchangelib and what changed: synchronisation, and notifications by pull, push and stream."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from exchangelib import Message
from exchangelib.errors import ErrorInvalidSyncStateData, ErrorSubscriptionNotFound
from exchangelib.folders import Messages
from exchangelib.properties import CopiedEvent, CreatedEvent, DeletedEvent, ModifiedEvent, MovedEvent, NewMailEvent, StatusEvent
from exchangelib.services import GetStreamingEvents, SendNotification
from exchangelib.services.sync_folder_items import SyncFolderItems
from exchangelib_scene import BOB, over_sockets


def test_items(exchange):
    for number in range(3):
        exchange.deliver(f"mail {number}")
    ann = exchange.account()
    folder = ann.inbox
    first = list(folder.sync_items())
    assert sorted((kind, item.subject) for kind, item in first) == [("create", f"mail {number}") for number in range(3)]
    assert list(folder.sync_items()) == []

    read, changed, moved = (folder.get(subject=f"mail {number}") for number in range(3))
    read.is_read = True
    read.save(update_fields=["is_read"])
    changed.importance = "High"
    changed.save(update_fields=["importance"])
    before = moved.id
    moved.move(ann.junk)
    exchange.deliver("mail 3")
    Message(account=ann, folder=folder, subject="fleeting").save().delete()
    found = {}
    for kind, what in folder.sync_items():
        found.setdefault(kind, []).append(what)
    ((item_id, is_read),) = found.pop("read_flag_change")
    assert (item_id.id, is_read) == (read.id, True)
    assert [one.importance for one in found.pop("update")] == ["High"]
    assert [one.id for one in found.pop("delete")] == [before]
    assert [one.subject for one in found.pop("create")] == ["mail 3"]
    assert found == {}
    assert list(folder.sync_items()) == []


def test_items_in_pages_with_fields_and_some_ignored(exchange):
    for number in range(7):
        exchange.deliver(f"mail {number}")
    ann = exchange.account()
    left = ann.inbox.get(subject="mail 0")
    found = list(ann.inbox.sync_items(max_changes_returned=2, only_fields=["subject"], ignore=[left]))
    assert sorted(item.subject for _, item in found) == [f"mail {number}" for number in range(1, 7)]
    assert exchange.operations().count("SyncFolderItems") >= 3
    again = list(exchange.account().inbox.sync_items(sync_scope=SyncFolderItems.SYNC_SCOPES[1]))
    assert len(again) == 7


def test_a_state_that_nobody_gave(exchange):
    folder = exchange.account().inbox
    with pytest.raises(ErrorInvalidSyncStateData):
        list(folder.sync_items(sync_state="bm9uc2Vuc2U="))
    with pytest.raises(ErrorInvalidSyncStateData):
        list(folder.sync_hierarchy(sync_state="bm9uc2Vuc2U="))


def test_the_hierarchy(exchange):
    ann = exchange.account()
    root, folder = ann.msg_folder_root, ann.inbox
    assert len(list(ann.root.walk())) > 10  # well-known folders come to be when they are asked for
    names = [folder.name for kind, folder in root.sync_hierarchy() if kind == "create"]
    assert {"Inbox", "Calendar"} <= set(names)
    made = Messages(parent=folder, name="Orders").save()
    assert [(kind, folder.name) for kind, folder in root.sync_hierarchy()] == [("create", "Orders")]
    made.name = "Bills"
    made.save(update_fields=["name"])
    assert [(kind, folder.name) for kind, folder in root.sync_hierarchy(only_fields=["name"])] == [("update", "Bills")]
    identity = made.id
    made.delete()
    ((kind, gone),) = root.sync_hierarchy()
    assert (kind, gone.id) == ("delete", identity)


def test_pull(exchange):
    ann = exchange.account()
    folder = ann.inbox
    with folder.pull_subscription(event_types=["CreatedEvent", "NewMailEvent", "MovedEvent", "DeletedEvent"]) as (
        key,
        watermark,
    ):
        (quiet,) = folder.get_events(key, watermark)
        assert [type(event) for event in quiet.events] == [StatusEvent]
        exchange.deliver("new")
        (told,) = folder.get_events(key, watermark)
        assert {type(event) for event in told.events} == {CreatedEvent, NewMailEvent}
        assert all(event.parent_folder_id.id == folder.id for event in told.events)
        item = folder.get(subject="new")
        assert {event.item_id.id for event in told.events} == {item.id}
        watermark = told.events[-1].watermark
        before = item.id
        item.move(ann.junk)
        (told,) = folder.get_events(key, watermark)
        (event,) = told.events
        assert isinstance(event, MovedEvent)
        assert (event.old_item_id.id, event.old_parent_folder_id.id, event.parent_folder_id.id) == (
            before,
            folder.id,
            ann.junk.id,
        )
    with pytest.raises(ErrorSubscriptionNotFound):
        list(folder.get_events(key, watermark))


def test_pull_for_a_whole_mailbox_and_for_several_folders(exchange):
    from exchangelib import FolderCollection

    ann = exchange.account()
    with ann.pull_subscription() as (key, watermark):
        draft = Message(account=ann, folder=ann.drafts, subject="d").save()
        draft.copy(ann.junk)
        draft.subject = "e"
        draft.save()
        draft.delete()
        (told,) = ann.inbox.get_events(key, watermark)
        kinds = {type(event) for event in told.events}
        assert {CreatedEvent, CopiedEvent, ModifiedEvent, DeletedEvent} <= kinds
    both = FolderCollection(account=ann, folders=[ann.inbox, ann.drafts])
    with both.pull_subscription(timeout=5) as (key, watermark):
        Message(account=ann, folder=ann.junk, subject="elsewhere").save()
        Message(account=ann, folder=ann.drafts, subject="here").save()
        (told,) = ann.inbox.get_events(key, watermark)
        assert {event.parent_folder_id.id for event in told.events if isinstance(event, CreatedEvent)} == {ann.drafts.id}


class Callback(HTTPServer):
    """A client's own server, that a push subscription calls."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []
        self.arrived = threading.Event()
        self.answer = SendNotification.OK


class Handler(BaseHTTPRequestHandler):
    server: Callback

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        service = SendNotification(protocol=None)
        body = service.ok_payload() if self.server.answer == service.OK else service.unsubscribe_payload()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.arrived.set()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def callback():
    server = Callback()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_push(exchange, callback):
    ann = exchange.account()
    url = f"http://127.0.0.1:{callback.server_port}/"
    with ann.inbox.push_subscription(callback_url=url, event_types=["NewMailEvent"]) as (key, watermark):
        assert watermark
        exchange.deliver("pushed")
        exchange.world.tick()
        assert callback.arrived.wait(10)
        service = SendNotification(protocol=None)
        told = [one for body in callback.bodies for one in service.parse(body)]
        assert any(isinstance(event, NewMailEvent) for one in told for event in one.events)
        assert {one.subscription_id for one in told} == {key}
        callback.answer = SendNotification.UNSUBSCRIBE


def test_streaming(exchange):
    ann = exchange.account()
    folder = ann.inbox
    with folder.streaming_subscription(event_types=["NewMailEvent", "CreatedEvent"]) as key:
        exchange.deliver("streamed")
        told = list(folder.get_streaming_events(key, connection_timeout=1, max_notifications_returned=1))
        kinds = {type(event) for one in told for event in one.events}
        assert kinds <= {NewMailEvent, CreatedEvent}
        assert kinds
        assert {one.subscription_id for one in told} == {key}


def test_several_streams_on_one_connection(exchange):
    ann = exchange.account()
    with ann.inbox.streaming_subscription() as first, ann.drafts.streaming_subscription() as second:
        exchange.deliver("streamed")
        Message(account=ann, folder=ann.drafts, subject="draft").save()
        keys = set()
        service = GetStreamingEvents(account=ann)
        for one in service.call(subscription_ids=[first, second], connection_timeout=1):
            keys.add(one.subscription_id)
            if keys == {first, second}:
                service.stop_streaming()
                break
        assert keys == {first, second}


def test_a_stream_says_which_subscription_it_does_not_know(exchange):
    from exchangelib.errors import EWSError

    ann = exchange.account()
    service = GetStreamingEvents(account=ann)
    with pytest.raises(EWSError, match="bm8="):
        list(service.call(subscription_ids=["bm8="], connection_timeout=1))


@over_sockets
def test_other_calls_go_on_while_a_stream_is_open(exchange):
    ann = exchange.account()
    other = exchange.account(BOB)  # a connection of its own
    with ann.inbox.streaming_subscription(event_types=["NewMailEvent"]) as key:
        got: list[object] = []
        opened = threading.Event()

        def listen() -> None:
            opened.set()
            got.extend(ann.inbox.get_streaming_events(key, connection_timeout=1, max_notifications_returned=1))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        assert opened.wait(10)
        assert other.inbox.all().count() == 0
        exchange.deliver("while it is open")
        exchange.deliver("while it is open", to=BOB)
        assert other.inbox.all().count() == 1
        thread.join(20)
        assert [type(event) for one in got for event in one.events] == [NewMailEvent]
