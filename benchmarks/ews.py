"""Exchange Web Services: the server's own time against exchangelib's, memory against sockets, large mailboxes, the start of a world.

A unit is one call. "exchangelib" is the time that it takes for its whole call on an answer that lies ready, so that no server is in it: what our server takes
of a test is at most half of that. The plain client is requests in this process; over sockets the server is a thread beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.harness import Bench, Missing

ANN, PASSWORD = "ann@sim.test", "open-sesame"
MAIL = (
    b"From: Xenia <x@out.test>\r\nTo: Ann <ann@sim.test>\r\nSubject: number %d\r\nMessage-ID: <%d@out.test>\r\n"
    b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\nThe text of number %d.\r\n"
)
ENVELOPE = (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Header><t:RequestServerVersion Version="Exchange2016"/>'
    "</s:Header><s:Body>{}</s:Body></s:Envelope>"
)
PAGE = (
    '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>'
    '<t:FieldURI FieldURI="item:Subject"/><t:FieldURI FieldURI="item:DateTimeReceived"/><t:FieldURI FieldURI="item:Size"/>'
    '<t:FieldURI FieldURI="message:IsRead"/></t:AdditionalProperties></m:ItemShape>'
    '<m:IndexedPageItemView MaxEntriesReturned="{}" Offset="0" BasePoint="Beginning"/>'
    '<m:ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds></m:FindItem>'
)
SYNC = (
    "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>"
    '<t:DistinguishedFolderId Id="inbox"/></m:SyncFolderId>{}<m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>'
)

GET = (
    "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"
    '<m:ItemIds><t:ItemId Id="{}"/></m:ItemIds></m:GetItem>'
)
CREATE = (
    '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:Subject>made</t:Subject><t:Body BodyType="Text">text</t:Body>'
    "<t:ToRecipients><t:Mailbox><t:EmailAddress>bob@sim.test</t:EmailAddress></t:Mailbox></t:ToRecipients></t:Message></m:Items></m:CreateItem>"
)


def run(bench: Bench) -> None:
    try:
        import exchangelib  # noqa: F401
        import responses  # noqa: F401
    except ImportError as missing:
        raise Missing(str(missing)) from None
    with stocked(bench.pick(1000, 300)) as world:
        against_exchangelib(bench, world)
        memory_against_sockets(bench, world)
        plain_client(bench, world)
    large(bench)
    start(bench)


@contextmanager
def stocked(count: int) -> Iterator[Any]:
    """A world with so many messages in Ann's Inbox."""
    from postroom_simulator import World

    with World(hostname=f"bench{count}.sim.test") as world:
        world.add_account(ANN, PASSWORD, name="Ann")
        for number in range(count):
            world.place(ANN, MAIL % (number, number, number))
        yield world


# -- the server's own time, and exchangelib's


def request(body: str | bytes) -> Any:
    import base64

    from postroom_simulator.ews.http import Request

    login = base64.b64encode(f"{ANN}:{PASSWORD}".encode()).decode()
    headers = {"authorization": f"Basic {login}", "content-type": "text/xml; charset=utf-8", "host": "sim.test"}
    octets = body if isinstance(body, bytes) else ENVELOPE.format(body).encode()
    return Request("POST", "/EWS/Exchange.asmx", headers, octets, True)


def served(world: Any, bodies: list[bytes] | str, times: int) -> Callable[[], float]:
    """Seconds for the answers to these requests, no transport."""
    requests = [request(one) for one in ([bodies] if isinstance(bodies, str) else bodies)]

    def turn() -> float:
        start = time.perf_counter()
        for _ in range(times):
            for asked in requests:
                answer = world.ews.respond(asked)
        took = (time.perf_counter() - start) / times
        if answer.status != 200 or b"NoError" not in answer.body:
            raise RuntimeError(f"no good answer: {answer.status} {answer.body[:300]!r}")
        return took

    return turn


