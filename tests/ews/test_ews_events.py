"""Notifications: pull, push and streaming (ews reference 14)."""

from __future__ import annotations

import queue
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

import pytest
from folders_scene import ANN, BOB, Asker, ann, answer_in, bob, by_id, clock_of, mail, named, world
from lxml import etree

from postroom_simulator import World
from postroom_simulator.clock import ManualClock, SystemClock
from postroom_simulator.ews.items.view import item_id
from postroom_simulator.store.interface import Item, Role

__all__ = ["ann", "bob", "world"]
Value = dict[str, Any]
ALL = ("CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent", "NewMailEvent", "FreeBusyChangedEvent")


def scope(folders: str, kinds: tuple[str, ...]) -> str:
    types = "".join(f"<t:EventType>{kind}</t:EventType>" for kind in kinds)
    where = f"<t:FolderIds>{folders}</t:FolderIds>" if folders else ""
    return f"{where}<t:EventTypes>{types}</t:EventTypes>"


def everything(folders: str) -> str:
    return "" if folders else ' SubscribeToAllFolders="true"'


def pull(folders: str = "", kinds: tuple[str, ...] = ALL, minutes: int = 30, watermark: str = "") -> str:
    mark = f"<t:Watermark>{watermark}</t:Watermark>" if watermark else ""
    return (
        f"<Subscribe><PullSubscriptionRequest{everything(folders)}>{scope(folders, kinds)}{mark}<t:Timeout>{minutes}</t:Timeout>"
        "</PullSubscriptionRequest></Subscribe>"
    )


def streaming(folders: str = "", kinds: tuple[str, ...] = ALL) -> str:
    return (
        f"<Subscribe><StreamingSubscriptionRequest{everything(folders)}>{scope(folders, kinds)}"
        "</StreamingSubscriptionRequest></Subscribe>"
    )


def push(url: str, folders: str = "", kinds: tuple[str, ...] = ALL, minutes: int = 5) -> str:
    return (
        f"<Subscribe><PushSubscriptionRequest{everything(folders)}>{scope(folders, kinds)}"
        f"<t:StatusFrequency>{minutes}</t:StatusFrequency><t:URL>{url}</t:URL></PushSubscriptionRequest></Subscribe>"
    )


def get_events(one: str, watermark: str) -> str:
    return f"<GetEvents><SubscriptionId>{one}</SubscriptionId><Watermark>{watermark}</Watermark></GetEvents>"


def unsubscribe(one: str) -> str:
    return f"<Unsubscribe><SubscriptionId>{one}</SubscriptionId></Unsubscribe>"


class Puller:
    """A subscription that is asked for its events."""

    def __init__(self, asker: Asker, request: str) -> None:
        self.asker = asker
        made = asker.one(request)
        self.id, self.watermark = made["SubscriptionId"], made["Watermark"]

    def notification(self) -> Value:
        found: Value = self.asker.one(get_events(self.id, self.watermark))["Notification"]
        return found

    def events(self) -> list[tuple[str, Value]]:
        """Those after the watermark, which moves on."""
        found = self.notification()
        assert (found["SubscriptionId"], found["PreviousWatermark"]) == (self.id, self.watermark)
        self.watermark = found[""][-1][1]["Watermark"]
        return list(found[""])

    def kinds(self) -> list[str]:
        """With what each is about."""
        return [f"{kind} {'item' if 'ItemId' in value else 'folder'}".removesuffix(" folder") for kind, value in self.events()]


def items(world: World, role: Role = Role.INBOX) -> list[Item]:
    return list(world.store.items(world.store.folder(ANN, role).uid))


# -- what happens


def test_nothing_is_a_status_and_nobody_watches_before_somebody_subscribes(world: World, ann: Asker) -> None:
    world.deliver("x@out.test", [ANN], mail("before"))
    assert world.ews.subscriptions.newest == 0
    puller = Puller(ann, pull())
    assert puller.kinds() == ["StatusEvent"]


