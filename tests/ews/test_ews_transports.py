"""One conversation, however it is cut and whichever way it goes: the same answers, the same journal."""

from __future__ import annotations

import base64
import itertools
import socket
from collections.abc import Iterator
from typing import Any

import requests
import wire
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import BASIC, PATH, Client, connected, create_item, direct, envelope, find_item, get_folder, http

from postroom_simulator import World
from postroom_simulator.ews.http import Request
from postroom_simulator.ews.link import open_link
from postroom_simulator.ews.mount import mounted
from postroom_simulator.faults import Reply, When

CHUNKED = (
    f"POST {PATH} HTTP/1.1\r\nHost: mail.sim.test\r\nAuthorization: {BASIC}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
)
GET_INBOX = envelope(get_folder())
TALK = (
    http(method="GET", auth="")
    + http(GET_INBOX, auth="")
    + http(GET_INBOX)
    + CHUNKED
    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(GET_INBOX), GET_INBOX)
    + http(envelope(create_item("one") + create_item("two")))
    + http(envelope(create_item("three")), extra="Expect: 100-continue\r\n")
    + http(envelope(get_folder("drafts", "inbox")), extra="Connection: close\r\n")
)


def talk(pieces: list[bytes]) -> tuple[bytes, list[tuple[Any, ...]]]:
    """All that the server says, and the journal."""
    with wire.make_world() as world:
        one = connected(world)
        for piece in pieces:
            one.say(piece)
        got = b""
        while piece := one.sock.recv(65536):
            got += piece
        one.close()
        world.settle(2)
        return got, world.journal.fields()


WHOLE = talk([TALK])


def test_what_is_compared_is_a_conversation() -> None:
    assert wire.count_answers(WHOLE[0]) == 8  # seven answers and a 100
    assert b"ErrorSchemaValidation" in WHOLE[0]


def test_cut_at_every_octet() -> None:
    short = http(method="GET", auth="") + CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(GET_INBOX), GET_INBOX)
    short += http(method="GET", extra="Connection: close\r\n")
    whole = talk([short])
    for at in range(1, len(short)):
        assert talk([short[:at], short[at:]]) == whole, at


def test_octet_by_octet() -> None:
    assert talk([TALK[at : at + 1] for at in range(len(TALK))]) == WHOLE


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, len(TALK) - 1), max_size=30))
def test_cut_anywhere(places: list[int]) -> None:
    cuts = [0, *sorted(set(places)), len(TALK)]
    assert talk([TALK[a:b] for a, b in itertools.pairwise(cuts)]) == WHOLE


# -- four ways to the same service


def over(world: World, way: str) -> Iterator[Any]:
    """A function that asks: (body, whether credentials are shown) -> (status, codes)."""
    if way == "direct":
        link = open_link(world)

        def ask(body: bytes, auth: str) -> Any:
            headers = {"host": "mail.sim.test"} | ({"authorization": auth} if auth else {})
            return world.ews.respond(Request("POST", PATH, headers, body, link=link))

        yield ask
        world.ews.close(link)
    elif way == "mounted":
        with mounted(world) as url, requests.Session() as session:
            session.headers.clear()  # of its own it says who it is, which the other clients here do not
            yield lambda body, auth: _of(session.post(url, body, headers={"Authorization": auth} if auth else {}))
    else:
        if way == "memory":
            one = connected(world)
        else:
            one = Client(socket.create_connection(world.listen(ports={"ews": 0}).addresses["ews"], timeout=10))
        yield lambda body, auth: one.ask(http(body, auth=auth))
        one.close()


def _of(response: requests.Response) -> wire.Answer:
    return wire.Answer(response.status_code, list(response.headers.items()), response.content)


def journal_of(way: str) -> tuple[list[tuple[int, list[str]]], list[tuple[Any, ...]]]:
    wrong = "Basic " + base64.b64encode(b"ann@sim.test:wrong").decode()
    with wire.make_world() as world:
        world.deliver("x@out.test", [wire.ANN], b"Subject: hello\r\n\r\nbody\r\n")
        world.faults.add(When("ews", "item", nth=3), Reply("ErrorItemNotFound"))
        world.faults.add(When("ews", "FindItem", nth=2), Reply("ErrorServerBusy", "[BackOffMilliseconds=10]"))
        world.faults.add(When("ews", "envelope", nth=5), Reply("503"))
        answers = []
        for ask in over(world, way):
            for body, auth in (
                (GET_INBOX, ""),
                (GET_INBOX, wrong),
                (GET_INBOX, BASIC),
                (envelope(get_folder("inbox", "drafts")), BASIC),
                (envelope(find_item()), BASIC),
                (envelope(find_item()), BASIC),
                (GET_INBOX, BASIC),
                (envelope(create_item()), BASIC),
                (b"<broken", BASIC),
            ):
                answer = ask(body, auth)
                answers.append((answer.status, wire.codes(answer.body) if answer.body.startswith(b"<?xml") else []))
        world.settle()
        return answers, world.journal.fields()


def test_four_ways_one_journal() -> None:
    answers, journal = journal_of("memory")
    assert [status for status, _ in answers] == [401, 401, 200, 200, 200, 500, 503, 200, 500]
    assert answers[3][1] == ["NoError", "ErrorItemNotFound"]
    for way in ("tcp", "mounted", "direct"):
        assert journal_of(way) == (answers, journal), way


def test_the_journal_tells_operations_and_never_content() -> None:
    with wire.make_world() as world:
        direct(world, create_item("a secret subject"))
        direct(world, get_folder("inbox", "drafts"))
        direct(world, get_folder(), auth="Basic " + base64.b64encode(b"ann@sim.test:not-the-password").decode())
        told = world.journal.transcript()
    assert "secret" not in told
    assert "not-the-password" not in told
    lines = told.splitlines()
    assert [line[line.index("ews-") + 6 :] for line in lines if " C: " in line or " S: " in line] == [
        "C: CreateItem 1 Message, SaveOnly",
        "S: 200 NoError",
        "C: GetFolder inbox, drafts",
        "S: 200 NoError (2)",
        "C: POST /EWS/Exchange.asmx",
        "S: 401",
    ]


MIME = b"Subject: hello\r\nFrom: x@out.test\r\nTo: ann@sim.test\r\n\r\nbody\r\n"


def test_a_message_that_was_handed_out_whole_is_offered() -> None:
    with wire.make_world() as world:
        (delivery,) = world.deliver("x@out.test", [wire.ANN], MIME)
        found = direct(world, find_item()).body.decode().partition(' Id="')[2].partition('"')[0]
        shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{}</m:ItemShape>"
        get = f'<m:GetItem>{shape}<m:ItemIds><t:ItemId Id="{found}"/></m:ItemIds></m:GetItem>'
        direct(world, get.format(""))
        assert world.journal.count(kind="offered") == 0
        direct(world, get.format("<t:IncludeMimeContent>true</t:IncludeMimeContent>"))
        (entry,) = world.journal.entries(kind="offered")
        stored = next(iter(world.inbox(wire.ANN)))
        assert entry.data == {"uid": delivery.uid, "uidl": found, "octets": len(stored), "way": "mime"}
        assert (entry.protocol, entry.verb, entry.account) == ("ews", "GetItem", wire.ANN)