def recorded(call: Callable[[], Any], times: int) -> tuple[list[bytes], Callable[[], float]]:
    """What exchangelib sends for one call, and the seconds that it takes for it when the answers lie ready."""
    import requests

    from postroom_simulator.ews.mount import _in_big_chunks

    send = requests.Session.post
    kept: list[Any] = []
    bodies: list[bytes] = []

    def recording(self: Any, *given: Any, **named: Any) -> Any:
        answer = send(self, *given, **named)
        bodies.append(named["data"])
        kept.append((answer.status_code, answer.headers, answer.content))
        return answer

    requests.Session.post = recording  # type: ignore[method-assign]
    try:
        call()
    finally:
        requests.Session.post = send  # type: ignore[method-assign]

    def replaying(_: Any, url: str, **named: Any) -> Any:
        answer = requests.Response()
        answer.status_code, answer.headers, answer._content = kept[len(given) % len(kept)]
        answer.request = requests.Request("POST", url, headers=named.get("headers"), data=named.get("data")).prepare()
        answer.url = url
        given.append(1)
        return _in_big_chunks(answer)  # as through `mounted`: octet by octet, which is its own way, it is slower still

    given: list[int] = []

    def turn() -> float:
        requests.Session.post = replaying  # type: ignore[assignment,method-assign]
        try:
            start = time.perf_counter()
            for _ in range(times):
                given.clear()
                call()
            return (time.perf_counter() - start) / times
        finally:
            requests.Session.post = send  # type: ignore[method-assign]

    return bodies, turn


@contextmanager
def connected(world: Any) -> Iterator[Any]:
    """exchangelib's account, through `responses`."""
    from exchangelib import BASIC, DELEGATE, Account, Configuration, Credentials
    from exchangelib.protocol import Protocol

    from postroom_simulator.ews.mount import mounted

    with mounted(world) as url:
        configuration = Configuration(service_endpoint=url, credentials=Credentials(ANN, PASSWORD), auth_type=BASIC)
        account = Account(ANN, config=configuration, autodiscover=False, access_type=DELEGATE)
        assert account.inbox.total_count
        try:
            yield account
        finally:
            Protocol.clear_cache()


def against_exchangelib(bench: Bench, world: Any) -> None:
    from exchangelib import Message

    with connected(world) as ann:
        inbox, drafts = ann.inbox, ann.drafts
        first = inbox.all().only("subject")[0]

        def page(count: int) -> None:
            query = inbox.all().only("subject", "datetime_received", "size", "is_read")
            query.page_size = query.max_items = count
            assert len(list(query)) == count

        def create() -> None:
            Message(account=ann, folder=drafts, subject="made", body="text", to_recipients=["bob@sim.test"]).save()

        def synchronise(count: int) -> None:
            assert len(list(inbox.sync_items(only_fields=["subject"], max_changes_returned=512))) == count
            inbox.item_sync_state = None

        most = bench.pick(1000, 300)
        for what, call, times in (
            ("GetItem", lambda: list(ann.fetch([first])), 20),
            ("FindItem, 100 items", lambda: page(100), 5),
            (f"FindItem, {most:,} items", lambda: page(most), 1),
            ("CreateItem", create, 20),
            (f"SyncFolderItems, {most:,} items", lambda: synchronise(most), 1),
        ):
            bodies, theirs = recorded(call, times)
            bench.compare(what, served(world, bodies, times), theirs, against="exchangelib", wanted=2.0, repeats=5)


# -- in memory, and over sockets


def memory_against_sockets(bench: Bench, world: Any) -> None:
    import requests

    from postroom_simulator.ews.mount import mounted

    port = world.listen(ports={"ews": 0}).port("ews")
    body = ENVELOPE.format(PAGE.format(10)).encode()
    times = bench.pick(50, 10)

    def turn(session: Any, url: str) -> float:
        start = time.perf_counter()
        for _ in range(times):
            answer = session.post(url, data=body, headers={"Content-Type": "text/xml; charset=utf-8"})
            if answer.status_code != 200:
                raise RuntimeError(f"no good answer: {answer.status_code}")
        return (time.perf_counter() - start) / times

    with requests.Session() as session, requests.Session() as other:
        session.auth = other.auth = (ANN, PASSWORD)

        def in_memory() -> float:
            with mounted(world) as url:
                return turn(session, url)

        bench.compare(
            "FindItem, 10 items, requests in memory",
            in_memory,
            lambda: turn(other, f"http://127.0.0.1:{port}/EWS/Exchange.asmx"),
            against="over a socket",
            wanted=1.0,
            repeats=7,
        )