def test_a_new_mail(world: World, ann: Asker) -> None:
    puller = Puller(ann, pull(named("inbox")))
    world.deliver("x@out.test", [ANN], mail("hello"))
    found = dict(puller.events())
    assert list(found) == ["NewMailEvent", "CreatedEvent", "ModifiedEvent"]
    (item,) = items(world)
    inbox = ann.folder(named("inbox"))[1]
    for kind in ("NewMailEvent", "CreatedEvent"):
        assert found[kind]["ItemId"] == item_id(item)
        assert found[kind]["ParentFolderId"] == inbox["FolderId"]
        assert found[kind]["TimeStamp"] == world.clock.now()
    assert found["ModifiedEvent"]["FolderId"] == inbox["FolderId"]
    assert found["ModifiedEvent"]["ParentFolderId"] == inbox["ParentFolderId"]
    assert found["ModifiedEvent"]["UnreadCount"] == 1


def test_what_is_put_into_a_mailbox_is_no_new_mail(world: World, ann: Asker) -> None:
    puller = Puller(ann, pull())
    world.place(ANN, mail("imported"))
    assert puller.kinds() == ["CreatedEvent item", "ModifiedEvent"]


def test_changes_moves_copies_and_deletions_of_items(world: World, ann: Asker) -> None:
    world.deliver("x@out.test", [ANN], mail("hello"))
    (item,) = items(world)
    drafts = world.store.folder(ANN, Role.DRAFTS).uid
    puller = Puller(ann, pull())
    world.store.set_read([item.uid], True)
    assert puller.kinds() == ["ModifiedEvent item", "ModifiedEvent"]
    world.store.set_flags(item.uid, frozenset({"x"}))
    assert puller.kinds() == ["ModifiedEvent item"]
    before = item_id(items(world)[0])["@Id"]
    there = world.store.move(item.uid, drafts)
    (moved, value), *rest = puller.events()
    assert (moved, [kind for kind, _ in rest]) == ("MovedEvent", ["ModifiedEvent", "ModifiedEvent"])
    after = item_id(items(world, Role.DRAFTS)[0])
    assert (value["OldItemId"]["@Id"], value["ItemId"]) == (before, after)
    assert value["OldParentFolderId"]["@Id"] == ann.folder(named("inbox"))[1]["FolderId"]["@Id"]
    assert value["ParentFolderId"]["@Id"] == ann.folder(named("drafts"))[1]["FolderId"]["@Id"]
    twin = world.store.copy(there.uid, world.store.folder(ANN, Role.INBOX).uid)
    (copied, value), *_ = puller.events()
    assert (copied, value["OldItemId"]["@Id"], value["ItemId"]["@Id"]) == ("CopiedEvent", after["@Id"], item_id(twin)["@Id"])
    world.store.delete([there.uid])
    (deleted, value), *_ = puller.events()
    assert (deleted, value["ItemId"]["@Id"]) == ("DeletedEvent", after["@Id"])


def test_folders(ann: Asker) -> None:
    puller = Puller(ann, pull())
    made = ann.make("one")
    ((created, value),) = puller.events()
    assert (created, value["FolderId"]["@Id"]) == ("CreatedEvent", made)
    change = '<t:SetFolderField><t:FieldURI FieldURI="folder:DisplayName"/><t:Folder><t:DisplayName>two</t:DisplayName></t:Folder></t:SetFolderField>'
    ann.one(
        f"<UpdateFolder><FolderChanges><t:FolderChange>{by_id(made)}<t:Updates>{change}</t:Updates></t:FolderChange></FolderChanges></UpdateFolder>"
    )
    assert puller.kinds() == ["ModifiedEvent"]
    ann.one(f"<MoveFolder><ToFolderId>{named('inbox')}</ToFolderId><FolderIds>{by_id(made)}</FolderIds></MoveFolder>")
    ((moved, value),) = puller.events()
    assert (moved, value["OldFolderId"]["@Id"], value["FolderId"]["@Id"]) == ("MovedEvent", made, made)
    assert value["OldParentFolderId"]["@Id"] == ann.folder(named("msgfolderroot"))[1]["FolderId"]["@Id"]
    ann.one(f'<DeleteFolder DeleteType="HardDelete"><FolderIds>{by_id(made)}</FolderIds></DeleteFolder>')
    assert puller.kinds() == ["DeletedEvent"]


def test_a_change_in_the_calendar_may_change_who_is_free(world: World, ann: Asker) -> None:
    puller = Puller(ann, pull(named("calendar"), ("FreeBusyChangedEvent",)))
    calendar = world.store.folder(ANN, Role.CALENDAR).uid
    made = world.store.create(calendar, "IPM.Appointment", {"Subject": "s"})
    world.store.delete([made.uid])
    assert puller.kinds() == ["FreeBusyChangedEvent", "FreeBusyChangedEvent"]


def test_only_what_was_asked_for_in_the_folders_that_were_named(world: World, ann: Asker) -> None:
    puller = Puller(ann, pull(named("drafts"), ("CreatedEvent",)))
    world.deliver("x@out.test", [ANN], mail("hello"))
    world.store.deposit(ANN, mail("draft"), folder=world.store.folder(ANN, Role.DRAFTS).uid)
    assert puller.kinds() == ["CreatedEvent item"]
    world.deliver("x@out.test", [BOB], mail("hello", to=BOB))
    assert puller.kinds() == ["StatusEvent"]


# -- pull


def test_old_watermarks_stay_readable_and_more_events_are_said(world: World, ann: Asker) -> None:
    puller = Puller(ann, pull(kinds=("NewMailEvent",)))
    first = puller.watermark
    for number in range(60):
        world.deliver("x@out.test", [ANN], mail(f"m{number}"))
    page = puller.notification()
    assert (len(page[""]), page["MoreEvents"]) == (50, True)
    puller.events()
    assert len(puller.events()) == 10
    puller.watermark = first
    assert puller.notification() == page


def test_a_new_subscription_may_go_on_where_another_stopped(world: World, ann: Asker) -> None:
    puller = Puller(ann, pull(kinds=("NewMailEvent",)))
    world.deliver("x@out.test", [ANN], mail("between"))
    ann.one(unsubscribe(puller.id))
    again = Puller(ann, pull(kinds=("NewMailEvent",), watermark=puller.watermark))
    assert again.kinds() == ["NewMailEvent item"]


@pytest.mark.parametrize("watermark", ["AAAA", "nonsense", "AQAAAAAAAAAAAAD//////////w=="])
def test_a_watermark_that_is_none(ann: Asker, watermark: str) -> None:
    puller = Puller(ann, pull())
    assert ann.code(get_events(puller.id, watermark)) == "ErrorInvalidWatermark"
    assert ann.code(pull(watermark=watermark)) == "ErrorInvalidWatermark"


def test_an_end_by_word_and_by_the_clock(world: World, ann: Asker, bob: Asker) -> None:
    puller = Puller(ann, pull())
    assert bob.code(get_events(puller.id, puller.watermark)) == "ErrorSubscriptionAccessDenied"
    ann.one(unsubscribe(puller.id))
    assert ann.code(get_events(puller.id, puller.watermark)) == "ErrorSubscriptionNotFound"
    assert ann.code(unsubscribe(puller.id)) == "ErrorSubscriptionNotFound"
    short = Puller(ann, pull(minutes=2))
    for _ in range(3):
        clock_of(world).advance(minutes=1.5)
        assert short.kinds() == ["StatusEvent"]
    clock_of(world).advance(minutes=2.5)
    assert ann.code(get_events(short.id, short.watermark)) == "ErrorExpiredSubscription"


@pytest.mark.parametrize("minutes", [0, 1441])
def test_limits_of_the_timeout(ann: Asker, minutes: int) -> None:
    assert ann.code(pull(minutes=minutes)) == "ErrorSchemaValidation"