# -- large mailboxes


def plain_client(bench: Bench, world: Any) -> None:
    """What a client over a socket waits for each call; of its own it does nothing with the answer."""
    import re

    import requests

    port = world.listen(ports={"ews": 0}).port("ews")
    most = bench.pick(1000, 300)
    found = re.search(rb'<t:ItemId Id="([^"]*)"', world.ews.respond(request(PAGE.format(1))).body)
    assert found is not None
    calls = (
        ("GetItem", GET.format(found[1].decode()), 20),
        ("FindItem, 100 items", PAGE.format(100), 5),
        (f"FindItem, {most:,} items", PAGE.format(most), 1),
        ("CreateItem", CREATE, 20),
        ("SyncFolderItems, a page", SYNC.format(""), 1),
    )
    with requests.Session() as session:
        session.auth = (ANN, PASSWORD)

        def turn(body: bytes, times: int) -> float:
            start = time.perf_counter()
            for _ in range(times):
                answer = session.post(
                    f"http://127.0.0.1:{port}/EWS/Exchange.asmx", data=body, headers={"Content-Type": "text/xml"}
                )
                if answer.status_code != 200 or b"NoError" not in answer.content:
                    raise RuntimeError(f"no good answer: {answer.status_code} {answer.content[:300]!r}")
            return (time.perf_counter() - start) / times

        for what, text, times in calls:
            body = ENVELOPE.format(text).encode()
            bench.measure(f"{what}, requests over a socket", lambda body=body, times=times: turn(body, times))  # type: ignore[misc]


def start(bench: Bench) -> None:
    """A world with all three servers on sockets, an account, and their end."""
    from postroom_simulator import World

    def turn() -> float:
        begun = time.perf_counter()
        with World(hostname="start.sim.test") as world:
            world.add_account(ANN, PASSWORD, name="Ann")
            world.listen(ports={"pop3": 0, "smtp": 0, "ews": 0})
        return time.perf_counter() - begun

    bench.measure("a world with POP3, SMTP and EWS on sockets, made and closed", turn, wanted_seconds=0.015, repeats=20)


def large(bench: Bench) -> None:
    with stocked(bench.pick(10_000, 2_000)) as world:
        bench.measure(
            f"SyncFolderItems, a page of 512 of {bench.pick(10_000, 2_000):,}", served(world, SYNC.format(""), 3), repeats=3
        )
        whole = sync_all(world)
        some = bench.pick(2_000, 400)
        with stocked(some) as other:
            part = sync_all(other)
            bench.compare(
                f"SyncFolderItems, all of {bench.pick(10_000, 2_000):,}, for each item",
                lambda: whole() / bench.pick(10_000, 2_000),
                lambda: part() / some,
                against=f"all of {some:,}",
                wanted=0.5,
                repeats=3,
            )
    small, big = bench.pick(1_000, 500), bench.pick(100_000, 10_000)
    with stocked(small) as little, stocked(big) as world:
        bench.compare(
            f"FindItem, 10 of {big:,} items",
            served(world, PAGE.format(10), 5),
            served(little, PAGE.format(10), 5),
            against=f"10 of {small:,}",
            wanted=0.5,
            repeats=5,
        )


def sync_all(world: Any) -> Callable[[], float]:
    """Seconds for all pages of a first synchronisation."""
    import re

    def turn() -> float:
        start = time.perf_counter()
        state, more = "", True
        while more:
            body = SYNC.format(f"<m:SyncState>{state}</m:SyncState>" if state else "")
            answer = world.ews.respond(request(body)).body
            found = re.search(rb"<m:SyncState>([^<]*)</m:SyncState>", answer)
            if found is None:
                raise RuntimeError(f"no good answer: {answer[:300]!r}")
            state = found[1].decode("ascii")
            more = b"<m:IncludesLastItemInRange>false" in answer
        return time.perf_counter() - start

    return turn