def test_requests_that_are_none(world: World, ann: Asker, bob: Asker) -> None:
    both = pull(named("inbox")).replace("<PullSubscriptionRequest", '<PullSubscriptionRequest SubscribeToAllFolders="true"')
    assert ann.code(both) == "ErrorInvalidSubscriptionRequest"
    neither = pull().replace(' SubscribeToAllFolders="true"', "")
    assert ann.code(neither) == "ErrorInvalidSubscriptionRequest"
    assert bob.code(pull(named("inbox", ANN))) == "ErrorAccessDenied"
    assert ann.code(pull(by_id("x"))) == "ErrorInvalidIdMalformed"
    world.ews.throttling.subscriptions = 2
    assert [ann.code(pull()) for _ in range(3)] == ["NoError", "NoError", "ErrorExceededSubscriptionCount"]


def test_all_folders_are_those_of_the_mailbox(world: World, ann: Asker) -> None:
    """An archive is a mailbox of its own: what happens there alone is not told; what goes there is."""
    world.store.open_archive(ANN)
    opened = ann.one(pull())
    inside = world.store.create_folder(world.store.folder(ANN, Role.ARCHIVE_TOP).uid, "Old", "IPF.Note")
    item = world.place(ANN, mail("old"), folder=inside.uid)
    world.store.delete([item.uid])
    world.store.delete_folder(inside.uid)
    (found,) = ann.messages(get_events(opened["SubscriptionId"], opened["Watermark"]))
    assert [element for element, _ in found["Notification"][""]] == ["StatusEvent"]
    named_one = ann.one(pull(named("archivemsgfolderroot")))
    other = world.place(ANN, mail("new"))
    world.store.move(other.uid, world.store.folder(ANN, Role.ARCHIVE_TOP).uid)
    for one in (opened, named_one):
        (found,) = ann.messages(get_events(one["SubscriptionId"], one["Watermark"]))
        assert "MovedEvent" in [element for element, _ in found["Notification"][""]]


def test_the_watermark_may_be_in_either_namespace(world: World, ann: Asker) -> None:
    puller = Puller(ann, pull(kinds=("NewMailEvent",)))
    world.deliver("x@out.test", [ANN], mail("hello"))
    other = pull(kinds=("NewMailEvent",), watermark=puller.watermark).replace("t:Watermark", "m:Watermark")
    assert Puller(ann, other).kinds() == ["NewMailEvent item"]


# -- streaming


def stream_of(asker: Asker, ids: list[str], minutes: int = 1) -> Iterator[bytes]:
    asked = "".join(f"<t:SubscriptionId>{one}</t:SubscriptionId>" for one in ids)
    response = asker.respond(
        f"<GetStreamingEvents><SubscriptionIds>{asked}</SubscriptionIds><ConnectionTimeout>{minutes}</ConnectionTimeout>"
        "</GetStreamingEvents>"
    )
    assert response.stream is not None
    pieces = response.stream
    return iter(pieces.pieces() if hasattr(pieces, "pieces") else pieces)


def said(envelope: bytes) -> str:
    """In short: the status, or the kinds of events."""
    (message,) = [value for _, value in answer_in(envelope)["ResponseMessages"]]
    if "ConnectionStatus" in message:
        return str(message["ConnectionStatus"])
    if message["ResponseCode"] != "NoError":
        return str(message["ResponseCode"])
    return " ".join(kind for one in message["Notifications"]["Notification"] for kind, _ in one[""])


def test_a_stream_from_its_first_status_to_its_end(world: World, ann: Asker) -> None:
    made = ann.one(streaming(named("inbox"), ("NewMailEvent",)))
    assert "Watermark" not in made
    world.deliver("x@out.test", [ANN], mail("before"))
    clock_of(world).call_later(10, lambda: world.deliver("x@out.test", [ANN], mail("meanwhile")))
    envelopes = list(stream_of(ann, [made["SubscriptionId"]], 2))
    assert [said(one) for one in envelopes] == ["OK", "NewMailEvent", "NewMailEvent", "OK", "OK", "Closed"]
    for one in envelopes:
        assert one.startswith(b"<Envelope ")
        assert one.endswith(b"</Envelope>")
        assert b"Watermark" not in one
        etree.fromstring(one)


def test_reconnecting_goes_on_where_the_last_connection_stopped(world: World, ann: Asker) -> None:
    one = ann.one(streaming(kinds=("NewMailEvent",)))["SubscriptionId"]
    world.deliver("x@out.test", [ANN], mail("1"))
    assert [said(envelope) for envelope in stream_of(ann, [one])] == ["OK", "NewMailEvent", "OK", "Closed"]
    world.deliver("x@out.test", [ANN], mail("2"))
    assert [said(envelope) for envelope in stream_of(ann, [one])] == ["OK", "NewMailEvent", "OK", "Closed"]


def test_several_subscriptions_on_one_stream(world: World, ann: Asker) -> None:
    ids = [ann.one(streaming(named(name), ("CreatedEvent",)))["SubscriptionId"] for name in ("inbox", "drafts")]
    world.deliver("x@out.test", [ANN], mail("1"))
    world.store.deposit(ANN, mail("draft"), folder=world.store.folder(ANN, Role.DRAFTS).uid)
    assert [said(envelope) for envelope in stream_of(ann, ids)] == ["OK", "CreatedEvent", "CreatedEvent", "OK", "Closed"]


def test_wrong_ids_are_told_and_that_is_the_end(ann: Asker, bob: Asker) -> None:
    good = ann.one(streaming())["SubscriptionId"]
    bobs = bob.one(streaming())["SubscriptionId"]
    pulled = ann.one(pull())["SubscriptionId"]
    asked = "".join(f"<t:SubscriptionId>{one}</t:SubscriptionId>" for one in (good, bobs, pulled, "nonsense"))
    (message,) = ann.messages(
        f"<GetStreamingEvents><SubscriptionIds>{asked}</SubscriptionIds><ConnectionTimeout>1</ConnectionTimeout></GetStreamingEvents>"
    )
    assert message["ResponseCode"] == "ErrorInvalidSubscription"
    assert message["ErrorSubscriptionIds"]["SubscriptionId"] == [bobs, pulled, "nonsense"]


def test_a_second_connection_takes_over(world: World, ann: Asker) -> None:
    one = ann.one(streaming(kinds=("NewMailEvent",)))["SubscriptionId"]
    first = stream_of(ann, [one], 30)
    assert said(next(first)) == "OK"
    second = stream_of(ann, [one])
    world.deliver("x@out.test", [ANN], mail("1"))
    assert [said(envelope) for envelope in first] == ["ErrorNewEventStreamConnectionOpened"]
    assert [said(envelope) for envelope in second] == ["OK", "NewMailEvent", "OK", "Closed"]


def test_unsubscribing_ends_the_stream_and_nobody_coming_ends_the_subscription(world: World, ann: Asker) -> None:
    one = ann.one(streaming())["SubscriptionId"]
    waiting = stream_of(ann, [one], 30)
    next(waiting)
    ann.one(unsubscribe(one))
    assert list(waiting) == []
    left = ann.one(streaming())["SubscriptionId"]
    clock_of(world).advance(minutes=31)
    assert ann.code(unsubscribe(left)) == "ErrorExpiredSubscription"


# -- push


class Listener:
    """Takes posts, and gives the answers that it is told."""

    def __init__(self) -> None:
        self.heard: list[Value] = []
        self.answers: list[str | OSError] = []

    def __call__(self, url: str, body: bytes) -> bytes:
        assert url == "http://127.0.0.1:8999/hook"
        answer = self.answers.pop(0) if self.answers else "OK"
        if isinstance(answer, OSError):
            raise answer
        (message,) = [value for _, value in answer_in(body)["ResponseMessages"]]
        self.heard.append(message["Notification"])
        return result(answer)

    def kinds(self) -> list[str]:
        return [kind for one in self.heard for kind, _ in one[""]]


def result(status: str) -> bytes:
    space = "http://schemas.microsoft.com/exchange/services/2006/messages"
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    return (
        f'<s:Envelope xmlns:s="{soap}"><s:Body><SendNotificationResult xmlns="{space}">'
        f"<SubscriptionStatus>{status}</SubscriptionStatus></SendNotificationResult></s:Body></s:Envelope>"
    ).encode()


@pytest.fixture
def listener(world: World) -> Listener:
    world.ews.post_notification = made = Listener()
    return made


URL = "http://127.0.0.1:8999/hook"


def test_events_are_pushed_and_a_status_when_nothing_happens(world: World, ann: Asker, listener: Listener) -> None:
    made = ann.one(push(URL, kinds=("NewMailEvent",), minutes=5))
    world.deliver("x@out.test", [ANN], mail("hello"))
    world.tick()
    assert listener.kinds() == ["NewMailEvent"]
    assert (listener.heard[0]["SubscriptionId"], listener.heard[0]["PreviousWatermark"]) == (
        made["SubscriptionId"],
        made["Watermark"],
    )
    clock_of(world).advance(minutes=11)
    assert listener.kinds() == ["NewMailEvent", "StatusEvent", "StatusEvent"]
    assert ann.code(unsubscribe(made["SubscriptionId"])) == "ErrorInvalidSubscription"


def test_who_answers_unsubscribe_hears_no_more(world: World, ann: Asker, listener: Listener) -> None:
    made = ann.one(push(URL, kinds=("NewMailEvent",)))
    listener.answers = ["Unsubscribe"]
    for _ in range(2):
        world.deliver("x@out.test", [ANN], mail("hello"))
        world.tick()
    clock_of(world).advance(minutes=20)
    assert listener.kinds() == ["NewMailEvent"]
    assert ann.code(unsubscribe(made["SubscriptionId"])) == "ErrorSubscriptionNotFound"


def test_a_post_that_is_not_taken_is_tried_again_with_growing_pauses(world: World, ann: Asker, listener: Listener) -> None:
    ann.one(push(URL, kinds=("NewMailEvent",)))
    listener.answers = [OSError("refused"), OSError("refused"), "OK"]
    world.deliver("x@out.test", [ANN], mail("1"))
    world.tick()
    world.deliver("x@out.test", [ANN], mail("2"))
    clock_of(world).advance(89)
    assert listener.kinds() == []
    clock_of(world).advance(2)
    assert listener.kinds() == ["NewMailEvent", "NewMailEvent"]


def test_who_never_answers_is_given_up(world: World, ann: Asker, listener: Listener) -> None:
    made = ann.one(push(URL, kinds=("NewMailEvent",)))
    listener.answers = [OSError("refused")] * 20
    world.deliver("x@out.test", [ANN], mail("1"))
    clock_of(world).advance(hours=1)
    assert ann.code(unsubscribe(made["SubscriptionId"])) == "ErrorSubscriptionNotFound"
    assert len(listener.answers) == 14


@pytest.mark.parametrize(
    "url", ["http://example.test/x", "ftp://127.0.0.1/x", "nonsense", "http://10.0.0.1/", "http://[::1", "file:///etc/passwd"]
)
def test_only_loopback_is_called(world: World, ann: Asker, url: str) -> None:
    assert ann.code(push(url)) == "ErrorInvalidPushSubscriptionUrl"
    world.ews.push_hosts.add("example.test")
    assert ann.code(push("http://example.test/x")) == "NoError"


class Hook:
    """A client's HTTP server, and what it heard; `then` is done before each answer."""

    def __init__(self, then: Callable[[bytes], None] = lambda _: None) -> None:
        self.heard: queue.Queue[bytes] = queue.Queue()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                then(octets)
                body = result("OK")
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                hook.heard.put(octets)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
                """Nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?a=b"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_a_post_over_http_on_loopback() -> None:
    with World(hostname="push.sim.test", clock=SystemClock()) as world, Hook() as hook:
        world.add_account(ANN, "pw")
        Asker(world).one(push(hook.url, kinds=("NewMailEvent",)))
        world.deliver("x@out.test", [ANN], mail("hello"))
        assert b"NewMailEvent" in hook.heard.get(timeout=10)


def fetch(asker: Asker, octets: bytes) -> Value:
    """What a client does that hears of new mail: the item."""
    ((_, message),) = answer_in(octets)["ResponseMessages"]
    ((_, event),) = message["Notification"][""]
    one = event["ItemId"]["@Id"]
    shape = "<ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape>"
    return asker.one(f'<GetItem>{shape}<ItemIds><t:ItemId Id="{one}"/></ItemIds></GetItem>')


@pytest.mark.parametrize("way", ["delivery", "request", "memory", "clock"])
def test_a_client_may_ask_for_what_it_hears_of_before_it_answers(way: str) -> None:
    found: list[Value] = []
    with World(hostname="push.sim.test") as world, Hook(lambda octets: found.append(fetch(Asker(world), octets))) as hook:
        world.add_account(ANN, "pw")
        asker = Asker(world)
        asker.one(push(hook.url, kinds=("NewMailEvent",)))
        if way == "delivery":
            world.deliver("x@out.test", [ANN], mail("hello"))
        elif way == "request":
            message = f"<t:Message><t:Subject>hello</t:Subject><t:ToRecipients><t:Mailbox><t:EmailAddress>{ANN}</t:EmailAddress></t:Mailbox></t:ToRecipients></t:Message>"
            asker.one(f'<CreateItem MessageDisposition="SendOnly"><Items>{message}</Items></CreateItem>')
        elif way == "memory":
            send_over(world.connect("smtp"))
        else:
            with world.lock:
                world.deliver("x@out.test", [ANN], mail("hello"))
                assert hook.heard.empty()
            clock_of(world).advance(0)
        assert b"NewMailEvent" in hook.heard.get(timeout=10)
        assert [next(iter(one["Items"]))[1]["Subject"] for one in found] == ["hello"]


def send_over(sock: Any) -> None:
    """A message by SMTP."""
    client = smtplib.SMTP()
    client.sock = sock
    client.file = None
    client.getreply()
    client.ehlo_or_helo_if_needed()
    client.sendmail("x@out.test", [ANN], mail("hello"))
    client.quit()


@pytest.mark.parametrize("clock", [ManualClock, SystemClock])
def test_with_servers_a_post_waits_for_nobody(clock: type) -> None:
    """It goes out beside the servers' loop, which serves the client's question meanwhile, and whatever the clock is."""
    found: list[Value] = []
    with World(hostname="push.sim.test", clock=clock()) as world:
        world.add_account(ANN, "pw")
        servers = world.listen(ports={"smtp": 0, "ews": 0})
        asker = Asker(world)

        def ask(octets: bytes) -> None:
            with socket.create_connection(servers.addresses["ews"], timeout=10) as sock:
                sock.sendall(b"GET /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\n\r\n")
                assert sock.recv(100).startswith(b"HTTP/1.1 401 ")
            found.append(fetch(asker, octets))

        with Hook(ask) as hook:
            asker.one(push(hook.url, kinds=("NewMailEvent",)))
            for number in range(3):
                send_over(socket.create_connection(servers.addresses["smtp"], timeout=10))
                assert b"NewMailEvent" in hook.heard.get(timeout=10)
                assert len(found) == number + 1


def test_what_happens_while_a_post_is_on_its_way_is_told_by_the_next(world: World, ann: Asker, listener: Listener) -> None:
    def told(url: str, body: bytes) -> bytes:
        if not listener.heard:
            world.deliver("x@out.test", [ANN], mail("2"))
        return listener(url, body)

    world.ews.post_notification = told
    ann.one(push(URL, kinds=("NewMailEvent",)))
    world.deliver("x@out.test", [ANN], mail("1"))
    assert listener.kinds() == ["NewMailEvent", "NewMailEvent"]
    assert len(listener.heard) == 2
